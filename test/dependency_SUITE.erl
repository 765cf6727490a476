%% @doc erlrc as a dependency of other projects: rebar3 and mix fetch it, build it, its native library
%% included, and leave it alone when nothing has changed.
-module(dependency_SUITE).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

-export([suite/0, all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([
    rebar3_builds_a_git_dependency/1,
    rebar3_builds_it_once/1,
    rebar3_profiles_share_it/1,
    common_test_of_the_project_upgrades_an_application/1,
    release_of_the_project_carries_it/1,
    package_for_hex_holds_what_a_build_needs/1,
    package_for_cargo_builds/1,
    rebar3_builds_a_checkout/1,
    missing_cargo_is_said_in_a_sentence/1,
    build_says_how_far_it_is_and_ends_with_its_caller/1,
    old_rust_is_said_in_a_sentence/1,
    mix_builds_a_git_dependency/1,
    mix_builds_a_path_dependency/1
]).

-spec suite() -> [tuple()].
suite() ->
    [{timetrap, {minutes, 20}}].

-spec all() -> [term()].
all() ->
    [{group, rebar3}, {group, mix}].

-spec groups() -> [tuple()].
groups() ->
    [
        {rebar3, [sequence], [
            rebar3_builds_a_git_dependency,
            rebar3_builds_it_once,
            rebar3_profiles_share_it,
            common_test_of_the_project_upgrades_an_application,
            release_of_the_project_carries_it,
            package_for_hex_holds_what_a_build_needs,
            package_for_cargo_builds,
            rebar3_builds_a_checkout,
            missing_cargo_is_said_in_a_sentence,
            build_says_how_far_it_is_and_ends_with_its_caller,
            old_rust_is_said_in_a_sentence
        ]},
        {mix, [sequence], [mix_builds_a_git_dependency, mix_builds_a_path_dependency]}
    ].

init_per_suite(Config) ->
    Source = project:copy("source", project:vsn()),
    project:run(
        Source,
        "rm -rf .git && git init -q -b main && git add -A &&"
        " git -c user.name=suite -c user.email=suite@localhost commit -q -m source",
        []
    ),
    project:build(Source),
    Path = os:getenv("PATH"),
    Packaged = path_of_the_tools(Path),
    os:find_executable("erl", Packaged) =/= false andalso os:putenv("PATH", Packaged),
    [{source, Source}, {path, Path} | Config].

end_per_suite(Config) ->
    true = os:putenv("PATH", proplists:get_value(path, Config)).

%% rebar3 and mix run on the OTP that they were packaged for, whichever runs this suite: what stands before
%% their `erl' is taken out. What they build is then loaded by the OTP that runs this suite.
path_of_the_tools(Path) ->
    case [os:find_executable(Tool, Path) || Tool <- ["erl", "rebar3"]] of
        [Erl, Rebar3] when Erl =/= false, Rebar3 =/= false ->
            case {filename:dirname(Erl), filename:dirname(Rebar3)} of
                {Dir, Dir} -> Path;
                {Dir, _} -> path_of_the_tools(without(Dir, Path))
            end;
        _ ->
            Path
    end.

without(Dir, Path) ->
    lists:flatten(lists:join(":", [Other || Other <- string:lexemes(Path, ":"), Other =/= Dir])).

init_per_group(rebar3, Config) ->
    Dir = project("rebar3", [
        {"rebar.config", rebar3_config(Config)},
        {"src/shop.app.src", shop_app()},
        {"src/shop.erl", "-module(shop).\n-export([engine/0]).\nengine() -> erlrc_engine:vsn().\n"}
    ]),
    needs("rebar3", [{dir, Dir} | Config]);
init_per_group(mix, Config) ->
    needs("mix", Config).

end_per_group(_Group, _Config) ->
    ok.

needs(Tool, Config) ->
    case os:find_executable(Tool) of
        false -> {skip, Tool ++ " is not installed"};
        _ -> Config
    end.

rebar3_builds_a_git_dependency(Config) ->
    Dir = proplists:get_value(dir, Config),
    rebar3(Dir, "compile"),
    Priv = filename:join(Dir, "_build/default/lib/erlrc/priv"),
    ?assertMatch({ok, #file_info{type = directory}}, file:read_link_info(Priv)),
    ?assertMatch([_], filelib:wildcard("erlrc_nif-*.so", Priv)),
    ?assertEqual("erlrc " ++ project:vsn() ++ "\n", project:run(Priv, "./erlrc --version", [])),
    ?assertEqual(project:vsn(), engine(Dir, "_build/default/lib/*/ebin")).

rebar3_builds_it_once(Config) ->
    Dir = proplists:get_value(dir, Config),
    Before = built(Dir, "default"),
    {Output, Cargo} = without_cargo_running(Dir, "rebar3 compile"),
    ?assertEqual({Before, []}, {built(Dir, "default"), Cargo}, Output).

rebar3_profiles_share_it(Config) ->
    Dir = proplists:get_value(dir, Config),
    Before = built(Dir, "default"),
    [
        begin
            {Output, Cargo} = without_cargo_running(Dir, "rebar3 as " ++ Profile ++ " compile"),
            ?assertEqual({Before, []}, {built(Dir, Profile), Cargo}, Output),
            ?assertEqual(project:vsn(), engine(Dir, "_build/" ++ Profile ++ "/lib/*/ebin"))
        end
     || Profile <- ["prod", "test"]
    ].

common_test_of_the_project_upgrades_an_application(Config) ->
    Dir = proplists:get_value(dir, Config),
    Suite = filename:join(project:root(), "test/dependency_SUITE_data/shop_SUITE.erl"),
    project:run(Dir, "mkdir -p test && cp '" ++ Suite ++ "' test/", []),
    Directories = [{Name, filename:join(Dir, "none")} || Name <- ["ERLRC_ROOT", "ERLRC_RUN", "ERLRC_APPS"]],
    Output = project:run(Dir, "rebar3 ct", Directories),
    ?assertMatch({match, _}, re:run(Output, "All 1 tests passed")).

%% What runs, and nothing that it was built from. Without either mode relx copies the directory `src' of every dependency.
release_of_the_project_carries_it(Config) ->
    Dir = proplists:get_value(dir, Config),
    [
        begin
            Relx = ["{relx, [{release, {shop, \"1\"}, [shop]}, {include_erts, false}, ", Mode, "]}.\n"],
            ok = file:write_file(filename:join(Dir, "rebar.config"), [rebar3_config(Config), Relx]),
            project:run(Dir, "rm -rf _build/default/rel", []),
            Output = rebar3(Dir, "release"),
            ?assertEqual({Mode, nomatch}, {Mode, re:run(Output, "Source code|erlrc_")}, Output),
            ?assertEqual(project:vsn(), engine(Dir, "_build/default/rel/shop/lib/erlrc-*/ebin")),
            [Erlrc] = filelib:wildcard(filename:join(Dir, "_build/default/rel/shop/lib/erlrc-*")),
            Parts = [filename:basename(Part) || Part <- filelib:wildcard(filename:join(Erlrc, "*"))],
            ?assertEqual({Mode, ["ebin", "priv"]}, {Mode, Parts})
        end
     || Mode <- ["{mode, prod}", "{include_src, false}"]
    ].

rebar3_config(Config) ->
    ["{erl_opts, [debug_info]}.\n{deps, [{erlrc, ", rebar3_git(Config), "}]}.\n"].

%% The plugin that publishes is not needed for this: rebar3 brings the library along that makes the package.
package_for_hex_holds_what_a_build_needs(Config) ->
    Source = proplists:get_value(source, Config),
    Files = files_for_hex(Source),
    Tracked = string:lexemes(project:run(Source, "git ls-files", []), "\n"),
    ?assertEqual(lists:sort(Tracked -- [".gitignore"]), lists:sort([Name || {Name, _} <- Files])),
    Dir = project("hex", [
        {"rebar.config", "{erl_opts, [debug_info]}.\n{deps, [erlrc]}.\n"},
        {"src/shop.app.src", shop_app()},
        {"src/shop.erl", "-module(shop).\n-export([engine/0]).\nengine() -> erlrc_engine:vsn().\n"}
    ]),
    ok = hex_package(Files, app_keys(Source), filename:join(Dir, "_checkouts/erlrc")),
    project:run(Dir, "rebar3 compile", cargo_target(Dir, "_checkouts/erlrc")),
    ?assertEqual(project:vsn(), engine(Dir, "_build/default/*/*/ebin")).

%% As `rebar3 hex build' finds them: what the application's keys say, and the specification where Hex expects it.
files_for_hex(Source) ->
    Keys = app_keys(Source),
    Expand = fun(Key) -> lists:usort(lists:append([expand(Source, Path) || Path <- proplists:get_value(Key, Keys, [])])) end,
    [{lists:nthtail(length(Source) + 1, File), File} || File <- Expand(files) -- Expand(exclude_files)].

expand(Source, Path) ->
    File = filename:join(Source, Path),
    case filelib:is_dir(File) of
        true -> [Found || Found <- filelib:wildcard(filename:join(File, "**")), filelib:is_regular(Found)];
        false -> [File]
    end.

%% Makes the package and unpacks it, as Hex and those who fetch it do.
hex_package(Files, Keys, Dir) ->
    ok = load_from_rebar3(["r3_hex_core", "r3_hex_tarball", "r3_hex_erl_tar", "r3_hex_filename", "r3_safe_erl_term"]),
    Binary = fun(Key) -> unicode:characters_to_binary(proplists:get_value(Key, Keys)) end,
    Metadata = #{
        <<"app">> => <<"erlrc">>,
        <<"name">> => <<"erlrc">>,
        <<"version">> => Binary(vsn),
        <<"description">> => Binary(description),
        <<"licenses">> => [unicode:characters_to_binary(License) || License <- proplists:get_value(licenses, Keys)],
        <<"build_tools">> => [<<"rebar3">>],
        <<"requirements">> => #{}
    },
    Specification = {"src/erlrc.app.src", iolist_to_binary(io_lib:format("~tp.~n", [{application, erlrc, Keys}]))},
    {ok, #{tarball := Tarball}} = r3_hex_tarball:create(Metadata, [Specification | Files]),
    {ok, #{metadata := Metadata}} = r3_hex_tarball:unpack(Tarball, Dir),
    ok.

load_from_rebar3(Modules) ->
    {ok, Sections} = escript:extract(os:find_executable("rebar3"), []),
    {ok, Files} = zip:unzip(proplists:get_value(archive, Sections), [memory]),
    [
        {module, _} = code:load_binary(list_to_atom(Module), Name, Beam)
     || {Name, Beam} <- Files, Module <- Modules, filename:basename(Name) =:= Module ++ ".beam"
    ],
    ok.

app_keys(Source) ->
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(Source, "erlang/erlrc.app.src")),
    Keys.

%% The package of the crate holds what it is built from alone, and builds. That cargo leaves tests out is all it warns of.
package_for_cargo_builds(Config) ->
    Source = proplists:get_value(source, Config),
    project:run(Source, "mkdir -p test bench && cp '" ++ project:root() ++ "/ARCHITECTURE.md' .", []),
    Output = project:run(Source, "cargo package -p erlrc --allow-dirty --offline", [
        %% What the tests of the crate have built of others' is found again.
        {"CARGO_TARGET_DIR", filename:join(project:root(), "target")}
    ]),
    Lines = string:lexemes(Output, "\n"),
    Warnings = [Line || "warning: " ++ What = Line <- Lines, re:run(What, "^ignoring (test|benchmark) ") =:= nomatch],
    ?assertEqual([], Warnings, Output),
    Files = string:lexemes(project:run(Source, "cargo package -p erlrc --allow-dirty --list", []), "\n"),
    Parts = lists:usort([hd(filename:split(File)) || File <- Files]),
    ?assertEqual([], Parts -- [".cargo_vcs_info.json", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE",
        "README.md", "build.rs", "src"]).

rebar3_builds_a_checkout(Config) ->
    Source = proplists:get_value(source, Config),
    Dir = project("checkout", [
        {"rebar.config", "{erl_opts, [debug_info]}.\n{deps, [erlrc]}.\n"},
        {"src/shop.app.src", shop_app()},
        {"src/shop.erl", "-module(shop).\n-export([engine/0]).\nengine() -> erlrc_engine:vsn().\n"}
    ]),
    project:run(Dir, "mkdir _checkouts && ln -s '" ++ Source ++ "' _checkouts/erlrc", []),
    project:run(Dir, "rebar3 compile", project:quick()),
    ?assertEqual(project:vsn(), engine(Dir, "_build/default/*/*/ebin")),
    Before = files(Source, ["priv/*", "erlang/src/*/*.hrl"]) ++ files(Dir, ["_build/default/checkouts/erlrc/ebin/*"]),
    project:run(Dir, "rebar3 compile", project:quick()),
    After = files(Source, ["priv/*", "erlang/src/*/*.hrl"]) ++ files(Dir, ["_build/default/checkouts/erlrc/ebin/*"]),
    ?assertEqual(Before, After).

missing_cargo_is_said_in_a_sentence(Config) ->
    Source = proplists:get_value(source, Config),
    Path = path_without_rust(Config, "no_cargo"),
    ?assertError(
        {command_failed, _, 1,
            "erlrc: cargo is not in PATH: Rust 1.91 or newer is needed to build it (https://rustup.rs).\n"},
        project:run(Source, "sh native/build.sh", [{"PATH", Path}])
    ),
    Dir = project("no_cargo", [
        {"rebar.config", ["{deps, [{erlrc, ", rebar3_git(Config), "}]}.\n"]}, {"src/shop.app.src", shop_app()}
    ]),
    try project:run(Dir, "rebar3 compile", [{"PATH", Path}]) of
        Output -> error({compiled_without_cargo, Output})
    catch
        error:{command_failed, _, Status, Output} when Status =/= 0 ->
            Said = re:run(Output, "erlrc: .*", [global, {capture, first, list}]),
            ?assertMatch({match, [["erlrc: cargo is not in PATH: " ++ _]]}, Said)
    end.

old_rust_is_said_in_a_sentence(Config) ->
    Path = path_without_rust(Config, "old_rust"),
    [Bin | _] = string:split(Path, ":"),
    [
        begin
            ok = file:write_file(filename:join(Bin, Tool), ["#!/bin/sh\necho '", Tool, " 1.90.1 (0 2025-01-01)'\n"]),
            ok = file:change_mode(filename:join(Bin, Tool), 8#755)
        end
     || Tool <- ["cargo", "rustc"]
    ],
    ?assertError(
        {command_failed, _, 1,
            "erlrc: this is Rust 1.90: Rust 1.91 or newer is needed to build it (https://rustup.rs).\n"},
        project:run(proplists:get_value(source, Config), "sh native/build.sh", [{"PATH", Path}])
    ).

%% As rebar3 does: it starts a shell, and is killed in the midst of the build.
build_says_how_far_it_is_and_ends_with_its_caller(Config) ->
    Source = proplists:get_value(source, Config),
    Bin = filename:join(proplists:get_value(priv_dir, Config), "cargo_that_waits"),
    PidFile = filename:join(Bin, "pid"),
    Cargo = filename:join(Bin, "cargo"),
    ok = filelib:ensure_dir(Cargo),
    Script = [
        "#!/bin/sh\n[ \"$1\" = build ] || exec '", os:find_executable("cargo"), "' \"$@\"\n",
        "for crate in 1 2 3 4 5 6 7 8 9 10 11 12; do echo \"   Compiling crate$crate v1.0\" >&2; done\n",
        "echo $$ >'", PidFile, "'\nexec sleep 600\n"
    ],
    ok = file:write_file(Cargo, Script),
    ok = file:change_mode(Cargo, 8#755),
    Port = open_port({spawn, "sh -c 'sh native/build.sh; true'"}, [
        {cd, Source}, {env, [{"PATH", Bin ++ ":" ++ os:getenv("PATH")}]}, stderr_to_stdout, binary
    ]),
    {os_pid, Caller} = erlang:port_info(Port, os_pid),
    ok = said(Port, <<"erlrc: building the engine, 12 of at most ">>, <<>>),
    {ok, Text} = file:read_file(PidFile),
    Pid = string:trim(Text),
    true = is_alive(Pid),
    [] = os:cmd("kill -KILL " ++ integer_to_list(Caller)),
    fixture:wait_until(fun() -> not is_alive(Pid) end).

said(Port, Expected, Text) ->
    case binary:match(Text, Expected) of
        nomatch -> receive {Port, {data, More}} -> said(Port, Expected, <<Text/binary, More/binary>>) end;
        _ -> ok
    end.

%% A process that nobody has waited for yet does nothing any more.
is_alive(Pid) ->
    case file:read_file(filename:join(["/proc", Pid, "stat"])) of
        {ok, Line} -> binary:match(Line, <<") Z ">>) =:= nomatch;
        {error, _} -> false
    end.

mix_builds_a_git_dependency(Config) ->
    Url = "file://" ++ proplists:get_value(source, Config),
    Dir = project("mix_git", [{"mix.exs", mix_exs("git: \"" ++ Url ++ "\", branch: \"main\"")}]),
    Environment = cargo_target(Dir, "deps/erlrc"),
    mix(Dir, "deps.get", []),
    ?assertEqual(project:vsn(), mix_engine(Dir, Environment)),
    Before = files(Dir, ["deps/erlrc/priv/*", "_build/*/lib/erlrc/ebin/*"]),
    ?assertMatch([_, _ | _], Before),
    ?assertEqual(project:vsn(), mix_engine(Dir, Environment)),
    ?assertEqual(Before, files(Dir, ["deps/erlrc/priv/*", "_build/*/lib/erlrc/ebin/*"])).

mix_builds_a_path_dependency(Config) ->
    Source = proplists:get_value(source, Config),
    Dir = project("mix_path", [{"mix.exs", mix_exs("path: \"" ++ Source ++ "\"")}]),
    ?assertEqual(project:vsn(), mix_engine(Dir, project:quick())).

%% A new project, always at the same place: what cargo built for its dependency is found again.
project(Name, Files) ->
    Dir = filename:join([project:root(), "_build", "suites", Name]),
    ok = filelib:ensure_path(Dir),
    project:run(Dir, "rm -rf ./* ./.[a-z]* _checkouts _build", []),
    [
        begin
            Path = filename:join(Dir, File),
            ok = filelib:ensure_dir(Path),
            ok = file:write_file(Path, Content)
        end
     || {File, Content} <- Files
    ],
    Dir.

shop_app() ->
    "{application, shop, [{description, \"\"}, {vsn, \"1\"}, {registered, []},"
    " {applications, [kernel, stdlib, erlrc]}]}.\n".

rebar3_git(Config) ->
    ["{git, \"file://", proplists:get_value(source, Config), "\", {branch, \"main\"}}"].

mix_exs(Where) ->
    [
        "defmodule Shop.MixProject do\n"
        "  use Mix.Project\n"
        "  def project, do: [app: :shop, version: \"1.0.0\", deps: [{:erlrc, ",
        Where,
        "}]]\n  def application, do: []\nend\n"
    ].

rebar3(Dir, Command) ->
    project:run(Dir, "rebar3 " ++ Command, cargo_target(Dir, "_build/default/lib/erlrc")).

mix(Dir, Command, Environment) ->
    Rebar3 = os:find_executable("rebar3"),
    Home = filename:join(Dir, "mix_home"),
    project:run(Dir, "mix " ++ Command, [{"MIX_REBAR3", Rebar3}, {"MIX_HOME", Home} | Environment]).

mix_engine(Dir, Environment) ->
    Output = mix(Dir, "run -e 'IO.puts([\"engine \", :erlrc_engine.vsn()])'", Environment),
    {match, [Vsn]} = re:run(Output, "^engine (.*)$", [multiline, {capture, all_but_first, list}]),
    Vsn.

%% Outside of the dependency, which is fetched anew every time; with what is built already of others' crates.
cargo_target(Dir, Dependency) ->
    Suites = filename:join([project:root(), "_build", "suites"]),
    project:run(
        Suites,
        "own=target/erlrc-$(echo '" ++ filename:join(Dir, Dependency) ++ "' | sha256sum | cut -c 1-16)\n"
        "[ -e $own ] || { mkdir -p $own && cp -Rp source/target/release $own/; }",
        []
    ),
    lists:keystore("CARGO_TARGET_DIR", 1, project:quick(), {"CARGO_TARGET_DIR", filename:join(Suites, "target")}).

engine(Dir, Path) ->
    Expr = "io:put_chars(erlrc_engine:vsn()), halt().",
    project:run(Dir, fixture:erl() ++ " -noshell -pa " ++ Path ++ " -eval '" ++ Expr ++ "'", []).

%% Runs a command with a cargo that leaves a trace of each of its runs.
without_cargo_running(Dir, Command) ->
    Bin = filename:join(Dir, "bin"),
    Trace = filename:join(Dir, "cargo_runs"),
    Cargo = filename:join(Bin, "cargo"),
    ok = filelib:ensure_dir(Cargo),
    Script = ["#!/bin/sh\necho \"$@\" >>'", Trace, "'\nexec '", os:find_executable("cargo"), "' \"$@\"\n"],
    ok = file:write_file(Cargo, Script),
    ok = file:change_mode(Cargo, 8#755),
    Output = project:run(Dir, Command, [{"PATH", Bin ++ ":" ++ os:getenv("PATH")}]),
    {Output, filelib:wildcard(Trace)}.

built(Dir, Profile) ->
    Lib = filename:join([Dir, "_build", Profile, "lib", "erlrc"]),
    Files = files(Lib, ["priv/*", "ebin/*.beam"]),
    ?assertMatch([_, _, _ | _], Files),
    [{filename:basename(File), Inode, Mtime} || {File, Inode, Mtime} <- Files].

files(Dir, Wildcards) ->
    [
        {File, Inode, Mtime}
     || Wildcard <- Wildcards,
        File <- filelib:wildcard(filename:join(Dir, Wildcard)),
        {ok, #file_info{inode = Inode, mtime = Mtime}} <- [file:read_file_info(File)]
    ].

%% A directory of links to all that PATH has but cargo and rustc.
path_without_rust(Config, Name) ->
    Bin = filename:join([proplists:get_value(priv_dir, Config), Name]),
    ok = filelib:ensure_path(Bin),
    [
        file:make_symlink(File, filename:join(Bin, filename:basename(File)))
     || Dir <- string:lexemes(os:getenv("PATH"), ":"),
        File <- filelib:wildcard(filename:join(Dir, "*")),
        not lists:member(filename:basename(File), ["cargo", "rustc"])
    ],
    Bin.
