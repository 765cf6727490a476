%% @doc The source tree that the suites run from, and copies of it: releases of erlrc to upgrade between.
-module(project).

-export([root/0, vsn/0, next_vsn/0, copy/2, build/1, quick/0, release/2, run/3]).

%% @doc The directory of the source tree.
-spec root() -> file:filename().
root() ->
    root(filename:dirname(code:which(?MODULE))).

root("/") ->
    error(not_in_a_source_tree);
root(Dir) ->
    case filelib:is_regular(filename:join([Dir, "native", "build.sh"])) of
        true -> Dir;
        false -> root(filename:dirname(Dir))
    end.

%% @doc The version of erlrc in the source tree.
-spec vsn() -> string().
vsn() ->
    proplists:get_value(vsn, keys()).

%% @doc The version after that.
-spec next_vsn() -> string().
next_vsn() ->
    [Patch | Rest] = lists:reverse(string:split(vsn(), ".", all)),
    Next = integer_to_list(list_to_integer(Patch) + 1),
    lists:flatten(lists:join(".", lists:reverse([Next | Rest]))).

%% @doc A copy of what erlrc is built from, of version `Vsn'. Always at the same place for the same `Name', where
%% a second run finds what the first one built.
-spec copy(string(), string()) -> file:filename().
copy(Name, Vsn) ->
    Copy = filename:join([root(), "_build", "suites", Name]),
    ok = filelib:ensure_path(Copy),
    [sh("rm -rf ~ts && cp -Rp ~ts .", [Item, filename:join(root(), Item)], Copy) || Item <- sources()],
    Old = lists:append(string:replace(vsn(), ".", "\\.", all)),
    sh("sed -i.old 's/^version = \"~ts\"/version = \"~ts\"/' Cargo.toml", [Old, Vsn], Copy),
    sh("sed -i.old '/^name = \"erlrc/{n;s/~ts/~ts/;}' Cargo.lock", [Old, Vsn], Copy),
    sh("sed -i.old 's/~ts/~ts/' erlang/erlrc.app.src", [Old, Vsn], Copy),
    sh("find . -name '*.old' -delete", [], Copy),
    Copy.

%% What is published is what can be built.
sources() ->
    [".gitignore" | proplists:get_value(files, keys())].

keys() ->
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(root(), "erlang/erlrc.app.src")),
    Keys.

%% @doc Builds library and command line of a copy, with as little work for the compiler as may be.
-spec build(file:filename()) -> string().
build(Copy) ->
    run(Copy, "sh native/build.sh", quick()).

%% @doc The environment of such a build.
-spec quick() -> [{string(), string() | false}].
quick() ->
    [
        {"CARGO_TARGET_DIR", false},
        {"CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"},
        {"CARGO_PROFILE_RELEASE_LTO", "off"},
        {"CARGO_PROFILE_RELEASE_DEBUG", "0"}
    ].

%% @doc Makes `Lib/erlrc-Vsn' of a source tree that is built, its modules compiled by this OTP.
-spec release(file:filename(), file:filename()) -> file:filename().
release(Source, Lib) ->
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(Source, "erlang/erlrc.app.src")),
    Dir = filename:join(Lib, "erlrc-" ++ proplists:get_value(vsn, Keys)),
    Ebin = filename:join(Dir, "ebin"),
    ok = filelib:ensure_path(Ebin),
    sh("rm -rf ~ts/priv && cp -Rp priv ~ts/", [Dir, Dir], Source),
    Modules = compile(filelib:wildcard(filename:join(Source, "erlang/src/**/*.erl")), Ebin),
    App = {application, erlrc, lists:keystore(modules, 1, Keys, {modules, Modules})},
    ok = file:write_file(filename:join(Ebin, "erlrc.app"), io_lib:format("~tp.~n", [App])),
    Dir.

%% Behaviours first: the others are checked against them.
compile(Files, Ebin) ->
    Options = [{outdir, Ebin}, {d, 'ERLRC_LIBRARY_HEADER'}, debug_info, nowarn_undefined_behaviour],
    [begin {ok, Module} = compile:file(File, Options), Module end || File <- Files].

sh(Format, Arguments, Dir) ->
    run(Dir, lists:flatten(io_lib:format(Format, Arguments)), []).

%% @doc Runs a shell command in `Dir' and returns what it writes; fails where its status is not 0.
-spec run(file:filename(), string(), [{string(), string() | false}]) -> string().
run(Dir, Command, Environment) ->
    Port = open_port({spawn_executable, "/bin/sh"}, [
        {args, ["-c", Command]}, {cd, Dir}, {env, clean(Dir) ++ Environment}, exit_status, stderr_to_stdout, binary
    ]),
    case output(Port, []) of
        {0, Output} -> Output;
        {Status, Output} -> error({command_failed, Command, Status, Output})
    end.

%% What the Erlang and the build tool that run the suite have set for themselves, and nobody else. Nodes of the
%% project leave the machine's own directories alone.
clean(Dir) ->
    Ours = "^(ERL_|REBAR|MIX_|ROOTDIR$|BINDIR$|EMU$|PROGNAME$)",
    [{"ERLRC_RUN", filename:join(Dir, "run")}] ++ [{Name, false} || {Name, _} <- os:env(), re:run(Name, Ours) =/= nomatch].

output(Port, Output) ->
    receive
        {Port, {data, Data}} -> output(Port, [Output, Data]);
        {Port, {exit_status, Status}} -> {Status, unicode:characters_to_list(iolist_to_binary(Output))}
    end.
