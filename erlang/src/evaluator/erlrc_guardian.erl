%% @doc Watches over an operation. If the process that carries the operation out dies or gives up, the guardian brings the
%% node to the old or to the new, as the journal has it.
%%
%% It is linked to nobody. It holds the name `erlrc_guardian' from before the first change until the node is settled:
%% two operations never overlap, even if the first one's process was killed. Where the guardian is killed, whoever waits
%% for it, or the next operation, starts a successor, which has the journal.
-module(erlrc_guardian).

-export([run/2, ask/2, settle/2, settle/3, alone/2]).
-export([succeed/2, resume/0, settle_left/0, left/0]).

%% So many successors are tried.
-define(SUCCESSORS, 3).

%% @doc Runs `Fun' under a guardian. `Fun' leaves by `exit({erlrc_done, Result})'; it gets the guardian's pid.
%% Answers what came of it, and what it cost.
-spec run(fun((pid()) -> no_return()), fun(([pid()]) -> map())) ->
    {erlrc_evaluator:result(), erlrc_journal:summary()}.
run(Fun, Context) ->
    ok = settle_left(),
    Caller = self(),
    Token = make_ref(),
    Deadline = erlrc_deadline:current(),
    {Guardian, Ref} = spawn_monitor(fun() ->
        ok = erlrc_deadline:set(Deadline),
        guard(Caller, Token, Fun, Context)
    end),
    receive
        {Token, Runner} ->
            ok = erlrc_settlement:note({script, Guardian, Runner}),
            Runner ! {Token, go},
            wait(Guardian, Ref, Token, Runner);
        {'DOWN', Ref, process, Guardian, {busy, Other}} ->
            case erlrc_provisional:check_held() of
                ok -> wait_for(Other), run(Fun, Context);
                {error, _} = Error -> {Error, erlrc_journal:summary([], #{})}
            end;
        {'DOWN', Ref, process, Guardian, Reason} ->
            {{error, {guardian_died, Reason}}, erlrc_journal:summary([], #{})}
    end.

%% One that only keeps its way back open gives it up.
wait_for(Other) ->
    Ref = monitor(process, Other),
    Other ! {settle, confirm, any, self(), Ref},
    receive
        {'DOWN', Ref, process, Other, _} -> ok
    end,
    receive
        {Ref, _Confirmed} -> ok
    after 0 -> ok
    end.

%% @doc Waits until what an earlier script left is settled whose processes were all killed.
-spec settle_left() -> ok.
settle_left() ->
    case resume() of
        undefined ->
            ok;
        Successor ->
            Ref = monitor(process, Successor),
            receive
                {'DOWN', Ref, process, Successor, _} -> ok
            end
    end.

%% @doc Asks the guardian to settle an operation that failed, and waits.
-spec ask(pid(), term()) -> {ok, erlrc_evaluator:result()} | dead.
ask(Guardian, Reason) ->
    Ref = monitor(process, Guardian),
    Guardian ! {settle, self(), Reason},
    receive
        {settled, Result} -> {ok, Result};
        {'DOWN', Ref, process, Guardian, _} -> dead
    end.

%% @doc The process that carries a script out has ended it; where there is no guardian any more it writes that down.
-spec alone(pid(), erlrc_evaluator:result()) -> ok.
alone(Guardian, Result) ->
    case is_process_alive(Guardian) of
        true ->
            ok;
        false ->
            ok = erlrc_outcome:scripted(Guardian, Result),
            erlrc_journal:close()
    end.

%% The guardian has the last word.
wait(Guardian, Ref, Token, Runner) ->
    receive
        {Token, held, Hold, Result, Cost} ->
            demonitor(Ref, [flush]),
            _ = put(erlrc_hold, Hold),
            {Result, Cost};
        {'DOWN', Ref, process, Guardian, {erlrc_done, Result, Cost}} ->
            {Result, Cost};
        {'DOWN', Ref, process, Guardian, _Killed} ->
            {succeed(Guardian, Runner), erlrc_journal:summary([], #{})}
    end.

%% @doc What came of a script whose guardian is dead: it is settled, if it has not been.
-spec succeed(pid(), pid()) -> erlrc_evaluator:result().
succeed(Guardian, Runner) ->
    succeed(Guardian, Runner, ?SUCCESSORS).

succeed(Guardian, Runner, Left) ->
    case erlrc_outcome:script(Guardian) of
        {ok, {ended, Result}} ->
            Result;
        {ok, {open, Runner, Table}} when Left > 0 ->
            Successor = start_successor(Guardian, Runner, Table),
            Ref = monitor(process, Successor),
            receive
                {'DOWN', Ref, process, Successor, _} -> succeed(Guardian, Runner, Left - 1)
            end;
        _ ->
            wait_alone(Runner, monitor(process, Runner))
    end.

wait_alone(Runner, Ref) ->
    receive
        {'DOWN', Ref, process, Runner, {erlrc_done, Result}} -> Result;
        {'DOWN', Ref, process, Runner, Reason} -> {error, {not_rolled_back, {died, Reason}, [unknown]}}
    end.

%% @doc A process that settles what a dead guardian left, if one did.
-spec resume() -> pid() | undefined.
resume() ->
    case open_script() of
        {Guardian, {open, Runner, Table}} -> start_successor(Guardian, Runner, Table);
        none -> undefined
    end.

%% @doc What a dead guardian left: application and versions.
-spec left() -> #{application := atom(), from := string(), to := string()} | none.
left() ->
    case {whereis(?MODULE), open_script()} of
        {undefined, {_, {open, _, Table}}} -> about(written(Table));
        _ -> none
    end.

about({#{about := #{application := _} = About}, _Entries}) -> maps:with([application, from, to], About);
about(_) -> none.

open_script() ->
    case erlrc_outcome:script() of
        {Guardian, {open, _, _}} = Script -> case is_process_alive(Guardian) of true -> none; false -> Script end;
        _ -> none
    end.

-dialyzer({no_return, start_successor/3}).
start_successor(Guardian, Runner, Table) ->
    Deadline = erlrc_deadline:current(),
    spawn(fun() -> succeed(Deadline, Guardian, Runner, Table) end).

-spec succeed(erlrc_deadline:deadline(), pid(), pid(), ets:table()) -> no_return().
succeed(Deadline, Guardian, Runner, Table) ->
    ok = erlrc_operation:leave_group(),
    ok = erlrc_deadline:set(Deadline),
    ok = take_name(),
    ok = erlrc_journal:write_to(Table),
    succeeding(Guardian, Runner, Table).

take_name() ->
    try register(?MODULE, self()) of
        true -> ok
    catch
        error:badarg ->
            Ref = monitor(process, ?MODULE),
            receive
                {'DOWN', Ref, process, _, _} -> take_name()
            end
    end.

%% Without a guardian the script ends itself; where it cannot, the journal says what is to be done.
-spec succeeding(pid(), pid(), ets:table()) -> no_return().
succeeding(Guardian, Runner, Table) ->
    Ref = monitor(process, Runner),
    receive
        {'DOWN', Ref, process, Runner, {erlrc_done, Result}} -> done(Result, Guardian, Table);
        {'DOWN', Ref, process, Runner, Reason} -> done(settled(Reason, Guardian, Table), Guardian, Table)
    end.

settled(Reason, Guardian, Table) ->
    case {erlrc_outcome:script(Guardian), written(Table)} of
        {{ok, {ended, Result}}, _} -> Result;
        {_, {Context, Entries}} ->
            All = fun(Way) -> Way#{entries => lists:keydelete(confirmed, 1, Entries), context => Context} end,
            case {lists:keyfind(reverting, 1, Entries), lists:keyfind(provisional, 1, Entries)} of
                {{reverting, Way}, Provisional} -> take_back(Reason, All(Way), Provisional);
                {false, {provisional, Way}} -> take_back(Reason, All(Way), {provisional, Way});
                {false, false} -> go_on(Reason, Entries, Context)
            end;
        {_, gone} -> {error, {not_rolled_back, {died, Reason}, [unknown]}}
    end.

%% What belonged to the operation beside the script goes the same way.
take_back(Reason, #{context := #{subject := Subject}} = Way, Provisional) ->
    {Why, _} = why(Reason, Subject),
    try erlrc_hold:take_back(Way) of
        Result ->
            ok = told(Provisional, Result),
            case Result of
                {reverted, Left, _Converted, _Warnings} -> rolled_back(Why, Left);
                {error, _} = Error -> Error
            end
    catch
        Class:Crash:Stack -> undo_crashed(Why, [], {Class, Crash, Stack})
    end.

told({provisional, #{operation := #{changes := Changes}}}, Result) -> erlrc_provisional:went_back(Changes, guardian_killed, Result);
told(false, _Result) -> ok.

go_on(Reason, Entries, Context) ->
    Result = settle(Reason, Entries, Context),
    Calls = maps:get(committed, Context, []),
    _ = [erlrc_after_commit:run(Calls, infinity) || {ok, _} <- [Result], lists:member(held, Entries)],
    Result.

guard(Caller, Token, Fun, Context) ->
    try register(?MODULE, self()) of
        true ->
            Guardian = self(),
            Deadline = erlrc_deadline:current(),
            Known = Context([self(), Caller]),
            ok = erlrc_outcome:open(),
            Table = erlrc_journal:open(Known),
            ok = erlrc_journal:write_to(Table),
            Start = fun() ->
                ok = erlrc_deadline:set(Deadline),
                ok = erlrc_journal:write_to(Table),
                start(Fun, Guardian, Caller, Token)
            end,
            {Runner, Ref} = spawn_opt(Start, [monitor, {min_heap_size, 65536}]),
            ok = erlrc_outcome:scripting({open, Runner, Table}),
            Caller ! {Token, Runner},
            watch(Runner, Ref, Known, {Caller, Token}, Table)
    catch
        error:badarg -> exit({busy, whereis(?MODULE)})
    end.

%% Nothing begins before guardian and caller know of each other.
start(Fun, Guardian, Caller, Token) ->
    Refs = [monitor(process, Pid) || Pid <- [Guardian, Caller]],
    receive
        {Token, go} ->
            _ = [demonitor(Ref, [flush]) || Ref <- Refs],
            Fun(Guardian);
        {'DOWN', _, process, _, Reason} ->
            exit(Reason)
    end.

watch(Runner, Ref, Context, Asker, Table) ->
    receive
        cancel ->
            Runner ! cancel,
            watch(Runner, Ref, Context, Asker, Table);
        {settle, Runner, Reason} ->
            Result = settle(Reason, entries(Table), Context),
            Runner ! {settled, Result},
            done(Result, self(), Table);
        {hold, Runner, Result, Final, Time} ->
            ok = hold({Runner, Ref}, Asker, Result, #{
                entries => entries(Table), context => Context, final => Final, time => Time, table => Table
            }),
            done(Result, self(), Table);
        {'DOWN', Ref, process, Runner, {erlrc_done, Result}} -> done(Result, self(), Table);
        {'DOWN', Ref, process, Runner, Reason} -> done(settle(Reason, entries(Table), Context), self(), Table)
    end.

entries(Table) ->
    {_, Entries} = written(Table),
    Entries.

%% The context and the entries, the newest first. Here, for at the end of a script the journal may be that of another version.
written(Table) ->
    try ets:tab2list(Table) of
        [{0, Context} | Rows] -> {Context, lists:reverse([Entry || {_, Entry} <- Rows])}
    catch
        error:badarg -> gone
    end.

%% The result is written down for whoever comes when the guardian is gone. (The script may have replaced erlrc by a version
%% that writes nothing down.)
-spec done(erlrc_evaluator:result(), pid(), ets:table()) -> no_return().
done(Result, Guardian, Table) ->
    Cost = cost(Table),
    _ = try erlrc_migrator:unload(entries(Table)) catch _:_ -> ok end,
    _ = try erlrc_outcome:scripted(Guardian, Result) catch _:_ -> ok end,
    _ = try ets:delete(Table) catch error:badarg -> true end,
    exit({erlrc_done, Result, Cost}).

%% The caller goes on with what belongs to its operation beside the script.
hold(Runner, {Caller, Token}, Result, #{table := Table} = Held) ->
    Cost = cost(Table),
    Answer = fun(Hold) -> Caller ! {Token, held, Hold, Result, Cost} end,
    erlrc_hold:guard(Held#{runner => Runner, caller => Caller, answer => Answer}).

%% An operation that was killed has not said what its stages took; and who was killed on the way back only we know.
cost(Table) ->
    Entries = case written(Table) of {_, Written} -> Written; gone -> [] end,
    All = erlrc_journal:summary(erlrc_journal:entries() ++ Entries, #{}),
    case lists:keyfind(cost, 1, Entries) of
        {cost, Cost} -> maps:merge(Cost, maps:with([killed], All));
        false -> All
    end.

%% @doc Brings the node to the old or the new, as the journal has it, and says how the operation ended.
-spec settle(term(), [term()], map()) -> erlrc_evaluator:result().
settle(Reason, Entries, #{subject := Subject} = Context) ->
    {Why, Left0} = why(Reason, Subject),
    ok = erlrc_journal:settle(Entries, Context),
    try erlrc_undo:run(Entries, Context) of
        {finished, Unpurged} -> {ok, Unpurged};
        {undone, Left} -> rolled_back(Why, Left0 ++ Left ++ erlrc_inventory:gone())
    catch
        Class:Crash:Stack -> undo_crashed(Why, Left0, {Class, Crash, Stack})
    end.

%% @doc The same by the process that carried the operation out, whose guardian is dead: that one may have gone a part of the
%% way back.
-spec settle(term(), map()) -> erlrc_evaluator:result().
settle(Reason, Context) ->
    Entries = case written(erlrc_journal:table()) of {_, Written} -> Written; gone -> erlrc_journal:entries() end,
    settle(Reason, Entries, Context).

undo_crashed(Why, Left, {Class, Crash, Stack}) ->
    result(Why, Left ++ [{undo_crashed, {Class, Crash, lists:sublist(Stack, 5)}}]).

rolled_back(Why, Left) ->
    ok = erlrc_journal:log(warning, #{event => rolled_back, reason => Why, left => Left}),
    result(Why, Left).

why({erlrc_failed, Why, Left}, _Subject) -> {Why, Left};
why(Reason, Subject) -> {{script_failed, Subject, {evaluator_died, Reason}}, []}.

result(Why, []) -> {error, Why};
result(Why, Left) -> {error, {not_rolled_back, Why, lists:usort(Left)}}.
