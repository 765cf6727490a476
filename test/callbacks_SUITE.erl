%% @doc Processes whose callback module neither their initial call nor their child specification names, or names wrongly:
%% each is upgraded by the module that it runs, and once.
-module(callbacks_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1]).
-import(service_fixture, [versions/4, child/1, child/2, call/4, photograph/1, still/2, plain/2]).
-import(service_fixture, [upgrade/2, downgrade/2]).

all() ->
    [
        changed_callback_module,
        pushed_callback_module,
        callback_module_changed_by_a_helper,
        left_callback_module,
        callback_module_of_one_that_answers_late,
        entered_loop,
        entered_loop_of_another_server,
        special_process_of_another_module,
        wrapper_changes_once,
        wrapper_is_tried_by_its_own_module,
        nobody_is_found,
        plain_process_is_not_asked
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

%% A connection that is shaken hands with in one module and open in another one.
greeter(Action) ->
    "-module(greeter).\n-behaviour(gen_statem).\n-export([start_link/0, callback_mode/0, init/1, handle_event/4, code_change/4]).\n"
    "start_link() -> gen_statem:start_link({local, conn}, ?MODULE, [], []).\n"
    "callback_mode() -> handle_event_function.\ninit([]) -> {ok, greeting, greeted}.\n"
    "code_change(_, _, _, _) -> error(not_mine).\n"
    "handle_event({call, F}, open, _, greeted) -> {next_state, open, {1, none}, [" ++ Action ++ ", {reply, F, ok}]}.\n".

talker(Version) ->
    format(
        "-module(talker).~n-behaviour(gen_statem).~n-export([callback_mode/0, init/1, handle_event/4, code_change/4]).~n"
        "callback_mode() -> handle_event_function.~ninit([]) -> {ok, open, {~p, none}}.~n"
        "handle_event({call, F}, state, _, {~p, _} = D) -> {keep_state_and_data, [{reply, F, {~p, D}}]}.~n"
        "code_change({down, _}, S, {2, _}, _) -> {ok, S, {1, none}};~n"
        "code_change(_, S, {1, _}, _) -> {ok, S, {2, new}}.~n",
        [Version, Version, Version]
    ).

format(Format, Arguments) -> lists:flatten(io_lib:format(Format, Arguments)).

%% The plan is that of what happens, the process is the same, and its state is that of the version which answers.
taken_over(Config, Dirs, Name, Ask, [First, Second]) ->
    Pid = call(Config, erlang, whereis, [Name]),
    ?assertEqual(First, Ask()),
    ?assertMatch({[], {ok, #{tried := 1}}}, {kinds(plan(Config, Dirs)), plan(Config, Dirs)}),
    ?assertMatch({ok, []}, upgrade(Config, Dirs)),
    ?assertEqual(Second, Ask()),
    ?assertMatch({ok, []}, downgrade(Config, Dirs)),
    ?assertEqual(First, Ask()),
    ?assertEqual(Pid, call(Config, erlang, whereis, [Name])).

errors(Plan) -> [Kind || {Kind, Severity} <- kinds(Plan), Severity =/= info].

connection(Config, Action, Mods) ->
    Keep = fun(Version) -> [fixture:server_module(service_server, 1), greeter(Action), talker(Version)] end,
    Dirs = versions(Config, tl(Keep(1)), tl(Keep(2)), [child(greeter, #{modules => Mods})]),
    ok = call(Config, gen_statem, call, [conn, open]),
    {Dirs, fun() -> call(Config, gen_statem, call, [conn, state]) end}.

changed_callback_module(Config) ->
    {Dirs, Ask} = connection(Config, "{change_callback_module, talker}", [greeter]),
    taken_over(Config, Dirs, conn, Ask, [{1, {1, none}}, {2, {2, new}}]).

pushed_callback_module(Config) ->
    {Dirs, Ask} = connection(Config, "{push_callback_module, talker}", dynamic),
    taken_over(Config, Dirs, conn, Ask, [{1, {1, none}}, {2, {2, new}}]).

callback_module_changed_by_a_helper(Config) ->
    Helper = "-module(helper).\n-export([action/0]).\naction() -> {change_callback_module, talker}.\n",
    Dirs = versions(
        Config, [greeter("helper:action()"), talker(1), Helper], [greeter("helper:action()"), talker(2), Helper],
        [child(greeter)]
    ),
    ok = call(Config, gen_statem, call, [conn, open]),
    taken_over(Config, Dirs, conn, fun() -> call(Config, gen_statem, call, [conn, state]) end,
        [{1, {1, none}}, {2, {2, new}}]).

%% The module that changes is the one that the process has left: its `code_change' is nobody's.
left_callback_module(Config) ->
    Action = "{change_callback_module, talker}",
    New = lists:flatten(string:replace(greeter(Action), "{ok, greeting, greeted}", "{ok, greeting, greeted, []}")),
    Dirs = versions(Config, [greeter(Action), talker(1)], [New, talker(1)], [child(greeter)]),
    ok = call(Config, gen_statem, call, [conn, open]),
    ?assertEqual([], errors(plan(Config, Dirs))),
    ?assertMatch({ok, []}, upgrade(Config, Dirs)),
    ?assertEqual({1, {1, none}}, call(Config, gen_statem, call, [conn, state])).

%% It is in a callback when it is asked.
callback_module_of_one_that_answers_late(Config) ->
    Late = string:replace(talker(1), "handle_event(", "handle_event(cast, late, _, _) -> receive after 150 -> keep_state_and_data end;\nhandle_event("),
    Action = "{change_callback_module, talker}",
    Modules = [greeter(Action), lists:flatten(Late)],
    _ = versions(Config, Modules, Modules, [child(greeter)]),
    ok = call(Config, gen_statem, call, [conn, open]),
    ?assertEqual([[talker]], call(Config, ?MODULE, stacks_of_late, [conn])).

stacks_of_late(Name) ->
    Pid = whereis(Name),
    ok = gen_statem:cast(Pid, late),
    #{stacks := Stacks} = erlrc_callback:machines(#{greeter => [Pid]}, #{}, fun(_) -> [] end, 5000),
    maps:values(Stacks).

%% A server that another module started and whose specification does not name it.
entrance(More, Exports) ->
    "-module(entrance).\n-export([start_link/0, init/1" ++ Exports ++ "]).\n"
    "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).\n"
    "init(Parent) -> register(inner, self()), proc_lib:init_ack(Parent, {ok, self()}),"
    " gen_server:enter_loop(inner, [], {1, 0, none}).\n" ++ More.

entered_loop(Config) ->
    entered(Config, entrance("", ""), [service_fixture:server(inner, 1)], [service_fixture:server(inner, 2)]).

entered_loop_of_another_server(Config) ->
    Server = "handle_call(_, _, S) -> {reply, S, S}.\nhandle_cast(_, S) -> {noreply, S}.\n",
    Entrance = entrance(Server, ", handle_call/3, handle_cast/2"),
    entered(Config, Entrance, [service_fixture:server(inner, 1)], [service_fixture:server(inner, 2)]).

entered(Config, Entrance, Old, New) ->
    Dirs = versions(Config, [Entrance | Old], [Entrance | New], [child(entrance)]),
    taken_over(Config, Dirs, inner, fun() -> call(Config, gen_server, call, [inner, state]) end, [{1, 0, none}, {2, 0, none}]).

%% Its transport starts it, its protocol is what it loops in.
special_process_of_another_module(Config) ->
    Transport = "-module(transport).\n-export([start_link/0, run/1]).\n"
        "start_link() -> proc_lib:start_link(?MODULE, run, [self()]).\nrun(Parent) -> special:init(Parent).\n",
    Special = fun(Version) -> service_fixture:special(Version, normal) end,
    Dirs = versions(Config, [Transport, Special(1)], [Transport, Special(2)], [child(transport)]),
    Ask = fun() -> call(Config, ?MODULE, state_of, [special]) end,
    taken_over(Config, Dirs, special, Ask, [{1, 0}, {2, 0}]).

state_of(Name) -> element(2, sys:get_state(Name)).

%% A wrapper whose own module and whose callback module both change: it asks the latter itself.
wrapper_changes_once(Config) ->
    Wrapper = fun(Version) ->
        format(
            "-module(wrapper).~n-behaviour(gen_server).~n"
            "-export([start_link/0, version/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
            "start_link() -> gen_server:start_link({local, wrapper}, ?MODULE, [], []).~nversion() -> ~p.~n"
            "init([]) -> {ok, {wrapped, wrapped:new()}}.~nhandle_call(state, _, {wrapped, S} = W) -> {reply, S, W}.~n"
            "handle_cast(_, W) -> {noreply, W}.~n"
            "code_change(V, {M, S}, X) -> {ok, N} = M:code_change(V, S, X), {ok, {M, N}}.~n",
            [Version]
        )
    end,
    Wrapped = fun(Version) ->
        format(
            "-module(wrapped).~n-export([new/0, code_change/3]).~nnew() -> {~p}.~n"
            "code_change({down, _}, {2}, _) -> {ok, {1}};~ncode_change(_, {1}, _) -> {ok, {2}}.~n",
            [Version]
        )
    end,
    Dirs = versions(
        Config, [Wrapper(1), Wrapped(1)], [Wrapper(2), Wrapped(2)], [child(wrapper, #{modules => [wrapper, wrapped]})]
    ),
    Ask = fun() -> call(Config, gen_server, call, [wrapper, state]) end,
    ?assertEqual({1}, Ask()),
    ?assertMatch({ok, []}, upgrade(Config, Dirs)),
    ?assertEqual({2}, Ask()),
    ?assertMatch({ok, []}, downgrade(Config, Dirs)),
    ?assertEqual({1}, Ask()).

%% The instruction is of the callback module, what is called is the wrapper's: so the plan tries that, and finds what the
%% upgrade would meet.
wrapper_is_tried_by_its_own_module(Config) ->
    Wrapper = fun(Body) ->
        "-module(wrapper).\n-behaviour(gen_server).\n"
        "-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n"
        "start_link() -> gen_server:start_link({local, wrapper}, ?MODULE, [], []).\n"
        "init([]) -> {ok, {wrapped, {w, 1}}}.\nhandle_call(state, _, W) -> {reply, W, W}.\nhandle_cast(_, W) -> {noreply, W}.\n"
        "code_change(_, {wrapped, S}, _) -> " ++ Body ++ ".\n"
    end,
    Wrapped = fun(Version) ->
        format(
            "-module(wrapped).~n-behaviour(gen_server).~n-export([version/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
            "version() -> ~p.~ninit(S) -> {ok, S}.~nhandle_call(_, _, S) -> {reply, ok, S}.~nhandle_cast(_, S) -> {noreply, S}.~n"
            "code_change(_, {w, N}, _) -> {ok, {w, N}}.~n",
            [Version]
        )
    end,
    Child = child(wrapper, #{modules => [wrapper, wrapped]}),
    Good = Wrapper("{ok, {wrapped, S}}"),
    Dirs = {Old, _} = versions(Config, [Good, Wrapped(1)], [Good, Wrapped(2)], [Child]),
    ?assertMatch({[], {ok, #{tried := 1}}}, {kinds(plan(Config, Dirs)), plan(Config, Dirs)}),
    ?assertMatch({ok, []}, upgrade(Config, Dirs)),
    ?assertEqual({wrapped, {w, 1}}, call(Config, gen_server, call, [wrapper, state])),
    ?assertMatch({ok, []}, downgrade(Config, Dirs)),
    %% A version in which the wrapper's own fails.
    Fails = fixture:application(filename:dirname(Old), service, "4", #{
        modules => [
            fixture:callback_module(service_app, service_sup), fixture:supervisor_module(service_sup, [Child]),
            fixture:server_module(service_server, 1), Wrapper("error({not_mine, S})"), Wrapped(2)
        ],
        app => [{mod, {service_app, []}}]
    }),
    Plan = plan(Config, {Old, Fails}),
    ?assertEqual([{code_change_would_fail, error}], [Kind || {_, error} = Kind <- kinds(Plan)]),
    ?assertMatch({error, _}, call(Config, erlrcdynamic, upgrade, [service, "1", "4", Old, Fails])).

%% A module with a code_change that nobody runs is said to be one.
nobody_is_found(Config) ->
    Dirs = versions(Config, [talker(1)], [talker(2)], []),
    ok = call(Config, erlrc_node, load_modules, [service]),
    ?assertEqual([{code_change_without_process, info}], kinds(plan(Config, Dirs))).

%% One that proc_lib started and that knows no system messages gets none.
plain_process_is_not_asked(Config) ->
    Loop = "-module(deaf).\n-export([start_link/0, init/1]).\n"
        "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).\n"
        "init(Parent) -> register(deaf, self()), proc_lib:init_ack(Parent, {ok, self()}), loop([]).\n"
        "loop(Seen) -> receive {ask, From} -> From ! {seen, Seen}; Any -> loop([Any | Seen]) end.\n",
    Dirs = versions(Config, [Loop, talker(1)], [Loop, talker(2)], [child(deaf, #{modules => dynamic})]),
    {ok, _} = plan(Config, Dirs),
    ?assertMatch({ok, []}, upgrade(Config, Dirs)),
    ?assertEqual([], call(Config, ?MODULE, seen, [])).

seen() ->
    deaf ! {ask, self()},
    receive {seen, Seen} -> Seen end.
