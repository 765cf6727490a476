%% @doc Who stands during an upgrade, who is resumed after it, and whose death counts.
-module(standing_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, child/1, child/2, up/3, up/4, call/4, server/2, server/3, pid/2]).
-import(service_fixture, [in_background/4, answer/1, advanced/1, start_child/2]).

all() ->
    [
        resumed_by_its_owner_before_it_is_suspended,
        suspended_by_an_owner_meanwhile,
        parent_suspended_by_an_owner_meanwhile,
        resumed_by_its_owner_before_a_failure,
        resumed_by_its_owner_while_others_change,
        machine_resumed_by_its_owner_while_others_change,
        resumed_by_its_owner_and_the_operation_killed,
        resumed_by_its_owner_right_before_the_others_are_suspended,
        suspended_by_its_owner_through_a_failure,
        ended_by_itself_before_it_stood,
        killed_before_it_stood,
        stopped_while_it_stood,
        stopped_with_a_reason_while_it_stood,
        killed_while_it_stood
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

resumed_by_its_owner_before_it_is_suspended(Config) ->
    Dirs = two_servers(Config),
    ok = call(Config, sys, suspend, [first]),
    {{ok, _}, _} = up_with_a_break(Config, Dirs, fun() -> ok = call(Config, sys, resume, [first]) end),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [first, state])).

suspended_by_an_owner_meanwhile(Config) ->
    Dirs = two_servers(Config),
    {{ok, _}, _} = up_with_a_break(Config, Dirs, fun() -> ok = call(Config, sys, suspend, [first]) end),
    ?assert(is_suspended(Config, first)),
    ok = call(Config, sys, resume, [first]),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [first, state])).

parent_suspended_by_an_owner_meanwhile(Config) ->
    Dirs = two_servers(Config),
    {{ok, _}, _} = up_with_a_break(Config, Dirs, fun() -> ok = call(Config, sys, suspend, [service_sup]) end),
    ?assert(is_suspended(Config, service_sup)),
    ok = call(Config, sys, resume, [service_sup]).

resumed_by_its_owner_before_a_failure(Config) ->
    Dirs = versions(Config, [server(first, 1), server(second, 1)], [server(first, 2), server(second, 2, "error(poisoned)")]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- [first, second]],
    ok = call(Config, sys, suspend, [first]),
    {{error, _}, _} = up_with_a_break(Config, Dirs, fun() -> ok = call(Config, sys, resume, [first]) end),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [first, state])).

%% Its owner resumes it in the midst of the window, in which `second' then fails.
resumed_by_its_owner_while_others_change(Config) ->
    Dirs = resumed_in_the_window(Config, {first, server(first, 1), server(first, 2)}, "_ = sys:resume(first), error(poisoned)"),
    {{error, _}, _} = call(Config, ?MODULE, local_up, [Dirs, [advanced(first), advanced(second)]]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [first, state])).

%% What makes it look at its callback mode again lets it go, too.
machine_resumed_by_its_owner_while_others_change(Config) ->
    Machine = {machine, service_fixture:statem(1), service_fixture:statem(2)},
    Dirs = resumed_in_the_window(Config, Machine, "_ = sys:resume(machine), error(poisoned)"),
    {{error, _}, _} = call(Config, ?MODULE, local_up, [Dirs, [advanced(machine), advanced(second)]]),
    ?assertEqual({1, calm, one}, call(Config, gen_statem, call, [machine, state])).

resumed_by_its_owner_and_the_operation_killed(Config) ->
    Body = "_ = sys:resume(first), standing_SUITE:kill_runner()",
    Dirs = resumed_in_the_window(Config, {first, server(first, 1), server(first, 2)}, Body),
    {{error, _}, _} = call(Config, ?MODULE, local_up, [Dirs, [advanced(first), advanced(second)]]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [first, state])).

resumed_in_the_window(Config, {Name, One, Two}, Body) ->
    Dirs = versions(Config, [One, server(second, 1)], [Two, server(second, 2, Body)]),
    _ = [{ok, _} = start_child(Config, child(Each)) || Each <- [Name, second]],
    ok = call(Config, sys, suspend, [Name]),
    Dirs.

%% It has been found suspended, and another one has not.
resumed_by_its_owner_right_before_the_others_are_suspended(Config) ->
    _ = two_servers(Config),
    ok = call(Config, sys, suspend, [first]),
    {Resumed, Standing} = call(Config, ?MODULE, local_bring, [first, second]),
    ?assertEqual(lists:sort([pid(Config, Name) || Name <- [first, second]]), lists:sort(Resumed)),
    ?assertEqual(lists:sort(Resumed), lists:sort(Standing)),
    ?assert(is_suspended(Config, first)).

%% Somebody else's goes on to stand, whatever becomes of the upgrade.
suspended_by_its_owner_through_a_failure(Config) ->
    Dirs = resumed_in_the_window(Config, {first, server(first, 1), server(first, 2)}, "error(poisoned)"),
    {{error, _}, _} = call(Config, ?MODULE, local_up, [Dirs, [advanced(first), advanced(second)]]),
    ?assert(is_suspended(Config, first)),
    ok = call(Config, sys, resume, [first]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [first, state])).

%% A short-lived worker that ends of its own accord while others are waited for.
ended_by_itself_before_it_stood(Config) ->
    Dirs = two_servers(Config),
    {{ok, _}, Report} = up_with_a_break(Config, Dirs, fun() -> ok = call(Config, gen_server, stop, [first]) end),
    ?assertNot(is_map_key(died, Report)).

killed_before_it_stood(Config) ->
    Dirs = two_servers(Config),
    Kill = fun() -> true = call(Config, erlang, exit, [pid(Config, first), kill]) end,
    {{ok, _}, Report} = up_with_a_break(Config, Dirs, Kill),
    ?assertNot(is_map_key(died, Report)).

stopped_while_it_stood(Config) ->
    ?assertNot(is_map_key(died, ended_in_the_window(Config, shutdown))).

stopped_with_a_reason_while_it_stood(Config) ->
    ?assertNot(is_map_key(died, ended_in_the_window(Config, {shutdown, over}))).

killed_while_it_stood(Config) ->
    ?assertMatch(#{died := {1, [first]}}, ended_in_the_window(Config, kill)).

%% `second' ends `first' while the state of this one is changed.
ended_in_the_window(Config, Reason) ->
    End = lists:flatten(io_lib:format("exit(whereis(first), ~p)", [Reason])),
    Dirs = versions(Config,
        [server(first, 1), server(second, 1)],
        [server(first, 2, "receive never -> ok end"), server(second, 2, End)]
    ),
    _ = [{ok, _} = start_child(Config, child(Name, #{restart => temporary})) || Name <- [first, second]],
    {{ok, _}, Report} = call(Config, ?MODULE, local_up, [Dirs, [advanced(first), advanced(second)]]),
    Report.

two_servers(Config) ->
    Names = [first, second],
    Dirs = versions(Config, [server(Name, 1) || Name <- Names], [server(Name, 2) || Name <- Names]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- Names],
    Dirs.

%% Upgrades, and evaluates `Fun' while erlrc has found all processes and waits for a busy one.
up_with_a_break(Config, Dirs, Fun) ->
    Busy = in_background(Config, gen_server, call, [second, {apply, fun ?MODULE:wait_for_go/0}, infinity]),
    fixture:wait_until(fun() ->
        {current_function, {?MODULE, wait_for_go, 0}} =:=
            call(Config, erlang, process_info, [pid(Config, second), current_function])
    end),
    Upgrade = in_background(Config, ?MODULE, local_up, [Dirs, [advanced(first), advanced(second)]]),
    fixture:wait_until(fun() -> 0 < queued(Config, second) end),
    Fun(),
    go = call(Config, erlang, send, [second, go]),
    go = answer(Busy),
    answer(Upgrade).

%% On the node.

local_up({Old, New}, Instructions) ->
    Result = erlrc_transaction:evaluate(service_fixture:script(up, Old, New, Instructions, #{})),
    {Result, get(erlrc_report)}.

%% Brings two processes to a stand, of which the one is found suspended and is resumed as soon as it has been.
local_bring(Suspended, Running) ->
    Pids = [whereis(Suspended), whereis(Running)],
    Window = #{
        id => make_ref(), batch => #{suspend => [], before => [], 'after' => []}, pids => Pids, supervisors => [], resume => [],
        changed => [{Pid, []} || Pid <- Pids], watcher => erlrc_losses:watch(Pids)
    },
    Found = erlrc_discover:processes([], #{}),
    Context = #{
        options => #{}, cancelled => fun() -> false end, note => fun(_) -> ok = sys:resume(Suspended) end
    },
    {ok, #{resume := Resumed, standing := Standing}} = erlrc_stand:bring(Window, Found, Context),
    {Resumed, Standing}.

kill_runner() ->
    {monitors, [{process, Runner} | _]} = process_info(whereis(erlrc_guardian), monitors),
    exit(Runner, kill).

wait_for_go() ->
    receive
        go -> go
    end.

%% Helpers.

queued(Config, Name) ->
    {message_queue_len, Length} = call(Config, erlang, process_info, [pid(Config, Name), message_queue_len]),
    Length.

is_suspended(Config, Name) ->
    {status, _, _, [_, Status | _]} = call(Config, sys, get_status, [Name]),
    Status =:= suspended.
