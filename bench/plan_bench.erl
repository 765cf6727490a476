%% @doc A plan of an application on a large node: its parts, and what clients notice. See bench/plan.
-module(plan_bench).

-export([main/0]).
-export([prepare/2, live/1, part/2, waits/1, purge/1]).

-define(MODULES, 1000).
%% Milliseconds in which a client is watched while nothing is asked.
-define(QUIET, 2000).

%% @doc Plain arguments: the directory to work in, processes, changed modules, runs.
-spec main() -> no_return().
main() ->
    [Work | Numbers] = init:get_plain_arguments(),
    [Processes, Changed, Runs] = [list_to_integer(N) || N <- Numbers],
    Made = evaluator_fixture:application(Work, changed, Processes, Changed),
    Peer = start(Work),
    Modules = peer:call(Peer, ?MODULE, prepare, [Made, Processes], infinity),
    io:format("~b processes, ~b changed modules, ~b modules loaded~n~n", [Processes, Changed, Modules]),
    io:format("| part | ms, shortest of ~b | all | prototype |~n|---|---|---|---|~n", [Runs]),
    Repeat = fun(Name, Fun) -> row(Name, [Fun() || _ <- lists:seq(1, Runs)]) end,
    Repeat("erlrc plan, from the command line", fun() -> plan(Work, Made) end),
    Repeat("of it the engine, over the files", fun() -> static(Work, Made) end),
    Repeat("of it the node, over its processes", fun() -> peer:call(Peer, ?MODULE, live, [Made], infinity) end),
    [Repeat("  " ++ atom_to_list(Part), fun() -> peer:call(Peer, ?MODULE, part, [Part, Made], infinity) end)
     || Part <- [script, discover, states, tables, stacks, prepare]],
    Quiet = fun() -> receive after ?QUIET -> ok end end,
    Repeat("longest wait of a client, nothing asked", fun() -> noticed(Peer, Quiet) end),
    Repeat("longest wait of a client, during a plan", fun() -> noticed(Peer, fun() -> plan(Work, Made) end) end),
    Hooks = [hooks(Peer, Work, Made) || _ <- lists:seq(1, Runs)],
    row("hook, no plan before it", [Off || {Off, _} <- Hooks]),
    row("hook, with the plan before it", [Strict || {_, Strict} <- Hooks]),
    ok = peer:stop(Peer),
    halt(0).

row(Name, Times) ->
    Text = fun(T) -> io_lib:format("~.1f", [T / 1000]) end,
    All = lists:join(" ", [Text(T) || T <- Times]),
    io:format("| ~s | ~s | ~s | ~s |~n", [Name, Text(lists:min(Times)), All, prototype(Name)]).

%% What the prototypes of the parts took for 50,000 processes and 1,053 modules (of 502 modules: the last).
prototype("  discover") -> "95";
prototype("  states") -> "122 to 305";
prototype("  stacks") -> "92";
prototype("  prepare") -> "196 for 500";
prototype("of it the engine" ++ _) -> "27, and 1.6 for each changed module";
prototype(_) -> "".

start(Work) ->
    ok = filelib:ensure_path(filename:join(Work, "applications")),
    Ebins = [filename:dirname(code:which(M)) || M <- [?MODULE, erlrc_engine]],
    {ok, Peer, _} = peer:start(#{
        connection => standard_io,
        name => peer:random_name(),
        args => ["-boot", "start_sasl", "-kernel", "logger_level", "error" | [A || E <- Ebins, A <- ["-pa", E]]],
        env => environment(Work)
    }),
    Peer.

environment(Work) ->
    [{"ERLRC_ROOT", Work}, {"ERLRC_RUN", filename:join(Work, "run")}, {"ERLRC_STATE", filename:join(Work, "state")},
     {"ERL_EPMD_PORT", os:getenv("ERL_EPMD_PORT")}].

%% @doc On the node: everything is loaded, and the processes run. A client of two of them never ends.
-spec prepare(map(), pos_integer()) -> pos_integer().
prepare(Made, Processes) ->
    {ok, _} = application:ensure_all_started(erlrc),
    _ = lists:takewhile(
        fun({Name, _, _}) -> _ = code:ensure_loaded(list_to_atom(Name)), length(code:all_loaded()) < ?MODULES end,
        [Each || {_, File, false} = Each <- code:all_available(), is_list(File)]
    ),
    Pids = evaluator_fixture:start(Made, Processes),
    _ = register(?MODULE, spawn(fun() -> watch(Pids, 0) end)),
    length(code:all_loaded()).

%% Calls one process after the other without a break, so that each has its turn.
watch(Pids, Longest) ->
    watch(Pids, lists:foldl(fun called/2, Longest, Pids)).

called(Pid, Longest) ->
    Started = erlang:monotonic_time(microsecond),
    _ = gen_server:call(Pid, next, infinity),
    Took = max(Longest, erlang:monotonic_time(microsecond) - Started),
    receive
        {reset, From} -> From ! {?MODULE, Took}, 0
    after 1 -> Took
    end.

%% @doc On the node: the longest wait of the client since this was asked last.
-spec waits(node()) -> non_neg_integer().
waits(_) ->
    ?MODULE ! {reset, self()},
    receive
        {?MODULE, Longest} -> Longest
    end.

noticed(Peer, Fun) ->
    _ = peer:call(Peer, ?MODULE, waits, [node()], infinity),
    _ = Fun(),
    peer:call(Peer, ?MODULE, waits, [node()], infinity).

%% @doc On the node: all that the node does for a plan.
-spec live(map()) -> non_neg_integer().
live(Made) ->
    {Time, {ok, #{findings := []}}} = timer:tc(fun() -> erlrcdynamic:live_plan(operation(Made)) end),
    Time.

operation(#{application := App, old := Old, new := New}) ->
    #{operation => upgrade, application => App, from => "1", to => "2", from_dir => Old, to_dir => New, options => #{}}.

%% @doc On the node: a part of that.
-spec part(atom(), map()) -> non_neg_integer().
part(Part, #{server := Server, libraries := Libraries, new := New} = Made) ->
    File = fun(Module) -> filename:join([New, "ebin", atom_to_list(Module) ++ ".beam"]) end,
    #{targets := Targets} = erlrc_discover:processes([Server], #{}),
    {Time, _} = timer:tc(fun() -> part(Part, Made, [Server | Libraries], Targets, File) end),
    Time.

part(script, Made, _Modules, _Targets, _File) ->
    {ok, _, _} = erlrc_upgrade:preview(up, operation(Made));
part(discover, #{server := Server}, _Modules, _Targets, _File) ->
    erlrc_discover:processes([Server], #{});
part(states, #{server := Server, old := Old}, Modules, Targets, File) ->
    Deadline = erlang:monotonic_time(millisecond) + 10000,
    Options = #{changed => Modules, directory => Old ++ "/", deadline => Deadline},
    erlrc_trial:run([{Server, "1", [], File(Server)}], Targets, Options);
part(tables, #{old := Old}, Modules, _Targets, _File) ->
    erlrc_tables:funs(Modules, Old ++ "/", 300);
part(stacks, _Made, Modules, _Targets, _File) ->
    erlrc_purge:on_stack(Modules);
part(prepare, _Made, Modules, _Targets, File) ->
    [{ok, _} = code:prepare_loading([{M, File(M), element(2, file:read_file(File(M)))}]) || M <- Modules].

plan(Work, #{application := App, new := New}) ->
    {Time, 0} = timer:tc(fun() -> erlrc(Work, ["plan", atom_to_list(App), "--to", New, "--json"]) end),
    Time.

static(Work, #{application := App, new := New}) ->
    Out = filename:join(Work, "out"),
    0 = erlrc(Work, ["plan", atom_to_list(App), "--to", New, "--json"]),
    {ok, Json} = file:read_file(Out),
    {match, [Digits]} = re:run(Json, "\"microseconds\": *([0-9]+)", [{capture, [1], list}]),
    list_to_integer(Digits).

%% There and back, without and with. What an upgrade left is purged outside of the measured time: whoever upgrades
%% once more before that is done waits for it, plan or not.
hooks(Peer, Work, Made) ->
    [Off, Strict] = [upgrade(Peer, Work, Made, Preflight) || Preflight <- ["off", "strict"]],
    {Off, Strict}.

upgrade(Peer, Work, #{application := App, old := Old, new := New} = Made, Preflight) ->
    Versions = [atom_to_list(App), "1", "2", Old, New, "--preflight"],
    ok = peer:call(Peer, ?MODULE, purge, [Made], infinity),
    {Time, 0} = timer:tc(fun() -> erlrc(Work, ["upgrade" | Versions] ++ [Preflight]) end),
    0 = erlrc(Work, ["downgrade" | Versions] ++ ["off"]),
    Time.

%% @doc On the node: no old code is left.
-spec purge(map()) -> ok.
purge(#{server := Server, libraries := Libraries}) ->
    lists:foreach(fun code:purge/1, [Server | Libraries]).

erlrc(Work, Arguments) ->
    Program = filename:join(filename:dirname(filename:dirname(code:which(erlrc_engine))), "priv/erlrc"),
    Line = lists:join(" ", [Program | Arguments] ++ [">", filename:join(Work, "out"), "2>&1"]),
    Port = open_port({spawn_executable, "/bin/sh"}, [{args, ["-c", Line]}, {env, environment(Work)}, exit_status]),
    receive
        {Port, {exit_status, Status}} -> Status
    end.
