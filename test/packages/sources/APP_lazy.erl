%% @doc Called by nothing until somebody asks for it: an interactive node has not loaded it by itself.
-module(APP_lazy).

-export([answer/0]).

answer() ->
    ?ANSWER.
