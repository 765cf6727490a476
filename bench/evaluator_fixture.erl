%% @doc The applications that bench/evaluator upgrades, and the clients that measure.
-module(evaluator_fixture).

-export([application/4, start/2, clean/1, instructions/2, script/3, name/2]).
-export([clients/1, stop/1]).

-export_type([made/0]).

-type shape() :: changed | same | poisoned | tree.
-type made() :: #{
    application := atom(), server := module(), libraries := [module()], old := file:filename(), new := file:filename()
}.

%% @doc One server module, N - 1 libraries. In shape `same' the state is the same in both versions, and
%% in `poisoned' one process in the middle cannot change it.
-spec application(file:filename(), shape(), pos_integer(), pos_integer()) -> made().
application(Dir, Shape, P, N) ->
    App = list_to_atom(lists:concat(["bench_", Shape, "_", P, "_", N])),
    Server = name(App, "_server"),
    Libraries = [name(App, lists:concat(["_lib", I])) || I <- lists:seq(1, N - 1)],
    [Old, New] = [
        fixture:application(Dir, App, integer_to_list(Version), #{
            modules => [
                fixture:callback_module(name(App, "_app"), name(App, "_sup")),
                supervisor(Shape, name(App, "_sup"), name(App, "_connection"), Server),
                connection(name(App, "_connection"), Server),
                server(Server, Shape, Version, P)
                | [library(Name, Version) || Name <- Libraries]
            ],
            app => [{mod, {name(App, "_app"), []}}]
        })
     || Version <- [1, 2]
    ],
    #{application => App, server => Server, libraries => Libraries, old => Old, new => New}.

server(Name, Shape, Version, P) ->
    text(
        "-module(~p).~n-behaviour(gen_server).~n-export([init/1, handle_call/3, handle_cast/2, code_change/3, version/0]).~n"
        "init(X) -> {ok, {1, X}}.~nversion() -> ~p.~n"
        "handle_call(next, _, {V, X}) -> {reply, X, {V, X + 1}}.~nhandle_cast(_, S) -> {noreply, S}.~n~s",
        [Name, Version, code_change(Shape, Version, P)]
    ).

code_change(Shape, _Version, _P) when Shape =:= same; Shape =:= tree ->
    "code_change(_, S, _) -> {ok, S}.\n";
code_change(changed, Version, _P) ->
    text("code_change(_, {_, X}, _) -> {ok, {~p, X}}.~n", [Version]);
code_change(poisoned, Version, P) ->
    text(
        "code_change(_, {_, X}, _) -> X div 1000000000 =/= ~p orelse error(poisoned), {ok, {~p, X}}.~n",
        [3 * P div 4, Version]
    ).

supervisor(tree, Name, Connection, _Server) -> top(Name, Connection, supervisor);
supervisor(_Shape, Name, _Connection, Server) -> top(Name, Server, worker).

top(Name, Child, Type) ->
    text(
        "-module(~p).~n-behaviour(supervisor).~n-export([start_link/0, init/1]).~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "init([]) -> {ok, {{simple_one_for_one, 5, 10}, [{child, {~s}, temporary, 1000, ~p, [~p]}]}}.~n",
        [Name, start_link(Child, Type), Type, Child]
    ).

start_link(Child, worker) -> text("gen_server, start_link, [~p]", [Child]);
start_link(Child, supervisor) -> text("supervisor, start_link, [~p]", [Child]).

connection(Name, Server) ->
    Start = "{gen_server, start_link, [~p, X, []]}",
    text(
        "-module(~p).~n-behaviour(supervisor).~n-export([init/1]).~n"
        "init(X) -> {ok, {{one_for_all, 5, 10}, [{I, " ++ Start ++ ", temporary, 1000, worker, [~p]} || I <- [1, 2]]}}.~n",
        [Name, Server, Server]
    ).

%% As the modules of OTP's own applications are on average: 60 functions, 22 of them exported, 136 bytes of code each.
%% What it takes to make a module current goes by their number.
library(Name, Version) ->
    Exported = lists:seq(1, 20),
    Exports = lists:join(", ", [io_lib:format("e~p/1", [I]) || I <- Exported]),
    Calls = [io_lib:format("e~p(X) -> {f~p(X), f~p(X)}.~n", [I, I, I + 19]) || I <- Exported],
    Functions = [function(I, Version) || I <- lists:seq(1, 39)],
    text("-module(~p).~n-export([~s]).~n~s~s", [Name, Exports, Calls, Functions]).

function(I, Version) ->
    io_lib:format(
        "f~p(X) ->~n    Y = {X, ~p, <<\"text ~p\">>, [a~p, ~p | X]},~n    case X of~n"
        "        {~p, Z} when is_integer(Z), Z > ~p -> {Z + ~p, Y, lists:reverse([Z, Y])};~n"
        "        [H | T] -> {H, maps:put(~p, T, #{~p => Y})};~n        _ -> {Y, lists:member(X, [~p])}~n    end.~n",
        [I, I, I, I, Version, I, I * 3, I * 17, I, I + 1, I]
    ).

%% @doc A name within an application.
-spec name(atom(), string()) -> atom().
name(App, Suffix) ->
    list_to_atom(lists:concat([App, Suffix])).

text(Format, Arguments) ->
    lists:flatten(io_lib:format(Format, Arguments)).

%% @doc Starts version 1 with P processes; the K-th counts from K billions.
-spec start(made(), pos_integer()) -> [pid()].
start(#{application := App, old := Old} = Made, P) ->
    true = code:add_patha(filename:join(Old, "ebin")),
    {application, App, Keys} = Spec = specification(Made),
    ok = application:load(Spec),
    _ = [{module, _} = code:load_file(Module) || Module <- proplists:get_value(modules, Keys)],
    ok = application:start(App),
    Arguments = fun(K) -> [K * 1000000000 | [[] || not lists:prefix("bench_tree", atom_to_list(App))]] end,
    [element(2, supervisor:start_child(name(App, "_sup"), Arguments(K))) || K <- lists:seq(1, P)].

specification(#{application := App, old := Old}) ->
    {ok, [Spec]} = file:consult(filename:join([Old, "ebin", lists:concat([App, ".app"])])),
    Spec.

%% @doc Takes everything away again.
-spec clean(made()) -> ok.
clean(#{application := App, old := Old, new := New} = Made) ->
    {application, App, Keys} = specification(Made),
    ok = application:stop(App),
    ok = application:unload(App),
    _ = [code:del_path(filename:join(Dir, "ebin")) || Dir <- [Old, New]],
    lists:foreach(
        fun(Module) ->
            _ = code:purge(Module),
            _ = code:delete(Module),
            code:purge(Module)
        end,
        proplists:get_value(modules, Keys)
    ).

%% @doc High-level instructions: all one group, or each for itself.
-spec instructions(joined | one_by_one, made()) -> [term()].
instructions(Way, #{server := Server, libraries := Libraries}) ->
    Joined = case Way of joined -> Libraries; one_by_one -> [] end,
    [{update, Server, infinity, {advanced, []}, brutal_purge, brutal_purge, Joined}] ++
        [{load_module, Name, brutal_purge, brutal_purge, []} || Name <- Libraries].

%% @doc The script from version 1 to 2.
-spec script(joined | one_by_one, made(), map()) -> erlrc_evaluator:script().
script(Way, #{application := App, old := Old, new := New} = Made, Options) ->
    {application, App, Keys} = Spec = specification(Made),
    [#{
        application => App,
        direction => up,
        instructions => instructions(Way, Made),
        from => {"1", Old},
        to => {"2", New},
        from_spec => Spec,
        to_spec => {application, App, lists:keyreplace(vsn, 1, Keys, {vsn, "2"})},
        options => Options#{purge_after => infinity, timeout => infinity}
    }].

%% @doc Clients of some of the processes: one calls without a break, the others every millisecond.
-spec clients([pid()]) -> [{pid(), reference()}].
clients(Pids) ->
    P = length(Pids),
    Places = [{1, 1}, {P, 1}, {(P + 1) div 2, 0}],
    [spawn_monitor(fun() -> call(lists:nth(Place, Pids), Rest, none, 0, 0) end) || {Place, Rest} <- Places].

%% The answers of a process count up; with several clients on one process they count up all the same.
call(Pid, Rest, Last, Longest, Calls) ->
    Started = erlang:monotonic_time(microsecond),
    Next = gen_server:call(Pid, next, infinity),
    Took = erlang:monotonic_time(microsecond) - Started,
    true = Last =:= none orelse Next > Last,
    receive
        stop -> exit({longest, max(Took, Longest), Calls + 1})
    after Rest -> call(Pid, Rest, Next, max(Took, Longest), Calls + 1)
    end.

%% @doc Stops them. Answers the longest wait in microseconds.
-spec stop([{pid(), reference()}]) -> non_neg_integer().
stop(Clients) ->
    lists:max([stopped(Client) || Client <- Clients]).

stopped({Client, Ref}) ->
    Client ! stop,
    receive
        {'DOWN', Ref, process, Client, {longest, Microseconds, _}} -> Microseconds;
        {'DOWN', Ref, process, Client, Reason} -> error({failed_call, Reason})
    end.
