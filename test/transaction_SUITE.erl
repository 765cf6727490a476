%% @doc The transactional evaluator on real nodes: what it upgrades, and that whatever fails leaves no trace.
-module(transaction_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, child/2, up/3, up/4, down/3, down/4, call/4, photograph/1, still/2]).
-import(service_fixture, [server/2, server/3, steady/2, plain/2, statem/1, handler/1, special/2, pid/2]).
-import(service_fixture, [in_background/4, answer/1, advanced/1, start_child/2]).

all() ->
    [
        server_up_down_up,
        all_behaviours_up_and_down,
        supervisor_takes_new_children,
        supervisor_children_can_be_left_alone,
        path_is_replaced_in_place,
        add_and_delete_module,
        second_upgrade_in_a_row,
        crash_in_code_change_of_one_of_many,
        code_change_that_hangs,
        states_of_all_behaviours_come_back,
        bad_beam_as_the_twentieth_module,
        sticky_module,
        no_room_for_atoms,
        no_room_for_processes,
        on_load_failure,
        on_load_success,
        busy_process_is_named,
        busy_processes_cost_the_slowest_only,
        suspend_deadlock_is_dissolved,
        suspend_deadlock_at_the_last_moment,
        suspend_deadlock_over_another_process,
        special_process_that_ignores_system_messages,
        unsupervised_server_is_found,
        dynamic_modules,
        suspended_supervisor,
        hung_supervisor_of_another_application,
        application_without_supervisor,
        child_started_meanwhile,
        funs_survive_the_upgrade,
        lingering_process_survives,
        no_way_back_to_code_that_never_ran,
        old_code_is_purged_later,
        nothing_is_purged_while_an_operation_runs,
        one_process_purges,
        calls_in_flight_are_answered_once_in_order,
        apply_before_the_point_of_no_return,
        failed_apply_takes_the_upgrade_back,
        failed_apply_after_work_changes_back,
        restart_application,
        health_check_in_the_window,
        service_check_when_all_run,
        max_pause,
        no_pause_at_all,
        cancel,
        cancel_while_states_change_before_the_commit,
        killed_evaluator,
        killed_guardian,
        fallback,
        unchanged_modules_are_skipped,
        nobody_stands_where_no_state_changes,
        everybody_stands_where_it_is_asked_for,
        failure_where_nobody_stands,
        killed_where_nobody_stands,
        server_in_old_code_survives_the_next_upgrade,
        timings_are_reported
    ].

init_per_testcase(no_room_for_atoms = Case, Config) ->
    service_fixture:start_node(Case, Config, ["+t", "40000"]);
init_per_testcase(no_room_for_processes = Case, Config) ->
    service_fixture:start_node(Case, Config, ["+P", "1024"]);
init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

server_up_down_up(Config) ->
    Dirs = versions(Config, [], []),
    Pid = pid(Config, service_server),
    1 = next(Config),
    {ok, []} = up(Config, Dirs, [update()]),
    ?assertEqual({state2, 1, 1}, ask(Config, state)),
    2 = next(Config),
    {ok, _} = down(Config, Dirs, [update()]),
    ?assertEqual({state1, 2}, ask(Config, state)),
    {ok, _} = up(Config, Dirs, [update()]),
    3 = next(Config),
    ?assertEqual(2, ask(Config, version)),
    ?assertEqual(Pid, pid(Config, service_server)),
    #{suspended := [], kept := []} = photograph(Config).

all_behaviours_up_and_down(Config) ->
    Dirs = versions(Config, behaviours(1), behaviours(2)),
    start_behaviours(Config),
    Pids = [pid(Config, Name) || Name <- [machine, events, special]],
    1 = special(Config),
    {ok, _} = up(Config, Dirs, behaviour_updates()),
    ?assertEqual({2, calm, two}, call(Config, gen_statem, call, [machine, state])),
    ?assertEqual({2, a}, call(Config, gen_event, call, [events, handler, state])),
    ?assertEqual({2, b}, call(Config, gen_event, call, [events, {handler, b}, state])),
    2 = special(Config),
    2 = call(Config, special, version, []),
    {ok, _} = down(Config, Dirs, behaviour_updates()),
    ?assertEqual({1, calm, one}, call(Config, gen_statem, call, [machine, state])),
    3 = special(Config),
    {ok, _} = up(Config, Dirs, behaviour_updates()),
    ?assertEqual({2, calm, two}, call(Config, gen_statem, call, [machine, state])),
    ?assertEqual(Pids, [pid(Config, Name) || Name <- [machine, events, special]]),
    #{suspended := [], kept := []} = photograph(Config).

behaviours(Version) ->
    [statem(Version), handler(Version), special(Version, normal)].

start_behaviours(Config) ->
    Events = #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
    [{ok, _} = start_child(Config, Spec) || Spec <- [child(machine), Events, child(special)]],
    ok = call(Config, gen_event, add_handler, [events, handler, a]),
    ok = call(Config, gen_event, add_handler, [events, {handler, b}, b]).

%% A handler that knows the way back only under the newer code.
behaviour_updates() ->
    [update(), advanced(machine), {update, handler, {advanced, []}}, advanced(special)].

supervisor_takes_new_children(Config) ->
    OldChildren = [child(service_server), child(one), child(gone)],
    NewChildren = [child(three), child(service_server), child(one), child(two)],
    Servers = fun(Version) -> [server(Name, Version) || Name <- [one, two, three, gone]] end,
    Dirs = versions(
        Config,
        [service_fixture:supervisor(OldChildren) | Servers(1)],
        [service_fixture:supervisor(NewChildren) | Servers(1)]
    ),
    {ok, Dynamic} = start_child(Config, child(dynamic, #{start => {one, start_link, [x]}})),
    One = pid(Config, one),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}]),
    Ids = [Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [service_sup]), is_pid(Pid)],
    ?assertEqual([dynamic, one, service_server, three, two], lists:sort(Ids)),
    ?assertEqual(One, pid(Config, one)),
    ?assert(call(Config, erlang, is_process_alive, [Dynamic])),
    {ok, _} = down(Config, Dirs, [{update, service_sup, supervisor}]),
    Back = [Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [service_sup]), is_pid(Pid)],
    ?assertEqual([dynamic, gone, one, service_server], lists:sort(Back)).

supervisor_children_can_be_left_alone(Config) ->
    Dirs = versions(
        Config,
        [service_fixture:supervisor([child(service_server)]), server(one, 1)],
        [service_fixture:supervisor([child(service_server), child(one)]), server(one, 1)]
    ),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}], #{supervisor_children => false}),
    ?assertMatch(
        {one, undefined, _, _}, lists:keyfind(one, 1, call(Config, supervisor, which_children, [service_sup]))
    ).

path_is_replaced_in_place(Config) ->
    {Old, New} = Dirs = versions(Config, [], []),
    Other = fixture:application(?config(dir, Config), other, "1", #{}),
    true = call(Config, code, add_patha, [service_fixture:ebin(Other)]),
    Before = call(Config, code, get_path, []),
    {ok, _} = up(Config, Dirs, [update()]),
    [OldEbin, NewEbin] = [service_fixture:ebin(Dir) || Dir <- [Old, New]],
    ?assertEqual(
        [case Dir of OldEbin -> NewEbin; _ -> Dir end || Dir <- Before],
        call(Config, code, get_path, [])
    ),
    ?assertEqual(New, call(Config, code, lib_dir, [service])),
    {ok, _} = down(Config, Dirs, [update()]),
    ?assertEqual(Before, call(Config, code, get_path, [])).

add_and_delete_module(Config) ->
    Dirs = versions(Config, [plain(gone, 1)], [plain(fresh, 2)]),
    1 = call(Config, gone, version, []),
    {ok, _} = up(Config, Dirs, [{add_module, fresh}, update(), {delete_module, gone}]),
    2 = call(Config, fresh, version, []),
    false = call(Config, code, is_loaded, [gone]),
    {ok, _} = down(Config, Dirs, [{add_module, gone}, update(), {delete_module, fresh}]),
    1 = call(Config, gone, version, []),
    false = call(Config, code, is_loaded, [fresh]).

second_upgrade_in_a_row(Config) ->
    Dirs = versions(Config, [], []),
    _ = [
        begin
            {ok, _} = up(Config, Dirs, [update()]),
            {ok, _} = down(Config, Dirs, [update()])
        end
     || _ <- lists:seq(1, 5)
    ],
    ?assertEqual(1, ask(Config, version)).

%% release_handler leaves all of them suspended, half with new states.
crash_in_code_change_of_one_of_many(Config) ->
    Poison = "poison =/= element(3, State) orelse error(poisoned)",
    Dirs = versions(Config, [server(many, 1)], [server(many, 2, Poison)]),
    Pids = [start_many(Config, N, case N of 15 -> poison; _ -> {N, make_ref()} end) || N <- lists:seq(1, 20)],
    _ = [N = call(Config, gen_server, call, [Pid, next]) || Pid <- Pids, N <- [1]],
    Before = photograph(Config),
    Poisoned = lists:nth(15, Pids),
    {error, {script_failed, service, {code_change_failed, Poisoned, many, {poisoned, _}}}} =
        up(Config, Dirs, [update(), advanced(many)]),
    still(Config, Before),
    _ = [2 = call(Config, gen_server, call, [Pid, next]) || Pid <- Pids],
    %% And once it is well, the same upgrade succeeds.
    ok = call(Config, gen_server, call, [Poisoned, {keep, well}]),
    {ok, _} = up(Config, Dirs, [update(), advanced(many)]),
    ?assertMatch([{2, 2, _}], lists:usort([setelement(3, S, x) || S <- states(Config, Pids)])).

code_change_that_hangs(Config) ->
    Hang = "receive never -> ok end",
    Dirs = versions(Config, [server(many, 1)], [server(many, 2, Hang)]),
    Pid = start_many(Config, 1, x),
    {error, {not_rolled_back, {script_failed, service, {code_change_timeout, [#{pid := Pid}]}}, [{hung, _}]}} =
        up(Config, Dirs, [update(), advanced(many)], #{code_change_timeout => 100}),
    ?assertEqual(1, ask(Config, version)),
    1 = call(Config, many, version, []),
    %% It comes out of it at last, and finds its old state.
    never = call(Config, erlang, send, [Pid, never]),
    ?assertEqual(1, call(Config, gen_server, call, [Pid, next])).

states_of_all_behaviours_come_back(Config) ->
    Poisoned = server(poisoned, 2, "error(poisoned)"),
    Dirs = versions(Config, [server(poisoned, 1) | behaviours(1)], [Poisoned | behaviours(2)]),
    start_behaviours(Config),
    {ok, _} = start_child(Config, child(poisoned)),
    Before = photograph(Config),
    {error, {script_failed, service, _}} = up(Config, Dirs, behaviour_updates() ++ [advanced(poisoned)]),
    still(Config, Before),
    ?assertEqual({1, calm, one}, call(Config, gen_statem, call, [machine, state])),
    ?assertEqual({1, b}, call(Config, gen_event, call, [events, {handler, b}, state])),
    1 = special(Config).

%% release_handler has loaded nineteen by then.
bad_beam_as_the_twentieth_module(Config) ->
    Names = [list_to_atom("plain" ++ integer_to_list(N)) || N <- lists:seq(1, 20)],
    {_, New} = Dirs = versions(Config, [plain(Name, 1) || Name <- Names], [plain(Name, 2) || Name <- Names]),
    _ = [1 = call(Config, Name, version, []) || Name <- Names],
    File = filename:join(service_fixture:ebin(New), "plain20.beam"),
    {ok, Beam} = file:read_file(File),
    Before = photograph(Config),
    Script = [update() | [{load_module, Name} || Name <- Names]],
    _ = [
        begin
            ok = file:write_file(File, Bad),
            {error, {bad_module, plain20, File, _}} = up(Config, Dirs, Script),
            still(Config, Before)
        end
     || Bad <- [<<>>, <<"no beam">>, binary:part(Beam, 0, byte_size(Beam) div 2), other_otp(Beam)]
    ],
    ok = file:delete(File),
    {error, {bad_module, plain20, File, enoent}} = up(Config, Dirs, Script),
    still(Config, Before).

%% The same module for a machine that knows more instructions.
other_otp(Beam) ->
    {ok, Module, Chunks} = beam_lib:all_chunks(Beam),
    Code = proplists:get_value("Code", Chunks, element(2, lists:keyfind("Code", 1, Chunks))),
    <<Head:8/binary, _Max:32, Rest/binary>> = Code,
    {ok, Other} = beam_lib:build_module(lists:keyreplace("Code", 1, Chunks, {"Code", <<Head/binary, 60000:32, Rest/binary>>})),
    true = is_atom(Module),
    Other.

%% The emulator would end.
no_room_for_atoms(Config) ->
    Names = fun(Prefix, Count) -> lists:join(",", [Prefix ++ integer_to_list(N) || N <- lists:seq(1, Count)]) end,
    Names1 = ["-module(names).\n-export([all/1]).\nall(1) -> [", Names("literal_", 3000), "].\n"],
    Names2 = ["-module(names).\n-export([all/1]).\n", [io_lib:format("all(~b) -> in_code_~b;\n", [N, N]) || N <- lists:seq(1, 3000)],
        "all(_) -> none.\n"],
    Few = "-module(few).\n-export([new/0]).\nnew() -> quite_a_new_atom.\n",
    _ = [
        begin
            Dirs = versions(Config, [], [lists:flatten(Many)]),
            ok = call(Config, ?MODULE, leave_atoms, [2000]),
            Before = photograph(Config),
            {error, {too_many_new_atoms, Left}} = up(Config, Dirs, [{add_module, names}, update()]),
            ?assert(Left =< 2000),
            still(Config, Before)
        end
     || Many <- [Names1, Names2]
    ],
    {ok, _} = up(Config, versions(Config, [], [Few]), [{add_module, few}, update()]),
    ?assertEqual(quite_a_new_atom, call(Config, few, new, [])).

%% Whatever is the first that finds none.
no_room_for_processes(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(many)]),
    _ = [
        begin
            Before = photograph(Config),
            Result = call(Config, ?MODULE, with_few_processes, [Left, Dirs]),
            case Result of
                {ok, _} ->
                    {ok, _} = down(Config, Dirs, [update(), advanced(many)]);
                {error, Why} ->
                    Text = call(Config, erlrc_error, format_error, [Why]),
                    ?assertMatch({_, [_ | _]}, {Text, string:find(Text, "system_limit")}),
                    still(Config, Before)
            end
        end
     || Left <- lists:seq(1, 12)
    ].

with_few_processes(Left, {Old, New}) ->
    Count = erlang:system_info(process_limit) - erlang:system_info(process_count) - Left,
    Idle = [spawn(fun() -> receive after infinity -> ok end end) || _ <- lists:seq(1, Count)],
    Result = erlrc_evaluator:evaluate(service_fixture:script(up, Old, New, [update(), advanced(many)], #{})),
    lists:foreach(fun(Pid) -> exit(Pid, kill) end, Idle),
    Result.

leave_atoms(Left) ->
    Count = erlang:system_info(atom_limit) - erlang:system_info(atom_count) - Left,
    lists:foreach(fun(N) -> list_to_atom("filler_" ++ integer_to_list(N)) end, lists:seq(1, max(0, Count))).

sticky_module(Config) ->
    Dirs = versions(Config, [plain(plain, 1)], [plain(plain, 2)]),
    1 = call(Config, plain, version, []),
    true = call(Config, code, stick_mod, [plain]),
    Before = photograph(Config),
    {error, {sticky_directory, plain}} = up(Config, Dirs, [update(), {load_module, plain}]),
    still(Config, Before).

on_load_failure(Config) ->
    Dirs = versions(Config, [on_load(picky, 1, "ok"), plain(plain, 1)], [on_load(picky, 2, "refused"), plain(plain, 2)]),
    _ = [1 = call(Config, Name, version, []) || Name <- [picky, plain]],
    1 = next(Config),
    Before = photograph(Config),
    Script = [update(), {load_module, plain}, {load_module, picky}],
    {error, {script_failed, service, {load_failed, picky, on_load_failure}}} = up(Config, Dirs, Script),
    still(Config, Before),
    2 = next(Config).

on_load_success(Config) ->
    Poisoned = server(poisoned, 2, "error(poisoned)"),
    Dirs = versions(
        Config,
        [on_load(picky, 1, "ok"), server(poisoned, 1)],
        [on_load(picky, 2, "ok"), Poisoned]
    ),
    1 = call(Config, picky, version, []),
    {ok, _} = start_child(Config, child(poisoned)),
    Before = photograph(Config),
    {error, _} = up(Config, Dirs, [{load_module, picky}, advanced(poisoned)]),
    still(Config, Before),
    1 = call(Config, picky, version, []),
    {ok, _} = up(Config, Dirs, [{load_module, picky}]),
    2 = call(Config, picky, version, []).

on_load(Module, Version, Result) ->
    lists:flatten(
        io_lib:format(
            "-module(~p).~n-export([version/0]).~n-on_load(load/0).~nload() -> ~s.~nversion() -> ~p.~n",
            [Module, Result, Version]
        )
    ).

%% release_handler skips it and runs new code on its old state.
busy_process_is_named(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Before = photograph(Config),
    Client = in_background(Config, gen_server, call, [many, {busy, 1500}, infinity]),
    busy(Config, Pid),
    {error, {script_failed, service, {not_suspended, [Culprit]}}} =
        up(Config, Dirs, [update(), advanced(many)], #{suspend_timeout => 200}),
    #{pid := Pid, registered_name := many, current_function := {many, handle_call, 3}, message_queue_len := _} =
        Culprit,
    ok = answer(Client),
    still(Config, Before),
    1 = call(Config, gen_server, call, [many, next]).

busy_processes_cost_the_slowest_only(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    Pids = [start_many(Config, N, x) || N <- lists:seq(1, 20)],
    Clients = [in_background(Config, gen_server, call, [Pid, {busy, 1000}, infinity]) || Pid <- Pids],
    _ = [busy(Config, Pid) || Pid <- Pids],
    {ok, _} = up(Config, Dirs, [advanced(many)], #{report => whoami(Config)}),
    [ok = answer(Client) || Client <- Clients],
    %% And nobody stands while they are waited for.
    #{rehearse := Rehearse, pause := Pause} = timings(Config),
    ?assert(Rehearse < 5000000),
    ?assert(Pause < 500000).

%% release_handler waits for ever.
suspend_deadlock_is_dissolved(Config) ->
    Names = [first, second, third, fourth],
    Dirs = versions(Config, [server(Name, 1) || Name <- Names], [server(Name, 2) || Name <- Names]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- Names],
    Pids = [pid(Config, Name) || Name <- Names],
    %% Each waits for the one before it, and the first is busy until all are asked to stand still.
    Busy = in_background(Config, gen_server, call, [first, {busy, 300}, infinity]),
    busy(Config, pid(Config, first)),
    Chain = in_background(Config, gen_server, call, [fourth, {call, third, {call, second, {call, first, next}}}, infinity]),
    fixture:wait_until(fun() -> waits(Config, pid(Config, second)) end),
    Clients = [in_background(Config, transaction_SUITE, call_later, [Name]) || Name <- [third, fourth]],
    {ok, _} = up(Config, Dirs, [advanced(Name) || Name <- Names], #{suspend_timeout => 5000}),
    ok = answer(Busy),
    1 = answer(Chain),
    _ = [1 = answer(Client) || Client <- Clients],
    ?assertEqual(Pids, [pid(Config, Name) || Name <- Names]),
    #{suspended := []} = photograph(Config).

%% The same where the chain begins after everybody has given a sign of life.
suspend_deadlock_at_the_last_moment(Config) ->
    Names = [first, second, third, fourth],
    _ = versions(Config, [server(Name, 1) || Name <- Names], []),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- Names],
    Pids = [pid(Config, Name) || Name <- Names],
    Busy = in_background(Config, gen_server, call, [first, {busy, 300}, infinity]),
    busy(Config, pid(Config, first)),
    Chain = in_background(Config, gen_server, call, [fourth, {call, third, {call, second, {call, first, next}}}, infinity]),
    fixture:wait_until(fun() -> waits(Config, pid(Config, second)) end),
    ?assertEqual(lists:sort(Pids), call(Config, ?MODULE, suspend, [Pids])),
    ok = answer(Busy),
    1 = answer(Chain),
    ok = call(Config, erlrc_quiesce, resume, [Pids]),
    #{suspended := []} = photograph(Config).

%% The one that does not stand waits for a process that nobody suspends, and that one for one that stands.
suspend_deadlock_over_another_process(Config) ->
    Names = [first, second],
    _ = versions(Config, [server(Name, 1) || Name <- Names], []),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- Names],
    [First, Second] = Pids = [pid(Config, Name) || Name <- Names],
    ok = call(Config, sys, suspend, [First]),
    Client = in_background(Config, gen_server, call, [second, {apply, fun ?MODULE:call_through/0}, infinity]),
    fixture:wait_until(fun() -> waits(Config, Second) end),
    ?assertEqual(lists:sort(Pids), call(Config, ?MODULE, suspend, [[Second], [First]])),
    1 = answer(Client),
    ok = call(Config, erlrc_quiesce, resume, [Pids]),
    #{suspended := []} = photograph(Config).

call_through() ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({answer, gen_server:call(first, next, infinity)}) end),
    receive
        {'DOWN', Ref, process, Pid, {answer, Answer}} -> Answer
    end.

suspend(Pids) ->
    suspend(Pids, []).

suspend(Pids, Standing) ->
    Deadline = erlang:monotonic_time(millisecond) + 5000,
    {ok, All} = erlrc_quiesce:suspend(Pids, Standing, Deadline, fun() -> false end),
    lists:sort(All).

call_later(Name) ->
    gen_server:call(Name, next, infinity).

special_process_that_ignores_system_messages(Config) ->
    Dirs = versions(Config, [special(1, deaf)], [special(2, deaf)]),
    {ok, Pid} = start_child(Config, child(special)),
    1 = special(Config),
    Code = maps:with([path, code], photograph(Config)),
    {error, {script_failed, service, {not_suspended, [#{pid := Pid}]}}} =
        up(Config, Dirs, [update(), advanced(special)], #{suspend_timeout => 100}),
    ?assertEqual(Code, maps:with([path, code], photograph(Config))),
    2 = special(Config),
    1 = next(Config).

%% release_handler does not see it, its next call is a crash.
unsupervised_server_is_found(Config) ->
    Dirs = versions(Config, [server(alone, 1)], [server(alone, 2)]),
    {ok, Pid} = call(Config, alone, start, []),
    1 = call(Config, gen_server, call, [alone, next]),
    {ok, _} = up(Config, Dirs, [advanced(alone)]),
    ?assertEqual({2, 1, none}, call(Config, gen_server, call, [alone, state])),
    ?assertEqual(Pid, pid(Config, alone)).

%% release_handler: badarg after the point of no return.
dynamic_modules(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many, #{modules => dynamic})),
    {ok, _} = start_child(Config, child(other, #{start => {many, start_link, [x]}, modules => dynamic, type => worker})),
    {ok, _} = up(Config, Dirs, [advanced(many)]),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [many, state])).

%% release_handler: error after the point of no return.
suspended_supervisor(Config) ->
    Dirs = versions(Config, [server(many, 1), service_fixture:supervisor(inner, [])], [
        server(many, 2), service_fixture:supervisor(inner, [])
    ]),
    {ok, Inner} = start_child(Config, child(inner, #{type => supervisor})),
    {ok, _} = call(Config, supervisor, start_child, [Inner, child(many)]),
    ok = call(Config, sys, suspend, [Inner]),
    {ok, _} = up(Config, Dirs, [advanced(many)], #{supervisor_timeout => 100}),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [many, state])),
    ok = call(Config, sys, resume, [Inner]).

hung_supervisor_of_another_application(Config) ->
    Dirs = versions(Config, [], []),
    Slow = "-module(slow).\n-export([start_link/0]).\nstart_link() -> receive never -> ok end.\n",
    Other = fixture:application(?config(dir, Config), other, "1", #{
        modules => [fixture:callback_module(other_app, other_sup), fixture:supervisor_module(other_sup, []), Slow],
        app => [{mod, {other_app, []}}]
    }),
    true = call(Config, code, add_patha, [service_fixture:ebin(Other)]),
    ok = call(Config, application, start, [other]),
    _ = in_background(Config, supervisor, start_child, [other_sup, child(slow)]),
    fixture:wait_until(fun() ->
        {current_function, {slow, start_link, 0}} =:=
            call(Config, erlang, process_info, [pid(Config, other_sup), current_function])
    end),
    {ok, _} = up(Config, Dirs, [update()], #{supervisor_timeout => 100}),
    ?assertEqual(2, ask(Config, version)).

%% release_handler: a timeout of ten seconds for whatever is upgraded beside it.
application_without_supervisor(Config) ->
    Dirs = versions(Config, [], []),
    Mute =
        "-module(mute).\n-behaviour(application).\n-export([start/2, stop/1]).\n"
        "start(_, _) -> {ok, spawn_link(fun() -> receive never -> ok end end)}.\nstop(_) -> ok.\n",
    Other = fixture:application(?config(dir, Config), mute, "1", #{modules => [Mute], app => [{mod, {mute, []}}]}),
    true = call(Config, code, add_patha, [service_fixture:ebin(Other)]),
    ok = call(Config, application, start, [mute]),
    {ok, _} = up(Config, Dirs, [update()]),
    ?assertEqual(2, ask(Config, version)).

child_started_meanwhile(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    Starter = in_background(Config, ?MODULE, start_children, [pid(Config, service_sup), self_on(Config)]),
    _ = [
        begin
            {ok, _} = up(Config, Dirs, [advanced(many)]),
            {ok, _} = down(Config, Dirs, [advanced(many)])
        end
     || _ <- [1, 2, 3]
    ],
    {ok, _} = up(Config, Dirs, [advanced(many)]),
    Pids = stop_starting(Config, Starter),
    ?assert(length(Pids) > 3),
    ?assertEqual([2], lists:usort([element(1, S) || S <- states(Config, Pids)])).

%% release_handler purges at once: badfun.
funs_survive_the_upgrade(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Fun = call(Config, gen_server, call, [many, fun_of_mine]),
    ok = call(Config, gen_server, call, [many, {keep, Fun}]),
    Table = call(Config, ?MODULE, keep_table, [Fun]),
    {ok, _} = up(Config, Dirs, [advanced(many)]),
    ?assertEqual({many, 1}, call(Config, gen_server, call, [Pid, {apply, Fun}])),
    [{fun_of_mine, Kept}] = call(Config, ets, lookup, [Table, fun_of_mine]),
    ?assertEqual({many, 1}, call(Config, gen_server, call, [Pid, {apply, Kept}])).

%% A process in old code is killed by a later upgrade at the earliest, where that was asked for.
lingering_process_survives(Config) ->
    Loop = fun(Version) ->
        lists:flatten(
            io_lib:format(
                "-module(loop).~n-export([start/0, version/0]).~nstart() -> spawn(fun() -> loop() end).~n"
                "version() -> ~p.~nloop() -> receive {F, who} -> F ! ~p, loop() end.~n",
                [Version, Version]
            )
        )
    end,
    Dirs = versions(Config, [Loop(1)], [Loop(2)]),
    Pid = call(Config, loop, start, []),
    {ok, [loop]} = up(Config, Dirs, [{load_module, loop, soft_purge, soft_purge, []}]),
    ?assert(call(Config, erlang, is_process_alive, [Pid])),
    Before = photograph(Config),
    {error, {old_processes, loop, [#{pid := Pid}]}} = down(Config, Dirs, [{load_module, loop, soft_purge, soft_purge, []}]),
    still(Config, Before),
    ?assert(call(Config, erlang, is_process_alive, [Pid])),
    {ok, _} = down(Config, Dirs, [{load_module, loop}], #{old_code => kill}),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])).

%% The file has other code by now than what was loaded from it: nothing leads back, which is said.
no_way_back_to_code_that_never_ran(Config) ->
    {Old, _} = Dirs = versions(
        Config, [server(many, 1), plain(plain, 1)], [server(many, 2, "error(poisoned)"), plain(plain, 2)]
    ),
    {ok, _} = start_child(Config, child(many)),
    1 = call(Config, plain, version, []),
    Source = filename:join(?config(dir, Config), "plain.erl"),
    ok = file:write_file(Source, plain(plain, 3)),
    {ok, plain} = compile:file(Source, [{outdir, filename:join(Old, "ebin")}]),
    {error, {not_rolled_back, {script_failed, service, {code_change_failed, _, many, _}}, [{code, plain}]}} =
        up(Config, Dirs, [advanced(many), {load_module, plain}]),
    ?assertEqual(2, call(Config, plain, version, [])).

old_code_is_purged_later(Config) ->
    Dirs = versions(Config, [plain(plain, 1)], [plain(plain, 2)]),
    1 = call(Config, plain, version, []),
    {ok, []} = up(Config, Dirs, [update(), {load_module, plain}], #{purge_after => 0}),
    fixture:wait_until(fun() ->
        [false, false] =:= [call(Config, erlang, check_old_code, [Name]) || Name <- [plain, service_server]]
    end).

%% However many operations follow each other; and what was replaced again is given its time again.
%% What an operation replaces is its way back. A round of the purge comes while the operation stands at the gate.
nothing_is_purged_while_an_operation_runs(Config) ->
    Wait = "gate ! {self(), here}, receive go -> ok end",
    Dirs = versions(Config, [server(many, 1), plain(plain, 1)], [server(many, 2, Wait), plain(plain, 2)]),
    {ok, _} = start_child(Config, child(many)),
    _ = [{module, plain} = call(Config, code, load_file, [plain]) || _ <- [once, twice]],
    ok = call(Config, ?MODULE, open_purging_gate, [plain]),
    {ok, _} = up(Config, Dirs, [advanced(many)], #{purge_after => infinity}),
    {result, true} = call(Config, persistent_term, get, [?MODULE]),
    fixture:wait_until(fun() -> not call(Config, erlang, check_old_code, [plain]) end).

open_purging_gate(Module) ->
    Self = self(),
    _ = spawn(fun() ->
        register(gate, self()),
        Self ! opened,
        receive
            {Pid, here} ->
                {module, erlrc_purge} = code:ensure_loaded(erlrc_purge),
                1 = erlang:trace_pattern({erlrc_purge, loop, 1}, true, []),
                _ = erlang:trace(new_processes, true, [call]),
                ok = erlrc_purge:schedule([Module], 0),
                %% The call that follows a round.
                receive {trace, _, call, {erlrc_purge, loop, [_]}} -> ok end,
                _ = erlang:trace(all, false, [call]),
                ok = persistent_term:put(?MODULE, {result, erlang:check_old_code(Module)}),
                Pid ! go
        end
    end),
    receive
        opened -> ok
    end.

one_process_purges(Config) ->
    Dirs = versions(Config, [plain(plain, 1), plain(other, 1)], [plain(plain, 2), plain(other, 2)]),
    _ = [1 = call(Config, Name, version, []) || Name <- [plain, other]],
    {ok, []} = up(Config, Dirs, [update(), {load_module, plain}, {load_module, other}], #{purge_after => 60000}),
    First = pid(Config, erlrc_purge),
    {ok, []} = down(Config, Dirs, [{load_module, plain}], #{purge_after => 60000}),
    Second = pid(Config, erlrc_purge),
    ?assertEqual([false, true], [call(Config, erlang, is_process_alive, [Pid]) || Pid <- [First, Second]]),
    {ok, []} = up(Config, Dirs, [{load_module, plain}], #{purge_after => 0}),
    fixture:wait_until(fun() -> not call(Config, erlang, check_old_code, [plain]) end),
    ?assert(call(Config, erlang, check_old_code, [other])).

calls_in_flight_are_answered_once_in_order(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    Pids = [start_many(Config, N, x) || N <- lists:seq(1, 5)],
    Clients = [in_background(Config, ?MODULE, count, [Pid, self_on(Config)]) || Pid <- Pids],
    _ = [
        begin
            {ok, _} = up(Config, Dirs, [advanced(many)]),
            {ok, _} = down(Config, Dirs, [advanced(many)])
        end
     || _ <- [1, 2, 3]
    ],
    true = call(Config, ?MODULE, finish, []),
    Counts = [answer(Client) || Client <- Clients],
    ?assert(lists:all(fun(Count) -> is_integer(Count) andalso Count > 0 end, Counts)).

apply_before_the_point_of_no_return(Config) ->
    Dirs = versions(Config, [], []),
    Before = photograph(Config),
    MFA = {application, set_env, [kernel, told, true]},
    Refuse = {erlang, throw, [{error, not_today}]},
    {error, {not_rolled_back, {script_failed, service, {apply_failed, Refuse, _}}, Left}} =
        up(Config, Dirs, [{apply, MFA}, {apply, Refuse}, point_of_no_return, update()]),
    ?assertEqual(lists:sort([{applied, MFA}, {applied, Refuse}]), Left),
    still(Config, Before),
    {ok, _} = up(Config, Dirs, [{apply, MFA}, point_of_no_return, update()]).

failed_apply_takes_the_upgrade_back(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    start_machine(Config),
    Before = photograph(Config),
    MFA = {erlang, error, [oops]},
    {error, {not_rolled_back, {script_failed, service, {apply_failed, MFA, _}}, [{applied, MFA}]}} =
        up(Config, Dirs, [update(), advanced(many), {apply, MFA}]),
    still(Config, Before).

start_machine(_Config) -> ok.

%% The state has moved on since: it is changed back by code_change, not lost.
failed_apply_after_work_changes_back(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Work = {gen_server, call, [many, next]},
    {error, {not_rolled_back, _, _}} =
        up(Config, Dirs, [update(), advanced(many), {apply, Work}, {apply, {erlang, error, [oops]}}]),
    ?assertEqual({1, 1, none}, call(Config, gen_server, call, [many, state])),
    1 = call(Config, many, version, []),
    ?assertEqual(Pid, pid(Config, many)),
    #{suspended := [], kept := []} = photograph(Config).

restart_application(Config) ->
    Dirs = versions(Config, [plain(gone, 1)], [plain(fresh, 2)]),
    Pid = pid(Config, service_server),
    {ok, _} = up(Config, Dirs, [{restart_application, service}]),
    ?assertEqual(temporary, call(Config, erlrc_node, restart_type, [service])),
    ?assertEqual(2, ask(Config, version)),
    ?assertNotEqual(Pid, pid(Config, service_server)),
    2 = call(Config, fresh, version, []),
    false = call(Config, code, is_loaded, [gone]).

health_check_in_the_window(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Before = photograph(Config),
    Sick = {erlang, list_to_atom, ["sick"]},
    {error, {script_failed, service, {health_check, Sick, sick}}} =
        up(Config, Dirs, [update(), advanced(many)], #{health_check => Sick}),
    still(Config, Before),
    {ok, _} = up(Config, Dirs, [update(), advanced(many)], #{health_check => {erlang, is_atom, [well]}}).

service_check_when_all_run(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Before = photograph(Config),
    Check = {gen_server, call, [many, state]},
    {error, {script_failed, service, {service_check, Check, {2, 0, none}}}} =
        up(Config, Dirs, [update(), advanced(many)], #{service_check => Check}),
    still(Config, Before).

%% What is predicted depends on the machine; that it is more than nothing does not.
max_pause(Config) ->
    Dirs = versions(Config, [server(many, 1), plain(plain, 1)], [server(many, 2), plain(plain, 2)]),
    {ok, Pids} = call(Config, ?MODULE, start_unsupervised, [500]),
    500 = length(Pids),
    1 = call(Config, plain, version, []),
    Before = photograph(Config),
    {error, {max_pause, #{application := service, predicted := Predicted, allowed := 0, processes := 500, modules := 1}}} =
        up(Config, Dirs, [advanced(many)], #{max_pause => 0}),
    ?assert(Predicted > 0),
    still(Config, Before),
    %% An earlier batch goes back.
    Script = [{load_module, plain}, {apply, {erlang, is_atom, [x]}}, advanced(many)],
    {error, {not_rolled_back, {max_pause, _}, [{applied, _}]}} = up(Config, Dirs, Script, #{max_pause => 0}),
    1 = call(Config, plain, version, []),
    still(Config, Before),
    {ok, _} = up(Config, Dirs, [advanced(many)], #{max_pause => 60000}).

%% Where nobody stands there is no pause.
no_pause_at_all(Config) ->
    Dirs = versions(Config, [steady(calm, 1), plain(plain, 1)], [steady(calm, 2), plain(plain, 2)]),
    {ok, _} = start_child(Config, child(calm)),
    {error, {max_pause, #{allowed := 0}}} = up(Config, Dirs, [update(), advanced(calm)], #{max_pause => 0}),
    {ok, _} = up(Config, Dirs, [advanced(calm), {load_module, plain}], #{max_pause => 0}).

cancel(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Before = photograph(Config),
    Client = in_background(Config, gen_server, call, [many, {busy, 2000}, infinity]),
    busy(Config, Pid),
    Upgrade = in_background(Config, ?MODULE, local_up, [Dirs, [advanced(many)], #{}]),
    fixture:wait_until(fun() -> is_pid(pid(Config, erlrc_guardian)) end),
    ok = call(Config, erlrc_transaction, cancel, []),
    {error, {script_failed, service, cancelled}} = answer(Upgrade),
    ok = answer(Client),
    still(Config, Before),
    {error, no_operation} = call(Config, erlrc_transaction, cancel, []).

%% On the way down states change before the code does: until the commit nothing has happened.
cancel_while_states_change_before_the_commit(Config) ->
    Wait = "_ = case Vsn of {down, _} -> gate ! {self(), here}, receive go -> ok end; _ -> ok end",
    Dirs = versions(Config, [server(many, 1)], [server(many, 2, Wait)]),
    {ok, _} = start_child(Config, child(many)),
    {ok, _} = up(Config, Dirs, [advanced(many)]),
    Before = photograph(Config),
    ok = call(Config, ?MODULE, open_cancelling_gate, []),
    {error, {script_failed, service, cancelled}} = down(Config, Dirs, [advanced(many)]),
    still(Config, Before).

%% Whoever comes goes on when the operation has been told.
open_cancelling_gate() ->
    Self = self(),
    _ = spawn(fun() ->
        register(gate, self()),
        Self ! opened,
        receive
            {Pid, here} ->
                ok = erlrc_transaction:cancel(),
                fixture:wait_until(fun() -> has_message(runner(), cancel) end),
                Pid ! go
        end
    end),
    receive
        opened -> ok
    end.

has_message(Pid, Message) ->
    {messages, Messages} = process_info(Pid, messages),
    lists:member(Message, Messages).

%% Killed in the middle of each stage that can be held open: the node is entirely old afterwards, or entirely new.
killed_evaluator(Config) ->
    Wait = "_ = [gate ! {self(), here} || whereis(gate) =/= undefined], receive go -> ok after 500 -> ok end",
    Dirs = versions(Config, [server(many, 1), server(quick, 1)], [server(many, 2, Wait), server(quick, 2)]),
    {ok, _} = start_child(Config, child(quick)),
    {ok, Many} = start_child(Config, child(many)),
    Before = photograph(Config),
    Script = [update(), advanced(quick), advanced(many)],
    %% While it waits for processes to stand.
    Busy = in_background(Config, gen_server, call, [many, {busy, 300}, infinity]),
    busy(Config, Many),
    ?assertMatch({error, {script_failed, service, {evaluator_died, killed}}}, killed(Config, Dirs, Script, anywhere)),
    ok = answer(Busy),
    still(Config, Before),
    %% While states change.
    ?assertMatch({error, {script_failed, service, {evaluator_died, killed}}}, killed(Config, Dirs, Script, migrating)),
    still(Config, Before),
    %% While an apply runs.
    Slow = Script ++ [{apply, {?MODULE, at_gate, []}}],
    {error, {not_rolled_back, _, [{applied, _}]}} = killed(Config, Dirs, Slow, applying),
    still(Config, Before).

killed(Config, Dirs, Script, Where) ->
    Gate = call(Config, ?MODULE, open_gate, [Where]),
    Result = call(Config, ?MODULE, local_up, [Dirs, Script, #{}]),
    true = call(Config, erlang, exit, [Gate, kill]),
    Result.

%% Without its guardian the operation ends itself.
killed_guardian(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Before = photograph(Config),
    Busy = in_background(Config, gen_server, call, [many, {busy, 2000}, infinity]),
    busy(Config, Pid),
    Upgrade = in_background(Config, ?MODULE, local_up, [Dirs, [update(), advanced(many)], #{}]),
    fixture:wait_until(fun() -> call(Config, ?MODULE, runner_waits, []) end),
    true = call(Config, erlang, exit, [pid(Config, erlrc_guardian), kill]),
    {error, {script_failed, service, cancelled}} = answer(Upgrade),
    ok = answer(Busy),
    still(Config, Before).

fallback(Config) ->
    Dirs = versions(Config, [], []),
    restart_new_emulator = up(Config, Dirs, [restart_new_emulator, update()]),
    {fallback, restart_emulator} = call(Config, erlrc_transaction, expressible, [[restart_emulator]]),
    {fallback, {sync_nodes, x, []}} = call(Config, erlrc_transaction, expressible, [[{sync_nodes, x, []}]]),
    ok = call(Config, erlrc_transaction, expressible, [[point_of_no_return, {apply, {a, b, []}}]]),
    {ok, _} = up(Config, Dirs, [{sync_nodes, x, []}, update()]),
    ?assertEqual(2, ask(Config, version)).

unchanged_modules_are_skipped(Config) ->
    {Old, _} = Dirs = versions(Config, [plain(same, 1), plain(other, 1)], [plain(same, 1), plain(other, 2)]),
    _ = [1 = call(Config, Name, version, []) || Name <- [same, other]],
    {ok, []} = up(Config, Dirs, [{load_module, same}, {load_module, other}], #{source => generated}),
    ?assertEqual(filename:join(service_fixture:ebin(Old), "same.beam"), call(Config, code, which, [same])),
    ?assertEqual([true, false], [call(Config, erlang, check_old_code, [Name]) || Name <- [other, same]]),
    {ok, []} = down(Config, Dirs, [{load_module, same}, {load_module, other}]),
    ?assertEqual([true, true], [call(Config, erlang, check_old_code, [Name]) || Name <- [other, same]]).

%% A server in the middle of a call does not hold the upgrade up, and answers from the code in which it began.
nobody_stands_where_no_state_changes(Config) ->
    {Dirs, Pid, Busy} = steady_and_busy(Config, 3000),
    {ok, _} = up(Config, Dirs, [advanced(calm), {load_module, plain}], #{report => whoami(Config), suspend_timeout => 100}),
    ?assertEqual([2, 2], [call(Config, Name, version, []) || Name <- [calm, plain]]),
    ?assertMatch(#{pause := 0}, timings(Config)),
    1 = answer(Busy),
    ?assertEqual(2, call(Config, gen_server, call, [calm, next])),
    ?assertEqual(2, call(Config, gen_server, call, [calm, version])),
    {ok, _} = down(Config, Dirs, [advanced(calm), {load_module, plain}]),
    ?assertEqual({1, 3, Pid}, {call(Config, calm, version, []), call(Config, gen_server, call, [calm, next]), pid(Config, calm)}),
    #{suspended := [], kept := []} = photograph(Config).

everybody_stands_where_it_is_asked_for(Config) ->
    {Dirs, Pid, Busy} = steady_and_busy(Config, 3000),
    {error, {script_failed, service, {not_suspended, [#{pid := Pid}]}}} =
        up(Config, Dirs, [advanced(calm)], #{suspend => always, suspend_timeout => 100}),
    1 = answer(Busy),
    {ok, _} = up(Config, Dirs, [advanced(calm)], #{suspend => always, report => whoami(Config)}),
    ?assert(maps:get(pause, timings(Config)) > 0),
    ?assertEqual(2, call(Config, gen_server, call, [calm, next])).

steady_and_busy(Config, Milliseconds) ->
    Dirs = versions(Config, [steady(calm, 1), plain(plain, 1)], [steady(calm, 2), plain(plain, 2)]),
    1 = call(Config, plain, version, []),
    {ok, Pid} = start_child(Config, child(calm)),
    1 = call(Config, gen_server, call, [calm, next]),
    Busy = in_background(Config, gen_server, call, [calm, {busy, Milliseconds}, infinity]),
    busy(Config, Pid),
    {Dirs, Pid, Busy}.

%% Whoever is in a callback of either version ends it before the code goes back.
failure_where_nobody_stands(Config) ->
    {Dirs, Pid, Busy} = steady_and_busy(Config, 2000),
    Code = maps:with([path, code, processes], photograph(Config)),
    Sick = {erlang, list_to_atom, ["sick"]},
    Script = [advanced(calm), {load_module, plain}],
    {error, {script_failed, service, {service_check, Sick, sick}}} = up(Config, Dirs, Script, #{service_check => Sick}),
    {error, {script_failed, service, {health_check, Sick, sick}}} = up(Config, Dirs, Script, #{health_check => Sick}),
    1 = answer(Busy),
    ?assertEqual(Code, maps:with([path, code, processes], photograph(Config))),
    ?assertEqual({2, Pid}, {call(Config, gen_server, call, [calm, next]), pid(Config, calm)}),
    {ok, _} = up(Config, Dirs, Script).

killed_where_nobody_stands(Config) ->
    {Dirs, Pid, Busy} = steady_and_busy(Config, 100),
    Before = maps:with([path, code, processes], photograph(Config)),
    Slow = [advanced(calm), {load_module, plain}, {apply, {?MODULE, at_gate, []}}],
    {error, {not_rolled_back, {script_failed, service, {evaluator_died, killed}}, [{applied, _}]}} =
        killed(Config, Dirs, Slow, applying),
    1 = answer(Busy),
    ?assertEqual(Before, maps:with([path, code, processes], photograph(Config))),
    ?assertEqual({2, Pid}, {call(Config, gen_server, call, [calm, next]), pid(Config, calm)}).

%% What is left from the upgrade before is purged with force only where nobody will leave it by himself.
server_in_old_code_survives_the_next_upgrade(Config) ->
    {Dirs, Pid, Busy} = steady_and_busy(Config, 3000),
    {ok, [calm]} = up(Config, Dirs, [advanced(calm)]),
    {ok, _} = down(Config, Dirs, [advanced(calm)]),
    1 = answer(Busy),
    ?assertEqual({2, Pid}, {call(Config, gen_server, call, [calm, next]), pid(Config, calm)}).

timings_are_reported(Config) ->
    Dirs = versions(Config, [], []),
    {ok, _} = up(Config, Dirs, [update()], #{report => whoami(Config)}),
    #{prepare := _, discover := _, quiesce := _, commit := _, migrate := _, resume := _, pause := Pause} =
        timings(Config),
    ?assert(Pause > 0).

%% On the node.

local_up({Old, New}, Instructions, Options) ->
    erlrc_transaction:evaluate(service_fixture:script(up, Old, New, Instructions, Options)).

keep_table(Fun) ->
    Self = self(),
    spawn(fun() ->
        Table = ets:new(funs, [public]),
        ets:insert(Table, {fun_of_mine, Fun}),
        Self ! {table, Table},
        receive
            never -> ok
        end
    end),
    receive
        {table, Table} -> Table
    end.

start_unsupervised(Count) ->
    {ok, [element(2, gen_server:start(many, x, [])) || _ <- lists:seq(1, Count)]}.

start_children(Supervisor, _Who) ->
    start_children(Supervisor, 1, []).

start_children(Supervisor, N, Pids) ->
    case persistent_term:get(?MODULE, go) of
        stop ->
            Pids;
        go ->
            {ok, Pid} = supervisor:start_child(Supervisor, child({extra, N}, #{start => {many, start_link, [x]}, modules => [many]})),
            receive
            after 1 -> start_children(Supervisor, N + 1, [Pid | Pids])
            end
    end.

finish() ->
    persistent_term:put(?MODULE, stop),
    true.

%% Calls without a pause; every answer must be the next number.
count(Pid, _Who) ->
    count_on(Pid, 1).

count_on(Pid, N) ->
    case {gen_server:call(Pid, next, infinity), persistent_term:get(?MODULE, go)} of
        {N, stop} -> N;
        {N, go} -> count_on(Pid, N + 1);
        {Other, _} -> {expected, N, got, Other}
    end.

%% A process that kills the one that carries the operation out when somebody arrives at the gate, or at once.
open_gate(Where) ->
    Self = self(),
    Gate = spawn(fun() ->
        register(gate, self()),
        Self ! opened,
        gate(Where)
    end),
    receive
        opened -> Gate
    end.

gate(anywhere) ->
    case runner() of
        none ->
            receive
            after 1 -> gate(anywhere)
            end;
        Pid ->
            exit(Pid, kill)
    end;
gate(migrating) ->
    receive
        {_, here} -> exit(runner(), kill)
    end;
gate(applying) ->
    receive
        {_, applying} -> exit(runner(), kill)
    end.

%% It waits for a process that is busy.
runner_waits() ->
    Stacks = [process_info(Pid, current_stacktrace) || Pid <- [runner()], is_pid(Pid)],
    lists:any(fun({_, Stack}) -> lists:keymember(erlrc_quiesce, 1, Stack); (undefined) -> false end, Stacks).

%% The process that carries the script out.
runner() ->
    case erlrc_outcome:script() of
        {_Guardian, {open, Runner, _Journal}} -> Runner;
        _ -> none
    end.

at_gate() ->
    gate ! {self(), applying},
    receive
        never -> ok
    end.

%% Helpers.

update() -> advanced(service_server).

ask(Config, Question) -> call(Config, gen_server, call, [service_server, Question]).

next(Config) -> ask(Config, next).

special(Config) -> call(Config, ?MODULE, ask_special, []).

ask_special() ->
    special ! {self(), next},
    receive
        {special, N} -> N
    after 2000 -> timeout
    end.

start_many(Config, N, Extra) ->
    {ok, Pid} = start_child(Config, child({many, N}, #{start => {many, start_link, [Extra]}, modules => [many]})),
    Pid.

states(Config, Pids) -> [call(Config, gen_server, call, [Pid, state]) || Pid <- Pids].

busy(Config, Pid) ->
    fixture:wait_until(fun() ->
        case call(Config, erlang, process_info, [Pid, current_function]) of
            {current_function, {_, handle_call, 3}} -> true;
            _ -> false
        end
    end).

waits(Config, Pid) ->
    case call(Config, erlang, process_info, [Pid, monitors]) of
        {monitors, [_ | _]} -> true;
        _ -> false
    end.

stop_starting(Config, Starter) ->
    true = call(Config, ?MODULE, finish, []),
    answer(Starter).

self_on(_Config) -> none.

%% A process on the node that keeps what it is told.
whoami(Config) -> call(Config, ?MODULE, start_listener, []).

start_listener() ->
    spawn(fun() ->
        register(listener, self()),
        listen()
    end).

listen() ->
    receive
        {erlrc_transaction, service, Timings} ->
            receive
                {Pid, timings} -> Pid ! {timings, Timings}
            end
    end,
    listen().

timings(Config) -> call(Config, ?MODULE, ask_timings, []).

ask_timings() ->
    listener ! {self(), timings},
    receive
        {timings, Timings} -> Timings
    after 2000 -> timeout
    end.
