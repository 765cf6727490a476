%% @doc Compares the environment that an application was compiled with, the key `compile_env' of an `.app' file written
%% by mix, with the present environment. Elixir itself does not boot if they differ.
-module(erlrc_compile_env).

-export([contradictions/1, foreseen/2, format/1]).
-export_type([contradiction/0]).

-type contradiction() ::
    {compile_env, App :: atom(), Path :: [term(), ...], Compiled :: {ok, term()} | error, Set :: {ok, term()} | error}.

%% @doc The keys whose value on this node differs from the one that the application was compiled with.
-spec contradictions(erlrc_engine:application_specification()) -> [contradiction()].
contradictions(Spec) ->
    differing(Spec, {[], [], []}).

%% @doc The same once the environment of the running application is merged with that of this specification. `Old' is its
%% environment before any value was set.
-spec foreseen(erlrc_engine:application_specification(), erlrc_environment:env() | unknown) -> [contradiction()].
foreseen({application, App, _} = Spec, Old) ->
    case erlrc_environment:preview(App, Old, Spec) of
        {ok, Change, _Kept} -> differing(Spec, Change);
        {error, _} -> contradictions(Spec)
    end.

differing({application, App, Keys}, Change) ->
    case proplists:get_value(compile_env, Keys, []) of
        Entries when is_list(Entries) ->
            Compared = lists:append([compared(Entry, {App, Change}) || Entry <- Entries]),
            [Each || {compile_env, _, _, Compiled, Set} = Each <- Compared, Compiled =/= Set];
        _ ->
            []
    end.

compared({App, [Key | Path], Compiled}, Change) when is_atom(App), is_atom(Key) ->
    Set = lists:foldl(fun inside/2, environment(App, Key, Change), Path),
    [{compile_env, App, [Key | Path], Compiled, value(Set)}];
compared(_Entry, _Change) ->
    [].

environment(App, Key, {App, {Changed, New, Removed}}) ->
    case {lists:keyfind(Key, 1, Changed ++ New), lists:member(Key, Removed)} of
        {{Key, Value}, _} -> {ok, Value};
        {false, true} -> undefined;
        {false, false} -> application:get_env(App, Key)
    end;
environment(App, Key, _OfAnother) ->
    application:get_env(App, Key).

value({ok, _} = Found) -> Found;
value(_None) -> error.

%% A path leads through keyword lists and maps.
inside(Key, {ok, Map}) when is_map_key(Key, Map) ->
    {ok, map_get(Key, Map)};
inside(Key, {ok, [Pair | More]}) ->
    case Pair of
        {Key, Value} -> {ok, Value};
        _ -> inside(Key, {ok, More})
    end;
inside(_Key, _None) ->
    error.

%% @doc A difference in words.
-spec format(contradiction()) -> iodata().
format({compile_env, App, Path, Compiled, Set}) ->
    Name = lists:join($., [io_lib:format("~0tp", [Part]) || Part <- Path]),
    io_lib:format(
        "~ts of ~ts was ~ts when the code was compiled and is ~ts on this node; compile it with the node's value, or"
        " set what it was compiled with",
        [Name, App, worded(Compiled), worded(Set)]
    ).

worded({ok, Value}) -> io_lib:format("~0tP", [Value, 20]);
worded(_None) -> "not set".
