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
    {Killer, Ref} = spawn_monitor(fun() -> watch_out(App, Time) end),
    Result = Fun(),
    Killer ! ended,
    receive
        {'DOWN', Ref, process, Killer, in_time} -> {in_time, Result};
        {'DOWN', Ref, process, Killer, _} -> {late, Result}
    end.

-spec watch_out(atom(), timeout()) -> no_return().
watch_out(App, Time) ->
    receive
        ended -> exit(in_time)
    after Time ->
        ok = kill_processes(App),
        killing(App)
    end.

-spec killing(atom()) -> no_return().
killing(App) ->
    receive
        ended -> exit(late)
    after ?KILL_AGAIN ->
        ok = kill_processes(App),
        killing(App)
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
