%% @doc Which modules count as knowing of one another.
-module(links_SUITE).
-include_lib("stdlib/include/assert.hrl").

-export([all/0]).
-export([calls_join/1, either_direction_and_over_others/1, data_join/1, strangers/1, any_version_counts/1]).

all() ->
    [calls_join, either_direction_and_over_others, data_join, strangers, any_version_counts].

calls_join(_Config) ->
    ?assertEqual([one, two], erlrc_links:together([one], [beam(one, "two:x()"), beam(two, "ok"), beam(three, "ok")])).

either_direction_and_over_others(_Config) ->
    Beams = [beam(one, "ok"), beam(two, "one:x(), three:x()"), beam(three, "ok"), beam(four, "three:x()"), beam(five, "six")],
    ?assertEqual([four, one, three, two], erlrc_links:together([one], Beams)).

%% A name in a literal may be called.
data_join(_Config) ->
    ?assertEqual([one, two], erlrc_links:together([one], [beam(one, "[{1, {two, x, []}}]"), beam(two, "ok")])),
    ?assertEqual([one, two], erlrc_links:together([two], [beam(one, "[{1, {two, x, []}}]"), beam(two, "ok")])).

strangers(_Config) ->
    ?assertEqual([one], erlrc_links:together([one], [beam(one, "lists:sort([])"), beam(two, "lists:sort([])")])),
    ?assertEqual([], erlrc_links:together([absent], [beam(one, "two:x()"), beam(two, "ok")])).

any_version_counts(_Config) ->
    ?assertEqual([one, two], erlrc_links:together([one], [beam(one, "ok"), beam(one, "two:x()"), beam(two, "ok")])).

beam(Module, Body) ->
    Source = lists:concat(["-module(", Module, ").\n-export([x/0]).\nx() -> ", Body, ".\n"]),
    {ok, Module, Beam} = compile:forms(forms(element(2, erl_scan:string(Source))), []),
    {Module, Beam}.

forms([]) ->
    [];
forms(Tokens) ->
    {Form, [Dot | Rest]} = lists:splitwith(fun(Token) -> element(1, Token) =/= dot end, Tokens),
    {ok, Parsed} = erl_parse:parse_form(Form ++ [Dot]),
    [Parsed | forms(Rest)].
