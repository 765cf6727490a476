%% @doc The frames of the node's socket as terms: decodes requests and encodes answers. A frame creates no atoms that
%% the node does not already have.
%%
%% Keys of a request are binaries. The hook protocol requires that unknown keys are ignored, but an unknown atom would
%% make the whole frame unreadable.
-module(erlrc_frame).

-export([decode/1, encode/1]).
-export_type([request/0]).

-type request() ::
    {request, erlrc_hook:request()}
    | {call, {module(), atom(), [term()]}, user | caller}
    | {error, {bad_frame, atom()}}
    | {undefined, binary(), binary()}.

%% The most changes that one request may have.
-define(CHANGES, 10000).

%% @doc Decodes a frame. `call' is a call of any function: a client that may use the socket may do all that the node
%% may.
-spec decode(binary()) -> request().
decode(<<131, 80, _/bits>>) ->
    %% A compressed term can be arbitrarily large.
    {error, {bad_frame, compressed}};
decode(Frame) ->
    try binary_to_term(Frame, [safe]) of
        #{<<"operation">> := call} = Call -> call(Call);
        Map when is_map(Map) -> {request, known(Map)};
        _ -> {error, {bad_frame, no_map}}
    catch
        error:badarg -> {error, {bad_frame, unknown_words}}
    end.

%% @doc Encodes a term as a frame.
-spec encode(term()) -> erlang:iovec().
encode(Term) ->
    term_to_iovec(Term).

call(#{<<"module">> := M, <<"function">> := F, <<"arguments">> := Arguments} = Call) when
    is_binary(M), is_binary(F), is_list(Arguments)
->
    case {existing(M), existing(F)} of
        {{ok, Module}, {ok, Function}} -> {call, {Module, Function, Arguments}, leader(Call)};
        _ -> {undefined, M, F}
    end;
call(_Call) ->
    {error, {bad_frame, incomplete_call}}.

leader(#{<<"output">> := caller}) -> caller;
leader(_Call) -> user.

%% The keys that the node has as atoms, also those of the options and of each of several changes.
known(Map) ->
    Known = maps:from_list([{Key, Value} || {Name, Value} <- maps:to_list(Map), {ok, Key} <- [existing(Name)]]),
    maps:map(fun within/2, Known).

within(options, Options) when is_map(Options) -> known(Options);
within(changes, Changes) when is_list(Changes), length(Changes) =< ?CHANGES ->
    [case is_map(Change) of true -> known(Change); false -> Change end || Change <- Changes];
within(_Key, Value) -> Value.

existing(Name) when is_atom(Name) ->
    {ok, Name};
existing(Name) when is_binary(Name), byte_size(Name) =< 255 ->
    try
        {ok, binary_to_existing_atom(Name)}
    catch
        error:_ -> error
    end;
existing(_Name) ->
    error.
