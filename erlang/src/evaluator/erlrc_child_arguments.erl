%% @doc The arguments with which supervisors start their children again: records in them that the new version of the child's
%% module has with other fields are converted where states are, in the window and with the same ways back.
%%
%% They are in the child specifications and, of the children of a `simple_one_for_one' supervisor, beside them. A child's
%% modules are that of its start function, those of its specification, and those among its arguments; its records are theirs.
-module(erlrc_child_arguments).

-export([of_script/1, in/2, found/2, held/1, without_converted/4, convert/2, is_supervisor/1]).
-export_type([arguments/0]).

%% For each module what becomes of its records on the way that the script leads, and on the way back.
-type arguments() :: #{module() => {There :: erlrc_conversion:records(), Back :: erlrc_conversion:records()}}.

-define(ANSWERS, 1000).
%% How deep in an argument a record is looked for, and how many terms are looked at.
-define(DEPTH, 8).
-define(LOOKS, 20000).

%% @doc What a script converts.
-spec of_script(erlrc_evaluator:script()) -> arguments().
of_script(Script) ->
    Of = fun
        (#{direction := up, options := #{arguments := Arguments}}) -> Arguments;
        (#{direction := down, options := #{arguments := Arguments}}) -> maps:map(fun(_, {Up, Down}) -> {Down, Up} end, Arguments);
        (_) -> #{}
    end,
    lists:foldl(fun(Change, All) -> maps:merge(All, Of(Change)) end, #{}, Script).

%% @doc The segments, in which the batches that load these modules convert their children's arguments, too. Prepared or not.
-spec in([Segment], arguments()) -> [Segment] when Segment :: tuple().
in(Segments, Arguments) when map_size(Arguments) =:= 0 -> Segments;
in(Segments, Arguments) -> [segment(Segment, Arguments) || Segment <- Segments].

segment(Segment, Arguments) when element(1, Segment) =:= batch ->
    #{load := Loads, 'after' := After} = Batch = element(2, Segment),
    case maps:with([Module || {Module, _, _} <- Loads], Arguments) of
        Some when map_size(Some) =:= 0 -> Segment;
        Some -> setelement(2, Segment, Batch#{'after' := After ++ [change(Some)]})
    end;
segment(Segment, _Arguments) ->
    Segment.

change(Arguments) ->
    There = maps:map(fun(_, {Records, _}) -> Records end, Arguments),
    Back = maps:map(fun(_, {_, Records}) -> Records end, Arguments),
    {?MODULE, up, {erlrc_migration, {{children, There}, {children, Back}}, none}}.

%% @doc What was found for a batch, with the supervisors that hold what it converts: they stand as well, and their states
%% are kept.
-spec found(erlrc_segment:batch(), erlrc_discover:found()) -> erlrc_discover:found().
found(#{before := Before, 'after' := After}, Found) ->
    case lists:keyfind(?MODULE, 1, Before ++ After) of
        false ->
            Found;
        {_, Mode, Extra} ->
            {{children, Records}, none} = erlrc_conversion:parts(case Mode of up -> up; down -> {down, down} end, Extra),
            joined(holders(supervisors(), Records), Found)
    end.

joined(Holders, #{targets := Targets, parents := Parents} = Found) ->
    Alone = erlrc_scan:target(supervisor, [?MODULE], undefined),
    Beside = fun(#{modules := Modules} = Target) -> Target#{modules := Modules ++ [?MODULE]} end,
    Add = fun(Pid, Acc) -> maps:update_with(Pid, Beside, Alone, Acc) end,
    Found#{targets := lists:foldl(Add, Targets, Holders), parents := Parents -- Holders}.

supervisors() ->
    Slow = erlrc_scan:is_slow(),
    [Pid || Pid <- processes(), {{supervisor, _, _}, _} <- [erlrc_scan:initial(Pid, Slow)]].

%% Those of these supervisors whose children's arguments would be converted so. One that does not answer counts as one: it
%% is waited for, and named, when all have to stand.
holders(Supervisors, Records) ->
    Answers = ask(Supervisors, fun(State) -> convert(Records, State) =/= State end),
    [Pid || Pid <- Supervisors, maps:get(Pid, Answers, is_process_alive(Pid))].

%% The function runs in the supervisor, so that nothing of its state is copied.
ask([], _Fun) ->
    #{};
ask(Pids, Fun) ->
    {Ref, Self, Nobody} = {make_ref(), self(), erlrc_system:nobody()},
    Request = {replace_state, fun(State) ->
        Self ! {{Ref, {self(), Fun(State)}}, ok},
        State
    end},
    lists:foreach(fun(Pid) -> erlrc_system:tell(Pid, Nobody, Request) end, Pids),
    #{answered := Answered} = erlrc_system:collect(Ref, erlrc_system:answers(length(Pids)), ?ANSWERS),
    maps:from_list(Answered).

%% @doc The supervisors that hold what a script converts.
-spec held(erlrc_evaluator:change()) -> [pid()].
held(Change) ->
    Records = maps:map(fun(_, {There, _}) -> There end, of_script([Change])),
    case map_size(Records) of
        0 -> [];
        _ -> holders(supervisors(), Records)
    end.

%% @doc Of what processes hold in an earlier shape, what is still there after the conversion. Of a supervisor that changes
%% itself it is not known what will be in its specification; what is beside that is known.
-spec without_converted([Held], erlrc_look:records(), #{pid() => _}, erlrc_evaluator:script()) -> {[Held], Changed :: [Held]} when
    Held :: {erlrc_look:shape(), state | dictionary, pid()}.
without_converted(Held, Shapes, Targets, Script) ->
    Arguments = maps:map(fun(_, {There, _}) -> There end, of_script(Script)),
    Wanted = erlrc_look:wanted(Shapes),
    Supervisors = [Pid || Pid <- lists:usort([Pid || {_, state, Pid} <- Held]), is_supervisor(Pid)],
    {Changing, Others} = lists:partition(fun(Pid) -> is_map_key(Pid, Targets) end, Supervisors),
    Left = ask(Others, fun(State) -> look(convert(Arguments, State), Wanted) end),
    Stay = ask(Changing, fun(State) -> look(element(5, convert(Arguments, State)), Wanted) end),
    {
        [Each || {Shape, Place, Pid} = Each <- Held, Place =/= state orelse lists:member(Shape, maps:get(Pid, Left, [Shape]))],
        [{Shape, state, Pid} || {Pid, Found} <- maps:to_list(Stay), Shape <- Found]
    }.

look(Term, Wanted) -> erlrc_look:records(erlrc_look:at(Term, Wanted, erlrc_look:new(?LOOKS))).

%% @doc Whether a process is a supervisor.
-spec is_supervisor(pid()) -> boolean().
is_supervisor(Pid) ->
    case erlrc_scan:initial(Pid, erlrc_scan:is_slow()) of
        {{supervisor, _, _}, _} -> true;
        _ -> false
    end.

%% @doc The state of a supervisor with the arguments of its children converted: the fourth field holds the specifications, the
%% fifth what else the children of a `simple_one_for_one' supervisor were started with.
-spec convert(#{module() => erlrc_conversion:records()}, term()) -> term().
convert(Records, State) when is_tuple(State), tuple_size(State) > 10, map_size(Records) > 0 ->
    case {element(4, State), element(5, State)} of
        {{Ids, #{} = Children}, Dynamics} ->
            New = maps:map(fun(_Id, Child) -> child(Child, Records) end, Children),
            setelement(5, setelement(4, State, {Ids, New}), dynamics(Dynamics, maps:values(Children), Records));
        _ ->
            State
    end;
convert(_Records, State) ->
    State.

child(Child, Records) when element(1, Child) =:= child, tuple_size(Child) > 4 ->
    case element(4, Child) of
        {Module, Function, Arguments} when is_list(Arguments) ->
            setelement(4, Child, {Module, Function, value(Arguments, own(Child, Arguments, Records), ?DEPTH)});
        _ ->
            Child
    end;
child(Child, _Records) ->
    Child.

dynamics({maps, Started}, [Child], Records) ->
    {maps, maps:map(fun(_Pid, Arguments) -> value(Arguments, own(Child, Arguments, Records), ?DEPTH) end, Started)};
dynamics(Dynamics, _Children, _Records) ->
    Dynamics.

%% The records of the child's own modules; the first that has one of a name counts.
own(Child, Arguments, Records) ->
    {Module, _, _} = element(4, Child),
    Specified = case element(tuple_size(Child), Child) of Modules when is_list(Modules) -> Modules; _ -> [] end,
    Named = [Argument || is_list(Arguments), Argument <- Arguments, is_atom(Argument)],
    lists:foldr(fun(Each, All) -> maps:merge(All, maps:get(Each, Records, #{})) end, #{}, [Module | Specified] ++ Named).

value(Term, Records, Depth) when map_size(Records) =:= 0; Depth =:= 0 ->
    Term;
value(Tuple, Records, Depth) when is_tuple(Tuple), tuple_size(Tuple) > 0 ->
    Converted = erlrc_conversion:record(Tuple, Records),
    list_to_tuple([value(Each, Records, Depth - 1) || Each <- tuple_to_list(Converted)]);
value([Head | Tail], Records, Depth) ->
    [value(Head, Records, Depth - 1) | value(Tail, Records, Depth)];
value(Map, Records, Depth) when is_map(Map) ->
    maps:map(fun(_Key, Each) -> value(Each, Records, Depth - 1) end, Map);
value(Term, _Records, _Depth) ->
    Term.
