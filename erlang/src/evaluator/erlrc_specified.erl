%% @doc The children that `init/1' of a supervisor specifies, as its debug information has them, without a call of it. Pure.
%%
%% Known are the literals in what its one clause answers, those of variables that are bound before it, and what functions
%% of the same module make of them that have one clause. Whatever is computed otherwise is unknown.
-module(erlrc_specified).

-export([ids/2]).

-type value() :: {literal, term()} | {list | tuple, [value()]} | {map, [{value(), value()}]} | unknown.
-type functions() :: #{{atom(), arity()} => [erl_parse:abstract_clause()]}.

%% Functions that call one another.
-define(DEPTH, 5).

%% @doc The ids in the order of the specification; `unknown' also where all children are of one kind.
-spec ids(module(), binary()) -> {ok, [term()]} | unknown.
ids(Module, Beam) ->
    case erlrc_shape:forms(Module, Beam) of
        none ->
            unknown;
        Forms ->
            Functions = maps:from_list([{{Name, Arity}, Clauses} || {function, _, Name, Arity, Clauses} <- Forms]),
            answered(call(init, [unknown], Functions, ?DEPTH))
    end.

answered({tuple, [{literal, ok}, {tuple, [Flags, {list, Specs}]}]}) ->
    try {strategy(Flags), [id(Spec) || Spec <- Specs]} of
        {simple_one_for_one, _} -> unknown;
        {_, Ids} -> {ok, Ids}
    catch
        throw:unknown -> unknown
    end;
answered(_) ->
    unknown.

strategy({map, Fields}) -> term(proplists:get_value({literal, strategy}, Fields, {literal, one_for_one}));
strategy({tuple, [Strategy | _]}) -> term(Strategy);
strategy(_) -> throw(unknown).

id({map, Fields}) -> term(proplists:get_value({literal, id}, Fields, unknown));
id({tuple, [Id | _]}) -> term(Id);
id(_) -> throw(unknown).

term({literal, Term}) -> Term;
term({list, Values}) -> [term(Value) || Value <- Values];
term({tuple, Values}) -> list_to_tuple([term(Value) || Value <- Values]);
term(_) -> throw(unknown).

-spec call(atom(), [value()], functions(), non_neg_integer()) -> value().
call(Name, Arguments, Functions, Depth) when Depth > 0 ->
    case maps:get({Name, length(Arguments)}, Functions, []) of
        [{clause, _, Patterns, [], Body}] ->
            Bound = maps:from_list([{Var, Value} || {{var, _, Var}, Value} <- lists:zip(Patterns, Arguments)]),
            body(Body, Bound, {Functions, Depth - 1});
        _ ->
            unknown
    end;
call(_Name, _Arguments, _Functions, _Depth) ->
    unknown.

body([Last], Bound, How) -> value(Last, Bound, How);
body([{match, _, {var, _, Name}, Expression} | Body], Bound, How) ->
    body(Body, Bound#{Name => value(Expression, Bound, How)}, How);
body([_ | Body], Bound, How) -> body(Body, Bound, How).

value({var, _, Name}, Bound, _How) ->
    maps:get(Name, Bound, unknown);
value({Kind, _, Term}, _Bound, _How) when Kind =:= atom; Kind =:= integer; Kind =:= string; Kind =:= char ->
    {literal, Term};
value({nil, _}, _Bound, _How) ->
    {list, []};
value({cons, _, Head, Tail}, Bound, How) ->
    joined({list, [value(Head, Bound, How)]}, value(Tail, Bound, How));
value({op, _, '++', First, Second}, Bound, How) ->
    joined(value(First, Bound, How), value(Second, Bound, How));
value({tuple, _, Elements}, Bound, How) ->
    {tuple, [value(Element, Bound, How) || Element <- Elements]};
value({map, _, Fields}, Bound, How) ->
    {map, [{value(Key, Bound, How), value(Value, Bound, How)} || {map_field_assoc, _, Key, Value} <- Fields]};
value({match, _, {var, _, _}, Expression}, Bound, How) ->
    value(Expression, Bound, How);
value({call, _, {atom, _, Name}, Arguments}, Bound, {Functions, Depth} = How) ->
    call(Name, [value(Argument, Bound, How) || Argument <- Arguments], Functions, Depth);
value(_Expression, _Bound, _How) ->
    unknown.

joined({list, First}, {list, Second}) -> {list, First ++ Second};
joined(_First, _Second) -> unknown.
