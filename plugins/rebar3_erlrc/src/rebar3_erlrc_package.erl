%% @doc `rebar3 erlrc package': a package of each application of the project.
-module(rebar3_erlrc_package).

-export([init/1, do/1, format_error/1]).

%% @doc Adds the command.
-spec init(rebar_state:t()) -> {ok, rebar_state:t()}.
init(State) ->
    Provider = rebar3_erlrc:provider(package, ?MODULE, "Makes a .deb or .rpm of each application."),
    {ok, rebar_state:add_provider(State, Provider)}.

%% @doc Carries it out.
-spec do(rebar_state:t()) -> {ok, rebar_state:t()} | {error, {module(), term()}}.
do(State) ->
    case rebar3_erlrc:command(State, rebar3_erlrc:root(State), ["package"]) of
        ok -> {ok, State};
        {error, _} = Error -> Error
    end.

%% @private
-spec format_error(term()) -> iolist().
format_error(Why) ->
    rebar3_erlrc:format_error(Why).
