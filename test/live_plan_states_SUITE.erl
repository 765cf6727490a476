%% @doc What a live plan finds in the states of processes and in tables, and that it touches none.
-module(live_plan_states_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1, finding/2]).
-import(service_fixture, [versions/3, versions/4, versions/5, child/1, child/2, call/4, photograph/1, still/2]).
-import(service_fixture, [server/2, server/3, plain/2]).
-import(service_fixture, [statem/1, handler/1, special/2]).

all() ->
    [
        one_poisoned_state_of_ten_thousand,
        every_behaviour,
        special_process_that_would_fail,
        special_process_that_hides_its_state,
        states_that_no_callback_takes,
        code_change_with_effects_is_not_tried,
        code_change_that_hangs_is_given_up,
        code_change_that_takes_all_memory_is_given_up,
        funs_and_paths_in_states,
        funs_in_tables,
        funs_in_large_tables,
        names_in_tables,
        names_in_the_environment,
        names_of_a_module_that_is_removed,
        funs_are_called_only_where_none_comes_in
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

one_poisoned_state_of_ten_thousand(Config) ->
    Body = "poison = case element(3, State) of poison -> State; _ -> poison end",
    Dirs = versions(Config, [server(one, 1), pool()], [server(one, 2, Body), pool()], [child(pool, #{type => supervisor})]),
    Pids = call(Config, ?MODULE, fill, [10000]),
    Poisoned = lists:nth(7777, Pids),
    ok = call(Config, gen_server, call, [Poisoned, {keep, poison}]),
    Before = call(Config, ?MODULE, states, [Pids]),
    {ok, #{tried := Tried}} = Answer = plan(Config, Dirs),
    ?assertEqual(9999, Tried),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    #{subject := <<"one">>, details := #{count := 1, processes := [Named]}} = finding(code_change_would_fail, Answer),
    ?assertEqual(call(Config, erlrc_finding, name, [Poisoned]), Named),
    ?assertEqual(Before, call(Config, ?MODULE, states, [Pids])),
    ?assertEqual([], call(Config, ?MODULE, shadows, [])).

pool() ->
    "-module(pool).\n-behaviour(supervisor).\n-export([start_link/0, init/1]).\n"
    "start_link() -> supervisor:start_link({local, pool}, pool, []).\n"
    "init([]) -> {ok, {{simple_one_for_one, 5, 10}, [{one, {one, start_link, []}, temporary, 1000, worker, [one]}]}}.\n".

fill(Count) ->
    [element(2, supervisor:start_child(pool, [I])) || I <- lists:seq(1, Count)].

states(Pids) ->
    erlang:md5(term_to_binary([sys:get_state(Pid) || Pid <- Pids])).

shadows() ->
    [Module || {Module, _} <- code:all_loaded(), lists:suffix("$trial", atom_to_list(Module))].

every_behaviour(Config) ->
    Children = [child(machine), child(special), child(bus, #{start => {gen_event, start_link, [{local, bus}]}, modules => dynamic})],
    Dirs = versions(
        Config,
        [statem(1), special(1, normal), handler(1)],
        [statem(2), special(2, normal), handler(2)],
        Children
    ),
    [ok = call(Config, gen_event, add_handler, [bus, {handler, Id}, Id]) || Id <- [a, b]],
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([], kinds(Answer)),
    ?assertMatch({ok, #{tried := 3, processes := 4}}, Answer),
    still(Config, Before).

special_process_that_would_fail(Config) ->
    Fails = string:replace(special(2, normal), "{ok, {Parent,", "error({N, Vsn}), {ok, {Parent,"),
    Dirs = versions(Config, [special(1, normal)], [lists:flatten(Fails)], [child(special)]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    ?assertMatch(#{subject := <<"special">>, details := #{count := 1}}, finding(code_change_would_fail, Answer)),
    still(Config, Before).

%% What its module makes of the question is not what `system_code_change' is given.
special_process_that_hides_its_state(Config) ->
    Hides = fun(Version) ->
        lists:flatten(string:replace(special(Version, normal), "version/0]).", "version/0, system_replace_state/2]).\n"
            "system_replace_state(_, Misc) -> {ok, none, Misc}."))
    end,
    Dirs = versions(Config, [Hides(1)], [Hides(2)], [child(special)]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_not_tried, info}], kinds(Answer)),
    ?assertMatch({ok, #{tried := 0, processes := 2}}, Answer).

%% A code_change that returns what it was given, or one element too few; what a clause takes is no finding, and nor is a
%% callback that took no state before.
states_that_no_callback_takes(Config) ->
    Pool = fun(Name, Head, Init, Change) ->
        lists:flatten(io_lib:format(
            "-module(~p).~n-behaviour(gen_server).~n-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
            "-record(state, {holder, size}).~n-export([new/0]).~nnew() -> #state{}.~n"
            "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).~ninit([]) -> {ok, ~ts}.~n"
            "handle_call(size, _, ~ts) -> {reply, S, State}.~nhandle_cast(never, none_of_them = S) -> {noreply, S}.~n"
            "code_change(_, State, _) -> ~ts.~n",
            [Name, Init, Head, Change]
        ))
    end,
    Old = "{pool, S} = State",
    Cases = [
        {unchanged, "{pool, S, _} = State", "{ok, State}"},
        {logged, "#{size := S} = State", "_ = {State, 1}, {ok, State}"},
        {atom, "#state{size = S} = State", "{ok, element(1, State)}"},
        {taken, "{pool, S, _} = State", "{pool, S} = State, {ok, {pool, S, none}}"},
        {record, "#state{size = S} = State", "{pool, S} = State, {ok, #state{size = S}}"}
    ],
    Names = [Name || {Name, _, _} <- Cases],
    Dirs = versions(
        Config,
        [Pool(Name, Old, "{pool, 1}", "{ok, State}") || Name <- Names],
        [Pool(Name, Head, "{pool, 1}", Change) || {Name, Head, Change} <- Cases],
        [child(Name) || Name <- Names]
    ),
    Before = photograph(Config),
    {ok, #{findings := Findings, tried := 5}} = plan(Config, Dirs),
    Refused = [{Subject, Text} || #{kind := state_refused, severity := error, subject := Subject, text := Text} <- Findings],
    ?assertEqual([<<"atom">>, <<"logged">>, <<"unchanged">>], lists:sort([Subject || {Subject, _} <- Refused])),
    [?assertMatch({0, _}, binary:match(Text, <<"No clause of handle_call/3 takes">>)) || {_, Text} <- Refused],
    still(Config, Before).

code_change_with_effects_is_not_tried(Config) ->
    Bodies = [
        {"ets:new(x, [])", <<"ets:new/2">>},
        {"self() ! State", <<"sends messages">>},
        {"receive x -> ok after 0 -> ok end", <<"receives messages">>},
        {"(element(1, State)):f()", <<"only at run time">>},
        {"lists:foreach(fun(X) -> file:delete(X) end, [])", <<"file:delete/1">>}
    ],
    Names = [list_to_atom("s" ++ integer_to_list(I)) || I <- lists:seq(1, length(Bodies))],
    New = [server(Name, 2, Body) || {Name, {Body, _}} <- lists:zip(Names, Bodies)],
    Dirs = versions(Config, [server(Name, 1) || Name <- Names], New, [child(Name) || Name <- Names]),
    {ok, #{findings := Findings, tried := 0}} = plan(Config, Dirs),
    [
        ?assertMatch(
            {Name, [_]},
            {Name, [F || #{kind := code_change_not_tried, subject := S, text := T} = F <- Findings,
                S =:= atom_to_binary(Name), binary:match(T, Said) =/= nomatch]}
        )
     || {Name, {_, Said}} <- lists:zip(Names, Bodies)
    ],
    ?assertEqual(length(Bodies), length(Findings)).

code_change_that_hangs_is_given_up(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2, "(fun F() -> F() end)()")], [child(one)]),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    still(Config, Before).

code_change_that_takes_all_memory_is_given_up(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2, "_ = lists:seq(1, 100000000)")], [child(one)]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_would_fail, error}], kinds(Answer)),
    ?assertMatch(#{text := <<_/binary>>}, finding(code_change_would_fail, Answer)).

funs_and_paths_in_states(Config) ->
    {Old, _} = Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2), server(two, 2)], [child(one), child(two)]),
    Before = call(Config, ?MODULE, keep_fun, [one]),
    ok = call(Config, gen_server, call, [two, {keep, #{file => list_to_binary(filename:join(Old, "priv/x"))}}]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{fun_in_state, warning}, {path_in_state, warning}], kinds(Answer)),
    #{subject := One} = finding(fun_in_state, Answer),
    ?assertMatch({0, _}, binary:match(One, <<"one">>)),
    ok = call(Config, gen_server, call, [two, {keep, [{file, filename:join(Old, "priv/x")}]}]),
    ?assertMatch(#{}, finding(path_in_state, plan(Config, Dirs))),
    ?assertEqual(Before, call(Config, ?MODULE, held_fun, [one])).

keep_fun(Name) ->
    Fun = gen_server:call(Name, fun_of_mine),
    ok = gen_server:call(Name, {keep, Fun}),
    Fun.

held_fun(Name) ->
    {_, _, Fun} = gen_server:call(Name, state),
    Fun.

funs_in_tables(Config) ->
    Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2), server(two, 1)], [child(one), child(two)]),
    %% Of a module that stays, in a table that only its owner reads, and elsewhere: nothing to say.
    ok = call(Config, ?MODULE, table, [quiet, [public], two]),
    ok = call(Config, ?MODULE, table, [hidden, [private], one]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ok = call(Config, ?MODULE, table, [loud, [protected, ordered_set], one]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{fun_in_table, warning}], kinds(Answer)),
    ?assertMatch(#{subject := <<"loud">>, details := #{funs := [<<"loud one ", _/binary>>]}}, finding(fun_in_table, Answer)),
    ok = call(Config, ?MODULE, keep_term, [one]),
    ?assertMatch(#{subject := <<"loud, persistent_term">>}, finding(fun_in_table, plan(Config, Dirs))).

%% A table whose owner lives as long as the node, with a fun deep in an object.
table(Table, Options, Server) ->
    Fun = gen_server:call(Server, fun_of_mine),
    Self = self(),
    _ = spawn(fun() ->
        Table = ets:new(Table, [named_table | Options]),
        true = ets:insert(Table, [{I, I} || I <- lists:seq(1, 2000)]),
        true = ets:insert(Table, {x, #{callback => [{Server, Fun}]}}),
        Self ! {Table, made},
        receive stop -> ok end
    end),
    receive {Table, made} -> ok end.

keep_term(Server) ->
    persistent_term:put({?MODULE, Server}, gen_server:call(Server, fun_of_mine)).

funs_in_large_tables(Config) ->
    Dirs = versions(Config, [server(one, 1)], [server(one, 2)], [child(one)]),
    ok = call(Config, ?MODULE, large_table, [large, 50000]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{search_incomplete, info}], kinds(Answer)),
    ?assertMatch(
        #{subject := <<"service">>, details := #{tables_of_others := #{large := 1}, names := [<<"large">>]}},
        finding(search_incomplete, Answer)
    ).

large_table(Table, Size) ->
    Self = self(),
    _ = spawn(fun() ->
        Table = ets:new(Table, [named_table]),
        true = ets:insert(Table, [{I, "text"} || I <- lists:seq(1, Size)]),
        Self ! {Table, made},
        receive stop -> ok end
    end),
    receive {Table, made} -> ok end.

funs_are_called_only_where_none_comes_in(Config) ->
    Body = "_ = lists:map(fun(X) -> X end, [1])",
    Dirs = versions(Config, [server(one, 1), server(two, 1)], [server(one, 2, Body), server(two, 2, Body)], [child(one), child(two)]),
    _ = call(Config, ?MODULE, keep_fun, [one]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{code_change_not_tried, info}, {fun_in_state, warning}], kinds(Answer)),
    ?assertMatch({ok, #{tried := 1}}, Answer).

%% A module with a callback, and in its second version without those of earlier callers.
callbacks(1) -> "-module(callbacks).\n-export([f/1, gone/1, left/2]).\nf(X) -> X.\ngone(X) -> X.\nleft(X, _) -> X.\n";
callbacks(2) -> "-module(callbacks).\n-export([f/1]).\nf(X) -> {X}.\n".

names_in_tables(Config) ->
    Dirs = versions(Config, [callbacks(1)], [callbacks(2)]),
    %% Another function, another arity, no name at all.
    Others = [{callbacks, f, 1}, {callbacks, gone, 2}, {callbacks, gone, [1, 2]}, {callbacks, gone, 1, 2}, {other, gone, 1}, {}],
    ok = call(Config, ?MODULE, rows, [others, [{I, Row} || {I, Row} <- lists:enumerate(Others)]]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ok = call(Config, ?MODULE, rows, [named, [{callbacks, gone}, {x, #{run => [{callbacks, left, [1, 2]}]}}]]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{name_in_table, warning}], kinds(Answer)),
    #{subject := <<"named">>, text := Text, details := Details} = finding(name_in_table, Answer),
    ?assertEqual(
        <<"Tables may name functions that version 2 no longer exports: callbacks:gone, callbacks:left.">>, Text
    ),
    ?assertEqual(#{functions => [<<"named callbacks:gone">>, <<"named callbacks:left">>]}, Details),
    ok = call(Config, persistent_term, put, [kept, {callbacks, gone, 1}]),
    ?assertMatch(#{subject := <<"named, persistent_term">>}, finding(name_in_table, plan(Config, Dirs))).

rows(Table, Rows) ->
    Self = self(),
    _ = spawn(fun() ->
        Table = ets:new(Table, [named_table]),
        true = ets:insert(Table, Rows),
        Self ! {Table, made},
        receive stop -> ok end
    end),
    receive {Table, made} -> ok end.

%% What the new version's own file says is looked for in the file.
names_in_the_environment(Config) ->
    Env = fun(Name) -> [{env, [{default, {callbacks, Name}}]}] end,
    Dirs = versions(Config, [callbacks(1)], [callbacks(2)], [child(service_server)], {Env(gone), Env(f)}),
    ok = call(Config, application, set_env, [kernel, other, {callbacks, f}]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ok = call(Config, application, set_env, [kernel, hook, [{callbacks, left}]]),
    ok = call(Config, application, set_env, [service, mine, {callbacks, gone, [x]}]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{name_in_environment, warning}], kinds(Answer)),
    ?assertMatch(#{subject := <<"kernel.hook, service.mine">>}, finding(name_in_environment, Answer)).

%% Unless another application has it now.
names_of_a_module_that_is_removed(Config) ->
    Dirs = versions(Config, [callbacks(1), plain(callers, 1)], [plain(callers, 2)]),
    ok = call(Config, ?MODULE, rows, [named, [{callbacks, f, 1}]]),
    ?assertMatch([{name_in_table, warning}], kinds(plan(Config, Dirs))),
    Other = filename:join(?config(dir, Config), "other-1/ebin"),
    ok = filelib:ensure_path(Other),
    {ok, _} = file:copy(filename:join([element(1, Dirs), "ebin", "callbacks.beam"]), filename:join(Other, "callbacks.beam")),
    true = call(Config, code, add_pathz, [Other]),
    ?assertEqual([], kinds(plan(Config, Dirs))).
