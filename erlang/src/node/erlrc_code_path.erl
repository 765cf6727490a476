%% @doc The code path as an ordered list, and loaded code compared with code in files.
-module(erlrc_code_path).

-export([absolute/0, absolute/1, reachable/0, libs/0, use/1, restore/1, member/1, leave/1]).
-export([set/1, replace/4, md5/1, ebin/1, stands_for/2, identity/1]).

-include_lib("kernel/include/file.hrl").

%% @doc The code path with absolute directories.
-spec absolute() -> [file:filename()].
absolute() ->
    [absolute(Dir) || Dir <- code:get_path()].

%% @doc The directory as an absolute one. The working directory, which another process knows, is asked for only where it
%% matters.
-spec absolute(file:filename_all()) -> file:filename().
absolute(Dir) when is_binary(Dir) ->
    absolute(unicode:characters_to_list(Dir));
absolute(Dir) ->
    case filename:pathtype(Dir) of
        absolute -> filename:absname(Dir, "/");
        _ -> filename:absname(Dir)
    end.

%% The directories in which Debian and Fedora install the applications of Elixir, which `erl' does not search.
-define(LIBRARIES, ["/usr/lib/elixir/lib", "/usr/share/elixir/lib"]).

%% @doc The code path, followed by the directories of applications that other packages have installed. Such a directory
%% is added to the code path when an application that needs it is loaded.
-spec reachable() -> [file:filename()].
reachable() ->
    Path = absolute(),
    Known = [filename:basename(filename:dirname(Ebin)) || Ebin <- Path],
    %% Other values are reported at boot.
    Libraries = [Dir || Dir <- application:get_env(erlrc, library_dirs, ?LIBRARIES), is_list(Dir) orelse is_binary(Dir)],
    Path ++ [
        Ebin
     || Library <- Libraries,
        Ebin <- filelib:wildcard(filename:join([Library, "*", "ebin"])),
        %% With `erl -pa' or ERL_LIBS the order is the choice of the administrator.
        not lists:member(filename:basename(filename:dirname(Ebin)), Known)
    ].

%% @doc The directories for which OTP itself has chosen among several versions of an application.
-spec libs() -> [file:filename()].
libs() ->
    Given = string:lexemes(os:getenv("ERL_LIBS", ""), ":"),
    [code:lib_dir() | [absolute(Dir) || Dir <- Given]].

%% @doc Makes sure that these applications are loaded from these `ebin' directories: each takes the place of other
%% directories of its application, or is added at the end. Returns the previous path, or `unchanged'.
-spec use([{atom(), file:filename_all()}]) -> unchanged | {changed, [file:filename()]}.
use([]) ->
    unchanged;
use(Wanted) ->
    Path = code:get_path(),
    Named = by_name(Path),
    Absolute = [{atom_to_list(App), absolute(Ebin)} || {App, Ebin} <- Wanted],
    case [{Dir, Old} || {Name, Dir} <- Absolute, {change, Old} <- [change(Name, Dir, Named, Path)]] of
        [] ->
            unchanged;
        Changes ->
            ok = set_path(changed(Path, Changes)),
            {changed, Path}
    end.

%% The directories of the path, keyed by their names up to the first hyphen.
by_name(Path) ->
    Add = fun(Dir, Acc) -> maps:update_with(name(Dir), fun(Dirs) -> [Dir | Dirs] end, [Dir], Acc) end,
    lists:foldl(Add, #{}, lists:reverse(Path)).

%% The directories that a directory replaces. A directory that is not named after its application counts for it only if
%% no other does.
change(Name, Dir, Named, Path) ->
    case [Each || Each <- maps:get(Name, Named, []), stands_for(Name, Each)] of
        [First | Old] ->
            case filename:absname(First) of
                Dir -> unchanged;
                _ -> {change, [First | Old]}
            end;
        [] ->
            case lists:member(Dir, Path) of
                true -> unchanged;
                false -> {change, [Each || Each <- Path, holds(Name, Each)]}
            end
    end.

changed(Path, Changes) ->
    Firsts = maps:from_list([{Old, Dir} || {Dir, [Old | _]} <- Changes]),
    Gone = maps:from_keys(lists:append([[Dir | Old] || {Dir, Old} <- Changes]), gone),
    Kept = lists:append([
        case Firsts of
            #{Dir := New} -> [New];
            #{} when is_map_key(Dir, Gone) -> [];
            #{} -> [Dir]
        end
     || Dir <- Path
    ]),
    Kept ++ [Dir || {Dir, []} <- Changes].

name(Dir) ->
    lists:takewhile(fun(Char) -> Char =/= $- end, application_directory(Dir)).

%% `foo-1.0' for `.../foo-1.0/ebin'.
application_directory(Dir) ->
    case filename:basename(Dir) of
        "ebin" -> filename:basename(filename:dirname(filename:absname(Dir)));
        Other -> Other
    end.

%% @doc Whether a directory of the code path holds a version of an application: it is named after it, and holds its
%% `.app' file unless the directory is gone. `foo-plugin' is not a version of foo.
-spec stands_for(string(), file:filename()) -> boolean().
stands_for(Name, Dir) ->
    Directory = application_directory(Dir),
    (Directory =:= Name orelse lists:prefix(Name ++ "-", Directory)) andalso
        (holds(Name, Dir) orelse not filelib:is_dir(Dir)).

holds(Name, Dir) ->
    filelib:is_regular(filename:join(Dir, Name ++ ".app")).

%% @doc Undoes {@link use/1}.
-spec restore(unchanged | {changed, [file:filename()]}) -> ok.
restore(unchanged) -> ok;
restore({changed, Path}) -> set_path(Path).

%% @doc Whether the `ebin' directory of an application directory is on the code path.
-spec member(file:filename()) -> boolean().
member(Dir) ->
    lists:member(filename:join(Dir, "ebin"), absolute()).

%% @doc Removes an application directory from the code path.
-spec leave(file:filename()) -> ok.
leave(Dir) ->
    Ebin = filename:join(Dir, "ebin"),
    _ = [code:del_path(Entry) || Entry <- code:get_path(), filename:absname(Entry) =:= Ebin],
    ok.

%% The code server refuses a whole path that contains a missing directory.
set_path(Path) ->
    case code:set_path(Path) of
        true ->
            ok;
        {error, bad_directory} ->
            true = code:set_path([Dir || Dir <- Path, filelib:is_dir(Dir)]),
            ok
    end.

%% @doc Sets the code path, unless it is the same already.
-spec set([file:filename()]) -> ok.
set(Path) ->
    case code:get_path() of
        Path -> ok;
        _ -> set_path(Path)
    end.

%% @doc The path with the directory of one version of an application in the place of the directory of the other version;
%% at the front if the path contains neither.
-spec replace(atom(), From :: file:filename(), To :: file:filename(), [file:filename()]) -> [file:filename()].
replace(App, From, To, Path) ->
    New = ebin(To),
    Without = [Dir || Dir <- Path, Dir =/= New],
    Old = ebin(From),
    case lists:member(Old, Without) of
        true -> in_place(Old, New, Without);
        false -> by_name(App, New, Path, Without)
    end.

by_name(App, New, Path, Without) ->
    case lists:member(New, Path) of
        true ->
            Path;
        false ->
            Name = atom_to_list(App),
            case [Dir || Dir <- Without, filename:basename(Dir) =:= "ebin", stands_for(Name, Dir)] of
                [Old | _] -> in_place(Old, New, Without);
                [] -> [New | Without]
            end
    end.

in_place(Old, New, Path) ->
    [case Dir of Old -> New; _ -> Dir end || Dir <- Path].

%% @doc The `ebin' directory of an application directory.
-spec ebin(file:filename_all()) -> file:filename_all().
ebin(Dir) ->
    filename:join(Dir, "ebin").

%% @doc The digest that `Module:module_info(md5)' gives when this object code is loaded.
-spec md5(binary()) -> {ok, binary()} | error.
md5(Beam) ->
    case beam_lib:md5(Beam) of
        {ok, {_, Digest}} -> {ok, Digest};
        {error, beam_lib, _} -> error
    end.

%% @doc What tells a directory from others: it has many names, relative ones and others through links.
-spec identity(file:filename()) -> {Device :: term(), Inode :: term()} | file:filename().
identity(Dir) ->
    case file:read_file_info(Dir) of
        {ok, #file_info{major_device = Device, inode = Inode}} -> {Device, Inode};
        {error, _} -> filename:absname(Dir)
    end.
