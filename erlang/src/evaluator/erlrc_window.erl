%% @doc One batch, carried out: the time in which the processes concerned stand still.
%%
%% Quiesce, changes that run in the code that is there, commit, changes that run in the new code, health check, go on.
%% A failure at any point puts states, code and processes back; what the guardian has to know to do the same is noted
%% before it is done.
-module(erlrc_window).

-export([run/3]).

-type window() :: erlrc_scope:window().
-type context() :: erlrc_scope:context().

-define(CODE_CHANGE, 5000).
%% Words.
-define(HEAP, 65536).
-define(HEAP_PER_PROCESS, 40).
%% More processes than that answer faster than one by one, which is how an urgent process would take the answers.
-define(MANY, 1000).

%% @doc Carries out a batch. After an error everything is as it was, but for what is left.
-spec run(erlrc_segment:batch(), erlrc_prepare:code(), context()) ->
    {ok, window()} | {error, term(), Left :: [term()]}.
run(Batch, Code, Context) ->
    Modules = erlrc_scope:modules(Batch) -- [erlrc_child_arguments],
    Found = erlrc_journal:timed(discover, fun() ->
        erlrc_child_arguments:found(Batch, erlrc_discover:processes(Modules, options(Context)))
    end),
    warn(Found),
    Window = erlrc_scope:open(Batch, Code, Found, Context),
    case erlrc_journal:timed(rehearse, fun() -> rehearse(Window, Context) end) of
        ok -> watched(erlrc_stand:who_runs(Window), Found, Context);
        {error, Why} -> {error, Why, []}
    end.

watched(Window, Found, Context) ->
    Watcher = erlrc_losses:watch(erlrc_scope:pids(Window)),
    try
        stood(Window#{watcher => Watcher}, Found, Context)
    after
        erlrc_losses:stop(Watcher)
    end.

rehearse(Window, Context) ->
    case erlrc_stand:rehearse(Window, Context) of
        ok -> erlrc_pause:check(Window, Context);
        Error -> Error
    end.

stood(Window, Found, Context) ->
    note(Context, {open, Window}),
    without_collections(Window, fun() -> quiesce(Window, maps:remove(targets, Found), Context) end).

%% Room for all that comes into being while processes stand: no garbage is collected meanwhile.
without_collections(#{pids := Pids}, Fun) ->
    Before = process_flag(min_heap_size, ?HEAP + ?HEAP_PER_PROCESS * length(Pids)),
    true = erlang:garbage_collect(),
    Priority = process_flag(priority, case length(Pids) of Few when Few < ?MANY -> high; _ -> normal end),
    try
        Fun()
    after
        _ = process_flag(priority, Priority),
        process_flag(min_heap_size, Before)
    end.

warn(#{warnings := []}) -> ok;
warn(#{warnings := Warnings}) -> erlrc_journal:log(warning, #{event => discover, warnings => Warnings}).

quiesce(Window, Found, Context) ->
    Started = erlang:monotonic_time(microsecond),
    Stand = erlrc_journal:timed(quiesce, fun() -> erlrc_stand:bring(Window, Found, Context) end),
    case Stand of
        {ok, Standing} ->
            Before = took(commit),
            Result = within(Standing, Context),
            Pause = case Standing of #{pids := []} -> 0; _ -> erlang:monotonic_time(microsecond) - Started end,
            erlrc_journal:measure(pause, Pause),
            after_window(Result, took(commit) - Before, Context);
        {error, Why, #{id := Id, resume := Resume}} ->
            ok = erlrc_quiesce:resume(Resume),
            note(Context, {released, Id}),
            {error, Why, []}
    end.

took(Stage) -> maps:get(Stage, erlrc_journal:timings(), 0).

%% Everything stands.
within(#{id := Id} = Window0, Context) ->
    note(Context, {changing, Id}),
    Window = restore_exact(Window0, Context),
    Steps = [
        {migrate, fun() -> change(before, Window, Context) end},
        {commit, fun() -> not_cancelled(Context) end},
        {commit, fun() -> commit(Window, Context) end},
        {migrate, fun() -> refresh(Window, Context) end},
        {migrate, fun() -> change('after', Window, Context) end},
        {migrate, fun() -> restore_later(Window, Context) end},
        {health_check, fun() -> health_check(Window, Context) end}
    ],
    case steps(Steps) of
        ok ->
            note(Context, {migrated, Id, maps:with([exact, later], Window)}),
            confirm(Context),
            erlrc_journal:timed(resume, fun() -> resume(Window, Context) end),
            note(Context, {released, Id}),
            {ok, Window};
        {error, Why} ->
            Left = erlrc_journal:timed(rollback, fun() -> erlrc_way_back:revert(Window, Context) end),
            note(Context, {released, Id}),
            {error, Why, Left}
    end.

%% What the processes became is kept beside what they were, as long as there may be a way back.
resume(#{id := Id, resume := Pids} = Window, #{last := none}) ->
    erlrc_way_back:tell(Window, erlrc_migrate:record(Id)),
    erlrc_quiesce:let_go(Pids);
resume(#{resume := Pids}, _Context) ->
    erlrc_quiesce:let_go(Pids).

%% Whoever went on gives up what was kept, but for the sake of a way back.
after_window({ok, #{id := Id, changed := Changed, resume := Pids} = Window} = Result, Commit, #{last := Last} = Context) ->
    Ids = [Exact || #{exact := Exact} <- [Context]] ++ [Id || Last =/= none],
    _ = Ids =:= [] orelse erlrc_migrate:forget(erlrc_scope:pids(Window), Ids),
    Forgetful = maps:from_keys([Pid || {Pid, _} <- Changed, Ids =/= []], []),
    ok = erlrc_quiesce:resume([Pid || Pid <- Pids, not is_map_key(Pid, Forgetful)]),
    #{code := #{new := New}} = Window,
    ok = erlrc_pause:committed(New, Commit),
    case Last of
        none -> {ok, Window#{kept => true}};
        _ -> Result
    end;
after_window(Error, _Commit, _Context) ->
    Error.

confirm(#{last := none}) -> ok;
confirm(#{last := Rest} = Context) -> note(Context, {confirmed, Rest}).

steps([]) ->
    ok;
steps([{Stage, Fun} | Steps]) ->
    try erlrc_journal:timed(Stage, Fun) of
        ok -> steps(Steps);
        {error, _} = Error -> Error
    catch
        Class:Reason:Stack -> {error, {crashed, Stage, {Class, Reason, lists:sublist(Stack, 5)}}}
    end.

not_cancelled(#{cancelled := Cancelled}) ->
    case Cancelled() of
        true -> {error, cancelled};
        false -> ok
    end.

%% Going back after the processes ran again: the states that nobody has touched are put back as they were.
%% A gen_statem needs the change all the same, to look at its callback mode; it gets its state afterwards.
restore_exact(#{id := Opened, changed := Changed, modes := Modes} = Window, #{exact := Id} = Context) ->
    erlrc_way_back:tell(Window, erlrc_migrate:keep(Opened)),
    IsStatem = fun({_, Modules}) -> lists:any(fun(Module) -> is_map_key(Module, Modes) end, Modules) end,
    {Statems, Others} = lists:partition(IsStatem, Changed),
    Timeout = code_change_timeout(Context),
    Window#{
        exact := maps:from_keys(erlrc_migrate:exact([Pid || {Pid, _} <- Others], Id, Timeout), []),
        later := erlrc_migrate:unchanged([Pid || {Pid, _} <- Statems], Id, Timeout)
    };
restore_exact(Window, _Context) ->
    Window.

restore_later(#{later := Pids}, #{exact := Id} = Context) ->
    case erlrc_migrate:restore(Pids, erlrc_migrate:put_back(Id), code_change_timeout(Context)) of
        [] -> ok;
        Hung -> {error, {hung, Hung}}
    end;
restore_later(_Window, _Context) ->
    ok.

change(When, #{id := Id, batch := Batch, changed := Changed, exact := Exact} = Window, Context) ->
    Arguments = maps:from_list([
        {Module, {argument(Mode, Module, Window), Extra}}
     || {Module, Mode, Extra} <- maps:get(When, Batch)
    ]),
    Keep = case keeps(When, Batch, Context) of true -> erlrc_migrate:keep(Id); false -> none end,
    Before = maps:from_list([{before, Id} || When =:= before]),
    How = Before#{
        keep => Keep,
        timeout => code_change_timeout(Context),
        supervisors => maps:get(supervisors, Context, #{}),
        standing => maps:get(standing, Window)
    },
    case erlrc_migrate:change(without(Exact, Changed), Arguments, How) of
        {ok, Gone} ->
            ok = erlrc_children:specified(),
            lost(Gone, Window);
        Error -> Error
    end.

lost([], _Window) ->
    ok;
lost(Gone, #{standing := Standing, watcher := Watcher}) ->
    erlrc_journal:note({died, erlrc_losses:among(Gone, Standing, Watcher)}).

%% The states are kept with the first change. On a way back they are kept already.
keeps(_When, _Batch, #{exact := _}) -> false;
keeps('after', #{before := []}, _Context) -> true;
keeps(When, #{before := [_ | _]}, _Context) -> When =:= before;
keeps(before, _Batch, _Context) -> false.

without(Exact, Changed) when map_size(Exact) =:= 0 -> Changed;
without(Exact, Changed) -> [Each || {Pid, _} = Each <- Changed, not is_map_key(Pid, Exact)].

argument(up, Module, Window) -> element(1, erlrc_scope:sides(Module, Window));
argument(down, Module, Window) -> {down, element(2, erlrc_scope:sides(Module, Window))}.

code_change_timeout(Context) -> maps:get(code_change_timeout, options(Context), ?CODE_CHANGE).

commit(#{id := Id, code := #{new := #{on_load := OnLoad} = New} = Code, path_change := Change}, Context) ->
    note(Context, {committing, Id}),
    ok = erlrc_commit:path(Change),
    Natives = erlrc_natives:of_modules([element(1, Item) || Item <- OnLoad]),
    Options = #{
        protected => maps:get(protected, Context),
        force => true,
        patience => erlrc_scope:patience(Code),
        old_code => policy(Context)
    },
    case erlrc_commit:switch(New, Options) of
        {ok, Killed} ->
            ok = erlrc_journal:killed(Killed),
            erlrc_natives:check(Natives, OnLoad);
        {error, _} = Error ->
            Error
    end.

%% There is no other way back than through the code that is old by then.
policy(#{direction := back}) -> kill;
policy(Context) -> maps:get(old_code, options(Context), wait).

%% Going down, the change runs in the newer code, and what it says of the callback mode is that of the newer code.
refresh(#{batch := #{before := Before}} = Window, Context) ->
    Changed = [Module || {Module, _, _} <- Before],
    Modules = [Module || Module <- erlrc_scope:stale(Window), lists:member(Module, Changed)],
    first_error([fun() -> erlrc_way_back:refresh(M, Window, code_change_timeout(Context)) end || M <- Modules]).

first_error([]) ->
    ok;
first_error([Fun | Funs]) ->
    case Fun() of
        ok -> first_error(Funs);
        Error -> Error
    end.

health_check(#{direction := forward}, #{options := #{health_check := MFAs} = Options}) ->
    erlrc_check:run_all(health_check, MFAs, maps:get(health_check_timeout, Options, 5000));
health_check(_Window, _Context) ->
    ok.

note(#{note := Note}, Entry) -> Note(Entry).

options(#{options := Options}) -> Options.
