%% @doc Operations run one at a time, in order, whatever becomes of those who asked.
-module(operations_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    operations_run_in_order/1,
    operation_outlives_its_caller/1,
    crash_is_an_error/1,
    operation_within_an_operation_runs_at_once/1,
    reload_twice_does_not_hurt_who_waits/1,
    hook_answers_to_everything/1
]).

all() ->
    [
        operations_run_in_order,
        operation_outlives_its_caller,
        crash_is_an_error,
        operation_within_an_operation_runs_at_once,
        reload_twice_does_not_hurt_who_waits,
        hook_answers_to_everything
    ].

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Module =
        "-module(agent).\n-export([ask/3, append/2, hold/1, release/1, log/0]).\n"
        "ask(M, F, A) -> Owner = self(), Pid = spawn(fun() -> owner(Owner), erlrc_operations:run(M, F, A) end),\n"
        "  receive {Pid, ready} -> Pid end.\n"
        "owner(Owner) -> Owner ! {self(), ready}.\n"
        "append(What, Result) -> persistent_term:put(log, [What | persistent_term:get(log, [])]), Result.\n"
        "log() -> lists:reverse(persistent_term:get(log, [])).\n"
        "hold(What) -> register(What, self()), receive release -> append(What, ok) end.\n"
        "release(What) -> What ! release.\n",
    Lib = fixture:application(Dir, agent, "1", #{modules => [Module]}),
    {Peer, _} = fixture:start_node(#{
        name => false, root => fixture:root(Dir), path => [filename:join(Lib, "ebin")]
    }),
    ok = fixture:call(Peer, erlrc_app, ensure_started, []),
    [{peer, Peer} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

operations_run_in_order(Config) ->
    _ = ask(Config, hold, [first]),
    wait_until_held(Config, first),
    [ask_behind(Config, Number) || Number <- lists:seq(1, 20)],
    #{operation := {hold, [first]}, waiting := 20} = call(Config, erlrc_operations, status, []),
    release = call(Config, agent, release, [first]),
    last = call(Config, erlrc_operations, run, [agent, append, [last, last]]),
    ?assertEqual([first | lists:seq(1, 20)] ++ [last], call(Config, agent, log, [])).

%% Returns when the operation is in the queue.
ask_behind(Config, Number) ->
    _ = ask(Config, append, [Number, ok]),
    wait_until_waiting(Config, Number).

wait_until_waiting(Config, Number) ->
    fixture:wait_until(fun() ->
        Number =:= maps:get(waiting, call(Config, erlrc_operations, status, []))
    end).

operation_outlives_its_caller(Config) ->
    Caller = ask(Config, hold, [first]),
    wait_until_held(Config, first),
    true = call(Config, erlang, exit, [Caller, kill]),
    fixture:wait_until(fun() -> not call(Config, erlang, is_process_alive, [Caller]) end),
    release = call(Config, agent, release, [first]),
    last = call(Config, erlrc_operations, run, [agent, append, [last, last]]),
    ?assertEqual([first, last], call(Config, agent, log, [])).

crash_is_an_error(Config) ->
    {error, {crashed, {badarith, _}}} = call(Config, erlrc_operations, run, [erlang, '/', [1, 0]]),
    {error, {crashed, killed}} = call(Config, erlrc_operations, run, [erlang, apply, [erlrc_operations, run, [
        lists, map, [fun erlang:exit/1, [killed]]
    ]]]),
    3 = call(Config, erlrc_operations, run, [erlang, '+', [1, 2]]).

operation_within_an_operation_runs_at_once(Config) ->
    3 = call(Config, erlrc_operations, run, [erlrc_operations, run, [erlang, '+', [1, 2]]]).

%% Neither the server nor a caller that waits through both stands in the way or is killed.
reload_twice_does_not_hurt_who_waits(Config) ->
    Server = fun() -> call(Config, erlang, whereis, [erlrc_operations]) end,
    _ = ask(Config, hold, [first]),
    wait_until_held(Config, first),
    Pid = Server(),
    _ = ask(Config, hold, [second]),
    wait_until_waiting(Config, 1),
    Waiting = ask(Config, hold, [third]),
    wait_until_waiting(Config, 2),
    reload(Config),
    release = call(Config, agent, release, [first]),
    wait_until_held(Config, second),
    reload(Config),
    release = call(Config, agent, release, [second]),
    wait_until_held(Config, third),
    true = call(Config, erlang, is_process_alive, [Waiting]),
    release = call(Config, agent, release, [third]),
    ok = call(Config, erlrc_operations, run, [agent, append, [last, ok]]),
    ?assertEqual([first, second, third, last], call(Config, agent, log, [])),
    ?assertEqual(Pid, Server()).

reload(Config) ->
    [
        begin
            true = call(Config, code, soft_purge, [Module]),
            {module, Module} = call(Config, code, load_file, [Module])
        end
     || Module <- [erlrc_operations, erlrcdynamic, erlrc_hook]
    ].

hook_answers_to_everything(Config) ->
    #{protocol := 1, status := ok, outcome := running, running := <<_/binary>>, os_pid := OsPid, otp_release := Otp} =
        hook(Config, #{protocol => 1, operation => running, application => stdlib}),
    ?assertEqual(list_to_binary(call(Config, os, getpid, [])), OsPid),
    ?assertEqual(list_to_binary(erlang:system_info(otp_release)), Otp),
    #{status := ok, outcome := not_running} =
        hook(Config, #{protocol => 1, operation => stop, application => nobody, vsn => <<"1">>, unknown => key}),
    #{status := refused, outcome := bad_directory, reason := <<_/binary>>} =
        hook(Config, #{operation => start, application => <<"nobody">>, vsn => <<"1">>, dir => <<"/nonexistent">>}),
    Bad = [
        #{},
        #{operation => stop},
        #{operation => dance, application => nobody},
        #{operation => stop, application => nobody},
        #{operation => stop, application => "nobody", vsn => <<"1">>},
        #{operation => stop, application => <<"../nobody">>, vsn => <<"1">>},
        #{operation => stop, application => <<"nobody\n">>, vsn => <<"1">>},
        #{operation => stop, application => nobody, vsn => 1},
        #{operation => stop, application => nobody, vsn => <<255>>},
        #{operation => upgrade, application => nobody, from => <<"1">>},
        #{operation => start, application => nobody, vsn => <<"1">>, options => #{max_pause => -1}},
        #{operation => start, application => nobody, vsn => <<"1">>, options => #{hold => soon}},
        not_a_map
    ],
    [
        ?assertMatch({_, #{status := refused, outcome := bad_request, reason := <<_/binary>>}}, {Request, hook(Config, Request)})
     || Request <- Bad
    ].

hook(Config, Request) ->
    call(Config, erlrc_hook, request, [Request]).

ask(Config, Function, Arguments) ->
    call(Config, agent, ask, [agent, Function, Arguments]).

wait_until_held(Config, Name) ->
    fixture:wait_until(fun() -> is_pid(call(Config, erlang, whereis, [Name])) end).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
