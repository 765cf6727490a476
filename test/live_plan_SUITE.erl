%% @doc What a live plan finds on a real node, and that it touches nothing.
-module(live_plan_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, child/2, call/4, photograph/1, still/2, server/2, server/3]).
-import(service_fixture, [statem/1, handler/1, special/2, plain/2, pid/2]).

all() ->
    [
        sound_upgrade,
        sound_downgrade,
        one_poisoned_state_of_ten_thousand,
        every_behaviour,
        special_process_that_would_fail,
        special_process_that_hides_its_state,
        code_change_with_effects_is_not_tried,
        code_change_that_hangs_is_given_up,
        code_change_that_takes_all_memory_is_given_up,
        funs_and_paths_in_states,
        funs_in_tables,
        funs_in_large_tables,
        funs_are_called_only_where_none_comes_in,
        old_code_in_use,
        process_that_would_linger,
        long_queue_and_no_supervisor,
        supervisor_whose_init_fails,
        supervisor_whose_init_has_effects,
        supervisor_with_other_children,
        module_that_cannot_be_loaded,
        module_that_names_its_compiler,
        environment_and_dependencies,
        script_for_release_handler,
        answer_of_the_hook,
        shadows_of_every_module_load
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

plan(Config, Dirs) ->
    plan(Config, upgrade, Dirs).

plan(Config, Operation, {From, To}) ->
    Vsn = fun(Dir) -> lists:last(string:split(filename:basename(Dir), "-")) end,
    call(Config, erlrcdynamic, live_plan, [
        #{
            operation => Operation,
            application => service,
            from => Vsn(From),
            to => Vsn(To),
            from_dir => From,
            to_dir => To
        }
    ]).

%% The kinds found, with their severities.
kinds({ok, #{findings := Findings}}) ->
    lists:sort([{Kind, Severity} || #{kind := Kind, severity := Severity} <- Findings]).

finding(Kind, {ok, #{findings := Findings}}) ->
    [Finding] = [Finding || #{kind := K} = Finding <- Findings, K =:= Kind],
    Finding.

sound_upgrade(Config) ->
    Dirs = versions(Config, [], []),
    Before = photograph(Config),
    {ok, Plan} = Answer = plan(Config, Dirs),
    ?assertEqual([], kinds(Answer)),
    %% The server and its supervisor.
    ?assertMatch(#{evaluator := transactional, processes := 2, tried := 1, modules := [service_server]}, Plan),
    still(Config, Before).

sound_downgrade(Config) ->
    {Old, New} = Dirs = versions(Config, [server(one, 1)], [server(one, 2)], [child(one)]),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    ?assertEqual({2, 0, none}, call(Config, gen_server, call, [one, state])),
    Answer = plan(Config, downgrade, {New, Old}),
    ?assertEqual([], kinds(Answer)),
    ?assertMatch({ok, #{tried := 1}}, Answer),
    ?assertEqual({ok, already_running}, plan(Config, Dirs)).

one_poisoned_state_of_ten_thousand(Config) ->
    Body = "poison = case element(3, State) of poison -> State; _ -> poison end",
    Dirs = versions(Config, [server(one, 1), pool()], [server(one, 2, Body), pool()], [child(pool, #{type => supervisor})]),
    Pids = call(Config, ?MODULE, fill, [10000]),
    Poisoned = lists:nth(7777, Pids),
    ok = call(Config, gen_server, call, [Poisoned, {keep, poison}]),
    Before = call(Config, ?MODULE, states, [Pids]),
    {ok, #{tried := Tried}} = Answer = plan(Config, Dirs),
    ?assertEqual(9999, Tried),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    #{subject := <<"one">>, details := #{count := 1, processes := [Named]}} = finding(code_change_would_fail, Answer),
    ?assertEqual(call(Config, erlrc_finding, name, [Poisoned]), Named),
    ?assertEqual(Before, call(Config, ?MODULE, states, [Pids])),
    ?assertEqual([], call(Config, ?MODULE, shadows, [])).

pool() ->
    "-module(pool).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
    "start_link() -> supervisor:start_link({local, pool}, pool, []).\n"
    "init([]) -> {ok, {{simple_one_for_one, 5, 10}, [{one, {one, start_link, []}, temporary, 1000, worker, [one]}]}}.\n".

fill(Count) ->
    [element(2, supervisor:start_child(pool, [I])) || I <- lists:seq(1, Count)].

states(Pids) ->
    erlang:md5(term_to_binary([sys:get_state(Pid) || Pid <- Pids])).

shadows() ->
    [Module || {Module, _} <- code:all_loaded(), lists:suffix("$trial", atom_to_list(Module))].

every_behaviour(Config) ->
    Children = [child(machine), child(special), child(bus, #{start => {gen_event, start_link, [{local, bus}]}, modules => dynamic})],
    Dirs = versions(
        Config,
        [statem(1), special(1, normal), handler(1)],
        [statem(2), special(2, normal), handler(2)],
        Children
    ),
    [ok = call(Config, gen_event, add_handler, [bus, {handler, Id}, Id]) || Id <- [a, b]],
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([], kinds(Answer)),
    ?assertMatch({ok, #{tried := 3, processes := 4}}, Answer),
    still(Config, Before).

special_process_that_would_fail(Config) ->
    Fails = string:replace(special(2, normal), "{ok, {Parent,", "error({N, Vsn}), {ok, {Parent,"),
    Dirs = versions(Config, [special(1, normal)], [lists:flatten(Fails)], [child(special)]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    ?assertMatch(#{subject := <<"special">>, details := #{count := 1}}, finding(code_change_would_fail, Answer)),
    still(Config, Before).

%% What its module makes of the question is not what `system_code_change' is given.
special_process_that_hides_its_state(Config) ->
    Hides = fun(Version) ->
        lists:flatten(string:replace(special(Version, normal), "version/0]).", "version/0, system_replace_state/2]).\n"
            "system_replace_state(_, Misc) -> {ok, none, Misc}."))
    end,
    Dirs = versions(Config, [Hides(1)], [Hides(2)], [child(special)]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_not_tried, info}], kinds(Answer)),
    ?assertMatch({ok, #{tried := 0, processes := 2}}, Answer).

code_change_with_effects_is_not_tried(Config) ->
    Bodies = [
        {"ets:new(x, [])", <<"ets:new/2">>},
        {"self() ! State", <<"sends messages">>},
        {"receive x -> ok after 0 -> ok end", <<"receives messages">>},
        {"(element(1, State)):f()", <<"only at run time">>},
        {"lists:foreach(fun(X) -> file:delete(X) end, [])", <<"file:delete/1">>}
    ],
    Names = [list_to_atom("s" ++ integer_to_list(I)) || I <- lists:seq(1, length(Bodies))],
    New = [server(Name, 2, Body) || {Name, {Body, _}} <- lists:zip(Names, Bodies)],
    Dirs = versions(Config, [server(Name, 1) || Name <- Names], New, [child(Name) || Name <- Names]),
    {ok, #{findings := Findings, tried := 0}} = plan(Config, Dirs),
    [
        ?assertMatch(
            {Name, [_]},
            {Name, [F || #{kind := code_change_not_tried, subject := S, text := T} = F <- Findings,
                S =:= atom_to_binary(Name), binary:match(T, Said) =/= nomatch]}
        )
     || {Name, {_, Said}} <- lists:zip(Names, Bodies)
    ],
    ?assertEqual(length(Bodies), length(Findings)).

code_change_that_hangs_is_given_up(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2, "(fun F() -> F() end)()")], [child(one)]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    still(Config, Before).

code_change_that_takes_all_memory_is_given_up(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2, "_ = lists:seq(1, 100000000)")], [child(one)]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    ?assertMatch(#{text := <<_/binary>>}, finding(code_change_would_fail, Answer)).

funs_and_paths_in_states(Config) ->
    {Old, _} = Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2), server(two, 2)], [child(one), child(two)]),
    Before = call(Config, ?MODULE, keep_fun, [one]),
    ok = call(Config, gen_server, call, [two, {keep, #{file => list_to_binary(filename:join(Old, "priv/x"))}}]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{fun_in_state, warning}, {path_in_state, warning}], kinds(Answer)),
    #{subject := One} = finding(fun_in_state, Answer),
    ?assertMatch({0, _}, binary:match(One, <<"one">>)),
    ok = call(Config, gen_server, call, [two, {keep, [{file, filename:join(Old, "priv/x")}]}]),
    ?assertMatch(#{}, finding(path_in_state, plan(Config, Dirs))),
    ?assertEqual(Before, call(Config, ?MODULE, held_fun, [one])).

keep_fun(Name) ->
    Fun = gen_server:call(Name, fun_of_mine),
    ok = gen_server:call(Name, {keep, Fun}),
    Fun.

held_fun(Name) ->
    {_, _, Fun} = gen_server:call(Name, state),
    Fun.

funs_in_tables(Config) ->
    Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2), server(two, 1)], [child(one), child(two)]),
    %% Of a module that stays, in a table that only its owner reads, and elsewhere: nothing to say.
    ok = call(Config, ?MODULE, table, [quiet, [public], two]),
    ok = call(Config, ?MODULE, table, [hidden, [private], one]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ok = call(Config, ?MODULE, table, [loud, [protected, ordered_set], one]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{fun_in_table, warning}], kinds(Answer)),
    ?assertMatch(#{subject := <<"loud">>, details := #{funs := [<<"loud one ", _/binary>>]}}, finding(fun_in_table, Answer)),
    ok = call(Config, ?MODULE, keep_term, [one]),
    ?assertMatch(#{subject := <<"loud, persistent_term">>}, finding(fun_in_table, plan(Config, Dirs))).

%% A table whose owner lives as long as the node, with a fun deep in an object.
table(Table, Options, Server) ->
    Fun = gen_server:call(Server, fun_of_mine),
    Self = self(),
    _ = spawn(fun() ->
        Table = ets:new(Table, [named_table | Options]),
        true = ets:insert(Table, [{I, I} || I <- lists:seq(1, 2000)]),
        true = ets:insert(Table, {x, #{callback => [{Server, Fun}]}}),
        Self ! {Table, made},
        receive stop -> ok end
    end),
    receive {Table, made} -> ok end.

keep_term(Server) ->
    persistent_term:put({?MODULE, Server}, gen_server:call(Server, fun_of_mine)).

funs_in_large_tables(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)], [child(one)]),
    ok = call(Config, ?MODULE, large_table, [large, 50000]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{tables_cut_off, info}], kinds(Answer)),
    ?assertMatch(#{subject := <<"large">>}, finding(tables_cut_off, Answer)).

large_table(Table, Size) ->
    Self = self(),
    _ = spawn(fun() ->
        Table = ets:new(Table, [named_table]),
        true = ets:insert(Table, [{I, "text"} || I <- lists:seq(1, Size)]),
        Self ! {Table, made},
        receive stop -> ok end
    end),
    receive {Table, made} -> ok end.

funs_are_called_only_where_none_comes_in(Config) ->
    Body = "_ = lists:map(fun(X) -> X end, [1])",
    Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2, Body), server(two, 2, Body)], [child(one), child(two)]),
    _ = call(Config, ?MODULE, keep_fun, [one]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_not_tried, info}, {fun_in_state, warning}], kinds(Answer)),
    ?assertMatch({ok, #{tried := 1}}, Answer).

old_code_in_use(Config) ->
    {Old, New} = versions(Config, [loop(1)], [loop(2)]),
    Pid = call(Config, loop, start, []),
    Third = fixture:application(?config(dir, Config), service, "3", #{
        modules => [fixture:callback_module(service_app, service_sup), fixture:server_module(service_server, 2),
            fixture:supervisor_module(service_sup, [child(service_server)]), loop(3)],
        app => [{mod, {service_app, []}}]
    }),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    Answer = plan(Config, {New, Third}),
    ?assertEqual([{old_code_in_use, warning}, {process_would_linger, warning}], kinds(Answer)),
    #{details := #{processes := [Named]}} = finding(old_code_in_use, Answer),
    ?assertEqual(call(Config, erlrc_finding, name, [Pid]), Named).

loop(Version) ->
    lists:flatten(io_lib:format(
        "-module(loop).~n-export([start/0, version/0]).~nstart() -> spawn(fun loop/0).~n"
        "loop() -> receive stop -> ok; _ -> loop() end.~nversion() -> ~p.~n",
        [Version]
    )).

process_that_would_linger(Config) ->
    Dirs = versions(Config, [loop(1)], [loop(2)]),
    Pid = call(Config, loop, start, []),
    ok = fixture:wait_until(fun() ->
        call(Config, erlang, process_info, [Pid, status]) =:= {status, waiting}
    end),
    Answer = plan(Config, Dirs),
    ?assertEqual([{process_would_linger, warning}], kinds(Answer)),
    ?assertMatch(#{subject := <<"loop">>}, finding(process_would_linger, Answer)).

long_queue_and_no_supervisor(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)]),
    {ok, Pid} = call(Config, one, start, []),
    ok = call(Config, ?MODULE, flood, [Pid]),
    Answer = plan(Config, Dirs),
    ?assertEqual(
        [{code_change_not_tried, info}, {long_message_queue, warning}, {unsupervised_process, info}], kinds(Answer)
    ).

%% It is busy for longer than it is waited for; the messages stay.
flood(Pid) ->
    Pid ! {'$gen_call', {self(), make_ref()}, {busy, 5000}},
    lists:foreach(fun(I) -> Pid ! I end, lists:seq(1, 2000)).

supervisor_whose_init_fails(Config) ->
    Dirs = supervisors(Config, "init([]) -> {ok, {{one_for_one, 5, 10}, []}}.", "init(x) -> {ok, {{one_for_one, 5, 10}, []}}."),
    ?assertEqual([{supervisor_init_fails, error}], kinds(plan(Config, Dirs))).

supervisor_whose_init_has_effects(Config) ->
    Dirs = supervisors(
        Config,
        "init([]) -> {ok, {{one_for_one, 5, 10}, []}}.",
        "init([]) -> ets:new(mine, [named_table]), {ok, {{one_for_one, 5, 10}, []}}."
    ),
    ?assertEqual([{supervisor_init_has_effects, warning}], kinds(plan(Config, Dirs))).

supervisor_with_other_children(Config) ->
    Spec = "{ok, {{one_for_one, 5, 10}, [{ID, {service_server, version, []}, temporary, 1000, worker, []}]}}.",
    New = string:replace(Spec, "ID", "added"),
    Dirs = supervisors(Config, "init([]) -> {ok, {{one_for_one, 5, 10}, []}}.", ["init([]) -> ", New]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{supervisor_children_changed, info}], kinds(Answer)),
    #{text := Text} = finding(supervisor_children_changed, Answer),
    ?assertNotEqual(nomatch, binary:match(Text, <<"added">>)).

supervisors(Config, Old, New) ->
    Source = fun(Init) ->
        lists:flatten([
            "-module(extra_sup).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
            "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).\n", Init, "\n"
        ])
    end,
    versions(Config, [Source(Old)], [Source(New)], [child(extra_sup, #{type => supervisor})]).

module_that_cannot_be_loaded(Config) ->
    {_, New} = Dirs = versions(Config, [plain(lib, 1)], [plain(lib, 2)]),
    File = filename:join([New, "ebin", "lib.beam"]),
    {ok, Beam} = file:read_file(File),
    {ok, lib, Chunks} = beam_lib:all_chunks(Beam),
    {ok, Broken} = beam_lib:build_module(lists:keyreplace("Code", 1, Chunks, {"Code", spoilt(proplists:get_value("Code", Chunks))})),
    ok = file:write_file(File, Broken),
    Answer = plan(Config, Dirs),
    ?assertEqual([{module_not_loadable, error}], kinds(Answer)).

%% Another version of the instruction set.
spoilt(<<Header:4/binary, _:32, Rest/binary>>) -> <<Header/binary, 1000:32, Rest/binary>>.

%% A file of a later release, as that one's compiler makes it.
module_that_names_its_compiler(Config) ->
    {_, New} = Dirs = versions(Config, [plain(lib, 1)], [plain(lib, 2)]),
    File = filename:join([New, "ebin", "lib.beam"]),
    {ok, Beam} = file:read_file(File),
    {ok, lib, Chunks} = beam_lib:all_chunks(Beam),
    Later = [{Id, later(Id, Chunk)} || {Id, Chunk} <- Chunks],
    {ok, Changed} = beam_lib:build_module(Later),
    ok = file:write_file(File, Changed),
    Answer = plan(Config, Dirs),
    ?assertEqual([{module_not_loadable, error}], kinds(Answer)),
    #{text := Text} = finding(module_not_loadable, Answer),
    Node = iolist_to_binary(["which runs OTP ", erlang:system_info(otp_release)]),
    [?assertNotEqual(nomatch, binary:match(Text, Part)) || Part <- [Node, <<"it was compiled by OTP 31">>]].

later("Code", Code) -> spoilt(Code);
later("CInf", Info) -> term_to_binary(lists:keystore(version, 1, binary_to_term(Info), {version, "12.1"}));
later(_, Chunk) -> Chunk.

environment_and_dependencies(Config) ->
    {Old, New} = Dirs = versions(Config, [], []),
    ok = rewrite(Old, [{env, [{limit, 1}, {size, 1}]}]),
    ok = rewrite(New, [{env, [{limit, 2}, {size, 2}]}, {runtime_dependencies, ["stdlib-99.0", "kernel-1.0"]}]),
    ok = call(Config, application, stop, [service]),
    ok = call(Config, application, unload, [service]),
    ok = call(Config, application, load, [service]),
    ok = call(Config, application, set_env, [service, limit, 7]),
    ok = call(Config, application, start, [service]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{dependency_too_old, warning}, {environment_kept, info}], kinds(Answer)),
    ?assertMatch(#{subject := <<"service.limit">>}, finding(environment_kept, Answer)),
    ?assertMatch(#{subject := <<"stdlib">>}, finding(dependency_too_old, Answer)).

rewrite(Dir, More) ->
    File = filename:join([Dir, "ebin", "service.app"]),
    {ok, [{application, service, Keys}]} = file:consult(File),
    file:write_file(File, io_lib:format("~p.~n", [{application, service, More ++ Keys}])).

script_for_release_handler(Config) ->
    {_, New} = Dirs = versions(Config, [], []),
    Appup = {"2", [{"1", [{sync_nodes, x, []}, {load_module, service_server}]}], []},
    ok = file:write_file(filename:join([New, "ebin", "service.appup"]), io_lib:format("~p.~n", [Appup])),
    Answer = plan(Config, Dirs),
    ?assertEqual([{release_handler_needed, warning}], kinds(Answer)),
    ?assertMatch({ok, #{evaluator := release_handler}}, Answer).

answer_of_the_hook(Config) ->
    {Old, New} = versions(Config, [loop(1)], [loop(2)]),
    _ = call(Config, loop, start, []),
    Request = #{
        protocol => 1,
        operation => live_plan,
        'of' => upgrade,
        application => service,
        from => <<"1">>,
        to => <<"2">>,
        from_dir => list_to_binary(Old),
        to_dir => list_to_binary(New)
    },
    Answer = call(Config, erlrc_hook, request, [Request]),
    ?assertMatch(
        #{status := ok, outcome := planned, evaluator := transactional, processes := 2, findings := [_ | _]}, Answer
    ),
    #{modules := Modules} = Answer,
    ?assert(lists:member(<<"loop">>, Modules)),
    ?assertMatch(#{status := refused}, call(Config, erlrc_hook, request, [Request#{'of' => start}])),
    ok = call(Config, application, stop, [service]),
    ?assertMatch(#{status := ok, outcome := not_running}, call(Config, erlrc_hook, request, [Request])).

%% The oracle: the loader, and what the module exports.
shadows_of_every_module_load(Config) ->
    ?assertEqual([], call(Config, ?MODULE, bad_shadows, [])).

bad_shadows() ->
    Files = filelib:wildcard(filename:join([code:lib_dir(), "{kernel,stdlib,sasl,compiler}-*", "ebin", "*.beam"])),
    true = length(Files) > 100,
    lists:append([bad_shadow(File) || File <- Files]).

bad_shadow(File) ->
    Module = list_to_atom(filename:basename(File, ".beam")),
    Shadow = list_to_atom(atom_to_list(Module) ++ "$trial"),
    case erlrc_engine:shadow(File, Shadow, []) of
        {ok, {Beam, []}} -> bad_shadow(Module, Shadow, File, Beam);
        {error, on_load} -> [Module || not runs_on_load(Module, File)]
    end.

runs_on_load(Module, File) ->
    {ok, Beam} = file:read_file(File),
    code:prepare_loading([{Module, File, Beam}]) =:= {error, [{Module, on_load_not_allowed}]}.

bad_shadow(Module, Shadow, File, Beam) ->
    {ok, {Module, [{exports, Exports}]}} = beam_lib:chunks(File, [exports]),
    case code:load_binary(Shadow, File, Beam) of
        {module, Shadow} ->
            Same = lists:sort(erlang:get_module_info(Shadow, exports)) =:= lists:sort(Exports),
            true = code:delete(Shadow),
            _ = code:purge(Shadow),
            [{Module, exports} || not Same];
        {error, Why} ->
            [{Module, Why}]
    end.
