%% @doc What no script can carry over while an application runs, found before anything is changed: processes that live in
%% a module which is removed, supervisors whose strategy becomes or was `simple_one_for_one'. For the evaluator, which
%% refuses the script, and for plans, which say so.
-module(erlrc_hindrance).

-export([find/2, init/2, conversions/1, argument/3]).
-export_type([hindrance/0]).

-type hindrance() ::
    {removed_module_in_use, module(), [pid()]}
    | {supervisor_strategy, module(), pid(), From :: atom(), To :: atom()}.

-define(INIT, 1000).

%% @doc Everything of that kind in the segments of a script.
-spec find([erlrc_segment:segment()], erlrc_evaluator:script()) -> [hindrance()].
find(Segments, Script) ->
    Batches = [Batch || {batch, Batch} <- Segments],
    Stopped = lists:append([Modules || {stop, Modules} <- Segments]),
    Removed = removed(Batches) -- Stopped,
    Supervisors = supervisors(conversions(Batches), erlrc_sides:of_script(Script)),
    strategies(Supervisors) ++ [in_use(Use) || Removed =/= [], Use <- uses(Removed, Supervisors)].

removed(Batches) ->
    Loads = [Module || #{load := All} <- Batches, {Module, _, _} <- All],
    lists:usort([Module || #{remove := All} <- Batches, {Module, _, _} <- All]) -- Loads.

%% @doc What becomes of the arguments of the supervisors that these batches change.
-spec conversions([map()]) -> #{module() => no | erlrc_conversion:conversion()}.
conversions(Batches) ->
    Parts = fun(Mode, Extra) -> erlrc_conversion:parts(case Mode of up -> up; down -> {down, down} end, Extra) end,
    maps:from_list([
        {Module, element(1, Parts(Mode, Extra))}
     || #{before := Before, 'after' := After} <- Batches,
        {Module, Mode, Extra} <- Before ++ After,
        erlrc_segment:is_supervisor(Module)
    ]).

%% What changed supervisors that run have and what the new `init/1' would answer them.
supervisors(Conversions, _Sides) when map_size(Conversions) =:= 0 ->
    [];
supervisors(Conversions, Sides) ->
    #{targets := Targets} = erlrc_discover:processes(maps:keys(Conversions), #{}),
    Pids = [Pid || {Pid, #{kind := supervisor, suspended := false}} <- maps:to_list(Targets)],
    Specified = specified(Pids),
    erlrc_migrator:with_trial(maps:values(Conversions), fun(Tried) ->
        [
            {Pid, Module, Strategy, converted(argument({Module, Arguments}, Conversions, Tried), Module, Sides)}
         || {Pid, Strategy, Module, Arguments} <- Specified
        ]
    end).

%% @doc What becomes of the argument of a supervisor, as far as it can be tried.
-spec argument({module(), term()}, #{module() => no | erlrc_conversion:conversion()}, map()) ->
    {ok, term()} | {error, term()} | {untried, term()}.
argument({Module, Argument}, Conversions, Tried) ->
    Conversion = maps:get(Module, Conversions, no),
    case erlrc_migrator:may(Conversion, Tried) of
        {skip, Why} -> {untried, Why};
        {loaded, _} -> bounded(Module, erlrc_migrator:for(trial, Conversion), Argument)
    end.

bounded(Module, {module, _, _, _} = Conversion, Argument) ->
    case erlrc_check:call({erlrc_conversion, argument, [Module, Conversion, Argument]}, ?INIT) of
        {ok, Converted} -> Converted;
        {error, _} = Error -> Error
    end;
bounded(Module, Conversion, Argument) ->
    erlrc_conversion:argument(Module, Conversion, Argument).

converted(Argument, Module, Sides) ->
    case Argument of
        {untried, _} -> unknown;
        {ok, Converted} -> init({Module, Converted}, filename:join(erlrc_sides:ebin(to, Module, Sides), file(Module)));
        Error -> Error
    end.

%% Strategy, callback module and arguments: the third and the last two elements of a supervisor's state.
specified(Pids) ->
    Ref = make_ref(),
    Self = self(),
    Fun = fun(State) ->
        [Arguments, Module | _] = lists:reverse(tuple_to_list(State)),
        Self ! {{Ref, {self(), element(3, State), Module, Arguments}}, ok},
        State
    end,
    _ = [erlrc_system:tell(Pid, erlrc_system:nobody(), {replace_state, Fun}) || Pid <- Pids],
    #{answered := Found} = erlrc_system:collect(Ref, erlrc_system:answers(length(Pids)), ?INIT),
    Found.

file(Module) -> atom_to_list(Module) ++ code:objfile_extension().

%% @doc What `init/1' of a file answers to these arguments, if it can be asked without anybody noticing.
-spec init({module(), term()}, file:filename()) -> {ok, term()} | {error, term()} | {effects, [term()]} | unknown.
init({Module, Arguments}, File) ->
    Shadow = erlrc_trial:shadow(Module),
    case erlrc_engine:shadow(File, Shadow, [{init, 1}]) of
        {ok, {Beam, [#{effects := [], calls_funs := false}]}} ->
            {module, Shadow} = code:load_binary(Shadow, File, Beam),
            Answer = erlrc_check:call({Shadow, init, [Arguments]}, ?INIT),
            ok = erlrc_trial:forget(Shadow),
            Answer;
        {ok, {_, [#{effects := [_ | _] = Effects}]}} ->
            {effects, Effects};
        _ ->
            unknown
    end.

strategies(Supervisors) ->
    [
        {supervisor_strategy, Module, Pid, From, To}
     || {Pid, Module, From, {ok, Answer}} <- Supervisors,
        {ok, To} <- [strategy(Answer)],
        From =/= To,
        From =:= simple_one_for_one orelse To =:= simple_one_for_one
    ].

strategy({ok, {#{} = Flags, _}}) -> {ok, maps:get(strategy, Flags, one_for_one)};
strategy({ok, {Flags, _}}) when is_tuple(Flags), tuple_size(Flags) > 0 -> {ok, element(1, Flags)};
strategy(_) -> unknown.

%% Who is stopped by the upgrade itself, as its supervisor specifies it no longer, is in nobody's way. Where it cannot be
%% told whether a supervisor does, it is taken to.
uses(Removed, Supervisors) ->
    #{targets := Targets} = erlrc_discover:processes(Removed, #{}),
    Children = case map_size(Targets) of 0 -> []; _ -> erlrc_discover:children(#{}) end,
    Above = maps:from_list([{Pid, {Supervisor, Id}} || {Supervisor, Id, Pid, _} <- Children]),
    Keeps = maps:from_list([{Pid, kept(Answer)} || {Pid, _, _, Answer} <- Supervisors]),
    In = [
        {Module, Pid}
     || {Pid, #{modules := Modules}} <- lists:sort(maps:to_list(Targets)), stays(Pid, Above, Keeps), Module <- Modules
    ],
    [{Module, [Pid || {M, Pid} <- In, M =:= Module]} || Module <- lists:usort([Module || {Module, _} <- In])].

in_use({Module, Pids}) -> {removed_module_in_use, Module, Pids}.

%% Children of one kind are all kept.
kept({ok, Answer}) ->
    case strategy(Answer) of
        {ok, simple_one_for_one} -> all;
        _ -> erlrc_children:child_ids(Answer)
    end;
kept(_) ->
    unknown.

stays(Pid, Above, Keeps) ->
    case Above of
        #{Pid := {Supervisor, Id}} ->
            case Keeps of
                #{Supervisor := {ok, Ids}} -> lists:member(Id, Ids) andalso stays(Supervisor, Above, Keeps);
                #{Supervisor := unknown} -> false;
                _ -> stays(Supervisor, Above, Keeps)
            end;
        #{} ->
            true
    end.
