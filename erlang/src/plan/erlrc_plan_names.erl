%% @doc Functions that the new version of a script's modules no longer exports, and what may name them as data: tuples such
%% as `{Module, Function, Arguments}' in tables and in the environment of applications. External funs are not looked for:
%% they are literals of the code that makes them, where the engine finds them.
-module(erlrc_plan_names).

-export([functions/3, findings/3]).

-define(NAMED, 10).
-define(LISTED, 20).
%% Terms of one value of the environment.
-define(LOOKS, 20000).
-define(ADVICE, "Keep the function until nothing calls it any more, or put another name where this one is kept.").

%% @doc The functions that are exported now and will not be, of modules that are loaded and of modules that are removed.
-spec functions([module()], [module()], erlrc_evaluator:change()) -> erlrc_look:functions().
functions(Loaded, Removed, #{from := {_, From}, to := {_, To}}) ->
    New = fun(Module) -> [file(To, Module)] end,
    Elsewhere = fun(Module) -> elsewhere(Module, [ebin(From), ebin(To)]) end,
    maps:from_list(
        [{M, Lost} || M <- Loaded, [_ | _] = Lost <- [lost(M, From, New(M))]] ++
            [{M, Lost} || M <- Removed, not lists:member(M, Loaded), [_ | _] = Lost <- [lost(M, From, Elsewhere(M))]]
    ).

%% Of a module whose file cannot be read nothing is said.
lost(Module, From, Files) ->
    case {running(Module, From), [exports(File) || File <- Files]} of
        {{ok, Old}, []} -> Old;
        {{ok, Old}, [{ok, New}]} -> without(Old, New);
        _ -> []
    end.

%% A module that answers calls of any function loses none.
without(Old, New) ->
    case lists:member({'$handle_undefined_function', 2}, New) of
        true -> [];
        false -> Old -- New
    end.

%% The directory of the version that runs may be gone.
running(Module, From) ->
    case erlang:module_loaded(Module) of
        true -> {ok, erlang:get_module_info(Module, exports)};
        false -> exports(file(From, Module))
    end.

exports(File) ->
    case erlrc_bytes:chunks(File, [exports]) of
        {ok, {_, [{exports, Exports}]}} -> {ok, Exports};
        {error, beam_lib, _} -> none
    end.

%% A module that has moved to another application is there.
elsewhere(Module, Ours) ->
    Name = atom_to_list(Module) ++ code:objfile_extension(),
    Files = [filename:join(Dir, Name) || Dir <- erlrc_code_path:absolute(), not lists:member(Dir, Ours)],
    lists:sublist([File || File <- Files, filelib:is_regular(File)], 1).

file(Dir, Module) -> filename:join(ebin(Dir), atom_to_list(Module) ++ code:objfile_extension()).

ebin(Dir) -> filename:join(Dir, "ebin").

%% @doc What tables name of these functions, and what the environment does.
-spec findings(erlrc_look:functions(), erlrc_tables:result(), {erlrc_evaluator:change(), erlrc_old_side:old()}) ->
    [erlrc_finding:finding()].
findings(Functions, _Tables, _Sides) when map_size(Functions) =:= 0 ->
    [];
findings(Functions, #{names := InTables}, {#{to := {Vsn, _}} = Script, Old}) ->
    InEnvironment = [
        {[atom_to_binary(App), $., io_lib:format("~0tp", [Key])], Module, Name}
     || {App, Key, Value} <- environment(Script, Old),
        {Module, Name} <- named(Value, Functions)
    ],
    in_tables([{erlrc_finding:text("~0tp", [Table]), M, Name} || {Table, M, Name} <- InTables], Vsn) ++
        in_environment([{erlrc_finding:text("~ts", [Place]), M, Name} || {Place, M, Name} <- InEnvironment], Vsn).

named(Value, Functions) ->
    erlrc_look:names(erlrc_look:at(Value, erlrc_look:naming(Functions, erlrc_look:wanted(#{})), erlrc_look:new(?LOOKS))).

in_tables([], _Vsn) ->
    [];
in_tables(Found, Vsn) ->
    [erlrc_finding:new(name_in_table, warning, places(Found), text("Tables", Vsn, Found), ?ADVICE, details(Found))].

in_environment([], _Vsn) ->
    [];
in_environment(Found, Vsn) ->
    Text = text("Application environments", Vsn, Found),
    [erlrc_finding:new(name_in_environment, warning, places(Found), Text, ?ADVICE, details(Found))].

text(Who, Vsn, Found) ->
    Names = lists:usort([erlrc_finding:text("~ts:~ts", [M, Name]) || {_, M, Name} <- Found]),
    erlrc_finding:text("~ts may name functions that version ~ts no longer exports: ~ts.", [
        Who, Vsn, lists:join(", ", lists:sublist(Names, ?NAMED))
    ]).

places(Found) ->
    lists:join(", ", lists:sublist(lists:usort([Place || {Place, _, _} <- Found]), ?NAMED)).

details(Found) ->
    #{functions => [erlrc_finding:text("~ts ~ts:~ts", [Place, M, Name]) || {Place, M, Name} <- lists:sublist(lists:usort(Found), ?LISTED)]}.

%% What will be there: of the application itself without its defaults, which the engine reads in its file.
environment(#{application := App, to_spec := {application, App, Keys} = Spec}, #{env := Old}) ->
    Now = application:get_all_env(App),
    {Changed, New, Removed} =
        case erlrc_environment:preview(App, Old, Spec) of
            {ok, Difference, _Kept} -> Difference;
            {error, _} -> {[], [], []}
        end,
    Gone = Removed ++ [Key || {Key, _} <- Changed],
    Then = [Pair || {Key, _} = Pair <- Now, not lists:member(Key, Gone)] ++ Changed ++ New,
    [{App, Key, Value} || {Key, Value} <- Then -- proplists:get_value(env, Keys, [])] ++
        [
            {Other, Key, Value}
         || {Other, _, _} <- application:loaded_applications(), Other =/= App,
            {Key, Value} <- application:get_all_env(Other)
        ].
