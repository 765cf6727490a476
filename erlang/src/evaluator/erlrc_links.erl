%% @doc Which modules know of one another, going by the names in their code. Pure.
%%
%% A name counts wherever it stands: among the atoms of a module, which hold all that it calls by name, or in its
%% literals, which hold what it may call by way of data. So more is joined than has to be, never less, but for names that
%% are put together at run time.
-module(erlrc_links).

-export([together/2]).

%% @doc The modules that are joined with one of `Seeds' in any of the versions, over others if need be. Only modules that
%% have a version here count.
-spec together([module()], [{module(), Beam :: binary()}]) -> [module()].
together(_Seeds, []) ->
    [];
together(Seeds, Beams) ->
    Modules = maps:from_keys([Module || {Module, _} <- Beams], []),
    Pattern = binary:compile_pattern([atom_to_binary(Module) || Module <- maps:keys(Modules)]),
    Links = lists:foldl(fun(Each, Acc) -> link(Each, Modules, Pattern, Acc) end, #{}, Beams),
    lists:sort(maps:keys(reach([Seed || Seed <- Seeds, is_map_key(Seed, Modules)], Links, #{}))).

link({Module, Beam}, Modules, Pattern, Links) ->
    lists:foldl(
        fun(Other, Acc) -> add(Module, Other, add(Other, Module, Acc)) end,
        Links,
        [Name || Name <- atoms(Beam) ++ literals(Beam, Pattern), is_map_key(Name, Modules), Name =/= Module]
    ).

add(From, To, Links) ->
    maps:update_with(From, fun(Known) -> Known#{To => []} end, #{To => []}, Links).

reach([], _Links, Reached) ->
    Reached;
reach([Module | Modules], Links, Reached) when is_map_key(Module, Reached) ->
    reach(Modules, Links, Reached);
reach([Module | Modules], Links, Reached) ->
    reach(maps:keys(maps:get(Module, Links, #{})) ++ Modules, Links, Reached#{Module => []}).

atoms(Beam) ->
    case beam_lib:chunks(Beam, [atoms]) of
        {ok, {_, [{atoms, Atoms}]}} -> [Atom || {_, Atom} <- Atoms];
        {error, _, _} -> []
    end.

%% Compressed until OTP 27; the names in them are as they are in the external term format.
literals(Beam, Pattern) ->
    case beam_lib:chunks(Beam, ["LitT"]) of
        {ok, {_, [{"LitT", Literals}]}} -> names(plain(Literals), Pattern);
        {error, _, _} -> []
    end.

plain(Literals) ->
    case erlrc_bytes:number(Literals, 0, 4) of
        {ok, 0} -> erlrc_bytes:rest(Literals, 4);
        _ -> zlib:uncompress(erlrc_bytes:rest(Literals, 4))
    end.

names(Binary, Pattern) ->
    [binary_to_existing_atom(binary:part(Binary, Part)) || Part <- binary:matches(Binary, Pattern)].
