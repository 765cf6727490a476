%% @doc What a live plan says of records that get another size and are found inside of states and tables.
-module(live_plan_records_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-compile(export_all).
-compile(nowarn_export_all).

-import(live_plan_SUITE, [plan/2, kinds/1, finding/2]).
-import(service_fixture, [versions/4, child/1, call/4, photograph/1, still/2]).

all() ->
    [
        kept_inside_of_a_state,
        converted_inside_of_a_state,
        in_the_state_of_a_module_without_a_change,
        not_tried,
        in_a_table,
        another_modules_record_of_that_size
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
    Dirs = versions(Config, Old, New, [child(holder)]),
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
    ?assertEqual([{record_in_state, error}], Kinds).

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
    ?assertEqual([{record_in_table, warning}], Kinds),
    ?assertMatch(#{subject := <<"users">>}, finding(record_in_table, Answer)).

%% Of the size that is gone another module of the new version has one of that name: it may be that.
another_modules_record_of_that_size(Config) ->
    Other = "-module(other_lib).\n-export([new/0]).\n-record(user, {key, value}).\nnew() -> #user{}.\n",
    {Kinds, _} = said(
        Config, [user("id, name"), Other, holder(1, "{ok, S}")], [user("id, name, mail"), Other, holder(2, "_ = S, {ok, S}")]
    ),
    ?assertEqual([], Kinds).
