%% @doc Applications that are started side by side: how many at once, what of it a failure leaves, and what was measured.
-module(boot_jobs_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(boot_support, [
    install/3, failing/3, gate/3, callback/2, write_application/5, enlist/2, node_of/2, finish/2, call/4, boot/1, started/1,
    async/1, await/1
]).

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    independent_applications_start_side_by_side/1,
    no_more_start_at_once_than_there_are_jobs/1,
    what_needs_others_waits_for_them_alone/1,
    failure_leaves_what_a_boot_one_by_one_leaves/1,
    first_failure_in_the_order_is_told/1,
    includer_that_is_taken_back_leaves_what_ran_before/1,
    random_applications_end_alike_in_both_modes/1,
    wrong_numbers_of_jobs_are_refused/1,
    boot_is_measured/1,
    boot_that_starts_nothing_keeps_what_was_measured/1,
    command_tells_the_last_boot/1
]).

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info])].

-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(Case, Config) ->
    boot_support:directories(Case, Config).

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

%% Each of them starts only while the other one does.
-spec independent_applications_start_side_by_side(list()) -> ok.
independent_applications_start_side_by_side(Config) ->
    meeting(Config, a, b),
    meeting(Config, b, a),
    enlist(Config, [a, b]),
    Peer = concurrent(Config, 2),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([a, b], lists:sort(started(Peer))),
    finish(Config, Peer).

meeting(Config, App, Other) ->
    [Callback, Supervisor] = [list_to_atom(atom_to_list(App) ++ Suffix) || Suffix <- ["_app", "_sup"]],
    Meet = io_lib:format(
        "register(~s, self()), ~n"
        "case whereis(~s) of undefined -> receive here -> ok end; Pid -> Pid ! here end, ~s:start_link()",
        [App, Other, Supervisor]
    ),
    Modules = [callback(Callback, lists:flatten(Meet)), fixture:supervisor_module(Supervisor, [])],
    write_application(Config, App, "1.0", Modules, [{mod, {Callback, []}}]).

-spec no_more_start_at_once_than_there_are_jobs(list()) -> ok.
no_more_start_at_once_than_there_are_jobs(Config) ->
    Apps = [a, b, c],
    [gate(Config, App, []) || App <- Apps],
    enlist(Config, Apps),
    Peer = concurrent(Config, 2),
    Boot = async(fun() -> boot(Peer) end),
    arrived(Peer, a),
    arrived(Peer, b),
    ?assertEqual([a, b], starting(Peer)),
    open(Peer, b),
    arrived(Peer, c),
    ?assertEqual([a, c], starting(Peer)),
    open(Peer, c),
    open(Peer, a),
    ?assertEqual(ok, await(Boot)),
    ?assertEqual(Apps, lists:sort(started(Peer))),
    finish(Config, Peer).

%% `d' needs `c', in an application that it includes, and an optional one; it waits for these and not for `a'.
-spec what_needs_others_waits_for_them_alone(list()) -> ok.
what_needs_others_waits_for_them_alone(Config) ->
    gate(Config, a, []),
    gate(Config, b, []),
    gate(Config, c, []),
    gate(Config, d, [{included_applications, [part]}, {optional_applications, [b]}, needs([b])]),
    install(Config, part, [needs([c])]),
    enlist(Config, [a, b, c, d]),
    Peer = concurrent(Config, 8),
    Boot = async(fun() -> boot(Peer) end),
    [arrived(Peer, App) || App <- [a, b, c]],
    ?assertEqual([a, b, c], starting(Peer)),
    open(Peer, b),
    fixture:wait_until(fun() -> started(Peer) =:= [b] end),
    ?assertEqual([a, c], starting(Peer)),
    open(Peer, c),
    arrived(Peer, d),
    ?assertEqual([a, d], starting(Peer)),
    [open(Peer, App) || App <- [a, d]],
    ?assertEqual(ok, await(Boot)),
    finish(Config, Peer).

%% `c' was started before `a' failed, one by one it would not have been begun; `b', which comes before the failure in the
%% order, would.
-spec failure_leaves_what_a_boot_one_by_one_leaves(list()) -> ok.
failure_leaves_what_a_boot_one_by_one_leaves(Config) ->
    gate(Config, a, []),
    gate(Config, b, []),
    install(Config, c, []),
    install(Config, d, [needs([c])]),
    enlist(Config, [a, b, c, d]),
    Peer = concurrent(Config, 8),
    Boot = async(fun() -> boot(Peer) end),
    fixture:wait_until(fun() -> lists:sort(started(Peer)) =:= [c, d] end),
    [arrived(Peer, App) || App <- [a, b]],
    fail(Peer, b),
    fixture:wait_until(fun() -> starting(Peer) =:= [a] end),
    open(Peer, a),
    ?assertMatch({error, {start_failed, b, {told_to, _}}}, await(Boot)),
    ?assertEqual([a], started(Peer)),
    ?assertEqual([{a, started}, {b, failed}, {c, taken_back}, {d, taken_back}], outcomes(Peer)),
    finish(Config, Peer).

%% `c' fails at once; `b', which stands before it, is begun after that, and fails too.
-spec first_failure_in_the_order_is_told(list()) -> ok.
first_failure_in_the_order_is_told(Config) ->
    gate(Config, a, []),
    failing(Config, b, [needs([a])]),
    gate(Config, c, []),
    install(Config, d, [needs([c])]),
    enlist(Config, [b, c, d]),
    Peer = concurrent(Config, 8),
    Boot = async(fun() -> boot(Peer) end),
    [arrived(Peer, App) || App <- [a, c]],
    fail(Peer, c),
    fixture:wait_until(fun() -> starting(Peer) =:= [a] end),
    open(Peer, a),
    ?assertMatch({error, {start_failed, b, {no_luck, _}}}, await(Boot)),
    ?assertEqual([a], started(Peer)),
    finish(Config, Peer).

%% `part' ran by itself when the boot began: it does again, for its includer did not start in the end.
-spec includer_that_is_taken_back_leaves_what_ran_before(list()) -> ok.
includer_that_is_taken_back_leaves_what_ran_before(Config) ->
    install(Config, part, []),
    failing(Config, whole, [{included_applications, [part]}]),
    install(Config, needing, [needs([part])]),
    enlist(Config, [whole, needing]),
    Peer = concurrent(Config, 8),
    ok = call(Peer, application, start, [part]),
    ?assertMatch({error, {start_failed, whole, {no_luck, _}}}, boot(Peer)),
    ?assertEqual([part], started(Peer)),
    finish(Config, Peer).

%% Dependencies, inclusions and failures by chance: the answer, and what runs, are those of a boot one by one.
-spec random_applications_end_alike_in_both_modes(list()) -> ok.
random_applications_end_alike_in_both_modes(Config) ->
    [alike(Seed, OnFailure, Config) || Seed <- lists:seq(1, 5), OnFailure <- ["stop", "continue"]],
    ok.

alike(Seed, OnFailure, Config) ->
    Name = list_to_atom("graph" ++ integer_to_list(Seed) ++ OnFailure),
    Own = boot_support:directories(filename:join(proplists:get_value(dir, Config), Name), Config),
    _ = rand:seed(exsss, {Seed, 2, 3}),
    Names = [list_to_atom([$r, Letter]) || Letter <- lists:seq($a, $j)],
    _ = lists:foldl(fun(App, Earlier) -> random(Own, App, Earlier), [App | Earlier] end, [], Names),
    enlist(Own, [App || App <- Names, rand:uniform(3) > 1]),
    [First, Second] = [ends(Own, ["-erlrc", "on_start_failure", OnFailure | Mode]) || Mode <- [[], jobs(8)]],
    ?assertEqual({Seed, First}, {Seed, Second}).

%% It needs, or includes, earlier ones; an includer takes only what nobody else has taken.
random(Config, App, Earlier) ->
    Needed = [Other || Other <- Earlier, rand:uniform(4) =:= 1],
    Free = [Other || Other <- Earlier -- Needed, not is_taken(Other)],
    Included = [Other || Other <- lists:sublist(Free, 1), rand:uniform(3) =:= 1],
    [put({?MODULE, Other}, taken) || Other <- Included],
    Keys = [needs(Needed), {included_applications, Included}],
    case rand:uniform(6) of
        1 -> failing(Config, App, Keys);
        _ -> install(Config, App, Keys)
    end.

is_taken(App) ->
    get({?MODULE, App}) =:= taken.

ends(Config, Args) ->
    Peer = node_of(Config, #{args => Args}),
    Result = reason(boot(Peer)),
    Running = lists:sort(started(Peer)),
    finish(Config, Peer),
    {Result, Running}.

%% Without the stacks of what failed.
reason({error, {start_failed, Failed}}) -> {failed, [{App, element(1, Why)} || {App, Why} <- Failed]};
reason({error, {start_failed, App, Why}}) -> {failed, App, element(1, Why)};
reason(Result) -> Result.

-spec wrong_numbers_of_jobs_are_refused(list()) -> ok.
wrong_numbers_of_jobs_are_refused(Config) ->
    install(Config, a, []),
    enlist(Config, [a]),
    Peer = concurrent(Config, 1),
    ok = call(Peer, application, load, [erlrc]),
    [
        begin
            ok = call(Peer, application, set_env, [erlrc, Key, Value]),
            ?assertEqual({error, {bad_environment, Key, Value}}, boot(Peer)),
            ok = call(Peer, application, set_env, [erlrc, Key, Before])
        end
     || {Key, Value, Before} <- [{boot_jobs, 0, 2}, {boot_jobs, many, 2}, {boot_jobs, 1 bsl 20, 2}, {boot, fast, concurrent}]
    ],
    ?assertEqual([], started(Peer)),
    ?assertEqual(ok, boot(Peer)),
    finish(Config, Peer).

%%% What was measured

-spec boot_is_measured(list()) -> ok.
boot_is_measured(Config) ->
    install(Config, bottom, []),
    install(Config, middle, [needs([bottom]), {included_applications, [part]}]),
    install(Config, part, []),
    install(Config, other, []),
    install(Config, top, [needs([part, other])]),
    enlist(Config, [top, middle]),
    [measured(Config, Jobs) || Jobs <- [1, 4]],
    ok.

measured(Config, Jobs) ->
    Peer = concurrent(Config, Jobs),
    ?assertNot(is_map_key(boot, asked(Peer))),
    ?assertEqual(ok, boot(Peer)),
    #{boot := #{took := Took, jobs := Jobs, applications := Apps}} = asked(Peer),
    ByName = maps:from_list([{binary_to_atom(Name), App} || #{application := Name} = App <- Apps]),
    ?assertEqual([bottom, middle, other, top], lists:sort(maps:keys(ByName))),
    ?assertMatch(#{vsn := <<"1.0">>, needs := [<<"bottom">>]}, maps:get(middle, ByName)),
    ?assertMatch(#{needs := [<<"middle">>, <<"other">>]}, maps:get(top, ByName)),
    [
        begin
            ?assertEqual(started, Outcome),
            ?assert(Begun >= 0 andalso Begun + Of =< Took),
            [?assert(Begun >= ended(maps:get(binary_to_atom(Needed), ByName))) || Needed <- Needs]
        end
     || #{begun := Begun, took := Of, needs := Needs, outcome := Outcome} <- Apps
    ],
    finish(Config, Peer).

ended(#{begun := Begun, took := Took}) ->
    Begun + Took.

-spec boot_that_starts_nothing_keeps_what_was_measured(list()) -> ok.
boot_that_starts_nothing_keeps_what_was_measured(Config) ->
    install(Config, a, []),
    enlist(Config, [a]),
    Peer = concurrent(Config, 2),
    ?assertEqual(ok, boot(Peer)),
    #{boot := #{applications := [_]} = Boot} = asked(Peer),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual(Boot, maps:get(boot, asked(Peer))),
    %% It outlives erlrc, and another boot that starts something replaces it.
    ok = call(Peer, application, stop, [erlrc]),
    ?assertEqual(Boot, maps:get(boot, asked(Peer))),
    ok = call(Peer, application, stop, [a]),
    ?assertEqual(ok, boot(Peer)),
    #{boot := #{at := At}} = asked(Peer),
    ?assert(At > maps:get(at, Boot)),
    finish(Config, Peer).

-spec command_tells_the_last_boot(list()) -> ok.
command_tells_the_last_boot(Config) ->
    install(Config, bottom, []),
    gate(Config, middle, [needs([bottom])]),
    install(Config, top, [needs([middle, other])]),
    install(Config, other, []),
    enlist(Config, [top]),
    %% The name of a socket has no room for the directory of a suite.
    Run = string:trim(os:cmd("mktemp -d /tmp/erlrc-boot.XXXXXX")),
    Peer = node_of(Config, #{args => jobs(4), env => [{"ERLRC_RUN", filename:join(Run, "nodes")}]}),
    ok = call(Peer, erlrc_app, ensure_started, []),
    ?assertMatch({1, _}, command(Config, Peer, ["--timings"])),
    Boot = async(fun() -> boot(Peer) end),
    arrived(Peer, middle),
    %% However long the others take.
    fixture:wait_until(fun() -> lists:sort(started(Peer)) =:= [bottom, other] end),
    open(Peer, middle),
    ?assertEqual(ok, await(Boot)),
    {0, Timings} = command(Config, Peer, ["--timings"]),
    ?assertMatch({match, _}, re:run(Timings, "4 applications in .*, up to 4 at once\nTOOK +AFTER +APPLICATION\n.*middle 1.0\n", [dotall])),
    {0, Path} = command(Config, Peer, ["--timings", "--critical-path"]),
    ?assertMatch({match, _}, re:run(Path, "\ntop 1.0 @.*\n`-middle 1.0 @.*\n  `-bottom 1.0 @")),
    Svg = filename:join(proplists:get_value(dir, Config), "boot.svg"),
    {0, Dot} = command(Config, Peer, ["--timings", "--dot", "--svg", Svg]),
    ?assertMatch({match, _}, re:run(Dot, "\"top\" -> \"other\";")),
    {ok, Drawn} = file:read_file(Svg),
    ?assertMatch({match, _}, re:run(Drawn, "^<svg.*middle 1.0")),
    {0, Json} = command(Config, Peer, ["--timings", "--json"]),
    ?assertMatch({match, _}, re:run(Json, "\"critical_path\":\\[\"top\",\"middle\",\"bottom\"\\]")),
    finish(Config, Peer),
    ok = file:del_dir_r(Run).

%%% Helpers

%% With the directories of the node.
command(Config, Peer, Arguments) ->
    Variables = [{Name, call(Peer, os, getenv, [Name])} || Name <- ["ERLRC_ROOT", "ERLRC_RUN", "ERLRC_STATE"]],
    Port = open_port({spawn_executable, filename:join(code:priv_dir(erlrc), "erlrc")}, [
        {args, ["boot-order" | Arguments]}, {env, Variables}, {cd, proplists:get_value(dir, Config)}, exit_status, binary, stderr_to_stdout
    ]),
    output(Port, []).

output(Port, Before) ->
    receive
        {Port, {data, Data}} -> output(Port, [Before, Data]);
        {Port, {exit_status, Status}} -> {Status, iolist_to_binary(Before)}
    end.

needs(Apps) ->
    {applications, [kernel, stdlib | Apps]}.

concurrent(Config, Jobs) ->
    node_of(Config, #{args => jobs(Jobs)}).

jobs(Jobs) ->
    ["-erlrc", "boot", "concurrent", "boot_jobs", integer_to_list(Jobs)].

arrived(Peer, App) ->
    fixture:wait_until(fun() -> is_pid(call(Peer, erlang, whereis, [App])) end).

open(Peer, App) ->
    open = call(Peer, erlang, send, [App, open]).

fail(Peer, App) ->
    fail = call(Peer, erlang, send, [App, fail]).

%% As the application controller has it.
starting(Peer) ->
    lists:sort([element(1, Each) || Each <- proplists:get_value(starting, call(Peer, application, info, []))]).

asked(Peer) ->
    #{status := ok, outcome := boot_times} = call(Peer, erlrc_hook, request, [#{protocol => 1, operation => boot_times}]).

outcomes(Peer) ->
    #{boot := #{applications := Apps}} = asked(Peer),
    lists:sort([{binary_to_atom(Name), Outcome} || #{application := Name, outcome := Outcome} <- Apps]).
