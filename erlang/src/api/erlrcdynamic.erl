%% @doc Applications on a running node: start, stop, unload, upgrade, downgrade.
%%
%% Every function works as soon as erlrc is on the code path. Operations run one at a time, in the order in which they
%% were requested. A request for a state that the node is already in succeeds. After `{error, _}' the node is as it was
%% before, unless the reason is `{not_rolled_back, Why, Left}', where `Left' names what is not.
-module(erlrcdynamic).

-export([start/2, start/3, stop/2, unload/2, unload/3]).
-export([upgrade/3, upgrade/5, downgrade/3, downgrade/5, change/1, change/2, make_appup/5]).
-export([apply_after_commit/3]).
-export([perform/1, plan/1, live_plan/1]).
-export_type([operation/0, result/0, change/0]).

-type vsn() :: string().
-type dir() :: file:filename_all().

-type start_result() ::
    started
    | already_running
    | started_included_stopped
    | included
    | version_mismatch
    | version_load_mismatch
    | bad_directory
    | {error, term()}.
-type stop_result() ::
    stopped
    | stopped_included_started
    | not_running
    | included
    | version_mismatch
    | {error, term()}.
-type unload_result() ::
    unloaded | version_load_mismatch | bad_directory | included | {error, running | term()}.
-type upgrade_result() ::
    {ok, already_running | included | started | started_included_stopped}
    | {ok, Unpurged :: [module()]}
    | restart_new_emulator
    | {error, version_mismatch | term()}.
-type result() :: start_result() | stop_result() | unload_result() | upgrade_result() | {ok, confirmed | reverted | settled}.

%% One of several that are made as one. Both versions, and both directories, are what runs and what is to run.
-type change() ::
    {upgrade | downgrade, atom(), From :: vsn(), To :: vsn()}
    | {upgrade | downgrade, atom(), From :: vsn(), To :: vsn(), FromDir :: dir(), ToDir :: dir()}
    | {start, atom(), vsn()}
    | {start, atom(), vsn(), dir()}
    | {stop, atom(), vsn()}.

-type operation() :: #{
    operation => start | stop | unload | upgrade | downgrade | change | confirm | revert | prolong | settle,
    %% change; confirm, revert and prolong of such a one
    changes => [operation()],
    direction => up | down,
    application => atom(),
    %% start, stop, unload
    vsn => vsn(),
    dir => dir(),
    %% upgrade, downgrade: the version before and the version after; confirm, revert, prolong: the same, and which operation is
    %% meant
    held => string(),
    from => vsn(),
    to => vsn(),
    from_dir => dir(),
    to_dir => dir(),
    options => map()
}.

%% @equiv start(App, Vsn, Dir)
-spec start(atom(), vsn()) -> start_result().
start(App, Vsn) ->
    run(#{operation => start, application => App, vsn => Vsn}).

%% @doc Starts an application from `Dir', after the applications that it depends on.
-spec start(atom(), vsn(), dir()) -> start_result().
start(App, Vsn, Dir) ->
    run(#{operation => start, application => App, vsn => Vsn, dir => Dir}).

%% @doc Stops an application; applications that it included are started if they are wanted.
-spec stop(atom(), vsn()) -> stop_result().
stop(App, Vsn) ->
    run(#{operation => stop, application => App, vsn => Vsn}).

%% @equiv unload(App, Vsn, Dir)
-spec unload(atom(), vsn()) -> unload_result().
unload(App, Vsn) ->
    run(#{operation => unload, application => App, vsn => Vsn}).

%% @doc Unloads a stopped application: its specification, its modules, and its directory on the code path.
-spec unload(atom(), vsn(), dir()) -> unload_result().
unload(App, Vsn, Dir) ->
    run(#{operation => unload, application => App, vsn => Vsn, dir => Dir}).

%% @equiv upgrade(App, From, To, FromDir, ToDir)
-spec upgrade(atom(), From :: vsn(), To :: vsn()) -> upgrade_result().
upgrade(App, From, To) ->
    run(#{operation => upgrade, application => App, from => From, to => To}).

%% @doc Replaces the running version `From' by the later version `To', without a restart.
-spec upgrade(atom(), From :: vsn(), To :: vsn(), FromDir :: dir(), ToDir :: dir()) ->
    upgrade_result().
upgrade(App, From, To, FromDir, ToDir) ->
    run(#{
        operation => upgrade,
        application => App,
        from => From,
        to => To,
        from_dir => FromDir,
        to_dir => ToDir
    }).

%% @equiv downgrade(App, Earlier, Later, EarlierDir, LaterDir)
-spec downgrade(atom(), Earlier :: vsn(), Later :: vsn()) -> upgrade_result().
downgrade(App, Earlier, Later) ->
    run(#{operation => downgrade, application => App, from => Later, to => Earlier}).

%% @doc Replaces the running version `Later' by the earlier version `Earlier', without a restart.
-spec downgrade(atom(), Earlier :: vsn(), Later :: vsn(), EarlierDir :: dir(), LaterDir :: dir()) ->
    upgrade_result().
downgrade(App, Earlier, Later, EarlierDir, LaterDir) ->
    run(#{
        operation => downgrade,
        application => App,
        from => Later,
        to => Earlier,
        from_dir => LaterDir,
        to_dir => EarlierDir
    }).

%% @equiv change(Changes, #{})
-spec change([change()]) -> erlrc_set_change:result().
change(Changes) ->
    change(Changes, #{}).

%% @doc Makes all changes as one, or none of them: one script, one window, one commit, one way back. Where an application
%% ships instructions with effects of their own (`apply', `stop', `start', `purge') there are several windows, and
%% {@link plan/1} says so. Answers what came of each application.
-spec change([change()], Options :: map()) -> erlrc_set_change:result().
change(Changes, Options) ->
    Operations = [operation(Change) || Change <- Changes],
    case [{bad_argument, changes, Changes} || lists:member(error, Operations)] of
        [] -> run(#{operation => change, changes => Operations, options => Options});
        [Bad | _] -> {error, Bad}
    end.

operation({Operation, App, From, To}) when Operation =:= upgrade; Operation =:= downgrade ->
    #{operation => Operation, application => App, from => From, to => To};
operation({Operation, App, From, To, FromDir, ToDir}) when Operation =:= upgrade; Operation =:= downgrade ->
    (operation({Operation, App, From, To}))#{from_dir => FromDir, to_dir => ToDir};
operation({Operation, App, Vsn}) when Operation =:= start; Operation =:= stop ->
    #{operation => Operation, application => App, vsn => Vsn};
operation({start, App, Vsn, Dir}) ->
    #{operation => start, application => App, vsn => Vsn, dir => Dir};
operation(_Other) ->
    error.

%% @doc Generates the appup between the two versions from their files. Nothing is changed or loaded.
-spec make_appup(atom(), From :: vsn(), To :: vsn(), FromDir :: dir(), ToDir :: dir()) ->
    {ok, erlrc_engine:appup()} | {error, term()}.
make_appup(App, From, To, FromDir, ToDir) ->
    case bad_arguments(#{application => App, from => From, to => To, from_dir => FromDir, to_dir => ToDir}) of
        [] -> erlrc_upgrade:make_appup(App, {From, erlrc_code_path:absolute(FromDir)}, {To, erlrc_code_path:absolute(ToDir)});
        [Bad | _] -> {error, Bad}
    end.

%% @doc For scripts: `{apply, {erlrcdynamic, apply_after_commit, [Module, Function, Arguments]}}' has the function called
%% when the upgrade can no more be taken back, on each node, and of several nodes when all have the new version. That
%% it fails is told, and takes nothing back. Where something else than erlrc carries the script out it is called at once.
-spec apply_after_commit(module(), atom(), [term()]) -> term().
apply_after_commit(Module, Function, Arguments) ->
    apply(Module, Function, Arguments).

run(Operation) ->
    case bad_arguments(Operation) of
        [] -> erlrc_operations:run(?MODULE, perform, [Operation]);
        [Bad | _] -> {error, Bad}
    end.

%% A name or a version of the wrong type is an error of the caller, not a crash of erlrc.
bad_arguments(#{changes := Changes}) ->
    lists:append([bad_arguments(Change) || Change <- Changes]);
bad_arguments(Operation) ->
    Keys = [application, vsn, from, to, dir, from_dir, to_dir],
    [{bad_argument, Key, Value} || Key <- Keys, {ok, Value} <- [maps:find(Key, Operation)], not is_sound(Key, Value)].

is_sound(application, App) ->
    is_atom(App);
is_sound(Key, Vsn) when Key =:= vsn; Key =:= from; Key =:= to ->
    Vsn =/= [] andalso io_lib:printable_unicode_list(Vsn);
is_sound(_Dir, Dir) when is_binary(Dir); length(Dir) > 0 ->
    try
        is_name(unicode:characters_to_list(Dir))
    catch
        error:badarg -> false
    end;
is_sound(_Dir, _) ->
    false.

is_name([_ | _] = Name) -> not lists:member(0, Name);
is_name(_) -> false.

%% @private Runs in the process of the operation.
-spec perform(operation()) -> result().
perform(#{operation := Operation} = Request) ->
    case erlrc_deadline:is_over() orelse prepare(Operation, maps:get(application, Request, undefined)) of
        true -> {error, out_of_time};
        ok -> perform(Operation, complete(Request));
        Other -> Other
    end.

%% @private What {@link perform/1} would do.
-spec plan(operation()) -> {plan, [iodata()]} | result().
plan(#{operation := Operation} = Request) ->
    case {erlrc_provisional:check_held(), prepare(Operation, maps:get(application, Request, undefined))} of
        {ok, ok} -> erlrc_dry_run:plan(complete(Request));
        {ok, Other} -> Other;
        {{error, _} = Error, _} -> Error
    end.

%% @private What an upgrade or downgrade would meet.
-spec live_plan(operation()) -> {ok, erlrc_live_plan:plan()} | not_running | result().
live_plan(#{operation := Operation, application := App} = Request) ->
    Direction = case Operation of upgrade -> up; downgrade -> down end,
    case prepare(Operation, App) of
        ok -> erlrc_live_plan:plan(Direction, complete(Request));
        Other -> Other
    end.

%% If erlrc does not run, there is nothing to stop but erlrc itself.
prepare(stop, erlrc) ->
    case erlrc_node:status(erlrc) of
        {running, _} -> ok;
        _ -> not_running
    end;
prepare(unload, erlrc) ->
    ok;
prepare(_Operation, _App) ->
    erlrc_app:ensure_started().

%% An operation that waits for the other nodes is confirmed when another one begins; one that waits for a person is not,
%% and nothing else begins.
perform(prolong, Request) -> erlrc_revert:prolong(Request);
perform(confirm, Request) -> erlrc_revert:confirm(Request);
perform(revert, Request) -> erlrc_settlement:cover(Request, fun() -> erlrc_revert:revert(Request) end);
perform(Operation, Request) ->
    case erlrc_hold:settle() of
        ok -> erlrc_settlement:cover(Request, fun() -> begin_with(Operation, Request) end);
        {error, _} = Error -> Error
    end.

begin_with(settle, #{application := App}) -> erlrc_unsettled:settle(App);
begin_with(start, Request) -> erlrc_start:start(Request);
begin_with(stop, Request) -> erlrc_start:stop(Request);
begin_with(unload, Request) -> erlrc_start:unload(Request);
begin_with(upgrade, Request) -> erlrc_upgrade:change(up, Request);
begin_with(downgrade, Request) -> erlrc_upgrade:change(down, Request);
begin_with(change, #{changes := Changes}) -> erlrc_set_change:perform(Changes).

complete(#{changes := Changes} = Request) ->
    Options = maps:get(options, Request, #{}),
    Own = fun(Change) -> maps:merge(Options, maps:get(options, Change, #{})) end,
    Request#{changes := [complete(Change#{options => Own(Change)}) || Change <- Changes]};
complete(Request) ->
    Defaults = lists:foldl(fun default/2, Request, [{dir, vsn}, {from_dir, from}, {to_dir, to}]),
    maps:merge(#{options => #{}}, Defaults).

default({Key, VsnKey}, #{application := App} = Request) ->
    case Request of
        #{Key := Dir} -> Request#{Key := erlrc_code_path:absolute(Dir)};
        #{VsnKey := Vsn} when Key =:= from_dir -> Request#{Key => erlrc_versions:old_directory(App, Vsn)};
        #{VsnKey := Vsn} -> Request#{Key => erlrc_versions:directory(App, Vsn)};
        #{} -> Request
    end.
