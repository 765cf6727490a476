%% @doc What OTP's evaluator can spoil, kept before it runs and put back after it failed: code path,
%% modules, process states, and that nobody stays suspended. What cannot be put back is listed,
%% never left out.
-module(erlrc_snapshot).

-export([take/3, drop/1, runs/1, interrupt/1, note/2, note_suspended/1, count/1, place_path/2, restore/2]).
-export_type([snapshot/0, left/0]).

-opaque snapshot() :: ets:table().
%% Something that is not as it was: instructions with effects of their own, modules, states of
%% processes.
-type left() ::
    {applied, {module(), atom(), [term()]}}
    | {stopped, [module()]}
    | {module, module(), Why :: term()}
    | {state, pid(), Why :: term()}
    | {suspended, pid(), Why :: term()}.

-define(TIMEOUT, 5000).

%% @doc Keeps the code path, the object code of these modules, which `FromDir' may have, and who is
%% suspended already.
-spec take([module()], atom(), FromDir :: file:filename_all()) -> snapshot().
take(Modules, App, FromDir) ->
    Table = ets:new(?MODULE, [public | heir()]),
    Rows = [{{module, Module}, object_code(Module, FromDir)} || Module <- Modules],
    true = ets:insert(Table, Rows),
    true = ets:insert(Table, [
        {path, code:get_path()}, {application, App, FromDir}, {suspended, suspended()}, {notes, []}
    ]),
    Table.

%% Whoever settles the operation finds it when its process is dead.
heir() ->
    [{heir, Keeper, ?MODULE} || Keeper <- [whereis(erlrc_outcome)], is_pid(Keeper)].

%% @doc Forgets the snapshot. One who was killed in the midst of settling may have done so.
-spec drop(snapshot()) -> ok.
drop(Table) ->
    try ets:delete(Table) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc The calling process runs the script, and ends where {@link interrupt/1} came before it.
-spec runs(snapshot()) -> ok.
runs(Table) ->
    true = ets:insert_new(Table, {evaluator, self()}),
    ok.

%% @doc Ends the script of an operation that is dead, and puts everything back. (Without its snapshot it ends by itself.)
-spec interrupt(snapshot()) -> [left()].
interrupt(Table) ->
    case ets:info(Table, owner) of
        undefined -> [];
        _ -> restore(Table, lists:append([stop(Pid) || Pid <- runner(Table)]))
    end.

%% Where there is none yet, none will be.
runner(Table) ->
    case ets:insert_new(Table, {evaluator, none}) of
        true -> [];
        false -> [Pid || {evaluator, Pid} <- ets:lookup(Table, evaluator), is_pid(Pid)]
    end.

%% Whoever it was waiting for gets its suspend message later.
stop(Pid) ->
    Waiting = case process_info(Pid, monitors) of {_, Monitors} -> [Of || {process, Of} <- Monitors, is_pid(Of)]; _ -> [] end,
    Ref = monitor(process, Pid),
    true = exit(Pid, kill),
    receive
        {'DOWN', Ref, process, Pid, _} -> Waiting
    end.

%% @doc Notes an effect that nothing can undo.
-spec note(snapshot(), left()) -> ok.
note(Table, What) ->
    true = ets:insert(Table, {notes, [What | ets:lookup_element(Table, notes, 2)]}),
    ok.

%% @doc Keeps the states of the processes that have been suspended since the last look.
-spec note_suspended(snapshot()) -> ok.
note_suspended(Table) ->
    Before = ets:lookup_element(Table, suspended, 2),
    [keep_state(Table, Pid) || Pid <- suspended() -- Before, not ets:member(Table, {state, Pid})],
    ok.

%% @doc How many processes have been suspended.
-spec count(snapshot()) -> non_neg_integer().
count(Table) ->
    length(ets:match(Table, {{state, '$1'}, '_'})).

%% @doc Puts the directory of the new version exactly where that of the old one was in the code
%% path.
-spec place_path(snapshot(), file:filename_all()) -> ok.
place_path(Table, Dir) ->
    [{application, App, FromDir}] = ets:lookup(Table, application),
    Path = ets:lookup_element(Table, path, 2),
    erlrc_code_path:set(erlrc_code_path:replace(App, FromDir, Dir, Path)).

%% @doc Puts everything back, wakes all that were suspended since {@link take/3}, and forgets the
%% snapshot. `Late' are processes that may have a suspend message in their mailbox that nobody waits
%% for any more.
-spec restore(snapshot(), [pid()]) -> [left()].
restore(Table, Late) ->
    ok = erlrc_code_path:set(ets:lookup_element(Table, path, 2)),
    Notes = lists:reverse(ets:lookup_element(Table, notes, 2)),
    Kept = fun(Kind) -> ets:match(Table, {{Kind, '$1'}, '$2'}) end,
    Modules = [restore_module(Module, Code) || [Module, Code] <- Kept(module)],
    States = [restore_state(Pid, State) || [Pid, State] <- Kept(state)],
    Before = ets:lookup_element(Table, suspended, 2),
    Suspended = [resume(Pid) || Pid <- suspended() -- Before],
    [spawn(sys, resume, [Pid, infinity]) || Pid <- Late, is_process_alive(Pid)],
    ok = drop(Table),
    Notes ++ [Left || Left <- Modules ++ States ++ Suspended, Left =/= ok].

%% The object code that is loaded, where it can still be had.
object_code(Module, Dir) ->
    case erlang:module_loaded(Module) of
        false -> absent;
        true -> find_object_code(Module, [from_directory(Module, Dir), from_path(Module)])
    end.

find_object_code(Module, Candidates) ->
    Digest = Module:module_info(md5),
    Fits = fun({_, Beam}) -> erlrc_code_path:md5(Beam) =:= {ok, Digest}; (none) -> false end,
    case lists:filter(Fits, Candidates) of
        [{File, Beam} | _] -> {Digest, File, Beam};
        [] -> {Digest, none, none}
    end.

from_directory(Module, Dir) ->
    File = filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]),
    case file:read_file(File) of
        {ok, Beam} -> {File, Beam};
        {error, _} -> none
    end.

from_path(Module) ->
    case code:get_object_code(Module) of
        {Module, Beam, File} -> {File, Beam};
        error -> none
    end.

restore_module(Module, absent) ->
    case erlang:module_loaded(Module) of
        false -> ok;
        true -> unload(Module)
    end;
restore_module(Module, {Digest, File, Beam}) ->
    case erlang:module_loaded(Module) andalso Module:module_info(md5) =:= Digest of
        true -> ok;
        false when Beam =:= none -> {module, Module, object_code_gone};
        false -> reload(Module, File, Beam)
    end.

unload(Module) ->
    case code:soft_purge(Module) andalso code:delete(Module) of
        true ->
            _ = code:soft_purge(Module),
            ok;
        false ->
            {module, Module, old_code_in_use}
    end.

reload(Module, File, Beam) ->
    case code:soft_purge(Module) of
        false ->
            {module, Module, old_code_in_use};
        true ->
            case code:load_binary(Module, File, Beam) of
                {module, Module} ->
                    _ = code:soft_purge(Module),
                    ok;
                {error, Why} ->
                    {module, Module, Why}
            end
    end.

keep_state(Table, Pid) ->
    Kept =
        try
            {ok, behaviour(Pid), sys:get_state(Pid, ?TIMEOUT)}
        catch
            exit:Why -> {error, reason(Why)}
        end,
    true = ets:insert(Table, {{state, Pid}, Kept}).

restore_state(Pid, Kept) ->
    case is_process_alive(Pid) of
        true -> try_restore_state(Pid, Kept);
        false -> {state, Pid, terminated}
    end.

try_restore_state(Pid, {error, Why}) ->
    {state, Pid, Why};
try_restore_state(Pid, {ok, Behaviour, State}) ->
    Put = fun(Now) -> earlier(Now, State) end,
    try
        _ = sys:replace_state(Pid, Put, ?TIMEOUT),
        ok = refresh(Behaviour, Pid, Put)
    catch
        exit:Why -> {state, Pid, reason(Why)}
    end.

%% A gen_statem keeps the callback mode of its module beside the state and asks for it only when its
%% code changes.
refresh(gen_statem, Pid, Put) ->
    case sys:change_code(Pid, gen_statem, undefined, [], ?TIMEOUT) of
        ok ->
            _ = sys:replace_state(Pid, Put, ?TIMEOUT),
            ok;
        {error, _} ->
            ok
    end;
refresh(_Behaviour, _Pid, _Put) ->
    ok.

%% A gen_event calls this for each of its handlers.
earlier({Handler, Id, _}, [{_, _, _} | _] = States) ->
    case [State || {H, I, _} = State <- States, H =:= Handler, I =:= Id] of
        [State] -> State;
        [] -> States
    end;
earlier(_Now, State) ->
    State.

behaviour(Pid) ->
    {status, _, {module, Behaviour}, _} = sys:get_status(Pid, ?TIMEOUT),
    Behaviour.

resume(Pid) ->
    try
        ok = sys:resume(Pid, ?TIMEOUT)
    catch
        exit:Why ->
            case is_process_alive(Pid) of
                true -> {suspended, Pid, reason(Why)};
                false -> ok
            end
    end.

suspended() ->
    [Pid || Pid <- processes(), is_suspended(Pid)].

is_suspended(Pid) ->
    case process_info(Pid, current_function) of
        {current_function, {sys, suspend_loop, _}} -> true;
        {current_function, {sys, suspend_loop_hib, _}} -> true;
        {current_function, {erlang, hibernate, 3}} -> is_suspended_asleep(Pid);
        _ -> false
    end.

%% A server that hibernates does so while it is suspended, too; it has to be asked, if it is one
%% that answers.
is_suspended_asleep(Pid) ->
    case process_info(Pid, dictionary) of
        {dictionary, Dictionary} ->
            lists:keymember('$initial_call', 1, Dictionary) andalso asked_suspended(Pid);
        undefined ->
            false
    end.

asked_suspended(Pid) ->
    try sys:get_status(Pid, 100) of
        {status, _, _, [_, suspended | _]} -> true;
        _ -> false
    catch
        exit:_ -> false
    end.

reason({Why, {sys, _, _}}) -> Why;
reason(Why) -> Why.
