%% @doc Searches a term for references to code: funs of modules that are removed or replaced, names of files that are
%% removed, records of a size, or structs with keys, that the new code does not know, and names of functions that it does
%% not have. The number of terms that are visited is bounded.
-module(erlrc_look).

-export([wanted/2, wanted/3, wanted/1, outdated/1, naming/2]).
-export([new/1, at/3, found/1, records/1, names/1, may_hold_funs/1, is_complete/1]).
-export_type([wanted/0, seen/0, records/0, shape/0, functions/0]).

%% A struct is one of Elixir's: a map that names its module. Another map is known by its keys, sorted.
-type shape() :: {Name :: atom(), Size :: pos_integer()} | {struct, module()} | {map, Keys :: [atom()]}.
-type records() :: #{
    {atom(), pos_integer()} => {module(), NewSize :: pos_integer()},
    {struct, module()} => {Keys :: [atom()], NewKeys :: [atom()]},
    {map, [atom()]} => {module(), NewKeys :: [atom()]}
}.
%% Functions by module.
-type functions() :: #{module() => [{Name :: atom(), arity()}]}.

-record(wanted, {
    modules :: #{module() => any | {but, Md5 :: binary()}},
    directory = none :: none | binary(),
    records = #{} :: records(),
    %% Of the maps among them.
    sizes = #{} :: #{non_neg_integer() => []},
    functions = #{} :: functions()
}).
-record(seen, {
    left :: integer(),
    any_fun = false :: boolean(),
    funs = [] :: [{module(), Name :: atom()}],
    path = false :: boolean(),
    records = [] :: [shape()],
    names = [] :: [{module(), Name :: atom()}]
}).
-opaque wanted() :: #wanted{}.
-opaque seen() :: #seen{}.

%% @doc A search for funs of these modules and names of files with this prefix.
-spec wanted([module()], file:filename()) -> wanted().
wanted(Modules, Directory) ->
    #wanted{modules = maps:from_keys(Modules, any), directory = unicode:characters_to_binary(Directory)}.

%% @doc A search for funs of these modules that do not belong to the current code.
-spec outdated([module()]) -> wanted().
outdated(Modules) ->
    #wanted{modules = maps:from_list([{Module, current(Module)} || Module <- Modules])}.

current(Module) ->
    case erlang:module_loaded(Module) of
        true -> {but, erlang:get_module_info(Module, md5)};
        false -> any
    end.

%% @doc The same, and for records with these names and sizes.
-spec wanted([module()], file:filename(), records()) -> wanted().
wanted(Modules, Directory, Records) ->
    (wanted(Modules, Directory))#wanted{records = Records, sizes = sizes(Records)}.

%% @doc Records of these names and sizes, and nothing else.
-spec wanted(records()) -> wanted().
wanted(Records) when is_map(Records) ->
    #wanted{modules = #{}, records = Records, sizes = sizes(Records)}.

sizes(Records) ->
    maps:from_keys([length(Keys) || {map, Keys} <- maps:keys(Records), is_list(Keys)], []).

%% @doc The same search, and for tuples that may name one of these functions: `{Module, Function}', alone or with an arity or
%% arguments.
-spec naming(functions(), wanted()) -> wanted().
naming(Functions, Wanted) ->
    Wanted#wanted{functions = Functions}.

%% @doc A search that has found nothing yet and may visit this many terms.
-spec new(pos_integer()) -> seen().
new(Left) ->
    #seen{left = Left}.

%% @doc The funs, and whether the name of a file was found.
-spec found(seen()) -> {[{module(), Name :: atom()}], boolean()}.
found(#seen{funs = Funs, path = Path}) ->
    {Funs, Path}.

%% @doc The records.
-spec records(seen()) -> [shape()].
records(#seen{records = Records}) ->
    Records.

%% @doc The functions that may be named.
-spec names(seen()) -> [{module(), Name :: atom()}].
names(#seen{names = Names}) ->
    Names.

%% @doc Whether there may be a fun of any module; terms that were not visited may hold some.
-spec may_hold_funs(seen()) -> boolean().
may_hold_funs(#seen{any_fun = AnyFun} = Seen) ->
    AnyFun orelse not is_complete(Seen).

%% @doc Whether everything was visited.
-spec is_complete(seen()) -> boolean().
is_complete(#seen{left = Left}) ->
    Left > 0.

%% @doc Visits a term and everything in it.
-spec at(term(), wanted(), seen()) -> seen().
at(_Term, _Wanted, #seen{left = Left} = Seen) when Left =< 0 ->
    Seen;
at(Fun, #wanted{modules = Modules}, #seen{funs = Funs} = Seen) when is_function(Fun) ->
    {module, Module} = erlang:fun_info(Fun, module),
    Local = erlang:fun_info(Fun, type) =:= {type, local},
    Names = [{Module, element(2, erlang:fun_info(Fun, name))} || Local, is_wanted(Fun, maps:get(Module, Modules, none))],
    step(Seen#seen{any_fun = true, funs = Names ++ Funs});
at(Binary, #wanted{directory = Directory}, #seen{path = Path} = Seen) when is_binary(Binary), Directory =/= none ->
    step(Seen#seen{path = Path orelse erlrc_bytes:starts_with(Binary, Directory)});
at([Head | _] = List, #wanted{directory = Directory} = Wanted, Seen) when is_integer(Head), Directory =/= none ->
    string(List, Wanted, Seen);
at([Head | Tail], Wanted, Seen) ->
    at(Tail, Wanted, at(Head, Wanted, step(Seen)));
at(Tuple, Wanted, Seen) when is_tuple(Tuple) ->
    all(tuple_to_list(Tuple), Wanted, step(tuple(Tuple, Wanted, Seen)));
at(Map, Wanted, #seen{left = Left, records = Found} = Seen) when is_map(Map), map_size(Map) =< Left ->
    Records = lists:usort(struct(Map, Wanted) ++ Found),
    all(lists:append([[Key, Value] || {Key, Value} <- maps:to_list(Map)]), Wanted, step(Seen#seen{records = Records}));
at(Map, _Wanted, Seen) when is_map(Map) ->
    Seen#seen{left = 0};
at(_Term, _Wanted, Seen) ->
    step(Seen).

tuple(Tuple, #wanted{records = Records}, #seen{records = Found} = Seen) when
    is_map_key({element(1, Tuple), tuple_size(Tuple)}, Records)
->
    Seen#seen{records = lists:usort([{element(1, Tuple), tuple_size(Tuple)} | Found])};
tuple(Tuple, #wanted{functions = Functions}, #seen{names = Found} = Seen) when is_map_key(element(1, Tuple), Functions) ->
    [Module | More] = tuple_to_list(Tuple),
    Seen#seen{names = lists:usort([{Module, Name} || Name <- named(More, maps:get(Module, Functions))] ++ Found)};
tuple(_Tuple, _Wanted, Seen) ->
    Seen.

named([Name], Functions) -> [Name || lists:keymember(Name, 1, Functions)];
named([Name, Arity], Functions) when is_integer(Arity) -> [Name || lists:member({Name, Arity}, Functions)];
named([Name, [_ | _] = Arguments], Functions) -> named([Name, arity(Arguments)], Functions);
named([Name, []], Functions) -> named([Name, 0], Functions);
named(_More, _Functions) -> [].

%% A function has no more than 255 arguments, and an improper list is none.
arity(List) -> arity(List, 0).

arity([], Length) -> Length;
arity([_ | Rest], Length) when Length < 255 -> arity(Rest, Length + 1);
arity(_Other, _Length) -> -1.

struct(#{'__struct__' := Module} = Map, #wanted{records = Records}) when is_map_key({struct, Module}, Records) ->
    #{{struct, Module} := {Keys, _}} = Records,
    [{struct, Module} || lists:sort(maps:keys(Map)) =:= Keys];
struct(Map, #wanted{records = Records, sizes = Sizes}) when is_map_key(map_size(Map), Sizes) ->
    Keys = lists:sort(maps:keys(Map)),
    [{map, Keys} || is_map_key({map, Keys}, Records)];
struct(_Map, _Wanted) ->
    [].

is_wanted(_Fun, none) -> false;
is_wanted(_Fun, any) -> true;
is_wanted(Fun, {but, Md5}) -> erlang:fun_info(Fun, new_uniq) =/= {new_uniq, Md5}.

all(Terms, Wanted, Seen) ->
    lists:foldl(fun(Term, Acc) -> at(Term, Wanted, Acc) end, Seen, Terms).

step(#seen{left = Left} = Seen) ->
    Seen#seen{left = Left - 1}.

string(List, #wanted{directory = Directory} = Wanted, Seen) ->
    case is_prefix(binary_to_list(Directory), List) of
        true -> step(Seen#seen{path = true});
        false -> at(tl(List), Wanted, step(Seen))
    end.

is_prefix([], _) -> true;
is_prefix([Byte | Bytes], [Byte | List]) -> is_prefix(Bytes, List);
is_prefix(_, _) -> false.
