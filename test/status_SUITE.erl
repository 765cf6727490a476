%% @doc What a node says of how it stands.
-module(status_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, versions/4, child/1, call/4, server/2, up/3, native_library/3]).

all() ->
    [
        the_node_itself,
        running_loaded_and_included,
        stopped_by_an_operation,
        who_lingers_in_old_code,
        old_code_that_nobody_runs,
        too_many_to_be_asked,
        who_does_not_answer_is_not_waited_for,
        an_operation_that_runs,
        without_the_application,
        library_that_nothing_loads_again,
        library_that_is_replaced_in_its_place,
        library_whose_file_is_gone,
        library_that_is_the_same,
        library_that_a_new_module_loads
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

report(Config) ->
    call(Config, erlrc_status, report, []).

application(Name, #{applications := Applications}) ->
    [Found] = [Each || #{name := N} = Each <- Applications, N =:= Name],
    Found.

the_node_itself(Config) ->
    {ok, _} = call(Config, application, ensure_all_started, [erlrc]),
    Report = report(Config),
    Asked = #{
        otp_release => list_to_binary(call(Config, erlang, system_info, [otp_release])),
        erts => list_to_binary(call(Config, erlang, system_info, [version])),
        os_pid => list_to_binary(call(Config, os, getpid, [])),
        erlrc => list_to_binary(element(2, call(Config, application, get_key, [erlrc, vsn]))),
        old_code => [],
        old_modules => 0,
        complete => true,
        stopped => []
    },
    ?assertEqual(Asked, maps:with(maps:keys(Asked), Report)),
    #{uptime := Uptime} = Report,
    ?assert(is_integer(Uptime) andalso Uptime > 0),
    ?assertNot(is_map_key(operation, Report)).

running_loaded_and_included(Config) ->
    {Old, _} = versions(Config, [], []),
    Lib = ?config(dir, Config),
    Part = fixture:application(Lib, part, "0.1", #{}),
    Whole = fixture:application(Lib, whole, "3", #{
        modules => [fixture:callback_module(whole_app, whole_sup), fixture:supervisor_module(whole_sup, [])],
        app => [{mod, {whole_app, []}}, {included_applications, [part]}]
    }),
    _ = [true = call(Config, code, add_patha, [filename:join(Dir, "ebin")]) || Dir <- [Part, Whole]],
    ok = call(Config, application, load, [part]),
    ?assertMatch(#{state := loaded, vsn := <<"0.1">>}, application(<<"part">>, report(Config))),
    ok = call(Config, application, start, [whole]),
    Report = report(Config),
    Dir = list_to_binary(Old),
    ?assertEqual(
        #{name => <<"service">>, vsn => <<"1">>, state => running, dir => Dir}, application(<<"service">>, Report)
    ),
    ?assertMatch(#{state := running}, application(<<"whole">>, Report)),
    ?assertMatch(#{state := included, includer := <<"whole">>}, application(<<"part">>, Report)),
    ok = call(Config, application, stop, [whole]),
    Stopped = application(<<"part">>, report(Config)),
    ?assertMatch(#{state := loaded}, Stopped),
    ?assertNot(is_map_key(includer, Stopped)).

stopped_by_an_operation(Config) ->
    {Old, _} = versions(Config, [], []),
    stopped = call(Config, erlrcdynamic, stop, [service, "1"]),
    ?assertMatch(#{stopped := [<<"service">>]}, report(Config)),
    started = call(Config, erlrcdynamic, start, [service, "1", Old]),
    ?assertMatch(#{stopped := []}, report(Config)).

who_lingers_in_old_code(Config) ->
    {Old, New} = versions(Config, [loop(1)], [loop(2)]),
    Named = call(Config, loop, start, [lingerer]),
    Other = call(Config, loop, start, [undefined]),
    Before = erlang:system_time(millisecond),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    After = erlang:system_time(millisecond),
    #{old_code := [Lingering], old_modules := Count, complete := true} = report(Config),
    ?assertEqual(2, Count),
    #{module := <<"loop">>, application := <<"service">>, count := 2, since := Since, processes := Processes} = Lingering,
    ?assert(Before =< Since andalso Since =< After),
    [First, Second] = Processes,
    Pids = [call(Config, erlang, pid_to_list, [Pid]) || Pid <- lists:sort([Named, Other])],
    ?assertEqual(lists:sort(Pids), lists:sort([binary_to_list(Pid) || #{pid := Pid} <- Processes])),
    ?assertEqual([<<"lingerer">>], [Name || #{name := Name} <- Processes]),
    _ = [
        ?assertMatch(#{initial_call := <<"loop:init/1">>, current := <<"loop:loop/0">>}, Each)
     || Each <- [First, Second]
    ],
    _ = [call(Config, erlang, exit, [Pid, kill]) || Pid <- [Named, Other]],
    ok = fixture:wait_until(fun() -> maps:get(old_code, report(Config)) =:= [] end).

%% Started in a function that only the loop follows, so that the initial call is another than the current one.
loop(Version) ->
    lists:flatten(io_lib:format(
        "-module(loop).~n-export([start/1, init/1, version/0]).~n"
        "start(Name) -> Pid = spawn(loop, init, [{self(), Name}]), receive {ready, Pid} -> Pid end.~n"
        "init({From, Name}) -> Name =:= undefined orelse register(Name, self()), From ! {ready, self()}, loop().~n"
        "loop() -> receive stop -> ok; _ -> loop() end.~nversion() -> ~p.~n",
        [Version]
    )).

old_code_that_nobody_runs(Config) ->
    {Old, New} = versions(Config, [], []),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    ?assertMatch(#{old_code := [], old_modules := 1, complete := true}, report(Config)).

%% Who has the module on the stack is found all the same; the rest is not claimed to be known.
too_many_to_be_asked(Config) ->
    {Old, New} = versions(Config, [loop(1)], [loop(2)]),
    Pid = call(Config, loop, start, [undefined]),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    ok = call(Config, ?MODULE, crowd, [10000]),
    #{old_code := [#{count := 1, processes := [#{pid := Found}]}], complete := Complete} = report(Config),
    ?assertEqual({list_to_binary(call(Config, erlang, pid_to_list, [Pid])), false}, {Found, Complete}).

crowd(Count) ->
    lists:foreach(fun(_) -> spawn(fun() -> receive stop -> ok end end) end, lists:seq(1, Count)).

%% As while an application takes its time to start.
who_does_not_answer_is_not_waited_for(Config) ->
    {_, _} = versions(Config, [], []),
    Before = maps:get(applications, report(Config)),
    ok = call(Config, sys, suspend, [application_controller]),
    ?assertEqual(lists:sort(Before), lists:sort(maps:get(applications, call(Config, erlrc_status, report, [400])))),
    ok = call(Config, sys, resume, [application_controller]).

an_operation_that_runs(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)], [child(one)]),
    ok = call(Config, ?MODULE, keep_busy, [one]),
    Before = erlang:system_time(millisecond),
    Waiting = [spawn_monitor(fun() -> upgrade(Config, Dirs) end) || _ <- [1, 2]],
    ok = fixture:wait_until(fun() -> maps:find(waiting, maps:get(operation, report(Config), #{})) =:= {ok, 1} end),
    #{operation := #{name := Name, application := App, since := Since}} = report(Config),
    ?assertEqual({<<"upgrade">>, <<"service">>}, {Name, App}),
    ?assert(Since >= Before),
    one_is_free = call(Config, ?MODULE, let_go, [one]),
    _ = [receive {'DOWN', Ref, process, Pid, normal} -> ok end || {Pid, Ref} <- Waiting],
    ?assertNot(is_map_key(operation, report(Config))).

upgrade(Config, {Old, New}) ->
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]).

%% In a callback until it is told to go on.
keep_busy(Server) ->
    Self = self(),
    Wait = fun() -> Self ! inside, receive go -> ok end end,
    _ = spawn(fun() -> gen_server:call(Server, {apply, Wait}, infinity) end),
    receive inside -> ok end.

let_go(Server) ->
    Server ! go,
    one_is_free.

%% Asked of a node that has erlrc on its path and nothing more.
without_the_application(Config) ->
    Report = report(Config),
    ?assertMatch(#{stopped := [], old_code := [], complete := true}, Report),
    ?assertNot(is_map_key(operation, Report)).

%% The module that loads it is the same in both versions.
library_that_nothing_loads_again(Config) ->
    {Old, _} = Dirs = with_libraries(Config, {1, 2}, {1, 1}),
    ?assertEqual([], old_libraries(Config)),
    replaced(Config, Dirs),
    ?assertEqual([in(Old)], old_libraries(Config)),
    ?assertEqual(1, call(Config, native, number, [])).

%% As where the next version of a package has the same directory.
library_that_is_replaced_in_its_place(Config) ->
    {Old, _} = with_libraries(Config, {1, 1}, {1, 1}),
    Object = binary_to_list(in(Old)),
    ok = file:delete(Object),
    ok = native_library(Object, 3, upgradable),
    ?assertEqual([in(Old)], old_libraries(Config)),
    ?assertEqual(1, call(Config, native, number, [])).

%% As where a package is installed again, and where the directory of the earlier version goes.
library_whose_file_is_gone(Config) ->
    {Old, _} = Dirs = with_libraries(Config, {1, 2}, {1, 1}),
    Object = binary_to_list(in(Old)),
    {ok, Bytes} = file:read_file(Object),
    ok = file:delete(Object),
    ?assertEqual([], old_libraries(Config)),
    ok = file:write_file(Object, Bytes),
    ?assertEqual([], old_libraries(Config)),
    replaced(Config, Dirs),
    ok = file:del_dir_r(Old),
    ?assertEqual([in(Old)], old_libraries(Config)).

library_that_is_the_same(Config) ->
    Dirs = with_libraries(Config, {1, 1}, {1, 1}),
    replaced(Config, Dirs),
    ?assertEqual([], old_libraries(Config)).

%% The earlier one stays mapped until its code is purged.
library_that_a_new_module_loads(Config) ->
    Dirs = with_libraries(Config, {1, 2}, {1, 2}),
    {ok, _} = up(Config, Dirs, [{load_module, native}]),
    ?assertEqual(2, call(Config, native, number, [])),
    ?assertEqual([], old_libraries(Config)).

%% The application with a library and a module that loads it, of these numbers in the two versions.
with_libraries(Config, {OneLibrary, OtherLibrary}, {One, Other}) ->
    {Old, New} = Dirs = versions(Config, [native(One)], [native(Other)]),
    ok = native_library(binary_to_list(in(Old)), OneLibrary, upgradable),
    ok = native_library(binary_to_list(in(New)), OtherLibrary, upgradable),
    ?assertEqual(OneLibrary, call(Config, native, number, [])),
    Dirs.

replaced(Config, Dirs) ->
    {ok, _} = up(Config, Dirs, [{update, service_server, {advanced, []}}]).

in(Dir) -> unicode:characters_to_binary(filename:join([Dir, "priv", "native.so"])).

native(Version) ->
    lists:flatten(io_lib:format(
        "-module(native).~n-export([number/0, load_it/0, version/0]).~n-on_load(load_it/0).~n"
        "load_it() -> erlang:load_nif(filename:join(code:priv_dir(service), \"native\"), 0).~n"
        "number() -> not_loaded.~nversion() -> ~p.~n",
        [Version]
    )).

old_libraries(Config) ->
    maps:get(old_libraries, application(<<"service">>, report(Config)), []).
