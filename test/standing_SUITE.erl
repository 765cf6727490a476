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
