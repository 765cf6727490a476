%% @doc Brings all processes of a window to a stand: supervisors, then the rest, then whoever came in between, until
%% nobody comes any more.
%%
%% Somebody else suspends and resumes processes as well, and `sys' does not count. So those that run are ours: they are
%% suspended, and resumed in the end. One that stands already is somebody else's: no request to suspend is ever sent to
%% it. Who is whose is looked at after the rehearsal, while all run, once more right before the requests are sent, and
%% when all ours stand; somebody else's that runs by then is ours from there on.
-module(erlrc_stand).

-export([rehearse/2, who_runs/1, bring/3, again/2]).

-define(QUIESCE, 5000).
-define(QUIESCE_LONGEST, 30000).
%% Processes, microseconds.
-define(FEW, 100).
-define(AT_ONCE, 2000).

-type window() :: erlrc_scope:window().
-type context() :: erlrc_scope:context().

%% @doc Waits until everybody has answered once, while all run.
-spec rehearse(window(), context()) -> ok | {error, term()}.
rehearse(#{pids := Pids} = Window, #{cancelled := Cancelled} = Context) ->
    erlrc_quiesce:rehearse(Pids, deadline(Window, Context), Cancelled).

%% @doc The window in which those are to be resumed that do not stand already.
-spec who_runs(window()) -> window().
who_runs(#{resume := Pids} = Window) ->
    Window#{resume := [Pid || Pid <- Pids, not erlrc_system:is_suspended(Pid)]}.

%% @doc Suspends everybody. Answers the window with those that came meanwhile, also when it failed, and with those that
%% stand.
-spec bring(window(), Found :: map(), context()) -> {ok, window()} | {error, term(), window()}.
bring(#{supervisors := Supervisors} = Window0, Found, Context) ->
    Deadline = deadline(Window0, Context),
    Window = take_over(Window0, Context),
    case suspend(ours(Supervisors, Window), [], Deadline, Context) of
        {ok, Standing} -> others(stand(Standing, Window, Found, Deadline, Context), Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

%% @doc The same window before its way back: those of ours that somebody has resumed meanwhile stand again, and those of
%% somebody else that run are ours.
-spec again(window(), #{note := fun((term()) -> ok), _ => _}) -> window().
again(Window0, Context) ->
    Window = #{resume := Ours} = take(not_ours(erlrc_scope:pids(Window0), Window0), Window0, Context),
    lists:foreach(fun(Pid) -> erlrc_system:tell(Pid, erlrc_system:nobody(), suspend) end, Ours),
    Window.

ours(Pids, #{pids := All, resume := Resume}) when length(All) =:= length(Resume) ->
    Pids;
ours(Pids, #{resume := Resume}) ->
    Ours = maps:from_keys(Resume, []),
    [Pid || Pid <- Pids, is_map_key(Pid, Ours)].

%% Those of somebody else stand when their answers are there and they were not resumed before.
others({ok, #{pids := Pids, resume := Resume} = Window}, Deadline, Context) when length(Pids) > length(Resume) ->
    await_others(not_ours(Pids, Window), Window, Deadline, Context);
others(Result, _Deadline, _Context) ->
    Result.

await_others([], Window, _Deadline, _Context) ->
    {ok, Window};
await_others(Others, #{standing := Standing} = Window, Deadline, #{cancelled := Cancelled} = Context) ->
    case erlrc_quiesce:rehearse(Others, Deadline, Cancelled) of
        ok -> others(take(Others, Window, Context), Others, Standing, Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

%% One that has been found twice is among all of them twice.
not_ours(Pids, #{resume := Resume}) ->
    Ours = maps:from_keys(Resume, []),
    [Pid || Pid <- lists:usort(Pids), not is_map_key(Pid, Ours)].

others(#{resume := Resume} = Window, Others, Standing, Deadline, Context) ->
    case [Pid || Pid <- Others, lists:member(Pid, Resume)] of
        [] ->
            {ok, Window#{standing => Others ++ Standing}};
        Taken ->
            case suspend(Taken, Standing, Deadline, Context) of
                {ok, Stand} -> others({ok, Window#{standing => Stand}}, Deadline, Context);
                {error, Why} -> {error, Why, Window}
            end
    end.

suspend(Pids, Standing, Deadline, #{cancelled := Cancelled}) ->
    erlrc_quiesce:suspend(Pids, Standing, Deadline, Cancelled).

%% Those that stood and have been resumed since are ours as well.
take_over(#{pids := Pids, resume := Resume} = Window, Context) when length(Pids) > length(Resume) ->
    take(not_ours(Pids, Window), Window, Context);
take_over(Window, _Context) ->
    Window.

take(Pids, Window, #{note := Note}) ->
    case [Pid || Pid <- Pids, not erlrc_system:is_suspended(Pid)] of
        [] ->
            Window;
        Running ->
            {Entry, Wider} = erlrc_scope:take(Running, Window),
            ok = Note(Entry),
            Wider
    end.

%% To look at all processes takes longer than to stop a few. So for a few it is done before, unless one keeps the others
%% waiting.
stand(Standing, #{pids := Pids, supervisors := Supervisors} = Window, Found, Deadline, Context) ->
    stand(lists:nthtail(length(Supervisors), Pids), Standing, Window, Found, Deadline, Context).

stand(Pids, Standing, Window, Found0, Deadline, Context) when length(Pids) < ?FEW ->
    {New, Found} = erlrc_discover:newcomers(Found0, options(Context)),
    Wider = join(New, Window, Context),
    Started = erlang:monotonic_time(microsecond),
    case suspend(ours(Pids ++ maps:keys(New), Wider), Standing, Deadline, Context) of
        {ok, Stand} ->
            case erlang:monotonic_time(microsecond) - Started < ?AT_ONCE of
                true -> {ok, Wider#{standing => Stand}};
                false -> latecomers(Stand, Wider, Found, Deadline, Context)
            end;
        {error, Why} ->
            {error, Why, Wider}
    end;
stand(Pids, Standing0, Window, Found, Deadline, Context) ->
    case suspend(ours(Pids, Window), Standing0, Deadline, Context) of
        {ok, Standing} -> latecomers(Standing, Window, Found, Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

latecomers(Standing0, Window, Found0, Deadline, Context) ->
    case erlrc_discover:newcomers(Found0, options(Context)) of
        {New, _} when map_size(New) =:= 0 ->
            {ok, Window#{standing => Standing0}};
        {New, Found} ->
            Wider = join(New, Window, Context),
            case suspend(ours(maps:keys(New), Wider), Standing0, Deadline, Context) of
                {ok, Standing} -> latecomers(Standing, Wider, Found, Deadline, Context);
                {error, Why} -> {error, Why, Wider}
            end
    end.

join(New, Window, _Context) when map_size(New) =:= 0 ->
    Window;
join(New, #{watcher := Watcher} = Window, #{note := Note} = Context) ->
    {Entry, Wider} = erlrc_scope:join(New, Window),
    ok = Note(Entry),
    ok = erlrc_losses:watch(maps:keys(New), Watcher),
    take(maps:keys(New), Wider, Context).

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

options(#{options := Options}) -> Options.
