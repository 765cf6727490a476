%% @doc Native libraries of applications that the node has mapped, as Linux lists them.
%%
%% A library stays mapped until the code that loaded it is purged. Where a module is not replaced, nothing loads the library
%% of a new version, and the earlier one runs on.
-module(erlrc_mapped).

-export([read/0, old/3]).
-export_type([mapped/0]).

%% Paths; the file that Linux calls deleted is gone, though another may have its name now.
-type mapped() :: #{file:filename() => there | deleted}.

%% A larger file is not compared.
-define(MOST_BYTES, 67108864).

%% @doc What the node has mapped; nothing where the system does not tell.
-spec read() -> mapped().
read() ->
    case file:read_file("/proc/self/maps") of
        {ok, Lines} -> maps:from_list(lists:append([library(Line) || Line <- binary:split(Lines, <<"\n">>, [global])]));
        {error, _} -> #{}
    end.

library(Line) ->
    case binary:match(Line, <<"/">>) of
        {Start, _} -> path(unicode:characters_to_list(binary:part(Line, Start, byte_size(Line) - Start)));
        nomatch -> []
    end.

path(Text) when is_list(Text) ->
    {Path, State} =
        case string:split(Text, " (deleted)", trailing) of
            [Gone, ""] -> {Gone, deleted};
            _ -> {Text, there}
        end,
    [{Path, State} || string:find(filename:basename(Path), ".so") =/= nomatch];
path(_NoText) ->
    [].

%% @doc The libraries of an application in this directory that come from another one, and in whose place the directory has
%% another. Of a file that is gone nobody knows whether it was another: a package that is installed again has the same.
-spec old(mapped(), atom(), file:filename()) -> [binary()].
old(Mapped, App, Dir) ->
    Own = [{Name, Of, Path, State} || {Path, State} <- maps:to_list(Mapped), {Of, Name} <- part(App, Path)],
    Directory = erlrc_code_path:identity(Dir),
    Here = [Name || {Name, Of, _, there} <- Own, erlrc_code_path:identity(Of) =:= Directory],
    lists:sort([
        unicode:characters_to_binary(Path)
     || {Name, _, Path, State} <- Own, not lists:member(Name, Here), is_other(Path, State, filename:join([Dir, "priv", Name]))
    ]).

%% The directory of the application, and the name below its priv.
part(App, Path) ->
    case string:split(Path, "/priv/") of
        [Dir, Name] -> [{Dir, Name} || erlrc_code_path:stands_for(atom_to_list(App), filename:join(Dir, "ebin"))];
        [_] -> []
    end.

is_other(Path, there, New) -> filelib:is_regular(New) andalso content(Path) =/= content(New);
is_other(_Path, deleted, _New) -> false.

content(Path) ->
    filelib:file_size(Path) =< ?MOST_BYTES andalso file:read_file(Path).
