%% @doc The suite of a project that has erlrc as a dependency: it upgrades an application on its own node.
-module(shop_SUITE).

-export([all/0, counter_survives_the_upgrade/1]).

all() ->
    [counter_survives_the_upgrade].

counter_survives_the_upgrade(Config) ->
    Lib = proplists:get_value(priv_dir, Config),
    [One, Two] = [application(Lib, Vsn) || Vsn <- ["1", "2"]],
    started = erlrcdynamic:start(till, "1", One),
    Till = whereis(till),
    {"1", 1} = gen_server:call(till, sell),
    {ok, _} = erlrcdynamic:upgrade(till, "1", "2", One, Two),
    {"2", 2} = gen_server:call(till, sell),
    {ok, _} = erlrcdynamic:downgrade(till, "1", "2", One, Two),
    {"1", 3} = gen_server:call(till, sell),
    Till = whereis(till),
    stopped = erlrcdynamic:stop(till, "1"),
    unloaded = erlrcdynamic:unload(till, "1", One).

application(Lib, Vsn) ->
    Dir = filename:join(Lib, "till-" ++ Vsn),
    Source = filename:join([Dir, "src", "till.erl"]),
    Ebin = filename:join(Dir, "ebin"),
    ok = filelib:ensure_dir(Source),
    ok = filelib:ensure_path(Ebin),
    ok = file:write_file(Source, [
        "-module(till).\n-behaviour(gen_server).\n-behaviour(supervisor).\n"
        "-export([start/2, stop/1, start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n"
        "start(_, _) -> supervisor:start_link(?MODULE, supervisor).\n"
        "stop(_) -> ok.\n"
        "start_link() -> gen_server:start_link({local, till}, ?MODULE, server, []).\n"
        "init(supervisor) -> {ok, {#{}, [#{id => till, start => {till, start_link, []}}]}};\n"
        "init(server) -> {ok, 0}.\n"
        "handle_call(sell, _, N) -> {reply, {\"", Vsn, "\", N + 1}, N + 1}.\n"
        "handle_cast(_, N) -> {noreply, N}.\n"
        "code_change(_, N, _) -> {ok, N}.\n"
    ]),
    {ok, till} = compile:file(Source, [{outdir, Ebin}, debug_info, nowarn_conflicting_behaviours]),
    Keys = [{vsn, Vsn}, {modules, [till]}, {registered, [till]}, {applications, [kernel, stdlib]}, {mod, {till, []}}],
    ok = file:write_file(filename:join(Ebin, "till.app"), io_lib:format("~p.~n", [{application, till, Keys}])),
    Dir.
