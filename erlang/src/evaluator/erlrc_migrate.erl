%% @doc The state of processes: kept, changed, put back.
%%
%% A snapshot never leaves its process. A function sent with sys's `replace_state' puts the state, which nothing
%% changes any more, into the process dictionary and answers the same state; another one takes it from there. Nothing
%% is copied, and what is put back is the very term.
-module(erlrc_migrate).

-export([keep/1, keep_if_missing/1, put_back/1, take_back/1, drop/1, forget/2, record/1, record_if_missing/1, exact/3, unchanged/3]).
-export([change/3, restore/3, restoring/2, restored/2, refresh/4]).
-export_type([id/0, argument/0, how/0]).

%% What a window keeps; `other' and `refresh' are what it keeps beside for a gen_statem's callback mode.
-type id() :: reference() | {other | refresh, reference()}.
%% What `code_change' is told: version and extra.
-type argument() :: {term(), term()}.
%% `keep': a request that each is sent before, `timeout': the longest time in which no process finishes, `supervisors':
%% those that take new specifications over, `standing': those that answer what these call, `before': where the states are
%% kept if these change before the code does.
-type how() :: #{
    keep := none | term(), timeout := timeout(), supervisors => #{pid() => _}, standing => [pid()], before => id()
}.

-define(OLD(Id), {'$erlrc_snapshot', Id}).
-define(NEW(Id), {'$erlrc_migrated', Id}).
-define(NEXT(Id), {'$erlrc_restoring', Id}).
-define(SOME, 256).
-define(TICK, 10).
-define(LONGEST_TICK, 100).

%% @doc The request that keeps the state. An event manager calls the function once per handler; the attempt tells one
%% request from the next.
-spec keep(id()) -> {replace_state, fun()}.
keep(Id) ->
    Attempt = erlang:unique_integer(),
    {replace_state, fun(State) -> store(?OLD(Id), Attempt, State) end}.

%% @doc The same where nothing is kept yet.
-spec keep_if_missing(id()) -> {replace_state, fun()}.
keep_if_missing(Id) ->
    Attempt = erlang:unique_integer(),
    {replace_state, fun(State) ->
        case get(?OLD(Id)) of
            {Other, _} when Other =/= Attempt -> State;
            _ -> store(?OLD(Id), Attempt, State)
        end
    end}.

%% @doc The request that keeps the state after the migration, to tell later whether it is still that.
-spec record(id()) -> {replace_state, fun()}.
record(Id) ->
    Attempt = erlang:unique_integer(),
    {replace_state, fun(State) -> store(?NEW(Id), Attempt, State) end}.

%% @doc The same for a process that may have been told already and may have changed its state since.
-spec record_if_missing(id()) -> {replace_state, fun()}.
record_if_missing(Id) ->
    Attempt = erlang:unique_integer(),
    {replace_state, fun(State) ->
        case {get(?OLD(Id)), get(?NEW(Id))} of
            {{_, _}, undefined} -> store(?NEW(Id), Attempt, State);
            _ -> State
        end
    end}.

store(Key, Attempt, State) ->
    case get(Key) of
        {Attempt, States} -> put(Key, {Attempt, [State | States]});
        _ -> put(Key, {Attempt, [State]})
    end,
    State.

%% @doc The request that puts the kept state back.
-spec put_back(id()) -> {replace_state, fun()}.
put_back(Id) ->
    {replace_state, fun(State) -> back(Id, State) end}.

back(Id, State) ->
    case {get(?OLD(Id)), get(?NEXT(Id))} of
        {undefined, _} -> State;
        {{_, [Old]}, _} -> Old;
        {{_, Olds}, undefined} -> pop(Id, lists:reverse(Olds));
        {_, Rest} -> pop(Id, Rest)
    end.

pop(Id, [Old]) ->
    erase(?NEXT(Id)),
    Old;
pop(Id, [Old | Rest]) ->
    put(?NEXT(Id), Rest),
    Old.

%% @doc The request that puts the kept state back and drops all that was kept.
-spec take_back(id()) -> {replace_state, fun()}.
take_back(Id) ->
    {replace_state, fun(State) ->
        Old = back(Id, State),
        _ = get(?NEXT(Id)) =:= undefined andalso lists:foreach(fun erase_kept/1, all([Id])),
        Old
    end}.

%% @doc The request that drops what was kept.
-spec drop(id()) -> {replace_state, fun()}.
drop(Id) ->
    All = all([Id]),
    {replace_state, fun(State) ->
        lists:foreach(fun erase_kept/1, All),
        State
    end}.

all(Ids) -> lists:append([[Id, {other, Id}, {refresh, Id}] || Id <- Ids]).

%% @doc Drops what was kept by all these processes, whether they stand or run: some at a time, so that nobody who has
%% work waits long for his turn.
-spec forget([pid()], [id()]) -> ok.
forget([], _Ids) ->
    ok;
forget(Pids, Ids) ->
    Ref = make_ref(),
    Self = self(),
    All = all(Ids),
    Request =
        {replace_state, fun(State) ->
            lists:foreach(fun erase_kept/1, All),
            Self ! {{Ref, self()}, ok},
            State
        end},
    forget(Pids, Request, Ref, erlrc_system:nobody()).

forget([], _Request, _Ref, _Nobody) ->
    ok;
forget(Pids, Request, Ref, Nobody) ->
    {Some, Rest} = lists:split(min(?SOME, length(Pids)), Pids),
    lists:foreach(fun(Pid) -> erlrc_system:tell(Pid, Nobody, Request) end, Some),
    ok = erlrc_system:settle(Ref, length(Some), ?TICK),
    forget(Rest, Request, Ref, Nobody).

erase_kept(Id) ->
    _ = erase(?OLD(Id)),
    _ = erase(?NEW(Id)),
    erase(?NEXT(Id)).

%% @doc Puts back the state of those that have not changed since they were migrated; answers them. An event manager,
%% whose handlers cannot be told apart by the function, is none of them.
-spec exact([pid()], id(), timeout()) -> [pid()].
exact(Pids, Id, Timeout) ->
    compare(Pids, Id, fun(Old, _New) -> Old end, Timeout).

%% @doc Those that have not changed since they were migrated; nothing is put back.
-spec unchanged([pid()], id(), timeout()) -> [pid()].
unchanged(Pids, Id, Timeout) ->
    compare(Pids, Id, fun(_Old, New) -> New end, Timeout).

compare([], _Id, _Choose, _Timeout) ->
    [];
compare(Pids, Id, Choose, Timeout) ->
    Ref = make_ref(),
    Self = self(),
    Fun = fun(State) -> compare(Id, State, Choose, Self, Ref) end,
    Nobody = erlrc_system:nobody(),
    _ = [
        begin
            erlrc_system:tell(Pid, Nobody, {replace_state, Fun}),
            erlrc_system:ask_when_done(Pid, Ref, Pid)
        end
     || Pid <- Pids
    ],
    _ = erlrc_system:collect(Ref, erlrc_system:answers(length(Pids)), Timeout),
    flush(Ref).

compare(Id, State, Choose, Self, Ref) ->
    case {get(?OLD(Id)), get(?NEW(Id))} of
        {{_, [Old]}, {_, [New]}} when New =:= State ->
            Self ! {Ref, exact, self()},
            Choose(Old, New);
        _ ->
            State
    end.

flush(Ref) ->
    receive
        {Ref, exact, Pid} -> [Pid | flush(Ref)]
    after 0 ->
        []
    end.

%% @doc Changes the state of processes that stand, all at once. A process that is dead is its supervisor's affair, and
%% named in the answer.
-spec change([{pid(), [module()]}], #{module() => argument()}, how()) ->
    {ok, Gone :: [{pid(), module()}]} | {error, term()}.
change(Changed, Arguments, #{keep := none}) when Changed =:= []; map_size(Arguments) =:= 0 ->
    {ok, []};
change(Changed, Arguments, #{timeout := Timeout} = How) ->
    Ref = make_ref(),
    Sent = send(Changed, Arguments, How#{nobody => erlrc_system:nobody()}, Ref, 0),
    Keys = fun() -> [{Pid, Module} || {Pid, Modules} <- Changed, Module <- Modules, is_map_key(Module, Arguments)] end,
    changed(Ref, erlrc_system:answers(Sent), #{
        keys => Keys,
        timeout => Timeout,
        left => Timeout,
        tick => ?TICK,
        standing => maps:get(standing, How, []),
        undone => fun(Pid) -> undone(Pid, Changed, Arguments, How, Ref) end,
        calls => []
    }).

%% What a state that has changed before its code has to go back to while it answers.
undone(Pid, Changed, Arguments, #{before := Id}, Ref) ->
    {_, Modules} = lists:keyfind(Pid, 1, Changed ++ [{Pid, []}]),
    case [Module || Module <- Modules, is_map_key(Module, Arguments)] of
        [] ->
            none;
        [Module | _] ->
            Self = self(),
            Failed = fun(Why) -> Self ! {{Ref, {Pid, Module}}, Why} end,
            #{kept => ?OLD(Id), module => Module, argument => maps:get(Module, Arguments), failed => Failed}
    end;
undone(_Pid, _Changed, _Arguments, _How, _Ref) ->
    none.

send([], _Arguments, _How, _Ref, Sent) ->
    Sent;
send([{Pid, Modules} | Changed], Arguments, #{keep := Keep, nobody := Nobody} = How, Ref, Sent) ->
    _ = Keep =:= none orelse erlrc_system:tell(Pid, Nobody, Keep),
    send(Changed, Arguments, How, Ref, send_one(Pid, Modules, Arguments, How, Ref, Sent)).

send_one(_Pid, [], _Arguments, _How, _Ref, Sent) ->
    Sent;
send_one(Pid, [Module | Modules], Arguments, How, Ref, Sent) ->
    case Arguments of
        #{Module := {Vsn, Extra}} ->
            {Conversion, Call} = erlrc_conversion:parts(Vsn, Extra),
            Asked = send_conversion(Pid, Module, {Conversion, Call}, How, Ref) + send_call(Pid, Module, Vsn, Call, How, Ref),
            send_one(Pid, Modules, Arguments, How, Ref, Sent + Asked);
        #{} ->
            send_one(Pid, Modules, Arguments, How, Ref, Sent)
    end.

%% Nobody says what became of the state: the request behind it is answered when it is done.
send_conversion(_Pid, _Module, {no, _Call}, _How, _Ref) ->
    0;
send_conversion(Pid, Module, {Conversion, Call}, #{nobody := Nobody}, Ref) ->
    Key = case Call of none -> Module; _ -> {conversion, Module} end,
    Loaded = erlrc_migrator:for(operation, Conversion),
    ok = erlrc_system:tell(Pid, Nobody, erlrc_conversion:request(Module, Loaded, self(), {Ref, {Pid, Module}})),
    ok = erlrc_system:ask_when_done(Pid, Ref, {Pid, Key}),
    1.

send_call(_Pid, _Module, _Vsn, none, _How, _Ref) ->
    0;
send_call(Pid, Module, Vsn, {extra, Extra}, How, Ref) ->
    ok = request(Pid, Module, {Vsn, Extra}, How, Ref),
    1.

request(Pid, Module, {Vsn, Extra}, #{supervisors := Supervisors, nobody := Nobody}, Ref) when is_map_key(Pid, Supervisors) ->
    erlrc_system:tell(Pid, Nobody, erlrc_children:specify(Ref, {Pid, Module}, Vsn, Extra));
request(Pid, Module, {Vsn, Extra}, _How, Ref) ->
    erlrc_system:ask(Pid, Ref, {Pid, Module}, {change_code, Module, Vsn, Extra}).

%% Errors end the wait at once.
changed(_Ref, #{errors := [{{Pid, Module}, {error, Why}} | _]}, #{calls := Calls}) ->
    ok = erlrc_inner_calls:discard(Calls),
    {error, {code_change_failed, Pid, Module, reason(Why)}};
changed(_Ref, #{left := 0}, #{calls := Calls}) ->
    ok = erlrc_inner_calls:settle(Calls),
    {ok, []};
changed(Ref, #{left := Before} = Answers0, #{left := Left, tick := Tick, timeout := Timeout} = Wait) ->
    case erlrc_system:collect(Ref, Answers0, min(Left, Tick)) of
        #{left := Before, errors := []} = Answers -> no_progress(Ref, Answers, Wait#{left := max(0, Left - Tick)});
        Answers -> changed(Ref, Answers, Wait#{left := Timeout, tick := ?TICK})
    end.

%% Whoever waits for one that stands has its call answered; else it just takes its time.
no_progress(Ref, #{answered := Answered} = Answers, #{keys := Keys, left := Left, tick := Tick} = Wait) ->
    #{calls := Calls, standing := Standing} = Wait,
    Missing = missing(Keys(), Answered),
    case {lists:usort([Pid || {Pid, _} <- Missing, is_process_alive(Pid)]), Left} of
        {[], _} ->
            ok = erlrc_inner_calls:settle(Calls),
            {ok, Missing};
        {Alive, Left} when Left > 0 ->
            Served = erlrc_inner_calls:serve(Alive, Standing, maps:get(undone, Wait)),
            changed(Ref, Answers, Wait#{tick := min(2 * Tick, ?LONGEST_TICK), calls := lists:usort(Served ++ Calls)});
        {Alive, _} ->
            ok = erlrc_inner_calls:discard(Calls),
            {error, {code_change_timeout, [erlrc_system:culprit(Pid) || Pid <- Alive]}}
    end.

missing(Keys, Answered) ->
    Done = maps:from_keys(Answered, []),
    [Key || Key <- Keys, not is_map_key(Key, Done)].

reason({'EXIT', {Reason, Stack}}) when is_list(Stack) -> {Reason, lists:sublist(Stack, 4)};
reason(Reason) -> Reason.

%% @doc Sends a request to processes that stand and waits until it is carried out. Answers those that did not in time;
%% what was sent stays in their mailboxes.
-spec restore([pid()], term(), timeout()) -> Hung :: [pid()].
restore(Pids, Request, Timeout) ->
    restored(restoring(Pids, Request), Timeout).

%% @doc The same in two steps: sends,
-spec restoring([pid()], term()) -> {reference(), [pid()]}.
restoring(Pids, Request) ->
    Ref = make_ref(),
    Nobody = erlrc_system:nobody(),
    lists:foreach(
        fun(Pid) ->
            erlrc_system:tell(Pid, Nobody, Request),
            erlrc_system:ask_when_done(Pid, Ref, Pid)
        end,
        Pids
    ),
    {Ref, Pids}.

%% @doc and waits.
-spec restored({reference(), [pid()]}, timeout()) -> Hung :: [pid()].
restored({Ref, Pids}, Timeout) ->
    restored(Ref, Pids, erlrc_system:answers(length(Pids)), Timeout).

restored(Ref, Pids, #{left := Before} = Answers0, Timeout) ->
    case erlrc_system:collect(Ref, Answers0, min(Timeout, 100)) of
        #{left := 0} ->
            [];
        #{left := Before, answered := Answered} = Answers ->
            Alive = [Pid || Pid <- missing(Pids, Answered), is_process_alive(Pid)],
            case {Alive, Timeout - 100} of
                {[], _} -> [];
                {_, Rest} when Rest > 0 -> restored(Ref, Pids, Answers, Rest);
                _ -> Alive
            end;
        Answers ->
            restored(Ref, Pids, Answers, Timeout)
    end.

%% @doc Makes a gen_statem look at its callback mode again, which it does after a change of code alone. The state is
%% kept before and put back after it.
-spec refresh([pid()], module(), id(), timeout()) -> ok | {error, term()}.
refresh([], _Module, _Id, _Timeout) ->
    ok;
refresh(Pids, Module, Id, Timeout) ->
    _ = restore(Pids, keep(Id), Timeout),
    Vsn = proplists:get_value(vsn, erlang:get_module_info(Module, attributes)),
    Result = change([{Pid, [Module]} || Pid <- Pids], #{Module => {Vsn, []}}, #{keep => none, timeout => Timeout}),
    _ = restore(Pids, put_back(Id), Timeout),
    case Result of
        {ok, _Gone} -> ok;
        Error -> Error
    end.
