%% @doc One connection to the socket of the node: a frame with a request, a frame with its answer, and so on until
%% either side closes it. The process ends with its connection; an operation that was requested goes on.
%%
%% The request is carried out in a process of its own that has no frame of this module on its stack. So an upgrade of
%% erlrc that arrives through this very connection finds no process in its old code. For the same reason this server is
%% outside the supervision tree.
-module(erlrc_connection).
-behaviour(gen_server).

-export([serve/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).

%% Milliseconds for the first request, and for the pause between two requests.
-define(FIRST, 10000).
-define(IDLE, 120000).

%% @doc The calling process, which `proc_lib' has started and which has accepted the socket for the listener, serves it
%% from now on: a client waits for no other process before its request is read.
-spec serve(gen_tcp:socket(), pid()) -> no_return().
serve(Socket, Listener) ->
    ok = erlrc_listener:accepted(Listener),
    case is_welcome(erlrc_process:peer(Socket)) andalso inet:setopts(Socket, [{active, once}]) of
        ok -> enter(Socket);
        _ -> exit(normal)
    end.

%% An upgrade of this module finds its processes by this word of `proc_lib'.
enter(Socket) ->
    _ = put('$initial_call', {?MODULE, init, 1}),
    {ok, State} = init(Socket),
    gen_server:enter_loop(?MODULE, [], State, ?FIRST).

%% The own user is looked up in a file, and only where the peer is not root, as most hooks are.
is_welcome({ok, 0}) -> true;
is_welcome({ok, Uid}) -> erlrc_process:uid() =:= {ok, Uid};
is_welcome({error, _}) -> false.

%% State: the socket, and the request that is being carried out.
%% @private
-spec init(gen_tcp:socket()) -> {ok, map()}.
init(Socket) ->
    {ok, #{socket => Socket, leader => group_leader(), request => none}}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map(), timeout()}.
handle_cast(_Request, State) ->
    {noreply, State, ?IDLE}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()} | {noreply, map(), timeout()} | {stop, normal, map()}.
handle_info({tcp, Socket, Frame}, #{socket := Socket, request := none} = State) ->
    ok = erlrc_listener:busy(self()),
    asked(erlrc_frame:decode(Frame), State);
handle_info({io_request, From, As, Request}, #{request := {_, _}} = State) ->
    {Text, Reply} = erlrc_output:request(Request),
    Sent = Text =:= <<>> orelse send(Text, State),
    _ = From ! {io_reply, As, Reply},
    case Sent of
        true -> {noreply, State};
        false -> {stop, normal, State}
    end;
%% Late messages of calls that are over.
handle_info({io_request, From, As, _Request}, State) ->
    _ = From ! {io_reply, As, {error, terminated}},
    {noreply, State, ?IDLE};
handle_info(timeout, #{request := none} = State) ->
    {stop, normal, State};
%% The socket was closed, or a second request came before the answer to the first.
handle_info(Message, #{socket := Socket} = State) when
    element(1, Message) =:= tcp, element(2, Message) =:= Socket;
    Message =:= {tcp_closed, Socket};
    element(1, Message) =:= tcp_error, element(2, Message) =:= Socket
->
    {stop, normal, State};
handle_info(Message, #{request := {Id, Kind}} = State) ->
    try erpc:check_response(Message, Id) of
        {response, Result} -> answered(done(Kind, Result), State);
        no_response -> {noreply, State}
    catch
        throw:Value -> answered(done(Kind, Value), State);
        Class:Why -> answered(failed(Class, Why), State)
    end;
handle_info(_Message, State) ->
    {noreply, State, ?IDLE}.

%% @private
-spec code_change(term(), map(), term()) -> {ok, map()}.
code_change(_Vsn, State, _Extra) ->
    {ok, State}.

asked({request, Request}, State) ->
    begun(request, erpc:send_request(node(), erlrc_hook, request, [Request]), State);
asked({call, {M, F, A}, user}, State) ->
    begun(call, erpc:send_request(node(), M, F, A), State);
asked({call, {M, F, A}, caller}, #{leader := Leader} = State) ->
    %% A process inherits the group leader of the process that spawns it.
    true = group_leader(self(), self()),
    Id = erpc:send_request(node(), M, F, A),
    true = group_leader(Leader, self()),
    begun(call, Id, State);
asked({undefined, M, F}, State) ->
    answered(answer(failed, undefined, #{module => M, function => F}), State);
asked({error, {bad_frame, Why}}, State) ->
    Reason = <<"the request is not understood: ", (atom_to_binary(Why))/binary>>,
    answered(answer(refused, bad_request, #{reason => Reason}), State).

%% The socket is read meanwhile, because a client that closes it no longer waits for the answer.
begun(Kind, Id, #{socket := Socket} = State) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> {noreply, State#{request := {Id, Kind}}};
        {error, _} -> {stop, normal, State}
    end.

done(request, Answer) -> Answer;
done(call, Result) -> answer(ok, called, #{result => Result}).

%% The same form as `rpc' returns.
failed(error, {exception, Why, Stack}) -> called({Why, Stack});
failed(exit, {exception, Why}) -> called(Why);
failed(_Class, Why) -> called(Why).

called(Why) ->
    answer(failed, call_failed, #{error => {'EXIT', Why}}).

answer(Status, Outcome, More) ->
    More#{protocol => 1, status => Status, outcome => Outcome}.

answered(Answer, #{request := Request} = State) ->
    case {send(Answer, State), Request} of
        {true, none} -> await(State, ?IDLE);
        %% The socket is being read already.
        {true, _} -> idle(State#{request := none}, ?IDLE);
        {false, _} -> {stop, normal, State}
    end.

await(#{socket := Socket} = State, Patience) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> idle(State, Patience);
        {error, _} -> {stop, normal, State}
    end.

idle(State, Patience) ->
    ok = erlrc_listener:idle(self()),
    {noreply, State, Patience}.

send(Term, #{socket := Socket}) ->
    gen_tcp:send(Socket, erlrc_frame:encode(Term)) =:= ok.
