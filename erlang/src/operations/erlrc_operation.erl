%% @doc The process that carries one operation out.
-module(erlrc_operation).

-export([start/1, perform/1, enter/1, leave_group/0]).

%% @doc Starts the process, monitored. It ends with `{erlrc_operations, Answer}', which it has written down before.
%%
%% Evaluated, so that no frame of erlrc lies under an operation that replaces it, and puts it back. The version that it
%% comes back to may not have `erlrc_outcome'.
-spec start(erlrc_outcome:how()) -> {pid(), reference()}.
start(Asked) ->
    How = maps:remove(from, Asked),
    Text =
        "Answer = erlrc_operation:perform(How),"
        "catch ets:update_element(erlrc_outcome, Id, {3, {ended, Answer}}), catch ets:delete(erlrc_outcome, current),"
        "exit({erlrc_operations, Answer}).",
    Values = #{'How' => How, 'Id' => maps:get(id, How, none)},
    spawn_monitor(erl_eval, exprs, erlrc_expressions:arguments(Text, Values)).

%% @private
-spec perform(erlrc_outcome:how()) -> term().
perform(#{operation := {Module, Function, Arguments}} = How) ->
    ok = enter(How),
    apply(Module, Function, Arguments).

%% @private What a server of the first releases has the process of an operation call.
-spec enter(map()) -> ok.
enter(#{deadline := Deadline} = How) ->
    _ = put(erlrc_operations, running),
    ok = erlrc_deadline:set(Deadline),
    ok = leave_group(),
    await_turn(How#{since => erlang:system_time(millisecond)}).

%% Another one that runs is one that a server left behind when it died.
await_turn(How) ->
    case erlrc_outcome:begins(How) of
        ok ->
            ok;
        {busy, Pid} ->
            Ref = monitor(process, Pid),
            receive
                {'DOWN', Ref, process, Pid, _} -> await_turn(How)
            end
    end.

%% @doc Takes the calling process out of its group: the group leader of a caller may be on another node, and when an
%% application ends, all of its group is killed, whatever it is at.
-spec leave_group() -> ok.
leave_group() ->
    {group_leader, Leader} = process_info(whereis(application_controller), group_leader),
    true = group_leader(Leader, self()),
    ok.
