%% @doc By which release of OTP a module's file was compiled, for people. A file that this release cannot read is taken
%% apart as far as it is the same in all of them.
-module(erlrc_compiler).

-export([made_by/1]).

%% @doc Where that can be told, as the end of a sentence.
-spec made_by(file:filename()) -> iodata().
made_by(File) ->
    case file:read_file(File) of
        {ok, Beam} -> said(info(plain(Beam)));
        {error, _} -> ""
    end.

plain(<<31, 139, _/binary>> = Packed) ->
    try
        zlib:gunzip(Packed)
    catch
        error:_ -> <<>>
    end;
plain(Beam) ->
    Beam.

info(<<"FOR1", _:32, "BEAM", Chunks/binary>>) -> chunk(Chunks);
info(_) -> [].

chunk(<<"CInf", Size:32, Info:Size/binary, _/binary>>) ->
    try binary_to_term(Info) of
        [_ | _] = List -> List;
        _ -> []
    catch
        error:badarg -> []
    end;
chunk(<<_:4/binary, Size:32, Rest/binary>>) ->
    Padded = (Size + 3) band bnot 3,
    case Rest of
        <<_:Padded/binary, More/binary>> -> chunk(More);
        _ -> []
    end;
chunk(_) ->
    [].

said(Info) ->
    try [list_to_integer(Part) || Part <- string:lexemes(proplists:get_value(version, Info), ".")] of
        [Major, Minor | _] -> ["; it was compiled by OTP ", integer_to_list(release(Major, Minor))];
        _ -> ""
    catch
        error:_ -> ""
    end.

%% The versions of the application compiler.
release(8, Minor) when Minor >= 5 -> 27;
release(8, Minor) when Minor >= 3 -> 26;
release(8, 2) -> 25;
release(8, 1) -> 24;
release(8, 0) -> 24;
release(7, 6) -> 23;
release(Major, _) when Major > 8 -> Major + 19;
release(_, _) -> 22.
