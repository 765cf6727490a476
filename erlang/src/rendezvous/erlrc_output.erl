%% @doc The I/O protocol for a process that forwards output and has no input.
-module(erlrc_output).

-export([request/1]).

%% @doc The text of an output request in UTF-8, and the reply to it.
-spec request(term()) -> {binary(), term()}.
request({put_chars, Encoding, Text}) ->
    text(Encoding, Text);
request({put_chars, Encoding, Module, Function, Arguments}) ->
    try
        text(Encoding, apply(Module, Function, Arguments))
    catch
        _:_ -> {<<>>, {error, Function}}
    end;
request({put_chars, Text}) ->
    request({put_chars, latin1, Text});
request({put_chars, Module, Function, Arguments}) ->
    request({put_chars, latin1, Module, Function, Arguments});
request({requests, Requests}) when is_list(Requests) ->
    requests(Requests, <<>>, ok);
request({setopts, _Options}) ->
    {<<>>, ok};
request(getopts) ->
    {<<>>, [{encoding, unicode}]};
request({get_geometry, _What}) ->
    {<<>>, {error, enotsup}};
request(_Request) ->
    {<<>>, {error, request}}.

text(Encoding, Text) when Encoding =:= unicode; Encoding =:= latin1 ->
    case unicode:characters_to_binary(Text, Encoding, unicode) of
        Binary when is_binary(Binary) -> {Binary, ok};
        _ -> {<<>>, {error, {no_translation, Encoding, unicode}}}
    end;
text(_Encoding, _Text) ->
    {<<>>, {error, request}}.

requests([Request | Requests], Said, ok) ->
    {Text, Reply} = request(Request),
    requests(Requests, <<Said/binary, Text/binary>>, Reply);
requests(_Requests, Said, Reply) ->
    {Said, Reply}.
