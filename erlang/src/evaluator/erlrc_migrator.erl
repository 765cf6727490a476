%% @doc Migration modules: modules of the later version that convert the states of other modules, for both directions.
%%
%% A migration module is never loaded under its own name for that: whatever is loaded of it stays, and nobody comes to run
%% old code. It is loaded under a name of its own (`erlrc_engine:shadow/3'), for a trial or for an operation, before anybody
%% stands still, and unloaded at the end.
%%
%% A conversion by one is `{module, state | argument, Callback, {up | down, Earlier, Later}}'. `Callback' is
%% `{Migration, File}' in a script, and `{Migration, Name}' once it is loaded under that name.
-module(erlrc_migrator).

-export([for/2, call/3, load/1, unload/1, with_trial/2, may/2, callbacks/1, format_error/1]).
-export_type([conversion/0, way/0]).

-type way() :: {up | down, Earlier :: string(), Later :: string()}.
-type conversion() :: {module, state | argument, {module(), file:filename() | module()}, way()}.
-type use() :: trial | operation.
%% Whether it calls funs, or why it cannot be tried.
-type tried() :: {loaded, CallsFuns :: boolean()} | {skip, term()}.

-define(CALLBACK, {migrate, 5}).
-define(DEPTH, 20).

%% @doc The conversion by what is loaded for this use. Any other one as it is.
-spec for(use(), erlrc_conversion:conversion() | no) -> erlrc_conversion:conversion() | no.
for(Use, {module, Kept, {Migration, _File}, Way}) -> {module, Kept, {Migration, name(Use, Migration)}, Way};
for(_Use, Conversion) -> Conversion.

%% No use makes another atom for the same module.
name(trial, Migration) -> list_to_atom(atom_to_list(Migration) ++ "$migrating");
name(operation, Migration) -> list_to_atom(atom_to_list(Migration) ++ "$migration").

%% @doc What the migration module makes of a state or an argument.
-spec call(module(), conversion(), term()) -> {ok, term()} | {error, term()}.
call(Module, {module, _Kept, {Migration, Name}, {Way, Earlier, Later}}, State) when is_atom(Name) ->
    try Name:migrate(Way, Module, Earlier, Later, State) of
        {ok, New} -> {ok, New};
        unchanged -> {ok, State};
        Other -> failed(Migration, {bad_return, Other})
    catch
        Class:Reason:Stack -> failed(Migration, raised({Class, Reason, Stack}, {Migration, Name}, {Way, Module, Earlier, Later}))
    end.

failed(Migration, Why) -> {error, {migration_failed, Migration, Why}}.

raised({error, function_clause, [{Name, migrate, [_, _, _, _, _], _} | _]}, {_Migration, Name}, {Way, Module, Earlier, Later}) ->
    {no_clause, Way, Module, Earlier, Later};
raised({Class, Reason, Stack}, {Migration, Name}, _Call) ->
    {Class, Reason, [shown(Frame, Migration, Name) || Frame <- lists:sublist(Stack, 2)]}.

%% Arguments in a stack may be whole states.
shown({Module, Function, Arguments, _}, Migration, Name) ->
    Arity = case Arguments of [_ | _] -> length(Arguments); [] -> 0; _ -> Arguments end,
    {case Module of Name -> Migration; _ -> Module end, Function, Arity}.

%% @doc Loads what the changes of these batches call, for an operation; notes it.
-spec load([erlrc_segment:batch()]) -> ok | {error, term()}.
load(Batches) ->
    Callbacks = lists:usort(lists:append([callbacks(Batch) || Batch <- Batches])),
    _ = [erlrc_journal:note({migrators, [name(operation, Migration) || {Migration, _} <- Callbacks]}) || Callbacks =/= []],
    load_all(Callbacks).

load_all([]) ->
    ok;
load_all([{Migration, _} = Callback | Callbacks]) ->
    case load(operation, Callback) of
        {ok, _} -> load_all(Callbacks);
        {error, Why} -> {error, {migration_not_loaded, Migration, Why}}
    end.

%% @doc The migration modules that a batch calls, with their files.
-spec callbacks(erlrc_segment:batch()) -> [{module(), file:filename()}].
callbacks(#{before := Before, 'after' := After}) ->
    Parts = [erlrc_conversion:parts(vsn(Mode), Extra) || {_, Mode, Extra} <- Before ++ After],
    [Callback || {{module, _, Callback, _}, _} <- Parts].

vsn(up) -> undefined;
vsn(down) -> {down, undefined}.

load(Use, {Migration, File}) ->
    Name = name(Use, Migration),
    case erlrc_engine:shadow(File, Name, [?CALLBACK]) of
        {ok, {Beam, [Effects]}} ->
            _ = code:soft_purge(Name),
            case code:load_binary(Name, File, Beam) of
                {module, Name} -> {ok, Effects};
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc Unloads what the entries of a journal say that an operation has loaded. Where a state holds a fun of it, it stays
%% until nobody does.
-spec unload([term()]) -> ok.
unload(Entries) ->
    case [Name || {migrators, Names} <- Entries, Name <- Names, erlang:module_loaded(Name)] of
        [] ->
            ok;
        Names ->
            _ = [code:soft_purge(Name) andalso code:delete(Name) || Name <- Names],
            Free = [Name || Name <- erlrc_old_code:may_go(Names), code:soft_purge(Name)],
            erlrc_purge:schedule(Names -- Free, 0)
    end.

%% @doc Calls a function with what migration modules are for a trial: loaded, with what their `migrate/5' does to others,
%% or why it cannot be tried. They are unloaded afterwards.
-spec with_trial([erlrc_conversion:conversion() | no], fun((#{module() => tried()}) -> Result)) -> Result.
with_trial(Conversions, Fun) ->
    Callbacks = lists:usort([Callback || {module, _, Callback, _} <- Conversions]),
    Tried = maps:from_list([{Migration, tried(Callback)} || {Migration, _} = Callback <- Callbacks]),
    try
        Fun(Tried)
    after
        [erlrc_trial:forget(name(trial, Migration)) || Migration <- maps:keys(Tried)]
    end.

%% @doc Whether a conversion may be tried, as {@link with_trial/2} has it.
-spec may(erlrc_conversion:conversion() | no, #{module() => tried()}) -> tried().
may({module, _Kept, {Migration, _}, _Way}, Tried) -> maps:get(Migration, Tried);
may(_Conversion, _Tried) -> {loaded, false}.

tried(Callback) ->
    case load(trial, Callback) of
        {ok, #{effects := [], calls_funs := CallsFuns}} -> {loaded, CallsFuns};
        {ok, #{effects := Effects}} -> {skip, {has_effects, Effects}};
        {ok, not_exported} -> {skip, not_exported};
        {error, Why} -> {skip, Why}
    end.

%% @doc What a migration module did wrong, after its name.
-spec format_error(term()) -> iodata().
format_error({bad_return, Value}) ->
    io_lib:format("returned ~0tP, which is neither {ok, State} nor unchanged", [Value, ?DEPTH]);
format_error({no_clause, Way, Module, Earlier, Later}) ->
    io_lib:format("has no clause for the way ~ts of ~ts between ~ts and ~ts that takes this state", [Way, Module, Earlier, Later]);
format_error({Class, Reason, Stack}) ->
    At = [io_lib:format(" in ~ts:~ts/~w", [M, F, A]) || {M, F, A} <- lists:sublist(Stack, 1)],
    io_lib:format("failed with ~ts:~0tP~ts", [Class, Reason, ?DEPTH, At]).
