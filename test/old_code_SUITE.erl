%% @doc What still uses old code when the next upgrade comes: it is waited for, then the upgrade is refused; it is killed
%% only where that was asked for, and told.
-module(old_code_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, child/2, up/3, up/4, down/3, down/4, call/4, photograph/1]).
-import(service_fixture, [still/2, server/2, plain/2, pid/2]).

all() ->
    [
        refused_while_a_process_runs_it,
        waits_until_it_has_left,
        connection_that_loops_in_another_module,
        killed_where_it_is_asked_for,
        killed_by_a_purge_of_the_script,
        killed_processes_stand_in_the_answer
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

refused_while_a_process_runs_it(Config) ->
    {Dirs, Pid} = lingering(Config),
    Before = photograph(Config),
    {error, {old_processes, loop, [#{pid := Pid, registered_name := looper}]} = Why} = down(Config, Dirs, script()),
    still(Config, Before),
    ?assert(call(Config, erlang, is_process_alive, [Pid])),
    Text = call(Config, erlrc_error, format_error, [Why]),
    ?assertMatch({_, [_ | _]}, {Text, string:find(Text, "looper")}),
    %% The dry run says the same.
    {error, {old_processes, loop, _}} = call(Config, erlrc_evaluator, check, [down_script(Dirs)]),
    stop = call(Config, erlang, send, [Pid, stop]),
    {ok, _} = down(Config, Dirs, script()),
    ?assertEqual(1, call(Config, loop, version, [])).

waits_until_it_has_left(Config) ->
    {Dirs, Pid} = lingering(Config),
    Down = in_background(Config, ?MODULE, local, [down_script(Dirs)]),
    fixture:wait_until(fun() -> prepares(Config) end),
    stop = call(Config, erlang, send, [Pid, stop]),
    {{ok, _}, Report} = answer(Down),
    ?assertNot(is_map_key(killed, Report)),
    ?assertEqual(1, call(Config, loop, version, [])).

%% Started in one module, it lives in another; its specification and its initial call name the first alone.
connection_that_loops_in_another_module(Config) ->
    Transport = fun(Version) ->
        lists:flatten(io_lib:format(
            "-module(transport).~n-export([start_link/0, init/1, version/0]).~nversion() -> ~p.~n"
            "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).~n"
            "init(Parent) -> proc_lib:init_ack(Parent, {ok, self()}), loop:enter().~n",
            [Version]
        ))
    end,
    Dirs = versions(Config, [Transport(1), loop(1)], [Transport(2), loop(2)]),
    {ok, Pid} = call(Config, supervisor, start_child, [service_sup, child(transport, #{restart => temporary})]),
    {ok, _} = up(Config, Dirs, [{load_module, transport} | script()]),
    {error, {old_processes, loop, [#{pid := Pid}]}} = down(Config, Dirs, [{load_module, transport} | script()]),
    ?assertEqual(1, call(Config, ?MODULE, who, [Pid])).

killed_where_it_is_asked_for(Config) ->
    {Dirs, Pid} = lingering(Config),
    ok = call(Config, application, set_env, [erlrc, old_code, kill]),
    {{ok, _}, #{killed := [{Name, loop}]}} = call(Config, ?MODULE, local, [down_script(Dirs)]),
    ?assertMatch({_, <<"looper ", _/binary>>}, {Pid, Name}),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])).

killed_by_a_purge_of_the_script(Config) ->
    {{One, Two}, Pid} = lingering(Config),
    Script = service_fixture:script(down, Two, One, [{purge, [loop]}], #{}),
    {{ok, _}, #{killed := [{_, loop}]}} = call(Config, ?MODULE, local, [Script]),
    ?assertNot(call(Config, erlang, is_process_alive, [Pid])).

killed_processes_stand_in_the_answer(Config) ->
    {One, Two} = versions(Config, [loop(1)], [loop(2)]),
    _ = call(Config, loop, start, []),
    Request = #{
        protocol => 1, application => service, from => <<"1">>, to => <<"2">>,
        from_dir => list_to_binary(One), to_dir => list_to_binary(Two)
    },
    #{status := ok} = call(Config, erlrc_hook, request, [Request#{operation => upgrade}]),
    Down = Request#{
        operation => downgrade, from := <<"2">>, to := <<"1">>, from_dir := list_to_binary(Two),
        to_dir := list_to_binary(One)
    },
    #{status := failed, outcome := old_processes} = call(Config, erlrc_hook, request, [Down]),
    Answer = call(Config, erlrc_hook, request, [Down#{options => #{old_code => <<"kill">>}}]),
    ?assertMatch(#{status := ok, report := #{killed := [{_, loop}]}, warnings := [_ | _]}, Answer),
    [Warning] = [Text || Text <- maps:get(warnings, Answer), string:find(Text, "killed") =/= nomatch],
    ?assertMatch({_, <<_/binary>>}, {Warning, string:find(Warning, "looper")}).

%% A process that runs the old code of `loop' from here on.
lingering(Config) ->
    Dirs = versions(Config, [loop(1)], [loop(2)]),
    Pid = call(Config, loop, start, []),
    {ok, [loop]} = up(Config, Dirs, script()),
    {Dirs, Pid}.

loop(Version) ->
    lists:flatten(io_lib:format(
        "-module(loop).~n-export([start/0, enter/0, version/0]).~n"
        "start() -> Pid = spawn(fun() -> loop() end), register(looper, Pid), Pid.~n"
        "enter() -> loop().~nversion() -> ~p.~n"
        "loop() -> receive {F, who} -> F ! {who, ~p}, loop(); stop -> ok end.~n",
        [Version, Version]
    )).

script() -> [{load_module, loop}].

down_script({One, Two}) -> service_fixture:script(down, Two, One, script(), #{}).

%% On the node.

local(Script) ->
    Result = erlrc_transaction:evaluate(Script),
    {Result, get(erlrc_report)}.

who(Pid) ->
    Pid ! {self(), who},
    receive
        {who, Version} -> Version
    end.

%% Helpers.

%% Whether an operation waits in `erlrc_old_code'.
prepares(Config) ->
    lists:any(
        fun(Pid) ->
            case call(Config, erlang, process_info, [Pid, current_stacktrace]) of
                {_, Stack} -> lists:any(fun(Entry) -> {erlrc_old_code, left} =:= {element(1, Entry), element(2, Entry)} end, Stack);
                undefined -> false
            end
        end,
        call(Config, erlang, processes, [])
    ).

in_background(Config, Module, Function, Arguments) ->
    Self = self(),
    Peer = ?config(peer, Config),
    spawn_link(fun() -> Self ! {self(), fixture:call(Peer, Module, Function, Arguments)} end).

answer(Client) ->
    receive
        {Client, Answer} -> Answer
    after 20000 -> error({no_answer, Client})
    end.
