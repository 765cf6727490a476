%% @doc Purges old code at leisure: after a time of grace, one module after the other, only where no process runs it
%% any more, nobody holds a fun of it and it has no native functions. Until then functions made by the old code go on working. What is left is tried again, and named by
%% `erlrc_status'.
%%
%% One process does it, however many operations follow each other: the one that the latest operation starts takes over
%% what the one before has left. A module that was replaced once more has its time of grace anew.
-module(erlrc_purge).

-export([schedule/2, lingering/1, on_stack/1, since/1]).
-export([start/1, loop/1]).

-define(REST, 20).
%% Until the next attempt, in milliseconds: as long as nothing could be purged each takes twice the time of the one before.
-define(RETRY, 1000).
-define(LONGEST_RETRY, 60000).
%% While an operation runs.
-define(BUSY, 1000).

%% Modules, and when (monotonic, milliseconds) their turn comes.
-type pending() :: #{module() => integer()}.

%% @doc Purges these modules, `Delay' milliseconds from now at the earliest.
-spec schedule([module()], timeout()) -> ok.
schedule([], _Delay) ->
    ok;
schedule(Modules, Delay) ->
    ok = note(Modules),
    _ = [spawn(?MODULE, start, [maps:from_keys(Modules, milliseconds() + Delay)]) || Delay =/= infinity],
    ok.

%% @private
-spec start(pending()) -> ok.
start(New) ->
    Pending = maps:merge(take_over(whereis(?MODULE)), New),
    try register(?MODULE, self()) of
        true -> loop(Pending)
    catch
        %% Another one was faster.
        error:badarg -> start(Pending)
    end.

-spec take_over(pid() | undefined) -> pending().
take_over(undefined) ->
    #{};
take_over(Pid) ->
    Ref = monitor(process, Pid),
    Pid ! {take_over, self(), Ref},
    receive
        {Ref, Pending} ->
            %% The name is free then.
            receive
                {'DOWN', Ref, process, Pid, _} -> Pending
            end;
        {'DOWN', Ref, process, Pid, _} ->
            #{}
    end.

%% Since when the code of these modules is old; while erlrc does not run nobody remembers.
note(Modules) ->
    Now = erlang:system_time(millisecond),
    in_table(fun() -> ets:insert(erlrc_table, [{{old_code, Module}, Now} || Module <- Modules]) end).

forget(Module) ->
    in_table(fun() -> ets:delete(erlrc_table, {old_code, Module}) end).

in_table(Fun) ->
    try Fun() of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc Since when (system time, milliseconds) the module has had its old code, where that is known.
-spec since(module()) -> [integer()].
since(Module) ->
    case ets:whereis(erlrc_table) of
        undefined -> [];
        Table -> [Since || {_, Since} <- ets:lookup(Table, {old_code, Module})]
    end.

%% @doc Those of `Modules' whose old code a process still runs, going by the top of its stack: to check every process
%% for every module would take minutes on a large node.
-spec lingering([module()]) -> [module()].
lingering([]) ->
    [];
lingering(Modules) ->
    lists:usort([Module || {Module, Pid} <- on_stack(Modules), runs_old(Pid, Module)]).

%% @doc Who has one of `Modules' on the stack, as far as a stack is shown; in old or in current code.
-spec on_stack([module()]) -> [{module(), pid()}].
on_stack(Modules) ->
    Known = maps:from_keys(Modules, []),
    lists:usort([
        {Module, Pid}
     || Pid <- processes(),
        {_, Stack} <- [process_info(Pid, current_stacktrace)],
        {Module, _, _, _} <- Stack,
        is_map_key(Module, Known)
    ]).

runs_old(Pid, Module) ->
    Pid =/= self() andalso erlrc_old_code:runs(Pid, Module).

%% @private Each round goes through the module's name, so that this very module can be replaced and purged.
-spec loop(pending()) -> ok.
loop(Pending) when map_size(Pending) =:= 0 ->
    ok;
loop(Pending) ->
    receive
        {take_over, Pid, Ref} ->
            Pid ! {Ref, Pending},
            ok
    after max(0, lists:min(maps:values(Pending)) - milliseconds()) ->
        ?MODULE:loop(round_of(Pending))
    end.

%% No purge while an operation runs: what it replaced is its way back.
-spec round_of(pending()) -> pending().
round_of(Pending) ->
    Now = milliseconds(),
    Due = [Module || {Module, At} <- maps:to_list(Pending), At =< Now],
    case whereis(erlrc_guardian) of
        undefined ->
            Purged = [Module || Module <- erlrc_old_code:may_go(Due), purge(Module)],
            ok = tell(Purged),
            %% Nobody ever knows of native functions that they are not in use.
            Left = (Due -- Purged) -- erlrc_natives:old(Due),
            maps:merge(maps:without(Due, Pending), maps:from_keys(Left, milliseconds() + retry(Purged)));
        _ ->
            maps:merge(Pending, maps:from_keys(Due, Now + ?BUSY))
    end.

retry(Purged) ->
    Next =
        case {Purged, get(?MODULE)} of
            {[], Delay} when is_integer(Delay) -> min(2 * Delay, ?LONGEST_RETRY);
            _ -> ?RETRY
        end,
    _ = put(?MODULE, Next),
    Next.

milliseconds() -> erlang:monotonic_time(millisecond).

tell([]) -> ok;
tell(Purged) -> erlrc_journal:log(info, #{event => purged, modules => Purged}).

purge(Module) ->
    receive
    after ?REST -> ok
    end,
    case whereis(erlrc_guardian) of
        undefined -> purged(Module, not erlang:check_old_code(Module) orelse code:soft_purge(Module));
        _ -> false
    end.

purged(Module, true) ->
    ok = forget(Module),
    true;
purged(_Module, false) ->
    false.
