%% @doc An upgrade that is done and whose way back is kept open: until it is confirmed, reverted, or the time is over.
%% What happens then is said beforehand. It is confirmed where several nodes wait for the last one, and reverted where the
%% upgrade is provisional, which waits for a person.
%%
%% The guardian of the operation holds on, and with it the name `erlrc_guardian': journal, prepared old code, and in the
%% processes their old states and what these became. The process that carried the operation out stays beside it and
%% confirms should the guardian be killed; should that process be killed, the guardian has all that is needed. Of a
%% provisional upgrade a successor of the guardian goes the way back.
-module(erlrc_hold).

-export([wait/4, guard/1, take_back/1]).
-export([changes/1, complete/1, status/0, confirm/1, revert/1, prolong/2, settle/0]).
-export_type([operation/0, which/0, change/0, over/0]).

%% What happens when the time is over.
-type over() :: confirm | revert.

%% What belongs to an upgrade beside the script, for `erlrc_revert'.
-type operation() :: #{changes := [change()], release => binary(), _ => _}.
-type change() :: #{application := atom(), from := string(), to := string()}.
%% Which hold is meant; `held' is its number, as the operation answered it.
-type which() ::
    #{changes := [map()], held => string(), _ => _}
    | #{application := atom(), from := string(), to := string(), held => string(), _ => _}.
-type held() :: #{
    id := string(),
    runner := {pid(), reference()},
    caller := reference(),
    entries := [term()],
    context := map(),
    final := map(),
    %% The journal, for a successor: it confirms, unless the way back has begun.
    table := ets:table(),
    %% The time begins when the operation is through.
    time := timeout(),
    over := over(),
    deadline := integer() | infinity,
    operation := none | operation()
}.

%% @doc The process that carried the operation out hands it over and waits. Answers whether somebody else has settled it.
-spec wait(pid(), erlrc_evaluator:result(), map(), {timeout(), over()}) -> settled | dead.
wait(Guardian, Result, Final, Time) ->
    Ref = monitor(process, Guardian),
    Guardian ! {hold, self(), Result, Final, Time},
    wait(Guardian, Ref).

wait(Guardian, Ref) ->
    receive
        {held_no_more, Guardian} -> settled;
        {'DOWN', Ref, process, Guardian, _} -> dead;
        %% It is too late for that.
        cancel -> wait(Guardian, Ref)
    end.

%% @doc What the guardian does from here on; answers when it is settled.
-spec guard(map()) -> ok.
guard(#{caller := Caller, answer := Answer} = Held) ->
    #{table := Table, final := Final} = Held,
    ok = erlrc_journal:write(Table, {confirmed, Final}),
    ok = erlrc_journal:write(Table, held),
    ok = watched(self()),
    Id = integer_to_list(erlang:unique_integer([positive])),
    Ref = monitor(process, Caller),
    _ = Answer({self(), Id}),
    {Time, Over} = maps:get(time, Held),
    loop((maps:with([runner, entries, context, final, table], Held))#{
        time => Time, over => Over, id => Id, caller => Ref, deadline => infinity, operation => none
    }).

%% The operation has been answered: nobody else waits for the guardian, should it be killed.
watched(Guardian) ->
    _ = spawn(fun() ->
        Ref = monitor(process, Guardian),
        receive
            {'DOWN', Ref, process, Guardian, _} -> erlrc_guardian:settle_left()
        end
    end),
    ok.

-spec loop(held()) -> ok.
loop(#{runner := {_, RunnerRef}, caller := CallerRef, deadline := Deadline, operation := Operation} = Held) ->
    receive
        {complete, Complete} ->
            demonitor(CallerRef, [flush]),
            ok = provisional(Held#{operation := Complete}),
            loop(until(maps:get(time, Held), Held#{operation := Complete}));
        {settle, {prolong, Time}, Which, From, Ref} ->
            Meant = is_meant(Which, Held),
            From ! {Ref, case Meant of true -> held; false -> not_held end},
            loop(case Meant of true -> until(Time, Held); false -> Held end);
        {settle, How, Which, From, Ref} ->
            case is_meant(Which, Held) of
                true -> From ! {Ref, settle(How, Held)}, ok;
                false -> From ! {Ref, not_held}, loop(Held)
            end;
        {'DOWN', CallerRef, process, _, _} when Operation =:= none ->
            over(caller_died, Held);
        {'DOWN', RunnerRef, process, _, _} ->
            loop(Held);
        cancel ->
            loop(Held)
    after left(Deadline) ->
        over(time_is_over, Held)
    end.

%% The journal has all that a successor needs to go the way back.
provisional(#{over := confirm}) ->
    ok;
provisional(#{over := revert, table := Table} = Held) ->
    erlrc_journal:write(Table, {provisional, maps:with([final, operation], Held)}).

until(Time, #{id := Id, over := Over, operation := Operation} = Held) ->
    Until = erlang:monotonic_time(millisecond) + Time,
    _ = put(?MODULE, {(maps:with([changes, release], Operation))#{over => Over, held => Id}, Until}),
    Held#{deadline := Until}.

left(infinity) -> infinity;
left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).

is_meant(any, #{over := Over}) ->
    Over =:= confirm;
is_meant(Which, #{id := Id, operation := #{changes := Changes}}) ->
    %% What ran in its version already is asked for, and not held.
    Asked = changes(Which),
    maps:get(held, Which, Id) =:= Id andalso [] =:= Changes -- Asked andalso (Changes =:= Asked orelse is_map_key(changes, Which));
is_meant(_Which, _Held) ->
    false.

%% @doc What is meant, application by application, in order of name.
-spec changes(which()) -> [change()].
changes(#{changes := Changes}) ->
    lists:sort([maps:with([application, from, to], Change) || #{from := _} = Change <- Changes]);
changes(Which) ->
    [maps:with([application, from, to], Which)].

over(time_is_over, #{over := revert, operation := #{changes := Changes}} = Held) ->
    _ = erase(?MODULE),
    erlrc_provisional:went_back(Changes, time_is_over, settle(revert, Held));
over(Why, #{context := #{subject := Subject}} = Held) ->
    erlrc_journal:log(notice, #{event => hold_over, application => Subject, reason => Why}),
    _ = settle(confirm, Held),
    ok.

settle(confirm, #{table := Table} = Held) ->
    ok = erlrc_journal:strike_out(Table, provisional),
    ok = finish(Held),
    ok = told(Held),
    after_commit(Held);
settle(revert, Held) ->
    ok = going_back(Held),
    ok = told(Held),
    take_back(maps:with([entries, context, final, operation], Held)).

%% @private All of the way back; a successor of the guardian goes it as well.
-spec take_back(#{entries := [term()], context := map(), final := map(), operation := operation()}) ->
    {reverted, Left :: [term()], Converted :: non_neg_integer(), Warnings :: [term()]} | {error, term()}.
take_back(#{entries := Entries, context := Context, operation := Operation} = Way) ->
    ok = erlrc_journal:settle(Entries, Context),
    {undone, Left} = erlrc_undo:run(Entries, Context),
    case [Entry || {version, _} = Entry <- Left] of
        [] ->
            Converted = lists:sum([Count || {converted, Count} <- erlrc_journal:entries()]),
            {reverted, Left ++ erlrc_revert:put_back(Operation), Converted, erlrc_operations:warnings()};
        [{version, Why} | _] ->
            %% The new version it is, then; nothing has changed where there was one window.
            ok = finish(Way),
            case Left of
                [_] -> {error, {not_reverted, Why}};
                _ -> {error, {not_rolled_back, {not_reverted, Why}, lists:usort(Left)}}
            end
    end.

%% The operation itself calls them where it has not come so far.
after_commit(#{operation := none}) ->
    confirmed;
after_commit(#{context := Context}) ->
    case erlrc_after_commit:run(maps:get(committed, Context, []), infinity) of
        [] -> confirmed;
        Failed -> {confirmed, Failed}
    end.

going_back(#{table := Table} = Held) ->
    ok = erlrc_journal:write(Table, {reverting, maps:with([final, operation], Held)}),
    erlrc_journal:strike_out(Table, confirmed).

finish(#{entries := Entries, final := Final, context := Context}) ->
    ok = erlrc_journal:settle(Entries, Context),
    {finished, _} = erlrc_undo:run([{confirmed, Final} | Entries], Context),
    ok.

told(#{runner := {Runner, _}}) ->
    Runner ! {held_no_more, self()},
    ok.

%% @doc The operation that calls this is through: what it would take to undo all that it did beside the script.
-spec complete(operation()) -> ok.
complete(Operation) ->
    {Guardian, _Id} = get(erlrc_hold),
    Guardian ! {complete, Operation},
    ok.

%% @doc What is held, and for how many milliseconds.
-spec status() ->
    none | #{changes := [change()], release => binary(), over := over(), held := string(), left := integer()}.
status() ->
    Guardian = whereis(erlrc_guardian),
    case is_pid(Guardian) andalso process_info(Guardian, dictionary) of
        {dictionary, Dictionary} ->
            case lists:keyfind(?MODULE, 1, Dictionary) of
                {_, {Which, Deadline}} -> Which#{left => Deadline - erlang:monotonic_time(millisecond)};
                false -> none
            end;
        _ ->
            none
    end.

%% @doc Gives the way back up. What was to be called then and failed is told.
-spec confirm(which() | any) -> confirmed | {confirmed, [erlrc_after_commit:failure()]} | not_held.
confirm(Which) ->
    ask(confirm, Which).

%% @doc Goes the way back: code, path and states, then environment and the rest, as the operation had left them here. All
%% of it is done by the guardian, whatever becomes of the caller. `Converted' processes had gone on since, so that their states were changed back by `code_change'.
-spec revert(which()) ->
    {reverted, Left :: [term()], Converted :: non_neg_integer(), Warnings :: [term()]} | not_held | {error, term()}.
revert(Which) ->
    ask(revert, Which).

%% @doc The time begins anew, and is so many milliseconds.
-spec prolong(which(), non_neg_integer()) -> held | not_held.
prolong(Which, Time) ->
    ask({prolong, Time}, Which).

%% @doc Another operation begins: whatever is held is confirmed, but for what is provisional.
-spec settle() -> ok | {error, term()}.
settle() ->
    case erlrc_provisional:check_held() of
        ok ->
            _ = [erlrc_operations:warn(Why) || {confirmed, Failed} <- [confirm(any)], Why <- Failed],
            erlrc_provisional:succeeded();
        {error, _} = Error ->
            Error
    end.

%% A guardian at work reads the question when it is through, if it holds on then.
ask(How, Which) ->
    ok = erlrc_guardian:settle_left(),
    case whereis(erlrc_guardian) of
        undefined ->
            not_held;
        Guardian ->
            _ = [ok = erlrc_settlement:note({reverting, Guardian, Which}) || How =:= revert],
            ask(Guardian, How, Which)
    end.

ask(Guardian, How, Which) ->
    Ref = monitor(process, Guardian),
    Guardian ! {settle, How, Which, self(), Ref},
    receive
        {Ref, Still} when Still =:= not_held; Still =:= held ->
            demonitor(Ref, [flush]),
            Still;
        {Ref, Answer} ->
            %% The name is free again.
            receive
                {'DOWN', Ref, process, Guardian, _} -> Answer
            end;
        {'DOWN', Ref, process, Guardian, _} ->
            ok = erlrc_guardian:settle_left(),
            not_held
    end.
