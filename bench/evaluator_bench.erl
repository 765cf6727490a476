%% @doc The transactional evaluator beside release_handler. See bench/evaluator.
-module(evaluator_bench).

-export([main/1]).

-spec main([string()]) -> no_return().
main([Dir | Sizes]) ->
    logger:set_primary_config(level, emergency),
    {ok, _} = application:ensure_all_started(sasl),
    io:format("| P, N | release_handler, pause ms | total ms | transactional, pause ms | total ms | pause ratio |~n"),
    io:format("|---|---|---|---|---|---|~n"),
    _ = [row(Dir, [list_to_integer(Number) || Number <- string:split(Size, ",")]) || Size <- Sizes],
    halt(0).

row(Dir, [P, N]) ->
    {Old, New, Instructions} = application(Dir, P, N),
    Theirs = median([measure(release_handler, P, Old, New, Instructions) || _ <- [1, 2, 3]]),
    Ours = median([measure(transactional, P, Old, New, Instructions) || _ <- [1, 2, 3]]),
    {{Pause1, Total1}, {Pause2, Total2}} = {Theirs, Ours},
    io:format("| ~w, ~w | ~.1f | ~.1f | ~.1f | ~.1f | ~.1f |~n", [
        P, N, Pause1 / 1000, Total1 / 1000, Pause2 / 1000, Total2 / 1000, Pause1 / Pause2
    ]).

median(Results) ->
    lists:nth(2, lists:sort(Results)).

%% One server module with P processes, N - 1 libraries of some 10 KB, every module joined to the server.
application(Dir, P, N) ->
    App = list_to_atom(lists:concat(["bench_", P, "_", N])),
    Server = list_to_atom(lists:concat([App, "_server"])),
    Libraries = [list_to_atom(lists:concat([App, "_lib", I])) || I <- lists:seq(1, N - 1)],
    [Old, New] = [
        fixture:application(Dir, App, integer_to_list(Version), #{
            modules => [
                fixture:callback_module(name(App, "_app"), name(App, "_sup")),
                supervisor(name(App, "_sup"), Server),
                server(Server, Version)
                | [library(Name, Version) || Name <- Libraries]
            ],
            app => [{mod, {name(App, "_app"), []}}]
        })
     || Version <- [1, 2]
    ],
    Instructions = [{update, Server, infinity, {advanced, []}, brutal_purge, brutal_purge, Libraries}] ++
        [{load_module, Name, brutal_purge, brutal_purge, []} || Name <- Libraries],
    {{App, Old}, New, Instructions}.

server(Name, Version) ->
    text(
        "-module(~p).~n-export([init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
        "init(X) -> {ok, {1, X}}.~nhandle_call(_, _, S) -> {reply, ok, S}.~nhandle_cast(_, S) -> {noreply, S}.~n"
        "code_change(_, {_, X}, _) -> {ok, {~p, X}}.~n",
        [Name, Version]
    ).

supervisor(Name, Server) ->
    text(
        "-module(~p).~n-behaviour(supervisor).~n-export([start_link/0, init/1]).~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "init([]) -> {ok, {{simple_one_for_one, 5, 10}, [{~p, {gen_server, start_link, [~p]}, temporary, 1000, worker, [~p]}]}}.~n",
        [Name, Server, Server, Server]
    ).

name(App, Suffix) ->
    list_to_atom(lists:concat([App, Suffix])).

library(Name, Version) ->
    Functions = [io_lib:format("f~p(X) -> {~p, X, ~p, [X, ~p]}.~n", [I, I, Version, I]) || I <- lists:seq(1, 150)],
    Exports = lists:join(", ", [io_lib:format("f~p/1", [I]) || I <- lists:seq(1, 150)]),
    text("-module(~p).~n-export([~s]).~n~s", [Name, Exports, Functions]).

text(Format, Arguments) ->
    lists:flatten(io_lib:format(Format, Arguments)).

%% Up, on processes that run version 1; afterwards everything is taken away again.
measure(Evaluator, P, {App, Old}, New, Instructions) ->
    true = code:add_patha(filename:join(Old, "ebin")),
    {ok, [{application, App, Keys} = Spec]} = file:consult(filename:join([Old, "ebin", lists:concat([App, ".app"])])),
    Modules = proplists:get_value(modules, Keys),
    ok = application:load(Spec),
    _ = [{module, _} = code:load_file(Module) || Module <- Modules],
    ok = application:start(App),
    Pids = [element(2, supervisor:start_child(name(App, "_sup"), [X, []])) || X <- lists:seq(1, P)],
    Clients = [client(lists:nth(I, Pids)) || I <- lists:usort([1, (P + 1) div 2, P])],
    Script = #{
        application => App,
        direction => up,
        instructions => Instructions,
        from => {"1", Old},
        to => {"2", New},
        from_spec => Spec,
        to_spec => {application, App, Keys},
        options => #{evaluator => Evaluator, purge_after => infinity, timeout => infinity}
    },
    {Microseconds, {ok, _}} = timer:tc(fun() -> run(Evaluator, Script) end),
    Pause = lists:max([stop(Client) || Client <- Clients]),
    clean(App, Modules, New),
    {Pause, Microseconds}.

%% OTP's own, without what erlrc puts around it.
run(release_handler, #{application := App, to := {Vsn, Dir}} = Script) ->
    {ok, Steps} = erlrc_release_handler:translate(Script),
    Lib = {App, Vsn, Dir},
    release_handler_1:eval_script(Steps, [], [Lib], [Lib], []);
run(transactional, Script) ->
    erlrc_transaction:evaluate(Script).

clean(App, Modules, New) ->
    ok = application:stop(App),
    ok = application:unload(App),
    true = code:del_path(filename:join(New, "ebin")),
    lists:foreach(
        fun(Module) ->
            _ = code:purge(Module),
            _ = code:delete(Module),
            code:purge(Module)
        end,
        Modules
    ).

client(Pid) ->
    spawn_monitor(fun() -> call(Pid, 0) end).

call(Pid, Longest) ->
    Started = erlang:monotonic_time(microsecond),
    ok = gen_server:call(Pid, ping, infinity),
    Took = erlang:monotonic_time(microsecond) - Started,
    receive
        stop -> exit({longest, max(Took, Longest)})
    after 1 -> call(Pid, max(Took, Longest))
    end.

stop({Client, Ref}) ->
    Client ! stop,
    receive
        {'DOWN', Ref, process, Client, {longest, Microseconds}} -> Microseconds
    end.
