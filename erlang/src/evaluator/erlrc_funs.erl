%% @doc Who holds funs of old code, which OTP's own check does not look for: a purge makes them useless; and who holds
%% what else {@link erlrc_look} can look for.
%%
%% Looked at: the states of processes that answer system messages, all dictionaries and message queues, tables that
%% anybody may read, persistent terms. Each within bounds, and the whole within a time; what was not looked at is told.
%% Not seen are funs on the stacks of processes that answer no system messages, and those in private tables.
%%
%% A state is looked at in its process; nothing is copied.
-module(erlrc_funs).

-export([held/2, in_processes/2]).
-export_type([found/0, held/0, place/0, unseen/0]).

-type holder() :: pid() | {table, term()}.
-type found() :: #{held := [{module(), holder()}], complete := boolean()}.
-type place() :: state | dictionary | messages.
-type held() :: {{'fun', module()} | {record, erlrc_look:shape()}, place(), pid()}.
%% What was not looked at, or not all of it: it did not answer, it is large, there was no time left.
-type unseen() :: {pid(), busy | large | late}.

%% Processes at once; terms of each; messages of one queue; words of one dictionary.
-define(SOME, 256).
-define(LOOKS, 20000).
-define(MESSAGES, 1000).
-define(TICK, 20).

-dialyzer({no_return, [apart/1, exiting/1]}).

%% @doc Funs of the old code of these modules, looked for during so many milliseconds.
-spec held([module()], non_neg_integer()) -> found().
held([], _Time) ->
    #{held => [], complete => true};
held(Modules, Time) ->
    Self = self(),
    case apart(fun() -> old_funs(Modules, Time, Self) end) of
        {ok, Found} -> Found;
        failed -> #{held => [], complete => false}
    end.

%% @doc What processes hold of this, looked for during so many milliseconds.
-spec in_processes(erlrc_look:wanted(), non_neg_integer()) -> #{held := [held()], unseen := [unseen()]}.
in_processes(Wanted, Time) ->
    Self = self(),
    case apart(fun() -> look(Wanted, Time, Self) end) of
        {ok, Found} -> Found;
        failed -> #{held => [], unseen => [{Pid, late} || Pid <- processes()]}
    end.

%% Answers that come too late are nobody's.
apart(Fun) ->
    {Pid, Ref} = spawn_opt(fun() -> exiting(Fun) end, [monitor, {priority, low}]),
    receive
        {'DOWN', Ref, process, Pid, {?MODULE, Found}} -> {ok, Found};
        {'DOWN', Ref, process, Pid, _Reason} -> failed
    end.

-spec exiting(fun(() -> term())) -> no_return().
exiting(Fun) ->
    exit({?MODULE, Fun()}).

old_funs(Modules, Time, Asker) ->
    Wanted = erlrc_look:outdated(Modules),
    #{funs := Funs, unseen := Tables} = erlrc_tables:funs(Wanted, Time),
    #{held := Held, unseen := Unseen} = look(Wanted, Time, Asker),
    InTables = [{Module, {table, Table}} || {Table, Module, _} <- Funs],
    InProcesses = [{Module, Pid} || {{'fun', Module}, _, Pid} <- Held],
    #{held => lists:usort(InTables ++ InProcesses), complete => Unseen =:= [] andalso [Table || {Table, Why} <- Tables, Why =/= private] =:= []}.

look(Wanted, Time, Asker) ->
    processes(processes() -- [self(), Asker], Wanted, milliseconds() + Time, #{held => [], unseen => []}).

processes([], _Wanted, _Deadline, Found) ->
    Found;
processes(Pids, Wanted, Deadline, #{unseen := Unseen} = Found) ->
    {Some, Rest} = lists:split(min(?SOME, length(Pids)), Pids),
    case milliseconds() >= Deadline of
        true -> Found#{unseen := [{Pid, late} || Pid <- Pids] ++ Unseen};
        false -> processes(Rest, Wanted, Deadline, some(Some, Wanted, Found))
    end.

some(Pids, Wanted, Found) ->
    Ref = make_ref(),
    {Asked, Seen} = lists:foldl(fun(Pid, Acc) -> begin_with(Pid, Wanted, Ref, Acc) end, {[], Found}, Pids),
    #{answered := Answered} = erlrc_system:collect(Ref, erlrc_system:answers(length(Asked)), ?TICK),
    Silent = [{Pid, busy} || Pid <- Asked -- Answered, is_process_alive(Pid)],
    answers(Ref, Seen#{unseen := Silent ++ maps:get(unseen, Seen)}).

%% Whoever waits for requests looks at itself; others are looked at from here.
begin_with(Pid, Wanted, Ref, {Asked, Found}) ->
    case process_info(Pid, [current_function, message_queue_len]) of
        [{_, {Module, _, _}}, {_, 0}] when Module =:= gen_server; Module =:= gen_statem; Module =:= gen_event ->
            ok = erlrc_system:tell(Pid, erlrc_system:nobody(), {replace_state, in_process(Wanted, Ref, self())}),
            ok = erlrc_system:ask_sign_of_life(Pid, Ref),
            {[Pid | Asked], Found};
        [{_, Current}, {_, Length}] ->
            {Asked, from_here(Pid, Length, Wanted, is_plain(Pid, Current), Found)};
        undefined ->
            {Asked, Found}
    end.

in_process(Wanted, Ref, Self) ->
    fun(State) ->
        {Things, IsComplete} = seen([{state, State}, {dictionary, get()}], Wanted),
        Self ! {Ref, self(), Things, IsComplete},
        State
    end.

seen(Places, Wanted) ->
    Seen = [{Place, erlrc_look:at(Term, Wanted, erlrc_look:new(?LOOKS))} || {Place, Term} <- Places],
    Things = lists:usort([{Thing, Place} || {Place, Each} <- Seen, Thing <- things(Each)]),
    {Things, lists:all(fun({_, Each}) -> erlrc_look:is_complete(Each) end, Seen)}.

things(Seen) ->
    {Funs, _} = erlrc_look:found(Seen),
    [{'fun', Module} || {Module, _} <- Funs] ++ [{record, Record} || Record <- erlrc_look:records(Seen)].

%% The state of a server that is busy or sleeps is not seen.
is_plain(Pid, {erlang, hibernate, 3}) -> not erlrc_system:is_server(Pid);
is_plain(_Pid, {proc_lib, _, _}) -> true;
is_plain(Pid, _Current) -> not erlrc_system:is_server(Pid).

from_here(Pid, Length, _Wanted, _IsPlain, Found) when Length > ?MESSAGES ->
    add(Pid, [], [busy], Found);
from_here(Pid, _Length, Wanted, IsPlain, Found) ->
    case process_info(Pid, [dictionary, messages]) of
        undefined ->
            Found;
        Info ->
            {Things, IsComplete} = seen(Info, Wanted),
            add(Pid, Things, [busy || not IsPlain] ++ [large || not IsComplete], Found)
    end.

add(Pid, Things, Unseen, #{held := Held, unseen := Others}) ->
    #{
        held => [{Thing, Place, Pid} || {Thing, Place} <- Things] ++ Held,
        unseen => [{Pid, Why} || Why <- Unseen] ++ Others
    }.

answers(Ref, Found) ->
    receive
        {Ref, Pid, Things, IsComplete} -> answers(Ref, add(Pid, Things, [large || not IsComplete], Found))
    after 0 -> Found
    end.

milliseconds() -> erlang:monotonic_time(millisecond).
