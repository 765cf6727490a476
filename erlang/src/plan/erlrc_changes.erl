%% @doc The `code_change's of a script on copies of live states, and what the new code would still meet in an earlier shape
%% after them: for the evaluator, which refuses to lose it, and for a live plan.
-module(erlrc_changes).

-export([hindrances/2, trial/5, steady/2, suspended/1]).

-define(DEADLINE, 10000).

%% @doc What keeps a script from being run, as nobody would convert it. Where the application is started anew nothing is
%% left to convert; and somebody may want to go on all the same.
-spec hindrances([erlrc_segment:segment()], erlrc_evaluator:change()) -> [term()].
hindrances(Segments, #{application := App, instructions := Instructions, options := Options} = Script) ->
    Restarts = lists:member({restart_application, App}, Instructions),
    case erlrc_outdated:mode(Options) of
        Mode when Restarts; Mode =:= off -> [];
        Mode -> [Why || Why <- [failing(Segments, Script), kept(Segments, Script)], Why =/= none, is_refused(Mode, Why)]
    end.

%% States that a migration module does not convert. What fails in the window goes back; here nobody has to stand for it.
failing(Segments, #{application := App} = Script) ->
    Batches = [Batch || {batch, Batch} <- Segments, erlrc_migrator:callbacks(Batch) =/= []],
    case suspended(Batches) of
        [] ->
            none;
        Modules ->
            #{targets := Targets} = erlrc_discover:processes(Modules, #{}),
            #{failed := All} = trial(Batches, Targets, {[], #{}}, Script, deadline()),
            Failed = [Each || {_, _, {migration_failed, _, _}} = Each <- All],
            case Failed of
                [] -> none;
                _ -> {migration_fails, App, Failed}
            end
    end.

deadline() ->
    erlang:monotonic_time(millisecond) + min(?DEADLINE, erlrc_deadline:left()).

is_refused(strict, _Why) ->
    true;
is_refused(warn, Why) ->
    ok = erlrc_operations:warn(Why),
    false.

kept(Segments, #{application := App} = Script) ->
    Batches = [Batch || {batch, Batch} <- Segments],
    Shapes = erlrc_outdated:shapes([Module || #{load := All} <- Batches, {Module, _, _} <- All], Script),
    #{found := All} = found(Shapes, Batches, Script),
    case [Found || #{certainty := kept} = Found <- All] of
        [] -> none;
        Kept -> {states_not_converted, App, Kept}
    end.

found(Shapes, _Batches, _Script) when map_size(Shapes) =:= 0 ->
    #{found => []};
found(Shapes, Batches, Script) ->
    #{targets := Targets} = erlrc_discover:processes(suspended(Batches), #{}),
    Deadline = deadline(),
    Try = fun(Some) -> trial(Batches, Some, {[], Shapes}, Script, Deadline) end,
    erlrc_outdated:find(Shapes, Targets, Try, steady(Batches, Script), Script).

%% @doc The modules of which somebody has to be told.
-spec suspended([erlrc_segment:batch()]) -> [module()].
suspended(Batches) ->
    lists:usort(lists:flatmap(fun erlrc_scope:modules/1, Batches)).

%% @doc Modules whose states are the same in both versions, as `erlrc_prepare' finds them: nobody stands for those.
-spec steady([erlrc_segment:batch()], erlrc_evaluator:change()) -> [module()].
steady(Batches, #{options := Options, direction := Direction, from := {_, From}, to := {_, To}}) ->
    Changes = [Change || #{before := Before, 'after' := After} <- Batches, Change <- Before ++ After],
    Read = fun(Module, Dir) -> file:read_file(file(Module, Dir)) end,
    case maps:get(suspend, Options, application:get_env(erlrc, suspend, needed)) of
        always -> [];
        _ ->
            [
                Module
             || {Module, _, []} <- Changes,
                {ok, Old} <- [Read(Module, From)],
                {ok, New} <- [Read(Module, To)],
                erlrc_shape:between(Module, Direction, Old, New) =:= same
            ]
    end.

%% @doc Tries all of them on the states of these processes. Only changes that go up run code that is not loaded yet; down,
%% the loaded code has the `code_change'.
-spec trial([erlrc_segment:batch()], map(), {[module()], erlrc_look:records()}, erlrc_evaluator:change(), integer()) ->
    erlrc_trial:result().
trial(Batches, Targets, {Modules, Records}, Script, Deadline) ->
    #{from := {_, FromDir}, to := {_, ToDir}} = Script,
    Changes = lists:append([
        [change(Change, ToDir, ToDir) || {_, up, _} = Change <- After] ++
            [change(Change, FromDir, ToDir) || {_, down, _} = Change <- Before]
     || #{before := Before, 'after' := After} <- Batches
    ]),
    Servers = [Change || {Module, _, _, _} = Change <- Changes, not erlrc_segment:is_supervisor(Module)],
    erlrc_trial:run(Servers, Targets, #{
        changed => Modules, records => Records, directory => FromDir ++ "/", deadline => Deadline
    }).

change({Module, Mode, Extra}, Dir, ToDir) ->
    {Module, vsn(Mode, Module, file(Module, ToDir)), Extra, file(Module, Dir)}.

file(Module, Dir) ->
    filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]).

%% As `code_change' will be told it.
vsn(Mode, Module, File) ->
    case file:read_file(File) of
        {ok, Beam} ->
            {From, To} = erlrc_prepare:vsns({Module, File, Beam, <<>>}, loaded),
            case Mode of up -> From; down -> {down, To} end;
        {error, _} ->
            undefined
    end.
