%% @doc One operation at a time on a node, in the order in which they were asked for.
%%
%% The server stands outside the supervision tree of erlrc, because an operation may stop or upgrade
%% erlrc itself and its caller has to be answered all the same. Each operation runs in a process of
%% its own, linked to nobody: it goes on when its caller dies, when the server dies, and when either
%% module is replaced under it. A waiting caller stands in `gen_server:call/3' without a frame of
%% erlrc, so that erlrc can be replaced twice in a row while it waits.
%%
%% The process of an operation writes down that it runs and what it answers (`erlrc_outcome'): a server that takes the
%% place of a dead one finds the operation that runs, waits for it, and can say how it ended. An operation whose process
%% was killed has ended when its guardian has settled what it left.
%%
%% Whoever asked may have said how long they will wait, see `erlrc_deadline'. What has not begun by then never does. What
%% has begun calls itself off; what cannot is killed, for it would stand in the way of all that follow.
-module(erlrc_operations).
-behaviour(gen_server).

-export([run/3, run/4, status/0, status/1, outcome/1, warn/1, warnings/0]).
-export([enter/1, unfinished/1]).
-export_type([how/0, unfinished/0, status/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, code_change/3]).

-include_lib("kernel/include/logger.hrl").

%% More than an operation has for taking back.
-define(FORCE, 30000).

%% So many processes are waited for that settle what an operation left.
-define(KEEPERS, 3).
%% Milliseconds for an answer of the server.
-define(ANSWER, 2000).

-type how() :: #{
    %% The name under which its outcome can be asked for.
    id => erlrc_outcome:id(),
    deadline => erlrc_deadline:deadline(),
    %% So many milliseconds after its deadline it is killed.
    force => pos_integer(),
    %% A function of one argument that says what to answer for an operation that did not come to its end.
    unfinished => {module(), atom()}
}.
%% It crashed; it never began, as others were before it, the running one being of this status; it was killed in this
%% function; it died, and what it had done was settled with this result.
-type unfinished() :: {crashed, term()} | {waited, status()} | {stuck, mfa()} | {settled, Result :: term(), [term()]}.
-type status() :: #{operation := {atom(), [term()]}, since := integer(), waiting := non_neg_integer()}.

%% @doc Runs `Module:Function(Arguments...)' after all operations asked for earlier, and returns
%% what it returns. A crash is `{error, {crashed, Reason}}'. An operation that is called from within
%% an operation runs at once.
-spec run(module(), atom(), [term()]) -> term().
run(Module, Function, Arguments) ->
    run(Module, Function, Arguments, #{}).

%% @doc As {@link run/3}, with a deadline and other words for what came to no end.
-spec run(module(), atom(), [term()], how()) -> term().
run(Module, Function, Arguments, How) ->
    case get(?MODULE) of
        running ->
            apply(Module, Function, Arguments);
        undefined ->
            ask({run, {Module, Function, Arguments}, How}, infinity)
    end.

%% @doc What runs now, since when (system time in milliseconds), and how many operations wait behind
%% it.
-spec status() -> idle | status().
status() ->
    status(infinity).

%% @doc As {@link status/0}; exits when there is no answer for so long.
-spec status(timeout()) -> idle | status().
status(Timeout) ->
    case {whereis(?MODULE), erlrc_outcome:current()} of
        {undefined, unknown} -> idle;
        _ -> ask(status, Timeout)
    end.

%% @doc How the operation of this name ended, or that it has not.
-spec outcome(erlrc_outcome:id()) -> in_progress | {ended, term()} | unknown_operation.
outcome(Id) ->
    case {erlrc_outcome:find(Id), whereis(?MODULE)} of
        {{ended, _} = Ended, _} -> Ended;
        {unknown, undefined} -> unknown_operation;
        %% The request may stand before this in the server's message queue.
        _ -> ask_outcome(Id)
    end.

%% A server that stands, as it does while erlrc is upgraded, has an operation to wait for.
ask_outcome(Id) ->
    try
        ask({outcome, Id}, ?ANSWER)
    catch
        exit:{timeout, _} -> in_progress
    end.

ask(Question, Timeout) ->
    ok = ensure_server(),
    gen_server:call(?MODULE, Question, Timeout).

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

%% @private What a server of the first release has the process of an operation call.
-spec enter(erlrc_deadline:deadline()) -> ok.
enter(Deadline) ->
    erlrc_operation:enter(#{deadline => Deadline, operation => {?MODULE, unknown, []}}).

%% @private
-spec unfinished(unfinished()) -> term().
unfinished({settled, Result, _Arguments}) ->
    Result;
unfinished(Why) ->
    {error, Why}.

%% @private
-spec init([]) -> {ok, map()}.
init([]) ->
    ok = erlrc_operation:leave_group(),
    ok = erlrc_outcome:open(),
    {ok, adopt(#{current => none, waiting => queue:new()})}.

%% @private
-spec handle_call(term(), gen_server:from(), map()) -> {noreply, map()} | {reply, term(), map()}.
handle_call({run, Operation, How}, From, #{waiting := Waiting} = State) ->
    Defaults = #{deadline => infinity, force => ?FORCE, unfinished => {?MODULE, unfinished}},
    Asked = maps:merge(Defaults, How#{operation => Operation, from => From}),
    ok = alarm(Asked, 0),
    _ = [ok = erlrc_outcome:waits(Id) || #{id := Id} <- [Asked]],
    {noreply, next(State#{waiting := queue:in(Asked, Waiting)})};
handle_call(status, _From, State) ->
    {reply, status_of(State), State};
handle_call({outcome, Id}, _From, State) ->
    {reply, outcome(erlrc_outcome:find(Id), Id, State), State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), map()) -> {noreply, map()}.
handle_cast(_Request, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), map()) -> {noreply, map()} | {stop, normal, map()}.
handle_info({'DOWN', Ref, process, _, Reason}, #{current := #{ref := Ref} = Current} = State) ->
    ended(ending(Reason, Current), Current, State);
handle_info({timeout, _, From}, #{current := #{from := From} = Current} = State) ->
    {noreply, State#{current := late(Current)}};
handle_info({timeout, _, From}, #{waiting := Waiting} = State) ->
    {Late, Others} = lists:partition(fun(Asked) -> maps:get(from, Asked) =:= From end, queue:to_list(Waiting)),
    _ = [answer(Asked, {unfinished, {waited, status_of(State)}}) || Asked <- Late],
    {noreply, State#{waiting := queue:from_list(Others)}};
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
        {{value, Asked}, Rest} ->
            {Pid, Ref} = erlrc_operation:start(Asked),
            Since = erlang:system_time(millisecond),
            State#{current := Asked#{pid => Pid, ref => Ref, since => Since}, waiting := Rest};
        {empty, _} ->
            State
    end;
next(State) ->
    State.

%% What a dead server left: an operation that runs, or one that was killed and may not be settled yet.
adopt(State) ->
    case erlrc_outcome:current() of
        {running, Pid, How} -> adopt(Pid, How, State);
        unknown -> State
    end.

adopt(Pid, How, State) ->
    Defaults = #{deadline => infinity, force => ?FORCE, unfinished => {?MODULE, unfinished}},
    Current = maps:merge(Defaults, How#{from => nobody, pid => Pid, ref => monitor(process, Pid)}),
    ok = alarm(Current, 0),
    State#{current := Current}.

%% An operation that did not come to its end has ended when what it left is settled.
ended({finished, _} = Ending, Current, State) ->
    over(Ending, Current, State);
ended({unfinished, _} = Ending, #{pid := Pid} = Current, State) ->
    #{died := {Died, Why}} = Dead = maps:merge(#{died => {Pid, Ending}}, Current),
    case [Each || Each <- settling(Died, Current), is_pid(Each)] of
        [] ->
            over(settled(settlement(Died, Why), Why, Current), Current, State);
        [Settling | _] ->
            Waits = maps:get(waits, Current, 0) + 1,
            {noreply, State#{current := Dead#{pid := Settling, ref := monitor(process, Settling), waits => Waits}}}
    end.

%% Where the keeper has died, too, another one does its work, but not for ever.
settling(Died, Current) ->
    case {erlrc_settlement:keeper(), maps:get(waits, Current, 0) < ?KEEPERS} of
        {undefined, true} -> [erlrc_settlement:resume(Died), guardian(), erlrc_guardian:resume()];
        {undefined, false} -> [guardian()];
        {Keeper, _} -> [Keeper]
    end.

settlement(Died, Why) ->
    case erlrc_outcome:settlement(Died) of
        none -> erlrc_settlement:give_up(Died, Why);
        Settled -> Settled
    end.

settled({ok, Result}, _Why, #{operation := {_, _, Arguments}}) -> {unfinished, {settled, Result, Arguments}};
settled(none, Why, _Current) -> Why.

over(Ending, Current, State) ->
    ok = answer(Current, Ending),
    ok = erlrc_outcome:over(),
    idle(next(State#{current := none})).

%% One that only keeps the way back open has settled.
guardian() ->
    case erlrc_hold:status() of
        none -> whereis(erlrc_guardian);
        _ -> undefined
    end.

outcome({ended, _} = Ended, _Id, _State) ->
    Ended;
outcome(_Row, Id, #{current := #{id := Id}}) ->
    in_progress;
outcome(unknown, _Id, _State) ->
    unknown_operation;
outcome(_Row, Id, #{waiting := Waiting}) ->
    case [Asked || #{id := Of} = Asked <- queue:to_list(Waiting), Of =:= Id] of
        [_ | _] -> in_progress;
        %% It waited for a server that died.
        [] -> unknown_operation
    end.

%% An erlrc that was unloaded leaves no process behind.
idle(#{current := none} = State) ->
    case application:get_key(erlrc, vsn) of
        {ok, _} -> {noreply, State};
        undefined ->
            ok = erlrc_outcome:close(),
            {stop, normal, State}
    end;
idle(State) ->
    {noreply, State}.

status_of(#{current := none}) ->
    idle;
status_of(#{current := #{operation := {_, Function, Arguments}, since := Since}, waiting := Waiting}) ->
    #{operation => {Function, Arguments}, since => Since, waiting => queue:len(Waiting)}.

%% The last moment of an operation may be the one in which it is killed; a server that came later asks what was written.
ending({?MODULE, Result}, _Current) -> {finished, Result};
ending(_Reason, #{stuck := Where}) -> {unfinished, {stuck, Where}};
ending(Reason, #{id := Id}) ->
    case erlrc_outcome:find(Id) of
        {ended, Result} -> {finished, Result};
        _ -> {unfinished, {crashed, Reason}}
    end;
ending(Reason, _Current) -> {unfinished, {crashed, Reason}}.

answer(Asked, {finished, Result}) ->
    reply(Asked, Result);
answer(#{unfinished := {Module, Function}} = Asked, {unfinished, Why}) ->
    %% That module may be of another version by now.
    reply(Asked, try Module:Function(Why) catch _:_ -> unfinished(Why) end).

reply(#{from := From} = Asked, Answer) ->
    _ = [ok = erlrc_outcome:ended(Id, Answer) || #{id := Id} <- [Asked], erlrc_outcome:find(Id) =/= {ended, Answer}],
    From =:= nobody orelse gen_server:reply(From, Answer),
    ok.

%% At its deadline one that waits is told so; one that runs has some time for taking back.
alarm(#{deadline := infinity}, _Later) ->
    ok;
alarm(#{deadline := Deadline, from := From}, Later) ->
    _ = erlang:start_timer(Deadline + Later, self(), From, [{abs, true}]),
    ok.

late(#{deadline := Deadline, force := Force, pid := Pid} = Current) ->
    case erlang:monotonic_time(millisecond) < Deadline + Force of
        true ->
            ok = alarm(Current, Force),
            Current;
        false ->
            Where = process_info(Pid, current_function),
            true = exit(Pid, kill),
            case Where of
                {_, {_, _, _} = Function} -> Current#{stuck => Function};
                _ -> Current
            end
    end.
