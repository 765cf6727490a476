%% @doc The life of a node: how it is booted by the operating system, what it says of itself, what
%% ends it.
-module(lifecycle_SUITE).

-include_lib("kernel/include/file.hrl").
-include_lib("stdlib/include/assert.hrl").

-import(boot_support, [
    install/3, failing/3, enlist/2, ebin/2, write/2, node_of/1, node_of/2, finish/2, call/4, boot/1,
    started/1, capture_log/1, logged/2
]).

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    boot_from_the_command_line/1,
    failed_boot_leaves_the_node_up/1,
    failed_boot_ends_the_node/1,
    systemd_is_told/1,
    node_halts_with_an_application/1,
    node_outlives_an_application/1,
    application_that_is_stopped_does_not_halt_the_node/1,
    boot_script_boots/1,
    command_makes_a_boot_script/1,
    boot_script_for_an_unknown_application_is_refused/1,
    node_registers_itself/1,
    registration_may_be_refused/1,
    entry_of_a_person_is_left_alone/1,
    cookie_of_unknown_origin_is_not_written/1,
    node_without_a_place_to_register_lives/1
]).

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), Case =/= module_info].

-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(Case, Config) ->
    boot_support:directories(Case, Config).

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

%%% Nodes that the operating system starts

-spec boot_from_the_command_line(list()) -> ok.
boot_from_the_command_line(Config) ->
    install(Config, foo, [{applications, [kernel, stdlib, bar]}]),
    install(Config, bar, []),
    enlist(Config, [foo]),
    Print = print_running(),
    Booted = fun(Script) ->
        run(Config, ["-boot", Script, "-s", "erlrc_boot", "boot" | Print])
    end,
    {0, Output, []} = Booted("start_sasl"),
    ?assertEqual(match, re:run(Output, "\\[foo,bar,erlrc,sasl,stdlib,kernel\\]", [{capture, none}])),
    %% erlrc brings what it needs along, whichever the boot script.
    {0, Clean, []} = Booted("start_clean"),
    ?assertEqual(match, re:run(Clean, "\\[foo,bar,erlrc,sasl,stdlib,kernel\\]", [{capture, none}])),
    ok.

-spec failed_boot_leaves_the_node_up(list()) -> ok.
failed_boot_leaves_the_node_up(Config) ->
    failing(Config, foo, []),
    enlist(Config, [foo]),
    Print = ["-eval", "io:format(\"still here~n\"), halt()."],
    {0, Output, _} = run(Config, ["-s", "erlrc_boot", "boot" | Print]),
    ?assertEqual(match, re:run(Output, "still here", [{capture, none}])),
    ?assertEqual(match, re:run(Output, "foo failed to start", [{capture, none}])).

-spec failed_boot_ends_the_node(list()) -> ok.
failed_boot_ends_the_node(Config) ->
    failing(Config, foo, []),
    enlist(Config, [foo]),
    {1, Output, Errors} = run(Config, ["-s", "erlrc_boot", "boot_or_halt"]),
    ?assertMatch("erlrc: boot: foo failed to start: " ++ _, Errors),
    ?assertEqual(1, length(string:lexemes(Errors, "\n"))),
    ?assertEqual(match, re:run(Output, "foo failed to start", [{capture, none}])),
    ?assertNot(filelib:is_file(crash_dump(Config))).

-spec systemd_is_told(list()) -> ok.
systemd_is_told(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo]),
    Path = short_path(),
    Abstract = "erlrc-test-" ++ unique(),
    Addresses = [{Path, Path}, {"@" ++ Abstract, [0 | Abstract]}],
    [
        begin
            {ok, Socket} = gen_udp:open(0, [{ifaddr, {local, Address}}, {active, false}, binary]),
            Args = ["-s", "erlrc_boot", "boot_or_halt", "-eval", "halt()."],
            {0, _, []} = run(Config, Args, [{"NOTIFY_SOCKET", Name}]),
            ?assertMatch({ok, {_, _, <<"READY=1">>}}, gen_udp:recv(Socket, 0, 5000)),
            ok = gen_udp:close(Socket)
        end
     || {Name, Address} <- Addresses
    ],
    %% Whoever does not listen any more harms nobody.
    Args = ["-s", "erlrc_boot", "boot_or_halt", "-eval", "halt()."],
    {0, _, []} = run(Config, Args, [{"NOTIFY_SOCKET", Path}]),
    file:delete(Path).

print_running() ->
    Print = "io:format(\"~w~n\", [[A || {A, _, _} <- application:which_applications()]]), halt().",
    ["-eval", Print].

%%% Applications that die

-spec node_halts_with_an_application(list()) -> ok.
node_halts_with_an_application(Config) ->
    install(Config, foo, []),
    ok = fixture:register(proplists:get_value(root, Config), foo, [{on_exit, halt}]),
    Kill = ["-eval", "exit(whereis(foo_sup), kill)."],
    {1, Output, _} = run(Config, ["-s", "erlrc_boot", "boot" | Kill]),
    ?assertEqual(match, re:run(Output, "application foo ended: killed", [{capture, none}])),
    ?assertNot(filelib:is_file(crash_dump(Config))).

-spec node_outlives_an_application(list()) -> ok.
node_outlives_an_application(Config) ->
    [install(Config, App, []) || App <- [by_default, told, unlisted]],
    enlist(Config, [by_default]),
    ok = fixture:register(proplists:get_value(root, Config), told, [{on_exit, stay}]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ok = call(Peer, application, start, [unlisted]),
    Supervisors = [by_default_sup, told_sup, unlisted_sup],
    [true = call(Peer, erlang, exit, [call(Peer, erlang, whereis, [S]), kill]) || S <- Supervisors],
    fixture:wait_until(fun() -> started(Peer) =:= [] end),
    settled(Peer),
    finish(Config, Peer).

-spec application_that_is_stopped_does_not_halt_the_node(list()) -> ok.
application_that_is_stopped_does_not_halt_the_node(Config) ->
    install(Config, foo, []),
    ok = fixture:register(proplists:get_value(root, Config), foo, [{on_exit, halt}]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ok = call(Peer, application, stop, [foo]),
    settled(Peer),
    %% Nor does one that was started again since, and stopped by an operation.
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo], started(Peer)),
    {ok, _} = call(Peer, erlrc_transition, perform, [{stop, foo}]),
    settled(Peer),
    ?assertEqual([], started(Peer)),
    finish(Config, Peer).

%% What the watch had to see it has seen, and the node is not about to stop.
settled(Peer) ->
    fixture:wait_until(fun() ->
        Running = proplists:get_value(running, call(Peer, application, info, [])),
        Masters = lists:sort([Master || {_, Master} <- Running, is_pid(Master)]),
        Masters =:= lists:sort(maps:keys(call(Peer, sys, get_state, [erlrc_watch])))
    end),
    ?assertMatch({started, _}, call(Peer, init, get_status, [])).

%%% Boot scripts

-spec boot_script_boots(list()) -> ok.
boot_script_boots(Config) ->
    install(Config, foo, []),
    install(Config, extra, [{applications, [kernel, stdlib, more]}]),
    install(Config, more, []),
    enlist(Config, [foo]),
    Name = filename:join(proplists:get_value(dir, Config), "minimal"),
    Make = ["-s", "erlrc_boot_script", "main", "-extra", Name, "extra,crypto"],
    {0, _, []} = run(Config, Make),
    [?assert(filelib:is_regular(Name ++ Suffix)) || Suffix <- [".rel", ".script", ".boot"]],
    Print = print_running(),
    Path = short_path(),
    {ok, Socket} = gen_udp:open(0, [{ifaddr, {local, Path}}, {active, false}, binary]),
    {0, Output, []} = run(Config, ["-boot", Name | Print], [{"NOTIFY_SOCKET", Path}]),
    ?assertMatch({ok, {_, _, <<"READY=1">>}}, gen_udp:recv(Socket, 0, 5000)),
    ok = gen_udp:close(Socket),
    ok = file:delete(Path),
    {match, [List]} = re:run(Output, "\\[foo,.*\\]", [{capture, first, list}]),
    Running = [list_to_atom(App) || App <- string:lexemes(List, "[],")],
    Expected = [crypto, erlrc, extra, foo, kernel, more, sasl, stdlib],
    ?assertEqual(Expected, lists:sort(Running)),
    %% A boot that fails ends the node while it boots.
    enlist(Config, [bad]),
    failing(Config, bad, []),
    {1, _, Errors} = run(Config, ["-boot", Name | Print]),
    ?assertMatch("erlrc: boot: bad failed to start" ++ _, Errors),
    ?assertNot(filelib:is_file(crash_dump(Config))).

-spec command_makes_a_boot_script(list()) -> ok.
command_makes_a_boot_script(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo]),
    Dir = proplists:get_value(dir, Config),
    Files = [filename:join(Dir, "by_command" ++ Suffix) || Suffix <- [".rel", ".script", ".boot"]],
    Command = [filename:join(code:priv_dir(erlrc), "erlrc"), "make-boot-script"],
    Make = Command ++ ["--erl", fixture:erl(), "--path", fixture:erlrc_ebin(), "by_command"],
    {0, Planned, []} = run_command(Config, Make ++ ["--dry-run"], []),
    ?assertEqual(Files, string:lexemes(Planned, "\n")),
    ?assertNot(lists:any(fun filelib:is_file/1, Files)),
    {0, Planned, []} = run_command(Config, Make ++ ["crypto"], []),
    ?assert(lists:all(fun filelib:is_regular/1, Files)),
    Path = ["-erlrc", "register_node", "false", "-eval", "io:format(\"~w\", [whereis(foo_sup)]), halt()."],
    {0, "<0." ++ _, []} = run(Config, ["-boot", filename:join(Dir, "by_command") | Path]),
    {1, [], Refused} = run_command(Config, Make ++ ["nowhere"], []),
    ?assertMatch("erlrc: nowhere.app is not there" ++ _, Refused),
    {2, [], _} = run_command(Config, Make ++ ["No'App"], []),
    {1, [], Missing} = run_command(Config, Command ++ ["--erl", "/nonexistent/erl", "x"], []),
    ?assertMatch("erlrc: cannot run /nonexistent/erl" ++ _, Missing).

-spec boot_script_for_an_unknown_application_is_refused(list()) -> ok.
boot_script_for_an_unknown_application_is_refused(Config) ->
    Name = filename:join(proplists:get_value(dir, Config), "minimal"),
    Make = ["-s", "erlrc_boot_script", "main", "-extra", Name, "nowhere"],
    {1, _, Errors} = run(Config, Make),
    ?assertMatch("erlrc: nowhere.app is not there" ++ _, Errors),
    ?assertNot(filelib:is_file(Name ++ ".boot")),
    {2, _, "usage: erlrc make-boot-script" ++ _} = run(Config, ["-s", "erlrc_boot_script", "main"]),
    ok.

%%% The node's own rendezvous entry

-spec node_registers_itself(list()) -> ok.
node_registers_itself(Config) ->
    {Peer, Port} = distributed(Config, [], []),
    Entry = entry(Config, call(Peer, erlang, node, [])),
    ?assertEqual(ok, boot(Peer)),
    fixture:wait_until(fun() -> filelib:is_regular(Entry) end),
    {ok, Content} = file:read_file(Entry),
    ?assertEqual(
        ["managed=1", "cookie_file=" ++ cookie_file(Config), "port=" ++ integer_to_list(Port)],
        of_distribution(Content)
    ),
    {ok, #file_info{mode = Mode, type = regular}} = file:read_file_info(Entry),
    ?assertEqual(8#600, Mode band 8#777),
    ?assertEqual([filename:basename(Entry)], entries(Config)),
    %% A second boot leaves it as it is, a clean stop takes it away.
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual({ok, Content}, file:read_file(Entry)),
    ok = call(Peer, init, stop, []),
    fixture:wait_until(fun() -> entries(Config) =:= [] end),
    %% One that a node left behind which did not stop cleanly is replaced.
    ok = write(Entry, "managed=1\nport=1\n"),
    Args = ["-sname", node_name(Entry)],
    {Again, _} = distributed(Config, Args, []),
    ?assertEqual(ok, boot(Again)),
    fixture:wait_until(fun() -> file:read_file(Entry) =/= {ok, <<"managed=1\nport=1\n">>} end),
    finish(Config, Again).

-spec registration_may_be_refused(list()) -> ok.
registration_may_be_refused(Config) ->
    {Peer, _} = distributed(Config, ["-erlrc", "register_node", "false"], []),
    ?assertEqual(ok, boot(Peer)),
    _ = call(Peer, sys, get_state, [erlrc_registration]),
    ?assertEqual([], entries(Config)),
    finish(Config, Peer).

-spec entry_of_a_person_is_left_alone(list()) -> ok.
entry_of_a_person_is_left_alone(Config) ->
    {Peer, _} = distributed(Config, [], []),
    Entry = entry(Config, call(Peer, erlang, node, [])),
    ok = write(Entry, "somecookie\n"),
    ?assertEqual(ok, boot(Peer)),
    _ = call(Peer, sys, get_state, [erlrc_registration]),
    ?assertEqual({ok, <<"somecookie\n">>}, file:read_file(Entry)),
    ok = call(Peer, application, stop, [erlrc]),
    ?assertEqual({ok, <<"somecookie\n">>}, file:read_file(Entry)),
    ?assertEqual([filename:basename(Entry)], entries(Config)),
    finish(Config, Peer).

-spec cookie_of_unknown_origin_is_not_written(list()) -> ok.
cookie_of_unknown_origin_is_not_written(Config) ->
    {Peer, Port} = distributed(Config, ["-setcookie", "secretcookie"], []),
    capture_log(Peer),
    Entry = entry(Config, call(Peer, erlang, node, [])),
    ?assertEqual(ok, boot(Peer)),
    fixture:wait_until(fun() -> filelib:is_regular(Entry) end),
    {ok, Content} = file:read_file(Entry),
    ?assertEqual(["managed=1", "port=" ++ integer_to_list(Port)], of_distribution(Content)),
    ?assertMatch([_], logged(Peer, "no file is known that holds the cookie")),
    ?assertEqual([], logged(Peer, "secretcookie")),
    %% A file that the environment of erlrc names is taken when it holds the cookie.
    Named = filename:join(proplists:get_value(dir, Config), "named.cookie"),
    ok = write(Named, "secretcookie\n"),
    ok = call(Peer, application, set_env, [erlrc, cookie_file, Named]),
    ?assertEqual(ok, boot(Peer)),
    _ = call(Peer, sys, get_state, [erlrc_registration]),
    {ok, Changed} = file:read_file(Entry),
    ?assertNotEqual(nomatch, binary:match(Changed, list_to_binary("cookie_file=" ++ Named))),
    finish(Config, Peer).

-spec node_without_a_place_to_register_lives(list()) -> ok.
node_without_a_place_to_register_lives(Config) ->
    %% Where the directory should be is a file: not even root can write there.
    ok = write(filename:join(proplists:get_value(dir, Config), "run"), <<>>),
    {Peer, _} = distributed(Config, [], []),
    capture_log(Peer),
    ?assertEqual(ok, boot(Peer)),
    _ = call(Peer, sys, get_state, [erlrc_registration]),
    ?assertMatch([_], logged(Peer, "its entry .* cannot be written: file already exists")),
    finish(Config, Peer).

%% A distributed node that needs no epmd, with a cookie file of its own.
distributed(Config, Args, Env) ->
    {ok, Socket} = gen_tcp:listen(0, []),
    {ok, Port} = inet:port(Socket),
    ok = gen_tcp:close(Socket),
    CookieFile = cookie_file(Config),
    _ = file:delete(CookieFile),
    ok = write(CookieFile, "cookieofthecase"),
    ok = file:change_mode(CookieFile, 8#400),
    Home = filename:dirname(CookieFile),
    Name =
        case Args of
            ["-sname" | _] -> [];
            _ -> ["-sname", "erlrc" ++ unique()]
        end,
    Distribution = Name ++ ["-start_epmd", "false", "-erl_epmd_port", integer_to_list(Port)],
    Options = #{args => Distribution ++ Args, env => [{"HOME", Home} | Env]},
    {node_of(Config, Options), Port}.

cookie_file(Config) ->
    filename:join([proplists:get_value(dir, Config), "home", ".erlang.cookie"]).

entry(Config, Node) ->
    filename:join([proplists:get_value(dir, Config), "run", atom_to_list(Node)]).

%% The lines of an entry that other nodes need; those of the socket and the process are for hooks.
of_distribution(Content) ->
    Lines = string:lexemes(binary_to_list(Content), "\n"),
    [Line || Line <- Lines, lists:member(hd(string:split(Line, "=")), ["managed", "cookie_file", "port", "host"])].

entries(Config) ->
    case file:list_dir(filename:dirname(entry(Config, x))) of
        {ok, Names} -> Names;
        {error, enoent} -> []
    end.

node_name(Entry) ->
    hd(string:lexemes(filename:basename(Entry), "@")).

%%% Operating system processes

run(Config, Args) ->
    run(Config, Args, []).

%% Runs `erl' to its end: exit status, standard output, standard error.
run(Config, Args, Env) ->
    Path = [fixture:erlrc_ebin() | filelib:wildcard(ebin(Config, "*"))],
    Code = lists:append([["-pa", Dir] || Dir <- Path]),
    run_command(Config, [fixture:erl(), "-noinput", "-noshell" | Code] ++ Args, Env).

run_command(Config, Command, Env) ->
    Dir = proplists:get_value(dir, Config),
    Errors = filename:join(Dir, "stderr"),
    Options = [
        {args, ["-c", "exec \"$@\" 2>\"$STDERR\"", "sh" | Command]},
        {env, Env ++ [{"STDERR", Errors} | environment(Config)]},
        {cd, Dir},
        exit_status,
        stderr_to_stdout
    ],
    Port = open_port({spawn_executable, "/bin/sh"}, Options),
    {Status, Output} = collect(Port, []),
    {ok, Text} = file:read_file(Errors),
    {Status, Output, unicode:characters_to_list(Text)}.

environment(Config) ->
    Dir = proplists:get_value(dir, Config),
    Directories = [{"RUN", "run"}, {"APPS", "apps"}, {"STATE", "state"}, {"STASH", "stash"}],
    [{"ERLRC_" ++ Variable, filename:join(Dir, Name)} || {Variable, Name} <- Directories] ++
        [
            {"ERLRC_ROOT", proplists:get_value(root, Config)},
            {"ERL_CRASH_DUMP", crash_dump(Config)},
            {"ERL_AFLAGS", false},
            {"ERL_FLAGS", false},
            {"ERL_ZFLAGS", false}
        ].

crash_dump(Config) ->
    filename:join(proplists:get_value(dir, Config), "erl_crash.dump").

collect(Port, Output) ->
    receive
        {Port, {data, Data}} -> collect(Port, [Output | Data]);
        {Port, {exit_status, Status}} -> {Status, lists:flatten(Output)}
    after 60000 -> error({no_end, lists:flatten(Output)})
    end.

%% The address of a socket has some hundred bytes at most.
short_path() ->
    filename:join(os:getenv("TMPDIR", "/tmp"), "erlrc-" ++ unique()).

unique() ->
    os:getpid() ++ "-" ++ integer_to_list(erlang:unique_integer([positive])).
