%% @doc The application erlrc. Every public function works as soon as erlrc is on the code path: it
%% calls {@link ensure_started/0} first.
-module(erlrc_app).
-behaviour(application).

-export([ensure_started/0]).
-export([start/2, stop/1]).

%% @doc Starts erlrc and what it depends on. Temporary, like everything that erlrc starts.
-spec ensure_started() -> ok | {error, {start_failed, atom(), term()}}.
ensure_started() ->
    case ets:whereis(erlrc_table) of
        undefined -> start_all();
        _ -> ok
    end.

start_all() ->
    case application:ensure_all_started(erlrc, temporary) of
        {ok, _} -> ok;
        {error, {App, Why}} -> {error, {start_failed, App, Why}}
    end.

%% @private
-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_Type, _Arguments) ->
    case erlrc_sup:start_link() of
        {ok, _} = Started -> Started;
        {error, _} = Error -> Error
    end.

%% @private
-spec stop(term()) -> ok.
stop(_State) ->
    ok.
