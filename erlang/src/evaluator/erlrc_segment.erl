%% @doc A low-level script, relup(5), cut into segments. Pure, but for `is_supervisor/1', which looks at what is loaded.
%%
%% Between two barriers (`apply', `stop', `start', a hand-written `purge') all suspends, state changes, loads, removals
%% and resumes become one batch: whatever order the script gave them, the processes concerned stand still from the
%% first to the last, so only mixtures of old and new code disappear.
-module(erlrc_segment).

-export([segments/1, inverse/1, without/2, is_supervisor/1]).
-export_type([plan/0, segment/0, batch/0, change/0]).

-type purge() :: soft_purge | brutal_purge.
-type change() :: {module(), Mode :: up | down, Extra :: term()}.
-type batch() :: #{
    suspend := [{module(), default | timeout()}],
    %% State changes that run in the code that is there before the load, and after it.
    before := [change()],
    'after' := [change()],
    load := [{module(), purge(), purge()}],
    remove := [{module(), purge(), purge()}]
}.
-type segment() ::
    {batch, batch()}
    | {apply, mfa_args()}
    | {purge, [module()]}
    | {stop, [module()]}
    | {start, [module()]}.
-type mfa_args() :: {module(), atom(), [term()]}.
-type plan() :: #{
    %% What the script does before its point of no return.
    first := [mfa_args()],
    segments := [segment()]
}.

%% @doc Cuts a script. What this evaluator cannot express is said with the reason.
-spec segments([term()]) -> {ok, plan()} | {fallback, term()}.
segments(Steps) ->
    {Before, After} = split(Steps),
    case [Step || Step <- Steps, restarts_or_synchronises(Step)] of
        [Step | _] -> {fallback, Step};
        [] -> cut(Before, After)
    end.

%% @doc The batch that undoes a batch by migrating states instead of restoring them: changes run the other way, those
%% of supervisors after the load, as OTP has it.
-spec inverse(batch()) -> batch().
inverse(#{before := Before, 'after' := After} = Batch) ->
    Changes = [{Module, flip(Mode), Extra} || {Module, Mode, Extra} <- Before ++ After],
    {Early, Late} = lists:partition(
        fun({Module, Mode, _}) -> Mode =:= down andalso not is_supervisor(Module) end,
        Changes
    ),
    Batch#{before := Early, 'after' := Late}.

flip(up) -> down;
flip(down) -> up.

%% @doc The batch without what concerns the processes of some modules: they are loaded, and nothing else.
-spec without([module()], batch()) -> batch().
without(Modules, #{suspend := Suspend, before := Before, 'after' := After} = Batch) ->
    Others = fun(Each) -> not lists:member(element(1, Each), Modules) end,
    Batch#{
        suspend := lists:filter(Others, Suspend),
        before := lists:filter(Others, Before),
        'after' := lists:filter(Others, After)
    }.

%% @doc Whether a module that is loaded is a callback module of supervisors, as the generator of appups tells it.
-spec is_supervisor(module()) -> boolean().
is_supervisor(Module) ->
    erlang:module_loaded(Module) andalso kind(Module) =:= {ok, supervisor}.

kind(Module) ->
    Behaviours = [
        Behaviour
     || {Key, List} <- Module:module_info(attributes),
        Key =:= behaviour orelse Key =:= behavior,
        is_list(List),
        Behaviour <- List,
        is_atom(Behaviour)
    ],
    Supervisors = application:get_env(erlrc, supervisors, []),
    erlrc_engine:module_kind({Module, Module:module_info(exports), Behaviours}, Supervisors).

restarts_or_synchronises(restart_emulator) -> true;
restarts_or_synchronises(restart_new_emulator) -> true;
restarts_or_synchronises({sync_nodes, _, _}) -> true;
restarts_or_synchronises(_) -> false.

split(Steps) ->
    case lists:splitwith(fun(Step) -> Step =/= point_of_no_return end, Steps) of
        {Before, [point_of_no_return | After]} -> {Before, After};
        {After, []} -> {[], After}
    end.

cut(Before, After) ->
    First = [MFA || {apply, MFA} <- Before],
    try lists:foldl(fun step/2, {empty(), [], []}, After) of
        {Batch, [], Segments} ->
            {ok, #{first => First, segments => lists:reverse(close(Batch, Segments))}};
        {_, Open, _} ->
            {fallback, {suspended_not_resumed, Open}}
    catch
        throw:{fallback, _} = Fallback -> Fallback
    end.

empty() ->
    #{suspend => [], before => [], 'after' => [], load => [], remove => []}.

close(Batch, Segments) ->
    case Batch =:= empty() of
        true -> Segments;
        false -> [{batch, maps:map(fun(_, List) -> lists:reverse(List) end, Batch)} | Segments]
    end.

%% State: the batch being filled (lists reversed), modules suspended and not yet resumed, segments reversed.
step({suspend, Modules}, {#{suspend := Suspend} = Batch, Open, Segments}) ->
    New = [with_timeout(Module) || Module <- Modules],
    {Batch#{suspend := lists:reverse(New, Suspend)}, [Module || {Module, _} <- New] ++ Open, Segments};
step({resume, Modules}, {Batch, Open, Segments}) ->
    {Batch, Open -- Modules, Segments};
step({load, {Module, _, _} = Load}, State) ->
    {#{load := Loads, remove := Removes} = Batch, Open, Segments} = once(Module, load, State),
    {Batch#{load := [Load | Loads], remove := lists:keydelete(Module, 1, Removes)}, Open, Segments};
step({remove, {Module, _, _} = Remove}, State) ->
    {#{remove := Removes} = Batch, Open, Segments} = once(Module, load, State),
    {Batch#{remove := [Remove | Removes]}, Open, Segments};
step({code_change, Changes}, State) ->
    step({code_change, up, Changes}, State);
step({code_change, Mode, Changes}, State) ->
    lists:foldl(fun({Module, Extra}, Acc) -> change({Module, Mode, Extra}, Acc) end, State, Changes);
step({purge, Modules} = Purge, {#{remove := Removes, load := Loads}, _, _} = State) ->
    case [Module || Module <- Modules, not lists:keymember(Module, 1, Removes ++ Loads)] of
        [] -> State;
        _ -> barrier(Purge, State)
    end;
step({Kind, _} = Barrier, State) when Kind =:= apply; Kind =:= stop; Kind =:= start ->
    barrier(Barrier, State);
step({load_object_code, _}, State) ->
    State;
step(Step, _State) ->
    throw({fallback, Step}).

with_timeout({Module, Timeout}) -> {Module, Timeout};
with_timeout(Module) -> {Module, default}.

%% A change stands before the load when its module is loaded later in the same batch. Whether that is so is not known
%% yet, but OTP puts the change of a dynamic module before the load going down and nowhere else.
change({Module, _, _} = Change, {#{load := Loads, before := Before, 'after' := After} = Batch, Open, Segments}) ->
    case lists:keymember(Module, 1, Loads) of
        true -> {Batch#{'after' := [Change | After]}, Open, Segments};
        false -> {Batch#{before := [Change | Before]}, Open, Segments}
    end.

%% The same module twice is two batches.
once(Module, Key, {Batch, Open, Segments} = State) ->
    case lists:keymember(Module, 1, maps:get(Key, Batch)) of
        true -> barrier(none, State);
        false -> {Batch, Open, Segments}
    end.

barrier(Barrier, {Batch, [], Segments}) ->
    Closed = close(Batch, Segments),
    {empty(), [], [Barrier || Barrier =/= none] ++ Closed};
barrier(Barrier, {_, Open, _}) ->
    throw({fallback, {suspended_across, Barrier, lists:usort(Open)}}).
