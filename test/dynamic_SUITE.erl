%% @doc Start, stop and unload on real nodes: every result of every call, and that an error leaves no trace.
-module(dynamic_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    first_call_starts_erlrc/1,
    started_and_already_running/1,
    start_of_another_version_is_a_mismatch/1,
    start_where_another_version_is_loaded_is_a_load_mismatch/1,
    start_from_a_directory_of_another_version_is_a_load_mismatch/1,
    start_from_a_directory_that_is_none_is_refused/1,
    relative_directory_is_made_absolute/1,
    directory_comes_from_the_metadata/1,
    missing_dependencies_are_started/1,
    failed_start_leaves_no_trace/1,
    failed_dependency_leaves_no_trace/1,
    unknown_dependency_leaves_no_trace/1,
    start_of_an_included_application_is_included/1,
    start_stops_what_it_includes/1,
    failed_start_tells_what_it_restarted/1,
    start_from_another_directory_of_the_same_version/1,
    stop_starts_what_it_included/1,
    stop_does_not_start_what_is_not_registered/1,
    two_that_include_the_same_are_refused/1,
    stopped_and_not_running/1,
    stop_of_another_version_is_a_mismatch/1,
    stop_of_an_included_application_is_included/1,
    stop_of_a_needed_application_is_refused/1,
    unload_forgets_code_specification_and_path/1,
    unload_leaves_what_it_included_alone/1,
    unload_of_a_running_application_is_refused/1,
    unload_of_another_version_is_a_mismatch/1,
    unload_from_another_directory_is_refused/1,
    unload_of_what_has_no_directory_any_more_succeeds/1,
    unload_of_what_is_not_loaded_succeeds/1,
    unload_leaves_the_directory_of_another_alone/1,
    arguments_of_the_wrong_type_are_named/1,
    nonsense_in_the_environment_is_named/1,
    stop_and_unload_of_erlrc_itself/1,
    override_holds_at_start/1,
    another_application_s_directory_is_no_version/1,
    what_was_compiled_with_another_environment_is_said/1
]).

all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info])].

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Root = fixture:root(Dir),
    {Peer, _} = fixture:start_node(#{name => false, root => Root}),
    [{peer, Peer}, {dir, Dir}, {root, Root} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

first_call_starts_erlrc(Config) ->
    not_running = dynamic(Config, stop, [nobody, "1"]),
    ?assert(lists:member(erlrc, running(Config))),
    ?assert(lists:member(sasl, running(Config))).

started_and_already_running(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    already_running = dynamic(Config, start, [foo, "1", Dir]),
    already_running = dynamic(Config, start, [foo, "1"]),
    1 = call(Config, gen_server, call, [foo_server, next]),
    %% All its code is loaded, its directory is not needed any more.
    ok = file:del_dir_r(Dir),
    {file, _} = call(Config, code, is_loaded, [foo_spare]),
    2 = call(Config, gen_server, call, [foo_server, next]).

start_of_another_version_is_a_mismatch(Config) ->
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [])]),
    unchanged(Config, version_mismatch, start, [foo, "2", service(Config, foo, "2", [])]).

start_where_another_version_is_loaded_is_a_load_mismatch(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    unchanged(Config, version_load_mismatch, start, [foo, "2", service(Config, foo, "2", [])]).

start_from_a_directory_of_another_version_is_a_load_mismatch(Config) ->
    unchanged(Config, version_load_mismatch, start, [foo, "2", service(Config, foo, "1", [])]).

start_from_a_directory_that_is_none_is_refused(Config) ->
    unchanged(Config, bad_directory, start, [foo, "1", "/nonexistent/foo-1"]),
    unchanged(Config, bad_directory, start, [foo, "1", ?config(dir, Config)]),
    unchanged(Config, bad_directory, start, [foo, "1"]).

relative_directory_is_made_absolute(Config) ->
    Dir = service(Config, foo, "1", []),
    ok = call(Config, file, set_cwd, [filename:dirname(Dir)]),
    started = dynamic(Config, start, [foo, "1", filename:basename(Dir)]),
    ok = call(Config, file, set_cwd, ["/"]),
    ?assertEqual(Dir, call(Config, code, lib_dir, [foo])).

directory_comes_from_the_metadata(Config) ->
    Dir = service(Config, foo, "1", []),
    Metadata = filename:join([?config(dir, Config), "apps", "foo"]),
    ok = filelib:ensure_dir(Metadata),
    ok = file:write_file(Metadata, io_lib:format("~p.~n", [{foo, "1", Dir}])),
    started = dynamic(Config, start, [foo, "1"]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    unloaded = dynamic(Config, unload, [foo, "1"]),
    %% Metadata of another version say nothing of this one.
    unchanged(Config, bad_directory, start, [foo, "2"]).

missing_dependencies_are_started(Config) ->
    Low = service(Config, low, "1", []),
    Middle = service(Config, middle, "1", [{applications, [kernel, stdlib, low]}]),
    on_path(Config, [Low, Middle]),
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [{applications, [kernel, middle]}])]),
    [foo, middle, low] = [App || App <- running(Config), lists:member(App, [foo, low, middle])].

failed_start_leaves_no_trace(Config) ->
    Low = service(Config, low, "1", []),
    on_path(Config, [Low]),
    Dir = broken(Config, foo, [{applications, [kernel, stdlib, low]}]),
    {error, {start_failed, foo, _}} = unchanged(Config, any, start, [foo, "1", Dir]).

failed_dependency_leaves_no_trace(Config) ->
    on_path(Config, [service(Config, low, "1", []), broken(Config, middle, [])]),
    Dir = service(Config, foo, "1", [{applications, [kernel, stdlib, low, middle]}]),
    {error, {start_failed, middle, _}} = unchanged(Config, any, start, [foo, "1", Dir]).

unknown_dependency_leaves_no_trace(Config) ->
    Dir = service(Config, foo, "1", [{applications, [kernel, stdlib, nowhere]}]),
    {error, {appspec_file_not_found, _}} = unchanged(Config, any, start, [foo, "1", Dir]).

start_of_an_included_application_is_included(Config) ->
    Foo = service(Config, foo, "1", []),
    on_path(Config, [Foo]),
    started = dynamic(Config, start, [bar, "1", service(Config, bar, "1", [{included_applications, [foo]}])]),
    included = dynamic(Config, start, [foo, "1", Foo]),
    version_mismatch = dynamic(Config, start, [foo, "2", service(Config, foo, "2", [])]),
    false = lists:member(foo, running(Config)).

start_stops_what_it_includes(Config) ->
    Foo = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Foo]),
    Bar = service(Config, bar, "1", [{included_applications, [foo]}]),
    started_included_stopped = dynamic(Config, start, [bar, "1", Bar]),
    false = lists:member(foo, running(Config)),
    true = lists:member(bar, running(Config)).

failed_start_tells_what_it_restarted(Config) ->
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [])]),
    Bar = broken(Config, bar, [{included_applications, [foo]}]),
    {error, {not_rolled_back, {start_failed, bar, _}, [{restarted, foo}]}} = dynamic(Config, start, [bar, "1", Bar]),
    true = lists:member(foo, running(Config)),
    1 = call(Config, gen_server, call, [foo_server, next]).

start_from_another_directory_of_the_same_version(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    Moved = filename:join([?config(dir, Config), "elsewhere", "foo-1"]),
    ok = filelib:ensure_dir(Moved),
    ok = file:rename(Dir, Moved),
    started = dynamic(Config, start, [foo, "1", Moved]),
    ?assertEqual(Moved, call(Config, code, lib_dir, [foo])).

stop_starts_what_it_included(Config) ->
    fixture:register(?config(root, Config), foo),
    start_stops_what_it_includes(Config),
    stopped_included_started = dynamic(Config, stop, [bar, "1"]),
    true = lists:member(foo, running(Config)),
    false = lists:member(bar, running(Config)).

stop_does_not_start_what_is_not_registered(Config) ->
    start_stops_what_it_includes(Config),
    stopped = dynamic(Config, stop, [bar, "1"]),
    false = lists:member(foo, running(Config)).

two_that_include_the_same_are_refused(Config) ->
    on_path(Config, [service(Config, foo, "1", [])]),
    started = dynamic(Config, start, [bar, "1", service(Config, bar, "1", [{included_applications, [foo]}])]),
    Baz = service(Config, baz, "1", [{included_applications, [foo]}]),
    unchanged(Config, {error, {duplicate_included, foo, bar, baz}}, start, [baz, "1", Baz]).

stopped_and_not_running(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    not_running = dynamic(Config, stop, [foo, "1"]),
    not_running = dynamic(Config, stop, [nobody, "1"]),
    started = dynamic(Config, start, [foo, "1", Dir]).

stop_of_another_version_is_a_mismatch(Config) ->
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [])]),
    unchanged(Config, version_mismatch, stop, [foo, "2"]).

stop_of_an_included_application_is_included(Config) ->
    start_of_an_included_application_is_included(Config),
    unchanged(Config, included, stop, [foo, "1"]),
    unchanged(Config, version_mismatch, stop, [foo, "2"]).

stop_of_a_needed_application_is_refused(Config) ->
    missing_dependencies_are_started(Config),
    unchanged(Config, {error, {needed_by, [middle]}}, stop, [low, "1"]).

unload_forgets_code_specification_and_path(Config) ->
    Dir = service(Config, foo, "1", []),
    Before = call(Config, code, get_path, []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    unloaded = dynamic(Config, unload, [foo, "1", Dir]),
    ?assertEqual(Before, call(Config, code, get_path, [])),
    undefined = call(Config, application, get_key, [foo, vsn]),
    [false, false, false, false] =
        [call(Config, code, is_loaded, [Module]) || Module <- [foo_app, foo_sup, foo_server, foo_spare]],
    unloaded = dynamic(Config, unload, [foo, "1", Dir]).

unload_leaves_what_it_included_alone(Config) ->
    stop_starts_what_it_included(Config),
    unloaded = dynamic(Config, unload, [bar, "1", filename:join(?config(dir, Config), "bar-1")]),
    {ok, "1"} = call(Config, application, get_key, [foo, vsn]),
    true = lists:member(foo, running(Config)),
    1 = call(Config, gen_server, call, [foo_server, next]).

unload_of_a_running_application_is_refused(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    unchanged(Config, {error, running}, unload, [foo, "1", Dir]),
    on_path(Config, [service(Config, part, "1", [])]),
    started = dynamic(Config, start, [bar, "1", service(Config, bar, "1", [{included_applications, [part]}])]),
    unchanged(Config, included, unload, [part, "1"]),
    "it runs inside an application that includes it; " ++ _ =
        fixture:call(?config(peer, Config), erlrc_error, format_error, [included]).

unload_of_another_version_is_a_mismatch(Config) ->
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [])]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    unchanged(Config, version_load_mismatch, unload, [foo, "2"]).

unload_from_another_directory_is_refused(Config) ->
    started = dynamic(Config, start, [foo, "1", service(Config, foo, "1", [])]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    unchanged(Config, bad_directory, unload, [foo, "1", "/nonexistent/foo-1"]),
    unchanged(Config, bad_directory, unload, [foo, "1", service(Config, foo, "2", [])]).

%% A commit leaves directories that are gone out of the code path, and the package may be removed by then.
unload_of_what_has_no_directory_any_more_succeeds(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    stopped = dynamic(Config, stop, [foo, "1"]),
    ok = file:del_dir_r(Dir),
    true = fixture:call(?config(peer, Config), code, del_path, [filename:join(Dir, "ebin")]),
    unloaded = dynamic(Config, unload, [foo, "1", Dir]),
    false = lists:keymember(foo, 1, fixture:call(?config(peer, Config), application, loaded_applications, [])).

unload_of_what_is_not_loaded_succeeds(Config) ->
    unloaded = dynamic(Config, unload, [foo, "1", service(Config, foo, "1", [])]),
    unloaded = dynamic(Config, unload, [foo, "1", "/nonexistent/foo-1"]),
    unloaded = dynamic(Config, unload, [foo, "1"]).

%% Not loaded itself, it would take the other's place on the code path away.
unload_leaves_the_directory_of_another_alone(Config) ->
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    unchanged(Config, bad_directory, unload, [bar, "1", Dir]),
    unchanged(Config, unloaded, unload, [bar, "1", "/nonexistent/bar-1"]).

arguments_of_the_wrong_type_are_named(Config) ->
    Dir = service(Config, foo, "1", []),
    Wrong = [{Key, Bad} || Key <- [application, vsn, dir], Bad <- wrong(Key)],
    _ = [unchanged(Config, {error, {bad_argument, Key, Bad}}, start, with(Key, Bad, [foo, "1", Dir])) || {Key, Bad} <- Wrong],
    _ = [unchanged(Config, {error, {bad_argument, vsn, Bad}}, stop, [foo, Bad]) || Bad <- wrong(vsn)],
    Changes = [upgrade, downgrade, make_appup],
    _ = [
        ?assertMatch({error, {bad_argument, _, Bad}}, dynamic(Config, Change, with(Key, Bad, [foo, "1", "2", Dir, Dir])))
     || Change <- Changes, {Key, Bad} <- Wrong
    ],
    "a version is a string (in Elixir a charlist, ~c\"1.0\"), not <<\"1\">>" = fixture:call(?config(peer, Config), erlrc_error, format_error, [{bad_argument, vsn, <<"1">>}]).

%% Some of it is used when there is no way back any more.
nonsense_in_the_environment_is_named(Config) ->
    [One, Two] = [service(Config, foo, Vsn, []) || Vsn <- ["1", "2"]],
    started = dynamic(Config, start, [foo, "1", One]),
    Times = [{Key, Bad} || Key <- [suspend_timeout, quiesce_longest, code_change_timeout, purge_after], Bad <- [soon, -1, infinity, "1"]],
    Others = [
        {apply_timeout, soon}, {max_pause, 1.5}, {health_check, foo}, {service_check, {foo, bar, [a | b]}}, {suspend, yes},
        {supervisor_children, maybe_so}, {unchanged_modules, 1}, {supervisors, foo}, {supervisors, [foo | bar]},
        {preflight, strickt}
    ],
    _ = [
        begin
            ok = call(Config, application, set_env, [erlrc, Key, Bad]),
            unchanged(Config, {error, {bad_environment, Key, Bad}}, upgrade, [foo, "1", "2", One, Two]),
            Text = call(Config, erlrc_error, format_error, [{bad_environment, Key, Bad}]),
            ?assertMatch({_, [_ | _]}, {Text, string:find(Text, " in the environment of erlrc cannot be ")}),
            ok = call(Config, application, unset_env, [erlrc, Key])
        end
     || {Key, Bad} <- Times ++ Others
    ],
    ok = call(Config, application, set_env, [erlrc, max_pause, infinity]),
    ?assertMatch({ok, _}, dynamic(Config, upgrade, [foo, "1", "2", One, Two])).

wrong(application) -> ["foo", <<"foo">>, 1, {foo}];
wrong(vsn) -> [<<"1">>, 1.0, '1', "", [-1], [$1 | $0], [16#D800], "1\0"];
wrong(dir) -> [foo, "", <<>>, "a\0b", [$a | $b], [$a | <<"b">>], [-1], <<255>>, #{}].

with(application, Bad, [_ | More]) -> [Bad | More];
with(vsn, Bad, [App, _ | More]) -> [App, Bad | More];
with(dir, Bad, [App, Vsn, _]) -> [App, Vsn, Bad];
with(dir, Bad, [App, From, To, _ | More]) -> [App, From, To, Bad | More].

stop_and_unload_of_erlrc_itself(Config) ->
    not_running = dynamic(Config, stop, [nobody, "1"]),
    {ok, Vsn} = call(Config, application, get_key, [erlrc, vsn]),
    Dir = filename:dirname(fixture:erlrc_ebin()),
    stopped = dynamic(Config, stop, [erlrc, Vsn]),
    unloaded = dynamic(Config, unload, [erlrc, Vsn, Dir]),
    false = lists:member(fixture:erlrc_ebin(), call(Config, code, get_path, [])),
    fixture:wait_until(fun() -> undefined =:= call(Config, erlang, whereis, [erlrc_operations]) end).

override_holds_at_start(Config) ->
    Dir = service(Config, foo, "1", [{env, [{a, 1}, {b, 1}]}]),
    fixture:override(?config(root, Config), foo, [{env, {keymerge, [{b, 2}]}}]),
    started = dynamic(Config, start, [foo, "1", Dir]),
    [{a, 1}, {b, 2}] = lists:sort(call(Config, application, get_all_env, [foo])).

%% An application with a server and a module that nobody calls.
%% An application is what its .app file says: `foo-plugin' is no version of foo, and a directory of any name that holds foo.app is.
another_application_s_directory_is_no_version(Config) ->
    Peer = ?config(peer, Config),
    Lib = ?config(dir, Config),
    Ebin = fun(Name, App) ->
        Dir = filename:join([Lib, Name, "ebin"]),
        File = filename:join(Dir, App ++ ".app"),
        ok = filelib:ensure_dir(File),
        ok = file:write_file(File, ["{application,", App, ",[{vsn,\"0\"}]}.\n"]),
        true = fixture:call(Peer, code, add_pathz, [Dir]),
        Dir
    end,
    Plugin = Ebin("foo-plugin", "foo_plugin"),
    Tools = Ebin("foo-0.9-tools", "tools"),
    Renamed = Ebin("checkout", "foo"),
    Dir = service(Config, foo, "1", []),
    started = dynamic(Config, start, [foo, "1", Dir]),
    Path = fixture:call(Peer, code, get_path, []),
    ?assertEqual([true, true, false], [lists:member(Each, Path) || Each <- [Plugin, Tools, Renamed]]),
    Two = service(Config, foo, "2", []),
    {ok, _} = dynamic(Config, upgrade, [foo, "1", "2", Dir, Two]),
    Later = fixture:call(Peer, code, get_path, []),
    ?assertEqual([filename:join(Two, "ebin") || _ <- [one]], [D || D <- Later, lists:prefix(filename:join(Lib, "foo-"), D)] -- [Plugin, Tools]),
    ?assert(lists:member(Plugin, Later)).

what_was_compiled_with_another_environment_is_said(Config) ->
    Compiled = [
        {foo, [same], {ok, 1}}, {foo, [host], {ok, <<"h2">>}}, {foo, [deep, key], {ok, 1}}, {foo, [unset], error},
        {foo, [gone], {ok, 1}}, {foo, [deep, none, more], error}
    ],
    Env = [{same, 1}, {host, <<"h1">>}, {deep, [{other, 0}, {key, 2}]}],
    Dir = service(Config, foo, "1", [{env, Env}, {compile_env, Compiled}]),
    started = dynamic(Config, start, [foo, "1", Dir]),
    {ok, [{application, foo, _} = Spec]} = file:consult(filename:join([Dir, "ebin", "foo.app"])),
    Found = call(Config, erlrc_compile_env, contradictions, [Spec]),
    ?assertEqual(
        [
            {compile_env, foo, [host], {ok, <<"h2">>}, {ok, <<"h1">>}},
            {compile_env, foo, [deep, key], {ok, 1}, {ok, 2}},
            {compile_env, foo, [gone], {ok, 1}, error}
        ],
        Found
    ),
    Two = service(Config, foo, "2", [{env, Env}, {compile_env, Compiled}]),
    Request = #{
        protocol => 1, operation => upgrade, application => foo, from => <<"1">>, to => <<"2">>,
        from_dir => unicode:characters_to_binary(Dir), to_dir => unicode:characters_to_binary(Two)
    },
    #{status := ok, warnings := [First | _]} = call(Config, erlrc_hook, request, [Request]),
    ?assertMatch({match, _}, re:run(First, "host of foo was <<\"h2\">> .* is <<\"h1\">>")).

service(Config, App, Vsn, Keys) ->
    Name = fun(Suffix) -> list_to_atom(atom_to_list(App) ++ Suffix) end,
    Server = Name("_server"),
    Child = #{id => Server, start => {Server, start_link, []}, modules => [Server]},
    Modules = [
        fixture:callback_module(Name("_app"), Name("_sup")),
        fixture:supervisor_module(Name("_sup"), [Child]),
        fixture:server_module(Server, 1),
        "-module(" ++ atom_to_list(Name("_spare")) ++ ").\n"
    ],
    fixture:application(?config(dir, Config), App, Vsn, #{modules => Modules, app => [{mod, {Name("_app"), []}} | Keys]}).

broken(Config, App, Keys) ->
    Module = atom_to_list(App) ++ "_app",
    Source = "-module(" ++ Module ++ ").\n-export([start/2]).\nstart(_, _) -> {error, broken}.\n",
    Mod = {mod, {list_to_atom(Module), []}},
    fixture:application(?config(dir, Config), App, "1", #{modules => [Source], app => [Mod | Keys]}).

on_path(Config, Dirs) ->
    [true = call(Config, code, add_pathz, [filename:join(Dir, "ebin")]) || Dir <- Dirs].

running(Config) ->
    [App || {App, _, _} <- call(Config, application, which_applications, [])].

%% A call that answers `Expected' and changes nothing.
unchanged(Config, Expected, Function, Arguments) ->
    _ = dynamic(Config, stop, [nobody, "1"]),
    Before = node_state:take(?config(peer, Config), ?config(dir, Config)),
    Result = dynamic(Config, Function, Arguments),
    Expected =:= any orelse ?assertEqual(Expected, Result),
    ?assertEqual(Before, node_state:take(?config(peer, Config), ?config(dir, Config))),
    Result.

dynamic(Config, Function, Arguments) ->
    call(Config, erlrcdynamic, Function, Arguments).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
