%% @doc Several applications of one node go up and down, are reloaded, held, confirmed and reverted at random, while clients
%% send numbered requests and faults strike at random moments. After each operation every application is entirely the old
%% or entirely the new version, and the answer says which. `ERLRC_CHAOS_SECONDS' says how long (default 120),
%% `CT_SEED' repeats the choices of a run.
-module(chaos_system_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_testcase/2, end_per_testcase/2, entirely_old_or_entirely_new/1]).

%% Common Test's own limit is half an hour.
suite() ->
    [{timetrap, {seconds, seconds() + 600}}].

all() ->
    [entirely_old_or_entirely_new].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

entirely_old_or_entirely_new(Config) ->
    Lib = ?config(dir, Config),
    Dirs = maps:from_list([{App, {version(Lib, App, 1), version(Lib, App, 2)}} || App <- chaos:applications()]),
    Seconds = seconds(),
    Seed = list_to_integer(os:getenv("CT_SEED", integer_to_list(rand:uniform(1000000)))),
    ct:pal("seed ~p", [Seed]),
    Peer = ?config(peer, Config),
    {Report, Wrong} = peer:call(Peer, chaos, run, [Dirs, Seconds, Seed], infinity),
    Line = io_lib:format("chaos, seed ~p: ~ts~n", [Seed, chaos:text(Report)]),
    ct:pal("~ts", [Line]),
    ok = file:write_file(filename:join(?config(priv_dir, Config), "report"), Line),
    ?assertEqual([], Wrong),
    ?assert(length(maps:keys(maps:get(faults, Report))) >= 25 orelse Seconds < 60).

seconds() ->
    list_to_integer(os:getenv("ERLRC_CHAOS_SECONDS", "120")).

version(Lib, App, Version) ->
    Name = fun(Suffix) -> list_to_atom(atom_to_list(App) ++ Suffix) end,
    [Callback, Sup, Server, Library] = [Name(Suffix) || Suffix <- ["_app", "_sup", "_server", "_lib"]],
    fixture:application(Lib, App, integer_to_list(Version), #{
        modules => [
            fixture:callback_module(Callback, Sup),
            %% Two faults in a row may kill all of its children.
            fixture:supervisor_module(Sup, [service_fixture:child(Server)], {1000, 1}),
            service_fixture:server(Server, Version, "ok = chaos:changing(?MODULE)"),
            service_fixture:plain(Library, Version),
            callback_of_environment(Name("_env"), Version)
        ],
        app => [
            {mod, {Callback, []}},
            {registered, [Sup, Server]},
            {applications, [kernel, stdlib | [alpha || App =/= alpha]]},
            {env, [{default, Version}, {kept, none}]}
        ]
    }).

%% A module with nothing but a version, so that an upgrade has several modules to replace.
callback_of_environment(Module, Version) ->
    service_fixture:plain(Module, Version).
