%% @doc A server that may have work of its own, which comes in pieces.
-module(evaluator_busy).
-behaviour(gen_server).

-export([start/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).

-spec start() -> {ok, pid()} | {error, term()} | ignore.
start() -> gen_server:start(?MODULE, rest, []).

init(Work) -> {ok, Work}.

handle_call(idle, _From, Work) -> {reply, ok, Work}.

handle_cast({work, Milliseconds}, _Work) ->
    self() ! work,
    {noreply, Milliseconds};
handle_cast(rest, _Work) ->
    {noreply, rest}.

handle_info(work, rest) ->
    {noreply, rest};
handle_info(work, Milliseconds) ->
    receive
    after Milliseconds -> self() ! work
    end,
    {noreply, Milliseconds}.
