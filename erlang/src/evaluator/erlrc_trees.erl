%% @doc Walks the supervision trees. Supervisors are asked as soon as they are known, all at once: one that is hung,
%% suspended or gone costs a warning.
-module(erlrc_trees).

-export([walk/2]).
-export_type([child/0]).

-type child() :: {Supervisor :: pid(), Id :: term(), pid(), [module()]}.

-define(TICK, 20).

%% @doc All children of all supervision trees, and who did not answer within `Timeout' milliseconds. `IsSupervisor' tells
%% a supervisor from any other top process.
-spec walk(non_neg_integer(), fun((pid()) -> boolean())) -> {[child()], Warnings :: [term()]}.
walk(Timeout, IsSupervisor) ->
    {Roots, Warnings} = roots(Timeout, IsSupervisor),
    Ref = make_ref(),
    Asked = [{ask(Ref, Pid), App} || {App, Pid} <- Roots],
    walk(#{ref => Ref, timeout => Timeout}, length(Asked), Asked, #{}, [], Warnings).

%% The top process of each running application, if it is a supervisor.
roots(Timeout, IsSupervisor) ->
    Masters = [
        {App, Master}
     || {App, _, _} <- application:which_applications(),
        Master <- [application_controller:get_master(App)],
        is_pid(Master)
    ],
    Ref = make_ref(),
    Self = self(),
    Askers = [
        {spawn(fun() -> Self ! {Ref, App, application_master:get_child(Master)} end), App}
     || {App, Master} <- Masters
    ],
    {Found, Missing} = collect_roots(Ref, Askers, erlang:monotonic_time(millisecond) + Timeout, []),
    {[Root || {_, Pid} = Root <- Found, IsSupervisor(Pid)], [{application_not_answering, App} || App <- Missing]}.

collect_roots(_Ref, [], _Deadline, Roots) ->
    {Roots, []};
collect_roots(Ref, Askers, Deadline, Roots) ->
    receive
        {Ref, App, {Pid, _Module}} when is_pid(Pid) ->
            collect_roots(Ref, lists:keydelete(App, 2, Askers), Deadline, [{App, Pid} | Roots]);
        {Ref, App, _} ->
            collect_roots(Ref, lists:keydelete(App, 2, Askers), Deadline, Roots)
    after left(Deadline) ->
        _ = [exit(Pid, kill) || {Pid, _} <- Askers],
        {Roots, [App || {_, App} <- Askers]}
    end.

%% Answers as they come; each brings more to ask. `Asked' and `Answered' are looked at only when none comes.
walk(_How, 0, _Asked, _Answered, Children, Warnings) ->
    {Children, Warnings};
walk(#{ref := Ref, timeout := Timeout} = How, Left, Asked, Answered, Children, Warnings) ->
    receive
        {{Ref, Supervisor}, List} ->
            {More, Below} = level(Supervisor, List, Children, []),
            New = [{ask(Ref, Pid), Id} || {Id, Pid} <- Below],
            walk(How, Left - 1 + length(New), New ++ Asked, Answered#{Supervisor => []}, More, Warnings)
    after min(Timeout, ?TICK) ->
        Missing = [Each || {Pid, _} = Each <- Asked, not is_map_key(Pid, Answered), is_process_alive(Pid)],
        case Missing of
            [_ | _] when Timeout > ?TICK ->
                walk(How#{timeout := Timeout - ?TICK}, length(Missing), Missing, #{}, Children, Warnings);
            _ ->
                {Children, [{supervisor_not_answering, Id, Pid} || {Pid, Id} <- Missing] ++ Warnings}
        end
    end.

level(_Supervisor, [], Children, Below) ->
    {Children, Below};
level(Supervisor, [{Id, Pid, supervisor, Mods} | List], Children, Below) when is_pid(Pid) ->
    level(Supervisor, List, [{Supervisor, Id, Pid, modules(Mods)} | Children], [{Id, Pid} | Below]);
level(Supervisor, [{Id, Pid, _, Mods} | List], Children, Below) when is_pid(Pid) ->
    level(Supervisor, List, [{Supervisor, Id, Pid, modules(Mods)} | Children], Below);
level(Supervisor, [_ | List], Children, Below) ->
    level(Supervisor, List, Children, Below);
level(_Supervisor, _NoList, Children, Below) ->
    {Children, Below}.

%% `dynamic' says to ask; only an event manager understands the question.
modules(Mods) when is_list(Mods) -> Mods;
modules(_Dynamic) -> [].

ask(Ref, Pid) ->
    Pid ! {'$gen_call', {self(), {Ref, Pid}}, which_children},
    Pid.

left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).
