%% @doc What still uses old code when the next upgrade comes: it is waited for, then the upgrade is refused; it is killed
%% only where that was asked for, and told.
-module(old_code_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, child/2, up/3, up/4, down/3, down/4, call/4, photograph/1]).
-import(service_fixture, [still/2, server/2, plain/2, pid/2]).
-import(service_fixture, [in_background/4, answer/1, advanced/1, start_child/2]).

all() ->
    [
        refused_while_a_process_runs_it,
        waits_until_it_has_left,
        connection_that_loops_in_another_module,
        killed_where_it_is_asked_for,
        killed_by_a_purge_of_the_script,
        purged_soon_after_it_is_left,
        killed_processes_stand_in_the_answer,
        fun_in_a_state,
        fun_in_a_dictionary,
        fun_in_a_message_queue,
        fun_in_a_table,
        fun_of_the_current_code,
        natives_are_not_purged,
        natives_that_are_gone_are_taken_back,
        natives_that_are_loaded_later_are_refused,
        natives_that_are_given_up
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

%% The purge that came too early is not the last for a minute.
purged_soon_after_it_is_left(Config) ->
    Dirs = versions(Config, [loop(1)], [loop(2)]),
    Pid = call(Config, loop, start, []),
    {ok, [loop]} = up(Config, Dirs, script(), #{purge_after => 0}),
    fixture:wait_until(fun() -> has_tried(call(Config, erlang, process_info, [pid(Config, erlrc_purge), dictionary])) end),
    ?assert(call(Config, erlang, check_old_code, [loop])),
    stop = call(Config, erlang, send, [Pid, stop]),
    fixture:wait_until(fun() -> not call(Config, erlang, check_old_code, [loop]) end).

has_tried({dictionary, Dictionary}) -> lists:keymember(erlrc_purge, 1, Dictionary).

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

fun_in_a_state(Config) ->
    held(Config, fun(Fun) -> ok = call(Config, gen_server, call, [keeper, {keep, {<<"beside">>, Fun}}]) end,
        fun() -> ok = call(Config, gen_server, call, [keeper, {keep, none}]) end).

fun_in_a_dictionary(Config) ->
    Put = fun(Fun) -> call(Config, gen_server, call, [keeper, {apply, fun() -> put(kept, Fun), ok end}]) end,
    held(Config, Put, fun() -> Put(none) end).

fun_in_a_message_queue(Config) ->
    Pid = call(Config, ?MODULE, start_deaf, []),
    held(Config, fun(Fun) -> call(Config, erlang, send, [Pid, Fun]) end,
        fun() -> call(Config, ?MODULE, end_process, [Pid]) end).

fun_in_a_table(Config) ->
    Pid = call(Config, ?MODULE, start_table, []),
    held(Config, fun(Fun) -> true = call(Config, ets, insert, [table, {<<"kept">>, Fun}]) end,
        fun() -> call(Config, ?MODULE, end_process, [Pid]) end).

%% Whoever holds a fun keeps its code from every purge, until it is gone or somebody asks for it.
held(Config, Hold, Drop) ->
    Dirs = versions(Config, [server(maker, 1), server(keeper, 1)], [server(maker, 2), server(keeper, 1)]),
    _ = [{ok, _} = start_child(Config, child(Name)) || Name <- [maker, keeper]],
    Hold(call(Config, gen_server, call, [maker, fun_of_mine])),
    {ok, _} = up(Config, Dirs, [advanced(maker)], #{purge_after => infinity}),
    ?assertEqual([], call(Config, erlrc_old_code, may_go, [[maker]])),
    {error, {old_funs, maker, [_]} = Why} = down(Config, Dirs, [advanced(maker)]),
    ?assertMatch([_ | _], call(Config, erlrc_error, format_error, [Why])),
    ?assert(call(Config, erlang, check_old_code, [maker])),
    _ = Drop(),
    fixture:wait_until(fun() -> [maker] =:= call(Config, erlrc_old_code, may_go, [[maker]]) end),
    {ok, _} = down(Config, Dirs, [advanced(maker)]),
    ?assertEqual({1, 0, none}, call(Config, gen_server, call, [maker, state])).

%% A fun of what is loaded stands in nobody's way, and where it is asked for, no other does.
fun_of_the_current_code(Config) ->
    Dirs = versions(Config, [server(maker, 1)], [server(maker, 2)]),
    {ok, _} = start_child(Config, child(maker)),
    {ok, _} = up(Config, Dirs, [advanced(maker)], #{purge_after => infinity}),
    Fun = call(Config, gen_server, call, [maker, fun_of_mine]),
    ok = call(Config, gen_server, call, [maker, {keep, Fun}]),
    {ok, _} = down(Config, Dirs, [advanced(maker)], #{purge_after => infinity}),
    {error, {old_funs, maker, [_]}} = up(Config, Dirs, [advanced(maker)]),
    {ok, _} = up(Config, Dirs, [advanced(maker)], #{old_code => kill}).

natives_are_not_purged(Config) ->
    Dirs = native_versions(Config, [{1, "load_it"}, {2, "load_it"}], upgradable),
    ?assertEqual(1, call(Config, native, number, [])),
    {ok, _} = up(Config, Dirs, [{load_module, native}], #{purge_after => 0}),
    ?assertEqual(2, call(Config, native, number, [])),
    fixture:wait_until(fun() -> undefined =:= pid(Config, erlrc_purge) end),
    ?assert(call(Config, erlang, check_old_code, [native])),
    {error, {old_natives, native}} = down(Config, Dirs, [{load_module, native}]),
    ?assertEqual(2, call(Config, native, number, [])),
    {ok, _} = down(Config, Dirs, [{load_module, native}], #{old_code => kill}),
    ?assertEqual(1, call(Config, native, number, [])).

%% The on_load function hides that the library could not be loaded.
natives_that_are_gone_are_taken_back(Config) ->
    Dirs = native_versions(Config, [{1, "load_it"}, {2, "load_it"}], not_upgradable),
    Before = photograph(Config),
    {error, {script_failed, service, {natives_gone, native}}} = up(Config, Dirs, [{load_module, native}, update()]),
    still(Config, Before),
    ?assertEqual(1, call(Config, native, number, [])).

natives_that_are_loaded_later_are_refused(Config) ->
    Dirs = native_versions(Config, [{1, "load_it"}, {2, none}], upgradable),
    {error, {natives_not_loaded, native}} = up(Config, Dirs, [{load_module, native}]),
    ?assertEqual(1, call(Config, native, number, [])).

natives_that_are_given_up(Config) ->
    Dirs = versions(Config, [native(1, "load_it", ?config(dir, Config))], [
        "-module(native).\n-export([number/0]).\nnumber() -> 2.\n"
    ]),
    ok = library(?config(dir, Config), 1, upgradable),
    ?assertEqual(1, call(Config, native, number, [])),
    {ok, _} = up(Config, Dirs, [{load_module, native}]),
    ?assertEqual(2, call(Config, native, number, [])).

native_versions(Config, [{One, Load1}, {Two, Load2}], Kind) ->
    Dir = ?config(dir, Config),
    Dirs = versions(Config, [native(One, Load1, Dir)], [native(Two, Load2, Dir)]),
    _ = [ok = library(Dir, Version, Kind) || Version <- [One, Two]],
    ?assertEqual(1, call(Config, native, number, [])),
    Dirs.

native(Version, OnLoad, Dir) ->
    Attribute = case OnLoad of none -> ""; _ -> "-on_load(" ++ OnLoad ++ "/0).\n" end,
    lists:flatten(io_lib:format(
        "-module(native).~n-export([number/0, load_it/0]).~n~s"
        "load_it() -> _ = erlang:load_nif(~p, 0), ok.~nnumber() -> {not_loaded, ~p}.~n",
        [Attribute, filename:join(Dir, "native" ++ integer_to_list(Version)), Version]
    )).

library(Dir, Version, Kind) ->
    service_fixture:native_library(filename:join(Dir, "native" ++ integer_to_list(Version) ++ ".so"), Version, Kind).

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

start_deaf() ->
    spawn(fun() -> receive over -> ok end end).

start_table() ->
    Self = self(),
    Pid = spawn(fun() ->
        table = ets:new(table, [named_table, public]),
        Self ! made,
        receive over -> ok end
    end),
    receive
        made -> Pid
    end.

end_process(Pid) ->
    Ref = monitor(process, Pid),
    Pid ! over,
    receive
        {'DOWN', Ref, process, Pid, _} -> ok
    end.

who(Pid) ->
    Pid ! {self(), who},
    receive
        {who, Version} -> Version
    end.

%% Helpers.

update() -> advanced(service_server).

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
