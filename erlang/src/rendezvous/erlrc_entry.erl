%% @doc The text of the node's own entry, and its file. An entry without `managed=1' was written by a person and is left
%% alone; so is the entry of another node that runs.
-module(erlrc_entry).

-export([name/1, content/2, distribution/0, publish/2, remove/2]).
-export_type([distribution/0]).

-include_lib("kernel/include/file.hrl").

-define(MAX_ENTRY, 65536).

%% The address on which the node accepts other nodes, and the file that holds its cookie.
-type distribution() :: #{address := {inet:ip_address(), inet:port_number()}, cookie_file => file:filename_all()}.

%% @doc The name of the entry of the node `Node'. A node without distribution has a name that is unique while its
%% process lives.
-spec name(node()) -> string().
name(nonode@nohost) -> "nonode-" ++ os:getpid() ++ "@nohost";
name(Node) -> atom_to_list(Node).

%% @doc The text of the entry of this node, with this socket and this distribution. A hook ignores keys that it does not
%% know.
-spec content({ok, file:filename_all()} | {error, term()}, distribution() | none) -> binary().
content(Socket, Distribution) ->
    Process = maps:with([os_pid, start_time, pid_namespace], erlrc_process:identity()),
    Lines =
        [{managed, "1"}] ++
            [{socket, Path} || {ok, Path} <- [Socket]] ++
            lists:keysort(1, maps:to_list(Process)) ++
            lines(Distribution),
    iolist_to_binary([[atom_to_list(Key), "=", text(Value), "\n"] || {Key, Value} <- Lines]).

lines(none) ->
    [];
lines(#{address := {Ip, Port}} = Distribution) ->
    [{cookie_file, File} || #{cookie_file := File} <- [Distribution]] ++
        [{port, integer_to_list(Port)}] ++
        [{host, inet:ntoa(Ip)} || not is_local(Ip)].

text(Text) when is_binary(Text) -> Text;
text(Text) -> unicode:characters_to_binary(Text).

%% The hooks try the loopback addresses first.
is_local({0, 0, 0, 0}) -> true;
is_local({127, _, _, _}) -> true;
is_local({0, 0, 0, 0, 0, 0, 0, Last}) -> Last =< 1;
is_local(_) -> false.

%% @doc How other nodes reach this one; if no file is known that holds the cookie, also the files that were tried.
-spec distribution() -> none | {distribution(), Tried :: [file:filename_all()]}.
distribution() ->
    case is_alive() andalso address() of
        {_, _} = Address -> cookie(#{address => Address});
        _ -> none
    end.

%% The distribution socket is a port of `net_kernel' without a peer.
address() ->
    Listeners = [
        Address
     || Socket <- sockets(),
        {ok, {_, _} = Address} <- [inet:sockname(Socket)],
        {error, enotconn} =:= inet:peername(Socket)
    ],
    case Listeners of
        [Address | _] -> Address;
        [] -> none
    end.

sockets() ->
    NetKernel = whereis(net_kernel),
    [
        Port
     || Port <- erlang:ports(),
        {connected, NetKernel} =:= erlang:port_info(Port, connected),
        {name, "tcp_inet"} =:= erlang:port_info(Port, name)
    ].

cookie(Distribution) ->
    Cookie = atom_to_binary(erlang:get_cookie()),
    Files = cookie_files(),
    case [File || File <- Files, holds(File, Cookie)] of
        [File | _] -> {Distribution#{cookie_file => filename:absname(File)}, []};
        [] -> {Distribution, Files}
    end.

%% The file that erlrc's environment names, then those that OTP itself reads.
cookie_files() ->
    Configured =
        case application:get_env(erlrc, cookie_file) of
            {ok, File} -> [File];
            undefined -> []
        end,
    Home =
        case init:get_argument(home) of
            {ok, [[Dir | _] | _]} -> [filename:join(Dir, ".erlang.cookie")];
            _ -> []
        end,
    Directory = filename:basedir(user_config, "erlang"),
    Configured ++ Home ++ [filename:join(Directory, ".erlang.cookie")].

holds(File, Cookie) ->
    case read(File) of
        {ok, Content} -> string:trim(Content) =:= Cookie;
        {error, _} -> false
    end.

read(File) ->
    case file:read_link_info(File, [raw]) of
        {ok, #file_info{type = regular, size = Size}} when Size =< ?MAX_ENTRY ->
            file:read_file(File);
        {ok, #file_info{type = symlink}} ->
            {error, symlink};
        {ok, _} ->
            {error, not_regular};
        {error, _} = Error ->
            Error
    end.

%% @doc Writes the entry unless it is up to date. Readers see a complete entry or none; hooks ignore the name of the
%% temporary file.
-spec publish(file:filename_all(), binary()) -> ok | {error, term()}.
publish(File, Content) ->
    case read(File) of
        {ok, Content} -> ok;
        _ -> write(File, Content)
    end.

write(File, Content) ->
    Name = "." ++ filename:basename(File) ++ "." ++ os:getpid(),
    Temporary = filename:join(filename:dirname(File), Name),
    case filelib:ensure_dir(File) of
        ok ->
            _ = file:delete(Temporary),
            Result = write(File, Temporary, Content),
            _ = file:delete(Temporary),
            Result;
        {error, _} = Error ->
            Error
    end.

write(File, Temporary, Content) ->
    case file:open(Temporary, [write, exclusive, raw, binary]) of
        {ok, Device} ->
            Results = [
                file:change_mode(Temporary, 8#600),
                file:write(Device, Content),
                file:close(Device)
            ],
            case [Error || {error, _} = Error <- Results] of
                [] -> place(Temporary, File);
                [Error | _] -> Error
            end;
        {error, _} = Error ->
            Error
    end.

place(Temporary, File) ->
    case read(File) of
        %% A link, unlike a rename, never replaces an entry that another node wrote in between.
        {error, enoent} -> file:make_link(Temporary, File);
        {ok, Present} -> replace(may_go(keys(Present)), Temporary, File);
        {error, _} = Error -> Error
    end.

replace(ok, Temporary, File) -> file:rename(Temporary, File);
replace({error, _} = Error, _Temporary, _File) -> Error.

may_go(#{<<"managed">> := <<"1">>, <<"os_pid">> := Pid, <<"start_time">> := Time}) ->
    case Pid =/= list_to_binary(os:getpid()) andalso erlrc_process:is_alive(Pid, Time) of
        true -> {error, {entry_of_process, Pid}};
        false -> ok
    end;
may_go(#{<<"managed">> := <<"1">>}) ->
    ok;
may_go(_Keys) ->
    {error, not_managed}.

keys(Content) ->
    Lines = [binary:split(Line, <<"=">>) || Line <- binary:split(Content, <<"\n">>, [global])],
    maps:from_list([{string:trim(Key), string:trim(Value)} || [Key, Value] <- Lines]).

%% @doc Removes the entry if it still is as this node wrote it.
-spec remove(file:filename_all(), binary()) -> ok.
remove(File, Content) ->
    case read(File) of
        {ok, Content} ->
            _ = file:delete(File),
            ok;
        _ ->
            ok
    end.
