%% @doc A whole upgrade, from the call to the answer: erlrc beside the way of the original erlrc, which
%% plans over every module of the new version, translates the plan and loads every module.
%%
%% Each run has a fresh node; the two ways take turns, and the ratio is made pair by pair.
-module(upgrade_bench).

-export([main/0, original/2, erlrc/2, parts/2]).

-define(SERVERS, 20).

%% @doc Plain arguments: directory to work in, modules, changed modules, pairs of runs.
-spec main() -> no_return().
main() ->
    [Work | Numbers] = init:get_plain_arguments(),
    [Modules, Changed, Pairs] = [list_to_integer(N) || N <- Numbers],
    Old = build(Work, "1", Modules, fun(_) -> 1 end),
    %% All servers change, and every so manieth of the others.
    New = build(Work, "2", Modules, fun
        (I) when I =< ?SERVERS -> 2;
        (I) when I rem (Modules div (Changed - ?SERVERS)) =:= 0 -> 2;
        (_) -> {copy, Old}
    end),
    Dirs = [Old, New],
    Runs = [[run(Way, Dirs) || Way <- [original, erlrc, parts]] || _ <- lists:seq(1, Pairs)],
    Ratio = median([Original / Ours || [Original, Ours, _] <- Runs]),
    Ours = median([T || [_, T, _] <- Runs]),
    Plan = median([P || [_, _, {P, _}] <- Runs]),
    Script = median([S || [_, _, {_, S}] <- Runs]),
    Row = "| ~b modules, ~b changed | ~.1f ms | ~.1f ms | ~.1fx | ~.1f + ~.1f + ~.1f ms |~n",
    io:format("| whole upgrade | original | erlrc | ratio | plan + script + the rest |~n"),
    io:format("|---|---|---|---|---|~n"),
    Rest = max(0.0, Ours - Plan - Script),
    Original = median([T || [T, _, _] <- Runs]),
    io:format(Row, [Modules, Changed, Original, Ours, Ratio, Plan, Script, Rest]),
    halt(0).

median(Numbers) ->
    lists:nth((length(Numbers) + 1) div 2, lists:sort(Numbers)).

%% One way on a fresh node that runs version 1 with all its modules loaded; milliseconds.
run(Way, [Old, New]) ->
    Ebins = [filename:dirname(code:which(?MODULE)), ebin(code:lib_dir(erlrc)), ebin(Old)],
    Path = lists:append([["-pa", Dir] || Dir <- Ebins]),
    {ok, Peer, _} = peer:start(#{
        connection => standard_io,
        name => peer:random_name(),
        args => ["-boot", "start_sasl", "-kernel", "logger_level", "error" | Path],
        env => [{"ERLRC_ROOT", filename:dirname(Old)}, {"ERLRC_RUN", filename:dirname(Old)}]
    }),
    Result = peer:call(Peer, ?MODULE, Way, [Old, New], infinity),
    ok = peer:stop(Peer),
    Result.

ebin(Dir) ->
    filename:join(Dir, "ebin").

%% Version 1 runs; a node that has upgraded before has the modules of sasl loaded.
prepare() ->
    ok = application:start(benched),
    {ok, Modules} = application:get_key(benched, modules),
    ok = code:ensure_modules_loaded(Modules),
    ok = code:ensure_modules_loaded([systools_rc, systools_make, release_handler_1, beam_lib]).

milliseconds(Fun) ->
    {Time, Result} = timer:tc(Fun),
    {Time / 1000, Result}.

%% Every server has migrated its state.
check() ->
    [2 = gen_server:call(name(I), vsn) || I <- lists:seq(1, ?SERVERS)],
    ok.

%% @doc erlrc's way.
-spec erlrc(string(), string()) -> float().
erlrc(Old, New) ->
    ok = prepare(),
    {ok, _} = application:ensure_all_started(erlrc),
    {Time, {ok, _}} = milliseconds(fun() ->
        erlrcdynamic:upgrade(benched, "1", "2", Old, New)
    end),
    ok = check(),
    Time.

%% @doc The parts of erlrc's way: the engine's plan, and the script's run.
-spec parts(string(), string()) -> {float(), float()}.
parts(Old, New) ->
    ok = prepare(),
    {ok, _} = application:ensure_all_started(erlrc),
    {Plan, {ok, #{instructions := Instructions}}} = milliseconds(fun() ->
        erlrc_engine:upgrade_script(benched, {"1", Old}, {"2", New}, up, #{})
    end),
    [{ok, OldSpec}, {ok, NewSpec}] =
        [erlrc_engine:application(benched, Dir, "/nonexistent") || Dir <- [Old, New]],
    Script = [#{
        application => benched,
        direction => up,
        instructions => Instructions,
        from => {"1", Old},
        to => {"2", New},
        from_spec => OldSpec,
        to_spec => NewSpec,
        options => #{}
    }],
    {Run, {ok, _}} = milliseconds(fun() -> erlrc_evaluator:evaluate(Script) end),
    ok = check(),
    {Plan, Run}.

%% @doc The original's way: every module of the new version is in the appup, read with beam_lib.
-spec original(string(), string()) -> float().
original(Old, New) ->
    ok = prepare(),
    {Time, {ok, _}} = milliseconds(fun() ->
        {ok, [{application, benched, Keys}]} = file:consult(filename:join(ebin(New), "benched.app")),
        Script = [instruction(New, Module) || Module <- proplists:get_value(modules, Keys)],
        [{ok, OldApp}, {ok, NewApp}] = [
            systools_make:read_application("benched", Vsn, [ebin(Dir)], [])
         || {Vsn, Dir} <- [{"1", Old}, {"2", New}]
        ],
        {ok, LowLevel} = systools_rc:translate_scripts(up, [Script], [NewApp], [OldApp]),
        release_handler:eval_appup_script(benched, "2", New, LowLevel)
    end),
    ok = check(),
    Time.

instruction(Dir, Module) ->
    File = filename:join(ebin(Dir), atom_to_list(Module) ++ ".beam"),
    {ok, {Module, [{exports, Exports}, {attributes, Attributes}]}} =
        beam_lib:chunks(File, [exports, attributes]),
    Supervisor = lists:member(supervisor, proplists:get_value(behaviour, Attributes, [])),
    Migrates = lists:member({code_change, 3}, Exports),
    if
        Supervisor -> {update, Module, supervisor};
        Migrates -> {update, Module, infinity, {advanced, []}, brutal_purge, brutal_purge, []};
        true -> {load_module, Module}
    end.

name(I) ->
    list_to_atom("benched_" ++ integer_to_list(I)).

%% The first modules are gen_servers, the others a library.
build(Work, Vsn, Modules, Content) ->
    Dir = filename:join(Work, "benched-" ++ Vsn),
    ok = filelib:ensure_dir(filename:join(ebin(Dir), "x")),
    Numbers = lists:seq(1, Modules),
    [module(ebin(Dir), I, Content(I)) || I <- Numbers],
    [write(ebin(Dir), Source) || Source <- [callback_source(), supervisor_source()]],
    Spec =
        {application, benched, [
            {description, "bench"},
            {vsn, Vsn},
            {modules, [name(I) || I <- Numbers] ++ [benched_app, benched_sup]},
            {registered, []},
            {applications, [kernel, stdlib]},
            {mod, {benched_app, []}}
        ]},
    ok = file:write_file(filename:join(ebin(Dir), "benched.app"), io_lib:format("~tp.~n", [Spec])),
    Dir.

module(Ebin, I, {copy, Dir}) ->
    Beam = atom_to_list(name(I)) ++ ".beam",
    {ok, _} = file:copy(filename:join(ebin(Dir), Beam), filename:join(Ebin, Beam));
module(Ebin, I, Content) ->
    write(Ebin, [header(I), body(I, Content)]).

header(I) when I =< ?SERVERS ->
    io_lib:format(
        "-module(~p). -behaviour(gen_server). "
        "-export([start_link/0, init/1, handle_call/3, handle_cast/2, code_change/3, f1/1]). "
        "start_link() -> gen_server:start_link({local, ~p}, ~p, [], []). init([]) -> {ok, vsn()}. "
        "handle_call(vsn, _, S) -> {reply, S, S}. handle_cast(_, S) -> {noreply, S}. "
        "code_change(_, _, _) -> {ok, vsn()}. ",
        [name(I), name(I), name(I)]
    );
header(I) ->
    io_lib:format("-module(~p). -export([vsn/0, f1/1]). ", [name(I)]).

%% 10 to 30 KB of beam with debug information.
body(I, Content) ->
    Last = 45 + (I * 7) rem 80,
    [
        io_lib:format("vsn() -> ~b. ", [Content]),
        [function(N, Last) || N <- lists:seq(1, Last)]
    ].

function(N, Last) when N =< Last ->
    Next =
        case N of
            Last -> "X";
            _ -> io_lib:format("f~b(X)", [N + 1])
        end,
    io_lib:format(
        "f~b(X) when is_integer(X), X > ~b -> Y = {X, ~b, <<\"text ~b\">>, [a~b | X]},"
        "{Y, lists:map(fun(E) -> {E, ~b, Y} end, [X])}; f~b(X) -> ~s. ",
        [N, N * 3, N * 17, N, N, N, N, Next]
    ).

callback_source() ->
    "-module(benched_app). -behaviour(application). -export([start/2, stop/1]). "
    "start(_, _) -> benched_sup:start_link(). stop(_) -> ok. ".

supervisor_source() ->
    Children = [
        {name(I), {name(I), start_link, []}, permanent, 5000, worker, [name(I)]}
     || I <- lists:seq(1, ?SERVERS)
    ],
    io_lib:format(
        "-module(benched_sup). -behaviour(supervisor). -export([start_link/0, init/1]). "
        "start_link() -> supervisor:start_link({local, benched_sup}, benched_sup, []). "
        "init([]) -> {ok, {{one_for_one, 5, 10}, ~p}}. ",
        [Children]
    ).

write(Ebin, Source) ->
    {ok, Tokens, _} = erl_scan:string(lists:flatten(Source)),
    {ok, Module, Beam} = compile:forms(forms(Tokens, [], []), [debug_info, nowarn_unused_function]),
    ok = file:write_file(filename:join(Ebin, atom_to_list(Module) ++ ".beam"), Beam).

forms([{dot, _} = Dot | Tokens], Form, Forms) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    forms(Tokens, [], [Parsed | Forms]);
forms([Token | Tokens], Form, Forms) ->
    forms(Tokens, [Token | Form], Forms);
forms([], [], Forms) ->
    lists:reverse(Forms).
