%% @doc Whether the node has room for the atoms that new code brings: one that has none ends at once, in the midst of
%% `code:prepare_loading/1'. Makes no atoms itself.
-module(erlrc_room).

-export([check/1, is_short/0, free/0]).

%% Fewer free atoms than that, and nothing is read for which there is another way.
-define(SHORT, 20000).

%% @doc Whether all these modules can be loaded. Different names take at least a byte each, however compressed; what
%% already exists is counted only where the room may be short.
-spec check([binary()]) -> ok | {error, {too_many_new_atoms, non_neg_integer()}}.
check(Beams) ->
    Free = free(),
    case iolist_size(Beams) =< Free orelse fits([chunks(Beam) || Beam <- Beams], Free) of
        true -> ok;
        false -> {error, {too_many_new_atoms, Free}}
    end.

fits(Chunks, Free) ->
    lists:sum([most(Each) || Each <- Chunks]) =< Free orelse new(Chunks) =< Free.

%% @doc Whether the table of atoms is all but full.
-spec is_short() -> boolean().
is_short() ->
    free() < ?SHORT.

%% @doc How many atoms the node has room for. The emulator rounds its limit up.
-spec free() -> non_neg_integer().
free() ->
    max(0, erlang:system_info(atom_limit) - erlang:system_info(atom_count)).

%% Names, and literals as they are in the file.
chunks(Beam) ->
    case beam_lib:chunks(Beam, ["AtU8", "LitT"], [allow_missing_chunks]) of
        {ok, {_, [{_, Atoms}, {_, Literals}]}} -> {names(Atoms), Literals};
        {error, beam_lib, _} -> {[], missing_chunk}
    end.

%% The count is negative where the lengths are written as compiled code writes numbers, from OTP 28 on.
names(<<Count:32/signed, Names/binary>>) when Count >= 0 -> [Name || <<Size, Name:Size/binary>> <= Names];
names(<<_:32, Names/binary>>) -> packed(Names);
names(_) -> [].

packed(<<Size:4, 0:1, _:3, Name:Size/binary, Names/binary>>) -> [Name | packed(Names)];
packed(<<High:3, 1:2, _:3, Low, Names/binary>>) ->
    Size = High * 256 + Low,
    case Names of
        <<Name:Size/binary, More/binary>> -> [Name | packed(More)];
        _ -> []
    end;
packed(_) -> [].

%% An atom takes three bytes at least.
most({Names, <<0:32, Table/binary>>}) -> length(Names) + byte_size(Table) div 3;
most({Names, <<Size:32, _/binary>>}) -> length(Names) + Size div 3;
most({Names, _}) -> length(Names).

new(Chunks) ->
    Names = lists:usort(lists:append([Names || {Names, _} <- Chunks])),
    length([Name || Name <- Names, not exists(Name)]) + lists:sum([in_literals(Literals) || {_, Literals} <- Chunks]).

exists(Name) ->
    try
        is_atom(binary_to_existing_atom(Name))
    catch
        error:_ -> false
    end.

%% Compressed but for a size of 0.
in_literals(<<0:32, Table/binary>>) -> in_table(Table);
in_literals(<<_:32, Table/binary>>) -> in_table(zlib:uncompress(Table));
in_literals(_) -> 0.

in_table(<<_Count:32, Literals/binary>>) ->
    lists:sum([tagged(Literal) || <<Size:32, Literal:Size/binary>> <= Literals, not is_known(Literal)]).

is_known(Literal) ->
    try
        _ = binary_to_term(Literal, [safe]),
        true
    catch
        error:badarg -> false
    end.

%% No fewer than there are: bytes that look like the beginning of an atom.
tagged(Literal) ->
    length(binary:matches(Literal, [<<$d>>, <<$s>>, <<$v>>, <<$w>>])).
