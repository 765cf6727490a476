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
    %% That would be suspended.
    processes := non_neg_integer(),
    %% States on which `code_change' was tried.
    tried := non_neg_integer(),
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
            Plan = steps(erlrc_release_handler:translate(Script), Script, Old, Deadline),
            {ok, Plan#{milliseconds => erlang:monotonic_time(millisecond) - Started}};
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
    case erlrc_segment:segments(Steps) of
        {fallback, Why} -> fallback(Why, Script, Old);
        {ok, #{segments := Segments}} -> batches([Batch || {batch, Batch} <- Segments], Script, Old, Deadline)
    end.

empty(Findings, Evaluator) ->
    #{findings => Findings, evaluator => Evaluator, modules => [], processes => 0, tried => 0}.

fallback(Why, Script, Old) ->
    Finding = erlrc_finding:new(
        release_handler_needed, warning, subject(Script),
        erlrc_finding:text("The script is left to OTP's release_handler, because of ~0tp.", [Why]),
        "Expect processes to be suspended one after the other, and no exact way back.", #{}
    ),
    empty([Finding | node(Script, Old)], release_handler).

subject(#{application := App}) -> atom_to_binary(App).

batches(Batches, Script, Old, Deadline) ->
    Loads = [Load || #{load := All} <- Batches, Load <- All],
    Modules = lists:usort([Module || {Module, _, _} <- Loads] ++ [M || #{remove := All} <- Batches, {M, _, _} <- All]),
    Suspended = lists:usort([Module || #{suspend := All} <- Batches, {Module, _} <- All]),
    Options = #{},
    #{targets := Targets, warnings := Warnings} = erlrc_discover:processes(Suspended, Options),
    Trial = trial(Batches, Targets, Modules, Script, Deadline),
    Findings = [
        node(Script, Old),
        loadable([Module || {Module, _, _} <- Loads], Script),
        [hung(Warning) || Warning <- Warnings],
        queues(Targets),
        unsupervised(Targets, Options),
        old_code(Loads),
        running(Modules, Targets),
        supervisors(Suspended, Targets, Script),
        trial_findings(Trial),
        ports(Script)
    ],
    #{
        findings => lists:append(Findings),
        evaluator => evaluator(Script),
        modules => Modules,
        processes => map_size(Targets),
        tried => maps:get(tried, Trial)
    }.

evaluator(#{options := Options}) ->
    case erlrc_evaluator:module(Options) of
        {ok, erlrc_release_handler} -> release_handler;
        _ -> transactional
    end.

%% Only changes that go up run code that is not loaded yet; down, the loaded code has the `code_change'.
trial(Batches, Targets, Modules, Script, Deadline) ->
    #{from := {_, FromDir}, to := {_, ToDir}} = Script,
    Changes = lists:append([
        [change(Change, ToDir, ToDir) || {_, up, _} = Change <- After] ++
            [change(Change, FromDir, ToDir) || {_, down, _} = Change <- Before]
     || #{before := Before, 'after' := After} <- Batches
    ]),
    Servers = [Change || {Module, _, _, _} = Change <- Changes, not erlrc_segment:is_supervisor(Module)],
    erlrc_trial:run(Servers, Targets, #{changed => Modules, directory => FromDir ++ "/", deadline => Deadline}).

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

%% One module after the other, so that the schedulers stay free.
loadable(Modules, #{to := {_, Dir}}) ->
    [
        erlrc_finding:new(
            module_not_loadable, error, atom_to_binary(Module),
            erlrc_finding:text("~ts cannot be loaded by this node: ~0tp.", [file(Module, Dir), Why]),
            "Compile it for the OTP release of the node, and see that the file is whole.", #{}
        )
     || Module <- Modules, {error, Why} <- [loadable_module(Module, file(Module, Dir))]
    ].

loadable_module(Module, File) ->
    case {code:is_sticky(Module), file:read_file(File)} of
        {true, _} ->
            {error, sticky_directory};
        {_, {error, Why}} ->
            {error, Why};
        {_, {ok, Beam}} ->
            case code:prepare_loading([{Module, File, Beam}]) of
                {ok, _} -> ok;
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
                    unsupervised_process, info, names(Pids),
                    erlrc_finding:text("~w processes of changed modules are in no supervision tree.", [length(Pids)]),
                    "They are upgraded all the same; release_handler would miss them.", #{count => length(Pids)}
                )
            ]
    end.

names(Pids) ->
    lists:join(", ", [erlrc_finding:name(Pid) || Pid <- lists:sublist(Pids, ?NAMED)]).

%% Old code that an earlier upgrade left, and who still runs it: it has to go before the next can come.
old_code(Loads) ->
    [
        old_code(Module, Pre, Pids)
     || {Module, Pre, _} <- Loads,
        erlang:check_old_code(Module),
        Pids <- [erlrc_purge:users(Module)],
        Pids =/= []
    ].

old_code(Module, Pre, Pids) ->
    {Severity, Text, Advice} =
        case Pre of
            soft_purge ->
                {error, "still run the code before this one, and the script purges softly", "Wait until they have ended."};
            brutal_purge ->
                {warning, "still run the code before this one and would be killed", "Wait until they have ended, or accept it."}
        end,
    erlrc_finding:new(
        old_code_in_use, Severity, atom_to_binary(Module),
        erlrc_finding:text("~w processes ~ts.", [length(Pids), Text]),
        Advice, #{processes => [erlrc_finding:name(Pid) || Pid <- lists:sublist(Pids, ?NAMED)]}
    ).

%% Who has a changed module on the stack and is not suspended for it goes on in the old code.
running(Modules, Targets) ->
    Found = [Use || {_, Pid} = Use <- erlrc_purge:on_stack(Modules), not is_map_key(Pid, Targets)],
    [
        erlrc_finding:new(
            process_would_linger, warning, atom_to_binary(Module),
            erlrc_finding:text("~w processes would go on running the old code.", [length(Pids)]),
            "Have them call their module by its full name, ?MODULE:loop(...), or be special processes (sys).",
            #{processes => [erlrc_finding:name(Pid) || Pid <- lists:sublist(Pids, ?NAMED)]}
        )
     || Module <- lists:usort([M || {M, _} <- Found]), Pids <- [[Pid || {M, Pid} <- Found, M =:= Module]]
    ].

%% What the new `init/1' says beside what runs, where nobody would notice the question.
supervisors(Suspended, Targets, #{to := {_, ToDir}}) ->
    Modules = [Module || Module <- Suspended, erlrc_segment:is_supervisor(Module)],
    Pids = [Pid || {Pid, #{kind := supervisor, suspended := false}} <- maps:to_list(Targets)],
    Known = [Each || {_, Module, _} = Each <- erlrc_children:arguments(Pids), lists:member(Module, Modules)],
    lists:append([supervisor(Each, file(element(2, Each), ToDir)) || Each <- Known]).

supervisor({Pid, Module, Arguments}, File) ->
    Shadow = erlrc_trial:shadow(Module),
    case erlrc_engine:shadow(File, Shadow, [{init, 1}]) of
        {ok, {Beam, [#{effects := [], calls_funs := false}]}} ->
            {module, Shadow} = code:load_binary(Shadow, File, Beam),
            Answer = erlrc_check:call({Shadow, init, [Arguments]}, 1000),
            ok = erlrc_trial:forget(Shadow),
            compare(Pid, Module, Answer);
        {ok, {_, [#{effects := [_ | _] = Effects}]}} ->
            [
                erlrc_finding:new(
                    supervisor_init_has_effects, warning, atom_to_binary(Module),
                    erlrc_finding:text("init/1 is called again by the upgrade, and ~ts.", [effects(Effects)]),
                    "Move what must happen once out of init/1, to the function that starts the supervisor.", #{}
                )
            ];
        _ ->
            []
    end.

compare(Pid, Module, {ok, Answer}) ->
    case {erlrc_children:child_ids(Answer), children(Pid)} of
        {{ok, New}, {ok, Old}} -> children_changed(Module, New -- Old, Old -- New);
        _ -> []
    end;
compare(_Pid, Module, {error, Why}) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The new init/1 fails with the arguments that the supervisor has: ~0tp.", [Why]),
            "Let init/1 accept the arguments of the earlier version.", #{}
        )
    ].

children_changed(_Module, [], []) ->
    [];
children_changed(Module, Added, Removed) ->
    [
        erlrc_finding:new(
            supervisor_children_changed, info, atom_to_binary(Module),
            erlrc_finding:text("Children to be started: ~0tp, to be stopped: ~0tp.", [Added, Removed]),
            "Nothing, unless supervisor_children is false.", #{}
        )
    ].

children(Pid) ->
    try gen_server:call(Pid, which_children, 1000) of
        Children -> {ok, [Id || {Id, _, _, _} <- Children]}
    catch
        exit:_ -> unknown
    end.

effects(Effects) ->
    lists:join(", ", [effect(Effect) || Effect <- lists:sublist(Effects, 3)]).

effect(send) -> "sends messages";
effect('receive') -> "receives messages";
effect(apply) -> "calls functions that are known only at run time";
effect({M, F, A}) -> io_lib:format("calls ~ts:~ts/~w", [M, F, A]).

trial_findings(#{tried := Tried, failed := Failed, skipped := Skipped, funs := Funs, paths := Paths}) ->
    [failure(Module, Failed, Tried) || Module <- lists:usort([M || {_, M, _} <- Failed])] ++
        [skipped(Each) || Each <- Skipped] ++
        [fun_finding(Funs) || Funs =/= []] ++
        [path_finding(Paths) || Paths =/= []].

failure(Module, All, Tried) ->
    Failed = [{Pid, Why} || {Pid, M, Why} <- All, M =:= Module],
    {_, First} = hd(Failed),
    erlrc_finding:new(
        code_change_would_fail, error, atom_to_binary(Module),
        erlrc_finding:text("code_change fails for the states of ~w processes (it does not for ~w): ~0tp.", [
            length(Failed), Tried, First
        ]),
        "Let code_change accept these states, or change them before the upgrade.",
        #{
            count => length(Failed),
            processes => [erlrc_finding:name(Pid) || {Pid, _} <- lists:sublist(Failed, ?NAMED)]
        }
    ).

skipped({Module, Why, Count}) ->
    erlrc_finding:new(
        code_change_not_tried, info, atom_to_binary(Module),
        erlrc_finding:text("code_change was not tried on ~w states: it ~ts.", [Count, reason(Why)]),
        "Test it on a node that may fail.", #{count => Count}
    ).

reason({has_effects, Effects}) -> effects(Effects);
reason(special_process) -> "is that of a special process, whose state only its module knows";
reason(funs_in_state) -> "calls funs, and the states hold some";
reason({state_too_large, Words}) -> io_lib:format("would have to copy ~w words", [Words]);
reason(not_answering) -> "would wait for processes that do not answer";
reason(out_of_time) -> "would take more time than there is";
reason(no_process) -> "has no process";
reason(Why) -> io_lib:format("cannot be: ~0tp", [Why]).

fun_finding(Funs) ->
    Pids = lists:usort([Pid || {Pid, _, _} <- Funs]),
    Modules = lists:usort([Module || {_, Module, _} <- Funs]),
    erlrc_finding:new(
        fun_in_state, warning, names(Pids),
        erlrc_finding:text("States hold funs of modules that change: ~0tp.", [Modules]),
        "They work until the old code is purged, then fail with badfun; hold fun M:F/A or data instead.",
        #{funs => [erlrc_finding:text("~ts ~ts", [M, Name]) || {_, M, Name} <- Funs]}
    ).

path_finding(Pids) ->
    erlrc_finding:new(
        path_in_state, warning, names(Pids),
        "States name files of the old version's directory, which the package manager deletes.",
        "Ask code:priv_dir/1 when the file is needed, or convert the name in code_change.", #{}
    ).

%% Programs that run from the directory that is to go.
ports(#{from := {_, Dir}}) ->
    Prefix = Dir ++ "/",
    Found = [
        {Port, Name}
     || Port <- erlang:ports(), {name, Name} <- [erlang:port_info(Port, name)], lists:prefix(Prefix, Name)
    ],
    [
        erlrc_finding:new(
            port_of_old_directory, warning, erlrc_finding:text("~p", [Port]),
            erlrc_finding:text("The program ~ts runs from the old version's directory.", [Name]),
            "It goes on running; it is the new version's only after it is started again.", #{}
        )
     || {Port, Name} <- Found
    ].

%% Environment, dependencies, code path.
node(#{application := App, to_spec := Spec, from := {_, From}, to := {_, To}}, #{env := Env}) ->
    environment(erlrc_environment:preview(App, Env, Spec), App) ++ dependencies(Spec) ++ code_path(App, From, To).

environment({ok, _, Kept}, App) ->
    [
        erlrc_finding:new(
            environment_kept, info, [atom_to_binary(App), $., atom_to_binary(Key)],
            "Its default changes; the value that was set on this node stays.",
            "See whether the value still fits the new version.", #{}
        )
     || Key <- Kept
    ];
environment({error, Why}, App) ->
    [
        erlrc_finding:new(
            environment_unknown, error, atom_to_binary(App), erlrc_error:format_error(Why),
            "Use the erlrc that knows this OTP release.", #{}
        )
    ].

dependencies({application, _, Keys}) ->
    [
        erlrc_finding:new(
            dependency_too_old, warning, atom_to_binary(App),
            erlrc_finding:text("The new version wants ~ts ~ts or later; ~ts runs.", [App, Wanted, Runs]),
            "Upgrade it first.", #{}
        )
     || Text <- proplists:get_value(runtime_dependencies, Keys, []),
        {ok, App, Wanted} <- [dependency(Text)],
        {ok, Runs} <- [erlrc_node:vsn(App)],
        erlrc_engine:compare_vsn(Runs, Wanted) =:= lt
    ].

dependency(Text) ->
    case string:split(Text, "-", trailing) of
        [Name, Vsn] ->
            try
                {ok, list_to_existing_atom(Name), Vsn}
            catch
                error:badarg -> unknown
            end;
        _ ->
            unknown
    end.

code_path(App, From, To) ->
    Prefix = atom_to_list(App) ++ "-",
    Known = [filename:join(Dir, "ebin") || Dir <- [From, To]],
    [
        erlrc_finding:new(
            other_version_on_path, warning, unicode:characters_to_binary(Ebin),
            "A third version of the application is on the code path.",
            "Remove it: a module that only it has would be loaded from there.", #{}
        )
     || Ebin <- code:get_path(),
        filename:basename(Ebin) =:= "ebin",
        lists:prefix(Prefix, filename:basename(filename:dirname(Ebin))),
        not lists:member(Ebin, Known)
    ].
