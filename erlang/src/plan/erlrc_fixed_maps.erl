%% @doc Maps that a module makes with fixed keys, and that its new version makes with further keys which new code demands.
%%
%% Both versions are read in their debug information. A map does not say who has made it: one with the earlier keys may be
%% another one, and what follows from it is a warning at most.
-module(erlrc_fixed_maps).

-export([shapes/2]).

%% Maps of fewer keys are everywhere.
-define(KEYS, 2).

-record(code, {made = [] :: [[atom()]], demanded = [] :: [atom()]}).

%% @doc The keys of such maps, with the module that makes them and the keys that it gives them now.
-spec shapes([module()], erlrc_evaluator:change()) -> erlrc_look:records().
shapes(Modules, #{from := {_, From}, to := {_, To}}) ->
    case erlrc_room:is_short() of
        true -> #{};
        false -> between([{Module, code(Module, From), code(Module, To)} || Module <- Modules])
    end.

between(Sides) ->
    StillMade = lists:append([Made || {_, _, #code{made = Made}} <- Sides]),
    Demanded = lists:usort(lists:append([Keys || {_, _, #code{demanded = Keys}} <- Sides])),
    maps:from_list([
        {{map, Keys}, {Module, Later}}
     || {Module, #code{made = Old}, #code{made = New}} <- Sides,
        Keys <- Old -- StillMade,
        Later <- closest(Keys, [Each || Each <- New -- Old, is_later(Keys, Each, Demanded)])
    ]).

%% The same map as far as that can be told: most of its keys, and one more that is needed.
is_later(Keys, Later, Demanded) ->
    Gained = Later -- Keys,
    2 * length(Later -- Gained) >= length(Keys) andalso Gained -- Demanded =/= Gained.

closest(_Keys, []) ->
    [];
closest(Keys, Laters) ->
    {_, Later} = lists:min([{length(Later -- Keys) + length(Keys -- Later), Later} || Later <- Laters]),
    [Later].

code(Module, Dir) ->
    case file:read_file(filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()])) of
        {ok, Beam} -> of_forms(erlrc_shape:forms(Module, Beam));
        {error, _} -> #code{}
    end.

of_forms(none) ->
    #code{};
of_forms(Forms) ->
    #code{made = Made, demanded = Demanded} = walk([Clauses || {function, _, _, _, Clauses} <- Forms], #code{}),
    #code{made = lists:usort(Made), demanded = lists:usort(Demanded)}.

walk([Head | Tail], Code) -> walk(Tail, walk(Head, Code));
walk(Node, Code) when is_tuple(Node) -> walk(tuple_to_list(Node), node(Node, Code));
walk(_Other, Code) -> Code.

%% A map that is made, or a pattern: that has other fields.
node({map, _, Fields}, #code{made = Made} = Code) when is_list(Fields) ->
    Keys = lists:usort([Key || {map_field_assoc, _, {atom, _, Key}, _} <- Fields]),
    IsFixed = length(Keys) =:= length(Fields) andalso length(Keys) >= ?KEYS andalso not lists:member('__struct__', Keys),
    Code#code{made = [Keys || IsFixed] ++ Made};
node({map_field_exact, _, {atom, _, Key}, _}, #code{demanded = Demanded} = Code) ->
    Code#code{demanded = [Key | Demanded]};
node({call, _, {remote, _, {atom, _, Module}, {atom, _, Get}}, [{atom, _, Key}, _]}, #code{demanded = Demanded} = Code) when
    {Module, Get} =:= {maps, get}; {Module, Get} =:= {erlang, map_get}
->
    Code#code{demanded = [Key | Demanded]};
node({call, _, {atom, _, map_get}, [{atom, _, Key}, _]}, #code{demanded = Demanded} = Code) ->
    Code#code{demanded = [Key | Demanded]};
node(_Node, Code) ->
    Code.
