%% @doc Sends numbered requests to an application's server without pause and checks every answer: the number comes back,
%% and the count, which is the server's state, goes on by one.
-module(matrix_client).

-export([start/1, answered/1, stop/1]).

-record(seen, {sent = 0, failed = 0, restarts = 0, count = 0, versions = [], process}).

%% @doc Starts a client of the application and waits for its first answer.
start(App) ->
    Parent = self(),
    Pid = spawn(fun() -> register(name(App), self()), loop(App, Parent, #seen{process = server(App)}) end),
    receive {first, Pid} -> ok after 20000 -> timeout end.

%% @doc Waits until the client has got an answer from now on.
answered(App) ->
    name(App) ! {tell, self()},
    receive {answer, Version} -> Version after 20000 -> timeout end.

%% @doc Ends the client: what it has seen.
stop(App) ->
    name(App) ! {stop, self()},
    receive
        {seen, #seen{sent = Sent, failed = Failed, restarts = Restarts, versions = Versions}} ->
            io:format("sent ~s, failed ~b, restarts ~b, versions ~s~n", [
                case Sent > 0 of true -> "some"; false -> "none" end,
                Failed,
                Restarts,
                lists:join(" ", lists:reverse(Versions))
            ])
    after 20000 ->
        timeout
    end.

name(App) ->
    list_to_atom(atom_to_list(App) ++ "_client").

server(App) ->
    whereis(list_to_atom(atom_to_list(App) ++ "_server")).

loop(App, Parent, Seen) ->
    {Answered, Next} = request(App, Seen#seen.sent + 1, Seen),
    Answered andalso Next#seen.sent =:= 1 andalso (Parent ! {first, self()}),
    receive
        {stop, From} -> From ! {seen, Next};
        {tell, From} when Answered -> From ! {answer, hd(Next#seen.versions)}, loop(App, Parent, Next)
    after 0 ->
        loop(App, Parent, Next)
    end.

request(App, Number, Seen) ->
    Server = list_to_atom(atom_to_list(App) ++ "_server"),
    Sent = Seen#seen{sent = Number},
    try gen_server:call(Server, {request, Number}, infinity) of
        {Number, Version, Count} when Count =:= Seen#seen.count + 1 ->
            {true, same_process(whereis(Server), version(Version, Sent#seen{count = Count}))};
        {Number, Version, Count} ->
            {true, same_process(whereis(Server), version(Version, Sent#seen{count = Count, failed = Seen#seen.failed + 1}))}
    catch
        exit:_ ->
            timer:sleep(1),
            {false, Sent#seen{failed = Seen#seen.failed + 1}}
    end.

version(Version, #seen{versions = [Version | _]} = Seen) -> Seen;
version(Version, #seen{versions = Versions} = Seen) -> Seen#seen{versions = [Version | Versions]}.

same_process(Process, #seen{process = Process} = Seen) -> Seen;
same_process(Process, Seen) -> Seen#seen{process = Process, restarts = Seen#seen.restarts + 1}.
