%% @doc Finds the processes that an upgrade concerns.
%%
%% Two sources, at the same time: the supervision trees, whose child specifications name modules, and a scan of all
%% processes by the initial call that proc_lib keeps, which finds unsupervised ones. Supervisors are asked as soon as
%% they are known, all at once: one that is hung, suspended or gone costs a warning, not the upgrade.
%%
%% The work is done in processes of its own: no answer that comes too late and no garbage is left in the caller, which
%% is about to be in a hurry.
-module(erlrc_discover).

-export([processes/2, newcomers/2, children/1]).
-export_type([found/0, target/0]).

%% What a process is to us, the changed modules that it runs, and who stood suspended before we came.
-type target() :: #{
    kind := supervisor | server | event_manager | special,
    modules := [module()],
    suspended := boolean()
}.
-type found() :: #{
    targets := #{pid() => target()},
    %% Supervisors of targets, which are no targets themselves.
    parents := [pid()],
    %% Everything that was alive at the scan, sorted.
    seen := [pid()],
    wanted := #{module() => []},
    %% How this release has to be asked, see `is_slow'.
    slow := boolean(),
    warnings := [term()]
}.

%% Processes that end with their answer; and what OTP 25 does not know.
-dialyzer([{no_return, [apart/1, start_scan/2]}, {nowarn_function, is_slow/0}]).

-define(SUPERVISOR_DEADLINE, 1000).
-define(TICK, 20).
-define(SETTLE, 20).
%% Processes for each scanner.
-define(SCAN, 5000).

%% @doc All processes that run one of `Modules', and their supervisors.
-spec processes([module()], map()) -> found().
processes([], _Options) ->
    #{targets => #{}, parents => [], seen => [], wanted => #{}, slow => false, warnings => []};
processes(Modules, Options) ->
    Wanted = maps:from_keys(Modules, []),
    apart(fun() -> find(Wanted, Options) end).

-spec find(#{module() => []}, map()) -> found().
find(Wanted, Options) ->
    Alive = lists:sort(erlang:processes()),
    Scanners = start_scan(Alive, Wanted),
    {Children, Warnings} = walk(Options),
    Scanned = scanned(Scanners, Wanted),
    Listed = [
        {Pid, Mods}
     || {_, _, Pid, Named} <- Children, Mods <- [[M || M <- Named, is_map_key(M, Wanted)]], Mods =/= []
    ],
    Slow = is_slow(),
    All = lists:foldl(fun(Each, Acc) -> add_listed(Each, Acc, Slow) end, Scanned, Listed),
    Targets = confirm_suspended(All),
    #{
        targets => Targets,
        parents => parents(Targets, Children),
        seen => Alive,
        wanted => Wanted,
        slow => Slow,
        warnings => Warnings
    }.

%% Does something in a process that has nothing else to do.
apart(Fun) ->
    Heap = [{message_queue_data, off_heap}, {min_heap_size, 10000}],
    {Pid, Ref} = spawn_opt(fun() -> answer(Fun()) end, [monitor | Heap]),
    receive
        {'DOWN', Ref, process, Pid, {?MODULE, Result}} -> Result;
        {'DOWN', Ref, process, Pid, Reason} -> error({discover, Reason})
    end.

-spec answer(term()) -> no_return().
answer(Result) ->
    exit({?MODULE, Result}).

%% @doc Those that came after the scan. Their supervisors stand still by now, so the initial call has to do.
-spec newcomers(found(), map()) -> {#{pid() => target()}, found()}.
newcomers(#{wanted := Wanted} = Found, _Options) when map_size(Wanted) =:= 0 ->
    {#{}, Found};
newcomers(#{seen := Seen, wanted := Wanted, slow := Slow} = Found, _Options) ->
    Now = lists:sort(erlang:processes()),
    New = managers(scan(ordsets:subtract(Now, Seen), Wanted, Slow), Wanted),
    {New, Found#{seen := Now}}.

%% A process that was let go a moment ago may not have gone yet; it does not stand in its own right.
confirm_suspended(Targets) ->
    case [Pid || {Pid, #{suspended := true}} <- maps:to_list(Targets)] of
        [] ->
            Targets;
        Pids ->
            receive
            after ?SETTLE -> ok
            end,
            lists:foldl(fun confirm_suspended/2, Targets, Pids)
    end.

confirm_suspended(Pid, Targets) ->
    #{Pid := Target} = Targets,
    case initial(Pid, is_slow()) of
        {_, Current} -> Targets#{Pid := Target#{suspended := is_suspended(Current)}};
        gone -> maps:remove(Pid, Targets)
    end.

add_listed({Pid, Mods}, Targets, Slow) ->
    case Targets of
        #{Pid := #{modules := Mods}} ->
            Targets;
        #{Pid := #{modules := Known} = Target} ->
            Targets#{Pid := Target#{modules := lists:usort(Known ++ Mods)}};
        #{} ->
            case initial(Pid, Slow) of
                gone -> Targets;
                {Initial, Current} -> Targets#{Pid => target(kind(Initial), Mods, Current)}
            end
    end.

target(Kind, Modules, Current) ->
    #{kind => Kind, modules => Modules, suspended => is_suspended(Current)}.

kind({supervisor, _, _}) -> supervisor;
kind({gen_event, _, _}) -> event_manager;
kind({Module, init, 1}) -> behaviour(Module, special);
kind(_) -> special.

%% Processes found by their initial call alone: it must be one of a behaviour, or of a module that answers system
%% messages; a plain loop that proc_lib started is nobody's to suspend.
start_scan(Pids, Wanted) ->
    Slow = is_slow(),
    [
        spawn_monitor(fun() -> answer(scan(Part, Wanted, Slow)) end)
     || Part <- parts(Pids, max(?SCAN, length(Pids) div erlang:system_info(schedulers_online) + 1))
    ].

parts(Pids, Size) when length(Pids) =< Size -> [Pids];
parts(Pids, Size) ->
    {Part, Rest} = lists:split(Size, Pids),
    [Part | parts(Rest, Size)].

scanned(Scanners, Wanted) ->
    Parts = [
        receive
            {'DOWN', Ref, process, Pid, {?MODULE, Part}} -> Part;
            {'DOWN', Ref, process, Pid, Reason} -> error({scan, Reason})
        end
     || {Pid, Ref} <- Scanners
    ],
    managers(lists:append(Parts), Wanted).

%% What event managers run only they know.
managers(Found, Wanted) ->
    {Managers, Others} = lists:partition(fun({_, Target}) -> Target =:= event_manager end, Found),
    maps:from_list(event_managers([Pid || {Pid, _} <- Managers], Wanted) ++ Others).

scan(Pids, Wanted, Slow) ->
    [{Pid, Target} || Pid <- Pids, Target <- scan_one(initial(Pid, Slow), Wanted)].

scan_one({{gen_event, init_it, _}, _}, _Wanted) ->
    [event_manager];
scan_one({{supervisor, Module, _}, Current}, Wanted) when is_map_key(Module, Wanted) ->
    [target(supervisor, [Module], Current)];
scan_one({{Module, Function, Arity}, Current}, Wanted) when is_map_key(Module, Wanted) ->
    case kind(Module, {Function, Arity}) of
        plain -> [];
        Kind -> [target(Kind, [Module], Current)]
    end;
scan_one(_Initial, _Wanted) ->
    [].

kind(Module, Function) ->
    Default = case erlang:function_exported(Module, system_code_change, 4) of true -> special; false -> plain end,
    case Function of
        {init, 1} -> behaviour(Module, Default);
        _ -> Default
    end.

behaviour(Module, Default) ->
    Exports = [{handle_call, 3}, {callback_mode, 0}],
    case lists:any(fun({F, A}) -> erlang:function_exported(Module, F, A) end, Exports) of
        true -> server;
        false -> Default
    end.

is_suspended({sys, suspend_loop, _}) -> true;
is_suspended({sys, suspend_loop_hib, _}) -> true;
is_suspended(_) -> false.

%% Since OTP 26.2 one key can be had without a copy of the whole dictionary. Asked once: to try it for every process
%% takes seconds where it fails.
is_slow() ->
    try process_info(self(), [{dictionary, '$initial_call'}]) of
        _ -> false
    catch
        error:badarg -> true
    end.

initial(Pid, false) ->
    case process_info(Pid, [{dictionary, '$initial_call'}, current_function]) of
        [{_, Initial}, {_, Current}] -> {Initial, Current};
        undefined -> gone
    end;
initial(Pid, true) ->
    case process_info(Pid, [dictionary, current_function]) of
        [{_, Dictionary}, {_, Current}] ->
            case lists:keyfind('$initial_call', 1, Dictionary) of
                {_, Initial} -> {Initial, Current};
                false -> {undefined, Current}
            end;
        undefined ->
            gone
    end.

%% The supervisors of targets, so that none can start a child while we work.
parents(Targets, Children) ->
    Supervisors = lists:foldl(
        fun({Supervisor, _, Pid, _}, Acc) ->
            case is_map_key(Pid, Targets) andalso not is_map_key(Supervisor, Acc) of
                true -> Acc#{Supervisor => []};
                false -> Acc
            end
        end,
        #{},
        Children
    ),
    [Pid || Pid <- maps:keys(Supervisors), is_pid(Pid), not is_map_key(Pid, Targets)].

%% @doc The children in all supervision trees, with the modules of their specifications.
-spec children(map()) -> [erlrc_trees:child()].
children(Options) ->
    {Children, _} = apart(fun() -> walk(Options) end),
    Children.

walk(Options) ->
    erlrc_trees:walk(maps:get(supervisor_timeout, Options, ?SUPERVISOR_DEADLINE), fun is_supervisor/1).

is_supervisor(Pid) ->
    case initial(Pid, is_slow()) of
        {{supervisor, _, _}, _} -> true;
        _ -> false
    end.

event_managers(Pids, Wanted) ->
    Ref = make_ref(),
    _ = [Pid ! {self(), {self(), {Ref, Pid}}, get_modules} || Pid <- Pids],
    [
        {Pid, #{kind => event_manager, modules => Mods, suspended => false}}
     || {Pid, All} <- handlers(Ref, Pids, deadline(?SUPERVISOR_DEADLINE)),
        is_list(All),
        Mods <- [[M || M <- All, is_map_key(M, Wanted)]],
        Mods =/= []
    ].

handlers(_Ref, [], _Deadline) ->
    [];
handlers(Ref, Pids, Deadline) ->
    receive
        {{Ref, Pid}, Modules} -> [{Pid, Modules} | handlers(Ref, lists:delete(Pid, Pids), Deadline)]
    after min(?TICK, left(Deadline)) ->
        case left(Deadline) of
            0 -> [];
            _ -> handlers(Ref, [Pid || Pid <- Pids, is_process_alive(Pid)], Deadline)
        end
    end.

deadline(Timeout) -> erlang:monotonic_time(millisecond) + Timeout.

left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).
