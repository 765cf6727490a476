%% @doc The faults of `chaos': each is something that happens to a node while an operation runs, and is over afterwards.
-module(chaos_faults).

-export([names/0, with/3, strike/2]).

%% The longest that a fault waits before it strikes, in milliseconds.
-define(SOON, 40).

%% @doc The names of all faults.
-spec names() -> [atom()].
names() ->
    at_a_moment() ++ in_code_change() ++ around().

%% Something happens once, at a random moment.
at_a_moment() ->
    [
        kill_runner, kill_guardian, kill_server, kill_caller, kill_supervisor, kill_supervisor_repeatedly, cancel,
        busy_server, kill_a_process, flood_a_server, short_lived_processes, new_child, set_env, garbage_collection,
        suspended_application_controller, suspended_and_resumed, suspended_supervisor, handler_crashes, purge_by_somebody,
        another_operation
    ].

%% One of the states cannot be changed.
in_code_change() ->
    [code_change_error, code_change_exit, code_change_throw, code_change_hangs, code_change_kills_itself, code_change_slow].

%% Something is wrong from before the operation until after it.
around() ->
    [
        directory_gone, truncated_beam, foreign_beam, broken_app, health_check_fails, health_check_crashes,
        service_check_fails, short_patience, lingering_process, wrong_evaluator_option
    ].

%% @doc Runs `Fun' with a fault.
-spec with(none | atom(), atom(), fun(() -> Result)) -> Result.
with(none, _App, Fun) ->
    Fun();
with(Fault, App, Fun) ->
    case {lists:member(Fault, at_a_moment()), lists:member(Fault, in_code_change())} of
        {true, _} -> at_a_moment(Fault, App, Fun);
        {_, true} -> in_code_change(Fault, App, Fun);
        _ -> around(Fault, App, Fun)
    end.

at_a_moment(Fault, App, Fun) ->
    Wait = rand:uniform(?SOON) - 1,
    {Striker, Ref} = spawn_monitor(fun() ->
        receive
        after Wait -> happen(Fault, App)
        end
    end),
    Result = Fun(),
    receive
        {'DOWN', Ref, process, Striker, _} -> Result
    end.

happen(kill_runner, _App) ->
    kill(runner());
happen(kill_guardian, _App) ->
    kill(whereis(erlrc_guardian));
happen(kill_server, _App) ->
    kill(whereis(erlrc_operations));
happen(kill_caller, _App) ->
    kill(persistent_term:get({chaos, caller}));
happen(kill_supervisor, _App) ->
    kill(whereis(erlrc_sup)),
    started_again();
happen(kill_supervisor_repeatedly, _App) ->
    _ = [begin kill(whereis(erlrc_sup)), started_again() end || _ <- lists:seq(1, 3)];
happen(cancel, _App) ->
    erlrc_transaction:cancel();
happen(busy_server, App) ->
    try gen_server:call(server(App), {busy, 50}, 30000) catch exit:_ -> ok end;
happen(kill_a_process, App) ->
    {ok, Pid} = supervisor:start_child(name(App, "_sup"), victim(App)),
    kill(Pid),
    _ = supervisor:terminate_child(name(App, "_sup"), victim),
    _ = supervisor:delete_child(name(App, "_sup"), victim);
happen(flood_a_server, App) ->
    _ = [gen_server:cast(server(App), {noise, N}) || N <- lists:seq(1, 5000)];
happen(short_lived_processes, App) ->
    Server = name(App, "_server"),
    _ = [begin {ok, Pid} = Server:start_link(N), unlink(Pid), gen_server:stop(Pid, normal, 30000) end || N <- lists:seq(1, 30)];
happen(new_child, App) ->
    {ok, _} = supervisor:start_child(name(App, "_sup"), victim(App)),
    ok = supervisor:terminate_child(name(App, "_sup"), victim),
    ok = supervisor:delete_child(name(App, "_sup"), victim);
happen(set_env, App) ->
    application:set_env(App, at_run_time, rand:uniform(1000));
happen(garbage_collection, _App) ->
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()];
happen(suspended_application_controller, _App) ->
    suspended(whereis(application_controller));
happen(suspended_and_resumed, App) ->
    suspended(server(App));
happen(suspended_supervisor, App) ->
    suspended(whereis(name(App, "_sup")));
happen(handler_crashes, _App) ->
    _ = logger:add_handler(chaos, chaos_no_such_handler, #{}),
    ok;
happen(purge_by_somebody, App) ->
    code:soft_purge(name(App, "_lib"));
happen(another_operation, _App) ->
    erlrcdynamic:start(crypto, vsn(crypto)).

suspended(Pid) ->
    try sys:suspend(Pid, 30000) of
        ok ->
            receive
            after 50 -> sys:resume(Pid, 30000)
            end
    catch
        exit:_ -> ok
    end.

%% The process that carries the script out.
runner() ->
    case erlrc_outcome:script() of
        {_Guardian, {open, Runner, _Journal}} -> Runner;
        _ -> undefined
    end.

kill(Pid) when is_pid(Pid) -> exit(Pid, kill);
kill(_) -> true.

started_again() ->
    fixture:wait_until(fun() -> not is_pid(whereis(erlrc_sup)) orelse is_running() end),
    _ = application:ensure_all_started(erlrc),
    ok.

is_running() ->
    lists:keymember(erlrc, 1, application:which_applications(30000)).

victim(App) ->
    Server = name(App, "_server"),
    #{id => victim, start => {Server, start_link, [victim]}, restart => temporary, modules => [Server]}.

server(App) ->
    whereis(name(App, "_server")).

name(App, Suffix) ->
    list_to_atom(atom_to_list(App) ++ Suffix).

vsn(App) ->
    _ = application:load(App),
    {ok, Vsn} = application:get_key(App, vsn),
    Vsn.

in_code_change(Fault, App, Fun) ->
    Key = {chaos, name(App, "_server")},
    persistent_term:put(Key, Fault),
    try
        Fun()
    after
        persistent_term:erase(Key)
    end.

%% @doc What happens in `code_change' of one of the servers.
-spec strike(atom(), pid()) -> ok.
strike(Fault, Pid) ->
    case process_info(Pid, registered_name) of
        {registered_name, _} -> struck(Fault);
        _ -> ok
    end.

struck(code_change_error) -> error(injected);
struck(code_change_exit) -> exit(injected);
struck(code_change_throw) -> throw(injected);
struck(code_change_hangs) -> receive after 3000 -> ok end;
struck(code_change_slow) -> receive after 100 -> ok end;
struck(code_change_kills_itself) -> exit(self(), kill), receive after infinity -> ok end.

around(Fault, App, Fun) ->
    Undo = begin_fault(Fault, App),
    try
        Fun()
    after
        Undo()
    end.

%% The directory of the version that does not run.
begin_fault(directory_gone, App) ->
    renamed(other(App));
begin_fault(truncated_beam, App) ->
    rewritten(beam(other(App), App, "_lib"), fun(Bytes) -> binary:part(Bytes, 0, byte_size(Bytes) div 2) end);
begin_fault(foreign_beam, App) ->
    {ok, Foreign} = file:read_file(beam(other(App), App, "_env")),
    rewritten(beam(other(App), App, "_lib"), fun(_) -> Foreign end);
begin_fault(broken_app, App) ->
    rewritten(filename:join([other(App), "ebin", atom_to_list(App) ++ ".app"]), fun(_) -> <<"{application, ">> end);
begin_fault(health_check_fails, _App) ->
    configured(health_check, {erlang, is_list, [no]});
begin_fault(health_check_crashes, _App) ->
    configured(health_check, {erlang, error, [injected]});
begin_fault(service_check_fails, _App) ->
    configured(service_check, {erlang, is_list, [no]});
begin_fault(wrong_evaluator_option, _App) ->
    configured(suspend_timeout, never);
begin_fault(short_patience, _App) ->
    persistent_term:put({chaos, patience}, rand:uniform(30)),
    fun() -> persistent_term:erase({chaos, patience}) end;
begin_fault(lingering_process, App) ->
    Library = name(App, "_lib"),
    Pid = spawn(fun() -> linger(Library) end),
    fun() -> exit(Pid, kill) end.

linger(Library) ->
    _ = Library:version(),
    receive
        never -> linger(Library)
    end.

other(App) ->
    Vsn = case vsn(App) of "1" -> "2"; "2" -> "1" end,
    [Dir | _] = [filename:dirname(P) || P <- code:get_path(), filename:basename(filename:dirname(P)) =:= atom_to_list(App) ++ "-" ++ vsn(App)],
    filename:join(filename:dirname(Dir), atom_to_list(App) ++ "-" ++ Vsn).

beam(Dir, App, Suffix) ->
    filename:join([Dir, "ebin", atom_to_list(name(App, Suffix)) ++ ".beam"]).

renamed(File) ->
    Away = File ++ ".away",
    ok = file:rename(File, Away),
    fun() -> ok = file:rename(Away, File) end.

rewritten(File, Change) ->
    {ok, Bytes} = file:read_file(File),
    ok = file:write_file(File, Change(Bytes)),
    fun() -> ok = file:write_file(File, Bytes) end.

configured(Key, Value) ->
    ok = application:set_env(erlrc, Key, Value),
    fun() -> application:unset_env(erlrc, Key) end.
