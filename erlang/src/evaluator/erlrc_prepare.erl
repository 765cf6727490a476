%% @doc Reads, checks and prepares the code of a batch, the new and the old, while everything runs.
%%
%% What would fail later fails here, with nothing changed: missing and broken files, code for another OTP, sticky
%% directories, processes in code that has to be purged softly. The old files are taken only if they are what is
%% loaded; a module for which they are not to be had is named in `no_way_back'.
-module(erlrc_prepare).

-export([prepare/2, vsns/2, features/1]).
-export_type([code/0, side/0, item/0]).

-type item() :: {module(), file:filename(), binary(), Md5 :: binary()}.
%% One side of a batch. `own': modules on the stack of the operation itself, for its last commit.
-type side() :: #{
    handle := erlrc_commit:handle(),
    on_load := [item()],
    delete := [module()]
}.
-type code() :: #{
    new := side(),
    old := side(),
    vsns := #{module() => {From :: term(), To :: term()}},
    no_way_back := [module()],
    skipped := [module()],
    %% Of the modules whose processes the script suspends: whether their states are the same in both versions.
    shapes := #{module() => erlrc_shape:verdict()},
    %% Modules whose processes change their state, and all that know of them or that they know of.
    together := [module()]
}.

%% @doc Prepares a batch, at low priority. Options: `sides' say where each module is, and of which what is loaded already may
%% be left out, for their instructions are generated, `old_code' and `protected' are those of {@link erlrc_old_code}, `purge' (false) says
%% that nothing is to be purged: it is only asked whether all would go well.
-spec prepare(erlrc_segment:batch(), map()) -> {ok, code()} | {error, term()}.
prepare(Batch, Options) ->
    Priority = process_flag(priority, low),
    try
        prepare_all(Batch, Options)
    catch
        throw:{error, _} = Error -> Error
    after
        process_flag(priority, Priority)
    end.

prepare_all(#{load := Loads, remove := Removes} = Batch, #{sides := Sides} = Options) ->
    Modules = [Module || {Module, _, _} <- Loads],
    ok = not_sticky(Modules ++ [Module || {Module, _, _} <- Removes]),
    Read = [read_new(Module, erlrc_sides:ebin(to, Module, Sides)) || Module <- Modules],
    {Skipped, New} = lists:partition(fun(Item) -> is_needless(Item, Sides) end, Read),
    Replaced = [element(1, Item) || Item <- New],
    ok = room(New),
    {Old, Missing} = read_old(Replaced, Sides),
    Absent = [element(1, Item) || Item <- New, not is_loaded(element(1, Item))],
    %% What is removed is deleted at the end of the operation.
    NewSide = side(New, []),
    ok = with_natives(New, NewSide),
    OldSide = side(Old, Absent),
    ok = purge([Entry || {Module, _, _} = Entry <- Loads, lists:member(Module, Replaced)] ++ Removes, Options),
    %% To read debug information makes atoms.
    Shapes = case erlrc_room:is_short() of true -> #{}; false -> shapes(Batch, New, Old, Options) end,
    {ok, #{
        new => NewSide,
        old => OldSide,
        vsns => maps:from_list([{element(1, Item), vsns(Item, loaded)} || Item <- Read]),
        no_way_back => Missing,
        skipped => Skipped,
        shapes => Shapes,
        together => together(Batch, Shapes, New ++ Old)
    }}.

%% A module whose processes are told something extra, or stand though nothing of theirs changes, is left to the script.
shapes(_Batch, _New, _Old, #{suspend := always}) ->
    #{};
shapes(#{before := Before, 'after' := After}, New, Old, _Options) ->
    maps:from_list([
        {Module, erlrc_shape:between(Module, Direction, OldBeam, NewBeam)}
     || {Module, Direction, []} <- Before ++ After,
        {_, _, NewBeam, _} <- [lists:keyfind(Module, 1, New)],
        {_, _, OldBeam, _} <- [lists:keyfind(Module, 1, Old)]
    ]).

together(#{before := Before, 'after' := After}, Shapes, Items) ->
    case [Module || {Module, _, _} <- Before ++ After, maps:get(Module, Shapes, other) =/= same] of
        [] -> [];
        Seeds -> erlrc_links:together(Seeds, [{Module, Beam} || {Module, _, Beam, _} <- Items])
    end.

room(Items) ->
    case erlrc_room:check([Beam || {_, _, Beam, _} <- Items]) of
        ok -> ok;
        {error, _} = Error -> throw(Error)
    end.

with_natives(Items, #{on_load := OnLoad}) ->
    case erlrc_natives:without(Items -- OnLoad) of
        none -> ok;
        Module -> throw({error, {natives_not_loaded, Module}})
    end.

not_sticky(Modules) ->
    case [Module || Module <- Modules, code:is_sticky(Module)] of
        [] -> ok;
        [Module | _] -> throw({error, {sticky_directory, Module}})
    end.

read_new(Module, Ebin) ->
    File = filename:join(Ebin, atom_to_list(Module) ++ code:objfile_extension()),
    case read(Module, File) of
        {ok, {_, _, Beam, _} = Item} ->
            case features(Beam) of
                ok -> Item;
                {error, Why} -> throw({error, {bad_module, Module, File, Why}})
            end;
        {error, Why} ->
            throw({error, {bad_module, Module, File, Why}})
    end.

%% @doc Whether the node would load it at its next start: `code:prepare_loading/1' of OTP 25 asks for no feature that it
%% was compiled with, and others of its functions do. Later releases load it whatever it was compiled with.
-spec features(binary()) -> ok | {error, {features_not_allowed, [atom()]}}.
features(Beam) ->
    {module, _} = code:ensure_loaded(erl_features),
    case erlang:function_exported(erl_features, load_allowed, 1) andalso erl_features:load_allowed(Beam) of
        {not_allowed, Features} -> {error, {features_not_allowed, Features}};
        _ -> ok
    end.

read(Module, File) ->
    case file:read_file(File) of
        {ok, Beam} ->
            case beam_lib:md5(Beam) of
                {ok, {Module, Md5}} -> {ok, {Module, File, Beam, Md5}};
                {ok, {Other, _}} -> {error, {contains, Other}};
                {error, beam_lib, Why} -> {error, beam_reason(Why)}
            end;
        {error, Posix} ->
            {error, Posix}
    end.

%% beam_lib repeats the whole binary in its reasons.
beam_reason(Why) ->
    case [Part || Part <- tuple_to_list(Why), is_atom(Part)] of
        [Tag] -> Tag;
        Tags -> list_to_tuple(Tags)
    end.

is_needless({Module, _, _, _} = Item, Sides) ->
    erlrc_sides:is_generated(Module, Sides) andalso is_same(Item).

is_same({Module, _, Beam, Md5}) ->
    is_loaded(Module) andalso
        erlang:get_module_info(Module, md5) =:= Md5 andalso
        attributes(Beam) =:= lists:sort(erlang:get_module_info(Module, attributes)).

attributes(Beam) ->
    case beam_lib:chunks(Beam, [attributes]) of
        {ok, {_, [{attributes, Attributes}]}} -> lists:sort(Attributes);
        {error, _, _} -> []
    end.

is_loaded(Module) ->
    erlang:module_loaded(Module).

read_old(Modules, Sides) ->
    lists:foldl(
        fun(Module, {Items, Missing}) ->
            case is_loaded(Module) andalso find_old(Module, erlrc_sides:ebin(from, Module, Sides)) of
                false -> {Items, Missing};
                {ok, Item} -> {[Item | Items], Missing};
                error -> {Items, [Module | Missing]}
            end
        end,
        {[], []},
        lists:reverse(Modules)
    ).

find_old(Module, Ebin) ->
    Loaded = erlang:get_module_info(Module, md5),
    Name = atom_to_list(Module) ++ code:objfile_extension(),
    find_old(Module, Loaded, [File || File <- [code:which(Module), filename:join(Ebin, Name)], is_list(File)]).

find_old(_Module, _Md5, []) ->
    error;
find_old(Module, Md5, [File | Files]) ->
    case read(Module, File) of
        {ok, {_, _, _, Md5} = Item} -> {ok, Item};
        _ -> find_old(Module, Md5, Files)
    end.

side(Items, Delete) ->
    {OnLoad, Plain} = lists:foldr(fun sort_item/2, {[], []}, Items),
    #{handle => erlrc_commit:handle(Plain), on_load => OnLoad, delete => Delete}.

%% One module at a time: `code:prepare_loading/1' takes a process per module and would fill every scheduler.
sort_item({Module, File, Beam, _} = Item, {OnLoad, Plain}) ->
    case code:prepare_loading([{Module, File, Beam}]) of
        {ok, Prepared} -> {OnLoad, [{Item, Prepared} | Plain]};
        {error, [{_, on_load_not_allowed}]} -> {[Item | OnLoad], Plain};
        {error, [{_, Why}]} -> throw({error, {bad_module, Module, File, Why}})
    end.

%% What earlier upgrades left.
purge(Entries, #{purge := false} = Options) ->
    case erlrc_old_code:check(Entries, Options) of
        ok -> ok;
        Error -> throw(Error)
    end;
purge(Entries, Options) ->
    case erlrc_old_code:make_room(Entries, Options) of
        {ok, Killed} -> erlrc_journal:killed(Killed);
        Error -> throw(Error)
    end.

%% @doc The versions that `code_change' is told: the one that is loaded and the one of the file.
-spec vsns(item(), loaded) -> {term(), term()}.
vsns({Module, _, Beam, _}, loaded) ->
    From =
        case is_loaded(Module) of
            true -> vsn(proplists:get_value(vsn, erlang:get_module_info(Module, attributes)));
            false -> undefined
        end,
    To =
        case beam_lib:version(Beam) of
            {ok, {_, Vsn}} -> vsn(Vsn);
            {error, _, _} -> undefined
        end,
    {From, To}.

%% As `release_handler_1' has it: a string as it is, any other single term without its list. What is a string says
%% `misc_supp:is_string/1' of OTP: its characters are from 32 to 255.
vsn([Vsn]) when not is_integer(Vsn); Vsn < 32; Vsn > 255 -> Vsn;
vsn(Vsn) -> Vsn.
