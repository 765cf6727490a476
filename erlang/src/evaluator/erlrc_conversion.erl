%% @doc State migrations of a script: the state of a process converted field by field, as the engine found it in the debug
%% information of both versions.
%%
%% A migration is the extra of an `update' instruction, `{erlrc_migration, {Up, Down}, none | {extra, Extra}}': what becomes
%% of a state going up and going down, and what `code_change' is called with after that. A conversion is
%% `{server | machine | supervisor, How, #{Record => {Size, Sources}}}', or `none' where there is none. Of a supervisor the
%% argument is converted with which its `init/1' is called. It may also be a call of another module ({@link erlrc_migrator}).
-module(erlrc_conversion).

-export([parts/2, convert/3, argument/3, record/2, request/4, is_in/1]).
-export_type([conversion/0, records/0]).

-type how() ::
    same
    | {record, atom()}
    | {elements | values, how()}
    | {map, [{term(), term()}], [term()]}.
-type source() :: {kept, pos_integer(), how()} | {default, term()}.
-type records() :: #{atom() => {pos_integer(), [source()]}}.
-type conversion() :: none | {server | machine | supervisor, how(), records()} | erlrc_migrator:conversion() | {children, #{module() => records()}}.

%% @doc What is to be done with the states of a module whose `code_change' is given this version and extra: the conversion,
%% and the extra of the call that follows.
-spec parts(term(), term()) -> {no | conversion(), none | {extra, term()}}.
parts({down, _}, {erlrc_migration, {_Up, Down}, Call}) -> {Down, Call};
parts(_Vsn, {erlrc_migration, {Up, _Down}, Call}) -> {Up, Call};
parts(_Vsn, Extra) -> {no, {extra, Extra}}.

%% @doc Whether one of these instructions converts states.
-spec is_in([term()]) -> boolean().
is_in(Instructions) ->
    lists:any(fun is_migration/1, Instructions).

is_migration(Instruction) when element(1, Instruction) =:= update ->
    lists:any(
        fun
            ({advanced, {erlrc_migration, _, _}}) -> true;
            (_) -> false
        end,
        tuple_to_list(Instruction)
    );
is_migration(_Instruction) ->
    false.

%% @doc The request that converts the state of a process that stands. What goes wrong is sent to `Client' under `Tag'.
-spec request(module(), conversion(), pid(), term()) -> {replace_state, fun((term()) -> term())}.
request(Module, Conversion, Client, Tag) ->
    {replace_state, fun(State) ->
        case is_of_another_handler(Module, State) of
            true -> State;
            false -> replaced(of_process(Module, Conversion, State), State, Client, Tag)
        end
    end}.

%% The state of an event handler is what is told to a migration module.
of_process(Module, {module, _, _, _} = Conversion, {Module, Id, State} = Whole) ->
    case get('$initial_call') of
        {gen_event, _, _} -> handler(Id, convert(Module, Conversion, State), Module);
        _ -> convert(Module, Conversion, Whole)
    end;
of_process(Module, Conversion, State) ->
    convert(Module, Conversion, State).

handler(Id, {ok, New}, Module) -> {ok, {Module, Id, New}};
handler(_Id, Error, _Module) -> Error.

replaced({ok, New}, _State, _Client, _Tag) ->
    New;
replaced({error, _} = Error, State, Client, Tag) ->
    Client ! {Tag, Error},
    State.

%% An event manager is asked once for each of its handlers.
is_of_another_handler(Module, {Other, _Id, _State}) when Other =/= Module ->
    case get('$initial_call') of
        {gen_event, _, _} -> true;
        _ -> false
    end;
is_of_another_handler(_Module, _State) ->
    false.

%% @doc The state as the other version keeps it. A state that has its shape already stays.
-spec convert(module(), conversion(), term()) -> {ok, term()} | {error, term()}.
convert(Module, none, _State) ->
    {error, {no_migration, Module}};
convert(Module, {supervisor, _How, _Records} = Conversion, State) when is_tuple(State), tuple_size(State) > 1 ->
    Size = tuple_size(State),
    of_supervisor(Module, Conversion, State, Size);
convert(Module, {module, argument, _Callback, _Way} = Conversion, State) when is_tuple(State), tuple_size(State) > 1 ->
    of_supervisor(Module, Conversion, State, tuple_size(State));
convert(Module, {module, state, _Callback, _Way} = Conversion, State) ->
    erlrc_migrator:call(Module, Conversion, State);
convert(_Module, {children, Records}, State) ->
    {ok, erlrc_child_arguments:convert(Records, State)};
convert(_Module, {machine, How, Records}, {Name, Data}) ->
    case state(How, Data, Records) of
        {ok, New} -> {ok, {Name, New}};
        Error -> Error
    end;
convert(Module, {_Keeper, How, Records}, {Module, Id, State} = Whole) ->
    case {state(How, Whole, Records), state(How, State, Records)} of
        {{ok, New}, _} -> {ok, New};
        {_, {ok, New}} -> {ok, {Module, Id, New}};
        {_, Error} -> Error
    end;
convert(_Module, {_Keeper, How, Records}, State) ->
    case state(How, State, Records) of
        {ok, New} -> {ok, New};
        Error -> inside(How, State, Records, Error)
    end.

%% The last two elements are the callback module and the argument.
of_supervisor(Module, Conversion, State, Size) ->
    case element(Size - 1, State) =:= Module andalso argument(Module, Conversion, element(Size, State)) of
        false -> {ok, State};
        {ok, Argument} -> {ok, setelement(Size, State, Argument)};
        Error -> Error
    end.

%% @doc The argument of a supervisor's `init/1' as the other version takes it: the record itself, or the one that is in a
%% list or a tuple; or what a migration module makes of it.
-spec argument(module(), no | conversion(), term()) -> {ok, term()} | {error, term()}.
argument(_Module, {supervisor, How, Records}, Argument) ->
    case state(How, Argument, Records) of
        {ok, New} -> {ok, New};
        Error -> among(How, Argument, Records, Error)
    end;
argument(Module, {module, argument, _Callback, _Way} = Conversion, Argument) ->
    erlrc_migrator:call(Module, Conversion, Argument);
argument(_Module, none, _Argument) ->
    {error, no_migration};
argument(_Module, _NoConversion, Argument) ->
    {ok, Argument}.

among(How, Argument, Records, Error) when is_list(Argument), length(Argument) >= 0 ->
    case inside(How, list_to_tuple(Argument), Records, Error) of
        {ok, New} -> {ok, tuple_to_list(New)};
        Error -> Error
    end;
among(How, Argument, Records, Error) ->
    inside(How, Argument, Records, Error).

%% A special process keeps its state beside its parent and other things.
inside(How, State, Records, Error) when is_tuple(State) ->
    Elements = [{Element, state(How, Element, Records)} || Element <- tuple_to_list(State)],
    case [found || {_, {ok, _}} <- Elements] of
        [found] -> {ok, list_to_tuple([new(Each) || Each <- Elements])};
        _ -> Error
    end;
inside(_How, _State, _Records, Error) ->
    Error.

new({_, {ok, New}}) -> New;
new({Element, _}) -> Element.

state({record, Name}, State, Records) when element(1, State) =:= Name ->
    #{Name := {Size, Sources}} = Records,
    case tuple_size(State) of
        Size -> {ok, value({record, Name}, State, Records)};
        Other when Other =:= length(Sources) + 1 -> {ok, State};
        Other -> {error, {unexpected_state, Name, Other, Size}}
    end;
state({record, Name}, _State, _Records) ->
    {error, {unexpected_state, Name}};
state({map, _, _} = How, State, Records) when is_map(State) ->
    {ok, value(How, State, Records)};
state(_How, _State, _Records) ->
    {error, unexpected_state}.

%% @doc A tuple that is one of these records in a size that it has no more, as the other version has it.
-spec record(tuple(), records()) -> tuple().
record(Tuple, Records) ->
    case Records of
        #{element(1, Tuple) := {Size, Sources}} when tuple_size(Tuple) =:= Size, Size =/= length(Sources) + 1 ->
            value({record, element(1, Tuple)}, Tuple, Records);
        #{} ->
            Tuple
    end.

value(same, Value, _Records) ->
    Value;
value({record, Name}, Value, Records) when element(1, Value) =:= Name ->
    case Records of
        #{Name := {Size, Sources}} when Size =:= tuple_size(Value) ->
            list_to_tuple([Name | [source(Source, Value, Records) || Source <- Sources]]);
        #{} ->
            Value
    end;
value({elements, How}, Value, Records) when is_list(Value), length(Value) >= 0 ->
    [value(How, Each, Records) || Each <- Value];
value({values, How}, Value, Records) when is_map(Value) ->
    maps:map(fun(_Key, Each) -> value(How, Each, Records) end, Value);
value({map, Gains, Loses}, Value, _Records) when is_map(Value) ->
    maps:without(Loses, maps:merge(maps:from_list(Gains), Value));
value(_How, Value, _Records) ->
    Value.

source({kept, Element, How}, Value, Records) -> value(How, element(Element, Value), Records);
source({default, Default}, _Value, _Records) -> Default.
