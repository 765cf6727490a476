%% @doc Several applications changed as one: whoever looks sees all of them in the old version or all in the new, and after
%% a failure of any of them the node is as it was. `front' calls `middle', which calls `back'.
-module(set_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([no_mixture_is_seen/1, one_poisoned_state_takes_all_back/1, up_and_down_together/1, every_health_check_counts/1]).
-export([what_is_added_and_removed/1, what_does_not_start_takes_all_back/1, a_module_moves/1, environments_of_all/1]).
-export([reverted_and_confirmed/1, barriers_are_said/1, refused/1, one_has_its_version/1, not_running_and_running/1]).
-export([struck_at_every_step/1, entirely_old_or_entirely_new/1, only_directories_that_change_are_looked_at/1]).
%% On the node.
-export([observe/2, observer/2, facts/0, check/1, told/1, watch_path/0, whole_paths/0]).

-define(APPS, [back, front, middle]).
-define(VICTIMS, [operation, erlrc_guardian, erlrc_settlement, {operation, erlrc_operations}]).

all() ->
    [
        no_mixture_is_seen, one_poisoned_state_takes_all_back, up_and_down_together, every_health_check_counts,
        what_is_added_and_removed, what_does_not_start_takes_all_back, a_module_moves, environments_of_all,
        reverted_and_confirmed, barriers_are_said, refused, one_has_its_version, not_running_and_running, struck_at_every_step,
        entirely_old_or_entirely_new, only_directories_that_change_are_looked_at
    ].

%% Version 2 of `front' depends on `extra'; `late' depends on `front', `gone' runs from the beginning.
init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Root = fixture:root(Dir),
    Versions = [{{App, Vsn}, version(Case, Dir, App, Vsn)} || App <- ?APPS, Vsn <- ["1", "2"]],
    Others = [
        {{App, "1"}, fixture:application(Dir, App, "1", (sources(App, "1"))#{app => [{mod, mod(App)}, {applications, Needs}]})}
     || {App, Needs} <- [{extra, [kernel, stdlib]}, {late, [kernel, stdlib, front]}, {gone, [kernel, stdlib]}]
    ],
    Ones = [filename:join(Each, "ebin") || {{_, "1"}, Each} <- Versions ++ Others],
    {Peer, _} = fixture:start_node(#{
        name => false, root => Root, path => Ones ++ [filename:dirname(code:which(?MODULE))],
        args => ["-kernel", "logger_level", "none"]
    }),
    Started = [{peer, Peer}, {dirs, maps:from_list(Versions ++ Others)} | Config],
    ok = call(Started, erlrc_app, ensure_started, []),
    _ = [{ok, _} = call(Started, application, ensure_all_started, [App]) || App <- [front, gone]],
    Started.

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

version(Case, Dir, App, Vsn) ->
    fixture:application(Dir, App, Vsn, special(Case, App, Vsn, (sources(App, Vsn))#{
        app => [{mod, mod(App)}, {applications, [kernel, stdlib | needs(App, Vsn)]}, {env, [{key, Vsn}]}]
    })).

needs(front, "1") -> [middle];
needs(front, "2") -> [middle, extra];
needs(middle, _) -> [back];
needs(back, _) -> [].

mod(App) -> {name(App, "_app"), []}.

name(App, End) -> list_to_atom(atom_to_list(App) ++ End).

sources(App, Vsn) ->
    Server = name(App, "_server"),
    #{
        modules => [
            fixture:callback_module(name(App, "_app"), name(App, "_sup")),
            fixture:supervisor_module(name(App, "_sup"), [#{id => server, start => {Server, start_link, []}, modules => [Server]}]),
            fixture:server_module(Server, list_to_integer(Vsn)),
            plain(App, Vsn)
        ]
    }.

%% Asks itself, and on through the others.
plain(App, Vsn) ->
    Next = case App of front -> "middle_code:through()"; middle -> "back_code:through()"; _ -> "[]" end,
    lists:flatten(io_lib:format(
        "-module(~ts).~n-export([version/0, through/0]).~nversion() -> ~ts.~nthrough() -> [version() | ~ts].~n",
        [name(App, "_code"), Vsn, Next]
    )).

special(one_poisoned_state_takes_all_back, back, "2", #{modules := [App, Sup, _, Code]} = Options) ->
    Poisoned =
        "-module(back_server).\n-behaviour(gen_server).\n-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n"
        "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).\nhandle_cast(_, S) -> {noreply, S}.\n"
        "handle_call(version, _, S) -> {reply, 2, S};\nhandle_call(next, _, S) -> {reply, 1, S}.\n"
        "init([]) -> {ok, {state2, 0, 0}}.\ncode_change(_, {state1, N}, _) -> error({poisoned, N}).\n",
    Options#{modules := [App, Sup, Poisoned, Code]};
special(a_module_moves, middle, "1", #{modules := Modules} = Options) ->
    Options#{modules := [wanderer(1) | Modules]};
special(a_module_moves, back, "2", #{modules := Modules} = Options) ->
    Options#{modules := [wanderer(2) | Modules]};
special(environments_of_all, _App, "2", #{modules := [Source | Modules]} = Options) ->
    Config = "config_change(Changed, _, _) -> set_SUITE:told({?MODULE, Changed}).\n",
    Options#{modules := [string:replace(Source, "start/2", "config_change/3, start/2") ++ Config | Modules]};
special(barriers_are_said, middle, "2", Options) ->
    Script = [{load_module, middle_code}, {apply, {erlang, self, []}}, {update, middle_server, {advanced, []}}],
    Options#{appup => {"2", [{"1", Script}], [{"1", Script}]}};
special(_Case, _App, _Vsn, Options) ->
    Options.

wanderer(Version) ->
    lists:flatten(io_lib:format("-module(wanderer).~n-export([version/0]).~nversion() -> ~b.~n", [Version])).

%% To set the whole path makes the code server look at every directory of it, while everybody waits.
only_directories_that_change_are_looked_at(Config) ->
    ok = call(Config, ?MODULE, watch_path, []),
    Before = call(Config, code, get_path, []),
    {ok, _} = change(Config, [up(Config, App) || App <- ?APPS]),
    Between = call(Config, code, get_path, []),
    {ok, _} = change(Config, [down(Config, App) || App <- ?APPS]),
    ?assertEqual(Before, call(Config, code, get_path, [])),
    ?assertNotEqual(Before, Between),
    ?assertEqual([], call(Config, ?MODULE, whole_paths, [])),
    Same = call(Config, code, get_path, []),
    true = call(Config, code, set_path, [Same]),
    ?assertEqual(1, length(call(Config, ?MODULE, whole_paths, []))).

%% Keeps every request to set the whole path.
watch_path() ->
    Watcher = spawn(fun() -> watched([]) end),
    true = register(path_watcher, Watcher),
    1 = erlang:trace(whereis(code_server), true, ['receive', {tracer, Watcher}]),
    ok.

watched(Seen) ->
    receive
        {asked, Pid} ->
            Pid ! {path_watcher, Seen},
            watched(Seen);
        {trace, _CodeServer, 'receive', Request} ->
            Sets = string:find(io_lib:format("~0p", [Request]), "set_path") =/= nomatch,
            watched([Request || Sets] ++ Seen)
    end.

whole_paths() ->
    Delivered = erlang:trace_delivered(whereis(code_server)),
    receive
        {trace_delivered, _, Delivered} -> ok
    end,
    path_watcher ! {asked, self()},
    receive
        {path_watcher, Seen} -> Seen
    end.

%% At most the sweep that was on its way when the code changed.
no_mixture_is_seen(Config) ->
    Observer = call(Config, ?MODULE, observe, [?APPS, self_on_node]),
    Before = pids(Config),
    ?assertEqual({ok, [{App, upgraded} || App <- [front, back, middle]]}, change(Config, [up(Config, App) || App <- [front, back, middle]])),
    {ok, Down} = change(Config, [down(Config, App) || App <- ?APPS]),
    ?assertEqual([{App, downgraded} || App <- ?APPS], Down),
    #{mixed := Mixed, old := Old, new := New} = Seen = seen(Config, Observer),
    ct:pal("~p", [Seen]),
    ?assert(Mixed =< 2),
    ?assert(Old > 0 andalso New > 0),
    ?assertEqual(Before, pids(Config)).

one_poisoned_state_takes_all_back(Config) ->
    Before = facts(Config),
    _ = [1 = call(Config, gen_server, call, [name(App, "_server"), next]) || App <- ?APPS],
    Failure = change(Config, [up(Config, App) || App <- ?APPS]),
    ?assertMatch({error, {script_failed, [back, middle, front], {code_change_failed, _, back_server, _}}}, Failure),
    {error, Why} = Failure,
    ?assertEqual(nomatch, string:find(call(Config, erlrc_error, format_error, [Why]), "{script_failed")),
    ?assertEqual([2, 2, 2], [call(Config, gen_server, call, [name(App, "_server"), next]) || App <- ?APPS]),
    ?assertEqual(Before, facts(Config)),
    %% Without it the others go.
    ?assertEqual({ok, [{front, upgraded}, {middle, upgraded}]}, change(Config, [up(Config, App) || App <- [front, middle]])).

up_and_down_together(Config) ->
    {ok, _} = change(Config, [up(Config, middle)]),
    ?assertEqual([1, 2, 1], call(Config, front_code, through, [])),
    {ok, Outcomes} = change(Config, [up(Config, front), down(Config, middle), up(Config, back)]),
    ?assertEqual([{front, upgraded}, {middle, downgraded}, {back, upgraded}], Outcomes),
    ?assertEqual([2, 1, 2], call(Config, front_code, through, [])),
    ?assertEqual([2, 1, 2], [call(Config, gen_server, call, [name(App, "_server"), version]) || App <- [front, middle, back]]).

every_health_check_counts(Config) ->
    Before = facts(Config),
    Unwell = #{health_check => {?MODULE, check, [unwell]}},
    ?assertMatch({error, {script_failed, _, {health_check, _, unwell}}}, change(Config, [up(Config, App) || App <- ?APPS], Unwell)),
    Last = #{service_check => {?MODULE, check, [late]}},
    ?assertMatch({error, {script_failed, _, {service_check, _, late}}}, change(Config, [up(Config, App) || App <- ?APPS], Last)),
    ?assertEqual(Before, facts(Config)).

what_is_added_and_removed(Config) ->
    Set = [up(Config, App) || App <- ?APPS] ++ [{start, late, "1", dir(Config, late, "1")}, {stop, gone, "1"}],
    {plan, Lines} = call(Config, erlrcdynamic, plan, [operation(Set)]),
    Plan = [unicode:characters_to_list(Line) || Line <- Lines],
    ?assertMatch({[_ | _], [_ | _]}, lists:splitwith(fun(Line) -> Line =/= "change together:" end, Plan)),
    ?assertEqual(["start extra", "change together:", "start late", "stop gone"], [Line || Line <- Plan, is_step(Line)]),
    {ok, Outcomes} = change(Config, Set),
    ?assertEqual([{back, upgraded}, {front, upgraded}, {middle, upgraded}, {late, started}, {gone, stopped}], Outcomes),
    Running = [App || {App, _, _} <- call(Config, application, which_applications, [])],
    ?assertEqual([true, true, false], [lists:member(App, Running) || App <- [extra, late, gone]]),
    ?assertEqual({ok, [{gone, not_running}, {late, already_running}]}, change(Config, [{stop, gone, "1"}, {start, late, "1", dir(Config, late, "1")}])).

is_step("start " ++ _) -> true;
is_step("stop " ++ _) -> true;
is_step(Line) -> Line =:= "change together:".

%% It needs what changes, so that it can start only when all run their new versions.
what_does_not_start_takes_all_back(Config) ->
    Dir = fixture:application(filename:dirname(dir(Config, late, "1")), late, "7", #{
        modules => ["-module(late_app).\n-behaviour(application).\n-export([start/2, stop/1]).\nstart(_, _) -> {error, not_today}.\nstop(_) -> ok.\n"],
        app => [{mod, {late_app, []}}, {applications, [kernel, stdlib, front]}]
    }),
    Set = [up(Config, App) || App <- ?APPS] ++ [{start, late, "7", Dir}, {stop, gone, "1"}],
    Before = facts(Config),
    _ = [1 = call(Config, gen_server, call, [name(App, "_server"), next]) || App <- [gone | ?APPS]],
    ?assertMatch({error, {start_failed, late, _}}, change(Config, Set)),
    ?assertEqual(Before, facts(Config)),
    ?assertEqual([2, 2, 2, 2], [call(Config, gen_server, call, [name(App, "_server"), next]) || App <- [gone | ?APPS]]),
    ?assertEqual(none, call(Config, erlrc_hold, status, [])),
    {ok, _} = change(Config, lists:sublist(Set, 3)).

a_module_moves(Config) ->
    1 = call(Config, wanderer, version, []),
    {ok, _} = change(Config, [up(Config, App) || App <- ?APPS]),
    ?assertEqual(2, call(Config, wanderer, version, [])),
    {ok, _} = change(Config, [down(Config, App) || App <- ?APPS]),
    ?assertEqual(1, call(Config, wanderer, version, [])).

environments_of_all(Config) ->
    true = call(Config, persistent_term, put, [?MODULE, []]) =:= ok,
    ok = call(Config, application, set_env, [middle, key, "mine"]),
    {ok, _} = change(Config, [up(Config, App) || App <- ?APPS]),
    ?assertEqual([{ok, "2"}, {ok, "2"}, {ok, "mine"}], [call(Config, application, get_env, [App, key]) || App <- ?APPS]),
    Told = lists:sort(call(Config, persistent_term, get, [?MODULE])),
    ?assertEqual([{back_app, [{key, "2"}]}, {front_app, [{key, "2"}]}], Told).

reverted_and_confirmed(Config) ->
    Before = facts(Config),
    Set = [up(Config, App) || App <- ?APPS],
    Held = fun() ->
        #{status := ok, outcome := changed, held := Held} = Answer = request(Config, change, Set, #{options => #{hold => 60000}}),
        ?assertMatch([#{application := <<"back">>, outcome := upgraded, running := <<"2">>} | _], maps:get(changes, Answer)),
        Held
    end,
    ?assertMatch(#{status := ok, outcome := reverted}, request(Config, revert, Set, #{held => Held()})),
    ?assertEqual(Before, facts(Config)),
    Again = Held(),
    %% Another set than the one that is held.
    ?assertMatch(#{status := refused, outcome := not_held}, request(Config, revert, tl(Set), #{held => Again})),
    ?assertMatch(#{status := ok, outcome := confirmed}, request(Config, confirm, Set, #{held => Again})),
    ?assertMatch(#{outcome := unchanged}, request(Config, change, Set, #{})),
    ?assertEqual([2, 2, 2], call(Config, front_code, through, [])).

barriers_are_said(Config) ->
    Set = [up(Config, App) || App <- ?APPS],
    #{plan := Lines} = request(Config, dry_run, Set, #{'of' => change}),
    ?assertEqual([<<"not in one moment: 2 windows, cut by">>], [Line || <<"not in", _/binary>> = Line <- Lines]),
    ?assertMatch(#{status := ok}, request(Config, change, Set, #{})),
    ?assertEqual([2, 2, 2], call(Config, front_code, through, [])).

refused(Config) ->
    Before = facts(Config),
    Other = {upgrade, middle, "3", "4", dir(Config, middle, "1"), dir(Config, middle, "2")},
    ?assertMatch({error, {version_mismatch, middle, "1"}}, change(Config, [up(Config, front), Other])),
    ?assertMatch({error, {needed_by, [middle]}}, change(Config, [up(Config, front), {stop, back, "1"}])),
    ?assertMatch({error, {bad_argument, changes, front}}, change(Config, [up(Config, front), up(Config, front)])),
    ?assertMatch({error, {bad_argument, changes, _}}, change(Config, [{frobnicate, front}])),
    ?assertMatch(
        {error, {not_together, _, _}}, change(Config, [up(Config, front), up(Config, back)], #{evaluator => release_handler})
    ),
    Bad = [
        #{changes => []}, #{changes => [#{operation => unload, application => <<"front">>, vsn => <<"1">>}]}, #{changes => [a | b]},
        #{changes => [#{operation => upgrade, application => <<"front">>}]}, #{changes => [#{operation => change, changes => []}]}
    ],
    _ = [
        ?assertMatch(#{status := refused, outcome := bad_request}, call(Config, erlrc_hook, request, [Each#{protocol => 1, operation => change}]))
     || Each <- Bad
    ],
    ?assertEqual(Before, facts(Config)).

one_has_its_version(Config) ->
    {ok, _} = change(Config, [up(Config, middle)]),
    ?assertEqual(
        {ok, [{back, upgraded}, {front, upgraded}, {middle, already_running}]}, change(Config, [up(Config, App) || App <- ?APPS])
    ),
    ?assertEqual([2, 2, 2], call(Config, front_code, through, [])).

%% Of what does not run the new version is what starts.
not_running_and_running(Config) ->
    ok = call(Config, application, stop, [front]),
    {ok, Outcomes} = change(Config, [up(Config, App) || App <- ?APPS]),
    ?assertEqual([{back, upgraded}, {front, started}, {middle, upgraded}], Outcomes),
    ?assertEqual([2, 2, 2], call(Config, front_code, through, [])),
    ?assertEqual(2, call(Config, gen_server, call, [front_server, version])).

struck_at_every_step(Config) ->
    There = sound_request(Config, [up(Config, App) || App <- ?APPS]),
    Back = sound_request(Config, [down(Config, App) || App <- ?APPS]),
    %% What is loaded once stays so.
    _ = [#{status := ok} = call(Config, erlrc_hook, request, [Each]) || Each <- [There, Back]],
    Old = facts(Config),
    {_, Steps} = struck(Config, There, infinity, nobody),
    New = facts(Config),
    #{status := ok} = call(Config, erlrc_hook, request, [Back]),
    ?assertEqual(Old, facts(Config)),
    Statuses = [
        begin
            {#{status := Status} = Answer, _} = struck(Config, There, N, Victim),
            Now = facts(Config),
            ?assertEqual({N, Victim, Answer, case Status of ok -> New; _ -> Old end}, {N, Victim, Answer, Now}),
            Now =:= Old orelse call(Config, erlrc_hook, request, [Back]),
            ?assertEqual(Old, facts(Config)),
            Status
        end
     || N <- lists:seq(1, Steps), Victim <- ?VICTIMS
    ],
    ?assertEqual([], [failed, ok] -- Statuses).

struck(Config, Request, N, Victim) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    Striker = call(Config, strike_SUITE, strike, [self_on_node, N, Victim]),
    _ = call(Config, erlang, spawn, [erlrc_hook, request, [Request#{id => Id}]]),
    Outcome = fun() -> call(Config, erlrc_hook, request, [#{protocol => 1, operation => outcome, id => Id}]) end,
    fixture:wait_until(fun() -> ended =:= maps:get(outcome, Outcome()) end, 60000),
    true = call(Config, erlang, exit, [Striker, kill]),
    fixture:wait_until(
        fun() ->
            idle =:= call(Config, erlrc_operations, status, []) andalso undefined =:= call(Config, erlang, whereis, [erlrc_settlement])
        end,
        60000
    ),
    #{answer := Answer} = Outcome(),
    {Answer, length(call(Config, persistent_term, get, [strike_SUITE]))}.

%% Random sets, each application with a fault of its own or none.
entirely_old_or_entirely_new(Config) ->
    Seed = list_to_integer(os:getenv("CT_SEED", integer_to_list(rand:uniform(1000000)))),
    ct:pal("seed ~p", [Seed]),
    _ = rand:seed(exsss, {Seed, 1, 1}),
    _ = [random_set(Config) || _ <- lists:seq(1, 20)].

random_set(Config) ->
    Apps = [App || App <- ?APPS, rand:uniform(3) > 1],
    Before = facts(Config),
    Running = maps:get(applications, Before),
    Set = [case lists:member({App, "1"}, Running) of true -> up(Config, App); false -> down(Config, App) end || App <- Apps],
    Check = lists:nth(rand:uniform(3), [well, unwell, late]),
    Options = case Check of
        well -> #{};
        unwell -> #{health_check => {?MODULE, check, [unwell]}};
        late -> #{service_check => {?MODULE, check, [late]}}
    end,
    Result = Set =/= [] andalso change(Config, Set, Options),
    After = facts(Config),
    case {Set, Check} of
        {[], _} -> ok;
        {_, well} -> {ok, _} = Result, ?assertEqual([], [Each || {App, _} = Each <- Running, lists:member(App, Apps), lists:member(Each, maps:get(applications, After))]);
        _ -> ?assertMatch({error, {script_failed, _, _}}, Result), ?assertEqual(Before, After)
    end.

up(Config, App) -> {upgrade, App, "1", "2", dir(Config, App, "1"), dir(Config, App, "2")}.

down(Config, App) -> {downgrade, App, "2", "1", dir(Config, App, "2"), dir(Config, App, "1")}.

dir(Config, App, Vsn) -> maps:get({App, Vsn}, ?config(dirs, Config)).

change(Config, Set) -> change(Config, Set, #{}).

change(Config, Set, Options) -> call(Config, erlrcdynamic, change, [Set, Options]).

operation(Set) -> #{operation => change, changes => [as_map(Each) || Each <- Set]}.

as_map({Operation, App, From, To, FromDir, ToDir}) ->
    #{operation => Operation, application => App, from => From, to => To, from_dir => FromDir, to_dir => ToDir};
as_map({start, App, Vsn, Dir}) ->
    #{operation => start, application => App, vsn => Vsn, dir => Dir};
as_map({stop, App, Vsn}) ->
    #{operation => stop, application => App, vsn => Vsn}.

request(Config, Operation, Set, More) ->
    call(Config, erlrc_hook, request, [maps:merge(sound_request(Config, Set), More#{operation => Operation})]).

sound_request(_Config, Set) ->
    Text = fun(_, Value) when is_list(Value) -> unicode:characters_to_binary(Value); (_, Value) -> Value end,
    #{protocol => 1, operation => change, changes => [maps:map(Text, as_map(Each)) || Each <- Set]}.

pids(Config) -> [call(Config, erlang, whereis, [name(App, "_server")]) || App <- ?APPS].

facts(Config) -> call(Config, ?MODULE, facts, []).

seen(Config, Observer) ->
    true = call(Config, erlang, is_process_alive, [Observer]),
    _ = call(Config, erlang, send, [Observer, stop]),
    fixture:wait_until(fun() -> not call(Config, erlang, is_process_alive, [Observer]) end),
    call(Config, persistent_term, get, [{?MODULE, seen}]).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).

%% On the node.

%% A process that asks the code of all applications over and over again.
observe(Apps, _) ->
    spawn(?MODULE, observer, [[name(App, "_code") || App <- Apps], #{old => 0, new => 0, mixed => 0}]).

observer(Modules, Seen) ->
    receive
        stop -> persistent_term:put({?MODULE, seen}, Seen)
    after 0 ->
        Kind = case lists:usort([Module:version() || Module <- Modules]) of [1] -> old; [2] -> new; _ -> mixed end,
        observer(Modules, maps:update_with(Kind, fun(Count) -> Count + 1 end, Seen))
    end.

check(Answer) -> Answer.

told(What) -> persistent_term:put(?MODULE, [What | persistent_term:get(?MODULE)]).

facts() ->
    #{
        applications => lists:sort([{App, Vsn} || {App, _, Vsn} <- application:which_applications(), App =/= erlrc]),
        specification => [{App, application:get_key(App, Key)} || App <- ?APPS, Key <- [vsn, applications, modules]],
        environment => [lists:sort(application:get_all_env(App)) || App <- ?APPS],
        path => code:get_path(),
        code => [{App, (name(App, "_code")):version()} || App <- ?APPS],
        processes => [whereis(name(App, "_server")) || App <- [gone | ?APPS]],
        states => [element(1, sys:get_state(name(App, "_server"))) || App <- ?APPS],
        suspended => [Pid || Pid <- processes(), {_, {sys, suspend_loop, _}} <- [process_info(Pid, current_function)]]
    }.
