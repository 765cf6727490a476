%% @doc How operations ended, for whoever lost the connection on which the answer was to come.
%%
%% An operation that was asked for with a name of its own (`id') has a row in the table `erlrc_outcome': it waits, it runs,
%% or it ended with this answer. The row `current' is that of the operation that runs, named or not.
%%
%% The table belongs to a process of its own, which stands in no module of erlrc: neither the death of a server, nor the
%% end of erlrc, nor an upgrade of erlrc takes the answers away. The process of an operation stores its answer itself, see
%% `erlrc_operations'.
-module(erlrc_outcome).

-export([open/0, close/0, waits/1, begins/1, ended/2, over/0, find/1, current/0]).
-export([settled/2, settlement/1, noted/2, notes/1]).
-export([unsettled/2, unsettled/0, settled/1]).
-export([call_begins/2, call_ended/3, call/2]).
-export([scripting/1, scripted/2, script/1, script/0]).
-export_type([id/0, how/0, state/0, script/0]).

%% Answers that are kept: so many, and so many bytes; and how many rows there may be until the oldest are looked for.
-define(KEPT, 100).
-define(ROWS, 150).
-define(BYTES, 16#1000000).
%% So many calls that follow a commit.
-define(CALLS, 1000).

-type id() :: binary().
%% What is known of the operation that runs.
-type how() :: #{operation := {module(), atom(), [term()]}, since := integer(), id => id(), _ => _}.
-type script() :: {open, Runner :: pid(), Journal :: ets:table()} | {ended, erlrc_evaluator:result()}.
-type state() :: waiting | {running, pid(), how()} | {ended, Answer :: term()}.

%% @doc Makes sure that there is a table.
-spec open() -> ok.
open() ->
    case ets:whereis(?MODULE) of
        undefined -> start();
        _ -> ok
    end.

%% One of two that start it at the same time ends at once.
start() ->
    {group_leader, Leader} = process_info(whereis(application_controller), group_leader),
    Ready = make_ref(),
    Text =
        "case catch register(erlrc_outcome, self()) of true -> group_leader(Leader, self()),"
        "erlrc_outcome = ets:new(erlrc_outcome, [named_table, public, {read_concurrency, true}]),"
        "Parent ! {Ready, open}, receive {erlrc_outcome, close} -> ok end; _ -> ok end.",
    Values = #{'Leader' => Leader, 'Parent' => self(), 'Ready' => Ready},
    {Keeper, Ref} = spawn_monitor(erl_eval, exprs, erlrc_expressions:arguments(Text, Values)),
    receive
        {Ready, open} -> demonitor(Ref, [flush]), ok;
        {'DOWN', Ref, process, Keeper, _} -> open()
    end.

%% @doc Forgets everything: erlrc is unloaded.
-spec close() -> ok.
close() ->
    case whereis(?MODULE) of
        undefined ->
            ok;
        Keeper ->
            Ref = monitor(process, Keeper),
            Keeper ! {?MODULE, close},
            receive
                {'DOWN', Ref, process, Keeper, _} -> ok
            end
    end.

%% @doc An operation waits for those before it. The oldest answers make room.
-spec waits(id()) -> ok.
waits(Id) ->
    ok = open(),
    ok = case ets:info(?MODULE, size) > ?ROWS orelse bytes() > ?BYTES of true -> forget(); false -> ok end,
    put_row(Id, waiting).

forget() ->
    Ended = lists:reverse(lists:sort(ets:select(?MODULE, [{{'$1', '$2', {ended, '_'}}, [], [{{'$2', '$1'}}]}]))),
    {Kept, Gone} = lists:split(min(?KEPT, length(Ended)), Ended),
    _ = [ets:delete(?MODULE, Id) || {_, Id} <- Gone],
    shrink(lists:reverse(Kept)).

shrink([{_, Id} | [_ | _] = Later]) ->
    case bytes() > ?BYTES of
        true ->
            true = ets:delete(?MODULE, Id),
            shrink(Later);
        false ->
            ok
    end;
shrink(_) ->
    ok.

bytes() ->
    ets:info(?MODULE, memory) * erlang:system_info(wordsize).

%% @doc The calling process carries this operation out from here on, unless another one runs.
-spec begins(how()) -> ok | {busy, pid()}.
begins(How) ->
    case current() of
        {running, Pid, _} when Pid =/= self() ->
            case is_process_alive(Pid) of
                true -> {busy, Pid};
                false -> write_down(How)
            end;
        _ ->
            write_down(How)
    end.

write_down(How) ->
    Running = {running, self(), maps:without([from], How)},
    ok = put_row(current, Running),
    _ = [put_row(Id, Running) || #{id := Id} <- [How]],
    ok.

%% @doc What an operation answered that could not say so itself.
-spec ended(id(), term()) -> ok.
ended(Id, Answer) ->
    put_row(Id, {ended, Answer}).

%% @doc The operation that ran has ended and been answered.
-spec over() -> ok.
over() ->
    ok = open(),
    true = ets:delete(?MODULE, current),
    ok.

put_row(Key, State) ->
    ok = open(),
    true = ets:insert(?MODULE, {Key, erlang:unique_integer([monotonic]), State}),
    ok.

%% @doc What is written down of an operation.
-spec find(id()) -> state() | unknown.
find(Id) ->
    row(Id).

%% @doc The operation that runs, or that was running when its process was killed.
-spec current() -> {running, pid(), how()} | unknown.
current() ->
    row(current).

row(Key) ->
    try ets:lookup(?MODULE, Key) of
        [{_, _, State}] -> State;
        [] -> unknown
    catch
        error:badarg -> unknown
    end.

%% @doc What came of the operation that this process carried out, whether it is dead or not.
-spec settled(pid(), term()) -> ok.
settled(Pid, Result) ->
    put_row(settled, {Pid, Result}).

%% @doc The same, for who knows of the death alone.
-spec settlement(pid()) -> {ok, Result :: term()} | none.
settlement(Pid) ->
    of_process(settled, Pid).

%% @doc What the operation of a process has noted so far, see `erlrc_settlement'.
-spec noted(pid(), [erlrc_settlement:entry()]) -> ok.
noted(Pid, Entries) ->
    put_row(noted, {Pid, Entries}).

%% @doc The same, for who comes when all who knew of it are dead.
-spec notes(pid()) -> {ok, [erlrc_settlement:entry()]} | none.
notes(Pid) ->
    of_process(noted, Pid).

%% @doc The calling process is the guardian of a script that has not ended: who carries it out, and where its journal is.
-spec scripting(script()) -> ok.
scripting(Script) ->
    put_row(script, {self(), Script}).

%% @doc How the script ended over which this guardian watched.
-spec scripted(pid(), erlrc_evaluator:result()) -> ok.
scripted(Guardian, Result) ->
    put_row(script, {Guardian, {ended, Result}}).

%% @doc What is written down of the script of this guardian.
-spec script(pid()) -> {ok, script()} | none.
script(Guardian) ->
    of_process(script, Guardian).

%% @doc The last script, with its guardian.
-spec script() -> {pid(), script()} | unknown.
script() ->
    row(script).

%% @doc The calling process makes this call, which follows a commit; `false' where somebody has begun it already. The oldest
%% of those that ended make room.
-spec call_begins(reference(), pos_integer()) -> boolean().
call_begins(Name, Number) ->
    ok = open(),
    Ended = lists:sort(ets:select(?MODULE, [{{{call, '$1', '$2'}, '$3', {call_ended, '_'}}, [], [{{'$3', '$1', '$2'}}]}])),
    Gone = lists:sublist(Ended, max(0, length(Ended) - ?CALLS)),
    _ = [ets:delete(?MODULE, {call, Of, At}) || {_, Of, At} <- Gone],
    ets:insert_new(?MODULE, {{call, Name, Number}, erlang:unique_integer([monotonic]), {begun, self()}}).

%% @doc How it ended.
-spec call_ended(reference(), pos_integer(), ok | {error, term()}) -> ok.
call_ended(Name, Number, Result) ->
    put_row({call, Name, Number}, {call_ended, Result}).

%% @doc What is known of it.
-spec call(reference(), pos_integer()) -> unknown | {begun, pid()} | {ended, ok | {error, term()}}.
call(Name, Number) ->
    case row({call, Name, Number}) of
        {call_ended, Result} -> {ended, Result};
        State -> State
    end.

%% @doc What an operation could not put right, by application: the last one counts.
-spec unsettled(atom(), erlrc_unsettled:row()) -> ok.
unsettled(App, Row) ->
    put_row({unsettled, App}, Row).

%% @doc All of it.
-spec unsettled() -> [erlrc_unsettled:row()].
unsettled() ->
    try
        [Row || [Row] <- ets:match(?MODULE, {{unsettled, '_'}, '_', '$1'})]
    catch
        error:badarg -> []
    end.

%% @doc It is right by now.
-spec settled(atom()) -> ok.
settled(App) ->
    ok = open(),
    true = ets:delete(?MODULE, {unsettled, App}),
    ok.

of_process(Key, Pid) ->
    case row(Key) of
        {Pid, Value} -> {ok, Value};
        _ -> none
    end.
