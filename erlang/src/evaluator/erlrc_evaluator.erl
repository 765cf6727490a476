%% @doc What runs the script of an upgrade: the behaviour of every evaluator, and the choice of one.
%%
%% An evaluator owns code path, modules and process states. The specification of the application and
%% its environment belong to `erlrc_upgrade'. The choice is made by the option `evaluator' of the
%% operation, else by the environment key `evaluator' of erlrc; the transactional one is the
%% default.
-module(erlrc_evaluator).

-export([evaluate/1, check/1, module/1, name/1, restarts/1]).
-export_type([script/0, change/0, result/0, name/0, specification/0, report/0]).

-type name() :: transactional | release_handler.
-type specification() :: {application, atom(), [{atom(), term()}]}.
-type version() :: {Vsn :: string(), Dir :: file:filename()}.

%% What is carried out together, as a whole or not at all: one application is a list of one. Dependencies come first, of
%% applications that go up, and last, of those that go down.
-type script() :: [change(), ...].
-type change() :: #{
    application := atom(),
    direction := up | down,
    %% High-level instructions, appup(5).
    instructions := [term()],
    %% What is called when the way back has been given up, see `erlrc_after_commit'.
    committed => [{module(), atom(), [term()]}],
    %% The name under which it is noted that these were called.
    calls => reference(),
    %% What runs now and what is to run; the directory is that of the application, without `ebin'.
    %% That of `from' may be gone.
    from := version(),
    to := version(),
    from_spec := specification(),
    to_spec := specification(),
    %% Those of the whole script are the same in every change.
    options := map()
}.

%% What a script cost, in microseconds. The evaluator leaves it under `erlrc_report' in the dictionary of the operation's
%% process: no call, which an upgrade of erlrc itself could have sent to a version that does not know it. Under
%% `release_handler', which does not say how long anybody stood still, the pause is the time of the whole script. `shapes':
%% of the modules whose processes the script would suspend, `same' where nobody had to stand, else why somebody had to.
-type report() :: #{
    evaluator := name(),
    instructions := non_neg_integer(),
    modules := non_neg_integer(),
    processes := non_neg_integer(),
    pause := non_neg_integer(),
    stages := #{atom() => non_neg_integer()},
    %% Whether something of the new version was tried: its code loaded, an instruction with effects carried out.
    committed => boolean(),
    shapes => #{module() => same | erlrc_shape:reason()},
    %% How many processes died while their states were changed, and the modules of those.
    died => {pos_integer(), [module()]},
    %% Who was killed because it ran old code, and of which module.
    killed => [{Name :: binary(), module()}]
}.

-type result() :: {ok, Unpurged :: [module()]} | restart_new_emulator | {error, term()}.

%% After `{error, _}' modules, code path and process states are as before, or the reason is
%% `{not_rolled_back, Why, Left}'.
-callback evaluate(script()) -> result().

%% Whether the script could be run, as far as that can be told with nothing changed.
-callback check(script()) -> ok | {error, term()}.

%% @doc Runs the script with the evaluator that was chosen.
-spec evaluate(script()) -> result().
evaluate([#{options := Options} | _] = Script) ->
    case {erlrc_options:check(), module(Options)} of
        {ok, {ok, Module}} -> Module:evaluate(Script);
        {ok, {error, _} = Error} -> Error;
        {{error, _} = Error, _} -> Error
    end.

%% @doc Whether the evaluator that was chosen would refuse the script; nothing is changed.
-spec check(script()) -> ok | restart_new_emulator | {error, term()}.
check([#{options := Options} | _] = Script) ->
    Instructions = lists:append([Instructions || #{instructions := Instructions} <- Script]),
    case {lists:any(fun restarts/1, Instructions), module(Options)} of
        {true, _} -> restart_new_emulator;
        {false, {ok, Module}} -> Module:check(Script);
        {false, {error, _} = Error} -> Error
    end.

%% @doc The module that runs scripts under these options.
-spec module(map()) -> {ok, module()} | {error, {bad_evaluator, term()}}.
module(Options) ->
    case maps:get(evaluator, Options, application:get_env(erlrc, evaluator, undefined)) of
        undefined -> {ok, erlrc_transaction};
        transactional -> {ok, erlrc_transaction};
        release_handler -> {ok, erlrc_release_handler};
        Other -> {error, {bad_evaluator, Other}}
    end.

%% @doc The name of it, for the engine, which has to know whether it can convert states: none that is not known can.
-spec name(map()) -> name().
name(Options) ->
    case module(Options) of
        {ok, erlrc_transaction} -> transactional;
        _ -> release_handler
    end.

%% @doc Whether an instruction asks for a new emulator.
-spec restarts(term()) -> boolean().
restarts(restart_new_emulator) -> true;
restarts(restart_emulator) -> true;
restarts(_Instruction) -> false.
