%% @doc The batches of a script with the code that they load, read and checked while everything runs.
-module(erlrc_batches).

-export([prepare/2, unpurged/2, deleted/1]).

%% @doc The segments, each batch with its code and the operation's own modules taken out of it; the code of these is apart,
%% `none' where it has none. Throws `{refused, Why}'.
-spec prepare([erlrc_segment:segment()], map()) -> {[term()], none | erlrc_prepare:code()}.
prepare(Segments, #{options := Options, own := Own0} = Context) ->
    Prepare = (maps:with([sides, protected, purge], Context))#{
        suspend => maps:get(suspend, Options, needed),
        old_code => maps:get(old_code, Options, wait)
    },
    Own = #{load := OwnLoads, remove := OwnRemoves} = own(Segments, Own0),
    Prepared = [prepare_segment(Segment, Own, Prepare) || Segment <- Segments],
    OwnCode =
        case {OwnLoads, OwnRemoves} of
            {[], []} -> none;
            _ -> prepare_batch(maps:merge(empty_batch(), Own), Prepare)
        end,
    {Prepared, OwnCode}.

own(Segments, Own) ->
    maps:from_list([{Key, own(Key, Segments, Own)} || Key <- [load, remove]]).

own(Key, Segments, Own) ->
    [
        Step
     || {batch, #{Key := Steps} = Batch} <- Segments,
        {Module, _, _} = Step <- Steps,
        lists:member(Module, Own),
        not is_suspended(Module, Batch)
    ].

is_suspended(Module, #{suspend := Suspend, before := Before, 'after' := After}) ->
    lists:any(fun(List) -> lists:keymember(Module, 1, List) end, [Suspend, Before, After]).

empty_batch() ->
    #{suspend => [], before => [], 'after' => [], load => [], remove => []}.

prepare_segment({batch, #{load := Loads, remove := Removes} = Batch0}, #{load := OwnLoads, remove := OwnRemoves}, Options) ->
    Batch = Batch0#{load := Loads -- OwnLoads, remove := Removes -- OwnRemoves},
    #{shapes := Shapes} = Code = prepare_batch(Batch, Options),
    ok = note_shapes(Shapes),
    {batch, erlrc_segment:without([Module || {Module, same} <- maps:to_list(Shapes)], Batch), Code};
prepare_segment(Segment, _Own, _Options) ->
    Segment.

note_shapes(Shapes) when map_size(Shapes) =:= 0 ->
    ok;
note_shapes(Shapes) ->
    ok = erlrc_journal:note({shapes, Shapes}),
    erlrc_journal:log(info, #{event => shapes, shapes => Shapes}).

prepare_batch(Batch, Options) ->
    case erlrc_journal:timed(prepare, fun() -> erlrc_prepare:prepare(Batch, Options) end) of
        {ok, #{no_way_back := Missing} = Code} ->
            Missing =:= [] orelse erlrc_journal:log(warning, #{event => no_way_back, modules => Missing}),
            erlrc_journal:note({modules, loads(Code)}),
            Code;
        {error, Why} ->
            throw({refused, Why})
    end.

loads(#{new := #{handle := Handle, on_load := OnLoad}}) ->
    length(erlrc_commit:modules(Handle)) + length(OnLoad).

%% @doc The modules that are to be deleted at the end, when nothing runs them any more.
-spec deleted([erlrc_segment:segment()]) -> [module()].
deleted(Segments) ->
    Batches = [Batch || {batch, Batch} <- Segments],
    Loaded = [Module || #{load := Loads} <- Batches, {Module, _, _} <- Loads],
    lists:usort([Module || #{remove := Removes} <- Batches, {Module, _, _} <- Removes] -- Loaded).

%% @doc The modules that will have old code.
-spec unpurged([term()], none | erlrc_prepare:code()) -> [module()].
unpurged(Segments, Own) ->
    Codes = [Code || {batch, _, Code} <- Segments] ++ [Own || is_map(Own)],
    lists:usort(lists:append([replaced(Code) || Code <- Codes])).

replaced(#{old := #{handle := Handle, on_load := OnLoad}, no_way_back := Missing}) ->
    erlrc_commit:modules(Handle) ++ [element(1, Item) || Item <- OnLoad] ++ Missing.
