%% @doc Included applications on a real node: whatever is asked for in whichever order, the
%% invariants hold and application_controller agrees with the plan.
-module(inclusion_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(boot_support, [
    install/3, failing/3, enlist/2, ebin/2, node_of/1, node_of/2, finish/2, call/4, boot/1, started/1,
    invariants/1, capture_log/1, logged/2
]).

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    running_application_is_taken_in/1,
    failed_includer_gives_back_what_it_took_in/1,
    stopped_includer_gives_back_what_it_took_in/1,
    what_an_includer_starts_itself_runs_on/1,
    what_would_be_stopped_is_named/1,
    random_sequences_keep_the_invariants/1
]).

-define(ROUNDS, 40).
-define(APPLICATIONS, 8).
-define(OPERATIONS, 12).

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), Case =/= module_info].

-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(Case, Config) ->
    boot_support:directories(Case, Config).

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

%% foo runs, baz needs it; then bar, which includes foo, is installed and the node booted again.
-spec running_application_is_taken_in(list()) -> ok.
running_application_is_taken_in(Config) ->
    Peer = foo_and_baz(Config),
    install(Config, bar, [{included_applications, [foo]}]),
    enlist(Config, [bar]),
    true = call(Peer, code, add_pathz, [ebin(Config, "bar-1.0")]),
    ?assertEqual(ok, boot(Peer)),
    %% baz was not disturbed.
    ?assertEqual([baz, bar], started(Peer)),
    ?assertEqual([bar, kernel, stdlib], applications(Peer, baz)),
    finish(Config, Peer).

-spec failed_includer_gives_back_what_it_took_in(list()) -> ok.
failed_includer_gives_back_what_it_took_in(Config) ->
    Peer = foo_and_baz(Config),
    failing(Config, bar, [{included_applications, [foo]}]),
    enlist(Config, [bar]),
    true = call(Peer, code, add_pathz, [ebin(Config, "bar-1.0")]),
    ?assertMatch({error, {start_failed, bar, _}}, boot(Peer)),
    ?assertEqual([baz, foo], started(Peer)),
    ?assertEqual([foo, kernel, stdlib], applications(Peer, baz)),
    finish(Config, Peer).

-spec stopped_includer_gives_back_what_it_took_in(list()) -> ok.
stopped_includer_gives_back_what_it_took_in(Config) ->
    install(Config, bar, [{included_applications, [foo]}]),
    enlist(Config, [bar]),
    install(Config, foo, []),
    install(Config, baz, [{applications, [kernel, stdlib, foo]}]),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([bar], started(Peer)),
    ?assertEqual(stopped_included_started, call(Peer, erlrcdynamic, stop, [bar, "1.0"])),
    ?assertEqual([foo], started(Peer)),
    Dir = filename:dirname(ebin(Config, "bar-1.0")),
    ?assertEqual(started_included_stopped, call(Peer, erlrcdynamic, start, [bar, "1.0", Dir])),
    ?assertEqual([bar], started(Peer)),
    finish(Config, Peer).

%% top includes both and starts both itself, as OTP allows.
-spec what_an_includer_starts_itself_runs_on(list()) -> ok.
what_an_includer_starts_itself_runs_on(Config) ->
    Lib = proplists:get_value(dir, Config),
    Dirs = [
        {App, [fixture:application(Lib, App, Vsn, Options) || {Vsn, Options} <- versions(App)]}
     || App <- [top, inc1, inc2]
    ],
    Peer = node_of(Config),
    [true = call(Peer, code, add_pathz, [filename:join(Old, "ebin")]) || {_, [Old, _]} <- Dirs],
    ok = call(Peer, application, load, [top]),
    {ok, _} = call(Peer, application, ensure_all_started, [top]),
    Running = [call(Peer, erlang, whereis, [Name]) || Name <- [top_sup, inc1_sup, inc2_sup]],
    ?assertNot(lists:member(undefined, Running)),
    [
        begin
            ?assertMatch({App, {ok, #{findings := []}}}, {App, change(Peer, live_plan, upgrade, App, Old, New)}),
            ?assertMatch({App, {ok, _}}, {App, call(Peer, erlrcdynamic, upgrade, [App, "1.0", "1.1", Old, New])}),
            ?assertMatch({App, {ok, _}}, {App, call(Peer, erlrcdynamic, downgrade, [App, "1.0", "1.1", Old, New])}),
            ?assertEqual({App, Running}, {App, [call(Peer, erlang, whereis, [Name]) || Name <- [top_sup, inc1_sup, inc2_sup]]})
        end
     || {App, [Old, New]} <- Dirs
    ],
    ?assertEqual([inc1, inc2, top], lists:sort(started(Peer))),
    ok = fixture:stop_node(Peer).

%% One, two and none of three that run become included by a change: these are stopped, as the plan has said, and no other.
-spec what_would_be_stopped_is_named(list()) -> ok.
what_would_be_stopped_is_named(Config) ->
    Parts = [one, two, three],
    [install(Config, App, []) || App <- Parts],
    enlist(Config, Parts),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    [becomes_included(Config, Peer, Holder, Included) || {Holder, Included} <- [{first, [one]}, {second, [three, two]}, {third, []}]],
    ok = fixture:stop_node(Peer).

becomes_included(Config, Peer, Holder, Included) ->
    [Old, New] = [
        fixture:application(proplists:get_value(dir, Config), Holder, Vsn, #{
            modules => [service_fixture:plain(Holder, Version)], app => [{included_applications, Apps}]
        })
     || {Version, Vsn, Apps} <- [{1, "1.0", []}, {2, "1.1", Included}]
    ],
    started = call(Peer, erlrcdynamic, start, [Holder, "1.0", Old]),
    Running = lists:sort(started(Peer)),
    ?assertEqual(Included, stops(change(Peer, live_plan, upgrade, Holder, Old, New))),
    ?assertEqual(Running, lists:sort(started(Peer))),
    {ok, _} = call(Peer, erlrcdynamic, upgrade, [Holder, "1.0", "1.1", Old, New]),
    ?assertEqual(Running -- Included, lists:sort(started(Peer))),
    %% The way back starts them: they are registered.
    Back = #{operation => downgrade, application => Holder, from => "1.1", to => "1.0", from_dir => New, to_dir => Old},
    ?assertEqual([], stops(call(Peer, erlrcdynamic, live_plan, [Back]))),
    {ok, _} = call(Peer, erlrcdynamic, downgrade, [Holder, "1.0", "1.1", Old, New]),
    ?assertEqual(Running, lists:sort(started(Peer))).

stops({ok, #{findings := Findings}}) ->
    lists:sort([binary_to_atom(Subject) || #{kind := application_stopped, subject := Subject} <- Findings]).

change(Peer, Function, Operation, App, Old, New) ->
    Request = #{operation => Operation, application => App, from => "1.0", to => "1.1", from_dir => Old, to_dir => New},
    call(Peer, erlrcdynamic, Function, [Request]).

versions(App) ->
    Name = fun(Suffix) -> list_to_atom(atom_to_list(App) ++ Suffix) end,
    Included = case App of top -> [{included_applications, [inc1, inc2]}]; _ -> [] end,
    Start = case App of top -> "ok = application:start(inc1), ok = application:start(inc2), "; _ -> "" end,
    Callback = lists:flatten(string:replace(
        fixture:callback_module(Name("_app"), Name("_sup")), "start(_, _) -> ", "start(_, _) -> " ++ Start
    )),
    [
        {Vsn, #{
            modules => [
                Callback,
                fixture:supervisor_module(Name("_sup"), []),
                service_fixture:plain(Name("_lib"), Version)
            ],
            app => [{mod, {Name("_app"), []}} | Included]
        }}
     || {Version, Vsn} <- [{1, "1.0"}, {2, "1.1"}]
    ].

foo_and_baz(Config) ->
    install(Config, foo, []),
    install(Config, baz, [{applications, [kernel, stdlib, foo]}]),
    enlist(Config, [baz, foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo, baz], started(Peer)),
    Peer.

applications(Peer, App) ->
    {ok, Applications} = call(Peer, application, get_key, [App, applications]),
    lists:sort(Applications).

%%% Random graphs, random sequences

-spec random_sequences_keep_the_invariants(list()) -> ok.
random_sequences_keep_the_invariants(Config) ->
    Seed = list_to_integer(os:getenv("CT_SEED", integer_to_list(rand:uniform(1000000)))),
    ct:pal("seed ~p", [Seed]),
    _ = rand:seed(exsss, {Seed, 1, 1}),
    Peer = node_of(Config, #{path => []}),
    Booted = [round(Config, Peer, Round) || Round <- lists:seq(1, ?ROUNDS)],
    %% Circles are refused; most graphs have none.
    ?assert(length([ok || ok <- Booted]) > ?ROUNDS div 3),
    ok = fixture:stop_node(Peer).

%% Libraries only: nothing has to be compiled.
round(Config, Peer, Round) ->
    Apps = [name(Round, N) || N <- lists:seq(1, ?APPLICATIONS)],
    Dir = filename:join(proplists:get_value(dir, Config), integer_to_list(Round)),
    Dirs = maps:from_list(graph(Dir, Apps)),
    Root = fixture:root(Dir),
    Registered = [App || App <- Apps, rand:uniform(3) > 1],
    [ok = fixture:register(Root, App) || App <- Registered],
    true = call(Peer, os, putenv, ["ERLRC_ROOT", Root]),
    [true = call(Peer, code, add_pathz, [filename:join(D, "ebin")]) || D <- maps:values(Dirs)],
    Result = boot(Peer),
    checked(Peer, Result, []),
    Result =:= ok andalso ?assertEqual([], Registered -- counted(Peer)),
    [operation(Peer, Apps, Dirs) || _ <- lists:seq(1, ?OPERATIONS)],
    [ok = call(Peer, application, stop, [App]) || App <- lists:reverse(started(Peer))],
    case Result of
        ok -> ok;
        {error, {Tag, _, _}} when Tag =:= circular_dependency -> Tag
    end.

operation(Peer, Apps, Dirs) ->
    App = lists:nth(rand:uniform(length(Apps)), Apps),
    Before = started(Peer),
    Result =
        case rand:uniform(5) of
            1 -> boot(Peer);
            2 -> call(Peer, erlrcdynamic, stop, [App, "1.0"]);
            3 -> call(Peer, erlrcdynamic, stop, [App, "1.0"]);
            _ -> call(Peer, erlrcdynamic, start, [App, "1.0", map_get(App, Dirs)])
        end,
    checked(Peer, Result, Before).

%% After every answer the invariants hold, after an error nothing has changed.
checked(Peer, Result, Before) ->
    invariants(Peer),
    case Result of
        {error, Reason} -> ?assertEqual({Reason, Before}, {Reason, started(Peer)});
        _ -> ok
    end.

%% What runs, and what is included in it.
counted(Peer) ->
    lists:flatmap(fun(App) -> [App | boot_support:parts(Peer, App)] end, started(Peer)).

%% An application needs some of those before it and includes some that nobody else does.
graph(Dir, Apps) ->
    {Graph, _, _} = lists:foldl(
        fun(App, {Acc, Earlier, Free}) ->
            Included = some(4, Free),
            Needed = some(3, Earlier -- Included),
            Keys = [
                {applications, [kernel, stdlib | Needed]}, {included_applications, Included}
            ],
            AppDir = fixture:application(filename:join(Dir, "lib"), App, "1.0", #{app => Keys}),
            {[{App, AppDir} | Acc], [App | Earlier], [App | Free -- Included]}
        end,
        {[], [], []},
        Apps
    ),
    Graph.

some(OneIn, List) ->
    [Element || Element <- List, rand:uniform(OneIn) =:= 1].

name(Round, N) ->
    list_to_atom("r" ++ integer_to_list(Round) ++ "_" ++ integer_to_list(N)).
