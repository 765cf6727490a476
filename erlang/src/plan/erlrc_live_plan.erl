%% @doc What an upgrade would meet on this node, found without changing anything.
%%
%% Everything is bounded: a process is asked for its state once, and held no longer than by any other question of sys's.
-module(erlrc_live_plan).

-export([plan/2]).
-export_type([plan/0]).

-type plan() :: #{
    findings := [erlrc_finding:finding()],
    evaluator := erlrc_evaluator:name(),
    modules := [module()],
    %% That would stand still, supervisors with them, and for how many microseconds: roughly, on a slow machine.
    processes := non_neg_integer(),
    pause := non_neg_integer(),
    %% States on which `code_change' was tried.
    tried := non_neg_integer(),
    %% Modules of processes that nobody runs.
    idle := [module()],
    milliseconds := non_neg_integer()
}.

-define(DEADLINE, 10000).
-define(LONG_QUEUE, 1000).
-define(NAMED, 10).

%% @doc The findings for a change; an answer where there is nothing to change.
-spec plan(up | down, erlrcdynamic:operation()) ->
    {ok, plan()} | {ok, atom()} | not_running | {error, term()}.
plan(Direction, Operation) ->
    Started = erlang:monotonic_time(millisecond),
    case erlrc_upgrade:preview(Direction, Operation) of
        {ok, Script, Old} ->
            Deadline = Started + option(deadline, Operation, ?DEADLINE),
            #{findings := Findings} = Plan = steps(erlrc_release_handler:translate([Script]), Script, Old, Deadline),
            Around = erlrc_plan_applications:findings(Script),
            {ok, Plan#{findings := Around ++ Findings, milliseconds => erlang:monotonic_time(millisecond) - Started}};
        Answer ->
            Answer
    end.

option(Key, Operation, Default) ->
    maps:get(Key, maps:get(options, Operation, #{}), Default).

steps({error, Why}, Script, _Old, _Deadline) ->
    Finding = erlrc_finding:new(
        script_refused, error, subject(Script),
        ["OTP refuses the script: ", erlrc_error:format_error(Why)],
        "Mend the appup, or remove it to have one generated.", #{}
    ),
    empty([Finding], transactional);
steps({ok, Steps}, Script, Old, Deadline) ->
    case erlrc_transaction:plan([maps:get(application, Script)], Steps) of
        {fallback, Why} -> fallback(Why, Script, Old);
        {ok, #{segments := Segments}} ->
            #{findings := Findings} = Plan = batches(Segments, Script, Old, Deadline),
            Hindrances = erlrc_hindrance:find(Segments, [Script]),
            Plan#{findings := erlrc_plan_supervisors:hindrances(Hindrances) ++ Findings}
    end.

empty(Findings, Evaluator) ->
    #{findings => Findings, evaluator => Evaluator, modules => [], processes => 0, pause => 0, tried => 0, idle => []}.

fallback(Why, Script, Old) ->
    Finding = erlrc_finding:new(
        release_handler_needed, warning, subject(Script),
        erlrc_finding:text("The script is left to OTP's release_handler, because of ~0tp.", [Why]),
        "Expect processes to be suspended one after the other, and no exact way back.", #{}
    ),
    empty([Finding | erlrc_plan_node:findings(Script, Old)], release_handler).

subject(#{application := App}) -> atom_to_binary(App).

batches(Segments, Script, Old, Deadline) ->
    Batches = [Batch || {batch, Batch} <- Segments],
    Loads = [Load || #{load := All} <- Batches, Load <- All],
    Loaded = [Module || {Module, _, _} <- Loads],
    Removed = [M || #{remove := All} <- Batches, {M, _, _} <- All],
    Modules = lists:usort(Loaded ++ Removed),
    Options = #{},
    {Standing, Others} = concerned(Batches, Script, Options),
    Targets = merged(Standing, Others),
    Shapes = maps:merge(erlrc_outdated:shapes(Loaded, Script), erlrc_fixed_maps:shapes(Loaded, Script)),
    Trial = erlrc_changes:trial(Batches, Targets, {Modules, Shapes}, Script, Deadline),
    #{found := Outdated, unseen := Unseen} =
        erlrc_outdated:find(Shapes, Targets, fun(_) -> Trial end, erlrc_changes:steady(Batches, Script), Script),
    Functions = erlrc_plan_names:functions(Loaded, Removed, Script),
    Tables = erlrc_plan_search:tables(Modules, Functions, Script),
    Findings = [
        erlrc_plan_node:findings(Script, Old),
        loadable(Loaded, Script),
        [hung(Warning) || Warning <- lists:usort(maps:get(warnings, Standing) ++ maps:get(warnings, Others))],
        queues(maps:get(targets, Standing)),
        erlrc_plan_states:blocked(maps:keys(maps:get(targets, Standing))),
        erlrc_plan_states:nobody(without_process(Batches, Targets, Options), maps:get(unknown, Standing)),
        unsupervised(Targets, Options),
        old_code(Loads, maps:get(options, Script)),
        erlrc_plan_stacks:running(Modules, Targets, Script),
        supervisors(Segments, Targets, Script),
        erlrc_plan_states:trial(Trial),
        erlrc_plan_states:tables(Tables),
        erlrc_plan_names:findings(Functions, Tables, {Script, Old}),
        erlrc_plan_records:findings(Outdated),
        erlrc_plan_records:arguments(erlrc_child_arguments:held(Script)),
        erlrc_plan_search:unseen(Unseen ++ unseen(Trial, Tables), Targets, Script),
        erlrc_plan_node:ports(Script)
    ],
    (stand(Standing, length(Modules)))#{
        findings => lists:append(Findings),
        evaluator => evaluator(Script),
        modules => Modules,
        tried => maps:get(tried, Trial),
        idle => idle(Loaded, Options)
    }.

unseen(#{cut := Cut}, #{unseen := Unseen}) ->
    [{Pid, large} || Pid <- Cut] ++ Unseen.

%% The processes that would stand still, and those that run changed modules and would not.
concerned(Batches, Script, Options) ->
    Steady = erlrc_changes:steady(Batches, Script),
    Stand = erlrc_changes:suspended([erlrc_segment:without(Steady, Batch) || Batch <- Batches]),
    Others = erlrc_changes:suspended(Batches) -- Stand,
    {erlrc_discover:processes(Stand, Options), erlrc_discover:processes(Others, Options)}.

%% Who stands for a module is told that one alone.
merged(#{targets := Standing}, #{targets := Others}) ->
    maps:merge(Others, Standing).

stand(#{targets := Targets, parents := Parents}, Modules) ->
    Processes = map_size(Targets) + length(Parents),
    Pause = case Processes of 0 -> 0; _ -> erlrc_pause:expected(Modules, Processes, map_size(Targets)) end,
    #{processes => Processes, pause => Pause}.

evaluator(#{options := Options}) ->
    case erlrc_evaluator:module(Options) of
        {ok, erlrc_release_handler} -> release_handler;
        _ -> transactional
    end.

file(Module, Dir) ->
    filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]).

%% One module after the other, so that the schedulers stay free.
loadable(Modules, #{to := {_, Dir}}) ->
    [
        erlrc_finding:new(
            module_not_loadable, error, atom_to_binary(Module),
            erlrc_finding:text("~ts cannot be loaded by this node, which runs OTP ~ts: ~0tp~ts.", [
                File, erlang:system_info(otp_release), Why, erlrc_compiler:made_by(File)
            ]),
            "Compile it for the OTP release of the node, and see that the file is whole.", #{}
        )
     || Module <- Modules, File <- [file(Module, Dir)], {error, Why} <- [loadable_module(Module, File)]
    ].

loadable_module(Module, File) ->
    case {code:is_sticky(Module), file:read_file(File)} of
        {true, _} ->
            {error, sticky_directory};
        {_, {error, Why}} ->
            {error, Why};
        {_, {ok, Beam}} ->
            case code:prepare_loading([{Module, File, Beam}]) of
                {ok, _} -> erlrc_prepare:features(Beam);
                {error, [{_, on_load_not_allowed}]} -> ok;
                {error, [{_, Why}]} -> {error, Why}
            end
    end.

hung({supervisor_not_answering, Id, Pid}) ->
    erlrc_finding:new(
        supervisor_not_answering, warning, erlrc_finding:name(Pid),
        erlrc_finding:text("The supervisor ~0tp does not answer; its children may be missed.", [Id]),
        "See what it is waiting for: erlrc eval NODE 'erlang:process_info(Pid, current_stacktrace)'.", #{}
    );
hung(Warning) ->
    erlrc_finding:new(
        supervisor_not_answering, warning, "supervision tree",
        erlrc_finding:text("A supervision tree does not answer: ~0tp.", [Warning]),
        "Its processes are found by their initial call only.", #{}
    ).

%% Of modules that change states, those that nobody runs and no child specification names.
without_process(Batches, Targets, Options) ->
    Change = lists:usort([M || #{before := Before, 'after' := After} <- Batches, {M, _, _} <- Before ++ After]),
    Exports = [{code_change, 3}, {code_change, 4}, {system_code_change, 4}],
    Changing = [M || M <- Change, lists:any(fun({F, A}) -> erlang:function_exported(M, F, A) end, Exports)],
    Run = lists:append([Modules || #{modules := Modules} <- maps:values(Targets)]),
    case Changing -- lists:usort(Run) of
        [] -> [];
        Left -> Left -- lists:append([Named || {_, _, _, Named} <- erlrc_discover:children(Options)])
    end.

%% Where it cannot be told of some process what it runs, it may run any of them.
idle(Modules, Options) ->
    Callbacks = [handle_call, callback_mode, handle_event, code_change, system_code_change],
    Of = [M || M <- Modules, erlang:module_loaded(M), lists:any(fun({F, _}) -> lists:member(F, Callbacks) end, M:module_info(exports))],
    case erlrc_discover:processes(Of, Options) of
        #{unknown := [], targets := Targets} -> Of -- lists:append([Run || #{modules := Run} <- maps:values(Targets)]);
        #{} -> []
    end.

queues(Targets) ->
    Long = [
        {Length, Pid}
     || Pid <- maps:keys(Targets),
        {_, Length} <- [process_info(Pid, message_queue_len)],
        Length >= ?LONG_QUEUE
    ],
    [
        erlrc_finding:new(
            long_message_queue, warning, erlrc_finding:name(Pid),
            erlrc_finding:text("~w messages wait; it stops only when it has worked them off.", [Length]),
            "Upgrade at a quieter time, or raise suspend_timeout.", #{length => Length}
        )
     || {Length, Pid} <- lists:sublist(lists:reverse(lists:sort(Long)), ?NAMED)
    ].

unsupervised(Targets, Options) ->
    Supervised = maps:from_list([{Pid, []} || {_, _, Pid, _} <- erlrc_discover:children(Options)]),
    Pids = [
        Pid
     || {Pid, #{kind := Kind}} <- maps:to_list(Targets), Kind =/= supervisor, not is_map_key(Pid, Supervised)
    ],
    case Pids of
        [] ->
            [];
        _ ->
            [
                erlrc_finding:new(
                    unsupervised_process, info, erlrc_finding:names(Pids),
                    erlrc_finding:text("~w processes of changed modules are in no supervision tree.", [length(Pids)]),
                    "They are upgraded all the same; release_handler would miss them.", #{count => length(Pids)}
                )
            ]
    end.

%% Old code that an earlier upgrade left, and who still runs it: it has to go before the next can come. Whom the upgrade
%% would wait for is waited for here.
old_code(Loads, Options) ->
    Policy = maps:get(old_code, Options, application:get_env(erlrc, old_code, wait)),
    Old = [Load || {Module, _, _} = Load <- Loads, erlang:check_old_code(Module)],
    {Killed, Soft} = lists:partition(fun({_, Pre, _}) -> Pre =:= brutal_purge andalso Policy =:= kill end, Old),
    Users = [{Module, Pids} || {Module, _, _} <- Killed, [_ | _] = Pids <- [erlrc_old_code:users(Module)]],
    [old_code(Module, kill, Pids) || {Module, Pids} <- Users] ++
        [old_code(Module, wait, Pids) || {Module, Pids} <- erlrc_old_code:stay([Module || {Module, _, _} <- Soft])].

old_code(Module, Policy, Pids) ->
    {Severity, Text, Advice} =
        case Policy of
            wait ->
                {error, "still run the code before this one, which has to go first",
                    "Wait until they have ended, or have them killed ({old_code, kill})."};
            kill ->
                {warning, "still run the code before this one and would be killed", "Wait until they have ended, or accept it."}
        end,
    erlrc_finding:new(
        old_code_in_use, Severity, atom_to_binary(Module),
        erlrc_finding:text("~w processes ~ts.", [length(Pids), Text]),
        Advice, #{processes => erlrc_finding:named(Pids)}
    ).

%% Those that run: one that stands suspended does not say its arguments. Instructions between the batches may end processes.
supervisors(Segments, Targets, #{from := {_, From}, to := {_, To}, options := Options} = Script) ->
    Batches = [Batch || {batch, Batch} <- Segments],
    Modules = [Module || Module <- erlrc_changes:suspended(Batches), erlrc_segment:is_supervisor(Module)],
    Conversions = erlrc_hindrance:conversions(Batches),
    Pids = [Pid || {Pid, #{kind := supervisor, suspended := false}} <- maps:to_list(Targets)],
    Known = [Each || {_, Module, _} = Each <- erlrc_children:arguments(Pids), lists:member(Module, Modules)],
    Supervisors = erlrc_migrator:with_trial(maps:values(Conversions), fun(Tried) ->
        [
            {Each, erlrc_hindrance:argument({Module, Argument}, Conversions, Tried), {file(Module, From), file(Module, To)}}
         || {_, Module, Argument} = Each <- Known
        ]
    end),
    erlrc_plan_supervisors:findings(Supervisors, #{
        files => fun(Module) -> [file(Module, To)] ++ [File || File <- [code:which(Module)], is_list(File)] end,
        barriers => length(Batches) < length(Segments),
        children => evaluator(Script) =:= transactional andalso
            maps:get(supervisor_children, Options, application:get_env(erlrc, supervisor_children, true))
    }).
