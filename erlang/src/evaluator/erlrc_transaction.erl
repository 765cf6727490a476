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
%% `service_check' ({M, F, A}, when all run again), `max_pause', `purge_after', `old_code' (`kill': whoever still runs the code before the one that is replaced is
%% killed, not waited for and the script refused), `supervisor_children' (false: leave added
%% and removed children alone), `suspend' (`always': also processes whose state is the same in both versions), `source' (`generated': modules whose code is loaded already are left out),
%% `report' (a pid that gets `{erlrc_transaction, App, Timings}').
-module(erlrc_transaction).
-behaviour(erlrc_evaluator).

-export([evaluate/1, check/1, expressible/1, plan/2, windows/1, cancel/0]).

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
    old_code,
    supervisor_children
]).

%% @doc Runs the script.
-spec evaluate(erlrc_evaluator:script()) -> erlrc_evaluator:result().
evaluate(Script) ->
    case erlrc_release_handler:translate(Script) of
        {ok, Steps} ->
            case plan(erlrc_sides:applications(Script), Steps) of
                {ok, Plan} ->
                    unhindered(Plan, Script);
                {fallback, Why} ->
                    fall_back(Why, Script)
            end;
        {error, _} = Error ->
            Error
    end.

unhindered(#{segments := Segments} = Plan, Script) ->
    case hindrances(Segments, Script) of
        [] -> run(Plan, Script);
        [Hindrance | _] -> {error, Hindrance}
    end.

%% What no script could carry over, then what this one would leave behind.
hindrances(Segments, Script) ->
    case erlrc_hindrance:find(Segments, Script) of
        [] -> lists:append([erlrc_changes:hindrances(of_change(Segments, Change), Change) || Change <- Script]);
        Found -> Found
    end.

%% What the segments do to one application of the script.
of_change(Segments, #{from_spec := {_, _, Old}, to_spec := {_, _, New}}) ->
    Own = maps:from_keys(lists:append([proplists:get_value(modules, Keys, []) || Keys <- [Old, New]]), []),
    Filter = fun(_, List) -> [Each || Each <- List, is_map_key(element(1, Each), Own)] end,
    [case Segment of {batch, Batch} -> {batch, maps:map(Filter, Batch)}; _ -> Segment end || Segment <- Segments].

%% OTP's evaluator would give `code_change' what is meant for ours.
fall_back(Why, [#{application := App, instructions := Instructions} = Change] = Script) ->
    case erlrc_conversion:is_in(Instructions) orelse erlrc_child_arguments:held(Change) =/= [] of
        true ->
            {error, {migration_needs_transaction, App, Why}};
        false ->
            erlrc_journal:log(notice, #{event => fallback, application => App, reason => Why}),
            erlrc_release_handler:evaluate(Script)
    end;
fall_back(Why, Script) ->
    {error, {not_together, erlrc_sides:applications(Script), Why}}.

%% @doc Whether the script can be translated and its code prepared; nothing is purged or loaded.
-spec check(erlrc_evaluator:script()) -> ok | {error, term()}.
check(Script) ->
    case erlrc_release_handler:translate(Script) of
        {ok, Steps} -> check(plan(erlrc_sides:applications(Script), Steps), Script);
        {error, _} = Error -> Error
    end.

check({fallback, _}, [_] = Script) ->
    erlrc_release_handler:check(Script);
check({fallback, Why}, Script) ->
    fall_back(Why, Script);
check({ok, #{first := First, segments := Segments}}, Script) ->
    Options = options(Script),
    try
        {Prepared, Own} = erlrc_batches:prepare(Segments, #{
            options => Options,
            sides => erlrc_sides:of_script(Script),
            protected => [],
            own => [],
            purge => false
        }),
        case hindrances(Segments, Script) of
            [] -> erlrc_provisional:check(Options, [{apply, MFA} || MFA <- First] ++ Prepared, Own, erlrc_sides:applications(Script));
            [Hindrance | _] -> {error, Hindrance}
        end
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

%% @doc In how many windows a script is carried out, and what cuts it.
-spec windows(erlrc_evaluator:script()) -> {ok, non_neg_integer(), [erlrc_segment:segment()]} | {fallback | error, term()}.
windows(Script) ->
    case erlrc_release_handler:translate(Script) of
        {ok, Steps} ->
            case plan(erlrc_sides:applications(Script), Steps) of
                {ok, #{segments := Segments}} ->
                    Barriers = [Segment || Segment <- Segments, element(1, Segment) =/= batch],
                    {ok, length(Segments) - length(Barriers), Barriers};
                {fallback, _} = Fallback ->
                    Fallback
            end;
        {error, _} = Error ->
            Error
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

%% @doc The segments of the low-level steps of a script, or why this evaluator leaves it to `release_handler'.
-spec plan([atom()], [term()]) -> {ok, erlrc_segment:plan()} | {fallback, term()}.
plan(Apps, Steps) ->
    {ok, System} = erlrc_engine:system_applications(),
    case [App || App <- Apps, lists:member(App, System)] of
        [App | _] -> {fallback, {system_application, App}};
        [] -> erlrc_segment:segments(Steps)
    end.

run(Plan, Script) ->
    Options = options(Script),
    Caller = self(),
    Context = fun(Protected) ->
        #{
            subject => erlrc_sides:subject(Script),
            applications => erlrc_sides:applications(Script),
            about => erlrc_sides:about(Script),
            options => Options,
            committed => [maps:with([application, committed, calls, options], Change) || Change <- Script],
            protected => Protected,
            arguments => erlrc_child_arguments:of_script(Script),
            sides => erlrc_sides:of_script(Script)
        }
    end,
    Leader = group_leader(),
    Start = fun(Guardian) -> start(Plan, Guardian, Caller, Leader, Context) end,
    {Result, Cost} = erlrc_guardian:run(Start, Context),
    Instructions = lists:sum([length(Each) || #{instructions := Each} <- Script]),
    _ = put(erlrc_report, Cost#{evaluator => transactional, instructions => Instructions}),
    Result.

-spec start(erlrc_segment:plan(), pid(), pid(), pid(), fun(([pid()]) -> map())) -> no_return().
start(Plan, Guardian, Caller, Leader, Context) ->
    true = group_leader(Leader, self()),
    ok = erlrc_journal:start(Guardian),
    Given = Context([self(), Guardian, Caller]),
    ok = erlrc_journal:about(maps:get(about, Given, #{})),
    erlrc_execution:operate(Plan, context(Given, Guardian, Caller)).

context(Context, Guardian, Caller) ->
    Context#{
        guardian => Guardian,
        note => fun erlrc_journal:note/1,
        cancelled => fun() -> is_cancelled(Guardian, Caller) end,
        own => own_modules(maps:get(applications, Context), Caller)
    }.

is_cancelled(Guardian, Caller) ->
    receive
        cancel -> true
    after 0 ->
        erlrc_deadline:is_over() orelse not is_process_alive(Guardian) orelse not is_process_alive(Caller)
    end.

%% What stands on the stack of the operation, and all that it may call: these modules are loaded last, when nothing can
%% fail any more. An upgrade of erlrc is carried out by erlrc as it was, whatever calls what; but the module that
%% loads the native library can fail.
own_modules(Apps, Caller) ->
    Stack = case process_info(Caller, current_stacktrace) of {_, Frames} -> Frames; undefined -> [] end,
    All = [Module || erlrc <- Apps, Module <- erlrc_node:modules(erlrc), not erlrc_node:has_natives(Module)],
    lists:usort([Module || {Module, _, _, _} <- Stack] ++ All).

%% A check that was asked for takes the place of those that applications name; of these each has its say.
options([#{options := Options} | _] = Script) ->
    FromNode = maps:from_list([{Key, Value} || Key <- ?OPTIONS, {ok, Value} <- [application:get_env(erlrc, Key)]]),
    Named = [{health_check, erlrc_health_check}, {service_check, erlrc_service_check}],
    Checks = [{Key, [MFA]} || {Key, _} <- Named, #{Key := MFA} <- [Options]],
    maps:merge(maps:merge(maps:map(fun listed/2, FromNode), named(Named, Script)), maps:merge(Options, maps:from_list(Checks))).

listed(Key, MFA) when Key =:= health_check; Key =:= service_check -> [MFA];
listed(_Key, Value) -> Value.

named(Named, Script) ->
    Found = [
        {Key, MFA}
     || #{to_spec := {application, _, Keys}} <- Script,
        {Key, Name} <- Named,
        {_, MFA} <- [lists:keyfind(Name, 1, proplists:get_value(env, Keys, []))]
    ],
    maps:from_list([{Key, [MFA || {Of, MFA} <- Found, Of =:= Key]} || Key <- lists:usort([Key || {Key, _} <- Found])]).
