%% @doc Names that are taken already when `init/1' of a supervisor is called again, or when a new child starts: the plan says
%% what the upgrade then does.
-module(taken_names_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1, finding/2]).
-import(service_fixture, [versions/3, versions/4, child/1, child/2, call/4, pid/2, photograph/1, still/2, server/2, supervisor/1]).
-import(service_fixture, [upgrade/2]).

all() ->
    [
        init_starts_a_process,
        init_starts_one_whose_name_is_an_argument,
        init_starts_one_that_registers_itself,
        init_makes_a_table,
        init_accepts_that_it_is_there,
        init_looks_whether_it_is_there,
        init_starts_a_process_that_is_not_there,
        init_that_cannot_be_foreseen,
        child_of_a_name_that_another_application_holds,
        child_of_a_name_in_its_arguments,
        child_of_a_global_name,
        child_of_a_child,
        child_of_a_supervisor_whose_init_has_effects,
        child_in_place_of_another,
        child_in_place_of_one_below_another,
        child_that_accepts_that_it_is_there,
        child_that_is_not_started
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

%% The plan refuses, and the upgrade fails.
fails(Config, Dirs, Kind) ->
    ok = call(Config, erlrc_node, load_modules, [service]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    #{severity := error} = Finding = finding(Kind, Answer),
    ?assertMatch({error, _}, upgrade(Config, Dirs)),
    still(Config, Before),
    Finding.

%% The plan refuses nothing, and the upgrade passes.
passes(Config, Dirs) ->
    Answer = plan(Config, Dirs),
    ?assertEqual([], [Kind || {Kind, error} <- kinds(Answer)]),
    ?assertMatch({ok, _}, upgrade(Config, Dirs)),
    Answer.

says(#{text := Text}, Parts) ->
    [?assertNotEqual(nomatch, binary:match(Text, iolist_to_binary(Part)), Text) || Part <- Parts].

%% A supervisor with this `init/1' in both versions.
repeating(Config, Init, Others) ->
    repeating(Config, {Init, Init}, Others, Others).

repeating(Config, {Before, After}, Old, New) ->
    Sup = fun(Vsn, Init) ->
        lists:flatten(io_lib:format(
            "-module(extra_sup).~n-behaviour(supervisor).~n-export([start_link/0, version/0, init/1]).~nversion() -> ~p.~n"
            "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, [named]).~n~ts~n",
            [Vsn, Init]
        ))
    end,
    versions(Config, [Sup(1, Before) | Old], [Sup(2, After) | New], [child(extra_sup, #{type => supervisor})]).

none() -> ", {ok, {{one_for_one, 5, 10}, []}}.".

init_starts_a_process(Config) ->
    Dirs = repeating(Config, "init(_) -> {ok, _} = one:start_link()" ++ none(), [server(one, 1)]),
    Name = call(Config, erlrc_finding, name, [pid(Config, one)]),
    says(fails(Config, Dirs, supervisor_init_fails), ["the name one is held by ", [Name, " of service"]]).

%% By way of a function of its own and of a third module.
init_starts_one_whose_name_is_an_argument(Config) ->
    Other = "-module(other).\n-export([start/2]).\nstart(Name, Kind) when is_atom(Name) -> begun({Kind, Name}).\n"
        "begun(Name) -> gen_event:start_link(Name).\n",
    Init = "init([Name]) -> ok = begin_with(Name)" ++ none() ++
        "\nbegin_with(Name) -> case other:start(Name, local) of {ok, Pid} when is_pid(Pid) -> ok; {error, Why} -> {error, Why} end.",
    Dirs = repeating(Config, Init, [Other]),
    says(fails(Config, Dirs, supervisor_init_fails), ["the name named is held by "]).

init_starts_one_that_registers_itself(Config) ->
    Own = "-module(own).\n-behaviour(gen_server).\n-export([start_link/1, init/1, handle_call/3, handle_cast/2]).\n"
        "start_link(Name) -> gen_server:start_link(?MODULE, Name, []).\n"
        "init(Name) -> process_flag(trap_exit, true), register(Name, self()), {ok, Name}.\n"
        "handle_call(_, _, S) -> {reply, ok, S}.\nhandle_cast(_, S) -> {noreply, S}.\n",
    Dirs = repeating(Config, "init([Name]) -> {ok, _} = own:start_link(Name)" ++ none(), [Own]),
    says(fails(Config, Dirs, supervisor_init_fails), ["the name named is held by "]).

init_makes_a_table(Config) ->
    Tables = "-module(tables).\n-export([make/1]).\nmake(Name) -> Options = [named_table, public], ets:new(Name, [set | Options]).\n",
    Dirs = repeating(Config, "init([Name]) -> tables:make(Name)" ++ none(), [Tables]),
    says(fails(Config, Dirs, supervisor_init_fails), ["the table named is held by extra_sup ("]).

init_accepts_that_it_is_there(Config) ->
    Init = "init(_) -> case one:start_link() of {ok, _} -> ok; {error, {already_started, _}} -> ok end" ++ none(),
    Answer = passes(Config, repeating(Config, Init, [server(one, 1)])),
    says(finding(supervisor_init_has_effects, Answer), ["calls one:start_link/0", "may be rolled back"]).

init_looks_whether_it_is_there(Config) ->
    Init = "init(_) -> case whereis(one) of undefined -> {ok, _} = one:start_link(); _ -> ok end" ++ none(),
    passes(Config, repeating(Config, Init, [server(one, 1)])).

init_starts_a_process_that_is_not_there(Config) ->
    Before = "init(_) -> {ok, {{one_for_one, 5, 10}, []}}.",
    After = "init(_) -> {ok, _} = one:start_link()" ++ none(),
    passes(Config, repeating(Config, {Before, After}, [server(one, 1)], [server(one, 1)])),
    ?assert(is_pid(pid(Config, one))).

%% It ends the process that has the name.
init_that_cannot_be_foreseen(Config) ->
    Init = "init(_) -> case whereis(one) of undefined -> ok; Pid -> gen_server:stop(Pid) end, {ok, _} = one:start_link()" ++ none(),
    Answer = passes(Config, repeating(Config, Init, [server(one, 1)])),
    says(finding(supervisor_init_has_effects, Answer), ["may be rolled back"]).

%% The top supervisor gains and loses children.
changed(Config, Modules, Old, New) ->
    Top = fun(Children) -> supervisor([child(service_server) | Children]) end,
    versions(Config, [Top(Old) | Modules], [Top(New) | Modules]).

child_of_a_name_that_another_application_holds(Config) ->
    Dirs = changed(Config, [server(one, 1)], [], [child(one)]),
    {ok, Pid} = call(Config, supervisor, start_child, [kernel_safe_sup, child(one)]),
    Finding = fails(Config, Dirs, child_name_taken),
    Name = call(Config, erlrc_finding, name, [Pid]),
    says(Finding, ["The new child one cannot start", "the name one is held by ", [Name, " of kernel"]]),
    ?assertMatch(#{subject := <<"service_sup">>, details := #{child := <<"one">>, holder := Name, application := kernel}}, Finding).

child_of_a_name_in_its_arguments(Config) ->
    Machine = "-module(machine).\n-behaviour(gen_statem).\n-export([start_link/1, init/1, callback_mode/0, calm/3]).\n"
        "start_link(#{name := Name} = Options) -> gen_statem:start_link({local, Name}, ?MODULE, Options, []).\n"
        "callback_mode() -> state_functions.\ninit(_) -> {ok, calm, none}.\ncalm(_, _, _) -> keep_state_and_data.\n",
    Names = [{one, free}, {two, service_server}],
    Machines = [child(Id, #{start => {machine, start_link, [#{name => Name}]}}) || {Id, Name} <- Names],
    Dirs = changed(Config, [Machine], [], Machines),
    ?assertMatch(#{details := #{child := <<"two">>, name := <<"service_server">>}}, fails(Config, Dirs, child_name_taken)).

child_of_a_global_name(Config) ->
    Everywhere = children_SUITE:named(everywhere, "{global, everywhere}"),
    Dirs = changed(Config, [Everywhere], [], [child(everywhere)]),
    {ok, _} = call(Config, supervisor, start_child, [kernel_safe_sup, child(everywhere)]),
    says(fails(Config, Dirs, child_name_taken), ["the global name everywhere is held by "]).

child_of_a_child(Config) ->
    Inner = service_fixture:supervisor(inner, [child(plain, #{start => {one, start_link, [x]}}), child(one)]),
    Dirs = changed(Config, [server(one, 1), Inner], [], [child(inner, #{type => supervisor})]),
    {ok, _} = call(Config, supervisor, start_child, [kernel_safe_sup, child(one)]),
    says(fails(Config, Dirs, child_name_taken), ["The new child inner cannot start", "the name one is held by "]).

child_of_a_supervisor_whose_init_has_effects(Config) ->
    Init = fun(Children) -> "init(_) -> logger:info(\"again\"), {ok, {{one_for_one, 5, 10}, [" ++ Children ++ "]}}." end,
    Sides = {Init(""), Init("#{id => one, start => {one, start_link, []}}")},
    Dirs = repeating(Config, Sides, [server(one, 1)], [server(one, 1)]),
    {ok, _} = call(Config, supervisor, start_child, [kernel_safe_sup, child(one)]),
    says(fails(Config, Dirs, child_name_taken), ["The new child one cannot start"]).

child_in_place_of_another(Config) ->
    [Old, New] = [child(Id, #{start => {one, start_link, []}}) || Id <- [old, new]],
    passes(Config, changed(Config, [server(one, 1)], [Old], [New])).

child_in_place_of_one_below_another(Config) ->
    Inner = service_fixture:supervisor(inner, [child(one)]),
    passes(Config, changed(Config, [server(one, 1), Inner], [child(inner, #{type => supervisor})], [child(one)])).

child_that_accepts_that_it_is_there(Config) ->
    Shared = "-module(shared).\n-export([start_link/0]).\n"
        "start_link() -> case one:start() of {error, {already_started, Pid}} -> {ok, Pid}; Answer -> Answer end.\n",
    Dirs = changed(Config, [server(one, 1), Shared], [], [child(shared)]),
    {ok, _} = call(Config, supervisor, start_child, [kernel_safe_sup, child(one)]),
    passes(Config, Dirs).

child_that_is_not_started(Config) ->
    ok = call(Config, application, set_env, [erlrc, supervisor_children, false]),
    Dirs = changed(Config, [server(one, 1)], [], [child(one)]),
    {ok, _} = call(Config, supervisor, start_child, [kernel_safe_sup, child(one)]),
    passes(Config, Dirs).
