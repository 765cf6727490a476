%% @doc `rebar3 erlrc suite': upgrades each application of the project on a node of its own, and takes it back. The suites
%% are written where they are not there.
-module(rebar3_erlrc_suite).

-export([init/1, do/1, format_error/1]).

%% @doc Adds the command.
-spec init(rebar_state:t()) -> {ok, rebar_state:t()}.
init(State) ->
    What = "Runs a suite of Common Test that upgrades each application; writes it where it is not there.",
    {ok, rebar_state:add_provider(State, rebar3_erlrc:provider(suite, ?MODULE, What))}.

%% @doc Carries it out.
-spec do(rebar_state:t()) -> {ok, rebar_state:t()} | {error, {module(), term()}}.
do(State) ->
    Root = rebar3_erlrc:root(State),
    case rebar3_erlrc:command(State, Root, ["init"]) of
        ok -> tested(State, Root);
        {error, _} = Error -> Error
    end.

%% In a rebar3 of its own, for Common Test compiles for another profile.
tested(State, Root) ->
    Suites = [suite(App) || App <- rebar_state:project_apps(State)],
    Arguments = ["ct", "--suite", lists:flatten(lists:join(",", Suites))],
    case rebar3_erlrc:run(escript:script_name(), Arguments, Root) of
        ok -> {ok, State};
        {error, _} = Error -> Error
    end.

suite(App) ->
    filename:join([rebar_app_info:dir(App), "test", [binary_to_list(rebar_app_info:name(App)), "_upgrade_SUITE"]]).

%% @private
-spec format_error(term()) -> iolist().
format_error(Why) ->
    rebar3_erlrc:format_error(Why).
