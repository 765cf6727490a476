%% @doc Which callback module a process runs where its initial call does not say: it may have entered a loop with another
%% one (`enter_loop'), or changed, pushed or popped callback modules since.
%%
%% A `gen_statem' says it in its status. A `gen_server' says it to nobody, but holds it in the frame of its loop, which
%% the emulator prints. Nobody is asked who may not answer system messages: what a process loops in is told by the lowest
%% frame of its stack.
-module(erlrc_callback).

-export([loop/2, server/2, entered/3, machines/4, may_leave/1]).
-export_type([machines/0]).

-type machines() :: #{
    %% What those run that were asked.
    stacks := #{pid() => [module()]},
    %% Those that may come to run another one.
    movers := [pid()],
    %% Those that did not answer.
    unknown := [pid()]
}.

%% A larger process is not asked, as its answer is a copy of its state. Words.
-define(STATUS, 1000000).
-define(FRAMES, 100000).
%% Answers on their way at the same time.
-define(AT_ONCE, 100).
%% Milliseconds without an answer until the next are asked, and until those that are missing are given up.
-define(TICK, 20).
-define(SILENCE, 500).

%% @doc The function in which a process that proc_lib started loops; `Current' is its current function.
-spec loop(pid(), mfa()) -> mfa() | unknown.
loop(_Pid, {Behaviour, _, _} = Current) when Behaviour =:= gen_server; Behaviour =:= gen_statem ->
    Current;
loop(_Pid, {erlang, hibernate, 3}) ->
    unknown;
loop(Pid, _Current) ->
    case process_info(Pid, current_stacktrace) of
        {_, Stack} -> lowest(lists:reverse(Stack));
        undefined -> unknown
    end.

%% A stack that is deeper than what the emulator shows does not end in proc_lib.
lowest([{proc_lib, _, _, _}, {Module, Function, Arity, _} | _]) -> {Module, Function, Arity};
lowest(_) -> unknown.

%% @doc Which of `Candidates' a process that loops in `gen_server' runs; `none' where it is another module.
-spec server(pid(), [module()]) -> {ok, module()} | none | unknown.
server(Pid, Candidates) ->
    case process_info(Pid, total_heap_size) of
        {_, Words} when Words > ?FRAMES -> unknown;
        {_, _} -> among(Candidates, process_info(Pid, backtrace));
        undefined -> none
    end.

among(Candidates, {backtrace, Text}) ->
    Lines = lines(Text),
    Named = [Module || Module <- Candidates, Name <- [name(Module)], lists:any(fun(Line) -> names(Line, Name) end, Lines)],
    case Named of
        [Module | _] -> {ok, Module};
        [] -> none
    end;
among(_Candidates, undefined) ->
    none.

name(Module) -> iolist_to_binary(io_lib:format("~p", [Module])).

%% The registers in the frames of gen_server's own functions.
lines(Text) ->
    Frames = binary:split(Text, <<"\n\n">>, [global]),
    lists:append([
        binary:split(Frame, <<"\n">>, [global])
     || Frame <- Frames, [First | _] <- [binary:split(Frame, <<"\n">>)], binary:match(First, <<"(gen_server:">>) =/= nomatch
    ]).

%% OTP 25 has the module in a register of its own, later releases in a tuple with the module's callbacks.
names(<<"y(", Line/binary>>, Module) ->
    case binary:split(Line, <<")     ">>) of
        [_, Module] -> true;
        [_, <<"{callback_cache,", _/bits>> = Tuple] -> has_callback(Tuple, Module);
        [_, <<"{server_data,", _/bits>> = Tuple] -> has_callback(Tuple, Module);
        _ -> false
    end;
names(_Line, _Module) ->
    false.

has_callback(Tuple, Module) ->
    binary:match(Tuple, <<"fun ", Module/binary, ":handle_call/3">>) =/= nomatch.

%% @doc The servers that were started by a module of `Samples' and entered the loop with one of `Modules'. Where no sample
%% did, none did.
-spec entered(#{module() => [pid()]}, [module()], fun((module()) -> [pid()])) -> [{pid(), module()}].
entered(Samples, Modules, All) ->
    Classes = [Module || {Module, Pids} <- maps:to_list(Samples), running(Pids, Modules) =/= []],
    lists:append([running(All(Module), Modules) || Module <- Classes]).

running(Pids, Modules) ->
    [{Pid, Module} || Pid <- Pids, {ok, Module} <- [server(Pid, Modules)]].

%% @doc The callback modules of processes that loop in `gen_statem', by the module that started them, the current one
%% first. Nobody of a module is asked where `Samples' has some of its processes and all of these still run it.
-spec machines(Classes, Samples, All, non_neg_integer()) -> machines() when
    Classes :: #{module() | other => [pid()]},
    Samples :: #{module() => [pid()]},
    All :: fun((module()) -> [pid()]).
machines(Classes, Samples, All, Timeout) ->
    Deadline = erlang:monotonic_time(millisecond) + Timeout,
    Left = [{Module, All(Module)} || {Module, Pids} <- maps:to_list(Samples), has_left(Module, Pids, Deadline)],
    Found = [asked(Module, Pids, Deadline) || {Module, Pids} <- Left ++ maps:to_list(Classes)],
    #{
        stacks => maps:from_list(lists:append([Stacks || {Stacks, _} <- Found])),
        movers => lists:append([Pids || {_, Pids} <- Left ++ maps:to_list(Classes)]),
        unknown => lists:append([Unknown || {_, Unknown} <- Found])
    }.

has_left(Module, Sample, Deadline) ->
    lists:any(fun(Stack) -> Stack =/= [Module] end, maps:values(statems(Sample, Deadline))).

%% One that does not answer is taken to run what started it.
asked(Module, Pids, Deadline) ->
    Stacks = statems(Pids, Deadline),
    Unknown = [Pid || Pid <- Pids, not is_map_key(Pid, Stacks), is_process_alive(Pid)],
    {maps:to_list(Stacks) ++ [{Pid, [Module]} || Module =/= other, Pid <- Unknown], Unknown}.

statems(Pids, Deadline) ->
    statems(Pids, make_ref(), Deadline, {#{}, #{}}).

statems([], Ref, Deadline, {Missing, Found}) ->
    {_, All} = answers(Ref, ?SILENCE, Deadline, {Missing, Found}),
    All;
statems(Pids, Ref, Deadline, {Missing, Found}) ->
    {Some, Rest} = lists:split(min(?AT_ONCE, length(Pids)), Pids),
    Asked = [Pid || Pid <- Some, is_small(Pid)],
    _ = [erlrc_system:ask(Pid, Ref, Pid, get_status) || Pid <- Asked],
    {_, Known} = More = answers(Ref, ?TICK, Deadline, {maps:merge(Missing, maps:from_keys(Asked, [])), Found}),
    case left(Deadline) of
        0 -> Known;
        _ -> statems(Rest, Ref, Deadline, More)
    end.

is_small(Pid) ->
    case process_info(Pid, total_heap_size) of
        {_, Words} -> Words =< ?STATUS;
        undefined -> false
    end.

%% One that is busy keeps nobody waiting: the others are asked meanwhile, and its answer is taken when it comes.
answers(_Ref, _Silence, _Deadline, {Missing, _} = All) when map_size(Missing) =:= 0 ->
    All;
answers(Ref, Silence, Deadline, {Missing, Found}) ->
    receive
        {{Ref, Pid}, Status} -> answers(Ref, Silence, Deadline, {maps:remove(Pid, Missing), found(Pid, Status, Found)})
    after min(Silence, left(Deadline)) ->
        {maps:filter(fun(Pid, _) -> is_process_alive(Pid) end, Missing), Found}
    end.

found(Pid, {status, _, {module, gen_statem}, [_, _, _, _, Misc]}, Found) when is_list(Misc) ->
    case [Modules || {data, Data} <- Misc, is_list(Data), {"Modules", [_ | _] = Modules} <- Data] of
        [Modules | _] -> Found#{Pid => Modules};
        [] -> Found
    end;
found(_Pid, _Status, Found) ->
    Found.

left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).

%% @doc Whether a module can hand its processes over to another one, as far as its file tells.
-spec may_leave(module()) -> boolean().
may_leave(Module) ->
    case code:which(Module) of
        [_ | _] = File -> may_leave_by(erlrc_bytes:chunks(File, [atoms]));
        _ -> true
    end.

may_leave_by({ok, {_, [{atoms, Atoms}]}}) ->
    Actions = [change_callback_module, push_callback_module, pop_callback_module],
    lists:any(fun({_, Atom}) -> lists:member(Atom, Actions) end, Atoms);
may_leave_by({error, beam_lib, _}) ->
    true.
