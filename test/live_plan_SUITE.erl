%% @doc What a live plan finds on a real node, and that it touches nothing.
-module(live_plan_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, child/2, call/4, photograph/1, still/2, server/2, plain/2]).

all() ->
    [
        sound_upgrade,
        sound_downgrade,
        old_code_in_use,
        process_that_would_linger,
        process_in_a_call_that_returns,
        long_queue_and_no_supervisor,
        supervisor_that_does_not_answer,
        process_blocked_in_accept,
        program_of_the_old_directory,
        third_version_on_the_path,
        otp_s_own_copy_on_the_path,
        supervisor_whose_init_fails,
        supervisor_whose_init_has_effects,
        supervisors_of_one_module,
        supervisor_with_other_children,
        module_that_cannot_be_loaded,
        module_that_names_its_compiler,
        environment_and_dependencies,
        environment_that_is_not_known,
        environment_at_compile_time,
        script_for_release_handler,
        script_that_otp_refuses,
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

%% The kinds found, with their severities; not that `service_server' is not started in most cases.
kinds({ok, #{findings := Findings}}) ->
    lists:sort([{Kind, Severity} || #{kind := Kind, severity := Severity} = Finding <- Findings, not is_unused(Finding)]).

is_unused(#{kind := Kind, subject := Subject}) ->
    Kind =:= code_change_without_process andalso Subject =:= <<"service_server">>.

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
    ?assertEqual([{old_code_in_use, error}, {process_would_linger, warning}], kinds(Answer)),
    #{details := #{processes := [Named]}} = finding(old_code_in_use, Answer),
    ?assertEqual(call(Config, erlrc_finding, name, [Pid]), Named),
    ok = call(Config, application, set_env, [erlrc, old_code, kill]),
    ?assertEqual([{old_code_in_use, warning}, {process_would_linger, warning}], kinds(plan(Config, {New, Third}))).

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

%% By way of a server, of a process that began elsewhere, and of one that waits deep below: the last began in it.
process_in_a_call_that_returns(Config) ->
    Waits = "-export([wait/0, enter/0, version/0]).\nwait() -> receive stop -> ok end.\nenter() -> {pit:deep(20)}.\n",
    Pit = "-module(pit).\n-export([deep/1]).\ndeep(0) -> lib:wait();\ndeep(N) -> {deep(N - 1)}.\n",
    Lib = fun(Version) -> lists:flatten(io_lib:format("-module(lib).\n~sversion() -> ~p.\n", [Waits, Version])) end,
    Dirs = versions(Config, [Lib(1), Pit, server(one, 1)], [Lib(2), Pit, server(one, 1)], [child(service_server), child(one)]),
    ok = call(Config, ?MODULE, waiting, []),
    Answer = plan(Config, Dirs),
    ?assertEqual([{process_would_linger, info}], kinds(Answer)),
    ?assertMatch(
        #{subject := <<"lib">>, text := <<"2 processes in a call of it would run the old code until that returns.">>},
        finding(process_would_linger, Answer)
    ),
    Deep = call(Config, erlang, spawn, [lib, enter, []]),
    ok = call(Config, fixture, wait_until, [fun() -> process_info(Deep, status) =:= {status, waiting} end]),
    ?assertEqual([{process_would_linger, info}, {process_would_linger, warning}], kinds(plan(Config, Dirs))).

waiting() ->
    _ = spawn(fun() -> gen_server:call(one, {apply, fun lib:wait/0}, infinity) end),
    Other = spawn(fun() -> lists:foreach(fun(_) -> lib:wait() end, [1]) end),
    Waits = fun(Pid) ->
        {_, Stack} = process_info(Pid, current_stacktrace),
        lists:keymember(lib, 1, Stack)
    end,
    fixture:wait_until(fun() -> Waits(whereis(one)) andalso Waits(Other) end).

long_queue_and_no_supervisor(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)]),
    {ok, Pid} = call(Config, one, start, []),
    ok = call(Config, ?MODULE, flood, [Pid]),
    Answer = plan(Config, Dirs),
    ?assertEqual(
        [{code_change_not_tried, info}, {long_message_queue, warning}, {unsupervised_process, info}], kinds(Answer)
    ).

supervisor_that_does_not_answer(Config) ->
    Init = "init([]) -> {ok, {{one_for_one, 5, 10}, []}}.",
    Dirs = supervisors(Config, Init, Init),
    ok = call(Config, sys, suspend, [extra_sup]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{supervisor_not_answering, warning}], kinds(Answer)),
    Pid = call(Config, erlang, whereis, [extra_sup]),
    #{subject := Subject} = finding(supervisor_not_answering, Answer),
    ?assertEqual(call(Config, erlrc_finding, name, [Pid]), Subject).

program_of_the_old_directory(Config) ->
    {Old, _} = Dirs = versions(Config, [], []),
    Program = filename:join(Old, "priv/helper"),
    ok = filelib:ensure_dir(Program),
    {ok, _} = file:copy("/bin/cat", Program),
    ok = file:change_mode(Program, 8#755),
    ok = call(Config, ?MODULE, open_port, [Program]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{port_of_old_directory, warning}], kinds(Answer)),
    #{text := Text} = finding(port_of_old_directory, Answer),
    ?assertNotEqual(nomatch, binary:match(Text, list_to_binary(Program))).

open_port(Program) ->
    Self = self(),
    _ = spawn(fun() -> erlang:open_port({spawn_executable, Program}, []), Self ! opened, receive stop -> ok end end),
    receive opened -> ok end.

third_version_on_the_path(Config) ->
    {Old, _} = Dirs = versions(Config, [], []),
    Third = filename:join(filename:dirname(Old), "service-0.9/ebin"),
    ok = filelib:ensure_path(Third),
    {ok, _} = file:copy(filename:join([Old, "ebin", "service.app"]), filename:join(Third, "service.app")),
    %% Another name of a directory is not another one.
    ok = call(Config, file, set_cwd, [filename:dirname(Old)]),
    true = call(Config, code, add_pathz, ["./service-1/ebin"]),
    ok = file:make_symlink(filename:dirname(Old), filename:join(?config(priv_dir, Config), "linked")),
    true = call(Config, code, add_pathz, [filename:join(?config(priv_dir, Config), "linked/service-1/ebin")]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    true = call(Config, code, add_pathz, [Third]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{other_version_on_path, warning}], kinds(Answer)),
    ?assertEqual(list_to_binary(Third), maps:get(subject, finding(other_version_on_path, Answer))),
    %% A directory that is gone holds no module.
    ok = file:del_dir_r(Third),
    ?assertEqual([], kinds(plan(Config, Dirs))).

otp_s_own_copy_on_the_path(Config) ->
    [One, Two] = [copy_of_parsetools(Config, Vsn) || Vsn <- ["8", "9"]],
    true = call(Config, code, add_patha, [filename:join(One, "ebin")]),
    ok = call(Config, application, start, [parsetools]),
    Own = call(Config, code, get_path, []),
    ?assertMatch([_, _ | _], [Dir || Dir <- Own, string:find(Dir, "/parsetools-") =/= nomatch]),
    Names = #{from => "8", to => "9", from_dir => One, to_dir => Two},
    Answer = call(Config, erlrcdynamic, live_plan, [Names#{operation => upgrade, application => parsetools}]),
    ?assertEqual([], kinds(Answer)).

copy_of_parsetools(Config, Vsn) ->
    Dir = filename:join(?config(dir, Config), "parsetools-" ++ Vsn),
    Ebin = filename:join(Dir, "ebin"),
    ok = filelib:ensure_path(Ebin),
    {ok, [{application, parsetools, Keys}]} = file:consult(code:where_is_file("parsetools.app")),
    App = {application, parsetools, lists:keystore(vsn, 1, Keys, {vsn, Vsn})},
    ok = file:write_file(filename:join(Ebin, "parsetools.app"), io_lib:format("~tp.~n", [App])),
    Files = filelib:wildcard(filename:join(filename:dirname(code:where_is_file("parsetools.app")), "*.beam")),
    [{ok, _} = file:copy(File, filename:join(Ebin, filename:basename(File))) || File <- Files],
    Dir.

process_blocked_in_accept(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)], [child(one)]),
    ok = call(Config, ?MODULE, block, [one]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_not_tried, info}, {process_blocked, error}], kinds(Answer)),
    ?assertMatch(#{details := #{count := 1}}, finding(process_blocked, Answer)).

block(Name) ->
    Accept = fun() ->
        {ok, Socket} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),
        gen_tcp:accept(Socket)
    end,
    _ = spawn(fun() -> gen_server:call(Name, {apply, Accept}, infinity) end),
    fixture:wait_until(fun() ->
        {_, {Module, _, _}} = process_info(whereis(Name), current_function),
        Module =:= prim_inet
    end).

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

supervisors_of_one_module(Config) ->
    Source = fun(More) ->
        "-module(many_sup).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
        "start_link() -> supervisor:start_link(?MODULE, []).\n"
        "init([]) -> " ++ More ++ "{ok, {{one_for_one, 5, 10}, []}}.\n"
    end,
    Children = [child(many_sup, #{id => Id, type => supervisor}) || Id <- [one, two, three]],
    Dirs = versions(Config, [Source("")], [Source("ets:new(mine, []), ")], Children),
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

%% The state of application_controller is another one in some later release: its last field holds no configuration, or
%% an entry of it is none.
environment_that_is_not_known(Config) ->
    Dirs = versions(Config, [], []),
    Set = fun(Configuration) -> call(Config, ?MODULE, configure, [Configuration]) end,
    Was = Set(#{service => []}),
    ?assertEqual([{environment_unknown, error}], kinds(plan(Config, Dirs))),
    _ = Set([{service, #{}}]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{environment_unknown, error}], kinds(Answer)),
    #{subject := Subject, text := Text} = finding(environment_unknown, Answer),
    ?assertEqual(<<"service">>, Subject),
    Release = iolist_to_binary(["the application controller of OTP ", erlang:system_info(otp_release), " is not known"]),
    ?assertNotEqual(nomatch, binary:match(Text, Release)),
    _ = Set([{service, []} | Was]),
    ?assertEqual([], kinds(plan(Config, Dirs))).

%% Answers what was there.
configure(Configuration) ->
    State = sys:get_state(application_controller),
    _ = sys:replace_state(application_controller, fun(_) -> setelement(tuple_size(State), State, Configuration) end),
    element(tuple_size(State), State).

%% The values that are compared are those that the node has after the upgrade: defaults come, change and go with it.
environment_at_compile_time(Config) ->
    {Old, New} = Dirs = versions(Config, [], []),
    ok = rewrite(Old, [{env, [{fits, 1}, {differs, 2}, {goes, 1}, {stays, 1}]}]),
    Compiled = [{service, [Key], {ok, 2}} || Key <- [fits, differs, goes, comes, stays]],
    ok = rewrite(New, [{env, [{fits, 2}, {differs, 1}, {comes, 2}, {stays, 2}]}, {compile_env, Compiled}]),
    ok = call(Config, application, stop, [service]),
    ok = call(Config, application, unload, [service]),
    ok = call(Config, application, load, [service]),
    ok = call(Config, application, set_env, [service, stays, 7]),
    ok = call(Config, application, start, [service]),
    {ok, #{findings := Findings}} = plan(Config, Dirs),
    Found = [{Subject, Severity} || #{kind := compile_env, subject := Subject, severity := Severity} <- Findings],
    ?assertEqual([{<<"service.", Key/binary>>, warning} || Key <- [<<"differs">>, <<"goes">>, <<"stays">>]], lists:sort(Found)),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    Is = fun(Key) -> call(Config, application, get_env, [service, Key]) end,
    ?assertEqual([{ok, 2}, {ok, 1}, undefined, {ok, 2}, {ok, 7}], [Is(Key) || {service, [Key], _} <- Compiled]).

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

script_that_otp_refuses(Config) ->
    {_, New} = Dirs = versions(Config, [], []),
    Appup = {"2", [{"1", [{load_module, nowhere}]}], []},
    ok = file:write_file(filename:join([New, "ebin", "service.appup"]), io_lib:format("~p.~n", [Appup])),
    Before = photograph(Config),
    ?assertEqual([{script_refused, error}], kinds(plan(Config, Dirs))),
    still(Config, Before).

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
