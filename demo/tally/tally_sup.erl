%% @doc The tree: one listener, and a supervisor with one process for each connection.
-module(tally_sup).
-behaviour(supervisor).

-export([start_link/0, start_connections/0, init/1]).

start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, top).

start_connections() ->
    supervisor:start_link({local, tally_connection_sup}, ?MODULE, connections).

init(top) ->
    Children = [
        #{id => connections, start => {?MODULE, start_connections, []}, type => supervisor},
        #{id => listener, start => {tally_listener, start_link, []}}
    ],
    {ok, {#{strategy => rest_for_one}, Children}};
init(connections) ->
    Child = #{
        id => connection,
        start => {tally_connection, start_link, []},
        restart => temporary,
        modules => [tally_connection]
    },
    {ok, {#{strategy => simple_one_for_one}, [Child]}}.
