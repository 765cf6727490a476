%% @doc The operating system process of this node, and the user at the other end of a Unix socket. It reads `/proc' in
%% the same way as the hooks do.
-module(erlrc_process).

-export([identity/0, is_alive/2, uid/0, peer/1]).
-export_type([identity/0]).

-include_lib("kernel/include/file.hrl").

%% `start_time' is field 22 of `/proc/PID/stat'. Together with it a pid identifies a single process.
-type identity() :: #{os_pid := binary(), start_time => binary(), pid_namespace => binary()}.

%% Socket level SOL_SOCKET and option SO_PEERCRED, with their numbers on Linux; the value is a `struct ucred'.
-define(SOL_SOCKET, 1).
-define(SO_PEERCRED, 17).
-define(UCRED_BYTES, 12).

%% @doc What distinguishes the process of this node from all others of the host.
-spec identity() -> identity().
identity() ->
    Pid = os:getpid(),
    Known = [{start_time, start_time(Pid)}, {pid_namespace, pid_namespace()}],
    maps:from_list([{os_pid, list_to_binary(Pid)} | [{Key, Value} || {Key, {ok, Value}} <- Known]]).

%% @doc Whether the process `Pid' with the start time `StartTime' still runs.
-spec is_alive(binary(), binary()) -> boolean().
is_alive(Pid, StartTime) ->
    start_time(binary_to_list(Pid)) =:= {ok, StartTime}.

%% The name of the program, in parentheses, may contain anything, even parentheses.
start_time(Pid) ->
    case file:read_file(filename:join(["/proc", Pid, "stat"])) of
        {ok, Stat} -> field(string:split(Stat, ")", trailing));
        {error, _} = Error -> Error
    end.

field([_Name, Rest]) ->
    case string:lexemes(Rest, " ") of
        Fields when length(Fields) >= 20 -> {ok, lists:nth(20, Fields)};
        _ -> {error, einval}
    end;
field(_) ->
    {error, einval}.

pid_namespace() ->
    case file:read_link("/proc/self/ns/pid") of
        {ok, "pid:[" ++ Rest} -> {ok, list_to_binary(string:trim(Rest, trailing, "]"))};
        _ -> {error, enoent}
    end.

%% @doc The user of this process.
-spec uid() -> {ok, non_neg_integer()} | {error, term()}.
uid() ->
    case file:read_file_info("/proc/self", [raw, {time, posix}]) of
        {ok, #file_info{uid = Uid}} -> {ok, Uid};
        {error, _} = Error -> Error
    end.

%% @doc The user at the other end of a connected Unix socket.
-spec peer(gen_tcp:socket()) -> {ok, non_neg_integer()} | {error, term()}.
peer(Socket) ->
    case inet:getopts(Socket, [{raw, ?SOL_SOCKET, ?SO_PEERCRED, ?UCRED_BYTES}]) of
        {ok, [{raw, _, _, <<_Pid:32/native, Uid:32/native, _Gid:32/native>>}]} -> {ok, Uid};
        {ok, _} -> {error, no_credentials};
        {error, _} = Error -> Error
    end.
