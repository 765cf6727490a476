%% @doc When the states of a module's processes count as the same in two versions.
-module(shape_SUITE).
-include_lib("stdlib/include/assert.hrl").

-export([all/0]).
-export([servers/1, state_machines/1, event_handlers/1, never/1, without_debug_information/1]).

all() ->
    [servers, state_machines, event_handlers, never, without_debug_information].

-define(SERVER, "-export([init/1, handle_call/3, code_change/3]).\ninit(_) -> {ok, 1}.\nhandle_call(_, _, S) -> {reply, ok, S}.\n").
-define(IDENTITY, "code_change(_, S, _) -> {ok, S}.\n").

servers(_Config) ->
    Plain = ?SERVER ?IDENTITY,
    same(Plain, Plain),
    same(Plain, ?SERVER "code_change({down, _}, S, _) -> {ok, S};\ncode_change(_Vsn, State, _Extra) -> {ok, State}.\n"),
    same(server_without_change(), Plain),
    other(code_change, Plain, ?SERVER "code_change(_, S, _) -> {ok, {S}}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, _, S) -> {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, S, _) -> io:format(\"\"), {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, {1, _} = S, _) -> {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change({down, _}, S, _) -> {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, S, _) when is_map(S) -> {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(S, S, _) -> {ok, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, S, _) -> {error, S}.\n"),
    other(code_change, Plain, ?SERVER "code_change(_, S, []) -> {ok, S}.\n"),
    other(code_change, Plain, server_without_change()),
    other(code_change_of_older, ?SERVER "code_change(_, S, _) -> {ok, {S}}.\n", Plain),
    same("-record(s, {a, b = 1}).\n" ++ Plain, "-record(s, {a :: term(), b = 2 :: integer()}).\n" ++ Plain),
    other(records, "-record(s, {a, b}).\n" ++ Plain, "-record(s, {a, b, c}).\n" ++ Plain),
    other(records, "-record(s, {a, b}).\n" ++ Plain, "-record(s, {b, a}).\n" ++ Plain),
    other(records, Plain, "-record(s, {b, a}).\n" ++ Plain).

server_without_change() ->
    "-export([init/1, handle_call/3]).\ninit(_) -> {ok, 1}.\nhandle_call(_, _, S) -> {reply, ok, S}.\n".

state_machines(_Config) ->
    Machine = fun(Mode, Change) ->
        "-export([init/1, callback_mode/0, handle_event/4, code_change/4]).\ninit(_) -> {ok, a, b}.\n"
        "handle_event(_, _, _, _) -> keep_state_and_data.\ncallback_mode() -> " ++ Mode ++ ".\ncode_change" ++ Change ++ ".\n"
    end,
    Plain = Machine("handle_event_function", "(_, S, D, _) -> {ok, S, D}"),
    same(Plain, Plain),
    other(callback_mode, Plain, Machine("[handle_event_function, state_enter]", "(_, S, D, _) -> {ok, S, D}")),
    other(code_change, Plain, Machine("handle_event_function", "(_, S, D, _) -> {ok, D, S}")),
    other(code_change, Plain, Machine("handle_event_function", "(_, S, _, _) -> {ok, S, S}")).

event_handlers(_Config) ->
    Handler = "-export([init/1, handle_event/2, handle_call/2, code_change/3]).\ninit(_) -> {ok, 1}.\n"
        "handle_event(_, S) -> {ok, S}.\nhandle_call(_, S) -> {ok, ok, S}.\n",
    same(Handler ++ ?IDENTITY, Handler ++ ?IDENTITY),
    other(code_change, Handler ++ ?IDENTITY, Handler ++ "code_change(_, S, _) -> {ok, [S]}.\n").

never(_Config) ->
    Special = "-export([system_code_change/4, handle_call/3]).\nsystem_code_change(S, _, _, _) -> {ok, S}.\nhandle_call(_, _, S) -> S.\n",
    other(special_process, Special, Special),
    Supervisor = "-behaviour(supervisor).\n-export([init/1]).\ninit(_) -> {ok, {{one_for_all, 1, 1}, []}}.\n",
    other(behaviour, Supervisor, Supervisor),
    other(behaviour, Supervisor, ?SERVER ?IDENTITY).

without_debug_information(_Config) ->
    Plain = ?SERVER ?IDENTITY,
    ?assertEqual({other, no_debug_info}, erlrc_shape:compare(shaped, beam(Plain, []), beam(Plain, [debug_info]))),
    ?assertEqual({other, no_debug_info}, erlrc_shape:compare(shaped, beam(Plain, [debug_info]), beam(Plain, []))),
    ?assertEqual({other, no_debug_info}, erlrc_shape:compare(shaped, <<>>, beam(Plain, [debug_info]))).

same(Older, Newer) ->
    ?assertEqual(same, erlrc_shape:compare(shaped, beam(Older, [debug_info]), beam(Newer, [debug_info]))).

other(Reason, Older, Newer) ->
    ?assertEqual({other, Reason}, erlrc_shape:compare(shaped, beam(Older, [debug_info]), beam(Newer, [debug_info]))).

beam(Source, Options) ->
    {ok, Tokens, _} = erl_scan:string("-module(shaped).\n" ++ Source),
    {ok, shaped, Beam} = compile:forms(forms(Tokens), Options),
    Beam.

forms([]) ->
    [];
forms(Tokens) ->
    {Form, [Dot | Rest]} = lists:splitwith(fun(Token) -> element(1, Token) =/= dot end, Tokens),
    {ok, Parsed} = erl_parse:parse_form(Form ++ [Dot]),
    [Parsed | forms(Rest)].
