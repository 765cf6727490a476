%% @doc What one release of OTP compiled is loaded by the later ones: a package is made once for all of them.
%% `test/system' runs this, boots and upgrades with the trees of later releases, on modules that this system's OTP compiled.
-module(releases_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0]).
-export([
    every_module_loads/1,
    no_instruction_is_used_that_later_releases_lack/1,
    bytes_are_read_as_patterns_would/1
]).

%% What OTP 25 has for the end of a pattern such as `<<Size:32, Rest/binary>>'; OTP 29 does not load it.
-define(DROPPED, [bs_test_unit]).

-spec all() -> [atom()].
all() ->
    [
        every_module_loads,
        no_instruction_is_used_that_later_releases_lack,
        bytes_are_read_as_patterns_would
    ].

beams() ->
    Beams = filelib:wildcard(filename:join(fixture:erlrc_ebin(), "*.beam")),
    ?assert(length(Beams) > 60),
    Beams.

-spec every_module_loads(list()) -> ok.
every_module_loads(_Config) ->
    {Peer, _} = fixture:start_node(#{name => false}),
    Modules = [list_to_atom(filename:basename(Beam, ".beam")) || Beam <- beams()],
    Loaded = [{Module, fixture:call(Peer, code, ensure_loaded, [Module])} || Module <- Modules],
    ?assertEqual([], [Failed || {Module, Answer} = Failed <- Loaded, Answer =/= {module, Module}]),
    fixture:stop_node(Peer).

-spec no_instruction_is_used_that_later_releases_lack(list()) -> ok.
no_instruction_is_used_that_later_releases_lack(_Config) ->
    %% Only the release that compiled them takes modules apart.
    Own = [Beam || Beam <- beams(), made_here(Beam)],
    ?assertEqual([], [{Beam, Found} || Beam <- Own, Found <- [dropped(Beam)], Found =/= []]).

made_here(Beam) ->
    {ok, {_, [{compile_info, Info}]}} = beam_lib:chunks(Beam, [compile_info]),
    _ = application:load(compiler),
    {ok, proplists:get_value(version, Info)} =:= application:get_key(compiler, vsn).

dropped(Beam) ->
    {beam_file, _, _, _, _, Functions} = beam_disasm:file(Beam),
    Instructions = lists:append([Code || {function, _, _, _, Code} <- Functions]),
    [Name || Name <- ?DROPPED, lists:any(fun(Instruction) -> is(Name, Instruction) end, Instructions)].

is(Name, Instruction) ->
    is_tuple(Instruction) andalso lists:member(Name, tuple_to_list(Instruction)).

-spec bytes_are_read_as_patterns_would(list()) -> ok.
bytes_are_read_as_patterns_would(_Config) ->
    Binary = <<"head", 258:32, "tail">>,
    ?assertEqual({ok, 258}, erlrc_bytes:number(Binary, 4, 4)),
    ?assertEqual({ok, <<"tail">>}, erlrc_bytes:part(Binary, 8, 4)),
    ?assertEqual({ok, <<>>}, erlrc_bytes:part(Binary, 12, 0)),
    ?assertEqual(none, erlrc_bytes:part(Binary, 9, 4)),
    ?assertEqual(none, erlrc_bytes:number(<<1, 2, 3>>, 0, 4)),
    ?assertEqual({<<"tail">>, <<>>, <<>>}, {
        erlrc_bytes:rest(Binary, 8), erlrc_bytes:rest(Binary, 12), erlrc_bytes:rest(Binary, 13)
    }),
    ?assertEqual({true, false, false}, {
        erlrc_bytes:starts_with(Binary, <<"head">>),
        erlrc_bytes:starts_with(Binary, <<"tail">>),
        erlrc_bytes:starts_with(<<"he">>, <<"head">>)
    }),
    ?assertEqual([<<"a">>, <<>>, <<"bc">>], erlrc_bytes:blocks(<<1, "a", 0, 2, "bc", 9, "d">>, 1)),
    ?assertEqual([<<"a">>], erlrc_bytes:blocks(<<1:32, "a", 0, 0>>, 4)).
