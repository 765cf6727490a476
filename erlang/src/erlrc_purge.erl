%% @doc Purges old code at leisure: after a time of grace, one module after the other, only where no process runs it
%% any more. Until then functions made by the old code go on working. What is left is tried again, and named by
%% `erlrc_status'.
-module(erlrc_purge).

-export([schedule/2, lingering/1, on_stack/1, users/1, since/1]).
-export([loop/2]).

-define(REST, 20).
-define(RETRY, 60000).

%% @doc Purges these modules, `Delay' milliseconds from now at the earliest.
-spec schedule([module()], timeout()) -> ok.
schedule([], _Delay) ->
    ok;
schedule(Modules, Delay) ->
    ok = note(Modules),
    _ = [spawn(?MODULE, loop, [Modules, Delay]) || Delay =/= infinity],
    ok.

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
    Pid =/= self() andalso is_process_alive(Pid) andalso erlang:check_process_code(Pid, Module).

%% @doc Who runs the old code of a module.
-spec users(module()) -> [pid()].
users(Module) ->
    [Pid || Pid <- processes(), erlang:check_process_code(Pid, Module) =:= true].

%% @private Each round goes through the module's name, so that this very module can be replaced and purged.
-spec loop([module()], non_neg_integer()) -> ok.
loop([], _Delay) ->
    ok;
loop(Modules, Delay) ->
    receive
    after Delay -> ok
    end,
    Left = [Module || Module <- Modules, not purge(Module)],
    ok = tell(Modules -- Left),
    ?MODULE:loop(Left, ?RETRY).

tell([]) -> ok;
tell(Purged) -> erlrc_journal:log(info, #{event => purged, modules => Purged}).

%% No purge while an operation runs: what it replaced is its way back.
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
