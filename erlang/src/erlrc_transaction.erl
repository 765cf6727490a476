%% @doc The transactional evaluator: a script is carried out as a whole or not at all.
%%
%% The stages, and what a failure in each means:
%%
%% <ul>
%% <li>translate and cut (`erlrc_segment'): nothing has happened. What cannot be expressed goes to
%%   `release_handler', as `expressible/1' says beforehand.</li>
%% <li>prepare (`erlrc_prepare'): new and old code read, checked and prepared while everything runs. Nothing has
%%   happened but that leftovers of earlier upgrades are purged.</li>
%% <li>then segment by segment; a batch is a window (`erlrc_window'): discover, quiesce, commit, migrate, check, resume.
%%   Until the commit a failure lets everything go on as if nothing had been. After it states, code and path are put
%%   back while all stand.</li>
%% <li>an `apply' that fails after a window was closed: the way back is a window of its own, in which states that nobody
%%   has touched are put back as they were, and the others are changed back by `code_change'.</li>
%% <li>children of changed supervisors started, `service_check'; then the way back is given up, children that are no
%%   longer specified stopped, and the modules that the operation itself runs are loaded last.</li>
%% </ul>
%%
%% Options of the script, each also a key of erlrc's environment: `suspend_timeout', `quiesce_longest' (what `infinity'
%% means in a script), `code_change_timeout', `apply_timeout', `health_check' ({M, F, A}, while all stand),
%% `service_check' ({M, F, A}, when all run again), `max_pause', `purge_after', `supervisor_children' (false: leave added
%% and removed children alone), `suspend' (`always': also processes whose state is the same in both versions), `source' (`generated': modules whose code is loaded already are left out),
%% `report' (a pid that gets `{erlrc_transaction, App, Timings}').
-module(erlrc_transaction).
-behaviour(erlrc_evaluator).

-export([evaluate/1, check/1, expressible/1, cancel/0]).
-export([finish/2]).

%% The operation ends with its answer.
-dialyzer({no_return, run/2}).

-define(OPTIONS, [
    suspend_timeout,
    quiesce_longest,
    code_change_timeout,
    apply_timeout,
    health_check,
    service_check,
    max_pause,
    suspend,
    purge_after,
    supervisor_children
]).
-define(PURGE_AFTER, 60000).
%% Milliseconds, however late it is.
-define(FINISH, 3000).
%% The modules that carry an operation out: those of the evaluator itself.
-define(EVALUATOR, [
    ?MODULE,
    erlrc_check,
    erlrc_children,
    erlrc_commit,
    erlrc_discover,
    erlrc_events,
    erlrc_guardian,
    erlrc_journal,
    erlrc_links,
    erlrc_migrate,
    erlrc_pause,
    erlrc_prepare,
    erlrc_quiesce,
    erlrc_scope,
    erlrc_segment,
    erlrc_shape,
    erlrc_stand,
    erlrc_system,
    erlrc_undo,
    erlrc_way_back,
    erlrc_window
]).

%% @doc Runs the script.
-spec evaluate(erlrc_evaluator:script()) -> erlrc_evaluator:result().
evaluate(#{application := App} = Script) ->
    case erlrc_release_handler:translate(Script) of
        {ok, Steps} ->
            case plan(App, Steps) of
                {ok, Plan} ->
                    run(Plan, Script);
                {fallback, Why} ->
                    erlrc_journal:log(notice, #{event => fallback, application => App, reason => Why}),
                    erlrc_release_handler:evaluate(Script)
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc Whether the script can be translated and its code prepared; nothing is purged or loaded.
-spec check(erlrc_evaluator:script()) -> ok | {error, term()}.
check(#{application := App} = Script) ->
    case erlrc_release_handler:translate(Script) of
        {ok, Steps} -> check(plan(App, Steps), Script);
        {error, _} = Error -> Error
    end.

check({fallback, _}, Script) ->
    erlrc_release_handler:check(Script);
check({ok, #{segments := Segments}}, #{from := {_, From}, to := {_, To}} = Script) ->
    Options = options(Script),
    try
        _ = prepare(Segments, #{
            options => Options,
            from => filename:join(From, "ebin"),
            to => filename:join(To, "ebin"),
            script_direction => maps:get(direction, Script),
            protected => [],
            own => [],
            purge => false
        }),
        ok
    catch
        throw:{refused, Why} -> {error, Why}
    end.

%% @doc Whether this evaluator can run the low-level steps of a script.
-spec expressible([term()]) -> ok | {fallback, term()}.
expressible(Steps) ->
    case erlrc_segment:segments(Steps) of
        {ok, _} -> ok;
        {fallback, _} = Fallback -> Fallback
    end.

%% @doc Calls the running operation off, if it has not changed code yet.
-spec cancel() -> ok | {error, no_operation}.
cancel() ->
    case whereis(erlrc_guardian) of
        undefined ->
            {error, no_operation};
        Guardian when is_pid(Guardian) ->
            %% One that only keeps the way back open has nothing to call off.
            case erlrc_hold:status() of
                none -> Guardian ! cancel, ok;
                _ -> {error, no_operation}
            end
    end.

plan(App, _Steps) when App =:= kernel; App =:= stdlib; App =:= sasl -> {fallback, {system_application, App}};
plan(_App, Steps) -> erlrc_segment:segments(Steps).

run(Plan, #{from := {_, From}, to := {_, To}, application := App, direction := Direction} = Script) ->
    Options = options(Script),
    Caller = self(),
    Context = fun(Protected) ->
        #{
            application => App,
            script_direction => Direction,
            about => about(Script),
            options => Options,
            protected => Protected,
            from => filename:join(From, "ebin"),
            to => filename:join(To, "ebin")
        }
    end,
    Leader = group_leader(),
    Start = fun(Guardian) -> start(Plan, Guardian, Caller, Leader, Context) end,
    {Result, Cost} = erlrc_guardian:run(Start, Context),
    _ = put(erlrc_report, Cost#{evaluator => transactional, instructions => length(maps:get(instructions, Script))}),
    Result.

about(#{application := App, direction := Direction, from := {From, _}, to := {To, _}}) ->
    #{application => App, direction => Direction, from => From, to => To}.

-spec start(erlrc_segment:plan(), pid(), pid(), pid(), fun(([pid()]) -> map())) -> no_return().
start(Plan, Guardian, Caller, Leader, Context) ->
    true = group_leader(Leader, self()),
    ok = erlrc_journal:start(Guardian),
    Given = Context([self(), Guardian, Caller]),
    ok = erlrc_journal:about(maps:get(about, Given, #{})),
    operate(Plan, context(Given, Guardian, Caller)).

context(Context, Guardian, Caller) ->
    Context#{
        guardian => Guardian,
        note => fun erlrc_journal:note/1,
        cancelled => fun() -> is_cancelled(Guardian, Caller) end,
        own => own_modules(Caller)
    }.

is_cancelled(Guardian, Caller) ->
    receive
        cancel -> true
    after 0 ->
        erlrc_deadline:is_over() orelse not is_process_alive(Guardian) orelse not is_process_alive(Caller)
    end.

%% What stands on the stack of the operation: these modules are loaded last, when nothing can fail any more.
own_modules(Caller) ->
    case process_info(Caller, current_stacktrace) of
        {_, Stack} -> lists:usort([Module || {Module, _, _, _} <- Stack] ++ ?EVALUATOR);
        undefined -> ?EVALUATOR
    end.

options(#{options := Options, to_spec := {application, _, Keys}}) ->
    Own = proplists:get_value(env, Keys, []),
    Named = [{health_check, erlrc_health_check}, {service_check, erlrc_service_check}],
    FromNode = [{Key, Value} || Key <- ?OPTIONS, {ok, Value} <- [application:get_env(erlrc, Key)]],
    FromSpec = [{Key, Value} || {Key, Name} <- Named, {_, Value} <- [lists:keyfind(Name, 1, Own)]],
    maps:merge(maps:from_list(FromNode ++ FromSpec), Options).

%% The operation proper. Leaves by exit, the guardian does the rest.
-spec operate(erlrc_segment:plan(), map()) -> no_return().
operate(#{first := First, segments := Segments0}, #{application := App} = Context0) ->
    try
        {Segments, Own} = prepare(Segments0, Context0),
        Supervisors = supervisors(Segments, Context0),
        Unpurged = unpurged(Segments, Own),
        Rest = #{own => Own, remove => [], unpurged => Unpurged},
        Context = with_hold(First, Segments, Own, Context0#{rest => Rest}),
        _ = [carry_out({apply, MFA}, Context) || MFA <- First],
        Windows = segments(Segments, Supervisors, Context),
        ok = path(Segments, Context),
        Started = start_children(Supervisors),
        ok = service_check(Context),
        %% Last of what is called in this version of the evaluator: `finish' may replace it.
        ok = report(Context),
        conclude(Windows, final(Started, Supervisors, Context), Context)
    catch
        throw:{failed, Why, Left} -> leave({script_failed, App, called_off(Why)}, Left, Context0);
        throw:{refused, Why} -> leave(Why, [], Context0)
    end.

called_off(cancelled) ->
    case erlrc_deadline:is_over() of
        true -> out_of_time;
        false -> cancelled
    end;
called_off(Why) ->
    Why.

conclude(Windows, Final, #{options := #{hold := Time}, guardian := Guardian} = Context) ->
    Lingering = erlrc_purge:lingering(maps:get(unpurged, Final)),
    case erlrc_hold:wait(Guardian, {ok, Lingering}, Final, Time) of
        settled -> exit(normal);
        dead -> conclude(Windows, Final, without_hold(Context))
    end;
conclude(Windows, Final, Context) ->
    ok = confirm(Final),
    lists:foreach(fun erlrc_way_back:forget/1, Windows),
    Purge = finish(Final, Context),
    exit({erlrc_done, {ok, Purge}}).

%% The way back can be kept open where it leads all the way: no instruction with effects of its own, the old code to be
%% had, and nothing of erlrc itself, which is loaded when there is no way back any more.
with_hold([], Segments, none, #{options := #{hold := _}, application := App} = Context) when App =/= erlrc ->
    case [Segment || Segment <- Segments, not leads_back(Segment)] of
        [] -> Context;
        _ -> without_hold(Context)
    end;
with_hold(_First, _Segments, _Own, Context) ->
    without_hold(Context).

leads_back({batch, _, #{no_way_back := []}}) -> true;
leads_back(_Segment) -> false.

without_hold(#{options := Options} = Context) -> Context#{options := maps:remove(hold, Options)}.

%% The guardian undoes what is to be undone; without one we do.
-spec leave(term(), [term()], map()) -> no_return().
leave(Why, Left, #{guardian := Guardian} = Context) ->
    erlrc_journal:log(warning, #{event => failed, reason => Why, timings => erlrc_journal:timings()}),
    ok = note_cost(),
    Reason = {erlrc_failed, Why, Left},
    case erlrc_guardian:ask(Guardian, Reason) of
        {ok, Result} -> exit({erlrc_done, Result});
        dead -> exit({erlrc_done, erlrc_guardian:settle(Reason, erlrc_journal:entries(), Context)})
    end.

-spec fail(term(), [term()]) -> no_return().
fail(Why, Left) -> throw({failed, Why, Left}).

%% Each batch with its code; the operation's own modules taken out of the last.
prepare(Segments, #{options := Options, script_direction := Direction, own := Own0} = Context) ->
    Prepare = (maps:with([from, to, protected, purge], Context))#{
        generated => generated(Options), suspend => maps:get(suspend, Options, needed), direction => Direction
    },
    Own = own_loads(Segments, Own0),
    Prepared = [prepare_segment(Segment, Own, Prepare) || Segment <- Segments],
    OwnCode =
        case Own of
            [] -> none;
            _ -> prepare_batch((empty_batch())#{load := Own}, Prepare)
        end,
    {Prepared, OwnCode}.

generated(#{source := generated}) -> true;
generated(_) -> false.

own_loads(Segments, Own) ->
    [
        Load
     || {batch, #{load := Loads} = Batch} <- Segments,
        {Module, _, _} = Load <- Loads,
        lists:member(Module, Own),
        not is_suspended(Module, Batch)
    ].

is_suspended(Module, #{suspend := Suspend, before := Before, 'after' := After}) ->
    lists:any(fun(List) -> lists:keymember(Module, 1, List) end, [Suspend, Before, After]).

empty_batch() ->
    #{suspend => [], before => [], 'after' => [], load => [], remove => []}.

prepare_segment({batch, #{load := Loads} = Batch0}, Own, Options) ->
    Batch = Batch0#{load := Loads -- Own},
    #{shapes := Shapes} = Code = prepare_batch(Batch, Options),
    ok = note_shapes(Shapes),
    {batch, erlrc_segment:without([Module || {Module, same} <- maps:to_list(Shapes)], Batch), Code};
prepare_segment(Segment, _Own, _Options) ->
    Segment.

note_shapes(Shapes) when map_size(Shapes) =:= 0 ->
    ok;
note_shapes(Shapes) ->
    ok = erlrc_journal:note({shapes, Shapes}),
    erlrc_journal:log(info, #{event => shapes, shapes => Shapes}).

prepare_batch(Batch, Options) ->
    case erlrc_journal:timed(prepare, fun() -> erlrc_prepare:prepare(Batch, Options) end) of
        {ok, #{no_way_back := Missing} = Code} ->
            Missing =:= [] orelse erlrc_journal:log(warning, #{event => no_way_back, modules => Missing}),
            erlrc_journal:note({modules, loads(Code)}),
            Code;
        {error, Why} ->
            throw({refused, Why})
    end.

loads(#{new := #{handle := Handle, on_load := OnLoad}}) ->
    length(erlrc_commit:modules(Handle)) + length(OnLoad).

supervisors(_Segments, #{options := #{supervisor_children := false}}) ->
    [];
supervisors(Segments, _Context) ->
    Changed = [
        Module
     || {batch, #{before := Before, 'after' := After}, _} <- Segments, {Module, _, _} <- Before ++ After
    ],
    erlrc_children:before([Module || Module <- lists:usort(Changed), erlrc_segment:is_supervisor(Module)]).

unpurged(Segments, Own) ->
    Codes = [Code || {batch, _, Code} <- Segments] ++ [Own || is_map(Own)],
    lists:usort(lists:append([replaced(Code) || Code <- Codes])).

replaced(#{old := #{handle := Handle, on_load := OnLoad}, no_way_back := Missing}) ->
    erlrc_commit:modules(Handle) ++ [element(1, Item) || Item <- OnLoad] ++ Missing.

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
    lists:foreach(fun code:purge/1, Modules);
carry_out({start, Modules}, _Context) ->
    lists:foreach(fun(Module) -> restart(Module) end, Modules).

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
path(Segments, #{application := App, from := From, to := To}) ->
    case lists:keymember(batch, 1, Segments) of
        true ->
            ok;
        false ->
            erlrc_journal:note({path, code:get_path()}),
            erlrc_commit:path(erlrc_commit:path_change(App, From, To))
    end.

start_children(Supervisors) ->
    [start_child(Child) || Child <- erlrc_children:added(Supervisors)].

start_child({Supervisor, Id} = Child) ->
    erlrc_journal:note({child, Supervisor, Id}),
    case erlrc_children:restart(Child) of
        ok -> Child;
        {error, Why} -> fail({child_not_started, Id, Why}, [])
    end.

service_check(#{options := #{service_check := MFA} = Options}) ->
    Check = fun() -> erlrc_check:run(service_check, MFA, maps:get(health_check_timeout, Options, 5000)) end,
    case erlrc_journal:timed(health_check, Check) of
        ok -> ok;
        {error, Why} -> fail(Why, [])
    end;
service_check(_Context) ->
    ok.

%% What is left to do when there is no way back any more.
final(_Started, Supervisors, #{rest := Rest}) ->
    Rest#{remove := erlrc_children:removed(Supervisors)}.

%% The last window may have done it.
confirm(Final) ->
    lists:keymember(confirmed, 1, erlrc_journal:entries()) orelse erlrc_journal:note({confirmed, Final}),
    ok.

%% @private What follows the point where the way back was given up; the guardian calls it too. All of it may have been
%% done before.
-spec finish(map(), map()) -> [module()].
finish(Rest, #{options := Options} = Context) ->
    ok = erlrc_deadline:extend(?FINISH),
    ok = erlrc_children:remove(maps:get(remove, Rest, [])),
    ok = load_own(maps:get(own, Rest, none), Context),
    Unpurged = maps:get(unpurged, Rest, []),
    ok = erlrc_purge:schedule(Unpurged, maps:get(purge_after, Options, ?PURGE_AFTER)),
    erlrc_purge:lingering(Unpurged -- maps:get(own, Context, [])).

load_own(none, _Context) ->
    ok;
load_own(#{new := New}, #{protected := Protected}) ->
    case erlrc_commit:switch(New, #{protected => Protected}) of
        {ok, _} -> ok;
        {error, Why} -> erlrc_journal:log(error, #{event => own_code_not_loaded, reason => Why})
    end.

report(#{application := App, options := Options}) ->
    Timings = erlrc_journal:timings(),
    erlrc_journal:log(notice, #{event => upgraded, application => App, timings => Timings}),
    _ = [Pid ! {?MODULE, App, Timings} || #{report := Pid} <- [Options], is_pid(Pid)],
    note_cost().

%% For the guardian, which has the last word.
note_cost() ->
    erlrc_journal:note({cost, erlrc_journal:summary(erlrc_journal:entries(), erlrc_journal:timings())}).
