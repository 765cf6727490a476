%% @doc What file:consult/1 says about files, for terms_oracle.rs to compare with.
%%
%% A file may have one beside it, of the same name and `.etf`, with a term in the external format, which
%% is then the first of its terms. Writes one record for each file: its path and what is in it, in the external format, each after its
%% length.
-module(terms_oracle).

-export([main/1]).

-spec main([string()]) -> no_return().
main([Out | Rest]) ->
    Files =
        case Rest of
            [List] ->
                {ok, Binary} = file:read_file(List),
                [unicode:characters_to_list(F) || F <- binary:split(Binary, <<"\n">>, [global, trim])];
            [] ->
                installed()
        end,
    {ok, Device} = file:open(Out, [write, raw, delayed_write]),
    lists:foreach(fun(File) -> record(Device, File) end, Files),
    ok = file:close(Device),
    halt(0).

installed() ->
    Patterns = ["lib/**/*.{app,appup}", "releases/**/*.{rel,app}"],
    lists:usort(lists:append([filelib:wildcard(filename:join(code:root_dir(), P)) || P <- Patterns])).

record(Device, File) ->
    %% The scanner of OTP 28 and later crashes on some floats.
    Result =
        try file:consult(File) of
            {ok, Terms} -> {ok, external(File) ++ Terms};
            {error, _} -> error
        catch
            _:_ -> error
        end,
    Path = unicode:characters_to_binary(File),
    Term = term_to_binary(Result),
    ok = file:write(Device, [<<(byte_size(Path)):32>>, Path, <<(byte_size(Term)):32>>, Term]).

external(File) ->
    case file:read_file(File ++ ".etf") of
        {ok, Binary} -> [binary_to_term(Binary)];
        {error, enoent} -> []
    end.
