%% @doc Listens on a free loopback port, tells it in a file, and hands each connection to a process.
-module(tally_listener).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

init([]) ->
    Options = [binary, {packet, line}, {active, false}, {ip, loopback}, {backlog, 128}],
    {ok, Listen} = gen_tcp:listen(0, Options),
    {ok, Port} = inet:port(Listen),
    {ok, File} = application:get_env(tally, port_file),
    ok = file:write_file([File, ".new"], integer_to_list(Port)),
    ok = file:rename([File, ".new"], File),
    {ok, Listen, 0}.

handle_info(timeout, Listen) ->
    case gen_tcp:accept(Listen, 10) of
        {ok, Socket} ->
            {ok, Pid} = supervisor:start_child(tally_connection_sup, [Socket]),
            ok = gen_tcp:controlling_process(Socket, Pid),
            gen_server:cast(Pid, owner);
        {error, timeout} ->
            ok
    end,
    {noreply, Listen, 0}.

handle_call(_Request, _From, Listen) ->
    {reply, ok, Listen, 0}.

handle_cast(_Request, Listen) ->
    {noreply, Listen, 0}.
