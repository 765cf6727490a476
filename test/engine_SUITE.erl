%% @doc The engine as the VM sees it: what crosses the boundary, where it runs, and that nothing which
%% is thrown at it harms the VM. Every case runs on a peer node, whose death would be seen.
-module(engine_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    terms_come_back_as_they_were/1,
    nesting_is_bounded/1,
    bad_arguments_are_errors/1,
    deep_specification_is_taken_apart/1,
    hostile_file_makes_no_atoms/1,
    many_specifications_bring_as_many_atoms_as_there_is_room_for/1,
    every_function_runs_on_a_dirty_scheduler/1,
    schedulers_stay_free/1,
    concurrent_calls_do_not_disturb_each_other/1,
    modules_are_what_the_generator_takes_them_for/1,
    purge_while_a_call_runs/1,
    missing_library_is_explained/1
]).
%% Called on the peer.
-export([
    changed/0,
    nested/2,
    outcomes/0,
    deep_specification/1,
    atoms_made/1,
    atoms_of_boot/2,
    schedulers/0,
    longest_gap/0,
    kinds/0,
    supervisors/0,
    concurrently/2,
    reload_during_call/0,
    atoms_outside_latin1/0
]).

-define(DEEPEST, 288).

-spec all() -> [atom()].
all() ->
    [
        terms_come_back_as_they_were,
        nesting_is_bounded,
        bad_arguments_are_errors,
        deep_specification_is_taken_apart,
        hostile_file_makes_no_atoms,
        many_specifications_bring_as_many_atoms_as_there_is_room_for,
        every_function_runs_on_a_dirty_scheduler,
        schedulers_stay_free,
        concurrent_calls_do_not_disturb_each_other,
        modules_are_what_the_generator_takes_them_for,
        purge_while_a_call_runs,
        missing_library_is_explained
    ].

init_per_suite(Config) ->
    Config.

end_per_suite(_Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Args =
        case Case of
            schedulers_stay_free -> ["+S", "1:1", "+SDcpu", "1:1"];
            _ -> []
        end,
    {Peer, _} = fixture:start_node(#{name => false, path => [ebin()], args => Args}),
    [{peer, Peer} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(proplists:get_value(peer, Config)).

terms_come_back_as_they_were(Config) ->
    ?assertEqual([], on_peer(Config, changed, [])),
    ?assertEqual(ok, on_peer(Config, atoms_outside_latin1, [])).

nesting_is_bounded(Config) ->
    [
        begin
            ?assertEqual(ok, on_peer(Config, nested, [Shape, ?DEEPEST])),
            ?assertEqual(badarg, on_peer(Config, nested, [Shape, ?DEEPEST + 1])),
            ?assertEqual(badarg, on_peer(Config, nested, [Shape, 1000000]))
        end
     || Shape <- [list, improper, tuple, value, key]
    ],
    ?assertEqual(badarg, on_peer(Config, nested, [tail, 1000000])).

bad_arguments_are_errors(Config) ->
    ?assertEqual([], on_peer(Config, outcomes, [])).

deep_specification_is_taken_apart(Config) ->
    ?assertMatch({ok, #{actions := _}}, on_peer(Config, deep_specification, [200])).

%% 1 MiB of atoms that no node has yet.
hostile_file_makes_no_atoms(Config) ->
    Dir = filename:join([proplists:get_value(priv_dir, Config), "hostile", "lib"]),
    File = registered(Dir, "hostile"),
    Atoms = lists:join(",", [["u", integer_to_list(N, 36)] || N <- lists:seq(10000000, 10000000 + 150000)]),
    ok = file:write_file(File, ["{application,hostile,[{modules,[", Atoms, "]}]}.\n"]),
    ?assert(filelib:file_size(File) > 1 bsl 20),
    Made = on_peer(Config, atoms_made, [Dir]),
    ?assertMatch([{consult, error, _}, {application, error, _}, {make_appup, error, _}, {transition, error, _}], Made),
    [?assert(New < 100, {Function, New}) || {Function, error, New} <- Made].

%% Ten applications of ten thousand atoms each: more than one file may bring.
many_specifications_bring_as_many_atoms_as_there_is_room_for(Config) ->
    Root = filename:join(proplists:get_value(priv_dir, Config), "many"),
    Dirs = [filename:join(Root, "many" ++ integer_to_list(N)) || N <- lists:seq(0, 9)],
    [write_many(Dir) || Dir <- Dirs],
    [
        begin
            {Refused, New} = on_peer(Config, atoms_of_boot, [Dirs, More]),
            ?assertEqual({error, {too_many_new_atoms, Most}}, Refused),
            ?assert(New < 100, New)
        end
     || {Most, More} <- [{65536, #{}}, {99999, #{atoms => 99999}}]
    ],
    {Answer, Made} = on_peer(Config, atoms_of_boot, [Dirs, #{atoms => 100100}]),
    ?assertMatch({ok, #{outcome := booted}}, Answer),
    ?assert(Made >= 100000, Made).

write_many(Dir) ->
    App = filename:basename(Dir),
    Modules = [[App, $_, integer_to_list(N)] || N <- lists:seq(1, 10000)],
    Specification = ["{application,", App, ",[{vsn,\"1\"},{modules,[", lists:join(",", Modules), "]}]}.\n"],
    ok = file:write_file(registered(Dir, App), Specification).

%% Where the specification of an application in a directory is, which is a root too.
registered(Dir, App) ->
    File = filename:join([Dir, "ebin", App ++ ".app"]),
    Registration = filename:join([filename:dirname(Dir), "applications", App]),
    [ok = filelib:ensure_dir(Name) || Name <- [File, Registration]],
    ok = file:write_file(Registration, ""),
    File.

every_function_runs_on_a_dirty_scheduler(Config) ->
    Schedulers = on_peer(Config, schedulers, []),
    ?assertMatch([_, _ | _], Schedulers),
    [?assertEqual({Function, [0]}, {Function, Ids}) || {Function, Ids} <- Schedulers].

%% On the node's one scheduler a process takes the time, again and again, while a long call runs.
schedulers_stay_free(Config) ->
    {Call, Gap} = on_peer(Config, longest_gap, []),
    ct:pal("call ~b us, longest gap between two turns ~b us", [Call, Gap]),
    ?assert(Call > 100000),
    ?assert(Gap < Call div 4).

concurrent_calls_do_not_disturb_each_other(Config) ->
    ?assertEqual([], on_peer(Config, concurrently, [50, 100])).

%% Of loaded code what it calls is not known.
modules_are_what_the_generator_takes_them_for(Config) ->
    Kinds = [supervisor, supervisor, supervisor, supervisor, server, server, state_machine, event_handler, special, custom, plain],
    ?assertEqual(Kinds, on_peer(Config, kinds, [])),
    ?assertEqual([true, true, false, false, true], on_peer(Config, supervisors, [])).

kinds() ->
    Modules = [
        {m, [{init, 1}], [supervisor]},
        {m, [{init, 1}], ['Elixir.DynamicSupervisor']},
        {m, [{init, 1}, {start_link, 0}], []},
        {m, [{init, 1}, {handle_call, 3}], [pool_sup]},
        {m, [{init, 1}, {handle_call, 3}], []},
        {m, [{init, 1}], ['Elixir.GenServer']},
        {m, [{init, 1}, {callback_mode, 0}], []},
        {m, [{init, 1}], [gen_event]},
        {m, [{init, 1}, {system_code_change, 4}], []},
        {m, [{start, 2}], [ranch_transport]},
        {m, [{start, 2}], [application]}
    ],
    [element(2, {ok, _} = erlrc_engine:module_kind(Module, [pool_sup])) || Module <- Modules].

%% The list that the environment has reaches the evaluator.
supervisors() ->
    {module, _} = code:ensure_loaded(kernel),
    Known = [erlrc_segment:is_supervisor(Module) || Module <- [kernel, erlrc_sup, lists, nowhere], _ <- [code:ensure_loaded(Module)]],
    ok = application:set_env(erlrc, supervisors, [lists]),
    Known ++ [erlrc_segment:is_supervisor(lists)].

purge_while_a_call_runs(Config) ->
    ?assertEqual(ok, on_peer(Config, reload_during_call, [])).

missing_library_is_explained(Config) ->
    Ebin = filename:join([proplists:get_value(priv_dir, Config), "alone", "ebin"]),
    Beam = filename:join(Ebin, "erlrc_engine.beam"),
    ok = filelib:ensure_dir(Beam),
    {ok, _} = file:copy(filename:join(fixture:erlrc_ebin(), "erlrc_engine.beam"), Beam),
    Peer = proplists:get_value(peer, Config),
    true = fixture:call(Peer, code, set_path, [[Ebin, ebin() | otp_path(Peer)]]),
    {engine_not_loaded, Text} = on_peer(Config, nested, [list, 1]),
    ?assertMatch({match, _}, re:run(Text, "erlrc_nif-[0-9a-f]{16}\\.so.*native/build\\.sh")).

%% The terms that a round trip changes.
changed() ->
    [Term || Term <- terms(), erlrc_engine:round_trip(Term) =/= {ok, Term}].

terms() ->
    Self = self(),
    Leaves = [Self, make_ref(), hd(erlang:ports()), fun() -> Self end, fun changed/0 | leaves()],
    Leaves ++ [Leaves, list_to_tuple(Leaves), maps:from_keys(Leaves, Leaves)] ++
        [[Leaf] || Leaf <- Leaves] ++ [{Leaf} || Leaf <- Leaves] ++ [[Leaf | b] || Leaf <- Leaves] ++
        [[a, Leaf | <<"tail">>] || Leaf <- Leaves] ++ [#{Leaf => Leaf} || Leaf <- Leaves].

leaves() ->
    [
        a, '', 'A b', '\\\n\'', 'häß', list_to_atom(lists:duplicate(255, $ä)),
        0, 1, -1, 255, 256, -256, 1.0, -1.5, 1.0e300, 4.9e-324,
        <<>>, <<0>>, <<"binary">>, binary:copy(<<"x">>, 100000),
        binary:part(binary:copy(<<"sub">>, 100), 50, 101),
        [], "text", "häß", [16#65E5, 16#10FFFF, 0], [16#D800], [16#110000], [1, -1], [1, a], "tail" ++ x,
        lists:duplicate(10000, $x), lists:duplicate(10000, x), lists:seq(-5000, 5000),
        {}, #{}, fun lists:map/2, fun 'no such':'module\n'/255,
        list_to_tuple(lists:seq(1, 10000)), maps:from_keys(lists:seq(1, 10000), v)
    ] ++
        [Sign * ((1 bsl Bits) + Near) || Bits <- [27, 28, 31, 32, 59, 60, 63, 64, 2040, 2048, 100000],
            Near <- [-1, 0, 1], Sign <- [1, -1]] ++
        [<<16#ABCDEF:Bits>> || Bits <- lists:seq(1, 24)].

%% In the source they would be atoms of the module, known in any case.
atoms_outside_latin1() ->
    Atoms = [list_to_atom([16#65E5, $a + I]) || I <- lists:seq(0, 20)] ++
        [list_to_atom(lists:duplicate(255, 16#10FFFF))],
    Funs = [fun A:A/1 || A <- Atoms],
    {ok, Atoms} = erlrc_engine:round_trip(Atoms),
    {ok, Funs} = erlrc_engine:round_trip(Funs),
    ok.

nested(Shape, Depth) ->
    outcome(round_trip, [nest(Shape, Depth, [])]).

nest(_, 1, Term) -> Term;
nest(list, Depth, Term) -> nest(list, Depth - 1, [Term]);
nest(tuple, Depth, Term) -> nest(tuple, Depth - 1, {Term});
nest(improper, Depth, Term) -> nest(improper, Depth - 1, [Term | a]);
nest(tail, Depth, Term) -> nest(tail, Depth - 1, [a | {Term}]);
nest(value, Depth, Term) -> nest(value, Depth - 1, #{a => Term});
nest(key, Depth, Term) -> nest(key, Depth - 1, #{Term => a}).

%% The calls of any function that with an argument of the wrong kind, in any place, end in something
%% else than an error or an answer.
outcomes() ->
    Bad = [
        self(), make_ref(), fun() -> ok end, 1 bsl 70, -1, 1.5, a, [], {}, #{}, <<1:3>>, <<255>>, "\0",
        <<"a", 0>>, [$a | b], [16#110000], nest(tuple, 1000, a), binary:copy(<<"/x">>, 100000),
        [{a, b}], {"1", "/nonexistent"}, {"1", {loaded, a, b}}, {start, a, "1", "/nonexistent"}, boot,
        {application, a, [{vsn, a} | b]}, #{root => a, path => [a | b], libs => []}
    ],
    Good = ["/nonexistent", a, {"1", "/nonexistent"}, #{}],
    [
        {Function, Arguments, Outcome}
     || {Function, Arity} <- functions(),
        Place <- lists:seq(1, Arity),
        Rest <- Good,
        Value <- Bad,
        Arguments <- [[case P of Place -> Value; _ -> Rest end || P <- lists:seq(1, Arity)]],
        Outcome <- [outcome(Function, Arguments)],
        not lists:member(Outcome, [badarg, error, ok, answer])
    ].

deep_specification(Depth) ->
    Facts = facts("/nonexistent", []),
    Env = [{Shape, nest(Shape, Depth, a)} || Shape <- [list, improper, tuple, key, value]],
    Specification = {application, deep, [{vsn, "2"}, {env, Env}]},
    erlrc_engine:transition(Facts, {upgrade, deep, Specification}).

facts(Root, Path) ->
    #{root => Root, apps => "/nonexistent", path => Path, libs => [], loaded => [], original => [], running => [],
        stopped => []}.

%% What a node that has these applications registered would start, and how many atoms that brought.
atoms_of_boot([Dir | _] = Dirs, More) ->
    {ok, _} = erlrc_engine:round_trip(a),
    Facts = facts(filename:dirname(Dir), [filename:join(D, "ebin") || D <- Dirs]),
    Before = erlang:system_info(atom_count),
    Answer = erlrc_engine:transition(maps:merge(Facts, More), boot),
    {Answer, erlang:system_info(atom_count) - Before}.

%% How each function that reads a specification ends, and how many atoms it made.
atoms_made(Dir) ->
    {ok, _} = erlrc_engine:round_trip(a),
    File = filename:join([Dir, "ebin", "hostile.app"]),
    [
        begin
            Before = erlang:system_info(atom_count),
            Outcome = outcome(Function, Arguments),
            {Function, Outcome, erlang:system_info(atom_count) - Before}
        end
     || {Function, Arguments} <- [
            {consult, [File]},
            {application, [hostile, Dir, "/nonexistent"]},
            {make_appup, [hostile, {"1", Dir}, {"2", Dir}, #{}]},
            {transition, [facts(filename:dirname(Dir), [filename:join(Dir, "ebin")]), boot]}
        ]
    ].

outcome(Function, Arguments) ->
    try apply(erlrc_engine, Function, Arguments) of
        {ok, _} -> ok;
        {error, _} -> error;
        _ -> answer
    catch
        error:{engine_not_loaded, _} = Reason -> Reason;
        error:Reason -> Reason;
        Class:Reason -> {Class, Reason}
    end.

functions() ->
    erlrc_engine:module_info(exports) -- [{module_info, 0}, {module_info, 1}].

%% For every function the identifiers of the schedulers that it ran on; dirty ones have 0.
schedulers() ->
    {module, _} = code:ensure_loaded(erlrc_engine),
    [{Function, schedulers(Function, Arity)} || {Function, Arity} <- functions()].

schedulers(Function, Arity) ->
    Self = self(),
    Pid = spawn_link(fun() ->
        receive call -> ok end,
        outcome(Function, lists:duplicate(Arity, a)),
        Self ! {called, self()},
        receive stop -> ok end
    end),
    1 = erlang:trace(Pid, true, [running, scheduler_id, {tracer, Self}]),
    Pid ! call,
    receive {called, Pid} -> ok end,
    1 = erlang:trace(Pid, false, [all]),
    Delivered = erlang:trace_delivered(Pid),
    receive {trace_delivered, Pid, Delivered} -> ok end,
    Pid ! stop,
    traced(Pid, {erlrc_engine, Function, Arity}).

traced(Pid, Function) ->
    receive
        {trace, Pid, in, Function, Scheduler} -> [Scheduler | traced(Pid, Function)];
        {trace, Pid, _, _, _} -> traced(Pid, Function)
    after 0 -> []
    end.

longest_gap() ->
    Term = lists:duplicate(300, lists:seq(-10000, -1)),
    {ok, _} = erlrc_engine:round_trip(a),
    Self = self(),
    Caller = spawn_link(fun() ->
        receive call -> ok end,
        {Time, {ok, _}} = timer:tc(erlrc_engine, round_trip, [Term]),
        Self ! {self(), Time}
    end),
    Caller ! call,
    gap(Caller, erlang:monotonic_time(microsecond), 0).

gap(Caller, Last, Longest) ->
    erlang:yield(),
    Now = erlang:monotonic_time(microsecond),
    Gap = max(Longest, Now - Last),
    receive
        {Caller, Time} -> {Time, Gap}
    after 0 -> gap(Caller, Now, Gap)
    end.

%% The results of `Processes' times `Calls' that are not as they should be.
concurrently(Processes, Calls) ->
    Run = fun(N) ->
        [Result || Call <- lists:seq(1, Calls), Term <- [#{N => {Call, "term", [Call | N]}}],
            Result <- [erlrc_engine:round_trip(Term)], Result =/= {ok, Term}]
    end,
    Started = [spawn_monitor(fun() -> exit(Run(N)) end) || N <- lists:seq(1, Processes)],
    lists:append([receive {'DOWN', Ref, process, Pid, Wrong} -> Wrong end || {Pid, Ref} <- Started]).

%% The module is loaded again while a call runs: a soft purge leaves the call alone, a hard one kills the
%% caller, and the engine goes on answering.
reload_during_call() ->
    Term = lists:duplicate(500, lists:seq(-10000, -1)),
    {ok, a} = erlrc_engine:round_trip(a),
    {Pid, Ref} = spawn_monitor(fun() -> exit(erlrc_engine:round_trip(Term)) end),
    ok = fixture:wait_until(fun() -> in_engine(Pid) end),
    {module, erlrc_engine} = code:load_file(erlrc_engine),
    {ok, b} = erlrc_engine:round_trip(b),
    false = code:soft_purge(erlrc_engine),
    true = code:purge(erlrc_engine),
    receive {'DOWN', Ref, process, Pid, Why} -> killed = Why end,
    {module, erlrc_engine} = code:load_file(erlrc_engine),
    {ok, c} = erlrc_engine:round_trip(c),
    ok.

in_engine(Pid) ->
    {current_function, {erlrc_engine, round_trip, 1}} =:= process_info(Pid, current_function).

on_peer(Config, Function, Arguments) ->
    fixture:call(proplists:get_value(peer, Config), ?MODULE, Function, Arguments).

ebin() ->
    filename:dirname(code:which(?MODULE)).

otp_path(Peer) ->
    Lib = fixture:call(Peer, code, lib_dir, []),
    [Dir || Dir <- fixture:call(Peer, code, get_path, []), lists:prefix(Lib, Dir)].
