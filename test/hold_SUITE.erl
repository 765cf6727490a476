%% @doc An upgrade whose way back is kept open: confirmed, reverted, left alone until its time is over, and whatever
%% dies meanwhile.
-module(hold_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2, note_on_node/1]).
-export([
    confirmed/1,
    reverted_before_anybody_went_on/1,
    reverted_after_work/1,
    all_behaviours_are_reverted/1,
    children_come_and_go/1,
    environment_is_reverted_but_for_what_was_set_since/1,
    included_application_runs_by_itself_again/1,
    a_downgrade_is_reverted_too/1,
    time_is_over/1,
    another_operation_confirms/1,
    asked_twice/1,
    killed_guardian_confirms/1,
    killed_evaluator_changes_nothing/1,
    both_killed/1,
    killed_operation_confirms/1,
    way_back_that_fails_leaves_the_new/1,
    processes_that_die_are_told_of/1,
    not_held_where_instructions_have_effects/1,
    not_held_by_the_other_evaluator/1,
    calls_follow_the_confirmation/1,
    calls_are_not_made_where_it_goes_back/1,
    calls_follow_where_the_time_is_over/1,
    time_begins_when_the_operation_is_through/1,
    calls_follow_where_the_guardian_is_killed/1,
    calls_follow_where_nobody_is_waited_for/1,
    nobody_confirms_and_it_goes_back/1,
    its_time_is_over_and_it_goes_back/1,
    a_person_confirms/1,
    a_person_takes_it_back/1,
    nothing_else_begins_meanwhile/1,
    killed_guardian_of_a_provisional_one_takes_it_back/1,
    killed_guardian_takes_the_environment_back/1,
    provisional_way_back_that_fails/1,
    not_provisional_without_a_way_back/1,
    a_hold_that_is_not_understood_is_refused/1
]).

all() ->
    [
        confirmed,
        reverted_before_anybody_went_on,
        reverted_after_work,
        all_behaviours_are_reverted,
        children_come_and_go,
        environment_is_reverted_but_for_what_was_set_since,
        included_application_runs_by_itself_again,
        a_downgrade_is_reverted_too,
        time_is_over,
        another_operation_confirms,
        asked_twice,
        killed_guardian_confirms,
        killed_evaluator_changes_nothing,
        both_killed,
        killed_operation_confirms,
        way_back_that_fails_leaves_the_new,
        processes_that_die_are_told_of,
        not_held_where_instructions_have_effects,
        not_held_by_the_other_evaluator,
        calls_follow_the_confirmation,
        calls_are_not_made_where_it_goes_back,
        calls_follow_where_the_time_is_over,
        time_begins_when_the_operation_is_through,
        calls_follow_where_the_guardian_is_killed,
        calls_follow_where_nobody_is_waited_for,
        nobody_confirms_and_it_goes_back,
        its_time_is_over_and_it_goes_back,
        a_person_confirms,
        a_person_takes_it_back,
        nothing_else_begins_meanwhile,
        killed_guardian_of_a_provisional_one_takes_it_back,
        killed_guardian_takes_the_environment_back,
        provisional_way_back_that_fails,
        not_provisional_without_a_way_back,
        a_hold_that_is_not_understood_is_refused
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

confirmed(Config) ->
    Dirs = versions(Config, [], []),
    Held = held(hold(Config, Dirs)),
    ?assertMatch(#{changes := [#{application := service, from := "1", to := "2"}], left := _}, call(Config, erlrc_hold, status, [])),
    Status = call(Config, erlrc_hook, request, [#{operation => status}]),
    ?assertMatch(#{held := #{application := <<"service">>, from := <<"1">>, to := <<"2">>, left := _}}, Status),
    {error, no_operation} = call(Config, erlrc_transaction, cancel, []),
    ?assertNotEqual([], kept(Config)),
    #{status := ok, outcome := confirmed, running := <<"2">>} = ask(Config, confirm, Held),
    settled(Config, 2),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held),
    settled(Config, 2),
    #{status := ok, outcome := confirmed} = ask(Config, confirm, Held).

reverted_before_anybody_went_on(Config) ->
    Dirs = versions(Config, [server(many, 1), plain(gone, 1)], [server(many, 2), plain(fresh, 2)]),
    %% A term that code_change of either version would lose.
    {ok, Pid} = start_child(Config, child(many, #{start => {many, start_link, [secret]}})),
    1 = call(Config, gone, version, []),
    Before = photograph(Config),
    Held = held(hold(Config, Dirs)),
    2 = call(Config, fresh, version, []),
    ?assertEqual(2, version(Config)),
    Answer = ask(Config, revert, Held),
    ?assertMatch(#{status := ok, outcome := reverted, running := <<"1">>}, Answer),
    ?assertNot(is_map_key(warnings, Answer)),
    ?assertEqual({1, 0, secret}, call(Config, gen_server, call, [Pid, state])),
    still(Config, Before),
    settled(Config, 1).

reverted_after_work(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, Pid} = start_child(Config, child(many)),
    Held = held(hold(Config, Dirs)),
    1 = call(Config, gen_server, call, [many, next]),
    #{status := ok, outcome := reverted, warnings := [Warning]} = ask(Config, revert, Held),
    ?assertMatch(<<"a process of service had gone on", _/binary>>, Warning),
    ?assertEqual({1, 1, none}, call(Config, gen_server, call, [many, state])),
    ?assertEqual({state1, 0}, call(Config, gen_server, call, [service_server, state])),
    ?assertEqual(Pid, pid_of(Config, many)),
    settled(Config, 1),
    %% And the same again.
    _ = held(hold(Config, Dirs)),
    #{status := ok} = ask(Config, confirm, #{}),
    ?assertEqual({2, 1, none}, call(Config, gen_server, call, [many, state])),
    settled(Config, 2).

all_behaviours_are_reverted(Config) ->
    Modules = fun(Version) -> [statem(Version), handler(Version), special(Version, normal)] end,
    Dirs = versions(Config, Modules(1), Modules(2)),
    Events = #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
    _ = [{ok, _} = start_child(Config, Spec) || Spec <- [child(machine), Events, child(special)]],
    ok = call(Config, gen_event, add_handler, [events, handler, a]),
    Pids = [pid_of(Config, Name) || Name <- [machine, events, special]],
    Before = photograph(Config),
    Held = held(hold(Config, Dirs)),
    ?assertEqual({2, calm, two}, call(Config, gen_statem, call, [machine, state])),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    ?assertEqual({1, calm, one}, call(Config, gen_statem, call, [machine, state])),
    ?assertEqual({1, a}, call(Config, gen_event, call, [events, handler, state])),
    ?assertEqual(Pids, [pid_of(Config, Name) || Name <- [machine, events, special]]),
    still(Config, Before),
    settled(Config, 1).

%% Those that are new are started at once, those that are gone stay until the way back is given up.
children_come_and_go(Config) ->
    Servers = fun(Version) -> [server(Name, Version) || Name <- [one, two]] end,
    Sup = fun(Names) -> service_fixture:supervisor([child(Name) || Name <- [service_server | Names]]) end,
    Dirs = versions(Config, [Sup([one]) | Servers(1)], [Sup([two]) | Servers(2)]),
    One = pid_of(Config, one),
    Held = held(hold(Config, Dirs)),
    ?assertEqual([one, service_server, two], children(Config)),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    ?assertEqual([one, service_server], children(Config)),
    ?assertEqual(One, pid_of(Config, one)),
    settled(Config, 1),
    Again = held(hold(Config, Dirs)),
    #{status := ok} = ask(Config, confirm, Again),
    ?assertEqual([service_server, two], children(Config)),
    settled(Config, 2).

environment_is_reverted_but_for_what_was_set_since(Config) ->
    Env = fun(Pairs) -> #{app => [{env, Pairs}]} end,
    Dirs = application_versions(Config, Env([{kept, 1}, {gone, 1}]), Env([{kept, 2}, {came, 2}])),
    Get = fun(Key) -> call(Config, application, get_env, [service, Key]) end,
    ok = call(Config, application, set_env, [service, mine, before]),
    Held = held(hold(Config, Dirs)),
    ?assertEqual([{ok, 2}, undefined, {ok, 2}, {ok, before}], [Get(Key) || Key <- [kept, gone, came, mine]]),
    ok = call(Config, application, set_env, [service, mine, since]),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    ?assertEqual([{ok, 1}, {ok, 1}, undefined, {ok, since}], [Get(Key) || Key <- [kept, gone, came, mine]]),
    settled(Config, 1).

included_application_runs_by_itself_again(Config) ->
    Part = fixture:application(?config(dir, Config), part, "1", #{}),
    Dirs = application_versions(Config, #{}, #{app => [{included_applications, [part]}]}),
    started = call(Config, erlrcdynamic, start, [part, "1", Part]),
    Before = call(Config, application, which_applications, []),
    Held = held(hold(Config, Dirs)),
    ?assertNot(lists:keymember(part, 1, call(Config, application, which_applications, []))),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    ?assertEqual(lists:sort(Before), lists:sort(call(Config, application, which_applications, []))),
    settled(Config, 1).

a_downgrade_is_reverted_too(Config) ->
    {One, Two} = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    #{status := ok} = ask(Config, (request(upgrade, {One, Two}))#{options => #{}}),
    Before = photograph(Config),
    Down = #{from => <<"2">>, to => <<"1">>, from_dir => bin(Two), to_dir => bin(One)},
    #{status := ok, held := Id} = ask(Config, maps:merge(request(downgrade, {One, Two}), Down)),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [many, state])),
    #{status := ok, outcome := reverted} = ask(Config, revert, Down#{held => Id}),
    still(Config, Before),
    settled(Config, 2).

time_is_over(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    #{held := Id} = ask(Config, (request(upgrade, Dirs))#{options => #{hold => 1}}),
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    #{status := refused, outcome := not_held} = ask(Config, revert, #{held => Id}),
    settled(Config, 2).

another_operation_confirms(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(hold(Config, Dirs)),
    %% To ask what would be done does no harm.
    #{status := ok} = ask(Config, (request(upgrade, Dirs))#{operation := dry_run, 'of' => upgrade}),
    #{left := _} = call(Config, erlrc_hold, status, []),
    not_running = call(Config, erlrcdynamic, stop, [nobody, "1"]),
    none = call(Config, erlrc_hold, status, []),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held),
    settled(Config, 2),
    %% A script that is run by itself waits for nobody either.
    {One, Two} = Dirs,
    {ok, _} = service_fixture:down(Config, Dirs, [{update, many, {advanced, []}}]),
    {ok, _} = service_fixture:up(Config, Dirs, [{update, many, {advanced, []}}], #{hold => 60000}),
    {ok, _} = service_fixture:down(Config, {One, Two}, [{update, many, {advanced, []}}]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [many, state])).

asked_twice(Config) ->
    Dirs = versions(Config, [], []),
    Held = held(hold(Config, Dirs)),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held#{held := <<"0">>}),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held#{to => <<"3">>}),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    #{status := failed, outcome := version_mismatch} = without_status(ask(Config, confirm, Held)),
    settled(Config, 1).

killed_guardian_confirms(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(hold(Config, Dirs)),
    true = call(Config, erlang, exit, [pid_of(Config, erlrc_guardian), kill]),
    fixture:wait_until(fun() -> [] =:= kept(Config) end),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held),
    settled(Config, 2).

killed_evaluator_changes_nothing(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Before = photograph(Config),
    Held = held(hold(Config, Dirs)),
    true = call(Config, erlang, exit, [runner(Config), kill]),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    still(Config, Before),
    settled(Config, 1).

%% Nobody is left who could go back: it is the new version, and the next operation finds it at work.
both_killed(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(hold(Config, Dirs)),
    [true = call(Config, erlang, exit, [Pid, kill]) || Pid <- [runner(Config), pid_of(Config, erlrc_guardian)]],
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    #{status := refused, outcome := not_held} = ask(Config, revert, Held),
    ?assertEqual(2, version(Config)),
    #{status := ok, outcome := downgraded} = ask(Config, down(Dirs)),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [many, state])).

%% The process of the operation dies with the script done and the rest not: there is no whole way back.
killed_operation_confirms(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    {ok, _} = service_fixture:up(Config, Dirs, [{update, many, {advanced, []}}], #{hold => 60000}),
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    ?assertEqual([], kept(Config)),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [many, state])).

%% Going back, the state that has moved on cannot be changed: the new version stays, as a whole.
way_back_that_fails_leaves_the_new(Config) ->
    Stuck = "is_tuple(Vsn) andalso error(stuck)",
    Dirs = versions(Config, [server(many, 1)], [server(many, 2, Stuck)]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(hold(Config, Dirs)),
    1 = call(Config, gen_server, call, [many, next]),
    Before = photograph(Config),
    #{status := failed, outcome := not_reverted, running := <<"2">>} = ask(Config, revert, Held),
    ?assertEqual(maps:remove(kept, Before), maps:remove(kept, photograph(Config))),
    settled(Config, 2).

%% As where they need more memory than they may have.
processes_that_die_are_told_of(Config) ->
    Dies = "exit(self(), kill), receive after infinity -> ok end",
    Dirs = versions(Config, [server(many, 1), server(one, 1)], [server(many, 2, Dies), server(one, 2)]),
    {ok, _} = start_child(Config, child(many)),
    {ok, _} = start_child(Config, child(one)),
    Answer = hold(Config, Dirs),
    ?assertMatch(#{status := ok, report := #{died := {1, [many]}}}, Answer),
    #{warnings := [<<"processes of service died while their states were changed, and these are lost (1 of many)", _/binary>>]} =
        Answer,
    #{status := ok} = ask(Config, confirm, held(Answer)),
    settled(Config, 2).

not_held_where_instructions_have_effects(Config) ->
    {One, Two} = versions(Config, [], []),
    Appup = io_lib:format("~p.~n", [{"2", [{"1", [{apply, {erlang, now, []}}, {update, service_server, {advanced, []}}]}], []}]),
    ok = file:write_file(filename:join(service_fixture:ebin(Two), "service.appup"), Appup),
    Answer = hold(Config, {One, Two}),
    ?assertMatch(#{status := ok, outcome := upgraded}, Answer),
    ?assertNot(is_map_key(held, Answer)),
    settled(Config, 2).

not_held_by_the_other_evaluator(Config) ->
    Dirs = versions(Config, [], []),
    Answer = ask(Config, (request(upgrade, Dirs))#{options => #{hold => 60000, evaluator => release_handler}}),
    ?assertMatch(#{status := ok, report := #{evaluator := release_handler}}, Answer),
    ?assertNot(is_map_key(held, Answer)),
    settled(Config, 2).

%% In their order, and whatever becomes of one of them; a failure is told by who confirms.
calls_follow_the_confirmation(Config) ->
    Dirs = calling(Config, [note(first), {apply, {erlrcdynamic, apply_after_commit, [erlang, error, [sick]]}}, note(second)]),
    #{plan := Plan} = ask(Config, (request(upgrade, Dirs))#{operation := dry_run, 'of' => upgrade}),
    ?assertEqual(3, length([Line || <<"call {", _/binary>> = Line <- Plan])),
    Held = held(hold(Config, Dirs)),
    ?assertEqual([], called(Config)),
    Answer = ask(Config, confirm, Held),
    ?assertMatch(#{status := ok, outcome := confirmed, warnings := [<<"erlang:error/1, called after the commit, failed: sick;", _/binary>>]}, Answer),
    ?assertEqual([first, second], called(Config)),
    settled(Config, 2).

calls_are_not_made_where_it_goes_back(Config) ->
    Dirs = calling(Config, [note(first)]),
    Held = held(hold(Config, Dirs)),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    settled(Config, 1),
    ?assertEqual([], called(Config)).

calls_follow_where_the_time_is_over(Config) ->
    Dirs = calling(Config, [note(first)]),
    #{held := _} = ask(Config, (request(upgrade, Dirs))#{options => #{hold => 1}}),
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    ?assertEqual([first], called(Config)).

%% The way back is to be kept open for no time at all, and what follows the script takes some.
time_begins_when_the_operation_is_through(Config) ->
    Callback =
        "-module(service_app).\n-behaviour(application).\n-export([start/2, stop/1, config_change/3]).\n"
        "start(_, _) -> service_sup:start_link().\nstop(_) -> ok.\n"
        "config_change(_, _, _) -> register(changing, self()), receive go -> ok end.\n",
    {One, Two} = service_fixture:versions(
        Config, [Callback], [Callback], [service_fixture:child(service_server)], {[{env, [{key, 1}]}], [{env, [{key, 2}]}]}
    ),
    ok = shipped(Two, [note(first)]),
    Request = (request(upgrade, {One, Two}))#{protocol => 1, application => service, options => #{hold => 0}},
    Asked = service_fixture:in_background(Config, erlrc_hook, request, [Request]),
    fixture:wait_until(fun() -> is_pid(pid_of(Config, changing)) end),
    ?assert(is_pid(pid_of(Config, erlrc_guardian))),
    _ = call(Config, erlang, send, [changing, go]),
    ?assertMatch(#{status := ok, outcome := upgraded, held := _}, service_fixture:answer(Asked)),
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    ?assertEqual([first], called(Config)).

calls_follow_where_the_guardian_is_killed(Config) ->
    Dirs = calling(Config, [note(first)]),
    _ = held(hold(Config, Dirs)),
    true = call(Config, erlang, exit, [pid_of(Config, erlrc_guardian), kill]),
    fixture:wait_until(fun() -> [first] =:= called(Config) end),
    settled(Config, 2).

calls_follow_where_nobody_is_waited_for(Config) ->
    {One, Two} = Dirs = calling(Config, [note(first), {apply, {erlrcdynamic, apply_after_commit, [erlang, error, [sick]]}}]),
    [
        begin
            Answer = ask(Config, (request(upgrade, Dirs))#{options => #{evaluator => Evaluator}}),
            ?assertMatch(#{status := ok, outcome := upgraded, warnings := [<<"erlang:error/1, called after", _/binary>>]}, Answer),
            ?assertEqual([first], called(Config)),
            settled(Config, 2),
            #{status := ok} = ask(Config, down({One, Two})),
            true = call(Config, persistent_term, erase, [called])
        end
     || Evaluator <- [transactional, release_handler]
    ].

%% Provisional: nobody confirms. What was done meanwhile is kept, and what the operation did beside its script goes too.
nobody_confirms_and_it_goes_back(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(provisional(Config, Dirs, 60000)),
    ?assertMatch(
        #{held := #{over := revert, held := _, application := <<"service">>, changes := [#{to := <<"2">>}]}},
        call(Config, erlrc_hook, request, [#{operation => status}])
    ),
    1 = call(Config, gen_server, call, [many, next]),
    #{status := ok, outcome := held} = ask(Config, prolong, Held#{options => #{hold => {1, <<"revert">>}}}),
    gone_back(Config, time_is_over, reverted),
    ?assertEqual({1, 1, none}, call(Config, gen_server, call, [many, state])),
    #{status := failed, outcome := version_mismatch} = without_status(ask(Config, confirm, Held)),
    settled(Config, 1).

%% The time itself, without anybody who asks for less of it.
its_time_is_over_and_it_goes_back(Config) ->
    Dirs = calling(Config, [note(first)]),
    #{status := ok, held := _} = provisional(Config, Dirs, 1),
    gone_back(Config, time_is_over, reverted),
    settled(Config, 1),
    ?assertEqual([], called(Config)).

a_person_confirms(Config) ->
    Dirs = calling(Config, [note(first)]),
    Held = held(provisional(Config, Dirs, 60000)),
    #{status := ok, outcome := confirmed} = ask(Config, confirm, Held),
    ?assertEqual([first], called(Config)),
    settled(Config, 2),
    ?assertNot(is_map_key(went_back, call(Config, erlrc_hook, request, [#{operation => status}]))).

a_person_takes_it_back(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    Before = photograph(Config),
    Held = held(provisional(Config, Dirs, 60000)),
    #{status := ok, outcome := reverted} = ask(Config, revert, Held),
    still(Config, Before),
    settled(Config, 1).

%% Whatever begins would make it permanent, or find a version that goes away.
nothing_else_begins_meanwhile(Config) ->
    {One, Two} = Dirs = versions(Config, [], []),
    Held = held(provisional(Config, Dirs, 60000)),
    Down = down(Dirs),
    [
        ?assertMatch(#{status := refused, outcome := provisional, reason := <<"an upgrade of service is provisional", _/binary>>}, Answer)
     || Answer <- [
            ask(Config, Down),
            ask(Config, Down#{operation := dry_run, 'of' => downgrade}),
            ask(Config, #{operation => stop, vsn => <<"2">>}),
            ask(Config, #{operation => settle})
        ]
    ],
    {error, {provisional, _, _}} = service_fixture:down(Config, {One, Two}, [{update, service_server, {advanced, []}}]),
    ?assertEqual(2, version(Config)),
    #{status := ok, outcome := confirmed} = ask(Config, confirm, Held),
    #{status := ok, outcome := downgraded} = ask(Config, Down),
    settled(Config, 1).

killed_guardian_of_a_provisional_one_takes_it_back(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2)]),
    {ok, _} = start_child(Config, child(many)),
    [
        begin
            _ = held(provisional(Config, Dirs, 60000)),
            1 = call(Config, gen_server, call, [many, next]) - Round,
            [true = call(Config, erlang, exit, [Pid, kill]) || Pid <- Killed()],
            gone_back(Config, guardian_killed, reverted),
            ?assertEqual({1, Round + 1, none}, call(Config, gen_server, call, [many, state])),
            settled(Config, 1)
        end
     || {Round, Killed} <- [
            {0, fun() -> [pid_of(Config, erlrc_guardian)] end},
            {1, fun() -> [runner(Config), pid_of(Config, erlrc_guardian)] end}
        ]
    ].

%% The environment is what it was, but for what was set since.
killed_guardian_takes_the_environment_back(Config) ->
    Env = fun(Pairs) -> #{app => [{env, Pairs}]} end,
    Dirs = application_versions(Config, Env([{kept, 1}]), Env([{kept, 2}])),
    _ = held(provisional(Config, Dirs, 60000)),
    {ok, 2} = call(Config, application, get_env, [service, kept]),
    true = call(Config, erlang, exit, [pid_of(Config, erlrc_guardian), kill]),
    gone_back(Config, guardian_killed, reverted),
    {ok, 1} = call(Config, application, get_env, [service, kept]),
    settled(Config, 1).

%% The node stays on the new version, and says that it is for good.
provisional_way_back_that_fails(Config) ->
    Dirs = versions(Config, [server(many, 1)], [server(many, 2, "is_tuple(Vsn) andalso error(stuck)")]),
    {ok, _} = start_child(Config, child(many)),
    Held = held(provisional(Config, Dirs, 60000)),
    1 = call(Config, gen_server, call, [many, next]),
    #{status := ok} = ask(Config, prolong, Held#{options => #{hold => {0, <<"revert">>}}}),
    gone_back(Config, time_is_over, not_reverted),
    settled(Config, 2).

%% With effects, by the other evaluator, of what does not run: it does not begin, and the question beforehand says so.
not_provisional_without_a_way_back(Config) ->
    {One, Two} = Dirs = versions(Config, [], []),
    Effect = {"2", [{"1", [{apply, {erlang, now, []}}, {update, service_server, {advanced, []}}]}], []},
    Refused = fun(Options) ->
        Request = (request(upgrade, Dirs))#{options => Options#{hold => {60000, <<"revert">>}}},
        Answers = [ask(Config, Request#{operation := dry_run, 'of' => upgrade}), ask(Config, Request)],
        [?assertMatch(#{status := refused, outcome := not_provisional}, Answer) || Answer <- Answers]
    end,
    Refused(#{evaluator => release_handler}),
    ok = file:write_file(filename:join(service_fixture:ebin(Two), "service.appup"), io_lib:format("~p.~n", [Effect])),
    Refused(#{}),
    settled(Config, 1),
    ok = call(Config, application, stop, [service]),
    Refused(#{}),
    ok = call(Config, application, unload, [service]),
    Refused(#{}),
    started = call(Config, erlrcdynamic, start, [service, "1", One]),
    settled(Config, 1).

%% What a node of an earlier erlrc answers to the pair as well.
a_hold_that_is_not_understood_is_refused(Config) ->
    Dirs = versions(Config, [], []),
    [
        ?assertMatch(#{status := refused, outcome := bad_request}, ask(Config, (request(upgrade, Dirs))#{options => Options}))
     || Options <- [#{hold => {1, <<"stay">>}}, #{hold => {-1, <<"revert">>}}, #{hold => {1 bsl 32, <<"revert">>}},
                    #{hold => 1, over => revert}, #{hold => 1 bsl 32}]
    ],
    settled(Config, 1).

provisional(Config, Dirs, Time) ->
    ask(Config, (request(upgrade, Dirs))#{options => #{hold => {Time, <<"revert">>}}}).

gone_back(Config, Why, Outcome) ->
    Status = fun() -> call(Config, erlrc_hook, request, [#{operation => status}]) end,
    IsBack = fun(#{went_back := #{later := Later}}) -> not Later; (_) -> false end,
    fixture:wait_until(fun() -> IsBack(Status()) end),
    ?assertMatch(#{went_back := #{application := <<"service">>, why := Why, outcome := Outcome}}, Status()).

%% Versions of which the later one ships an appup that ends in these instructions.
calling(Config, Instructions) ->
    {One, Two} = versions(Config, [], []),
    ok = shipped(Two, Instructions),
    {One, Two}.

shipped(Dir, Instructions) ->
    Update = {update, service_server, {advanced, []}},
    Appup = {"2", [{"1", [Update | Instructions]}], [{"1", [Update]}]},
    file:write_file(filename:join(service_fixture:ebin(Dir), "service.appup"), io_lib:format("~p.~n", [Appup])).

note(What) -> {apply, {erlrcdynamic, apply_after_commit, [?MODULE, note_on_node, [What]]}}.

note_on_node(What) -> persistent_term:put(called, persistent_term:get(called, []) ++ [What]).

called(Config) -> call(Config, persistent_term, get, [called, []]).

%% The node runs one version, nothing is kept, nobody stands still, and the next operation is free to begin.
settled(Config, Version) ->
    ?assertEqual(Version, version(Config)),
    ?assertEqual({ok, integer_to_list(Version)}, call(Config, application, get_key, [service, vsn])),
    fixture:wait_until(fun() -> undefined =:= pid_of(Config, erlrc_guardian) end),
    ?assertMatch(#{suspended := [], kept := []}, photograph(Config)),
    none = call(Config, erlrc_hold, status, []),
    ok.

versions(Config, Old, New) ->
    service_fixture:versions(Config, Old, New).

%% The same with other keys of the `.app' files.
application_versions(Config, Old, New) ->
    {One, Two} = versions(Config, [], []),
    [
        begin
            File = filename:join(service_fixture:ebin(Dir), "service.app"),
            {ok, [{application, service, Keys}]} = file:consult(File),
            More = lists:ukeymerge(1, lists:ukeysort(1, maps:get(app, Options, [])), lists:ukeysort(1, Keys)),
            ok = file:write_file(File, io_lib:format("~p.~n", [{application, service, More}]))
        end
     || {Dir, Options} <- [{One, Old}, {Two, New}]
    ],
    ok = call(Config, application, stop, [service]),
    ok = call(Config, application, unload, [service]),
    started = call(Config, erlrcdynamic, start, [service, "1", One]),
    {One, Two}.

hold(Config, Dirs) ->
    ask(Config, request(upgrade, Dirs)).

held(#{status := ok, outcome := upgraded, running := <<"2">>, held := Id}) ->
    #{held => Id}.

request(Operation, {One, Two}) ->
    (versions_of({One, Two}))#{operation => Operation, options => #{hold => 60000}}.

down({One, Two}) ->
    #{operation => downgrade, from => <<"2">>, to => <<"1">>, from_dir => bin(Two), to_dir => bin(One)}.

versions_of({One, Two}) ->
    #{from => <<"1">>, to => <<"2">>, from_dir => bin(One), to_dir => bin(Two)}.

ask(Config, Operation, Keys) ->
    ask(Config, maps:merge(#{operation => Operation, from => <<"1">>, to => <<"2">>}, Keys)).

ask(Config, Request) ->
    call(Config, erlrc_hook, request, [Request#{protocol => 1, application => service}]).

without_status(#{status := refused} = Answer) -> Answer#{status := failed};
without_status(Answer) -> Answer.

version(Config) ->
    call(Config, gen_server, call, [service_server, version]).

children(Config) ->
    lists:sort([Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [service_sup]), is_pid(Pid)]).

kept(Config) ->
    maps:get(kept, photograph(Config)).

runner(Config) ->
    Guardian = pid_of(Config, erlrc_guardian),
    {monitors, Monitors} = call(Config, erlang, process_info, [Guardian, monitors]),
    [Runner] = [
        Pid
     || {process, Pid} <- Monitors,
        {dictionary, Dictionary} <- [call(Config, erlang, process_info, [Pid, dictionary])],
        lists:member({{erlrc_journal, guardian}, Guardian}, Dictionary)
    ],
    Runner.

start_child(Config, Spec) ->
    call(Config, supervisor, start_child, [service_sup, Spec]).

bin(Dir) -> unicode:characters_to_binary(Dir).

pid_of(Config, Name) -> service_fixture:pid(Config, Name).
photograph(Config) -> service_fixture:photograph(Config).
still(Config, Before) -> service_fixture:still(Config, Before).
child(Name) -> service_fixture:child(Name).
child(Name, Keys) -> service_fixture:child(Name, Keys).
server(Name, Version) -> service_fixture:server(Name, Version).
server(Name, Version, Body) -> service_fixture:server(Name, Version, Body).
plain(Name, Version) -> service_fixture:plain(Name, Version).
statem(Version) -> service_fixture:statem(Version).
handler(Version) -> service_fixture:handler(Version).
special(Version, Kind) -> service_fixture:special(Version, Kind).
call(Config, Module, Function, Arguments) -> service_fixture:call(Config, Module, Function, Arguments).
