%% @doc What a function would answer, as the debug information of its module has it, without a call of it. Pure: what other
%% modules answer is asked of a fun.
%%
%% Values are known in part. Where an expression is not looked into, its value is unknown; where it might have an effect
%% that is not foreseen here, the whole is undecided. A function whose clauses certainly take no value of its arguments,
%% or an expression whose value certainly does not match, fails.
-module(erlrc_abstract).

-export([call/3, functions/1, value/1, tuple/1, list/1, field/2]).
-export_type([value/0, functions/0, context/0]).

-type value() :: {term, term()} | {tuple | list, [value()]} | {map, #{term() => value()}} | unknown.
-type functions() :: #{{atom(), arity()} => [erl_parse:abstract_clause()]}.
-type context() :: #{
    functions := functions(),
    %% How many calls deep may still be followed.
    depth := integer(),
    %% The value of a call of another module.
    outside := fun((module(), atom(), [value()]) -> value()),
    %% Whether a call changes nothing that others notice.
    harmless := fun((module(), atom(), arity()) -> boolean())
}.
-type bound() :: #{atom() => value()}.

%% @doc The functions in the forms of a module.
-spec functions([term()]) -> functions().
functions(Forms) ->
    maps:from_list([{{Name, Arity}, Clauses} || {function, _, Name, Arity, Clauses} <- Forms]).

%% @doc The value of a call of a function of the module. Throws `fails' or `undecided'.
-spec call(atom(), [value()], context()) -> value().
call(Name, Values, #{functions := Functions, depth := Depth} = Context) when Depth > 0 ->
    case Functions of
        #{{Name, length(Values)} := Clauses} -> clauses(Clauses, Values, #{}, Context#{depth := Depth - 1});
        #{} -> throw(undecided)
    end;
call(_Name, _Values, _Context) ->
    throw(undecided).

%% What may not match fails where it does not: the last clause can be followed all the same.
-spec clauses([erl_parse:abstract_clause()], [value()], bound(), context()) -> value().
clauses([], _Values, _Bound, _Context) ->
    throw(fails);
clauses([{clause, _, Patterns, Guards, Body} | Rest] = All, Values, Bound, Context) ->
    case matches(Patterns, Values, Bound) of
        no -> clauses(Rest, Values, Bound, Context);
        {yes, Now} when Guards =:= [] -> body(Body, Now, Context);
        {_, Now} when Rest =:= [] -> body(Body, Now, Context);
        {_, _} -> unseen(All, Context)
    end.

body([Last], Bound, Context) ->
    {Value, _} = expression(Last, Bound, Context),
    Value;
body([First | Rest], Bound, Context) ->
    {_, Now} = expression(First, Bound, Context),
    body(Rest, Now, Context).

expression({var, _, Name}, Bound, _Context) ->
    {maps:get(Name, Bound, unknown), Bound};
expression({Kind, _, Term}, Bound, _Context) when
    Kind =:= atom; Kind =:= integer; Kind =:= float; Kind =:= char; Kind =:= string
->
    {{term, Term}, Bound};
expression({nil, _}, Bound, _Context) ->
    {{term, []}, Bound};
expression({cons, _, Head, Tail}, Bound, Context) ->
    {[First, Rest], Now} = expressions([Head, Tail], Bound, Context),
    {joined([First], Rest), Now};
expression({op, _, '++', Left, Right}, Bound, Context) ->
    {[First, Rest], Now} = expressions([Left, Right], Bound, Context),
    {joined(list(First), Rest), Now};
expression({tuple, _, Elements}, Bound, Context) ->
    {Values, Now} = expressions(Elements, Bound, Context),
    {known({tuple, Values}), Now};
expression({map, _, Fields}, Bound, Context) ->
    {Values, Now} = expressions(lists:append([[Key, Value] || {_, _, Key, Value} <- Fields]), Bound, Context),
    {map(Values), Now};
expression({match, _, Pattern, Expression}, Bound, Context) ->
    {Value, Now} = expression(Expression, Bound, Context),
    case matches([Pattern], [Value], Now) of
        no -> throw(fails);
        {_, More} -> {Value, More}
    end;
expression({block, _, Body}, Bound, Context) ->
    {Values, Now} = expressions(Body, Bound, Context),
    {lists:last(Values), Now};
expression({'case', _, Expression, Clauses}, Bound, Context) ->
    {Value, Now} = expression(Expression, Bound, Context),
    {clauses(Clauses, [Value], Now, Context), Now};
expression({call, _, Called, Arguments} = Call, Bound, Context) ->
    case called(Called, length(Arguments), Context) of
        unknown ->
            {unseen(Call, Context), Bound};
        Function ->
            {Values, Now} = expressions(Arguments, Bound, Context),
            {applied(Function, Values, Context), Now}
    end;
expression(Other, Bound, Context) ->
    {unseen(Other, Context), Bound}.

expressions(Expressions, Bound, Context) ->
    lists:mapfoldl(fun(Each, Now) -> expression(Each, Now, Context) end, Bound, Expressions).

%% What is not of the module is the emulator's, or imported.
called({remote, _, {atom, _, Module}, {atom, _, Name}}, _Arity, _Context) ->
    {Module, Name};
called({atom, _, Name}, Arity, #{functions := Functions}) ->
    case is_map_key({Name, Arity}, Functions) of
        true -> {local, Name};
        false -> {erlang, Name}
    end;
called(_, _Arity, _Context) ->
    unknown.

applied({local, Name}, Values, Context) -> call(Name, Values, Context);
applied({Module, Name}, Values, #{outside := Outside}) -> Outside(Module, Name, Values).

%% Of what is not looked into nothing is known but that it does nothing that counts.
unseen(Abstract, Context) ->
    case is_harmless(Abstract, Context) of
        true -> unknown;
        false -> throw(undecided)
    end.

is_harmless({call, _, Called, Arguments}, Context) ->
    Arity = length(Arguments),
    is_harmless(Arguments, Context) andalso
        case called(Called, Arity, Context) of
            unknown -> false;
            {local, Name} -> is_harmless_function(Name, Arity, Context);
            {Module, Name} -> (maps:get(harmless, Context))(Module, Name, Arity)
        end;
is_harmless({op, _, '!', _, _}, _Context) ->
    false;
%% Who calls it is not known.
is_harmless({'fun', _, {function, _, _}}, _Context) ->
    false;
is_harmless({'fun', _, {function, _, _, _}}, _Context) ->
    false;
is_harmless(Tuple, Context) when is_tuple(Tuple) ->
    is_harmless(tuple_to_list(Tuple), Context);
is_harmless([First | Rest], Context) ->
    is_harmless(First, Context) andalso is_harmless(Rest, Context);
is_harmless(_, _Context) ->
    true.

is_harmless_function(Name, Arity, #{functions := Functions, depth := Depth} = Context) ->
    Depth > 0 andalso is_harmless(maps:get({Name, Arity}, Functions), Context#{depth := Depth - 1}).

%% Whether values match, with what is bound then: `maybe_' where it cannot be told.
matches([], [], Bound) ->
    {yes, Bound};
matches([Pattern | Patterns], [Value | Values], Bound) ->
    case match(Pattern, Value, Bound) of
        no ->
            no;
        {Sure, Now} ->
            case matches(Patterns, Values, Now) of
                {yes, Then} -> {Sure, Then};
                Other -> Other
            end
    end.

match({var, _, '_'}, _Value, Bound) ->
    {yes, Bound};
match({var, _, Name}, Value, Bound) ->
    case Bound of
        #{Name := {term, Term}} -> same(Term, Value, Bound);
        #{Name := _} -> {maybe_, Bound};
        #{} -> {yes, Bound#{Name => Value}}
    end;
match({match, _, One, Other}, Value, Bound) ->
    matches([One, Other], [Value, Value], Bound);
match(Pattern, unknown, Bound) ->
    {maybe_, variables(Pattern, Bound)};
match({Kind, _, Literal}, Value, Bound) when Kind =:= atom; Kind =:= integer; Kind =:= char; Kind =:= string ->
    same(Literal, Value, Bound);
match({nil, _}, Value, Bound) ->
    same([], Value, Bound);
match({tuple, _, Patterns}, Value, Bound) ->
    case tuple(Value) of
        Values when is_list(Values), length(Values) =:= length(Patterns) -> matches(Patterns, Values, Bound);
        _ -> no
    end;
match({cons, _, Head, Tail}, Value, Bound) ->
    case Value of
        {term, [First | Rest]} -> matches([Head, Tail], [{term, First}, {term, Rest}], Bound);
        {list, [First | Rest]} -> matches([Head, Tail], [First, known({list, Rest})], Bound);
        _ -> no
    end;
match({map, _, Fields} = Pattern, {Kind, _} = Value, Bound) when Kind =:= map; Kind =:= term ->
    Keys = [Key || {map_field_exact, _, {atom, _, Key}, _} <- Fields],
    case {length(Keys) =:= length(Fields), [field(Key, Value) || Key <- Keys]} of
        {true, Values} -> fields([Field || {_, _, _, Field} <- Fields], Values, Bound);
        {false, _} -> {maybe_, variables(Pattern, Bound)}
    end;
match(Pattern, _Value, Bound) ->
    {maybe_, variables(Pattern, Bound)}.

%% Of a term that is no map no value is known.
fields(Patterns, Values, Bound) ->
    case lists:member(none, Values) of
        true -> no;
        false -> matches(Patterns, Values, Bound)
    end.

same(Term, {term, Term}, Bound) -> {yes, Bound};
same(_Term, {term, _}, _Bound) -> no;
same(Term, {tuple, _}, _Bound) when not is_tuple(Term) -> no;
same(_Term, _Value, Bound) -> {maybe_, Bound}.

%% What a pattern binds that is not held against its value.
variables({var, _, Name}, Bound) when Name =/= '_' -> maps:merge(#{Name => unknown}, Bound);
variables(Tuple, Bound) when is_tuple(Tuple) -> variables(tuple_to_list(Tuple), Bound);
variables([First | Rest], Bound) -> variables(Rest, variables(First, Bound));
variables(_, Bound) -> Bound.

%% @doc A term as a value.
-spec value(term()) -> value().
value(Term) -> {term, Term}.

%% @doc The elements of a tuple.
-spec tuple(value()) -> [value()] | unknown.
tuple({term, Tuple}) when is_tuple(Tuple) -> [{term, Element} || Element <- tuple_to_list(Tuple)];
tuple({tuple, Values}) -> Values;
tuple(_) -> unknown.

%% @doc The elements of a list.
-spec list(value()) -> [value()] | unknown.
list({term, List}) when is_list(List), length(List) >= 0 -> [{term, Element} || Element <- List];
list({list, Values}) -> Values;
list(_) -> unknown.

%% @doc What a map has under a key.
-spec field(term(), value()) -> value() | unknown | none.
field(Key, {term, #{} = Map}) ->
    case Map of
        #{Key := Term} -> {term, Term};
        #{} -> none
    end;
field(Key, {map, Fields}) ->
    maps:get(Key, Fields, none);
field(_Key, _Value) ->
    unknown.

joined(unknown, _Rest) -> unknown;
joined(First, Rest) ->
    case list(Rest) of
        unknown -> unknown;
        Values -> known({list, First ++ Values})
    end.

map(Pairs) ->
    map(Pairs, #{}).

map([{term, Key}, Value | Pairs], Fields) -> map(Pairs, Fields#{Key => Value});
map([], Fields) -> known({map, Fields});
map(_, _Fields) -> unknown.

%% A term where all of it is known.
known({Kind, Values} = Value) when Kind =:= tuple; Kind =:= list ->
    Terms = [Term || {term, Term} <- Values],
    case length(Terms) =:= length(Values) of
        true when Kind =:= tuple -> {term, list_to_tuple(Terms)};
        true -> {term, Terms};
        false -> Value
    end;
known({map, Fields} = Value) ->
    Terms = maps:from_list([{Key, Term} || {Key, {term, Term}} <- maps:to_list(Fields)]),
    case map_size(Terms) =:= map_size(Fields) of
        true -> {term, Terms};
        false -> Value
    end.
