%% @doc Ends the node when an application dies whose registration says `{on_exit, halt}'.
%%
%% Applications are started temporary, so that OTP itself lets the node live on. An application that
%% is stopped, by an operation or by `application:stop/1', has not died.
-module(erlrc_watch).
-behaviour(gen_server).

-export([start_link/0, refresh/0, watch/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

-define(REPORT, #{report_cb => fun erlrc_error:report/1}).

%% What an orderly stop of the node may take before it is cut short.
-define(STOP_MILLISECONDS, 30000).

%% When to ask again an application controller that is about to note the end of an application.
-define(CONTROLLER_MILLISECONDS, 10).

%% @doc Starts the server.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Watches what was started since.
-spec refresh() -> ok.
refresh() ->
    gen_server:cast(?MODULE, refresh).

%% @doc Watches one application that was just started.
-spec watch(atom()) -> ok.
watch(App) ->
    gen_server:cast(?MODULE, {watch, App}).

%% @private
-spec init([]) -> {ok, map()}.
init([]) ->
    {ok, watch_all(#{})}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(refresh, State) ->
    {noreply, watch_all(State)};
handle_cast({watch, App}, State) ->
    {noreply, watch(App, erlrc_node:master(App), State)};
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({'DOWN', Ref, process, Master, Reason}, State) ->
    case maps:take(Master, State) of
        {{App, Ref}, Rest} ->
            ok = ended(App, Master, Reason),
            {noreply, watch_all(Rest)};
        error ->
            {noreply, State}
    end;
handle_info({ended, App, Master, Reason}, State) ->
    ok = ended(App, Master, Reason),
    {noreply, State};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec code_change(term(), map(), term()) -> {ok, map()}.
code_change(_Vsn, State, _Extra) ->
    {ok, State}.

%% State: application master => {application, monitor}.
watch_all(State) ->
    Watch = fun({App, Master}, Watched) -> watch(App, Master, Watched) end,
    lists:foldl(Watch, State, erlrc_node:masters()).

watch(_App, undefined, State) ->
    State;
watch(_App, Master, State) when is_map_key(Master, State) ->
    State;
watch(App, Master, State) ->
    State#{Master => {App, monitor(process, Master)}}.

ended(App, Master, Reason) ->
    case erlrc_node:ending(App, Master) of
        stopped ->
            ok;
        died ->
            on_exit(App) =:= halt andalso halt_node(App, Reason),
            ok;
        unknown_yet ->
            _ = erlang:send_after(?CONTROLLER_MILLISECONDS, self(), {ended, App, Master, Reason}),
            ok
    end.

%% Read when it is needed: a registration that was edited holds at once.
on_exit(App) ->
    File = filename:join([erlrc_node:root(), "applications", atom_to_list(App)]),
    case filelib:is_regular(File) andalso erlrc_engine:consult(File) of
        {ok, Terms} -> on_exit(proplists:get_value(enabled, Terms, true), Terms);
        _ -> stay
    end.

on_exit(true, Terms) -> proplists:get_value(on_exit, Terms, stay);
on_exit(_, _Terms) -> stay.

halt_node(App, Reason) ->
    ?LOG_ERROR(#{what => application_died, application => App, reason => Reason}, ?REPORT),
    {ok, _} = timer:apply_after(?STOP_MILLISECONDS, erlang, halt, [1]),
    init:stop(1).
