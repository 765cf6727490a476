%% @doc The environment of an application when its version changes: merged three ways, told truly, and the
%% configuration of the node left alone.
-module(environment_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    unset_key_takes_new_default/1,
    removed_key_goes_away/1,
    configured_keys_stay/1,
    key_configured_as_the_old_default_stays/1,
    keys_set_at_run_time_stay/1,
    unset_at_run_time_stays_unset/1,
    configuration_of_others_stays/1,
    unknown_old_environment_keeps_all/1,
    put_back_restores/1,
    running_application_keeps_running/1,
    no_reader_ever_misses_a_value/1,
    config_change_is_told_the_difference/1,
    config_change_is_not_called_without_difference/1,
    config_change_that_fails_hurts_nobody/1
]).

all() ->
    [
        unset_key_takes_new_default,
        removed_key_goes_away,
        configured_keys_stay,
        key_configured_as_the_old_default_stays,
        keys_set_at_run_time_stay,
        unset_at_run_time_stays_unset,
        configuration_of_others_stays,
        unknown_old_environment_keeps_all,
        put_back_restores,
        running_application_keeps_running,
        no_reader_ever_misses_a_value,
        config_change_is_told_the_difference,
        config_change_is_not_called_without_difference,
        config_change_that_fails_hurts_nobody
    ].

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    SysConfig = filename:join(Dir, "sys.config"),
    ok = filelib:ensure_dir(SysConfig),
    ok = file:write_file(
        SysConfig, "[{conf, [{from_file, file}, {same, old}, {both, file}]}, {later, [{key, file}]}].\n"
    ),
    Args = ["-config", filename:rootname(SysConfig), "-conf", "from_line", "line", "-conf", "both", "line"],
    {Peer, _} = fixture:start_node(#{name => false, args => Args}),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

unset_key_takes_new_default(Config) ->
    load(Config, [{key, old}]),
    {[{key, new}], [{added, 1}], []} = change(Config, [{key, old}], [{key, new}, {added, 1}]),
    ?assertEqual({ok, new}, get_env(Config, key)),
    ?assertEqual({ok, 1}, get_env(Config, added)).

removed_key_goes_away(Config) ->
    load(Config, [{key, old}, {kept, 1}]),
    {[], [], [key]} = change(Config, [{key, old}, {kept, 1}], [{kept, 1}]),
    ?assertEqual(undefined, get_env(Config, key)),
    ?assertEqual({ok, 1}, get_env(Config, kept)).

configured_keys_stay(Config) ->
    load(Config, [{from_file, old}, {from_line, old}, {both, old}]),
    ?assertEqual({ok, line}, get_env(Config, both)),
    {[], [], []} = change(Config, [{from_file, old}, {from_line, old}, {both, old}], [{from_file, new}, {both, new}]),
    ?assertEqual({ok, file}, get_env(Config, from_file)),
    ?assertEqual({ok, line}, get_env(Config, from_line)),
    ?assertEqual({ok, line}, get_env(Config, both)).

key_configured_as_the_old_default_stays(Config) ->
    load(Config, [{same, old}]),
    {[], [], []} = change(Config, [{same, old}], [{same, new}]),
    ?assertEqual({ok, old}, get_env(Config, same)).

keys_set_at_run_time_stay(Config) ->
    load(Config, [{default, old}, {gone, old}]),
    set_env(Config, default, mine),
    set_env(Config, gone, mine),
    set_env(Config, own, mine),
    set_env(Config, from_file, mine),
    set_env(Config, from_line, mine),
    ok = call(Config, application, set_env, [conf, lasting, mine, [{persistent, true}]]),
    {[], [], []} = change(Config, [{default, old}, {gone, old}], [{default, new}]),
    [?assertEqual({ok, mine}, get_env(Config, Key))
     || Key <- [default, gone, own, from_file, from_line, lasting]],
    %% Persistent means that loading the application again does not take it away.
    ok = call(Config, application, unload, [conf]),
    load(Config, []),
    ?assertEqual({ok, mine}, get_env(Config, lasting)),
    ?assertEqual(undefined, get_env(Config, own)),
    ?assertEqual({ok, file}, get_env(Config, from_file)).

unset_at_run_time_stays_unset(Config) ->
    load(Config, [{key, old}]),
    ok = call(Config, application, unset_env, [conf, key]),
    ok = call(Config, application, unset_env, [conf, from_line]),
    {[], [], []} = change(Config, [{key, old}], [{key, new}]),
    ?assertEqual(undefined, get_env(Config, key)),
    ?assertEqual(undefined, get_env(Config, from_line)).

configuration_of_others_stays(Config) ->
    load(Config, [{key, old}]),
    change(Config, [{key, old}], [{key, new}]),
    ok = call(Config, application, load, [{application, later, [{vsn, "1"}, {env, [{key, default}]}]}]),
    ?assertEqual({ok, file}, call(Config, application, get_env, [later, key])).

unknown_old_environment_keeps_all(Config) ->
    load(Config, [{key, old}, {gone, old}]),
    {[], [{added, 1}], []} = change(Config, unknown, [{key, new}, {added, 1}]),
    ?assertEqual({ok, old}, get_env(Config, key)),
    ?assertEqual({ok, old}, get_env(Config, gone)).

put_back_restores(Config) ->
    load(Config, [{key, old}, {gone, old}]),
    set_env(Config, from_line, mine),
    Before = lists:sort(call(Config, application, get_all_env, [conf])),
    Keys = call(Config, application, get_all_key, [conf]),
    Spec = specification([{key, new}, {added, 1}], [{vsn, "2"}, {modules, [a]}, {applications, [kernel]}]),
    {ok, Undo, {[_], [_], [_]}} =
        call(Config, erlrc_environment, change, [conf, [{key, old}, {gone, old}], Spec]),
    ?assertEqual({ok, "2"}, call(Config, application, get_key, [conf, vsn])),
    ok = call(Config, erlrc_environment, put_back, [conf, Undo]),
    ?assertEqual(Before, lists:sort(call(Config, application, get_all_env, [conf]))),
    ?assertEqual(without_env(Keys), without_env(call(Config, application, get_all_key, [conf]))).

without_env({ok, Keys}) ->
    lists:keydelete(env, 1, Keys).

%% Also for application_controller, which knows how it was started.
running_application_keeps_running(Config) ->
    load(Config, [{key, old}]),
    ok = call(Config, application, start, [conf, transient]),
    Before = call(Config, application_controller, info, []),
    change(Config, [{key, old}], [{key, new}]),
    ?assertEqual({ok, "2"}, call(Config, application, get_key, [conf, vsn])),
    ?assertEqual([{conf, "d", "2"}], [App || {conf, _, _} = App <- call(Config, application, which_applications, [])]),
    Kept = [running, started, start_p_false, starting],
    After = call(Config, application_controller, info, []),
    ?assertEqual([lists:keyfind(Key, 1, Before) || Key <- Kept], [lists:keyfind(Key, 1, After) || Key <- Kept]),
    ok = call(Config, application, stop, [conf]),
    ok = call(Config, application, unload, [conf]),
    {error, {not_loaded, _}} = call(Config, application, unload, [erlrc_specification]).

no_reader_ever_misses_a_value(Config) ->
    Reader =
        "-module(reader).\n-export([start/0, loop/1, stop/1]).\n"
        "start() -> [spawn(?MODULE, loop, [0]) || _ <- [1, 2]].\n"
        "loop(Missed) -> receive {From, stop} -> From ! {self(), Missed} after 0 ->\n"
        "  case {application:get_env(conf, steady), application:get_key(conf, vsn)} of\n"
        "    {{ok, _}, {ok, _}} -> loop(Missed); _ -> loop(Missed + 1) end end.\n"
        "stop(Pids) -> [begin Pid ! {self(), stop}, receive {Pid, Missed} -> Missed end end || Pid <- Pids].\n",
    Dir = fixture:application(?config(dir, Config), reader, "1", #{modules => [Reader]}),
    true = call(Config, code, add_patha, [filename:join(Dir, "ebin")]),
    Env = [{steady, 1} | [{list_to_atom("key" ++ integer_to_list(N)), N} || N <- lists:seq(1, 50)]],
    load(Config, Env),
    Readers = call(Config, reader, start, []),
    [change(Config, Env, Env) || _ <- lists:seq(1, 200)],
    ?assertEqual([0, 0], call(Config, reader, stop, [Readers])).

config_change_is_told_the_difference(Config) ->
    callback(Config, "config_change(C, N, R) -> persistent_term:put(told, {C, N, R}).\n"),
    ok = config_change(Config, {[{key, new}], [{added, 1}], [gone]}, 5000),
    ?assertEqual({[{key, new}], [{added, 1}], [gone]}, call(Config, persistent_term, get, [told])).

config_change_is_not_called_without_difference(Config) ->
    callback(Config, "config_change(_, _, _) -> error(told).\n"),
    ok = config_change(Config, {[], [], []}, 5000).

config_change_that_fails_hurts_nobody(Config) ->
    callback(Config, "config_change(C, _, _) -> case C of [{_, hang}] -> receive never -> ok end; _ -> exit(C) end.\n"),
    Controller = call(Config, erlang, whereis, [application_controller]),
    ?assertEqual({error, {config_change_failed, conf, [{key, 1}]}}, config_change(Config, {[{key, 1}], [], []}, 5000)),
    ?assertEqual({error, {config_change_failed, conf, timeout}}, config_change(Config, {[{key, hang}], [], []}, 50)),
    ?assertEqual(Controller, call(Config, erlang, whereis, [application_controller])).

%% An application whose start module is conf_app, loaded from a directory.
callback(Config, Source) ->
    Module = "-module(conf_app).\n-export([config_change/3]).\n" ++ Source,
    Dir = fixture:application(?config(dir, Config), conf, "2", #{modules => [Module]}),
    true = call(Config, code, add_patha, [filename:join(Dir, "ebin")]),
    {module, _} = call(Config, code, ensure_loaded, [conf_app]).

config_change(Config, Difference, Timeout) ->
    Spec = specification([], [{vsn, "2"}, {mod, {conf_app, []}}]),
    call(Config, erlrc_environment, config_change, [conf, Spec, Difference, Timeout]).

load(Config, Env) ->
    ok = call(Config, application, load, [specification(Env, [{vsn, "1"}])]).

change(Config, Old, New) ->
    {ok, _, Difference} =
        call(Config, erlrc_environment, change, [conf, Old, specification(New, [{vsn, "2"}])]),
    ?assertEqual({ok, "2"}, call(Config, application, get_key, [conf, vsn])),
    Difference.

specification(Env, Keys) ->
    {application, conf, [{description, "d"}, {env, Env} | Keys]}.

set_env(Config, Key, Value) ->
    ok = call(Config, application, set_env, [conf, Key, Value]).

get_env(Config, Key) ->
    call(Config, application, get_env, [conf, Key]).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
