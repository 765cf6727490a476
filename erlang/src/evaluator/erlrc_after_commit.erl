%% @doc Functions that a script has called when every node has committed, as where tables of mnesia are transformed:
%% `{apply, {erlrcdynamic, apply_after_commit, [Module, Function, Arguments]}}'.
%%
%% They are no part of the script: nothing is taken back for one that fails, which is told and written into the log.
%% Where a way back is kept open for other nodes they are called when it is given up, by whoever does that.
-module(erlrc_after_commit).

-export([split/1, run/2]).
-export_type([failure/0]).

-type failure() :: {after_commit_failed, App :: atom(), mfa_call(), Why :: term()}.
-type mfa_call() :: {module(), atom(), [term()]}.

%% For one of them where nobody has said how long it may take, in milliseconds.
-define(TIMEOUT, 60000).

%% @doc The instructions that are carried out, and the calls that follow.
-spec split([term()]) -> {Instructions :: [term()], [mfa_call()]}.
split(Instructions) ->
    {After, Script} = lists:partition(fun is_after_commit/1, Instructions),
    {Script, [{Module, Function, Arguments} || {apply, {_, _, [Module, Function, Arguments]}} <- After]}.

is_after_commit({apply, {erlrcdynamic, apply_after_commit, [Module, Function, Arguments]}}) ->
    is_atom(Module) andalso is_atom(Function) andalso is_list(Arguments);
is_after_commit(_Instruction) ->
    false.

%% @doc Calls what a script asks for, in its order, each whatever became of the others. Answers those that failed.
-spec run([erlrc_evaluator:change() | map()], timeout()) -> [failure()].
run(Changes, Left) ->
    lists:append([run_of(Change, Left) || Change <- Changes]).

run_of(#{application := App, committed := Calls} = Script, Left) ->
    Options = maps:get(options, Script, #{}),
    Timeout = min(maps:get(apply_timeout, Options, ?TIMEOUT), Left),
    lists:append([call(App, Call, Timeout) || Call <- Calls]);
run_of(_Change, _Left) ->
    [].

call(App, Call, Timeout) ->
    case erlrc_check:call(Call, Timeout) of
        {ok, _} ->
            [];
        {error, Why} ->
            erlrc_journal:log(error, #{event => after_commit_failed, application => App, call => Call, reason => Why}),
            [{after_commit_failed, App, Call, reason(Why)}]
    end.

%% The stack is in the log.
reason({'EXIT', {Reason, Stack}}) when is_list(Stack) -> Reason;
reason({'EXIT', Reason}) -> Reason;
reason(Reason) -> Reason.
