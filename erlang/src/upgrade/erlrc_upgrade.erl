%% @doc Upgrade and downgrade of one application: what it comes to, and its script. `erlrc_set' carries it out.
-module(erlrc_upgrade).

-export([change/2, way/1, plan/2, preview/2, generate/4, make_appup/3]).
-export([new_side/1, evaluator_change/4, forward/2]).
-export_type([change/0]).

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

%% @doc Replaces what runs of an application. Going down, `from' is the later version.
-spec change(up | down, map()) -> erlrcdynamic:result().
change(Direction, Request) ->
    Change = Request#{direction => Direction},
    case way(Change) of
        {nothing, Word} ->
            {ok, Word};
        {replace, Part, Warnings} ->
            lists:foreach(fun erlrc_operations:warn/1, Warnings),
            erlrc_set:carry_out(#{parts => [Part]});
        start ->
            start_instead(Change);
        {error, _} = Error ->
            Error
    end.

%% @doc What a change comes to: nothing, as what is asked for runs already; a script; a start of what does not run.
-spec way(change()) ->
    {nothing, already_running | included} | {replace, erlrc_set:part(), Warnings :: [term()]} | start | {error, term()}.
way(#{application := App, from := From, to := To} = Change) ->
    case erlrc_node:status(App) of
        {loaded, _} -> start;
        absent -> start;
        {Status, To} when From =/= To -> {nothing, runs(Status)};
        {Status, From} when From =:= To -> reload(runs(Status), erlrc_reload:part(Change));
        {_Status, From} -> part(Change);
        {_Status, _} -> {error, version_mismatch}
    end.

reload(Same, same) -> {nothing, Same};
reload(_Same, {ok, Part}) -> {replace, Part, []};
reload(_Same, {error, _} = Error) -> Error.

part(Change) ->
    case found(Change) of
        {ok, #{to_spec := New} = Script, #{env := Env} = Old, #{warnings := Warnings}} ->
            {replace, {Script, Old}, Warnings ++ erlrc_compile_env:foreseen(New, Env)};
        {error, _} = Error ->
            Error
    end.

%% @doc The script, and the actions around it, that the change would be; nothing is changed.
-spec plan(up | down, erlrcdynamic:operation()) ->
    {ok, map()} | {plan, [iodata()]} | erlrcdynamic:result().
plan(Direction, #{application := App, from := From, to := To, to_dir := ToDir} = Request) ->
    case erlrc_node:status(App) of
        Status when (Status =:= absent orelse element(1, Status) =:= loaded), is_map_key(over, map_get(options, Request)) ->
            {error, erlrc_provisional:refusal([App], not_replaced)};
        absent -> erlrc_start:plan(#{operation => start, application => App, vsn => To, dir => ToDir});
        {loaded, _} -> {plan, [io_lib:format("start ~ts ~ts from ~ts", [App, To, ToDir])]};
        {_Status, From} when From =:= To -> {plan, ["load the modules whose files differ"]};
        {Status, To} -> {ok, runs(Status)};
        {_Status, From} -> plan_script(Request#{direction => Direction});
        {_Status, _} -> {error, version_mismatch}
    end.

%% @doc The script that would replace what runs, and the old side: what {@link change/2} would give to the evaluator.
-spec preview(up | down, erlrcdynamic:operation()) ->
    {ok, erlrc_evaluator:change(), erlrc_old_side:old()} | not_running | {ok, atom()} | {error, term()}.
preview(Direction, #{application := App, from := From, to := To} = Request) ->
    case erlrc_node:status(App) of
        absent -> not_running;
        {loaded, _} -> not_running;
        {Status, To} when From =/= To -> {ok, runs(Status)};
        {_Status, From} -> preview_script(Request#{direction => Direction});
        {_Status, _} -> {error, version_mismatch}
    end.

preview_script(Change) ->
    case found(Change) of
        {ok, Script, Old, _Found} -> {ok, Script, Old};
        {error, _} = Error -> Error
    end.

%% The change as evaluators have it, the old side, and what the engine has found.
found(Change) ->
    case {erlrc_old_side:find(Change), new_side(Change)} of
        {{ok, Old}, {ok, New}} ->
            case script(Change, Old) of
                {ok, #{instructions := Instructions, source := Source} = Found} ->
                    Chosen = with_option(arguments, maps:get(arguments, Found, #{}), with_option(source, Source, Change)),
                    {ok, evaluator_change(Chosen, Old, New, Instructions), Old, Found};
                {error, _} = Error ->
                    Error
            end;
        {{ok, _}, Error} ->
            Error;
        {Error, _} ->
            Error
    end.

plan_script(Change) ->
    case found(Change) of
        {ok, Script, Old, Found} -> checked(erlrc_set:transition(#{parts => [{Script, Old}]}), Script, Found);
        {error, _} = Error -> Error
    end.

%% What would be refused later is refused here.
checked({ok, Transition}, Script, Found) ->
    case erlrc_evaluator:check([Script]) of
        ok -> {ok, maps:merge(Transition, Found)};
        Refusal -> Refusal
    end;
checked({error, _} = Error, _Script, _Found) ->
    Error.

runs(running) -> already_running;
runs(included) -> included.

%% The new code is what loads next.
start_instead(#{application := App, options := #{over := revert}}) ->
    {error, erlrc_provisional:refusal([App], not_replaced)};
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

%% @private The specification of the version that is to run.
-spec new_side(change()) -> {ok, erlrc_evaluator:specification()} | {error, term()}.
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

%% `migrate' is what the environment says, `asked' what whoever wants this change does: the engine decides between them and
%% the files of the host.
engine_options(#{options := Options}) ->
    Chosen = maps:with([way_back | erlrc_options:of_scripts() -- [migrate]], Options),
    Asked = case Options of #{migrate := Choice} -> #{asked => Choice}; #{} -> #{} end,
    maps:merge(erlrc_options:scripts(), maps:merge(Chosen, Asked#{evaluator => erlrc_evaluator:name(Options)})).

%% @private A change as evaluators have it.
-spec evaluator_change(change(), erlrc_old_side:old(), erlrc_evaluator:specification(), [term()]) -> erlrc_evaluator:change().
evaluator_change(#{application := App} = Change, #{spec := OldSpec} = Old, NewSpec, Instructions) ->
    #{direction := Direction, to := To, to_dir := ToDir, options := Options} = Change,
    #{vsn := From, dir := FromDir} = Old,
    {Script, Committed} = erlrc_after_commit:split(Instructions),
    #{
        application => App,
        direction => Direction,
        instructions => Script,
        committed => Committed,
        calls => make_ref(),
        from => {From, FromDir},
        to => {To, ToDir},
        from_spec => OldSpec,
        to_spec => NewSpec,
        options => Options
    }.

%% @private What the keeper of an earlier version calls.
-spec forward(erlrc_set:forward(), false | {environment, erlrc_environment:undo()}) -> {ok, map()} | {error, term()}.
forward(Forward, Noted) ->
    case erlrc_set:forward([Forward], [Undo || {environment, Undo} <- [Noted]]) of
        {ok, Undo, _Failed} -> {ok, Undo};
        {error, _} = Error -> Error
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
