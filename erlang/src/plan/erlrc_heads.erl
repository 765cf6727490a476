%% @doc Whether the callbacks of a module take a state: the patterns of their clauses, as its debug information has them, are
%% held against it. A pattern that says more than what is looked at here is taken to match, and so is a guard.
-module(erlrc_heads).

-export([of_changes/1, lost/3]).
-export_type([change/0]).

%% What the callbacks take that run, and what those of the new version do.
-type change() :: {heads(), heads()}.

%% The patterns of the state of a callback, with the fields of records.
-type heads() :: #{{atom(), arity()} => [{erl_parse:abstract_expr(), records()}]}.
-type records() :: #{atom() => [atom()]}.

-define(CALLBACKS, #{{handle_call, 3} => 3, {handle_cast, 2} => 2, {handle_info, 2} => 2, {handle_event, 2} => 2, {handle_event, 4} => 4}).

%% @doc Of modules whose new version is in a file.
-spec of_changes([{module(), file:filename()}]) -> #{module() => change()}.
of_changes(Changes) ->
    maps:from_list([
        {Module, {of_beam(Module, Old), of_beam(Module, New)}}
     || {Module, File} <- Changes,
        [{ok, Old}, {ok, New}] <- [[file:read_file(Each) || Each <- [code:which(Module), File], is_list(Each)]]
    ]).

%% @doc The callbacks of which no clause takes the new state. What has not taken the old one either counts not.
-spec lost(change(), Old :: term(), New :: term()) -> [{atom(), arity()}].
lost({Before, After}, Old, New) ->
    refusing(After, New) -- refusing(Before, Old).

%% The patterns of a module; none without debug information.
of_beam(Module, Beam) ->
    case erlrc_shape:forms(Module, Beam) of
        none ->
            #{};
        Forms ->
            Records = maps:from_list(erlrc_shape:records(Module, Beam)),
            maps:from_list([
                {{Name, Arity}, [{lists:nth(Place, Patterns), Records} || {clause, _, Patterns, _, _} <- Clauses]}
             || {function, _, Name, Arity, Clauses} <- Forms, {ok, Place} <- [maps:find({Name, Arity}, ?CALLBACKS)]
            ])
    end.

%% The callbacks of which no clause takes the state.
refusing(Heads, State) ->
    [
        Callback
     || {Callback, Patterns} <- lists:sort(maps:to_list(Heads)),
        not lists:any(fun({Pattern, Records}) -> takes(Pattern, State, Records) end, Patterns)
    ].

takes({match, _, One, Other}, Term, Records) ->
    takes(One, Term, Records) andalso takes(Other, Term, Records);
takes({tuple, _, Patterns}, Term, Records) ->
    is_tuple(Term) andalso tuple_size(Term) =:= length(Patterns) andalso all(Patterns, tuple_to_list(Term), Records);
takes({record, _, Name, Fields}, Term, Records) ->
    case Records of
        #{Name := Known} when is_tuple(Term), tuple_size(Term) =:= length(Known) + 1, element(1, Term) =:= Name ->
            Values = maps:from_list(lists:zip(Known, tl(tuple_to_list(Term)))),
            lists:all(
                fun({record_field, _, {atom, _, Field}, Pattern}) -> takes(Pattern, maps:get(Field, Values), Records); (_) -> true end,
                Fields
            );
        #{Name := _} ->
            false;
        #{} ->
            true
    end;
takes({map, _, Fields}, Term, Records) ->
    is_map(Term) andalso lists:all(fun(Field) -> has(Field, Term, Records) end, Fields);
takes({cons, _, Head, Tail}, Term, Records) ->
    is_list(Term) andalso Term =/= [] andalso takes(Head, hd(Term), Records) andalso takes(Tail, tl(Term), Records);
takes({nil, _}, Term, _Records) ->
    Term =:= [];
takes({Kind, _, Literal}, Term, _Records) when Kind =:= atom; Kind =:= integer; Kind =:= string ->
    Term =:= Literal;
takes(_Pattern, _Term, _Records) ->
    true.

all(Patterns, Terms, Records) ->
    lists:all(fun({Pattern, Term}) -> takes(Pattern, Term, Records) end, lists:zip(Patterns, Terms)).

has({map_field_exact, _, {atom, _, Key}, Pattern}, Map, Records) ->
    case Map of
        #{Key := Value} -> takes(Pattern, Value, Records);
        #{} -> false
    end;
has(_Field, _Map, _Records) ->
    true.
