%% @doc Carries out the actions of a transition, in order, and undoes what was done when one fails.
%%
%% ```
%% {load, App, Spec, EbinDir} | {unload, App} | {start, App} | {stop, App}
%%     | {respecify, App, Applications} | script
%% '''
-module(erlrc_transition).

-export([carry_out/2, attempt/2, perform/1, prepare/1, reload/1, undo/1]).
-export_type([action/0, script/0, done/0, undo/0]).

-type action() ::
    {load, atom(), tuple(), file:filename_all()}
    | {unload, atom()}
    | {start, atom()}
    | {stop, atom()}
    | {respecify, atom(), [atom()]}
    | script.

%% What runs where the action `script' stands; any answer but these two is taken for an error.
-type script() :: fun(() -> {ok, term()} | {error, term()}).
-type done() :: action() | {script, term()}.
-type undo() ::
    {restore_path, [file:filename()]}
    | {reload, atom(), tuple(), [{atom(), term()}]}
    | {restart, atom(), erlrc_node:restart_type()}
    | {unload, atom(), [module()]}
    | {stop, atom()}
    | {specify, atom(), [atom()], {ok, [atom()]} | undefined}
    | nothing.

%% @doc Carries out the actions. `Script' runs where `script' stands and has to undo itself when it
%% fails. After an error the node is as it was before, or the reason is `{not_rolled_back, Why,
%% Left}', `Left' what could not be undone.
-spec carry_out([action()], script()) -> {ok, [done()]} | {error, term()}.
carry_out(Actions, Script) ->
    case attempt(Actions, Script) of
        {ok, Done, _Undos} -> {ok, Done};
        {error, _} = Error -> Error
    end.

%% @doc As {@link carry_out/2}; answers what would undo it, too.
-spec attempt([action()], script()) -> {ok, [done()], [undo()]} | {error, term()}.
attempt(Actions, Script) ->
    carry_out(Actions, Script, [], prepare(Actions)).

carry_out([Action | Actions], Script, Done, Undos) ->
    case one(Action, Script) of
        {ok, Performed, Undo} -> carry_out(Actions, Script, [Performed | Done], [Undo | Undos]);
        {error, Why} -> failed(Why, undo(Undos))
    end;
carry_out([], _Script, Done, Undos) ->
    {ok, lists:reverse(Done), Undos}.

one(Action, Script) ->
    case erlrc_deadline:is_over() of
        true -> {error, out_of_time};
        false -> carry_out_one(Action, Script)
    end.

carry_out_one(script, Script) ->
    case Script() of
        {ok, Value} -> {ok, {script, Value}, nothing};
        {error, _} = Error -> Error;
        Other -> {error, Other}
    end;
carry_out_one(Action, _Script) ->
    case perform(Action) of
        {ok, Undo} -> {ok, Action, Undo};
        {error, _} = Error -> Error
    end.

failed(Why, []) -> {error, Why};
failed({not_rolled_back, Why, Left}, More) -> {error, {not_rolled_back, Why, Left ++ More}};
failed(Why, Left) -> {error, {not_rolled_back, Why, Left}}.

%% @doc Puts the directories of everything that the actions load on the code path, and answers how
%% to undo that.
-spec prepare([action()]) -> [undo()].
prepare(Actions) ->
    ok = erlrc_settlement:note({undo, {restore_path, code:get_path()}}),
    case erlrc_code_path:use([{App, Ebin} || {load, App, _, Ebin} <- Actions]) of
        unchanged -> [];
        {changed, Path} -> [{restore_path, Path}]
    end.

%% @doc Carries out one action, and answers how to undo it, which is noted before.
-spec perform(action()) -> {ok, undo()} | {error, term()}.
perform({load, App, Spec, _Ebin}) ->
    case erlrc_node:vsn(App) of
        {ok, _} -> {ok, nothing};
        undefined -> noted({unload, App, not_loaded(modules(Spec))}, {load_failed, App}, fun() -> load(Spec) end)
    end;
perform({unload, App}) ->
    noted(reload(App), {unload_failed, App}, fun() -> erlrc_node:unload(App) end);
perform({start, App}) ->
    case erlrc_node:is_running(App) of
        true ->
            {ok, nothing};
        false ->
            Fresh = not_loaded(erlrc_node:modules(App)),
            noted({stop, App}, {start_failed, App}, fun() -> start(App, Fresh) end)
    end;
perform({stop, App}) ->
    case erlrc_node:is_running(App) of
        true -> noted({restart, App, erlrc_node:restart_type(App)}, {stop_failed, App}, fun() -> erlrc_node:stop(App) end);
        false -> {ok, nothing}
    end;
perform({respecify, App, Applications}) ->
    Before = erlrc_specification:applications(App),
    Undo = {specify, App, Before, erlrc_specification:original(App)},
    noted(Undo, {respecify_failed, App}, fun() -> erlrc_specification:rewrite(App, Applications) end).

%% @doc What undoes that the application is unloaded.
-spec reload(atom()) -> undo().
reload(App) ->
    case application:get_all_key(App) of
        {ok, Keys} -> {reload, App, {application, App, Keys}, application:get_all_env(App)};
        undefined -> nothing
    end.

noted(Undo, {Tag, App}, Fun) ->
    ok = erlrc_settlement:note({undo, Undo}),
    case Fun() of
        ok -> {ok, Undo};
        {error, Why} -> {error, {Tag, App, Why}}
    end.

%% @doc Undoes, the last first; answers what could not be undone: an application that runs again is
%% not what it was, its processes are new ones.
-spec undo([undo()]) -> [{undo(), term()} | {restarted, atom()}].
undo(Undos) ->
    ok = erlrc_deadline:extend(take_back),
    lists:append([left(Undo, undo_one(Undo)) || Undo <- Undos]).

left(Undo, {error, Why}) ->
    [{Undo, Why}];
left(_Undo, as_before) ->
    [];
left({restart, App, _}, _) ->
    case application:get_key(App, mod) of
        {ok, {_, _}} -> [{restarted, App}];
        _ -> []
    end;
left(_Undo, _) ->
    [].

undo_one(nothing) ->
    ok;
undo_one({restore_path, Path}) ->
    erlrc_code_path:set(Path);
undo_one({unload, App, Modules}) ->
    lists:foreach(fun retire/1, Modules),
    erlrc_node:unload(App);
undo_one({stop, App}) ->
    ok = erlrc_node:await_start(App),
    erlrc_node:stop(App);
undo_one({restart, App, Type}) ->
    case erlrc_node:runs_on(App) of
        true -> as_before;
        false -> restart(App, Type)
    end;
undo_one({reload, App, Spec, Env}) ->
    erlrc_node:reload(App, Spec, Env);
undo_one({specify, App, Applications, Original}) ->
    erlrc_specification:restore(App, Applications, Original).

load(Spec) ->
    Loaded = erlrc_node:load(Spec),
    _ = [ok = erlrc_operations:warn(Each) || Loaded =:= ok, Each <- erlrc_compile_env:contradictions(Spec)],
    Loaded.

start(App, Fresh) ->
    Result = erlrc_node:start(App),
    ok = erlrc_watch:watch(App),
    Result =:= ok orelse lists:foreach(fun retire/1, Fresh),
    Result.

restart(App, Type) ->
    Result = erlrc_node:start(App, Type),
    ok = erlrc_watch:watch(App),
    Result.

modules({application, _, Keys}) ->
    proplists:get_value(modules, Keys, []).

%% The modules that will be loaded only because the application is.
not_loaded(Modules) ->
    [Module || Module <- Modules, not erlang:module_loaded(Module)].

retire(Module) ->
    erlang:module_loaded(Module) andalso erlrc_node:retire(Module).
