%% @doc What changed supervisors would say of their children, for a live plan.
-module(erlrc_plan_supervisors).

-export([findings/1]).

%% @doc Of supervisors that run: process, module, file of the new code.
-spec findings([{{pid(), module(), Arguments :: term()}, file:filename()}]) -> [erlrc_finding:finding()].
findings(Supervisors) ->
    lists:append([supervisor(Each, File) || {Each, File} <- Supervisors]).

supervisor({Pid, Module, Arguments}, File) ->
    Shadow = erlrc_trial:shadow(Module),
    case erlrc_engine:shadow(File, Shadow, [{init, 1}]) of
        {ok, {Beam, [#{effects := [], calls_funs := false}]}} ->
            {module, Shadow} = code:load_binary(Shadow, File, Beam),
            Answer = erlrc_check:call({Shadow, init, [Arguments]}, 1000),
            ok = erlrc_trial:forget(Shadow),
            compare(Pid, Module, Answer);
        {ok, {_, [#{effects := [_ | _] = Effects}]}} ->
            [
                erlrc_finding:new(
                    supervisor_init_has_effects, warning, atom_to_binary(Module),
                    erlrc_finding:text("init/1 is called again by the upgrade, and ~ts.", [erlrc_plan_states:effects(Effects)]),
                    "Move what must happen once out of init/1, to the function that starts the supervisor.", #{}
                )
            ];
        _ ->
            []
    end.

compare(Pid, Module, {ok, Answer}) ->
    case {erlrc_children:child_ids(Answer), children(Pid)} of
        {{ok, New}, {ok, Old}} -> children_changed(Module, New -- Old, Old -- New);
        _ -> []
    end;
compare(_Pid, Module, {error, Why}) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The new init/1 fails with the arguments that the supervisor has: ~0tp.", [Why]),
            "Let init/1 accept the arguments of the earlier version.", #{}
        )
    ].

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
