%% @doc Calls from a process that changes its state, or takes new specifications over, to one that stands. In OTP's order
%% the called one may run again by then; here it answers this one call where it stands, in its new code, and nothing else
%% that waits in its mailbox: should the upgrade be taken back, its state goes back with the rest, and no client has
%% been answered.
-module(erlrc_inner_calls).

-export([serve/3, discard/1, settle/1]).
-export_type([call/0, undone/0]).

%% Who waits for whom.
-type call() :: {Caller :: pid(), Called :: pid()}.

%% Of a process whose state has changed before the code does, as going down: where the state is kept that fits the code, the
%% change, and where an error of it is told.
-type undone() :: none | #{kept := term(), module := module(), argument := {term(), term()}, failed := fun((term()) -> term())}.

-define(CHAIN, 5).

%% @doc Has those that stand answer the calls in which these processes wait. Answers the calls.
-spec serve([pid()], Standing :: [pid()], fun((pid()) -> undone())) -> [call()].
serve([], _Standing, _Undone) ->
    [];
serve(Pids, Standing, Undone) ->
    Stands = maps:from_keys(Standing, []),
    Calls = lists:usort(lists:append([calls(Pid, Stands, ?CHAIN) || Pid <- Pids])),
    tell(Calls, fun(Caller, Called) -> answer(Caller, Undone(Called)) end),
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
    lists:foreach(fun({Caller, Called}) -> erlrc_system:tell(Called, Nobody, {replace_state, Request(Caller, Called)}) end, Calls).

answer(Caller, none) ->
    fun(State) -> answer(Caller, get('$initial_call'), State) end;
answer(Caller, #{kept := Kept} = Undone) ->
    fun(State) ->
        case {waiting(fun(Message) -> is_call(Message, Caller) end), get(Kept)} of
            {Message, {_, [Old]}} when Message =/= none -> answer_undone(Caller, Old, State, Undone);
            _ -> State
        end
    end.

%% The code that is loaded is that of the state before its change: that one answers, and is changed again.
answer_undone(Caller, Kept, State, Undone) ->
    Before = case get({?MODULE, state}) of {state, Latest} -> Latest; undefined -> Kept end,
    case answer(Caller, get('$initial_call'), Before) of
        Before -> State;
        Now -> change(Now, State, Undone)
    end.

change(Now, State, #{module := Module, argument := {Vsn, Extra}, failed := Failed}) ->
    _ = put({?MODULE, state}, {state, Now}),
    try changed(Module, Vsn, Now, Extra) of
        {ok, Changed} -> Changed;
        {ok, Name, Data} -> {Name, Data};
        Other -> Failed({error, Other}), State
    catch
        Class:Reason:Stack -> Failed({error, {'EXIT', {{Class, Reason}, Stack}}}), State
    end.

changed(Module, Vsn, Now, Extra) ->
    case {erlang:function_exported(Module, callback_mode, 0), Now} of
        {true, {Name, Data}} -> Module:code_change(Vsn, Name, Data, Extra);
        {false, _} -> Module:code_change(Vsn, Now, Extra)
    end.

is_call({'$gen_call', {Pid, _}, _}, Caller) -> Pid =:= Caller;
is_call(_Message, _Caller) -> false.

answer(Caller, {gen_event, _, _}, State) ->
    handler(Caller, State);
answer(Caller, {Module, _, _}, State) ->
    case [F || {F, A} <- [{handle_call, 3}, {callback_mode, 0}], erlang:function_exported(Module, F, A)] of
        [handle_call | _] -> server(Caller, Module, State);
        [callback_mode] -> machine(Caller, Module, State);
        [] -> State
    end;
answer(_Caller, _Other, State) ->
    State.

server(Caller, Module, State) ->
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

%% A machine that answers from the state that it is in, as most do. What only a running one can do (to change its state,
%% upon which what was postponed comes again, to set a timeout, to postpone) leaves the request where it is.
machine(Caller, Module, {Name, Data} = State) ->
    case waiting(fun(Message) -> is_call(Message, Caller) end) of
        {'$gen_call', From, Request} = Message ->
            case events([{{call, From}, Request}], Module, Name, {Data, []}) of
                {ok, Changed, Replies} ->
                    receive Message -> ok end,
                    lists:foreach(fun({To, Reply}) -> gen_statem:reply(To, Reply) end, Replies),
                    {Name, Changed};
                running ->
                    tried(Message, State)
            end;
        none ->
            State
    end.

events([], _Module, _Name, {Data, Replies}) ->
    {ok, Data, lists:reverse(Replies)};
events([{Type, Content} | Events], Module, Name, {Data, Replies}) ->
    case event(Module, Type, Content, Name, Data) of
        keep_state_and_data -> actions([], Events, Module, Name, {Data, Replies});
        {keep_state_and_data, Actions} -> actions(Actions, Events, Module, Name, {Data, Replies});
        {keep_state, New} -> actions([], Events, Module, Name, {New, Replies});
        {keep_state, New, Actions} -> actions(Actions, Events, Module, Name, {New, Replies});
        {next_state, Name, New} -> actions([], Events, Module, Name, {New, Replies});
        {next_state, Name, New, Actions} -> actions(Actions, Events, Module, Name, {New, Replies});
        _ -> running
    end.

event(Module, Type, Content, Name, Data) ->
    One = lists:member(handle_event_function, lists:flatten([Module:callback_mode()])),
    try
        case One of
            true -> Module:handle_event(Type, Content, Name, Data);
            false -> Module:Name(Type, Content, Data)
        end
    catch
        throw:Result -> Result
    end.

%% Inserted events come before all others.
actions(Actions, Events, Module, Name, {Data, Replies}) when is_list(Actions) ->
    Answers = [{To, Reply} || {reply, To, Reply} <- Actions],
    Inserted = [{Type, Content} || {next_event, Type, Content} <- Actions],
    case length(Answers) + length(Inserted) =:= length([Action || Action <- Actions, not is_hibernate(Action)]) of
        true -> events(Inserted ++ Events, Module, Name, {Data, lists:reverse(Answers) ++ Replies});
        false -> running
    end;
actions(Action, Events, Module, Name, Kept) ->
    actions([Action], Events, Module, Name, Kept).

is_hibernate(hibernate) -> true;
is_hibernate({hibernate, _}) -> true;
is_hibernate(_Action) -> false.

%% A handler of an event manager; the manager calls this for each.
handler(Caller, {Module, Id, State} = Handler) ->
    Name = case Id of false -> Module; _ -> {Module, Id} end,
    IsMeant = fun({Pid, {Pid, _}, {call, Called, _}}) -> Pid =:= Caller andalso Called =:= Name; (_) -> false end,
    case waiting(IsMeant) of
        {_, From, {call, _, Request}} = Message ->
            case Module:handle_call(Request, State) of
                {ok, Reply, Changed} -> told(Message, From, Reply, {Module, Id, Changed});
                {ok, Reply, Changed, hibernate} -> told(Message, From, Reply, {Module, Id, Changed});
                _ -> tried(Message, Handler)
            end;
        none ->
            Handler
    end.

told(Message, From, Reply, Handler) ->
    receive Message -> ok end,
    gen_server:reply(From, Reply),
    Handler.

%% The first such message, which stays in its place; none that was tried before.
waiting(IsMeant) ->
    {messages, Messages} = process_info(self(), messages),
    Tried = get(?MODULE),
    case lists:search(fun(Message) -> Message =/= Tried andalso IsMeant(Message) end, Messages) of
        {value, Message} -> Message;
        false -> none
    end.

tried(Message, State) ->
    _ = put(?MODULE, Message),
    State.

%% @doc All has gone well: what is left in the dictionaries of those that were asked goes.
-spec settle([call()]) -> ok.
settle(Calls) ->
    tell(Calls, fun(_Caller, _Called) ->
        fun(State) ->
            ok = forgotten(),
            State
        end
    end).

forgotten() ->
    _ = [erase(Key) || Key <- [?MODULE, {?MODULE, state}]],
    ok.

%% @doc Has those calls forgotten whose callers wait no more: nobody is to work on them when all run again.
-spec discard([call()]) -> ok.
discard(Calls) ->
    tell([Call || {Caller, Called} = Call <- Calls, not lists:member(Called, erlrc_quiesce:waits_for(Caller))], fun forget/2).

forget(Caller, _Called) ->
    fun(State) ->
        ok = forgotten(),
        ok = dropped(Caller),
        State
    end.

dropped(Caller) ->
    receive
        {'$gen_call', {Caller, _}, _} -> dropped(Caller);
        {Caller, {Caller, _}, {call, _, _}} -> dropped(Caller)
    after 0 -> ok
    end.
