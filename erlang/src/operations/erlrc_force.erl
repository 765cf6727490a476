%% @doc Applications that do not come to an end of starting or stopping.
%%
%% All processes of such an application are killed but its master: that one then ends by itself, and so does the call that
%% waits for it. The application controller cannot be asked meanwhile.
-module(erlrc_force).

-export([until_late/3]).

%% Milliseconds between two attempts.
-define(KILL_AGAIN, 100).

%% @doc Evaluates what waits for the application to start or to stop. After `Time' all its processes are killed, so that
%% the wait has an end.
-spec until_late(atom(), timeout(), fun(() -> Result)) -> {in_time | late, Result}.
until_late(App, Time, Fun) ->
    Caller = self(),
    {Killer, Ref} = spawn_monitor(fun() -> watch_out(App, Time, monitor(process, Caller)) end),
    Result = Fun(),
    Killer ! ended,
    receive
        {'DOWN', Ref, process, Killer, in_time} -> {in_time, Result};
        {'DOWN', Ref, process, Killer, _} -> {late, Result}
    end.

%% Where nobody waits any more, nothing is late.
-spec watch_out(atom(), timeout(), reference()) -> no_return().
watch_out(App, Time, Caller) ->
    receive
        ended -> exit(in_time);
        {'DOWN', Caller, process, _, _} -> exit(in_time)
    after Time ->
        ok = kill_processes(App),
        killing(App, Caller)
    end.

-spec killing(atom(), reference()) -> no_return().
killing(App, Caller) ->
    receive
        ended -> exit(late);
        {'DOWN', Caller, process, _, _} -> exit(late)
    after ?KILL_AGAIN ->
        ok = kill_processes(App),
        killing(App, Caller)
    end.

kill_processes(App) ->
    Master = erlrc_node:master(App),
    Killed = [Pid || is_pid(Master), Pid <- processes(), Pid =/= Master, leader(Pid) =:= Master],
    lists:foreach(fun(Pid) -> exit(Pid, kill) end, Killed).

leader(Pid) ->
    case process_info(Pid, group_leader) of
        {_, Leader} -> Leader;
        undefined -> none
    end.
