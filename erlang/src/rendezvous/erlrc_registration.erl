%% @doc Looks after the node's own entry in `/run/erlrc/nodes', so that the hooks find the node: its socket, its process and,
%% where it is distributed, where it listens for other nodes and which file holds its cookie, never the cookie itself.
%%
%% The entry is looked at every few seconds, and when another node comes up: it is written again when it is gone or when the
%% node has got a name, another name or another cookie since. What could not be written is tried again, and said once for each
%% cause. Nothing is written where the environment of erlrc says `{register_node, false}'.
%%
%% A clean stop takes the entry away, nothing else does: while erlrc is started anew after its supervisor was killed, the
%% hooks still have to find the node.
-module(erlrc_registration).
-behaviour(gen_server).

-export([start_link/0, refresh/0, withdraw/0]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2]).
-export([terminate/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

-define(REPORT, #{report_cb => fun erlrc_error:report/1}).
%% Milliseconds between two looks at the entry.
-define(EVERY, 3000).
%% Milliseconds until erlrc is started anew when its supervisor was killed, and how often that is tried.
-define(AGAIN, 200).

%% @doc Starts the server.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Looks at the entry now.
-spec refresh() -> ok.
refresh() ->
    gen_server:cast(?MODULE, refresh).

%% @doc Takes the entry away: erlrc is about to stop.
-spec withdraw() -> ok.
withdraw() ->
    try
        gen_server:call(?MODULE, withdraw)
    catch
        exit:_ -> ok
    end.

%% State: the entry as it was written, `{File, Content}', `none' or, when it has been taken away, `withdrawn'; and which causes
%% have been said of why it could not be written; and how the node was reached when it was called so and had this cookie.
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
    %% The supervisor was: nobody else would start erlrc anew.
    _ = timer:apply_after(?AGAIN, erlrc_app, revive, []),
    ok;
terminate(_Reason, _State) ->
    ok.

%% @private The state of earlier versions is the entry alone.
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

%% The search for the socket goes over all ports of the node.
seen(Name, #{seen := {Name, Distribution}} = State) ->
    look(erlrc_listener:address(), Distribution, State);
seen(Name, State) ->
    Distribution = erlrc_entry:distribution(),
    look(erlrc_listener:address(), Distribution, State#{seen := {Name, Distribution}}).

%% It is about to be, and the entry stays as it is until then.
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

%% The node is called something else by now.
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

%% With a socket there is no need of a cookie.
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

%% It is well now: when it goes wrong again, that is said again.
silent(What, #{said := Said} = State) ->
    State#{said := [Report || #{what := Other} = Report <- Said, Other =/= What]}.
