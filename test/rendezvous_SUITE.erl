%% @doc A node looks after its entry: it is there whatever happens to it, to the name of the node and to erlrc.
-module(rendezvous_SUITE).

-include_lib("kernel/include/file.hrl").
-include_lib("stdlib/include/assert.hrl").

-import(fixture, [call/4, wait_until/1]).
-import(boot_support, [capture_log/1, logged/2]).

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    node_without_distribution_registers/1,
    entry_that_is_gone_comes_back/1,
    entry_that_was_changed_is_mended/1,
    node_that_gets_a_name_is_entered_under_it/1,
    what_cannot_be_written_is_said_once_and_tried_again/1,
    erlrc_that_is_killed_does_not_lose_the_entry/1,
    clean_stop_takes_entry_and_socket_away/1,
    entry_of_another_living_node_is_left_alone/1,
    entry_of_a_dead_node_is_taken_over/1,
    node_without_room_for_a_socket_says_so/1,
    socket_is_in_the_directory_of_entries_where_there_is_no_other/1,
    other_users_are_not_served/1,
    who_connects_meanwhile_is_served_by_a_process_of_its_own/1,
    connection_survives_erlrc/1
]).

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), Case =/= module_info].

%% The path of a socket has some hundred bytes at most: too few for the directories of Common Test.
-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(_Case, Config) ->
    Name = "erlrc-" ++ os:getpid() ++ "-" ++ integer_to_list(erlang:unique_integer([positive])),
    Dir = filename:join("/tmp", Name),
    ok = file:make_dir(Dir),
    [{short, Dir} | Config].

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, Config) ->
    ok = file:del_dir_r(proplists:get_value(short, Config)).

%%% A node that registers

-spec node_without_distribution_registers(list()) -> ok.
node_without_distribution_registers(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    OsPid = call(Peer, os, getpid, []),
    ?assertEqual("nonode-" ++ OsPid ++ "@nohost", Name),
    #{"managed" := "1", "os_pid" := OsPid, "socket" := Socket, "start_time" := _} = Entry = read(Config, Name),
    ?assertNot(is_map_key("port", Entry)),
    {ok, #file_info{mode = Mode}} = file:read_file_info(Socket),
    ?assertEqual(8#600, Mode band 8#777),
    ?assertMatch(#{status := ok, running := _}, ask(Socket, running())),
    fixture:stop_node(Peer).

-spec entry_that_is_gone_comes_back(list()) -> ok.
entry_that_is_gone_comes_back(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    #{"socket" := Socket} = Entry = read(Config, Name),
    ok = file:delete(Socket),
    ok = file:delete(path(Config, Name)),
    wait_until(fun() -> entries(Config) =:= [Name] andalso is_there(Socket) end),
    ?assertEqual(Entry, read(Config, Name)),
    ?assertMatch(#{status := ok}, ask(Socket, running())),
    fixture:stop_node(Peer).

-spec entry_that_was_changed_is_mended(list()) -> ok.
entry_that_was_changed_is_mended(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    Entry = read(Config, Name),
    ok = file:write_file(path(Config, Name), "managed=1\nsocket=/nonexistent\n"),
    wait_until(fun() -> read(Config, Name) =:= Entry end),
    %% A person's word is left alone.
    ok = file:write_file(path(Config, Name), "acookie\n"),
    ok = refreshed(Peer),
    ?assertEqual({ok, <<"acookie\n">>}, file:read_file(path(Config, Name))),
    fixture:stop_node(Peer).

-spec node_that_gets_a_name_is_entered_under_it(list()) -> ok.
node_that_gets_a_name_is_entered_under_it(Config) ->
    Peer = started(Config),
    [Nameless] = entries(Config),
    Names = [list_to_atom("erlrc_meet_" ++ Letter ++ os:getpid() ++ "@127.0.0.1") || Letter <- ["a", "b"]],
    Named = fun(Node) -> entries(Config) =:= [atom_to_list(Node)] end,
    [
        begin
            {ok, _} = call(Peer, net_kernel, start, [[Node, longnames]]),
            wait_until(fun() -> Named(Node) end),
            ?assertMatch(#{"port" := _, "socket" := _}, read(Config, atom_to_list(Node))),
            ok = call(Peer, net_kernel, stop, [])
        end
     || Node <- Names
    ],
    wait_until(fun() -> entries(Config) =:= [Nameless] end),
    fixture:stop_node(Peer).

-spec what_cannot_be_written_is_said_once_and_tried_again(list()) -> ok.
what_cannot_be_written_is_said_once_and_tried_again(Config) ->
    %% A file where the directory belongs.
    Run = run(Config),
    ok = file:write_file(Run, ""),
    Peer = peer(Config, []),
    capture_log(Peer),
    {ok, _} = call(Peer, application, ensure_all_started, [erlrc]),
    [ok = refreshed(Peer) || _ <- lists:seq(1, 3)],
    ?assertMatch([_], logged(Peer, "hooks do not find this node, for its entry .* cannot be written")),
    ok = file:delete(Run),
    wait_until(fun() -> length(entries(Config)) =:= 1 end),
    fixture:stop_node(Peer).

-spec erlrc_that_is_killed_does_not_lose_the_entry(list()) -> ok.
erlrc_that_is_killed_does_not_lose_the_entry(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    [killed(Config, Peer, Name, Process) || Process <- [erlrc_sup, erlrc_registration, erlrc_listener, erlrc_sup, erlrc_sup]],
    fixture:stop_node(Peer).

%% The entry is never gone, and the node is spoken to again without a hook's doing.
killed(Config, Peer, Name, Process) ->
    Pid = call(Peer, erlang, whereis, [Process]),
    true = call(Peer, erlang, exit, [Pid, kill]),
    wait_until(fun() ->
        ?assertEqual([Name], entries(Config)),
        Now = call(Peer, erlang, whereis, [Process]),
        is_pid(Now) andalso Now =/= Pid
    end),
    #{"socket" := Socket} = read(Config, Name),
    wait_until(fun() -> is_served(Socket) end),
    ?assertEqual([Name], entries(Config)).

-spec clean_stop_takes_entry_and_socket_away(list()) -> ok.
clean_stop_takes_entry_and_socket_away(Config) ->
    Peer = started(Config),
    ok = call(Peer, application, stop, [erlrc]),
    ?assertEqual([], entries(Config)),
    ?assertEqual([], sockets(Config)),
    {ok, _} = call(Peer, application, ensure_all_started, [erlrc]),
    wait_until(fun() -> length(entries(Config)) =:= 1 end),
    ok = call(Peer, init, stop, []),
    wait_until(fun() -> entries(Config) =:= [] andalso sockets(Config) =:= [] end).

%%% Names and places that are taken

-spec entry_of_another_living_node_is_left_alone(list()) -> ok.
entry_of_another_living_node_is_left_alone(Config) ->
    First = started(Config),
    [Name] = entries(Config),
    Entry = read(Config, Name),
    Second = peer(Config, []),
    capture_log(Second),
    {ok, _} = call(Second, application, ensure_all_started, [erlrc]),
    wait_until(fun() -> length(entries(Config)) =:= 2 end),
    [Other] = entries(Config) -- [Name],
    %% As if both had one name.
    {ok, _} = file:copy(path(Config, Name), path(Config, Other)),
    ok = refreshed(Second),
    ?assertEqual(Entry, read(Config, Other)),
    ?assertMatch([_], logged(Second, "is the entry of a node that runs as process")),
    fixture:stop_node(First),
    wait_until(fun() -> read(Config, Other) =/= Entry end),
    fixture:stop_node(Second).

-spec entry_of_a_dead_node_is_taken_over(list()) -> ok.
entry_of_a_dead_node_is_taken_over(Config) ->
    Name = "erlrc_meet_c" ++ os:getpid() ++ "@127.0.0.1",
    ok = filelib:ensure_dir(path(Config, Name)),
    ok = file:write_file(path(Config, Name), "managed=1\nsocket=/x\nos_pid=" ++ os:getpid() ++ "\nstart_time=1\n"),
    Peer = peer(Config, ["-name", Name]),
    {ok, _} = call(Peer, application, ensure_all_started, [erlrc]),
    OsPid = call(Peer, os, getpid, []),
    wait_until(fun() -> maps:get("os_pid", read(Config, Name), none) =:= OsPid end),
    fixture:stop_node(Peer).

-spec node_without_room_for_a_socket_says_so(list()) -> ok.
node_without_room_for_a_socket_says_so(Config) ->
    Long = filename:join([run(Config), lists:duplicate(100, $x), "run"]),
    Peer = peer(Config, [], [{"ERLRC_RUN", Long}]),
    capture_log(Peer),
    {ok, _} = call(Peer, application, ensure_all_started, [erlrc]),
    [ok = refreshed(Peer) || _ <- lists:seq(1, 3)],
    ?assertMatch([_], logged(Peer, "the node does not listen for hooks on .*: file name too long")),
    fixture:stop_node(Peer).

-spec socket_is_in_the_directory_of_entries_where_there_is_no_other(list()) -> ok.
socket_is_in_the_directory_of_entries_where_there_is_no_other(Config) ->
    %% A file where the directory of sockets belongs.
    ok = file:write_file(filename:join(proplists:get_value(short, Config), "sockets"), ""),
    Peer = started(Config),
    [Name] = entries(Config),
    #{"socket" := Socket} = read(Config, Name),
    ?assertEqual(run(Config), filename:dirname(Socket)),
    ?assertMatch(#{status := ok}, ask(Socket, running())),
    fixture:stop_node(Peer).

%%% Connections

-spec other_users_are_not_served(list()) -> ok.
other_users_are_not_served(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    #{"socket" := Socket} = read(Config, Name),
    ok = file:change_mode(Socket, 8#666),
    ok = file:change_mode(proplists:get_value(short, Config), 8#755),
    Script = io_lib:format(
        "{ok, S} = gen_tcp:connect({local, ~p}, 0, [binary, {packet, 4}, {active, false}]),"
        "_ = gen_tcp:send(S, term_to_binary(#{<<\"operation\">> => status})),"
        "io:format(\"~~p\", [gen_tcp:recv(S, 0)]), halt().",
        [Socket]
    ),
    Command = ["setpriv --reuid 65534 --regid 65534 --clear-groups ", fixture:erl(), " -noshell -eval '", Script, "'"],
    ?assertEqual("{error,closed}", os:cmd("cd /; HOME=/ " ++ lists:flatten(Command))),
    ?assertMatch(#{status := ok}, ask(Socket, running())),
    fixture:stop_node(Peer).

%% The processes that accept connections become servers, as an upgrade of their module looks for them.
-spec who_connects_meanwhile_is_served_by_a_process_of_its_own(list()) -> ok.
who_connects_meanwhile_is_served_by_a_process_of_its_own(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    #{"socket" := Socket} = read(Config, Name),
    Connections = [element(2, {ok, _} = connect(Socket)) || _ <- lists:seq(1, 8)],
    [?assertMatch(#{status := ok}, ask_on(Each, running())) || Each <- lists:reverse(Connections)],
    Servers = servers(Peer),
    ?assertEqual(8, length(Servers)),
    Listener = call(Peer, erlang, whereis, [erlrc_listener]),
    [
        begin
            #{socket := Port, request := none} = call(Peer, sys, get_state, [Pid]),
            ?assertEqual({ok, [{send_timeout, 30000}, {send_timeout_close, true}]}, call(Peer, inet, getopts, [Port, [send_timeout, send_timeout_close]])),
            {links, Links} = call(Peer, erlang, process_info, [Pid, links]),
            ?assertNot(lists:member(Listener, Links))
        end
     || Pid <- Servers
    ],
    [ok = gen_tcp:close(Each) || Each <- Connections],
    wait_until(fun() -> servers(Peer) =:= [] end),
    ?assertMatch(#{status := ok}, ask(Socket, running())),
    fixture:stop_node(Peer).

servers(Peer) ->
    [Pid || Pid <- call(Peer, erlang, processes, []), call(Peer, proc_lib, translate_initial_call, [Pid]) =:= {erlrc_connection, init, 1}].

-spec connection_survives_erlrc(list()) -> ok.
connection_survives_erlrc(Config) ->
    Peer = started(Config),
    [Name] = entries(Config),
    #{"socket" := Socket} = read(Config, Name),
    {ok, Connection} = connect(Socket),
    Stop = #{<<"operation">> => call, <<"module">> => <<"application">>, <<"function">> => <<"stop">>, <<"arguments">> => [erlrc]},
    ?assertMatch(#{outcome := called, result := ok}, ask_on(Connection, Stop)),
    %% The next request starts it anew.
    ?assertMatch(#{status := ok, outcome := started}, ask_on(Connection, request(start, <<"crypto">>))),
    wait_until(fun() -> entries(Config) =:= [Name] end),
    fixture:stop_node(Peer).

%%% Helpers

started(Config) ->
    Peer = peer(Config, []),
    {ok, _} = call(Peer, application, ensure_all_started, [erlrc]),
    wait_until(fun() -> entries(Config) =/= [] end),
    Peer.

peer(Config, Args) ->
    peer(Config, Args, [{"ERLRC_RUN", run(Config)}]).

peer(Config, Args, Env) ->
    Suites = filename:dirname(code:which(log_capture)),
    Root = fixture:root(proplists:get_value(short, Config)),
    {Peer, _} = fixture:start_node(#{root => Root, name => false, args => Args, env => Env, path => [Suites]}),
    Peer.

%% Once what was asked for before has been done.
refreshed(Peer) ->
    ok = call(Peer, erlrc_registration, refresh, []),
    _ = call(Peer, sys, get_state, [erlrc_registration]),
    ok.

run(Config) ->
    filename:join(proplists:get_value(short, Config), "run").

path(Config, Name) ->
    filename:join(run(Config), Name).

entries(Config) ->
    case file:list_dir(run(Config)) of
        {ok, Names} -> lists:sort([Name || [First | _] = Name <- Names, First =/= $.]);
        {error, _} -> []
    end.

sockets(Config) ->
    filelib:wildcard(filename:join(proplists:get_value(short, Config), "sockets/*")).

read(Config, Name) ->
    case file:read_file(path(Config, Name)) of
        {ok, Text} ->
            Lines = [string:split(Line, "=") || Line <- string:lexemes(binary_to_list(Text), "\n")],
            maps:from_list([{Key, Value} || [Key, Value] <- Lines]);
        {error, _} ->
            #{}
    end.

running() ->
    request(running, <<"kernel">>).

request(Operation, App) ->
    #{<<"protocol">> => 1, <<"operation">> => Operation, <<"application">> => App, <<"vsn">> => vsn(App)}.

vsn(App) ->
    Name = binary_to_atom(App),
    _ = application:load(Name),
    {ok, Vsn} = application:get_key(Name, vsn),
    list_to_binary(Vsn).

ask(Socket, Request) ->
    {ok, Connection} = connect(Socket),
    Answer = ask_on(Connection, Request),
    ok = gen_tcp:close(Connection),
    Answer.

is_served(Socket) ->
    try
        #{status := ok} = ask(Socket, running()),
        true
    catch
        error:_ -> false
    end.

is_there(Path) ->
    {error, enoent} =/= file:read_link_info(Path).

connect(Socket) ->
    gen_tcp:connect({local, Socket}, 0, [binary, {packet, 4}, {active, false}]).

ask_on(Connection, Request) ->
    ok = gen_tcp:send(Connection, term_to_binary(Request)),
    {ok, Answer} = gen_tcp:recv(Connection, 0, 30000),
    binary_to_term(Answer).
