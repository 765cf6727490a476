%% @doc The evaluator that leaves the work to OTP: what it does, and that a failure leaves no trace.
-module(release_handler_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([
    up_and_down_keep_state_and_process/1,
    path_keeps_its_order/1,
    crash_in_code_change_leaves_no_trace/1,
    states_of_other_behaviours_come_back/1,
    broken_module_is_found_before_anything_changes/1,
    failing_on_load_leaves_no_trace/1,
    what_an_instruction_did_is_told/1,
    process_that_never_answers_ends_in_a_timeout/1,
    restart_of_the_emulator_is_only_told/1,
    bad_script_is_refused/1,
    sticky_module_is_refused/1
]).

all() ->
    [
        up_and_down_keep_state_and_process,
        path_keeps_its_order,
        crash_in_code_change_leaves_no_trace,
        states_of_other_behaviours_come_back,
        broken_module_is_found_before_anything_changes,
        failing_on_load_leaves_no_trace,
        what_an_instruction_did_is_told,
        process_that_never_answers_ends_in_a_timeout,
        restart_of_the_emulator_is_only_told,
        bad_script_is_refused,
        sticky_module_is_refused
    ].

init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    {Peer, _} = fixture:start_node(#{name => false}),
    [{peer, Peer}, {dir, Dir} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

up_and_down_keep_state_and_process(Config) ->
    {Old, New} = service(Config, [], []),
    Pid = call(Config, erlang, whereis, [service_server]),
    1 = next(Config),
    {ok, []} = evaluate(Config, up, Old, New, [update()]),
    ?assertEqual({state2, 1, 1}, ask(Config, state)),
    2 = next(Config),
    {ok, []} = evaluate(Config, down, New, Old, [update()]),
    ?assertEqual({state1, 2}, ask(Config, state)),
    {ok, []} = evaluate(Config, up, Old, New, [update()]),
    3 = next(Config),
    ?assertEqual(Pid, call(Config, erlang, whereis, [service_server])),
    ?assertEqual(2, ask(Config, version)).

path_keeps_its_order(Config) ->
    {Old, New} = service(Config, [], []),
    Other = fixture:application(?config(dir, Config), other, "1", #{}),
    true = call(Config, code, add_patha, [ebin(Other)]),
    Before = call(Config, code, get_path, []),
    {ok, []} = evaluate(Config, up, Old, New, [update()]),
    Expected = [case Dir =:= ebin(Old) of true -> ebin(New); false -> Dir end || Dir <- Before],
    ?assertEqual(Expected, call(Config, code, get_path, [])),
    {ok, []} = evaluate(Config, down, New, Old, [update()]),
    ?assertEqual(Before, call(Config, code, get_path, [])).

crash_in_code_change_leaves_no_trace(Config) ->
    %% The first server migrates, the second one cannot.
    Second = "-module(second).\n" ++ second(1),
    Poisoned = "-module(second).\n" ++ second(2),
    {Old, New} = service(Config, [Second], [Poisoned]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(second)]),
    1 = next(Config),
    Before = photograph(Config),
    Script = [
        {update, service_server, {advanced, []}, [second]},
        {update, second, {advanced, []}}
    ],
    {error, {script_failed, service, {code_change_failed, _, second, _, _}}} =
        evaluate(Config, up, Old, New, Script),
    ?assertEqual(Before, photograph(Config)),
    ?assertEqual({state1, 1}, ask(Config, state)),
    2 = next(Config),
    %% And again, after the way back.
    {error, _} = evaluate(Config, up, Old, New, Script),
    ?assertEqual(Before, photograph(Config)),
    3 = next(Config).

second(Version) ->
    lists:flatten(
        io_lib:format(
            "-behaviour(gen_server).\n-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3]).\n"
            "start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).\n"
            "init([]) -> {ok, good}.\nhandle_cast(_, S) -> {noreply, S}.\nhandle_call(_, _, S) -> {reply, S, S}.\n"
            "code_change(_, S, _) -> case ~p of 1 -> {ok, S}; 2 -> error(poisoned) end.\n",
            [Version]
        )
    ).

states_of_other_behaviours_come_back(Config) ->
    Old1 = [statem(1), handler(1), "-module(second).\n" ++ second(1)],
    New1 = [statem(2), handler(2), "-module(second).\n" ++ second(2)],
    {Old, New} = service(Config, Old1, New1),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(machine)]),
    Events = #{id => events, start => {gen_event, start_link, [{local, events}]}, modules => dynamic},
    {ok, _} = call(Config, supervisor, start_child, [service_sup, Events]),
    ok = call(Config, gen_event, add_handler, [events, handler, []]),
    {ok, _} = call(Config, supervisor, start_child, [service_sup, child(second)]),
    Before = photograph(Config),
    Script = [
        {update, machine, {advanced, []}, [handler, second]},
        {update, handler, {advanced, []}, [second]},
        {update, second, {advanced, []}}
    ],
    {error, {script_failed, service, _}} = evaluate(Config, up, Old, New, Script),
    ?assertEqual(Before, photograph(Config)),
    ?assertEqual({one, calm}, call(Config, gen_statem, call, [machine, state])),
    ?assertEqual(one, call(Config, gen_event, call, [events, handler, state])).

%% Its second version has another callback mode.
statem(1) ->
    "-module(machine).\n-behaviour(gen_statem).\n"
    "-export([start_link/0, init/1, callback_mode/0, calm/3, code_change/4]).\n"
    "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\n"
    "callback_mode() -> state_functions.\ninit([]) -> {ok, calm, one}.\n"
    "code_change(_, S, D, _) -> {ok, S, D}.\n"
    "calm({call, From}, state, D) -> {keep_state_and_data, {reply, From, {D, calm}}}.\n";
statem(2) ->
    "-module(machine).\n-behaviour(gen_statem).\n"
    "-export([start_link/0, init/1, callback_mode/0, handle_event/4, code_change/4]).\n"
    "start_link() -> gen_statem:start_link({local, ?MODULE}, ?MODULE, [], []).\n"
    "callback_mode() -> handle_event_function.\ninit([]) -> {ok, calm, two}.\n"
    "code_change(_, S, one, _) -> {ok, S, two}.\n"
    "handle_event({call, From}, state, S, D) -> {keep_state_and_data, {reply, From, {D, S}}}.\n".

handler(Version) ->
    lists:flatten(
        io_lib:format(
            "-module(handler).\n-behaviour(gen_event).\n"
            "-export([init/1, handle_event/2, handle_call/2, code_change/3]).\n"
            "init([]) -> {ok, one}.\nhandle_event(_, S) -> {ok, S}.\nhandle_call(state, S) -> {ok, S, S}.\n"
            "code_change(_, S, _) -> case ~p of 1 -> {ok, S}; 2 -> {ok, two} end.\n",
            [Version]
        )
    ).

broken_module_is_found_before_anything_changes(Config) ->
    {Old, New} = service(Config, [plain(1)], [plain(2)]),
    File = filename:join(ebin(New), "plain.beam"),
    {ok, Beam} = file:read_file(File),
    ok = file:write_file(File, binary:part(Beam, 0, byte_size(Beam) div 2)),
    Before = photograph(Config),
    {error, {bad_module, plain, File, _}} = evaluate(Config, up, Old, New, [update(), {load_module, plain}]),
    ?assertEqual(Before, photograph(Config)),
    ok = file:delete(File),
    {error, {bad_module, plain, File, enoent}} = evaluate(Config, up, Old, New, [update(), {load_module, plain}]),
    ?assertEqual(Before, photograph(Config)).

failing_on_load_leaves_no_trace(Config) ->
    Picky = "-module(plain).\n-export([version/0]).\n-on_load(check/0).\ncheck() -> refused.\nversion() -> 2.\n",
    {Old, New} = service(Config, [plain(1)], [Picky, "-module(added).\n-export([f/0]).\nf() -> ok.\n"]),
    1 = call(Config, plain, version, []),
    1 = next(Config),
    Before = photograph(Config),
    Script = [{add_module, added}, update(), {load_module, plain}],
    {error, {script_failed, service, _}} = evaluate(Config, up, Old, New, Script),
    ?assertEqual(Before, photograph(Config)),
    false = call(Config, code, is_loaded, [added]),
    1 = call(Config, plain, version, []),
    2 = next(Config).

what_an_instruction_did_is_told(Config) ->
    {Old, New} = service(Config, [], []),
    MFA = {application, set_env, [kernel, told, true]},
    Before = photograph(Config),
    {error, {not_rolled_back, {script_failed, service, _}, [{applied, MFA}, {applied, {erlang, error, [oops]}}]}} =
        evaluate(Config, up, Old, New, [update(), {apply, MFA}, {apply, {erlang, error, [oops]}}]),
    ?assertEqual(Before, photograph(Config)).

process_that_never_answers_ends_in_a_timeout(Config) ->
    Deaf =
        "-module(second).\n-export([start_link/0, init/1]).\n"
        "start_link() -> proc_lib:start_link(?MODULE, init, [self()]).\n"
        "init(Parent) -> register(?MODULE, self()), proc_lib:init_ack(Parent, {ok, self()}),\n"
        "  receive hear -> loop(Parent) end.\n"
        "loop(Parent) -> receive {system, From, Message} ->\n"
        "  sys:handle_system_msg(Message, From, Parent, ?MODULE, [], Parent);\n"
        "  {From, ask} -> From ! {self(), ?MODULE}, loop(Parent) end.\n",
    {Old, New} = service(Config, [with_system(Deaf, 1)], [with_system(Deaf, 2)]),
    {ok, Pid} = call(Config, supervisor, start_child, [service_sup, child(second)]),
    Before = photograph(Config),
    Script = [{update, service_server, infinity, {advanced, []}, brutal_purge, brutal_purge, [second]},
        {update, second, infinity, {advanced, []}, brutal_purge, brutal_purge, []}],
    {error, {script_failed, service, {timeout, [Pid]}}} =
        evaluate(Config, up, Old, New, Script, #{timeout => 500}),
    ?assertEqual(Before, photograph(Config)),
    1 = next(Config),
    %% It gets the message at last, and nobody waits any more: it must not stay suspended.
    hear = call(Config, erlang, send, [Pid, hear]),
    fixture:wait_until(fun() ->
        {current_function, {second, loop, 1}} =:= call(Config, erlang, process_info, [Pid, current_function])
    end).

with_system(Source, Version) ->
    Exports = "-export([system_continue/3, system_terminate/4, system_code_change/4, version/0, ",
    lists:flatten([
        string:replace(Source, "-export([", Exports, leading),
        "system_continue(Parent, _, _) -> loop(Parent).\nsystem_terminate(Reason, _, _, _) -> exit(Reason).\n",
        io_lib:format("system_code_change(S, _, _, _) -> {ok, S}.\nversion() -> ~p.\n", [Version])
    ]).

restart_of_the_emulator_is_only_told(Config) ->
    {Old, New} = service(Config, [], []),
    Before = photograph(Config),
    restart_new_emulator = evaluate(Config, up, Old, New, [restart_new_emulator, update()]),
    restart_new_emulator = evaluate(Config, up, Old, New, [update(), restart_emulator]),
    ?assertEqual(Before, photograph(Config)).

bad_script_is_refused(Config) ->
    {Old, New} = service(Config, [], []),
    Before = photograph(Config),
    {error, {bad_script, service, _}} = evaluate(Config, up, Old, New, [{load_module, nowhere}]),
    {error, {bad_script, service, _}} = evaluate(Config, up, Old, New, [nonsense]),
    ?assertEqual(Before, photograph(Config)).

sticky_module_is_refused(Config) ->
    {Old, New} = service(Config, [plain(1)], [plain(2)]),
    1 = call(Config, plain, version, []),
    true = call(Config, code, stick_mod, [plain]),
    {error, {sticky_directory, plain}} = evaluate(Config, up, Old, New, [{load_module, plain}]).

plain(Version) ->
    lists:flatten(io_lib:format("-module(plain).\n-export([version/0]).\nversion() -> ~p.\n", [Version])).

%% Two versions of an application, the first one runs.
service(Config, OldModules, NewModules) ->
    Lib = ?config(dir, Config),
    Common = [fixture:callback_module(service_app, service_sup), supervisor()],
    Keys = [{mod, {service_app, []}}],
    Old = fixture:application(Lib, service, "1", #{
        modules => Common ++ [fixture:server_module(service_server, 1) | OldModules], app => Keys
    }),
    New = fixture:application(Lib, service, "2", #{
        modules => Common ++ [fixture:server_module(service_server, 2) | NewModules], app => Keys
    }),
    true = call(Config, code, add_patha, [ebin(Old)]),
    {ok, _} = call(Config, application, ensure_all_started, [service]),
    {ok, _} = call(Config, application, ensure_all_started, [sasl]),
    {Old, New}.

supervisor() ->
    fixture:supervisor_module(service_sup, [child(service_server)]).

child(Module) ->
    #{id => Module, start => {Module, start_link, []}, modules => [Module]}.

update() ->
    {update, service_server, {advanced, []}}.

evaluate(Config, Direction, From, To, Instructions) ->
    evaluate(Config, Direction, From, To, Instructions, #{}).

evaluate(Config, Direction, From, To, Instructions, Options) ->
    Script = [#{
        application => service,
        direction => Direction,
        instructions => Instructions,
        from => {vsn(From), From},
        to => {vsn(To), To},
        from_spec => specification(From),
        to_spec => specification(To),
        options => Options#{evaluator => release_handler}
    }],
    call(Config, erlrc_operations, run, [erlrc_evaluator, evaluate, [Script]]).

vsn(Dir) ->
    [_, Vsn] = string:split(filename:basename(Dir), "-"),
    Vsn.

specification(Dir) ->
    {ok, [Spec]} = file:consult(filename:join(ebin(Dir), "service.app")),
    Spec.

%% What a failure must not change.
photograph(Config) ->
    Server = call(Config, erlang, whereis, [service_server]),
    Children = call(Config, supervisor, which_children, [service_sup]),
    #{
        path => call(Config, code, get_path, []),
        modules => [
            {Module, call(Config, erlang, function_exported, [Module, module_info, 1]) andalso
                call(Config, Module, module_info, [md5])}
         || Module <- [service_app, service_sup, service_server, second, plain, machine, handler]
        ],
        server => Server,
        children => Children,
        suspended => [
            Pid
         || {_, Pid, _, _} <- Children,
            {current_function, {sys, _, _}} <- [call(Config, erlang, process_info, [Pid, current_function])]
        ]
    }.

ask(Config, Question) ->
    call(Config, gen_server, call, [service_server, Question]).

next(Config) ->
    ask(Config, next).

ebin(Dir) ->
    filename:join(Dir, "ebin").

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).
