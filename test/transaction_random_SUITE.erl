%% @doc Upgrades and downgrades under load, with failures injected at every step and at random: afterwards the node is
%% entirely old or entirely new, nothing stands still, no process is lost, every call is answered once and in order.
%% `ERLRC_RANDOM_SECONDS' says how long (default 10), `CT_SEED' repeats a run.
-module(transaction_random_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2, entirely_old_or_entirely_new/1, whatever_ends_at_whatever_step/1]).
-export([the_way_back_goes_on_at_whatever_step/1]).
-export([run/3, sweep/2, step/0, client/2, special_client/1, modules/1]).

-define(SERVERS, [one, two, three]).
-define(STEADY, [calm]).
-define(PLAIN, [plain1, plain2, plain3]).
-define(PER_SERVER, 5).
-define(SUPERVISOR, {update, inner, supervisor}).

all() ->
    [entirely_old_or_entirely_new, whatever_ends_at_whatever_step, the_way_back_goes_on_at_whatever_step].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

entirely_old_or_entirely_new(Config) ->
    Dirs = service_fixture:versions(Config, modules(1), modules(2)),
    Seed = list_to_integer(os:getenv("CT_SEED", integer_to_list(rand:uniform(1000000)))),
    Seconds = list_to_integer(os:getenv("ERLRC_RANDOM_SECONDS", "10")),
    ct:pal("seed ~p", [Seed]),
    {ok, Rounds} = service_fixture:call(Config, ?MODULE, run, [Dirs, Seconds, Seed]),
    ct:pal("~p", [Rounds]).

%% An operation notes in its journal whatever it does, and what begins: each of these is a step. At each of them,
%% forwards and backwards, the evaluator, its guardian or its caller is killed, the evaluator crashes, or it is called
%% off.
whatever_ends_at_whatever_step(Config) ->
    Dirs = service_fixture:versions(Config, modules(1), modules(2)),
    {module, erlrc_journal} = load_instrumented(Config),
    Kinds = [kill_evaluator, kill_guardian, kill_caller, crash, cancel],
    %% In one batch the way back is given up while all stand, if nothing is to follow.
    Runs = [{Script, Version, Kind} || Script <- [whole, barrier, batch], Version <- [1, 2], Kind <- Kinds],
    {ok, Seen} = peer:call(?config(peer, Config), ?MODULE, sweep, [Dirs, Runs], infinity),
    ct:pal("~p", [Seen]),
    Expected = [{Script, Kind, old} || Script <- [whole, barrier, batch], Kind <- Kinds] ++ [{batch, Kind, new} || Kind <- Kinds],
    ?assertEqual([], [Each || Each <- Expected, not is_map_key(Each, Seen)]).

%% The guardian goes the way back, after a check has failed or because an upgrade that is held is reverted, and is killed at
%% each of its steps: its successor arrives at the old version.
the_way_back_goes_on_at_whatever_step(Config) ->
    Dirs = service_fixture:versions(Config, modules(1), modules(2)),
    {module, erlrc_journal} = load_instrumented(Config),
    Kinds = [{whole, fail}, {barrier, fail}, {batch, fail}, {whole, revert}, {batch, revert}],
    Runs = [{Script, Version, Kind} || {Script, Kind} <- Kinds, Version <- [1, 2]],
    {ok, Seen} = peer:call(?config(peer, Config), ?MODULE, sweep, [Dirs, Runs], infinity),
    ct:pal("~p", [Seen]),
    ?assertEqual(lists:sort([{Script, Kind, old} || {Script, Kind} <- Kinds]), lists:sort(maps:keys(Seen))).

%% erlrc_journal with a call of `step/0' at the beginning of what notes and what begins a stage.
load_instrumented(Config) ->
    {ok, {_, [{abstract_code, {_, Forms}}]}} = beam_lib:chunks(code:which(erlrc_journal), [abstract_code]),
    Call = {call, 0, {remote, 0, {atom, 0, ?MODULE}, {atom, 0, step}}, []},
    Instrumented = [
        case Form of
            {function, Line, Name, Arity, Clauses} when {Name, Arity} =:= {note, 1}; {Name, Arity} =:= {went_back, 1}; {Name, Arity} =:= {timed, 2} ->
                {function, Line, Name, Arity, [setelement(5, Clause, [Call | element(5, Clause)]) || Clause <- Clauses]};
            _ ->
                Form
        end
     || Form <- Forms
    ],
    {ok, Module, Beam} = compile:forms(Instrumented, []),
    service_fixture:call(Config, code, load_binary, [Module, "instrumented", Beam]).

%% Every kind of process that an upgrade changes, the supervisor's children among what changes.
modules(Version) ->
    Body = "_ = persistent_term:get(poison, none) =:= self() andalso error(poisoned)",
    Children = case Version of 1 -> [kept, gone]; 2 -> [kept, fresh] end,
    [service_fixture:plain(Name, Version) || Name <- ?PLAIN] ++
        [service_fixture:steady(Name, Version) || Name <- ?STEADY ++ [kept, gone, fresh]] ++
        [service_fixture:server(Name, Version, case Version of 1 -> "ok"; 2 -> Body end) || Name <- ?SERVERS] ++
        [
            service_fixture:statem(Version),
            service_fixture:handler(Version),
            service_fixture:special(Version, normal),
            service_fixture:supervisor(inner, [service_fixture:child(Name) || Name <- Children])
        ].

%% On the node.

run(Dirs, Seconds, Seed) ->
    _ = rand:seed(exsss, {Seed, 1, 1}),
    Deadline = erlang:monotonic_time(millisecond) + Seconds * 1000,
    under_load(fun(Pids) -> rounds(Dirs, 1, Pids, Deadline, #{}) end).

%% With each kind of failure at the first step, the second, and so on, until there is no further step.
sweep(Dirs, Runs) ->
    under_load(fun(Pids) ->
        lists:foldl(
            fun
                ({Script, From, Kind}, {ok, Version, Seen}) ->
                    ok = reach(From, Version, Script, Dirs),
                    sweep({Script, Kind}, 1, From, Dirs, Pids, Seen);
                (_, Wrong) ->
                    Wrong
            end,
            {ok, 1, #{}},
            Runs
        )
    end).

reach(Version, Version, _Script, _Dirs) ->
    ok;
reach(_Version, Other, Script, Dirs) ->
    {ok, _} = struck(Other, Script, none, Dirs),
    ok.

sweep({Script, Kind}, N, Version, Dirs, Pids, Seen) ->
    Counter = counters:new(1, []),
    persistent_term:put(injection, {Kind, Counter, N}),
    Result = struck(Version, Script, Kind, Dirs),
    persistent_term:erase(injection),
    case settled(Version, outcome(Result), {Script, Kind, N}, Dirs, Pids) of
        {ok, Now} ->
            Key = {Script, Kind, case Now of Version -> old; _ -> new end},
            More = maps:update_with(Key, fun(Count) -> Count + 1 end, 1, Seen),
            case counters:get(Counter, 1) >= N of
                true -> sweep({Script, Kind}, N + 1, Now, Dirs, Pids, More);
                false -> {ok, Now, Seen}
            end;
        Wrong ->
            {wrong, {Script, Kind, N}, {from, Version}, Result, Wrong}
    end.

%% The caller is a process of its own, for it may be killed.
struck(Version, Script, Kind, Dirs) ->
    {Direction, From, To, Instructions} = script(Version, Dirs),
    Given = service_fixture:script(Direction, From, To, shaped(Script, Instructions), options(Kind)),
    {Caller, Ref} = spawn_monitor(fun() -> exit({result, evaluate(Kind, Given)}) end),
    persistent_term:put(caller, Caller),
    Result =
        receive
            {'DOWN', Ref, process, Caller, {result, Answer}} -> Answer;
            {'DOWN', Ref, process, Caller, Why} -> {unknown, Why}
        end,
    fixture:wait_until(fun() -> not is_process_alive(persistent_term:get(runner, Caller)) end),
    wait_for_guardian(),
    Result.

options(fail) -> #{service_check => {erlang, is_list, [no]}};
options(revert) -> #{hold => 60000};
options(_Kind) -> #{}.

evaluate(revert, [#{application := App, from := {From, _}, to := {To, _}}] = Script) ->
    {ok, _} = erlrc_transaction:evaluate(Script),
    Which = #{changes => [#{application => App, from => From, to => To}]},
    ok = erlrc_hold:complete(Which#{before => [], 'after' => [], environments => [], merged => [], originals => []}),
    {error, erlrc_hold:revert(Which)};
evaluate(_Kind, Script) ->
    erlrc_transaction:evaluate(Script).

shaped(whole, Instructions) ->
    Instructions;
shaped(batch, Instructions) ->
    Instructions -- [?SUPERVISOR];
shaped(barrier, Instructions) ->
    {Before, After} = lists:split(length(Instructions) div 2, Instructions),
    Before ++ [{apply, {erlang, is_atom, [x]}}] ++ After.

outcome({ok, _}) -> new;
outcome({error, {not_rolled_back, _, [{applied, _}]}}) -> old;
outcome({error, {not_rolled_back, _, _}}) -> wrong;
outcome({error, _}) -> old;
outcome({unknown, _}) -> unknown.

%% @private Called by the journal, in the process that carries the operation out or in a guardian that settles it.
step() ->
    case {get({erlrc_journal, guardian}), get({erlrc_journal, settles}), persistent_term:get(injection, none)} of
        {undefined, true, {Kind, Counter, N}} when Kind =:= fail; Kind =:= revert ->
            is_due(Counter, N) andalso exit(self(), kill);
        {Guardian, _, {Kind, Counter, N}} when is_pid(Guardian) ->
            persistent_term:get(runner, none) =:= self() orelse persistent_term:put(runner, self()),
            Kind =/= fail andalso Kind =/= revert andalso is_due(Counter, N) andalso strike(Kind, Guardian);
        _ ->
            ok
    end.

is_due(Counter, N) ->
    ok = counters:add(Counter, 1, 1),
    counters:get(Counter, 1) =:= N.

strike(kill_evaluator, _Guardian) -> exit(self(), kill);
strike(kill_guardian, Guardian) -> kill(Guardian);
strike(kill_caller, _Guardian) -> kill(persistent_term:get(caller));
strike(crash, _Guardian) -> error(injected);
strike(cancel, Guardian) -> Guardian ! cancel.

kill(Pid) ->
    Ref = monitor(process, Pid),
    exit(Pid, kill),
    receive
        {'DOWN', Ref, process, Pid, _} -> ok
    end.

%% Calls `Fun' with processes of every kind, while clients count.
under_load(Fun) ->
    Pids = [start(Name, N) || Name <- ?SERVERS, N <- lists:seq(1, ?PER_SERVER)],
    [{ok, Machine}, {ok, _}, {ok, Special}, {ok, _}] = [
        supervisor:start_child(service_sup, Spec)
     || Spec <- [
            service_fixture:child(machine),
            #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
            service_fixture:child(special),
            service_fixture:child(inner, #{type => supervisor})
        ]
    ],
    ok = gen_event:add_handler(events, handler, a),
    ok = gen_event:add_handler(events, {handler, b}, b),
    _ = [apply(Name, version, []) || Name <- ?PLAIN],
    Self = self(),
    Steady = [start(Name, N) || Name <- ?STEADY, N <- lists:seq(1, ?PER_SERVER)] ++ [whereis(kept), whereis(events), Special],
    persistent_term:put(steady, Steady),
    Counted = Pids ++ lists:sublist(Steady, ?PER_SERVER) ++ [whereis(kept)],
    Clients = [spawn_monitor(?MODULE, client, [Pid, Self]) || Pid <- Counted] ++ [spawn_monitor(?MODULE, special_client, [Self])],
    Result = Fun([Machine | Pids]),
    _ = [Client ! stop || {Client, _} <- Clients],
    case {Result, [Reason || {Client, Ref} <- Clients, Reason <- [ended(Client, Ref)], Reason =/= in_order]} of
        {Good, []} when element(1, Good) =:= ok -> {ok, element(tuple_size(Good), Good)};
        {Good, Wrong} when element(1, Good) =:= ok -> {clients, Wrong};
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

%% The same over the messages of a special process.
special_client(Parent) ->
    _ = monitor(process, Parent),
    special_client(Parent, 1).

special_client(Parent, N) ->
    special ! {self(), next},
    receive
        {special, N} -> ok;
        {special, Other} -> exit({expected, N, got, Other})
    end,
    receive
        stop -> exit(in_order);
        {special, More} -> exit({twice, More});
        {'DOWN', _, process, Parent, _} -> exit(parent)
    after 1 -> special_client(Parent, N + 1)
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

upgrade(Version, Dirs, Injection, Pids) ->
    {Direction, From, To, Instructions} = script(Version, Dirs),
    {Script, More} = inject(Injection, Instructions, #{suspend_timeout => 2000}, tl(Pids)),
    Result = erlrc_transaction:evaluate(service_fixture:script(Direction, From, To, Script, More)),
    _ = persistent_term:erase(poison),
    wait_for_injections(),
    wait_for_guardian(),
    Result.

script(Version, {Old, New}) ->
    {Direction, From, To} = case Version of 1 -> {up, Old, New}; 2 -> {down, New, Old} end,
    Names = ?SERVERS ++ ?STEADY ++ [machine, handler, special, kept],
    Added = case Version of 1 -> {fresh, gone}; 2 -> {gone, fresh} end,
    Updates = [{update, Name, {advanced, []}} || Name <- Names] ++ [?SUPERVISOR],
    Loads = [{load_module, Name} || Name <- ?PLAIN ++ tuple_to_list(Added)],
    {Direction, From, To, [{update, service_server, {advanced, []}} | shuffle(Loads ++ Updates)]}.

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
    Expected = case Outcome of new -> Other; old -> Version; unknown -> Now; wrong -> wrong end,
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
        {handlers, handlers() =:= [{Now, a}, {Now, b}]},
        {special, special() =:= Now},
        {children, element(1, Injection) =:= batch orelse children() =:= children(Now)},
        {standing, standing()},
        {kept, nothing_kept()}
    ],
    case [Check || {Check, false} <- Checks] of
        [] -> {ok, Now};
        Wrong -> {Wrong, {now, Now}, {versions, Versions}, {machine, machine(hd(Pids))}, {second, state(hd(tl(Pids)))}, {handlers, handlers()}, {children, children()}, {guardian, whereis(erlrc_guardian)}}
    end.

%% Killed at the very end, it may have been through.
either({kill_evaluator, _}) -> true;
either({kill_guardian, _}) -> true;
either(_) -> false.

handlers() ->
    try
        [gen_event:call(events, Handler, state, 1000) || Handler <- [handler, {handler, b}]]
    catch
        exit:_ -> stuck
    end.

special() ->
    try sys:get_state(special, 1000) of
        {_Parent, {Version, _Count}} -> Version
    catch
        exit:_ -> stuck
    end.

children() -> lists:sort([{Id, is_pid(Pid)} || {Id, Pid, _, _} <- supervisor:which_children(inner)]).

children(1) -> [{gone, true}, {kept, true}];
children(2) -> [{fresh, true}, {kept, true}].

standing() ->
    wait(fun() -> maps:get(suspended, service_fixture:local_photograph([])) =:= [] end).

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
    wait(fun() -> maps:get(kept, service_fixture:local_photograph([])) =:= [] end).

wait(Fun) ->
    try fixture:wait_until(Fun, 3000) of
        ok -> true
    catch
        error:{never_true, _} -> false
    end.
