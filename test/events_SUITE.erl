%% @doc What an operation tells while it is on its way: log events with stable names, and progress. A handler on the
%% node collects them.
-module(events_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(service_fixture, [versions/3, up/3, up/4, down/3, down/4, call/4, pid/2]).

all() ->
    [
        every_stage_is_told,
        a_failure_and_the_way_back_are_told,
        release_handler_is_told_as_one_stage,
        the_cost_says_why_somebody_had_to_stand,
        a_handler_that_calls_a_suspended_process_holds_nothing,
        stages_are_not_told_where_nobody_asked,
        purged_code_is_told,
        progress_is_told_while_processes_stand,
        what_came_of_it_stands_in_the_nodes_own_log,
        a_handler_of_somebodys_own_is_left_alone
    ].

init_per_testcase(Case, Config0) ->
    Config = service_fixture:start_node(Case, Config0),
    ok = call(Config, ?MODULE, listen, [info]),
    Config.

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

every_stage_is_told(Config) ->
    Dirs = versions(Config, [], []),
    {ok, _} = up(Config, Dirs, [update()]),
    Reports = until(Config, upgraded),
    Stages = [prepare, discover, rehearse, quiesce, commit, migrate, health_check, resume, upgraded],
    ?assertEqual(Stages, known(Stages, Reports)),
    [
        ?assertMatch(#{application := service, direction := up, from := "1", to := "2"}, Report)
     || Report <- Reports
    ],
    [?assert(is_integer(maps:get(duration, Report))) || Event <- lists:droplast(Stages), Report <- [report(Event, Reports)]],
    ?assertMatch(#{modules := 1}, report(prepare, Reports)),
    ?assertMatch(#{processes := N} when N >= 1, report(quiesce, Reports)),
    ?assertMatch(#{changed := 1}, report(migrate, Reports)),
    ?assertMatch(#{timings := #{pause := _, commit := _}}, report(upgraded, Reports)),
    {ok, _} = down(Config, Dirs, [update()]),
    ?assertMatch(#{direction := down, from := "2", to := "1"}, report(upgraded, until(Config, upgraded))).

a_failure_and_the_way_back_are_told(Config) ->
    Dirs = versions(Config, [], []),
    Check = #{health_check => {?MODULE, unwell, []}},
    {error, _} = up(Config, Dirs, [update()], Check),
    Reports = until(Config, rolled_back),
    Stages = [prepare, discover, rehearse, quiesce, commit, migrate, health_check, rollback, failed, rolled_back],
    ?assertEqual(Stages, known(Stages, Reports)),
    ?assertMatch(
        #{application := service, left := [], reason := {script_failed, service, _}}, report(rolled_back, Reports)
    ).

release_handler_is_told_as_one_stage(Config) ->
    Dirs = versions(Config, [], []),
    {ok, _} = up(Config, Dirs, [update()], #{evaluator => release_handler}),
    Reports = until(Config, upgraded),
    ?assertEqual([script, upgraded], known([script, upgraded], Reports)),
    ?assertMatch(#{application := service, direction := up, modules := 1, duration := _}, report(script, Reports)),
    {error, _} = up(Config, Dirs, [{apply, {erlang, error, [unwell]}}, update()], #{evaluator => release_handler}),
    ?assertEqual([failed, rolled_back], known([failed, rolled_back], until(Config, rolled_back))).

the_cost_says_why_somebody_had_to_stand(Config) ->
    {Old, New} = versions(Config, [], []),
    Script = service_fixture:script(up, Old, New, [update()], #{}),
    ?assertMatch(#{evaluator := transactional, shapes := #{service_server := code_change}}, call(Config, ?MODULE, cost, [Script])).

%% It would wait for the operation that waits for it.
a_handler_that_calls_a_suspended_process_holds_nothing(Config) ->
    Dirs = versions(Config, [], []),
    ok = call(Config, persistent_term, put, [{?MODULE, call}, service_server]),
    {ok, _} = up(Config, Dirs, [update()]),
    ?assertMatch(#{application := service}, report(upgraded, until(Config, upgraded))).

stages_are_not_told_where_nobody_asked(Config) ->
    Dirs = versions(Config, [], []),
    ok = call(Config, logger, set_module_level, [erlrc_events, notice]),
    {ok, _} = up(Config, Dirs, [update()]),
    ?assertMatch([#{event := upgraded}], until(Config, upgraded)).

purged_code_is_told(Config) ->
    Dirs = versions(Config, [], []),
    {ok, _} = up(Config, Dirs, [update()], #{purge_after => 0}),
    ?assertMatch(#{modules := [service_server]}, report(purged, until(Config, purged))).

progress_is_told_while_processes_stand(Config) ->
    Dirs = versions(Config, [], []),
    {ok, _} = call(Config, application, ensure_all_started, [erlrc]),
    {ok, _} = up(Config, Dirs, [update()], #{health_check => {?MODULE, look, []}}),
    Seen = call(Config, persistent_term, get, [{?MODULE, seen}]),
    ?assertMatch(#{status := ok, progress := #{stage := health_check, application := service}}, Seen),
    fixture:wait_until(fun() -> not is_map_key(progress, ask(Config)) end).

%% The handler and its filters are those with which OTP starts.
what_came_of_it_stands_in_the_nodes_own_log(Config) ->
    Dirs = versions(Config, [], []),
    File = own_log(Config, #{}),
    {ok, _} = up(Config, Dirs, [update()]),
    says(Config, File, "erlrc: service 1 -> 2: upgraded; processes were suspended for "),
    {ok, _} = down(Config, Dirs, [update()], #{evaluator => release_handler}),
    says(Config, File, "erlrc: service 2 -> 1: downgraded"),
    {error, _} = up(Config, Dirs, [update()], #{health_check => {?MODULE, unwell, []}}),
    says(Config, File, "erlrc: service 1 -> 2: rolled back, 1 runs on"),
    Text = read(File),
    [?assertNotEqual({nomatch, Word}, {string:find(Text, Word), Word}) || Word <- ["1 -> 2: failed: ", "unwell"]],
    %% Stages are for whoever asks for them with a handler of their own.
    [?assertEqual(nomatch, string:find(Text, Word)) || Word <- ["quiesce", "prepare", "#{"]],
    {ok, #{filters := Filters}} = call(Config, logger, get_handler_config, [default]),
    ?assert(lists:keymember(erlrc, 1, Filters)),
    {ok, _} = call(Config, application, ensure_all_started, [erlrc]),
    ok = call(Config, application, stop, [erlrc]),
    {ok, #{filters := Left}} = call(Config, logger, get_handler_config, [default]),
    ?assertEqual(lists:keydelete(erlrc, 1, Filters), Left).

a_handler_of_somebodys_own_is_left_alone(Config) ->
    Dirs = versions(Config, [], []),
    Own = [{nothing, {fun logger_filters:domain/2, {log, equal, [mine]}}}],
    File = own_log(Config, #{filters => Own}),
    {ok, _} = up(Config, Dirs, [update()]),
    _ = until(Config, upgraded),
    ?assertMatch({ok, #{filters := Own}}, call(Config, logger, get_handler_config, [default])),
    ?assertEqual("", read(File)).

%% The handler `default' as it is, but for these keys and that it writes into a file.
own_log(Config, Keys) ->
    File = filename:join(?config(dir, Config), "node.log"),
    {ok, Handler} = call(Config, logger, get_handler_config, [default]),
    ok = call(Config, logger, remove_handler, [default]),
    ok = call(Config, logger, set_primary_config, [level, notice]),
    Own = maps:merge(maps:with([filters, filter_default, formatter], Handler), Keys),
    ok = call(Config, logger, add_handler, [default, logger_std_h, Own#{config => #{file => File}}]),
    File.

says(Config, File, Words) ->
    fixture:wait_until(fun() ->
        ok = call(Config, logger_std_h, filesync, [default]),
        string:find(read(File), Words) =/= nomatch
    end).

read(File) ->
    {ok, Text} = file:read_file(File),
    unicode:characters_to_list(Text).

ask(Config) ->
    call(Config, erlrc_hook, request, [#{protocol => 1, operation => progress}]).

update() ->
    {update, service_server, {advanced, []}}.

report(Event, Reports) ->
    [Report] = [Report || #{event := Name} = Report <- Reports, Name =:= Event],
    Report.

%% An evaluator may have further stages.
known(Stages, Reports) ->
    [Event || #{event := Event} <- Reports, lists:member(Event, Stages)].

%% The reports up to this event, once it is there; they are taken out.
until(Config, Event) ->
    fixture:wait_until(fun() ->
        lists:any(fun(#{event := Name}) -> Name =:= Event end, call(Config, ?MODULE, reports, []))
    end),
    Reports = call(Config, ?MODULE, reports, []),
    true = call(Config, ets, delete_all_objects, [?MODULE]),
    Reports.

%% What follows runs on the node.

listen(Level) ->
    Self = self(),
    _ = spawn(fun() ->
        ?MODULE = ets:new(?MODULE, [named_table, public, ordered_set]),
        Self ! ready,
        receive
            stop -> ok
        end
    end),
    receive
        ready -> ok
    end,
    ok = logger:set_module_level(erlrc_events, Level),
    %% As an application would subscribe.
    Filters = [{erlrc, {fun logger_filters:domain/2, {log, sub, [erlrc]}}}],
    logger:add_handler(?MODULE, ?MODULE, #{filters => Filters, filter_default => stop}).

cost(Script) ->
    {ok, _} = erlrc_evaluator:evaluate(Script),
    get(erlrc_report).

reports() ->
    [Report || {_, Report} <- ets:tab2list(?MODULE)].

log(#{msg := {report, #{event := Event} = Report}}, _Config) ->
    Called = persistent_term:get({?MODULE, call}, none),
    _ = [gen_server:call(Called, state, infinity) || Called =/= none, Event =:= quiesce],
    true = ets:insert(?MODULE, {erlang:unique_integer([monotonic]), Report}),
    ok;
log(_Event, _Config) ->
    ok.

unwell() ->
    {error, unwell}.

look() ->
    Look = fun() -> erlrc_hook:request(#{protocol => 1, operation => progress}) end,
    fixture:wait_until(fun() ->
        case Look() of
            #{progress := #{stage := health_check}} -> true;
            _ -> false
        end
    end),
    persistent_term:put({?MODULE, seen}, Look()),
    ok.
