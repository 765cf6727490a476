%% @doc Native libraries of applications that the node has mapped, as Linux lists them.
%%
%% A library stays mapped until the code that loaded it is purged. Where a module is not replaced, nothing loads the library
%% of a new version, and the earlier one runs on.
-module(erlrc_mapped).

-export([read/0, old/3]).
-export_type([mapped/0]).

%% A library below the directory `priv' of an application's directory: the name of that directory, its path, the name of the
%% library in `priv', and the library.
-type mapped() :: {string(), file:filename(), file:filename(), library()}.
%% A path, whether its file is there still, and where what nobody writes to is mapped: address, size, place in the file.
-type library() :: {file:filename(), there | deleted, [{non_neg_integer(), non_neg_integer(), non_neg_integer()}]}.

-define(DELETED, " (deleted)").
%% More of a library is not compared.
-define(MOST_BYTES, 67108864).

%% @doc What the node has mapped of applications; nothing where the system does not tell.
-spec read() -> [mapped()].
read() ->
    case file:read_file("/proc/self/maps") of
        {ok, Lines} ->
            Parts = lists:append([part(Line) || Line <- binary:split(Lines, <<"\n">>, [global])]),
            Ranges = maps:groups_from_list(fun({File, _}) -> File end, fun({_, Range}) -> Range end, Parts),
            [
                {filename:basename(Dir), Dir, Name, {Path, State, lists:append(Each)}}
             || {{Path, State}, Each} <- lists:sort(maps:to_list(Ranges)), [Dir, Name] <- [string:split(Path, "/priv/")]
            ];
        {error, _} ->
            []
    end.

part(Line) ->
    case binary:match(Line, <<"/">>) of
        {Start, _} ->
            <<Numbers:Start/binary, Path/bits>> = Line,
            [{File, range(string:lexemes(Numbers, " "))} || File <- file(unicode:characters_to_list(Path))];
        nomatch ->
            []
    end.

file(Path) when is_list(Path) ->
    [
        case lists:suffix(?DELETED, Path) of
            true -> {lists:sublist(Path, length(Path) - length(?DELETED)), deleted};
            false -> {Path, there}
        end
     || string:find(filename:basename(Path), ".so") =/= nomatch
    ];
file(_NoText) ->
    [].

%% The code, and the beginning, which may name the build. Others hold what the loader has changed.
range([Addresses, <<"r-", _/bits>> = Permissions, Offset | _]) ->
    [From, To] = [binary_to_integer(Address, 16) || Address <- binary:split(Addresses, <<"-">>)],
    Place = binary_to_integer(Offset, 16),
    [{From, To - From, Place} || Place =:= 0 orelse binary:at(Permissions, 2) =:= $x];
range(_Other) ->
    [].

%% @doc The libraries of an application in this directory in whose place the directory has another by now.
-spec old([mapped()], atom(), file:filename()) -> [binary()].
old(Mapped, App, Dir) ->
    Application = atom_to_list(App),
    among([{Name, Of, Each} || {Directory, Of, Name, Each} <- Mapped, is_of(Application, Directory, Of)], Dir).

%% Few of a thousand applications have a library, so the comparison that costs least is made first.
is_of(Application, Directory, Of) ->
    lists:prefix(Application, Directory) andalso erlrc_code_path:stands_for(Application, filename:join(Of, "ebin")).

among([], _Dir) ->
    [];
among(Own, Dir) ->
    Directory = erlrc_code_path:identity(Dir),
    Here = [Name || {Name, Of, {_, there, _}} <- Own, erlrc_code_path:identity(Of) =:= Directory],
    [
        unicode:characters_to_binary(Path)
     || {Name, _, {Path, _, Ranges}} <- Own, not lists:member(Name, Here), is_other(Ranges, filename:join([Dir, "priv", Name]))
    ].

%% What is mapped is compared, for the file that it came from may be gone, and a package that is installed again has the
%% same one.
is_other(Ranges, New) ->
    case [file:open(File, [read, raw, binary]) || File <- ["/proc/self/mem", New]] of
        [{ok, Memory}, {ok, File}] ->
            Differs = lists:any(fun(Range) -> differs(Range, Memory, File) end, Ranges),
            lists:foreach(fun file:close/1, [Memory, File]),
            Differs;
        Opened ->
            _ = [file:close(Device) || {ok, Device} <- Opened],
            false
    end.

differs({Address, Size, Place}, Memory, File) ->
    case file:pread(File, Place, min(Size, ?MOST_BYTES)) of
        {ok, Bytes} ->
            case file:pread(Memory, Address, byte_size(Bytes)) of
                {ok, Mapped} -> Mapped =/= Bytes;
                _ -> false
            end;
        eof ->
            true;
        {error, _} ->
            false
    end.
