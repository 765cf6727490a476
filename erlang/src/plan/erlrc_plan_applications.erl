%% @doc What becomes of other applications when one changes, for a live plan.
-module(erlrc_plan_applications).

-export([findings/1]).

%% @doc The applications that would be stopped around the script.
-spec findings(erlrc_evaluator:change()) -> [erlrc_finding:finding()].
findings(#{application := App, to_spec := Spec}) ->
    case erlrc_engine:transition(erlrc_node:facts(), {upgrade, App, Spec}) of
        {ok, #{actions := Actions}} -> [stopped(Other, App, Actions) || {stop, Other} <- Actions];
        %% The node's own refusal says it.
        {error, _} -> []
    end.

stopped(Other, App, Actions) ->
    After =
        case lists:member({start, Other}, Actions) of
            true -> "it is started again afterwards";
            false -> "it goes on inside another one, with none of its present processes"
        end,
    erlrc_finding:new(
        application_stopped, warning, atom_to_binary(Other),
        erlrc_finding:text("The application ~ts would be stopped: the new version of ~ts changes which application includes it; ~ts.", [
            Other, App, After
        ]),
        "Upgrade at a time when its processes may end.", #{}
    ).
