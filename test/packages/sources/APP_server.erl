%% @doc Counts requests. VSN decides the shape of the state, so that nothing but a code change brings it over.
-module(APP_server).
-behaviour(gen_server).

-export([start_link/0]).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

-ifdef(WITH_VSN).
-record(state, {count = 0, vsn = ?VSN}).
-else.
-record(state, {count = 0}).
-endif.

start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

init([]) ->
    {ok, #state{}}.

%% Only a state of this version's shape is understood.
handle_call({request, Number}, _From, #state{count = Count} = State) ->
    true = State =:= #state{count = Count},
    {reply, {Number, ?ANSWER, Count + 1}, State#state{count = Count + 1}};
handle_call(late, _From, State) ->
    {reply, APP_lazy:answer(), State}.

handle_cast(_Request, State) ->
    {noreply, State}.

%% Down is always to 1.0 here.
code_change({down, _Vsn}, State, _Extra) ->
    ok = CODE_CHANGE,
    {ok, {state, element(2, State)}};
code_change(_Vsn, State, _Extra) ->
    ok = CODE_CHANGE,
    {ok, #state{count = element(2, State)}}.
