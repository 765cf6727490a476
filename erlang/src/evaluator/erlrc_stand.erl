%% @doc Brings all processes of a window to a stand: supervisors, then the rest, then whoever came in between, until
%% nobody comes any more.
%%
%% Whoever ran when our request to suspend reached it is ours to resume, and nobody else: what discovery saw of it may be
%% over, for somebody else suspends and resumes processes as well. So everybody is looked at after the rehearsal, while
%% all run, and those that stood then once more right before the request is sent.
-module(erlrc_stand).

-export([rehearse/2, who_runs/1, bring/3]).

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
bring(#{pids := Pids, supervisors := Supervisors} = Window0, Found, Context) ->
    Deadline = deadline(Window0, Context),
    Window = take_over(Window0, Context),
    case suspend(Supervisors, [], Deadline, Context) of
        {ok, Standing} -> stand(lists:nthtail(length(Supervisors), Pids), Standing, Window, Found, Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

suspend(Pids, Standing, Deadline, #{cancelled := Cancelled}) ->
    erlrc_quiesce:suspend(Pids, Standing, Deadline, Cancelled).

%% Those that stood and have been resumed since are ours as well.
take_over(#{pids := Pids, resume := Resume} = Window, Context) when length(Pids) > length(Resume) ->
    take(Pids -- Resume, Window, Context);
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
stand(Pids, Standing, Window, Found0, Deadline, Context) when length(Pids) < ?FEW ->
    {New, Found} = erlrc_discover:newcomers(Found0, options(Context)),
    Wider = join(New, Window, Context),
    Started = erlang:monotonic_time(microsecond),
    case suspend(Pids ++ maps:keys(New), Standing, Deadline, Context) of
        {ok, Stand} ->
            case erlang:monotonic_time(microsecond) - Started < ?AT_ONCE of
                true -> {ok, Wider#{standing => Stand}};
                false -> latecomers(Stand, Wider, Found, Deadline, Context)
            end;
        {error, Why} ->
            {error, Why, Wider}
    end;
stand(Pids, Standing0, Window, Found, Deadline, Context) ->
    case suspend(Pids, Standing0, Deadline, Context) of
        {ok, Standing} -> latecomers(Standing, Window, Found, Deadline, Context);
        {error, Why} -> {error, Why, Window}
    end.

latecomers(Standing0, Window, Found0, Deadline, Context) ->
    case erlrc_discover:newcomers(Found0, options(Context)) of
        {New, _} when map_size(New) =:= 0 ->
            {ok, Window#{standing => Standing0}};
        {New, Found} ->
            Wider = join(New, Window, Context),
            case suspend(maps:keys(New), Standing0, Deadline, Context) of
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
