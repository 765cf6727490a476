%% @doc Finds out, for messages, which release of OTP compiled the file of a module. A file that this release cannot
%% read is parsed as far as its format is the same in all releases.
-module(erlrc_compiler).

-export([made_by/1]).

%% The compile information contains options and a path.
-define(LARGEST, 65536).

%% @doc The end of a sentence that names the release, empty if it cannot be determined.
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

%% A chunk has a name and a size before its content, and up to three bytes of padding after it.
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

%% The versions of the application compiler, with their releases.
release(8, Minor) when Minor >= 5 -> 27;
release(8, Minor) when Minor >= 3 -> 26;
release(8, 2) -> 25;
release(8, 1) -> 24;
release(8, 0) -> 24;
release(7, 6) -> 23;
release(Major, _) when Major > 8 -> Major + 19;
release(_, _) -> 22.
