%% @doc Watches over an operation. Holds a copy of its journal; if the process that carries the operation out dies
%% or gives up, the guardian brings the node to the old or to the new.
%%
%% It is linked to nobody. It holds the name `erlrc_guardian' from before the first change until the node is settled:
%% two operations never overlap, even if the first one's process was killed.
-module(erlrc_guardian).

-export([run/2, ask/2, settle/3]).

%% @doc Runs `Fun' under a guardian. `Fun' leaves by `exit({erlrc_done, Result})'; it gets the guardian's pid.
%% Answers what came of it, and what it cost.
-spec run(fun((pid()) -> no_return()), fun(([pid()]) -> map())) ->
    {erlrc_evaluator:result(), erlrc_journal:summary()}.
run(Fun, Context) ->
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
            wait(Guardian, Ref, Token, Runner, monitor(process, Runner));
        {'DOWN', Ref, process, Guardian, {busy, Other}} ->
            wait_for(Other),
            run(Fun, Context);
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

%% @doc Asks the guardian to settle an operation that failed, and waits.
-spec ask(pid(), term()) -> {ok, erlrc_evaluator:result()} | dead.
ask(Guardian, Reason) ->
    Ref = monitor(process, Guardian),
    Guardian ! {settle, self(), Reason},
    receive
        {settled, Result} -> {ok, Result};
        {'DOWN', Ref, process, Guardian, _} -> dead
    end.

%% The guardian has the last word. Without one, the operation ends itself and its own word counts.
wait(Guardian, Ref, Token, Runner, RunnerRef) ->
    receive
        {Token, held, Hold, Result, Cost} ->
            _ = [demonitor(Each, [flush]) || Each <- [Ref, RunnerRef]],
            _ = put(erlrc_hold, Hold),
            {Result, Cost};
        {'DOWN', Ref, process, Guardian, {erlrc_done, Result, Cost}} ->
            demonitor(RunnerRef, [flush]),
            {Result, Cost};
        {'DOWN', Ref, process, Guardian, _Killed} ->
            {wait_alone(Runner, RunnerRef), erlrc_journal:summary([], #{})}
    end.

wait_alone(Runner, Ref) ->
    receive
        {'DOWN', Ref, process, Runner, {erlrc_done, Result}} -> Result;
        {'DOWN', Ref, process, Runner, Reason} -> {error, {not_rolled_back, {died, Reason}, [unknown]}}
    end.

guard(Caller, Token, Fun, Context) ->
    try register(?MODULE, self()) of
        true ->
            Guardian = self(),
            Deadline = erlrc_deadline:current(),
            Start = fun() ->
                ok = erlrc_deadline:set(Deadline),
                start(Fun, Guardian, Caller, Token)
            end,
            {Runner, Ref} = spawn_opt(Start, [monitor, {min_heap_size, 65536}]),
            Caller ! {Token, Runner},
            watch(Runner, Ref, Context([self(), Caller]), {Caller, Token}, [])
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

watch(Runner, Ref, Context, Asker, Entries) ->
    receive
        {note, Runner, Entry} -> watch(Runner, Ref, Context, Asker, [Entry | Entries]);
        cancel ->
            Runner ! cancel,
            watch(Runner, Ref, Context, Asker, Entries);
        {settle, Runner, Reason} ->
            Result = settle(Reason, Entries, Context),
            Runner ! {settled, Result},
            exit({erlrc_done, Result, cost(Entries)});
        {hold, Runner, Result, Final, Time} ->
            ok = hold({Runner, Ref}, Asker, Result, #{
                entries => Entries, context => Context, final => Final, time => Time
            }),
            exit({erlrc_done, Result, cost(Entries)});
        {'DOWN', Ref, process, Runner, {erlrc_done, Result}} -> exit({erlrc_done, Result, cost(Entries)});
        {'DOWN', Ref, process, Runner, Reason} -> exit({erlrc_done, settle(Reason, Entries, Context), cost(Entries)})
    end.

%% The caller goes on with what belongs to its operation beside the script.
hold(Runner, {Caller, Token}, Result, #{entries := Entries} = Held) ->
    Cost = cost(Entries),
    Answer = fun(Hold) -> Caller ! {Token, held, Hold, Result, Cost} end,
    erlrc_hold:guard(Held#{runner => Runner, caller => Caller, answer => Answer}).

%% An operation that was killed has not said what its stages took; and who was killed on the way back only we know.
cost(Entries) ->
    All = erlrc_journal:summary(erlrc_journal:entries() ++ Entries, #{}),
    case lists:keyfind(cost, 1, Entries) of
        {cost, Cost} -> maps:merge(Cost, maps:with([killed], All));
        false -> All
    end.

%% @doc Brings the node to the old or the new, as the journal has it, and says how the operation ended.
-spec settle(term(), [term()], map()) -> erlrc_evaluator:result().
settle(Reason, Entries, #{application := App} = Context) ->
    {Why, Left0} = why(Reason, App),
    ok = erlrc_journal:settle(Entries),
    ok = erlrc_journal:about(maps:get(about, Context, #{})),
    try erlrc_undo:run(Entries, Context) of
        {finished, Unpurged} -> {ok, Unpurged};
        {undone, Left} -> rolled_back(Why, Left0 ++ Left ++ erlrc_inventory:gone())
    catch
        Class:Crash:Stack -> result(Why, Left0 ++ [{undo_crashed, {Class, Crash, lists:sublist(Stack, 5)}}])
    end.

rolled_back(Why, Left) ->
    ok = erlrc_journal:log(warning, #{event => rolled_back, reason => Why, left => Left}),
    result(Why, Left).

why({erlrc_failed, Why, Left}, _App) -> {Why, Left};
why(Reason, App) -> {{script_failed, App, {evaluator_died, Reason}}, []}.

result(Why, []) -> {error, Why};
result(Why, Left) -> {error, {not_rolled_back, Why, lists:usort(Left)}}.
