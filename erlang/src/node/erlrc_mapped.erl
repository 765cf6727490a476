%% @doc Native libraries of applications that the node has mapped, as Linux lists them.
%%
%% A library stays mapped until the code that loaded it is purged. Where a module is not replaced, nothing loads the library
%% of a new version, and the earlier one runs on.
-module(erlrc_mapped).

-export([read/0, old/3]).

%% A larger file is not compared.
-define(MOST_BYTES, 67108864).

%% @doc What the node has mapped; nothing where the system does not tell.
-spec read() -> [file:filename()].
read() ->
    case file:read_file("/proc/self/maps") of
        {ok, Lines} -> lists:usort(lists:append([library(Line) || Line <- binary:split(Lines, <<"\n">>, [global])]));
        {error, _} -> []
    end.

library(Line) ->
    case binary:match(Line, <<"/">>) of
        {Start, _} -> path(unicode:characters_to_list(binary:part(Line, Start, byte_size(Line) - Start)));
        nomatch -> []
    end.

%% Of a file that is gone nobody knows what it was, though another may have its name now: a package that is installed again
%% has the same.
path(Path) when is_list(Path) ->
    Name = filename:basename(Path),
    [Path || string:find(Name, ".so") =/= nomatch, string:find(Name, " (deleted)", trailing) =/= " (deleted)"];
path(_NoText) ->
    [].

%% @doc The libraries of an application in this directory that come from another one, and in whose place the directory has
%% another.
-spec old([file:filename()], atom(), file:filename()) -> [binary()].
old(Mapped, App, Dir) ->
    among([{Name, Of, Path} || Path <- Mapped, {Of, Name} <- part(App, Path)], Dir).

among([], _Dir) ->
    [];
among(Own, Dir) ->
    Directory = erlrc_code_path:identity(Dir),
    Here = [Name || {Name, Of, _} <- Own, erlrc_code_path:identity(Of) =:= Directory],
    [
        unicode:characters_to_binary(Path)
     || {Name, _, Path} <- Own, not lists:member(Name, Here), is_other(Path, filename:join([Dir, "priv", Name]))
    ].

%% The directory of the application, and the name below its priv.
part(App, Path) ->
    case string:split(Path, "/priv/") of
        [Dir, Name] -> [{Dir, Name} || erlrc_code_path:stands_for(atom_to_list(App), filename:join(Dir, "ebin"))];
        [_] -> []
    end.

is_other(Path, New) ->
    filelib:is_regular(New) andalso content(Path) =/= content(New).

content(Path) ->
    filelib:file_size(Path) =< ?MOST_BYTES andalso file:read_file(Path).
