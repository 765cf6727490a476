%% @doc Whether the atom table has room for the atoms of new code. If it has not, the node ends at once, in the middle
%% of `code:prepare_loading/1'. Creates no atoms itself.
-module(erlrc_room).

-export([check/1, is_short/0, free/0]).

%% With fewer free atoms than this, files are read only if there is no other way.
-define(SHORT, 20000).

%% @doc Whether all these modules can be loaded. Each atom takes at least one byte of the file, even compressed; which
%% ones exist already is counted only if the room may be short.
-spec check([binary()]) -> ok | {error, {too_many_new_atoms, non_neg_integer()}}.
check(Beams) ->
    Free = free(),
    case iolist_size(Beams) =< Free orelse fits([chunks(Beam) || Beam <- Beams], Free) of
        true -> ok;
        false -> {error, {too_many_new_atoms, Free}}
    end.

fits(Chunks, Free) ->
    lists:sum([most(Each) || Each <- Chunks]) =< Free orelse new(Chunks) =< Free.

%% @doc Whether the atom table is almost full.
-spec is_short() -> boolean().
is_short() ->
    free() < ?SHORT.

%% @doc The number of atoms that still fit. The emulator rounds its limit up.
-spec free() -> non_neg_integer().
free() ->
    max(0, erlang:system_info(atom_limit) - erlang:system_info(atom_count)).

%% The atom table and the literals, as they are in the file.
chunks(Beam) ->
    case beam_lib:chunks(Beam, ["AtU8", "LitT"], [allow_missing_chunks]) of
        {ok, {_, [{_, Atoms}, {_, Literals}]}} -> {names(Atoms), Literals};
        {error, beam_lib, _} -> {[], missing_chunk}
    end.

%% From OTP 28 on the count is negative, and lengths are compact terms.
names(Chunk) ->
    case erlrc_bytes:number(Chunk, 0, 4) of
        {ok, Count} when Count < 16#80000000 -> erlrc_bytes:blocks(erlrc_bytes:rest(Chunk, 4), 1);
        {ok, _} -> packed(Chunk, 4);
        none -> []
    end.

%% If the fifth bit is 0, the upper four bits are the length; if the fourth is 0 and the fifth 1, the upper three bits
%% are followed by another byte.
packed(Chunk, At) ->
    case erlrc_bytes:number(Chunk, At, 1) of
        {ok, Byte} when Byte band 2#1000 =:= 0 -> packed(Chunk, At + 1, Byte bsr 4);
        {ok, Byte} when Byte band 2#11000 =:= 2#1000 -> packed_long(Chunk, At + 1, Byte bsr 5);
        _ -> []
    end.

packed_long(Chunk, At, High) ->
    case erlrc_bytes:number(Chunk, At, 1) of
        {ok, Low} -> packed(Chunk, At + 1, High * 256 + Low);
        none -> []
    end.

packed(Chunk, At, Size) ->
    case erlrc_bytes:part(Chunk, At, Size) of
        {ok, Name} -> [Name | packed(Chunk, At + Size)];
        none -> []
    end.

%% In a literal, an atom takes at least three bytes.
most({Names, missing_chunk}) ->
    length(Names);
most({Names, Literals}) ->
    case erlrc_bytes:number(Literals, 0, 4) of
        {ok, 0} -> length(Names) + (byte_size(Literals) - 4) div 3;
        {ok, Size} -> length(Names) + Size div 3;
        none -> length(Names)
    end.

new(Chunks) ->
    Names = lists:usort(lists:append([Names || {Names, _} <- Chunks])),
    length([Name || Name <- Names, not exists(Name)]) + lists:sum([in_literals(Literals) || {_, Literals} <- Chunks]).

exists(Name) ->
    try
        is_atom(binary_to_existing_atom(Name))
    catch
        error:_ -> false
    end.

%% Compressed, unless the size is 0.
in_literals(missing_chunk) ->
    0;
in_literals(Literals) ->
    case erlrc_bytes:number(Literals, 0, 4) of
        {ok, 0} -> in_table(erlrc_bytes:rest(Literals, 4));
        {ok, _} -> in_table(zlib:uncompress(erlrc_bytes:rest(Literals, 4)));
        none -> 0
    end.

%% The literals follow their count.
in_table(Table) ->
    Literals = erlrc_bytes:blocks(erlrc_bytes:rest(Table, 4), 4),
    lists:sum([tagged(Literal) || Literal <- Literals, not is_known(Literal)]).

is_known(Literal) ->
    try
        _ = binary_to_term(Literal, [safe]),
        true
    catch
        error:badarg -> false
    end.

%% An upper bound: the number of bytes that look like the beginning of an atom.
tagged(Literal) ->
    length(binary:matches(Literal, [<<$d>>, <<$s>>, <<$v>>, <<$w>>])).
