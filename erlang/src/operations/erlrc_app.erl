%% @doc The application erlrc. Every public function works as soon as erlrc is on the code path: it
%% calls {@link ensure_started/0} first.
-module(erlrc_app).
-behaviour(application).

-export([ensure_started/0, revive/0]).
-export([start/2, prep_stop/1, stop/1]).

%% How often, and after how many milliseconds each, a start is tried that nobody waits for.
-define(TRIES, 25).
-define(PAUSE, 200).

%% @doc Starts erlrc and what it depends on. Temporary, like everything that erlrc starts.
-spec ensure_started() -> ok | {error, {start_failed, atom(), term()}}.
ensure_started() ->
    case whereis(erlrc_sup) of
        undefined -> start_all();
        _ -> ok
    end.

start_all() ->
    case application:ensure_all_started(erlrc, temporary) of
        {ok, _} -> ok;
        {error, {App, Why}} -> {error, {start_failed, App, Why}}
    end.

%% @private Starts erlrc anew after its supervisor was killed. The application may still be about to end.
-spec revive() -> ok.
revive() ->
    revive(?TRIES).

revive(0) ->
    ok;
revive(Tries) ->
    case {ensure_started(), whereis(erlrc_registration)} of
        {ok, Server} when is_pid(Server) ->
            ok;
        _ ->
            ok = timer:sleep(?PAUSE),
            revive(Tries - 1)
    end.

%% @private
-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Arguments) ->
    case erlrc_sup:start_link() of
        {ok, _} = Started -> Started;
        {error, _} = Error -> Error
    end.

%% @private Called before a clean stop, and after the supervisor was killed, too: then erlrc is started anew.
-spec prep_stop(term()) -> stopped | died.
prep_stop(_State) ->
    case whereis(erlrc_sup) of
        undefined -> died;
        _ -> ok = erlrc_registration:withdraw(), stopped
    end.

%% @private
-spec stop(term()) -> ok.
stop(stopped) ->
    ok = erlrc_node_log:close(),
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:delete(erlrc_table),
    ok;
stop(_State) ->
    ok.
