%% @doc One connection: answers each line `N' with `N VERSION COUNT'. Also remembers the bytes that came,
%% so that the state has another shape than in 1.0.
-module(tally_connection).
-behaviour(gen_server).

-export([start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).

-record(state, {socket, count = 0, bytes = 0}).

start_link(Socket) ->
    gen_server:start_link(?MODULE, Socket, []).

init(Socket) ->
    {ok, #state{socket = Socket}}.

handle_cast(owner, State) ->
    ok = inet:setopts(State#state.socket, [{active, once}]),
    {noreply, State}.

handle_info({tcp, Socket, Line}, #state{count = Count, bytes = Bytes} = State) ->
    Number = binary:part(Line, 0, byte_size(Line) - 1),
    ok = gen_tcp:send(Socket, [Number, " 1.1 ", integer_to_list(Count + 1), $\n]),
    ok = inet:setopts(Socket, [{active, once}]),
    {noreply, State#state{count = Count + 1, bytes = Bytes + byte_size(Line)}};
handle_info({tcp_closed, _}, State) ->
    {stop, normal, State}.

handle_call(_Request, _From, State) ->
    {reply, ok, State}.

code_change({down, _Vsn}, #state{socket = Socket, count = Count}, _Extra) ->
    {ok, {state, Socket, Count}};
code_change(_Vsn, {state, Socket, Count}, _Extra) ->
    {ok, #state{socket = Socket, count = Count}}.
