%% @doc Boot on real nodes: what is started, in which order, and what is said when it cannot be.
-module(boot_SUITE).

-include_lib("stdlib/include/assert.hrl").

-import(boot_support, [
    install/3, install/4, failing/3, gate/1, enlist/2, registration/2, metadata/4, ebin/2,
    write/2, node_of/1, node_of/2, finish/2, call/4, boot/1, started/1, before/3, is_loaded/2,
    restart_type/2, text/1, capture_log/1, logged/2, async/1, await/1
]).

-export([all/0, groups/0, init_per_group/2, end_per_group/2, init_per_testcase/2, end_per_testcase/2]).
-export([
    dependencies_start_first/1,
    boot_is_idempotent/1,
    stray_files_are_ignored/1,
    disabled_applications_are_not_started/1,
    erlrc_may_be_listed/1,
    broken_registration_is_reported/1,
    of_nested_includes_only_the_top_runs/1,
    dependents_of_an_included_application_wait_for_its_includer/1,
    includer_that_starts_first_serves_those_who_need_its_parts/1,
    override_changes_the_specification_key_by_key/1,
    override_that_is_no_pair_is_an_error/1,
    optional_applications_may_be_missing/1,
    what_is_loaded_or_started_is_respected/1,
    every_application_is_temporary/1,
    circular_dependency_starts_nothing/1,
    duplicate_include_starts_nothing/1,
    unreadable_directory_is_reported/1,
    nonsense_in_the_environment_is_reported/1,
    missing_dependency_is_reported/1,
    applications_of_another_language_are_found/1,
    broken_specification_is_reported/1,
    package_that_is_gone_is_skipped/1,
    installed_package_without_specification_is_an_error/1,
    highest_version_is_taken/1,
    version_on_the_command_line_is_taken/1,
    metadata_decides_the_version/1,
    failed_start_stops_the_boot/1,
    boot_goes_on_after_a_failed_start_when_told/1,
    environments_survive_a_rewritten_specification/1,
    modules_are_loaded_beforehand/1,
    two_operations_race_with_a_boot/1,
    operation_survives_its_caller/1
]).

-spec all() -> [term()].
all() ->
    [{group, sequential}, {group, concurrent}].

-spec groups() -> [term()].
groups() ->
    Cases = [
        Case
     || {Case, 1} <- ?MODULE:module_info(exports),
        not lists:member(Case, [module_info])
    ],
    [{sequential, [], Cases}, {concurrent, [], Cases}].

%% With more jobs than this machine may have schedulers.
-spec init_per_group(atom(), list()) -> list().
init_per_group(sequential, Config) ->
    Config;
init_per_group(concurrent, Config) ->
    [{boot, ["-erlrc", "boot", "concurrent", "boot_jobs", "8"]} | Config].

-spec end_per_group(atom(), list()) -> ok.
end_per_group(_Group, _Config) ->
    ok.

-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(Case, Config) ->
    Group = proplists:get_value(name, proplists:get_value(tc_group_properties, Config)),
    boot_support:directories(filename:join(Group, Case), Config).

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

%%% Order

-spec dependencies_start_first(list()) -> ok.
dependencies_start_first(Config) ->
    install(Config, top, [{applications, [kernel, stdlib, middle, other]}]),
    install(Config, middle, [{applications, [kernel, stdlib, bottom]}]),
    install(Config, other, []),
    install(Config, bottom, []),
    %% `top' comes before `middle' by name and after it in the plan.
    enlist(Config, [top, middle]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    Order = started(Peer),
    ?assertEqual([bottom, middle, other, top], lists:sort(Order)),
    ?assert(before(bottom, middle, Order)),
    ?assert(before(middle, top, Order)),
    ?assert(before(other, top, Order)),
    finish(Config, Peer).

-spec boot_is_idempotent(list()) -> ok.
boot_is_idempotent(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    Supervisor = call(Peer, erlang, whereis, [foo_sup]),
    ?assert(is_pid(Supervisor)),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual(Supervisor, call(Peer, erlang, whereis, [foo_sup])),
    %% What was registered since is started by the next boot.
    install(Config, bar, []),
    enlist(Config, [bar]),
    true = call(Peer, code, add_patha, [ebin(Config, "bar-1.0")]),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo, bar], started(Peer)),
    finish(Config, Peer).

-spec stray_files_are_ignored(list()) -> ok.
stray_files_are_ignored(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo]),
    Stray = ["bar.dpkg-new", "bar~", ".bar", "Bar", "bar.rpmsave", "1bar", "bar.bak"],
    [ok = write(registration(Config, Name), <<>>) || Name <- Stray],
    ok = file:make_dir(registration(Config, "directory")),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo], started(Peer)),
    finish(Config, Peer).

-spec disabled_applications_are_not_started(list()) -> ok.
disabled_applications_are_not_started(Config) ->
    install(Config, foo, []),
    install(Config, bar, []),
    enlist(Config, [foo]),
    ok = fixture:register(proplists:get_value(root, Config), bar, [{enabled, false}]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo], started(Peer)),
    finish(Config, Peer).

-spec erlrc_may_be_listed(list()) -> ok.
erlrc_may_be_listed(Config) ->
    install(Config, foo, []),
    enlist(Config, [erlrc, foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo], started(Peer)),
    ?assert(is_pid(call(Peer, erlang, whereis, [erlrc_sup]))),
    finish(Config, Peer).

-spec broken_registration_is_reported(list()) -> ok.
broken_registration_is_reported(Config) ->
    install(Config, sound, []),
    install(Config, foo, []),
    enlist(Config, [sound, foo]),
    ok = write(registration(Config, "foo"), "{enabled, maybe}.\n"),
    Peer = node_of(Config),
    capture_log(Peer),
    {error, {registration_file_error, File, {bad_registration, enabled}}} = boot(Peer),
    ?assertEqual(registration(Config, "foo"), text(File)),
    ?assertMatch([_], logged(Peer, "applications/foo: enabled must be true or false")),
    ?assertEqual([], started(Peer)),
    finish(Config, Peer).

%%% Included applications

-spec of_nested_includes_only_the_top_runs(list()) -> ok.
of_nested_includes_only_the_top_runs(Config) ->
    install(Config, top, [{included_applications, [middle]}]),
    install(Config, middle, [{included_applications, [leaf]}]),
    install(Config, leaf, [{applications, [kernel, stdlib, needed]}]),
    install(Config, needed, []),
    enlist(Config, [top, middle, leaf]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([needed, top], started(Peer)),
    Loaded = [App || {App, _, _} <- call(Peer, application, loaded_applications, [])],
    ?assertEqual([leaf, middle], lists:sort([App || App <- Loaded, lists:member(App, [leaf, middle])])),
    finish(Config, Peer).

-spec dependents_of_an_included_application_wait_for_its_includer(list()) -> ok.
dependents_of_an_included_application_wait_for_its_includer(Config) ->
    install(Config, foo, []),
    install(Config, zbar, [{included_applications, [foo]}]),
    install(Config, baz, [{applications, [kernel, stdlib, foo]}]),
    enlist(Config, [baz, foo, zbar]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([zbar, baz], started(Peer)),
    {ok, Applications} = call(Peer, application, get_key, [baz, applications]),
    ?assert(lists:member(zbar, Applications)),
    ?assertNot(lists:member(foo, Applications)),
    finish(Config, Peer).

%% An application that nobody registered is started for who needs it, inside the one that includes it.
-spec includer_that_starts_first_serves_those_who_need_its_parts(list()) -> ok.
includer_that_starts_first_serves_those_who_need_its_parts(Config) ->
    install(Config, foo, []),
    install(Config, bar, [{included_applications, [foo]}]),
    install(Config, baz, [{applications, [kernel, stdlib, foo]}]),
    enlist(Config, [bar]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([bar], started(Peer)),
    enlist(Config, [baz]),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([bar, baz], started(Peer)),
    finish(Config, Peer).

%%% Overrides

-spec override_changes_the_specification_key_by_key(list()) -> ok.
override_changes_the_specification_key_by_key(Config) ->
    install(Config, foo, [{env, [{a, 1}, {b, 2}]}, {registered, [foo_sup]}, {maxT, 5000000}]),
    install(Config, extra, []),
    enlist(Config, [foo]),
    ok = fixture:override(proplists:get_value(root, Config), foo, [
        {applications, {merge, [extra]}},
        {env, {keymerge, [{b, 3}, {c, 4}]}},
        {registered, {override, [other]}},
        {description, "overridden"}
    ]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([extra, foo], started(Peer)),
    Key = fun(Name) -> element(2, call(Peer, application, get_key, [foo, Name])) end,
    ?assertEqual([extra, kernel, stdlib], lists:sort(Key(applications))),
    ?assertEqual([other], Key(registered)),
    ?assertEqual("overridden", Key(description)),
    ?assertEqual(5000000, Key(maxT)),
    Env = call(Peer, application, get_all_env, [foo]),
    ?assertEqual([{a, 1}, {b, 3}, {c, 4}], lists:sort(Env)),
    finish(Config, Peer).

-spec override_that_is_no_pair_is_an_error(list()) -> ok.
override_that_is_no_pair_is_an_error(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo]),
    File = registration(Config, "foo.app"),
    ok = write(File, "{application, foo, [{env, [], []}]}.\n"),
    Peer = node_of(Config),
    {error, {appspec_override_wrong_arity, Named, Entry}} = boot(Peer),
    ?assertEqual({File, {env, [], []}}, {text(Named), Entry}),
    ?assertEqual([], started(Peer)),
    finish(Config, Peer).

-spec optional_applications_may_be_missing(list()) -> ok.
optional_applications_may_be_missing(Config) ->
    Optional = [there, nowhere],
    install(Config, foo, [
        {applications, [kernel, stdlib | Optional]}, {optional_applications, Optional}
    ]),
    install(Config, there, []),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([there, foo], started(Peer)),
    finish(Config, Peer).

%%% What is there already

-spec what_is_loaded_or_started_is_respected(list()) -> ok.
what_is_loaded_or_started_is_respected(Config) ->
    install(Config, loaded, [{env, [{key, file}]}]),
    install(Config, started, []),
    install(Config, foo, [{applications, [kernel, stdlib, loaded, started]}]),
    enlist(Config, [foo, loaded, started]),
    Peer = node_of(Config),
    ok = call(Peer, application, load, [loaded]),
    ok = call(Peer, application, set_env, [loaded, key, mine]),
    ok = call(Peer, application, start, [started, permanent]),
    Supervisor = call(Peer, erlang, whereis, [started_sup]),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([started, loaded, foo], started(Peer)),
    ?assertEqual({ok, mine}, call(Peer, application, get_env, [loaded, key])),
    ?assertEqual(Supervisor, call(Peer, erlang, whereis, [started_sup])),
    ?assertEqual(permanent, restart_type(Peer, started)),
    finish(Config, Peer).

-spec every_application_is_temporary(list()) -> ok.
every_application_is_temporary(Config) ->
    install(Config, foo, [{applications, [kernel, stdlib, bar]}]),
    install(Config, bar, []),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([temporary, temporary], [restart_type(Peer, App) || App <- [foo, bar]]),
    finish(Config, Peer).

%%% Plans that are not sound

-spec circular_dependency_starts_nothing(list()) -> ok.
circular_dependency_starts_nothing(Config) ->
    install(Config, sound, []),
    install(Config, a, [{applications, [kernel, stdlib, b]}]),
    install(Config, b, [{applications, [kernel, stdlib, c]}]),
    install(Config, c, [{applications, [kernel, stdlib, a]}]),
    enlist(Config, [sound, b]),
    unsound(Config, {circular_dependency, c, [a, b, c]}).

-spec duplicate_include_starts_nothing(list()) -> ok.
duplicate_include_starts_nothing(Config) ->
    install(Config, sound, []),
    install(Config, foo, []),
    install(Config, by1, [{included_applications, [foo]}]),
    install(Config, by2, [{included_applications, [foo]}]),
    enlist(Config, [sound, by2, by1]),
    unsound(Config, {duplicate_included, foo, by1, by2}).

-spec unreadable_directory_is_reported(list()) -> ok.
unreadable_directory_is_reported(Config) ->
    install(Config, sound, []),
    Applications = filename:dirname(registration(Config, "x")),
    ok = file:del_dir_r(Applications),
    Peer = node_of(Config),
    {error, {app_dir_unreadable, Dir, enoent}} = boot(Peer),
    ?assertEqual(Applications, text(Dir)),
    ok = write(Applications, <<>>),
    ?assertMatch({error, {app_dir_unreadable, _, enotdir}}, boot(Peer)),
    ?assertEqual([], started(Peer)),
    finish(Config, Peer).

-spec nonsense_in_the_environment_is_reported(list()) -> ok.
nonsense_in_the_environment_is_reported(Config) ->
    install(Config, sound, []),
    Peer = node_of(Config),
    _ = [
        begin
            ok = fixture:call(Peer, application, set_env, [erlrc, Key, Bad, [{persistent, true}]]),
            ?assertEqual({error, {bad_environment, Key, Bad}}, boot(Peer)),
            ok = fixture:call(Peer, application, unset_env, [erlrc, Key, [{persistent, true}]])
        end
     || {Key, Bad} <- [
            {root_dir, {no, directory}}, {on_start_failure, carry_on}, {register_node, no}, {cookie_file, ""},
            {library_dirs, "/usr/lib/elixir/lib"}, {library_dirs, [there]}
        ]
    ],
    ?assertEqual([], started(Peer)),
    ?assertEqual(
        "on_start_failure in the environment of erlrc cannot be carry_on, it is stop or continue",
        fixture:call(Peer, erlrc_error, format_error, [{bad_environment, on_start_failure, carry_on}])
    ),
    finish(Config, Peer).

-spec missing_dependency_is_reported(list()) -> ok.
missing_dependency_is_reported(Config) ->
    install(Config, sound, []),
    install(Config, foo, [{applications, [kernel, stdlib, nowhere]}]),
    enlist(Config, [sound, foo]),
    Peer = node_of(Config),
    {error, {appspec_file_not_found, File}} = boot(Peer),
    ?assertEqual("nowhere.app", filename:basename(text(File))),
    ?assertEqual([], started(Peer)),
    finish(Config, Peer).

%% As Elixir's package has them, in a directory of its own.
-spec applications_of_another_language_are_found(list()) -> ok.
applications_of_another_language_are_found(Config) ->
    install(Config, foo, [{applications, [kernel, stdlib, tongue, other]}]),
    install(Config, other, "1.0", []),
    Elsewhere = filename:join(proplists:get_value(dir, Config), "elsewhere"),
    Word = "-module(tongue).\n-export([word/0]).\nword() -> said.\n",
    _ = fixture:application(Elsewhere, tongue, "1.14", #{modules => [Word]}),
    ok = file:rename(filename:join(Elsewhere, "tongue-1.14"), filename:join(Elsewhere, "tongue")),
    %% What is on the path is not looked for there.
    _ = fixture:application(Elsewhere, other, "9", #{}),
    enlist(Config, [foo]),
    Peer = node_of(Config, #{args => ["-erlrc", "library_dirs", lists:flatten(io_lib:format("[~p]", [Elsewhere]))]}),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo, other, tongue], lists:sort(started(Peer))),
    ?assertEqual(said, call(Peer, tongue, word, [])),
    ?assertEqual({ok, "1.0"}, call(Peer, application, get_key, [other, vsn])),
    finish(Config, Peer).

-spec broken_specification_is_reported(list()) -> ok.
broken_specification_is_reported(Config) ->
    install(Config, sound, []),
    install(Config, foo, []),
    enlist(Config, [sound, foo]),
    File = filename:join(ebin(Config, "foo-1.0"), "foo.app"),
    ok = write(File, "{application, foo,\n  [{vsn, \"1.0\"},\n   {modules}.\n"),
    Peer = node_of(Config),
    {error, {appspec_file_parse_error, Named, Why} = Reason} = boot(Peer),
    ?assertEqual(File, text(Named)),
    ?assertEqual(3, element(1, Why)),
    Message = call(Peer, erlrc_error, format_error, [Reason]),
    ?assertMatch({match, _}, re:run(Message, "foo.app: line 3", [])),
    ?assertEqual([], started(Peer)),
    ?assertNot(is_loaded(Peer, sound)),
    finish(Config, Peer).

-spec package_that_is_gone_is_skipped(list()) -> ok.
package_that_is_gone_is_skipped(Config) ->
    install(Config, foo, []),
    enlist(Config, [foo, gone]),
    Peer = node_of(Config),
    capture_log(Peer),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual([foo], started(Peer)),
    ?assertMatch([_ | _], logged(Peer, "gone is registered but not installed")),
    finish(Config, Peer).

-spec installed_package_without_specification_is_an_error(list()) -> ok.
installed_package_without_specification_is_an_error(Config) ->
    Dir = filename:join(proplists:get_value(lib, Config), "gone-1.0"),
    ok = metadata(Config, gone, "1.0", Dir),
    enlist(Config, [gone]),
    Peer = node_of(Config),
    {error, {appspec_file_not_found, File}} = boot(Peer),
    ?assertEqual(filename:join([Dir, "ebin", "gone.app"]), text(File)),
    finish(Config, Peer).

%%% Several versions on disk

-spec highest_version_is_taken(list()) -> ok.
highest_version_is_taken(Config) ->
    install(Config, foo, "1.0-rc1", []),
    install(Config, foo, "1.0", []),
    enlist(Config, [foo]),
    Lib = filename:dirname(filename:dirname(ebin(Config, "foo-1.0"))),
    Peer = node_of(Config, #{path => [], env => [{"ERL_LIBS", Lib}]}),
    %% What OTP has taken.
    ?assertEqual(filename:join(Lib, "foo-1.0-rc1"), call(Peer, code, lib_dir, [foo])),
    capture_log(Peer),
    ?assertEqual(ok, boot(Peer)),
    ?assertMatch([_], logged(Peer, "several versions of foo are installed: .*foo-1.0 is taken")),
    ?assertEqual({ok, "1.0"}, call(Peer, application, get_key, [foo, vsn])),
    ?assertEqual(ebin(Config, "foo-1.0"), filename:dirname(call(Peer, code, which, [foo_sup]))),
    finish(Config, Peer).

-spec version_on_the_command_line_is_taken(list()) -> ok.
version_on_the_command_line_is_taken(Config) ->
    install(Config, foo, "1.0", []),
    install(Config, foo, "2.0", []),
    enlist(Config, [foo]),
    Peer = node_of(Config, #{path => [ebin(Config, "foo-1.0")]}),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual({ok, "1.0"}, call(Peer, application, get_key, [foo, vsn])),
    finish(Config, Peer).

-spec metadata_decides_the_version(list()) -> ok.
metadata_decides_the_version(Config) ->
    install(Config, foo, "1.0", []),
    install(Config, foo, "2.0", []),
    enlist(Config, [foo]),
    ok = metadata(Config, foo, "1.0", filename:dirname(ebin(Config, "foo-1.0"))),
    Peer = node_of(Config, #{path => [ebin(Config, "foo-2.0")]}),
    ?assertEqual(ok, boot(Peer)),
    ?assertEqual({ok, "1.0"}, call(Peer, application, get_key, [foo, vsn])),
    ?assertEqual(ebin(Config, "foo-1.0"), filename:dirname(call(Peer, code, which, [foo_sup]))),
    finish(Config, Peer).

%%% Applications that fail to start

-spec failed_start_stops_the_boot(list()) -> ok.
failed_start_stops_the_boot(Config) ->
    install(Config, a, []),
    failing(Config, b, [{applications, [kernel, stdlib, a]}]),
    install(Config, c, [{applications, [kernel, stdlib, b]}]),
    enlist(Config, [c]),
    Peer = node_of(Config),
    capture_log(Peer),
    ?assertMatch({error, {start_failed, b, {no_luck, _}}}, boot(Peer)),
    ?assertEqual([a], started(Peer)),
    ?assertMatch([_], logged(Peer, "b failed to start.*no_luck.*Started: a$")),
    finish(Config, Peer).

-spec boot_goes_on_after_a_failed_start_when_told(list()) -> ok.
boot_goes_on_after_a_failed_start_when_told(Config) ->
    failing(Config, a, []),
    install(Config, b, [{applications, [kernel, stdlib, a]}]),
    install(Config, c, [{included_applications, [d]}]),
    install(Config, d, [{applications, [kernel, stdlib, b]}]),
    install(Config, e, []),
    failing(Config, f, []),
    %% h is to run inside g, and runs itself when g cannot.
    failing(Config, g, [{included_applications, [h]}]),
    install(Config, h, []),
    install(Config, i, [{applications, [kernel, stdlib, h]}]),
    enlist(Config, [b, c, e, f, g, h, i]),
    Peer = node_of(Config, #{args => ["-erlrc", "on_start_failure", "continue"]}),
    {error, {start_failed, Failed}} = boot(Peer),
    ?assertEqual([e, h, i], lists:sort(started(Peer))),
    Reasons = [{App, element(1, Why)} || {App, Why} <- lists:sort(Failed)],
    ?assertEqual(
        [{a, no_luck}, {b, not_started}, {c, not_started}, {f, no_luck}, {g, no_luck}],
        Reasons
    ),
    finish(Config, Peer).

%%% The environment

-spec environments_survive_a_rewritten_specification(list()) -> ok.
environments_survive_a_rewritten_specification(Config) ->
    install(Config, foo, []),
    install(Config, bar, [{included_applications, [foo]}]),
    Defaults = [{K, file} || K <- [from_file, from_config, from_arguments, set, set_over_config]],
    install(Config, baz, [{applications, [kernel, stdlib, foo]}, {env, Defaults}]),
    install(Config, later, [{env, [{key, file}]}]),
    enlist(Config, [foo, baz]),
    SysConfig = filename:join(proplists:get_value(dir, Config), "sys.config"),
    ok = write(SysConfig, "[{baz, [{from_config, config}, {set_over_config, config}]},\n"
        " {later, [{key, config}]}].\n"),
    Args = ["-config", SysConfig, "-baz", "from_arguments", "argument"],
    Peer = node_of(Config, #{args => Args}),
    ?assertEqual(ok, boot(Peer)),
    [ok = call(Peer, application, set_env, [baz, Key, runtime]) || Key <- [set, new, set_over_config]],
    ok = call(Peer, application, stop, [baz]),
    ok = call(Peer, application, stop, [foo]),
    Before = lists:sort(call(Peer, application, get_all_env, [baz])),
    %% Now bar takes foo in, and baz is made to depend on bar.
    enlist(Config, [bar]),
    ?assertEqual(ok, boot(Peer)),
    {ok, Applications} = call(Peer, application, get_key, [baz, applications]),
    ?assert(lists:member(bar, Applications)),
    ?assertEqual(Before, lists:sort(call(Peer, application, get_all_env, [baz]))),
    ?assertEqual(
        [
            {from_arguments, argument},
            {from_config, config},
            {from_file, file},
            {new, runtime},
            {set, runtime},
            {set_over_config, runtime}
        ],
        Before
    ),
    %% What application_controller knows of sys.config is as it was.
    ok = call(Peer, application, load, [later]),
    ?assertEqual({ok, config}, call(Peer, application, get_env, [later, key])),
    ok = call(Peer, application, stop, [baz]),
    ok = call(Peer, application, unload, [baz]),
    ok = call(Peer, application, load, [baz]),
    ?assertEqual({ok, config}, call(Peer, application, get_env, [baz, set_over_config])),
    ?assertEqual({ok, file}, call(Peer, application, get_env, [baz, set])),
    ?assertEqual(undefined, call(Peer, application, get_env, [baz, new])),
    finish(Config, Peer).

%%% Modules

-spec modules_are_loaded_beforehand(list()) -> ok.
modules_are_loaded_beforehand(Config) ->
    install(Config, foo, [{included_applications, [part]}]),
    install(Config, part, []),
    install(Config, other, []),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    ok = call(Peer, application, start, [other]),
    ?assertEqual(ok, boot(Peer)),
    ok = file:del_dir_r(proplists:get_value(lib, Config)),
    Modules = [foo_extra, part_extra, other_extra],
    ?assertEqual([here, here, here], [call(Peer, Module, where, []) || Module <- Modules]),
    finish(Config, Peer).

%%% Serialisation

-spec two_operations_race_with_a_boot(list()) -> ok.
two_operations_race_with_a_boot(Config) ->
    install(Config, foo, [{applications, [kernel, stdlib, gate]}]),
    gate(Config),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    Boot = async(fun() -> boot(Peer) end),
    fixture:wait_until(fun() -> is_pid(call(Peer, erlang, whereis, [gate])) end),
    %% The boot waits inside the start of `gate'; what is asked for now comes after it, in this order.
    Dir = filename:dirname(ebin(Config, "foo-1.0")),
    Stop = queued(Peer, 1, fun() -> call(Peer, erlrcdynamic, stop, [foo, "1.0"]) end),
    Start = queued(Peer, 2, fun() -> call(Peer, erlrcdynamic, start, [foo, "1.0", Dir]) end),
    Second = queued(Peer, 3, fun() -> boot(Peer) end),
    ?assertEqual([], started(Peer)),
    open = call(Peer, erlang, send, [gate, open]),
    %% None saw a node half way.
    ?assertEqual([ok, stopped, started, ok], [await(Ref) || Ref <- [Boot, Stop, Start, Second]]),
    ?assertEqual([gate, foo], started(Peer)),
    ?assertEqual(idle, call(Peer, erlrc_operations, status, [])),
    finish(Config, Peer).

queued(Peer, Place, Fun) ->
    Ref = async(Fun),
    fixture:wait_until(fun() ->
        #{waiting := Waiting} = call(Peer, erlrc_operations, status, []),
        Waiting =:= Place
    end),
    Ref.

-spec operation_survives_its_caller(list()) -> ok.
operation_survives_its_caller(Config) ->
    install(Config, foo, [{applications, [kernel, stdlib, gate]}]),
    gate(Config),
    enlist(Config, [foo]),
    Peer = node_of(Config),
    Caller = call(Peer, erlang, spawn, [erlrc_boot, boot, []]),
    fixture:wait_until(fun() -> is_pid(call(Peer, erlang, whereis, [gate])) end),
    true = call(Peer, erlang, exit, [Caller, kill]),
    open = call(Peer, erlang, send, [gate, open]),
    fixture:wait_until(fun() -> started(Peer) =:= [gate, foo] end),
    finish(Config, Peer).

%%% Helpers

unsound(Config, Reason) ->
    Peer = node_of(Config),
    capture_log(Peer),
    ?assertEqual({error, Reason}, boot(Peer)),
    ?assertEqual([], started(Peer)),
    ?assertNot(is_loaded(Peer, sound)),
    ?assertMatch([_], logged(Peer, "Nothing was started")),
    finish(Config, Peer).
