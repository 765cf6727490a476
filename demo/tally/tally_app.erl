%% @doc The application `tally': a TCP service with a process and a state for each connection.
-module(tally_app).
-behaviour(application).

-export([start/2, stop/1]).

start(_Type, _Args) ->
    tally_sup:start_link().

stop(_State) ->
    ok.
