%% @doc One operation at a time on a node, in the order in which they were asked for.
%%
%% The server stands outside the supervision tree of erlrc, because an operation may stop or upgrade
%% erlrc itself and its caller has to be answered all the same. Each operation runs in a process of
%% its own, linked to nobody: it goes on when its caller dies, when the server dies, and when either
%% module is replaced under it. A waiting caller stands in `gen_server:call/3' without a frame of
%% erlrc, so that erlrc can be replaced twice in a row while it waits.
-module(erlrc_operations).
-behaviour(gen_server).

-export([run/3, run/4, status/0, status/1, warn/1, warnings/0]).
-export([enter/0, crashed/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

%% @doc Runs `Module:Function(Arguments...)' after all operations asked for earlier, and returns
%% what it returns. A crash is `{error, {crashed, Reason}}'. An operation that is called from within
%% an operation runs at once.
-spec run(module(), atom(), [term()]) -> term().
run(Module, Function, Arguments) ->
    run(Module, Function, Arguments, {?MODULE, crashed}).

%% @doc As {@link run/3}, with the function of one argument that says what to answer after a crash.
-spec run(module(), atom(), [term()], {module(), atom()}) -> term().
run(Module, Function, Arguments, Crashed) ->
    case get(?MODULE) of
        running ->
            apply(Module, Function, Arguments);
        undefined ->
            ok = ensure_server(),
            gen_server:call(?MODULE, {run, {Module, Function, Arguments}, Crashed}, infinity)
    end.

%% @doc What runs now, since when (system time in milliseconds), and how many operations wait behind
%% it.
-spec status() ->
    idle
    | #{operation := {atom(), [term()]}, since := integer(), waiting := non_neg_integer()}.
status() ->
    status(infinity).

%% @doc As {@link status/0}; exits when there is no answer for so long.
-spec status(timeout()) ->
    idle
    | #{operation := {atom(), [term()]}, since := integer(), waiting := non_neg_integer()}.
status(Timeout) ->
    case whereis(?MODULE) of
        undefined -> idle;
        Server -> gen_server:call(Server, status, Timeout)
    end.

%% @doc Notes a warning of the operation that calls this, and logs it.
-spec warn(term()) -> ok.
warn(Warning) ->
    _ = put(erlrc_warnings, [Warning | warned()]),
    ?LOG_WARNING(#{what => warning, warning => Warning}, #{report_cb => fun erlrc_error:report/1}).

%% @doc The warnings of the operation that calls this.
-spec warnings() -> [term()].
warnings() ->
    lists:reverse(warned()).

warned() ->
    case get(erlrc_warnings) of
        undefined -> [];
        Warnings -> Warnings
    end.

%% @private The process of an operation begins here.
-spec enter() -> ok.
enter() ->
    put(?MODULE, running),
    leave_group().

%% @private
-spec crashed(term()) -> {error, {crashed, term()}}.
crashed(Reason) ->
    {error, {crashed, Reason}}.

%% @private
-spec init([]) -> {ok, map()}.
init([]) ->
    leave_group(),
    {ok, #{current => none, waiting => queue:new()}}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {noreply, map()} | {reply, term(), map()}.
handle_call({run, Operation, Crashed}, From, #{waiting := Waiting} = State) ->
    {noreply, next(State#{waiting := queue:in({Operation, Crashed, From}, Waiting)})};
handle_call(status, _From, #{current := none} = State) ->
    {reply, idle, State};
handle_call(status, _From, #{current := Current, waiting := Waiting} = State) ->
    #{operation := {_, Function, Arguments}, since := Since} = Current,
    Status = #{operation => {Function, Arguments}, since => Since, waiting => queue:len(Waiting)},
    {reply, Status, State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()} | {stop, normal, map()}.
handle_info({'DOWN', Ref, process, _, Reason}, #{current := #{ref := Ref} = Current} = State) ->
    #{from := From, crashed := Crashed} = Current,
    gen_server:reply(From, result(Reason, Crashed)),
    idle(next(State#{current := none}));
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec code_change(term(), map(), term()) -> {ok, map()}.
code_change(_Vsn, State, _Extra) ->
    {ok, State}.

ensure_server() ->
    case whereis(?MODULE) of
        undefined ->
            case gen_server:start({local, ?MODULE}, ?MODULE, [], []) of
                {ok, _} -> ok;
                {error, {already_started, _}} -> ok
            end;
        _ ->
            ok
    end.

next(#{current := none, waiting := Waiting} = State) ->
    case queue:out(Waiting) of
        {{value, {Operation, Crashed, From}}, Rest} ->
            {_Pid, Ref} = perform(Operation),
            Since = erlang:system_time(millisecond),
            Current = #{
                ref => Ref,
                from => From,
                operation => Operation,
                crashed => Crashed,
                since => Since
            },
            State#{current := Current, waiting := Rest};
        {empty, _} ->
            State
    end;
next(State) ->
    State.

%% Evaluated, so that no frame of this module lies under an operation that replaces it, and puts it
%% back.
perform({Module, Function, Arguments}) ->
    {ok, Tokens, _} = erl_scan:string(
        "erlrc_operations:enter(), exit({erlrc_operations, apply(Module, Function, Arguments)})."
    ),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    Values = [{'Module', Module}, {'Function', Function}, {'Arguments', Arguments}],
    Bind = fun({Name, Value}, Bound) -> erl_eval:add_binding(Name, Value, Bound) end,
    Bindings = lists:foldl(Bind, erl_eval:new_bindings(), Values),
    spawn_monitor(erl_eval, exprs, [Expressions, Bindings]).

%% An erlrc that was unloaded leaves no process behind.
idle(#{current := none} = State) ->
    case application:get_key(erlrc, vsn) of
        {ok, _} -> {noreply, State};
        undefined -> {stop, normal, State}
    end;
idle(State) ->
    {noreply, State}.

result({?MODULE, Result}, _Crashed) -> Result;
result(Reason, {Module, Function}) -> Module:Function(Reason).

%% The group leader of a caller may be on another node, that of erlrc ends with erlrc.
leave_group() ->
    {group_leader, Leader} = process_info(whereis(application_controller), group_leader),
    true = group_leader(Leader, self()),
    ok.
