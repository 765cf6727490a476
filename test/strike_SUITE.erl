%% @doc Something is killed at every step that an operation notes. Afterwards the node is entirely old or entirely new:
%% version, specification, environment, code path, code, states, what runs; and what the operation answered is what is so.
-module(strike_SUITE).
-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_testcase/2, end_per_testcase/2]).
-export([journal_is_that_of_the_model/1, upgrade/1, downgrade/1, upgrade_by_release_handler/1, upgrade_that_is_held/1, start_and_stop/1, upgrade_of_what_does_not_run/1, revert/1]).
%% On the node.
-export([strike/3, striker/4, facts/0, is_settled/0]).

-define(VICTIMS, [
    operation,
    erlrc_guardian,
    erlrc_settlement,
    erlrc_operations,
    erlrc_sup,
    {operation, erlrc_operations},
    {erlrc_settlement, operation},
    {erlrc_guardian, operation},
    {erlrc_guardian, runner},
    [erlrc_guardian, runner, erlrc_settlement, operation, erlrc_operations, erlrc_sup],
    {again, [erlrc_guardian, operation, erlrc_operations, erlrc_sup]}
]).

all() ->
    [journal_is_that_of_the_model, upgrade, downgrade, upgrade_by_release_handler, upgrade_that_is_held, start_and_stop, upgrade_of_what_does_not_run, revert].

%% Version 2 depends on `helper', no longer includes `part', and has another environment.
init_per_testcase(Case, Config) ->
    Dir = filename:join(?config(priv_dir, Config), atom_to_list(Case)),
    Root = fixture:root(Dir),
    [ok = fixture:register(Root, App) || App <- [service, part]],
    Tests = filename:dirname(code:which(?MODULE)),
    [One, Two] = [service(Dir, Version) || Version <- [1, 2]],
    Others = [library(Dir, App, Keys) || {App, Keys} <- [{helper, []}, {part, []}, {client, [{applications, [kernel, stdlib, part]}]}]],
    {Peer, _} = fixture:start_node(#{
        name => false, root => Root, path => [filename:join(Each, "ebin") || Each <- [One | Others]] ++ [Tests],
        args => ["-kernel", "logger_level", "none"]
    }),
    [{peer, Peer}, {dirs, {One, Two}} | Config].

end_per_testcase(_Case, Config) ->
    fixture:stop_node(?config(peer, Config)).

service(Dir, Version) ->
    fixture:application(Dir, service, integer_to_list(Version), #{
        modules => [
            fixture:callback_module(service_app, service_sup),
            fixture:supervisor_module(service_sup, [
                #{id => service_server, start => {service_server, start_link, []}, modules => [service_server]}
            ]),
            fixture:server_module(service_server, Version)
        ],
        app => [{mod, {service_app, []}}, {env, [{key, Version}, {integer_to_atom(Version), here}]} | inclusion(Version)]
    }).

integer_to_atom(Version) -> list_to_atom("only" ++ integer_to_list(Version)).

inclusion(1) -> [{included_applications, [part]}];
inclusion(2) -> [{applications, [kernel, stdlib, helper]}].

library(Dir, App, Keys) ->
    fixture:application(Dir, App, "1", #{
        modules => [fixture:callback_module(callback(App), supervisor(App)), fixture:supervisor_module(supervisor(App), [])],
        app => [{mod, {callback(App), []}} | Keys]
    }).

callback(App) -> list_to_atom(atom_to_list(App) ++ "_app").
supervisor(App) -> list_to_atom(atom_to_list(App) ++ "_sup").

%% `protocol_model.rs' explores what may happen between these entries: what it assumes of their order is so, up and down.
journal_is_that_of_the_model(Config) ->
    {ok, Text} = file:read_file(filename:join(project:root(), "test/protocol_journal")),
    Model = [binary_to_atom(Name) || Name <- string:lexemes(Text, "\n")],
    ok = boot(Config),
    [
        begin
            Entries = steps(Config, change(Config, Operation, #{})),
            ?assertEqual({Operation, Model}, {Operation, [Name || {erlrc_journal, Name} <- Entries, lists:member(Name, Model)]})
        end
     || Operation <- [upgrade, downgrade]
    ].

upgrade(Config) ->
    ok = boot(Config),
    sweep(Config, change(Config, upgrade, #{}), [change(Config, downgrade, #{}), stop_helper()]).

stop_helper() ->
    #{operation => stop, application => helper, vsn => <<"1">>}.

%% An application that the change would include is stopped before it.
downgrade(Config) ->
    ok = boot(Config),
    #{status := ok} = request(Config, change(Config, upgrade, #{}), none),
    sweep(Config, change(Config, downgrade, #{}), change(Config, upgrade, #{})).

%% OTP's evaluator runs on when the process of the operation is dead.
upgrade_by_release_handler(Config) ->
    ok = boot(Config),
    Options = #{evaluator => release_handler},
    sweep(Config, change(Config, upgrade, #{options => Options}), [change(Config, downgrade, #{}), stop_helper()]).

upgrade_that_is_held(Config) ->
    ok = boot(Config),
    Held = change(Config, upgrade, #{options => #{hold => 60000}}),
    sweep(Config, Held, [change(Config, downgrade, #{}), stop_helper()]).

start_and_stop(Config) ->
    ok = call(Config, erlrc_app, ensure_started, []),
    sweep(Config, at_one(Config, start), at_one(Config, stop)).

upgrade_of_what_does_not_run(Config) ->
    ok = boot(Config),
    #{outcome := _} = request(Config, at_one(Config, stop), none),
    sweep(Config, change(Config, upgrade, #{}), [change(Config, downgrade, #{}), at_one(Config, stop)]).

%% The way back of an upgrade that waits for its confirmation.
revert(Config) ->
    ok = boot(Config),
    Hold = change(Config, upgrade, #{options => #{hold => 60000}}),
    Held = fun() ->
        #{held := Held} = request(Config, Hold, none),
        (change(Config, revert, #{}))#{held => Held}
    end,
    Old = facts(Config),
    Revert = Held(),
    New = facts(Config),
    Steps = length(steps(Config, Revert)),
    [
        begin
            Request = Held(),
            Answer = struck(Config, Request, N, Victim),
            ok = whole(Config, Answer, {New, Old}, {N, Victim, revert}),
            facts(Config) =:= Old orelse request(Config, change(Config, downgrade, #{}), none),
            ?assertEqual(Old, facts(Config))
        end
     || N <- lists:seq(1, Steps),
        Victim <- [operation, erlrc_operations, erlrc_sup, {erlrc_guardian, operation}],
        %% A guardian that is killed before it has heard of the revert has confirmed.
        N > 1 orelse is_atom(Victim)
    ].

boot(Config) ->
    {One, _} = ?config(dirs, Config),
    ok = call(Config, erlrc_app, ensure_started, []),
    #{outcome := started} = request(Config, at_one(Config, start), none),
    Client = filename:join(filename:dirname(One), "client-1"),
    #{outcome := started} =
        request(Config, #{operation => start, application => client, vsn => <<"1">>, dir => list_to_binary(Client)}, none),
    ok.

change(Config, Operation, More) ->
    {One, Two} = ?config(dirs, Config),
    Sides = [list_to_binary(Dir) || Dir <- case Operation of downgrade -> [Two, One]; _ -> [One, Two] end],
    [From, To] = case Operation of downgrade -> [<<"2">>, <<"1">>]; _ -> [<<"1">>, <<"2">>] end,
    [FromDir, ToDir] = Sides,
    More#{operation => Operation, application => service, from => From, to => To, from_dir => FromDir, to_dir => ToDir}.

at_one(Config, Operation) ->
    {One, _} = ?config(dirs, Config),
    #{operation => Operation, application => service, vsn => <<"1">>, dir => list_to_binary(One)}.

%% Every victim at every step.
sweep(Config, There, Back) ->
    %% What is loaded once stays so.
    ok = back(Config, There),
    ok = back(Config, Back),
    Old = facts(Config),
    Steps = length(steps(Config, There)),
    New = facts(Config),
    ?assertNotEqual(Old, New),
    ok = back(Config, Back),
    ?assertEqual(Old, facts(Config)),
    ct:pal("~b steps~n~tp~n~tp", [Steps, Old, New]),
    Answers = [
        begin
            Answer = struck(Config, There, N, Victim),
            ok = whole(Config, Answer, {Old, New}, {N, Victim}),
            case facts(Config) of
                Old -> ok;
                New -> ok = back(Config, Back)
            end,
            ?assertEqual({N, Victim, Old}, {N, Victim, facts(Config)}),
            maps:get(status, Answer)
        end
     || N <- lists:seq(1, Steps), Victim <- ?VICTIMS
    ],
    %% Some went one way, some the other.
    ?assertEqual([], [failed, ok] -- Answers).

back(Config, Requests) when is_list(Requests) ->
    lists:foreach(fun(Request) -> back(Config, Request) end, Requests);
back(Config, Request) ->
    #{status := ok} = request(Config, Request, none),
    ok.

whole(Config, Answer, {Old, New}, Where) ->
    Now = facts(Config),
    Expected =
        case Answer of
            #{status := ok} -> New;
            #{status := _} -> Old
        end,
    ?assertEqual({Where, Answer, Expected}, {Where, Answer, Now}),
    ok.

%% The steps that the operation notes if nothing happens, each with the module that keeps the notes.
steps(Config, Request) ->
    _ = struck(Config, Request, infinity, nobody),
    lists:reverse(call(Config, persistent_term, get, [?MODULE])).

struck(Config, Request, N, Victim) ->
    Id = integer_to_binary(erlang:unique_integer([positive])),
    Striker = call(Config, ?MODULE, strike, [self_on_node, N, Victim]),
    _ = call(Config, erlang, spawn, [erlrc_hook, request, [Request#{protocol => 1, id => Id}]]),
    fixture:wait_until(fun() -> ended(Config, Id) end, 60000),
    true = call(Config, erlang, exit, [Striker, kill]),
    fixture:wait_until(fun() -> idle(Config) end, 60000),
    #{outcome := ended, answer := Answer} = outcome(Config, Id),
    %% The children of a supervisor that was killed may be about to end.
    fixture:wait_until(fun() -> ok =:= call(Config, erlrc_app, ensure_started, []) end, 60000),
    Answer.

ended(Config, Id) ->
    ended =:= maps:get(outcome, outcome(Config, Id)).

%% A supervisor that was killed takes its servers along a moment later.
idle(Config) ->
    idle =:= (try call(Config, erlrc_operations, status, []) catch _:_ -> busy end) andalso
        undefined =:= call(Config, erlang, whereis, [erlrc_settlement]) andalso call(Config, ?MODULE, is_settled, []).

outcome(Config, Id) ->
    call(Config, erlrc_hook, request, [#{protocol => 1, operation => outcome, id => Id}]).

request(Config, Request, none) ->
    call(Config, erlrc_hook, request, [Request#{protocol => 1}]).

facts(Config) ->
    call(Config, ?MODULE, facts, []).

call(Config, Module, Function, Arguments) ->
    fixture:call(?config(peer, Config), Module, Function, Arguments).

%% On the node.

%% A process that kills the victim when the operation notes its step number N.
strike(_, N, Victim) ->
    persistent_term:put(?MODULE, []),
    Self = self(),
    Striker = spawn(?MODULE, striker, [Self, 0, N, Victim]),
    receive
        {Striker, ready} -> Striker
    end.

striker(Owner, 0, N, Victim) ->
    _ = process_flag(priority, high),
    Notes = [{erlrc_settlement, note, 1}, {erlrc_journal, note, 1}],
    _ = [code:ensure_loaded(Module) || {Module, _, _} <- Notes],
    _ = erlang:trace(all, false, [call]),
    _ = erlang:trace(new, true, [call]),
    _ = [erlang:trace_pattern(Note, true, [local]) || Note <- Notes],
    Owner ! {self(), ready},
    striking(1, N, Victim).

striking(Count, N, Victim) ->
    receive
        {trace, _, call, {Module, note, [Entry]}} ->
            Name = case Entry of _ when is_tuple(Entry) -> element(1, Entry); _ -> Entry end,
            persistent_term:put(?MODULE, [{Module, Name} | persistent_term:get(?MODULE)]),
            _ = [strike(Victim) || Count =:= N orelse Count > N andalso is_struck_again(Victim)],
            striking(Count + 1, N, Victim)
    end.

is_struck_again({again, _}) -> true;
is_struck_again(_Victim) -> false.

strike({again, All}) ->
    strike(All);
strike(All) when is_list(All) ->
    lists:foreach(fun strike/1, All);
strike({First, Second}) ->
    strike([First, Second]);
strike(nobody) ->
    ok;
strike(operation) ->
    case erlrc_outcome:current() of
        {running, Pid, _} -> exit(Pid, kill);
        unknown -> ok
    end;
strike(runner) ->
    case erlrc_outcome:script() of
        {_, {open, Runner, _}} -> exit(Runner, kill);
        _ -> ok
    end;
strike(Name) ->
    _ = [exit(Pid, kill) || Pid <- [whereis(Name)], is_pid(Pid)],
    ok.

%% No guardian is at work, and none is to come.
is_settled() ->
    none =:= erlrc_guardian:left() andalso (whereis(erlrc_guardian) =:= undefined orelse erlrc_hold:status() =/= none).

facts() ->
    Keys = [vsn, applications, included_applications, modules],
    #{
        applications => lists:sort([{App, Vsn} || {App, _, Vsn} <- application:which_applications(), App =/= erlrc]),
        loaded => lists:sort([{App, Vsn} || {App, _, Vsn} <- application:loaded_applications()]),
        specification => [{App, application:get_key(App, Key)} || App <- [service, client], Key <- Keys],
        environment => lists:sort(application:get_all_env(service)),
        original => lists:sort([Row || {{original, _}, _} = Row <- ets:tab2list(erlrc_table)]),
        stopped => lists:sort([Row || {{stopped, _}, _} = Row <- ets:tab2list(erlrc_table)]),
        path => [Dir || Dir <- code:get_path(), string:find(Dir, "erlrc") =:= nomatch],
        code => [{Module, Module:module_info(md5)} || Module <- [service_server], erlang:module_loaded(Module)],
        version => version(),
        suspended => [Pid || Pid <- processes(), {_, {sys, suspend_loop, _}} <- [process_info(Pid, current_function)]],
        guardian => [Name || Name <- [erlrc_settlement], whereis(Name) =/= undefined],
        unsettled => erlrc_unsettled:report(),
        journals => [left || Table <- ets:all(), erlrc_journal =:= ets:info(Table, name), erlrc_hold:status() =:= none]
    }.

version() ->
    case whereis(service_server) of
        undefined -> none;
        _ -> {gen_server:call(service_server, version), element(1, gen_server:call(service_server, state))}
    end.
