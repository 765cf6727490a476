%% @doc What goes wrong in an upgrade, on two nodes: on one OTP's own `release_handler:eval_appup_script/4' runs it, on
%% the other the transactional evaluator. Each case holds both outcomes and both nodes' condition afterwards.
-module(evaluators_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/5, child/1, child/2, up/3, up/4, down/3, down/4, call/4, photograph/1, still/2]).
-import(service_fixture, [server/2, server/3, steady/2, plain/2, special/2, pid/2]).
-import(service_fixture, [advanced/1]).

%% What hangs for ever is waited for so long, in milliseconds.
-define(FOREVER, 1000).
-define(LONG, 60000).

all() ->
    [{group, waiting}, {group, quick}].

groups() ->
    [
        %% One waits for what takes OTP seconds to give up.
        {waiting, [parallel], [
            busy_supervisor,
            dynamic_modules,
            application_without_supervisor,
            suspend_deadlock,
            special_process_that_ignores_system_messages,
            sync_nodes
        ]},
        {quick, [], [
            crash_in_code_change_of_one_of_many,
            bad_beam_as_the_twentieth_module,
            on_load_failure,
            supervisor_with_dynamic_modules,
            suspended_supervisor,
            suspend_that_times_out,
            child_started_after_the_walk,
            unsupervised_server,
            funs_in_state_and_ets,
            lingering_process_in_a_second_upgrade,
            server_that_lingers_in_a_second_upgrade,
            environment,
            configuration_of_applications_loaded_later,
            config_change
        ]}
    ].

init_per_testcase(Case, Config) ->
    File = filename:join([?config(priv_dir, Config), atom_to_list(Case), "sys.config"]),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, "[{service, [{from_file, file}]}, {later, [{key, file}]}].\n"),
    Args = ["-config", filename:rootname(File)],
    [
        {Name, service_fixture:start_node(list_to_atom(lists:concat([Case, "_", Name])), Config, Args)}
     || Name <- [otp, ours]
    ] ++ Config.

end_per_testcase(_Case, Config) ->
    lists:foreach(fun(Name) -> service_fixture:stop_node(?config(Name, Config)) end, [otp, ours]).

%% The cases.

%% OTP: all stay suspended for ever, some with new states and some with old ones, under new code.
crash_in_code_change_of_one_of_many(Config) ->
    Script = [advanced(many)],
    Poison = "poison =/= element(3, State) orelse error(poisoned)",
    {{Otp, OtpPids, OtpDirs}, {Ours, Pids, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2, Poison)]),
        Pids = [start_many(Node, N, case N of 6 -> poison; _ -> N end) || N <- lists:seq(1, 10)],
        {Node, Pids, Dirs}
    end),
    {'EXIT', {code_change_failed, _, many, _, _}} = otp_up(Otp, OtpDirs, Script),
    ?assertEqual(lists:sort(OtpPids), maps:get(suspended, photograph(Otp))),
    Versions = [element(1, sys_state(Otp, Pid)) || Pid <- OtpPids],
    ?assertEqual([1, 2], lists:usort(Versions)),
    ?assertEqual({2, "1", new}, where(Otp, many, OtpDirs)),
    %% Going on by hand kills those that were not changed.
    Old = hd([Pid || {Pid, 1} <- lists:zip(OtpPids, Versions)]),
    ok = call(Otp, sys, resume, [Old]),
    {'EXIT', {{function_clause, _}, _}} = attempt(Otp, Old, next),

    Before = photograph(Ours),
    {error, {script_failed, service, {code_change_failed, _, many, {poisoned, _}}}} = up(Ours, Dirs, Script),
    still(Ours, Before),
    [1 = call(Ours, gen_server, call, [Pid, next]) || Pid <- Pids].

%% OTP: whatever comes before the bad one is new, whatever comes after it is old.
bad_beam_as_the_twentieth_module(Config) ->
    Names = [list_to_atom("plain" ++ integer_to_list(N)) || N <- lists:seq(1, 25)],
    Script = [{load_module, Name} || Name <- Names],
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        {_, New} = Dirs = versions(Node, [plain(Name, 1) || Name <- Names], [plain(Name, 2) || Name <- Names]),
        [1 = call(Node, Name, version, []) || Name <- Names],
        File = filename:join(service_fixture:ebin(New), "plain20.beam"),
        {ok, Beam} = file:read_file(File),
        %% Well-formed, but for a machine that knows more instructions.
        ok = file:write_file(File, transaction_SUITE:other_otp(Beam)),
        {Node, Dirs}
    end),
    {'EXIT', {{badmatch, {error, _}}, _}} = otp_up(Otp, OtpDirs, Script),
    Loaded = [call(Otp, Name, version, []) || Name <- Names],
    ?assertEqual([1, 2], lists:usort(Loaded)),
    ?assertMatch({_, "1", new}, where(Otp, plain1, OtpDirs)),

    Before = photograph(Ours),
    {error, {bad_module, plain20, _, _}} = up(Ours, Dirs, Script),
    still(Ours, Before),
    ?assertEqual([1], lists:usort([call(Ours, Name, version, []) || Name <- Names])).

%% OTP: the server has changed, stands, and what it needs has not come.
on_load_failure(Config) ->
    Script = [advanced(many), {load_module, picky}],
    {{Otp, _, OtpDirs}, {Ours, Pid, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1), on_load(1, "ok")], [server(many, 2), on_load(2, "refused")]),
        1 = call(Node, picky, version, []),
        {Node, start_many(Node, 1, x), Dirs}
    end),
    {'EXIT', {{badmatch, {error, on_load_failure}}, _}} = otp_up(Otp, OtpDirs, Script),
    ?assertEqual({2, "1", new}, where(Otp, many, OtpDirs)),
    ?assertEqual(1, call(Otp, picky, version, [])),

    Before = photograph(Ours),
    {error, {script_failed, service, {load_failed, picky, on_load_failure}}} = up(Ours, Dirs, Script),
    still(Ours, Before),
    1 = call(Ours, gen_server, call, [Pid, next]).

on_load(Version, Result) ->
    lists:flatten(
        io_lib:format(
            "-module(picky).~n-export([version/0]).~n-on_load(load/0).~nload() -> ~s.~nversion() -> ~p.~n",
            [Result, Version]
        )
    ).

%% OTP: asks every supervisor of every application, in vain for five seconds and more, after the path was changed.
busy_supervisor(Config) ->
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        _ = start_many(Node, 1, x),
        Slow = "-module(slow).\n-export([start_link/0]).\nstart_link() -> receive never -> ok end.\n",
        start_other(Node, fixture:callback_module(other_app, other_sup), [Slow]),
        {ok, _} = call(Node, ?MODULE, start_slowly, []),
        {Node, Dirs}
    end),
    {'EXIT', {timeout, _}} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual({1, "1", new}, where(Otp, many, OtpDirs)),

    {ok, _} = up(Ours, Dirs, [advanced(many)], #{supervisor_timeout => 100}),
    entirely_new(Ours, Dirs).

start_slowly() ->
    Client = spawn(fun() -> supervisor:start_child(other_sup, child(slow)) end),
    fixture:wait_until(fun() ->
        {current_function, {slow, start_link, 0}} =:= process_info(whereis(other_sup), current_function)
    end),
    {ok, Client}.

%% OTP: asks the process for its modules as if it were an event manager, after the path was changed.
dynamic_modules(Config) ->
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        {ok, _} = start_child(Node, child(many, #{modules => dynamic})),
        {Node, Dirs}
    end),
    {'EXIT', {get_modules_failed, _}} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual({1, "1", new}, where(Otp, many, OtpDirs)),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    ?assertEqual({2, 0, none}, call(Ours, gen_server, call, [many, state])),
    entirely_new(Ours, Dirs).

%% OTP: takes `dynamic' for a list of modules.
supervisor_with_dynamic_modules(Config) ->
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Sup = fixture:supervisor_module(inner, []),
        Dirs = versions(Node, [server(many, 1), Sup], [server(many, 2), Sup]),
        {ok, _} = start_child(Node, child(inner, #{type => supervisor, modules => dynamic})),
        _ = start_many(Node, 1, x),
        {Node, Dirs}
    end),
    {'EXIT', {badarg, [{lists, member, [_, dynamic], _} | _]}} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual({1, "1", new}, where(Otp, many, OtpDirs)),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    entirely_new(Ours, Dirs).

%% OTP: takes the process that an application's start answers for a supervisor.
application_without_supervisor(Config) ->
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        _ = start_many(Node, 1, x),
        Mute =
            "-module(other_app).\n-behaviour(application).\n-export([start/2, stop/1]).\n"
            "start(_, _) -> {ok, spawn_link(fun() -> receive never -> ok end end)}.\nstop(_) -> ok.\n",
        start_other(Node, Mute, []),
        {Node, Dirs}
    end),
    {'EXIT', {timeout, _}} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual({1, "1", new}, where(Otp, many, OtpDirs)),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    entirely_new(Ours, Dirs).

start_other(Node, Callback, Modules) ->
    Other = fixture:application(?config(dir, Node), other, "1", #{
        modules => [Callback, fixture:supervisor_module(other_sup, []) | Modules],
        app => [{mod, {other_app, []}}]
    }),
    true = call(Node, code, add_patha, [service_fixture:ebin(Other)]),
    ok = call(Node, application, start, [other]).

%% OTP: gives up after the path was changed.
suspended_supervisor(Config) ->
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Sup = fixture:supervisor_module(inner, []),
        Dirs = versions(Node, [server(many, 1), Sup], [server(many, 2), Sup]),
        {ok, Inner} = start_child(Node, child(inner, #{type => supervisor})),
        {ok, _} = call(Node, supervisor, start_child, [Inner, child(many)]),
        ok = call(Node, sys, suspend, [Inner]),
        {Node, Dirs}
    end),
    {'EXIT', {suspended_supervisor, _}} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual({1, "1", new}, where(Otp, many, OtpDirs)),

    {ok, _} = up(Ours, Dirs, [advanced(many)], #{supervisor_timeout => 100}),
    ?assertEqual({2, 0, none}, call(Ours, gen_server, call, [many, state])),
    ok = call(Ours, sys, resume, [inner]),
    entirely_new(Ours, Dirs).

%% OTP: a process that did not stand in time is passed over: it goes on with its old state in the new code.
suspend_that_times_out(Config) ->
    Script = [{update, many, 100, {advanced, []}, brutal_purge, brutal_purge, []}],
    {{Otp, OtpPid, OtpClient, OtpDirs}, {Ours, Pid, Client, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        Pid = start_many(Node, 1, x),
        {Node, Pid, call(Node, ?MODULE, occupy, [Pid]), Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, Script),
    ?assertEqual({2, "2", new}, where(Otp, many, OtpDirs)),
    ok = release(Otp, OtpClient),
    {'EXIT', {{function_clause, _}, _}} = attempt(Otp, OtpPid, next),

    Before = maps:without([states], photograph(Ours)),
    {error, {script_failed, service, {not_suspended, [#{pid := Pid}]}}} = up(Ours, Dirs, Script),
    ok = release(Ours, Client),
    ?assertEqual(Before, maps:without([states], photograph(Ours))),
    1 = call(Ours, gen_server, call, [Pid, next]).

%% OTP: waits for ever for a server that waits for one that stands.
suspend_deadlock(Config) ->
    Forever = fun(Name, With) -> {update, Name, infinity, {advanced, []}, brutal_purge, brutal_purge, With} end,
    Script = [Forever(first, [second]), Forever(second, [])],
    {{Otp, OtpDirs, _}, {Ours, Dirs, Client}} = both(Config, fun(Node) ->
        Modules = fun(Version) -> [server(Name, Version) || Name <- [first, second]] end,
        Dirs = versions(Node, Modules(1), Modules(2)),
        [{ok, First}, {ok, Second}] = [start_child(Node, child(Name)) || Name <- [first, second]],
        {Node, Dirs, call(Node, ?MODULE, when_asked_to_stand, [Second, gen_server, call, [First, next, infinity]])}
    end),
    {hangs, Evaluator} = otp_up(Otp, OtpDirs, Script, ?FOREVER),
    ?assertEqual([pid(Otp, first)], maps:get(suspended, photograph(Otp))),
    ?assertEqual({1, "1", new}, where(Otp, first, OtpDirs)),
    true = call(Otp, erlang, exit, [Evaluator, kill]),
    ?assertEqual([pid(Otp, first)], maps:get(suspended, photograph(Otp))),

    {ok, _} = up(Ours, Dirs, Script),
    1 = answer(Ours, Client),
    ?assertEqual({2, 1, none}, call(Ours, gen_server, call, [first, state])),
    entirely_new(Ours, Dirs).

%% OTP: waits for ever.
special_process_that_ignores_system_messages(Config) ->
    Script = [{update, special, infinity, {advanced, []}, brutal_purge, brutal_purge, []}],
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [special(1, deaf)], [special(2, deaf)]),
        {ok, _} = start_child(Node, child(special)),
        {Node, Dirs}
    end),
    {hangs, _} = otp_up(Otp, OtpDirs, Script, ?FOREVER),
    ?assertEqual({1, "1", new}, where(Otp, special, OtpDirs)),

    Before = maps:with([path, code, suspended, processes], photograph(Ours)),
    {error, {script_failed, service, {not_suspended, [#{registered_name := special}]}}} =
        up(Ours, Dirs, Script, #{suspend_timeout => 100}),
    ?assertEqual(Before, maps:with([path, code, suspended, processes], photograph(Ours))).

%% OTP: asks for answers that come to another process.
sync_nodes(Config) ->
    Script = [{sync_nodes, here, ['nobody@nowhere']}, advanced(many)],
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        _ = start_many(Node, 1, x),
        {Node, Dirs}
    end),
    {hangs, _} = otp_up(Otp, OtpDirs, Script, ?FOREVER),

    Before = photograph(Ours),
    {error, {script_failed, service, {timeout, _}}} = up(Ours, Dirs, Script, #{timeout => 300}),
    still(Ours, Before).

%% OTP: does not see it; it has an old state under new code.
child_started_after_the_walk(Config) ->
    Child = child(late, #{start => {many, start_link, [late]}, modules => [many]}),
    {{Otp, OtpClient, OtpDirs}, {Ours, Client, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        Pid = start_many(Node, 1, x),
        {Node, call(Node, ?MODULE, when_asked_to_stand, [Pid, supervisor, start_child, [service_sup, Child]]), Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(many)]),
    {ok, OtpLate} = answer(Otp, OtpClient),
    {'EXIT', {{function_clause, _}, _}} = attempt(Otp, OtpLate, next),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    {ok, Late} = answer(Ours, Client),
    ?assertEqual({2, 0, late}, call(Ours, gen_server, call, [Late, state])),
    entirely_new(Ours, Dirs).

%% OTP: does not see it.
unsupervised_server(Config) ->
    {{Otp, OtpPid, OtpDirs}, {Ours, Pid, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        {ok, Pid} = call(Node, many, start, []),
        1 = call(Node, gen_server, call, [Pid, next]),
        {Node, Pid, Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(many)]),
    {'EXIT', {{function_clause, _}, _}} = attempt(Otp, OtpPid, next),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    ?assertEqual({2, 1, none}, call(Ours, gen_server, call, [Pid, state])),
    entirely_new(Ours, Dirs).

%% OTP: purges what they lead to at once.
funs_in_state_and_ets(Config) ->
    {{Otp, OtpPid, OtpFuns, OtpDirs}, {Ours, Pid, Funs, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [server(many, 1)], [server(many, 2)]),
        Pid = start_many(Node, 1, x),
        {Node, Pid, call(Node, ?MODULE, keep_funs, [Pid]), Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(many)]),
    ?assertEqual([badfun, badfun], call(Otp, ?MODULE, call_funs, [OtpPid, OtpFuns])),

    {ok, _} = up(Ours, Dirs, [advanced(many)]),
    ?assertEqual([{many, 1}, {many, 1}], call(Ours, ?MODULE, call_funs, [Pid, Funs])),
    entirely_new(Ours, Dirs).

%% OTP and we: where the script says so, a process that never leaves the old code has it refused. OTP kills it else; we do
%% where that was asked for.
lingering_process_in_a_second_upgrade(Config) ->
    Soft = [{load_module, loop, soft_purge, soft_purge, []}],
    Loop = fun(Version) ->
        lists:flatten(
            io_lib:format(
                "-module(loop).~n-export([start/0]).~nstart() -> spawn(fun() -> loop() end).~n"
                "loop() -> receive {F, who} -> F ! ~p, loop() end.~n",
                [Version]
            )
        )
    end,
    {{Otp, OtpPid, OtpDirs}, {Ours, Pid, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [Loop(1)], [Loop(2)]),
        {Node, call(Node, loop, start, []), Dirs}
    end),
    {ok, [{loop, soft_purge}]} = otp_up(Otp, OtpDirs, Soft),
    {error, {old_processes, loop}} = otp_down(Otp, OtpDirs, Soft),
    {ok, _} = otp_down(Otp, OtpDirs, [{load_module, loop}]),
    ?assertNot(call(Otp, erlang, is_process_alive, [OtpPid])),

    {ok, [loop]} = up(Ours, Dirs, Soft),
    Before = photograph(Ours),
    {error, {old_processes, loop, [#{pid := Pid}]}} = down(Ours, Dirs, Soft, #{old_code => kill}),
    {error, {old_processes, loop, [#{pid := Pid}]}} = down(Ours, Dirs, [{load_module, loop}]),
    still(Ours, Before),
    ?assert(call(Ours, erlang, is_process_alive, [Pid])),
    {ok, _} = down(Ours, Dirs, [{load_module, loop}], #{old_code => kill}).

%% OTP: kills a server that is still in a callback of the version before. We wait for it.
server_that_lingers_in_a_second_upgrade(Config) ->
    Script = [{load_module, many}],
    {{Otp, OtpPid, OtpDirs}, {Ours, Pid, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [steady(many, 1)], [steady(many, 2)]),
        Pid = start_many(Node, 1, x),
        _ = call(Node, ?MODULE, occupy_for, [Pid, 3000]),
        {Node, Pid, Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, Script),
    {ok, _} = otp_down(Otp, OtpDirs, Script),
    ?assertNot(call(Otp, erlang, is_process_alive, [OtpPid])),

    {ok, [many]} = up(Ours, Dirs, Script),
    {ok, _} = down(Ours, Dirs, Script),
    ?assert(call(Ours, erlang, is_process_alive, [Pid])),
    1 = call(Ours, gen_server, call, [Pid, next]).

%% OTP: what the node was configured with and what was set since is gone.
environment(Config) ->
    Env = [{env, [{from_file, default}, {set, default}, {untouched, old}]}],
    Newer = [{env, [{from_file, default}, {set, default}, {untouched, new}]}],
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        Dirs = versions(Node, [], [], [child(service_server)], {Env, Newer}),
        ok = call(Node, application, set_env, [service, set, mine]),
        {Node, Dirs}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(service_server)]),
    ?assertEqual([{from_file, default}, {set, default}, {untouched, new}], env(Otp)),

    {ok, _} = dynamic_up(Ours, Dirs),
    ?assertEqual([{from_file, file}, {set, mine}, {untouched, new}], env(Ours)).

env(Node) -> lists:sort(call(Node, application, get_all_env, [service])).

%% OTP: the whole node forgets its configuration.
configuration_of_applications_loaded_later(Config) ->
    Later = {application, later, [{vsn, "1"}, {env, [{key, default}]}]},
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) -> {Node, versions(Node, [], [])} end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(service_server)]),
    ok = call(Otp, application, load, [Later]),
    ?assertEqual({ok, default}, call(Otp, application, get_env, [later, key])),

    {ok, _} = dynamic_up(Ours, Dirs),
    ok = call(Ours, application, load, [Later]),
    ?assertEqual({ok, file}, call(Ours, application, get_env, [later, key])).

%% OTP: the callback runs in the application controller, which nobody can use meanwhile, and is told of the loss above.
config_change(Config) ->
    App =
        "-module(service_app).\n-behaviour(application).\n-export([start/2, stop/1, config_change/3]).\n"
        "start(_, _) -> service_sup:start_link().\nstop(_) -> ok.\n"
        "config_change(C, N, R) -> persistent_term:put(told, {self(), lists:sort(C), N, R}).\n",
    Env = [{env, [{from_file, default}, {gone, 1}, {key, old}]}],
    Newer = [{env, [{from_file, default}, {fresh, 1}, {key, new}]}],
    {{Otp, OtpDirs}, {Ours, Dirs}} = both(Config, fun(Node) ->
        {Node, versions(Node, [App], [App], [child(service_server)], {Env, Newer})}
    end),
    {ok, _} = otp_up(Otp, OtpDirs, [advanced(service_server)]),
    {OtpPid, OtpChanged, _, _} = call(Otp, persistent_term, get, [told]),
    ?assertEqual(pid(Otp, application_controller), OtpPid),
    ?assertEqual([{from_file, default}, {key, new}], OtpChanged),

    {ok, _} = dynamic_up(Ours, Dirs),
    {Pid, Changed, New, Removed} = call(Ours, persistent_term, get, [told]),
    ?assertNotEqual(pid(Ours, application_controller), Pid),
    ?assertEqual({[{key, new}], [{fresh, 1}], [gone]}, {Changed, New, Removed}).

%% With OTP's evaluator.

otp_up(Node, Dirs, Script) -> otp_up(Node, Dirs, Script, ?LONG).

otp_up(Node, {_, New}, Script, Wait) ->
    call(Node, ?MODULE, evaluate, [write_appup(New, Script, []), upgrade_script, [service, New], New, Wait]).

otp_down(Node, {Old, New}, Script) ->
    call(Node, ?MODULE, evaluate, [write_appup(New, [], Script), downgrade_script, [service, "1", Old], Old, ?LONG]).

write_appup(Dir, Up, Down) ->
    File = filename:join(service_fixture:ebin(Dir), "service.appup"),
    ok = file:write_file(File, io_lib:format("~p.~n", [{"2", [{"1", Up}], [{"1", Down}]}])).

%% A process of its own: what hangs can be looked at.
evaluate(ok, Translate, Arguments, Dir, Wait) ->
    {ok, Vsn, Script} =
        case apply(release_handler, Translate, Arguments) of
            {ok, Script0} -> {ok, "1", Script0};
            Translated -> Translated
        end,
    {Pid, Ref} = spawn_monitor(fun() ->
        exit({done, caught(fun() -> release_handler:eval_appup_script(service, Vsn, Dir, Script) end)})
    end),
    receive
        {'DOWN', Ref, process, Pid, {done, {'EXIT', {'EXIT', Why}}}} -> {'EXIT', Why};
        {'DOWN', Ref, process, Pid, {done, Result}} -> Result
    after Wait -> {hangs, Pid}
    end.

%% Where an upgrade has come to: the version of a module, of the specification, and whose directory is on the path.
where(Node, Module, {Old, New}) ->
    {ok, Vsn} = call(Node, application, get_key, [service, vsn]),
    Path = call(Node, code, get_path, []),
    On = [lists:member(service_fixture:ebin(Dir), Path) || Dir <- [Old, New]],
    {call(Node, Module, version, []), Vsn, case On of [true, false] -> old; [false, true] -> new; _ -> On end}.

%% With ours.

%% The evaluator leaves specification and environment to what calls it.
dynamic_up(Node, {Old, New}) ->
    call(Node, erlrcdynamic, upgrade, [service, "1", "2", Old, New]).

entirely_new(Node, {_, New}) ->
    #{path := Path, suspended := [], kept := []} = photograph(Node),
    ?assert(lists:member(service_fixture:ebin(New), Path)).

%% On both.

both(Config, Prepare) ->
    {Prepare(?config(otp, Config)), Prepare(?config(ours, Config))}.

start_child(Node, Spec) -> call(Node, supervisor, start_child, [service_sup, Spec]).

start_many(Node, N, Extra) ->
    {ok, Pid} = start_child(Node, child({many, N}, #{start => {many, start_link, [Extra]}, modules => [many]})),
    Pid.

attempt(Node, Pid, Request) -> call(Node, ?MODULE, attempt, [Pid, Request]).

attempt(Pid, Request) -> caught(fun() -> gen_server:call(Pid, Request) end).

caught(Fun) ->
    try
        Fun()
    catch
        exit:Why -> {'EXIT', Why}
    end.

sys_state(Node, Pid) -> call(Node, sys, get_state, [Pid]).

%% On the node.

%% Has a server in the middle of a call until it is told to end it.
occupy(Pid) ->
    Client = spawn(fun() -> gen_server:call(Pid, {apply, fun wait_for_release/0}, infinity) end),
    fixture:wait_until(fun() -> current(Pid, wait_for_release) end),
    {Client, Pid}.

wait_for_release() ->
    receive
        release -> released
    end.

release(Node, {Client, Pid}) ->
    release = call(Node, erlang, send, [Pid, release]),
    fixture:wait_until(fun() -> not call(Node, erlang, is_process_alive, [Client]) end).

occupy_for(Pid, Milliseconds) ->
    Client = spawn(fun() -> gen_server:call(Pid, {busy, Milliseconds}, infinity) end),
    fixture:wait_until(fun() -> current(Pid, handle_call) end),
    Client.

current(Pid, Function) ->
    {_, {_, Current, _}} = process_info(Pid, current_function),
    Current =:= Function.

%% Has a server call something as soon as an evaluator has asked for anything.
when_asked_to_stand(Pid, Module, Function, Arguments) ->
    Apply = fun() ->
        ok = fixture:wait_until(fun() -> asked(self()) end, ?LONG),
        apply(Module, Function, Arguments)
    end,
    Client = spawn(fun() -> keep_answer(gen_server:call(Pid, {apply, Apply}, infinity)) end),
    fixture:wait_until(fun() -> not current(Pid, loop) end),
    Client.

asked(Pid) ->
    {messages, Messages} = process_info(Pid, messages),
    lists:any(fun(Message) -> is_tuple(Message) andalso element(1, Message) =:= system end, Messages).

keep_answer(Answer) ->
    receive
        {From, Ref, answer} -> From ! {Ref, Answer}
    end.

answer(Node, Client) -> call(Node, ?MODULE, answer, [Client]).

answer(Client) ->
    Ref = make_ref(),
    Client ! {self(), Ref, answer},
    receive
        {Ref, Answer} -> Answer
    after ?LONG -> error(no_answer)
    end.

keep_funs(Pid) ->
    Fun = gen_server:call(Pid, fun_of_mine),
    ok = gen_server:call(Pid, {keep, Fun}),
    Self = self(),
    Owner = spawn(fun() ->
        Table = ets:new(funs, [public]),
        true = ets:insert(Table, {fun_of_mine, Fun}),
        Self ! {self(), Table},
        receive
            never -> ok
        end
    end),
    receive
        {Owner, Table} -> Table
    end.

call_funs(Pid, Table) ->
    {_, _, InState} = gen_server:call(Pid, state),
    [{_, InTable}] = ets:lookup(Table, fun_of_mine),
    [call_fun(Fun) || Fun <- [InState, InTable]].

call_fun(Fun) ->
    try
        Fun()
    catch
        error:{badfun, _} -> badfun;
        error:undef -> badfun
    end.
