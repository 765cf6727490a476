%% @doc Brings processes to a stand and lets them go again.
%%
%% Before anybody is stopped all are asked for a sign of life, some at a time: whoever is busy is waited for, or named,
%% while everything runs, and what a process needs once to answer, such as a larger heap, is there when it counts. So
%% that nobody collects garbage while all wait, small heaps are emptied then; in large ones there is room for a few
%% messages, and to empty them takes time.
%%
%% Supervisors first, so that no child is started any more; then all others at once, so that the wait is that of the
%% slowest and not the sum. A process that waits in a call to one that stands already would never answer: the one that
%% stands is let go and stopped again back to back, which serves the calls queued before, and no others. What does not
%% stand at the deadline is named.
-module(erlrc_quiesce).

-export([rehearse/3, suspend/4, let_go/1, resume/1, waits_for/1]).

-define(TICK, 10).
-define(CHAIN, 5).
-define(SOME, 256).
%% Words.
-define(SMALL_HEAP, 4096).

%% @doc Waits until each of `Pids' has answered a system message once, until `Deadline' (monotonic, milliseconds).
-spec rehearse([pid()], integer(), fun(() -> boolean())) -> ok | {error, cancelled | {not_suspended, [map()]}}.
rehearse(Pids, Deadline, Cancelled) ->
    rehearse(Pids, Pids, make_ref(), 0, [], #{deadline => Deadline, cancelled => Cancelled}).

rehearse([], _All, _Ref, 0, _Answered, _How) ->
    ok;
rehearse([_ | _] = Pids, All, Ref, Left, Answered, How) when Left < ?SOME ->
    rehearse_more(Pids, All, Ref, Left, Answered, How);
rehearse(Pids, All, Ref, Left, Answered, How) ->
    receive
        {{Ref, Pid}, _} -> rehearse(Pids, All, Ref, Left - 1, [Pid | Answered], How);
        {garbage_collect, Ref, _} -> rehearse(Pids, All, Ref, Left, Answered, How)
    after ?TICK ->
        case Pids of
            [] -> still_missing(All, Ref, Answered, How);
            %% They are not to wait for those that are busy.
            _ -> rehearse_more(Pids, All, Ref, Left, Answered, How)
        end
    end.

rehearse_more(Pids, All, Ref, Left, Answered, How) ->
    {Some, Rest} = lists:split(min(?SOME, length(Pids)), Pids),
    lists:foreach(
        fun(Pid) ->
            collect_garbage(Pid, Ref),
            erlrc_system:ask_sign_of_life(Pid, Ref)
        end,
        Some
    ),
    rehearse(Rest, All, Ref, Left + length(Some), Answered, How).

collect_garbage(Pid, Ref) ->
    case process_info(Pid, heap_size) of
        {_, Words} when Words < ?SMALL_HEAP -> erlang:garbage_collect(Pid, [{async, Ref}, {type, minor}]);
        _ -> none
    end.

still_missing(All, Ref, Answered, #{deadline := Deadline, cancelled := Cancelled} = How) ->
    Done = maps:from_keys(Answered, []),
    Missing = [Pid || Pid <- All, not is_map_key(Pid, Done), is_process_alive(Pid)],
    Late = erlang:monotonic_time(millisecond) >= Deadline,
    case {Missing, Cancelled()} of
        {_, true} -> {error, cancelled};
        {[_ | _], false} when Late -> {error, {not_suspended, [erlrc_system:culprit(Pid) || Pid <- Missing]}};
        {_, false} -> rehearse([], Missing, Ref, length(Missing), [], How)
    end.

%% @doc Suspends `Pids' until `Deadline' (monotonic, milliseconds). `Standing' stand already; `Cancelled' is asked while
%% we wait. Answers all that stand now.
-spec suspend([pid()], [pid()], integer(), fun(() -> boolean())) ->
    {ok, [pid()]} | {error, cancelled | {not_suspended, [map()]}}.
suspend(Pids, Standing, Deadline, Cancelled) ->
    Ref = make_ref(),
    Sent = ask_all(Pids, Ref, 0),
    wait(Ref, erlrc_system:answers(Sent), Pids, Standing, #{deadline => Deadline, cancelled => Cancelled}).

ask_all([], _Ref, Sent) ->
    Sent;
ask_all([Pid | Pids], Ref, Sent) ->
    ok = erlrc_system:ask(Pid, Ref, Pid, suspend),
    ask_all(Pids, Ref, Sent + 1).

%% Whether it is late is asked before the answers that are there are taken.
wait(Ref, Answers0, Expected, Standing, #{deadline := Deadline} = How) ->
    Late = erlang:monotonic_time(millisecond) >= Deadline,
    case erlrc_system:collect(Ref, Answers0, ?TICK) of
        #{left := 0, answered := Answered} ->
            {ok, lists:append(Answered, Standing)};
        #{answered := Answered} ->
            ok = erlrc_journal:quiesced(length(Answered) + length(Standing), length(Expected) + length(Standing)),
            Done = maps:from_keys(Answered, []),
            Missing = [Pid || Pid <- Expected, not is_map_key(Pid, Done), is_process_alive(Pid)],
            idle(Ref, Missing, maps:merge(maps:from_keys(Standing, []), Done), Late, How)
    end.

idle(Ref, Missing, Stands, Late, #{cancelled := Cancelled} = How) ->
    case {Missing, Cancelled()} of
        {_, true} ->
            {error, cancelled};
        {[_ | _], false} when Late ->
            {error, {not_suspended, [erlrc_system:culprit(Pid) || Pid <- Missing]}};
        {_, false} ->
            Poked = lists:usort(lists:append([blockers(Pid, Stands, ?CHAIN) || Pid <- Missing])),
            lists:foreach(fun(Pid) -> poke(Pid, Ref) end, Poked),
            Expected = Poked ++ Missing,
            wait(Ref, erlrc_system:answers(length(Expected)), Expected, maps:keys(maps:without(Poked, Stands)), How)
    end.

poke(Pid, Ref) ->
    erlrc_system:tell(Pid, erlrc_system:nobody(), resume),
    erlrc_system:ask(Pid, Ref, Pid, suspend).

%% Processes that stand and that `Pid' waits for: through the monitor of its call, over others that wait in turn, and
%% for a supervisor over the child that it is starting.
blockers(_Pid, _Stands, 0) ->
    [];
blockers(Pid, Stands, Depth) ->
    {Standing, Others} = lists:partition(fun(Other) -> is_map_key(Other, Stands) end, waits_for(Pid)),
    Standing ++ lists:append([blockers(Other, Stands, Depth - 1) || Other <- Others]).

%% @doc Whom a process waits for: through the monitor of its call, or a supervisor for a child.
-spec waits_for(pid()) -> [pid()].
waits_for(Pid) ->
    case process_info(Pid, [monitors, current_function, links]) of
        [{_, Monitors}, {_, Current}, {_, Links}] ->
            Called = [local(Process) || {process, Process} <- Monitors],
            [Other || Other <- Called ++ started(Current, Links), is_pid(Other), Other =/= Pid];
        undefined ->
            []
    end.

%% The newest link of a process that waits for a start is the child.
started({proc_lib, sync_start_link, _}, [_ | _] = Links) ->
    case [Pid || Pid <- Links, is_pid(Pid)] of
        [] -> [];
        Pids -> [lists:max(Pids)]
    end;
started(_Current, _Links) ->
    [].

local(Pid) when is_pid(Pid), node(Pid) =:= node() -> Pid;
local({Name, Node}) when Node =:= node() -> whereis(Name);
local(_Remote) -> undefined.

%% @doc Lets processes go, in this order, and waits for the last one only.
-spec let_go([pid()]) -> ok.
let_go([]) ->
    ok;
let_go([Last]) ->
    resume([Last]);
let_go([Pid | Pids]) ->
    ok = erlrc_system:tell(Pid, erlrc_system:nobody(), resume),
    let_go(Pids).

%% @doc Lets processes go, and waits a moment until they went: whoever is busy, and so never stood, will find the
%% request later.
-spec resume([pid()]) -> ok.
resume(Pids) ->
    Ref = make_ref(),
    lists:foreach(fun(Pid) -> erlrc_system:ask(Pid, Ref, Pid, resume) end, Pids),
    erlrc_system:settle(Ref, length(Pids), ?TICK).
