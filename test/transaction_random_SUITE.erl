%% @doc Random upgrades and downgrades under load, with failures injected at random: afterwards the node is entirely
%% old or entirely new, nothing stands still, no process is lost, every call is answered once and in order.
%% `ERLRC_RANDOM_SECONDS' says how long (default 10), `ERLRC_RANDOM_SEED' repeats a run.
-module(transaction_random_SUITE).
-include_lib("common_test/include/ct.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2, entirely_old_or_entirely_new/1]).
-export([run/3, client/2]).

-define(SERVERS, [one, two, three]).
-define(STEADY, [calm]).
-define(PLAIN, [plain1, plain2, plain3]).
-define(PER_SERVER, 5).

all() ->
    [entirely_old_or_entirely_new].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

entirely_old_or_entirely_new(Config) ->
    Body = "_ = persistent_term:get(poison, none) =:= self() andalso error(poisoned)",
    Modules = fun(Version) ->
        [service_fixture:plain(Name, Version) || Name <- ?PLAIN] ++ [service_fixture:statem(Version)] ++
            [service_fixture:steady(Name, Version) || Name <- ?STEADY] ++
            [service_fixture:server(Name, Version, case Version of 1 -> "ok"; 2 -> Body end) || Name <- ?SERVERS]
    end,
    Dirs = service_fixture:versions(Config, Modules(1), Modules(2)),
    Seed = list_to_integer(os:getenv("ERLRC_RANDOM_SEED", integer_to_list(erlang:unique_integer([positive])))),
    Seconds = list_to_integer(os:getenv("ERLRC_RANDOM_SECONDS", "10")),
    ct:pal("seed ~p", [Seed]),
    {ok, Rounds} = service_fixture:call(Config, ?MODULE, run, [Dirs, Seconds, Seed]),
    ct:pal("~p", [Rounds]).

%% On the node.

run(Dirs, Seconds, Seed) ->
    _ = rand:seed(exsss, {Seed, 1, 1}),
    Pids = [start(Name, N) || Name <- ?SERVERS, N <- lists:seq(1, ?PER_SERVER)],
    {ok, Machine} = supervisor:start_child(service_sup, service_fixture:child(machine)),
    _ = [apply(Name, version, []) || Name <- ?PLAIN],
    Self = self(),
    Steady = [start(Name, N) || Name <- ?STEADY, N <- lists:seq(1, ?PER_SERVER)],
    persistent_term:put(steady, Steady),
    Clients = [spawn_monitor(?MODULE, client, [Pid, Self]) || Pid <- Pids ++ Steady],
    Deadline = erlang:monotonic_time(millisecond) + Seconds * 1000,
    Result = rounds(Dirs, 1, [Machine | Pids], Deadline, #{}),
    _ = [Client ! stop || {Client, _} <- Clients],
    case {Result, [Reason || {Client, Ref} <- Clients, Reason <- [ended(Client, Ref)], Reason =/= in_order]} of
        {{ok, Rounds}, []} -> {ok, Rounds};
        {{ok, _}, Wrong} -> {clients, Wrong};
        {Failed, _} -> Failed
    end.

start(Name, N) ->
    Spec = service_fixture:child({Name, N}, #{start => {Name, start_link, [N]}, modules => [Name]}),
    {ok, Pid} = supervisor:start_child(service_sup, Spec),
    Pid.

ended(Client, Ref) ->
    receive
        {'DOWN', Ref, process, Client, Reason} -> Reason
    after 1000 -> no_answer
    end.

%% Each answer must be the next number.
client(Pid, Parent) ->
    _ = monitor(process, Parent),
    client(Pid, Parent, 1).

client(Pid, Parent, N) ->
    case gen_server:call(Pid, next, infinity) of
        N -> ok;
        Other -> exit({expected, N, got, Other})
    end,
    receive
        stop -> exit(in_order);
        {'DOWN', _, process, Parent, _} -> exit(parent)
    after rand:uniform(3) - 1 -> client(Pid, Parent, N + 1)
    end.

rounds(Dirs, Version, Pids, Deadline, Seen) ->
    case erlang:monotonic_time(millisecond) > Deadline of
        true ->
            {ok, Seen};
        false ->
            Injection = injection(),
            Result = upgrade(Version, Dirs, Injection, Pids),
            Outcome = case Result of {ok, _} -> new; {error, _} -> old end,
            case settled(Version, Outcome, Injection, Dirs, Pids) of
                {ok, Now} ->
                    Key = {element(1, Injection), case Now of Version -> old; _ -> new end},
                    persistent_term:put(history, lists:sublist([{Injection, Result} | persistent_term:get(history, [])], 4)),
                    rounds(Dirs, Now, Pids, Deadline, maps:update_with(Key, fun(N) -> N + 1 end, 1, Seen));
                Wrong ->
                    {wrong, Injection, {from, Version}, Result, Wrong, {before, persistent_term:get(history, [])}}
            end
    end.

injection() ->
    lists:nth(rand:uniform(8), [
        {none},
        {none},
        {poison, rand:uniform(length(?SERVERS) * ?PER_SERVER)},
        {kill_evaluator, rand:uniform(15) - 1},
        {kill_guardian, rand:uniform(15) - 1},
        {failing_apply, rand:uniform(2)},
        {cancel, rand:uniform(10) - 1},
        {busy, rand:uniform(length(?SERVERS) * ?PER_SERVER)}
    ]).

upgrade(Version, {Old, New}, Injection, Pids) ->
    {Direction, From, To} = case Version of 1 -> {up, Old, New}; 2 -> {down, New, Old} end,
    Names = shuffle(?SERVERS ++ ?STEADY ++ [machine]),
    Loads = [{load_module, Name} || Name <- shuffle(?PLAIN)],
    Updates = [{update, Name, {advanced, []}} || Name <- Names],
    Instructions = [{update, service_server, {advanced, []}} | shuffle(Loads ++ Updates)],
    Options = #{suspend_timeout => 2000},
    {Script, More} = inject(Injection, Instructions, Options, tl(Pids)),
    Result = erlrc_transaction:evaluate(service_fixture:script(Direction, From, To, Script, More)),
    _ = persistent_term:erase(poison),
    wait_for_injections(),
    wait_for_guardian(),
    Result.

inject({poison, N}, Script, Options, Pids) ->
    persistent_term:put(poison, lists:nth(N, Pids)),
    {Script, Options};
inject({kill_evaluator, Delay}, Script, Options, _Pids) ->
    later(Delay, fun() -> [exit(Pid, kill) || Pid <- runner()] end),
    {Script, Options};
inject({kill_guardian, Delay}, Script, Options, _Pids) ->
    later(Delay, fun() -> [exit(Pid, kill) || Pid <- [whereis(erlrc_guardian)], is_pid(Pid)] end),
    {Script, Options};
inject({cancel, Delay}, Script, Options, _Pids) ->
    later(Delay, fun erlrc_transaction:cancel/0),
    {Script, Options};
inject({failing_apply, 1}, Script, Options, _Pids) ->
    {Script ++ [{apply, {erlang, error, [oops]}}], Options};
inject({failing_apply, 2}, Script, Options, _Pids) ->
    {Before, After} = lists:split(length(Script) div 2, Script),
    {Before ++ [{apply, {erlang, error, [oops]}}] ++ After, Options};
inject({busy, N}, Script, Options, Pids) ->
    Pid = lists:nth(N, Pids),
    _ = spawn(fun() -> gen_server:call(Pid, {busy, 100}, infinity) end),
    {Script, Options#{suspend_timeout := 20}};
inject({none}, Script, Options, _Pids) ->
    {Script, Options}.

later(Delay, Fun) ->
    _ = spawn_monitor(fun() ->
        receive
        after Delay -> Fun()
        end,
        exit(injected)
    end),
    ok.

%% One failure at a time: what is to strike this upgrade must not strike the next.
wait_for_injections() ->
    receive
        {'DOWN', _, process, _, injected} -> wait_for_injections()
    after 50 -> ok
    end.

runner() ->
    case whereis(erlrc_guardian) of
        undefined ->
            [];
        Guardian ->
            case process_info(Guardian, monitors) of
                {monitors, Monitors} -> [Pid || {process, Pid} <- Monitors, is_runner(Pid)];
                undefined -> []
            end
    end.

%% A guardian that undoes waits for the code server too.
is_runner(Pid) ->
    case is_pid(Pid) andalso process_info(Pid, dictionary) of
        {dictionary, Dictionary} -> lists:keymember({erlrc_journal, guardian}, 1, Dictionary);
        _ -> false
    end.

wait_for_guardian() ->
    fixture:wait_until(fun() -> whereis(erlrc_guardian) =:= undefined end).

shuffle(List) ->
    [Item || {_, Item} <- lists:sort([{rand:uniform(), Item} || Item <- List])].

%% What must hold, whatever was done.
settled(Version, Outcome, Injection, {Old, New}, Pids) ->
    Other = 3 - Version,
    Now = apply(plain1, version, []),
    Expected = case Outcome of new -> Other; old -> Version end,
    Versions = [apply(Name, version, []) || Name <- ?PLAIN ++ ?STEADY ++ ?SERVERS],
    {Ebin, Gone} = case Now of 1 -> {Old, New}; 2 -> {New, Old} end,
    Path = code:get_path(),
    Checks = [
        {outcome, Now =:= Expected orelse either(Injection)},
        {succeeded, Injection =/= {none} orelse Now =:= Other},
        {code, lists:usort(Versions) =:= [Now]},
        {path, lists:member(service_fixture:ebin(Ebin), Path) andalso
            not lists:member(service_fixture:ebin(Gone), Path)},
        {alive, lists:all(fun erlang:is_process_alive/1, Pids ++ persistent_term:get(steady))},
        {states, states(tl(Pids)) =:= [Now]},
        {machine, machine(hd(Pids)) =:= Now},
        {kept, nothing_kept()}
    ],
    case [Check || {Check, false} <- Checks] of
        [] -> {ok, Now};
        Wrong -> {Wrong, {now, Now}, {versions, Versions}, {machine, machine(hd(Pids))}, {second, state(hd(tl(Pids)))}, {guardian, whereis(erlrc_guardian)}}
    end.

%% Killed at the very end, it may have been through.
either({kill_evaluator, _}) -> true;
either({kill_guardian, _}) -> true;
either(_) -> false.

states(Pids) ->
    lists:usort([state(Pid) || Pid <- Pids]).

machine(Pid) ->
    try
        element(1, gen_statem:call(Pid, state, 1000))
    catch
        exit:Reason -> {stuck, Reason, process_info(Pid, [current_stacktrace, messages, dictionary])}
    end.

state(Pid) ->
    try
        element(1, gen_server:call(Pid, state, 1000))
    catch
        exit:_ -> {stuck, process_info(Pid, [current_stacktrace, messages, dictionary])}
    end.

%% The request to forget may still be on its way to a process that is busy.
nothing_kept() ->
    try fixture:wait_until(fun() -> maps:get(kept, service_fixture:local_photograph([])) =:= [] end, 3000) of
        ok -> true
    catch
        error:{never_true, _} -> false
    end.
