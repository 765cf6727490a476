%% @doc By which release of OTP a module's file was compiled, for people. A file that this release cannot read is taken
%% apart as far as it is the same in all of them.
-module(erlrc_compiler).

-export([made_by/1]).

%% What is said of the compilation has options and a path.
-define(LARGEST, 65536).

%% @doc Where that can be told, as the end of a sentence.
-spec made_by(file:filename()) -> iodata().
made_by(File) ->
    case file:read_file(File) of
        {ok, Beam} -> said(info(plain(Beam)));
        {error, _} -> ""
    end.

plain(Beam) ->
    try
        case erlrc_bytes:starts_with(Beam, <<31, 139>>) of
            true -> zlib:gunzip(Beam);
            false -> Beam
        end
    catch
        error:_ -> <<>>
    end.

%% "FOR1", a size and "BEAM" come before the chunks.
info(Beam) ->
    case erlrc_bytes:starts_with(Beam, <<"FOR1">>) andalso erlrc_bytes:part(Beam, 8, 4) of
        {ok, <<"BEAM">>} -> chunk(Beam, 12);
        _ -> []
    end.

%% A name and a size come before what is in a chunk, and up to three bytes behind it.
chunk(Beam, At) ->
    case {erlrc_bytes:part(Beam, At, 4), erlrc_bytes:number(Beam, At + 4, 4)} of
        {{ok, <<"CInf">>}, {ok, Size}} -> compile_info(erlrc_bytes:part(Beam, At + 8, Size));
        {{ok, _}, {ok, Size}} -> chunk(Beam, At + 8 + ((Size + 3) band bnot 3));
        _ -> []
    end.

compile_info({ok, Info}) when byte_size(Info) < ?LARGEST ->
    try binary_to_term(Info) of
        [_ | _] = List -> List;
        _ -> []
    catch
        error:badarg -> []
    end;
compile_info(_) ->
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
