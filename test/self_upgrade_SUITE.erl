%% @doc erlrc upgrades itself, the native library included: two releases of it on a real node.
-module(self_upgrade_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    loading_the_module_replaces_the_library/1,
    release_handler_goes_up_and_down/1,
    running_call_outlives_its_library/1,
    release_without_its_library_is_refused/1
]).
%% Called on the peer.
-export([call_during/2]).

-spec suite() -> [tuple()].
suite() ->
    [{timetrap, {minutes, 10}}].

-spec all() -> [atom()].
all() ->
    [
        loading_the_module_replaces_the_library,
        release_handler_goes_up_and_down,
        running_call_outlives_its_library,
        release_without_its_library_is_refused
    ].

init_per_suite(Config) ->
    Lib = proplists:get_value(priv_dir, Config),
    Later = project:release(project:copy("next", project:next_vsn()), Lib),
    Earlier = project:release(project:root(), Lib),
    Appup = {project:next_vsn(), [{project:vsn(), [{load_module, erlrc_engine}]}],
        [{project:vsn(), [{load_module, erlrc_engine}]}]},
    ok = file:write_file(filename:join(Later, "ebin/erlrc.appup"), io_lib:format("~tp.~n", [Appup])),
    [{earlier, Earlier}, {later, Later} | Config].

end_per_suite(_Config) ->
    ok.

init_per_testcase(_Case, Config) ->
    Paths = [ebin(proplists:get_value(earlier, Config)), filename:dirname(code:which(?MODULE))],
    {ok, Peer, _} = peer:start_link(#{
        name => peer:random_name(),
        connection => standard_io,
        exec => {fixture:erl(), []},
        args => ["-boot", "start_sasl" | lists:append([["-pa", Path] || Path <- Paths])],
        env => [{"ERL_AFLAGS", ""}, {"ERL_FLAGS", ""}, {"ERL_ZFLAGS", ""}]
    }),
    ?assertEqual(project:vsn(), fixture:call(Peer, erlrc_engine, vsn, [])),
    [{peer, Peer} | Config].

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
