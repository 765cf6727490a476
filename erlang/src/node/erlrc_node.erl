%% @doc The facts of this node, and the operations on it: applications are loaded, started, stopped and unloaded, with
%% their modules.
%%
%% The table `erlrc_table' (owner: `erlrc_sup') holds `{{stopped, App}, true}' for each application that an operation
%% has stopped, and the rows of {@link erlrc_specification}.
-module(erlrc_node).

-export([facts/0, root/0, apps_dir/0, run_dir/0, stash_dir/0]).
-export([load/1, unload/1, reload/3, start/1, start/2, stop/1, await_start/1, running/0, is_running/1, runs_on/1]).
-export([restart_type/1, vsn/1, status/1]).
-export([masters/0, master/1, ending/2, parts/1, needed/1]).
-export([mark_stopped/1, clear_stopped/1]).
-export([load_modules/1, load_modules/0, modules/1, has_natives/1, purge/1, retire/1]).
-export_type([facts/0, restart_type/0]).

-include_lib("kernel/include/logger.hrl").

%% The least time that an application gets to stop, in milliseconds, however little time is left.
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
    %% The number of atoms that an answer may add.
    atoms := non_neg_integer()
}.

%% @doc The facts for the engine.
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
        %% Half of the free atoms stay free, whatever is installed: a full atom table ends the node.
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

%% @doc The directory of registrations.
-spec root() -> file:filename_all().
root() ->
    directory("ERLRC_ROOT", root_dir, "/etc/erlrc.d").

%% @doc The directory in which packages say what is installed.
-spec apps_dir() -> file:filename_all().
apps_dir() ->
    directory("ERLRC_APPS", apps_dir, "/usr/lib/erlrc/apps").

%% @doc The rendezvous directory, in which nodes write their entries.
-spec run_dir() -> file:filename_all().
run_dir() ->
    directory("ERLRC_RUN", run_dir, "/run/erlrc/nodes").

%% @doc The directory of old versions that are kept for a late upgrade.
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

%% @doc Loads a specification as it is, without loading the applications that it includes.
-spec load({application, atom(), [tuple()]}) -> ok | {error, term()}.
load({application, App, _} = Spec) ->
    case application:load(Spec) of
        ok -> erlrc_defaults:remember(Spec);
        {error, {already_loaded, App}} -> ok;
        {error, _} = Error -> Error
    end.

%% @doc Unloads the specification; its modules and the code path stay.
-spec unload(atom()) -> ok | {error, term()}.
unload(App) ->
    case erlrc_specification:unload(App) of
        ok -> erlrc_specification:forget(App);
        {error, {not_loaded, App}} -> erlrc_specification:forget(App);
        {error, _} = Error -> Error
    end.

%% @doc Loads a specification that was unloaded, with the environment that it had.
-spec reload(atom(), {application, atom(), [tuple()]}, [{atom(), term()}]) -> ok | {error, term()}.
reload(App, Spec, Env) ->
    case application:load(Spec) of
        ok -> application:set_env([{App, Env}]);
        {error, {already_loaded, App}} -> application:set_env([{App, Env}]);
        {error, _} = Error -> Error
    end.

%% @doc Starts a loaded application as temporary, since a permanent or transient one that fails to start ends the node.
%% All its modules are loaded before.
-spec start(atom()) -> ok | {error, term()}.
start(App) ->
    start(App, temporary).

%% @doc Starts an application in the same way as it ran before it was stopped.
-spec start(atom(), restart_type()) -> ok | {error, term()}.
start(App, Type) ->
    ok = load_modules(App),
    case erlrc_force:until_late(App, erlrc_deadline:left(), fun() -> application:start(App, Type) end) of
        {in_time, {error, {already_started, App}}} -> ok;
        {in_time, Result} -> Result;
        {late, Result} ->
            %% It may have started at the moment at which it was killed.
            _ = Result =:= ok andalso application:stop(App),
            {error, timeout}
    end.

%% @doc Stops an application. If it does not stop in time, it is killed, like a service; it gets a few seconds in any
%% case.
-spec stop(atom()) -> ok | {error, term()}.
stop(App) ->
    case erlrc_force:until_late(App, max(?TO_STOP, erlrc_deadline:left()), fun() -> application:stop(App) end) of
        {_, {error, {not_started, App}}} -> ok;
        {in_time, Result} -> Result;
        {late, Result} ->
            ok = erlrc_operations:warn({killed, App}),
            Result
    end.

%% @doc Waits until an application has started whose start was begun by a process that is dead by now, for as long as a
%% stop may take.
-spec await_start(atom()) -> ok.
await_start(App) ->
    case lists:keymember(App, 1, info(starting)) of
        true ->
            _ = erlrc_force:until_late(App, ?TO_STOP, fun() -> application:start(App) end),
            ok;
        false ->
            ok
    end.

%% @doc The applications that run by themselves.
-spec running() -> [atom()].
running() ->
    [App || {App, _, _} <- application:which_applications(infinity)].

%% @doc Whether an application runs by itself.
-spec is_running(atom()) -> boolean().
is_running(App) ->
    application_controller:is_running(App).

%% @doc Whether an application runs and is not being stopped. If a process that is dead by now has asked for a stop, the
%% stop is waited for: on later releases of OTP, application_controller answers while an application stops, and says
%% that it runs. It is asked, because its table does not show what is still in its message queue.
-spec runs_on(atom()) -> boolean().
runs_on(App) ->
    case lists:keyfind(App, 1, info(running)) of
        {App, Master} when is_pid(Master) -> runs_on(App, Master);
        %% A library application has no master, and nothing to stop.
        {App, undefined} -> true;
        false -> false
    end.

%% A master answers after earlier requests; one that is stopping does not answer but ends.
runs_on(App, Master) ->
    case erlrc_force:until_late(App, ?TO_STOP, fun() -> application_master:get_child(Master) end) of
        {_, {_Child, _Module}} ->
            true;
        {_, error} ->
            ok = await_end(App, Master),
            lists:keymember(App, 1, info(running))
    end.

%% The controller learns a moment later than others that a master has ended.
await_end(App, Master) ->
    case lists:member({App, Master}, info(running)) of
        true ->
            receive
            after 1 -> await_end(App, Master)
            end;
        false ->
            ok
    end.

%% @doc How a running application was started: permanent, transient or temporary.
-spec restart_type(atom()) -> restart_type().
restart_type(App) ->
    proplists:get_value(App, info(started), temporary).

%% @doc The application masters of all running applications.
-spec masters() -> [{atom(), pid()}].
masters() ->
    [{App, Master} || {App, Master} <- info(running), is_pid(Master)].

%% @doc The application master of an application; one without a callback module has none.
-spec master(atom()) -> pid() | undefined.
master(App) ->
    application_controller:get_master(App).

%% @doc How an application ended whose application master is dead. An application that was stopped is no longer among
%% the started ones; one that died is still among them, but not among the running ones. As long as it is among the
%% running ones, application_controller has not noticed yet: OTP 29 stops applications in another process.
-spec ending(atom(), Master :: pid()) -> stopped | died | unknown_yet.
ending(App, Master) ->
    case {proplists:get_value(App, info(running)), lists:keymember(App, 1, info(started))} of
        {Master, _} -> unknown_yet;
        {undefined, true} -> died;
        _ -> stopped
    end.

info(Key) ->
    proplists:get_value(Key, application:info(), []).

%% @doc The application and everything that it includes, directly or indirectly.
-spec parts(atom()) -> [atom()].
parts(App) ->
    included_closure([App]).

%% @doc The applications that must run before this one: its dependencies, and those of the applications that it
%% includes.
-spec needed(atom()) -> [atom()].
needed(App) ->
    Whole = parts(App),
    lists:usort([Needed || Part <- Whole, Needed <- key(Part, applications)]) -- Whole.

%% @doc The loaded version.
-spec vsn(atom()) -> {ok, string()} | undefined.
vsn(App) ->
    application:get_key(App, vsn).

%% @doc The state of an application: it runs by itself, a running application includes it, it is loaded, or none of
%% these.
-spec status(atom()) -> {running | included | loaded, Vsn :: string()} | absent.
status(App) ->
    case vsn(App) of
        undefined -> absent;
        {ok, Vsn} -> {status(App, running()), Vsn}
    end.

status(App, Running) ->
    case lists:member(App, Running) of
        true -> running;
        false -> included(lists:member(App, included_closure(Running)))
    end.

included(true) -> included;
included(false) -> loaded.

%% @doc Notes that an operation stopped the application, so that it is not wanted until it is started again.
-spec mark_stopped(atom()) -> ok.
mark_stopped(App) ->
    true = ets:insert(erlrc_table, {{stopped, App}, true}),
    ok.

%% @doc Undoes {@link mark_stopped/1}.
-spec clear_stopped(atom()) -> ok.
clear_stopped(App) ->
    true = ets:delete(erlrc_table, {stopped, App}),
    ok.

%% @doc The modules in the loaded specification.
-spec modules(atom()) -> [module()].
modules(App) ->
    key(App, modules).

%% @doc Whether a loaded module has native functions.
-spec has_natives(module()) -> boolean().
has_natives(Module) ->
    erlang:module_loaded(Module) andalso erlang:get_module_info(Module, nifs) =/= [].

%% @doc Unloads a module and kills the processes that run it.
-spec purge(module()) -> ok.
purge(Module) ->
    _ = code:purge(Module),
    _ = code:delete(Module),
    _ = code:purge(Module),
    ok.

%% @doc Makes the next call load the module anew; processes that run it keep running.
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

%% @doc Loads all modules of an application and of those that it includes, so that its directory may be removed while it
%% runs. Modules that cannot be loaded are logged.
-spec load_modules(atom()) -> ok.
load_modules(App) ->
    load_modules_of(parts(App)).

%% @doc Loads all modules of all running applications.
-spec load_modules() -> ok.
load_modules() ->
    load_modules_of(included_closure(running())).

load_modules_of(Apps) ->
    Modules = [Module || App <- Apps, Module <- key(App, modules)],
    case code:ensure_modules_loaded(Modules) of
        ok -> ok;
        {error, Failed} -> report_missing([Error || Error <- Failed, not retried(Error)])
    end.

%% In embedded mode a module with `-on_load' is loaded only when it is first called.
retried({Module, _Why}) ->
    code:get_mode() =:= embedded andalso element(1, code:load_file(Module)) =:= module.

report_missing([]) ->
    ok;
report_missing(Failed) ->
    Report = #{what => modules_not_loaded, modules => Failed},
    ?LOG_WARNING(Report, #{report_cb => fun erlrc_error:report/1}).

included_closure(Apps) ->
    included_closure(Apps, #{}, []).

included_closure([App | Apps], Known, Closure) when is_map_key(App, Known) ->
    included_closure(Apps, Known, Closure);
included_closure([App | Apps], Known, Closure) ->
    included_closure(key(App, included_applications) ++ Apps, Known#{App => true}, [App | Closure]);
included_closure([], _Known, Closure) ->
    Closure.
