%% @doc Boots the node from `$ERLRC_ROOT/applications': one plan, made by the engine, carried out in
%% order.
%%
%% Works from any boot script (`erl -boot start_sasl -s erlrc_boot boot'), as often as one likes:
%% what is loaded or started already is respected. Everything is loaded before anything is started.
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
    %% With `{on_start_failure, continue}': all that failed, after everything else was started.
    | {start_failed, [{atom(), term()}]}
    | term().

%% @doc Starts everything that is registered. What was started before an application failed to start
%% keeps running; before that nothing is started unless all of the plan is sound.
-spec boot() -> ok | {error, error()}.
boot() ->
    try erlrc_operations:run(?MODULE, perform, []) of
        {error, {crashed, _} = Why} -> failed(Why, []);
        Result -> Result
    catch
        Class:Why -> failed({crashed, {Class, Why}}, [])
    end.

%% @doc For units and boot scripts: {@link boot/0}, and then `READY=1' to systemd, or the end of the
%% node with status 1. Applications that failed under `{on_start_failure, continue}' are printed and
%% do not end the node.
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
        case erlrc_app:ensure_started() of
            ok -> plan(transition());
            {error, Why} -> failed(Why, [])
        end,
    %% Also those of applications that others started: no directory is needed later on.
    ok = erlrc_node:load_modules(),
    ok = erlrc_watch:refresh(),
    ok = erlrc_registration:refresh(),
    Result.

transition() ->
    try
        erlrc_engine:transition(erlrc_node:facts(), boot)
    catch
        error:{engine_not_loaded, _} = Why -> {error, Why}
    end.

plan({ok, #{actions := Actions, warnings := Warnings}}) ->
    lists:foreach(fun warn/1, Warnings),
    {Preparations, Rest} = lists:splitwith(fun prepares/1, Actions),
    case erlrc_transition:carry_out(Preparations, fun() -> {error, no_script} end) of
        {ok, _} -> carry_out(Rest);
        {error, Why} -> failed(Why, [])
    end;
plan({error, Why}) ->
    failed(Why, []).

warn(Warning) ->
    ?LOG_WARNING(#{what => boot_warning, reason => Warning}, ?REPORT).

%% As long as nothing was started or stopped, whatever goes wrong is undone.
prepares({start, _}) -> false;
prepares({stop, _}) -> false;
prepares(_) -> true.

%% What was started stays, whatever fails later.
carry_out(Actions) ->
    OnFailure =
        case application:get_env(erlrc, on_start_failure, stop) of
            continue -> continue;
            _ -> stop
        end,
    State = #{on_failure => OnFailure, started => [], stopped => [], failed => []},
    #{started := Started, failed := Failed} = lists:foldl(fun act/2, State, Actions),
    case {Failed, OnFailure} of
        {[], _} -> booted(lists:reverse(Started));
        {[Why], stop} -> failed(Why, Started);
        {_, continue} -> failed({start_failed, [without_tag(Why) || Why <- Failed]}, Started)
    end.

without_tag({start_failed, App, Why}) -> {App, Why};
without_tag({_, App, _} = Reason) -> {App, Reason}.

act(_Action, #{on_failure := stop, failed := [_]} = State) ->
    State;
act({start, App}, #{failed := Failed} = State) ->
    case missing(App, Failed) of
        [] -> start(App, State);
        [Missing | _] -> unable({start_failed, App, {not_started, Missing}}, State)
    end;
act({stop, App}, #{stopped := Stopped} = State) ->
    case erlrc_transition:perform({stop, App}) of
        {ok, Undo} -> State#{stopped := [{App, Undo} | Stopped]};
        {error, Why} -> unable(Why, State)
    end;
act(Action, State) ->
    case erlrc_transition:perform(Action) of
        {ok, _} -> State;
        {error, Why} -> unable(Why, State)
    end.

start(App, #{started := Started, stopped := Stopped} = State) ->
    case erlrc_transition:perform({start, App}) of
        {ok, _} ->
            State#{started := [App | Started]};
        {error, Why} ->
            %% What ran and was to run inside App runs itself again.
            Inside = [Undo || {Part, Undo} <- Stopped, lists:member(Part, erlrc_node:parts(App))],
            _ = erlrc_transition:undo(Inside),
            unable(Why, State)
    end.

unable(Why, #{failed := Failed} = State) ->
    State#{failed := Failed ++ [Why]}.

%% What App, or an application that it includes, needs and what failed to start.
missing(_App, []) ->
    [];
missing(App, Failed) ->
    [Needed || Needed <- erlrc_node:needed(App), {_, Failure, _} <- Failed, Failure =:= Needed].

booted([]) ->
    ok;
booted(Started) ->
    ?LOG_INFO(#{what => booted, started => Started}, ?REPORT).

failed(Why, Started) ->
    ?LOG_ERROR(#{what => boot_failed, reason => Why, started => lists:reverse(Started)}, ?REPORT),
    {error, Why}.
