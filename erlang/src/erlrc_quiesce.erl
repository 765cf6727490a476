%% @doc Brings processes to a stand and lets them go again.
%%
%% Supervisors first, so that no child is started any more; then all others at once, so that the wait is that of the
%% slowest and not the sum. A process that waits in a call to one that stands already would never answer: the one that
%% stands is let go and stopped again back to back, which serves the calls queued before, and no others. What does not
%% stand at the deadline is named.
-module(erlrc_quiesce).

-export([suspend/3, resume/2]).
-export_type([request/0]).

-define(TICK, 10).
-define(CHAIN, 5).

%% `snapshot': how a process is told to keep its state, or none.
-type request() :: #{
    pids := [pid()],
    snapshot := fun((pid()) -> none | {replace_state, fun()}),
    standing := #{pid() => []},
    nobody := pid()
}.

%% @doc Suspends `pids' until `Deadline' (monotonic, milliseconds). `Cancelled' is asked while we wait. Answers all that
%% stand now, those that stood before included.
-spec suspend(request(), integer(), fun(() -> boolean())) ->
    {ok, #{pid() => []}} | {error, cancelled | {not_suspended, [map()]}}.
suspend(#{pids := Pids, standing := Standing} = Request, Deadline, Cancelled) ->
    Ref = make_ref(),
    _ = [stop(Pid, Ref, Request) || Pid <- Pids],
    Answers = #{left => length(Pids), answered => [], errors => []},
    wait(Ref, Answers, Request, #{
        expected => Pids, standing => Standing, deadline => Deadline, cancelled => Cancelled
    }).

%% The second suspend is the one that answers, when the snapshot is taken.
stop(Pid, Ref, #{snapshot := Snapshot, nobody := Nobody}) ->
    case Snapshot(Pid) of
        none ->
            ok;
        Keep ->
            erlrc_system:tell(Pid, Nobody, suspend),
            erlrc_system:tell(Pid, Nobody, Keep)
    end,
    erlrc_system:ask(Pid, Ref, Pid, suspend).

%% Whether it is late is asked before the answers that are there are taken.
wait(Ref, Answers0, Request, #{expected := Expected, standing := Standing, deadline := Deadline} = State) ->
    Late = erlang:monotonic_time(millisecond) >= Deadline,
    case erlrc_system:collect(Ref, Answers0, ?TICK) of
        #{left := 0, answered := Answered} ->
            {ok, lists:foldl(fun(Pid, Acc) -> Acc#{Pid => []} end, Standing, Answered)};
        #{answered := Answered} = Answers ->
            Done = maps:from_keys(Answered, []),
            Missing = [Pid || Pid <- Expected, not is_map_key(Pid, Done)],
            Stands = maps:merge(Standing, Done),
            idle(Ref, Answers, Request, State#{missing => Missing, stands => Stands, late => Late})
    end.

idle(Ref, Answers, Request, #{missing := Missing, stands := Stands} = State) ->
    #{late := Late, cancelled := Cancelled} = State,
    {Alive, Dead} = lists:partition(fun is_process_alive/1, Missing),
    case {Alive, Cancelled()} of
        {_, true} ->
            {error, cancelled};
        {[_ | _], false} when Late ->
            {error, {not_suspended, [erlrc_system:culprit(Pid) || Pid <- Alive]}};
        {_, false} ->
            Poked = lists:usort(lists:append([blockers(Pid, Stands, ?CHAIN) || Pid <- Alive])),
            _ = [poke(Pid, Ref, Request) || Pid <- Poked],
            again(Ref, Answers, Request, State, Dead, Poked)
    end.

again(Ref, Answers, Request, #{expected := Expected, standing := Standing} = State, Dead, Poked) ->
    #{left := Left, answered := Answered} = Answers,
    wait(
        Ref,
        Answers#{left := Left - length(Dead) + length(Poked), answered := Answered -- Poked},
        Request,
        State#{
            expected := lists:usort(Poked ++ (Expected -- Dead)),
            standing := maps:without(Poked, Standing)
        }
    ).

poke(Pid, Ref, #{nobody := Nobody} = Request) ->
    erlrc_system:tell(Pid, Nobody, resume),
    stop(Pid, Ref, Request).

%% Processes that stand and that `Pid' waits for: through the monitor of its call, over others that wait in turn, and
%% for a supervisor over the child that it is starting.
blockers(_Pid, _Stands, 0) ->
    [];
blockers(Pid, Stands, Depth) ->
    {Standing, Others} = lists:partition(fun(Other) -> is_map_key(Other, Stands) end, waits_for(Pid)),
    Standing ++ lists:append([blockers(Other, Stands, Depth - 1) || Other <- Others]).

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

%% @doc Lets processes go, and waits a moment until they went. `Before' are requests to send first, for each process.
-spec resume([pid()], fun((pid()) -> [term()])) -> ok.
resume(Pids, Before) ->
    Nobody = erlrc_system:nobody(),
    Ref = make_ref(),
    lists:foreach(
        fun(Pid) ->
            _ = [erlrc_system:tell(Pid, Nobody, Request) || Request <- Before(Pid)],
            erlrc_system:ask(Pid, Ref, Pid, resume)
        end,
        Pids
    ),
    gone(Ref, Pids, #{left => length(Pids), answered => [], errors => []}).

%% Whoever is busy, and so never stood, will find the request later.
gone(Ref, Pids, #{left := Before} = Answers0) ->
    case erlrc_system:collect(Ref, Answers0, ?TICK) of
        #{left := Left} = Answers when Left > 0, Left < Before -> gone(Ref, Pids, Answers);
        _ -> ok
    end.
