%% @doc What follows the commit of an upgrade is called once, whoever is killed in the midst of it.
-module(after_commit_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    guardian_is_killed/1,
    guardian_and_successor_are_killed/1,
    operation_is_killed/1,
    all_that_wait_are_killed/1,
    the_call_is_killed_as_well/1,
    the_call_is_killed_alone/1
]).
%% On the node.
-export([work/1, strike/1]).

all() ->
    [
        guardian_is_killed,
        guardian_and_successor_are_killed,
        operation_is_killed,
        all_that_wait_are_killed,
        the_call_is_killed_as_well,
        the_call_is_killed_alone
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

%% The way back is given up, the guardian calls.
guardian_is_killed(Config) ->
    struck_while_confirming(Config, [[erlrc_guardian]]).

guardian_and_successor_are_killed(Config) ->
    struck_while_confirming(Config, [[erlrc_guardian], [erlrc_guardian]]).

struck_while_confirming(Config, Strikes) ->
    confirming(Config, first),
    [struck(Config, Victims) || Victims <- Strikes],
    done(Config, [first, second]),
    ?assertEqual([], call(Config, erlrc_unsettled, report, [])).

%% Nobody holds a way back open, the operation calls.
operation_is_killed(Config) ->
    [struck_in_an_operation(Config, Evaluator, [operation]) || Evaluator <- [transactional, release_handler]].

all_that_wait_are_killed(Config) ->
    Victims = [operation, erlrc_settlement, erlrc_operations],
    [struck_in_an_operation(Config, Evaluator, Victims) || Evaluator <- [transactional, release_handler]].

struck_in_an_operation(Config, Evaluator, Victims) ->
    Dirs = calling(Config),
    _ = spawn(fun() -> ask(Config, (request(upgrade, Dirs))#{options => #{evaluator => Evaluator}}) end),
    begun(Config, first),
    struck(Config, Victims),
    done(Config, [first, second]),
    ?assertEqual([], call(Config, erlrc_unsettled, report, [])),
    again(Config, Dirs).

%% Nobody knows how far it had come.
the_call_is_killed_as_well(Config) ->
    Dirs = confirming(Config, first),
    struck(Config, [erlrc_guardian]),
    true = call(Config, erlang, exit, [pid(Config, worker), kill]),
    begun(Config, second),
    done(Config, [first, second]),
    Named = fun() ->
        [#{application := <<"service">>, left := [Left]}] = call(Config, erlrc_unsettled, report, []),
        Words = <<"after_commit_SUITE:work/1 was interrupted and may or may not have done its work, see to it by hand">>,
        ?assertEqual(Words, Left)
    end,
    Named(),
    %% No later operation knows more.
    #{status := ok} = ask(Config, down(Dirs)),
    Named(),
    {ok, settled} = call(Config, erlrc_unsettled, settle, [service]),
    ?assertEqual([], call(Config, erlrc_unsettled, report, [])).

%% Whoever waits for it says so.
the_call_is_killed_alone(Config) ->
    Dirs = calling(Config),
    Asked = service_fixture:in_background(Config, erlrc_hook, request, [request(upgrade, Dirs)]),
    begun(Config, first),
    true = call(Config, erlang, exit, [pid(Config, worker), kill]),
    finish(Config, second),
    ?assertMatch(
        #{status := ok, outcome := upgraded, warnings := [<<"after_commit_SUITE:work/1, called after the commit, failed: killed", _/binary>>]},
        service_fixture:answer(Asked)
    ),
    ?assertEqual([first, second], called(Config)).

%% An upgrade that is held is confirmed, and the first call is at work.
confirming(Config, Which) ->
    Dirs = calling(Config),
    #{held := Held} = ask(Config, (request(upgrade, Dirs))#{options => #{hold => 60000}}),
    Confirm = #{operation => confirm, from => <<"1">>, to => <<"2">>, held => Held, protocol => 1, application => service},
    _ = spawn(fun() -> call(Config, erlrc_hook, request, [Confirm]) end),
    begun(Config, Which),
    Dirs.

%% Who was killed has a successor that waits, where it has one.
struck(Config, Victims) ->
    Killed = call(Config, ?MODULE, strike, [Victims]),
    ?assertEqual(length(Victims), length(Killed)),
    fixture:wait_until(fun() -> watched(Config, Killed) end).

%% Somebody else waits for the call. Where all of them are dead, it is whoever asks that starts another server.
watched(Config, Killed) ->
    _ = call(Config, erlrc_operations, status, []),
    {monitored_by, Pids} = call(Config, erlang, process_info, [pid(Config, worker), monitored_by]),
    Pids -- Killed =/= [].

%% Each is called once, and the node is through.
done(Config, Whole) ->
    _ = [finish(Config, Which) || Which <- Whole, not lists:member(Which, called(Config)) orelse Which =:= lists:last(called(Config))],
    fixture:wait_until(fun() -> is_through(Config) end, 60000),
    ?assertEqual(Whole, called(Config)),
    ?assertEqual(2, call(Config, gen_server, call, [service_server, version])).

finish(Config, Which) ->
    begun(Config, Which),
    _ = call(Config, erlang, send, [worker, {finish, Which}]),
    ok.

is_through(Config) ->
    Nobody = [undefined =:= pid(Config, Name) || Name <- [erlrc_guardian, erlrc_settlement, worker]],
    lists:all(fun(Through) -> Through end, Nobody) andalso idle =:= call(Config, erlrc_operations, status, []).

begun(Config, Which) ->
    fixture:wait_until(fun() -> lists:member(Which, called(Config)) end, 60000).

again(Config, Dirs) ->
    #{status := ok} = ask(Config, down(Dirs)),
    true = call(Config, persistent_term, erase, [called]).

calling(Config) ->
    {One, Two} = service_fixture:versions(Config, [], []),
    Update = {update, service_server, {advanced, []}},
    Calls = [{apply, {erlrcdynamic, apply_after_commit, [?MODULE, work, [Which]]}} || Which <- [first, second]],
    Appup = {"2", [{"1", [Update | Calls]}], [{"1", [Update]}]},
    ok = file:write_file(filename:join(service_fixture:ebin(Two), "service.appup"), io_lib:format("~p.~n", [Appup])),
    {One, Two}.

called(Config) -> call(Config, persistent_term, get, [called, []]).

request(Operation, {One, Two}) ->
    #{
        protocol => 1, application => service, operation => Operation, from => <<"1">>, to => <<"2">>,
        from_dir => list_to_binary(One), to_dir => list_to_binary(Two)
    }.

down({One, Two}) ->
    (request(downgrade, {Two, One}))#{from := <<"2">>, to := <<"1">>}.

ask(Config, Request) -> call(Config, erlrc_hook, request, [Request]).
pid(Config, Name) -> service_fixture:pid(Config, Name).
call(Config, Module, Function, Arguments) -> service_fixture:call(Config, Module, Function, Arguments).

%% On the node.

%% Works until somebody lets it finish.
work(Which) ->
    ok = persistent_term:put(called, persistent_term:get(called, []) ++ [Which]),
    true = register(worker, self()),
    receive
        {finish, Which} -> ok
    end.

strike(Victims) ->
    Pids = [victim(Victim) || Victim <- Victims],
    [begin Ref = monitor(process, Pid), exit(Pid, kill), receive {'DOWN', Ref, _, _, _} -> Pid end end || Pid <- Pids].

victim(operation) ->
    {running, Pid, _} = erlrc_outcome:current(),
    Pid;
victim(Name) ->
    whereis(Name).
