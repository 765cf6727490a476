%% @doc Builds what the suites work on: applications compiled from source into library directories,
%% erlrc root directories, and real peer nodes.
-module(fixture).

-export([
    application/4,
    callback_module/2,
    supervisor_module/2,
    supervisor_module/3,
    server_module/2,
    root/1,
    register/2,
    register/3,
    override/3,
    start_node/1,
    stop_node/1,
    call/4,
    erlrc_ebin/0,
    erl/0,
    wait_until/1,
    wait_until/2
]).

-type source() :: string() | {module(), iodata()}.
-type application_options() :: #{
    %% Module sources; a plain string starts with its -module line.
    modules => [source()],
    %% Keys of the .app file, over the defaults made from the modules.
    app => [{atom(), term()}],
    %% Term of the .appup file.
    appup => term(),
    %% Further files, relative to the application's directory.
    files => [{file:filename(), iodata()}],
    %% Compiler options.
    compile => [term()]
}.
-type node_options() :: #{
    %% ERLRC_ROOT; other directories of erlrc default to places beside it.
    root => file:filename(),
    %% Code path of the node, erlrc's own ebin comes first.
    path => [file:filename()],
    args => [string()],
    env => [{string(), string()}],
    %% false: not distributed; a name: that node name; default: a random name.
    name => false | atom() | string()
}.
-export_type([application_options/0, node_options/0]).

%% @doc Writes application `App' of version `Vsn' to `LibDir/App-Vsn' and returns that directory.
-spec application(file:filename(), atom(), string(), application_options()) -> file:filename().
application(LibDir, App, Vsn, Options) ->
    Dir = filename:join(LibDir, atom_to_list(App) ++ "-" ++ Vsn),
    Ebin = filename:join(Dir, "ebin"),
    Compile = maps:get(compile, Options, [debug_info]),
    Modules = [compile_module(Ebin, Source, Compile) || Source <- maps:get(modules, Options, [])],
    Defaults = [
        {description, "fixture"},
        {vsn, Vsn},
        {modules, Modules},
        {registered, []},
        {applications, [kernel, stdlib]}
    ],
    Keys = lists:foldl(
        fun({Key, Value}, Acc) -> lists:keystore(Key, 1, Acc, {Key, Value}) end,
        Defaults,
        maps:get(app, Options, [])
    ),
    Base = filename:join(Ebin, atom_to_list(App)),
    write_terms(Base ++ ".app", [{application, App, Keys}]),
    case Options of
        #{appup := Appup} -> write_terms(Base ++ ".appup", [Appup]);
        #{} -> ok
    end,
    [write_file(filename:join(Dir, Name), Data) || {Name, Data} <- maps:get(files, Options, [])],
    Dir.

%% @doc Source of an application callback module that starts `Supervisor'.
-spec callback_module(module(), module()) -> string().
callback_module(Module, Supervisor) ->
    format(
        "-module(~p).~n-behaviour(application).~n-export([start/2, stop/1]).~n"
        "start(_, _) -> ~p:start_link().~nstop(_) -> ok.~n",
        [Module, Supervisor]
    ).

%% @doc Source of a supervisor registered under its module's name, `Children' as in `init/1'.
-spec supervisor_module(module(), [term()]) -> string().
supervisor_module(Module, Children) ->
    supervisor_module(Module, Children, {5, 10}).

%% @doc The same with intensity and period.
-spec supervisor_module(module(), [term()], {non_neg_integer(), pos_integer()}) -> string().
supervisor_module(Module, Children, {Intensity, Period}) ->
    format(
        "-module(~p).~n-behaviour(supervisor).~n-export([start_link/0, init/1]).~n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).~n"
        "init([]) -> {ok, {{one_for_one, ~b, ~b}, ~p}}.~n",
        [Module, Intensity, Period, Children]
    ).

%% @doc Source of a gen_server registered under its module's name that counts calls. Version 1 keeps
%% `{state1, Count}', version 2 `{state2, Count, Upgrades}', and version 2 migrates up and down.
%% Calls: `next' -> the next number, `version' -> 1 | 2, `state' -> the state.
-spec server_module(module(), 1 | 2) -> string().
server_module(Module, Version) ->
    format(
        "-module(~p).~n-behaviour(gen_server).~n"
        "-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
        "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).~n"
        "handle_cast(_, S) -> {noreply, S}.~n"
        "handle_call(version, _, S) -> {reply, ~p, S};~n"
        "handle_call(state, _, S) -> {reply, S, S};~n~s",
        [Module, Version, server_body(Version)]
    ).

server_body(1) ->
    "handle_call(next, _, {state1, N}) -> {reply, N + 1, {state1, N + 1}}.\n"
    "init([]) -> {ok, {state1, 0}}.\n"
    "code_change(_, S, _) -> {ok, S}.\n";
server_body(2) ->
    "handle_call(next, _, {state2, N, U}) -> {reply, N + 1, {state2, N + 1, U}}.\n"
    "init([]) -> {ok, {state2, 0, 0}}.\n"
    "code_change({down, _}, {state2, N, _}, _) -> {ok, {state1, N}};\n"
    "code_change(_, {state1, N}, _) -> {ok, {state2, N, 1}}.\n".

%% @doc Makes an empty ERLRC_ROOT below `Dir' and returns it.
-spec root(file:filename()) -> file:filename().
root(Dir) ->
    Root = filename:join(Dir, "erlrc.d"),
    ok = filelib:ensure_dir(filename:join([Root, "applications", "x"])),
    ok = filelib:ensure_dir(filename:join([Root, "nodes", "x"])),
    Root.

%% @doc Registers `App' in `Root'.
-spec register(file:filename(), atom()) -> ok.
register(Root, App) ->
    register(Root, App, []).

%% @doc Registers `App' in `Root' with terms in its registration file.
-spec register(file:filename(), atom(), [term()]) -> ok.
register(Root, App, Terms) ->
    write_terms(filename:join([Root, "applications", atom_to_list(App)]), Terms).

%% @doc Writes the override file of `App' in `Root'.
-spec override(file:filename(), atom(), [{atom(), term()}]) -> ok.
override(Root, App, Keys) ->
    File = filename:join([Root, "applications", atom_to_list(App) ++ ".app"]),
    write_terms(File, [{application, App, Keys}]).

%% @doc Starts a real peer node, controlled over its standard input and output, so that neither this
%% node nor the peer needs distribution. No erlrc directory of the machine itself is touched.
-spec start_node(node_options()) -> {peer:server_ref(), node()}.
start_node(Options) ->
    Root = maps:get(root, Options, filename:join([filename:dirname(code:lib_dir(erlrc)), "host", "erlrc.d"])),
    Beside = filename:dirname(Root),
    Environment = lists:foldl(
        fun({Key, Value}, Acc) -> lists:keystore(Key, 1, Acc, {Key, Value}) end,
        [
            {"ERLRC_ROOT", Root},
            {"ERLRC_RUN", filename:join(Beside, "run")},
            {"ERLRC_APPS", filename:join(Beside, "apps")},
            {"ERLRC_STATE", filename:join(Beside, "state")},
            {"ERLRC_STASH", filename:join(Beside, "stash")},
            {"ERL_AFLAGS", ""},
            {"ERL_FLAGS", ""},
            {"ERL_ZFLAGS", ""}
        ],
        maps:get(env, Options, [])
    ),
    Path = lists:append([["-pa", Dir] || Dir <- lists:reverse(maps:get(path, Options, []))]),
    Common = #{
        connection => standard_io,
        exec => {erl(), []},
        args => Path ++ ["-pa", erlrc_ebin()] ++ maps:get(args, Options, []),
        env => Environment,
        wait_boot => 30000
    },
    case peer:start_link(maps:merge(Common, name(Options))) of
        {ok, Peer, Node} -> {Peer, Node};
        {ok, Peer} -> {Peer, nonode@nohost}
    end.

name(#{name := false}) -> #{};
name(#{name := Name}) -> #{name => Name};
name(#{}) -> #{name => peer:random_name()}.

%% @doc Stops a peer of {@link start_node/1}.
-spec stop_node(peer:server_ref()) -> ok.
stop_node(Peer) ->
    peer:stop(Peer).

%% @doc Calls a function on the peer.
-spec call(peer:server_ref(), module(), atom(), [term()]) -> term().
call(Peer, Module, Function, Arguments) ->
    peer:call(Peer, Module, Function, Arguments, 120000).

%% @doc The directory of erlrc's own beam files.
-spec erlrc_ebin() -> file:filename().
erlrc_ebin() ->
    filename:join(code:lib_dir(erlrc), "ebin").

%% @doc The `erl' of the OTP that runs the suite.
-spec erl() -> file:filename().
erl() ->
    filename:join([code:root_dir(), "bin", "erl"]).

%% @doc Waits until `Fun' answers true, ten seconds at most.
-spec wait_until(fun(() -> boolean())) -> ok.
wait_until(Fun) ->
    wait_until(Fun, 10000).

%% @doc Waits until `Fun' answers true, `Milliseconds' at most.
-spec wait_until(fun(() -> boolean()), pos_integer()) -> ok.
wait_until(Fun, Milliseconds) ->
    poll(Fun, erlang:monotonic_time(millisecond) + Milliseconds).

poll(Fun, Deadline) ->
    case Fun() of
        true ->
            ok;
        false ->
            erlang:monotonic_time(millisecond) < Deadline orelse error({never_true, Fun}),
            receive
            after 5 -> poll(Fun, Deadline)
            end
    end.

compile_module(Ebin, {Module, Source}, Options) ->
    {ok, Module, Beam} = compile:forms(forms(unicode:characters_to_list(Source)), Options),
    ok = write_file(filename:join(Ebin, atom_to_list(Module) ++ ".beam"), Beam),
    Module;
compile_module(Ebin, Source, Options) ->
    compile_module(Ebin, {module_name(Source), Source}, Options).

%% The one macro that the sources use is ?MODULE.
forms(Source) ->
    Module = atom_to_list(module_name(Source)),
    Expanded = lists:flatten(string:replace(Source, "?MODULE", Module, all)),
    {ok, Tokens, _} = erl_scan:string(Expanded),
    parse(Tokens, [], [{attribute, 1, file, {Module ++ ".erl", 1}}]).

module_name(Source) ->
    {match, [Module]} = re:run(Source, "-module\\(([^)]*)\\)", [{capture, [1], list}]),
    list_to_atom(Module).

parse([], [], Forms) ->
    lists:reverse(Forms);
parse([{dot, _} = Dot | Tokens], Form, Forms) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    parse(Tokens, [], [Parsed | Forms]);
parse([Token | Tokens], Form, Forms) ->
    parse(Tokens, [Token | Form], Forms).

format(Format, Arguments) ->
    lists:flatten(io_lib:format(Format, Arguments)).

write_terms(File, Terms) ->
    write_file(File, unicode:characters_to_binary([io_lib:format("~tp.~n", [Term]) || Term <- Terms])).

write_file(File, Data) ->
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, Data).
