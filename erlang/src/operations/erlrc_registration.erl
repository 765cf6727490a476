%% @doc The node's own entry in `/run/erlrc/nodes', so that the hooks find it: where it listens and
%% which file holds its cookie, never the cookie itself.
%%
%% Written when the node is distributed, unless the environment of erlrc says
%% `{register_node, false}'; removed on a clean stop. An entry without `managed=1' is a person's and
%% is left alone.
-module(erlrc_registration).
-behaviour(gen_server).

-export([start_link/0, refresh/0]).
-export([init/1, handle_continue/2, handle_call/3, handle_cast/2, handle_info/2]).
-export([terminate/2, code_change/3]).

-include_lib("kernel/include/file.hrl").
-include_lib("kernel/include/logger.hrl").

-define(REPORT, #{report_cb => fun erlrc_error:report/1}).
-define(MAX_ENTRY, 65536).

%% @doc Starts the server.
-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% @doc Writes the entry of a node that became distributed, or changed its cookie, since.
-spec refresh() -> ok.
refresh() ->
    gen_server:cast(?MODULE, refresh).

%% State: the entry as it was written, `{File, Content}', or `none'.
%% @private
-spec init([]) -> {ok, none, {continue, refresh}}.
init([]) ->
    _ = process_flag(trap_exit, true),
    {ok, none, {continue, refresh}}.

%% @private
-spec handle_continue(refresh, term()) -> {noreply, term()}.
handle_continue(refresh, State) ->
    {noreply, register_node(State)}.

%% @private
-spec handle_call(term(), gen_server:from(), term()) -> {reply, term(), term()}.
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), term()) -> {noreply, term()}.
handle_cast(refresh, State) ->
    {noreply, register_node(State)};
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), term()) -> {noreply, term()}.
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), term()) -> ok.
terminate(_Reason, State) ->
    remove(State).

%% @private
-spec code_change(term(), term(), term()) -> {ok, term()}.
code_change(_Vsn, State, _Extra) ->
    {ok, State}.

register_node(State) ->
    case is_alive() andalso application:get_env(erlrc, register_node, true) of
        true -> register_node(State, listener());
        _ -> State
    end.

register_node(State, none) ->
    State;
register_node(State, Address) ->
    File = filename:join(erlrc_node:run_dir(), atom_to_list(node())),
    CookieFile = cookie_file(),
    case {File, unicode:characters_to_binary(entry(CookieFile, Address))} of
        State ->
            State;
        {File, Content} = New ->
            ok = warn(CookieFile),
            remove(State),
            written(New, write(File, Content))
    end.

warn({ok, _File}) ->
    ok;
warn({none_of, Files}) ->
    ?LOG_WARNING(#{what => cookie_file_unknown, files => Files}, ?REPORT).

written(New, ok) ->
    New;
written({File, _}, {error, Reason}) ->
    ?LOG_DEBUG(#{what => node_not_registered, file => File, reason => Reason}, ?REPORT),
    none.

entry(CookieFile, {Ip, Port}) ->
    Cookie =
        case CookieFile of
            {ok, File} -> ["cookie_file=", File, "\n"];
            {none_of, _} -> []
        end,
    Host =
        case is_local(Ip) of
            true -> [];
            false -> ["host=", inet:ntoa(Ip), "\n"]
        end,
    ["managed=1\n", Cookie, "port=", integer_to_list(Port), "\n", Host].

%% The hooks try the loopback addresses first.
is_local({0, 0, 0, 0}) -> true;
is_local({127, _, _, _}) -> true;
is_local({0, 0, 0, 0, 0, 0, 0, Last}) -> Last =< 1;
is_local(_) -> false.

%% Where the node listens: `net_kernel' owns the socket, and that one has no peer.
listener() ->
    Listeners = [
        Address
     || {connected, Socket} <- sockets(),
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
        {connected, Port}
     || Port <- erlang:ports(),
        {connected, NetKernel} =:= erlang:port_info(Port, connected),
        {name, "tcp_inet"} =:= erlang:port_info(Port, name)
    ].

%% The file that holds the cookie in use.
cookie_file() ->
    Cookie = atom_to_binary(erlang:get_cookie()),
    Files = cookie_files(),
    case [File || File <- Files, holds(File, Cookie)] of
        [File | _] -> {ok, filename:absname(File)};
        [] -> {none_of, Files}
    end.

%% Where OTP itself reads it from, after what the environment of erlrc says.
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

%% Complete or not there at all. The name of the temporary file is none that a hook would take.
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
                [] -> publish(Temporary, File);
                [Error | _] -> Error
            end;
        {error, _} = Error ->
            Error
    end.

publish(Temporary, File) ->
    case read(File) of
        %% A link, unlike a rename, takes nobody's entry away that came in between.
        {error, enoent} -> file:make_link(Temporary, File);
        {ok, Content} -> replace(is_managed(Content), Temporary, File);
        {error, _} = Error -> Error
    end.

replace(true, Temporary, File) -> file:rename(Temporary, File);
replace(false, _Temporary, _File) -> {error, not_managed}.

is_managed(Content) ->
    Lines = binary:split(Content, <<"\n">>, [global]),
    lists:member(<<"managed=1">>, [string:trim(Line) || Line <- Lines]).

%% Only what this node wrote, and only as it wrote it.
remove(none) ->
    ok;
remove({File, Content}) ->
    case read(File) of
        {ok, Content} ->
            _ = file:delete(File),
            ok;
        _ ->
            ok
    end.
