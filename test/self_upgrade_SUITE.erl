%% @doc erlrc upgrades itself, the native library included: two releases of it on a real node.
-module(self_upgrade_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([init_per_testcase/2, end_per_testcase/2]).
-export([
    loading_the_module_replaces_the_library/1,
    release_handler_goes_up_and_down/1,
    running_call_outlives_its_library/1,
    release_without_its_library_is_refused/1,
    erlrc_upgrades_itself_and_back_twice/1,
    waiting_operation_is_done_by_the_new_release/1,
    unchanged_release_keeps_its_library/1
]).
%% Called on the peer.
-export([call_during/2, queued/3, stale/1]).

-spec suite() -> [tuple()].
suite() ->
    [{timetrap, {minutes, 10}}].

-spec all() -> [term()].
all() ->
    [{group, library}, {group, release_handler}, {group, transactional}].

-spec groups() -> [tuple()].
groups() ->
    Whole = [
        erlrc_upgrades_itself_and_back_twice,
        waiting_operation_is_done_by_the_new_release,
        unchanged_release_keeps_its_library
    ],
    [
        {library, [], [
            loading_the_module_replaces_the_library,
            release_handler_goes_up_and_down,
            running_call_outlives_its_library,
            release_without_its_library_is_refused
        ]},
        {release_handler, [], Whole},
        {transactional, [], Whole}
    ].

%% The later release differs from the earlier one in every single module.
init_per_suite(Config) ->
    Lib = proplists:get_value(priv_dir, Config),
    Next = project:copy("next", project:next_vsn()),
    [change(File) || File <- filelib:wildcard(filename:join(Next, "erlang/src/**/*.erl"))],
    project:build(Next),
    Later = project:release(Next, Lib),
    Earlier = project:release(project:root(), Lib),
    [{earlier, Earlier}, {later, Later} | Config].

change(File) ->
    {ok, Source} = file:read_file(File),
    Changed = re:replace(Source, "^(-module.*)$", "\\1\n-export([later/0]).", [multiline]),
    ok = file:write_file(File, [Changed, "\n-spec later() -> true.\nlater() -> true.\n"]).

end_per_suite(_Config) ->
    ok.

init_per_group(library, Config) ->
    Load = {load_module, erlrc_engine},
    Appup = {project:next_vsn(), [{project:vsn(), [Load]}], [{project:vsn(), [Load]}]},
    ok = file:write_file(appup(Config), io_lib:format("~tp.~n", [Appup])),
    [{args, []} | Config];
init_per_group(Evaluator, Config) ->
    _ = file:delete(appup(Config)),
    [{args, ["-erlrc", "evaluator", atom_to_list(Evaluator)]} | Config].

end_per_group(_Group, _Config) ->
    ok.

appup(Config) ->
    filename:join(ebin(proplists:get_value(later, Config)), "erlrc.appup").

init_per_testcase(Case, Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
    Paths = [ebin(proplists:get_value(earlier, Config)), filename:dirname(code:which(?MODULE))],
    Unset = [{Name, ""} || Name <- ["ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS"]],
    {ok, Peer, _} = peer:start_link(#{
        name => peer:random_name(),
        connection => standard_io,
        exec => {fixture:erl(), []},
        args => ["-boot", "start_sasl" | lists:append([["-pa", Path] || Path <- Paths])] ++
            proplists:get_value(args, Config),
        env => [{"ERLRC_ROOT", fixture:root(Dir)}, {"ERLRC_RUN", Dir}, {"ERLRC_APPS", Dir} | Unset]
    }),
    ?assertEqual(project:vsn(), fixture:call(Peer, erlrc_engine, vsn, [])),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(proplists:get_value(peer, Config)).

loading_the_module_replaces_the_library(Config) ->
    [
        begin
            ok = load(Config, Release),
            ?assertEqual(Vsn, engine(Config, vsn, [])),
            ?assertEqual({ok, Vsn}, engine(Config, round_trip, [Vsn])),
            ?assert(node_call(Config, code, soft_purge, [erlrc_engine]))
        end
     || {Release, Vsn} <- there_and_back()
    ].

release_handler_goes_up_and_down(Config) ->
    {ok, _} = node_call(Config, application, ensure_all_started, [erlrc]),
    [
        begin
            ?assertEqual({ok, []}, release_handler(Config, Release)),
            ?assertEqual(Vsn, engine(Config, vsn, [])),
            ?assertEqual({ok, Vsn}, node_call(Config, application, get_key, [erlrc, vsn]))
        end
     || {Release, Vsn} <- there_and_back()
    ].

there_and_back() ->
    Round = [{later, project:next_vsn()}, {earlier, project:vsn()}],
    Round ++ Round.

running_call_outlives_its_library(Config) ->
    Later = proplists:get_value(later, Config),
    ?assertEqual(
        {ok, project:next_vsn(), true, true},
        node_call(Config, ?MODULE, call_during, [ebin(Later), 400])
    ),
    ?assertEqual(project:next_vsn(), engine(Config, vsn, [])).

release_without_its_library_is_refused(Config) ->
    Bare = filename:join([proplists:get_value(priv_dir, Config), "bare", "erlrc-9", "ebin"]),
    Beam = filename:join(Bare, "erlrc_engine.beam"),
    ok = filelib:ensure_dir(Beam),
    {ok, _} = file:copy(filename:join(ebin(proplists:get_value(later, Config)), "erlrc_engine.beam"), Beam),
    true = node_call(Config, code, add_patha, [Bare]),
    ?assertEqual({error, on_load_failure}, node_call(Config, code, load_file, [erlrc_engine])),
    ?assertEqual(project:vsn(), engine(Config, vsn, [])).

%% The whole of erlrc, carried out by erlrc: its server keeps its process, an application that it has started
%% keeps its state, and what is loaded afterwards is what is on disk.
erlrc_upgrades_itself_and_back_twice(Config) ->
    {One, _} = service(Config),
    started = node_call(Config, erlrcdynamic, start, [svc, "1", One]),
    Kept = [node_call(Config, erlang, whereis, [Name]) || Name <- [erlrc_sup, erlrc_operations, svc_server]],
    [
        begin
            ?assertMatch({ok, _}, move(Config, Release)),
            ?assertEqual([], node_call(Config, ?MODULE, stale, [proplists:get_value(Release, Config)])),
            ?assertEqual(Vsn, engine(Config, vsn, [])),
            ?assertEqual({ok, Vsn}, node_call(Config, application, get_key, [erlrc, vsn])),
            ?assertEqual(N, node_call(Config, gen_server, call, [svc_server, next]))
        end
     || {N, {Release, Vsn}} <- lists:zip(lists:seq(1, 4), there_and_back())
    ],
    ?assertEqual(Kept, [node_call(Config, erlang, whereis, [Name]) || Name <- [erlrc_sup, erlrc_operations, svc_server]]).

waiting_operation_is_done_by_the_new_release(Config) ->
    {One, Two} = service(Config),
    started = node_call(Config, erlrcdynamic, start, [svc, "1", One]),
    1 = node_call(Config, gen_server, call, [svc_server, next]),
    [
        begin
            Self = arguments(Config, Release),
            ?assertMatch([{ok, _}, {ok, _}], node_call(Config, ?MODULE, queued, [Self, Direction, {One, Two}])),
            ?assertEqual(Vsn, engine(Config, vsn, [])),
            ?assertEqual(Version, node_call(Config, gen_server, call, [svc_server, version]))
        end
     || {{Release, Vsn}, {Direction, Version}} <-
            lists:zip(there_and_back(), [{upgrade, 2}, {downgrade, 1}, {upgrade, 2}, {downgrade, 1}])
    ],
    2 = node_call(Config, gen_server, call, [svc_server, next]).

%% Between two releases that differ in their version alone, nothing is loaded.
unchanged_release_keeps_its_library(Config) ->
    Earlier = proplists:get_value(earlier, Config),
    Same = filename:join(proplists:get_value(dir, Config), "erlrc-0.1.99"),
    project:run(proplists:get_value(priv_dir, Config), "mkdir -p '" ++ Same ++ "' && cp -Rp '" ++ Earlier ++ "'/* '" ++
        Same ++ "' && sed -i.old 's/{vsn,\".*\"}/{vsn,\"0.1.99\"}/' '" ++ Same ++ "'/ebin/erlrc.app", []),
    {ok, _} = node_call(Config, application, ensure_all_started, [erlrc]),
    ?assertEqual(
        {ok, []},
        node_call(Config, erlrcdynamic, upgrade, [erlrc, project:vsn(), "0.1.99", Earlier, Same])
    ),
    ?assertEqual({ok, "0.1.99"}, node_call(Config, application, get_key, [erlrc, vsn])),
    ?assertEqual(false, node_call(Config, erlang, check_old_code, [erlrc_engine])),
    ?assertEqual({ok, a}, engine(Config, round_trip, [a])).

move(Config, Release) ->
    {Function, Arguments} = arguments(Config, Release),
    node_call(Config, erlrcdynamic, Function, Arguments).

arguments(Config, Release) ->
    Dirs = [proplists:get_value(Key, Config) || Key <- [earlier, later]],
    Function = maps:get(Release, #{later => upgrade, earlier => downgrade}),
    {Function, [erlrc, project:vsn(), project:next_vsn() | Dirs]}.

%% Two versions of an application with a server that counts.
service(Config) ->
    Build = fun(Vsn, Version) ->
        fixture:application(proplists:get_value(dir, Config), svc, Vsn, #{
            modules => [
                fixture:callback_module(svc_app, svc_sup),
                fixture:supervisor_module(svc_sup, [#{id => s, start => {svc_server, start_link, []}}]),
                fixture:server_module(svc_server, Version)
            ],
            app => [{mod, {svc_app, []}}]
        })
    end,
    {Build("1", 1), Build("2", 2)}.

%% The upgrade of erlrc and behind it, while it runs, one of the service.
queued({Function, Arguments}, Direction, {One, Two}) ->
    Ask = fun(Name, Args) -> spawn_monitor(fun() -> exit(apply(erlrcdynamic, Name, Args)) end) end,
    First = Ask(Function, Arguments),
    ok = fixture:wait_until(fun() -> erlrc_operations:status() =/= idle end),
    Second = Ask(Direction, [svc, "1", "2", One, Two]),
    [receive {'DOWN', Ref, process, Pid, Answer} -> Answer end || {Pid, Ref} <- [First, Second]].

%% The modules of erlrc whose loaded code is not that in `Dir'.
stale(Dir) ->
    [
        Module
     || File <- filelib:wildcard(filename:join([Dir, "ebin", "*.beam"])),
        {ok, {Module, Md5}} <- [beam_lib:md5(File)],
        code:is_loaded(Module) =:= false orelse Module:module_info(md5) =/= Md5
    ].

%% Loads the module from `Ebin' while a long call runs. Answers the result of the load, the version after
%% it, whether the call was still running then, and whether it brought the right answer in the end.
call_during(Ebin, Size) ->
    Term = lists:duplicate(Size, lists:seq(-10000, -1)),
    {Pid, Ref} = spawn_monitor(fun() -> exit({ok, Term} =:= erlrc_engine:round_trip(Term)) end),
    ok = fixture:wait_until(fun() ->
        {current_function, {erlrc_engine, round_trip, 1}} =:= process_info(Pid, current_function)
    end),
    true = code:add_patha(Ebin),
    {module, erlrc_engine} = code:load_file(erlrc_engine),
    Vsn = erlrc_engine:vsn(),
    Running = is_process_alive(Pid) andalso not code:soft_purge(erlrc_engine),
    receive
        {'DOWN', Ref, process, Pid, Right} -> {ok, Vsn, Running, Right}
    end.

load(Config, Release) ->
    Ebin = ebin(proplists:get_value(Release, Config)),
    File = filename:join(Ebin, "erlrc_engine.beam"),
    {ok, Beam} = file:read_file(File),
    true = node_call(Config, code, replace_path, [erlrc, Ebin]),
    {module, erlrc_engine} = node_call(Config, code, load_binary, [erlrc_engine, File, Beam]),
    ok.

release_handler(Config, later) ->
    node_call(Config, release_handler, upgrade_app, [erlrc, proplists:get_value(later, Config)]);
release_handler(Config, earlier) ->
    Earlier = proplists:get_value(earlier, Config),
    node_call(Config, release_handler, downgrade_app, [erlrc, project:vsn(), Earlier]).

engine(Config, Function, Arguments) ->
    node_call(Config, erlrc_engine, Function, Arguments).

node_call(Config, Module, Function, Arguments) ->
    fixture:call(proplists:get_value(peer, Config), Module, Function, Arguments).

ebin(Dir) ->
    filename:join(Dir, "ebin").
