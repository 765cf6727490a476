%% @doc Several applications changed as one: one script, one window, one commit, one way back. One application is a set of
%% one.
%%
%% What an upgrade needs is started before the script, what else is to start and needs nothing that changes as well; what
%% does, after it; what is to stop stops last. Until then a failure takes all of it back: where applications are started
%% after the script, its way back is kept open until they run.
-module(erlrc_set).

-export([carry_out/1, transition/1, order/1, forward/2, config_change/3]).
-export_type([set/0, part/0, forward/0]).

%% What runs of an application is replaced: its change, as evaluators have it, and what it is compared with.
-type part() :: {erlrc_evaluator:change(), erlrc_old_side:old()}.
-type set() :: #{
    parts := [part()],
    start => [{atom(), Vsn :: string(), Dir :: file:filename_all()}],
    stop => [atom()],
    %% What puts the code path back that was changed for the set.
    path => [erlrc_transition:undo()]
}.
%% What follows when the script has succeeded: the environment of the old `.app' file, the actions that come after.
-type forward() :: #{
    application := atom(),
    to_spec := erlrc_evaluator:specification(),
    env := erlrc_environment:env() | unknown,
    %% The specification that {@link erlrc_environment:put_back/2} is to put back.
    was := erlrc_evaluator:specification(),
    %% Of the whole set, with its last application; `starts' are those that were asked for.
    later := [erlrc_transition:action()],
    starts => [atom()],
    %% What is called when the operation is through, and the options that it was given.
    committed => [{module(), atom(), [term()]}],
    calls => reference(),
    options => map()
}.

%% How long `config_change/3' of an application may take.
-define(CONFIG_CHANGE, 10000).
%% A way back that is kept for the set itself, until what is started after the script runs.
-define(KEPT, 86400000).

%% @doc Carries a set out. Answers the modules whose old code is not purged yet.
-spec carry_out(set()) -> {ok, [module()]} | restart_new_emulator | {error, term()}.
carry_out(Set) ->
    #{parts := Parts} = Ordered = order(Set),
    Instructions = lists:append([Each || {#{instructions := Each}, _} <- Parts]),
    case lists:any(fun erlrc_evaluator:restarts/1, Instructions) of
        true -> restart_new_emulator;
        false -> in_transition(transition(Ordered), Ordered)
    end.

in_transition({ok, #{actions := Actions, warnings := Warnings}}, #{parts := Parts} = Set) ->
    lists:foreach(fun erlrc_operations:warn/1, Warnings),
    {Before, After} = lists:splitwith(fun(Action) -> Action =/= script end, Actions),
    _ = [ok = erlrc_old_side:load_modules(Old) || {_, Old} <- Parts],
    carry_out(Set, Before, [Action || Action <- After, Action =/= script]);
in_transition({error, _} = Error, _Set) ->
    Error.

%% @doc The actions around the script.
-spec transition(set()) -> {ok, erlrc_engine:transition()} | {error, term()}.
transition(#{parts := Parts} = Set) ->
    Event = #{
        upgrade => [Spec || {#{to_spec := Spec}, _} <- Parts],
        start => maps:get(start, Set, []),
        stop => maps:get(stop, Set, [])
    },
    case erlrc_environment:check() of
        ok -> erlrc_engine:transition(erlrc_node:facts(), {change, Event});
        {error, _} = Error -> Error
    end.

%% @doc The set with its parts in order: what others depend on first, of what goes up, and last, of what goes down.
-spec order(set()) -> set().
order(#{parts := Parts} = Set) ->
    Needs = maps:from_list([{App, needs(Part)} || {#{application := App}, _} = Part <- Parts]),
    Sorted = lists:foldl(fun(App, Done) -> visit(App, Needs, Done) end, [], lists:sort(maps:keys(Needs))),
    Place = maps:from_list(lists:zip(Sorted, lists:seq(1, length(Sorted)))),
    Key = fun
        ({#{application := App, direction := up}, _}) -> -maps:get(App, Place);
        ({#{application := App, direction := down}, _}) -> length(Sorted) + maps:get(App, Place)
    end,
    Set#{parts := [Part || {_, Part} <- lists:keysort(1, [{Key(Part), Part} || Part <- Parts])]}.

needs({#{from_spec := {_, _, Old}, to_spec := {_, _, New}}, _}) ->
    lists:append([proplists:get_value(Key, Keys, []) || Keys <- [New, Old], Key <- [applications, included_applications]]).

%% Dependents come first in `Done'. An application that is met again is there already, or on the way.
visit(App, Needs, Done) ->
    case {lists:member(App, Done), Needs} of
        {false, #{App := Needed}} ->
            Without = maps:remove(App, Needs),
            [App | lists:foldl(fun(Other, Acc) -> visit(Other, Without, Acc) end, Done, Needed) -- [App]];
        _ ->
            Done
    end.

%% The commit of the script is that of the whole operation: what goes before it is undone if there is none, what follows
%% it is done whatever happens.
carry_out(#{parts := Parts} = Set, Before, After) ->
    Starts = [App || {start, App} <- After, lists:keymember(App, 1, maps:get(start, Set, []))],
    Forwards = forwards(Parts, #{later => After, starts => Starts}),
    ok = erlrc_settlement:note({forward, Forwards}),
    Script = [Change || {Change, _} <- Parts],
    case erlrc_transition:attempt(Before ++ [script], fun() -> evaluate(kept(Starts, Script)) end) of
        {ok, Done, Undos} ->
            {script, Unpurged} = lists:keyfind(script, 1, Done),
            completed(forward(Forwards, []), Unpurged, Undos ++ maps:get(path, Set, []), {Set, Starts});
        {error, restart_new_emulator} ->
            restart_new_emulator;
        {error, _} = Error ->
            Error
    end.

forwards([], Later) ->
    [Later];
forwards(Parts, Later) ->
    {Last, Others} = {lists:last(Parts), lists:droplast(Parts)},
    [made(Part, #{later => []}) || Part <- Others] ++ [made(Last, Later)].

made({#{application := App, to_spec := Spec} = Change, #{env := Env}}, Later) ->
    {Was, _} = erlrc_environment:before(App, Env),
    (maps:merge(Later, maps:with([committed, calls, options], Change)))#{application => App, to_spec => Spec, was => Was, env => Env}.

%% What is started after the script may fail to start.
kept([], Script) ->
    Script;
kept(_Starts, Script) ->
    [Change#{options := maps:merge(#{hold => ?KEPT}, Options)} || #{options := Options} = Change <- Script].

evaluate([]) ->
    Result = {ok, []},
    ok = note({scripted, Result}),
    Result;
evaluate(Script) ->
    Result = erlrc_evaluator:evaluate(Script),
    ok = note({scripted, Result}),
    Subject = case Script of [#{application := App}] -> App; _ -> [App || #{application := App} <- Script] end,
    ok = warn_of_killed(Subject),
    _ = [ok = warn_of_dead(Subject) || {ok, _} <- [Result]],
    Result.

completed({ok, Undo, []}, Unpurged, Undos, {Set, Starts}) ->
    ok = note({committed, finish(Set), {ok, Unpurged}}),
    ok = hold(Set, Starts, Undo#{before => Undos}),
    finished(finish(Set), Unpurged);
completed({ok, Undo, [Why | _]}, _Unpurged, Undos, {#{parts := Parts}, _Starts}) ->
    taken_back(get(erlrc_hold), Why, Undo#{before => Undos}, Parts);
completed({error, _} = Error, _Unpurged, _Undos, _Set) ->
    Error.

finish(#{parts := Parts} = Set) when is_map_key(start, Set); is_map_key(stop, Set) ->
    Starts = [{start, App} || {App, _, _} <- maps:get(start, Set, [])],
    Upgraded = [{start, App} || {#{application := App}, _} <- Parts, App =/= erlrc],
    Starts ++ Upgraded ++ [{stop, App} || App <- maps:get(stop, Set, [])];
finish(_Set) ->
    nothing.

finished(nothing, Unpurged) ->
    {ok, Unpurged};
finished(Finish, Unpurged) ->
    ok = erlrc_start:finish(Finish),
    {ok, Unpurged}.

%% An application that was to start after the script has not: the way back that was kept for that.
taken_back(undefined, Why, #{'after' := After, before := Before}, []) ->
    not_there(Why, erlrc_transition:undo(After ++ Before));
taken_back(undefined, Why, _Undo, Parts) ->
    {error, {not_rolled_back, Why, [{script, App, done} || {#{application := App}, _} <- Parts]}};
taken_back({_Guardian, Id}, Why, Undo, Parts) ->
    ok = erlrc_hold:complete(described(Parts, Undo)),
    _ = erase(erlrc_hold),
    case erlrc_hold:revert(#{changes => changes(Parts), held => Id}) of
        {reverted, Left, _Converted, Warnings} ->
            lists:foreach(fun erlrc_operations:warn/1, Warnings),
            not_there(Why, Left);
        not_held ->
            {error, {not_rolled_back, Why, [{script, App, done} || {#{application := App}, _} <- Parts]}};
        {error, Other} ->
            {error, {not_rolled_back, Why, [Other]}}
    end.

not_there(Why, []) -> {error, Why};
not_there(Why, Left) -> {error, {not_rolled_back, Why, Left}}.

%% @private What follows the script; all of it may have been done before, `Noted' are the environments before that. Answers
%% why applications that were to start did not, too.
-spec forward([forward() | #{later := list(), starts := [atom()]}], [erlrc_environment:undo()]) ->
    {ok, map(), Failed :: [term()]} | {error, term()}.
forward(Forwards, Noted) ->
    Changed = [Forward || #{application := _} = Forward <- Forwards],
    Befores = [before(Forward, Noted) || Forward <- Changed],
    Originals = [{App, erlrc_specification:original(App)} || #{application := App} <- Changed],
    case environments(lists:zip(Changed, Befores)) of
        ok ->
            _ = [ok = config_change(Forward, Before) || {Forward, Before} <- lists:zip(Changed, Befores)],
            ok = erlrc_deadline:extend(finish),
            Last = lists:last(Forwards),
            {Undos, Failed} = follow(maps:get(later, Last), maps:get(starts, Last, []), []),
            ok = after_commit(Changed, Failed, get(erlrc_hold)),
            {ok, #{environments => Befores, originals => Originals, 'after' => Undos}, Failed};
        {error, Why} ->
            {error, {not_rolled_back, Why, [{script, App, done} || #{application := App} <- Changed]}}
    end.

%% Where the way back is kept open, whoever gives it up calls them.
after_commit(Forwards, [], undefined) ->
    case [Forward || #{committed := [_ | _]} = Forward <- Forwards] of
        [] -> ok;
        Calling -> lists:foreach(fun erlrc_operations:warn/1, erlrc_after_commit:run(Calling, erlrc_deadline:left()))
    end;
after_commit(_Forwards, _Failed, _Held) ->
    ok.

before(#{application := App, was := Spec}, Noted) ->
    case [Undo || {{application, Of, _}, _} = Undo <- Noted, Of =:= App] of
        [] -> {Spec, application:get_all_env(App)};
        [Known | _] -> Known
    end.

environments([]) ->
    ok;
environments([{#{application := App, to_spec := Spec, env := Env}, Before} | Others]) ->
    ok = note({environment, Before}),
    case erlrc_environment:change(App, Env, Spec) of
        {ok, _, _} ->
            ok = erlrc_specification:forget(App),
            environments(Others);
        {error, _} = Error ->
            Error
    end.

config_change(#{application := App, to_spec := Spec}, {_, Was}) ->
    config_change(App, Spec, erlrc_environment:difference(Was, application:get_all_env(App))).

%% @doc Tells the application what has changed in its environment. That it fails, or takes too long, is a warning.
-spec config_change(atom(), erlrc_evaluator:specification(), erlrc_environment:change()) -> ok.
config_change(App, Spec, Difference) ->
    case erlrc_environment:config_change(App, Spec, Difference, ?CONFIG_CHANGE) of
        ok -> ok;
        {error, Why} -> erlrc_operations:warn(Why)
    end.

%% Everything runs its new version: what follows can fail, but only what was asked to start is a reason to take that back.
follow([], _Starts, Undos) ->
    {Undos, []};
follow([Action | Actions], Starts, Undos) ->
    case {erlrc_transition:perform(Action), Action} of
        {{ok, Undo}, _} ->
            follow(Actions, Starts, [Undo | Undos]);
        {{error, Why}, {start, App}} ->
            case lists:member(App, Starts) of
                true -> {Undos, [Why]};
                false -> warned(Why, Actions, Starts, Undos)
            end;
        {{error, Why}, _} ->
            warned(Why, Actions, Starts, Undos)
    end.

warned(Why, Actions, Starts, Undos) ->
    ok = erlrc_operations:warn(Why),
    follow(Actions, Starts, [nothing | Undos]).

%% The script may have taken erlrc to a version that knows nothing of it.
note(Entry) ->
    try
        erlrc_settlement:note(Entry)
    catch
        error:undef -> ok
    end.

%% Nobody has their states any more, and the supervisor's report is in the log of the node alone.
warn_of_dead(Subject) ->
    case get(erlrc_report) of
        #{died := {Count, Modules}} -> erlrc_operations:warn({died, Subject, Count, Modules});
        _ -> ok
    end.

%% Also where the upgrade failed.
warn_of_killed(Subject) ->
    case get(erlrc_report) of
        #{killed := Killed} -> erlrc_operations:warn({killed_for_old_code, Subject, Killed});
        _ -> ok
    end.

%% Where the evaluator keeps the way back open, the rest of it is kept there too.
hold(#{parts := Parts} = Set, Starts, Undo0) ->
    Undo = Undo0#{started => [App || {App, _, _} <- maps:get(start, Set, [])]},
    case {get(erlrc_hold), Parts} of
        {undefined, _} ->
            ok;
        {{_, Id}, [{#{options := Options}, _} | _]} when Starts =/= [], not is_map_key(hold, Options) ->
            ok = erlrc_hold:complete(described(Parts, Undo)),
            Confirmed = erlrc_hold:confirm(#{changes => changes(Parts), held => Id}),
            _ = [erlrc_operations:warn(Why) || {confirmed, Failed} <- [Confirmed], Why <- Failed],
            _ = erase(erlrc_hold),
            ok;
        _ ->
            erlrc_hold:complete(described(Parts, Undo))
    end.

described(Parts, Undo) ->
    Release = maps:from_list([{release, Release} || {#{options := #{release := Release}}, _} <- Parts]),
    Merged = [{App, application:get_all_env(App)} || {#{application := App}, _} <- Parts],
    maps:merge(Undo#{changes => changes(Parts), merged => Merged}, Release).

changes(Parts) ->
    [#{application => App, from => From, to => To} || {#{application := App, from := {From, _}, to := {To, _}}, _} <- Parts].
