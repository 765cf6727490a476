%% @doc How the node stands: what runs, in what it is included, what lingers in old code. Read-only, and bounded in time:
%% what is not known by then is left out, and `complete' is false.
-module(erlrc_status).

-export([operation/1, current/1, report/0, report/1]).
-export_type([report/0, application/0, old_code/0, process/0]).

%% For the whole report, in milliseconds.
-define(PATIENCE, 2000).
%% A process that is checked scans its own stack: so many checks, of a process and a module each, and no more.
-define(CHECKS, 20000).
-define(AT_ONCE, 500).
%% How many modules and processes are named.
-define(NAMED, 100).

-type report() :: #{
    otp_release := binary(),
    erts := binary(),
    os_pid := binary(),
    %% OTP's root directory.
    root := binary(),
    erlrc => binary(),
    %% Milliseconds.
    uptime := non_neg_integer(),
    applications := [application()],
    %% Stopped by an operation: not wanted until they are started again.
    stopped := [binary()],
    %% What carries operations out just now.
    operation => #{name := binary(), application => binary(), since := integer(), waiting := non_neg_integer()},
    %% The upgrade whose way back is kept open, for how many milliseconds yet.
    held => #{
        application := binary(), from := binary(), to := binary(), left := non_neg_integer(), over := erlrc_hold:over(),
        held := binary(), changes := [#{application | from | to := binary()}]
    },
    %% The last provisional upgrade that went back by itself.
    went_back => #{
        application := binary(), from := binary(), to := binary(), changes := [#{application | from | to := binary()}],
        why := atom(), since := integer(), outcome := atom(), reason => binary(),
        later := boolean()
    },
    %% What operations could not put right.
    unsettled => [erlrc_unsettled:told()],
    old_code := [old_code()],
    old_modules := non_neg_integer(),
    %% Whether every process was asked about every module that has old code.
    complete := boolean()
}.
-type application() :: #{
    name := binary(),
    vsn := binary(),
    state := running | included | loaded,
    %% The application that runs it.
    includer => binary(),
    dir => binary(),
    %% The version to which a restart of the node goes back, where the boot script of its release has another one.
    after_restart => erlrc_next_boot:other(),
    %% Native libraries of an earlier version that run on, where this one has others.
    old_libraries => [binary()]
}.
%% A module with processes in its old code; `since' (system time, milliseconds) is when that code became old.
-type old_code() :: #{module := binary(), application => binary(), since => integer(), processes := [process()], count := pos_integer()}.
-type process() :: #{pid := binary(), name => binary(), initial_call => binary(), current => binary()}.

%% @doc As {@link report/1}, with the usual patience.
-spec report() -> report().
report() ->
    report(?PATIENCE).

%% @doc How the node stands, after so many milliseconds at most.
-spec report(pos_integer()) -> report().
report(Patience) ->
    Deadline = erlang:monotonic_time(millisecond) + Patience,
    Applications = applications(Patience),
    {OldModules, OldCode, Complete} = old_code(Deadline),
    {Uptime, _} = erlang:statistics(wall_clock),
    Report = #{
        otp_release => list_to_binary(erlang:system_info(otp_release)),
        erts => list_to_binary(erlang:system_info(version)),
        os_pid => list_to_binary(os:getpid()),
        root => text(code:root_dir()),
        uptime => Uptime,
        applications => Applications,
        stopped => stopped(),
        old_code => OldCode,
        old_modules => OldModules,
        complete => Complete
    },
    Current = [{operation, Operation} || #{} = Operation <- [operation(Deadline)]],
    maps:merge(Report, maps:from_list(own_vsn() ++ Current ++ held() ++ went_back() ++ unsettled())).

own_vsn() ->
    [{erlrc, text(Vsn)} || {ok, Vsn} <- [application:get_key(erlrc, vsn)]].

held() ->
    case erlrc_hold:status() of
        none ->
            [];
        #{changes := Changes, over := Over, held := Id, left := Left} = Status ->
            Release = maps:with([release], Status),
            Held = #{left => max(0, Left), over => Over, held => text(Id), changes => [each(Change) || Change <- Changes]},
            [{held, maps:merge(joined(Changes), maps:merge(Held, Release))}]
    end.

%% All of them in one line.
joined(Changes) ->
    Named = fun(Key) -> text(lists:join(" ", [io_lib:format("~ts", [maps:get(Key, Change)]) || Change <- Changes])) end,
    maps:from_list([{Key, Named(Key)} || Key <- [application, from, to]]).

each(Change) ->
    maps:map(fun(_, Value) -> text(io_lib:format("~ts", [Value])) end, maps:with([application, from, to], Change)).

went_back() ->
    case erlrc_provisional:report() of
        none ->
            [];
        #{changes := Changes, why := Why, since := Since, outcome := Outcome} = Told ->
            Reason = [{reason, text(erlrc_error:format_error(Error))} || #{reason := Error} <- [Told]],
            Facts = #{why => Why, since => Since, outcome => Outcome, changes => [each(Change) || Change <- Changes]},
            Later = #{later => maps:get(later, Told, false)},
            [{went_back, lists:foldl(fun maps:merge/2, joined(Changes), [Facts, Later, maps:from_list(Reason)])}]
    end.

unsettled() ->
    [{unsettled, Told} || [_ | _] = Told <- [erlrc_unsettled:report()]].

applications(Patience) ->
    Running = running(Patience div 4),
    Includers = includers(Running),
    Runs = maps:from_keys(Running, runs),
    Boot = erlrc_next_boot:read(),
    Mapped = erlrc_mapped:read(),
    [
        maps:from_list(
            [{after_restart, Other} || Other <- erlrc_next_boot:other(Boot, App, Vsn)] ++ directory(Mapped, App) ++
                application(App, Vsn, Runs, Includers)
        )
     || {App, _, Vsn} <- application:loaded_applications()
    ].

directory(Mapped, App) ->
    case code:lib_dir(App) of
        Dir when is_list(Dir) ->
            [{old_libraries, Old} || [_ | _] = Old <- [erlrc_mapped:old(Mapped, App, Dir)]] ++ [{dir, text(Dir)}];
        {error, bad_name} ->
            []
    end.

%% Where the application controller does not answer, as while an application takes its time to start, its table tells. A
%% library has nothing in there; loaded, it is as good as started.
running(Patience) ->
    try
        [App || {App, _, _} <- application:which_applications(Patience)]
    catch
        exit:_ ->
            [App || [App] <- ets:match(ac_tab, {{application_master, '$1'}, '_'})] ++
                [App || {App, _, _} <- application:loaded_applications(), application:get_key(App, mod) =:= {ok, []}]
    end.

application(App, Vsn, Runs, Includers) ->
    {State, Includer} =
        case {is_map_key(App, Runs), Includers} of
            {true, _} -> {running, []};
            {false, #{App := By}} -> {included, [{includer, text(By)}]};
            {false, _} -> {loaded, []}
        end,
    [{name, text(App)}, {vsn, text(Vsn)}, {state, State}] ++ Includer.

%% By which running application each included one is run.
includers(Running) ->
    maps:from_list([{App, By} || By <- Running, App <- erlrc_node:parts(By), App =/= By]).

stopped() ->
    case ets:whereis(erlrc_table) of
        undefined -> [];
        Table -> [text(App) || [App] <- ets:match(Table, {{stopped, '$1'}, true})]
    end.

%% @doc What is being done, if anything. The server answers at once; an operation has a process of its own.
-spec operation(integer()) -> none | map().
operation(Deadline) ->
    try erlrc_operations:status(left(Deadline)) of
        idle -> none;
        Status -> current(Status)
    catch
        exit:_ -> none
    end.

%% @doc The same of a status that is known.
-spec current(erlrc_operations:status()) -> map().
current(#{operation := {_, Arguments}} = Status) ->
    maps:merge(named(Arguments), maps:with([since, waiting], Status)).

%% What `erlrc_hook' or `erlrcdynamic' was asked for.
named([#{operation := Name} = Operation | _]) ->
    Applications =
        case Operation of
            #{application := App} -> [{application, text(App)}];
            #{changes := Changes} -> [{application, text(lists:join(" ", [text(App) || #{application := App} <- Changes]))}];
            #{} -> []
        end,
    maps:from_list([{name, text(Name)} | Applications]);
named(_Arguments) ->
    #{name => <<"operation">>}.

%% How many modules have old code, those that processes still run, and whether that is all of them.
old_code(Deadline) ->
    case [Module || {Module, _} <- code:all_loaded(), erlang:check_old_code(Module)] of
        [] ->
            {0, [], true};
        Modules ->
            {Pairs, Complete} = lingering(Modules, Deadline),
            {length(Modules), described(Pairs), Complete}
    end.

%% Those on whose stack it shows are found first, for they are checked even where there is no time for all.
lingering(Modules, Deadline) ->
    Pids = processes() -- [self()],
    Suspects = suspects(maps:from_keys(Modules, []), Pids, Deadline, []),
    case length(Modules) * length(Pids) =< ?CHECKS of
        true -> check([{Pid, Module} || Module <- Modules, Pid <- Pids], Deadline, []);
        false -> {element(1, check(Suspects, Deadline, [])), false}
    end.

suspects(_Modules, [], _Deadline, Found) ->
    lists:usort(Found);
suspects(Modules, [Pid | Pids], Deadline, Found) ->
    case left(Deadline) of
        0 ->
            lists:usort(Found);
        _ ->
            Stack = case process_info(Pid, current_stacktrace) of {_, Frames} -> Frames; undefined -> [] end,
            New = [{Pid, Module} || {Module, _, _, _} <- Stack, is_map_key(Module, Modules)],
            suspects(Modules, Pids, Deadline, New ++ Found)
    end.

%% A process that is busy in a native function answers when it is back: nobody waits for it longer than there is time.
check([], _Deadline, Found) ->
    {Found, true};
check(Pairs, Deadline, Found) ->
    {Now, Later} = lists:split(min(?AT_ONCE, length(Pairs)), Pairs),
    Asked = maps:from_list([{ask(Pair), Pair} || Pair <- Now]),
    case answers(Asked, Deadline, Found) of
        {all, More} -> check(Later, Deadline, More);
        {late, More} -> {More, false}
    end.

ask({Pid, Module}) ->
    Ref = make_ref(),
    _ = erlang:check_process_code(Pid, Module, [{async, Ref}]),
    Ref.

answers(Asked, _Deadline, Found) when map_size(Asked) =:= 0 ->
    {all, Found};
answers(Asked, Deadline, Found) ->
    receive
        {check_process_code, Ref, true} when is_map_key(Ref, Asked) ->
            answers(maps:remove(Ref, Asked), Deadline, [maps:get(Ref, Asked) | Found]);
        {check_process_code, Ref, _} when is_map_key(Ref, Asked) ->
            answers(maps:remove(Ref, Asked), Deadline, Found)
    after left(Deadline) ->
        {late, Found}
    end.

described([]) ->
    [];
described(Pairs) ->
    Owners = maps:from_list([
        {Module, App}
     || {App, _, _} <- application:loaded_applications(), Module <- erlrc_node:modules(App)
    ]),
    Modules = lists:usort([Module || {_, Module} <- Pairs]),
    [
        described(Module, [Pid || {Pid, Of} <- Pairs, Of =:= Module], Owners)
     || Module <- lists:sublist(Modules, ?NAMED)
    ].

described(Module, Pids, Owners) ->
    Optional = [{application, text(App)} || #{Module := App} <- [Owners]] ++ [{since, At} || At <- erlrc_purge:since(Module)],
    Named = [process(Pid) || Pid <- lists:sublist(lists:sort(Pids), ?NAMED)],
    maps:from_list([{module, text(Module)}, {processes, Named}, {count, length(Pids)} | Optional]).

process(Pid) ->
    Given = process_info(Pid, [registered_name, dictionary, initial_call, current_function]),
    maps:from_list([{pid, list_to_binary(pid_to_list(Pid))} | about(Given)]).

about([{_, Name}, {_, Dictionary}, {_, Spawned}, {_, Current}]) ->
    Initial = proplists:get_value('$initial_call', Dictionary, Spawned),
    [{name, text(Name)} || Name =/= []] ++ [{initial_call, call(Initial)}, {current, call(Current)}];
about(undefined) ->
    [].

call({M, F, A}) when is_integer(A) -> text(io_lib:format("~ts:~ts/~b", [M, F, A]));
call(Other) -> text(io_lib:format("~tP", [Other, 10])).

left(Deadline) ->
    max(0, Deadline - erlang:monotonic_time(millisecond)).

text(Text) when is_atom(Text) ->
    atom_to_binary(Text);
text(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> <<"?">>
    end.
