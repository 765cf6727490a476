%% @doc The frames of the node's socket as terms: what may come in, and what goes out. Nothing in a frame becomes an atom
%% that the node does not have.
%%
%% Keys of a request are binaries: one that this node does not know is passed over, as the hook protocol wants it, where an
%% unknown atom would spoil the whole frame.
-module(erlrc_frame).

-export([decode/1, encode/1]).
-export_type([request/0]).

-type request() ::
    {request, erlrc_hook:request()}
    | {call, {module(), atom(), [term()]}, user | caller}
    | {error, {bad_frame, atom()}}
    | {undefined, binary(), binary()}.

%% @doc What a frame asks for. `call' is any function: who may speak to the socket may do all that the node may.
-spec decode(binary()) -> request().
decode(<<131, 80, _/bits>>) ->
    %% A compressed term is as large as it likes.
    {error, {bad_frame, compressed}};
decode(Frame) ->
    try binary_to_term(Frame, [safe]) of
        #{<<"operation">> := call} = Call -> call(Call);
        Map when is_map(Map) -> {request, known(Map)};
        _ -> {error, {bad_frame, no_map}}
    catch
        error:badarg -> {error, {bad_frame, unknown_words}}
    end.

%% @doc A frame with this term.
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

%% The keys that the node has as atoms, in the options, too.
known(Map) ->
    Known = maps:from_list([{Key, Value} || {Name, Value} <- maps:to_list(Map), {ok, Key} <- [existing(Name)]]),
    case Known of
        #{options := Options} when is_map(Options) -> Known#{options := known(Options)};
        _ -> Known
    end.

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
