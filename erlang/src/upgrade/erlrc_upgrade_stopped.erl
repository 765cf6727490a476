%% @doc Upgrade of an application that does not run: its new version becomes what is loaded next.
%% The environment that was set meanwhile stays. Everything can be undone until the new version has
%% been started.
-module(erlrc_upgrade_stopped).

-export([prepare/2, keep/1, undo/1]).
-export_type([undo/0]).

-type undo() :: {atom(), erlrc_environment:undo() | none, erlrc_snapshot:snapshot()}.

%% @doc Puts the new version in the place of the old one: code path, specification, environment, no
%% old module loaded.
-spec prepare(erlrc_upgrade:change(), erlrc_evaluator:specification()) ->
    {ok, undo()} | {error, term()}.
prepare(#{application := App, from_dir := FromDir, to_dir := ToDir} = Change, Spec) ->
    Modules = [Module || Module <- modules(App, Spec), erlang:module_loaded(Module)],
    Snapshot = erlrc_snapshot:take(Modules, App, FromDir),
    ok = erlrc_settlement:note({replaced, {App, before(App, Change), Snapshot}}),
    case specify(App, Spec, Change) of
        {ok, Environment} ->
            ok = erlrc_snapshot:place_path(Snapshot, ToDir),
            Undo = {App, Environment, Snapshot},
            Results = [erlrc_node:retire(Module) || Module <- Modules],
            retired([Error || {error, _} = Error <- Results], Undo);
        {error, Why} ->
            ok = erlrc_snapshot:drop(Snapshot),
            {error, Why}
    end.

retired([], Undo) ->
    {ok, Undo};
retired([{error, Why} | _], Undo) ->
    case undo(Undo) of
        [] -> {error, Why};
        Left -> {error, {not_rolled_back, Why, Left}}
    end.

modules(App, {application, _, Keys}) ->
    lists:usort(erlrc_node:modules(App) ++ proplists:get_value(modules, Keys, [])).

before(App, Change) ->
    case erlrc_node:vsn(App) of
        {ok, _} -> erlrc_environment:before(App, old_env(Change));
        undefined -> none
    end.

specify(App, Spec, Change) ->
    case erlrc_node:vsn(App) of
        undefined -> {ok, none};
        {ok, _} -> respecify(App, Spec, old_env(Change))
    end.

respecify(App, Spec, OldEnv) ->
    case erlrc_environment:change(App, OldEnv, Spec) of
        {ok, Undo, _Difference} -> {ok, Undo};
        {error, _} = Error -> Error
    end.

old_env(Change) ->
    case erlrc_old_side:find(Change) of
        {ok, #{env := Env}} -> Env;
        {error, _} -> unknown
    end.

%% @doc The new version has been started: there is no way back any more.
-spec keep(undo()) -> ok.
keep({_App, _Environment, Snapshot}) ->
    erlrc_snapshot:drop(Snapshot).

%% @doc Undoes {@link prepare/2}; answers what could not be undone.
-spec undo(undo()) -> [term()].
undo({App, Environment, Snapshot}) ->
    Left = erlrc_snapshot:restore(Snapshot, []),
    case put_back(App, Environment) of
        ok -> Left;
        {error, Why} -> [{specification, App, Why} | Left]
    end.

put_back(_App, none) -> ok;
put_back(App, Undo) -> erlrc_environment:put_back(App, Undo).
