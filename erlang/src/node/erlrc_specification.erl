%% @doc The specifications of loaded applications: replaces one by that of another version, and rewrites the key
%% `applications' while an inclusion requires it.
%%
%% The table `erlrc_table' holds `{{original, App}, Applications}', the value of the key before it was rewritten.
-module(erlrc_specification).

-export([check/0, replace/1, unload/1]).
-export([applications/1, original/1, rewrite/2, restore/3, release/2, forget/1]).

%% @doc Whether {@link replace/1} knows the application_controller of this OTP; to be asked before anything is changed.
-spec check() -> ok | {error, term()}.
check() ->
    case entry({application, kernel, [{vsn, "0"}]}, loaded(kernel)) of
        {ok, _} -> ok;
        {error, _} = Error -> Error
    end.

%% @doc Gives a loaded application, running or not, another specification, and touches no value of its environment.
%% application_controller's own function removes the whole environment for a moment, and requests that read it then
%% would fail. So the entry of its table is replaced by one that it has made itself under another name.
-spec replace({application, atom(), [{atom(), term()}]}) -> ok | {error, term()}.
replace({application, App, Keys} = Spec) ->
    case entry(Spec, loaded(App)) of
        {ok, Entry} ->
            true = ets:update_element(ac_tab, {loaded, App}, {2, Entry}),
            Vsn = proplists:get_value(vsn, Keys, ""),
            {ok, Vsn} = application:get_key(App, vsn),
            ok;
        {error, _} = Error ->
            Error
    end.

loaded(App) ->
    case ets:lookup(ac_tab, {loaded, App}) of
        [{_, Entry}] -> Entry;
        [] -> not_loaded
    end.

%% @doc Unloads an application that does not run, and nothing else. OTP's function also unloads what the application
%% includes, even if that runs by itself; then application_controller crashes when it is next asked what runs.
-spec unload(atom()) -> ok | {error, term()}.
unload(App) ->
    case application:get_all_key(App) of
        undefined -> {error, {not_loaded, App}};
        {ok, Keys} -> unload(App, Keys)
    end.

unload(App, Keys) ->
    Alone = lists:keyreplace(included_applications, 1, Keys, {included_applications, []}),
    case replace({application, App, Alone}) of
        ok -> unload_alone(App, Keys, application:unload(App));
        {error, _} = Error -> Error
    end.

unload_alone(_App, _Keys, ok) ->
    ok;
unload_alone(App, Keys, {error, _} = Error) ->
    ok = replace({application, App, Keys}),
    Error.

entry({application, App, Keys}, Old) ->
    Without = [Key || {Name, _} = Key <- Keys, Name =/= env, Name =/= included_applications],
    case made(Without) of
        {ok, Alone} -> entry(App, lists:keydelete(env, 1, Keys), Alone, Old);
        {error, Why} -> {error, {bad_specification, App, Why}}
    end.

entry(App, Keys, Alone, Old) ->
    case made(Keys, Alone) of
        {ok, New} -> renamed(App, New, Old);
        {error, Why} -> {error, {bad_specification, App, Why}}
    end.

%% One who was killed in the midst of this has left its entry. It is no more than that, and goes without what it includes.
load_apart(Keys) ->
    Spec = {application, ?MODULE, Keys},
    case application:load(Spec) of
        {error, {already_loaded, _}} ->
            true = ets:delete(ac_tab, {loaded, ?MODULE}),
            application:load(Spec);
        Loaded ->
            Loaded
    end.

made(Keys) ->
    case load_apart(Keys) of
        ok ->
            Entry = loaded(?MODULE),
            ok = application:unload(?MODULE),
            {ok, Entry};
        {error, _} = Error ->
            Error
    end.

%% The entry includes nothing when it is unloaded.
made(Keys, Alone) ->
    case load_apart(Keys) of
        ok ->
            Entry = loaded(?MODULE),
            true = ets:update_element(ac_tab, {loaded, ?MODULE}, {2, Alone}),
            ok = application:unload(?MODULE),
            {ok, Entry};
        {error, _} = Error ->
            Error
    end.

%% The name is in the entry and in the record within; the fields that only a running application has are kept.
renamed(App, New, Old) when
    element(2, New) =:= ?MODULE,
    element(2, element(3, New)) =:= ?MODULE,
    element(2, Old) =:= App,
    element(2, element(3, Old)) =:= App,
    tuple_size(New) =:= tuple_size(Old)
->
    Data = setelement(2, element(3, New), App),
    Named = setelement(3, setelement(2, New, App), Data),
    Pairs = lists:zip(tuple_to_list(Named), tuple_to_list(Old)),
    {ok, list_to_tuple([kept(Value, Former) || {Value, Former} <- Pairs])};
renamed(_App, _New, _Old) ->
    unknown_controller().

kept(undefined, Former) -> Former;
kept(Value, _Former) -> Value.

%% @doc The present value of the key `applications'.
-spec applications(atom()) -> [atom()].
applications(App) ->
    case application:get_key(App, applications) of
        {ok, Applications} -> Applications;
        undefined -> []
    end.

%% @doc The value of `applications' before it was rewritten.
-spec original(atom()) -> {ok, [atom()]} | undefined.
original(App) ->
    case ets:lookup(erlrc_table, {original, App}) of
        [{_, Applications}] -> {ok, Applications};
        [] -> undefined
    end.

%% @doc Forgets what was rewritten in a specification that has been replaced.
-spec forget(atom()) -> ok.
forget(App) ->
    %% The table exists as long as erlrc runs.
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:delete(erlrc_table, {original, App}),
    ok.

%% @doc Rewrites the key `applications' of a loaded application and touches nothing else. The previous value is kept
%% until it is restored.
-spec rewrite(atom(), [atom()]) -> ok | {error, term()}.
rewrite(App, Applications) ->
    case application:get_key(App, applications) of
        undefined -> {error, {not_loaded, App}};
        {ok, Applications} -> ok;
        {ok, Current} -> rewrite(App, Current, Applications)
    end.

rewrite(App, Current, Applications) ->
    case write_applications(App, Current, Applications) of
        ok -> remember_original(App, Current, Applications);
        {error, _} = Error -> Error
    end.

%% @doc Undoes {@link rewrite/2}; `Original' is what {@link original/1} returned before.
-spec restore(atom(), [atom()], {ok, [atom()]} | undefined) -> ok | {error, term()}.
restore(App, Applications, Original) ->
    case rewrite(App, Applications) of
        ok -> restore_original(App, Original);
        {error, _} = Error -> Error
    end.

%% @doc An application turns out not to run: those that depend on parts of it depend on these parts themselves again.
-spec release(atom(), Parts :: [atom()]) -> ok.
release(Includer, Parts) ->
    _ = [
        rewrite(App, released(Includer, Parts, Original, applications(App)))
     || {{original, App}, Original} <- ets:tab2list(erlrc_table)
    ],
    ok.

released(Includer, Parts, Original, Now) ->
    Back = [Needed || Needed <- Original, lists:member(Needed, Parts)],
    case lists:member(Includer, Now) andalso Back of
        [_ | _] -> as_before(Original, (Now -- ([Includer] -- Original)) ++ Back);
        _ -> Now
    end.

%% In the order of the specification, unless something else was rewritten.
as_before(Original, Applications) ->
    case lists:sort(Original) =:= lists:sort(Applications) of
        true -> Original;
        false -> Applications
    end.

restore_original(App, undefined) ->
    forget(App);
restore_original(App, {ok, Applications}) ->
    true = ets:insert(erlrc_table, {{original, App}, Applications}),
    ok.

remember_original(App, Current, Applications) ->
    _ = ets:insert_new(erlrc_table, {{original, App}, Current}),
    case original(App) of
        {ok, Applications} -> forget(App);
        _ -> ok
    end.

%% application_controller has no function for this: change_application_data/2 rebuilds the environment of the
%% application, and takes its argument as the configuration of the whole node. Its table is public, and the key
%% `applications' is the last field of the entry on every release from 25 on; this is checked before and after.
write_applications(App, Current, Applications) ->
    Key = {loaded, App},
    case ets:lookup(ac_tab, Key) of
        [{Key, Entry}] when element(tuple_size(Entry), Entry) =:= Current ->
            New = setelement(tuple_size(Entry), Entry, Applications),
            true = ets:update_element(ac_tab, Key, {2, New}),
            written(App, Applications);
        _ ->
            unknown_controller()
    end.

written(App, Applications) ->
    case application:get_key(App, applications) of
        {ok, Applications} -> ok;
        _ -> unknown_controller()
    end.

unknown_controller() ->
    {error, {unknown_application_controller, erlang:system_info(otp_release)}}.
