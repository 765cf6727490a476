%% @doc What changed supervisors would say of their children, for a live plan.
-module(erlrc_plan_supervisors).

-export([findings/1, hindrances/1]).

%% @doc Of supervisors that run: process, module, files of the code that runs and of the new code. What is so of many
%% that run the same module is said once.
-spec findings([{{pid(), module(), Arguments :: term()}, Old :: file:filename(), New :: file:filename()}]) ->
    [erlrc_finding:finding()].
findings(Supervisors) ->
    lists:uniq(lists:append([supervisor(Each, Old, New) || {Each, Old, New} <- Supervisors])).

supervisor({Pid, Module, Arguments}, Old, New) ->
    case erlrc_hindrance:init({Module, Arguments}, New) of
        {effects, Effects} ->
            [
                erlrc_finding:new(
                    supervisor_init_has_effects, warning, atom_to_binary(Module),
                    erlrc_finding:text("init/1 is called again by the upgrade, and ~ts.", [erlrc_plan_states:effects(Effects)]),
                    "Move what must happen once out of init/1, to the function that starts the supervisor.", #{}
                )
            ];
        unknown ->
            [];
        Answer ->
            compare(Pid, Module, Answer, fun() -> erlrc_hindrance:init({Module, Arguments}, Old) end)
    end.

%% What is started and stopped is what comes and goes between the two specifications; what somebody has started or
%% deleted beside them stays so. Where the earlier one cannot be asked, the children that are there stand for it.
compare(Pid, Module, {ok, Answer}, Earlier) ->
    case {erlrc_children:child_ids(Answer), children(Pid)} of
        {{ok, New}, {ok, Now}} ->
            Old = specified(Earlier(), Now),
            children_changed(Module, (New -- Old) -- Now, [Id || Id <- Old -- New, lists:member(Id, Now)]);
        _ ->
            []
    end;
compare(_Pid, Module, {error, Why}, _Earlier) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The new init/1 fails with the arguments that the supervisor has: ~0tp.", [Why]),
            "Let init/1 accept the arguments of the earlier version.", #{}
        )
    ].

specified({ok, Answer}, Now) ->
    case erlrc_children:child_ids(Answer) of
        {ok, Ids} -> Ids;
        unknown -> Now
    end;
specified(_, Now) ->
    Now.

children_changed(_Module, [], []) ->
    [];
children_changed(Module, Added, Removed) ->
    [
        erlrc_finding:new(
            supervisor_children_changed, info, atom_to_binary(Module),
            erlrc_finding:text("Children to be started: ~0tp, to be stopped: ~0tp.", [Added, Removed]),
            "Nothing, unless supervisor_children is false.", #{}
        )
    ].

children(Pid) ->
    try gen_server:call(Pid, which_children, 1000) of
        Children -> {ok, [Id || {Id, _, _, _} <- Children]}
    catch
        exit:_ -> unknown
    end.

%% @doc What keeps the script from being run at all.
-spec hindrances([erlrc_hindrance:hindrance()]) -> [erlrc_finding:finding()].
hindrances(Hindrances) ->
    [erlrc_finding:means(restart_application, hindrance(Each)) || Each <- Hindrances].

hindrance({removed_module_in_use, Module, Pids} = Why) ->
    erlrc_finding:new(
        removed_module_in_use, error, atom_to_binary(Module), [erlrc_error:format_error(Why), "."],
        "Keep the module in the new version, or let the policy restart the application.",
        #{processes => erlrc_finding:named(Pids), count => length(Pids)}
    );
hindrance({supervisor_strategy, Module, Pid, From, To} = Why) ->
    erlrc_finding:new(
        supervisor_strategy_changed, error, atom_to_binary(Module), [erlrc_error:format_error(Why), "."],
        "Put children of another kind below a new supervisor, or let the policy restart the application.",
        #{processes => erlrc_finding:named([Pid]), before => From, 'after' => To}
    ).
