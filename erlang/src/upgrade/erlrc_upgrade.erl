%% @doc The operations upgrade and downgrade: facts, script, transition, evaluator, specification,
%% environment.
-module(erlrc_upgrade).

-export([change/2, plan/2, preview/2, run/4, generate/4, make_appup/3]).
-export([forward/2, config_change/3]).
-export_type([change/0, forward/0]).

%% What runs of an application is to be replaced. Going down, `from' is the later version.
-type change() :: #{
    operation := upgrade | downgrade,
    direction := up | down,
    application := atom(),
    from := string(),
    to := string(),
    from_dir := file:filename_all(),
    to_dir := file:filename_all(),
    options := map()
}.

%% What follows when the script has succeeded: the environment of the old `.app' file, the actions that come after.
-type forward() :: #{
    application := atom(),
    to_spec := erlrc_evaluator:specification(),
    env := erlrc_environment:env() | unknown,
    %% The specification that {@link erlrc_environment:put_back/2} is to put back.
    was := erlrc_evaluator:specification(),
    later := [erlrc_transition:action()],
    %% What is called when the operation is through, and the options that it was given.
    committed => [{module(), atom(), [term()]}],
    options => map()
}.

%% How long `config_change/3' of an application may take.
-define(CONFIG_CHANGE, 10000).

%% @doc Replaces what runs of an application. Going down, `from' is the later version.
-spec change(up | down, map()) -> erlrcdynamic:result().
change(Direction, #{application := App, from := From, to := To} = Request) ->
    Change = Request#{direction => Direction},
    case erlrc_node:status(App) of
        {loaded, _} -> start_instead(Change);
        absent -> start_instead(Change);
        {Status, To} when From =/= To -> {ok, runs(Status)};
        {Status, From} when From =:= To -> erlrc_reload:change(runs(Status), Change);
        {_Status, From} -> replace(Change);
        {_Status, _} -> {error, version_mismatch}
    end.

%% @doc The script, and the actions around it, that the change would be; nothing is changed.
-spec plan(up | down, erlrcdynamic:operation()) ->
    {ok, map()} | {plan, [iodata()]} | erlrcdynamic:result().
plan(Direction, #{application := App, from := From, to := To, to_dir := ToDir} = Request) ->
    case erlrc_node:status(App) of
        absent -> erlrc_start:plan(#{operation => start, application => App, vsn => To, dir => ToDir});
        {loaded, _} -> {plan, [io_lib:format("start ~ts ~ts from ~ts", [App, To, ToDir])]};
        {_Status, From} when From =:= To -> {plan, ["load the modules whose files differ"]};
        {Status, To} -> {ok, runs(Status)};
        {_Status, From} -> plan_script(Request#{direction => Direction});
        {_Status, _} -> {error, version_mismatch}
    end.

%% @doc The script that would replace what runs, and the old side: what {@link change/2} would give to the evaluator.
-spec preview(up | down, erlrcdynamic:operation()) ->
    {ok, erlrc_evaluator:script(), erlrc_old_side:old()} | not_running | {ok, atom()} | {error, term()}.
preview(Direction, #{application := App, from := From, to := To} = Request) ->
    case erlrc_node:status(App) of
        absent -> not_running;
        {loaded, _} -> not_running;
        {Status, To} when From =/= To -> {ok, runs(Status)};
        {_Status, From} -> preview_script(Request#{direction => Direction});
        {_Status, _} -> {error, version_mismatch}
    end.

preview_script(Change) ->
    case {erlrc_old_side:find(Change), new_side(Change)} of
        {{ok, Old}, {ok, New}} ->
            case script(Change, Old) of
                {ok, #{instructions := Instructions, source := Source}} ->
                    {ok, evaluator_script(with_option(source, Source, Change), Old, New, Instructions), Old};
                {error, _} = Error ->
                    Error
            end;
        {{ok, _}, Error} ->
            Error;
        {Error, _} ->
            Error
    end.

plan_script(Change) ->
    plan_script(erlrc_old_side:find(Change), new_side(Change), Change).

plan_script({ok, Old}, {ok, Spec}, #{application := App} = Change) ->
    case {script(Change, Old), erlrc_engine:transition(erlrc_node:facts(), {upgrade, App, Spec})} of
        {{ok, Found}, {ok, Transition}} -> checked(maps:merge(Transition, Found), Old, Spec, Change);
        {{ok, _}, Error} -> Error;
        {Error, _} -> Error
    end;
plan_script({ok, _Old}, Error, _Change) ->
    Error;
plan_script(Error, _New, _Change) ->
    Error.

%% What would be refused later is refused here.
checked(#{instructions := Instructions, source := Source} = Plan, Old, Spec, Change) ->
    case erlrc_evaluator:check(evaluator_script(with_option(source, Source, Change), Old, Spec, Instructions)) of
        ok -> {ok, Plan};
        Refusal -> Refusal
    end.

runs(running) -> already_running;
runs(included) -> included.

%% The new code is what loads next.
start_instead(#{application := App, to := Vsn, to_dir := Dir} = Change) ->
    case new_side(Change) of
        {ok, Spec} ->
            case erlrc_upgrade_stopped:prepare(Change, Spec) of
                {ok, Undo} ->
                    Start = #{application => App, vsn => Vsn, dir => Dir},
                    started(erlrc_start:start(Start), Undo);
                {error, _} = Error ->
                    Error
            end;
        {error, _} = Error ->
            Error
    end.

started(Outcome, Undo) when
    Outcome =:= started; Outcome =:= started_included_stopped; Outcome =:= included
->
    ok = erlrc_upgrade_stopped:keep(Undo),
    {ok, Outcome};
started(Outcome, Undo) ->
    Why = case Outcome of {error, Reason} -> Reason; _ -> Outcome end,
    case erlrc_upgrade_stopped:undo(Undo) of
        [] -> {error, Why};
        Left -> {error, {not_rolled_back, Why, Left}}
    end.

replace(Change) ->
    case erlrc_old_side:find(Change) of
        {ok, Old} -> replace(Change, Old);
        {error, _} = Error -> Error
    end.

replace(Change, Old) ->
    case new_side(Change) of
        {ok, New} -> with_script(Change, Old, New);
        {error, _} = Error -> Error
    end.

new_side(#{application := App, to := Vsn, to_dir := Dir}) ->
    case erlrc_engine:application(App, Dir, erlrc_node:root()) of
        {ok, {application, App, Keys} = Spec} ->
            case proplists:get_value(vsn, Keys) of
                Vsn -> {ok, Spec};
                Other -> {error, {bad_new_appvsn, App, Vsn, Other}}
            end;
        {error, _} = Error ->
            Error
    end.

with_script(Change, Old, New) ->
    case script(Change, Old) of
        {ok, #{instructions := Instructions, source := Source, warnings := Warnings}} ->
            lists:foreach(fun erlrc_operations:warn/1, Warnings ++ erlrc_compile_env:contradictions(New)),
            run(with_option(source, Source, Change), Old, New, Instructions);
        {error, _} = Error ->
            Error
    end.

with_option(Key, Value, #{options := Options} = Change) ->
    Change#{options := Options#{Key => Value}}.

script(Change, Old) ->
    case erlrc_options:check() of
        ok -> sound_script(Change, Old);
        {error, _} = Error -> Error
    end.

sound_script(#{application := App, direction := up} = Change, Old) ->
    #{to := To, to_dir := ToDir} = Change,
    erlrc_engine:upgrade_script(App, side(Old), {To, ToDir}, up, engine_options(Change));
sound_script(#{application := App, direction := down} = Change, Old) ->
    #{to := To, to_dir := ToDir} = Change,
    erlrc_engine:upgrade_script(App, {To, ToDir}, side(Old), down, engine_options(Change)).

side(#{vsn := Vsn, side := Side}) ->
    {Vsn, Side}.

engine_options(#{options := Options}) ->
    Chosen = maps:merge((erlrc_options:scripts())#{root => erlrc_node:root()}, maps:with(erlrc_options:of_scripts(), Options)),
    case erlrc_evaluator:module(Options) of
        {ok, erlrc_transaction} -> Chosen;
        %% OTP's own evaluator knows no migrations.
        _ -> maps:remove(migrate, Chosen)
    end.

%% @doc Carries out these instructions with all that belongs to an upgrade.
-spec run(change(), erlrc_old_side:old(), erlrc_evaluator:specification(), [term()]) ->
    erlrcdynamic:result().
run(Change, Old, NewSpec, Instructions) ->
    execute(evaluator_script(Change, Old, NewSpec, Instructions), Old).

evaluator_script(#{application := App} = Change, #{spec := OldSpec} = Old, NewSpec, Instructions) ->
    #{direction := Direction, to := To, to_dir := ToDir, options := Options} = Change,
    #{vsn := From, dir := FromDir} = Old,
    {Script, Committed} = erlrc_after_commit:split(Instructions),
    #{
        application => App,
        direction => Direction,
        instructions => Script,
        committed => Committed,
        from => {From, FromDir},
        to => {To, ToDir},
        from_spec => OldSpec,
        to_spec => NewSpec,
        options => Options
    }.

execute(#{instructions := Instructions} = Script, Old) ->
    case lists:any(fun erlrc_evaluator:restarts/1, Instructions) of
        true -> restart_new_emulator;
        false -> transition(Script, Old)
    end.

transition(#{application := App, to_spec := Spec} = Script, Old) ->
    Event = {upgrade, App, Spec},
    case {erlrc_environment:check(), erlrc_engine:transition(erlrc_node:facts(), Event)} of
        {ok, {ok, #{actions := Actions, warnings := Warnings}}} ->
            lists:foreach(fun erlrc_operations:warn/1, Warnings),
            {Before, After} = lists:splitwith(fun(Action) -> Action =/= script end, Actions),
            ok = erlrc_old_side:load_modules(Old),
            carry_out(Script, Old, Before, tl(After ++ [script]));
        {ok, {error, _} = Error} ->
            Error;
        {{error, _} = Error, _} ->
            Error
    end.

%% The commit of the script is that of the whole operation: what goes before it is undone if there is none, what follows
%% it is done whatever happens.
carry_out(#{application := App, to_spec := Spec} = Script, #{env := Env}, Before, After) ->
    Later = [Action || Action <- After, Action =/= script],
    {Was, _} = erlrc_environment:before(App, Env),
    Calls = maps:with([committed, options], Script),
    Forward = Calls#{application => App, to_spec => Spec, was => Was, env => Env, later => Later},
    ok = erlrc_settlement:note({forward, Forward}),
    case erlrc_transition:attempt(Before ++ [script], fun() -> evaluate(Script) end) of
        {ok, Done, Undos} ->
            {script, Unpurged} = lists:keyfind(script, 1, Done),
            completed(forward(Forward, false), Unpurged, Undos, Script);
        {error, restart_new_emulator} ->
            restart_new_emulator;
        {error, _} = Error ->
            Error
    end.

evaluate(#{application := App} = Script) ->
    Result = erlrc_evaluator:evaluate(Script),
    ok = note({scripted, Result}),
    ok = warn_of_killed(App),
    _ = [ok = warn_of_dead(App) || {ok, _} <- [Result]],
    Result.

completed({ok, Undo}, Unpurged, Undos, Script) ->
    ok = note({committed, nothing, {ok, Unpurged}}),
    ok = hold(Script, Undo#{before => Undos}),
    {ok, Unpurged};
completed({error, _} = Error, _Unpurged, _Undos, _Script) ->
    Error.

%% @private What follows the script; all of it may have been done before, `Noted' is the environment before that.
-spec forward(forward(), false | {environment, erlrc_environment:undo()}) -> {ok, map()} | {error, term()}.
forward(#{application := App, to_spec := Spec, was := WasSpec, env := Env, later := Later} = Forward, Noted) ->
    Original = erlrc_specification:original(App),
    {_, Was} = Before = case Noted of false -> {WasSpec, application:get_all_env(App)}; {environment, Known} -> Known end,
    ok = note({environment, Before}),
    case erlrc_environment:change(App, Env, Spec) of
        {ok, _, _} ->
            ok = erlrc_specification:forget(App),
            ok = config_change(App, Spec, erlrc_environment:difference(Was, application:get_all_env(App))),
            ok = erlrc_deadline:extend(finish),
            Undos = [follow(Action) || Action <- Later],
            ok = after_commit(Forward, get(erlrc_hold)),
            {ok, #{environment => Before, original => Original, 'after' => lists:reverse(Undos)}};
        {error, Why} ->
            {error, {not_rolled_back, Why, [{script, App, done}]}}
    end.

%% Where the way back is kept open, whoever gives it up calls them.
after_commit(#{committed := [_ | _]} = Forward, undefined) ->
    lists:foreach(fun erlrc_operations:warn/1, erlrc_after_commit:run(Forward, erlrc_deadline:left()));
after_commit(_Forward, _Held) ->
    ok.

%% The script may have taken erlrc to a version that knows nothing of it.
note(Entry) ->
    try
        erlrc_settlement:note(Entry)
    catch
        error:undef -> ok
    end.

%% Nobody has their states any more, and the supervisor's report is in the log of the node alone.
warn_of_dead(App) ->
    case get(erlrc_report) of
        #{died := {Count, Modules}} -> erlrc_operations:warn({died, App, Count, Modules});
        _ -> ok
    end.

%% Also where the upgrade failed.
warn_of_killed(App) ->
    case get(erlrc_report) of
        #{killed := Killed} -> erlrc_operations:warn({killed_for_old_code, App, Killed});
        _ -> ok
    end.

%% @doc Tells the application what has changed in its environment. That it fails, or takes too long, is a warning.
-spec config_change(atom(), erlrc_evaluator:specification(), erlrc_environment:change()) -> ok.
config_change(App, Spec, Difference) ->
    case erlrc_environment:config_change(App, Spec, Difference, ?CONFIG_CHANGE) of
        ok -> ok;
        {error, Why} -> erlrc_operations:warn(Why)
    end.

%% The application runs its new version: what follows can fail, but is no reason to say that it does
%% not.
follow(Action) ->
    case erlrc_transition:perform(Action) of
        {ok, Undo} ->
            Undo;
        {error, Why} ->
            ok = erlrc_operations:warn(Why),
            nothing
    end.

%% Where the evaluator keeps the way back open, the rest of it is kept there too.
hold(#{application := App, from := {From, _}, to := {To, _}}, Undo) ->
    case get(erlrc_hold) of
        undefined ->
            ok;
        _ ->
            erlrc_hold:complete(Undo#{
                application => App, from => From, to => To, merged => application:get_all_env(App)
            })
    end.

%% @doc Generates an appup from the files of two versions.
-spec make_appup(atom(), {string(), file:filename()}, {string(), file:filename()}) ->
    {ok, erlrc_engine:appup()} | {error, term()}.
make_appup(App, Old, New) ->
    case erlrc_options:check() of
        ok -> make_soundly(App, Old, New);
        {error, _} = Error -> Error
    end.

make_soundly(App, Old, New) ->
    case erlrc_engine:make_appup(App, Old, New, engine_options(#{options => #{}})) of
        {ok, #{appup := Appup}} -> {ok, Appup};
        {error, _} = Error -> Error
    end.

%% @doc The instructions that lead up to the later version whatever it ships; the old side may be what is loaded.
-spec generate(atom(), erlrc_engine:version(), erlrc_engine:version(), map()) -> {ok, [term()]} | {error, term()}.
generate(App, Old, New, Change) ->
    case erlrc_options:check() of
        ok -> generate_soundly(App, Old, New, (engine_options(Change))#{appup => generated});
        {error, _} = Error -> Error
    end.

generate_soundly(App, Old, New, Options) ->
    case erlrc_engine:upgrade_script(App, Old, New, up, Options) of
        {ok, #{instructions := Instructions}} -> {ok, Instructions};
        {error, _} = Error -> Error
    end.
