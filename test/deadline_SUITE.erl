%% @doc What does not come to an end is called off, and does not stand in the way of what follows.
-module(deadline_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_group/2, end_per_group/2, init_per_testcase/2, end_per_testcase/2]).
-export([
    apply_that_never_returns/1,
    process_that_never_stands/1,
    child_that_never_starts/1,
    child_that_never_stops/1,
    application_that_never_starts/1,
    application_that_never_stops/1,
    nothing_is_killed_for_a_caller_that_is_dead/1,
    stopped_for_an_upgrade/1,
    what_waits_never_begins/1,
    what_cannot_be_called_off_is_killed/1,
    hold_ends_after_the_deadline/1
]).
-export([hold/0, busy/1, is_held_for/1, waiting_for_ever/1]).

%% Milliseconds that the one who asks will wait.
-define(PATIENCE, 2000).

all() ->
    [
        {group, transactional},
        {group, release_handler},
        child_that_never_starts,
        child_that_never_stops,
        application_that_never_starts,
        application_that_never_stops,
        nothing_is_killed_for_a_caller_that_is_dead,
        stopped_for_an_upgrade,
        what_waits_never_begins,
        what_cannot_be_called_off_is_killed,
        hold_ends_after_the_deadline
    ].

groups() ->
    Both = [apply_that_never_returns, process_that_never_stands],
    [{transactional, [], Both}, {release_handler, [], Both}].

init_per_group(Evaluator, Config) ->
    [{evaluator, atom_to_binary(Evaluator)} | Config].

end_per_group(_Evaluator, _Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), lists:concat([Case, "_", os:system_time()])),
    {Peer, _} = fixture:start_node(#{
        name => false,
        root => fixture:root(Dir),
        path => [filename:dirname(code:which(?MODULE))],
        args => ["-kernel", "logger_level", "emergency"]
    }),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

apply_that_never_returns(Config) ->
    Update = [{update, foo_server, {advanced, []}}, {apply, {timer, sleep, [infinity]}}],
    Old = foo(Config, "1", #{}),
    New = foo(Config, "2", #{appup => {"2", [{"1", Update}], [{"1", []}]}}),
    started = start(Config, foo, "1", Old),
    Pid = pid(Config, foo_server),
    %% That it was called cannot be undone.
    #{status := not_rolled_back, outcome := not_rolled_back, running := <<"1">>, reason := Reason} =
        upgrade(Config, Old, New),
    Said = <<"; everything runs as before, but what the script called cannot be taken back: timer:sleep/1">>,
    ?assertMatch({_, _}, binary:match(Reason, Said)),
    old(Config, Pid),
    again(Config, foo(Config, "3", #{}), Old).

process_that_never_stands(Config) ->
    Old = foo(Config, "1", #{}),
    New = foo(Config, "2", #{}),
    started = start(Config, foo, "1", Old),
    Pid = pid(Config, foo_server),
    _ = call(Config, erlang, spawn, [sys, replace_state, [foo_server, fun ?MODULE:busy/1, infinity]]),
    wait_until_in(Config, Pid, busy),
    #{status := failed, outcome := script_failed, running := <<"1">>, reason := Reason} =
        Answer = upgrade(Config, Old, New),
    %% OTP's own does not say how far it came.
    ?assertEqual(<<"release_handler">> =:= proplists:get_value(evaluator, Config), maps:get(committed, Answer)),
    ?assertNotEqual(nomatch, binary:match(Reason, [<<"called off: the time">>, <<"in time">>])),
    go = call(Config, erlang, send, [Pid, go]),
    old(Config, Pid),
    again(Config, foo(Config, "3", #{}), Old).

child_that_never_starts(Config) ->
    Old = foo(Config, "1", #{}),
    New = foo(Config, "2", #{children => [child(foo_server), child(foo_late)], more => [late(foo_late)]}),
    started = start(Config, foo, "1", Old),
    ok = hang(Config, init),
    Pid = pid(Config, foo_server),
    #{status := failed, outcome := script_failed, reason := Reason} = upgrade(Config, Old, New),
    ?assertMatch({_, _}, binary:match(Reason, <<"foo_late">>)),
    old(Config, Pid),
    again(Config, foo(Config, "3", #{}), Old).

%% A child that is no longer specified: the new version it is by then, and all that is left is to say so.
child_that_never_stops(Config) ->
    Late = child(foo_late),
    Old = foo(Config, "1", #{
        children => [child(foo_server), Late#{shutdown => infinity}], more => [late(foo_late)]
    }),
    New = foo(Config, "2", #{children => [child(foo_server)], more => [late(foo_late)]}),
    started = start(Config, foo, "1", Old),
    ok = hang(Config, terminate),
    #{status := ok, outcome := upgraded, running := <<"2">>} = upgrade(Config, Old, New),
    idle = call(Config, erlrc_operations, status, []).

application_that_never_starts(Config) ->
    Needed = service(Config, needed, []),
    Slow = service(Config, slow, [needed]),
    true = call(Config, code, add_patha, [filename:join(Needed, "ebin")]),
    ok = hang(Config, init),
    #{status := failed, outcome := start_failed, reason := Reason} = request(Config, start, slow, Slow),
    ?assertMatch({_, _}, binary:match(Reason, <<"slow did not start in time">>)),
    none_of(Config, [slow, needed]),
    ok = hang(Config, nowhere),
    started = start(Config, slow, "1", Slow).

application_that_never_stops(Config) ->
    Slow = service(Config, slow, []),
    ok = hang(Config, terminate),
    started = start(Config, slow, "1", Slow),
    #{status := ok, outcome := stopped, warnings := [Warning]} = request(Config, stop, slow, Slow),
    ?assertMatch({_, _}, binary:match(Warning, <<"slow did not stop in time">>)),
    none_of(Config, [slow]).

%% What would kill the processes of an application at the deadline ends with the operation that it was to help.
nothing_is_killed_for_a_caller_that_is_dead(Config) ->
    Slow = service(Config, slow, []),
    started = start(Config, slow, "1", Slow),
    {Caller, Killer} = call(Config, ?MODULE, waiting_for_ever, [slow]),
    true = call(Config, erlang, exit, [Caller, kill]),
    fixture:wait_until(fun() -> not call(Config, erlang, is_process_alive, [Killer]) end),
    true = call(Config, erlrc_node, is_running, [slow]).

%% @private On the node: a process that waits for an application, and the one that it has beside it.
waiting_for_ever(App) ->
    Caller = spawn(fun() -> erlrc_force:until_late(App, 60000, fun() -> receive never -> ok end end) end),
    Monitored = fun() -> {monitors, Monitors} = process_info(Caller, monitors), Monitors end,
    fixture:wait_until(fun() -> Monitored() =/= [] end),
    [{process, Killer}] = Monitored(),
    {Caller, Killer}.

%% It is stopped, for that cannot be avoided any more, and runs again afterwards.
stopped_for_an_upgrade(Config) ->
    Slow = service(Config, slow, []),
    Old = foo(Config, "1", #{}),
    New = foo(Config, "2", #{app => [{included_applications, [slow]}]}),
    started = start(Config, slow, "1", Slow),
    started = start(Config, foo, "1", Old),
    ok = hang(Config, prep_stop),
    Pid = pid(Config, foo_server),
    #{status := not_rolled_back, reason := Reason} = upgrade(Config, Old, New),
    ?assertMatch({_, _}, binary:match(Reason, <<"these were restarted and have lost their states: slow">>)),
    old(Config, Pid),
    true = call(Config, erlrc_node, is_running, [slow]).

what_waits_never_begins(Config) ->
    Slow = service(Config, slow, []),
    _ = call(Config, erlang, spawn, [erlrc_operations, run, [?MODULE, hold, []]]),
    fixture:wait_until(fun() -> is_pid(pid(Config, holder)) end),
    #{status := refused, outcome := busy, reason := Reason} = request(Config, start, slow, Slow),
    ?assertMatch({_, _}, binary:match(Reason, <<"the node is busy since 20">>)),
    #{waiting := 0} = call(Config, erlrc_operations, status, []),
    go = call(Config, erlang, send, [holder, go]),
    fixture:wait_until(fun() -> idle =:= call(Config, erlrc_operations, status, []) end),
    none_of(Config, [slow]).

what_cannot_be_called_off_is_killed(Config) ->
    Deadline = call(Config, erlrc_deadline, in, [?PATIENCE]),
    How = #{deadline => Deadline, force => 100},
    {error, {stuck, {?MODULE, hold, 0}}} = call(Config, erlrc_operations, run, [?MODULE, hold, [], How]),
    idle = call(Config, erlrc_operations, status, []),
    #{status := not_rolled_back, outcome := stuck, reason := Reason} =
        call(Config, erlrc_hook, unfinished, [{stuck, {?MODULE, hold, 0}}]),
    ?assertMatch({_, _}, binary:match(Reason, <<"killed in deadline_SUITE:hold/0">>)).

%% The deadline of an operation is over long before what its guardian holds is taken back.
hold_ends_after_the_deadline(Config) ->
    Old = foo(Config, "1", #{}),
    New = foo(Config, "2", #{children => [child(foo_server), child(foo_late)], more => [late(foo_late)]}),
    started = start(Config, foo, "1", Old),
    Pid = pid(Config, foo_server),
    #{status := ok, held := Held} = upgrade(Config, Old, New, #{options => #{hold => 60000}}),
    true = is_pid(pid(Config, foo_late)),
    fixture:wait_until(fun() -> call(Config, ?MODULE, is_held_for, [3 * ?PATIENCE]) end),
    #{status := ok, outcome := reverted} = hook(Config, #{
        operation => revert, application => foo, from => <<"1">>, to => <<"2">>, held => Held
    }),
    undefined = pid(Config, foo_late),
    old(Config, Pid).

%% @private
is_held_for(Milliseconds) ->
    #{left := Left} = erlrc_hold:status(),
    Left =< 60000 - Milliseconds.

%% Nothing of what was given up is left behind.
old(Config, Pid) ->
    ?assertEqual(Pid, pid(Config, foo_server)),
    ?assertMatch({state1, _}, call(Config, gen_server, call, [foo_server, state])),
    idle = call(Config, erlrc_operations, status, []).

again(Config, New, Old) ->
    #{status := ok, outcome := upgraded} = upgrade(Config, Old, New),
    ?assertMatch({state2, _, _}, call(Config, gen_server, call, [foo_server, state])).

none_of(Config, Apps) ->
    Running = call(Config, erlrc_node, running, []),
    ?assertEqual([], [App || App <- Apps, lists:member(App, Running)]),
    ?assertEqual(undefined, pid(Config, slow_server)).

foo(Config, Vsn, Options) ->
    Version = case Vsn of "1" -> 1; _ -> 2 end,
    Modules = [
        fixture:callback_module(foo_app, foo_sup),
        fixture:supervisor_module(foo_sup, maps:get(children, Options, [child(foo_server)])),
        fixture:server_module(foo_server, Version)
    ],
    fixture:application(?config(dir, Config), foo, Vsn, (maps:with([appup], Options))#{
        modules => Modules ++ maps:get(more, Options, []),
        app => [{mod, {foo_app, []}}] ++ maps:get(app, Options, [])
    }).

child(Module) ->
    #{id => Module, start => {Module, start_link, []}, modules => [Module]}.

%% An application that comes to no end where the environment of kernel says so.
service(Config, App, Needed) ->
    Name = fun(Suffix) -> list_to_atom(atom_to_list(App) ++ Suffix) end,
    Callback = io_lib:format(
        "-module(~p).~n-behaviour(application).~n-export([start/2, prep_stop/1, stop/1]).~n"
        "start(_, _) -> ~p:start_link().~nprep_stop(S) -> ~s, S.~nstop(_) -> ok.~n",
        [Name("_app"), Name("_sup"), hangs(prep_stop)]
    ),
    Child = (child(Name("_server")))#{shutdown => infinity},
    fixture:application(?config(dir, Config), App, "1", #{
        modules => [
            lists:flatten(Callback), fixture:supervisor_module(Name("_sup"), [Child]), late(Name("_server"))
        ],
        app => [{mod, {Name("_app"), []}}, {applications, [kernel, stdlib | Needed]}]
    }).

late(Module) ->
    lists:flatten(io_lib:format(
        "-module(~p).~n-behaviour(gen_server).~n"
        "-export([start_link/0, init/1, handle_call/3, handle_cast/2, terminate/2]).~n"
        "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).~n"
        "init([]) -> process_flag(trap_exit, true), ~s, {ok, []}.~n"
        "handle_call(_, _, S) -> {reply, S, S}.~nhandle_cast(_, S) -> {noreply, S}.~n"
        "terminate(_, _) -> ~s.~n",
        [Module, hangs(init), hangs(terminate)]
    )).

hangs(Where) ->
    Only = case Where of init -> " andalso ?MODULE =/= needed_server"; _ -> "" end,
    io_lib:format(
        "case application:get_env(kernel, hangs_in) =:= {ok, ~p}~s of true -> receive after infinity -> ok end; false -> ok end",
        [Where, Only]
    ).

hang(Config, Where) ->
    call(Config, application, set_env, [kernel, hangs_in, Where]).

%% @private
hold() ->
    case whereis(holder) of undefined -> register(holder, self()); _ -> ok end,
    receive go -> ok end.

%% @private
busy(State) ->
    receive go -> State end.

wait_until_in(Config, Pid, Function) ->
    fixture:wait_until(fun() ->
        {current_function, {?MODULE, Function, 1}} =:= call(Config, erlang, process_info, [Pid, current_function])
    end).

start(Config, App, Vsn, Dir) ->
    call(Config, erlrcdynamic, start, [App, Vsn, Dir]).

request(Config, Operation, App, Dir) ->
    hook(Config, #{operation => Operation, application => App, vsn => <<"1">>, dir => list_to_binary(Dir)}).

upgrade(Config, Old, New) ->
    upgrade(Config, Old, New, #{options => #{evaluator => proplists:get_value(evaluator, Config, <<"transactional">>)}}).

upgrade(Config, Old, New, More) ->
    hook(Config, More#{
        operation => upgrade,
        application => foo,
        from => vsn(Old),
        to => vsn(New),
        from_dir => list_to_binary(Old),
        to_dir => list_to_binary(New)
    }).

vsn(Dir) ->
    list_to_binary(lists:last(string:split(filename:basename(Dir), "-"))).

hook(Config, Request) ->
    call(Config, erlrc_hook, request, [Request#{protocol => 1, patience => ?PATIENCE}]).

pid(Config, Name) ->
    call(Config, erlang, whereis, [Name]).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
