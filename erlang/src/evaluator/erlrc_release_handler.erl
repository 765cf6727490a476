%% @doc The evaluator that leaves the work to OTP: `systools_rc' translates the script,
%% `release_handler_1' runs it.
%%
%% OTP's evaluator runs until it is through or dies half-way, and undoes nothing. So everything that
%% can be known to fail is tried before it starts; it runs in a process of its own under a deadline;
%% and after a failure `erlrc_snapshot' puts back code path, modules and process states, and wakes
%% what was left suspended. An instruction to restart the emulator is an answer, nothing is run for
%% it: the boot that follows takes the new version anyway.
-module(erlrc_release_handler).
-behaviour(erlrc_evaluator).

-export([evaluate/1, check/1, translate/1]).
-export([run/3, note/2, note_suspended/1]).

-define(TIMEOUT, 60000).
%% @doc Runs the script.
-spec evaluate(erlrc_evaluator:script()) -> erlrc_evaluator:result().
evaluate([#{instructions := Instructions}] = Script) ->
    maybe_evaluate(lists:any(fun erlrc_evaluator:restarts/1, Instructions), Script);
evaluate(Script) ->
    not_together(Script).

not_together(Script) ->
    {error, {not_together, erlrc_sides:applications(Script), {evaluator, release_handler}}}.

maybe_evaluate(true, _Script) ->
    restart_new_emulator;
maybe_evaluate(false, [Change] = Script) ->
    case {erlrc_provisional:check(Change), translate(Script)} of
        {ok, {ok, Steps}} ->
            case check(Steps, Change) of
                ok -> guard(own_last(Steps, Change), Change);
                {error, _} = Error -> Error
            end;
        {ok, {error, _} = Error} ->
            Error;
        {Refusal, _} ->
            Refusal
    end.

%% @doc Whether the script can be translated, and its modules loaded.
-spec check(erlrc_evaluator:script()) -> ok | {error, term()}.
check([Change] = Script) ->
    case {erlrc_provisional:check(Change), translate(Script)} of
        {ok, {ok, Steps}} -> check(Steps, Change);
        {ok, {error, _} = Error} -> Error;
        {Refusal, _} -> Refusal
    end;
check(Script) ->
    not_together(Script).

%% @doc The low-level steps, relup(5), of a script. What goes up is translated together, and what goes down, so that
%% instructions may name modules of another application in what they depend on.
-spec translate(erlrc_evaluator:script()) -> {ok, [term()]} | {error, term()}.
translate(Script) ->
    {Up, Down} = lists:partition(fun(#{direction := Direction}) -> Direction =:= up end, Script),
    case {translate(up, Up, Script), translate(dn, Down, Script)} of
        {{ok, Steps}, {ok, []}} -> {ok, Steps};
        {{ok, []}, {ok, Steps}} -> {ok, Steps};
        {{ok, First}, {ok, Second}} -> {ok, joined(First, Second)};
        {{error, _} = Error, _} -> Error;
        {_, Error} -> Error
    end.

translate(_Mode, [], _Script) ->
    {ok, []};
translate(Mode, Changes, Script) ->
    Old = [record(App, Vsn, Spec) || #{application := App, from := {Vsn, _}, from_spec := Spec} <- Changes],
    New = [record(App, Vsn, Spec) || #{application := App, to := {Vsn, _}, to_spec := Spec} <- Changes],
    case [Error || {error, _} = Error <- Old ++ New] of
        [] ->
            Scripts = [instructions(Change, Script) || Change <- Changes],
            Records = fun(Made) -> [Record || {ok, Record} <- Made] end,
            case systools_rc:translate_scripts(Mode, Scripts, Records(New), Records(Old)) of
                {ok, Steps} -> {ok, Steps};
                {error, _, Reason} -> {error, {bad_script, erlrc_sides:subject(Changes), Reason}}
            end;
        [Error | _] ->
            Error
    end.

%% One point of no return.
joined(First, Second) ->
    {Before1, [Point | After1]} = lists:splitwith(fun(Step) -> Step =/= point_of_no_return end, First),
    {Before2, [Point | After2]} = lists:splitwith(fun(Step) -> Step =/= point_of_no_return end, Second),
    Before1 ++ Before2 ++ [Point | After1 ++ After2].

%% A module that moves from one application to another is loaded from its new place and removed nowhere.
instructions(#{application := App, instructions := Instructions}, Script) ->
    Others = [Spec || #{application := Other, to_spec := Spec} <- Script, Other =/= App],
    Elsewhere = maps:from_list([{Module, []} || {application, _, Keys} <- Others, Module <- proplists:get_value(modules, Keys, [])]),
    [Instruction || Instruction <- Instructions, not is_move(Instruction, Elsewhere)].

is_move({delete_module, Module}, Elsewhere) -> is_map_key(Module, Elsewhere);
is_move({delete_module, Module, _}, Elsewhere) -> is_map_key(Module, Elsewhere);
is_move(_Instruction, _Elsewhere) -> false.

%% The record of systools.hrl, which is not installed everywhere: made from the one that systools
%% reads for kernel, after a look whether the fields are where they have always been.
record(App, Vsn, {application, App, Keys}) ->
    {ok, KernelVsn} = application:get_key(kernel, vsn),
    Ebin = filename:dirname(code:which(kernel)),
    case systools_make:read_application("kernel", KernelVsn, [Ebin], []) of
        {ok, Kernel} when element(2, Kernel) =:= kernel, element(4, Kernel) =:= KernelVsn ->
            {ok, Modules} = application:get_key(kernel, modules),
            case lists:sort(element(7, Kernel)) =:= lists:sort(Modules) of
                true -> {ok, fill(Kernel, App, Vsn, Keys)};
                false -> {error, {unknown_record, application}}
            end;
        _ ->
            {error, {unknown_record, application}}
    end.

fill(Record, App, Vsn, Keys) ->
    Fields = [
        {2, App},
        %% A permanent application that ends takes the node with it.
        {3, temporary},
        {4, Vsn},
        {7, proplists:get_value(modules, Keys, [])},
        {8, proplists:get_value(applications, Keys, [])},
        {10, proplists:get_value(included_applications, Keys, [])}
    ],
    lists:foldl(fun({Place, Value}, Acc) -> setelement(Place, Acc, Value) end, Record, Fields).

%% Everything that OTP would find out too late: files that are no code for this emulator, sticky
%% modules.
check(Steps, #{to := {_, Dir}}) ->
    Modules = [Module || {load, {Module, _, _}} <- Steps],
    first_error([fun() -> check_module(Module, Dir) end || Module <- Modules]).

check_module(Module, Dir) ->
    File = filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]),
    case file:read_file(File) of
        {ok, Beam} ->
            case code:prepare_loading([{Module, File, Beam}]) of
                {ok, _} -> check_sticky(Module);
                {error, [{_, on_load_not_allowed}]} -> check_sticky(Module);
                {error, [{_, Why}]} -> {error, {bad_module, Module, File, Why}}
            end;
        {error, Posix} ->
            {error, {bad_module, Module, File, Posix}}
    end.

check_sticky(Module) ->
    case code:is_sticky(Module) of
        true -> {error, {sticky_directory, Module}};
        false -> ok
    end.

first_error([]) ->
    ok;
first_error([Check | Checks]) ->
    case Check() of
        ok -> first_error(Checks);
        Error -> Error
    end.

%% The modules that do all this are loaded when nothing can fail any more: old code that runs cannot be put back. What
%% processes have a state for is theirs, and what loads the native library can fail.
own_last(Steps, #{application := erlrc}) ->
    {Own, Others} = lists:partition(fun(Step) -> is_own(Step, Steps) end, Steps),
    Others ++ Own;
own_last(Steps, _Script) ->
    Steps.

is_own({Kind, {Module, _, _}}, Steps) when Kind =:= load; Kind =:= remove ->
    Changed = [Each || {Step, List} <- Steps, Step =:= suspend orelse Step =:= code_change, Each <- List],
    not lists:any(fun(Each) -> Each =:= Module orelse is_tuple(Each) andalso element(1, Each) =:= Module end, Changed) andalso
        not erlrc_node:has_natives(Module);
is_own(_Step, _Steps) ->
    false.

guard(Steps, #{application := App, from := {_, FromDir}, options := Options} = Script) ->
    Snapshot = erlrc_snapshot:take(touched(Steps), App, FromDir),
    ok = erlrc_settlement:note({unguarded, App, Snapshot}),
    Started = erlang:monotonic_time(microsecond),
    {Pid, Ref} = spawn_monitor(?MODULE, run, [watched(Steps, Snapshot), Script, Snapshot]),
    Result =
        receive
            {'DOWN', Ref, process, Pid, {?MODULE, Answer}} -> Answer;
            {'DOWN', Ref, process, Pid, Reason} -> {error, Reason}
        after min(maps:get(timeout, Options, ?TIMEOUT), erlrc_deadline:left()) ->
            {error, {timeout, stop(Pid, Ref)}}
        end,
    Took = erlang:monotonic_time(microsecond) - Started,
    Report = (report(Took, touched(Steps), Script, Snapshot))#{committed => is_trial(Result)},
    _ = put(erlrc_report, Report),
    ok = tell_cost(Report, Script),
    tell(finish(Result, Script, Snapshot), Report, Script).

%% The events of `erlrc_events'; all of OTP's script is one stage.
tell_cost(#{pause := Took} = Report, Script) ->
    log(info, maps:merge(maps:with([modules, processes], Report), #{event => script, duration => Took}), Script).

tell({ok, _} = Result, #{pause := Took}, Script) ->
    ok = log(notice, #{event => upgraded, timings => #{script => Took, pause => Took}}, Script),
    Result;
tell({error, Why} = Result, _Report, Script) ->
    {Reason, Left} = case Why of {not_rolled_back, First, More} -> {First, More}; _ -> {Why, []} end,
    ok = log(warning, #{event => failed, reason => Reason}, Script),
    ok = log(warning, #{event => rolled_back, reason => Reason, left => Left}, Script),
    Result.

log(Level, Report, #{application := App, direction := Direction, from := {From, _}, to := {To, _}}) ->
    About = #{application => App, direction => Direction, from => From, to => To},
    erlrc_events:log(Level, maps:merge(About, Report), logger:timestamp()).

%% OTP looks for processes in old code before anything else.
is_trial({error, {old_processes, _}}) -> false;
is_trial(_Result) -> true.

report(Took, Modules, #{instructions := Instructions}, Snapshot) ->
    #{
        evaluator => release_handler,
        instructions => length(Instructions),
        modules => length(Modules),
        processes => processes(Snapshot),
        pause => Took,
        stages => #{script => Took}
    }.

%% After an upgrade of erlrc itself this is asked of the other version, which may not know.
processes(Snapshot) ->
    try
        erlrc_snapshot:count(Snapshot)
    catch
        error:undef -> 0
    end.

%% What the evaluator was waiting for gets its suspend message later: it has to be woken as well.
stop(Pid, Ref) ->
    Waiting =
        case process_info(Pid, monitors) of
            {monitors, Monitors} -> [Process || {process, Process} <- Monitors];
            undefined -> []
        end,
    exit(Pid, kill),
    receive
        {'DOWN', Ref, process, Pid, _} -> Waiting
    end.

finish({ok, Unpurged}, _Script, Snapshot) ->
    erlrc_snapshot:drop(Snapshot),
    {ok, [Module || {Module, _} <- Unpurged]};
finish({error, Why}, #{application := App}, Snapshot) ->
    Late = case Why of {timeout, Waiting} when is_list(Waiting) -> Waiting; _ -> [] end,
    Reason = {script_failed, App, Why},
    case erlrc_snapshot:restore(Snapshot, Late) of
        [] -> {error, Reason};
        Left -> {error, {not_rolled_back, Reason, Left}}
    end.

%% @private
-spec run([term()], erlrc_evaluator:change(), erlrc_snapshot:snapshot()) -> no_return().
run(Steps, #{application := App, to := {Vsn, Dir}}, Snapshot) ->
    ok = erlrc_snapshot:runs(Snapshot),
    Lib = {App, Vsn, Dir},
    Answer =
        case release_handler_1:eval_script(Steps, [], [Lib], [Lib], []) of
            {ok, Unpurged} ->
                ok = erlrc_snapshot:place_path(Snapshot, Dir),
                {ok, Unpurged};
            {error, _} = Error ->
                Error;
            {'EXIT', Reason} ->
                {error, without_stack(Reason)}
        end,
    exit({?MODULE, Answer}).

without_stack({'EXIT', Reason}) -> without_stack(Reason);
without_stack({Reason, [{_, _, _, _} | _]}) -> Reason;
without_stack(Reason) -> Reason.

touched(Steps) ->
    lists:usort([
        Module
     || {Kind, {Module, _, _}} <- Steps, Kind =:= load orelse Kind =:= remove
    ]).

%% Steps that tell the snapshot what is about to be done, or was just suspended.
watched(Steps, Snapshot) ->
    lists:flatmap(fun(Step) -> watched_step(Step, Snapshot) end, Steps).

watched_step({suspend, _} = Step, Snapshot) ->
    [Step, {apply, {?MODULE, note_suspended, [Snapshot]}}];
watched_step({apply, MFA} = Step, Snapshot) ->
    [{apply, {?MODULE, note, [Snapshot, {applied, MFA}]}}, Step];
watched_step({stop, Modules} = Step, Snapshot) ->
    [{apply, {?MODULE, note, [Snapshot, {stopped, Modules}]}}, Step];
watched_step(Step, _Snapshot) ->
    [Step].

%% @private
-spec note(erlrc_snapshot:snapshot(), term()) -> ok.
note(Snapshot, What) ->
    erlrc_snapshot:note(Snapshot, What).

%% @private
-spec note_suspended(erlrc_snapshot:snapshot()) -> ok.
note_suspended(Snapshot) ->
    erlrc_snapshot:note_suspended(Snapshot).
