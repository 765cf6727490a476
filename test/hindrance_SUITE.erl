%% @doc What cannot be carried over while an application runs is refused, by the plan and by the upgrade alike, and the node
%% is as it was.
-module(hindrance_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1, finding/2]).
-import(service_fixture, [versions/4, versions/3, child/1, child/2, call/4, photograph/1, still/2, server/2, supervisor/1]).
-import(service_fixture, [upgrade/2]).

all() ->
    [
        renamed_start_module,
        worker_module_of_a_pool,
        unsupervised_process,
        removed_with_its_child,
        removed_with_the_supervisor_above,
        to_simple_one_for_one,
        from_simple_one_for_one,
        children_of_run_time
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

%% The plan names it, the upgrade refuses, a package's policy may restart.
refused(Config, {Old, New} = Dirs, Kind, Tag) ->
    %% What is listed is loaded before anything else.
    ok = call(Config, erlrc_node, load_modules, [service]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertMatch(#{severity := error, verdict := restart_application}, finding(Kind, Answer)),
    {error, Reason} = upgrade(Config, Dirs),
    ?assertEqual(Tag, element(1, Reason)),
    Request = #{
        protocol => 1, operation => upgrade, application => service, from => <<"1">>, to => <<"2">>,
        from_dir => list_to_binary(Old), to_dir => list_to_binary(New)
    },
    ?assertMatch(#{status := no_path, outcome := Tag}, call(Config, erlrc_hook, request, [Request])),
    ?assertMatch(#{status := no_path, outcome := Tag}, call(Config, erlrc_hook, request, [Request#{dry_run => true}])),
    still(Config, Before),
    finding(Kind, Answer).

top(Children) -> [supervisor(Children)].

renamed_start_module(Config) ->
    Child = fun(Module) -> #{id => w, start => {Module, start_link, []}} end,
    Dirs = versions(Config, [server(old_w, 1) | top([Child(old_w)])], [server(new_w, 2) | top([Child(new_w)])], []),
    #{subject := <<"old_w">>, text := Text} = refused(Config, Dirs, removed_module_in_use, removed_module_in_use),
    ?assertNotEqual(nomatch, binary:match(Text, <<"old_w (<">>)),
    ?assertEqual(1, call(Config, gen_server, call, [old_w, next])).

worker_module_of_a_pool(Config) ->
    Pool = fun(Module) ->
        lists:flatten(io_lib:format(
            "-module(pool).~n-behaviour(supervisor).~n-export([start_link/0, init/1]).~n"
            "start_link() -> supervisor:start_link({local, pool}, pool, []).~n"
            "init([]) -> {ok, {{simple_one_for_one, 5, 10}, [{w, {~p, start_link, []}, temporary, 1000, worker, [~p]}]}}.~n",
            [Module, Module]
        ))
    end,
    Dirs = versions(
        Config, [server(old_w, 1), Pool(old_w)], [server(new_w, 2), Pool(new_w)], [child(pool, #{type => supervisor})]
    ),
    {ok, _} = call(Config, supervisor, start_child, [pool, [a]]),
    {ok, _} = call(Config, supervisor, start_child, [pool, [b]]),
    ?assertMatch(#{details := #{count := 2}}, refused(Config, Dirs, removed_module_in_use, removed_module_in_use)).

unsupervised_process(Config) ->
    Dirs = versions(Config, [server(old_w, 1)], []),
    {ok, _} = call(Config, old_w, start, []),
    refused(Config, Dirs, removed_module_in_use, removed_module_in_use).

%% Its supervisor specifies it no longer: the upgrade stops it.
removed_with_its_child(Config) ->
    Dirs = versions(Config, [server(old_w, 1) | top([child(old_w), child(service_server)])], top([child(service_server)]), []),
    ?assertEqual([], [Kind || {Kind, error} <- kinds(plan(Config, Dirs))]),
    ?assertMatch({ok, _}, upgrade(Config, Dirs)),
    ?assertEqual(undefined, call(Config, erlang, whereis, [old_w])).

removed_with_the_supervisor_above(Config) ->
    Below = supervisor_source(below, "{one_for_one, 5, 10}", [child(old_w)]),
    Dirs = versions(
        Config, [server(old_w, 1), Below | top([child(below, #{type => supervisor})])], top([]), []
    ),
    ?assertEqual([], [Kind || {Kind, error} <- kinds(plan(Config, Dirs))]),
    ?assertMatch({ok, _}, upgrade(Config, Dirs)),
    ?assertEqual(undefined, call(Config, erlang, whereis, [old_w])).

supervisor_source(Module, Flags, Children) ->
    lists:flatten(io_lib:format(
        "-module(~p).~n-behaviour(supervisor).~n-export([start_link/0, init/1]).~n"
        "start_link() -> supervisor:start_link({local, ~p}, ~p, []).~ninit([]) -> {ok, {~s, ~p}}.~n",
        [Module, Module, Module, Flags, Children]
    )).

strategy(Config, From, To) ->
    Children = [child(one, #{restart => temporary})],
    Sup = fun(Flags) -> supervisor_source(extra_sup, Flags, Children) end,
    Dirs = versions(
        Config, [server(one, 1), Sup(From)], [server(one, 1), Sup(To)], [child(extra_sup, #{type => supervisor})]
    ),
    #{text := Text} = refused(Config, Dirs, supervisor_strategy_changed, supervisor_strategy),
    [?assertNotEqual(nomatch, binary:match(Text, Word)) || Word <- [<<"one_for_one">>, <<"simple_one_for_one">>, <<"extra_sup">>]].

to_simple_one_for_one(Config) ->
    strategy(Config, "{one_for_one, 5, 10}", "#{strategy => simple_one_for_one}").

from_simple_one_for_one(Config) ->
    strategy(Config, "#{strategy => simple_one_for_one}", "{one_for_one, 5, 10}").

%% What was added by hand stays, what was deleted by hand is not started: the plan says neither.
children_of_run_time(Config) ->
    Sup = fun(Flags) -> supervisor_source(extra_sup, Flags, [child(one), child(two)]) end,
    Servers = [server(Name, 1) || Name <- [one, two, three]],
    Dirs = versions(
        Config, [Sup("{one_for_one, 5, 10}") | Servers], [Sup("{one_for_one, 6, 10}") | Servers],
        [child(extra_sup, #{type => supervisor})]
    ),
    {ok, _} = call(Config, supervisor, start_child, [extra_sup, child(three)]),
    ok = call(Config, supervisor, terminate_child, [extra_sup, two]),
    ok = call(Config, supervisor, delete_child, [extra_sup, two]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ?assertMatch({ok, _}, upgrade(Config, Dirs)),
    Ids = [Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [extra_sup]), is_pid(Pid)],
    ?assertEqual([one, three], lists:sort(Ids)).
