%% @doc One batch, carried out: the time in which the processes concerned stand still.
%%
%% Quiesce, changes that run in the code that is there, commit, changes that run in the new code, health check, go on.
%% A failure at any point puts states, code and processes back; what the guardian has to know to do the same is noted
%% before it is done.
-module(erlrc_window).

-export([run/3, revert/2, release/2, forget/1, expected_pause/3]).
-export_type([window/0, context/0]).

-type window() :: #{
    id := reference(),
    batch := erlrc_segment:batch(),
    code := erlrc_prepare:code(),
    %% All that we suspend, the supervisors among them, those that we let go again, and those whose state changes, with
    %% their modules.
    pids := [pid()],
    supervisors := [pid()],
    resume := [pid()],
    changed := [{pid(), [module()]}],
    %% The callback mode that gen_statem modules had before.
    modes := #{module() => term()},
    direction := forward | back,
    %% The code path when the window was opened, and what is to become of it.
    path := [file:filename()],
    path_change := erlrc_commit:path_change(),
    %% Processes whose exact earlier state was put back, and those that get it after their change.
    exact := #{pid() => []},
    later := [pid()],
    %% The processes still keep their earlier states.
    kept => true,
    %% Modules whose processes have seen the other version's callback mode: an earlier attempt to go back found them.
    stale := [module()]
}.
-type context() :: #{
    note := fun((term()) -> ok),
    options := map(),
    protected := [pid()],
    cancelled := fun(() -> boolean()),
    %% Ebin directories; the path is changed with the first commit.
    from := file:filename(),
    to := file:filename(),
    %% What follows this window without a way back, `none' if there has to be one.
    last := none | map(),
    application := atom(),
    direction => forward | back,
    %% Where the exact states of an earlier window are kept.
    exact => reference(),
    _ => _
}.

-define(QUIESCE, 5000).
-define(QUIESCE_LONGEST, 30000).
-define(CODE_CHANGE, 5000).
-define(RESTORE, 5000).
%% Words.
-define(HEAP, 65536).
-define(HEAP_PER_PROCESS, 40).
%% More processes than that answer faster than one by one, which is how an urgent process would take the answers.
-define(MANY, 1000).
%% Processes, microseconds.
-define(FEW, 100).
-define(AT_ONCE, 2000).
%% How long a server that nobody suspended may take to leave the code that is to be replaced.
-define(PATIENCE, 5000).

%% @doc Carries out a batch. After an error everything is as it was, but for what is left.
-spec run(erlrc_segment:batch(), erlrc_prepare:code(), context()) ->
    {ok, window()} | {error, term(), Left :: [term()]}.
run(Batch, Code, Context) ->
    Modules = suspended_modules(Batch),
    Found = erlrc_journal:timed(discover, fun() -> erlrc_discover:processes(Modules, options(Context)) end),
    warn(Found),
    Window = open(Batch, Code, Found, Context),
    case predicted(Window, Context) of
        ok -> rehearsed(erlrc_journal:timed(rehearse, fun() -> rehearse(Window, Context) end), Window, Found, Context);
        {error, Why} -> {error, Why, []}
    end.

rehearse(#{pids := Pids} = Window, Context) ->
    erlrc_quiesce:rehearse(Pids, deadline(Window, Context), maps:get(cancelled, Context)).

rehearsed(ok, Window, Found, Context) ->
    note(Context, {open, Window}),
    without_collections(Window, fun() -> quiesce(Window, maps:remove(targets, Found), Context) end);
rehearsed({error, Why}, _Window, _Found, _Context) ->
    {error, Why, []}.

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

suspended_modules(#{suspend := Suspend, before := Before, 'after' := After}) ->
    lists:usort([M || {M, _} <- Suspend] ++ [M || {M, _, _} <- Before ++ After]).

warn(#{warnings := []}) -> ok;
warn(#{warnings := Warnings}) -> erlrc_journal:log(warning, #{event => discover, warnings => Warnings}).

open(Batch, Code, #{targets := Targets, parents := Parents}, Context) ->
    #{before := Before, 'after' := After} = Batch,
    Changing = maps:from_list([{Module, []} || {Module, _, _} <- Before ++ After]),
    %% In the order in which they came into being, which is how they lie in memory.
    All = lists:keysort(1, maps:to_list(Targets)),
    Supervisors = Parents ++ [Pid || {Pid, #{kind := supervisor}} <- All],
    #{
        id => make_ref(),
        batch => Batch,
        code => Code,
        pids => Supervisors ++ [Pid || {Pid, #{kind := Kind}} <- All, Kind =/= supervisor],
        supervisors => Supervisors,
        resume => resumable(All) ++ Parents,
        changed => changing(All, Changing),
        modes => maps:from_list([{M, mode(M)} || M <- maps:keys(Changing), is_statem(M)]),
        direction => maps:get(direction, Context, forward),
        path => code:get_path(),
        path_change => path_change(Context),
        exact => #{},
        later => [],
        stale => []
    }.

path_change(#{application := App, from := From, to := To}) ->
    erlrc_commit:path_change(App, From, To).

%% In the order in which they go on: supervisors last. What stood before we came is not ours to let go.
resumable(Targets) ->
    {Supervisors, Others} = lists:partition(
        fun({_, #{kind := Kind}}) -> Kind =:= supervisor end,
        [Target || {_, #{suspended := false}} = Target <- Targets]
    ),
    [Pid || {Pid, _} <- Others ++ Supervisors].

changing(_Targets, Changing) when map_size(Changing) =:= 0 ->
    [];
changing(Targets, Changing) ->
    [
        {Pid, Changed}
     || {Pid, #{modules := Modules}} <- Targets,
        Changed <- [[M || M <- Modules, is_map_key(M, Changing)]],
        Changed =/= []
    ].

is_statem(Module) -> erlang:function_exported(Module, callback_mode, 0).

mode(Module) ->
    try
        Module:callback_mode()
    catch
        _:_ -> unknown
    end.

%% @doc A rough prediction, in microseconds: what the stages cost per process and per module on slow machines.
-spec expected_pause(non_neg_integer(), non_neg_integer(), non_neg_integer()) -> non_neg_integer().
expected_pause(Modules, Processes, Changed) ->
    Modules * 200 + Processes * 4 + Changed * 6.

%% Where nobody stands there is no pause at all.
predicted(#{pids := Pids, changed := Changed, code := #{new := #{handle := Handle}}}, Context) ->
    Modules = length(erlrc_commit:modules(Handle)),
    Processes = length(Pids),
    Milliseconds = case Processes of
        0 -> 0;
        _ -> (expected_pause(Modules, Processes, length(Changed)) + 999) div 1000
    end,
    case maps:get(max_pause, options(Context), infinity) of
        Max when is_integer(Max), Milliseconds > Max ->
            Why = #{predicted => Milliseconds, allowed => Max, processes => Processes, modules => Modules},
            {error, {max_pause, Why#{application => maps:get(application, Context)}}};
        _ ->
            ok
    end.

quiesce(Window, Found, Context) ->
    Started = erlang:monotonic_time(microsecond),
    Stand = erlrc_journal:timed(quiesce, fun() -> bring_to_stand(Window, Found, Context) end),
    case Stand of
        {ok, Standing} ->
            Result = within(Standing, Context),
            Pause = case Standing of #{pids := []} -> 0; _ -> erlang:monotonic_time(microsecond) - Started end,
            erlrc_journal:measure(pause, Pause),
            after_window(Result, Context);
        {error, Why, #{id := Id, resume := Resume}} ->
            ok = erlrc_quiesce:resume(Resume),
            note(Context, {released, Id}),
            {error, Why, []}
    end.

%% Supervisors, then the rest, then whoever came in between, until nobody comes any more.
bring_to_stand(#{pids := Pids, supervisors := Supervisors} = Window, Found, Context) ->
    Deadline = deadline(Window, Context),
    case erlrc_quiesce:suspend(Supervisors, [], Deadline, maps:get(cancelled, Context)) of
        {ok, Standing} ->
            stand(lists:nthtail(length(Supervisors), Pids), Standing, Window, Found, Deadline, Context);
        {error, Why} ->
            {error, Why, Window}
    end.

%% To look at all processes takes longer than to stop a few. So for a few it is done before, unless one keeps the others
%% waiting.
stand(Pids, Standing, Window, Found0, Deadline, Context) when length(Pids) < ?FEW ->
    {New, Found} = erlrc_discover:newcomers(Found0, options(Context)),
    Wider = join(New, Window, Context),
    Started = erlang:monotonic_time(microsecond),
    case erlrc_quiesce:suspend(Pids ++ maps:keys(New), Standing, Deadline, maps:get(cancelled, Context)) of
        {ok, Stand} ->
            case erlang:monotonic_time(microsecond) - Started < ?AT_ONCE of
                true -> {ok, Wider};
                false -> latecomers(Stand, Wider, Found, Deadline, Context)
            end;
        {error, Why} ->
            {error, Why, Wider}
    end;
stand(Pids, Standing0, Window, Found, Deadline, Context) ->
    case erlrc_quiesce:suspend(Pids, Standing0, Deadline, maps:get(cancelled, Context)) of
        {ok, Standing} -> latecomers(Standing, Window, Found, Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

latecomers(Standing0, Window, Found0, Deadline, Context) ->
    case erlrc_discover:newcomers(Found0, options(Context)) of
        {New, _} when map_size(New) =:= 0 ->
            {ok, Window};
        {New, Found} ->
            Wider = join(New, Window, Context),
            case erlrc_quiesce:suspend(maps:keys(New), Standing0, Deadline, maps:get(cancelled, Context)) of
                {ok, Standing} -> latecomers(Standing, Wider, Found, Deadline, Context);
                {error, Why} -> {error, Why, Wider}
            end
    end.

join(New, Window, _Context) when map_size(New) =:= 0 ->
    Window;
join(New, #{pids := Pids, resume := Resume, changed := Changed, id := Id} = Window, Context) ->
    #{batch := #{before := Before, 'after' := After}} = Window,
    Targets = maps:to_list(New),
    More = changing(Targets, maps:from_list([{Module, []} || {Module, _, _} <- Before ++ After])),
    note(Context, {joined, Id, maps:keys(New), resumable(Targets), More}),
    Window#{
        pids := maps:keys(New) ++ Pids, resume := resumable(Targets) ++ Resume, changed := More ++ Changed
    }.

%% A script that says `infinity' means long, not for ever.
deadline(#{batch := #{suspend := Suspend}}, Context) ->
    Options = options(Context),
    Longest = maps:get(quiesce_longest, Options, ?QUIESCE_LONGEST),
    Timeouts = [timeout(Timeout, Longest) || {_, Timeout} <- Suspend],
    Timeout = maps:get(suspend_timeout, Options, lists:max([1000 | Timeouts])),
    erlang:monotonic_time(millisecond) + Timeout.

timeout(default, _Longest) -> ?QUIESCE;
timeout(infinity, Longest) -> Longest;
timeout(Timeout, _Longest) -> Timeout.

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
            Left = erlrc_journal:timed(rollback, fun() -> revert(Window, Context) end),
            note(Context, {released, Id}),
            {error, Why, Left}
    end.

%% What the processes became is kept beside what they were, as long as there may be a way back.
resume(#{id := Id, resume := Pids, changed := Changed}, #{last := none}) ->
    tell(Changed, erlrc_migrate:record(Id)),
    erlrc_quiesce:let_go(Pids);
resume(#{resume := Pids}, _Context) ->
    erlrc_quiesce:let_go(Pids).

%% Whoever went on gives up what was kept, but for the sake of a way back.
after_window({ok, #{id := Id, changed := Changed, resume := Pids} = Window} = Result, #{last := Last} = Context) ->
    Ids = [Exact || #{exact := Exact} <- [Context]] ++ [Id || Last =/= none],
    _ = Ids =:= [] orelse erlrc_migrate:forget(pids(Changed), Ids),
    Forgetful = maps:from_keys([Pid || {Pid, _} <- Changed, Ids =/= []], []),
    ok = erlrc_quiesce:resume([Pid || Pid <- Pids, not is_map_key(Pid, Forgetful)]),
    case Last of
        none -> {ok, Window#{kept => true}};
        _ -> Result
    end;
after_window(Error, _Context) ->
    Error.

pids(Changed) -> [Pid || {Pid, _} <- Changed].

tell(Changed, Request) ->
    Nobody = erlrc_system:nobody(),
    lists:foreach(fun({Pid, _}) -> erlrc_system:tell(Pid, Nobody, Request) end, Changed).

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
    tell(Changed, erlrc_migrate:keep(Opened)),
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
    erlrc_migrate:change(without(Exact, Changed), Arguments, Keep, code_change_timeout(Context)).

%% The states are kept with the first change. On a way back they are kept already.
keeps(_When, _Batch, #{exact := _}) -> false;
keeps('after', #{before := []}, _Context) -> true;
keeps(When, #{before := [_ | _]}, _Context) -> When =:= before;
keeps(before, _Batch, _Context) -> false.

without(Exact, Changed) when map_size(Exact) =:= 0 -> Changed;
without(Exact, Changed) -> [Each || {Pid, _} = Each <- Changed, not is_map_key(Pid, Exact)].

argument(up, Module, Window) -> element(1, sides(Module, Window));
argument(down, Module, Window) -> {down, element(2, sides(Module, Window))}.

%% The versions of a module: that which it leaves and that to which it goes.
sides(Module, #{direction := Direction, code := #{vsns := Vsns}}) ->
    case {Direction, maps:get(Module, Vsns, {undefined, undefined})} of
        {forward, Sides} -> Sides;
        {back, {From, To}} -> {To, From}
    end.

code_change_timeout(Context) -> maps:get(code_change_timeout, options(Context), ?CODE_CHANGE).

commit(#{code := #{new := New} = Code, path_change := Change}, Context) ->
    ok = erlrc_commit:path(Change),
    Options = #{protected => maps:get(protected, Context), force => true, patience => patience(Code)},
    switched(erlrc_commit:switch(New, Options)).

%% Whoever did not have to stand may still be in a callback of the code that has to go.
patience(#{shapes := Shapes}) ->
    case lists:member(same, maps:values(Shapes)) of
        true -> ?PATIENCE;
        false -> 0
    end.

switched({ok, []}) ->
    ok;
switched({ok, Killed}) ->
    erlrc_journal:log(warning, #{event => purged_with_force, killed => Killed}),
    ok;
switched({error, _} = Error) ->
    Error.

%% Going down, the change runs in the newer code, and what it says of the callback mode is that of the newer code.
refresh(#{modes := Modes, batch := #{before := Before}} = Window, Context) ->
    Modules = [M || {M, _, _} <- Before, is_map_key(M, Modes), mode_differs(M, Modes)],
    first_error([fun() -> refresh(M, Window, code_change_timeout(Context)) end || M <- Modules]).

refresh(Module, #{id := Id} = Window, Timeout) ->
    erlrc_migrate:refresh(running(Module, Window), Module, {refresh, Id}, Timeout).

mode_differs(Module, Modes) ->
    is_statem(Module) andalso mode(Module) =/= maps:get(Module, Modes).

first_error([]) ->
    ok;
first_error([Fun | Funs]) ->
    case Fun() of
        ok -> first_error(Funs);
        Error -> Error
    end.

health_check(#{direction := forward}, #{options := #{health_check := MFA} = Options}) ->
    erlrc_check:run(health_check, MFA, maps:get(health_check_timeout, Options, 5000));
health_check(_Window, _Context) ->
    ok.

%% @doc Lets all processes of a window go on. `Before' are requests to send to those whose state changes; without any,
%% what was kept is dropped, before they go on: nobody may put it back any more.
-spec release(window(), [term()]) -> ok.
release(#{id := Id} = Window, []) ->
    release(Window, [erlrc_migrate:drop(Id)]);
release(#{resume := Pids, changed := Changed}, Before) ->
    lists:foreach(fun(Request) -> tell(Changed, Request) end, Before),
    erlrc_quiesce:resume(Pids).

%% @doc Gives up the way back that a window kept.
-spec forget(window()) -> ok.
forget(#{kept := true, id := Id, changed := Changed}) -> erlrc_migrate:forget(pids(Changed), [Id]);
forget(_Window) -> ok.

%% @doc Puts states, code, path and processes of a window back that are all still standing. Answers what is left.
%%
%% Old code has to be purged before it can be current again, module by module over all processes. So what has nothing to
%% do with those that stand goes back after they went on.
-spec revert(window(), #{protected := [pid()], _ => _}) -> Left :: [term()].
revert(#{id := Id, code := Code, changed := Changed, path := Path} = Window, Context) ->
    #{modes := Modes, stale := Known} = Window,
    Stale = lists:usort(Known ++ [Module || Module <- maps:keys(Modes), mode_differs(Module, Modes)]),
    is_map_key(note, Context) andalso note(Context, {stale, Id, Stale}),
    Other = keep_other(Stale, Window),
    Hung = erlrc_migrate:restore(pids(Changed), erlrc_migrate:put_back(Id), ?RESTORE),
    {Now, Later} = halves(Code),
    Left = uncommit(Now, Context),
    ok = erlrc_commit:set_path(Path),
    Modeless = lists:append([refresh_back(Module, Other, Window, Hung) || Module <- Stale]),
    ok = release(Window, []),
    [{hung, erlrc_system:culprit(Pid)} || Pid <- Hung] ++ Left ++ Modeless ++ uncommit(Later, Context).

%% What cannot go back is said of the whole.
halves(#{no_way_back := [], together := [_ | _] = Together, old := Old} = Code) ->
    case erlrc_commit:is_switched(Old) of
        true ->
            {Code, none};
        false ->
            {First, Rest} = erlrc_commit:divide(Old, Together),
            {Code#{old := First}, Code#{old := Rest}}
    end;
halves(Code) ->
    {Code, none}.

uncommit(none, _Context) ->
    [];
uncommit(#{old := Old, new := New, no_way_back := Missing} = Code, Context) ->
    case erlrc_commit:is_switched(Old) andalso (Missing =:= [] orelse not erlrc_commit:is_switched(New)) of
        true ->
            [];
        false ->
            Options = #{protected => maps:get(protected, Context), patience => patience(Code)},
            case erlrc_commit:switch(Old, Options) of
                {ok, Killed} ->
                    [{killed, Pid, Module} || {Pid, Module} <- Killed] ++ [{code, Module} || Module <- Missing];
                {error, Why} ->
                    [{code, Why}]
            end
    end.

%% The states of the other version, for processes that will have to be changed once more.
keep_other(Stale, #{id := Opened} = Window) ->
    Id = {other, Opened},
    Pids = lists:usort(lists:append([running(Module, Window) || Module <- Stale])),
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:keep_if_missing(Opened), ?RESTORE),
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:keep(Id), ?RESTORE),
    Id.

running(Module, #{changed := Changed}) ->
    [Pid || {Pid, Modules} <- Changed, lists:member(Module, Modules)].

%% Under the code that was there before, a gen_statem that looked at the other's callback mode has to look once more:
%% by a change from its own version to itself, else by one from the other version's state, which it may know.
refresh_back(Module, Other, #{id := Id} = Window, Hung) ->
    Pids = running(Module, Window) -- Hung,
    Result =
        case erlrc_migrate:refresh(Pids, Module, {refresh, Id}, ?CODE_CHANGE) of
            ok -> ok;
            {error, _} -> change_over(Module, Other, Pids, Window)
        end,
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:put_back(Id), ?RESTORE),
    case Result of
        ok -> [];
        {error, Why} -> [{callback_mode, Module, Why}]
    end.

change_over(Module, Other, Pids, #{batch := #{before := Before, 'after' := After}} = Window) ->
    _ = erlrc_migrate:restore(Pids, erlrc_migrate:put_back(Other), ?RESTORE),
    {_, _, Extra} = lists:keyfind(Module, 1, Before ++ After),
    {_, To} = sides(Module, Window),
    erlrc_migrate:change([{Pid, [Module]} || Pid <- Pids], #{Module => {To, Extra}}, none, ?CODE_CHANGE).

note(#{note := Note}, Entry) -> Note(Entry).

options(#{options := Options}) -> Options.
