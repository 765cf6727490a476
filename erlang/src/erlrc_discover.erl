%% @doc Finds the processes that an upgrade concerns.
%%
%% Two sources: the supervision trees, whose child specifications name modules, and a scan of all processes by the
%% initial call that proc_lib keeps, which finds unsupervised ones. Supervisors are asked all at once, each level with
%% a deadline of its own: one that is hung, suspended or gone costs a warning, not the upgrade.
-module(erlrc_discover).

-export([processes/2, newcomers/3, children/1]).
-export_type([found/0, target/0, child/0]).

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
    %% Everything that was alive at the scan.
    seen := #{pid() => []},
    warnings := [term()]
}.
-type child() :: {Supervisor :: pid(), Id :: term(), pid(), [module()]}.

%% What gen(3) itself sends for a request that is answered to an alias.
-dialyzer({no_improper_lists, [ask/2, ask_modules/1]}).

-define(SUPERVISOR_DEADLINE, 1000).
-define(SETTLE, 20).

%% @doc All processes that run one of `Modules', and their supervisors.
-spec processes([module()], map()) -> found().
processes([], _Options) ->
    #{targets => #{}, parents => [], seen => #{}, warnings => []};
processes(Modules, Options) ->
    Wanted = maps:from_keys(Modules, []),
    Alive = erlang:processes(),
    Scanned = scan(Alive, Wanted),
    {Children, Warnings} = walk(Options),
    Listed = [
        {Pid, Id, Mods}
     || {_, Id, Pid, All} <- Children, Mods <- [[M || M <- All, is_map_key(M, Wanted)]], Mods =/= []
    ],
    Targets = confirm_suspended(lists:foldl(fun add_listed/2, Scanned, Listed)),
    #{
        targets => Targets,
        parents => parents(Targets, Children),
        seen => maps:from_keys(Alive, []),
        warnings => Warnings
    }.

%% @doc Those that came after the scan. Their supervisors stand still by now, so the initial call has to do.
-spec newcomers([module()], found(), map()) -> {#{pid() => target()}, found()}.
newcomers([], Found, _Options) ->
    {#{}, Found};
newcomers(Modules, #{seen := Seen, targets := Targets} = Found, _Options) ->
    Fresh = [Pid || Pid <- erlang:processes(), not is_map_key(Pid, Seen)],
    New = scan(Fresh, maps:from_keys(Modules, [])),
    {New, Found#{
        seen := lists:foldl(fun(Pid, Acc) -> Acc#{Pid => []} end, Seen, Fresh),
        targets := maps:merge(Targets, New)
    }}.

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
    case initial(Pid) of
        {_, Current} -> Targets#{Pid := Target#{suspended := is_suspended(Current)}};
        gone -> maps:remove(Pid, Targets)
    end.

add_listed({Pid, _Id, Mods}, Targets) ->
    case Targets of
        #{Pid := #{modules := Known} = Target} ->
            Targets#{Pid := Target#{modules := lists:usort(Known ++ Mods)}};
        #{} ->
            case initial(Pid) of
                gone ->
                    Targets;
                {Initial, Current} ->
                    Targets#{
                        Pid => #{kind => kind(Initial), modules => Mods, suspended => is_suspended(Current)}
                    }
            end
    end.

kind({supervisor, _, _}) -> supervisor;
kind({gen_event, _, _}) -> event_manager;
kind({Module, init, 1}) -> behaviour(Module, special);
kind(_) -> special.

%% Processes found by their initial call alone: it must be one of a behaviour, or of a module that answers system
%% messages; a plain loop that proc_lib started is nobody's to suspend.
scan(Pids, Wanted) ->
    Initials = [{Pid, initial(Pid)} || Pid <- Pids],
    Managers = event_managers([Pid || {Pid, {{gen_event, init_it, _}, _}} <- Initials], Wanted),
    lists:foldl(fun({Pid, Initial}, Acc) -> scan_one(Pid, Initial, Wanted, Acc) end, Managers, Initials).

scan_one(Pid, {{supervisor, Module, _}, Current}, Wanted, Acc) when is_map_key(Module, Wanted) ->
    Acc#{Pid => #{kind => supervisor, modules => [Module], suspended => is_suspended(Current)}};
scan_one(Pid, {{Module, Function, Arity}, Current}, Wanted, Acc) when is_map_key(Module, Wanted) ->
    Default = case erlang:function_exported(Module, system_code_change, 4) of true -> special; false -> plain end,
    Kind = case {Function, Arity} of {init, 1} -> behaviour(Module, Default); _ -> Default end,
    case Kind of
        plain -> Acc;
        _ -> Acc#{Pid => #{kind => Kind, modules => [Module], suspended => is_suspended(Current)}}
    end;
scan_one(_Pid, _Initial, _Wanted, Acc) ->
    Acc.

behaviour(Module, Default) ->
    Exports = [{handle_call, 3}, {callback_mode, 0}],
    case lists:any(fun({F, A}) -> erlang:function_exported(Module, F, A) end, Exports) of
        true -> server;
        false -> Default
    end.

is_suspended({sys, suspend_loop, _}) -> true;
is_suspended({sys, suspend_loop_hib, _}) -> true;
is_suspended(_) -> false.

%% Since OTP 26.2 one key can be had without a copy of the whole dictionary.
initial(Pid) ->
    try process_info(Pid, [{dictionary, '$initial_call'}, current_function]) of
        [{_, Initial}, {_, Current}] -> {Initial, Current};
        undefined -> gone
    catch
        error:badarg -> initial_25(Pid)
    end.

initial_25(Pid) ->
    case process_info(Pid, [dictionary, current_function]) of
        [{_, Dictionary}, {_, Current}] ->
            {proplists:get_value('$initial_call', Dictionary), Current};
        undefined ->
            gone
    end.

%% The supervisors of targets, so that none can start a child while we work. By `$ancestors' for what no tree shows.
parents(Targets, Children) ->
    Known = maps:from_list([{Pid, Sup} || {Sup, _, Pid, _} <- Children]),
    Pids = maps:fold(
        fun(Pid, _, Acc) ->
            case Known of
                #{Pid := Sup} -> Acc#{Sup => []};
                #{} -> Acc
            end
        end,
        #{},
        Targets
    ),
    [Pid || Pid <- maps:keys(Pids), is_pid(Pid), not is_map_key(Pid, Targets)].

%% @doc The children in all supervision trees, with the modules of their specifications.
-spec children(map()) -> [child()].
children(Options) ->
    {Children, _} = walk(Options),
    Children.

walk(Options) ->
    Deadline = maps:get(supervisor_timeout, Options, ?SUPERVISOR_DEADLINE),
    {Roots, Warnings} = roots(Deadline),
    walk([{none, App, Pid} || {App, Pid} <- Roots], [], Warnings, Deadline).

%% The top process of each running application, if it is a supervisor.
roots(Deadline) ->
    Masters = [
        {App, Master}
     || {App, _, _} <- application:which_applications(),
        Master <- [application_controller:get_master(App)],
        is_pid(Master)
    ],
    Ref = make_ref(),
    Self = self(),
    Askers = [
        {spawn(fun() -> Self ! {Ref, App, application_master:get_child(Master)} end), App}
     || {App, Master} <- Masters
    ],
    collect_roots(Ref, Askers, deadline(Deadline), []).

collect_roots(_Ref, [], _Deadline, Roots) ->
    {Roots, []};
collect_roots(Ref, Askers, Deadline, Roots) ->
    receive
        {Ref, App, {Pid, _Module}} when is_pid(Pid) ->
            collect_roots(Ref, lists:keydelete(App, 2, Askers), Deadline, [{App, Pid} || is_supervisor(Pid)] ++ Roots);
        {Ref, App, _} ->
            collect_roots(Ref, lists:keydelete(App, 2, Askers), Deadline, Roots)
    after left(Deadline) ->
        _ = [exit(Pid, kill) || {Pid, _} <- Askers],
        {Roots, [{application_not_answering, App} || {_, App} <- Askers]}
    end.

is_supervisor(Pid) ->
    case initial(Pid) of
        {{supervisor, _, _}, _} -> true;
        _ -> false
    end.

%% Level by level: ask all, then collect. Requests whose answer comes too late are dropped by their alias.
walk([], Children, Warnings, _Deadline) ->
    {Children, Warnings};
walk(Supervisors, Children, Warnings, Timeout) ->
    Asked = maps:from_list([{ask(Pid, which_children), {Id, Pid}} || {_, Id, Pid} <- Supervisors]),
    {Answers, Silent} = collect(Asked, deadline(Timeout), []),
    Level = [Child || {{_, Sup}, List} <- Answers, is_list(List), Child <- level(Sup, List)],
    Below = [{Sup, Id, Pid} || {Sup, Id, Pid, supervisor, _} <- Level],
    Entries = [{Sup, Id, Pid, modules(Pid, Mods)} || {Sup, Id, Pid, _, Mods} <- Level],
    Hung = [{supervisor_not_answering, Id, Pid} || {Id, Pid} <- Silent, is_process_alive(Pid)],
    walk(Below, Entries ++ Children, Hung ++ Warnings, Timeout).

level(Sup, List) ->
    [{Sup, Id, Pid, Type, Mods} || {Id, Pid, Type, Mods} <- List, is_pid(Pid)].

%% `dynamic' says to ask; only an event manager understands the question.
modules(_Pid, Mods) when is_list(Mods) -> Mods;
modules(_Pid, _Dynamic) -> [].

event_managers(Pids, Wanted) ->
    Asked = maps:from_list([{ask_modules(Pid), Pid} || Pid <- Pids]),
    {Answers, _Silent} = collect(Asked, deadline(?SUPERVISOR_DEADLINE), []),
    maps:from_list([
        {Pid, #{kind => event_manager, modules => Mods, suspended => false}}
     || {Pid, All} <- Answers, is_list(All), Mods <- [[M || M <- All, is_map_key(M, Wanted)]], Mods =/= []
    ]).

ask(Pid, Request) ->
    Ref = monitor(process, Pid, [{alias, demonitor}]),
    Pid ! {'$gen_call', {self(), [alias | Ref]}, Request},
    Ref.

ask_modules(Pid) ->
    Ref = monitor(process, Pid, [{alias, demonitor}]),
    Pid ! {self(), {self(), [alias | Ref]}, get_modules},
    Ref.

collect(Asked, _Deadline, Answers) when map_size(Asked) =:= 0 ->
    {Answers, []};
collect(Asked, Deadline, Answers) ->
    receive
        {[alias | Ref], Answer} when is_map_key(Ref, Asked) ->
            demonitor(Ref, [flush]),
            {Who, Rest} = maps:take(Ref, Asked),
            collect(Rest, Deadline, [{Who, Answer} | Answers]);
        {'DOWN', Ref, process, _, _} when is_map_key(Ref, Asked) ->
            collect(maps:remove(Ref, Asked), Deadline, Answers)
    after left(Deadline) ->
        _ = [demonitor(Ref, [flush]) || Ref <- maps:keys(Asked)],
        {Answers, maps:values(Asked)}
    end.

deadline(Timeout) -> erlang:monotonic_time(millisecond) + Timeout.

left(Deadline) -> max(0, Deadline - erlang:monotonic_time(millisecond)).
