%% @doc The hook protocol: the command sends one request and gets one answer. Both are maps and have a version. Each
%% side ignores keys that it does not know, so that old scripts, a new command and an old node understand each other.
%% Never crashes.
-module(erlrc_hook).

-export([request/1]).
-export([perform/1, unfinished/1]).
-export_type([request/0, answer/0, status/0]).

-define(PROTOCOL, 1).
%% Milliseconds for the question which operation is being carried out.
-define(PATIENCE, 1000).

-type request() :: #{atom() => term()}.
-type status() :: ok | refused | failed | no_path | restart_emulator | not_rolled_back | bug.
-type answer() :: #{
    protocol := pos_integer(),
    status := status(),
    outcome := atom(),
    %% Text, UTF-8.
    reason => binary(),
    %% Only for the outcome `script_failed': what failed in the script.
    cause => atom(),
    %% Only for the status `failed', if a script was run: whether code of the new version was committed.
    committed => boolean(),
    %% The version of the application that runs now.
    running => binary(),
    warnings => [binary()],
    %% Only for the operation `dry_run': one line for each step.
    plan => [binary()],
    %% Only for several applications: the outcome of each, and the version of it that runs now.
    changes => [#{application := binary(), outcome => atom(), running => binary()}],
    %% Only for the operation `running': where the application is, and what a hook shall do with its plan.
    dir => binary(),
    preflight => strict | warn | off,
    %% Only for the operation `running' with `from' and `to': the directories of these versions, if the request names
    %% none.
    from_dir | to_dir => binary(),
    old_side => directory | stash | gone,
    %% Only for the operations `versions' and `code': the versions that the node finds, the preferred one first.
    versions => [#{vsn := binary(), dir := binary(), source := erlrc_versions:source()}],
    %% Only for the operation `code': what is loaded.
    code => erlrc_loaded:code(),
    %% Only for the operation `live_plan', see {@link erlrc_live_plan}.
    findings => [erlrc_finding:finding()],
    evaluator => erlrc_evaluator:name(),
    modules | idle => [binary()],
    processes | tried | milliseconds => non_neg_integer(),
    %% Only for the question `boot_times': the last boot, if there was one.
    boot => erlrc_boot_times:report(),
    %% Only for the operations `running' and `code'.
    os_pid => binary(),
    otp_release => binary(),
    erlrc => binary(),
    %% For an upgrade or downgrade that ran a script: what the script cost.
    report => erlrc_evaluator:report(),
    %% The number under which the node keeps the operation open for a rollback.
    held => binary(),
    %% Only for the question `outcome', if the operation has ended: its answer.
    answer => answer()
}.

%% @doc Carries out a request. Operations wait for earlier ones; questions are answered at once.
-spec request(request()) -> answer().
request(#{operation := Question} = Request) when
    Question =:= running; Question =:= code; Question =:= versions; Question =:= status; Question =:= progress;
    Question =:= outcome; Question =:= health; Question =:= boot_times
->
    perform(Request);
request(#{operation := live_plan, busy := wait} = Request) ->
    in_turn(Request);
request(#{operation := live_plan} = Request) ->
    %% While an operation changes the node, which may take for ever, no prediction is possible.
    case erlrc_status:operation(erlang:monotonic_time(millisecond) + ?PATIENCE) of
        #{name := Name} = Current when Name =/= <<"live_plan">>, Name =/= <<"dry_run">> ->
            answer(refused, busy, {busy, Current}, undefined);
        _ ->
            in_turn(Request)
    end;
request(Request) ->
    in_turn(Request).

in_turn(Request) ->
    %% No frame of this module waits on the stack, so the module can be replaced meanwhile.
    How = (erlrc_request:id(Request))#{deadline => erlrc_request:deadline(Request), unfinished => {?MODULE, unfinished}},
    erlrc_operations:run(?MODULE, perform, [Request], How).

%% @private
-spec perform(request()) -> answer().
perform(Request) ->
    try
        performed(erlrc_request:checked(Request))
    catch
        Class:Why:Stack -> unfinished({crashed, {Class, Why, Stack}})
    end.

performed({ok, #{operation := running, application := App} = Request}) ->
    Facts = maps:merge(node_facts(), erlrc_loaded:place(App)),
    maps:merge(answer(ok, running, undefined, App), maps:merge(Facts, meant(App, Request)));
performed({ok, #{operation := versions, application := App}}) ->
    maps:merge(answer(ok, versions, undefined, App), (erlrc_loaded:place(App))#{versions => versions(App)});
performed({ok, #{operation := code, application := App}}) ->
    Facts = maps:merge(answer(ok, code, undefined, App), node_facts()),
    Facts#{code => erlrc_loaded:code(App), versions => versions(App)};
performed({ok, #{operation := progress}}) ->
    Progress = [{progress, Progress} || #{} = Progress <- [erlrc_events:progress()]],
    maps:merge(answer(ok, progress, undefined, undefined), maps:from_list(Progress));
performed({ok, #{operation := boot_times}}) ->
    Last = [{boot, Boot} || #{} = Boot <- [erlrc_boot_times:report()]],
    maps:merge(answer(ok, boot_times, undefined, undefined), maps:from_list(Last));
performed({ok, #{operation := status}}) ->
    maps:merge(answer(ok, status, undefined, undefined), erlrc_status:report());
performed({ok, #{operation := health}}) ->
    maps:merge(answer(ok, health, undefined, undefined), erlrc_health:report());
performed({ok, #{operation := outcome, id := Id}}) ->
    outcome(erlrc_operations:outcome(Id));
performed({dry_run, {ok, Operation}}) ->
    case erlrcdynamic:plan(Operation) of
        {plan, Lines} -> (answer(ok, planned, undefined, maps:get(application, Operation, undefined)))#{plan => [text(Line) || Line <- Lines]};
        Result -> classified(Operation, Result)
    end;
performed({live_plan, {ok, #{application := App} = Operation}}) ->
    case erlrcdynamic:live_plan(Operation) of
        {ok, Plan} when is_map(Plan) -> maps:merge(answer(ok, planned, undefined, App), live_plan(Plan));
        not_running -> answer(ok, not_running, undefined, App);
        Result -> classified(Operation, Result)
    end;
performed({What, {error, _} = Error}) when What =:= dry_run; What =:= live_plan ->
    performed(Error);
performed({ok, Operation}) ->
    case is_stopping() of
        true -> answer(refused, node_stopping, node_stopping, undefined);
        false -> carried_out(Operation)
    end;
performed({error, Why}) ->
    answer(refused, bad_request, Why, undefined).

carried_out(Operation) ->
    classified(Operation, erlrcdynamic:perform(Operation)).

outcome({ended, Answer}) ->
    (answer(ok, ended, undefined, undefined))#{answer => Answer};
outcome(in_progress) ->
    answer(ok, case is_stopping() of true -> node_stopping; false -> in_progress end, undefined, undefined);
outcome(unknown_operation) ->
    answer(ok, unknown_operation, undefined, undefined).

%% `init:stop/0' or a similar function has been called.
is_stopping() ->
    element(1, init:get_status()) =:= stopping.

classified(#{operation := Name, changes := Changes}, Result) ->
    {Status, Outcome, Reason} = classify(Name, Result),
    Outcomes = case Result of {ok, [_ | _]} when Name =:= change -> maps:from_list(element(2, Result)); _ -> #{} end,
    Each = [of_each(App, Outcomes) || #{application := App} <- Changes],
    (with_committed(answer(Status, Outcome, Reason, undefined)))#{changes => Each};
classified(#{operation := Name, application := App} = Operation, Result) ->
    {Status, Outcome, Reason} = classify(Name, Result),
    with_committed(answer(Status, Outcome, detailed(Reason, Operation), App)).

%% The outcome of one application among several, and the version of it that runs.
of_each(App, Outcomes) ->
    Given = [{outcome, Outcome} || #{App := Outcome} <- [Outcomes]] ++ [{running, Vsn} || Vsn <- [running(App)], Vsn =/= none],
    maps:from_list([{application, atom_to_binary(App)} | Given]).

%% Steps before and after a script can fail without the script.
with_committed(#{status := failed} = Answer) ->
    case get(erlrc_report) of
        #{committed := Committed} -> Answer#{committed => Committed};
        _ -> Answer
    end;
with_committed(Answer) ->
    Answer.

%% Which version and which directory: the errors of `erlrcdynamic' do not name them.
detailed(version_mismatch, #{application := App}) ->
    case running(App) of
        none -> version_mismatch;
        Vsn -> {version_mismatch, App, Vsn}
    end;
detailed(bad_directory, #{dir := Dir}) ->
    {bad_directory, Dir};
detailed(bad_directory, #{application := App, vsn := Vsn}) ->
    {bad_directory, erlrc_versions:directory(App, Vsn)};
detailed(bad_directory, #{to_dir := Dir}) ->
    {bad_directory, Dir};
detailed(bad_directory, #{application := App, to := To}) ->
    {bad_directory, erlrc_versions:directory(App, To)};
detailed(Reason, _Operation) ->
    Reason.

%% @private
-spec unfinished(erlrc_operations:unfinished()) -> answer().
unfinished({crashed, _} = Why) ->
    answer(bug, crashed, Why, undefined);
unfinished({waited, Status}) ->
    answer(refused, busy, {busy, erlrc_status:current(Status)}, undefined);
unfinished({settled, Result, [Request]}) ->
    settled(erlrc_request:checked(Request), Result);
unfinished({stuck, _} = Why) ->
    answer(not_rolled_back, stuck, Why, undefined).

settled({ok, Operation}, Result) -> classified(Operation, Result);
settled(_, Result) -> unfinished({crashed, Result}).

node_facts() ->
    Version = case application:load(erlrc) of _ -> application:get_key(erlrc, vsn) end,
    #{
        os_pid => list_to_binary(os:getpid()),
        otp_release => list_to_binary(erlang:system_info(otp_release)),
        erlrc => case Version of {ok, Vsn} -> text(Vsn); undefined -> <<>> end
    }.

%% The directories of the versions for an upgrade that names none, and where the version that it leaves can be seen:
%% `directory', `stash' or `gone'.
meant(App, #{from := From, to := To}) ->
    Side =
        case erlrc_versions:old_side(App, From) of
            {Where, Dir} -> #{old_side => Where, from_dir => text(Dir)};
            gone -> #{old_side => gone, from_dir => text(erlrc_versions:old_directory(App, From))}
        end,
    Side#{to_dir => text(erlrc_versions:directory(App, To))};
meant(_App, _Request) ->
    #{}.

versions(App) ->
    [
        #{vsn => text(Vsn), dir => text(Dir), source => Source}
     || #{vsn := Vsn, dir := Dir, source := Source} <- erlrc_versions:find(App)
    ].

%% Names as text, so that a reader creates no atoms.
live_plan(#{modules := Modules, idle := Idle} = Plan) ->
    Names = fun(List) -> [atom_to_binary(Module) || Module <- List] end,
    Plan#{modules := Names(Modules), idle := Names(Idle)}.

%% The status of a result, for a package hook.
classify(_, restart_new_emulator) ->
    {restart_emulator, restart_new_emulator, restart_new_emulator};
classify(_, {ok, Outcome}) when is_atom(Outcome) ->
    {ok, Outcome, undefined};
classify(change, {ok, Outcomes}) when is_list(Outcomes) ->
    Changes = [upgraded, downgraded, started, stopped],
    case lists:any(fun({_App, Outcome}) -> lists:member(Outcome, Changes) end, Outcomes) of
        true -> {ok, changed, undefined};
        false -> {ok, unchanged, undefined}
    end;
classify(upgrade, {ok, _Unpurged}) ->
    {ok, upgraded, undefined};
classify(downgrade, {ok, _Unpurged}) ->
    {ok, downgraded, undefined};
classify(_Operation, {error, Reason}) ->
    {failure(Reason), word(Reason), Reason};
classify(Operation, Outcome) when is_atom(Outcome) ->
    case done(Operation, Outcome) of
        true -> {ok, Outcome, undefined};
        false -> {refused, word(Outcome), Outcome}
    end;
classify(_Operation, Result) ->
    {bug, crashed, {crashed, {unexpected_result, Result}}}.

%% Any other error is a refusal, and its tag is the outcome.
done(start, Outcome) ->
    lists:member(Outcome, [started, started_included_stopped, already_running, included]);
done(stop, Outcome) ->
    lists:member(Outcome, [stopped, stopped_included_started, not_running]);
done(unload, Outcome) ->
    Outcome =:= unloaded;
done(_Operation, _Outcome) ->
    false.

word(Reason) when is_tuple(Reason), tuple_size(Reason) > 0 -> word(element(1, Reason));
word(Reason) when is_atom(Reason) -> case is_word(atom_to_list(Reason)) of true -> Reason; false -> error end;
word(_Reason) -> error.

%% The words that a hook accepts as an outcome.
is_word(Text) ->
    length(Text) =< 64 andalso Text =/= [] andalso
        lists:all(fun(Char) -> Char =:= $_ orelse (Char >= $a andalso Char =< $z) end, Text).

failure({not_rolled_back, _, _}) -> not_rolled_back;
failure({crashed, _}) -> bug;
failure(Reason) when is_tuple(Reason), tuple_size(Reason) > 0 -> failure_of(element(1, Reason));
failure(Reason) -> failure_of(Reason).

failure_of(Tag) ->
    Refusals = [
        version_mismatch,
        version_load_mismatch,
        bad_directory,
        running,
        needed_by,
        duplicate_included,
        old_directory_gone,
        bad_new_appvsn,
        bad_evaluator,
        not_provisional,
        provisional,
        not_held,
        not_so
    ],
    NoPath = [not_together, no_upgrade_path, sticky_directory, max_pause, removed_module_in_use, supervisor_strategy, states_not_converted, bad_migration, migration_fails],
    case {lists:member(Tag, Refusals), lists:member(Tag, NoPath)} of
        {true, _} -> refused;
        {_, true} -> no_path;
        _ -> failed
    end.

%% A failure while the node is being stopped is attributed to the stop.
answer(Status, Outcome, Reason, App) when Status =:= failed; Status =:= not_rolled_back; Status =:= bug ->
    case is_stopping() of
        true -> made(failed, node_stopping, {node_stopping, Reason}, App);
        false -> made(Status, Outcome, Reason, App)
    end;
answer(Status, Outcome, Reason, App) ->
    made(Status, Outcome, Reason, App).

made(Status, Outcome, Reason, App) ->
    Optional = [
        {reason, Reason =/= undefined, fun() -> text(erlrc_error:format_error(Reason)) end},
        {cause, true, fun() -> cause(Reason) end},
        {running, App =/= undefined, fun() -> running(App) end},
        {warnings, true, fun warnings/0},
        {report, true, fun report/0},
        {held, true, fun held/0}
    ],
    Answer = #{protocol => ?PROTOCOL, status => Status, outcome => Outcome},
    lists:foldl(fun add/2, Answer, Optional).

%% What failed within a script, of which the outcome only says that it failed.
cause({script_failed, _App, Why}) when is_atom(Why) -> Why;
cause({script_failed, _App, Why}) when is_atom(element(1, Why)) -> element(1, Why);
cause(_Reason) -> none.

add({Key, true, Value}, Answer) ->
    case Value() of
        none -> Answer;
        Given -> Answer#{Key => Given}
    end;
add({_Key, false, _Value}, Answer) ->
    Answer.

running(App) ->
    case erlrc_node:status(App) of
        {Status, Vsn} when Status =:= running; Status =:= included -> text(Vsn);
        _ -> none
    end.

warnings() ->
    case erlrc_operations:warnings() of
        [] -> none;
        Warnings -> [text(erlrc_error:format_error(Warning)) || Warning <- Warnings]
    end.

%% `erlrc_evaluator' has put it there; that module may be of another version by now.
report() ->
    case get(erlrc_report) of
        undefined -> none;
        Report -> Report
    end.

held() ->
    case get(erlrc_hold) of
        {_Guardian, Id} -> text(Id);
        undefined -> none
    end.

text(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> text(io_lib:format("~tp", [Text]))
    end.
