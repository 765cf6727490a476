%% @doc Processes that call one another while their states change: what OTP runs in the order of the script, one window
%% runs as well.
-module(order_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, child/1, child/2, up/3, up/4, down/4, call/4, photograph/1, still/2, server/2]).
-import(service_fixture, [server/3]).
-import(service_fixture, [in_background/4, answer/1, advanced/1, start_child/2]).

all() ->
    [
        code_change_calls_one_that_stands,
        code_change_calls_through_another_process,
        chain_of_calls,
        supervisor_init_calls_one_that_stands,
        answers_later_and_goes_on,
        call_of_a_failed_attempt_leaves_no_trace,
        no_client_is_answered_before_the_way_back,
        call_that_is_never_answered_is_forgotten,
        code_change_calls_a_machine_that_stands,
        code_change_calls_a_machine_of_state_functions,
        code_change_calls_a_handler_that_stands,
        machine_that_would_have_to_run_is_not_touched,
        code_change_calls_going_down,
        machine_answers_going_down,
        call_going_down_leaves_no_trace
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

code_change_calls_one_that_stands(Config) ->
    Dirs = started(Config, [{sa, "ok"}, {sb, "1 = gen_server:call(sa, next, 20000)"}]),
    {ok, _} = up(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    ?assertEqual([{2, 1, none}, {2, 0, none}], states(Config, [sa, sb])).

code_change_calls_through_another_process(Config) ->
    Body = "{_, R} = spawn_monitor(fun() -> exit({answer, gen_server:call(sa, next, 20000)}) end),"
        " receive {'DOWN', R, _, _, {answer, 1}} -> ok end",
    Dirs = started(Config, [{sa, "ok"}, {sb, Body}]),
    {ok, _} = up(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    ?assertEqual([{2, 1, none}, {2, 0, none}], states(Config, [sa, sb])).

chain_of_calls(Config) ->
    Dirs = started(Config, [{sa, "ok"}, {sb, "ok"}, {sc, "1 = gen_server:call(sb, {call, sa, next}, 20000)"}]),
    {ok, _} = up(Config, Dirs, [advanced(Name) || Name <- [sa, sb, sc]], #{code_change_timeout => 10000}),
    ?assertEqual([{2, 1, none}, {2, 0, none}, {2, 0, none}], states(Config, [sa, sb, sc])).

supervisor_init_calls_one_that_stands(Config) ->
    Dirs = versions(Config, [server(sa, 1), asking(1)], [server(sa, 2), asking(2)]),
    {ok, _} = start_child(Config, child(sa)),
    {ok, _} = start_child(Config, child(asking, #{type => supervisor})),
    {ok, _} = up(Config, Dirs, [advanced(sa), {update, asking, supervisor}], #{code_change_timeout => 10000}),
    ?assertEqual([{2, 2, none}], states(Config, [sa])).

%% The called one answers from handle_continue.
answers_later_and_goes_on(Config) ->
    Later = fun(Version) -> lists:flatten(string:replace(
        server(sa, Version) ++ "handle_continue({answer, From}, S) -> gen_server:reply(From, later), {noreply, S}.\n",
        "handle_call(next, _,", "handle_call(later, From, S) -> {noreply, S, {continue, {answer, From}}};\nhandle_call(next, _,"
    )) end,
    Export = fun(Source) -> lists:flatten(string:replace(Source, "handle_info/2,", "handle_info/2, handle_continue/2,")) end,
    Dirs = versions(Config,
        [Export(Later(1)), server(sb, 1)],
        [Export(Later(2)), server(sb, 2, "later = gen_server:call(sa, later, 20000)")]
    ),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- [sa, sb]],
    {ok, _} = up(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    ?assertEqual([{2, 0, none}, {2, 0, none}], states(Config, [sa, sb])).

call_of_a_failed_attempt_leaves_no_trace(Config) ->
    Dirs = started(Config, [{sa, "ok"}, {sb, "1 = gen_server:call(sa, next, 20000), error(poisoned)"}]),
    Before = photograph(Config),
    {error, {script_failed, service, {code_change_failed, _, sb, {poisoned, _}}}} =
        up(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    still(Config, Before),
    ?assertEqual([{1, 0, none}, {1, 0, none}], states(Config, [sa, sb])).

%% Its request is carried out once, and counts.
no_client_is_answered_before_the_way_back(Config) ->
    Body = "gate ! {self(), here}, receive go -> ok end, 1 = gen_server:call(sa, next, 20000), error(poisoned)",
    Dirs = started(Config, [{sa, "ok"}, {sb, Body}]),
    _ = call(Config, ?MODULE, open_gate, []),
    Upgrade = in_background(Config, ?MODULE, local_up, [Dirs, [advanced(sa), advanced(sb)]]),
    Client = in_background(Config, ?MODULE, call_at_the_gate, [sa]),
    1 = answer(Client),
    {error, _} = answer(Upgrade),
    ?assertEqual([{1, 1, none}, {1, 0, none}], states(Config, [sa, sb])).

%% A machine that would have to change its state answers no calls where it stands. The caller gives up; its request is
%% not carried out later.
call_that_is_never_answered_is_forgotten(Config) ->
    Body = "catch gen_statem:call(counter, leave, 200), error(poisoned)",
    Dirs = with_machine(Config, Body),
    Before = photograph(Config),
    {error, {script_failed, service, {code_change_failed, _, sb, _}}} =
        up(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always}),
    ?assertEqual({counting, {0}}, call(Config, gen_statem, call, [counter, state])),
    still(Config, Before).

%% Its answer comes from an event that it inserts.
code_change_calls_a_machine_that_stands(Config) ->
    Dirs = with_machine(Config, "1 = gen_statem:call(counter, next, 20000), 2 = gen_statem:call(counter, later, 20000)"),
    {ok, _} = up(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always, code_change_timeout => 10000}),
    ?assertEqual({counting, {2}}, call(Config, gen_statem, call, [counter, state])),
    ?assertEqual([{2, 0, none}], states(Config, [sb])).

code_change_calls_a_machine_of_state_functions(Config) ->
    Counter = fun(Version) ->
        "-module(counter).\n-behaviour(gen_statem).\n-export([start_link/0, init/1, callback_mode/0, counting/3, code_change/4, version/0]).\n"
            "version() -> " ++ integer_to_list(Version) ++ ".\n"
            "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\ncallback_mode() -> [state_functions, state_enter].\n"
            "init([]) -> {ok, counting, 0}.\ncode_change(_, S, N, _) -> {ok, S, N}.\n"
            "counting(enter, _, _) -> keep_state_and_data;\n"
            "counting({call, From}, next, N) -> throw({next_state, counting, N + 1, {reply, From, N + 1}}).\n"
    end,
    Dirs = versions(Config, [server(sb, 1), Counter(1)], [server(sb, 2, "1 = gen_statem:call(counter, next, 20000)"), Counter(2)]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- [sb, counter]],
    {ok, _} = up(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always, code_change_timeout => 10000}),
    ?assertEqual(2, call(Config, gen_statem, call, [counter, next])).

code_change_calls_a_handler_that_stands(Config) ->
    Handler = fun(Version) ->
        "-module(tally).\n-behaviour(gen_event).\n-export([init/1, handle_event/2, handle_call/2, code_change/3, version/0]).\n"
            "version() -> " ++ integer_to_list(Version) ++ ".\ninit(N) -> {ok, {1, N}}.\nhandle_event(_, S) -> {ok, S}.\n"
            "handle_call(next, {V, N}) -> {ok, {V, N + 1}, {V, N + 1}}.\ncode_change(_, {_, N}, _) -> {ok, {" ++
            integer_to_list(Version) ++ ", N}}.\n"
    end,
    Body = "{2, 6} = gen_event:call(events, {tally, b}, next, 20000), {2, 2} = gen_event:call(events, tally, next, 20000)",
    Dirs = versions(Config, [server(sb, 1), Handler(1)], [server(sb, 2, Body), Handler(2)]),
    Events = #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
    _ = [{ok, _} = start_child(Config, Spec) || Spec <- [child(sb), Events]],
    _ = [ok = call(Config, gen_event, add_handler, [events, Name, N]) || {Name, N} <- [{tally, 1}, {{tally, b}, 5}]],
    {ok, _} = up(Config, Dirs, [advanced(tally), advanced(sb)], #{code_change_timeout => 10000}),
    ?assertEqual({2, 3}, call(Config, gen_event, call, [events, tally, next])),
    ?assertEqual({2, 7}, call(Config, gen_event, call, [events, {tally, b}, next])).

%% What it would do is done once, when it runs: a timeout is no answer that it could give where it stands.
machine_that_would_have_to_run_is_not_touched(Config) ->
    Dirs = with_machine(Config, "{'EXIT', {timeout, _}} = (catch gen_statem:call(counter, alarm, 300))"),
    {ok, _} = up(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always}),
    fixture:wait_until(fun() -> {counting, {1}} =:= call(Config, gen_statem, call, [counter, state]) end),
    #{suspended := [], kept := []} = photograph(Config),
    {dictionary, Dictionary} = call(Config, erlang, process_info, [service_fixture:pid(Config, counter), dictionary]),
    ?assertEqual(false, lists:keymember(erlrc_inner_calls, 1, Dictionary)).

code_change_calls_going_down(Config) ->
    Dirs = started(Config, [{sa, "ok"}, {sb, "is_tuple(Vsn) andalso (1 = gen_server:call(sa, next, 20000))"}]),
    {ok, _} = up(Config, Dirs, [advanced(sa), advanced(sb)]),
    {ok, _} = down(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    ?assertEqual([{1, 1, none}, {1, 0, none}], states(Config, [sa, sb])).

machine_answers_going_down(Config) ->
    Dirs = with_machine(Config, "is_tuple(Vsn) andalso (1 = gen_statem:call(counter, next, 20000))"),
    {ok, _} = up(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always}),
    {ok, _} = down(Config, Dirs, [advanced(counter), advanced(sb)], #{suspend => always, code_change_timeout => 10000}),
    ?assertEqual({counting, {1}}, call(Config, gen_statem, call, [counter, state])),
    ?assertEqual([{1, 0, none}], states(Config, [sb])),
    #{suspended := [], kept := []} = photograph(Config).

call_going_down_leaves_no_trace(Config) ->
    Body = "is_tuple(Vsn) andalso begin 1 = gen_server:call(sa, next, 20000), error(poisoned) end",
    Dirs = started(Config, [{sa, "ok"}, {sb, Body}]),
    {ok, _} = up(Config, Dirs, [advanced(sa), advanced(sb)]),
    Before = photograph(Config),
    {error, {script_failed, service, {code_change_failed, _, sb, {poisoned, _}}}} =
        down(Config, Dirs, [advanced(sa), advanced(sb)], #{code_change_timeout => 10000}),
    still(Config, Before),
    ?assertEqual([{2, 0, none}, {2, 0, none}], states(Config, [sa, sb])).

with_machine(Config, Body) ->
    Counter = fun(Version) ->
        "-module(counter).\n-behaviour(gen_statem).\n-export([start_link/0, init/1, callback_mode/0, handle_event/4, code_change/4, version/0]).\n"
            "version() -> " ++ integer_to_list(Version) ++ ".\n"
            "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\ncallback_mode() -> handle_event_function.\n"
            "init([]) -> {ok, counting, {0}}.\ncode_change(_, S, D, _) -> {ok, S, D}.\n"
            "handle_event({call, From}, next, _, {N}) -> {keep_state, {N + 1}, {reply, From, N + 1}};\n"
            "handle_event({call, From}, later, _, _) -> {keep_state_and_data, [{next_event, internal, {answer, From}}]};\n"
            "handle_event(internal, {answer, From}, S, {N}) -> {next_state, S, {N + 1}, [{reply, From, N + 1}, hibernate]};\n"
            "handle_event({call, From}, leave, _, D) -> {next_state, left, D, {reply, From, gone}};\n"
            "handle_event({call, _}, alarm, _, _) -> {keep_state_and_data, {{timeout, bell}, 0, ring}};\n"
            "handle_event({timeout, bell}, ring, _, {N}) -> {keep_state, {N + 1}};\n"
            "handle_event({call, From}, state, S, D) -> {keep_state_and_data, {reply, From, {S, D}}}.\n"
    end,
    Dirs = versions(Config, [server(sb, 1), Counter(1)], [server(sb, 2, Body), Counter(2)]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- [sb, counter]],
    Dirs.

started(Config, Servers) ->
    Dirs = versions(Config, [server(Name, 1) || {Name, _} <- Servers], [server(Name, 2, Body) || {Name, Body} <- Servers]),
    _ = [{ok, _} = start_child(Config, child(Name)) || {Name, _} <- Servers],
    Dirs.

asking(Version) ->
    lists:flatten(io_lib:format(
        "-module(asking).~n-behaviour(supervisor).~n-export([start_link/0, init/1, version/0]).~nversion() -> ~p.~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "init([]) -> N = gen_server:call(sa, next, 20000), {ok, {#{intensity => N}, []}}.~n",
        [Version]
    )).

states(Config, Names) -> [call(Config, gen_server, call, [Name, state]) || Name <- Names].

%% On the node.

local_up({Old, New}, Instructions) ->
    erlrc_transaction:evaluate(service_fixture:script(up, Old, New, Instructions, #{})).

open_gate() ->
    Self = self(),
    Pid = spawn(fun() ->
        true = register(gate, self()),
        Self ! opened,
        receive {Changing, here} -> receive {client, From} -> From ! {Changing, here} end end
    end),
    receive
        opened -> Pid
    end.

%% Sends a request while everybody stands, then lets the change go on.
call_at_the_gate(Name) ->
    gate ! {client, self()},
    receive
        {Changing, here} ->
            Request = gen_server:send_request(Name, next),
            Changing ! go,
            {reply, Answer} = gen_server:receive_response(Request, 20000),
            Answer
    end.
