%% @doc The Unix socket on which the node accepts hooks. It is beside the directory of entries and belongs to the node's
%% user. It needs neither distribution nor a port mapper nor a cookie.
%%
%% A client must be root or the node's own user. The kernel tells which user it is, so the mode of the file does not
%% matter. The number of connections is bounded: at the limit, the one that has been idle longest is closed.
-module(erlrc_listener).
-behaviour(gen_server).

-export([start_link/0, address/0, busy/1, idle/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-include_lib("kernel/include/file.hrl").

%% The number of connections, and the size of a request in bytes.
-define(CONNECTIONS, 64).
-define(REQUEST, 1048576).
%% The longest path of a socket, in bytes.
-define(PATH, 107).
%% Milliseconds until the next attempt after a failed accept.
-define(PAUSE, 1000).

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

%% @doc Tells the server that a connection has received a request.
-spec busy(pid()) -> ok.
busy(Connection) ->
    gen_server:cast(?MODULE, {busy, Connection}).

%% @doc Tells the server that a connection waits for its next request.
-spec idle(pid()) -> ok.
idle(Connection) ->
    gen_server:cast(?MODULE, {idle, Connection}).

%% State: the socket with its file, `{Socket, Path, Inode}'; the connections, each either `busy' or with the time since
%% which it is idle; and the process that accepts the next one.
%% @private
-spec init([]) -> {ok, map(), {continue, started}}.
init([]) ->
    _ = process_flag(trap_exit, true),
    ok = erlrc_operation:leave_group(),
    %% Requests are decoded with existing atoms only.
    ok = code:ensure_modules_loaded([erlrc_hook, erlrc_request, erlrc_options]),
    {ok, #{socket => none, connections => #{}, acceptor => none}, {continue, started}}.

%% @private After a restart of this server the registration asks for the address again.
-spec handle_continue(started, map()) -> {noreply, map()}.
handle_continue(started, State) ->
    ok = erlrc_registration:refresh(),
    {noreply, State}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(address, _From, State) ->
    {Reply, New} = listening(State),
    {reply, Reply, accept(New)};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast({busy, Pid}, #{connections := Connections} = State) when is_map_key(Pid, Connections) ->
    {noreply, State#{connections := Connections#{Pid := busy}}};
handle_cast({idle, Pid}, #{connections := Connections} = State) when is_map_key(Pid, Connections) ->
    {noreply, accept(State#{connections := Connections#{Pid := erlang:monotonic_time()}})};
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({accepted, Acceptor, {ok, Socket}}, #{acceptor := Acceptor} = State) ->
    {noreply, accept(accepted(Socket, State#{acceptor := none}))};
handle_info({accepted, Acceptor, {error, _}}, #{acceptor := Acceptor} = State) ->
    %% This happens when too many files are open. Until the timer fires, it takes the place of the accepting process.
    {noreply, State#{acceptor := erlang:start_timer(?PAUSE, self(), accept)}};
handle_info({accepted, _Earlier, {ok, Socket}}, State) ->
    ok = gen_tcp:close(Socket),
    {noreply, State};
handle_info({timeout, Timer, accept}, #{acceptor := Timer} = State) ->
    {noreply, accept(State#{acceptor := none})};
handle_info({'EXIT', Acceptor, _}, #{acceptor := Acceptor} = State) ->
    {noreply, State#{acceptor := erlang:start_timer(?PAUSE, self(), accept)}};
handle_info({'DOWN', _, process, Pid, _}, #{connections := Connections} = State) ->
    {noreply, accept(State#{connections := maps:remove(Pid, Connections)})};
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
            listening(State#{socket := none, acceptor := none})
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
    %% The backend is chosen here, whatever the kernel application is configured for: the other one does not support the
    %% option that returns the user of the peer.
    case gen_tcp:listen(0, [{inet_backend, inet} | Options]) of
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

%% Runs in the evaluator, so that no frame of this module waits on the stack and the module can be replaced meanwhile.
accept(#{socket := {Socket, _, _}, acceptor := none} = State) ->
    case room(State) of
        {true, Next} -> Next#{acceptor := acceptor(Socket)};
        {false, Next} -> Next
    end;
accept(State) ->
    State.

acceptor(Listening) ->
    {ok, Tokens, _} = erl_scan:string(
        "case gen_tcp:accept(Listening) of"
        " {ok, Socket} -> ok = gen_tcp:controlling_process(Socket, Server), Server ! {accepted, self(), {ok, Socket}};"
        " Error -> Server ! {accepted, self(), Error}"
        " end."
    ),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    spawn_link(erl_eval, exprs, [Expressions, [{'Listening', Listening}, {'Server', self()}]]).

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

accepted(Socket, State) ->
    case is_welcome(erlrc_process:peer(Socket)) of
        true ->
            serve(Socket, State);
        false ->
            ok = gen_tcp:close(Socket),
            State
    end.

%% The own user is looked up in a file, and only where the peer is not root, as most hooks are.
is_welcome({ok, 0}) -> true;
is_welcome({ok, Uid}) -> erlrc_process:uid() =:= {ok, Uid};
is_welcome({error, _}) -> false.

serve(Socket, #{connections := Connections} = State) ->
    {ok, Pid} = erlrc_connection:start(),
    _ = monitor(process, Pid),
    case gen_tcp:controlling_process(Socket, Pid) of
        ok ->
            ok = erlrc_connection:serve(Pid, Socket),
            State#{connections := Connections#{Pid => erlang:monotonic_time()}};
        {error, _} ->
            true = exit(Pid, kill),
            State
    end.
