%% @doc What beam_lib says about the modules of this OTP, for beam_oracle.rs to compare with.
%%
%% One line for each file: path, then digests of what is in it. Sets are compared as the MD5 of their
%% sorted elements, so that lines stay short and no quoting is needed.
-module(beam_oracle).

-export([main/1]).

-spec main([string()]) -> no_return().
main([Out, Scratch]) ->
    Files = lists:usort(filelib:wildcard(filename:join([code:lib_dir(), "**", "*.beam"]))),
    {ok, Device} = file:open(Out, [write, raw, delayed_write]),
    Numbered = lists:zip(lists:seq(1, length(Files)), Files),
    lists:foreach(fun(Pair) -> module(Device, Scratch, Pair) end, Numbered),
    ok = file:close(Device),
    halt(0).

module(Device, Scratch, {Number, File}) ->
    {ok, Binary} = read(File),
    line(Device, File, Binary),
    %% Variants of some: all of them would take minutes.
    case Number rem 8 of
        0 -> variants(Device, Scratch, Number, Binary);
        _ -> ok
    end.

variants(Device, Scratch, Number, Binary) ->
    {ok, {Module, Stripped}} = beam_lib:strip(Binary),
    Name = atom_to_list(Module) ++ "." ++ integer_to_list(Number),
    lists:foreach(
        fun({Suffix, Variant}) ->
            File = filename:join(Scratch, Name ++ Suffix),
            ok = file:write_file(File, Variant),
            line(Device, File, Variant)
        end,
        [{".stripped", Stripped}, {".gz", zlib:gzip(Binary)}]
    ).

read(File) ->
    file:read_file(File).

line(Device, File, Binary) ->
    {ok, {Module, Md5}} = beam_lib:md5(Binary),
    {ok, {Module, [{exports, Exports}, {imports, Imports}, {attributes, Attributes}]}} =
        beam_lib:chunks(Binary, [exports, imports, attributes], [allow_missing_chunks]),
    Fields = [
        unicode:characters_to_binary(File),
        atom_to_binary(Module),
        hex(Md5),
        set([[name(F), $/, integer_to_list(A)] || {F, A} <- Exports]),
        set([[name(M), $:, name(F), $/, integer_to_list(A)] || {M, F, A} <- Imports]),
        attributes(Attributes)
    ],
    ok = file:write(Device, [lists:join($\t, Fields), $\n]).

name(Atom) ->
    atom_to_binary(Atom).

set(Elements) ->
    hex(erlang:md5(lists:join($\n, lists:sort([iolist_to_binary(E) || E <- Elements])))).

attributes(missing_chunk) ->
    "stripped";
attributes(Attributes) ->
    unicode:characters_to_binary(io_lib:format("~0tp", [Attributes])).

hex(Binary) ->
    [io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Binary].
