%% @doc Tells systemd that the node is ready, sd_notify(3).
-module(erlrc_notify).

-export([ready/0, notify/1]).

-include_lib("kernel/include/logger.hrl").

%% @doc Sends `READY=1'.
-spec ready() -> ok.
ready() ->
    notify("READY=1").

%% @doc Sends a line to `NOTIFY_SOCKET', where there is one. Nothing that goes wrong here may stop a
%% node.
-spec notify(iodata()) -> ok.
notify(State) ->
    case os:getenv("NOTIFY_SOCKET", "") of
        "" -> ok;
        Address -> send(address(Address), State)
    end.

%% A leading `@' stands for the zero byte of an abstract address.
address([$@ | Name]) -> <<0, (unicode:characters_to_binary(Name))/binary>>;
address(Path) -> unicode:characters_to_binary(Path).

send(Address, State) ->
    case gen_udp:open(0, [local, binary, {active, false}]) of
        {ok, Socket} ->
            log(gen_udp:send(Socket, {local, Address}, 0, State)),
            gen_udp:close(Socket);
        {error, _} = Error ->
            log(Error)
    end.

log(ok) ->
    ok;
log({error, Reason}) ->
    Report = #{what => notify_failed, reason => Reason},
    ?LOG_WARNING(Report, #{report_cb => fun erlrc_error:report/1}).
