%% @doc What an atomic upgrade costs at least on this emulator: the bare messages and the bare change of code.
%%
%% All processes are told to stand and answer, one `code:finish_loading/1', all change their state and answer, all are
%% told to go on; the last one answers. No search, no snapshot, no check, no way back, no client that wants the processor too.
-module(evaluator_floor).

-export([window/2]).

%% @doc Takes the processes to version 2. Microseconds of the change of code, and of all.
-spec window(evaluator_fixture:made(), [pid()]) -> {non_neg_integer(), non_neg_integer()}.
window(#{server := Server, libraries := Libraries, new := New}, Pids) ->
    {ok, Prepared} = code:prepare_loading([beam(New, Module) || Module <- [Server | Libraries]]),
    Heap = 65536 + 100 * length(Pids),
    {Pid, Ref} = spawn_opt(fun() -> exit({took, run(Server, Prepared, Pids)}) end, [monitor, {min_heap_size, Heap}]),
    receive
        {'DOWN', Ref, process, Pid, {took, Took}} -> Took
    end.

beam(Dir, Module) ->
    File = filename:join([Dir, "ebin", atom_to_list(Module) ++ ".beam"]),
    {ok, Beam} = file:read_file(File),
    {Module, File, Beam}.

run(Server, Prepared, Pids) ->
    _ = [erlang:garbage_collect(Pid) || Pid <- Pids],
    ok = all(Pids, {debug, {statistics, get}}),
    {Suspend, ok} = timer:tc(fun() -> all(Pids, suspend) end),
    {Commit, ok} = timer:tc(fun() -> code:finish_loading(Prepared) end),
    {Change, ok} = timer:tc(fun() -> all(Pids, {change_code, Server, "1", []}) end),
    {Resume, ok} = timer:tc(fun() -> let_go(Pids) end),
    {Commit, Suspend + Commit + Change + Resume}.

all(Pids, Request) ->
    Ref = make_ref(),
    lists:foreach(fun(Pid) -> Pid ! {system, {self(), {Ref, Pid}}, Request} end, Pids),
    lists:foreach(fun(_) -> receive {{Ref, _}, _} -> ok end end, Pids).

let_go(Pids) ->
    {Others, [Last]} = lists:split(length(Pids) - 1, Pids),
    Nobody = {spawn(fun() -> ok end), nobody},
    lists:foreach(fun(Pid) -> Pid ! {system, Nobody, resume} end, Others),
    all([Last], resume).
