%% @doc What a live plan says of records that get another size and are found inside of states and tables.
-module(live_plan_records_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1, finding/2]).
-import(service_fixture, [versions/4, child/1, steady/2, call/4, photograph/1, still/2]).

all() ->
    [
        kept_inside_of_a_state,
        converted_inside_of_a_state,
        in_the_state_of_a_module_without_a_change,
        not_tried,
        in_a_table,
        in_a_table_that_somebody_converts,
        in_a_table_that_a_code_change_converts,
        another_modules_record_of_that_size,
        in_the_state_of_a_module_that_does_not_change,
        in_a_dictionary,
        in_the_dictionary_of_no_server,
        another_applications_record_of_that_size,
        struct_in_a_state,
        struct_in_a_dictionary,
        struct_in_a_table,
        struct_of_the_same_keys,
        on_the_way_back,
        whoever_wants_it_goes_on,
        map_in_a_state,
        map_in_a_table_and_a_dictionary,
        map_that_somebody_converts,
        map_whose_new_key_nobody_demands,
        what_cannot_be_looked_at,
        where_nothing_is_looked_for
    ].

init_per_testcase(Case, Config) ->
    service_fixture:start_node(Case, Config).

end_per_testcase(_Case, Config) ->
    service_fixture:stop_node(Config).

%% The module that has the record, and makes it.
user(Fields) ->
    "-module(user_lib).\n-export([new/0, convert/1]).\n-record(user, {" ++ Fields ++ "}).\n"
    "new() -> #user{id = 1}.\nconvert({user, Id, Name}) -> #user{id = Id, name = Name};\nconvert(User) -> User.\n".

%% A server that holds some of them in a map.
holder(Version, Change) ->
    lists:flatten(io_lib:format(
        "-module(holder).~n-behaviour(gen_server).~n"
        "-export([start_link/0, version/0, init/1, handle_call/3, handle_cast/2, code_change/3]).~n"
        "start_link() -> gen_server:start_link({local, holder}, ?MODULE, [], []).~nversion() -> ~p.~n"
        "init([]) -> {ok, {held, #{1 => [user_lib:new()]}}}.~nhandle_call(_, _, S) -> {reply, S, S}.~n"
        "handle_cast(_, S) -> {noreply, S}.~ncode_change(_, S, _) -> ~s.~n",
        [Version, Change]
    )).

said(Config, Old, New) ->
    said(Config, Old, New, fun() -> ok end).

said(Config, Old, New, Before) ->
    Dirs = versions(Config, Old, New, [child(holder)]),
    _ = Before(),
    said_of(Config, Dirs).

said_of(Config, Dirs) ->
    _ = erlang:put(dirs, Dirs),
    Before = photograph(Config),
    Answer = plan(Config, Dirs),
    still(Config, Before),
    {kinds(Answer), Answer}.

kept_inside_of_a_state(Config) ->
    {Kinds, Answer} = said(
        Config, [user("id, name"), holder(1, "{ok, S}")], [user("id, name, mail"), holder(2, "_ = S, {ok, S}")]
    ),
    ?assertEqual([{record_in_state, error}], Kinds),
    #{verdict := restart_application, subject := Subject, text := Text} = finding(record_in_state, Answer),
    refused(Config),
    ?assertMatch(<<"holder (", _/binary>>, Subject),
    ?assertNotEqual(nomatch, binary:match(Text, <<"#user{} of user_lib in its earlier size (3, now 4)">>)).

converted_inside_of_a_state(Config) ->
    Change = "{held, #{1 := [{user, I, N}]}} = S, {ok, {held, #{1 => [{user, I, N, none}]}}}",
    {Kinds, Answer} = said(
        Config, [user("id, name"), holder(1, "{ok, S}")], [user("id, name, mail"), holder(2, Change)]
    ),
    ?assertEqual([], Kinds),
    ?assertMatch({ok, #{tried := 1}}, Answer).

%% Nobody would be told to convert it.
in_the_state_of_a_module_without_a_change(Config) ->
    {Kinds, _} = said(
        Config, [user("id, name"), holder(1, "{ok, S}")], [user("id, name, mail"), holder(2, "{ok, S}")]
    ),
    ?assertEqual([{record_in_state, error}], Kinds),
    refused(Config).

not_tried(Config) ->
    {Kinds, _} = said(
        Config, [user("id, name"), holder(1, "{ok, S}")], [user("id, name, mail"), holder(2, "self() ! x, {ok, S}")]
    ),
    ?assertEqual([{code_change_not_tried, info}, {record_in_state, warning}], Kinds).

in_a_table(Config) ->
    Table = "begin _ = ets:new(users, [named_table, {keypos, 2}]), ets:insert(users, user_lib:new()), {ok, none} end",
    Owner = fun(Version) ->
        lists:flatten(string:replace(holder(Version, "{ok, S}"), "{ok, {held, #{1 => [user_lib:new()]}}}", Table))
    end,
    {Kinds, Answer} = said(Config, [user("id, name"), Owner(1)], [user("id, name, mail"), Owner(1)]),
    ?assertEqual([{record_in_table, error}], Kinds),
    ?assertMatch(#{subject := <<"users">>, verdict := restart_application}, finding(record_in_table, Answer)),
    refused(Config).

%% What an instruction does to tables cannot be tried.
in_a_table_that_somebody_converts(Config) ->
    Empty = lists:flatten(string:replace(holder(1, "{ok, S}"), "#{1 => [user_lib:new()]}", "none")),
    {From, To} = versions(Config, [user("id, name"), Empty], [user("id, name, mail"), Empty], [child(holder)]),
    ok = call(Config, ?MODULE, table_of, [holder, {user, 1, a}]),
    Convert = {apply, {ets, insert, [users, {user, 1, a, none}]}},
    appup(To, [{load_module, user_lib}, Convert]),
    {Kinds, _} = said_of(Config, {From, To}),
    ?assertEqual([{record_in_table, warning}], Kinds),
    upgraded(Config).

%% Nor what a code_change with effects does to them.
in_a_table_that_a_code_change_converts(Config) ->
    Of = fun(Version, Change) ->
        lists:flatten(string:replace(holder(Version, Change), "#{1 => [user_lib:new()]}", "none"))
    end,
    Change = "_ = [ets:insert(users, {user, I, N, none}) || {user, I, N} <- ets:tab2list(users)], {ok, S}",
    Put = fun() -> call(Config, ?MODULE, table_of, [holder, {user, 1, a}]) end,
    {Kinds, _} = said(
        Config, [user("id, name"), Of(1, "{ok, S}")], [user("id, name, mail"), Of(2, Change)], Put
    ),
    ?assertEqual([{code_change_not_tried, info}, {record_in_table, warning}], Kinds),
    upgraded(Config),
    ?assertEqual([{user, 1, a, none}], call(Config, ets, tab2list, [users])).

appup(Dir, Instructions) ->
    Text = io_lib:format("~tp.~n", [{"2", [{"1", Instructions}], [{"1", []}]}]),
    ok = file:write_file(filename:join([Dir, "ebin", "service.appup"]), Text).

%% Makes a table that belongs to a process of the application.
table_of(Name, Row) ->
    Make = fun(State) ->
        users = ets:new(users, [named_table, public, {keypos, 2}]),
        true = ets:insert(users, Row),
        State
    end,
    _ = sys:replace_state(Name, Make),
    ok.

%% The upgrade and its dry run say what the plan says, and nothing is changed.
refused(Config) ->
    {Old, New} = erlang:get(dirs),
    Before = photograph(Config),
    {error, {states_not_converted, service, [_]} = Why} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    %% More of the earlier version may be loaded, for its directory is not needed any more then.
    #{code := Code} = After = photograph(Config),
    ?assertEqual([], maps:get(code, Before) -- Code),
    ?assertEqual(maps:remove(code, Before), maps:remove(code, After)),
    Text = unicode:characters_to_binary(call(Config, erlrc_error, format_error, [Why])),
    ?assertNotEqual(nomatch, binary:match(Text, <<"nothing converts">>)),
    Versions = #{from => <<"1">>, to => <<"2">>, from_dir => list_to_binary(Old), to_dir => list_to_binary(New)},
    Request = Versions#{protocol => 1, operation => dry_run, 'of' => upgrade, application => service},
    ?assertMatch(#{status := no_path, outcome := states_not_converted}, call(Config, erlrc_hook, request, [Request])).

upgraded(Config) ->
    {Old, New} = erlang:get(dirs),
    ?assertMatch({ok, _}, call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New])).

%% Of the size that is gone another module of the new version has one of that name: it may be that.
another_modules_record_of_that_size(Config) ->
    Other = "-module(other_lib).\n-export([new/0]).\n-record(user, {key, value}).\nnew() -> #user{}.\n",
    {Kinds, _} = said(
        Config, [user("id, name"), Other, holder(1, "{ok, S}")], [user("id, name, mail"), Other, holder(2, "_ = S, {ok, S}")]
    ),
    ?assertEqual([], Kinds).

in_the_state_of_a_module_that_does_not_change(Config) ->
    Holder = holder(1, "_ = S, {ok, S}"),
    {Kinds, _} = said(Config, [user("id, name"), Holder], [user("id, name, mail"), Holder]),
    ?assertEqual([{record_in_state, error}], Kinds),
    refused(Config).

in_a_dictionary(Config) ->
    Put = fun() -> call(Config, ?MODULE, put_into, [holder, {user, 1, a}]) end,
    Holder = holder(1, "_ = S, {ok, S}"),
    Empty = lists:flatten(string:replace(Holder, "#{1 => [user_lib:new()]}", "none")),
    {Kinds, Answer} = said(Config, [user("id, name"), Empty], [user("id, name, mail"), Empty], Put),
    ?assertEqual([{record_in_dictionary, error}], Kinds),
    ?assertMatch(#{subject := <<"holder (", _/binary>>}, finding(record_in_dictionary, Answer)),
    refused(Config).

put_into(Name, Term) ->
    _ = sys:replace_state(Name, fun(State) -> put(kept, Term), State end),
    ok.

%% A plain loop of the application, in whose dictionary it is.
in_the_dictionary_of_no_server(Config) ->
    Loop = "-module(loop).\n-export([start/0]).\nstart() -> spawn(fun() -> put(user, user_lib:new()), loop() end).\n"
        "loop() -> receive stop -> ok end.\n",
    Holder = "begin _ = loop:start(), {ok, none} end",
    Starts = lists:flatten(string:replace(holder(1, "_ = S, {ok, S}"), "{ok, {held, #{1 => [user_lib:new()]}}}", Holder)),
    {Kinds, _} = said(Config, [user("id, name"), Loop, Starts], [user("id, name, mail"), Loop, Starts]),
    ?assertEqual([{record_in_dictionary, error}], Kinds),
    refused(Config).

%% Of that name and size another application has one itself: its own are no concern of ours.
another_applications_record_of_that_size(Config) ->
    Start = fun() -> call(Config, ?MODULE, start_other, [?config(dir, Config)]) end,
    Empty = lists:flatten(string:replace(holder(1, "_ = S, {ok, S}"), "#{1 => [user_lib:new()]}", "none")),
    {Kinds, _} = said(Config, [user("id, name"), Empty], [user("id, name, mail"), Empty], Start),
    ?assertEqual([], Kinds),
    upgraded(Config).

start_other(Dir) ->
    Text = "-module(other_server).\n-behaviour(gen_server).\n-export([init/1, handle_call/3, handle_cast/2]).\n"
        "-record(user, {key, value}).\ninit([]) -> {ok, #user{}}.\nhandle_call(_, _, S) -> {reply, S, S}.\n"
        "handle_cast(_, S) -> {noreply, S}.\n",
    File = filename:join(Dir, "other_server.erl"),
    ok = file:write_file(File, Text),
    {ok, other_server} = compile:file(File, [debug_info, {outdir, Dir}]),
    true = code:add_patha(Dir),
    {ok, _} = gen_server:start(other_server, [], []),
    ok.

%% As Elixir compiles one.
struct(Fields) ->
    "-module(user_struct).\n-export(['__struct__'/0]).\n"
    "'__struct__'() -> #{'__struct__' => user_struct, " ++ Fields ++ "}.\n".

struct_holder() ->
    lists:flatten(string:replace(holder(1, "_ = S, {ok, S}"), "user_lib:new()", "user_struct:'__struct__'()")).

struct_in_a_state(Config) ->
    {Kinds, Answer} = said(Config, [struct("name => a"), struct_holder()], [struct("name => a, mail => b"), struct_holder()]),
    ?assertEqual([{record_in_state, error}], Kinds),
    #{text := Text} = finding(record_in_state, Answer),
    ?assertNotEqual(nomatch, binary:match(Text, <<"%user_struct{} in its earlier shape (now +mail)">>)),
    refused(Config).

struct_in_a_dictionary(Config) ->
    Put = fun() -> call(Config, ?MODULE, put_into, [holder, [#{'__struct__' => user_struct, name => x}]]) end,
    Empty = holder(1, "_ = S, {ok, S}"),
    Others = [user("id, name"), Empty],
    {Kinds, _} = said(Config, [struct("name => a") | Others], [struct("called => a") | Others], Put),
    ?assertEqual([{record_in_dictionary, error}], Kinds),
    refused(Config).

struct_in_a_table(Config) ->
    Put = fun() -> call(Config, ?MODULE, table_of, [holder, {user, #{'__struct__' => user_struct, name => 1, mail => 2}}]) end,
    Others = [user("id, name"), holder(1, "_ = S, {ok, S}")],
    {Kinds, _} = said(Config, [struct("name => a, mail => b") | Others], [struct("name => a") | Others], Put),
    ?assertEqual([{record_in_table, error}], Kinds),
    refused(Config).

%% Another default is no other shape.
struct_of_the_same_keys(Config) ->
    {Kinds, _} = said(Config, [struct("name => a"), struct_holder()], [struct("name => b"), struct_holder()]),
    ?assertEqual([], Kinds),
    upgraded(Config).

%% The earlier version is the new code then.
on_the_way_back(Config) ->
    Holder = holder(1, "_ = S, {ok, S}"),
    {Old, New} = versions(Config, [user("id, name"), Holder], [user("id, name, mail"), Holder], [child(holder)]),
    ok = call(Config, application, set_env, [erlrc, preflight, off]),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [service, "1", "2", Old, New]),
    ok = call(Config, application, set_env, [erlrc, preflight, strict]),
    _ = call(Config, sys, replace_state, [holder, fun(_) -> {user, 1, a, b} end]),
    Back = [service, "1", "2", Old, New],
    ?assertMatch({error, {states_not_converted, service, [_]}}, call(Config, erlrcdynamic, downgrade, Back)).

whoever_wants_it_goes_on(Config) ->
    Holder = holder(1, "_ = S, {ok, S}"),
    {Old, New} = versions(Config, [user("id, name"), Holder], [user("id, name, mail"), Holder], [child(holder)]),
    Request = #{
        protocol => 1, operation => upgrade, application => service, from => <<"1">>, to => <<"2">>,
        from_dir => list_to_binary(Old), to_dir => list_to_binary(New)
    },
    Ask = fun(Options) -> call(Config, erlrc_hook, request, [Request#{options => Options}]) end,
    ?assertMatch(#{status := refused, outcome := bad_request}, Ask(#{preflight => <<"maybe">>})),
    ?assertMatch(#{status := no_path, outcome := states_not_converted}, Ask(#{})),
    #{status := ok, warnings := [Warning]} = Ask(#{preflight => <<"warn">>}),
    ?assertNotEqual(nomatch, binary:match(Warning, <<"#user{} of user_lib">>)).

%% What makes a map, and reads it with `Read'.
map_lib(Keys, Read) ->
    "-module(user_lib).\n-export([new/0, read/1]).\nnew() -> #{" ++ Keys ++ "}.\nread(" ++ Read ++ ".\n".

old_map() -> map_lib("id => 1, name => a", "#{name := Name}) -> Name").

%% The holder does not change, and knows nothing of it.
map_in_a_state(Config) ->
    Holder = holder(1, "_ = S, {ok, S}"),
    New = map_lib("id => 1, name => a, mail => b", "#{mail := Mail}) -> Mail"),
    {Kinds, Answer} = said(Config, [old_map(), Holder], [New, Holder]),
    ?assertEqual([{record_in_state, warning}], Kinds),
    ?assertMatch(
        #{text := <<"#{id, name}, which user_lib made so and now makes with +mail, in the states of 1 process, or something"
            " that looks like it.">>},
        finding(record_in_state, Answer)
    ),
    upgraded(Config).

map_in_a_table_and_a_dictionary(Config) ->
    Empty = lists:flatten(string:replace(holder(1, "_ = S, {ok, S}"), "#{1 => [user_lib:new()]}", "none")),
    Put = fun() ->
        Map = #{id => 2, name => b},
        ok = call(Config, ?MODULE, put_into, [holder, [{x, Map}]]),
        call(Config, ?MODULE, table_of, [holder, {user, 1, Map, Map#{more => 1}}])
    end,
    New = map_lib("id => 1, named => a", "User) -> maps:get(named, User)"),
    {Kinds, Answer} = said(Config, [old_map(), Empty], [New, Empty], Put),
    ?assertEqual([{record_in_dictionary, warning}, {record_in_table, warning}], Kinds),
    ?assertMatch(#{details := #{keys := [id, name], module := user_lib}}, finding(record_in_table, Answer)).

map_that_somebody_converts(Config) ->
    Change = "{held, #{1 := [User]}} = S, {ok, {held, #{1 => [User#{mail => none}]}}}",
    New = map_lib("id => 1, name => a, mail => b", "User) -> User#{mail := c}"),
    {Kinds, Answer} = said(Config, [old_map(), holder(1, "{ok, S}")], [New, holder(2, Change)]),
    ?assertEqual([], Kinds),
    ?assertMatch({ok, #{tried := 1}}, Answer).

map_whose_new_key_nobody_demands(Config) ->
    Holder = holder(1, "_ = S, {ok, S}"),
    New = map_lib("id => 1, name => a, mail => b", "User) -> maps:get(mail, User, none)"),
    {Kinds, _} = said(Config, [old_map(), Holder], [New, Holder]),
    ?assertEqual([], Kinds).

%% A state and a dictionary that are large, a server that is busy, a table that only its owner reads.
what_cannot_be_looked_at(Config) ->
    Empty = lists:flatten(string:replace(holder(1, "_ = S, {ok, S}"), "#{1 => [user_lib:new()]}", "none")),
    Others = [Empty, steady(busy, 1), steady(large, 1)],
    Dirs = versions(Config, [user("id, name") | Others], [user("id, name, mail") | Others], [child(holder), child(busy), child(large)]),
    ?assertEqual([], kinds(plan(Config, Dirs))),
    ok = call(Config, ?MODULE, occupy, [busy]),
    _ = call(Config, sys, replace_state, [large, fun(_) -> lists:seq(1, 30000) end]),
    ok = call(Config, ?MODULE, private_table, [holder]),
    Answer = plan(Config, Dirs),
    ?assertEqual([{search_incomplete, info}], kinds(Answer)),
    #{text := Text, details := Details} = finding(search_incomplete, Answer),
    ?assertEqual(
        <<"Not searched, or only in part: states of its processes (1 busy or asleep, 1 large); its tables (1 private).">>, Text
    ),
    ?assertMatch(#{states := #{busy := 1, large := 1}, tables := #{private := 1}, names := [_, _, _]}, Details).

occupy(Name) ->
    Self = self(),
    Wait = fun(State) -> Self ! occupied, receive stop -> State end end,
    _ = spawn(fun() -> sys:replace_state(Name, Wait, infinity) end),
    receive occupied -> ok end.

private_table(Name) ->
    _ = sys:replace_state(Name, fun(State) -> true = ets:insert(ets:new(hidden, [private]), {user, 1, a}), State end),
    ok.

%% No shape changes, no module makes funs and no function goes.
where_nothing_is_looked_for(Config) ->
    Server = steady(one, 1),
    Dirs = versions(Config, [Server, user("id, name")], [Server, user("id, name")], [child(one)]),
    ok = call(Config, ?MODULE, private_table, [one]),
    ?assertEqual([], kinds(plan(Config, Dirs))).
