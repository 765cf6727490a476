%% @doc A way back that has to kill whoever is in the code to which it leads: what its supervisors start again is no loss,
%% what is gone is named.
-module(way_back_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, child/1, child/2, call/4, photograph/1, server/2, server/3]).
-import(service_fixture, [advanced/1, start_child/2]).

all() ->
    [
        acceptor_is_started_again,
        acceptor_that_nobody_starts_again,
        listener_is_lost,
        client_in_the_code_is_waited_for,
        way_back_after_all_ran
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

acceptor_is_started_again(Config) ->
    Dirs = started(Config),
    {ok, Pid} = start_child(Config, child(acceptor)),
    {{error, {script_failed, service, {code_change_failed, _, bad, _}}}, #{killed := [{Name, acceptor}]}} =
        run(Config, Dirs, [{load_module, acceptor}, advanced(bad)]),
    ?assertMatch({_, <<"acceptor:init/1", _/binary>>}, {Pid, Name}),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])),
    ?assertEqual(1, call(Config, acceptor, version, [])),
    ?assertMatch({acceptor, New, _, _} when is_pid(New),
        lists:keyfind(acceptor, 1, call(Config, supervisor, which_children, [service_sup]))),
    ?assertMatch(#{suspended := [], kept := []}, photograph(Config)).

acceptor_that_nobody_starts_again(Config) ->
    Dirs = started(Config),
    {ok, _} = call(Config, acceptor, start, []),
    {{error, {not_rolled_back, {script_failed, service, _}, [{gone, {process, {acceptor, init, 1}}}]} = Why}, #{killed := [_]}} =
        run(Config, Dirs, [{load_module, acceptor}, advanced(bad)]),
    Text = call(Config, erlrc_error, format_error, [Why]),
    ?assertMatch({_, [_ | _]}, {Text, string:find(Text, "acceptor:init/1")}),
    ?assertMatch({_, nomatch}, {Text, string:find(Text, "restart the node")}).

%% Too many restarts end its supervisor, and with that the port.
listener_is_lost(Config) ->
    Listen = "-module(listen).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
        "start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).\n"
        "init([]) -> {ok, _} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]),\n"
        "  {ok, {#{intensity => 0}, [#{id => acceptor, start => {acceptor, start_link, []}}]}}.\n",
    Dirs = started(Config, [Listen]),
    {ok, _} = start_child(Config, child(listen, #{type => supervisor, restart => temporary})),
    {{error, {not_rolled_back, _, Left}}, _} = run(Config, Dirs, [{load_module, acceptor}, advanced(bad)]),
    ?assertMatch([{gone, {name, listen}}, {gone, {process, _}}, {gone, {supervisor, listen}}, {gone, {listener, {127, 0, 0, 1}, _}}],
        lists:sort(Left)).

%% A process of another application that calls a function which is replaced; it returns by itself.
client_in_the_code_is_waited_for(Config) ->
    Library = fun(Version) -> lists:flatten(io_lib:format(
        "-module(library).~n-export([work/0, version/0]).~nversion() -> ~p.~nwork() -> Result = receive go -> ok end, Result.~n",
        [Version]
    )) end,
    Body = "worker ! go, error(poisoned)",
    Dirs = versions(Config, [Library(1), server(bad, 1)], [Library(2), server(bad, 2, Body)]),
    {ok, _} = start_child(Config, child(bad)),
    Worker = call(Config, ?MODULE, start_worker, []),
    {{error, {script_failed, service, _}}, Report} = run(Config, Dirs, [{load_module, library}, advanced(bad)]),
    ?assertNot(is_map_key(killed, Report)),
    ?assertEqual(ok, call(Config, ?MODULE, result, [Worker])),
    ?assertEqual(1, call(Config, library, version, [])).

way_back_after_all_ran(Config) ->
    Dirs = versions(Config, [acceptor(1), server(bad, 1)], [acceptor(2), server(bad, 2)]),
    {ok, _} = start_child(Config, child(bad)),
    {ok, Pid} = start_child(Config, child(acceptor)),
    Refuse = {erlang, throw, [{error, not_today}]},
    {{error, {not_rolled_back, _, [{applied, Refuse}]}}, #{killed := [_]}} =
        run(Config, Dirs, [{load_module, acceptor}, advanced(bad), {apply, Refuse}]),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])),
    ?assertEqual(1, call(Config, acceptor, version, [])).

started(Config) -> started(Config, []).

started(Config, More) ->
    Dirs = versions(Config, [acceptor(1), server(bad, 1) | More], [acceptor(2), server(bad, 2, "error(poisoned)") | More]),
    {ok, _} = start_child(Config, child(bad)),
    Dirs.

%% As acceptors do: it waits in a function of its own module and then calls itself by its full name.
acceptor(Version) ->
    lists:flatten(io_lib:format(
        "-module(acceptor).~n-export([start_link/0, start/0, init/1, accept/0, version/0]).~nversion() -> ~p.~n"
        "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).~nstart() -> proc_lib:start(?MODULE, init, [self()]).~n"
        "init(Parent) -> proc_lib:init_ack(Parent, {ok, self()}), accept().~n"
        "accept() -> receive connection -> ok end, ?MODULE:accept().~n",
        [Version]
    )).

run(Config, Dirs, Script) -> call(Config, ?MODULE, local_up, [Dirs, Script]).

%% On the node.

local_up({Old, New}, Instructions) ->
    Result = erlrc_transaction:evaluate(service_fixture:script(up, Old, New, Instructions, #{})),
    {Result, get(erlrc_report)}.

start_worker() ->
    Self = self(),
    Pid = spawn(fun() ->
        true = register(worker, self()),
        Self ! ready,
        Result = library:work(),
        receive {From, result} -> From ! {result, Result} end
    end),
    receive
        ready -> Pid
    end.

result(Pid) ->
    Pid ! {self(), result},
    receive
        {result, Result} -> Result
    after 5000 -> none
    end.
