%% @doc Arguments in the child specifications of supervisors: a record in them that the child's module has with other fields
%% is converted with the states, so that a child that is started again gets what its new version takes.
-module(child_arguments_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([again/1]).
-export([
    a_child_is_started_again/1,
    the_children_of_a_simple_one_for_one/1,
    a_record_inside_and_a_start_function_of_another_module/1,
    a_supervisor_above/1,
    a_supervisor_that_changes_itself/1,
    nobody_runs_the_module/1,
    a_failure_takes_them_back/1,
    a_held_upgrade_is_reverted/1,
    without_the_option_it_is_foreseen/1,
    a_lost_field_has_to_be_allowed/1
]).

-import(migration_SUITE, [upgrade/3, downgrade/3, held/2, revert/3, plan/2, call/4]).

all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info, again])].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

a_child_is_started_again(Config) ->
    Dirs = versions(Config, "a", "b = 7, a"),
    Pid = child(Config, {keeper, start_link, [{args, five}]}),
    {ok, #{findings := Findings}} = plan(Config, Dirs),
    ?assertMatch([#{kind := arguments_migrated, severity := info}], Findings),
    ?assertMatch(#{status := ok, outcome := upgraded}, upgrade(Config, Dirs, fields)),
    ?assertEqual({keeper, start_link, [{args, 7, five}]}, start(Config, service_sup, one)),
    ?assertEqual(Pid, process(Config, one)),
    ?assertEqual(five, call(Config, gen_server, call, [again(Config, one), get])),
    ?assertMatch(#{status := ok, outcome := downgraded}, downgrade(Config, Dirs, lossy)),
    ?assertEqual({keeper, start_link, [{args, five}]}, start(Config, service_sup, one)),
    ?assertEqual(five, call(Config, gen_server, call, [again(Config, one), get])).

%% What a child was started with stands beside the specification that all have.
the_children_of_a_simple_one_for_one(Config) ->
    Pool = pool("{keeper, start_link, [{args, common}]}"),
    Dirs = versions(Config, [Pool], "a", "a, b"),
    Sup = supervisor(Config, keeper_pool),
    [One, _Two] = [started(Config, Sup, [{args, N}]) || N <- [1, 2]],
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    Specs = [{keeper, start_link, [{args, common, undefined}]}, [{args, common, undefined}, {args, 1, undefined}]],
    ?assertEqual(Specs, [start(Config, Sup, keeper), dynamic(Config, Sup, One)]),
    Again = call(Config, ?MODULE, again, [{Sup, One}]),
    ?assertEqual([common, 1], call(Config, gen_server, call, [Again, get])),
    ?assertMatch(#{status := ok}, downgrade(Config, Dirs, lossy)),
    ?assertEqual([{args, common}, {args, 1}], dynamic(Config, Sup, Again)),
    Once = call(Config, ?MODULE, again, [{Sup, Again}]),
    ?assertEqual([common, 1], call(Config, gen_server, call, [Once, get])).

a_record_inside_and_a_start_function_of_another_module(Config) ->
    Dirs = versions(Config, "a", "a, b = 2"),
    Given = #{options => [{args, {args, inner}} | {args, outer}], args => {args, too, many, fields}},
    _ = child(Config, {gen_server, start_link, [keeper, Given, []]}),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    Converted = #{options => [{args, {args, inner, 2}, 2} | {args, outer, 2}], args => {args, too, many, fields}},
    ?assertEqual({gen_server, start_link, [keeper, Converted, []]}, start(Config, service_sup, one)).

%% The supervisor that is started so changes, too: its own argument and the one above it.
a_supervisor_above(Config) ->
    Keepers = fun(Fields) ->
        "-module(keepers).\n-behaviour(supervisor).\n-export([init/1]).\n-record(args, {" ++ Fields ++ "}).\n"
        "init(#args{a = A}) -> {ok, {#{}, [#{id => A, start => {gen_event, start_link, []}, modules => dynamic}]}}.\n"
    end,
    Dirs = service_fixture:versions(Config, [Keepers("a")], [Keepers("a, b")]),
    Start = {supervisor, start_link, [keepers, {args, bus}]},
    {ok, _} = service_fixture:start_child(Config, #{id => one, start => Start, type => supervisor, modules => [keepers]}),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({supervisor, start_link, [keepers, {args, bus, undefined}]}, start(Config, service_sup, one)),
    Again = again(Config, one),
    ?assertMatch([{bus, _, _, _}], call(Config, supervisor, which_children, [Again])).

%% What its own init/1 answers is right already, and what was added since is converted.
a_supervisor_that_changes_itself(Config) ->
    Pool = fun(Fields, Other) ->
        "-module(keeper_pool).\n-behaviour(supervisor).\n-export([start_link/0, init/1, other/0]).\n-record(args, {" ++ Fields ++ "}).\n"
        "start_link() -> supervisor:start_link({local, keeper_pool}, keeper_pool, []).\nother() -> " ++ Other ++ ".\n"
        "init([]) -> {ok, {#{}, [#{id => own, start => {keeper, start_link, [#args{a = own}]}}]}}.\n"
    end,
    Dirs = service_fixture:versions(
        Config, [keeper("a"), Pool("a", "1")], [keeper("a, b"), Pool("a, b = mine", "2")]
    ),
    Sup = supervisor(Config, keeper_pool),
    {ok, _} = call(Config, supervisor, start_child, [Sup, #{id => late, start => {keeper, start_link, [{args, late}]}}]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({keeper, start_link, [{args, own, mine}]}, start(Config, Sup, own)),
    ?assertEqual({keeper, start_link, [{args, late, undefined}]}, start(Config, Sup, late)).

%% A child that was stopped is started again later.
nobody_runs_the_module(Config) ->
    Dirs = versions(Config, "a", "a, b"),
    _ = child(Config, {keeper, start_link, [{args, five}]}),
    ok = call(Config, supervisor, terminate_child, [service_sup, one]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    {ok, Pid} = call(Config, supervisor, restart_child, [service_sup, one]),
    ?assertEqual(five, call(Config, gen_server, call, [Pid, get])).

a_failure_takes_them_back(Config) ->
    ok = call(Config, application, set_env, [erlrc, health_check, {erlang, error, [not_healthy]}]),
    Dirs = versions(Config, [pool("{keeper, start_link, []}")], "a", "a, b"),
    _ = child(Config, {keeper, start_link, [{args, five}]}),
    Sup = supervisor(Config, keeper_pool),
    One = started(Config, Sup, [{args, 1}]),
    Before = service_fixture:photograph(Config),
    #{status := failed, reason := Reason} = upgrade(Config, Dirs, fields),
    ?assertNotEqual(nomatch, string:find(Reason, "not_healthy")),
    service_fixture:still(Config, Before),
    ?assertEqual({keeper, start_link, [{args, five}]}, start(Config, service_sup, one)),
    ?assertEqual([{args, 1}], dynamic(Config, Sup, One)),
    ?assertEqual(five, call(Config, gen_server, call, [again(Config, one), get])).

%% One supervisor has got another child meanwhile: its state is converted back, and the other one is what it was.
a_held_upgrade_is_reverted(Config) ->
    Dirs = versions(Config, [pool("{keeper, start_link, []}")], "a", "a, b"),
    _ = child(Config, {keeper, start_link, [{args, five}]}),
    Sup = supervisor(Config, keeper_pool),
    One = started(Config, Sup, [{args, 1}]),
    Held = held(Config, Dirs),
    Two = started(Config, Sup, [{args, 2, new}]),
    ?assertEqual({keeper, start_link, [{args, five, undefined}]}, start(Config, service_sup, one)),
    ?assertMatch(#{status := ok, outcome := reverted}, revert(Config, Dirs, Held)),
    ?assertEqual({keeper, start_link, [{args, five}]}, start(Config, service_sup, one)),
    ?assertEqual([[{args, 1}], [{args, 2}]], [dynamic(Config, Sup, Pid) || Pid <- [One, Two]]).

without_the_option_it_is_foreseen(Config) ->
    Dirs = versions(Config, [pool("{keeper, start_link, []}")], "a", "a, b"),
    _ = child(Config, {keeper, start_link, [{args, five}]}),
    #{status := no_path, outcome := states_not_converted, reason := Reason} = upgrade(Config, Dirs, none),
    ?assertNotEqual(nomatch, string:find(Reason, "#args{} of keeper")),
    ?assertEqual({keeper, start_link, [{args, five}]}, start(Config, service_sup, one)).

a_lost_field_has_to_be_allowed(Config) ->
    Dirs = versions(Config, "a, b", "a"),
    _ = child(Config, {keeper, start_link, [{args, five, six}]}),
    ?assertMatch(#{status := no_path, outcome := states_not_converted}, upgrade(Config, Dirs, fields)),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, lossy)),
    ?assertEqual({keeper, start_link, [{args, five}]}, start(Config, service_sup, one)).

%% What the cases are made of.

versions(Config, Old, New) ->
    versions(Config, [], Old, New).

versions(Config, Modules, Old, New) ->
    service_fixture:versions(Config, [keeper(Old) | Modules], [keeper(New) | Modules]).

%% Its state is what it was started with, without the record.
keeper(Fields) ->
    "-module(keeper).\n-behaviour(gen_server).\n-export([start_link/1, start_link/2, init/1, handle_call/3, handle_cast/2]).\n"
    "-record(args, {" ++ Fields ++ "}).\n"
    "start_link(Args) -> gen_server:start_link(keeper, Args, []).\n"
    "start_link(Common, Args) -> gen_server:start_link(keeper, [Common, Args], []).\n"
    "init(#args{a = A}) -> {ok, A};\n"
    "init([#args{a = A}, #args{a = B}]) -> {ok, [A, B]};\n"
    "init(#{}) -> {ok, other}.\n"
    "handle_call(get, _, State) -> {reply, State, State}.\n"
    "handle_cast(_, State) -> {noreply, State}.\n".

pool(Start) ->
    "-module(keeper_pool).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
    "start_link() -> supervisor:start_link({local, keeper_pool}, keeper_pool, []).\n"
    "init([]) -> {ok, {#{strategy => simple_one_for_one, intensity => 10}, [#{id => keeper, start => " ++ Start ++ "}]}}.\n".

child(Config, Start) ->
    {ok, Pid} = service_fixture:start_child(Config, #{id => one, start => Start, modules => [keeper]}),
    Pid.

supervisor(Config, Module) ->
    {ok, Pid} = service_fixture:start_child(Config, service_fixture:child(Module, #{type => supervisor})),
    Pid.

started(Config, Sup, Arguments) ->
    {ok, Pid} = call(Config, supervisor, start_child, [Sup, Arguments]),
    Pid.

process(Config, Id) ->
    {Id, Pid, _, _} = lists:keyfind(Id, 1, call(Config, supervisor, which_children, [service_sup])),
    Pid.

%% The child is stopped and started with what its supervisor has.
again(Config, Id) ->
    ok = call(Config, supervisor, terminate_child, [service_sup, Id]),
    {ok, Pid} = call(Config, supervisor, restart_child, [service_sup, Id]),
    Pid.

%% @private The child is killed; answers the one that takes its place.
-spec again({pid(), pid()}) -> pid().
again({Sup, Child}) ->
    Others = children(Sup) -- [Child],
    exit(Child, kill),
    replaced(Sup, Child, Others).

replaced(Sup, Child, Others) ->
    case children(Sup) of
        Children when length(Children) > length(Others) ->
            case lists:member(Child, Children) of
                true -> replaced(Sup, Child, Others);
                false -> hd(Children -- Others)
            end
    end.

children(Sup) -> [Pid || {_, Pid, _, _} <- supervisor:which_children(Sup), is_pid(Pid)].

start(Config, Sup, Id) ->
    {ok, #{start := Start}} = call(Config, supervisor, get_childspec, [Sup, Id]),
    Start.

%% With what a child of a simple_one_for_one supervisor was started.
dynamic(Config, Sup, Pid) ->
    {maps, #{Pid := Arguments}} = element(5, call(Config, sys, get_state, [Sup])),
    Arguments.
