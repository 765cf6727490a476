%% @doc What the running version of an application is compared with: its directory, the copy of it
%% in the stash, or, where both are gone, what is loaded.
-module(erlrc_old_side).

-export([find/1, loaded/1, load_modules/1, stash/2]).
-export_type([old/0]).

-type old() :: #{
    vsn := string(),
    %% Where it is, or was.
    dir := file:filename_all(),
    %% As the engine takes it.
    side := file:filename_all() | {loaded, erlrc_evaluator:specification(), [tuple()]},
    spec := erlrc_evaluator:specification(),
    %% What the environment was before anybody set something.
    env := erlrc_environment:env() | unknown
}.

%% @doc The old side of an upgrade.
-spec find(erlrc_upgrade:change()) ->
    {ok, old()} | {error, {old_directory_gone, file:filename_all()}}.
find(#{application := App, from := Vsn, from_dir := Dir}) ->
    case from_directory(App, Vsn, Dir) of
        {ok, _} = Found -> Found;
        {error, _} -> find_elsewhere(App, Vsn, Dir)
    end.

find_elsewhere(App, Vsn, Dir) ->
    case from_directory(App, Vsn, stash(App, Vsn)) of
        {ok, _} = Found -> Found;
        {error, _} -> complete(App, Vsn, Dir)
    end.

from_directory(App, Vsn, Dir) ->
    case erlrc_engine:application(App, Dir, erlrc_node:root()) of
        {ok, {application, App, Keys} = Spec} ->
            Env = erlrc_defaults:recall(App, Dir, proplists:get_value(env, Keys, [])),
            case proplists:get_value(vsn, Keys) of
                Vsn -> {ok, #{vsn => Vsn, dir => Dir, side => Dir, spec => Spec, env => Env}};
                _ -> {error, other_version}
            end;
        {error, _} = Error ->
            Error
    end.

%% Code that is not even loaded cannot be compared.
complete(App, Vsn, Dir) ->
    case [Module || Module <- erlrc_node:modules(App), not erlang:module_loaded(Module)] of
        [] -> {ok, (loaded(App))#{vsn => Vsn, dir => Dir}};
        _ -> {error, {old_directory_gone, Dir}}
    end.

%% @doc What is loaded of an application, as an old side.
-spec loaded(atom()) -> old().
loaded(App) ->
    {ok, Keys} = application:get_all_key(App),
    Spec = {application, App, [Key || {_, Value} = Key <- Keys, Value =/= undefined]},
    Modules = [module(Module) || Module <- erlrc_node:modules(App), erlang:module_loaded(Module)],
    Side = {loaded, Spec, Modules},
    Dir = case code:lib_dir(App) of {error, bad_name} -> ""; LibDir -> LibDir end,
    Vsn = proplists:get_value(vsn, Keys),
    #{vsn => Vsn, dir => Dir, side => Side, spec => Spec, env => env(erlrc_defaults:recall(App))}.

env({ok, Env}) -> Env;
env(unknown) -> unknown.

module(Module) ->
    {
        Module,
        Module:module_info(md5),
        Module:module_info(exports),
        Module:module_info(attributes)
    }.

%% @doc Loads the modules of the running version that are not loaded yet, from its own directory and
%% no other: on the code path the new version may lie already.
-spec load_modules(old()) -> ok.
load_modules(#{side := Dir, spec := {application, App, _}}) when not is_tuple(Dir) ->
    Missing = [Module || Module <- erlrc_node:modules(App), not erlang:module_loaded(Module)],
    lists:foreach(fun(Module) -> load_from(Module, Dir) end, Missing);
load_modules(_Old) ->
    ok.

load_from(Module, Dir) ->
    case code:load_abs(filename:join([Dir, "ebin", atom_to_list(Module)])) of
        {module, Module} -> ok;
        {error, Why} -> erlrc_operations:warn({module_not_loaded, Module, Dir, Why})
    end.

%% @doc Where an old version is kept after its package is gone.
-spec stash(atom(), string()) -> file:filename_all().
stash(App, Vsn) ->
    filename:join(erlrc_node:stash_dir(), atom_to_list(App) ++ "-" ++ Vsn).
