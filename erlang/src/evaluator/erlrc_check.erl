%% @doc Calls to code that is not ours: `apply' instructions and checks, each in a process of its own, so that neither
%% a crash nor a message left behind reaches the operation.
-module(erlrc_check).

-export([call/2, result/1, run/3, run_all/3]).

%% The process ends with its answer.
-dialyzer({no_return, call/2}).

%% @doc Applies and waits. A thrown value is an error as it is in `release_handler'.
-spec call({module(), atom(), [term()]}, timeout()) -> {ok, term()} | {error, term()}.
call({Module, Function, Arguments}, Timeout) ->
    Leader = group_leader(),
    {Pid, Ref} = spawn_monitor(fun() ->
        true = group_leader(Leader, self()),
        answer({Module, Function, Arguments})
    end),
    receive
        {'DOWN', Ref, process, Pid, {?MODULE, Result}} -> Result;
        {'DOWN', Ref, process, Pid, Reason} -> {error, {'EXIT', Reason}}
    after Timeout ->
        demonitor(Ref, [flush]),
        exit(Pid, kill),
        {error, timeout}
    end.

-spec answer({module(), atom(), [term()]}) -> no_return().
answer(Call) ->
    exit({?MODULE, result(Call)}).

%% @doc The same in the calling process, without an end to wait for.
-spec result({module(), atom(), [term()]}) -> {ok, term()} | {error, term()}.
result({Module, Function, Arguments}) ->
    try
        {ok, apply(Module, Function, Arguments)}
    catch
        throw:Value -> {error, Value};
        exit:Reason -> {error, {'EXIT', Reason}};
        error:Reason:Stack -> {error, {'EXIT', {Reason, lists:sublist(Stack, 4)}}}
    end.

%% @doc Several checks, until one does not pass.
-spec run_all(atom(), [{module(), atom(), [term()]}], timeout()) -> ok | {error, {atom(), term(), term()}}.
run_all(_Name, [], _Timeout) ->
    ok;
run_all(Name, [MFA | MFAs], Timeout) ->
    case run(Name, MFA, Timeout) of
        ok -> run_all(Name, MFAs, Timeout);
        Error -> Error
    end.

%% @doc A check passes when it answers `ok' or `true'.
-spec run(atom(), {module(), atom(), [term()]}, timeout()) -> ok | {error, {atom(), term(), term()}}.
run(Name, MFA, Timeout) ->
    case call(MFA, Timeout) of
        {ok, Passed} when Passed =:= ok; Passed =:= true -> ok;
        {ok, Answer} -> {error, {Name, MFA, Answer}};
        {error, Why} -> {error, {Name, MFA, Why}}
    end.
