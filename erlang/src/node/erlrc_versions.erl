%% @doc The versions of an application that this node finds, and their directories: the loaded one, the one in the
%% metadata, those on the code path, those beside it and in library directories, and those in the stash. This module
%% answers for operations and plans alike which directory is meant.
-module(erlrc_versions).

-export([find/1, directory/2, old_directory/2, old_side/2, loaded/1]).
-export_type([found/0, source/0]).

-type source() :: loaded | metadata | path | library | stash.
-type found() :: #{vsn := string(), dir := file:filename(), source := source()}.

%% @doc Every version that is found, the preferred one first, each directory once.
-spec find(atom()) -> [found()].
find(App) ->
    Sources = [loaded, metadata, path, library, stash],
    distinct([Found || Source <- Sources, Found <- found(Source, App)], []).

distinct([#{dir := Dir} = Found | Others], Seen) ->
    case lists:member(Dir, Seen) of
        true -> distinct(Others, Seen);
        false -> [Found | distinct(Others, [Dir | Seen])]
    end;
distinct([], _Seen) ->
    [].

%% @doc The directory of a version: the one in the metadata, or else where the node finds it, on its code path or in a
%% library directory. If it is nowhere, the directory that it would have.
-spec directory(atom(), string()) -> file:filename().
directory(App, Vsn) ->
    case metadata(App) of
        [#{vsn := Vsn, dir := Dir}] -> Dir;
        _ -> first([loaded, path, library], App, Vsn, conventional(App, Vsn))
    end.

%% @doc The directory of the version that is to be left: first of all, where the node has loaded it from.
-spec old_directory(atom(), string()) -> file:filename().
old_directory(App, Vsn) ->
    case {found(loaded, App), loaded(App)} of
        {[#{vsn := Vsn, dir := Dir}], _} ->
            Dir;
        {_, {ok, Vsn, Gone}} ->
            Dir = directory(App, Vsn),
            case holds(App, Dir) of
                {ok, Vsn} -> Dir;
                _ -> Gone
            end;
        _ ->
            directory(App, Vsn)
    end.

%% @doc The directory that shows the version that is to be left: its own one, or the copy in the stash.
-spec old_side(atom(), string()) -> {directory | stash, file:filename()} | gone.
old_side(App, Vsn) ->
    Dir = old_directory(App, Vsn),
    Kept = erlrc_old_side:stash(App, Vsn),
    case {holds(App, Dir), holds(App, Kept)} of
        {{ok, Vsn}, _} -> {directory, Dir};
        {_, {ok, Vsn}} -> {stash, Kept};
        _ -> gone
    end.

%% @doc The loaded version and the directory that it was loaded from, which may be gone by now.
-spec loaded(atom()) -> {ok, string(), file:filename()} | {ok, string(), unknown} | none.
loaded(App) ->
    case erlrc_node:vsn(App) of
        undefined -> none;
        {ok, Vsn} -> {ok, Vsn, origin(App, Vsn, origins(App))}
    end.

%% The first directory that holds the version; if none does any more, the first that a module was loaded from.
origin(App, Vsn, Origins) ->
    case [Dir || {_, Dir} <- Origins, holds(App, Dir) =:= {ok, Vsn}] of
        [Dir | _] -> Dir;
        [] -> proplists:get_value(module, Origins, proplists:get_value(path, Origins, unknown))
    end.

origins(App) ->
    File = [{file, above(Name)} || Name <- [code:where_is_file(atom_to_list(App) ++ ".app")], is_list(Name)],
    Path = [{path, filename:absname(Dir)} || Dir <- [code:lib_dir(App)], is_list(Dir)],
    Modules = [{module, above(Name)} || {_, Name} <- lists:map(fun code:is_loaded/1, erlrc_node:modules(App)), is_list(Name), Name =/= ""],
    File ++ Path ++ lists:sublist(Modules, 1).

%% `.../foo-1.0/ebin/foo.app' -> `.../foo-1.0'.
above(File) ->
    filename:dirname(filename:dirname(filename:absname(File))).

first([Source | Sources], App, Vsn, Default) ->
    case [Dir || #{vsn := Found, dir := Dir} <- found(Source, App), Found =:= Vsn] of
        [Dir | _] -> Dir;
        [] -> first(Sources, App, Vsn, Default)
    end;
first([], _App, _Vsn, Default) ->
    Default.

conventional(App, Vsn) ->
    filename:join(code:lib_dir(), atom_to_list(App) ++ "-" ++ Vsn).

found(loaded, App) ->
    case loaded(App) of
        {ok, Vsn, Dir} when Dir =/= unknown -> [Found || #{vsn := Known} = Found <- held(App, loaded, [Dir]), Known =:= Vsn];
        _ -> []
    end;
found(metadata, App) ->
    metadata(App);
found(path, App) ->
    held(App, path, [filename:dirname(Ebin) || Ebin <- on_path(App)]);
found(library, App) ->
    Beside = [filename:dirname(filename:dirname(Ebin)) || Ebin <- on_path(App)],
    Libraries = lists:uniq(Beside ++ erlrc_code_path:libs()),
    held(App, library, lists:append([named(App, Library) || Library <- Libraries]));
found(stash, App) ->
    held(App, stash, named(App, erlrc_node:stash_dir())).

%% The directory that the package has installed; the reader has to check whether it exists.
metadata(App) ->
    case erlrc_engine:consult(filename:join(erlrc_node:apps_dir(), atom_to_list(App))) of
        {ok, [{App, Vsn, Dir}]} -> [#{vsn => Vsn, dir => absolute(Dir), source => metadata}];
        _ -> []
    end.

on_path(App) ->
    File = atom_to_list(App) ++ ".app",
    [Ebin || Ebin <- erlrc_code_path:absolute(), filename:basename(Ebin) =:= "ebin", is_file(filename:join(Ebin, File))].

is_file(File) ->
    case file:read_file_info(File, [raw]) of
        {ok, _} -> true;
        {error, _} -> false
    end.

%% The directories `App' and `App-Vsn' of a library directory, the latest version first.
named(App, Library) ->
    Names = case file:list_dir(Library) of {ok, Listed} -> Listed; {error, _} -> [] end,
    Prefix = atom_to_list(App) ++ "-",
    Own = [Name || Name <- Names, Name =:= atom_to_list(App) orelse lists:prefix(Prefix, Name)],
    Later = fun(A, B) -> erlrc_engine:compare_vsn(vsn_of(Prefix, A), vsn_of(Prefix, B)) =/= lt end,
    [filename:join(Library, Name) || Name <- lists:sort(Later, Own)].

vsn_of(Prefix, Name) ->
    case string:prefix(Name, Prefix) of nomatch -> ""; Vsn -> Vsn end.

%% The directories that hold the application, whatever their names.
held(App, Source, Dirs) ->
    [#{vsn => Vsn, dir => Dir, source => Source} || Dir <- Dirs, {ok, Vsn} <- [holds(App, Dir)]].

%% The version in the directory of an application.
holds(_App, unknown) ->
    none;
holds(App, Dir) ->
    case erlrc_engine:consult(filename:join([Dir, "ebin", atom_to_list(App) ++ ".app"])) of
        {ok, [{application, App, Keys}]} -> stated(proplists:get_value(vsn, Keys));
        _ -> none
    end.

stated(Vsn) when is_list(Vsn) -> {ok, Vsn};
stated(_) -> none.

absolute(Dir) when is_binary(Dir) -> absolute(unicode:characters_to_list(Dir));
absolute(Dir) -> filename:absname(Dir).
