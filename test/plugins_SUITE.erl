%% @doc The plugins for rebar3 and mix in projects that use them: packages, plans and suites of these projects.
-module(plugins_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    rebar3_packages_an_umbrella/1,
    rebar3_runs_the_suite_of_a_project/1,
    rebar3_plans_and_says_how_that_ended/1,
    mix_packages_plans_and_runs_the_suite/1
]).

-spec suite() -> [tuple()].
suite() ->
    [{timetrap, {minutes, 20}}].

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info, init_per_suite, end_per_suite])].

%% The tools run on the OTP that they were packaged for: once is enough.
-spec init_per_suite(list()) -> list() | {skip, string()}.
init_per_suite(Config) ->
    case os:find_executable("rebar3") of
        false -> {skip, "rebar3 is not installed"};
        Rebar3 -> init_per_suite(root_beside(Rebar3), Config)
    end.

init_per_suite(Root, Config) ->
    case code:root_dir() of
        Root -> Config;
        _ -> {skip, "this is not the OTP of rebar3, " ++ Root}
    end.

root_beside(Tool) ->
    Erl = filename:join(filename:dirname(Tool), "erl"),
    project:run("/", "'" ++ Erl ++ "' -noshell -eval 'io:put_chars(code:root_dir()), halt().'", []).

-spec end_per_suite(list()) -> ok.
end_per_suite(_Config) ->
    ok.

-spec init_per_testcase(atom(), list()) -> list() | {skip, string()}.
init_per_testcase(Case, Config) ->
    case lists:prefix("mix", atom_to_list(Case)) andalso os:find_executable("mix") =:= false of
        true ->
            {skip, "mix is not installed"};
        false ->
            Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
            [{dir, Dir}, {variables, variables(Dir)} | Config]
    end.

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

%% The command is found in PATH, the application in ERL_LIBS, and no node of this machine is asked.
variables(Dir) ->
    Bin = filename:join(Dir, "bin"),
    ok = filelib:ensure_path(Bin),
    ok = file:make_symlink(filename:join(code:priv_dir(erlrc), "erlrc"), filename:join(Bin, "erlrc")),
    None = [{Name, filename:join(Dir, "none")} || Name <- ["ERLRC_ROOT", "ERLRC_RUN", "ERLRC_APPS", "ERLRC_STATE"]],
    [{"PATH", Bin ++ ":" ++ os:getenv("PATH")}, {"ERL_LIBS", filename:dirname(code:lib_dir(erlrc))} | None].

-spec rebar3_packages_an_umbrella(list()) -> ok.
rebar3_packages_an_umbrella(Config) ->
    Dir = rebar3_project(Config, [{"apps/" ++ App, App} || App <- ["shop", "till"]]),
    _ = run(Config, Dir, "rebar3 erlrc package -- --output out --revision 7"),
    ?assertEqual(
        ["erlang-shop_1.0-7_all.deb", "erlang-till_1.0-7_all.deb"], filelib:wildcard("*.deb", filename:join(Dir, "out"))
    ),
    ok.

-spec rebar3_runs_the_suite_of_a_project(list()) -> ok.
rebar3_runs_the_suite_of_a_project(Config) ->
    Dir = rebar3_project(Config, [{".", "shop"}]),
    Output = run(Config, Dir, "rebar3 erlrc suite"),
    ?assertMatch({match, _}, re:run(Output, "All 1 tests passed")),
    ?assert(filelib:is_regular(filename:join(Dir, "test/shop_upgrade_SUITE.erl"))),
    ok.

%% No node of this machine has the application.
-spec rebar3_plans_and_says_how_that_ended(list()) -> ok.
rebar3_plans_and_says_how_that_ended(Config) ->
    Dir = rebar3_project(Config, [{".", "shop"}]),
    Output = run(Config, Dir, "rebar3 erlrc plan"),
    ?assertMatch({match, _}, re:run(Output, "shop|no nodes")),
    ?assertError(
        {command_failed, _, 1, _}, run(Config, Dir, "rebar3 erlrc plan -- --no-such-option")
    ),
    ok.

-spec mix_packages_plans_and_runs_the_suite(list()) -> ok.
mix_packages_plans_and_runs_the_suite(Config) ->
    Dir = filename:join(proplists:get_value(dir, Config), "project"),
    Plugin = filename:join(project:root(), "plugins/mix_erlrc"),
    write(Dir, "mix.exs", [
        "defmodule Shop.MixProject do\n  use Mix.Project\n",
        "  def project, do: [app: :shop, version: \"1.0.0\", description: \"Sells\", deps: [{:mix_erlrc, path: \"", Plugin,
        "\", runtime: false}]]\n  def application, do: [extra_applications: [:logger], mod: {Shop, []}]\nend\n"
    ]),
    write(Dir, "lib/shop.ex", [
        "defmodule Shop do\n  use Application\n",
        "  def start(_, _), do: Supervisor.start_link([{Agent, fn -> 0 end}], strategy: :one_for_one)\nend\n"
    ]),
    _ = run(Config, Dir, "mix erlrc.package --output out"),
    ?assertMatch(["erlang-shop_1.0.0-1_all.deb"], filelib:wildcard("*.deb", filename:join(Dir, "out"))),
    _ = run(Config, Dir, "mix erlrc.plan"),
    Output = run(Config, Dir, "mix erlrc.suite"),
    ?assertMatch({match, _}, re:run(Output, "1 ok, 0 failed")),
    ok.

%%% Helpers

%% Applications of one process each.
rebar3_project(Config, Apps) ->
    Dir = filename:join(proplists:get_value(dir, Config), "project"),
    write(Dir, "rebar.config", "{erl_opts, [debug_info]}.\n{project_plugins, [rebar3_erlrc]}.\n"),
    [rebar3_application(filename:join(Dir, Place), App) || {Place, App} <- Apps],
    ok = filelib:ensure_path(filename:join(Dir, "_checkouts")),
    Plugin = filename:join(project:root(), "plugins/rebar3_erlrc"),
    Link = filename:join(Dir, "_checkouts/rebar3_erlrc"),
    _ = project:run(Dir, "cp -R '" ++ Plugin ++ "' '" ++ Link ++ "'", []),
    Dir.

rebar3_application(Dir, App) ->
    [Callback, Supervisor] = [list_to_atom(App ++ Suffix) || Suffix <- ["_app", "_sup"]],
    write(Dir, ["src/", App, ".app.src"], [
        "{application, ", App, ", [{description, \"Sells\"}, {vsn, \"1.0\"}, {registered, []}, {modules, []},\n",
        " {applications, [kernel, stdlib]}, {mod, {", App, "_app, []}}]}.\n"
    ]),
    write(Dir, ["src/", App, "_app.erl"], fixture:callback_module(Callback, Supervisor)),
    write(Dir, ["src/", App, "_sup.erl"], fixture:supervisor_module(Supervisor, [])).

run(Config, Dir, Command) ->
    project:run(Dir, Command, proplists:get_value(variables, Config)).

write(Dir, Name, Text) ->
    File = filename:join(Dir, Name),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, Text).
