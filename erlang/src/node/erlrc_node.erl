%% @doc The facts of this node, and what is done to it: applications loaded, started, stopped,
%% unloaded, their modules.
%%
%% The table `erlrc_table' (owner: `erlrc_sup') holds `{{stopped, App}, true}', stopped by an
%% operation since, and what {@link erlrc_specification} keeps.
-module(erlrc_node).

-export([facts/0, root/0, apps_dir/0, run_dir/0, stash_dir/0]).
-export([load/1, unload/1, reload/3, start/1, start/2, stop/1, await_start/1, running/0, is_running/1, runs_on/1]).
-export([restart_type/1, vsn/1, status/1]).
-export([masters/0, master/1, ending/2, parts/1, needed/1]).
-export([mark_stopped/1, clear_stopped/1, is_stopped/1]).
-export([load_modules/1, load_modules/0, modules/1, has_natives/1, purge/1, retire/1]).
-export_type([facts/0, restart_type/0]).

-include_lib("kernel/include/logger.hrl").

%% Milliseconds for an application to stop, however late it is.
-define(TO_STOP, 5000).

-type restart_type() :: permanent | transient | temporary.
-type facts() :: #{
    root := file:filename_all(),
    apps := file:filename_all(),
    path := [file:filename()],
    libs := [file:filename()],
    %% Application, version, `applications', `included_applications', `optional_applications'.
    loaded := [{atom(), string(), [atom()], [atom()], [atom()]}],
    original := [{atom(), [atom()]}],
    running := [atom()],
    stopped := [atom()],
    %% So many new ones may an answer bring.
    atoms := non_neg_integer()
}.

%% @doc What the engine is told.
-spec facts() -> facts().
facts() ->
    #{
        root => root(),
        apps => apps_dir(),
        path => erlrc_code_path:reachable(),
        libs => erlrc_code_path:libs(),
        loaded => [loaded(App, Vsn) || {App, _, Vsn} <- application:loaded_applications()],
        original => [{App, Apps} || {{original, App}, Apps} <- ets:tab2list(erlrc_table)],
        running => running(),
        stopped => [App || {{stopped, App}, true} <- ets:tab2list(erlrc_table)],
        %% Whatever is installed, half of the room stays: a full table ends the node.
        atoms => erlrc_room:free() div 2
    }.

loaded(App, Vsn) ->
    Included = key(App, included_applications),
    {App, Vsn, key(App, applications), Included, key(App, optional_applications)}.

key(App, Key) ->
    case application:get_key(App, Key) of
        {ok, Value} when is_list(Value) -> Value;
        _ -> []
    end.

%% @doc Where applications are registered.
-spec root() -> file:filename_all().
root() ->
    directory("ERLRC_ROOT", root_dir, "/etc/erlrc.d").

%% @doc Where packages say what is installed.
-spec apps_dir() -> file:filename_all().
apps_dir() ->
    directory("ERLRC_APPS", apps_dir, "/usr/lib/erlrc/apps").

%% @doc Where nodes write their own rendezvous entries.
-spec run_dir() -> file:filename_all().
run_dir() ->
    directory("ERLRC_RUN", run_dir, "/run/erlrc/nodes").

%% @doc Where old versions are kept for a late upgrade.
-spec stash_dir() -> file:filename_all().
stash_dir() ->
    directory("ERLRC_STASH", stash_dir, "/usr/lib/erlrc/stash").

directory(Variable, Key, Default) ->
    Dir =
        case os:getenv(Variable, "") of
            "" -> application:get_env(erlrc, Key, Default);
            Value -> Value
        end,
    filename:absname(lists:flatten(io_lib:format("~ts", [Dir]))).

%% @doc Loads a specification as it is, without the applications that it includes.
-spec load({application, atom(), [tuple()]}) -> ok | {error, term()}.
load({application, App, _} = Spec) ->
    case application:load(Spec) of
        ok -> erlrc_defaults:remember(Spec);
        {error, {already_loaded, App}} -> ok;
        {error, _} = Error -> Error
    end.

%% @doc Unloads the specification; modules and code path stay.
-spec unload(atom()) -> ok | {error, term()}.
unload(App) ->
    case erlrc_specification:unload(App) of
        ok -> erlrc_specification:forget(App);
        {error, {not_loaded, App}} -> erlrc_specification:forget(App);
        {error, _} = Error -> Error
    end.

%% @doc Loads what was unloaded, with the environment that it had.
-spec reload(atom(), {application, atom(), [tuple()]}, [{atom(), term()}]) -> ok | {error, term()}.
reload(App, Spec, Env) ->
    case application:load(Spec) of
        ok -> application:set_env([{App, Env}]);
        {error, {already_loaded, App}} -> application:set_env([{App, Env}]);
        {error, _} = Error -> Error
    end.

%% @doc Starts an application whose specification is loaded, temporary: a permanent or transient one
%% that fails to start takes the node with it. All its modules are loaded before.
-spec start(atom()) -> ok | {error, term()}.
start(App) ->
    start(App, temporary).

%% @doc Starts an application as it ran before it was stopped.
-spec start(atom(), restart_type()) -> ok | {error, term()}.
start(App, Type) ->
    ok = load_modules(App),
    case erlrc_force:until_late(App, erlrc_deadline:left(), fun() -> application:start(App, Type) end) of
        {in_time, {error, {already_started, App}}} -> ok;
        {in_time, Result} -> Result;
        {late, Result} ->
            %% It may have started in the very moment in which it was killed.
            _ = Result =:= ok andalso application:stop(App),
            {error, timeout}
    end.

%% @doc Stops an application. One that does not come to an end in time is killed, as a service would be: it has some
%% seconds in any case.
-spec stop(atom()) -> ok | {error, term()}.
stop(App) ->
    case erlrc_force:until_late(App, max(?TO_STOP, erlrc_deadline:left()), fun() -> application:stop(App) end) of
        {_, {error, {not_started, App}}} -> ok;
        {in_time, Result} -> Result;
        {late, Result} ->
            ok = erlrc_operations:warn({killed, App}),
            Result
    end.

%% @doc Waits for an application that somebody who is dead by now has begun to start, as long as one is waited for to stop.
-spec await_start(atom()) -> ok.
await_start(App) ->
    case lists:keymember(App, 1, info(starting)) of
        true ->
            _ = erlrc_force:until_late(App, ?TO_STOP, fun() -> application:start(App) end),
            ok;
        false ->
            ok
    end.

%% @doc The applications that run themselves.
-spec running() -> [atom()].
running() ->
    [App || {App, _, _} <- application:which_applications(infinity)].

%% @doc Whether an application runs itself.
-spec is_running(atom()) -> boolean().
is_running(App) ->
    application_controller:is_running(App).

%% @doc Whether an application runs and goes on running. A stop that was asked for by a process that is dead by now is waited
%% for: on later releases of OTP application_controller answers while an application stops, and says that it runs. It is
%% asked, for its table tells nothing of what still waits in its queue.
-spec runs_on(atom()) -> boolean().
runs_on(App) ->
    case lists:keyfind(App, 1, info(running)) of
        {App, Master} when is_pid(Master) -> runs_on(App, Master);
        %% A library has no master, and nothing to stop.
        {App, undefined} -> true;
        false -> false
    end.

%% The master answers after what it was told before; one that stops does not, and ends.
runs_on(App, Master) ->
    case erlrc_force:until_late(App, ?TO_STOP, fun() -> application_master:get_child(Master) end) of
        {_, {_Child, _Module}} ->
            true;
        {_, error} ->
            ok = await_end(App, Master),
            lists:keymember(App, 1, info(running))
    end.

%% The controller hears of the end of a master a moment after others do.
await_end(App, Master) ->
    case lists:member({App, Master}, info(running)) of
        true ->
            receive
            after 1 -> await_end(App, Master)
            end;
        false ->
            ok
    end.

%% @doc How a running application was started.
-spec restart_type(atom()) -> restart_type().
restart_type(App) ->
    proplists:get_value(App, info(started), temporary).

%% @doc The application masters of what runs.
-spec masters() -> [{atom(), pid()}].
masters() ->
    [{App, Master} || {App, Master} <- info(running), is_pid(Master)].

%% @doc The application master of one application; one without a callback module has none.
-spec master(atom()) -> pid() | undefined.
master(App) ->
    application_controller:get_master(App).

%% @doc How an application ended whose application master is dead. One that was stopped is not among
%% the started any more; one that died is, it only does not run. As long as it is among the running
%% the application controller has not got that far: OTP 29 stops applications beside itself.
-spec ending(atom(), Master :: pid()) -> stopped | died | unknown_yet.
ending(App, Master) ->
    case {proplists:get_value(App, info(running)), lists:keymember(App, 1, info(started))} of
        {Master, _} -> unknown_yet;
        {undefined, true} -> died;
        _ -> stopped
    end.

info(Key) ->
    proplists:get_value(Key, application:info(), []).

%% @doc The application and all that it includes, directly or through others.
-spec parts(atom()) -> [atom()].
parts(App) ->
    included_closure([App], []).

%% @doc What has to run before the application does: what it depends on, and what the applications
%% that it includes depend on.
-spec needed(atom()) -> [atom()].
needed(App) ->
    Whole = parts(App),
    lists:usort([Needed || Part <- Whole, Needed <- key(Part, applications)]) -- Whole.

%% @doc The version that is loaded.
-spec vsn(atom()) -> {ok, string()} | undefined.
vsn(App) ->
    application:get_key(App, vsn).

%% @doc How an application stands: it runs itself, a running application includes it, it is loaded, or none of these.
-spec status(atom()) -> {running | included | loaded, Vsn :: string()} | absent.
status(App) ->
    case vsn(App) of
        undefined -> absent;
        {ok, Vsn} -> {status(App, running()), Vsn}
    end.

status(App, Running) ->
    case lists:member(App, Running) of
        true -> running;
        false -> included(lists:member(App, included_closure(Running, [])))
    end.

included(true) -> included;
included(false) -> loaded.

%% @doc Notes that an operation stopped the application: it is not wanted until it is started again.
-spec mark_stopped(atom()) -> ok.
mark_stopped(App) ->
    true = ets:insert(erlrc_table, {{stopped, App}, true}),
    ok.

%% @doc Takes {@link mark_stopped/1} back.
-spec clear_stopped(atom()) -> ok.
clear_stopped(App) ->
    true = ets:delete(erlrc_table, {stopped, App}),
    ok.

%% @doc Whether an operation stopped the application.
-spec is_stopped(atom()) -> boolean().
is_stopped(App) ->
    ets:member(erlrc_table, {stopped, App}).

%% @doc The modules that the loaded specification lists.
-spec modules(atom()) -> [module()].
modules(App) ->
    key(App, modules).

%% @doc Whether a module that is loaded has native functions.
-spec has_natives(module()) -> boolean().
has_natives(Module) ->
    erlang:module_loaded(Module) andalso erlang:get_module_info(Module, nifs) =/= [].

%% @doc Unloads a module; processes that run it are killed.
-spec purge(module()) -> ok.
purge(Module) ->
    _ = code:purge(Module),
    _ = code:delete(Module),
    _ = code:purge(Module),
    ok.

%% @doc Makes sure that the next call loads the module anew; processes that run it go on.
-spec retire(module()) -> ok | {error, {old_code_in_use, module()}}.
retire(Module) ->
    case code:soft_purge(Module) of
        true ->
            _ = code:delete(Module),
            _ = code:soft_purge(Module),
            ok;
        false ->
            {error, {old_code_in_use, Module}}
    end.

%% @doc Loads all modules of an application and of those that it includes, so that its directory may
%% go away while it runs. Modules that cannot be loaded are reported in the log.
-spec load_modules(atom()) -> ok.
load_modules(App) ->
    load_modules_of(parts(App)).

%% @doc Loads all modules of all applications that run.
-spec load_modules() -> ok.
load_modules() ->
    load_modules_of(included_closure(running(), [])).

load_modules_of(Apps) ->
    Modules = [Module || App <- Apps, Module <- key(App, modules)],
    case code:ensure_modules_loaded(Modules) of
        ok -> ok;
        {error, Failed} -> report_missing([Error || Error <- Failed, not retried(Error)])
    end.

%% In embedded mode a module with `-on_load' is loaded on demand only.
retried({Module, _Why}) ->
    code:get_mode() =:= embedded andalso element(1, code:load_file(Module)) =:= module.

report_missing([]) ->
    ok;
report_missing(Failed) ->
    Report = #{what => modules_not_loaded, modules => Failed},
    ?LOG_WARNING(Report, #{report_cb => fun erlrc_error:report/1}).

included_closure([App | Apps], Seen) ->
    case lists:member(App, Seen) of
        true -> included_closure(Apps, Seen);
        false -> included_closure(key(App, included_applications) ++ Apps, [App | Seen])
    end;
included_closure([], Seen) ->
    Seen.
