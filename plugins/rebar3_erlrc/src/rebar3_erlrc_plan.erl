%% @doc `rebar3 erlrc plan': what would happen on the nodes of this host if what was built were installed.
-module(rebar3_erlrc_plan).

-export([init/1, do/1, format_error/1]).

%% @doc Adds the command.
-spec init(rebar_state:t()) -> {ok, rebar_state:t()}.
init(State) ->
    What = "Says what an upgrade of the nodes of this host to what was built would do, and what would go wrong.",
    {ok, rebar_state:add_provider(State, rebar3_erlrc:provider(plan, ?MODULE, What))}.

%% @doc Carries it out, for one application after the other; the first that fails is told of in the end.
-spec do(rebar_state:t()) -> {ok, rebar_state:t()} | {error, {module(), term()}}.
do(State) ->
    Root = rebar3_erlrc:root(State),
    Plan = fun({App, Dir}) -> rebar3_erlrc:command(State, Root, ["plan", App, "--to", Dir]) end,
    case [Error || {error, _} = Error <- lists:map(Plan, rebar3_erlrc:applications(State))] of
        [] -> {ok, State};
        [First | _] -> First
    end.

%% @private
-spec format_error(term()) -> iolist().
format_error(Why) ->
    rebar3_erlrc:format_error(Why).
