%% @doc The keys of a struct of Elixir, from the literals of its module: no code is run, and debug information is not
%% needed.
-module(erlrc_struct).

-export([keys/2]).

%% Bytes of all literals of a module.
-define(MOST, 16#1000000).

%% @doc The keys of the struct that the module in this file defines, sorted.
-spec keys(module(), file:filename()) -> {ok, [atom()]} | none.
keys(Module, File) ->
    case erlrc_bytes:chunks(File, [exports, "LitT"]) of
        {ok, {Module, [{exports, Exports}, {"LitT", Chunk}]}} ->
            case lists:member({'__struct__', 0}, Exports) of
                true -> largest([lists:sort(maps:keys(Map)) || Map <- structs(Module, literals(Chunk))]);
                false -> none
            end;
        _ ->
            none
    end.

%% Default values that are no constants are put into one that lacks them.
largest([]) -> none;
largest(All) ->
    {_, Keys} = lists:max([{length(Each), Each} || Each <- All]),
    {ok, Keys}.

structs(Module, Literals) ->
    [Map || #{'__struct__' := Name} = Map <- Literals, Name =:= Module].

%% The number of them, then each after its size. The whole is compressed, but of later releases, which say 0 then.
literals(Chunk) ->
    case erlrc_bytes:number(Chunk, 0, 4) of
        {ok, 0} -> terms(erlrc_bytes:rest(Chunk, 4));
        {ok, Size} when Size =< ?MOST -> terms(zlib:uncompress(erlrc_bytes:rest(Chunk, 4)));
        _ -> []
    end.

terms(Bytes) ->
    [Term || Block <- erlrc_bytes:blocks(erlrc_bytes:rest(Bytes, 4), 4), {ok, Term} <- [term(Block)]].

term(Block) ->
    try
        {ok, binary_to_term(Block)}
    catch
        error:badarg -> none
    end.
