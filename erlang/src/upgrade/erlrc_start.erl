%% @doc The operations start, stop and unload.
-module(erlrc_start).

-export([start/1, stop/1, unload/1, plan/1, answer/1]).
-export([finish/1]).
-export_type([finish/0]).

-type request() :: #{application := atom(), vsn := string(), dir => file:filename_all(), _ => _}.

%% What follows the commit of an operation.
-type finish() :: nothing | [finish()] | {start | stop, atom()} | {unload, atom(), [module()], file:filename_all()}.

%% @doc Starts an application from a directory.
-spec start(request()) -> erlrcdynamic:result().
start(#{dir := Dir} = Request) ->
    case event(Request) of
        {ok, Event} -> start_from(filename:join(Dir, "ebin"), Event);
        Answer -> Answer
    end.

%% The specification may be loaded already, from another directory.
start_from(Ebin, {start, App, _, _} = Event) ->
    ok = erlrc_settlement:note({undo, {restore_path, code:get_path()}}),
    Path = erlrc_code_path:use([{App, Ebin}]),
    case carry_out(Event) of
        {error, _} = Error ->
            ok = erlrc_code_path:restore(Path),
            Error;
        Outcome ->
            Outcome
    end.

%% @doc Whether there is something to start or to stop, or what would be answered at once.
-spec answer(request()) -> start | stop | erlrcdynamic:result().
answer(Request) ->
    case event(Request) of
        {ok, Event} -> element(1, Event);
        Answer -> Answer
    end.

%% What is asked of the engine, or the answer where there is nothing to ask.
event(#{operation := stop, application := App, vsn := Vsn}) ->
    case erlrc_node:status(App) of
        {running, Vsn} -> {ok, {stop, App}};
        {running, _} -> version_mismatch;
        {included, Vsn} -> included;
        {included, _} -> version_mismatch;
        _ -> not_running
    end;
event(#{application := App, vsn := Vsn, dir := Dir}) ->
    case erlrc_node:status(App) of
        {running, Vsn} -> already_running;
        {running, _} -> version_mismatch;
        {included, Vsn} -> included;
        {included, _} -> version_mismatch;
        {loaded, Other} when Other =/= Vsn -> version_load_mismatch;
        _ -> start_event(App, Vsn, Dir)
    end.

start_event(App, Vsn, Dir) ->
    case specification(App, Vsn, Dir) of
        {ok, _} -> {ok, {start, App, Vsn, Dir}};
        Other -> Other
    end.

%% @doc The transition that starting or stopping would be; nothing is changed.
-spec plan(request()) -> {ok, erlrc_engine:transition()} | erlrcdynamic:result().
plan(Request) ->
    case event(Request) of
        {ok, Event} -> erlrc_engine:transition(erlrc_node:facts(), Event);
        Answer -> Answer
    end.

specification(App, Vsn, Dir) ->
    File = filename:join([Dir, "ebin", atom_to_list(App) ++ ".app"]),
    case filelib:is_regular(File) of
        true -> right_version(Vsn, erlrc_engine:application(App, Dir, erlrc_node:root()));
        false -> bad_directory
    end.

right_version(Vsn, {ok, {application, _, Keys} = Spec}) ->
    case proplists:get_value(vsn, Keys) of
        Vsn -> {ok, Spec};
        _ -> version_load_mismatch
    end;
right_version(_Vsn, {error, _} = Error) ->
    Error.

carry_out(Event) ->
    case erlrc_engine:transition(erlrc_node:facts(), Event) of
        {ok, #{actions := Actions, outcome := Outcome, warnings := Warnings}} ->
            lists:foreach(fun erlrc_operations:warn/1, Warnings),
            case erlrc_transition:carry_out(Actions, fun no_script/0) of
                {ok, _} -> done(Event, Outcome);
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

no_script() ->
    {error, no_script}.

done({start, App, _, _}, Outcome) ->
    committed({start, App}, started(Outcome));
done({stop, App}, Outcome) ->
    committed({stop, App}, ended(Outcome)).

committed(Finish, Result) ->
    ok = erlrc_settlement:note({committed, Finish, Result}),
    ok = finish(Finish),
    Result.

%% @private What is left to do of an operation that cannot be undone any more; all of it may have been done before.
-spec finish(finish()) -> ok.
finish(nothing) ->
    ok;
finish(Several) when is_list(Several) ->
    lists:foreach(fun finish/1, Several);
finish({start, App}) ->
    erlrc_node:clear_stopped(App);
finish({stop, App}) ->
    stopped(App);
finish({unload, App, Modules, Dir}) ->
    ok = erlrc_node:unload(App),
    ok = erlrc_defaults:forget(App),
    ok = erlrc_code_path:leave(Dir),
    forget_modules(App, Modules).

started(started) -> started;
started(started_included_stopped) -> started_included_stopped;
started(already_running) -> already_running;
started(included) -> included.

ended(stopped) -> stopped;
ended(stopped_included_started) -> stopped_included_started;
ended(not_running) -> not_running;
ended(included) -> included.

%% An erlrc that was stopped has lost its table.
stopped(erlrc) -> ok;
stopped(App) -> erlrc_node:mark_stopped(App).

%% @doc Stops an application.
-spec stop(request()) -> erlrcdynamic:result().
stop(#{application := App} = Request) ->
    case event(Request#{operation => stop}) of
        {ok, Event} ->
            carry_out(Event);
        not_running ->
            ok = stopped(App),
            not_running;
        Answer ->
            Answer
    end.

%% @doc Unloads an application that does not run.
-spec unload(request()) -> erlrcdynamic:result().
unload(#{application := App, vsn := Vsn, dir := Dir}) ->
    case erlrc_node:status(App) of
        {running, _} -> {error, running};
        {included, _} -> included;
        {loaded, Other} when Other =/= Vsn -> version_load_mismatch;
        Status -> unload(App, Dir, Status)
    end.

unload(App, Dir, Status) ->
    case {erlrc_code_path:member(Dir), filelib:is_dir(Dir), Status} of
        %% Neither loaded nor to be found: gone already, as a package that was removed twice.
        {false, false, absent} -> unloaded;
        %% A commit leaves directories that are gone out of the code path.
        {false, _, {loaded, _}} -> unload_elsewhere(App, Dir);
        {false, false, _} -> bad_directory;
        {true, true, absent} -> unload_absent(App, Dir);
        _ -> unload(App, Dir)
    end.

%% Loaded, and from another directory than the one that is to go.
unload_elsewhere(App, Dir) ->
    case code:lib_dir(App) of
        {error, bad_name} -> unload(App, Dir);
        _ -> bad_directory
    end.

%% Not loaded: the directory is its own, or another application would lose its place on the code path.
unload_absent(App, Dir) ->
    case filelib:is_file(filename:join([Dir, "ebin", atom_to_list(App) ++ ".app"])) of
        true -> unload(App, Dir);
        false -> bad_directory
    end.

unload(App, Dir) ->
    Modules = erlrc_node:modules(App),
    ok = erlrc_settlement:note({undo, erlrc_transition:reload(App)}),
    case erlrc_node:unload(App) of
        ok -> committed({unload, App, Modules, Dir}, unloaded);
        {error, Why} -> {error, {unload_failed, App, Why}}
    end.

%% This very operation runs in modules of erlrc: they are not purged, and the server has yet to
%% answer.
forget_modules(erlrc, Modules) ->
    lists:foreach(fun code:delete/1, Modules -- [erlrc_operations, erlrc_operation, erlrc_outcome, erlrc_settlement]);
forget_modules(_App, Modules) ->
    lists:foreach(fun erlrc_node:purge/1, Modules).
