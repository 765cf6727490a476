%% @doc The Unix socket on which the node accepts hooks. It is beside the directory of entries and belongs to the node's
%% user. It needs neither distribution nor a port mapper nor a cookie.
%%
%% A client must be root or the node's own user. The kernel tells which user it is, so the mode of the file does not
%% matter. The number of connections is bounded: at the limit, the one that has been idle longest is closed.
-module(erlrc_listener).
-behaviour(gen_server).

-export([start_link/0, address/0, accepted/1, busy/1, idle/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-include_lib("kernel/include/file.hrl").

%% The number of connections, and the size of a request in bytes.
-define(CONNECTIONS, 64).
-define(REQUEST, 1048576).
%% The longest path of a socket, in bytes.
-define(PATH, 107).
%% Milliseconds until the next attempt after a failed accept, and for the other side to read what is sent.
-define(PAUSE, 1000).
-define(SEND, 30000).

%% @doc Starts the server. It opens the socket when it is first asked for the address.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc The address of the socket. The socket is opened again if its file is gone.
-spec address() -> {ok, file:filename_all()} | {error, term()}.
address() ->
    try
        gen_server:call(?MODULE, address)
    catch
        exit:_ -> {error, not_started}
    end.

%% @doc Tells the server that the calling process has accepted a connection.
-spec accepted(pid()) -> ok.
accepted(Server) ->
    _ = Server ! {accepted, self()},
    true = unlink(Server),
    ok.

%% @doc Tells the server that a connection has received a request.
-spec busy(pid()) -> ok.
busy(Connection) ->
    gen_server:cast(?MODULE, {busy, Connection}).

%% @doc Tells the server that a connection waits for its next request.
-spec idle(pid()) -> ok.
idle(Connection) ->
    gen_server:cast(?MODULE, {idle, Connection}).

%% State: the socket with its file, `{Socket, Path, Inode}'; the connections, each either `busy' or with the time since
%% which it is idle; the processes that accept the next ones; and the timer of the next attempt after a failed accept.
%% @private
-spec init([]) -> {ok, map(), {continue, started}}.
init([]) ->
    _ = process_flag(trap_exit, true),
    ok = erlrc_operation:leave_group(),
    %% Requests are decoded with existing atoms only.
    ok = code:ensure_modules_loaded([erlrc_hook, erlrc_request, erlrc_options]),
    {ok, #{socket => none, connections => #{}, acceptors => [], pause => none}, {continue, started}}.

%% @private After a restart of this server the registration asks for the address again.
-spec handle_continue(started, map()) -> {noreply, map()}.
handle_continue(started, State) ->
    ok = erlrc_registration:refresh(),
    {noreply, State}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(address, _From, State) ->
    {Reply, New} = listening(State),
    {reply, Reply, spare(New)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({busy, Pid}, #{connections := Connections} = State) when is_map_key(Pid, Connections) ->
    {noreply, State#{connections := Connections#{Pid := busy}}};
handle_cast({idle, Pid}, #{connections := Connections} = State) when is_map_key(Pid, Connections) ->
    {noreply, spare(State#{connections := Connections#{Pid := erlang:monotonic_time()}})};
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({accepted, Pid}, #{connections := Connections, acceptors := Acceptors} = State) ->
    _ = monitor(process, Pid),
    New = State#{connections := Connections#{Pid => erlang:monotonic_time()}, acceptors := lists:delete(Pid, Acceptors)},
    {noreply, accept(New)};
handle_info({timeout, Timer, accept}, #{pause := Timer} = State) ->
    {noreply, spare(State#{pause := none})};
handle_info({'EXIT', Pid, _}, #{acceptors := Acceptors} = State) ->
    case lists:member(Pid, Acceptors) of
        %% This happens when too many files are open.
        true -> {noreply, State#{acceptors := lists:delete(Pid, Acceptors), pause := erlang:start_timer(?PAUSE, self(), accept)}};
        false -> {noreply, State}
    end;
handle_info({'DOWN', _, process, Pid, _}, #{connections := Connections} = State) ->
    {noreply, spare(State#{connections := maps:remove(Pid, Connections)})};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), map()) -> ok.
terminate(_Reason, #{socket := Socket}) ->
    close(Socket).

%% @private
-spec code_change(term(), map(), term()) -> {ok, map()}.
code_change(_Vsn, State, _Extra) ->
    {ok, State}.

listening(#{socket := {_, Path, Inode} = Socket} = State) ->
    case inode(Path) of
        {ok, Inode} ->
            {{ok, Path}, State};
        _ ->
            ok = close(Socket),
            listening(State#{socket := none, acceptors := []})
    end;
listening(#{socket := none} = State) ->
    case listen(places(), {error, enoent}) of
        {ok, {_, Path, _} = Socket} -> {{ok, Path}, State#{socket := Socket}};
        {error, _} = Error -> {Error, State}
    end.

%% Beside the directory of entries. A node that cannot write there puts the socket into the directory, under a name that
%% no entry has.
places() ->
    Run = erlrc_node:run_dir(),
    Name = name(erlrc_process:identity()),
    [filename:join([filename:dirname(Run), "sockets", Name]), filename:join(Run, "." ++ Name)].

%% The name contains the identity of this process, so a file with this name was left by a process that has ended.
name(#{os_pid := Pid, start_time := Time}) -> binary_to_list(<<Pid/binary, "-", Time/binary>>);
name(#{os_pid := Pid}) -> binary_to_list(Pid).

listen([], Error) ->
    Error;
listen([Place | Places], _) ->
    Path = unicode:characters_to_binary(Place, unicode, file:native_name_encoding()),
    case listen(Path) of
        {ok, _} = Listening -> Listening;
        {error, Why} -> listen(Places, {error, {Place, Why}})
    end.

listen(Path) when byte_size(Path) > ?PATH ->
    {error, enametoolong};
listen(Path) ->
    _ = filelib:ensure_dir(Path),
    _ = file:delete(Path),
    Options = [{ifaddr, {local, Path}}, {packet, 4}, {packet_size, ?REQUEST}, {active, false}, {backlog, 128}, binary],
    Send = [{send_timeout, ?SEND}, {send_timeout_close, true}],
    %% The backend is chosen here, whatever the kernel application is configured for: the other one does not support the
    %% option that returns the user of the peer.
    case gen_tcp:listen(0, [{inet_backend, inet} | Options ++ Send]) of
        {ok, Socket} -> private(Socket, Path);
        {error, _} = Error -> Error
    end.

private(Socket, Path) ->
    case {file:change_mode(Path, 8#600), inode(Path)} of
        {ok, {ok, Inode}} ->
            {ok, {Socket, Path, Inode}};
        {Changed, Inode} ->
            ok = gen_tcp:close(Socket),
            [Error | _] = [Error || {error, _} = Error <- [Changed, Inode]],
            Error
    end.

inode(Path) ->
    case file:read_link_info(Path, [raw]) of
        {ok, #file_info{major_device = Device, inode = Inode}} -> {ok, {Device, Inode}};
        {error, _} = Error -> Error
    end.

%% Removes the file only if it is the file of this socket.
close(none) ->
    ok;
close({Socket, Path, Inode}) ->
    ok = gen_tcp:close(Socket),
    case inode(Path) of
        {ok, Inode} -> _ = file:delete(Path), ok;
        _ -> ok
    end.

%% Somebody waits for the next connection.
accept(#{acceptors := []} = State) -> accept_one(State);
accept(State) -> State.

%% So does somebody else. It takes a while until a process waits: who connects meanwhile is not to notice, and neither is
%% the one whose request has just come, so this is done after an answer.
spare(#{acceptors := [_], connections := Connections} = State) when map_size(Connections) + 1 < ?CONNECTIONS ->
    accept_one(State);
spare(State) ->
    accept(State).

accept_one(#{socket := {Socket, _, _}, pause := none} = State) ->
    case room(State) of
        {true, #{acceptors := Acceptors} = Next} -> Next#{acceptors := [acceptor(Socket) | Acceptors]};
        {false, Next} -> Next
    end;
accept_one(State) ->
    State.

%% Runs in the evaluator, so that no frame of this module waits on the stack and the module can be replaced meanwhile.
acceptor(Listening) ->
    Text =
        "case gen_tcp:accept(Listening) of"
        " {ok, Socket} -> erlrc_connection:serve(Socket, Server);"
        " {error, Reason} -> exit({shutdown, Reason})"
        " end.",
    Arguments = erlrc_expressions:arguments(Text, #{'Listening' => Listening, 'Server' => self()}),
    proc_lib:spawn_link(erl_eval, exprs, Arguments).

%% A connection that is being closed counts until it has ended.
room(#{connections := Connections} = State) when map_size(Connections) < ?CONNECTIONS ->
    {true, State};
room(#{connections := Connections} = State) ->
    case lists:sort([{Since, Pid} || {Pid, Since} <- maps:to_list(Connections), is_integer(Since)]) of
        [{_, Pid} | _] ->
            true = exit(Pid, kill),
            {true, State#{connections := maps:remove(Pid, Connections)}};
        [] ->
            {false, State}
    end.
