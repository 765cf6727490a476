%% @doc Who holds funs of old code, which OTP's own check does not look for: a purge makes them useless.
%%
%% Looked at: the states of processes that answer system messages, all dictionaries and message queues, tables that
%% anybody may read, persistent terms. Each within bounds, and the whole within a time; what was not looked at is told.
%% Not seen are funs on the stacks of processes that answer no system messages, and those in private tables.
%%
%% A state is looked at in its process; nothing is copied.
-module(erlrc_funs).

-export([held/2]).
-export_type([found/0]).

-type holder() :: pid() | {table, term()}.
-type found() :: #{held := [{module(), holder()}], complete := boolean()}.

%% Processes at once; terms of each; messages of one queue; words of one dictionary.
-define(SOME, 256).
-define(LOOKS, 20000).
-define(MESSAGES, 1000).
-define(TICK, 20).

-dialyzer({no_return, held/2}).

%% @doc Funs of the old code of these modules, looked for during so many milliseconds.
-spec held([module()], non_neg_integer()) -> found().
held([], _Time) ->
    #{held => [], complete => true};
held(Modules, Time) ->
    Self = self(),
    %% Answers that come too late are nobody's.
    {Pid, Ref} = spawn_opt(fun() -> found(Modules, Time, Self) end, [monitor, {priority, low}]),
    receive
        {'DOWN', Ref, process, Pid, {?MODULE, Found}} -> Found;
        {'DOWN', Ref, process, Pid, _Reason} -> #{held => [], complete => false}
    end.

-spec found([module()], non_neg_integer(), pid()) -> no_return().
found(Modules, Time, Asker) ->
    exit({?MODULE, look(Modules, Time, Asker)}).

look(Modules, Time, Asker) ->
    Wanted = erlrc_look:outdated(Modules),
    Deadline = milliseconds() + Time,
    #{funs := Funs, cut := Cut} = erlrc_tables:funs(Wanted, Time),
    Held = [{Module, {table, Table}} || {Table, Module, _} <- Funs],
    processes(processes() -- [self(), Asker], Wanted, Deadline, #{held => lists:usort(Held), complete => Cut =:= []}).

processes([], _Wanted, _Deadline, Found) ->
    Found;
processes(Pids, Wanted, Deadline, Found) ->
    {Some, Rest} = lists:split(min(?SOME, length(Pids)), Pids),
    case milliseconds() >= Deadline of
        true -> Found#{complete := false};
        false -> processes(Rest, Wanted, Deadline, some(Some, Wanted, Found))
    end.

some(Pids, Wanted, Found) ->
    Ref = make_ref(),
    {Asked, Seen} = lists:foldl(fun(Pid, Acc) -> begin_with(Pid, Wanted, Ref, Acc) end, {[], Found}, Pids),
    #{answered := Answered} = erlrc_system:collect(Ref, erlrc_system:answers(length(Asked)), ?TICK),
    Silent = [Pid || Pid <- Asked -- Answered, is_process_alive(Pid)],
    answers(Ref, Seen#{complete := maps:get(complete, Seen) andalso Silent =:= []}).

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
        Seen = erlrc_look:at([State, get()], Wanted, erlrc_look:new(?LOOKS)),
        {Funs, _} = erlrc_look:found(Seen),
        Self ! {Ref, self(), lists:usort([Module || {Module, _} <- Funs]), erlrc_look:is_complete(Seen)},
        State
    end.

%% The state of a server that is busy or sleeps is not seen.
is_plain(Pid, {erlang, hibernate, 3}) -> not erlrc_system:is_server(Pid);
is_plain(_Pid, {proc_lib, _, _}) -> true;
is_plain(Pid, _Current) -> not erlrc_system:is_server(Pid).

from_here(_Pid, Length, _Wanted, _IsPlain, Found) when Length > ?MESSAGES ->
    Found#{complete := false};
from_here(Pid, _Length, Wanted, IsPlain, #{complete := Complete} = Found) ->
    case process_info(Pid, [dictionary, messages]) of
        undefined ->
            Found;
        Info ->
            Seen = erlrc_look:at(Info, Wanted, erlrc_look:new(?LOOKS)),
            {Funs, _} = erlrc_look:found(Seen),
            Whole = Complete andalso IsPlain andalso erlrc_look:is_complete(Seen),
            add(Pid, lists:usort([Module || {Module, _} <- Funs]), Found#{complete := Whole})
    end.

add(Pid, Modules, #{held := Held} = Found) ->
    Found#{held := [{Module, Pid} || Module <- Modules] ++ Held}.

answers(Ref, Found) ->
    receive
        {Ref, Pid, Modules, true} -> answers(Ref, add(Pid, Modules, Found));
        {Ref, Pid, Modules, false} -> answers(Ref, add(Pid, Modules, Found#{complete := false}))
    after 0 -> Found
    end.

milliseconds() -> erlang:monotonic_time(millisecond).
