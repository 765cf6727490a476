%% @doc Expressions for processes that stand in no module of erlrc: whoever is evaluated can go on while erlrc is replaced
%% or removed.
-module(erlrc_expressions).

-export([arguments/2]).

%% @doc What `erl_eval:exprs/3' is to be called with: unlike `exprs/2' it has the expressions not checked each time. The
%% calling process keeps what it has parsed. To read the text and to check it takes ten times as long as to evaluate it.
-spec arguments(string(), #{atom() => term()}) -> [term()].
arguments(Text, Values) ->
    [parsed(Text), maps:fold(fun erl_eval:add_binding/3, erl_eval:new_bindings(), Values), none].

parsed(Text) ->
    case get({?MODULE, Text}) of
        undefined ->
            {ok, Tokens, _} = erl_scan:string(Text),
            {ok, Expressions} = erl_parse:parse_exprs(Tokens),
            _ = put({?MODULE, Text}, Expressions),
            Expressions;
        Expressions ->
            Expressions
    end.
