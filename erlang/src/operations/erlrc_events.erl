%% @doc Tells whoever listens what an operation does: log events with stable names, in the domain `[erlrc]', and the
%% progress that a hook shows.
%%
%% A process of its own does so, one for each operation: a handler may call a process that stands still just now, and
%% would wait for the very operation that waits for the handler. Events keep the time at which they came about.
%%
%% Each report has `event', and as far as they are known `application', `direction' (`up' or `down'), `from' and `to'
%% (versions). Stages are logged as `info', each once for each batch of the script when it is over, with `duration' in
%% microseconds, as soon as the module level admits it: `logger:set_module_level(erlrc_events, info)'. An evaluator may
%% have more stages than these.
%%
%% <ul>
%% <li>`prepare': `modules'</li>
%% <li>`discover', `rehearse' (a sign of life of all, before anybody is stopped), `quiesce': `processes'</li>
%% <li>`commit': `modules'; `migrate': `changed', processes whose state was changed; `health_check'; `resume'</li>
%% <li>`script': all stages in one, where `release_handler' is the evaluator; `modules', `processes'</li>
%% <li>`apply'; `rollback', a batch put back while its processes stood</li>
%% <li>`upgraded' (notice, up and down alike): `timings', microseconds by stage and the longest `pause'</li>
%% <li>`failed' (warning): `reason'; `rolled_back' (warning): `reason', `left' if something is</li>
%% <li>`purged': `modules' whose old code is gone; `natives_kept' (notice): `modules' with native functions, whose old code is
%%   kept until the node is restarted</li>
%% <li>`after_commit_failed' (error): `application', `call', `reason'</li>
%% <li>`killed_for_old_code' (warning): `killed', processes that ran code which had to go, each with its module</li>
%% <li>`not_deleted' (warning): a removed `module' that processes still use</li>
%% </ul>
-module(erlrc_events).

-export([start/1, tell/2, log/3, progress/0]).
-export_type([event/0, progress/0]).

-type event() ::
    {about, map()}
    | {counts, map()}
    | {more, map()}
    | {begun, atom()}
    | {ended, atom(), integer()}
    | {quiesced, non_neg_integer(), non_neg_integer()}
    | {log, logger:level(), map()}.
%% `done' of `total' processes stand.
-type progress() :: #{
    stage := atom(), application => atom(), done => non_neg_integer(), total => non_neg_integer()
}.

%% What is told together when the processes go on: a script migrates before and after its commit.
-define(IN_WINDOW, [commit, migrate, health_check]).
%% What is told when it is known how many are concerned.
-define(BEFORE, [prepare, discover, rehearse]).

%% @doc Starts the process that tells of an operation; it ends after the process `Owner' has.
-spec start(pid()) -> pid().
start(Owner) ->
    spawn(fun() ->
        Ref = monitor(process, Owner),
        loop(Ref, #{about => #{}, counts => #{}, held => [], stage => none})
    end).

%% @doc Tells the process something.
-spec tell(pid() | undefined, event()) -> ok.
tell(undefined, _Event) ->
    ok;
tell(Teller, Event) ->
    Teller ! {?MODULE, logger:timestamp(), Event},
    ok.

%% @doc Logs a report at once.
-spec log(logger:level(), map(), logger:timestamp()) -> ok.
log(Level, Report, Time) ->
    Said = #{domain => [erlrc], time => Time, mfa => {?MODULE, log, 3}, report_cb => fun erlrc_node_log:sentence/1},
    _ = [ok = erlrc_node_log:open() || Level =/= info],
    logger:log(Level, Report, Said).

%% @doc How far the operation that is on its way has come.
-spec progress() -> progress() | none.
progress() ->
    case ets:whereis(erlrc_table) of
        undefined -> none;
        Table -> progress(ets:lookup(Table, progress))
    end.

progress([{progress, Progress}]) -> Progress;
progress([]) -> none.

loop(Ref, State) ->
    receive
        {?MODULE, Time, Event} ->
            loop(Ref, took(Event, Time, State));
        {'DOWN', Ref, process, _, _} ->
            _ = flush(logger:timestamp(), State),
            in_table(fun() -> ets:delete(erlrc_table, progress) end)
    end.

took({about, About}, _Time, State) ->
    State#{about := About};
took({counts, #{modules := _} = Counts}, Time, State) ->
    told([prepare], Time, count(Counts, State));
took({counts, Counts}, Time, State) ->
    told([discover, rehearse], Time, count(Counts, State));
took({more, More}, _Time, #{counts := Counts} = State) ->
    State#{counts := maps:fold(fun(Key, N, Acc) -> Acc#{Key => N + maps:get(Key, Acc, 0)} end, Counts, More)};
took({begun, Stage}, _Time, State) ->
    ok = note(#{stage => Stage}, State),
    State#{stage := Stage};
took({quiesced, Done, Total}, _Time, #{stage := Stage} = State) ->
    ok = note(#{stage => Stage, done => Done, total => Total}, State),
    State;
took({ended, pause, _}, _Time, State) ->
    State;
took({ended, Stage, Duration}, Time, #{held := Held} = State) ->
    After = maps:get(Stage, maps:from_list(Held), 0) + Duration,
    Holding = State#{held := lists:keystore(Stage, 1, Held, {Stage, After})},
    case lists:member(Stage, ?BEFORE ++ ?IN_WINDOW) of
        true -> Holding;
        false -> flush(Time, Holding)
    end;
took({log, Level, Report}, Time, State) ->
    #{about := About} = Flushed = flush(Time, State),
    ok = log(Level, maps:merge(About, Report), Time),
    Flushed.

count(More, #{counts := Counts} = State) ->
    State#{counts := maps:merge(Counts, More)}.

%% Tells the stages that are held: those of a window, then what ended it.
flush(Time, #{held := Held} = State) ->
    Stages = [Stage || {Stage, _} <- Held],
    Before = [Stage || Stage <- Stages, lists:member(Stage, ?BEFORE)],
    Window = [Stage || Stage <- ?IN_WINDOW, lists:member(Stage, Stages)],
    told(Before ++ Window ++ (Stages -- (Before ++ Window)), Time, State).

told(Stages, Time, #{held := Held, about := About, counts := Counts} = State) ->
    lists:foreach(
        fun({Stage, Duration}) ->
            Report = maps:with(counted(Stage), Counts),
            log(info, maps:merge(About, Report#{event => Stage, duration => Duration}), Time)
        end,
        [Ended || Stage <- Stages, {_, _} = Ended <- [lists:keyfind(Stage, 1, Held)]]
    ),
    State#{held := [Ended || {Stage, _} = Ended <- Held, not lists:member(Stage, Stages)]}.

counted(prepare) -> [modules];
counted(commit) -> [modules];
counted(discover) -> [processes];
counted(rehearse) -> [processes];
counted(quiesce) -> [processes];
counted(migrate) -> [changed];
counted(_) -> [].

note(Progress, #{about := About}) ->
    Row = maps:merge(maps:with([application], About), Progress),
    in_table(fun() -> ets:insert(erlrc_table, {progress, Row}) end).

%% The table is gone where the operation stops erlrc.
in_table(Fun) ->
    try Fun() of
        true -> ok
    catch
        error:badarg -> ok
    end.
