%% @doc Changes the specification and the environment of a loaded application to those of another version.
%%
%% OTP's own way wipes the environment, and what application_controller keeps of sys.config for applications that are
%% loaded later. Here every key is merged three ways: a value that was set (in sys.config, on the command line, at run
%% time) stays; a key that was not set gets the default of the new `.app' file.
-module(erlrc_environment).

-export([check/0, preview/3, before/2, change/3, put_back/2, merge/4, difference/2, config_change/4]).
-export_type([env/0, change/0, undo/0]).

-type env() :: [{atom(), term()}].
%% The arguments of `Module:config_change/3'.
-type change() :: {Changed :: env(), New :: env(), Removed :: [atom()]}.
-type undo() :: {erlrc_evaluator:specification(), env()}.

-define(TIMEOUT, 30000).

%% @doc Whether the configuration of application_controller can be read in this release; to be asked before anything is
%% changed.
-spec check() -> ok | {error, term()}.
check() ->
    case configuration() of
        {ok, _} -> erlrc_specification:check();
        {error, _} = Error -> Error
    end.

%% @doc Gives a loaded application a new specification and the merged environment. `Old' is the environment before any
%% value was set, or `unknown'. Returns the previous state, for {@link put_back/2}, and the difference.
-spec change(atom(), env() | unknown, erlrc_evaluator:specification()) ->
    {ok, undo(), change()} | {error, term()}.
change(App, Old, {application, App, Keys} = Spec) ->
    case configuration() of
        {ok, Configuration} ->
            {_, Before} = Undo = before(App, Old),
            Explicit = override(proplists:get_value(App, Configuration, []), command_line(App)),
            After = merge(Before, Old, proplists:get_value(env, Keys, []), Explicit),
            case write(Spec, Before, After) of
                ok -> {ok, Undo, difference(Before, After)};
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc What {@link change/3} would return for {@link put_back/2}.
-spec before(atom(), env() | unknown) -> undo().
before(App, Old) ->
    {ok, Loaded} = application:get_all_key(App),
    {was(App, Loaded, Old), application:get_all_env(App)}.

%% The same, with the environment that {@link put_back/2} shall restore.
was(App, Keys, unknown) -> {application, App, lists:keydelete(env, 1, Keys)};
was(App, Keys, Old) -> {application, App, lists:keystore(env, 1, Keys, {env, Old})}.

%% @doc What {@link change/3} would do: the difference, and the keys that keep a value that was set although their
%% default changes.
-spec preview(atom(), env() | unknown, erlrc_evaluator:specification()) ->
    {ok, change(), Kept :: [atom()]} | {error, term()}.
preview(App, Old, {application, App, Keys}) ->
    case configuration() of
        {ok, Configuration} ->
            Before = application:get_all_env(App),
            New = proplists:get_value(env, Keys, []),
            Explicit = override(proplists:get_value(App, Configuration, []), command_line(App)),
            After = merge(Before, Old, New, Explicit),
            {ok, difference(Before, After), kept(Old, New, After)};
        {error, _} = Error ->
            Error
    end.

kept(unknown, _New, _After) ->
    [];
kept(Old, New, After) ->
    [
        Key
     || {Key, Default} = Pair <- New,
        {_, Was} <- [lists:keyfind(Key, 1, Old)],
        Was =/= Default,
        not lists:member(Pair, After)
    ].

%% @doc Undoes {@link change/3}.
-spec put_back(atom(), undo()) -> ok | {error, term()}.
put_back(App, {{application, App, _} = Spec, Env}) ->
    write(Spec, application:get_all_env(App), Env).

%% @doc The environment under the new version: `Now' is the present one, `Old' and `New' are those of the `.app' files,
%% `Explicit' is what sys.config and the command line set.
-spec merge(env(), env() | unknown, env(), env()) -> env().
merge(Now, unknown, New, Explicit) ->
    %% A value of which it is not known whether it was set is treated as one that was set.
    merge(Now, [], New, Explicit);
merge(Now, Old, New, Explicit) ->
    Expected = override(Old, Explicit),
    Coming = override(New, Explicit),
    Keys = lists:usort([Key || {Key, _} <- Now ++ Expected ++ Coming]),
    lists:append([merge_key(Key, Now, Expected, Coming) || Key <- Keys]).

merge_key(Key, Now, Expected, Coming) ->
    Is = lists:keyfind(Key, 1, Now),
    Kept =
        case lists:keyfind(Key, 1, Expected) of
            Is -> lists:keyfind(Key, 1, Coming);
            _ -> Is
        end,
    [Kept || Kept =/= false].

%% @doc The arguments of `config_change/3' for the difference between two environments.
-spec difference(env(), env()) -> change().
difference(Before, After) ->
    Changed = [
        Pair
     || {Key, Value} = Pair <- After, {_, Was} <- [lists:keyfind(Key, 1, Before)], Was =/= Value
    ],
    New = [Pair || {Key, _} = Pair <- After, not lists:keymember(Key, 1, Before)],
    Removed = [Key || {Key, _} <- Before, not lists:keymember(Key, 1, After)],
    {Changed, New, Removed}.

%% @doc Calls `config_change/3' of the new version's start module, if it exports it and there is a difference. The call
%% runs in a process of its own, so that neither a crash nor a call that does not return can harm
%% application_controller.
-spec config_change(atom(), erlrc_evaluator:specification(), change(), timeout()) ->
    ok | {error, term()}.
config_change(_App, _Spec, {[], [], []}, _Timeout) ->
    ok;
config_change(App, {application, App, Keys}, {Changed, New, Removed}, Timeout) ->
    case proplists:get_value(mod, Keys, []) of
        {Module, _} ->
            case erlang:function_exported(Module, config_change, 3) of
                true -> call(App, Module, [Changed, New, Removed], Timeout);
                false -> ok
            end;
        [] ->
            ok
    end.

call(App, Module, Arguments, Timeout) ->
    {Pid, Ref} = spawn_monitor(Module, config_change, Arguments),
    receive
        {'DOWN', Ref, process, Pid, normal} ->
            ok;
        {'DOWN', Ref, process, Pid, Reason} ->
            {error, {config_change_failed, App, Reason}}
    after Timeout ->
        exit(Pid, kill),
        receive
            {'DOWN', Ref, process, Pid, _} -> {error, {config_change_failed, App, timeout}}
        end
    end.

%% One key after the other, so that a process that reads meanwhile never misses a value that stays.
write({application, App, _} = Spec, Before, After) ->
    case erlrc_specification:replace(Spec) of
        ok ->
            {Changed, New, Removed} = difference(Before, After),
            [ok = application:set_env(App, Key, Value) || {Key, Value} <- Changed ++ New],
            [ok = application:unset_env(App, Key) || Key <- Removed],
            defaults(Spec);
        {error, _} = Error ->
            Error
    end.

defaults({application, App, Keys} = Spec) ->
    case lists:keymember(env, 1, Keys) of
        true -> erlrc_defaults:remember(Spec);
        false -> erlrc_defaults:forget(App)
    end.

%% There is no function for this: the configuration is the last field of the state in every release from 25 on.
configuration() ->
    State = sys:get_state(application_controller, ?TIMEOUT),
    Last = element(tuple_size(State), State),
    case element(1, State) =:= state andalso is_configuration(Last) of
        true -> {ok, Last};
        false -> {error, {unknown_application_controller, erlang:system_info(otp_release)}}
    end.

is_configuration(Configuration) when is_list(Configuration) ->
    lists:all(fun is_entry/1, Configuration);
is_configuration(_) ->
    false.

is_entry({App, Env}) -> is_atom(App) andalso is_list(Env);
is_entry(_) -> false.

%% In the same way as application_controller reads `-App Key Value ...': later ones win.
command_line(App) ->
    case init:get_argument(App) of
        {ok, Arguments} ->
            lists:foldl(fun(List, Env) -> override(Env, pairs(List)) end, [], Arguments);
        error ->
            []
    end.

pairs([Key, Value | Rest]) ->
    case {term(Key), term(Value)} of
        {{ok, K}, {ok, V}} -> [{K, V} | pairs(Rest)];
        _ -> pairs(Rest)
    end;
pairs(_) ->
    [].

term(Text) ->
    case erl_scan:string(Text ++ ".") of
        {ok, Tokens, _} -> erl_parse:parse_term(Tokens);
        {error, _, _} = Error -> Error
    end.

override(Env, Over) ->
    lists:ukeysort(1, Over) ++ [Pair || {Key, _} = Pair <- Env, not lists:keymember(Key, 1, Over)].
