%% @doc erlrc of an earlier commit upgrades itself to what is here, and back: the calls between its modules, the messages
%% between its processes and the states of its servers are a protocol between two versions. Operations go on beside it.
-module(earlier_upgrade_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([init_per_testcase/2, end_per_testcase/2]).
-export([up_and_back_twice/1]).
%% On the node.
-export([load/2, loading/4, stop/1]).

%% The first release, and every one since.
-define(COMMITS, ["655e8e3"]).

all() ->
    [{group, list_to_atom(Commit)} || Commit <- ?COMMITS].

groups() ->
    [{list_to_atom(Commit), [], [up_and_back_twice]} || Commit <- ?COMMITS].

%% Without the history there is nothing to test with, which is no success.
init_per_suite(Config) ->
    case git(["rev-parse", "--git-dir"]) of
        {0, _} ->
            New = release("2", filename:join(project:root(), "erlang"), ?config(priv_dir, Config)),
            [{new, New} | Config];
        {_, Text} ->
            {skip, {no_repository, Text}}
    end.

end_per_suite(_Config) ->
    ok.

init_per_group(Commit, Config) ->
    Dir = filename:join(?config(priv_dir, Config), Commit),
    Archive = filename:join(Dir, "erlang.tar"),
    ok = filelib:ensure_dir(Archive),
    {0, _} = git(["archive", "-o", Archive, atom_to_list(Commit), "erlang"]),
    ok = erl_tar:extract(Archive, [{cwd, Dir}]),
    [{old, release("1", filename:join(Dir, "erlang"), Dir)} | Config].

end_per_group(_Commit, _Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Dir = filename:join([?config(priv_dir, Config), atom_to_list(Case)]),
    Tests = filename:dirname(code:which(?MODULE)),
    {ok, Peer, _} = peer:start_link(#{
        name => peer:random_name(),
        connection => standard_io,
        exec => {fixture:erl(), []},
        args => ["-pa", Tests, "-pa", ebin(?config(old, Config))],
        env => [
            {"ERLRC_ROOT", fixture:root(Dir)}, {"ERLRC_RUN", Dir}, {"ERLRC_APPS", filename:join(Dir, "apps")},
            {"ERL_AFLAGS", ""}, {"ERL_FLAGS", ""}, {"ERL_ZFLAGS", ""}
        ]
    }),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

up_and_back_twice(Config) ->
    [Old, New] = [?config(Key, Config) || Key <- [old, new]],
    Foo = fixture:application(?config(dir, Config), foo, "1", #{}),
    not_running = call(Config, erlrcdynamic, stop, [nobody, "1"]),
    Processes = processes(Config),
    Load = call(Config, ?MODULE, load, [list_to_binary(Foo), 4]),
    [
        begin
            Answer = change(Config, Operation, From, To),
            ?assertMatch({Operation, #{status := ok}}, {Operation, Answer}),
            ok = runs(Config, To, From),
            ?assertEqual({Operation, Processes}, {Operation, processes(Config)})
        end
     || {Operation, From, To} <- [{upgrade, Old, New}, {downgrade, New, Old}, {upgrade, Old, New}, {downgrade, New, Old}]
    ],
    Answers = call(Config, ?MODULE, stop, [Load]),
    ?assert(length(Answers) > 4),
    ?assertEqual([], [Answer || #{status := Status} = Answer <- Answers, Status =/= ok]).

change(Config, Operation, From, To) ->
    call(Config, erlrc_hook, request, [#{
        protocol => 1, operation => Operation, application => erlrc, patience => 60000,
        from => vsn(From), to => vsn(To), from_dir => list_to_binary(From), to_dir => list_to_binary(To)
    }]).

vsn(Dir) ->
    [_, Vsn] = string:split(filename:basename(Dir), "-"),
    list_to_binary(Vsn).

%% Version, code path and every module that is loaded are of one version; nothing of the other is left.
runs(Config, Dir, Other) ->
    ?assertEqual({ok, binary_to_list(vsn(Dir))}, call(Config, application, get_key, [erlrc, vsn])),
    ?assertEqual(Dir, call(Config, code, lib_dir, [erlrc])),
    ?assertNot(lists:member(ebin(Other), call(Config, code, get_path, []))),
    Ours = [Module || Each <- [Dir, Other], Module <- modules(Each)],
    Loaded = [Module || Module <- lists:usort(Ours), call(Config, erlang, module_loaded, [Module])],
    ?assert(length(Loaded) > 40),
    ?assertEqual(
        [{Module, md5(Module, Dir)} || Module <- Loaded],
        [{Module, call(Config, erlang, get_module_info, [Module, md5])} || Module <- Loaded]
    ),
    ok.

md5(Module, Dir) ->
    case beam_lib:md5(filename:join(ebin(Dir), atom_to_list(Module))) of
        {ok, {Module, Md5}} -> Md5;
        {error, beam_lib, _} -> none
    end.

modules(Dir) ->
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(ebin(Dir), "erlrc.app")),
    proplists:get_value(modules, Keys).

processes(Config) ->
    [call(Config, erlang, whereis, [Name]) || Name <- [erlrc_sup, erlrc_operations, erlrc_watch, erlrc_registration]].

%% The sources below `From' as an application. The native library is the one that was built, and so is the module that
%% loads it, which has to name all of its functions: a release has its own.
release(Vsn, From, Lib) ->
    Dir = filename:join(filename:absname(Lib), "erlrc-" ++ Vsn),
    ok = filelib:ensure_dir(filename:join(ebin(Dir), "x")),
    ok = file:make_symlink(filename:join(project:root(), "priv"), filename:join(Dir, "priv")),
    Engine = filename:join([project:root(), "erlang", "src", "node", "erlrc_engine.erl"]),
    Found = filelib:wildcard(filename:join(From, "src/**/*.erl")),
    Sources = [Engine | [Source || Source <- Found, filename:basename(Source) =/= "erlrc_engine.erl"]],
    First = [Source || Source <- Sources, lists:member(filename:basename(Source, ".erl"), ["erlrc_evaluator", "erlrcsupnotify"])],
    true = code:add_patha(ebin(Dir)),
    Options = [debug_info, {outdir, ebin(Dir)}, {d, 'ERLRC_LIBRARY_HEADER'}],
    Modules = [begin {ok, Module} = compile:file(Source, Options), Module end || Source <- First ++ (Sources -- First)],
    true = code:del_path(ebin(Dir)),
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(From, "erlrc.app.src")),
    Own = [Key || {Name1, _} = Key <- Keys, Name1 =/= vsn, Name1 =/= modules],
    App = {application, erlrc, [{vsn, Vsn}, {modules, Modules} | Own]},
    ok = file:write_file(filename:join(ebin(Dir), "erlrc.app"), io_lib:format("~tp.~n", [App])),
    Dir.

git(Arguments) ->
    Git = os:find_executable("git"),
    Port = open_port({spawn_executable, Git}, [
        {args, Arguments}, {cd, project:root()}, exit_status, stderr_to_stdout, binary
    ]),
    collect(Port, <<>>).

collect(Port, Text) ->
    receive
        {Port, {data, More}} -> collect(Port, <<Text/binary, More/binary>>);
        {Port, {exit_status, Status}} -> {Status, Text}
    end.

ebin(Dir) ->
    filename:join(Dir, "ebin").

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).

%% On the node: some that start and stop an application all the time.

load(Dir, Count) ->
    [spawn(?MODULE, loading, [Dir, [start, stop], go, []]) || _ <- lists:seq(1, Count)].

loading(Dir, [Operation | Next], go, Answers) ->
    Answer = erlrc_hook:request(#{
        protocol => 1, operation => Operation, application => foo, vsn => <<"1">>, dir => Dir, patience => 60000
    }),
    receive
        {Pid, stop} -> Pid ! {self(), [Answer | Answers]}
    after 0 -> ?MODULE:loading(Dir, Next ++ [Operation], go, [Answer | Answers])
    end.

stop(Pids) ->
    lists:append([
        begin
            Pid ! {self(), stop},
            receive
                {Pid, Answers} -> Answers
            end
        end
     || Pid <- Pids
    ]).
