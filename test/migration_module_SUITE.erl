%% @doc Migration modules: modules of the later version that convert the states of other modules, up and down, whatever is
%% chosen of the conversion field by field.
-module(migration_module_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([called/1]).
-export([
    a_term_of_the_package_names_it/1,
    an_attribute_names_it/1,
    each_kind_of_process/1,
    the_argument_of_a_supervisor/1,
    it_goes_before_fields/1,
    code_change_is_called_afterwards/1,
    a_state_that_no_clause_takes/1,
    a_wrong_answer_and_an_exception/1,
    one_that_is_not_tried_fails_in_the_window/1,
    a_held_upgrade_is_reverted/1,
    one_that_runs_stays_as_it_is/1,
    a_fun_of_it_in_a_state/1,
    what_is_wrong_is_said_before_anything_changes/1,
    a_fault_of_another_module_is_no_hindrance/1
]).

-import(migration_SUITE, [upgrade/3, downgrade/3, held/2, revert/3, plan/2, call/4]).

all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info, called])].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

-define(BOTH_WAYS,
    "migrate(up, keeper, \"1\", \"2\", N) when is_integer(N) -> {ok, {count, N}};\n"
    "migrate(down, keeper, \"1\", \"2\", {count, N}) -> {ok, N}.\n"
).

%% Neither version has a record, and nothing shows what the state is.
a_term_of_the_package_names_it(Config) ->
    {_, New} = Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("", ?BOTH_WAYS)]),
    named(New, "{module, keeper, keeper_migration}.\n"),
    Pid = started(Config, keeper),
    ok = set(Config, Pid, 7),
    ?assertMatch({ok, #{findings := [], tried := 2}}, plan(Config, Dirs)),
    #{warnings := Warnings} = Answer = upgrade(Config, Dirs, none),
    ?assertMatch(#{status := ok, outcome := upgraded}, Answer),
    ?assert(lists:member(<<"states are converted: those of keeper by keeper_migration">>, Warnings)),
    ?assertEqual({count, 7}, get(Config, Pid)),
    ?assertMatch(#{status := ok, outcome := downgraded}, downgrade(Config, Dirs, none)),
    ?assertEqual(7, get(Config, Pid)),
    unloaded(Config).

an_attribute_names_it(Config) ->
    Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("-erlrc_migration(keeper).\n", ?BOTH_WAYS)]),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({count, 0}, get(Config, Pid)),
    ?assertMatch(#{status := ok}, downgrade(Config, Dirs, none)),
    ?assertEqual(0, get(Config, Pid)).

each_kind_of_process(Config) ->
    Attribute = "-erlrc_migration([machine, handler]).\n-erlrc_migration(daemon).\n",
    Callback =
        "migrate(up, machine, _, _, {Name, {data, A}}) -> {ok, {Name, {data, A, new}}};\n"
        "migrate(down, machine, _, _, {Name, {data, A, _}}) -> {ok, {Name, {data, A}}};\n"
        "migrate(up, handler, _, _, {state, A}) -> {ok, {state, A, new}};\n"
        "migrate(down, handler, _, _, {state, A, _}) -> {ok, {state, A}};\n"
        "migrate(up, daemon, _, _, {Parent, {state, A}}) -> {ok, {Parent, {state, A, new}}};\n"
        "migrate(down, daemon, _, _, {Parent, {state, A, _}}) -> {ok, {Parent, {state, A}}}.\n",
    Of = fun(Version, Fields) ->
        [lists:flatten(Each) || Each <- [
            migration_SUITE:machine(Fields), migration_SUITE:handler(Fields),
            migration_SUITE:special("", Version, "{Parent, State}", Fields)
        ]]
    end,
    Dirs = versions(Config, Of("1", "a"), Of("2", "a, b") ++ [migrator(Attribute, Callback)]),
    [Machine, Daemon] = [started(Config, Module) || Module <- [machine, daemon]],
    {ok, Events} = service_fixture:start_child(Config, #{id => events, start => {gen_event, start_link, []}, modules => dynamic}),
    ok = call(Config, gen_event, add_handler, [Events, {handler, x}, []]),
    States = fun() ->
        {Name, Data} = call(Config, gen_statem, call, [Machine, get]),
        {_Version, Special} = migration_SUITE:ask(Config, Daemon, get),
        {Name, tuple_size(Data), tuple_size(Special), tuple_size(call(Config, gen_event, call, [Events, {handler, x}, get]))}
    end,
    ?assertMatch({ok, #{findings := []}}, plan(Config, Dirs)),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({open, 3, 3, 3}, States()),
    ?assertMatch(#{status := ok}, downgrade(Config, Dirs, none)),
    ?assertEqual({open, 2, 2, 2}, States()).

the_argument_of_a_supervisor(Config) ->
    Callback =
        "migrate(up, part_sup, _, _, Id) when is_atom(Id) -> {ok, {id, Id}};\n"
        "migrate(down, part_sup, _, _, {id, Id}) -> {ok, Id}.\n",
    Dirs = versions(Config, [part_sup("Id")], [part_sup("{id, Id}"), migrator("-erlrc_migration(part_sup).\n", Callback)]),
    Spec = service_fixture:child(part_sup, #{type => supervisor, start => {supervisor, start_link, [part_sup, bus]}}),
    {ok, Pid} = service_fixture:start_child(Config, Spec),
    [Child] = call(Config, supervisor, which_children, [Pid]),
    ?assertMatch({ok, #{findings := []}}, plan(Config, Dirs)),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({id, bus}, argument(Config, Pid)),
    ?assertMatch(#{status := ok}, downgrade(Config, Dirs, none)),
    ?assertEqual(bus, argument(Config, Pid)),
    ?assertEqual([Child], call(Config, supervisor, which_children, [Pid])).

%% What the author of the application says counts more than what the fields show.
it_goes_before_fields(Config) ->
    Callback = "migrate(up, keeper, _, _, {state, A}) -> {ok, {state, A, mine}}.\n",
    Of = fun(Fields) -> lists:flatten(migration_SUITE:keeper(Fields)) end,
    Dirs = versions(Config, [Of("a")], [Of("a, b = 1"), migrator("-erlrc_migration(keeper).\n", Callback)]),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, fields)),
    ?assertEqual({state, undefined, mine}, get(Config, Pid)).

code_change_is_called_afterwards(Config) ->
    Export = "-export([code_change/3]).\n",
    CodeChange = "code_change(_Vsn, {count, N}, _Extra) -> {ok, {changed, N}}.\n",
    Dirs = versions(Config, [keeper("0")], [keeper(Export, "{count, 0}") ++ CodeChange, migrator("-erlrc_migration(keeper).\n", ?BOTH_WAYS)]),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({changed, 0}, get(Config, Pid)).

a_state_that_no_clause_takes(Config) ->
    Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("-erlrc_migration(keeper).\n", ?BOTH_WAYS)]),
    [_, Two] = [started(Config, keeper, Id) || Id <- [one, two]],
    ok = set(Config, Two, something_else),
    {ok, #{findings := [Finding]}} = plan(Config, Dirs),
    #{kind := migration_would_fail, severity := error, subject := <<"keeper">>, text := Text, details := Details} = Finding,
    ?assertMatch({match, _}, re:run(Text, "^keeper_migration has no clause for the way up of keeper between 1 and 2")),
    ?assertEqual([list_to_binary(shown(Config, Two))], maps:get(processes, Details)),
    Before = service_fixture:photograph(Config),
    #{status := no_path, outcome := migration_fails, reason := Reason} = upgrade(Config, Dirs, none),
    ?assertMatch({match, _}, re:run(Reason, "keeper_migration has no clause .* for the state of " ++ shown(Config, Two))),
    service_fixture:still(Config, Before),
    unloaded(Config).

a_wrong_answer_and_an_exception(Config) ->
    Callback =
        "migrate(up, keeper, _, _, bad) -> wrong;\n"
        "migrate(up, keeper, _, _, thrown) -> throw(it);\n"
        "migrate(up, keeper, _, _, left) -> exit(gone);\n"
        "migrate(up, keeper, _, _, failed) -> {ok, list_to_atom(1)}.\n",
    Dirs = versions(Config, [keeper("0")], [keeper("1"), migrator("-erlrc_migration(keeper).\n", Callback)]),
    Pid = started(Config, keeper),
    Expected = [
        {bad, "returned wrong, which is neither"}, {thrown, "failed with throw:it in keeper_migration:migrate/5"},
        {left, "failed with exit:gone"}, {failed, "failed with error:badarg"}
    ],
    [
        begin
            ok = set(Config, Pid, State),
            {ok, #{findings := [#{kind := migration_would_fail, text := Text}]}} = plan(Config, Dirs),
            ?assertMatch({match, _}, re:run(Text, Pattern)),
            #{outcome := migration_fails, reason := Reason} = upgrade(Config, Dirs, none),
            ?assertMatch({match, _}, re:run(Reason, Pattern)),
            ?assertEqual(State, get(Config, Pid))
        end
     || {State, Pattern} <- Expected
    ].

%% What others would notice is not tried.
one_that_is_not_tried_fails_in_the_window(Config) ->
    Callback = "migrate(up, keeper, _, _, N) -> ok = application:set_env(service, migrated, N), 0 = N, {ok, {count, N}}.\n",
    Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("-erlrc_migration(keeper).\n", Callback)]),
    [_, Two] = [started(Config, keeper, Id) || Id <- [one, two]],
    ok = set(Config, Two, 2),
    ?assertMatch({ok, #{findings := [#{kind := code_change_not_tried, subject := <<"keeper">>}]}}, plan(Config, Dirs)),
    Before = service_fixture:photograph(Config),
    #{status := failed, reason := Reason} = upgrade(Config, Dirs, none),
    ?assertMatch({match, _}, re:run(Reason, "keeper_migration failed with error:\\{badmatch,2\\}")),
    service_fixture:still(Config, Before),
    unloaded(Config).

%% The one that was touched meanwhile is converted back, with the module that the upgrade had loaded.
a_held_upgrade_is_reverted(Config) ->
    Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("-erlrc_migration(keeper).\n", ?BOTH_WAYS)]),
    [One, Two] = [started(Config, keeper, N) || N <- [one, two]],
    ok = set(Config, One, 1),
    Held = held(Config, Dirs),
    ?assertEqual({count, 1}, get(Config, One)),
    {ok, _} = call(Config, erlrcdynamic, live_plan, [#{
        operation => downgrade, application => service, from => "2", to => "1",
        from_dir => element(2, Dirs), to_dir => element(1, Dirs), options => #{}
    }]),
    ok = set(Config, Two, {count, 9}),
    ?assertMatch(#{status := ok, outcome := reverted}, revert(Config, Dirs, Held)),
    ?assertEqual([1, 9], [get(Config, Pid) || Pid <- [One, Two]]),
    unloaded(Config).

%% A process lives in the migration module itself, which the later version changes.
one_that_runs_stays_as_it_is(Config) ->
    Export = "-export([start_link/0, loop/0]).\n",
    Loop = "start_link() -> {ok, spawn_link(fun ?MODULE:loop/0)}.\nloop() -> receive stop -> ok end.\n",
    Attribute = "-erlrc_migration(keeper).\n",
    Old = migrator(Attribute ++ Export, "migrate(_, _, _, _, _) -> unchanged.\n" ++ Loop),
    Dirs = versions(Config, [keeper("0"), Old], [keeper("{count, 0}"), migrator(Attribute ++ Export, ?BOTH_WAYS ++ Loop)]),
    Keeper = started(Config, keeper),
    Loops = started(Config, keeper_migration),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({count, 0}, get(Config, Keeper)),
    ?assert(call(Config, erlang, is_process_alive, [Loops])),
    ?assertEqual(true, call(Config, erlang, check_process_code, [Loops, keeper_migration])),
    unloaded(Config).

%% It goes on working, and what made it stays for it.
a_fun_of_it_in_a_state(Config) ->
    Callback = "migrate(up, keeper, _, _, N) -> {ok, {count, fun() -> N + 1 end}}.\n",
    Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("-erlrc_migration(keeper).\n", Callback)]),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual(1, call(Config, ?MODULE, called, [Pid])).

what_is_wrong_is_said_before_anything_changes(Config) ->
    {_, New} = Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("", ?BOTH_WAYS)]),
    Pid = started(Config, keeper),
    Before = service_fixture:photograph(Config),
    Cases = [
        {"{module, keeper, not_there}.", "not_there, which is to migrate keeper, is not in the later version"},
        {"{module, keeper}.", "{module,keeper} is not {module, MODULE, MIGRATION_MODULE}"},
        {"{module, keeper, \"keeper_migration\"}.", "is not {module, MODULE, MIGRATION_MODULE}"},
        {"{module, keeper, service_server}.", "service_server, which is to migrate keeper, cannot be used: it does not export migrate/5"},
        {"{module, keeper, keeper_migration}. {module, keeper, service_server}.", "both keeper_migration and service_server are to migrate keeper"},
        {"{module, keeper", "service.migration cannot be used"}
    ],
    [
        begin
            named(New, Terms),
            #{status := no_path, outcome := bad_migration, reason := Reason} = upgrade(Config, Dirs, none),
            ?assertNotEqual(nomatch, string:find(Reason, Expected), Reason)
        end
     || {Terms, Expected} <- Cases
    ],
    service_fixture:still(Config, Before),
    ?assertEqual(0, get(Config, Pid)).

%% Terms of earlier versions may stay in the file.
a_fault_of_another_module_is_no_hindrance(Config) ->
    {_, New} = Dirs = versions(Config, [keeper("0")], [keeper("{count, 0}"), migrator("", ?BOTH_WAYS)]),
    named(New, "{module, gone, not_there}. {module, keeper, keeper_migration}. {other, term}.\n"),
    Pid = started(Config, keeper),
    ?assertMatch(#{status := ok}, upgrade(Config, Dirs, none)),
    ?assertEqual({count, 0}, get(Config, Pid)).

%% @private
-spec called(pid()) -> term().
called(Pid) ->
    {count, Fun} = gen_server:call(Pid, get),
    Fun().

%% What the cases are made of.

versions(Config, Old, New) ->
    service_fixture:versions(Config, Old, New).

%% A state of which no type, record or code_change tells anything.
keeper(State) ->
    keeper("", State).

keeper(Exports, State) ->
    "-module(keeper).\n-behaviour(gen_server).\n-export([start_link/0, init/1, handle_call/3, handle_cast/2]).\n" ++ Exports ++
    "start_link() -> gen_server:start_link(keeper, [], []).\n"
    "init([]) -> {ok, " ++ State ++ "}.\n"
    "handle_call({set, State}, _, _) -> {reply, ok, State};\n"
    "handle_call(get, _, State) -> {reply, State, State}.\n"
    "handle_cast(_, State) -> {noreply, State}.\n".

part_sup(Pattern) ->
    "-module(part_sup).\n-behaviour(supervisor).\n-export([init/1]).\n"
    "init(" ++ Pattern ++ ") -> {ok, {#{}, [#{id => Id, start => {gen_event, start_link, []}, modules => dynamic}]}}.\n".

migrator(Attribute, Callback) ->
    "-module(keeper_migration).\n-export([migrate/5]).\n" ++ Attribute ++ Callback.

named(Dir, Terms) ->
    File = filename:join([Dir, "priv", "service.migration"]),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, Terms).

started(Config, Module) ->
    started(Config, Module, only).

started(Config, Module, Id) ->
    {ok, Pid} = service_fixture:start_child(Config, service_fixture:child({Module, Id}, #{start => {Module, start_link, []}, modules => [Module]})),
    Pid.

set(Config, Pid, State) -> call(Config, gen_server, call, [Pid, {set, State}]).

get(Config, Pid) -> call(Config, gen_server, call, [Pid, get]).

%% As its own node shows it.
shown(Config, Pid) -> call(Config, erlang, pid_to_list, [Pid]).

argument(Config, Pid) ->
    State = call(Config, sys, get_state, [Pid]),
    element(tuple_size(State), State).

%% Nothing of what was loaded for a trial or an operation is left.
unloaded(Config) ->
    Loaded = [Module || {Module, _} <- call(Config, code, all_loaded, []), lists:prefix("keeper_migration$", atom_to_list(Module))],
    Old = [Name || Name <- ['keeper_migration$migration', 'keeper_migration$migrating'], call(Config, erlang, check_old_code, [Name])],
    ?assertEqual({[], []}, {Loaded, Old}).
