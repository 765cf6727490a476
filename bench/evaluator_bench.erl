%% @doc The transactional evaluator beside release_handler. See bench/evaluator.
-module(evaluator_bench).

-export([main/0]).

-define(BUSY_WORKER, evaluator_busy).

%% @doc Plain arguments: the directory to work in, options, a row.
-spec main() -> no_return().
main() ->
    [Dir | Arguments] = init:get_plain_arguments(),
    logger:set_primary_config(level, emergency),
    {ok, _} = application:ensure_all_started(sasl),
    main(Arguments, #{dir => Dir, stages => false, repeat => 3, pick => fun median/1}).

main(["--stages" | Arguments], Options) -> main(Arguments, Options#{stages := true});
main(["--best" | Arguments], Options) -> main(Arguments, Options#{pick := fun lists:min/1});
main(["--repeat", N | Arguments], Options) -> main(Arguments, Options#{repeat := list_to_integer(N)});
main([Row], Options) ->
    row(words(Row), Row, Options),
    halt(0).

words(Row) ->
    [case string:to_integer(Word) of {N, []} -> N; _ -> list_to_atom(Word) end || Word <- string:lexemes(Row, ",")].

row([P, N], Row, Options) when is_integer(P) -> upgrade(changed, P, N, Row, Options);
row([same, P, N], Row, Options) -> upgrade(same, P, N, Row, Options);
row([busy, P, Busy, Milliseconds], Row, Options) -> busy(P, Busy, Milliseconds, Row, Options);
row([tree, Supervisors], Row, Options) -> tree(Supervisors, Row, Options);
row([rollback, P, N], Row, Options) -> rollback(P, N, Row, Options).

%% The runs take turns, so that what else the machine does meets all of them.
upgrade(Shape, P, N, Row, #{dir := Dir, repeat := Repeat, pick := Pick} = Options) ->
    Made = evaluator_fixture:application(Dir, Shape, P, N),
    Ways = [release_handler] ++ [one_by_one || N =< 50] ++ [floor || Shape =:= changed] ++ [transactional],
    Runs = [[{Way, measure(Way, P, Made, Options)} || Way <- Ways] || _ <- lists:seq(1, Repeat)],
    Pause = fun(Way) -> Pick([Longest || Run <- Runs, {Each, {Longest, _}} <- Run, Each =:= Way]) end,
    Total = fun(Way) -> Pick([Took || Run <- Runs, {Each, {_, Took}} <- Run, Each =:= Way]) end,
    Known = fun(Fun, Way) -> case lists:member(Way, Ways) of true -> Fun(Way); false -> none end end,
    [Joined, Single, Ours, Floor] =
        [Known(Pause, Way) || Way <- [release_handler, one_by_one, transactional, floor]],
    print(Row, [Joined, Single, Ours], [Known(Total, Way) || Way <- [release_handler, one_by_one, transactional]], Floor).

print(Row, Pauses, Totals) -> print(Row, Pauses, Totals, none).

print(Row, [Joined, Single, Ours], Totals, Floor) ->
    Ratio = fun(none) -> "-"; (Theirs) -> io_lib:format("~.1f", [Theirs / max(Ours, 1)]) end,
    Above = case Floor of none -> "-"; _ -> io_lib:format("~.1f", [Ours / max(Floor, 1)]) end,
    Best = case lists:member(none, [Joined, Floor]) of true -> "-"; false -> io_lib:format("~.1f", [Joined / max(Floor, 1)]) end,
    Time = fun(none) -> "-"; (Microseconds) -> io_lib:format("~.2f", [Microseconds / 1000]) end,
    Cells = [Row] ++ [Time(T) || T <- [Joined, Single, Ours]] ++ [Ratio(Joined), Ratio(Single)] ++
        [Time(Floor), Above, Best] ++ [Time(T) || T <- Totals],
    io:format("| ~s |~n", [lists:join(" | ", Cells)]).

median(Numbers) ->
    lists:nth((length(Numbers) + 1) div 2, lists:sort(Numbers)).

%% Up, on processes that run version 1; afterwards everything is taken away again. Of the floor `--stages' prints what
%% the change of code takes.
measure(floor, P, Made, #{stages := Print}) ->
    {Commit, All} = evaluator_floor:window(Made, evaluator_fixture:start(Made, P)),
    _ = [io:format("  floor: commit ~b of ~b~n", [Commit, All]) || Print],
    evaluator_fixture:clean(Made),
    {All, All};
measure(Way, P, Made, Options) ->
    Pids = evaluator_fixture:start(Made, P),
    Clients = evaluator_fixture:clients(Pids),
    Script = evaluator_fixture:script(grouping(Way), Made, #{report => self()}),
    true = erlang:garbage_collect(),
    {Took, Result} = timer:tc(fun() -> run(Way, Script) end),
    Longest = evaluator_fixture:stop(Clients),
    true = succeeded(Result),
    stages(Way, Options),
    evaluator_fixture:clean(Made),
    {Longest, Took}.

grouping(one_by_one) -> one_by_one;
grouping(_) -> joined.

succeeded({ok, _}) -> true.

%% OTP's own, without what erlrc puts around it.
run(transactional, Script) ->
    erlrc_transaction:evaluate(Script);
run(_, [#{application := App, to := {Vsn, Dir}}] = Script) ->
    {ok, Steps} = erlrc_release_handler:translate(Script),
    Lib = {App, Vsn, Dir},
    release_handler_1:eval_script(Steps, [], [Lib], [Lib], []).

stages(transactional, #{stages := Print}) ->
    receive
        {erlrc_transaction, _, Timings} -> [io:format("  ~w~n", [Timings]) || Print]
    after 0 -> ok
    end;
stages(_, _Options) ->
    ok.

%% Processes that have work of their own, a piece after the other, all in step; until all stand.
busy(P, Busy, Milliseconds, Row, #{repeat := Repeat, pick := Pick}) ->
    Pids = [element(2, ?BUSY_WORKER:start()) || _ <- lists:seq(1, P)],
    Every = P div Busy,
    Workers = [lists:nth(I * Every, Pids) || I <- lists:seq(1, Busy)],
    Theirs = [standing(Workers, Milliseconds, fun() -> [sys:suspend(Pid, infinity) || Pid <- Pids] end, Pids)
              || _ <- lists:seq(1, Repeat)],
    Ours = [standing(Workers, Milliseconds, fun() -> suspend(Pids) end, Pids) || _ <- lists:seq(1, Repeat)],
    _ = [exit(Pid, kill) || Pid <- Pids],
    print(Row ++ " (suspend)", [Pick(Theirs), none, Pick(Ours)], [none, none, none]).

suspend(Pids) ->
    Deadline = erlang:monotonic_time(millisecond) + 10000,
    {ok, _} = erlrc_quiesce:suspend(Pids, [], Deadline, fun() -> false end).

standing(Workers, Milliseconds, Suspend, Pids) ->
    _ = [gen_server:cast(Pid, {work, Milliseconds}) || Pid <- Workers],
    receive
    after Milliseconds div 2 -> ok
    end,
    {Took, _} = timer:tc(Suspend),
    _ = [gen_server:cast(Pid, rest) || Pid <- Workers],
    _ = [sys:resume(Pid, infinity) || Pid <- Pids],
    _ = [gen_server:call(Pid, idle, infinity) || Pid <- Pids],
    Took.

%% A supervisor for every connection: release_handler walks the tree once for each `suspend'.
tree(Supervisors, Row, #{dir := Dir, repeat := Repeat, pick := Pick}) ->
    Made = #{server := Server} = evaluator_fixture:application(Dir, tree, Supervisors, 1),
    _ = evaluator_fixture:start(Made, Supervisors),
    Theirs = [element(1, timer:tc(fun() -> release_handler_1:get_supervised_procs() end)) || _ <- lists:seq(1, Repeat)],
    Ours = [element(1, timer:tc(fun() -> found(Server, Supervisors) end)) || _ <- lists:seq(1, Repeat)],
    Walk = [element(1, timer:tc(fun() -> erlrc_discover:children(#{}) end)) || _ <- lists:seq(1, Repeat)],
    print(Row ++ " (discover)", [Pick(Theirs), none, Pick(Ours)], [none, none, none]),
    print(Row ++ " (walk)", [Pick(Theirs), none, Pick(Walk)], [none, none, none]),
    evaluator_fixture:clean(Made).

found(Server, Count) ->
    #{targets := Targets} = erlrc_discover:processes([Server], #{}),
    Count = map_size(Targets) div 2.

%% One that cannot change: everything goes back, and nobody outside notices more than with the upgrade itself.
rollback(P, N, Row, #{dir := Dir, repeat := Repeat, pick := Pick} = Options) ->
    Good = evaluator_fixture:application(Dir, changed, P, N),
    Bad = evaluator_fixture:application(Dir, poisoned, P, N),
    Runs = [{measure(transactional, P, Good, Options), back(P, Bad, Options)} || _ <- lists:seq(1, Repeat)],
    Pauses = fun(Side) -> Pick([element(1, element(Side, Run)) || Run <- Runs]) end,
    Totals = fun(Side) -> Pick([element(2, element(Side, Run)) || Run <- Runs]) end,
    print(Row ++ " (upgrade / rollback)", [Pauses(1), none, Pauses(2)], [Totals(1), none, Totals(2)]).

back(P, Made, _Options) ->
    Pids = evaluator_fixture:start(Made, P),
    Clients = evaluator_fixture:clients(Pids),
    Script = evaluator_fixture:script(joined, Made, #{}),
    {Took, Result} = timer:tc(fun() -> run(transactional, Script) end),
    Longest = evaluator_fixture:stop(Clients),
    {error, {script_failed, _, {code_change_failed, _, _, _}}} = Result,
    1 = (maps:get(server, Made)):version(),
    [1] = lists:usort([element(1, sys:get_state(Pid)) || Pid <- Pids]),
    evaluator_fixture:clean(Made),
    {Longest, Took}.
