%% @doc The end of an operation is learnt from that operation, by the name that it was given, whatever died meanwhile.
-module(outcome_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    outcome_is_the_whole_answer/1,
    names_are_checked/1,
    server_is_killed_while_an_operation_runs/1,
    server_is_killed_before_the_operation_ends/1,
    operation_is_killed/1,
    operation_and_server_are_killed/1,
    erlrc_is_stopped_and_killed/1,
    old_answers_make_room/1,
    guardian_settles/1,
    node_is_stopped_while_an_operation_runs/1
]).

all() ->
    [
        outcome_is_the_whole_answer,
        names_are_checked,
        server_is_killed_while_an_operation_runs,
        server_is_killed_before_the_operation_ends,
        operation_is_killed,
        operation_and_server_are_killed,
        erlrc_is_stopped_and_killed,
        old_answers_make_room,
        guardian_settles,
        node_is_stopped_while_an_operation_runs
    ].

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Agent =
        "-module(agent).\n-export([ask/2, spawned/3, stand/1, release/1]).\n"
        "ask(Key, Request) -> Owner = self(), spawn(fun() -> Owner ! ready, persistent_term:put(Key, catch erlrc_hook:request(Request)) end),"
        " receive ready -> ok end.\n"
        "spawned(M, F, A) -> spawn(M, F, A).\n"
        "stand(Name) -> register(Name, self()), receive release -> Name end.\n"
        "release(Name) -> Name ! release, ok.\n",
    %% Starts when it is told to.
    Slow =
        "-module(slow_app).\n-behaviour(application).\n-export([start/2, stop/1]).\n"
        "start(_, _) -> slow = agent:stand(slow), {ok, spawn_link(fun() -> receive never -> ok end end)}.\nstop(_) -> ok.\n",
    Lib = fixture:application(Dir, slow, "1", #{modules => [Agent, Slow], app => [{mod, {slow_app, []}}]}),
    {Peer, _} = fixture:start_node(#{name => false, root => fixture:root(Dir), path => [filename:join(Lib, "ebin")]}),
    ok = fixture:call(Peer, erlrc_app, ensure_started, []),
    [{peer, Peer}, {slow, Lib} | Config].

end_per_testcase(node_is_stopped_while_an_operation_runs, _Config) ->
    ok;
end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

outcome_is_the_whole_answer(Config) ->
    #{status := ok, outcome := unknown_operation} = outcome(Config, <<"one">>),
    ok = start(Config, one),
    #{status := ok, outcome := in_progress} = outcome(Config, <<"one">>),
    ok = ask(Config, two, #{operation => stop, application => nobody, vsn => <<"1">>}),
    fixture:wait_until(fun() -> waiting(Config) =:= 1 end),
    #{status := ok, outcome := in_progress} = outcome(Config, <<"two">>),
    ok = call(Config, agent, release, [slow]),
    #{status := ok, outcome := started, running := <<"1">>} = Answer = answer(Config, one),
    ?assertEqual(#{protocol => 1, status => ok, outcome => ended, answer => Answer}, outcome(Config, <<"one">>)),
    #{answer := #{outcome := not_running}} = ended(Config, <<"two">>).

names_are_checked(Config) ->
    Stop = #{protocol => 1, operation => stop, application => nobody, vsn => <<"1">>},
    [
        ?assertMatch({_, #{status := refused, outcome := bad_request}}, {Id, request(Config, Stop#{id => Id})})
     || Id <- [<<>>, binary:copy(<<"a">>, 65), "text", one, 1]
    ],
    #{status := refused, outcome := bad_request} = request(Config, #{operation => outcome}),
    #{outcome := not_running} = request(Config, Stop#{id => binary:copy(<<255>>, 64)}),
    #{outcome := ended} = outcome(Config, binary:copy(<<255>>, 64)).

%% The next server waits for the operation that runs, and knows of its end.
server_is_killed_while_an_operation_runs(Config) ->
    ok = start(Config, one),
    ok = kill(Config, erlrc_operations),
    #{outcome := in_progress} = outcome(Config, <<"one">>),
    ok = ask(Config, two, #{operation => stop, application => slow, vsn => <<"1">>}),
    fixture:wait_until(fun() -> waiting(Config) =:= 1 end),
    #{operation := {perform, [#{application := slow}]}} = call(Config, erlrc_operations, status, []),
    ok = call(Config, agent, release, [slow]),
    #{answer := #{status := ok, outcome := started, running := <<"1">>}} = ended(Config, <<"one">>),
    ?assertMatch(#{status := ok, outcome := stopped}, answer(Config, two)).

%% Nobody but the operation itself can have written it down; who waited behind it never begins.
server_is_killed_before_the_operation_ends(Config) ->
    ok = start(Config, one),
    ok = ask(Config, two, #{operation => stop, application => slow, vsn => <<"1">>}),
    fixture:wait_until(fun() -> waiting(Config) =:= 1 end),
    {running, Operation, _} = call(Config, erlrc_outcome, current, []),
    ok = kill(Config, erlrc_operations),
    ok = call(Config, agent, release, [slow]),
    fixture:wait_until(fun() -> not call(Config, erlang, is_process_alive, [Operation]) end),
    ?assertEqual(undefined, call(Config, erlang, whereis, [erlrc_operations])),
    #{outcome := ended, answer := #{outcome := started}} = outcome(Config, <<"one">>),
    #{outcome := unknown_operation} = outcome(Config, <<"two">>),
    #{running := <<"1">>} = request(Config, #{operation => running, application => slow}).

operation_is_killed(Config) ->
    ok = start(Config, one),
    ok = kill(Config, operation),
    #{outcome := in_progress} = outcome(Config, <<"one">>),
    ok = call(Config, agent, release, [slow]),
    #{answer := #{status := failed, outcome := operation_died} = Answer} = ended(Config, <<"one">>),
    ?assertEqual(Answer, answer(Config, one)),
    ?assertEqual(absent, call(Config, erlrc_node, status, [slow])).

operation_and_server_are_killed(Config) ->
    ok = start(Config, one),
    ok = kill(Config, erlrc_operations),
    ok = kill(Config, operation),
    ok = call(Config, agent, release, [slow]),
    #{answer := #{status := failed, outcome := operation_died}} = ended(Config, <<"one">>),
    ?assertEqual(absent, call(Config, erlrc_node, status, [slow])),
    idle = call(Config, erlrc_operations, status, []).

erlrc_is_stopped_and_killed(Config) ->
    #{outcome := not_running} =
        request(Config, #{operation => stop, application => nobody, vsn => <<"1">>, id => <<"one">>}),
    ok = call(Config, application, stop, [erlrc]),
    #{outcome := ended} = outcome(Config, <<"one">>),
    ok = call(Config, erlrc_app, ensure_started, []),
    ok = kill(Config, erlrc_sup),
    #{outcome := ended, answer := #{outcome := not_running}} = outcome(Config, <<"one">>),
    %% Nothing of erlrc is left behind where it goes for good.
    {ok, Vsn} = call(Config, application, get_key, [erlrc, vsn]),
    _ = call(Config, erlrcdynamic, stop, [erlrc, Vsn]),
    unloaded = call(Config, erlrcdynamic, unload, [erlrc, Vsn, filename:dirname(fixture:erlrc_ebin())]),
    fixture:wait_until(fun() ->
        [undefined, undefined] =:= [call(Config, erlang, whereis, [Name]) || Name <- [erlrc_operations, erlrc_outcome]]
    end).

old_answers_make_room(Config) ->
    Ids = [integer_to_binary(N) || N <- lists:seq(1, 200)],
    [
        #{outcome := not_running} = request(Config, #{operation => stop, application => nobody, vsn => <<"1">>, id => Id})
     || Id <- Ids
    ],
    Outcomes = [maps:get(outcome, outcome(Config, Id)) || Id <- Ids],
    {Unknown, Ended} = lists:splitwith(fun(Outcome) -> Outcome =:= unknown_operation end, Outcomes),
    ?assertEqual([ended], lists:usort(Ended)),
    ?assert(length(Ended) >= 100),
    ?assert(length(Unknown) >= 45).

%% An operation that was killed has not ended before what it did is settled; nor does another one begin.
guardian_settles(Config) ->
    ok = start(Config, one),
    _ = call(Config, agent, spawned, [agent, stand, [erlrc_guardian]]),
    fixture:wait_until(fun() -> is_pid(call(Config, erlang, whereis, [erlrc_guardian])) end),
    ok = kill(Config, operation),
    ok = call(Config, agent, release, [slow]),
    fixture:wait_until(fun() -> undefined =:= call(Config, erlang, whereis, [erlrc_settlement]) end),
    #{outcome := in_progress} = outcome(Config, <<"one">>),
    #{operation := _} = call(Config, erlrc_operations, status, []),
    ok = call(Config, agent, release, [erlrc_guardian]),
    #{answer := #{outcome := operation_died}} = ended(Config, <<"one">>).

%% The application that is in the way of the node's end stands until it is told to go.
node_is_stopped_while_an_operation_runs(Config) ->
    Last =
        "-module(last_app).\n-behaviour(application).\n-export([start/2, prep_stop/1, stop/1]).\n"
        "start(_, _) -> {ok, spawn_link(fun() -> receive never -> ok end end)}.\n"
        "prep_stop(S) -> last = agent:stand(last), S.\nstop(_) -> ok.\n",
    Dir = fixture:application(filename:dirname(?config(slow, Config)), last, "1", #{
        modules => [Last], app => [{mod, {last_app, []}}]
    }),
    true = call(Config, code, add_pathz, [filename:join(Dir, "ebin")]),
    #{outcome := started} =
        request(Config, #{operation => start, application => last, vsn => <<"1">>, dir => list_to_binary(Dir)}),
    ok = call(Config, persistent_term, put, [stand, fun() -> agent:stand(held) end]),
    _ = call(Config, agent, spawned, [erlrc_operations, run, [agent, stand, [held], #{id => <<"one">>}]]),
    fixture:wait_until(fun() -> is_pid(call(Config, erlang, whereis, [held])) end),
    ok = call(Config, init, stop, []),
    fixture:wait_until(fun() -> is_pid(call(Config, erlang, whereis, [last])) end),
    #{status := ok, outcome := node_stopping} = outcome(Config, <<"one">>),
    ok = call(Config, agent, release, [held]),
    #{answer := held} = ended(Config, <<"one">>),
    #{status := refused, outcome := node_stopping, reason := <<"the node is being stopped", _/binary>>} =
        request(Config, #{operation => stop, application => nobody, vsn => <<"1">>}),
    try call(Config, agent, release, [last]) catch _:_ -> ok end.

start(Config, Key) ->
    Dir = list_to_binary(?config(slow, Config)),
    ok = ask(Config, Key, #{operation => start, application => slow, vsn => <<"1">>, dir => Dir}),
    fixture:wait_until(fun() -> is_pid(call(Config, erlang, whereis, [slow])) end).

ask(Config, Key, Request) ->
    call(Config, agent, ask, [Key, Request#{protocol => 1, id => atom_to_binary(Key)}]).

answer(Config, Key) ->
    fixture:wait_until(fun() -> call(Config, persistent_term, get, [Key, none]) =/= none end),
    call(Config, persistent_term, get, [Key]).

request(Config, Request) ->
    call(Config, erlrc_hook, request, [Request]).

outcome(Config, Id) ->
    request(Config, #{protocol => 1, operation => outcome, id => Id}).

ended(Config, Id) ->
    fixture:wait_until(fun() -> ended =:= maps:get(outcome, outcome(Config, Id)) end),
    outcome(Config, Id).

waiting(Config) ->
    case call(Config, erlrc_operations, status, []) of
        #{waiting := Waiting} -> Waiting;
        idle -> idle
    end.

kill(Config, operation) ->
    {running, Pid, _} = call(Config, erlrc_outcome, current, []),
    kill(Config, Pid);
kill(Config, Name) when is_atom(Name) ->
    kill(Config, call(Config, erlang, whereis, [Name]));
kill(Config, Pid) ->
    true = call(Config, erlang, exit, [Pid, kill]),
    fixture:wait_until(fun() -> not call(Config, erlang, is_process_alive, [Pid]) end).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
