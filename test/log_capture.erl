%% @doc A logger handler that keeps what is logged, one line each. Runs on the peers.
-module(log_capture).

-export([start/0, lines/0]).
-export([log/2]).

%% @doc Keeps all events from now on.
-spec start() -> ok.
start() ->
    _ = spawn(fun() ->
        ?MODULE = ets:new(?MODULE, [named_table, public, ordered_set]),
        receive
            stop -> ok
        end
    end),
    fixture:wait_until(fun() -> ets:whereis(?MODULE) =/= undefined end),
    logger:add_handler(?MODULE, ?MODULE, #{formatter => {logger_formatter, #{}}}).

%% @doc What was logged.
-spec lines() -> [string()].
lines() ->
    [Line || {_, Line} <- ets:tab2list(?MODULE)].

%% @private
-spec log(logger:log_event(), logger:handler_config()) -> ok.
log(Event, _Config) ->
    Template = #{single_line => true, template => [msg]},
    Line = unicode:characters_to_list(logger_formatter:format(Event, Template)),
    true = ets:insert(?MODULE, {erlang:unique_integer([monotonic]), Line}),
    ok.
