%% @doc Finds the processes that an upgrade concerns.
%%
%% Two sources, at the same time: the supervision trees, whose child specifications name modules, and a scan of all
%% processes (`erlrc_scan'), which finds unsupervised ones. Where the initial call does not say which callback module a
%% process runs, the process's own word counts more than its child specification (`erlrc_callback'). Supervisors are
%% asked as soon as they are known, all at once: one that is hung, suspended or gone costs a warning, not the upgrade.
%%
%% The work is done in processes of its own: no answer that comes too late and no garbage is left in the caller, which
%% is about to be in a hurry.
-module(erlrc_discover).

-export([processes/2, newcomers/2, children/1]).
-export_type([found/0, target/0]).

-type target() :: erlrc_scan:target().
-type found() :: #{
    targets := #{pid() => target()},
    %% Supervisors of targets, which are no targets themselves.
    parents := [pid()],
    %% Everything that was alive at the scan, sorted.
    seen := [pid()],
    %% Those of them that may come to run one of the modules, and did not yet.
    movers := [pid()],
    %% Those of them of which it cannot be told what they run.
    unknown := [pid()],
    wanted := erlrc_scan:wanted(),
    warnings := [term()]
}.

%% Processes that end with their answer.
-dialyzer({no_return, [apart/1, start_scan/2]}).

-define(SUPERVISOR_DEADLINE, 1000).
-define(TICK, 20).
-define(SETTLE, 20).
%% Processes for each scanner.
-define(SCAN, 5000).
%% Milliseconds for those that came when others stand already.
-define(NEWCOMERS, 50).
%% So many are asked again then.
-define(MOVERS, 1000).

%% @doc All processes that run one of `Modules', and their supervisors.
-spec processes([module()], map()) -> found().
processes([], _Options) ->
    #{targets => #{}, parents => [], seen => [], movers => [], unknown => [], wanted => #{}, warnings => []};
processes(Modules, Options) ->
    Wanted = erlrc_scan:wanted(Modules),
    apart(fun() -> find(Wanted, Options) end).

-spec find(erlrc_scan:wanted(), map()) -> found().
find(Wanted, Options) ->
    Alive = lists:sort(erlang:processes()),
    Scanners = start_scan(Alive, Wanted),
    {Children, Warnings} = walk(Options),
    Parts = scanned(Scanners),
    #{targets := Scanned, own := Own, movers := Movers, unknown := Unknown} = settled(Alive, Parts, Wanted, ?SUPERVISOR_DEADLINE),
    Slow = erlrc_scan:is_slow(),
    Listed = [{Pid, Mods} || {_, _, Pid, Named} <- Children, Mods <- [wanted(Named, Wanted)], Mods =/= []],
    All = lists:foldl(fun(Each, Acc) -> add_listed(Each, Acc, Own, Slow) end, Scanned, Listed),
    Targets = confirm_suspended(All),
    #{
        targets => Targets,
        parents => parents(Targets, Children),
        seen => Alive,
        movers => [Pid || Pid <- Movers, not is_map_key(Pid, Targets)],
        unknown => Unknown -- [Pid || {_, _, Pid, [_ | _]} <- Children],
        wanted => Wanted,
        warnings => Warnings
    }.

wanted(Modules, Wanted) -> [Module || Module <- Modules, is_map_key(Module, Wanted)].

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

%% @doc Those that came after the scan, or came to run one of the modules after it. Their supervisors stand still by now.
-spec newcomers(found(), map()) -> {#{pid() => target()}, found()}.
newcomers(#{wanted := Wanted} = Found, _Options) when map_size(Wanted) =:= 0 ->
    {#{}, Found};
newcomers(#{seen := Seen, wanted := Wanted, movers := Movers} = Found, _Options) ->
    Now = lists:sort(erlang:processes()),
    Again = case length(Movers) > ?MOVERS of true -> []; false -> Movers end,
    New = Again ++ ordsets:subtract(Now, Seen),
    #{targets := Targets, movers := More} = settled(New, [erlrc_scan:processes(New, Wanted)], Wanted, ?NEWCOMERS),
    {Targets, Found#{seen := Now, movers := [Pid || Pid <- More, not is_map_key(Pid, Targets)]}}.

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
    case erlrc_scan:initial(Pid, erlrc_scan:is_slow()) of
        {_, Current} -> Targets#{Pid := Target#{suspended := erlrc_scan:is_suspended(Current)}};
        gone -> maps:remove(Pid, Targets)
    end.

%% A server or supervisor changes its state by its own callback module, whatever module it is told to change: once is
%% enough. A special process and an event manager are told each.
add_listed({Pid, Mods}, Targets, Own, Slow) ->
    case Targets of
        #{Pid := #{kind := Kind}} when Kind =:= server; Kind =:= supervisor -> Targets;
        #{Pid := #{modules := Mods}} -> Targets;
        #{Pid := #{modules := Known} = Target} -> Targets#{Pid := Target#{modules := lists:usort(Known ++ Mods)}};
        #{} -> add_unknown({Pid, Mods}, erlrc_scan:initial(Pid, Slow), Targets, Own)
    end.

add_unknown(_Each, gone, Targets, _Own) ->
    Targets;
add_unknown({Pid, Mods}, {Initial, Current}, Targets, Own) ->
    Target = erlrc_scan:target(erlrc_scan:kind(Initial), Mods, Current),
    case {Target, Own} of
        {_, #{Pid := [Callback | _] = Stack}} -> add_left(Pid, Target#{kind := server, own => Callback}, Initial, Stack, Targets);
        {#{kind := server}, _} -> Targets#{Pid => Target#{modules := [hd(Mods)], own => element(1, Initial)}};
        {#{kind := supervisor}, _} -> Targets#{Pid => Target#{modules := [hd(Mods)]}};
        _ -> Targets#{Pid => Target}
    end.

%% The module that it was started with and has left is its own no longer, whatever its specification says.
add_left(Pid, #{modules := Mods} = Target, {Started, _, _}, Stack, Targets) ->
    case [Module || Module <- Mods, Module =/= Started orelse lists:member(Module, Stack)] of
        [Module | _] -> Targets#{Pid => Target#{modules := [Module]}};
        [] -> Targets
    end.

start_scan(Pids, Wanted) ->
    [
        spawn_monitor(fun() -> answer(erlrc_scan:processes(Part, Wanted)) end)
     || Part <- parts(Pids, max(?SCAN, length(Pids) div erlang:system_info(schedulers_online) + 1))
    ].

parts(Pids, Size) when length(Pids) =< Size -> [Pids];
parts(Pids, Size) ->
    {Part, Rest} = lists:split(Size, Pids),
    [Part | parts(Rest, Size)].

scanned(Scanners) ->
    [
        receive
            {'DOWN', Ref, process, Pid, {?MODULE, Part}} -> Part;
            {'DOWN', Ref, process, Pid, Reason} -> error({scan, Reason})
        end
     || {Pid, Ref} <- Scanners
    ].

%% What a scan leaves open is asked: event managers, state machines, and some servers of each module where nobody else
%% runs a module that is looked for.
settled(Pids, Parts, Wanted, Timeout) ->
    All = fun(Module) -> erlrc_scan:started_by(Module, Pids) end,
    Machines = erlrc_callback:machines(joined(statems, Parts), joined(machines, Parts), All, Timeout),
    #{stacks := Stacks, movers := Movers, unknown := Unknown} = Machines,
    Found = maps:from_list(
        appended(targets, Parts) ++ event_managers(appended(managers, Parts), Wanted, Timeout)
    ),
    Asked = [server(Pid, Module, hd(Stack)) || {Pid, Stack} <- maps:to_list(Stacks), [Module | _] <- [wanted(Stack, Wanted)]],
    Known = maps:merge(maps:without(maps:keys(Stacks), Found), maps:from_list(Asked)),
    #{
        targets => maps:merge(Known, entered(joined(samples, Parts), Known, Wanted, All)),
        own => Stacks,
        movers => Movers,
        unknown => Unknown ++ appended(unknown, Parts)
    }.

appended(Key, Parts) -> lists:append([maps:get(Key, Part) || Part <- Parts]).

joined(Key, Parts) ->
    Join = fun(_, A, B) -> A ++ B end,
    lists:foldl(fun(Part, Acc) -> maps:merge_with(Join, maps:get(Key, Part), Acc) end, #{}, Parts).

server(Pid, Module, Own) ->
    Current =
        case process_info(Pid, current_function) of
            {_, Function} -> Function;
            undefined -> undefined
        end,
    {Pid, (erlrc_scan:target(server, [Module], Current))#{own => Own}}.

entered(Samples, Known, Wanted, All) ->
    Run = maps:from_list([{Module, []} || #{modules := Modules} <- maps:values(Known), Module <- Modules]),
    case [Module || {Module, server} <- maps:to_list(Wanted), not is_map_key(Module, Run)] of
        [] ->
            #{};
        Missing ->
            Found = erlrc_callback:entered(Samples, Missing, All),
            maps:from_list([server(Pid, Module, Module) || {Pid, Module} <- Found])
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
    case erlrc_scan:initial(Pid, erlrc_scan:is_slow()) of
        {{supervisor, _, _}, _} -> true;
        _ -> false
    end.

event_managers(Pids, Wanted, Timeout) ->
    Ref = make_ref(),
    _ = [Pid ! {self(), {self(), {Ref, Pid}}, get_modules} || Pid <- Pids],
    [
        {Pid, #{kind => event_manager, modules => Mods, suspended => false}}
     || {Pid, All} <- handlers(Ref, Pids, deadline(Timeout)),
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
