%% @doc A node that is upgraded and downgraded all day: 500 times up and 500 times down, the application under load, and
%% nothing grows. `ERLRC_SOAK_ROUNDS' makes it longer.
-module(soak_system_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2, nothing_grows/1]).
-export([run/2]).

-define(ROUNDS, "500").
%% Until tables, caches and heaps have the size that they keep.
-define(WARM_UP, 50).
-define(SERVERS, [one, two]).
-define(PER_SERVER, 10).
%% Of memory: a tenth, and what a few heaps may differ by, in bytes.
-define(MARGIN, 1048576).
-define(SAMPLES, 10).

all() ->
    [nothing_grows].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

nothing_grows(Config) ->
    {_, New} = Dirs = service_fixture:versions(Config, modules(1), modules(2)),
    ok = write_appup(New),
    Rounds = list_to_integer(os:getenv("ERLRC_SOAK_ROUNDS", ?ROUNDS)),
    Peer = ?config(peer, Config),
    {Before, After, Answers} = peer:call(Peer, ?MODULE, run, [Dirs, Rounds], infinity),
    ct:pal("before ~p~nafter ~p~nanswers ~p", [Before, After, Answers]),
    {Memory, Counted} = {maps:get(memory, Before), maps:remove(memory, Before)},
    ?assertEqual(Counted, maps:remove(memory, After)),
    Grown = [
        {Kind, Bytes, Now}
     || {Kind, Bytes} <- Memory, {_, Now} <- [lists:keyfind(Kind, 1, maps:get(memory, After))], Now > Bytes * 1.1 + ?MARGIN
    ],
    ?assertEqual([], Grown),
    ?assert(Answers > Rounds).

modules(Version) ->
    [service_fixture:server(Name, Version) || Name <- ?SERVERS] ++
        [
            service_fixture:steady(calm, Version),
            service_fixture:plain(plain, Version),
            service_fixture:statem(Version),
            service_fixture:handler(Version),
            service_fixture:special(Version, normal),
            service_fixture:supervisor(inner, [
                service_fixture:child(Name)
             || Name <- case Version of 1 -> [calm]; 2 -> [calm, fresh] end
            ]),
            service_fixture:steady(fresh, Version)
        ].

write_appup(Dir) ->
    Names = ?SERVERS ++ [service_server, calm, machine, handler, special],
    Script = [{load_module, plain}, {load_module, fresh}, {update, inner, supervisor}] ++
        [{update, Name, {advanced, []}} || Name <- Names],
    Appup = {"2", [{"1", Script}], [{"1", Script}]},
    file:write_file(filename:join(service_fixture:ebin(Dir), "service.appup"), io_lib:format("~p.~n", [Appup])).

%% On the node.

run(Dirs, Rounds) ->
    ok = application:set_env(erlrc, purge_after, 0),
    Pids = [start({Name, N}, Name) || Name <- ?SERVERS, N <- lists:seq(1, ?PER_SERVER)],
    _ = [start(Name, Name) || Name <- [machine, special]],
    {ok, _} = supervisor:start_child(service_sup, service_fixture:child(inner, #{type => supervisor})),
    Events = #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
    {ok, _} = supervisor:start_child(service_sup, Events),
    ok = gen_event:add_handler(events, handler, a),
    Self = self(),
    Clients = [spawn_monitor(transaction_random_SUITE, client, [Pid, Self]) || Pid <- [whereis(calm) | Pids]],
    ok = rounds(?WARM_UP, Dirs),
    %% To ask for memory makes atoms, the first time.
    _ = measure(),
    Before = measure(),
    ok = rounds(Rounds, Dirs),
    After = measure(),
    Counts = [element(2, gen_server:call(Pid, state)) || Pid <- Pids],
    [] = [Why || {Client, Ref} <- Clients, Why <- [stop(Client, Ref)], Why =/= in_order],
    {Before, After, lists:min(Counts)}.

start(Id, Module) ->
    Start =
        case Id of
            {Module, N} -> {Module, start_link, [N]};
            _ -> {Module, start_link, []}
        end,
    {ok, Pid} = supervisor:start_child(service_sup, service_fixture:child(Id, #{start => Start, modules => [Module]})),
    Pid.

stop(Client, Ref) ->
    Client ! stop,
    receive
        {'DOWN', Ref, process, Client, Why} -> Why
    end.

rounds(0, _Dirs) ->
    ok;
rounds(N, {Old, New} = Dirs) ->
    {ok, _} = erlrcdynamic:upgrade(service, "1", "2", Old, New),
    {ok, _} = erlrcdynamic:downgrade(service, "1", "2", Old, New),
    rounds(N - 1, Dirs).

%% When all is done that was to be done later.
measure() ->
    settled(fun() -> [{guardian, Pid} || Pid <- [whereis(erlrc_guardian)], is_pid(Pid)] ++ old_code() ++ helpers() end),
    Memory = least_memory(),
    Processes = [Info || Pid <- processes(), Info <- [process_info(Pid, [monitors, monitored_by, links, dictionary])], is_list(Info)],
    Sum = fun(Key) -> lists:sum([length(proplists:get_value(Key, Info)) || Info <- Processes]) end,
    #{
        atoms => erlang:system_info(atom_count),
        processes => length(Processes),
        ports => erlang:system_info(port_count),
        tables => length(ets:all()),
        modules => length(code:all_loaded()),
        persistent_terms => maps:get(count, persistent_term:info()),
        path => length(code:get_path()),
        links => Sum(links),
        dictionaries => Sum(dictionary),
        memory => Memory
    }.

%% The clients go on meanwhile: one moment says little, and what has grown is there in each of them.
least_memory() ->
    Samples = [sample() || _ <- lists:seq(1, ?SAMPLES)],
    [{Kind, lists:min([Bytes || Sample <- Samples, {Of, Bytes} <- Sample, Of =:= Kind])} || {Kind, _} <- hd(Samples)].

sample() ->
    _ = [erlang:garbage_collect(Pid) || Pid <- processes()],
    erlang:memory([total, processes, atom, binary, code, ets]).

settled(Left) ->
    try
        fixture:wait_until(fun() -> Left() =:= [] end, 30000)
    catch
        error:{never_true, _} -> error({left, Left()})
    end.

old_code() ->
    [Module || {Module, _} <- code:all_loaded(), erlang:check_old_code(Module)].

%% Processes of erlrc's that are about to end.
helpers() ->
    [
        {Pid, process_info(Pid, current_stacktrace)}
     || Pid <- processes(),
        {_, {Module, _, _}} <- [process_info(Pid, initial_call)],
        {_, {Current, _, _}} <- [process_info(Pid, current_function)],
        lists:any(fun(Name) -> lists:prefix("erlrc", atom_to_list(Name)) end, [Module, Current]),
        Pid =/= self()
    ].
