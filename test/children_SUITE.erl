%% @doc Children that a supervisor gains and loses by an upgrade, and modules that are removed with them.
-module(children_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, child/1, child/2, up/3, up/4, down/3, call/4, photograph/1, server/2, pid/2]).

all() ->
    [
        init_is_called_once,
        init_is_called_once_going_down,
        init_is_called_once_where_there_are_children,
        gained_child_has_the_name_of_the_removed,
        gained_child_has_the_port_of_the_removed,
        gained_child_has_the_global_name_of_the_removed,
        gained_child_of_another_module_has_the_name,
        gained_child_takes_the_place_of_one_elsewhere,
        way_back_starts_the_removed_again,
        removed_child_never_runs_without_its_module,
        module_that_is_still_used_stays,
        children_of_the_moment_are_kept
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

init_is_called_once(Config) ->
    Dirs = versions(Config, [counting(1)], [counting(2)]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(counting, #{type => supervisor})]),
    Before = counted(Config),
    {ok, _} = up(Config, Dirs, [{update, counting, supervisor}]),
    ?assertEqual(Before + 1, counted(Config)).

init_is_called_once_going_down(Config) ->
    Dirs = versions(Config, [counting(1)], [counting(2)]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(counting, #{type => supervisor})]),
    {ok, _} = up(Config, Dirs, [{update, counting, supervisor}]),
    Before = counted(Config),
    {ok, _} = down(Config, Dirs, [{update, counting, supervisor}]),
    ?assertEqual(Before + 1, counted(Config)).

%% Two of each: written out, by a function of the module, in a variable. Those that come and go are known all the same.
init_is_called_once_where_there_are_children(Config) ->
    Ways = [
        fun(Ids) -> lists:flatten(io_lib:format("{ok, {#{strategy => one_for_one}, [~ts]}}", [specs(Ids)])) end,
        fun(Ids) -> lists:flatten(io_lib:format("Specs = [spec(I) || I <- ~p], _ = Specs, {ok, {{one_for_one, 5, 10}, [~ts]}}",
            [Ids, lists:join(", ", [io_lib:format("spec(~p)", [Id]) || Id <- Ids])])) end,
        fun(Ids) -> lists:flatten(io_lib:format("First = [~ts], Flags = #{intensity => 3}, {ok, {Flags, First ++ []}}", [specs(Ids)])) end
    ],
    Names = [written, made, bound],
    Old = [counting(Name, Way([a, b])) || {Name, Way} <- lists:zip(Names, Ways)],
    New = [counting(Name, Way([b, c])) || {Name, Way} <- lists:zip(Names, Ways)],
    Dirs = versions(Config, [server(one, 1) | Old], [server(one, 1) | New]),
    _ = [{ok, _} = call(Config, supervisor, start_child, [service_sup, child(Name, #{type => supervisor})]) || Name <- Names],
    Counted = fun() -> [call(Config, persistent_term, get, [Name]) || Name <- Names] end,
    Children = fun(Name) -> lists:sort([Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [Name]), is_pid(Pid)]) end,
    ?assertEqual([1, 1, 1], Counted()),
    {ok, _} = up(Config, Dirs, [{update, Name, supervisor} || Name <- Names]),
    ?assertEqual([2, 2, 2], Counted()),
    ?assertEqual([[b, c], [b, c], [b, c]], lists:map(Children, Names)),
    {ok, _} = down(Config, Dirs, [{update, Name, supervisor} || Name <- Names]),
    ?assertEqual([3, 3, 3], Counted()),
    ?assertEqual([[a, b], [a, b], [a, b]], lists:map(Children, Names)).

specs(Ids) ->
    lists:join(", ", [io_lib:format("#{id => ~p, start => {one, start_link, [~p]}}", [Id, Id]) || Id <- Ids]).

counting(Name, Answer) ->
    lists:flatten(io_lib:format(
        "-module(~p).~n-behaviour(supervisor).~n-export([start_link/0, init/1, spec/1]).~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "spec(Id) -> #{id => Id, start => {one, start_link, [Id]}}.~n"
        "init([]) -> persistent_term:put(?MODULE, 1 + persistent_term:get(?MODULE, 0)), ~ts.~n",
        [Name, Answer]
    )).

gained_child_has_the_name_of_the_removed(Config) ->
    Old = child(old, #{start => {one, start_link, []}, modules => [one]}),
    New = child(new, #{start => {one, start_link, []}, modules => [one]}),
    Dirs = versions(Config, [server(one, 1), sup([Old])], [server(one, 1), sup([New])]),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}]),
    ?assertEqual([new, service_server], ids(Config)),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [one, state])).

gained_child_has_the_port_of_the_removed(Config) ->
    Port = free_port(),
    Old = child(old, #{start => {lone, start_link, [Port]}, modules => [lone]}),
    New = child(new, #{start => {lone, start_link, [Port]}, modules => [lone]}),
    Dirs = versions(Config, [lone(1), sup([Old])], [lone(1), sup([New])]),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}]),
    ?assertEqual([new, service_server], ids(Config)).

gained_child_has_the_global_name_of_the_removed(Config) ->
    Specified = fun(Id) -> child(Id, #{start => {everywhere, start_link, []}, modules => [everywhere]}) end,
    Everywhere = named(everywhere, "{global, everywhere}"),
    Dirs = versions(Config, [Everywhere, sup([Specified(old)])], [Everywhere, sup([Specified(new)])]),
    Pid = call(Config, global, whereis_name, [everywhere]),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}]),
    ?assertEqual([new, service_server], ids(Config)),
    ?assert(is_pid(call(Config, global, whereis_name, [everywhere]))),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])).

gained_child_of_another_module_has_the_name(Config) ->
    [Worker, Server] = [named(Module, "{local, shared}") || Module <- [worker, server]],
    Dirs = versions(Config, [Worker, sup([child(worker)])], [Server, sup([child(server)])]),
    Script = [{add_module, server}, {update, service_sup, supervisor}, {delete_module, worker}],
    {ok, _} = up(Config, Dirs, Script),
    ?assertEqual([server, service_server], ids(Config)),
    ?assertEqual(server, call(Config, gen_server, call, [shared, who])),
    {ok, _} = down(Config, Dirs, [{add_module, worker}, {update, service_sup, supervisor}, {delete_module, server}]),
    ?assertEqual(worker, call(Config, gen_server, call, [shared, who])).

%% A server that is registered like this.
named(Module, Name) ->
    lists:flatten(io_lib:format(
        "-module(~p).~n-behaviour(gen_server).~n-export([start_link/0, init/1, handle_call/3, handle_cast/2]).~n"
        "start_link() -> gen_server:start_link(~ts, ?MODULE, [], []).~ninit([]) -> {ok, none}.~n"
        "handle_call(who, _, S) -> {reply, ?MODULE, S}.~nhandle_cast(_, S) -> {noreply, S}.~n",
        [Module, Name]
    )).

%% The name is held below another supervisor, which changes, too.
gained_child_takes_the_place_of_one_elsewhere(Config) ->
    One = child(one),
    Inner = child(inner, #{type => supervisor}),
    Dirs = versions(
        Config,
        [server(one, 1), service_fixture:supervisor(inner, [One]), sup([Inner])],
        [server(one, 1), service_fixture:supervisor(inner, []), sup([Inner, One])]
    ),
    {ok, _} = up(Config, Dirs, [{update, inner, supervisor}, {update, service_sup, supervisor}]),
    ?assertEqual([inner, one, service_server], ids(Config)).

way_back_starts_the_removed_again(Config) ->
    Old = child(old, #{start => {one, start_link, []}, modules => [one]}),
    New = child(new, #{start => {one, start_link, []}, modules => [one]}),
    Dirs = versions(Config, [server(one, 1), sup([Old])], [server(one, 1), sup([New])]),
    Sick = {erlang, list_to_atom, ["sick"]},
    {error, {not_rolled_back, _, [{restarted, old}]}} =
        up(Config, Dirs, [{update, service_sup, supervisor}], #{service_check => Sick}),
    ?assertEqual([old, service_server], ids(Config)),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [one, state])),
    #{suspended := [], kept := []} = photograph(Config).

%% Its supervisor would not survive a crash. It answers until it is stopped.
removed_child_never_runs_without_its_module(Config) ->
    One = child(one, #{restart => permanent}),
    Sup = fun(Children) -> strict(Children) end,
    {Old, _} = Dirs = versions(Config, [server(one, 1), Sup([One])], [Sup([])]),
    Pid = pid(Config, service_sup),
    Call = {apply, {gen_server, call, [one, next]}},
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}, {delete_module, one}, Call]),
    ?assertEqual(Pid, pid(Config, service_sup)),
    ?assertEqual([service_server], ids(Config)),
    ?assertEqual(false, call(Config, code, is_loaded, [one])),
    %% And back, with the module.
    {ok, _} = down(Config, Dirs, [{add_module, one}, {update, service_sup, supervisor}]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [one, state])),
    ?assert(filelib:is_dir(Old)).

module_that_is_still_used_stays(Config) ->
    {_, New} = Dirs = versions(Config, [server(one, 1)], []),
    _ = call(Config, one, version, []),
    {ok, _} = up(Config, Dirs, [{delete_module, one}, {apply, {one, start, []}}]),
    ?assertEqual(1, call(Config, gen_server, call, [one, next])),
    ?assert(lists:member(service_fixture:ebin(New), call(Config, code, get_path, []))).

%% Started and deleted by hand, they are in no specification, or were.
children_of_the_moment_are_kept(Config) ->
    Specified = [child(one), child(two)],
    Servers = [server(Name, 1) || Name <- [one, two, three]],
    Dirs = versions(Config, [sup(Specified) | Servers], [sup(Specified ++ [child(three)]) | Servers]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(dynamic, #{start => {one, start_link, [x]}})]),
    ok = call(Config, supervisor, terminate_child, [service_sup, two]),
    ok = call(Config, supervisor, delete_child, [service_sup, two]),
    {ok, _} = up(Config, Dirs, [{update, service_sup, supervisor}]),
    ?assertEqual([dynamic, one, service_server, three], ids(Config)).

sup(Children) ->
    service_fixture:supervisor([child(service_server) | Children]).

strict(Children) ->
    lists:flatten(string:replace(sup(Children), "{one_for_one, 5, 10}", "{one_for_all, 0, 10}")).

counting(Version) ->
    lists:flatten(io_lib:format(
        "-module(counting).~n-behaviour(supervisor).~n-export([start_link/0, init/1, version/0]).~nversion() -> ~p.~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "init([]) -> persistent_term:put(counted, 1 + persistent_term:get(counted, 0)), {ok, {#{}, []}}.~n",
        [Version]
    )).

counted(Config) -> call(Config, persistent_term, get, [counted]).

lone(Version) ->
    lists:flatten(io_lib:format(
        "-module(lone).~n-behaviour(gen_server).~n-export([start_link/1, init/1, handle_call/3, handle_cast/2, version/0]).~n"
        "version() -> ~p.~nstart_link(Port) -> gen_server:start_link(?MODULE, Port, []).~n"
        "init(Port) -> case gen_tcp:listen(Port, [{ip, {127, 0, 0, 1}}]) of {ok, S} -> {ok, S}; {error, E} -> {stop, E} end.~n"
        "handle_call(_, _, S) -> {reply, ok, S}.~nhandle_cast(_, S) -> {noreply, S}.~n",
        [Version]
    )).

free_port() ->
    {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    Port.

ids(Config) ->
    lists:sort([Id || {Id, Pid, _, _} <- call(Config, supervisor, which_children, [service_sup]), is_pid(Pid)]).
