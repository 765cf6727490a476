%% @doc erlrc upgraded by erlrc: every module of it is another one, and the operation that does it goes on.
-module(own_upgrade_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1, init_per_group/2, end_per_group/2]).
-export([init_per_testcase/2, end_per_testcase/2]).
-export([up_down_up_and_those_who_wait/1, failure_leaves_the_earlier_version_at_work/1]).

all() ->
    [{group, release_handler}, {group, transactional}].

groups() ->
    Cases = [up_down_up_and_those_who_wait, failure_leaves_the_earlier_version_at_work],
    [{release_handler, [], Cases}, {transactional, [], Cases}].

init_per_suite(Config) ->
    Lib = ?config(priv_dir, Config),
    [{one, release(Lib, "1", fun keep/1)}, {two, release(Lib, "2", fun keep/1)} | Config].

end_per_suite(_Config) ->
    ok.

init_per_group(Evaluator, Config) ->
    [{evaluator, Evaluator} | Config].

end_per_group(_Evaluator, _Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Evaluator = atom_to_list(?config(evaluator, Config)),
    Dir = filename:join([?config(priv_dir, Config), Evaluator, atom_to_list(Case)]),
    {ok, Peer, _} = peer:start_link(#{
        name => peer:random_name(),
        connection => standard_io,
        exec => {fixture:erl(), []},
        args => ["-pa", ebin(?config(one, Config)), "-erlrc", "evaluator", Evaluator],
        env => [
            {"ERLRC_ROOT", fixture:root(Dir)}, {"ERLRC_RUN", Dir}, {"ERLRC_APPS", filename:join(Dir, "apps")},
            {"ERL_AFLAGS", ""}, {"ERL_FLAGS", ""}, {"ERL_ZFLAGS", ""}
        ]
    }),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

up_down_up_and_those_who_wait(Config) ->
    [One, Two] = [?config(one, Config), ?config(two, Config)],
    not_running = call(Config, erlrcdynamic, stop, [nobody, "1"]),
    Processes = processes(Config),
    Foo = fixture:application(?config(dir, Config), foo, "1", #{}),
    Waiting = fun(Operation, Arguments) -> call(Config, erlang, spawn, [erlrcdynamic, Operation, Arguments]) end,
    [
        begin
            _ = Waiting(Direction, [erlrc, "1", "2", One, Two]),
            _ = Waiting(start, [foo, "1", Foo]),
            _ = Waiting(stop, [foo, "1"]),
            %% Comes after all of them.
            {ok, already_running} = call(Config, erlrcdynamic, Direction, [erlrc, "1", "2", One, Two]),
            ?assertEqual({ok, integer_to_list(Release)}, call(Config, application, get_key, [erlrc, vsn])),
            ?assertEqual([Release], releases(Config))
        end
     || {Direction, Release} <- [{upgrade, 2}, {downgrade, 1}, {upgrade, 2}, {downgrade, 1}]
    ],
    ?assertEqual({ok, "1"}, call(Config, application, get_key, [foo, vsn])),
    ?assertEqual(Processes, processes(Config)).

failure_leaves_the_earlier_version_at_work(Config) ->
    One = ?config(one, Config),
    Break = fun(erlrc_watch, Forms) -> broken(Forms); (_, Forms) -> Forms end,
    Lib = filename:join(?config(dir, Config), "lib"),
    Bad = release(Lib, "3", fun(Module) -> fun(Forms) -> Break(Module, Forms) end end),
    not_running = call(Config, erlrcdynamic, stop, [nobody, "1"]),
    Processes = processes(Config),
    Request = #{
        protocol => 1,
        operation => upgrade,
        application => erlrc,
        from => <<"1">>,
        to => <<"3">>,
        from_dir => unicode:characters_to_binary(One),
        to_dir => unicode:characters_to_binary(Bad)
    },
    #{status := failed, outcome := script_failed, running := <<"1">>} = call(Config, erlrc_hook, request, [Request]),
    ?assertEqual({ok, "1"}, call(Config, application, get_key, [erlrc, vsn])),
    ?assertEqual([1], releases(Config)),
    ?assertEqual(Processes, processes(Config)),
    not_running = call(Config, erlrcdynamic, stop, [nobody, "1"]),
    {ok, _} = call(Config, erlrcdynamic, upgrade, [erlrc, "1", "2", One, ?config(two, Config)]),
    ?assertEqual([2], releases(Config)).

%% What the loaded modules say.
releases(Config) ->
    {ok, Modules} = call(Config, application, get_key, [erlrc, modules]),
    Loaded = [Module || Module <- Modules, call(Config, erlang, module_loaded, [Module])],
    ?assert(length(Loaded) > 20),
    lists:usort([call(Config, Module, release, []) || Module <- Loaded]).

processes(Config) ->
    [call(Config, erlang, whereis, [Name]) || Name <- [erlrc_sup, erlrc_operations, erlrc_watch]].

%% A copy of the application in which every module has a function release/0 more.
release(Lib, Vsn, Change) ->
    Own = filename:dirname(fixture:erlrc_ebin()),
    Dir = filename:join(Lib, "erlrc-" ++ Vsn),
    ok = filelib:ensure_dir(filename:join(ebin(Dir), "x")),
    ok = file:make_symlink(filename:absname(filename:join(Own, "priv")), filename:join(Dir, "priv")),
    {ok, [{application, erlrc, Keys}]} = file:consult(filename:join(ebin(Own), "erlrc.app")),
    Beams = filelib:wildcard(filename:join(ebin(Own), "*.beam")),
    Modules = [compile(Beam, ebin(Dir), list_to_integer(Vsn), Change) || Beam <- Beams],
    New = [{vsn, Vsn}, {modules, Modules} | [Key || {Name, _} = Key <- Keys, Name =/= vsn, Name =/= modules]],
    ok = file:write_file(filename:join(ebin(Dir), "erlrc.app"), io_lib:format("~p.~n", [{application, erlrc, New}])),
    Dir.

compile(Beam, Ebin, Release, Change) ->
    {ok, {Module, [{abstract_code, {raw_abstract_v1, Forms}}]}} = beam_lib:chunks(Beam, [abstract_code]),
    Function = {function, 1, release, 0, [{clause, 1, [], [], [{integer, 1, Release}]}]},
    Attribute = {attribute, 1, export, [{release, 0}]},
    {Head, [Name | Rest]} = lists:splitwith(fun(Form) -> element(3, Form) =/= module end, Forms),
    {Body, Eof} = lists:splitwith(fun(Form) -> element(1, Form) =/= eof end, Rest),
    Whole = (Change(Module))(Head ++ [Name, Attribute | Body] ++ [Function | Eof]),
    {ok, Module, Binary} = compile:forms(Whole, [debug_info]),
    ok = file:write_file(filename:join(Ebin, atom_to_list(Module) ++ ".beam"), Binary),
    Module.

keep(_Module) ->
    fun(Forms) -> Forms end.

%% Its code_change/3 fails.
broken(Forms) ->
    Fail = {call, 1, {remote, 1, {atom, 1, erlang}, {atom, 1, error}}, [{atom, 1, broken}]},
    Arguments = [{var, 1, '_'}, {var, 1, '_'}, {var, 1, '_'}],
    CodeChange = {function, 1, code_change, 3, [{clause, 1, Arguments, [], [Fail]}]},
    Without = [Form || Form <- Forms, not is_code_change(Form)],
    {Head, [Name | Rest]} = lists:splitwith(fun(Form) -> element(3, Form) =/= module end, Without),
    {Body, Eof} = lists:splitwith(fun(Form) -> element(1, Form) =/= eof end, Rest),
    Export = [{attribute, 1, export, [{code_change, 3}]} || not exports_code_change(Body)],
    Head ++ [Name | Export] ++ Body ++ [CodeChange | Eof].

is_code_change({function, _, code_change, 3, _}) -> true;
is_code_change({attribute, _, spec, {{code_change, 3}, _}}) -> true;
is_code_change(_) -> false.

exports_code_change(Forms) ->
    lists:any(fun({attribute, _, export, Functions}) -> lists:member({code_change, 3}, Functions); (_) -> false end, Forms).

ebin(Dir) ->
    filename:join(Dir, "ebin").

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
