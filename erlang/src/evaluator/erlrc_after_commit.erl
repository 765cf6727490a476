%% @doc Functions that a script has called when every node has committed, as where tables of mnesia are transformed:
%% `{apply, {erlrcdynamic, apply_after_commit, [Module, Function, Arguments]}}'.
%%
%% They are no part of the script: nothing is taken back for one that fails, which is told and written into the log.
%% Where a way back is kept open for other nodes they are called when it is given up, by whoever does that.
%%
%% Each is called once. The process that calls it notes so before and afterwards, in a table that outlives all who wait for
%% it: where these are killed, their successor waits for that process. Where that process was killed as well, nobody knows
%% how far the function came: it is not called again, which is told, also by the status of the node.
-module(erlrc_after_commit).

-export([split/1, run/2, once/3]).
-export_type([failure/0]).

-type failure() :: {after_commit_failed, App :: atom(), mfa_call(), Why :: term()}.
-type mfa_call() :: {module(), atom(), [term()]}.
-type result() :: ok | {error, term()}.

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

run_of(#{application := App, committed := Calls} = Change, Left) ->
    Options = maps:get(options, Change, #{}),
    Timeout = min(maps:get(apply_timeout, Options, ?TIMEOUT), Left),
    %% An earlier version of erlrc has given them no name.
    Name = maps:get(calls, Change, make_ref()),
    Numbered = lists:zip(lists:seq(1, length(Calls)), Calls),
    lists:append([told(App, Call, call(Name, Number, Call, Timeout)) || {Number, Call} <- Numbered]);
run_of(_Change, _Left) ->
    [].

-spec call(reference(), pos_integer(), mfa_call(), timeout()) -> result().
call(Name, Number, Call, Timeout) ->
    case erlrc_outcome:call(Name, Number) of
        unknown -> made(erlrc_check:call({?MODULE, once, [Name, Number, Call]}, Timeout), {Name, Number, Call}, Timeout);
        {begun, Pid} -> await(Pid, Name, Number, Timeout);
        {ended, Result} -> Result
    end.

%% Somebody else was quicker.
made({ok, begun}, {Name, Number, Call}, Timeout) -> call(Name, Number, Call, Timeout);
made({ok, Result}, _Of, _Timeout) -> Result;
made({error, _} = Error, {Name, Number, _}, _Timeout) -> ended(Name, Number, Error).

await(Pid, Name, Number, Timeout) ->
    Ref = monitor(process, Pid),
    receive
        {'DOWN', Ref, process, Pid, _} ->
            case erlrc_outcome:call(Name, Number) of
                {ended, Result} -> Result;
                _ -> ended(Name, Number, {error, interrupted})
            end
    after Timeout ->
        demonitor(Ref, [flush]),
        exit(Pid, kill),
        ended(Name, Number, {error, timeout})
    end.

ended(Name, Number, Result) ->
    ok = erlrc_outcome:call_ended(Name, Number, Result),
    Result.

%% @private Calls the function, unless that was begun before.
-spec once(reference(), pos_integer(), mfa_call()) -> begun | result().
once(Name, Number, Call) ->
    case erlrc_outcome:call_begins(Name, Number) of
        true -> ended(Name, Number, result(erlrc_check:result(Call)));
        false -> begun
    end.

result({ok, _}) -> ok;
result({error, _} = Error) -> Error.

told(_App, _Call, ok) ->
    [];
told(App, Call, {error, Why}) ->
    erlrc_journal:log(error, #{event => after_commit_failed, application => App, call => Call, reason => Why}),
    _ = [ok = erlrc_unsettled:call(App, Call) || Why =:= interrupted],
    [{after_commit_failed, App, Call, reason(Why)}].

%% The stack is in the log.
reason({'EXIT', {Reason, Stack}}) when is_list(Stack) -> Reason;
reason({'EXIT', Reason}) -> Reason;
reason(Reason) -> Reason.
