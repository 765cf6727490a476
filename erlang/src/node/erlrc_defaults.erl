%% @doc The environment that the specification of an application had when it was loaded, or when its version changed
%% last: a value that is equal to it was set by nobody. The file of the override may have become another one since.
%%
%% The table `erlrc_table' holds `{{defaults, App}, Vsn, Env}'.
-module(erlrc_defaults).

-export([remember/1, recall/1, recall/3, forget/1]).

-type env() :: [{atom(), term()}].

%% @doc A specification, its override put over it, is loaded from now on.
-spec remember({application, atom(), [{atom(), term()}]}) -> ok.
remember({application, App, Keys}) ->
    Row = {{defaults, App}, proplists:get_value(vsn, Keys), proplists:get_value(env, Keys, [])},
    %% The table begins and ends with erlrc.
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:insert(erlrc_table, Row),
    ok.

%% @doc An application is no longer loaded.
-spec forget(atom()) -> ok.
forget(App) ->
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:delete(erlrc_table, {defaults, App}),
    ok.

%% @doc What was remembered of an application, where it is still of the version that is loaded.
-spec recall(atom()) -> {ok, env()} | unknown.
recall(App) ->
    case ets:whereis(erlrc_table) =/= undefined andalso ets:lookup(erlrc_table, {defaults, App}) of
        [{_, Vsn, Env}] -> of_version({ok, Vsn} =:= application:get_key(App, vsn), Env);
        _ -> unknown
    end.

of_version(true, Env) -> {ok, Env};
of_version(false, _Env) -> unknown.

%% @doc The same; where OTP has loaded the application, or another erlrc, each key of the specification in `Dir' as it
%% is without the override, or with it where that is what the node has. `Overridden' is the environment with it.
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
