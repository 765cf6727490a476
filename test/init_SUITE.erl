%% @doc `erlrc init' in projects: what it writes, that it overwrites nothing, and that the suite which it writes upgrades.
-module(init_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    suite_of_a_project_of_rebar3_upgrades_it/1,
    suite_goes_from_the_version_that_is_named/1,
    suite_fails_where_the_upgrade_does/1,
    suite_of_each_application_of_a_mix_umbrella_is_written/1,
    nothing_is_overwritten/1,
    what_is_no_project_is_refused/1
]).

-spec all() -> [atom()].
all() ->
    [Case || {Case, 1} <- ?MODULE:module_info(exports), not lists:member(Case, [module_info])].

-spec init_per_testcase(atom(), list()) -> list().
init_per_testcase(Case, Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Dir),
    [{dir, Dir} | Config].

-spec end_per_testcase(atom(), list()) -> ok.
end_per_testcase(_Case, _Config) ->
    ok.

-spec suite_of_a_project_of_rebar3_upgrades_it(list()) -> ok.
suite_of_a_project_of_rebar3_upgrades_it(Config) ->
    Dir = shop(Config),
    {0, Output} = init(Dir, []),
    ?assertEqual(
        <<"erlrc.toml written\ntest/shop_upgrade_SUITE.erl written\n.gitignore written\n">>, Output
    ),
    {0, Tested} = ct(Dir, compiled(Dir, "2.0", 2), []),
    ?assertMatch({match, _}, re:run(Tested, "1 ok, 0 failed")),
    ok.

%% The true earlier version: its state is converted.
-spec suite_goes_from_the_version_that_is_named(list()) -> ok.
suite_goes_from_the_version_that_is_named(Config) ->
    Dir = shop(Config),
    {0, _} = init(Dir, []),
    Earlier = compiled(filename:join(Dir, "earlier"), "1.0", 1),
    {0, Tested} = ct(Dir, compiled(Dir, "2.0", 2), [{"ERLRC_EARLIER", Earlier}]),
    ?assertMatch({match, _}, re:run(Tested, "1 ok, 0 failed")),
    ok.

-spec suite_fails_where_the_upgrade_does(list()) -> ok.
suite_fails_where_the_upgrade_does(Config) ->
    Dir = shop(Config),
    {0, _} = init(Dir, []),
    Earlier = compiled(filename:join(Dir, "earlier"), "1.0", 1),
    Later = compiled(Dir, "2.0", refuses),
    {_, Tested} = ct(Dir, Later, [{"ERLRC_EARLIER", Earlier}]),
    ?assertMatch({match, _}, re:run(Tested, "0 ok, 1 failed")),
    ok.

-spec suite_of_each_application_of_a_mix_umbrella_is_written(list()) -> ok.
suite_of_each_application_of_a_mix_umbrella_is_written(Config) ->
    Dir = proplists:get_value(dir, Config),
    write(Dir, "mix.exs", "[apps_path: \"apps\"]"),
    write(Dir, "apps/one/mix.exs", "[app: :one]"),
    write(Dir, "apps/two/mix.exs", "[app: :two]"),
    {0, _} = init(Dir, []),
    [
        begin
            {ok, Suite} = file:read_file(filename:join(Dir, ["apps/", App, "/test/", App, "_upgrade_SUITE.erl"])),
            ?assertMatch({match, _}, re:run(Suite, ["define\\(APP, ", App, "\\)"])),
            ?assertEqual(nomatch, re:run(Suite, "~[A-Z]"))
        end
     || App <- ["one", "two"]
    ],
    ok.

-spec nothing_is_overwritten(list()) -> ok.
nothing_is_overwritten(Config) ->
    Dir = shop(Config),
    write(Dir, "erlrc.toml", "name = \"mine\"\n"),
    write(Dir, ".gitignore", "_build\n/*.deb"),
    write(Dir, "elsewhere", "untouched"),
    ok = filelib:ensure_path(filename:join(Dir, "test")),
    %% A link that leads nowhere is there, too.
    ok = file:make_symlink("../nowhere", filename:join(Dir, "test/shop_upgrade_SUITE.erl")),
    {0, Output} = init(Dir, ["--json"]),
    ?assertMatch({match, _}, re:run(Output, "erlrc.toml\",\"outcome\":\"kept\".*SUITE.erl\",\"outcome\":\"kept\".*\"extended\"")),
    ?assertEqual({ok, <<"name = \"mine\"\n">>}, file:read_file(filename:join(Dir, "erlrc.toml"))),
    ?assertNot(filelib:is_file(filename:join(Dir, "nowhere"))),
    Ignored = {ok, <<"_build\n/*.deb\n/*.rpm\n/*.changes\n">>},
    ?assertEqual(Ignored, file:read_file(filename:join(Dir, ".gitignore"))),
    {0, Again} = init(Dir, []),
    ?assertEqual(nomatch, re:run(Again, "written|extended")),
    ?assertEqual(Ignored, file:read_file(filename:join(Dir, ".gitignore"))),
    ok.

-spec what_is_no_project_is_refused(list()) -> ok.
what_is_no_project_is_refused(Config) ->
    Dir = proplists:get_value(dir, Config),
    {1, Output} = init(Dir, []),
    ?assertMatch({match, _}, re:run(Output, "neither rebar.config nor mix.exs")),
    ?assertEqual({ok, []}, file:list_dir(Dir)),
    ok.

%%% Helpers

shop(Config) ->
    Dir = proplists:get_value(dir, Config),
    write(Dir, "rebar.config", "{erl_opts, [debug_info]}.\n"),
    write(Dir, "src/shop.app.src", "{application, shop, [{vsn, \"2.0\"}]}.\n"),
    Dir.

%% What rebar3 would leave below `_build'.
compiled(Dir, Vsn, Version) ->
    Modules = [
        fixture:callback_module(shop_app, shop_sup),
        fixture:supervisor_module(shop_sup, [#{id => desk, start => {shop_desk, start_link, []}}]),
        desk(Version)
    ],
    Lib = filename:join(Dir, "_build/default/lib"),
    fixture:application(Lib, shop, Vsn, #{modules => Modules, app => [{mod, {shop_app, []}}]}).

desk(refuses) ->
    desk("{error, never}", 2);
desk(Version) ->
    desk("{ok, setelement(1, State, ?VSN)}", Version).

desk(Changed, Version) ->
    lists:flatten(
        io_lib:format(
            "-module(shop_desk).~n-behaviour(gen_server).~n"
            "-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
            "start_link() -> gen_server:start_link({local, shop_desk}, shop_desk, [], []).~n"
            "init([]) -> {ok, {~b, []}}.~nhandle_call(_, _, State) -> {reply, State, State}.~n"
            "handle_cast(_, State) -> {noreply, State}.~ncode_change(_, State, _) -> ~s.~n",
            [Version, string:replace(Changed, "?VSN", integer_to_list(Version))]
        )
    ).

%% As `rebar3 ct' does, with erlrc installed. Without jquery, which some packages of OTP leave out.
ct(Dir, App, Variables) ->
    Ebins = [filename:join(App, "ebin"), fixture:erlrc_ebin()],
    Logs = filename:join(Dir, "logs"),
    ok = filelib:ensure_path(Logs),
    Suite = filename:join(Dir, "test/shop_upgrade_SUITE"),
    Args = ["-basic_html", "-noshell", "-pa" | Ebins] ++ ["-dir", filename:dirname(Suite), "-suite", Suite, "-logdir", Logs],
    run(os:find_executable("ct_run"), Args, Dir, Variables).

init(Dir, Arguments) ->
    run(filename:join(code:priv_dir(erlrc), "erlrc"), ["init" | Arguments], Dir, []).

run(Program, Arguments, Dir, Variables) ->
    Unset = [{Name, false} || Name <- ["ERL_LIBS", "ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS"]],
    Port = open_port({spawn_executable, Program}, [
        {args, Arguments}, {cd, Dir}, {env, Unset ++ Variables}, exit_status, binary, stderr_to_stdout
    ]),
    output(Port, []).

output(Port, Before) ->
    receive
        {Port, {data, Data}} -> output(Port, [Before, Data]);
        {Port, {exit_status, Status}} -> {Status, iolist_to_binary(Before)}
    end.

write(Dir, Name, Text) ->
    File = filename:join(Dir, Name),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, Text).
