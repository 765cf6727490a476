%% @doc What the suites about boot and the life of a node share.
-module(boot_support).

-include_lib("stdlib/include/assert.hrl").

-compile({no_auto_import, [register/2]}).
-export([
    install/3, install/4, failing/3, gate/1, gate/3, callback/2, write_application/5, enlist/2,
    registration/2, metadata/4, ebin/2, write/2, node_of/1, node_of/2, finish/2, call/4,
    boot/1, started/1, before/3, is_loaded/2, restart_type/2, text/1, capture_log/1, logged/2,
    async/1, await/1
]).
-export([directories/2, invariants/1, parts/2]).

%% @doc The directories of a case, for `init_per_testcase/2'.
-spec directories(file:name_all(), list()) -> list().
directories(Case, Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
    Lib = filename:join(Dir, "lib"),
    ok = filelib:ensure_path(Lib),
    [{dir, Dir}, {lib, Lib}, {root, fixture:root(Dir)} | Config].

%% @doc Version 1.0 of an application with a supervisor and a module `App_extra'.
-spec install(list(), atom(), [{atom(), term()}]) -> ok.
install(Config, App, Keys) ->
    install(Config, App, "1.0", Keys).

%% @doc An application with a supervisor `App_sup' and a module `App_extra'.
-spec install(list(), atom(), string(), [{atom(), term()}]) -> ok.
install(Config, App, Vsn, Keys) ->
    [Callback, Supervisor, Extra] = [suffixed(App, Suffix) || Suffix <- ["_app", "_sup", "_extra"]],
    Where = io_lib:format("-module(~s).\n-export([where/0]).\nwhere() -> here.\n", [Extra]),
    Modules = [
        fixture:callback_module(Callback, Supervisor),
        fixture:supervisor_module(Supervisor, []),
        lists:flatten(Where)
    ],
    write_application(Config, App, Vsn, Modules, [{mod, {Callback, []}} | Keys]).

%% @doc An application whose start fails.
-spec failing(list(), atom(), [{atom(), term()}]) -> ok.
failing(Config, App, Keys) ->
    Callback = suffixed(App, "_app"),
    Source = callback(Callback, "{error, no_luck}"),
    write_application(Config, App, "1.0", [Source], [{mod, {Callback, []}} | Keys]).

%% @doc An application whose start waits until its process `gate' is told to open.
-spec gate(list()) -> ok.
gate(Config) ->
    gate(Config, gate, []).

%% @doc An application whose start waits until its process, of the same name, is told to open, or to fail.
-spec gate(list(), atom(), [{atom(), term()}]) -> ok.
gate(Config, App, Keys) ->
    [Callback, Supervisor] = [suffixed(App, Suffix) || Suffix <- ["_app", "_sup"]],
    Start = io_lib:format(
        "register(~s, self()), receive open -> unregister(~s), ~s:start_link(); fail -> {error, told_to} end",
        [App, App, Supervisor]
    ),
    Modules = [callback(Callback, lists:flatten(Start)), fixture:supervisor_module(Supervisor, [])],
    write_application(Config, App, "1.0", Modules, [{mod, {Callback, []}} | Keys]).

%% @doc Source of an application callback module whose `start/2' is `Start'.
-spec callback(module(), string()) -> string().
callback(Module, Start) ->
    lists:flatten(
        io_lib:format(
            "-module(~s).~n-behaviour(application).~n-export([start/2, stop/1]).~n"
            "start(_, _) -> ~s.~nstop(_) -> ok.~n",
            [Module, Start]
        )
    ).

%% @doc An application of these modules.
-spec write_application(list(), atom(), string(), [string()], [{atom(), term()}]) -> ok.
write_application(Config, App, Vsn, Modules, Keys) ->
    Lib = proplists:get_value(lib, Config),
    Options = #{modules => Modules, app => Keys},
    _ = fixture:application(Lib, App, Vsn, Options),
    ok.

suffixed(App, Suffix) ->
    list_to_atom(atom_to_list(App) ++ Suffix).

%% @doc Registers applications.
-spec enlist(list(), [atom()]) -> ok.
enlist(Config, Apps) ->
    [ok = fixture:register(proplists:get_value(root, Config), App) || App <- Apps],
    ok.

%% @doc A file among the registrations.
-spec registration(list(), string()) -> file:filename().
registration(Config, Name) ->
    filename:join([proplists:get_value(root, Config), "applications", Name]).

%% @doc Says what a package installed.
-spec metadata(list(), atom(), string(), file:filename()) -> ok.
metadata(Config, App, Vsn, Dir) ->
    File = filename:join([proplists:get_value(dir, Config), "apps", atom_to_list(App)]),
    write(File, io_lib:format("~tp.~n", [{App, Vsn, Dir}])).

%% @doc The modules of an application, `Name' with its version.
-spec ebin(list(), string()) -> file:filename().
ebin(Config, Name) ->
    filename:join([proplists:get_value(lib, Config), Name, "ebin"]).

%% @doc Writes a file and the directories above it.
-spec write(file:filename(), iodata()) -> ok.
write(File, Data) ->
    ok = filelib:ensure_dir(File),
    file:write_file(File, Data).

%% @doc A node with everything that was installed on its code path, which boots as `boot' of the configuration says.
-spec node_of(list()) -> peer:server_ref().
node_of(Config) ->
    node_of(Config, #{path => filelib:wildcard(ebin(Config, "*"))}).

%% @doc A node with other options.
-spec node_of(list(), map()) -> peer:server_ref().
node_of(Config, Options) ->
    Defaults = #{
        root => proplists:get_value(root, Config),
        path => filelib:wildcard(ebin(Config, "*")),
        name => false
    },
    #{path := Path} = Merged = maps:merge(Defaults, Options),
    %% The peer runs log_capture, too.
    Suites = filename:dirname(code:which(log_capture)),
    Args = maps:get(args, Options, []) ++ proplists:get_value(boot, Config, []),
    {Peer, _} = fixture:start_node(Merged#{path := Path ++ [Suites], args => Args}),
    Peer.

%% @doc The end of every case: the invariants of included applications, and of the node.
-spec finish(list(), peer:server_ref()) -> ok.
finish(_Config, Peer) ->
    invariants(Peer),
    fixture:stop_node(Peer).

%% @doc No application both runs itself and is included by a running one, and none by two.
-spec invariants(peer:server_ref()) -> ok.
invariants(Peer) ->
    Running = [App || {App, _, _} <- call(Peer, application, which_applications, [])],
    Included = lists:append([parts(Peer, App) || App <- Running]),
    ?assertEqual([], [App || App <- Running, lists:member(App, Included)]),
    ?assertEqual(lists:usort(Included), lists:sort(Included)),
    %% Everything that runs has what it needs, as application_controller sees it.
    [?assertEqual({App, []}, {App, missing(Peer, App, Running)}) || App <- Running],
    ok.

%% @doc All that an application includes, directly or through others.
-spec parts(peer:server_ref(), atom()) -> [atom()].
parts(Peer, App) ->
    {ok, Included} = call(Peer, application, get_key, [App, included_applications]),
    Included ++ lists:append([parts(Peer, Part) || Part <- Included]).

missing(Peer, App, Running) ->
    {ok, Needed} = call(Peer, application, get_key, [App, applications]),
    {ok, Optional} = call(Peer, application, get_key, [App, optional_applications]),
    (Needed -- Optional) -- Running.

%% @doc Calls the node.
-spec call(peer:server_ref(), module(), atom(), [term()]) -> term().
call(Peer, Module, Function, Arguments) ->
    fixture:call(Peer, Module, Function, Arguments).

%% @doc Boots the node.
-spec boot(peer:server_ref()) -> term().
boot(Peer) ->
    call(Peer, erlrc_boot, boot, []).

%% @doc What erlrc or the case started, in the order of start.
-spec started(peer:server_ref()) -> [atom()].
started(Peer) ->
    Running = call(Peer, application, which_applications, []),
    lists:reverse([App || {App, _, _} <- Running]) -- [kernel, stdlib, sasl, erlrc].

%% @doc Whether one element stands before another.
-spec before(term(), term(), list()) -> boolean().
before(A, B, [A | Rest]) -> lists:member(B, Rest);
before(A, B, [_ | Rest]) -> before(A, B, Rest);
before(_, _, []) -> false.

%% @doc Whether an application is loaded.
-spec is_loaded(peer:server_ref(), atom()) -> boolean().
is_loaded(Peer, App) ->
    call(Peer, application, get_key, [App, vsn]) =/= undefined.

%% @doc How an application was started.
-spec restart_type(peer:server_ref(), atom()) -> atom().
restart_type(Peer, App) ->
    Started = proplists:get_value(started, call(Peer, application, info, [])),
    proplists:get_value(App, Started).

%% @doc A path as the engine may answer it.
-spec text(unicode:chardata()) -> string().
text(Text) ->
    unicode:characters_to_list(Text).

%% @doc Keeps what the node logs from now on.
-spec capture_log(peer:server_ref()) -> ok.
capture_log(Peer) ->
    ok = call(Peer, log_capture, start, []).

%% @doc The lines that match.
-spec logged(peer:server_ref(), string()) -> [string()].
logged(Peer, Pattern) ->
    [Line || Line <- call(Peer, log_capture, lines, []), re:run(Line, Pattern) =/= nomatch].

%% @doc Runs a function beside the case.
-spec async(fun(() -> term())) -> reference().
async(Fun) ->
    Self = self(),
    Ref = make_ref(),
    _ = spawn_link(fun() -> Self ! {Ref, Fun()} end),
    Ref.

%% @doc What it answered.
-spec await(reference()) -> term().
await(Ref) ->
    receive
        {Ref, Result} -> Result
    after 30000 -> error(no_answer)
    end.
