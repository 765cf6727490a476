%% @doc An application `service' in two versions, on a node of its own: what the evaluator suites upgrade.
-module(service_fixture).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([start_node/2, start_node/3, stop_node/1, versions/3, versions/4, versions/5, child/1, child/2]).
-export([up/3, up/4, down/3, down/4, evaluate/5, script/5, upgrade/2, downgrade/2]).
-export([in_background/4, answer/1, advanced/1, start_child/2]).
-export([call/4, photograph/1, still/2, on_node/2, ebin/1, pid/2]).
-export([server/2, server/3, steady/2, plain/2, statem/1, handler/1, special/2, supervisor/1, supervisor/2]).
-export([native_library/3, local_photograph/1]).

%% @doc Starts a node that has the test modules on its path.
-spec start_node(atom(), list()) -> list().
start_node(Case, Config) ->
    start_node(Case, Config, []).

%% @doc The same with further arguments of `erl'.
-spec start_node(atom(), list(), [string()]) -> list().
start_node(Case, Config, Args) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Tests = filename:dirname(code:which(?MODULE)),
    {Peer, _} = fixture:start_node(#{
        name => false, path => [Tests], args => ["-kernel", "logger_level", "emergency" | Args]
    }),
    [{peer, Peer}, {dir, Dir} | Config].

-spec stop_node(list()) -> ok.
stop_node(Config) ->
    fixture:stop_node(?config(peer, Config)).

%% @doc Builds both versions and starts the first, with `Old' and `New' as further modules and `service_server'
%% as the one child of `service_sup'.
-spec versions(list(), [term()], [term()]) -> {file:filename(), file:filename()}.
versions(Config, Old, New) ->
    versions(Config, Old, New, [child(service_server)]).

-spec versions(list(), [term()], [term()], [term()]) -> {file:filename(), file:filename()}.
versions(Config, Old, New, Children) ->
    versions(Config, Old, New, Children, {[], []}).

%% @doc The same with further keys of the two specifications.
-spec versions(list(), [term()], [term()], [term()], {[{atom(), term()}], [{atom(), term()}]}) ->
    {file:filename(), file:filename()}.
versions(Config, Old, New, Children, {OldKeys, NewKeys}) ->
    Lib = ?config(dir, Config),
    Common = [fixture:callback_module(service_app, service_sup) || not has(service_app, Old)],
    Sup = [fixture:supervisor_module(service_sup, Children) || not has(service_sup, Old)],
    Keys = [{mod, {service_app, []}}],
    OldDir = fixture:application(Lib, service, "1", #{
        modules => Common ++ Sup ++ [fixture:server_module(service_server, 1) | Old], app => Keys ++ OldKeys
    }),
    NewDir = fixture:application(Lib, service, "2", #{
        modules => Common ++ Sup ++ [fixture:server_module(service_server, 2) | New], app => Keys ++ NewKeys
    }),
    true = call(Config, code, add_patha, [ebin(OldDir)]),
    {ok, _} = call(Config, application, ensure_all_started, [service]),
    {ok, _} = call(Config, application, ensure_all_started, [sasl]),
    {OldDir, NewDir}.

%% @doc The instruction that has each process of a module change its state.
-spec advanced(module()) -> term().
advanced(Module) ->
    {update, Module, {advanced, []}}.

%% @doc Starts a child under `service_sup'.
-spec start_child(list(), supervisor:child_spec()) -> supervisor:startchild_ret().
start_child(Config, Spec) ->
    call(Config, supervisor, start_child, [service_sup, Spec]).

%% @doc Calls a function on the node and goes on; {@link answer/1} has what it returns.
-spec in_background(list(), module(), atom(), [term()]) -> pid().
in_background(Config, Module, Function, Arguments) ->
    Self = self(),
    spawn_link(fun() -> Self ! {self(), call(Config, Module, Function, Arguments)} end).

-spec answer(pid()) -> term().
answer(Client) ->
    receive
        {Client, Answer} -> Answer
    after 30000 -> error({no_answer, Client})
    end.

has(Module, Sources) ->
    lists:any(fun(Source) -> string:prefix(Source, "-module(" ++ atom_to_list(Module) ++ ")") =/= nomatch end, Sources).

-spec child(module()) -> map().
child(Module) ->
    child(Module, #{}).

-spec child(module(), map()) -> map().
child(Module, Keys) ->
    maps:merge(#{id => Module, start => {Module, start_link, []}, modules => [Module]}, Keys).

-spec up(list(), {file:filename(), file:filename()}, [term()]) -> term().
up(Config, Dirs, Instructions) ->
    up(Config, Dirs, Instructions, #{}).

-spec up(list(), {file:filename(), file:filename()}, [term()], map()) -> term().
up(Config, {Old, New}, Instructions, Options) ->
    evaluate(Config, up, {Old, New}, Instructions, Options).

-spec down(list(), {file:filename(), file:filename()}, [term()]) -> term().
down(Config, Dirs, Instructions) ->
    down(Config, Dirs, Instructions, #{}).

-spec down(list(), {file:filename(), file:filename()}, [term()], map()) -> term().
down(Config, {Old, New}, Instructions, Options) ->
    evaluate(Config, down, {New, Old}, Instructions, Options).

-spec evaluate(list(), up | down, {file:filename(), file:filename()}, [term()], map()) -> term().
evaluate(Config, Direction, {From, To}, Instructions, Options) ->
    Script = script(Direction, From, To, Instructions, Options),
    call(Config, erlrc_operations, run, [erlrc_evaluator, evaluate, [Script]]).

%% The operations whole, with the appup that is there or made.
-spec upgrade(list(), {file:filename(), file:filename()}) -> term().
upgrade(Config, {Old, New}) ->
    call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]).

-spec downgrade(list(), {file:filename(), file:filename()}) -> term().
downgrade(Config, {Old, New}) ->
    call(Config, erlrcdynamic, downgrade, [service, "1", "2", Old, New]).

-spec script(up | down, file:filename(), file:filename(), [term()], map()) -> erlrc_evaluator:script().
script(Direction, From, To, Instructions, Options) ->
    [#{
        application => service,
        direction => Direction,
        instructions => Instructions,
        from => {vsn(From), From},
        to => {vsn(To), To},
        from_spec => specification(From),
        to_spec => specification(To),
        options => maps:merge(#{evaluator => transactional}, Options)
    }].

vsn(Dir) ->
    [_, Vsn] = string:split(filename:basename(Dir), "-"),
    Vsn.

specification(Dir) ->
    {ok, [Spec]} = file:consult(filename:join(ebin(Dir), "service.app")),
    Spec.

-spec call(list(), module(), atom(), [term()]) -> term().
call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).

-spec on_node(list(), {atom(), [term()]}) -> term().
on_node(Config, {Function, Arguments}) ->
    call(Config, ?MODULE, Function, Arguments).

-spec pid(list(), atom()) -> pid() | undefined.
pid(Config, Name) ->
    call(Config, erlang, whereis, [Name]).

%% @doc All that a failure must not change: path, code, children, states of registered servers, who stands still.
-spec photograph(list()) -> map().
photograph(Config) ->
    call(Config, ?MODULE, local_photograph, [[]]).

%% @doc The node is as it was, and nothing that was started stands still.
-spec still(list(), map()) -> ok.
still(Config, Before) ->
    ?assertEqual(Before, photograph(Config)),
    ok.

%% @private
-spec local_photograph([]) -> map().
local_photograph([]) ->
    Processes = [
        {Pid, Current, Dictionary}
     || Pid <- processes(),
        [{_, Current}, {_, Dictionary}] <- [process_info(Pid, [current_function, dictionary])]
    ],
    Ours = [
        Pid
     || {Pid, _, Dictionary} <- Processes,
        Ancestors <- [proplists:get_value('$ancestors', Dictionary, [])],
        lists:member(service_sup, Ancestors) orelse lists:member(whereis(service_sup), [Pid | Ancestors])
    ],
    Suspended = [Pid || {Pid, {sys, Function, _}, _} <- Processes, lists:prefix("suspend_loop", atom_to_list(Function))],
    #{
        path => code:get_path(),
        code => lists:sort([
            {Module, erlang:get_module_info(Module, md5), File}
         || {Module, File} <- code:all_loaded(), is_list(File), string:find(File, "/service-") =/= nomatch
        ]),
        suspended => Suspended,
        processes => lists:sort(Ours),
        states => [{Pid, state(Pid)} || Pid <- lists:sort(Ours -- Suspended)],
        kept => [Key || {_, _, Dictionary} <- Processes, {{Tag, _} = Key, _} <- Dictionary, is_kept(Tag)]
    }.

%% Not everything in the tree answers system messages. Since OTP 29 a supervisor's state says whether it sleeps; the
%% fourth field holds the children.
state(Pid) ->
    try sys:get_state(Pid, 500) of
        State when element(1, State) =:= state, tuple_size(State) > 10 -> element(4, State);
        State -> State
    catch
        exit:_ -> unknown
    end.

is_kept(Tag) ->
    lists:member(Tag, ['$erlrc_snapshot', '$erlrc_migrated', '$erlrc_restoring']).

-spec ebin(file:filename()) -> file:filename().
ebin(Dir) ->
    filename:join(Dir, "ebin").

%% @doc A gen_server registered under its name: version 1 has the state {1, Count, Extra}, version 2 {2, Count, Extra};
%% `next' counts, `state' answers the state.
-spec server(module(), 1 | 2) -> string().
server(Module, Version) ->
    server(Module, Version, "ok").

%% @doc The same; `Body' is evaluated before the state is changed, with `Vsn' and `State' bound.
-spec server(module(), 1 | 2, string()) -> string().
server(Module, Version, Body) ->
    format(
        "-module(~p).~n-behaviour(gen_server).~n"
        "-export([start_link/0, start_link/1, start/0, init/1, handle_call/3, handle_cast/2, handle_info/2,"
        " code_change/3, version/0]).~n"
        "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, none, []).~n"
        "start_link(Extra) -> gen_server:start_link(?MODULE, Extra, []).~n"
        "start() -> gen_server:start({local, ?MODULE}, ?MODULE, none, []).~n"
        "init(Extra) -> {ok, {~p, 0, Extra}}.~n"
        "version() -> ~p.~n"
        "handle_call(next, _, {~p, N, E}) -> {reply, N + 1, {~p, N + 1, E}};~n"
        "handle_call({call, Other, Request}, _, S) -> {reply, gen_server:call(Other, Request, infinity), S};~n"
        "handle_call({busy, Milliseconds}, _, S) -> receive after Milliseconds -> ok end, {reply, ok, S};~n"
        "handle_call({keep, E}, _, {V, N, _}) -> {reply, ok, {V, N, E}};~n"
        "handle_call({apply, Fun}, _, S) -> {reply, Fun(), S};~n"
        "handle_call(fun_of_mine, _, S) -> {reply, fun() -> {?MODULE, ~p} end, S};~n"
        "handle_call(state, _, {~p, _, _} = S) -> {reply, S, S}.~n"
        "handle_cast(_, S) -> {noreply, S}.~n"
        "handle_info(_, S) -> {noreply, S}.~n"
        "code_change(Vsn, State, _) -> _ = {Vsn, State}, ~s, {ok, setelement(1, State, ~s)}.~n",
        [Module, Version, Version, Version, Version, Version, Version, Body, target(Version)]
    ).

%% The newer version knows both ways, the older one has never heard of the newer.
target(1) -> "1";
target(2) -> "case Vsn of {down, _} -> 1; _ -> 2 end".

%% @doc A gen_server whose state, {Count}, is the same in all versions.
-spec steady(module(), integer()) -> string().
steady(Module, Version) ->
    format(
        "-module(~p).~n-behaviour(gen_server).~n"
        "-export([start_link/0, start_link/1, init/1, handle_call/3, handle_cast/2, code_change/3, version/0]).~n"
        "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, none, []).~n"
        "start_link(Extra) -> gen_server:start_link(?MODULE, Extra, []).~n"
        "init(_) -> {ok, {0}}.~nversion() -> ~p.~n"
        "handle_call(next, _, {N}) -> {reply, N + 1, {N + 1}};~n"
        "handle_call(version, _, S) -> {reply, ~p, S};~n"
        "handle_call({busy, Milliseconds}, _, S) -> receive after Milliseconds -> ok end, {reply, ~p, S}.~n"
        "handle_cast(_, S) -> {noreply, S}.~ncode_change(_Vsn, State, _Extra) -> {ok, State}.~n",
        [Module, Version, Version, Version]
    ).

-spec plain(module(), integer()) -> string().
plain(Module, Version) ->
    format("-module(~p).~n-export([version/0]).~nversion() -> ~p.~n", [Module, Version]).

%% @doc A gen_statem `machine' whose callback mode is another in version 2.
-spec statem(1 | 2) -> string().
statem(1) ->
    "-module(machine).\n-behaviour(gen_statem).\n"
    "-export([start_link/0, init/1, callback_mode/0, calm/3, code_change/4]).\n"
    "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\n"
    "callback_mode() -> state_functions.\ninit([]) -> {ok, calm, one}.\n"
    "code_change(_, S, D, _) -> {ok, S, D}.\n"
    "calm({call, From}, state, D) -> {keep_state_and_data, {reply, From, {1, calm, D}}}.\n";
statem(2) ->
    "-module(machine).\n-behaviour(gen_statem).\n"
    "-export([start_link/0, init/1, callback_mode/0, handle_event/4, code_change/4]).\n"
    "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\n"
    "callback_mode() -> handle_event_function.\ninit([]) -> {ok, calm, two}.\n"
    "code_change({down, _}, S, two, _) -> {ok, S, one};\n"
    "code_change(_, S, one, _) -> {ok, S, two}.\n"
    "handle_event({call, From}, state, S, D) -> {keep_state_and_data, {reply, From, {2, S, D}}}.\n".

%% @doc A handler `handler' for an event manager.
-spec handler(1 | 2) -> string().
handler(Version) ->
    format(
        "-module(handler).~n-behaviour(gen_event).~n-export([init/1, handle_event/2, handle_call/2, code_change/3]).~n"
        "init(Id) -> {ok, {~p, Id}}.~nhandle_event(_, S) -> {ok, S}.~nhandle_call(state, {~p, _} = S) -> {ok, S, S}.~n"
        "code_change(Vsn, {_, Id}, _) -> _ = Vsn, {ok, {~s, Id}}.~n",
        [Version, Version, target(Version)]
    ).

%% @doc A special process `special'; `deaf' ones ignore system messages.
-spec special(1 | 2, normal | deaf) -> string().
special(Version, Kind) ->
    Ears =
        case Kind of
            normal ->
                "{system, From, Message} ->"
                " sys:handle_system_msg(Message, From, Parent, ?MODULE, [], {Parent, S});\n";
            deaf ->
                ""
        end,
    format(
        "-module(special).~n-export([start_link/0, init/1, system_continue/3, system_terminate/4,"
        " system_code_change/4, version/0]).~n"
        "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).~n"
        "init(Parent) -> register(?MODULE, self()), proc_lib:init_ack(Parent, {ok, self()}), loop(Parent, {~p, 0}).~n"
        "version() -> ~p.~n"
        "loop(Parent, {~p, N} = S) -> receive~n~s {From, next} -> From ! {special, N + 1}, loop(Parent, {~p, N + 1}) end.~n"
        "system_continue(Parent, _, {_, S}) -> loop(Parent, S).~n"
        "system_terminate(Reason, _, _, _) -> exit(Reason).~n"
        "system_code_change({Parent, {_, N}}, _, Vsn, _) -> {ok, {Parent, {~s, N}}}.~n",
        [Version, Version, Version, Ears, Version, special_target(Version)]
    ).

special_target(1) -> "case Vsn of {down, _} -> 1; _ -> 1 end";
special_target(2) -> "case Vsn of {down, _} -> 1; _ -> 2 end".

%% @doc The top supervisor with these children.
-spec supervisor([map()]) -> string().
supervisor(Children) ->
    supervisor(service_sup, Children).

-spec supervisor(module(), [map()]) -> string().
supervisor(Module, Children) ->
    fixture:supervisor_module(Module, Children).

format(Format, Arguments) ->
    lists:flatten(io_lib:format(Format, Arguments)).

%% @doc Compiles the native functions of module `native': `number/0' answers the version.
-spec native_library(file:filename(), integer(), upgradable | not_upgradable) -> ok.
native_library(Object, Version, Kind) ->
    Source = filename:rootname(Object) ++ ".c",
    Upgrade = case Kind of upgradable -> "upgrade"; not_upgradable -> "NULL" end,
    ok = filelib:ensure_dir(Source),
    ok = file:write_file(Source, io_lib:format(
        "#include <erl_nif.h>~n"
        "static ERL_NIF_TERM number(ErlNifEnv *e, int c, const ERL_NIF_TERM v[]) { return enif_make_int(e, ~p); }~n"
        "static int upgrade(ErlNifEnv *e, void **p, void **o, ERL_NIF_TERM i) { return 0; }~n"
        "static ErlNifFunc functions[] = {{\"number\", 0, number}};~n"
        "ERL_NIF_INIT(native, functions, NULL, NULL, ~s, NULL)~n",
        [Version, Upgrade]
    )),
    Include = filename:join([code:root_dir(), "usr", "include"]),
    "" = os:cmd("cc -w -shared -fPIC -I " ++ Include ++ " -o " ++ Object ++ " " ++ Source),
    ok.
