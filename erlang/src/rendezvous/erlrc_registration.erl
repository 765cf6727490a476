%% @doc Maintains the node's own entry in `/run/erlrc/nodes', through which the hooks find the node. The entry names its
%% socket and its process; for a distributed node also the address on which it accepts other nodes, and the file that
%% holds its cookie, but never the cookie itself.
%%
%% The entry is checked every few seconds, and when another node connects. It is written again when it is gone, or when
%% the node has got another name or another cookie. A failed write is repeated, and logged once for each cause. With
%% `{register_node, false}' in erlrc's environment nothing is written.
%%
%% Only a clean stop removes the entry: if erlrc is restarted because its supervisor was killed, the hooks must still
%% find the node.
-module(erlrc_registration).
-behaviour(gen_server).

-export([start_link/0, refresh/0, withdraw/0]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2]).
-export([terminate/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

-define(REPORT, #{report_cb => fun erlrc_error:report/1}).
%% Milliseconds between two checks of the entry.
-define(EVERY, 3000).
%% Milliseconds between attempts to restart erlrc after its supervisor was killed, and the number of attempts.
-define(AGAIN, 200).

%% @doc Starts the server.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Checks the entry now.
-spec refresh() -> ok.
refresh() ->
    gen_server:cast(?MODULE, refresh).

%% @doc Removes the entry, because erlrc is about to stop.
-spec withdraw() -> ok.
withdraw() ->
    try
        gen_server:call(?MODULE, withdraw)
    catch
        exit:_ -> ok
    end.

%% State: the entry as it was written, `{File, Content}', or `none', or `withdrawn' after it has been removed; the
%% causes of failed writes that have been logged; and how the node was reached with its present name and cookie.
%% @private
-spec init([]) -> {ok, map(), {continue, refresh}}.
init([]) ->
    _ = process_flag(trap_exit, true),
    ok = erlrc_operation:leave_group(),
    {ok, begun(none), {continue, refresh}}.

begun(Entry) ->
    ok = net_kernel:monitor_nodes(true),
    #{entry => Entry, said => [], seen => none, timer => erlang:start_timer(?EVERY, self(), look)}.

%% @private
-spec handle_continue(refresh, map()) -> {noreply, map()}.
handle_continue(refresh, State) ->
    {noreply, look(State)}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {reply, term(), map()}.
handle_call(withdraw, _From, #{entry := Entry} = State) ->
    {reply, remove(Entry), State#{entry := withdrawn}};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(refresh, State) ->
    {noreply, look(State#{seen := none})};
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()}.
handle_info({timeout, Timer, look}, #{timer := Timer} = State) ->
    {noreply, look(State#{timer := erlang:start_timer(?EVERY, self(), look)})};
handle_info({nodeup, _Node}, State) ->
    {noreply, look(State)};
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), map()) -> ok.
terminate(killed, _State) ->
    %% The supervisor was killed, and no other process would restart erlrc.
    _ = timer:apply_after(?AGAIN, erlrc_app, revive, []),
    ok;
terminate(_Reason, _State) ->
    ok.

%% @private In earlier versions the state was the entry alone.
-spec code_change(term(), term(), term()) -> {ok, map()}.
code_change(_Vsn, State, _Extra) when is_map(State) ->
    {ok, State};
code_change(_Vsn, Entry, _Extra) ->
    {ok, begun(Entry)}.

look(#{entry := withdrawn} = State) ->
    State;
look(State) ->
    case application:get_env(erlrc, register_node, true) of
        true -> seen({node(), whereis(net_kernel), erlang:get_cookie()}, State);
        _ -> State
    end.

%% Searching for the distribution socket visits all ports of the node.
seen(Name, #{seen := {Name, Distribution}} = State) ->
    look(erlrc_listener:address(), Distribution, State);
seen(Name, State) ->
    Distribution = erlrc_entry:distribution(),
    look(erlrc_listener:address(), Distribution, State#{seen := {Name, Distribution}}).

%% The listener is about to have a socket; until then the entry stays as it is.
look({error, not_started}, _Distribution, State) ->
    State;
look({error, Why}, none, State) ->
    without_socket(Why, State);
look(Socket, Distribution, #{entry := Entry} = State) ->
    File = filename:join(erlrc_node:run_dir(), erlrc_entry:name(node())),
    Content = erlrc_entry:content(Socket, known(Distribution)),
    ok = forget(File, Entry),
    Written = written({File, Content}, erlrc_entry:publish(File, Content), State),
    reachable(Socket, Distribution, Written).

known({Distribution, _Tried}) -> Distribution;
known(none) -> none.

%% The node has another name now.
forget(File, {File, _}) -> ok;
forget(_File, Entry) -> remove(Entry).

remove({File, Content}) -> erlrc_entry:remove(File, Content);
remove(_None) -> ok.

written(New, ok, State) ->
    silent(node_not_registered, State#{entry := New});
written({File, _}, {error, not_managed}, State) ->
    ?LOG_DEBUG(#{what => node_not_registered, file => File, reason => not_managed}, ?REPORT),
    State#{entry := none};
written({File, _}, {error, Why}, State) ->
    said(#{what => node_not_registered, file => File, reason => Why}, State#{entry := none}).

%% With a socket no cookie is needed.
reachable({ok, _}, _Distribution, State) ->
    silent(cookie_file_unknown, silent(node_without_socket, State));
reachable({error, Why}, {_, []}, State) ->
    without_socket(Why, State);
reachable({error, Why}, {_, Tried}, State) ->
    without_socket(Why, said(#{what => cookie_file_unknown, files => Tried}, State)).

without_socket(Why, State) ->
    said(#{what => node_without_socket, reason => Why}, State).

said(Report, #{said := Said} = State) ->
    case lists:member(Report, Said) of
        true ->
            State;
        false ->
            ?LOG_WARNING(Report, ?REPORT),
            State#{said := [Report | Said]}
    end.

%% The cause is gone: if it comes back, it is logged again.
silent(What, #{said := Said} = State) ->
    State#{said := [Report || #{what := Other} = Report <- Said, Other =/= What]}.
