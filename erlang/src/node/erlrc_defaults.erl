%% @doc Remembers the environment in the specification of an application at the time when it was loaded or last changed
%% its version. A value that is still equal to it was not set by anybody. The override file may have been changed since.
%%
%% The table `erlrc_table' holds `{{defaults, App}, Vsn, Env}'.
-module(erlrc_defaults).

-export([remember/1, recall/1, recall/3, forget/1]).

-type env() :: [{atom(), term()}].

%% @doc Remembers a specification, with its override applied, that is loaded from now on.
-spec remember({application, atom(), [{atom(), term()}]}) -> ok.
remember({application, App, Keys}) ->
    Row = {{defaults, App}, proplists:get_value(vsn, Keys), proplists:get_value(env, Keys, [])},
    %% The table exists as long as erlrc runs.
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:insert(erlrc_table, Row),
    ok.

%% @doc Forgets an application that is no longer loaded.
-spec forget(atom()) -> ok.
forget(App) ->
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:delete(erlrc_table, {defaults, App}),
    ok.

%% @doc The remembered environment, if it belongs to the version that is loaded.
-spec recall(atom()) -> {ok, env()} | unknown.
recall(App) ->
    case ets:whereis(erlrc_table) =/= undefined andalso ets:lookup(erlrc_table, {defaults, App}) of
        [{_, Vsn, Env}] -> of_version({ok, Vsn} =:= application:get_key(App, vsn), Env);
        _ -> unknown
    end.

of_version(true, Env) -> {ok, Env};
of_version(false, _Env) -> unknown.

%% @doc The same. If OTP or an earlier erlrc loaded the application, nothing is remembered; then each key of the
%% specification in `Dir' has its value without the override, or with it if the node has that value. `Overridden' is the
%% environment with the override.
-spec recall(atom(), file:filename_all(), env()) -> env().
recall(App, Dir, Overridden) ->
    case recall(App) of
        {ok, Env} -> Env;
        unknown -> likely(shipped(App, Dir), Overridden, application:get_all_env(App))
    end.

shipped(App, Dir) ->
    case erlrc_engine:consult(filename:join([Dir, "ebin", atom_to_list(App) ++ ".app"])) of
        {ok, [{application, App, Keys}]} -> proplists:get_value(env, Keys, []);
        _ -> []
    end.

likely(Shipped, Overridden, Now) ->
    Without = [Pair || {Key, _} = Pair <- Shipped, not in_force(Key, Overridden, Now)],
    Without ++ [Pair || {Key, _} = Pair <- Overridden, in_force(Key, Overridden, Now)].

in_force(Key, Overridden, Now) ->
    Pair = lists:keyfind(Key, 1, Overridden),
    Pair =/= false andalso lists:keyfind(Key, 1, Now) =:= Pair.
