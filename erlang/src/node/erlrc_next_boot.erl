%% @doc What a restart of the node begins with: the applications in its boot script, as the script lies on the disk now.
%%
%% A release has a version of each of its applications in there, and goes back to it whatever runs by then. The script of
%% a node that {@link erlrc_boot} boots has OTP's own applications alone. What cannot be read is `unknown'.
-module(erlrc_next_boot).

-export([read/0, other/3]).
-export_type([next/0, other/0]).

-type next() :: #{release := unicode:chardata(), script := file:filename(), applications := #{atom() => string()}} | unknown.
%% The version that a restart brings, the name and version of the release, and its boot script.
-type other() :: #{vsn := binary(), release := binary(), script := binary()}.

%% A larger file is no boot script.
-define(MOST_BYTES, 8388608).

%% @doc What the boot script has.
-spec read() -> next().
read() ->
    first([current(File) || File <- booted()]).

%% @doc The version of an application that a restart brings, where it is another one.
-spec other(next(), atom(), string()) -> [other()].
other(#{release := Release, script := Script, applications := Applications}, App, Vsn) ->
    [
        #{vsn => text(Other), release => text(Release), script => text(Script)}
     || #{App := Other} <- [Applications], Other =/= Vsn
    ];
other(unknown, _App, _Vsn) ->
    [].

%% As init(3) looks for it; of several arguments the first counts.
booted() ->
    Root = filename:join(code:root_dir(), "bin"),
    case init:get_argument(boot) of
        {ok, [[Boot | _] | _]} -> [Boot ++ ".boot", filename:join(Root, Boot ++ ".boot")];
        _ -> [filename:join(Root, "start.boot")]
    end.

%% The scripts of a release begin the version that start_erl.data names, which may have been installed since.
current(File) ->
    Dir = filename:dirname(filename:absname(File)),
    Releases = filename:dirname(Dir),
    Data = filename:basename(Releases) =:= "releases" andalso file:read_file(filename:join(Releases, "start_erl.data")),
    case Data of
        {ok, Bytes} -> current(File, Releases, string:lexemes(binary_to_list(Bytes), " \r\n"));
        _ -> File
    end.

current(File, Releases, [_Erts, Vsn | _]) -> filename:join([Releases, Vsn, filename:basename(File)]);
current(File, _Releases, _Other) -> File.

first([File | Files]) ->
    case filelib:file_size(File) =< ?MOST_BYTES andalso file:read_file(File) of
        {ok, Bytes} -> script(File, Bytes);
        _ -> first(Files)
    end;
first([]) ->
    unknown.

script(File, Bytes) ->
    try
        {script, {Name, Vsn}, Instructions} = binary_to_term(Bytes),
        Loaded = [
            {App, AppVsn}
         || {apply, {application, load, [{application, App, Keys}]}} <- Instructions, {vsn, AppVsn} <- Keys
        ],
        #{release => [Name, " ", Vsn], script => File, applications => maps:from_list(Loaded)}
    catch
        error:_ -> unknown
    end.

text(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> <<"?">>
    end.
