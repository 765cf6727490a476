%% @doc Boots the node from `$ERLRC_ROOT/applications': the engine makes a plan, which is carried out in order.
%%
%% Works from any boot script (`erl -boot start_sasl -s erlrc_boot boot') and can be repeated: applications that are
%% already loaded or started are left alone. Everything is loaded before anything is started.
-module(erlrc_boot).

-export([boot/0, boot_or_halt/0]).
-export([perform/0]).
-export_type([error/0]).

-include_lib("kernel/include/logger.hrl").

-define(REPORT, #{report_cb => fun erlrc_error:report/1}).

%% See {@link erlrc_error:format_error/1} for what they mean.
-type error() ::
    {app_dir_unreadable, file:filename(), file:posix()}
    | {appspec_file_not_found, file:filename()}
    | {appspec_file_parse_error, file:filename(), term()}
    | {circular_dependency, atom(), [atom()]}
    | {duplicate_included, atom(), atom(), atom()}
    | {load_failed, atom(), term()}
    | {start_failed, atom(), term()}
    %% With `{on_start_failure, continue}': every application that failed, after all others were started.
    | {start_failed, [{atom(), term()}]}
    | term().

%% @doc Starts every registered application. Nothing is started unless the whole plan is valid. If an application then
%% fails to start, those that were started before it keep running.
-spec boot() -> ok | {error, error()}.
boot() ->
    try erlrc_operations:run(?MODULE, perform, []) of
        {error, {crashed, _} = Why} -> failed(Why, []);
        Result -> Result
    catch
        Class:Why -> failed({crashed, {Class, Why}}, [])
    end.

%% @doc For systemd units and boot scripts: calls {@link boot/0}, then sends `READY=1' to systemd, or ends the node with
%% status 1. Applications that failed under `{on_start_failure, continue}' are printed and do not end the node.
-spec boot_or_halt() -> ok | no_return().
boot_or_halt() ->
    case boot() of
        ok ->
            erlrc_notify:ready();
        {error, {start_failed, [_ | _]} = Reason} ->
            complain(Reason),
            erlrc_notify:ready();
        {error, Reason} ->
            complain(Reason),
            erlang:halt(1)
    end.

complain(Reason) ->
    Line = string:replace(erlrc_error:format_error(Reason), "\n", " ", all),
    io:put_chars(standard_error, ["erlrc: boot: ", Line, "\n"]).

%% @private
-spec perform() -> ok | {error, error()}.
perform() ->
    Result =
        case ensure_started() of
            ok -> run(#{on_failure => on_failure(), started => [], failed => []});
            {error, Why} -> failed(Why, [])
        end,
    %% Also the modules of applications that others started, so that no directory is needed later.
    ok = erlrc_node:load_modules(),
    ok = erlrc_watch:refresh(),
    ok = erlrc_registration:refresh(),
    Result.

ensure_started() ->
    _ = application:load(erlrc),
    case erlrc_options:check_boot() of
        ok -> erlrc_app:ensure_started();
        {error, _} = Error -> Error
    end.

on_failure() ->
    case application:get_env(erlrc, on_start_failure, stop) of
        continue -> continue;
        _ -> stop
    end.

run(#{started := Started, failed := Failed} = State) ->
    case transition([App || {App, _} <- Failed]) of
        {ok, #{actions := Actions, warnings := Warnings}} ->
            Failed =:= [] andalso lists:foreach(fun warn/1, Warnings),
            {Preparations, Rest} = lists:splitwith(fun prepares/1, Actions),
            prepared(erlrc_transition:carry_out(Preparations, fun no_script/0), Rest, State);
        {error, Why} ->
            failed(Why, Started)
    end.

%% An application that failed to start is no longer wanted, so the next plan leaves it out.
transition(Failed) ->
    Facts = #{stopped := Stopped} = erlrc_node:facts(),
    try
        erlrc_engine:transition(Facts#{stopped := lists:usort(Failed ++ Stopped)}, boot)
    catch
        error:{engine_not_loaded, _} = Why -> {error, Why}
    end.

warn(Warning) ->
    ?LOG_WARNING(#{what => boot_warning, reason => Warning}, ?REPORT).

%% As long as nothing was started or stopped, a failure is undone.
prepares({start, _}) -> false;
prepares({stop, _}) -> false;
prepares(_) -> true.

no_script() ->
    {error, no_script}.

prepared({ok, _}, Actions, State) -> carry_out(Actions, [], State);
prepared({error, Why}, _Actions, #{started := Started}) -> failed(Why, Started).

%% Applications that were started keep running, whatever fails later. `Stopped' are those that an includer is about to
%% take in.
carry_out([{start, App} | Actions], Stopped, #{failed := Failed} = State) ->
    case {lists:keymember(App, 1, Failed), missing(App, Failed)} of
        {true, _} -> carry_out(Actions, Stopped, State);
        {false, []} -> start(App, Actions, Stopped, State);
        {false, [Missing | _]} -> unable(App, {not_started, Missing}, State)
    end;
carry_out([Action | Actions], Stopped, #{started := Started} = State) ->
    case {Action, erlrc_transition:perform(Action)} of
        {{stop, App}, {ok, Undo}} -> carry_out(Actions, [{App, Undo} | Stopped], State);
        {_, {ok, _}} -> carry_out(Actions, Stopped, State);
        {_, {error, Why}} -> failed(Why, Started)
    end;
carry_out([], _Stopped, #{started := Started, failed := []}) ->
    booted(lists:reverse(Started));
carry_out([], _Stopped, #{started := Started, failed := Failed}) ->
    failed({start_failed, lists:reverse(Failed)}, Started).

start(App, Actions, Stopped, #{started := Started} = State) ->
    case erlrc_transition:perform({start, App}) of
        {ok, _} ->
            carry_out(Actions, Stopped, State#{started := [App | Started]});
        {error, {start_failed, App, Why}} ->
            %% Applications that ran by themselves before they were to run inside App are started again, and so is what
            %% others need.
            Parts = erlrc_node:parts(App) -- [App],
            _ = erlrc_transition:undo([Undo || {Part, Undo} <- Stopped, lists:member(Part, Parts)]),
            ok = erlrc_specification:release(App, Parts),
            unable(App, Why, State)
    end.

unable(App, Why, #{on_failure := stop, started := Started}) ->
    failed({start_failed, App, Why}, Started);
unable(App, Why, #{on_failure := continue, failed := Failed} = State) ->
    run(State#{failed := [{App, Why} | Failed]}).

%% The applications that App, or one that it includes, depends on and that failed to start.
missing(_App, []) ->
    [];
missing(App, Failed) ->
    [Needed || Needed <- erlrc_node:needed(App), lists:keymember(Needed, 1, Failed)].

booted([]) ->
    ok;
booted(Started) ->
    ?LOG_INFO(#{what => booted, started => Started}, ?REPORT).

failed(Why, Started) ->
    ?LOG_ERROR(#{what => boot_failed, reason => Why, started => lists:reverse(Started)}, ?REPORT),
    {error, Why}.
