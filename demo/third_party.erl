%% @doc Two versions of a third-party application from what demo/third-party downloaded.
-module(third_party).

-export([main/0]).

-spec main() -> no_return().
main() ->
    case init:get_plain_arguments() of
        [Lib, "mochiweb" | Trees] -> say(mochiweb, [rebuild(Lib, Tree) || Tree <- Trees]);
        [Lib, "inets"] -> say(inets, [copy(Lib, inets, ""), copy(Lib, inets, ".1")])
    end,
    halt(0).

say(App, [First, Second]) ->
    io:format("~s ~s ~s~n", [App, First, Second]).

%% The tree of an unpacked package -> LIB/mochiweb-VSN, compiled on this OTP.
rebuild(Lib, Tree) ->
    [AppFile] = filelib:wildcard(Tree ++ "/usr/lib/erlang/lib/mochiweb*/ebin/mochiweb.app"),
    build(Lib, AppFile, fun(Vsn) -> Vsn end, fun(_, Forms) -> Forms end).

copy(Lib, App, Suffix) ->
    AppFile = filename:join([code:lib_dir(App), "ebin", atom_to_list(App) ++ ".app"]),
    build(Lib, AppFile, fun(Vsn) -> Vsn ++ Suffix end, fun(M, Forms) -> change(M, Suffix, Forms) end).

change(httpd_util, [_ | _], Forms) ->
    {Before, [{eof, Line} | _]} = lists:splitwith(fun(F) -> element(1, F) =/= eof end, Forms),
    Function = {function, Line, changed, 0, [{clause, Line, [], [], [{atom, Line, true}]}]},
    [{attribute, _, file, _} = File, Module | Rest] = Before,
    [File, Module, {attribute, Line, export, [{changed, 0}]} | Rest] ++ [Function, {eof, Line}];
change(_, _, Forms) ->
    Forms.

build(Lib, AppFile, NewVsn, NewForms) ->
    {ok, [{application, App, Keys}]} = file:consult(AppFile),
    Vsn = NewVsn(proplists:get_value(vsn, Keys)),
    Ebin = filename:join([Lib, atom_to_list(App) ++ "-" ++ Vsn, "ebin"]),
    Target = filename:join(Ebin, filename:basename(AppFile)),
    ok = filelib:ensure_dir(Target),
    Spec = {application, App, lists:keystore(vsn, 1, Keys, {vsn, Vsn})},
    ok = file:write_file(Target, io_lib:format("~tp.~n", [Spec])),
    [
        compile(Beam, Ebin, NewForms)
     || Beam <- filelib:wildcard(filename:join(filename:dirname(AppFile), "*.beam"))
    ],
    Vsn.

compile(Beam, Ebin, NewForms) ->
    {ok, {Module, [{abstract_code, {raw_abstract_v1, Forms}}]}} =
        beam_lib:chunks(Beam, [abstract_code]),
    {ok, Module, Binary} = compile:forms(NewForms(Module, Forms), [debug_info]),
    ok = file:write_file(filename:join(Ebin, filename:basename(Beam)), Binary).
