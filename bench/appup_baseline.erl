%% @doc Baselines for the comparison of modules: what one would write in Erlang.
%%
%% Reads lines `Way OldDir NewDir', does the work and prints how many microseconds it took. Both ways skip
%% files that are equal byte for byte, and return the instructions.
-module(appup_baseline).

-export([main/0]).

-spec main() -> no_return().
main() ->
    case io:get_line("") of
        "stop\n" -> halt(0);
        eof -> halt(0);
        Line -> io:format("~b~n", [run(string:lexemes(Line, " \n"))]), main()
    end.

run(["warm" | _]) ->
    0;
run([Way, Old, New]) ->
    %% In a process of its own: the garbage of one run is not the next one's.
    {Pid, Ref} = spawn_monitor(fun() -> exit({took, element(1, timer:tc(fun() -> plan(Way, Old, New) end))}) end),
    receive
        {'DOWN', Ref, process, Pid, {took, Time}} -> Time
    end.

plan(Way, Old, New) ->
    OldModules = modules(Old),
    NewModules = modules(New),
    InOld = sets:from_list(OldModules, [{version, 2}]),
    InNew = sets:from_list(NewModules, [{version, 2}]),
    Compare =
        case Way of
            "beam_lib" -> fun beam_lib_way/3;
            "tuned" -> fun tuned_way/3
        end,
    Added = [{add_module, M} || M <- NewModules, not sets:is_element(M, InOld)],
    Changed = [I || M <- NewModules, sets:is_element(M, InOld), I <- Compare(M, file(Old, M), file(New, M))],
    Removed = [{delete_module, M} || M <- OldModules, not sets:is_element(M, InNew)],
    Added ++ Changed ++ Removed.

modules(Dir) ->
    {ok, [{application, _, Keys}]} = file:consult(filename:join([Dir, "ebin", "many.app"])),
    proplists:get_value(modules, Keys).

file(Dir, Module) ->
    Dir ++ "/ebin/" ++ atom_to_list(Module) ++ ".beam".

%% As the manual would have it.
beam_lib_way(Module, OldFile, NewFile) ->
    {ok, Old} = file:read_file(OldFile),
    {ok, New} = file:read_file(NewFile),
    case Old =:= New of
        true ->
            [];
        false ->
            {ok, {_, OldMd5}} = beam_lib:md5(Old),
            {ok, {_, NewMd5}} = beam_lib:md5(New),
            OldAttributes = beam_lib_attributes(Old),
            NewAttributes = beam_lib_attributes(New),
            case {OldMd5, OldAttributes} =:= {NewMd5, NewAttributes} of
                true ->
                    [];
                false ->
                    {ok, {_, [{exports, Exports}]}} = beam_lib:chunks(New, [exports]),
                    instruction(Module, NewAttributes, lists:member({code_change, 3}, Exports))
            end
    end.

beam_lib_attributes(Beam) ->
    {ok, {_, [{attributes, Attributes}]}} = beam_lib:chunks(Beam, [attributes]),
    lists:keydelete(vsn, 1, Attributes).

%% As fast as one process can: no file server, chunks cut out without copying, nothing made that is not
%% needed.
tuned_way(Module, OldFile, NewFile) ->
    {ok, Old} = prim_file:read_file(OldFile),
    {ok, New} = prim_file:read_file(NewFile),
    case Old =:= New of
        true ->
            [];
        false ->
            OldChunks = chunks(Old),
            NewChunks = chunks(New),
            case same(OldChunks, NewChunks) of
                true ->
                    [];
                false ->
                    Atoms = maps:get(<<"AtU8">>, NewChunks),
                    Exports = maps:get(<<"ExpT">>, NewChunks),
                    instruction(Module, attributes(NewChunks), exports(<<"code_change">>, 3, Atoms, Exports))
            end
    end.

chunks(<<"FOR1", _:32, "BEAM", Chunks/binary>>) ->
    chunks(Chunks, #{}).

chunks(<<Id:4/binary, Size:32, Content:Size/binary, Rest/binary>>, Found) ->
    Padding = (4 - Size rem 4) rem 4,
    Next =
        case Rest of
            <<_:Padding/binary, Following/binary>> -> Following;
            _ -> <<>>
        end,
    case relevant(Id) of
        true -> chunks(Next, Found#{Id => Content});
        false -> chunks(Next, Found)
    end;
chunks(_, Found) ->
    Found.

relevant(<<"AtU8">>) -> true;
relevant(<<"Atom">>) -> true;
relevant(<<"Code">>) -> true;
relevant(<<"StrT">>) -> true;
relevant(<<"ImpT">>) -> true;
relevant(<<"ExpT">>) -> true;
relevant(<<"FunT">>) -> true;
relevant(<<"LitT">>) -> true;
relevant(<<"Meta">>) -> true;
relevant(<<"Attr">>) -> true;
relevant(_) -> false.

same(Chunks, Chunks) ->
    true;
same(#{<<"Attr">> := OldAttr} = Old, #{<<"Attr">> := NewAttr} = New) ->
    code(Old) =:= code(New) andalso
        (OldAttr =:= NewAttr orelse attributes(Old) =:= attributes(New));
same(_, _) ->
    false.

code(Chunks) ->
    Code = maps:remove(<<"Attr">>, Chunks),
    case Code of
        #{<<"FunT">> := <<Count:32, Funs/binary>>} ->
            Code#{<<"FunT">> := {Count, [Part || <<Part:20/binary, _:32>> <= Funs]}};
        _ ->
            Code
    end.

attributes(#{<<"Attr">> := Attributes}) ->
    lists:keydelete(vsn, 1, binary_to_term(Attributes)).

%% The number of the atom, then an entry with it: no atom is made.
exports(Name, Arity, <<Count:32/signed, Atoms/binary>>, <<_:32, Exports/binary>>) ->
    case number(Name, Atoms, Count < 0, 1) of
        none -> false;
        Number -> [] =/= [found || <<N:32, A:32, _:32>> <= Exports, N =:= Number, A =:= Arity]
    end.

number(Name, <<Size, Text:Size/binary, Rest/binary>>, false, Number) ->
    next(Name, Text, Rest, false, Number);
number(Name, <<Size:4, 0:4, Text:Size/binary, Rest/binary>>, true, Number) ->
    next(Name, Text, Rest, true, Number);
number(Name, <<High:3, 1:5, Low, Rest/binary>>, true, Number) ->
    Size = High bsl 8 bor Low,
    <<Text:Size/binary, Following/binary>> = Rest,
    next(Name, Text, Following, true, Number);
number(_, _, _, _) ->
    none.

next(Name, Name, _, _, Number) -> Number;
next(Name, _, Rest, Compact, Number) -> number(Name, Rest, Compact, Number + 1).

instruction(Module, Attributes, CodeChange) ->
    Behaviours = lists:append([B || {Key, B} <- Attributes, Key =:= behaviour orelse Key =:= behavior]),
    case lists:member(supervisor, Behaviours) of
        true -> [{update, Module, supervisor}];
        false when CodeChange -> [{update, Module, {advanced, []}}];
        false -> [{load_module, Module}]
    end.
