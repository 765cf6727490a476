%% @doc Boots the node from `$ERLRC_ROOT/applications': the engine makes a plan, which is carried out in order.
%%
%% With `{boot, concurrent}' in erlrc's environment what does not depend on one another is started side by side, as many
%% applications at once as `{boot_jobs, N}' says, by default as there are schedulers. It ends as a boot one by one would:
%% what that would not have begun any more after a failure is stopped again.
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

-type state() :: #{
    on_failure := stop | continue,
    jobs := pos_integer(),
    %% Both the latest first.
    started := [atom()],
    failed := [{atom(), term()}],
    times := erlrc_boot_times:times()
}.

%% @doc Starts every registered application. Nothing is started unless the whole plan is valid. If an application then
%% fails to start, those that were started before it keep running.
-spec boot() -> ok | {error, error()}.
boot() ->
    try erlrc_operations:run(?MODULE, perform, []) of
        {error, {crashed, _} = Why} -> complained(Why, []);
        Result -> Result
    catch
        Class:Why -> complained({crashed, {Class, Why}}, [])
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
    Times = erlrc_boot_times:begin_boot(),
    Result =
        case ensure_started() of
            ok -> run(state(Times));
            {error, Why} -> complained(Why, [])
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

-spec state(erlrc_boot_times:times()) -> state().
state(Times) ->
    Schedulers = erlang:system_info(schedulers_online),
    Jobs =
        case application:get_env(erlrc, boot, sequential) of
            sequential -> 1;
            concurrent -> application:get_env(erlrc, boot_jobs, Schedulers)
        end,
    OnFailure = application:get_env(erlrc, on_start_failure, stop),
    #{on_failure => OnFailure, jobs => Jobs, started => [], failed => [], times => Times}.

run(#{failed := Failed} = State) ->
    case transition([App || {App, _} <- Failed]) of
        {ok, #{actions := Actions, warnings := Warnings}} ->
            Failed =:= [] andalso lists:foreach(fun warn/1, Warnings),
            {Preparations, Rest} = lists:splitwith(fun prepares/1, Actions),
            prepared(erlrc_transition:carry_out(Preparations, fun no_script/0), Rest, State);
        {error, Why} ->
            failed(Why, State)
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

prepared({ok, _}, Actions, State) -> carry_out(stages(Actions), State);
prepared({error, Why}, _Actions, State) -> failed(Why, State).

%% Applications to start, in order. One for which others have to stop, since it includes them, is a stage of its own.
stages([]) ->
    [];
stages([{start, _} | _] = Actions) ->
    {Starts, Rest} = lists:splitwith(fun(Action) -> element(1, Action) =:= start end, Actions),
    [{[], [App || {start, App} <- Starts]} | stages(Rest)];
stages(Actions) ->
    {Stops, [{start, Includer} | Rest]} = lists:splitwith(fun(Action) -> element(1, Action) =:= stop end, Actions),
    [{Stops, [Includer]} | stages(Rest)].

%% Applications that were started keep running, whatever fails later.
carry_out([{Stops, Apps} | Stages], #{failed := Failed, jobs := Jobs} = State) ->
    case stop(Stops, []) of
        {ok, Stopped} ->
            Units = units([App || App <- Apps, not lists:keymember(App, 1, Failed)]),
            Ended = erlrc_boot_jobs:run(Units, Jobs, fun(App) -> start(App, Failed) end),
            ended(Ended, Units, Stopped, Stages, State);
        {error, Why} ->
            failed(Why, State)
    end;
carry_out([], #{started := Started, failed := []} = State) ->
    ok = keep_times(State),
    booted(lists:reverse(Started));
carry_out([], #{failed := Failed} = State) ->
    failed({start_failed, lists:reverse(Failed)}, State).

%% The applications that an includer is about to take in, and how each would run by itself again.
stop([{stop, App} = Action | Actions], Stopped) ->
    case erlrc_transition:perform(Action) of
        {ok, Undo} -> stop(Actions, [{App, Undo} | Stopped]);
        {error, _} = Error -> Error
    end;
stop([], Stopped) ->
    {ok, Stopped}.

%% An application that runs inside another one is there as soon as that one has started.
units(Apps) ->
    Tops = maps:from_list([{Part, App} || App <- Apps, Part <- erlrc_node:parts(App)]),
    [{App, lists:usort([Top || Needed <- erlrc_node:needed(App), #{Needed := Top} <- [Tops]]) -- [App]} || App <- Apps].

start(App, Failed) ->
    case missing(App, Failed) of
        [] -> started(erlrc_transition:perform({start, App}));
        [Missing | _] -> {error, {not_started, Missing}}
    end.

started({ok, _}) -> ok;
started({error, _} = Error) -> Error.

%% The applications that App, or one that it includes, depends on and that failed to start.
missing(_App, []) ->
    [];
missing(App, Failed) ->
    [Needed || Needed <- erlrc_node:needed(App), lists:keymember(Needed, 1, Failed)].

ended(Ended, Units, Stopped, Stages, #{started := Started, times := Times} = State) ->
    Now = lists:reverse([App || #{application := App, result := ok} <- lists:sort(fun ended_before/2, Ended)]),
    Next = State#{started := Now ++ Started, times := erlrc_boot_times:add(Ended, Units, Times)},
    case lists:dropwhile(fun(#{result := Result}) -> Result =:= ok end, Ended) of
        [] -> carry_out(Stages, Next);
        [First | Later] -> unable(First, Later, Stopped, Next)
    end.

ended_before(#{begun := Begun, took := Took}, #{begun := OtherBegun, took := OtherTook}) ->
    Begun + Took =< OtherBegun + OtherTook.

%% `Later' comes later in the order, whenever it was begun.
unable(First, Later, Stopped, #{on_failure := stop} = State) ->
    {App, Why} = not_started(First, Stopped),
    failed({start_failed, App, Why}, take_back([Other || #{application := Other, result := ok} <- Later], State));
unable(First, Later, Stopped, #{on_failure := continue, failed := Failed} = State) ->
    Now = [not_started(Job, Stopped) || #{result := {error, _}} = Job <- [First | Later]],
    run(State#{failed := lists:reverse(Now) ++ Failed}).

not_started(#{application := App, result := {error, {start_failed, App, Why}}}, Stopped) ->
    %% Applications that ran by themselves before they were to run inside App are started again, and so is what
    %% others need.
    Parts = erlrc_node:parts(App) -- [App],
    _ = erlrc_transition:undo([Undo || {Part, Undo} <- Stopped, lists:member(Part, Parts)]),
    ok = erlrc_specification:release(App, Parts),
    {App, Why};
not_started(#{application := App, result := {error, Why}}, _Stopped) ->
    {App, Why}.

%% The latest first, and what does not stop stays.
take_back(Apps, #{started := Started, times := Times} = State) ->
    Left = erlrc_transition:undo([{stop, App} || App <- Started, lists:member(App, Apps)]),
    Stopped = Apps -- [App || {{stop, App}, _} <- Left],
    State#{started := Started -- Stopped, times := erlrc_boot_times:take_back(Stopped, Times)}.

booted([]) ->
    ok;
booted(Started) ->
    ?LOG_INFO(#{what => booted, started => Started}, ?REPORT).

failed(Why, #{started := Started} = State) ->
    ok = keep_times(State),
    complained(Why, Started).

complained(Why, Started) ->
    ?LOG_ERROR(#{what => boot_failed, reason => Why, started => lists:reverse(Started)}, ?REPORT),
    {error, Why}.

keep_times(#{jobs := Jobs, times := Times}) ->
    erlrc_boot_times:keep(Jobs, Times).
