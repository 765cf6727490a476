%% @doc The operations confirm and revert: what becomes of an upgrade whose way back was kept open, see `erlrc_hold'.
-module(erlrc_revert).

-export([confirm/1, revert/1, prolong/1, put_back/1, outcome/2]).

%% @doc Gives the way back up. What is no longer held has been confirmed by then.
-spec confirm(erlrc_hold:which()) -> {ok, confirmed} | {error, version_mismatch}.
confirm(Which) ->
    _ = [erlrc_operations:warn(Why) || {confirmed, Failed} <- [erlrc_hold:confirm(Which)], Why <- Failed],
    case lists:all(fun(#{to := To} = Change) -> runs(Change) =:= To end, erlrc_hold:changes(Which)) of
        true -> {ok, confirmed};
        false -> {error, version_mismatch}
    end.

%% @doc Begins the time anew for which the way back is kept open, with the time that the option `hold' says.
-spec prolong(erlrc_hold:which()) -> {ok, held} | {error, not_held | {missing, hold}}.
prolong(#{options := #{hold := Time}} = Which) ->
    case erlrc_hold:prolong(Which, Time) of
        held -> {ok, held};
        not_held -> {error, not_held}
    end;
prolong(_Which) ->
    {error, {missing, hold}}.

runs(#{application := App}) ->
    case erlrc_node:status(App) of
        {_, Vsn} -> Vsn;
        absent -> absent
    end.

%% @doc Takes an upgrade back: code, path, states; specification, environment; what was started and stopped for it.
-spec revert(erlrc_hold:which()) -> {ok, reverted} | {error, not_held | term()}.
revert(Which) ->
    Apps = case erlrc_hold:changes(Which) of [#{application := App}] -> App; Changes -> [App || #{application := App} <- Changes] end,
    case erlrc_hold:revert(Which) of
        {reverted, Left, Converted, Warnings} ->
            Converted =:= 0 orelse erlrc_operations:warn({converted, Apps, Converted}),
            lists:foreach(fun erlrc_operations:warn/1, Warnings),
            reverted(Apps, Left);
        not_held ->
            found(Which);
        {error, _} = Error ->
            Error
    end.

found(Which) ->
    Changes = erlrc_hold:changes(Which),
    case lists:all(fun(#{from := From, to := To} = Change) -> From =/= To andalso runs(Change) =:= From end, Changes) of
        true -> {ok, reverted};
        false -> {error, not_held}
    end.

%% @private What came of it where the process that asked has died.
-spec outcome(pid(), erlrc_hold:which()) -> {ok, reverted} | {error, not_held}.
outcome(Guardian, Which) ->
    Ref = monitor(process, Guardian),
    receive
        {'DOWN', Ref, process, Guardian, _} ->
            ok = erlrc_guardian:settle_left(),
            found(Which)
    end.

reverted(Apps, Left) ->
    {Restarted, Rest} = lists:partition(fun(Entry) -> element(1, Entry) =:= restarted end, Left),
    Restarted =:= [] orelse erlrc_operations:warn({restarted, [Each || {restarted, Each} <- Restarted]}),
    case Rest of
        [] -> {ok, reverted};
        _ -> {error, {not_rolled_back, {not_reverted, Apps}, Left}}
    end.

%% @private What the operation did beside its script, undone.
-spec put_back(erlrc_hold:operation()) -> Left :: [term()].
put_back(#{before := Before, 'after' := After} = Operation) ->
    Late = erlrc_transition:undo(After),
    Environment = environment(Operation),
    Early = erlrc_transition:undo(Before),
    %% Nobody is to miss what was started and runs no more.
    ok = erlrc_start:finish([{stop, App} || App <- maps:get(started, Operation, [])]),
    Late ++ Environment ++ Early.

environment(#{environments := Environments, merged := Merged, originals := Originals}) ->
    lists:append([
        environment(Undo, proplists:get_value(App, Merged), proplists:get_value(App, Originals))
     || {{application, App, _}, _} = Undo <- Environments
    ]).

%% A value that was set since stays.
environment({{application, App, _} = Spec, Was}, Merged, Original) ->
    Now = application:get_all_env(App),
    Env = erlrc_environment:merge(Now, Merged, Was, []),
    case erlrc_environment:put_back(App, {Spec, Env}) of
        ok ->
            ok = erlrc_set:config_change(App, Spec, erlrc_environment:difference(Now, Env)),
            original(App, Original);
        {error, Why} ->
            [{specification, App, Why}]
    end.

original(App, Original) ->
    case erlrc_specification:restore(App, erlrc_specification:applications(App), Original) of
        ok -> [];
        {error, Why} -> [{specification, App, Why}]
    end.
