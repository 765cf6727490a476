%% @doc Carries a script out, segment by segment, in the process that `erlrc_guardian' watches.
-module(erlrc_execution).

-export([operate/2, finish/2]).

%% Milliseconds until what a stopped child held is free, and between two attempts to start the one that takes its place.
-define(RELEASE, 1000).
-define(AGAIN, 20).
-define(PURGE_AFTER, 60000).

%% @doc The operation proper. Leaves by exit, the guardian does the rest.
-spec operate(erlrc_segment:plan(), map()) -> no_return().
operate(#{first := First, segments := Segments0}, #{subject := Subject} = Context0) ->
    try
        {Prepared, Own} = erlrc_batches:prepare(Segments0, Context0),
        Segments = erlrc_child_arguments:in(Prepared, maps:get(arguments, Context0)),
        ok = migrators(Segments),
        Supervisors = supervisors(Segments, Context0),
        Unpurged = erlrc_batches:unpurged(Segments, Own),
        Rest = #{
            own => Own,
            remove => [],
            delete => erlrc_batches:deleted(Segments0),
            unpurged => Unpurged,
            natives => erlrc_natives:of_modules(Unpurged)
        },
        Context1 = Context0#{rest => Rest, supervisors => maps:from_list(Supervisors)},
        Context = with_hold(First, Segments, Own, Context1),
        _ = [carry_out({apply, MFA}, Context) || MFA <- First],
        Windows = segments(Segments, Supervisors, Context),
        ok = path(Segments, Context),
        ok = start_children(Supervisors),
        ok = service_check(Context),
        %% Last of what is called in this version of the evaluator: `finish' may replace it.
        ok = report(Context),
        conclude(Windows, final(Supervisors, Context), Context)
    catch
        throw:{failed, Why, Left} -> leave({script_failed, Subject, called_off(Why)}, Left, Context0);
        throw:{refused, Why} -> leave(Why, [], Context0)
    end.

%% Ready before anybody stands still.
migrators(Segments) ->
    case erlrc_migrator:load([Batch || {batch, Batch, _} <- Segments]) of
        ok -> ok;
        {error, Why} -> throw({refused, Why})
    end.

called_off(cancelled) ->
    case erlrc_deadline:is_over() of
        true -> out_of_time;
        false -> cancelled
    end;
called_off(Why) ->
    Why.

conclude(Windows, Final, #{options := #{hold := Time} = Options, guardian := Guardian} = Context) ->
    Lingering = erlrc_purge:lingering(maps:get(unpurged, Final)),
    Over = maps:get(over, Options, confirm),
    case erlrc_hold:wait(Guardian, {ok, Lingering}, Final, {Time, Over}) of
        settled -> exit(normal);
        %% Nobody has confirmed it: a successor of the guardian goes the way back.
        dead when Over =:= revert -> exit(guardian_killed);
        dead -> conclude(Windows, Final, (without_hold(Context))#{held => true})
    end;
conclude(Windows, Final, #{guardian := Guardian} = Context) ->
    ok = confirm(Final),
    lists:foreach(fun erlrc_way_back:forget/1, Windows),
    Purge = finish(Final, Context),
    _ = [erlrc_after_commit:run(maps:get(committed, Context, []), infinity) || is_map_key(held, Context)],
    _ = try erlrc_guardian:alone(Guardian, {ok, Purge}) catch _:_ -> ok end,
    exit({erlrc_done, {ok, Purge}}).

%% An upgrade that was asked for as provisional does not begin where its way back cannot be kept open.
with_hold(First, Segments, Own, #{options := #{hold := _} = Options, applications := Apps} = Context) ->
    case {erlrc_provisional:hindrance([{apply, MFA} || MFA <- First] ++ Segments, Own, Apps), Options} of
        {none, _} -> Context;
        {Why, #{over := revert}} -> throw({refused, erlrc_provisional:refusal(Apps, Why)});
        _ -> without_hold(Context)
    end;
with_hold(_First, _Segments, _Own, Context) ->
    without_hold(Context).

without_hold(#{options := Options} = Context) -> Context#{options := maps:remove(hold, Options)}.

%% The guardian undoes what is to be undone; without one we do.
-spec leave(term(), [term()], map()) -> no_return().
leave(Why, Left, #{guardian := Guardian} = Context) ->
    erlrc_journal:log(warning, #{event => failed, reason => Why, timings => erlrc_journal:timings()}),
    ok = note_cost(),
    Reason = {erlrc_failed, Why, Left},
    case erlrc_guardian:ask(Guardian, Reason) of
        {ok, Result} -> exit({erlrc_done, Result});
        dead -> leave_alone(erlrc_guardian:settle(Reason, Context), Guardian)
    end.

-spec leave_alone(erlrc_evaluator:result(), pid()) -> no_return().
leave_alone(Result, Guardian) ->
    ok = erlrc_guardian:alone(Guardian, Result),
    exit({erlrc_done, Result}).

-spec fail(term(), [term()]) -> no_return().
fail(Why, Left) -> throw({failed, Why, Left}).
supervisors(_Segments, #{options := #{supervisor_children := false}}) ->
    [];
supervisors(Segments, #{sides := Sides}) ->
    Changed = [
        Module
     || {batch, #{before := Before, 'after' := After}, _} <- Segments, {Module, _, _} <- Before ++ After
    ],
    erlrc_children:before([Module || Module <- lists:usort(Changed), erlrc_segment:is_supervisor(Module)], Sides).
%% The windows that were opened, the newest first. Nothing follows the last one unless children or a check do.
segments([], _Supervisors, _Context) ->
    [];
segments([{batch, Batch, Code}], [], #{options := Options, rest := Rest} = Context) when
    not is_map_key(service_check, Options), not is_map_key(hold, Options)
->
    window(Batch, Code, Context#{last => Rest});
segments([{batch, Batch, Code} | Segments], Supervisors, Context) ->
    Windows = window(Batch, Code, Context#{last => none}),
    segments(Segments, Supervisors, Context) ++ Windows;
segments([{stop, Modules} | Segments], Supervisors, Context) ->
    Stopped = erlrc_children:stop(Modules, maps:get(options, Context)),
    erlrc_journal:note({stopped, Stopped}),
    put({stopped, Modules}, Stopped),
    segments(Segments, Supervisors, Context);
segments([Segment | Segments], Supervisors, Context) ->
    carry_out(Segment, Context),
    segments(Segments, Supervisors, Context).

window(Batch, Code, Context) ->
    case erlrc_window:run(Batch, Code, Context) of
        {ok, Window} -> [Window];
        %% No failure of the script: nothing of this batch was tried.
        {error, {max_pause, _} = Why, []} -> throw({refused, Why});
        {error, Why, Left} -> fail(Why, Left)
    end.

carry_out({apply, MFA}, #{options := Options}) ->
    erlrc_journal:note({applied, MFA}),
    Timeout = min(maps:get(apply_timeout, Options, infinity), erlrc_deadline:left()),
    case erlrc_journal:timed(apply, fun() -> erlrc_check:call(MFA, Timeout) end) of
        {ok, _} -> ok;
        {error, Why} -> fail({apply_failed, MFA, Why}, [])
    end;
carry_out({purge, Modules}, _Context) ->
    erlrc_journal:note({purged, Modules}),
    lists:foreach(fun purge/1, Modules);
carry_out({start, Modules}, _Context) ->
    lists:foreach(fun(Module) -> restart(Module) end, Modules).

%% The script asks for it.
purge(Module) ->
    {ok, Killed} = erlrc_old_code:purge(Module, #{old_code => kill}),
    erlrc_journal:killed(Killed).

restart(Module) ->
    Stopped = [{Key, List} || {{stopped, Modules} = Key, List} <- get(), lists:member(Module, Modules)],
    lists:foreach(
        fun({Key, List}) ->
            erase(Key),
            erlrc_children:start(List)
        end,
        Stopped
    ).

%% The code path changes with the first commit; a script without one changes it here.
path(Segments, #{sides := Sides}) ->
    case lists:keymember(batch, 1, Segments) of
        true ->
            ok;
        false ->
            erlrc_journal:note({path, code:get_path()}),
            erlrc_commit:path(erlrc_commit:path_change(erlrc_sides:pairs(Sides)))
    end.

start_children(Supervisors) ->
    Removed = erlrc_children:removed(Supervisors, erlrc_journal:entries()),
    _ = lists:foldl(fun start_child/2, Removed, erlrc_children:added(Supervisors, erlrc_journal:entries())),
    ok.

start_child({Supervisor, Id} = Child, Removed) ->
    erlrc_journal:note({child, Supervisor, Id}),
    {Beside, Others} = lists:partition(fun({Above, _}) -> Above =:= Supervisor end, Removed),
    start_beside(Child, [Stop || Stop <- [Beside, Others], Stop =/= []], 0).

%% A name, a port or a table may be had once: a child that cannot start beside those that are removed takes their place,
%% first that of its brothers. A port is free some time after its owner has ended: `Left' milliseconds are left to try again.
start_beside({_, Id} = Child, Removed, Left) ->
    case {erlrc_children:restart(Child), Removed} of
        {ok, _} ->
            lists:append(Removed);
        {{error, _}, [Next | More]} ->
            erlrc_journal:note({taken_down, Next}),
            ok = erlrc_children:take_down(Next),
            start_beside(Child, More, ?RELEASE);
        {{error, _}, []} when Left > 0 ->
            receive
            after ?AGAIN -> start_beside(Child, [], Left - ?AGAIN)
            end;
        {{error, Why}, []} ->
            fail({child_not_started, Id, Why}, [])
    end.

service_check(#{options := #{service_check := MFAs} = Options}) ->
    Check = fun() -> erlrc_check:run_all(service_check, MFAs, maps:get(health_check_timeout, Options, 5000)) end,
    case erlrc_journal:timed(health_check, Check) of
        ok -> ok;
        {error, Why} -> fail(Why, [])
    end;
service_check(_Context) ->
    ok.

%% What is left to do when there is no way back any more.
final(Supervisors, #{rest := Rest}) ->
    Rest#{remove := erlrc_children:removed(Supervisors, erlrc_journal:entries())}.

%% The last window may have done it.
confirm(Final) ->
    lists:keymember(confirmed, 1, erlrc_journal:entries()) orelse erlrc_journal:note({confirmed, Final}),
    ok.

%% @private What follows the point where the way back was given up; the guardian calls it too. All of it may have been
%% done before.
-spec finish(map(), map()) -> [module()].
finish(Rest, #{options := Options} = Context) ->
    ok = erlrc_deadline:extend(finish),
    ok = erlrc_children:remove(maps:get(remove, Rest, [])),
    ok = keep_natives(maps:get(natives, Rest, [])),
    Unused = unused(maps:get(delete, Rest, [])),
    %% From here on erlrc may be another version, and what is called of it is frozen.
    ok = load_own(maps:get(own, Rest, none), Context),
    Unpurged = delete(Unused) ++ maps:get(unpurged, Rest, []),
    ok = erlrc_purge:schedule(Unpurged, maps:get(purge_after, Options, ?PURGE_AFTER)),
    erlrc_purge:lingering(Unpurged -- maps:get(own, Context, [])).

%% A module goes when nothing runs it any more.
unused([]) ->
    [];
unused(Modules) ->
    #{targets := Targets} = erlrc_discover:processes(Modules, #{}),
    Used = lists:usort(lists:append([Mods || {_, #{modules := Mods}} <- maps:to_list(Targets)])),
    _ = [erlrc_journal:log(warning, #{event => not_deleted, module => Module}) || Module <- Used],
    Modules -- Used.

delete(Modules) ->
    [Module || Module <- Modules, erlang:module_loaded(Module), code:soft_purge(Module), code:delete(Module)].

keep_natives(Modules) ->
    case erlrc_natives:keep(Modules) of
        [] -> ok;
        New -> erlrc_journal:log(notice, #{event => natives_kept, modules => New})
    end.

load_own(none, _Context) ->
    ok;
load_own(#{new := New}, #{protected := Protected}) ->
    case erlrc_commit:switch(New, #{protected => Protected, old_code => kill}) of
        {ok, _} -> ok;
        {error, Why} -> erlrc_journal:log(error, #{event => own_code_not_loaded, reason => Why})
    end.

report(#{subject := Subject, options := Options}) ->
    Timings = erlrc_journal:timings(),
    erlrc_journal:log(notice, #{event => upgraded, timings => Timings}),
    _ = [Pid ! {erlrc_transaction, Subject, Timings} || #{report := Pid} <- [Options], is_pid(Pid)],
    note_cost().

%% For the guardian, which has the last word.
note_cost() ->
    erlrc_journal:note({cost, erlrc_journal:summary(erlrc_journal:entries(), erlrc_journal:timings())}).
