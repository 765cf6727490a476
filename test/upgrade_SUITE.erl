%% @doc Upgrade and downgrade on real nodes, once with each evaluator.
-module(upgrade_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_group/2, end_per_group/2, init_per_testcase/2, end_per_testcase/2]).
-export([
    up_down_up_under_a_client/1,
    shipped_appup_is_preferred/1,
    shipped_appup_is_found_by_regular_expression/1,
    broken_shipped_appup_is_an_error/1,
    same_upgrade_again_is_already_running/1,
    two_upgrades_in_a_row/1,
    other_version_is_a_mismatch/1,
    new_version_that_is_not_there_is_an_error/1,
    stopped_application_is_started/1,
    unknown_application_is_started/1,
    stopped_application_that_does_not_start_leaves_no_trace/1,
    included_application_is_upgraded_inside/1,
    upgrade_that_starts_including/1,
    upgrade_that_stops_including/1,
    new_dependency_is_started_before/1,
    new_dependency_that_fails_leaves_no_trace/1,
    failing_code_change_leaves_no_trace/1,
    broken_module_leaves_no_trace/1,
    environment_survives/1,
    override_holds/1,
    override_that_changed_takes_effect/1,
    override_that_was_added_takes_effect/1,
    override_that_was_removed_ends/1,
    override_of_what_otp_loaded_takes_effect/1,
    failed_upgrade_leaves_the_old_override_in_force/1,
    config_change_is_told/1,
    same_version_reloads_what_differs/1,
    version_without_a_module_that_it_lists_is_refused/1,
    module_that_neither_version_has_is_no_news/1,
    old_directory_gone_stash_serves/1,
    old_directory_gone_loaded_code_serves/1,
    old_directory_gone_and_code_not_loaded/1,
    restart_of_the_emulator_changes_nothing/1,
    effects_of_a_failed_script_are_told/1,
    same_upgrade_twice_at_once/1,
    upgrade_outlives_its_caller/1,
    application_without_a_supervisor_elsewhere/1,
    hook_says_what_happened/1,
    hook_refuses_in_a_word/1,
    hook_says_whether_code_was_committed/1,
    appup_is_made/1
]).

all() ->
    Evaluators = [{release_handler, erlrc_release_handler}, {transactional, erlrc_transaction}],
    [{group, Name} || {Name, Module} <- Evaluators, code:which(Module) =/= non_existing].

groups() ->
    Cases = [Case || {Case, 1} <- ?MODULE:module_info(exports), Case =/= module_info],
    [{release_handler, [], Cases}, {transactional, [], Cases}].

init_per_group(Evaluator, Config) ->
    [{evaluator, Evaluator} | Config].

end_per_group(_Evaluator, _Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Evaluator = atom_to_list(?config(evaluator, Config)),
    Dir = filename:join([?config(priv_dir, Config), Evaluator, atom_to_list(Case)]),
    Root = fixture:root(Dir),
    SysConfig = filename:join(Dir, "sys.config"),
    ok = file:write_file(SysConfig, "[{svc, [{from_file, file}]}].\n"),
    Args = ["-config", filename:rootname(SysConfig), "-svc", "from_line", "line", "-erlrc", "evaluator", Evaluator],
    {Peer, _} = fixture:start_node(#{name => false, root => Root, args => Args}),
    [{peer, Peer}, {dir, Dir}, {root, Root} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

up_down_up_under_a_client(Config) ->
    {One, Two} = versions(Config),
    Files = listing([One, Two]),
    started = dynamic(Config, start, [svc, "1", One]),
    Server = call(Config, erlang, whereis, [svc_server]),
    Client = client(Config),
    Path = call(Config, code, get_path, []),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    {state2, _, 1} = ask(Config, state),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({1, "1"}, versions_now(Config)),
    ?assertEqual(Path, call(Config, code, get_path, [])),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    Answers = answers(Config, Client),
    ?assert(length(Answers) > 10),
    ?assertEqual(lists:seq(1, length(Answers)), Answers),
    ?assertEqual(Server, call(Config, erlang, whereis, [svc_server])),
    ?assertEqual(Files, listing([One, Two])).

shipped_appup_is_preferred(Config) ->
    shipped(Config, "1").

shipped_appup_is_found_by_regular_expression(Config) ->
    shipped(Config, <<"[0-9]+">>).

shipped(Config, Pattern) ->
    Mark = fun(Direction) -> {apply, {application, set_env, [kernel, shipped, Direction]}} end,
    Update = {update, svc_server, {advanced, []}},
    Appup = {"2", [{Pattern, [Update, Mark(up)]}], [{Pattern, [Mark(down), Update]}]},
    {One, Two} = versions(Config, #{}, #{appup => Appup}),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    {ok, up} = call(Config, application, get_env, [kernel, shipped]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    {ok, down} = call(Config, application, get_env, [kernel, shipped]),
    1 = next(Config).

broken_shipped_appup_is_an_error(Config) ->
    {One, Two} = versions(Config, #{}, #{files => [{"ebin/svc.appup", "{\"2\", [\n"}]}),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, _} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]).

same_upgrade_again_is_already_running(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    {ok, already_running} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    {ok, already_running} = unchanged(Config, downgrade, [svc, "1", "2", One, Two]).

two_upgrades_in_a_row(Config) ->
    {One, Two} = versions(Config),
    Three = application(Config, svc, "3", #{modules => modules(svc, 2) ++ ["-module(svc_third).\n"]}),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ok = upgraded(Config, upgrade, [svc, "2", "3", Two, Three]),
    ?assertEqual({2, "3"}, versions_now(Config)),
    {file, _} = call(Config, code, is_loaded, [svc_third]),
    ok = upgraded(Config, downgrade, [svc, "2", "3", Two, Three]),
    false = call(Config, code, is_loaded, [svc_third]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({1, "1"}, versions_now(Config)),
    2 = next(Config).

other_version_is_a_mismatch(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, version_mismatch} = unchanged(Config, upgrade, [svc, "2", "3", Two, One]),
    {error, version_mismatch} = unchanged(Config, downgrade, [svc, "2", "3", Two, One]).

new_version_that_is_not_there_is_an_error(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, {appspec_file_not_found, _}} = unchanged(Config, upgrade, [svc, "1", "2", One, "/nonexistent/svc-2"]),
    {error, {bad_new_appvsn, svc, "3", "2"}} = unchanged(Config, upgrade, [svc, "1", "3", One, Two]).

stopped_application_is_started(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = call(Config, application, set_env, [svc, own, mine]),
    stopped = dynamic(Config, stop, [svc, "1"]),
    {ok, started} = dynamic(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    ?assertEqual({ok, mine}, call(Config, application, get_env, [svc, own])),
    false = lists:member(filename:join(One, "ebin"), call(Config, code, get_path, [])),
    stopped = dynamic(Config, stop, [svc, "2"]),
    {ok, started} = dynamic(Config, downgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({1, "1"}, versions_now(Config)).

unknown_application_is_started(Config) ->
    {_One, Two} = versions(Config),
    {ok, started} = dynamic(Config, upgrade, [svc, "1", "2", "/nonexistent/svc-1", Two]),
    ?assertEqual({2, "2"}, versions_now(Config)).

stopped_application_that_does_not_start_leaves_no_trace(Config) ->
    Broken = "-module(svc_app).\n-export([start/2]).\nstart(_, _) -> {error, broken}.\n",
    {One, Two} = versions(Config, #{}, #{modules => [Broken | tl(modules(svc, 2))]}),
    started = dynamic(Config, start, [svc, "1", One]),
    stopped = dynamic(Config, stop, [svc, "1"]),
    {error, {start_failed, svc, _}} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config).

included_application_is_upgraded_inside(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [host, "1", host(Config, "1", [svc], [One])]),
    included = dynamic(Config, start, [svc, "1", One]),
    Server = call(Config, erlang, whereis, [svc_server]),
    1 = next(Config),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    {state2, 1, 1} = ask(Config, state),
    {ok, included} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    2 = next(Config),
    ?assertEqual(Server, call(Config, erlang, whereis, [svc_server])),
    false = lists:member(svc, running(Config)).

upgrade_that_starts_including(Config) ->
    {One, _} = versions(Config),
    HostOne = host(Config, "1", [], []),
    HostTwo = host(Config, "2", [svc], []),
    started = dynamic(Config, start, [svc, "1", One]),
    started = dynamic(Config, start, [host, "1", HostOne]),
    ok = upgraded(Config, upgrade, [host, "1", "2", HostOne, HostTwo]),
    false = lists:member(svc, running(Config)),
    {ok, [svc]} = call(Config, application, get_key, [host, included_applications]),
    {ok, "1"} = call(Config, application, get_key, [svc, vsn]),
    included = dynamic(Config, start, [svc, "1", One]).

upgrade_that_stops_including(Config) ->
    fixture:register(?config(root, Config), svc),
    {One, _} = versions(Config),
    HostOne = host(Config, "1", [svc], [One]),
    HostTwo = host(Config, "2", [], []),
    started = dynamic(Config, start, [host, "1", HostOne]),
    ok = call(Config, supervisor, terminate_child, [host_sup, svc_sup]),
    ok = upgraded(Config, upgrade, [host, "1", "2", HostOne, HostTwo]),
    true = lists:member(svc, running(Config)),
    1 = next(Config).

new_dependency_is_started_before(Config) ->
    Low = application(Config, low, "1", #{modules => modules(low, 1)}),
    on_path(Config, [Low]),
    {One, Two} = versions(Config, #{}, #{app => [{applications, [kernel, stdlib, low]}]}),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    true = lists:member(low, running(Config)),
    {ok, [kernel, stdlib, low]} = call(Config, application, get_key, [svc, applications]).

new_dependency_that_fails_leaves_no_trace(Config) ->
    Broken = "-module(low_app).\n-export([start/2]).\nstart(_, _) -> {error, broken}.\n",
    Low = application(Config, low, "1", #{modules => [Broken]}),
    on_path(Config, [Low]),
    {One, Two} = versions(Config, #{}, #{app => [{applications, [kernel, stdlib, low]}]}),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, {start_failed, low, _}} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    1 = next(Config).

poisoned_modules() ->
    Poisoned = string:replace(
        fixture:server_module(svc_server, 2), "code_change(_, {state1, N}, _) -> {ok, {state2, N, 1}}",
        "code_change(_, {state1, _}, _) -> error(poisoned)"
    ),
    [App, Sup, _ | Rest] = modules(svc, 2),
    [App, Sup, lists:flatten(Poisoned) | Rest].

failing_code_change_leaves_no_trace(Config) ->
    {One, Two} = versions(Config, #{}, #{modules => poisoned_modules()}),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    {error, Why} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertNotEqual(not_rolled_back, element(1, Why)),
    2 = next(Config),
    {error, _} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    3 = next(Config).

broken_module_leaves_no_trace(Config) ->
    {One, Two} = versions(Config),
    File = filename:join([Two, "ebin", "svc_server.beam"]),
    {ok, Beam} = file:read_file(File),
    ok = file:write_file(File, binary:part(Beam, 0, byte_size(Beam) div 2)),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, _} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    1 = next(Config).

environment_survives(Config) ->
    Env1 = [{from_file, old}, {from_line, old}, {at_run_time, old}, {default, old}, {gone, old}],
    Env2 = [{from_file, new}, {from_line, new}, {at_run_time, new}, {default, new}, {added, new}],
    {One, Two} = versions(Config, #{app => [{env, Env1}]}, #{app => [{env, Env2}]}),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = call(Config, application, set_env, [svc, at_run_time, mine]),
    Expected = [{added, new}, {at_run_time, mine}, {default, new}, {from_file, file}, {from_line, line}],
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual(Expected, lists:sort(call(Config, application, get_all_env, [svc]))),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    Back = [{at_run_time, mine}, {default, old}, {from_file, file}, {from_line, line}, {gone, old}],
    ?assertEqual(Back, lists:sort(call(Config, application, get_all_env, [svc]))).

override_holds(Config) ->
    {One, Two} = versions(Config, #{app => [{env, [{a, 1}, {b, 1}]}]}, #{app => [{env, [{a, 2}, {b, 2}]}]}),
    fixture:override(?config(root, Config), svc, [{env, {keymerge, [{b, mine}]}}]),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({ok, 2}, call(Config, application, get_env, [svc, a])),
    ?assertEqual({ok, mine}, call(Config, application, get_env, [svc, b])).

override_that_changed_takes_effect(Config) ->
    {One, Two} = telling(Config, [], []),
    override(Config, [{env, [{k, v}, {mine, v}, {from_file, v}]}]),
    started = dynamic(Config, start, [svc, "1", One]),
    set_env(Config, mine),
    Extra = fixture:application(?config(dir, Config), extra, "1", #{}),
    on_path(Config, [Extra]),
    override(Config, [{env, [{k, v2}, {n, 1}, {mine, v2}, {from_file, v2}]}, {applications, {merge, [extra]}}]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, v2}, {mine, mine}, {n, 1}], env(Config)),
    ?assertEqual({[{k, v2}], [{n, 1}], []}, told(Config)),
    ?assert(lists:member(extra, running(Config))),
    %% Going down holds what is there then.
    override(Config, [{env, {keymerge, [{k, v3}]}}]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, v3}, {mine, mine}], env(Config)),
    ?assertEqual({[{k, v3}], [], [n]}, told(Config)).

override_that_was_added_takes_effect(Config) ->
    {One, Two} = telling(Config, [{k, 1}, {other, 1}, {mine, 1}], [{k, 1}, {other, 2}, {mine, 1}]),
    started = dynamic(Config, start, [svc, "1", One]),
    set_env(Config, mine),
    override(Config, [{env, {keymerge, [{k, over}, {new, over}, {mine, over}]}}]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual(
        [{from_file, file}, {from_line, line}, {k, over}, {mine, mine}, {new, over}, {other, 2}], env(Config)
    ),
    ?assertEqual({[{k, over}, {other, 2}], [{new, over}], []}, told(Config)).

override_that_was_removed_ends(Config) ->
    {One, Two} = telling(Config, [{k, 1}], [{k, 1}]),
    override(Config, [{env, {keymerge, [{k, over}, {new, over}]}}]),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = file:delete(filename:join([?config(root, Config), "applications", "svc.app"])),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, 1}], env(Config)),
    ?assertEqual({[{k, 1}], [], [new]}, told(Config)).

%% As a boot script of a release does it, which knows of no override.
override_of_what_otp_loaded_takes_effect(Config) ->
    {One, Two} = telling(Config, [{k, 1}, {mine, 1}], [{k, 1}, {mine, 1}]),
    override(Config, [{env, {keymerge, [{k, over}, {mine, over}]}}]),
    on_path(Config, [One]),
    ok = call(Config, application, load, [svc]),
    ok = call(Config, application, start, [svc]),
    set_env(Config, mine),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, 1}, {mine, mine}], env(Config)),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, over}, {mine, mine}], env(Config)).

failed_upgrade_leaves_the_old_override_in_force(Config) ->
    {One, Two} = telling(Config, [], []),
    override(Config, [{env, [{k, v}]}]),
    started = dynamic(Config, start, [svc, "1", One]),
    Broken = application(Config, svc, "3", #{modules => poisoned_modules()}),
    override(Config, [{env, [{k, v2}]}]),
    {error, _} = unchanged(Config, upgrade, [svc, "1", "3", One, Broken]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual([{from_file, file}, {from_line, line}, {k, v2}], env(Config)).

%% Two versions with these environments that tell of `config_change/3'.
telling(Config, Env1, Env2) ->
    [_ | Modules1] = modules(svc, 1),
    [_ | Modules2] = modules(svc, 2),
    versions(
        Config, #{modules => [teller() | Modules1], app => [{env, Env1}]}, #{modules => [teller() | Modules2], app => [{env, Env2}]}
    ).

teller() ->
    "-module(svc_app).\n-behaviour(application).\n-export([start/2, stop/1, config_change/3]).\n"
    "start(_, _) -> svc_sup:start_link().\nstop(_) -> ok.\n"
    "config_change(C, N, R) -> persistent_term:put(told, {C, N, R}).\n".

%% In whichever order the environment has its keys.
told(Config) ->
    {Changed, New, Removed} = call(Config, persistent_term, get, [told]),
    {lists:sort(Changed), lists:sort(New), lists:sort(Removed)}.

env(Config) ->
    lists:sort(call(Config, application, get_all_env, [svc])).

set_env(Config, Key) ->
    ok = call(Config, application, set_env, [svc, Key, mine]).

override(Config, Keys) ->
    fixture:override(?config(root, Config), svc, Keys).

config_change_is_told(Config) ->
    Modules = [teller() | tl(modules(svc, 2))],
    {One, Two} = versions(
        Config, #{app => [{env, [{a, 1}, {b, 1}, {c, 1}]}]}, #{modules => Modules, app => [{env, [{a, 1}, {b, 2}, {d, 1}]}]}
    ),
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({[{b, 2}], [{d, 1}], [c]}, told(Config)).

same_version_reloads_what_differs(Config) ->
    {One, _} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    {ok, already_running} = unchanged(Config, upgrade, [svc, "1", "1", One, One]),
    [App, Sup, Server, _] = modules(svc, 1),
    One = application(Config, svc, "1", #{modules => [App, Sup, Server, spare(svc, rebuilt)]}),
    ok = upgraded(Config, upgrade, [svc, "1", "1", One, One]),
    rebuilt = call(Config, svc_spare, version, []),
    2 = next(Config),
    {ok, already_running} = unchanged(Config, upgrade, [svc, "1", "1", One, One]).

%% Up and down, by a generated and by a shipped script, from loaded code, and the same version again.
version_without_a_module_that_it_lists_is_refused(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    Away = take_away(Two, svc_spare),
    Refused = {error, {no_beam, "2", svc_spare}},
    Refused = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    Appup = filename:join([Two, "ebin", "svc.appup"]),
    ok = file:write_file(Appup, "{\"2\", [{\"1\", [{load_module, svc_sup}]}], [{\"1\", [{load_module, svc_sup}]}]}.\n"),
    Refused = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    ok = file:delete(Appup),
    ok = Away(),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    _ = take_away(One, svc_spare),
    {error, {no_beam, "1", svc_spare}} = unchanged(Config, downgrade, [svc, "1", "2", One, Two]),
    [App, Sup, Server, _] = modules(svc, 2),
    2 = call(Config, svc_spare, version, []),
    Two = application(Config, svc, "2", #{modules => [App, Sup, Server, spare(svc, rebuilt)]}),
    _ = take_away(Two, svc_server),
    {error, {no_beam, "2", svc_server}} = unchanged(Config, upgrade, [svc, "2", "2", Two, Two]).

take_away(Dir, Module) ->
    File = filename:join([Dir, "ebin", atom_to_list(Module) ++ ".beam"]),
    ok = file:rename(File, File ++ ".away"),
    fun() -> file:rename(File ++ ".away", File) end.

module_that_neither_version_has_is_no_news(Config) ->
    {One, Two} = versions(Config),
    _ = [ok = list_a_ghost(Dir) || Dir <- [One, Two]],
    started = dynamic(Config, start, [svc, "1", One]),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ok = upgraded(Config, downgrade, [svc, "1", "2", One, Two]).

list_a_ghost(Dir) ->
    File = filename:join([Dir, "ebin", "svc.app"]),
    {ok, [{application, svc, Keys}]} = file:consult(File),
    {modules, Modules} = lists:keyfind(modules, 1, Keys),
    Listed = lists:keyreplace(modules, 1, Keys, {modules, Modules ++ [svc_ghost]}),
    file:write_file(File, io_lib:format("~tp.~n", [{application, svc, Listed}])).

old_directory_gone_stash_serves(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    Stash = filename:join([?config(dir, Config), "stash", "svc-1"]),
    ok = filelib:ensure_dir(Stash),
    ok = file:rename(One, Stash),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    {state2, 1, 1} = ask(Config, state).

old_directory_gone_loaded_code_serves(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    1 = next(Config),
    ok = file:del_dir_r(One),
    ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    {state2, 1, 1} = ask(Config, state).

old_directory_gone_and_code_not_loaded(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    true = call(Config, code, delete, [svc_spare]),
    true = call(Config, code, soft_purge, [svc_spare]),
    ok = file:del_dir_r(One),
    {error, {old_directory_gone, One}} = unchanged(Config, upgrade, [svc, "1", "2", One, Two]).

restart_of_the_emulator_changes_nothing(Config) ->
    {One, Two} = versions(Config, #{}, #{appup => {"2", [{"1", [restart_new_emulator]}], [{"1", [restart_new_emulator]}]}}),
    started = dynamic(Config, start, [svc, "1", One]),
    restart_new_emulator = unchanged(Config, upgrade, [svc, "1", "2", One, Two]),
    1 = next(Config).

effects_of_a_failed_script_are_told(Config) ->
    Effect = {application, set_env, [kernel, effect, true]},
    Script = [{apply, Effect}, {apply, {erlang, error, [oops]}}, {update, svc_server, {advanced, []}}],
    {One, Two} = versions(Config, #{}, #{appup => {"2", [{"1", Script}], [{"1", []}]}}),
    started = dynamic(Config, start, [svc, "1", One]),
    {error, {not_rolled_back, _, Left}} = dynamic(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assert(lists:member({applied, Effect}, Left)),
    ?assertEqual({1, "1"}, versions_now(Config)).

same_upgrade_twice_at_once(Config) ->
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    [call(Config, erlang, spawn, [erlrcdynamic, upgrade, [svc, "1", "2", One, Two]]) || _ <- [1, 2, 3]],
    {ok, already_running} = dynamic(Config, upgrade, [svc, "1", "2", One, Two]),
    ?assertEqual({2, "2"}, versions_now(Config)),
    {state2, 0, 1} = ask(Config, state).

upgrade_outlives_its_caller(Config) ->
    Slow = string:replace(
        fixture:server_module(svc_server, 2), "code_change(_, {state1, N}, _) ->",
        "code_change(_, {state1, N}, _) -> persistent_term:put(gate, closed), receive open -> ok end,"
    ),
    [App, Sup, _ | Rest] = modules(svc, 2),
    {One, Two} = versions(Config, #{}, #{modules => [App, Sup, lists:flatten(Slow) | Rest]}),
    started = dynamic(Config, start, [svc, "1", One]),
    Caller = call(Config, erlang, spawn, [erlrcdynamic, upgrade, [svc, "1", "2", One, Two]]),
    Gate = call(Config, erlang, whereis, [svc_server]),
    fixture:wait_until(fun() -> closed =:= call(Config, persistent_term, get, [gate, open]) end),
    true = call(Config, erlang, exit, [Caller, kill]),
    open = call(Config, erlang, send, [Gate, open]),
    node = call(Config, erlrc_operations, run, [erlang, list_to_atom, ["node"]]),
    ?assertEqual({2, "2"}, versions_now(Config)).

%% OTP's evaluator asks every application's top process for its children, and dies of one that is no supervisor.
application_without_a_supervisor_elsewhere(Config) ->
    Source =
        "-module(odd_app).\n-export([start/2, init/0]).\nstart(_, _) -> {ok, spawn_link(?MODULE, init, [])}.\n"
        "init() -> receive stop -> ok end.\n",
    Odd = fixture:application(?config(dir, Config), odd, "1", #{modules => [Source], app => [{mod, {odd_app, []}}]}),
    started = dynamic(Config, start, [odd, "1", Odd]),
    {One, Two} = versions(Config),
    started = dynamic(Config, start, [svc, "1", One]),
    case ?config(evaluator, Config) of
        transactional ->
            ok = upgraded(Config, upgrade, [svc, "1", "2", One, Two]);
        release_handler ->
            {error, {script_failed, svc, _}} = unchanged(Config, upgrade, [svc, "1", "2", One, Two])
    end,
    1 = next(Config).

hook_says_what_happened(Config) ->
    {One, Two} = versions(Config),
    Base = #{protocol => 1, application => svc},
    Up = Base#{operation => upgrade, from => <<"1">>, to => <<"2">>, from_dir => bin(One), to_dir => bin(Two)},
    Down = Base#{operation => downgrade, from => <<"2">>, to => <<"1">>, from_dir => bin(Two), to_dir => bin(One)},
    Start = Base#{operation => start, vsn => <<"1">>, dir => bin(One)},
    #{status := ok, outcome := started, running := <<"1">>} = hook(Config, Start),
    #{status := ok, outcome := upgraded, running := <<"2">>} = hook(Config, Up),
    #{status := ok, outcome := already_running, running := <<"2">>} = hook(Config, Up),
    #{status := ok, outcome := downgraded, running := <<"1">>} = hook(Config, Down),
    #{status := ok, outcome := running, running := <<"1">>} = hook(Config, Base#{operation => running}),
    #{status := refused, outcome := version_mismatch, reason := <<_/binary>>, running := <<"1">>} =
        hook(Config, Up#{from := <<"2">>, to := <<"3">>}),
    #{status := ok, outcome := stopped} = hook(Config, Base#{operation => stop, vsn => <<"1">>}),
    #{status := ok, outcome := unloaded} = hook(Config, Base#{operation => unload, vsn => <<"1">>, dir => bin(One)}).

%% Whatever an operation returns, with or without a dry run, in either direction.
hook_refuses_in_a_word(Config) ->
    {One, Two} = versions(Config),
    Base = #{protocol => 1, application => svc},
    Nowhere = bin(filename:join(?config(dir, Config), "nowhere")),
    Operations = fun(Dir) ->
        [
            Base#{operation => start, vsn => <<"2">>, dir => Dir},
            Base#{operation => upgrade, from => <<"1">>, to => <<"2">>, from_dir => Nowhere, to_dir => Dir},
            Base#{operation => downgrade, from => <<"3">>, to => <<"2">>, from_dir => Nowhere, to_dir => Dir}
        ]
    end,
    Both = fun(Request) -> [Request, Request#{operation := dry_run, 'of' => maps:get(operation, Request)}] end,
    Statuses = fun(Requests) ->
        Answers = [hook(Config, Request) || Each <- Requests, Request <- Both(Each)],
        [?assertMatch(#{reason := <<_, _/binary>>}, Answer) || Answer <- Answers],
        lists:usort([{Status, Outcome} || #{status := Status, outcome := Outcome} <- Answers])
    end,
    [Start | Changes] = Operations(Nowhere),
    ?assertEqual([{refused, bad_directory}], Statuses([Start])),
    [?assertMatch(#{status := refused, outcome := bad_directory}, hook(Config, Request#{operation := dry_run, 'of' => upgrade}))
     || Request <- Changes],
    %% The directory is that of another version.
    ?assertEqual([{refused, version_load_mismatch}], Statuses([hd(Operations(bin(One)))])),
    [?assertNotMatch(#{status := bug}, hook(Config, Request)) || Change <- Changes, Request <- Both(Change)],
    #{status := ok, outcome := started} = hook(Config, Base#{operation => start, vsn => <<"1">>, dir => bin(One)}),
    Other = [Request#{from := <<"8">>, to := <<"9">>} || Request <- tl(Operations(bin(Two)))],
    ?assertEqual([{refused, version_mismatch}], Statuses(Other)).

hook_says_whether_code_was_committed(Config) ->
    Poisoned = string:replace(
        fixture:server_module(svc_server, 2), "code_change(_, {state1, N}, _) -> {ok, {state2, N, 1}}",
        "code_change(_, {state1, _}, _) -> error(poisoned)"
    ),
    [App, Sup, _ | Rest] = modules(svc, 2),
    {One, Two} = versions(Config, #{}, #{modules => [App, Sup, lists:flatten(Poisoned) | Rest]}),
    Three = application(Config, svc, "3", #{modules => modules(svc, 2)}),
    File = filename:join([Three, "ebin", "svc_server.beam"]),
    {ok, Beam} = file:read_file(File),
    ok = file:write_file(File, binary:part(Beam, 0, byte_size(Beam) div 2)),
    started = dynamic(Config, start, [svc, "1", One]),
    Up = fun(Vsn, Dir) ->
        hook(Config, #{
            protocol => 1, application => svc, operation => upgrade, patience => 20000,
            from => <<"1">>, to => Vsn, from_dir => bin(One), to_dir => bin(Dir)
        })
    end,
    #{status := failed, outcome := script_failed, committed := true} = Up(<<"2">>, Two),
    Broken = Up(<<"3">>, Three),
    ?assertMatch(#{status := failed}, Broken),
    ?assertEqual(false, maps:get(committed, Broken, false)).

appup_is_made(Config) ->
    {One, Two} = versions(Config),
    {ok, {"2", [{"1", Up}], [{"1", Down}]}} = dynamic(Config, make_appup, [svc, "1", "2", One, Two]),
    ?assertMatch([{load_module, svc_spare}, {update, svc_server, infinity, {advanced, []}, _, _, _}], lists:sort(Up)),
    ?assertEqual(2, length(Down)),
    false = call(Config, code, is_loaded, [svc_server]),
    {error, _} = dynamic(Config, make_appup, [svc, "1", "2", "/nonexistent/svc-1", Two]),
    {error, _} = dynamic(Config, make_appup, [svc, "1", "2", One, "/nonexistent/svc-2"]),
    {error, _} = dynamic(Config, make_appup, [svc, "0", "2", One, Two]),
    {error, _} = dynamic(Config, make_appup, [svc, "1", "3", One, Two]).

versions(Config) ->
    versions(Config, #{}, #{}).

versions(Config, One, Two) ->
    {
        application(Config, svc, "1", maps:merge(#{modules => modules(svc, 1)}, One)),
        application(Config, svc, "2", maps:merge(#{modules => modules(svc, 2)}, Two))
    }.

application(Config, App, Vsn, Options) ->
    Mod = {mod, {name(App, "_app"), []}},
    fixture:application(?config(dir, Config), App, Vsn, Options#{app => [Mod | maps:get(app, Options, [])]}).

modules(App, Version) ->
    Server = name(App, "_server"),
    [
        fixture:callback_module(name(App, "_app"), name(App, "_sup")),
        fixture:supervisor_module(name(App, "_sup"), [
            #{id => Server, start => {Server, start_link, []}, modules => [Server]}
        ]),
        fixture:server_module(Server, Version),
        spare(App, Version)
    ].

spare(App, Version) ->
    Module = atom_to_list(name(App, "_spare")),
    lists:flatten(io_lib:format("-module(~s).\n-export([version/0]).\nversion() -> ~p.\n", [Module, Version])).

%% An application that starts the top supervisors of those that it includes.
host(Config, Vsn, Included, Dirs) ->
    on_path(Config, Dirs),
    %% Two versions lie side by side; the metadata say which one is meant.
    Metadata = filename:join([?config(dir, Config), "apps", "svc"]),
    ok = filelib:ensure_dir(Metadata),
    [ok = file:write_file(Metadata, io_lib:format("~p.~n", [{svc, "1", Dir}])) || Dir <- Dirs],
    Children = [
        #{id => name(App, "_sup"), start => {name(App, "_sup"), start_link, []}, type => supervisor}
     || App <- Included
    ],
    Modules = [fixture:callback_module(host_app, host_sup), fixture:supervisor_module(host_sup, Children)],
    application(Config, host, Vsn, #{modules => Modules, app => [{included_applications, Included}]}).

name(App, Suffix) ->
    list_to_atom(atom_to_list(App) ++ Suffix).

on_path(Config, Dirs) ->
    [true = call(Config, code, add_pathz, [filename:join(Dir, "ebin")]) || Dir <- Dirs].

running(Config) ->
    [App || {App, _, _} <- call(Config, application, which_applications, [])].

%% What the server and what the specification say.
versions_now(Config) ->
    {ok, Vsn} = call(Config, application, get_key, [svc, vsn]),
    {ask(Config, version), Vsn}.

%% A process on the node that asks for one number after the other, until it is asked for them.
client(Config) ->
    Source =
        "-module(client).\n-export([start/0, loop/1]).\nstart() -> spawn(?MODULE, loop, [[]]).\n"
        "loop(Numbers) -> receive {From, answers} -> From ! {self(), lists:reverse(Numbers)}\n"
        "  after 0 -> loop([gen_server:call(svc_server, next) | Numbers]) end.\n",
    Dir = fixture:application(?config(dir, Config), client, "1", #{modules => [Source, asker()]}),
    on_path(Config, [Dir]),
    call(Config, client, start, []).

asker() ->
    "-module(asker).\n-export([answers/1]).\n"
    "answers(Client) -> Client ! {self(), answers}, receive {Client, Numbers} -> Numbers end.\n".

answers(Config, Client) ->
    call(Config, asker, answers, [Client]).

listing(Dirs) ->
    [{File, filelib:last_modified(File)} || Dir <- Dirs, File <- filelib:wildcard(filename:join(Dir, "**"))].

ask(Config, Question) ->
    call(Config, gen_server, call, [svc_server, Question]).

next(Config) ->
    ask(Config, next).

unchanged(Config, Function, Arguments) ->
    Before = node_state:take(?config(peer, Config), ?config(dir, Config)),
    Result = dynamic(Config, Function, Arguments),
    ?assertEqual(Before, node_state:take(?config(peer, Config), ?config(dir, Config))),
    Result.

%% Whether old code is purged at once is the evaluator's affair.
upgraded(Config, Function, Arguments) ->
    {ok, Unpurged} = dynamic(Config, Function, Arguments),
    ?assert(is_list(Unpurged)),
    ok.

hook(Config, Request) ->
    call(Config, erlrc_hook, request, [Request]).

bin(Dir) ->
    unicode:characters_to_binary(Dir).

dynamic(Config, Function, Arguments) ->
    call(Config, erlrcdynamic, Function, Arguments).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
