%% @doc The operation `change': several applications upgraded, downgraded, started and stopped as one.
-module(erlrc_set_change).

-export([perform/1, plan/1]).
-export_type([change/0, outcome/0, result/0]).

%% An operation on one application, as `erlrcdynamic' has it, with its directories.
-type change() :: erlrcdynamic:operation().
-type outcome() :: {atom(), atom()}.
-type result() :: {ok, [outcome()]} | restart_new_emulator | {error, term()}.

%% What is to be done for a change, or the word for what is so already.
-type way() ::
    {nothing, atom()}
    | {replace, erlrc_set:part(), [term()]}
    | {start, Vsn :: string(), Dir :: file:filename_all()}
    | {start_instead, erlrc_evaluator:specification()}
    | {stop}.

%% @doc Carries the changes out, all or none. Answers what came of each application.
-spec perform([change()]) -> result().
perform(Changes) ->
    case ways(Changes) of
        {ok, Ways} ->
            lists:foreach(fun erlrc_operations:warn/1, lists:append([Warnings || {_, {replace, _, Warnings}} <- Ways])),
            case lists:all(fun({_, Way}) -> element(1, Way) =:= nothing end, Ways) of
                true -> {ok, [outcome(Each) || Each <- Ways]};
                false -> replaced(replace(Ways, []), Ways)
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc The transition that the changes would be, with the instructions of each script; nothing is changed.
-spec plan([change()]) -> {ok, erlrc_set:set(), erlrc_engine:transition(), [outcome()]} | restart_new_emulator | {error, term()}.
plan(Changes) ->
    case ways(Changes) of
        {ok, Ways} -> planned(erlrc_set:order(set(Ways)), Ways);
        {error, _} = Error -> Error
    end.

planned(#{parts := Parts} = Set, Ways) ->
    Script = [Change || {Change, _} <- Parts],
    case {erlrc_set:transition(Set), Script =:= [] orelse erlrc_evaluator:check(Script)} of
        {{ok, Transition}, Checked} when Checked =:= ok; Checked =:= true ->
            {ok, Set, Transition, [outcome(Each) || {_, {nothing, _}} = Each <- Ways]};
        {{ok, _}, Refusal} ->
            Refusal;
        {{error, _} = Error, _} ->
            Error
    end.

-spec ways([change()]) -> {ok, [{change(), way()}]} | {error, term()}.
ways(Changes) ->
    Ways = [{Change, way(Change)} || Change <- Changes],
    Apps = [App || #{application := App} <- Changes],
    case {Apps -- lists:usort(Apps), [{App, Why} || {#{application := App}, {error, Why}} <- Ways]} of
        {[], []} -> provisional(Ways);
        {[Twice | _], _} -> {error, {bad_argument, changes, Twice}};
        {[], [{App, version_mismatch} | _]} -> {error, {version_mismatch, App, runs(App)}};
        {[], [{App, Why} | _]} when is_atom(Why) -> {error, {not_so, App, Why}};
        {[], [{_App, Why} | _]} -> {error, Why}
    end.

%% A way back is kept open for what is replaced, and for what starts beside it; what has stopped would not be what it was.
provisional(Ways) ->
    Kept = case lists:any(fun({_, Way}) -> element(1, Way) =:= replace end, Ways) of
        true -> [nothing, replace, start];
        false -> [nothing]
    end,
    case [App || {#{application := App, options := #{over := revert}}, Way} <- Ways, not lists:member(element(1, Way), Kept)] of
        [] -> {ok, Ways};
        Others -> {error, erlrc_provisional:refusal(Others, not_replaced)}
    end.

runs(App) ->
    case erlrc_node:status(App) of
        {_, Vsn} -> Vsn;
        absent -> "nothing"
    end.

way(#{operation := start, application := App, vsn := Vsn, dir := Dir} = Change) ->
    case erlrc_start:answer(Change) of
        start -> {start, Vsn, Dir};
        Word when Word =:= already_running; Word =:= included -> {nothing, Word};
        {error, _} = Error -> Error;
        Word when is_atom(Word), is_atom(App) -> {error, Word}
    end;
way(#{operation := stop} = Change) ->
    case erlrc_start:answer(Change) of
        stop -> {stop};
        %% The transition knows whether what includes it lets it go.
        included -> {stop};
        not_running -> {nothing, not_running};
        Word -> {error, Word}
    end;
way(#{operation := Operation, application := App} = Change0) ->
    Change = Change0#{direction => direction(Operation)},
    case erlrc_upgrade:way(Change) of
        start ->
            case erlrc_upgrade:new_side(Change) of
                {ok, Spec} when is_atom(App) -> {start_instead, Spec};
                {error, _} = Error -> Error
            end;
        Way ->
            Way
    end.

direction(upgrade) -> up;
direction(downgrade) -> down.

set(Ways) ->
    #{
        parts => [Part || {_, {replace, Part, _}} <- Ways],
        start =>
            [{App, Vsn, Dir} || {#{application := App}, {start, Vsn, Dir}} <- Ways] ++
                [{App, Vsn, Dir} || {#{application := App, to := Vsn, to_dir := Dir}, {start_instead, _}} <- Ways],
        stop => [App || {#{application := App}, {stop}} <- Ways]
    }.

%% What does not run and has another version now: the new one is what loads next.
replace([{Change, {start_instead, Spec}} | Ways], Undos) ->
    case erlrc_upgrade_stopped:prepare(Change, Spec) of
        {ok, Undo} -> replace(Ways, [Undo | Undos]);
        {error, Why} -> {error, Why, Undos}
    end;
replace([_ | Ways], Undos) ->
    replace(Ways, Undos);
replace([], Undos) ->
    {ok, Undos}.

replaced({error, Why, Undos}, _Ways) ->
    failed(Why, Undos);
replaced({ok, Undos}, Ways) ->
    #{start := Starts} = Set = set(Ways),
    ok = erlrc_settlement:note({undo, {restore_path, code:get_path()}}),
    Path = erlrc_code_path:use([{App, filename:join(Dir, "ebin")} || {App, _, Dir} <- Starts]),
    case erlrc_set:carry_out(Set#{path => [{restore_path, Before} || {changed, Before} <- [Path]]}) of
        {ok, _Unpurged} ->
            lists:foreach(fun erlrc_upgrade_stopped:keep/1, Undos),
            {ok, [outcome(Each) || Each <- Ways]};
        Failure ->
            ok = erlrc_code_path:restore(Path),
            failed(case Failure of {error, Why} -> Why; restart_new_emulator -> restart_new_emulator end, Undos)
    end.

failed(Why, Undos) ->
    case {lists:append([erlrc_upgrade_stopped:undo(Undo) || Undo <- Undos]), Why} of
        {[], restart_new_emulator} -> restart_new_emulator;
        {[], _} -> {error, Why};
        {More, {not_rolled_back, First, Left}} -> {error, {not_rolled_back, First, Left ++ More}};
        {Left, _} -> {error, {not_rolled_back, Why, Left}}
    end.

outcome({#{application := App}, {nothing, Word}}) -> {App, Word};
outcome({#{application := App, operation := upgrade}, {replace, _, _}}) -> {App, upgraded};
outcome({#{application := App, operation := downgrade}, {replace, _, _}}) -> {App, downgraded};
outcome({#{application := App}, {stop}}) -> {App, stopped};
outcome({#{application := App}, _Start}) -> {App, started}.
