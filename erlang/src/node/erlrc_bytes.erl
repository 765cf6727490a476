%% @doc Reads numbers and parts of binaries with functions instead of patterns. OTP 29 refuses to load what OTP 25
%% compiles from a pattern such as `<<Size:32, Rest/binary>>', and erlrc is compiled once for all releases.
-module(erlrc_bytes).

-export([starts_with/2, number/3, part/3, rest/2, blocks/2, chunks/2]).

%% @doc Chunks of a BEAM file, as `beam_lib:chunks/2' gives them. The file is read first: of its name beam_lib would make an
%% atom, which a long path cannot be.
-spec chunks(file:filename(), [beam_lib:chunkref()]) ->
    {ok, {module(), [beam_lib:chunkdata()]}} | {error, beam_lib, term()}.
chunks(File, Chunks) ->
    case file:read_file(File) of
        {ok, Beam} -> beam_lib:chunks(Beam, Chunks);
        {error, Why} -> {error, beam_lib, {file_error, File, Why}}
    end.

%% @doc Whether a binary begins with another one.
-spec starts_with(binary(), binary()) -> boolean().
starts_with(Binary, Prefix) ->
    part(Binary, 0, byte_size(Prefix)) =:= {ok, Prefix}.

%% @doc The unsigned number in this many bytes at a position, the highest byte first.
-spec number(binary(), non_neg_integer(), pos_integer()) -> {ok, non_neg_integer()} | none.
number(Binary, At, Size) ->
    case part(Binary, At, Size) of
        {ok, Part} -> {ok, binary:decode_unsigned(Part)};
        none -> none
    end.

%% @doc This many bytes at a position, if they exist.
-spec part(binary(), non_neg_integer(), non_neg_integer()) -> {ok, binary()} | none.
part(Binary, At, Size) when At + Size =< byte_size(Binary) -> {ok, binary:part(Binary, At, Size)};
part(_Binary, _At, _Size) -> none.

%% @doc Everything from a position on.
-spec rest(binary(), non_neg_integer()) -> binary().
rest(Binary, At) when At =< byte_size(Binary) -> binary:part(Binary, At, byte_size(Binary) - At);
rest(_Binary, _At) -> <<>>.

%% @doc The blocks of a binary, each preceded by its size in this many bytes; stops at the first incomplete block.
-spec blocks(binary(), pos_integer()) -> [binary()].
blocks(Binary, Digits) -> blocks(Binary, Digits, 0).

blocks(Binary, Digits, At) ->
    case number(Binary, At, Digits) of
        {ok, Size} -> block(Binary, Digits, At + Digits, Size);
        none -> []
    end.

block(Binary, Digits, At, Size) ->
    case part(Binary, At, Size) of
        {ok, Block} -> [Block | blocks(Binary, Digits, At + Size)];
        none -> []
    end.
