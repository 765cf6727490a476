%% @doc The socket on which the node listens for the hooks: a Unix socket beside the directory of entries, of the node's
%% user alone. It needs no distribution, no port mapper and no cookie.
%%
%% Whoever connects must be root or the node's own user, as the kernel says, whatever the mode of the file has become. The
%% number of connections is bounded: when it is reached, the one that has been idle for longest makes room.
-module(erlrc_listener).
-behaviour(gen_server).

-export([start_link/0, address/0, busy/1, idle/1]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

-include_lib("kernel/include/file.hrl").

%% Connections at a time, and bytes of a request.
-define(CONNECTIONS, 64).
-define(REQUEST, 1048576).
%% A socket's path has no more bytes.
-define(PATH, 107).
%% Milliseconds before the next try after an accept that failed.
-define(PAUSE, 1000).

%% @doc Starts the server, which listens when it is first asked where.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Where the node listens. Listens anew where the file of the socket is gone.
-spec address() -> {ok, file:filename_all()} | {error, term()}.
address() ->
    try
        gen_server:call(?MODULE, address)
    catch
        exit:_ -> {error, not_started}
    end.

%% @doc A connection has been asked for something.
-spec busy(pid()) -> ok.
busy(Connection) ->
    gen_server:cast(?MODULE, {busy, Connection}).

%% @doc A connection waits for what it is asked for next.
-spec idle(pid()) -> ok.
idle(Connection) ->
    gen_server:cast(?MODULE, {idle, Connection}).

%% State: the socket with its file, as `{Socket, Path, Inode}'; the connections, each `busy' or since when it is idle; and
%% the process that waits for the next one.
%% @private
-spec init([]) -> {ok, map(), {continue, started}}.
init([]) ->
    _ = process_flag(trap_exit, true),
    ok = erlrc_operation:leave_group(),
    %% Only atoms that are there are taken from a request.
    ok = code:ensure_modules_loaded([erlrc_hook, erlrc_request, erlrc_options]),
    {ok, #{socket => none, connections => #{}, acceptor => none}, {continue, started}}.

%% @private Whoever wants to know where asks after that, when this server was started anew.
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
    %% As when there are too many open files. The timer stands for the process.
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

%% Beside the directory of entries; else in it, for a node that may write nowhere else, under a name that no entry has.
places() ->
    Run = erlrc_node:run_dir(),
    Name = name(erlrc_process:identity()),
    [filename:join([filename:dirname(Run), "sockets", Name]), filename:join(Run, "." ++ Name)].

%% Of this process and no other one, so that what is in the way was left by nobody who lives.
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
    %% Whatever the kernel application says: the other backend does not take the option that tells who is there.
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

%% Only the file of this very socket.
close(none) ->
    ok;
close({Socket, Path, Inode}) ->
    ok = gen_tcp:close(Socket),
    case inode(Path) of
        {ok, Inode} -> _ = file:delete(Path), ok;
        _ -> ok
    end.

%% Evaluated, so that no frame of this module waits there: it can be replaced meanwhile.
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

%% One that goes is missed when it has gone.
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
    case is_welcome(erlrc_process:peer(Socket), erlrc_process:uid()) of
        true ->
            serve(Socket, State);
        false ->
            ok = gen_tcp:close(Socket),
            State
    end.

is_welcome({ok, 0}, _Own) -> true;
is_welcome({ok, Uid}, {ok, Uid}) -> true;
is_welcome(_Peer, _Own) -> false.

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
