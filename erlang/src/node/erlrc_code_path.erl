%% @doc The code path as a list whose order matters, and what is loaded against what lies in files.
-module(erlrc_code_path).

-export([absolute/0, libs/0, use/1, restore/1, member/1, leave/1]).
-export([set/1, replace/4, md5/1, ebin/1]).

%% @doc The code path, every directory absolute.
-spec absolute() -> [file:filename()].
absolute() ->
    [filename:absname(Dir) || Dir <- code:get_path()].

%% @doc Where OTP has chosen among the versions of an application itself.
-spec libs() -> [file:filename()].
libs() ->
    Given = string:lexemes(os:getenv("ERL_LIBS", ""), ":"),
    [code:lib_dir() | [filename:absname(Dir) || Dir <- Given]].

%% @doc Makes sure that these `ebin' directories are where these applications are loaded from: each
%% takes the place of other directories of its application, else it comes last. Answers the path as
%% it was, or `unchanged'.
-spec use([{atom(), file:filename_all()}]) -> unchanged | {changed, [file:filename()]}.
use([]) ->
    unchanged;
use(Wanted) ->
    Path = code:get_path(),
    %% The first directory of each application on the path.
    Named = [{application_of(Dir), filename:absname(Dir)} || Dir <- lists:reverse(Path)],
    First = maps:from_list(Named),
    Absolute = [{atom_to_list(App), absolute(Ebin)} || {App, Ebin} <- Wanted],
    case [Change || Change <- Absolute, changes(Change, First, Path)] of
        [] ->
            unchanged;
        Changes ->
            ok = set_path(put(Path, maps:from_list(Changes), Changes)),
            {changed, Path}
    end.

%% A directory that is not named after its application stands for it where no other does.
changes({Name, Dir}, First, Path) ->
    case First of
        #{Name := Dir} -> false;
        #{Name := _} -> true;
        #{} -> not lists:member(Dir, Path)
    end.

absolute(Ebin) ->
    filename:absname(unicode:characters_to_list(Ebin)).

put([Dir | Path], New, Changes) ->
    Name = application_of(Dir),
    case New of
        #{Name := used} -> put(Path, New, Changes);
        #{Name := Ebin} -> [Ebin | put(Path, New#{Name := used}, Changes)];
        #{} -> [Dir | put(Path, New, Changes)]
    end;
put([], New, Changes) ->
    [Dir || {Name, Dir} <- Changes, map_get(Name, New) =/= used].

%% As the code server names directories: `foo' of `.../foo-1.0/ebin'.
application_of(Dir) ->
    Base =
        case filename:basename(Dir) of
            "ebin" -> filename:basename(filename:dirname(filename:absname(Dir)));
            Other -> Other
        end,
    lists:takewhile(fun(Char) -> Char =/= $- end, Base).

%% @doc Undoes {@link use/1}.
-spec restore(unchanged | {changed, [file:filename()]}) -> ok.
restore(unchanged) -> ok;
restore({changed, Path}) -> set_path(Path).

%% @doc Whether the `ebin' directory of an application directory is on the code path.
-spec member(file:filename()) -> boolean().
member(Dir) ->
    lists:member(filename:join(Dir, "ebin"), absolute()).

%% @doc Takes an application directory off the code path.
-spec leave(file:filename()) -> ok.
leave(Dir) ->
    Ebin = filename:join(Dir, "ebin"),
    _ = [code:del_path(Entry) || Entry <- code:get_path(), filename:absname(Entry) =:= Ebin],
    ok.

%% A path with a directory that is gone is refused as a whole.
set_path(Path) ->
    case code:set_path(Path) of
        true ->
            ok;
        {error, bad_directory} ->
            true = code:set_path([Dir || Dir <- Path, filelib:is_dir(Dir)]),
            ok
    end.

%% @doc Makes this the code path, if it is not already.
-spec set([file:filename()]) -> ok.
set(Path) ->
    case code:get_path() of
        Path -> ok;
        _ -> set_path(Path)
    end.

%% @doc The path with the directory of one version of an application in the place of that of the other, or in front
%% where the path knows neither.
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
            case [Dir || Dir <- Without, names(Dir, App)] of
                [Old | _] -> in_place(Old, New, Without);
                [] -> [New | Without]
            end
    end.

in_place(Old, New, Path) ->
    [case Dir of Old -> New; _ -> Dir end || Dir <- Path].

names(Ebin, App) ->
    Parent = filename:basename(filename:dirname(Ebin)),
    Name = atom_to_list(App),
    filename:basename(Ebin) =:= "ebin" andalso
        (Parent =:= Name orelse lists:prefix(Name ++ "-", Parent)).

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
