%% @doc OTP's judgement of generated appups, for appup_oracle.rs.
%%
%% In each directory `case*' below the one given lie `demo-1', `demo-2' and the appup. Of both ways it is checked that
%% systools:make_relup/4 takes it, that the modules end up as the target has them, and that nothing calls
%% a function that is not there while modules are replaced. Prints `ok' or what is wrong, a line for each.
-module(appup_oracle).

-export([main/1]).

-spec main([string()]) -> no_return().
main(["compile", Root]) ->
    Sources = filelib:wildcard(filename:join(Root, "case*/demo-*/src/*.erl")),
    lists:foreach(
        fun(Source) ->
            Ebin = filename:join([filename:dirname(Source), "..", "ebin"]),
            {ok, _} = compile:file(Source, [report_errors, {outdir, Ebin}])
        end,
        Sources
    ),
    halt(0);
main(["judge", Root]) ->
    Dirs = lists:sort(filelib:wildcard(filename:join(Root, "case*"))),
    lists:foreach(fun(Dir) -> io:format("~s ~0p~n", [filename:basename(Dir), judge(Dir)]) end, Dirs),
    halt(0).

judge(Dir) ->
    [release(Dir, Vsn) || Vsn <- ["1", "2"]],
    Path = [filename:join([Dir, "demo-" ++ Vsn, "ebin"]) || Vsn <- ["1", "2"]],
    Rel = fun(Vsn) -> filename:join(Dir, "rel" ++ Vsn) end,
    Options = [{path, Path}, silent, noexec],
    case systools:make_relup(Rel("2"), [Rel("1")], [Rel("1")], Options) of
        {ok, {"2", [{"1", _, Up}], [{"1", _, Down}]}, systools_relup, []} ->
            Sides = {modules(Dir, "1"), modules(Dir, "2")},
            Excused = together(Dir),
            both(way(Up, Sides, Excused), way(Down, swap(Sides), Excused));
        Other ->
            {make_relup, Other}
    end.

both(ok, ok) -> ok;
both(Up, Down) -> {up, Up, down, Down}.

swap({Old, New}) -> {New, Old}.

%% Modules that depend on others, and these.
together(Dir) ->
    {ok, [{_, [{_, Up}], _}]} = file:consult(filename:join([Dir, "demo-2", "ebin", "demo.appup"])),
    lists:append([
        [element(2, Instruction) | Depends]
     || Instruction <- Up,
        lists:member(element(1, Instruction), [update, load_module]),
        [_ | _] = Depends <- [element(tuple_size(Instruction), Instruction)]
    ]).

release(Dir, Vsn) ->
    Applications = [{App, element(2, application:get_key(App, vsn))} || App <- [kernel, stdlib, sasl], loaded(App)],
    Release = {release, {"demo", Vsn}, {erts, erlang:system_info(version)}, [{demo, Vsn} | Applications]},
    File = filename:join(Dir, "rel" ++ Vsn ++ ".rel"),
    ok = file:write_file(File, io_lib:format("~p.~n", [Release])).

loaded(App) ->
    application:load(App) =/= {error, bad_name}.

%% Exports and imports of every module of a version.
modules(Dir, Vsn) ->
    Beams = filelib:wildcard(filename:join([Dir, "demo-" ++ Vsn, "ebin", "*.beam"])),
    maps:from_list([module(Beam) || Beam <- Beams]).

module(Beam) ->
    {ok, {Module, [{exports, Exports}, {imports, Imports}]}} = beam_lib:chunks(Beam, [exports, imports]),
    {ok, {Module, Md5}} = beam_lib:md5(Beam),
    {Module, {Md5, Exports, Imports}}.

%% Replaces modules as release_handler does. While processes are suspended nothing runs: calls are looked
%% at when all are resumed.
way(Script, {Old, New}, Excused) ->
    {Low, _Suspended, Broken} = lists:foldl(fun(I, State) -> step(I, State, Old, New) end, {Old, false, []}, Script),
    Stays = fun(Module) -> is_map_key(Module, Old) andalso is_map_key(Module, New) end,
    Counts = fun({Caller, {Called, _, _}}) ->
        Together = lists:member(Caller, Excused) andalso lists:member(Called, Excused),
        Stays(Caller) andalso not Together
    end,
    case {digests(Low) =:= digests(New), lists:usort(lists:filter(Counts, Broken))} of
        {true, []} -> ok;
        {true, Calls} -> {broken_calls, Calls};
        {false, _} -> {not_restored, maps:keys(Low), maps:keys(New)}
    end.

digests(Modules) ->
    maps:map(fun(_, {Md5, _, _}) -> Md5 end, Modules).

step({suspend, _}, {Modules, _, Broken}, _, _) ->
    {Modules, true, Broken};
step({resume, _}, {Modules, _, Broken}, Old, New) ->
    {Modules, false, broken(Modules, Old, New) ++ Broken};
step({load, {Module, _, _}}, {Modules, Suspended, Broken}, Old, New) ->
    After = Modules#{Module => maps:get(Module, New)},
    {After, Suspended, [Call || not Suspended, Call <- broken(After, Old, New)] ++ Broken};
step({remove, {Module, _, _}}, {Modules, Suspended, Broken}, _, _) ->
    {maps:remove(Module, Modules), Suspended, Broken};
step(_, State, _, _) ->
    State.

%% Calls of functions that are not there, which neither the old nor the new version makes of its own.
broken(Modules, Old, New) ->
    missing(Modules) -- (missing(Old) ++ missing(New)).

missing(Modules) ->
    [
        {Caller, Call}
     || {Caller, {_, _, Imports}} <- maps:to_list(Modules),
        {Module, Function, Arity} = Call <- Imports,
        {ok, {_, Exports, _}} <- [maps:find(Module, Modules)],
        not lists:member({Function, Arity}, Exports)
    ].
