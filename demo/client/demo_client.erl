%% @doc The demo's client: connections that send numbered requests without pause and check every answer.
%% Runs until its standard input ends, then prints what it counted. It never connects a second time by
%% itself without counting it.
-module(demo_client).

-export([main/0]).

-record(counted, {sent = 0, answered = 0, failed = 0, kept = 0, longest = 0, versions = []}).

%% @doc Plain arguments: tally | http, the port, the number of connections.
-spec main() -> no_return().
main() ->
    [Protocol, Port, Connections] = init:get_plain_arguments(),
    Self = self(),
    Workers = [
        spawn_link(fun() -> connection(Self, list_to_atom(Protocol), list_to_integer(Port)) end)
     || _ <- lists:seq(1, list_to_integer(Connections))
    ],
    io:put_chars("ready\n"),
    eof = io:get_line(""),
    [Worker ! stop || Worker <- Workers],
    print(Protocol, lists:foldl(fun(_, Sum) -> add(receive {counted, C} -> C end, Sum) end, #counted{}, Workers)),
    halt(0).

connection(Parent, Protocol, Port) ->
    Counted = loop(connect(Port), Protocol, Port, 1, #counted{kept = 1}),
    Parent ! {counted, Counted}.

connect(Port) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    Socket.

loop(Socket, Protocol, Port, Number, Counted) ->
    receive
        stop -> Counted
    after 0 ->
        Start = erlang:monotonic_time(microsecond),
        Sent = Counted#counted{sent = Counted#counted.sent + 1},
        Result = request(Socket, Protocol, integer_to_binary(Number)),
        Longest = max(Counted#counted.longest, erlang:monotonic_time(microsecond) - Start),
        case Result of
            {ok, Version} ->
                Answered = Sent#counted{
                    answered = Sent#counted.answered + 1,
                    longest = Longest,
                    versions = version(Version, Sent#counted.versions)
                },
                loop(Socket, Protocol, Port, Number + 1, Answered);
            {error, _} ->
                gen_tcp:close(Socket),
                Failed = Sent#counted{failed = Sent#counted.failed + 1, longest = Longest, kept = 0},
                loop(connect(Port), Protocol, Port, Number + 1, Failed)
        end
    end.

version(Version, [Version | _] = Versions) -> Versions;
version(Version, Versions) -> [Version | Versions].

request(Socket, tally, Number) ->
    case gen_tcp:send(Socket, [Number, $\n]) of
        ok -> tally_answer(line(Socket, <<>>), Number);
        Error -> Error
    end;
request(Socket, http, Number) ->
    case gen_tcp:send(Socket, ["GET /", Number, " HTTP/1.1\r\nHost: demo\r\n\r\n"]) of
        ok -> http_answer(Socket, <<>>, Number);
        Error -> Error
    end.

tally_answer({ok, Line}, Number) ->
    case binary:split(Line, <<" ">>, [global]) of
        %% The count is the connection's state: it goes on counting through every upgrade.
        [Number, Version, Number] -> {ok, Version};
        _ -> {error, {wrong_answer, Number, Line}}
    end;
tally_answer(Error, _) ->
    Error.

line(Socket, Received) ->
    case binary:split(Received, <<"\n">>) of
        [Line, <<>>] -> {ok, Line};
        [_] -> more(Socket, Received, fun line/2)
    end.

http_answer(Socket, Received, Number) ->
    case binary:split(Received, <<"\r\n\r\n">>) of
        [<<"HTTP/1.1 200", _/binary>>, Number] -> {ok, <<"200">>};
        [Header, Body] when byte_size(Body) >= byte_size(Number) ->
            {error, {wrong_answer, Number, Header, Body}};
        _ -> more(Socket, Received, fun(S, R) -> http_answer(S, R, Number) end)
    end.

more(Socket, Received, Continue) ->
    case gen_tcp:recv(Socket, 0, 30000) of
        {ok, Data} -> Continue(Socket, <<Received/binary, Data/binary>>);
        Error -> Error
    end.

add(A, B) ->
    #counted{
        sent = A#counted.sent + B#counted.sent,
        answered = A#counted.answered + B#counted.answered,
        failed = A#counted.failed + B#counted.failed,
        kept = A#counted.kept + B#counted.kept,
        longest = max(A#counted.longest, B#counted.longest),
        versions = lists:max([A#counted.versions, B#counted.versions])
    }.

%% What an answer names: the application its version, HTTP a status.
seen("tally") -> "versions";
seen("http") -> "statuses".

print(Protocol, C) ->
    io:format(
        "  requests sent      ~b~n  answered           ~b~n  failed             ~b~n"
        "  connections kept   ~b~n  longest pause      ~.1f ms~n  ~ts seen      ~ts~n",
        [
            C#counted.sent,
            C#counted.answered,
            C#counted.failed,
            C#counted.kept,
            C#counted.longest / 1000,
            seen(Protocol),
            lists:join(<<", ">>, lists:reverse(C#counted.versions))
        ]
    ).
