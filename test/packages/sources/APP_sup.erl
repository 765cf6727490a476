%% @doc Application and supervisor of one server.
-module(APP_sup).
-behaviour(application).
-behaviour(supervisor).

-export([start/2, stop/1, start_link/0, init/1]).

start(_Type, _Args) ->
    start_link().

stop(_State) ->
    ok.

start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

init([]) ->
    {ok, {#{}, [#{id => server, start => {APP_server, start_link, []}}]}}.
