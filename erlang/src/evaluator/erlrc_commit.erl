%% @doc The change of code: all modules of a batch in one `code:finish_loading/1', and the same way back.
%%
%% Finishing a prepared handle twice crashes the code server and with it the node. A handle therefore carries a lock
%% that is taken once; after that the same code is prepared anew.
-module(erlrc_commit).

-export([handle/1, modules/1, beams/1, divide/2, switch/2, make_room/2, is_switched/1]).
-export([path_change/1, path/1, path_back/2, set_path/1]).
-export_type([handle/0, path_change/0]).

-opaque handle() :: #{
    lock := atomics:atomics_ref(),
    prepared := [term()],
    items := [erlrc_prepare:item()]
}.
-opaque path_change() :: #{
    pairs := [erlrc_sides:pair(), ...],
    before := [file:filename()],
    expected := [file:filename()],
    %% How the directory of each pair gets its place.
    ways := [replace | add, ...]
}.

-type options() :: #{force => boolean(), old_code => erlrc_old_code:policy(), protected => [pid()], patience => timeout(), wait_for => everybody}.

%% @doc A handle over modules prepared one by one.
-spec handle([{erlrc_prepare:item(), code:prepared_code() | none}]) -> handle().
handle(Prepared) ->
    #{
        lock => atomics:new(1, []),
        prepared => [Code || {_, Code} <- Prepared, Code =/= none],
        items => [Item || {Item, _} <- Prepared]
    }.

%% @doc The modules of a handle.
-spec modules(handle()) -> [module()].
modules(#{items := Items}) ->
    [Module || {Module, _, _, _} <- Items].

%% @doc What is to be loaded.
-spec beams(handle()) -> [binary()].
beams(#{items := Items}) ->
    [Beam || {_, _, Beam, _} <- Items].

%% @doc Divides a side: these modules, and the others. Takes the handle, as whoever finishes it does.
-spec divide(erlrc_prepare:side(), [module()]) -> {erlrc_prepare:side(), erlrc_prepare:side()}.
divide(#{handle := #{items := Items} = Handle, on_load := OnLoad, delete := Delete}, Modules) ->
    Known = maps:from_keys(Modules, []),
    IsFirst = fun(Module) -> is_map_key(Module, Known) end,
    Halves = lists:partition(fun({Item, _}) -> IsFirst(element(1, Item)) end, taken(Handle, Items)),
    {OnLoad1, OnLoad2} = lists:partition(fun(Item) -> IsFirst(element(1, Item)) end, OnLoad),
    {Delete1, Delete2} = lists:partition(IsFirst, Delete),
    {
        #{handle => handle(element(1, Halves)), on_load => OnLoad1, delete => Delete1},
        #{handle => handle(element(2, Halves)), on_load => OnLoad2, delete => Delete2}
    }.

%% What was prepared, for the first that asks; later ones find nothing, which has it prepared anew.
taken(#{lock := Lock, prepared := Prepared}, Items) ->
    case atomics:compare_exchange(Lock, 1, 0, 1) of
        ok -> lists:zip(Items, Prepared);
        _ -> [{Item, none} || Item <- Items]
    end.

%% @doc Makes the code of a side current. Modules that run code when they are loaded come first, one by one, because
%% they can fail. With `force' also when it looks as if it were current. Answers the processes that had to be killed.
-spec switch(erlrc_prepare:side(), options()) -> {ok, Killed :: [erlrc_old_code:killed()]} | {error, term()}.
switch(#{handle := Handle, on_load := OnLoad, delete := Delete}, Options) ->
    try
        Killed1 = lists:append([load(Item, Options) || Item <- OnLoad]),
        Killed2 = finish_if_needed(Handle, Options),
        Killed3 = lists:append([delete(Module, Options) || Module <- Delete]),
        {ok, Killed1 ++ Killed2 ++ Killed3}
    catch
        throw:{error, _} = Error -> Error
    end.

%% @doc Purges what stands in the way of a side, as `switch/2' would. Where that cannot be done it is for `switch/2' to say.
-spec make_room(erlrc_prepare:side(), options()) -> Killed :: [erlrc_old_code:killed()].
make_room(#{handle := Handle}, Options) ->
    try
        lists:append([purge(Module, Options) || Module <- modules(Handle), erlang:check_old_code(Module)])
    catch
        throw:{error, _} -> []
    end.

%% @doc Whether the code of a side is what is loaded. Waits for the code server to be through with earlier requests.
-spec is_switched(erlrc_prepare:side()) -> boolean().
is_switched(#{handle := #{items := Items}, on_load := OnLoad, delete := Delete}) ->
    _ = code:get_path(),
    lists:all(fun is_current/1, Items ++ OnLoad) andalso
        not lists:any(fun erlang:module_loaded/1, Delete).

is_current({Module, _, _, Md5}) ->
    erlang:module_loaded(Module) andalso erlang:get_module_info(Module, md5) =:= Md5.

load({Module, File, Beam, _} = Item, Options) ->
    case not maps:get(force, Options, false) andalso is_current(Item) of
        true ->
            [];
        false ->
            Killed = purge(Module, Options),
            case code:load_binary(Module, File, Beam) of
                {module, Module} -> Killed;
                {error, Why} -> throw({error, {load_failed, Module, Why}})
            end
    end.

finish_if_needed(#{items := []}, _Options) ->
    [];
finish_if_needed(#{items := Items} = Handle, Options) ->
    case not maps:get(force, Options, false) andalso lists:all(fun is_current/1, Items) of
        true -> [];
        false -> finish(take(Handle), Options)
    end.

%% A process may have come to run old code since the purge: purge and try once more. Nothing is loaded after an error,
%% the handle is still good.
finish(Prepared, Options) ->
    case code:finish_loading(Prepared) of
        ok ->
            [];
        {error, [{_, not_purged} | _] = Errors} ->
            Killed = lists:append([purge(Module, Options) || {Module, not_purged} <- Errors]),
            case code:finish_loading(Prepared) of
                ok -> Killed;
                {error, Again} -> not_loaded(Again)
            end;
        {error, Errors} ->
            not_loaded(Errors)
    end.

-spec not_loaded([{module(), term()}, ...]) -> no_return().
not_loaded([{Module, Why} | _]) ->
    throw({error, {load_failed, Module, Why}}).

%% The one place where a handle is used.
take(#{lock := Lock, prepared := Prepared, items := Items}) ->
    case atomics:compare_exchange(Lock, 1, 0, 1) of
        ok -> join(Prepared, Items);
        _ -> prepare(Items)
    end.

%% The documented way prepares all modules at once; what it answers has had one shape since OTP 19.
join(Prepared, Items) ->
    try lists:append([List || {'$prepared$', List} <- Prepared]) of
        List when length(List) =:= length(Items) -> {'$prepared$', List};
        _ -> prepare(Items)
    catch
        error:_ -> prepare(Items)
    end.

prepare(Items) ->
    case code:prepare_loading([{Module, File, Beam} || {Module, File, Beam, _} <- Items]) of
        {ok, Prepared} -> Prepared;
        {error, [{Module, Why} | _]} -> throw({error, {load_failed, Module, Why}})
    end.

delete(Module, Options) ->
    case erlang:module_loaded(Module) of
        true ->
            Killed = purge(Module, Options),
            true = code:delete(Module),
            Killed;
        false ->
            []
    end.

%% Old code has to go before anything can become old.
purge(Module, Options) ->
    case erlrc_old_code:purge(Module, Options) of
        {ok, Killed} -> Killed;
        {error, _} = Error -> throw(Error)
    end.

%% @doc How the code path changes so that the ebin directory `To' of each application stands where its own stands now.
-spec path_change([erlrc_sides:pair(), ...]) -> path_change().
path_change(Pairs) ->
    Before = code:get_path(),
    {Expected, Ways} = lists:foldl(fun place/2, {Before, []}, Pairs),
    #{pairs => Pairs, before => Before, expected => Expected, ways => lists:reverse(Ways)}.

%% The path holds directories as they were given, archives and "." among them.
place({_App, From, To}, {Before, Ways}) ->
    Wanted = [erlrc_code_path:absolute(From), erlrc_code_path:absolute(To)],
    Elsewhere = fun(Dir) -> not lists:member(erlrc_code_path:absolute(Dir), Wanted) end,
    {Head, Tail} = lists:splitwith(Elsewhere, Before),
    {Head ++ [To | lists:filter(Elsewhere, Tail)], [case Tail of [] -> add; _ -> replace end | Ways]}.

%% @doc Changes the code path. The code server looks at every directory when the whole path is set, each time by way of
%% another thread, for which everybody in the window waits; at one when one is replaced. But it replaces by name, and the
%% name may be another's or stand there twice.
-spec path(path_change()) -> ok.
path(#{pairs := Pairs, before := Before, expected := Expected, ways := Ways}) ->
    case code:get_path() of
        Before ->
            _ = [put_in(Way, Pair) || {Way, Pair} <- lists:zip(Ways, Pairs)],
            ok = set_path(Expected);
        _ChangedSince ->
            path(path_change(Pairs))
    end.

put_in(add, {_App, _From, To}) -> code:add_pathz(To);
put_in(replace, {App, _From, To}) -> code:replace_path(App, To).

%% @doc The way back of `path/1', to what the path was.
-spec path_back(path_change(), [file:filename()]) -> ok | {error, term()}.
path_back(#{pairs := Pairs, expected := Expected, ways := Ways}, Path) ->
    _ = code:get_path() =:= Expected andalso Expected =/= Path andalso
        [put_back(Way, Pair) || {Way, Pair} <- lists:zip(Ways, Pairs)],
    set_path(Path).

put_back(add, {_App, _From, To}) -> code:del_path(To);
put_back(replace, {App, From, _To}) -> code:replace_path(App, From).

%% @doc Makes the code path what it was.
-spec set_path([file:filename()]) -> ok | {error, term()}.
set_path(Path) ->
    case code:get_path() of
        Path ->
            ok;
        _ ->
            case code:set_path(Path) of
                true -> ok;
                {error, bad_directory} -> set_what_is_left(Path)
            end
    end.

%% Of an application that waits for a restart the directory is gone. Nothing is loaded from there any more.
set_what_is_left(Path) ->
    Left = [Dir || Dir <- Path, erl_prim_loader:read_file_info(Dir) =/= error],
    case code:set_path(Left) of
        true -> ok;
        Error -> Error
    end.
