%% @doc Native code in a library whose name holds the hash of its content, as packages of such code do it.
-module(APP_nif).

-export([answer/0]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join([code:lib_dir('APP'), "priv", ?LIBRARY]), 0).

answer() ->
    erlang:nif_error(not_loaded).
