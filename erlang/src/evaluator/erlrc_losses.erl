%% @doc Which processes an upgrade has lost: those that stood for it and ended meanwhile, by anything but an end of their
%% own accord. A worker whose client stops it, or whose supervisor does, is none.
%%
%% A process of its own monitors all whose states are to change. It is started while they run, so that nobody stands
%% for it, and ends with the window.
-module(erlrc_losses).

-export([watch/1, watch/2, among/3, stop/1]).
-export_type([watcher/0]).

-opaque watcher() :: pid().

%% @doc Begins to watch these processes.
-spec watch([pid()]) -> watcher().
watch(Pids) ->
    Owner = self(),
    spawn(fun() ->
        _ = monitor(process, Owner),
        loop(Owner, monitored(Pids, #{}))
    end).

%% @doc Watches these as well.
-spec watch([pid()], watcher()) -> ok.
watch([], _Watcher) ->
    ok;
watch(Pids, Watcher) ->
    Watcher ! {watch, Pids},
    ok.

%% @doc Those of `Gone', processes that are dead, which stood and did not end of their own accord.
-spec among([{pid(), module()}], Standing :: [pid()], watcher()) -> [{pid(), module()}].
among([], _Standing, _Watcher) ->
    [];
among(Gone, Standing, Watcher) ->
    Dead = maps:from_keys([Pid || {Pid, _} <- Gone], []),
    Stood = [Pid || Pid <- Standing, is_map_key(Pid, Dead)],
    Lost = maps:from_keys([Pid || Pid <- Stood, is_loss(ask(Pid, Watcher))], []),
    [Each || {Pid, _} = Each <- Gone, is_map_key(Pid, Lost)].

is_loss(normal) -> false;
is_loss(shutdown) -> false;
is_loss({shutdown, _}) -> false;
%% It had ended before it was watched.
is_loss(noproc) -> false;
is_loss(_Reason) -> true.

ask(Pid, Watcher) ->
    Ref = monitor(process, Watcher),
    Watcher ! {why, Pid, self(), Ref},
    receive
        {Ref, Reason} ->
            demonitor(Ref, [flush]),
            Reason;
        {'DOWN', Ref, process, _, _} ->
            unknown
    end.

%% @doc Ends it.
-spec stop(watcher()) -> ok.
stop(Watcher) ->
    Watcher ! stop,
    ok.

monitored(Pids, Ended) ->
    lists:foreach(fun(Pid) -> monitor(process, Pid) end, Pids),
    Ended.

%% A question about a process that is dead is answered when the end of it is known here, too.
loop(Owner, Ended) ->
    receive
        {'DOWN', _, process, Owner, _} -> ok;
        {'DOWN', _, process, Pid, Reason} -> loop(Owner, Ended#{Pid => Reason});
        {watch, Pids} -> loop(Owner, monitored(Pids, Ended));
        stop -> ok;
        {why, Pid, From, Ref} when is_map_key(Pid, Ended) ->
            From ! {Ref, maps:get(Pid, Ended)},
            loop(Owner, Ended)
    end.
