%% @doc Supervisors whose `init/1' takes a record that has got other fields: the argument that a running one has is converted
%% before `init/1' of the new version is called with it, and back on every way back.
-module(supervisor_migration_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    an_argument_that_is_a_record/1,
    a_record_in_a_list_and_in_a_tuple/1,
    a_held_upgrade_is_reverted/1,
    an_upgrade_that_fails_takes_the_argument_back/1,
    an_unexpected_argument_is_foreseen/1,
    a_specification_above_that_holds_the_record_is_converted/1,
    without_the_option_it_is_foreseen/1
]).

-import(migration_SUITE, [upgrade/3, downgrade/3, held/2, revert/3, plan/2, call/4]).

all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), Case =/= module_info].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

an_argument_that_is_a_record(Config) ->
    Dirs = versions(Config, "~ts", "a = 1, b = 2", "b, n = 7, a"),
    Pid = started(Config),
    Child = child(Config, Pid, bus),
    ?assertMatch({ok, #{findings := [#{kind := supervisor_children_changed}]}}, plan(Config, Dirs)),
    ?assertMatch(#{status := ok, outcome := upgraded}, upgrade(Config, Dirs, fields)),
    ?assertEqual({args, 2, 7, 1}, seen(Config, Pid)),
    ?assertMatch(#{status := ok, outcome := downgraded}, downgrade(Config, Dirs, lossy)),
    ?assertEqual({args, 1, 2}, seen(Config, Pid)),
    ?assertEqual(Child, child(Config, Pid, bus)).

a_record_in_a_list_and_in_a_tuple(Config) ->
    [in(Config, Number, Pattern) || {Number, Pattern} <- [{"list", "[x, ~ts]"}, {"tuple", "{~ts, y}"}]].

in(Config, Name, Pattern) ->
    Node = service_fixture:start_node(list_to_atom(Name), Config),
    Dirs = versions(Node, Pattern, "a = 1", "a = 1, b = 2"),
    Pid = started(Node),
    ?assertMatch(#{status := ok}, upgrade(Node, Dirs, fields)),
    ?assertEqual({args, 1, 2}, seen(Node, Pid)),
    ?assertMatch(#{status := ok}, downgrade(Node, Dirs, lossy)),
    ?assertEqual({args, 1}, seen(Node, Pid)),
    service_fixture:stop_node(Node).

a_held_upgrade_is_reverted(Config) ->
    Dirs = versions(Config, "~ts", "a = 1", "a = 1, b = 2"),
    Pid = started(Config),
    Held = held(Config, Dirs),
    ?assertEqual({args, 1, 2}, argument(Config, Pid)),
    ?assertMatch(#{status := ok, outcome := reverted}, revert(Config, Dirs, Held)),
    ?assertEqual({args, 1}, argument(Config, Pid)),
    ?assertEqual({args, 1}, seen(Config, Pid)).

%% What fails comes after the supervisor has changed.
an_upgrade_that_fails_takes_the_argument_back(Config) ->
    ok = call(Config, application, set_env, [erlrc, health_check, {erlang, error, [not_healthy]}]),
    Dirs = versions(Config, "~ts", "a = 1", "a = 1, b = 2"),
    Pid = started(Config),
    Before = service_fixture:photograph(Config),
    #{status := failed, reason := Reason} = upgrade(Config, Dirs, fields),
    ?assertNotEqual(nomatch, string:find(Reason, "not_healthy")),
    service_fixture:still(Config, Before),
    ?assertEqual({args, 1}, argument(Config, Pid)).

an_unexpected_argument_is_foreseen(Config) ->
    Dirs = versions(Config, "~ts", "a = 1", "a = 1, b = 2"),
    Pid = started(Config),
    Replace = fun(State) -> setelement(tuple_size(State), State, {args, too, many, fields}) end,
    _ = call(Config, sys, replace_state, [Pid, Replace]),
    {ok, #{findings := Findings}} = plan(Config, Dirs),
    [#{kind := supervisor_init_fails, subject := <<"keepers">>, text := Text}] = Findings,
    ?assertNotEqual(nomatch, string:find(Text, "cannot be converted")),
    ?assertMatch(#{status := failed}, upgrade(Config, Dirs, fields)),
    ?assertEqual({args, too, many, fields}, argument(Config, Pid)).

%% A restart would give the supervisor the earlier record again.
a_specification_above_that_holds_the_record_is_converted(Config) ->
    Dirs = versions(Config, "~ts", "a = 1", "a = 1, b = 2"),
    Start = {supervisor, start_link, [keepers, {args, 5}]},
    Spec = service_fixture:child(keepers, #{type => supervisor, start => Start}),
    {ok, Pid} = service_fixture:start_child(Config, Spec),
    {ok, #{findings := Findings}} = plan(Config, Dirs),
    ?assertMatch([#{subject := <<"service_sup", _/binary>>}], [Finding || #{kind := arguments_migrated} = Finding <- Findings]),
    ?assertEqual([], [Finding || #{kind := record_in_state} = Finding <- Findings]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({args, 5, 2}, seen(Config, Pid)),
    ok = call(Config, supervisor, terminate_child, [service_sup, keepers]),
    {ok, Again} = call(Config, supervisor, restart_child, [service_sup, keepers]),
    ?assertEqual({args, 5, 2}, seen(Config, Again)).

without_the_option_it_is_foreseen(Config) ->
    Dirs = versions(Config, "~ts", "a = 1", "a = 1, b = 2"),
    Pid = started(Config),
    ok = call(Config, application, set_env, [erlrc, preflight, off]),
    ?assertMatch(#{status := failed}, upgrade(Config, Dirs, none)),
    ?assertEqual({args, 1}, seen(Config, Pid)).

%% What the cases are made of.

%% `Pattern' says where the record stands in the argument of `init/1'.
versions(Config, Pattern, Old, New) ->
    service_fixture:versions(Config, [keepers(Pattern, Old)], [keepers(Pattern, New)]).

%% One child stays, the id of the other tells the argument.
keepers(Pattern, Fields) ->
    lists:flatten([
        "-module(keepers).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
        "-record(args, {", Fields, "}).\n"
        "start_link() -> supervisor:start_link(?MODULE, ", io_lib:format(Pattern, ["#args{}"]), ").\n"
        "init(", io_lib:format(Pattern, ["#args{} = Args"]), ") ->\n"
        "    Bus = fun(Id) -> #{id => Id, start => {gen_event, start_link, []}, modules => dynamic} end,\n"
        "    {ok, {#{}, [Bus(bus), Bus({seen, Args})]}}.\n"
    ]).

started(Config) ->
    Spec = service_fixture:child(keepers, #{type => supervisor}),
    {ok, Pid} = service_fixture:start_child(Config, Spec),
    Pid.

child(Config, Pid, Id) ->
    {Id, Child, _, _} = lists:keyfind(Id, 1, call(Config, supervisor, which_children, [Pid])),
    Child.

seen(Config, Pid) ->
    [Args] = [Args || {{seen, Args}, Child, _, _} <- call(Config, supervisor, which_children, [Pid]), is_pid(Child)],
    Args.

argument(Config, Pid) ->
    State = call(Config, sys, get_state, [Pid]),
    element(tuple_size(State), State).
