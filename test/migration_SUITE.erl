%% @doc States whose shape changes and that no `code_change' converts: with `migrate' they are converted field by field, in
%% the window, and everything goes back where one of them cannot be.
-module(migration_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2, asked/2]).
-export([versions/3, upgrade/3, downgrade/3, held/2, revert/3, plan/2, call/4]).
-export([keeper/1, machine/1, handler/1, special/4, ask/3]).
-export([
    a_record_without_code_change/1,
    a_trivial_code_change_is_called_afterwards/1,
    a_state_machine/1,
    a_handler_beside_another/1,
    a_special_process/1,
    a_special_process_beside_other_things/1,
    a_special_process_that_says_what_its_state_is/1,
    the_live_plan_tries_every_conversion/1,
    a_map_of_fixed_keys/1,
    records_inside/1,
    an_unexpected_state_takes_everything_back/1,
    without_the_option_nothing_is_converted/1,
    a_removed_field_is_lost_only_when_that_is_allowed/1,
    a_held_upgrade_is_reverted/1,
    a_shipped_appup_is_followed/1,
    the_node_may_choose_it/1,
    the_first_who_chooses_counts/1,
    another_evaluator_converts_nothing/1
]).

all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info])].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

a_record_without_code_change(Config) ->
    Dirs = versions(Config, keeper("a, b"), keeper("b, n = 7, a")),
    Pid = started(Config, keeper),
    ok = call(Config, gen_server, call, [Pid, {set, {state, one, two}}]),
    ?assertMatch(#{status := ok, outcome := upgraded}, upgrade(Config, Dirs, fields)),
    ?assertEqual({state, two, 7, one}, call(Config, gen_server, call, [Pid, get])),
    ?assertMatch(#{status := ok, outcome := downgraded}, downgrade(Config, Dirs, lossy)),
    ?assertEqual({state, one, two}, call(Config, gen_server, call, [Pid, get])).

a_trivial_code_change_is_called_afterwards(Config) ->
    Trivial = "code_change(_Vsn, State, _Extra) -> {ok, State}.\n",
    Of = fun(Fields) -> [keeper_of("-export([code_change/3]).\n", Fields), Trivial] end,
    Dirs = versions(Config, Of("a"), Of("a, b")),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({state, undefined, undefined}, call(Config, gen_server, call, [Pid, get])).

a_state_machine(Config) ->
    Dirs = versions(Config, machine("a = 1"), machine("a = 1, b = 2")),
    Pid = started(Config, machine),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({open, {data, 1, 2}}, call(Config, gen_statem, call, [Pid, get])).

a_handler_beside_another(Config) ->
    Other = "-module(other_handler).\n-behaviour(gen_event).\n-export([init/1, handle_event/2, handle_call/2]).\n"
        "init(_) -> {ok, mine}.\nhandle_event(_, S) -> {ok, S}.\nhandle_call(get, S) -> {ok, S, S}.\n",
    Versions = [[source(handler(Fields)), Other] || Fields <- ["a = 1", "a = 1, b = 2"]],
    Dirs = apply(service_fixture, versions, [Config | Versions]),
    {ok, Pid} = call(Config, supervisor, start_child, [
        service_sup, #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic}
    ]),
    [ok = call(Config, gen_event, add_handler, [events, {handler, Id}, []]) || Id <- [x, y]],
    ok = call(Config, gen_event, add_handler, [events, other_handler, []]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    [?assertEqual({state, 1, 2}, call(Config, gen_event, call, [Pid, {handler, Id}, get])) || Id <- [x, y]],
    ?assertEqual(mine, call(Config, gen_event, call, [Pid, other_handler, get])).

a_special_process(Config) ->
    Dirs = versions(Config, special("1", "State", "a, b"), special("2", "State", "b, n = 7, a")),
    Pid = started(Config, daemon),
    ok = ask(Config, Pid, {set, {state, one, two}}),
    ?assertMatch(#{status := ok, outcome := upgraded}, upgrade(Config, Dirs, fields)),
    ?assertEqual({2, {state, two, 7, one}}, ask(Config, Pid, get)),
    ?assertMatch(#{status := ok, outcome := downgraded}, downgrade(Config, Dirs, lossy)),
    ?assertEqual({1, {state, one, two}}, ask(Config, Pid, get)).

a_special_process_beside_other_things(Config) ->
    Handed = "{Parent, State, {state}}",
    Dirs = versions(Config, special("1", Handed, "a"), special("2", Handed, "a, b = [x]")),
    Pid = started(Config, daemon),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({2, {state, undefined, [x]}}, ask(Config, Pid, get)),
    ?assertMatch(#{status := ok}, downgrade(Config, Dirs, lossy)),
    ?assertEqual({1, {state, undefined}}, ask(Config, Pid, get)).

%% What sys is given to replace is what the module says.
a_special_process_that_says_what_its_state_is(Config) ->
    Replace = "system_replace_state(Fun, {Parent, Old}) -> New = Fun(Old), {ok, New, {Parent, New}}.\n",
    Of = fun(Version, Fields) ->
        [special("-export([system_replace_state/2]).\n", Version, "{Parent, State}", Fields), Replace]
    end,
    Dirs = versions(Config, Of("1", "a"), Of("2", "a, b = 2")),
    Pid = started(Config, daemon),
    ok = ask(Config, Pid, {set, {state, 1}}),
    ?assertMatch({ok, #{findings := [], tried := 2}}, plan(Config, Dirs)),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({2, {state, 1, 2}}, ask(Config, Pid, get)).

%% What the plan foresees is what happens.
the_live_plan_tries_every_conversion(Config) ->
    Sources = fun(Version, Fields) ->
        [source(Each) || Each <- [keeper(Fields), machine(Fields), special(Version, "State", Fields)]]
    end,
    Dirs = service_fixture:versions(Config, Sources("1", "a"), Sources("2", "a, b")),
    [Keeper, _, _] = [started(Config, Module) || Module <- [keeper, machine, daemon]],
    ?assertMatch({ok, #{findings := [], tried := 4}}, plan(Config, Dirs)),
    ok = call(Config, gen_server, call, [Keeper, {set, something_else}]),
    {ok, #{findings := Findings, tried := 3}} = plan(Config, Dirs),
    ?assertMatch([#{kind := code_change_would_fail, subject := <<"keeper">>}], Findings),
    Before = service_fixture:photograph(Config),
    ?assertMatch(#{status := failed}, upgrade(Config, Dirs, fields)),
    service_fixture:still(Config, Before).

a_map_of_fixed_keys(Config) ->
    Dirs = versions(Config, map_keeper("#{a => 1}"), map_keeper("#{a => 1, b => [x], c => <<\"t\">>}")),
    Pid = started(Config, keeper),
    ok = call(Config, gen_server, call, [Pid, {set, #{a => 5}}]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual(#{a => 5, b => [x], c => <<"t">>}, call(Config, gen_server, call, [Pid, get])).

records_inside(Config) ->
    Inside = fun(Fields) -> ["-export([item/0]).\n-record(item, {", Fields, "}).\n"] end,
    State = "one :: undefined | #item{}, many = [] :: [#item{}]",
    Of = fun(Fields) -> [keeper_of(Inside(Fields), State), "item() -> #item{k = 1}.\n"] end,
    Dirs = versions(Config, Of("k"), Of("k, v = 9")),
    Pid = started(Config, keeper),
    ok = call(Config, gen_server, call, [Pid, {set, {state, {item, a}, [{item, b}, {item, c}]}}]),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({state, {item, a, 9}, [{item, b, 9}, {item, c, 9}]}, call(Config, gen_server, call, [Pid, get])).

an_unexpected_state_takes_everything_back(Config) ->
    Dirs = versions(Config, keeper("a"), keeper("a, b")),
    [One, Two] = [started(Config, keeper, N) || N <- [one, two]],
    ok = call(Config, gen_server, call, [Two, {set, something_else}]),
    Before = service_fixture:photograph(Config),
    ?assertMatch(#{status := failed, reason := _}, upgrade(Config, Dirs, fields)),
    service_fixture:still(Config, Before),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [One, get])),
    ?assertEqual(something_else, call(Config, gen_server, call, [Two, get])).

without_the_option_nothing_is_converted(Config) ->
    Dirs = versions(Config, keeper("a"), keeper("a, b")),
    Pid = started(Config, keeper),
    %% The new code would match nothing of it.
    ?assertMatch(#{status := no_path, outcome := states_not_converted}, request(Config, upgrade, "1", "2", Dirs, #{})),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [Pid, get])),
    Off = #{preflight => <<"off">>},
    ?assertMatch(#{status := ok}, request(Config, upgrade, "1", "2", Dirs, Off)),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [Pid, get])).

a_removed_field_is_lost_only_when_that_is_allowed(Config) ->
    Dirs = versions(Config, keeper("a, b"), keeper("a")),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, lossy)),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [Pid, get])).

%% One state was touched meanwhile: it is converted back; the others are what they were.
a_held_upgrade_is_reverted(Config) ->
    Dirs = versions(Config, keeper("a"), keeper("a, b = 3")),
    [One, Two] = [started(Config, keeper, N) || N <- [one, two]],
    Held = held(Config, Dirs),
    ok = call(Config, gen_server, call, [Two, {set, {state, new, 4}}]),
    ?assertMatch(#{status := ok, outcome := reverted}, revert(Config, Dirs, Held)),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [One, get])),
    ?assertEqual({state, new}, call(Config, gen_server, call, [Two, get])).

a_shipped_appup_is_followed(Config) ->
    {_, New} = Dirs = versions(Config, keeper("a"), keeper("a, b")),
    Script = [{load_module, keeper}, {update, service_server, {advanced, []}}],
    Appup = {"2", [{"1", Script}], [{"1", Script}]},
    ok = file:write_file(filename:join([New, "ebin", "service.appup"]), io_lib:format("~p.~n", [Appup])),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({state, undefined, undefined}, call(Config, gen_server, call, [Pid, get])).

the_node_may_choose_it(Config) ->
    Dirs = versions(Config, keeper("a"), keeper("a, b")),
    Pid = started(Config, keeper),
    ok = call(Config, application, set_env, [erlrc, migrate, fields]),
    ?assertMatch(#{status := ok}, request(Config, upgrade, "1", "2", Dirs, #{})),
    ?assertEqual({state, undefined, undefined}, call(Config, gen_server, call, [Pid, get])).

%% From the last to the first: erlrc.conf, the node, the package of the later version, the registration, who asks.
the_first_who_chooses_counts(Config) ->
    {_, New} = Dirs = versions(Config, keeper("a"), keeper("a, b")),
    Pid = started(Config, keeper),
    Root = root(Config),
    said(Root, "erlrc.conf", "{strict, true}. {migrate, fields}.\n"),
    converted(Config, Dirs, Pid, #{}, <<"as erlrc.conf asks">>),
    ok = call(Config, application, set_env, [erlrc, migrate, none]),
    refused(Config, Dirs, #{}),
    said(New, "priv/service.migration", "{migrate, fields}.\n"),
    converted(Config, Dirs, Pid, #{}, <<"as the package of the later version asks">>),
    said(Root, "applications/service", "{migrate, none}.\n"),
    refused(Config, Dirs, #{}),
    said(Root, "applications/service", "{enabled, true}. {migrate, lossy}.\n"),
    converted(Config, Dirs, Pid, #{}, <<"as the registration of the application asks">>),
    refused(Config, Dirs, #{migrate => <<"none">>}),
    said(Root, "applications/service", "{migrate, whatever}.\n"),
    refused(Config, Dirs, #{}),
    converted(Config, Dirs, Pid, #{migrate => <<"fields">>}, <<"as --migrate asks">>).

another_evaluator_converts_nothing(Config) ->
    Dirs = versions(Config, keeper("a"), keeper("a, b")),
    Pid = started(Config, keeper),
    said(root(Config), "applications/service", "{migrate, fields}.\n"),
    Options = #{evaluator => <<"release_handler">>, preflight => <<"off">>},
    Answer = request(Config, upgrade, "1", "2", Dirs, Options),
    ?assertMatch(#{status := ok}, Answer),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [Pid, get])),
    ?assertEqual([], maps:get(warnings, Answer, [])).

converted(Config, {Old, New} = Dirs, Pid, Options, Why) ->
    #{warnings := Warnings} = Answer = request(Config, upgrade, "1", "2", Dirs, Options),
    ?assertMatch(#{status := ok, outcome := upgraded}, Answer),
    ?assert(lists:member(<<"states of keeper are converted, ", Why/binary>>, Warnings)),
    ?assertEqual({state, undefined, undefined}, call(Config, gen_server, call, [Pid, get])),
    ?assertMatch(#{status := ok}, downgrade(Config, {Old, New}, lossy)),
    ?assertEqual({state, undefined}, call(Config, gen_server, call, [Pid, get])).

refused(Config, Dirs, Options) ->
    ?assertMatch(#{status := no_path, outcome := states_not_converted}, request(Config, upgrade, "1", "2", Dirs, Options)).

%% A directory of registrations, which the node reads.
root(Config) ->
    Root = filename:join(?config(dir, Config), "root"),
    ok = filelib:ensure_path(filename:join(Root, "applications")),
    true = call(Config, os, putenv, ["ERLRC_ROOT", Root]),
    Root.

said(Dir, File, Text) ->
    Path = filename:join(Dir, File),
    ok = filelib:ensure_dir(Path),
    ok = file:write_file(Path, Text).

%% What the cases are made of.

call(Config, Module, Function, Arguments) ->
    service_fixture:call(Config, Module, Function, Arguments).

versions(Config, Old, New) ->
    service_fixture:versions(Config, [source(Old)], [source(New)]).

source(Source) ->
    lists:flatten(Source).

started(Config, Module) ->
    started(Config, Module, only).

started(Config, Module, Id) ->
    Child = service_fixture:child({Module, Id}, #{start => {Module, start_link, []}, modules => [Module]}),
    {ok, Pid} = call(Config, supervisor, start_child, [service_sup, Child]),
    Pid.

upgrade(Config, Dirs, How) ->
    request(Config, upgrade, "1", "2", Dirs, #{migrate => atom_to_binary(How)}).

downgrade(Config, {Old, New}, How) ->
    request(Config, downgrade, "2", "1", {New, Old}, #{migrate => atom_to_binary(How)}).

held(Config, Dirs) ->
    #{status := ok, held := Held} = request(Config, upgrade, "1", "2", Dirs, #{migrate => <<"fields">>, hold => 60000}),
    Held.

revert(Config, Dirs, Held) ->
    Revert = (versions_of("1", "2", Dirs))#{operation => revert, held => Held},
    call(Config, erlrc_hook, request, [Revert]).

%% Nobody runs `service_server'.
plan(Config, Dirs) ->
    Request = (versions_of("1", "2", Dirs))#{operation => upgrade, options => #{migrate => fields}},
    {ok, #{findings := Findings} = Plan} = call(Config, erlrcdynamic, live_plan, [maps:map(fun plain/2, Request)]),
    Own = [Finding || #{subject := Subject} = Finding <- Findings, Subject =/= <<"service_server">>],
    {ok, Plan#{findings := Own}}.

plain(_Key, Text) when is_binary(Text) -> binary_to_list(Text);
plain(_Key, Value) -> Value.

%% A special process answers on the node alone.
ask(Config, Pid, Request) ->
    call(Config, ?MODULE, asked, [Pid, Request]).

%% @private
-spec asked(pid(), term()) -> term().
asked(Pid, Request) ->
    Pid ! {self(), Request},
    receive
        {Pid, Answer} -> Answer
    after 5000 -> no_answer
    end.

request(Config, Operation, From, To, Dirs, Options) ->
    Request = (versions_of(From, To, Dirs))#{operation => Operation, options => Options},
    call(Config, erlrc_hook, request, [Request]).

versions_of(From, To, {FromDir, ToDir}) ->
    #{
        protocol => 1, application => service, from => list_to_binary(From), to => list_to_binary(To),
        from_dir => unicode:characters_to_binary(FromDir), to_dir => unicode:characters_to_binary(ToDir)
    }.

keeper(Fields) ->
    keeper_of("", Fields).

keeper_of(Records, Fields) ->
    [
        "-module(keeper).\n-behaviour(gen_server).\n-export([start_link/0, init/1, handle_call/3, handle_cast/2]).\n",
        Records, "-record(state, {", Fields, "}).\n",
        "start_link() -> gen_server:start_link(keeper, [], []).\n"
        "init([]) -> {ok, #state{}}.\n"
        "handle_call({set, State}, _, _) -> {reply, ok, State};\n"
        "handle_call(get, _, State) -> {reply, State, State}.\n"
        "handle_cast(_, State) -> {noreply, State}.\n"
    ].

map_keeper(Map) ->
    [
        "-module(keeper).\n-behaviour(gen_server).\n-export([start_link/0, init/1, handle_call/3, handle_cast/2]).\n"
        "start_link() -> gen_server:start_link(keeper, [], []).\n"
        "init([]) -> {ok, ", Map, "}.\n"
        "handle_call({set, State}, _, _) -> {reply, ok, State};\n"
        "handle_call(get, _, State) -> {reply, State, State}.\n"
        "handle_cast(_, State) -> {noreply, State}.\n"
    ].

machine(Fields) ->
    [
        "-module(machine).\n-behaviour(gen_statem).\n-export([start_link/0, init/1, callback_mode/0, handle_event/4]).\n"
        "-record(data, {", Fields, "}).\n"
        "start_link() -> gen_statem:start_link(machine, [], []).\ncallback_mode() -> handle_event_function.\n"
        "init([]) -> {ok, open, #data{}}.\n"
        "handle_event({call, From}, get, Name, Data) -> {keep_state_and_data, {reply, From, {Name, Data}}}.\n"
    ].

%% Its version, what it hands to sys and takes from there, and the fields of its state.
special(Version, Handed, Fields) ->
    special("", Version, Handed, Fields).

special(Exports, Version, Handed, Fields) ->
    [
        "-module(daemon).\n-export([start_link/0, init/1, system_continue/3, system_terminate/4, system_code_change/4]).\n",
        Exports, "-record(state, {", Fields, "}).\n"
        "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).\n"
        "init(Parent) -> proc_lib:init_ack(Parent, {ok, self()}), loop(Parent, #state{}).\n"
        "loop(Parent, #state{} = State) ->\n receive\n"
        "  {system, From, Request} -> sys:handle_system_msg(Request, From, Parent, ?MODULE, [], ", Handed, ");\n"
        "  {Client, {set, New}} -> Client ! {self(), ok}, loop(Parent, New);\n"
        "  {Client, get} -> Client ! {self(), {", Version, ", State}}, loop(Parent, State)\n end.\n"
        "system_continue(Parent, _, ", Handed, ") -> loop(Parent, State).\n"
        "system_terminate(Reason, _, _, _) -> exit(Reason).\n"
        "system_code_change(Handed, _Module, _Vsn, _Extra) -> {ok, Handed}.\n"
    ].

handler(Fields) ->
    [
        "-module(handler).\n-behaviour(gen_event).\n-export([init/1, handle_event/2, handle_call/2]).\n"
        "-record(state, {", Fields, "}).\n"
        "init(_) -> {ok, #state{}}.\nhandle_event(_, S) -> {ok, S}.\nhandle_call(get, S) -> {ok, S, S}.\n"
    ].
