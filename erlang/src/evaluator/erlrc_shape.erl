%% @doc Whether a new version of a module leaves the states of its processes as they are. Pure.
%%
%% Where it does, nobody has to stand still: `code_change' would hand back the very state that it was given. That is said
%% only where it can be seen, in the debug information of both versions: a `gen_server', `gen_statem' or `gen_event', which
%% enter the new code with the next callback; a `code_change' that does nothing but return what it got, whatever it is
%% called with, and so leads up as well as down; the same fields in all records; for a `gen_statem' the same callback
%% mode. Special processes, which have to be told to enter new code, and supervisors, whose change is `init/1', are never
%% among them.
-module(erlrc_shape).

-export([compare/3, between/4, records/2, forms/2]).
-export_type([verdict/0, reason/0]).

-type verdict() :: same | {other, reason()}.
-type reason() ::
    no_debug_info | special_process | behaviour | code_change | code_change_of_older | records | callback_mode.

-record(module, {
    exports :: [{atom(), arity()}], functions :: #{{atom(), arity()} => [term()]}, records :: [{atom(), [atom()]}]
}).

%% @doc Compares what runs with what is to run.
-spec between(module(), up | down, Runs :: binary(), ToRun :: binary()) -> verdict().
between(Module, up, Runs, ToRun) -> compare(Module, Runs, ToRun);
between(Module, down, Runs, ToRun) -> compare(Module, ToRun, Runs).

%% @doc Compares the older and the newer version of a module.
-spec compare(module(), Older :: binary(), Newer :: binary()) -> verdict().
compare(Module, Older, Newer) ->
    case {read(Module, Older), read(Module, Newer)} of
        {#module{} = Old, #module{} = New} -> compare(kind(Old), kind(New), Old, New);
        _ -> {other, no_debug_info}
    end.

%% @doc The records that a module knows, with their fields; none without debug information.
-spec records(module(), binary()) -> [{atom(), [atom()]}].
records(Module, Beam) ->
    case read(Module, Beam) of
        #module{records = Records} -> Records;
        none -> []
    end.

compare(special, _, _Old, _New) -> {other, special_process};
compare(_, special, _Old, _New) -> {other, special_process};
compare(Kind, Kind, Old, New) when Kind =/= none ->
    Function = {code_change, case Kind of statem -> 4; _ -> 3 end},
    Checks = [
        {code_change, is_identity(Function, New)},
        {code_change_of_older, not is_map_key(Function, Old#module.functions) orelse is_identity(Function, Old)},
        {records, Old#module.records =:= New#module.records},
        {callback_mode, mode(Old) =:= mode(New)}
    ],
    case lists:keyfind(false, 2, Checks) of
        {Reason, false} -> {other, Reason};
        false -> same
    end;
compare(_, _, _Old, _New) ->
    {other, behaviour}.

kind(#module{exports = Exports}) ->
    Kinds = [
        {{system_code_change, 4}, special},
        {{callback_mode, 0}, statem},
        {{handle_call, 3}, server},
        {{handle_event, 2}, event_handler}
    ],
    case [Kind || {Function, Kind} <- Kinds, lists:member(Function, Exports)] of
        [Kind | _] -> Kind;
        [] -> none
    end.

mode(#module{functions = Functions}) ->
    maps:get({callback_mode, 0}, Functions, none).

%% Every clause returns the state, and the last one takes anything.
is_identity({_, Arity} = Function, #module{functions = Functions, exports = Exports}) ->
    case Functions of
        #{Function := Clauses} ->
            lists:member(Function, Exports) andalso
                lists:all(fun(Clause) -> returns_state(Arity, Clause) end, Clauses) andalso
                takes_anything(lists:last(Clauses));
        #{} ->
            false
    end.

returns_state(Arity, {clause, _, Arguments, _Guards, [{tuple, _, [{atom, _, ok} | Returned]}]}) ->
    State = lists:sublist(Arguments, 2, Arity - 2),
    [Name || {var, _, Name} <- Returned, Name =/= '_'] =:= [Name || {var, _, Name} <- State] andalso
        length(Returned) =:= Arity - 2 andalso
        lists:all(fun(Term) -> element(1, Term) =:= var end, State ++ Returned);
returns_state(_Arity, _Clause) ->
    false.

takes_anything({clause, _, Arguments, [], _}) ->
    Names = [Name || {var, _, Name} <- Arguments],
    Named = [Name || Name <- Names, Name =/= '_'],
    length(Names) =:= length(Arguments) andalso lists:usort(Named) =:= lists:sort(Named);
takes_anything(_Clause) ->
    false.

read(Module, Beam) ->
    case forms(Module, Beam) of
        none ->
            none;
        Forms ->
            #module{
                exports = lists:append([Exports || {attribute, _, export, Exports} <- Forms]),
                functions = maps:from_list([
                    {{Name, Arity}, [erl_parse:map_anno(fun(_) -> 0 end, Clause) || Clause <- Clauses]}
                 || {function, _, Name, Arity, Clauses} <- Forms, lists:member(Name, [code_change, callback_mode])
                ]),
                records = lists:sort([
                    {Name, [field(Field) || Field <- Fields]}
                 || {attribute, _, record, {Name, Fields}} <- Forms
                ])
            }
    end.

field({typed_record_field, Field, _Type}) -> field(Field);
field(Field) -> element(3, element(3, Field)).

%% @doc The forms of a module, as its debug information has them. Those of Erlang are there as they are; other languages
%% bring the module that makes them.
-spec forms(module(), binary()) -> [term()] | none.
forms(Module, Beam) ->
    case beam_lib:chunks(Beam, [debug_info]) of
        {ok, {Module, [{debug_info, {debug_info_v1, erl_abstract_code, {Forms, _}}}]}} when is_list(Forms) ->
            Forms;
        {ok, {Module, [{debug_info, {debug_info_v1, Backend, Data}}]}} ->
            try Backend:debug_info(erlang_v1, Module, Data, []) of
                {ok, Forms} -> Forms;
                _ -> none
            catch
                _:_ -> none
            end;
        _ ->
            none
    end.
