%% @doc Processes that run changed modules and are not suspended, for a live plan: those that would go on in the old code,
%% and those that are in a call of it and leave it when that returns.
-module(erlrc_plan_stacks).

-export([running/3]).

%% @doc Who has one of these modules on the stack and is none of the processes that the script changes.
-spec running([module()], #{pid() => _}, erlrc_evaluator:change()) -> [erlrc_finding:finding()].
running(Modules, Targets, #{application := App, instructions := Instructions}) ->
    Restarted = lists:member({restart_application, App}, Instructions),
    Ends = fun(Pid) -> Restarted andalso application:get_application(Pid) =:= {ok, App} end,
    Found = [Use || {_, Pid} = Use <- erlrc_purge:on_stack(Modules), not is_map_key(Pid, Targets), not Ends(Pid)],
    Stay = maps:from_keys([Pid || Pid <- lists:usort([Pid || {_, Pid} <- Found]), stays(Pid, Modules)], []),
    {Staying, Leaving} = lists:partition(fun({_, Pid}) -> is_map_key(Pid, Stay) end, Found),
    [staying(Module, Pids) || {Module, Pids} <- by_module(Staying)] ++
        [leaving(Module, Pids) || {Module, Pids} <- by_module(Leaving)].

by_module(Uses) ->
    [{Module, [Pid || {M, Pid} <- Uses, M =:= Module]} || Module <- lists:usort([M || {M, _} <- Uses])].

%% What was called by code that stays returns to that. Only a few calls of a deep stack are shown: of the others, where the
%% process began.
stays(Pid, Modules) ->
    case process_info(Pid, current_stacktrace) of
        {_, Stack} -> stays(Pid, [Module || {Module, _, _, _} <- lists:reverse(Stack)], Modules);
        undefined -> false
    end.

stays(_Pid, [proc_lib, First | _], Modules) ->
    lists:member(First, Modules);
stays(Pid, [First | _], Modules) ->
    {Began, _, _} = proc_lib:translate_initial_call(Pid),
    lists:member(First, Modules) orelse lists:member(Began, Modules);
stays(_Pid, [], _Modules) ->
    false.

staying(Module, Pids) ->
    erlrc_finding:new(
        process_would_linger, warning, atom_to_binary(Module),
        erlrc_finding:text("~ts would go on running the old code.", [erlrc_finding:count(Pids)]),
        "Have them call their module by its full name, ?MODULE:loop(...), or be special processes (sys).",
        details(Pids)
    ).

leaving(Module, Pids) ->
    erlrc_finding:new(
        process_would_linger, info, atom_to_binary(Module),
        erlrc_finding:text("~ts in a call of it would run the old code until that returns.", [erlrc_finding:count(Pids)]),
        "Nothing, unless the call lasts.", details(Pids)
    ).

details(Pids) -> #{processes => erlrc_finding:named(Pids), count => length(Pids)}.
