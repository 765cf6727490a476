%% @doc The code path as a list whose order matters, and what is loaded against what lies in files.
-module(erlrc_code_path).

-export([set/1, replace/4, md5/1, ebin/1]).

%% @doc Makes this the code path, if it is not already.
-spec set([file:filename()]) -> ok.
set(Path) ->
    case code:get_path() of
        Path -> ok;
        _ -> erlrc_node:restore_path({changed, Path})
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
-spec ebin(file:filename()) -> file:filename().
ebin(Dir) ->
    filename:join(Dir, "ebin").

%% @doc The digest that `Module:module_info(md5)' gives when this object code is loaded.
-spec md5(binary()) -> {ok, binary()} | error.
md5(Beam) ->
    case beam_lib:md5(Beam) of
        {ok, {_, Digest}} -> {ok, Digest};
        {error, beam_lib, _} -> error
    end.
