%% @doc Calls from a process that changes its state, or takes new specifications over, to one that stands. In OTP's order
%% the called one may run again by then; here it answers this one call where it stands, in its new code, and nothing else
%% that waits in its mailbox: should the upgrade be taken back, its state goes back with the rest, and no client has
%% been answered.
-module(erlrc_inner_calls).

-export([serve/2, discard/1]).
-export_type([call/0]).

%% Who waits for whom.
-type call() :: {Caller :: pid(), Called :: pid()}.

-define(CHAIN, 5).

%% @doc Has those that stand answer the calls in which these processes wait. Answers the calls.
-spec serve([pid()], Standing :: [pid()]) -> [call()].
serve([], _Standing) ->
    [];
serve(Pids, Standing) ->
    Stands = maps:from_keys(Standing, []),
    Calls = lists:usort(lists:append([calls(Pid, Stands, ?CHAIN) || Pid <- Pids])),
    tell(Calls, fun answer/1),
    Calls.

%% Over processes that wait in turn, those that answer such a call themselves among them.
calls(_Pid, _Stands, 0) ->
    [];
calls(Pid, Stands, Depth) ->
    Others = erlrc_quiesce:waits_for(Pid),
    [{Pid, Other} || Other <- Others, is_map_key(Other, Stands), has_messages(Other)] ++
        lists:append([calls(Other, Stands, Depth - 1) || Other <- Others, not erlrc_system:is_suspended(Other)]).

has_messages(Pid) ->
    case process_info(Pid, message_queue_len) of
        {_, Length} -> Length > 0;
        undefined -> false
    end.

tell(Calls, Request) ->
    Nobody = erlrc_system:nobody(),
    lists:foreach(fun({Caller, Called}) -> erlrc_system:tell(Called, Nobody, {replace_state, Request(Caller)}) end, Calls).

answer(Caller) ->
    fun(State) ->
        Module = callback_module(get('$initial_call')),
        case erlang:function_exported(Module, handle_call, 3) of
            true -> answer(Caller, Module, State);
            false -> State
        end
    end.

callback_module({supervisor, _, _}) -> supervisor;
callback_module({Module, _, _}) -> Module;
callback_module(_Other) -> undefined.

answer(Caller, Module, State) ->
    receive
        {'$gen_call', {Caller, _} = From, Request} -> handled(Module:handle_call(Request, From, State), From, Module)
    after 0 -> State
    end.

handled({reply, Reply, State}, From, _Module) ->
    gen_server:reply(From, Reply),
    State;
handled({reply, Reply, State, Then}, From, Module) ->
    gen_server:reply(From, Reply),
    then(Then, State, From, Module);
handled({noreply, State}, _From, _Module) ->
    State;
handled({noreply, State, Then}, From, Module) ->
    then(Then, State, From, Module);
handled({stop, Reason, Reply, State}, From, Module) ->
    gen_server:reply(From, Reply),
    handled({stop, Reason, State}, From, Module);
handled({stop, Reason, State}, _From, _Module) ->
    self() ! {system, {erlrc_system:nobody(), erlrc}, {terminate, Reason}},
    State.

%% Timeouts and hibernation are for those that run.
then({continue, Continue}, State, From, Module) -> handled(Module:handle_continue(Continue, State), From, Module);
then(_Timeout, State, _From, _Module) -> State.

%% @doc Has those calls forgotten whose callers wait no more: nobody is to work on them when all run again.
-spec discard([call()]) -> ok.
discard(Calls) ->
    tell([Call || {Caller, Called} = Call <- Calls, not lists:member(Called, erlrc_quiesce:waits_for(Caller))], fun forget/1).

forget(Caller) ->
    fun(State) ->
        ok = dropped(Caller),
        State
    end.

dropped(Caller) ->
    receive
        {'$gen_call', {Caller, _}, _} -> dropped(Caller)
    after 0 -> ok
    end.
