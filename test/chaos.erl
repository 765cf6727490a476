%% @doc Random operations on several applications of this node, with faults at random moments, under clients that count.
%% What is asserted after each operation is {@link sound/2}.
-module(chaos).

-export([applications/0, run/3, text/1, changing/1]).

-define(PER_SERVER, 3).
-define(PATIENCE, 20000).

-type dirs() :: #{atom() => {file:filename(), file:filename()}}.

%% @doc The applications; all but the first depend on it.
-spec applications() -> [atom()].
applications() ->
    [alpha, beta, gamma].

%% @doc Runs for so many seconds; answers what was done, and what was wrong.
-spec run(dirs(), pos_integer(), integer()) -> {map(), [term()]}.
run(Dirs, Seconds, Seed) ->
    _ = rand:seed(exsss, {Seed, 2, 3}),
    {ok, _} = application:ensure_all_started(sasl),
    ok = application:load({application, erlrc, specification()}),
    {ok, _} = application:ensure_all_started(erlrc),
    ok = application:set_env(erlrc, purge_after, 0),
    _ = [start(App, maps:get(App, Dirs)) || App <- applications()],
    Self = self(),
    Clients = [
        spawn_monitor(transaction_random_SUITE, client, [Pid, Self])
     || App <- applications(), Pid <- workers(App)
    ],
    Deadline = erlang:monotonic_time(second) + Seconds,
    {Report, Wrong} = rounds(Dirs, Clients, Deadline, #{operations => #{}, faults => #{}, outcomes => #{}}),
    Requests = lists:sum([element(2, state(Pid)) || App <- applications(), Pid <- workers(App)]),
    Lost = [Why || {Client, Ref} <- Clients, Why <- [stop_client(Client, Ref)], Why =/= in_order],
    {Report#{requests => Requests}, Wrong ++ [{client, Why} || Why <- Lost]}.

specification() ->
    {ok, [{application, erlrc, Keys}]} = file:consult(code:where_is_file("erlrc.app")),
    Keys.

start(App, {Old, _New}) ->
    true = code:add_patha(filename:join(Old, "ebin")),
    {ok, _} = application:ensure_all_started(App),
    ok = application:set_env(App, kept, {set, App}),
    _ = [(name(App, Suffix)):version() || Suffix <- ["_lib", "_env"]],
    Sup = name(App, "_sup"),
    Server = name(App, "_server"),
    _ = [
        {ok, _} = supervisor:start_child(Sup, #{
            id => {worker, N}, start => {Server, start_link, [N]}, modules => [Server]
        })
     || N <- lists:seq(1, ?PER_SERVER)
    ],
    ok.

workers(App) ->
    [Pid || {{worker, _}, Pid, _, _} <- supervisor:which_children(name(App, "_sup")), is_pid(Pid)].

name(App, Suffix) ->
    list_to_atom(atom_to_list(App) ++ Suffix).

state(Pid) ->
    try
        gen_server:call(Pid, state, 30000)
    catch
        exit:Why -> {no_answer, 0, Why}
    end.

stop_client(Client, Ref) ->
    Client ! stop,
    receive
        {'DOWN', Ref, process, Client, Why} -> Why
    after 30000 -> no_answer
    end.

rounds(Dirs, Clients, Deadline, Report) ->
    case erlang:monotonic_time(second) >= Deadline of
        true ->
            {Report, []};
        false ->
            App = one_of(applications()),
            Operation = one_of([change, change, change, change, change, reload, held_confirmed, held_reverted, twice]),
            Fault = one_of([none | chaos_faults:names()]),
            Before = version(App),
            Answers = chaos_faults:with(Fault, App, fun() -> operate(Operation, App, Before, maps:get(App, Dirs)) end),
            ok = settled(),
            More = counted(Operation, Fault, Answers, Report),
            case wrong(Operation, Before, App, Answers, Dirs) ++ lost(Clients) of
                [] -> rounds(Dirs, Clients, Deadline, More);
                Wrong -> {More, [#{operation => Operation, fault => Fault, application => App, answers => Answers, wrong => Wrong}]}
            end
    end.

%% Clients that were not answered, or not in order.
lost(Clients) ->
    [{client, Why} || {Client, Ref} <- Clients, Why <- ended(Client, Ref)].

ended(Client, Ref) ->
    receive
        {'DOWN', Ref, process, Client, Why} -> [Why]
    after 0 -> []
    end.

one_of(List) ->
    lists:nth(rand:uniform(length(List)), List).

counted(Operation, Fault, Answers, #{operations := Operations, faults := Faults, outcomes := Outcomes} = Report) ->
    Add = fun(Key, Map) -> maps:update_with(Key, fun(N) -> N + 1 end, 1, Map) end,
    Words = [word(Answer) || Answer <- Answers],
    Report#{operations := Add(Operation, Operations), faults := Add(Fault, Faults), outcomes := lists:foldl(Add, Outcomes, Words)}.

word(#{outcome := Outcome, status := Status}) -> {Status, Outcome};
word(_) -> no_answer.

%% @doc What was done, in a line.
-spec text(map()) -> string().
text(#{operations := Operations, faults := Faults, outcomes := Outcomes, requests := Requests}) ->
    Sum = fun(Map) -> lists:sum(maps:values(Map)) end,
    lists:flatten(
        io_lib:format("~p operations ~0p, ~p faults of ~p kinds ~0p, ~p requests answered in order, outcomes ~0p", [
            Sum(Operations), Operations, Sum(maps:remove(none, Faults)), maps:size(maps:remove(none, Faults)), Faults,
            Requests, Outcomes
        ])
    ).

operate(change, App, Vsn, Dirs) ->
    [ask(request(App, Vsn, Dirs))];
operate(reload, App, Vsn, {Old, New}) ->
    Dir = case Vsn of "1" -> Old; "2" -> New end,
    Text = list_to_binary(Vsn),
    [
        ask(#{
            protocol => 1, operation => upgrade, application => App, from => Text, to => Text,
            from_dir => path(Dir), to_dir => path(Dir), patience => ?PATIENCE
        })
    ];
operate(held_confirmed, App, Vsn, Dirs) ->
    held(confirm, App, Vsn, Dirs);
operate(held_reverted, App, Vsn, Dirs) ->
    held(revert, App, Vsn, Dirs);
%% Two clients ask for the same at once.
operate(twice, App, Vsn, Dirs) ->
    Request = request(App, Vsn, Dirs),
    Self = self(),
    {Other, Ref} = spawn_monitor(fun() -> Self ! {answer, self(), ask(Request)} end),
    Mine = ask(Request),
    receive
        {answer, Other, Theirs} -> true = demonitor(Ref, [flush]), [Theirs, Mine];
        {'DOWN', Ref, process, Other, Why} -> [#{status => no_answer, outcome => no_answer, reason => Why}, Mine]
    end.

held(How, App, Vsn, Dirs) ->
    Request = request(App, Vsn, Dirs),
    case ask(Request#{options => #{hold => 10000}}) of
        #{held := Held} = First ->
            Operation = maps:with([protocol, application, from, to, from_dir, to_dir, patience], Request),
            [First, ask(Operation#{operation => How, held => Held})];
        Refused ->
            [Refused]
    end.

request(App, Vsn, {Old, New}) ->
    {Operation, From, To, FromDir, ToDir} =
        case Vsn of
            "1" -> {upgrade, <<"1">>, <<"2">>, Old, New};
            "2" -> {downgrade, <<"2">>, <<"1">>, New, Old}
        end,
    #{
        protocol => 1, operation => Operation, application => App, from => From, to => To,
        from_dir => path(FromDir), to_dir => path(ToDir), patience => persistent_term:get({?MODULE, patience}, ?PATIENCE)
    }.

path(Dir) ->
    unicode:characters_to_binary(Dir).

%% The caller may be killed, and so may the server that it asks.
ask(Request) ->
    {Caller, Ref} = spawn_monitor(fun() -> exit({answer, erlrc_hook:request(Request)}) end),
    persistent_term:put({?MODULE, caller}, Caller),
    receive
        {'DOWN', Ref, process, Caller, {answer, Answer}} -> Answer;
        {'DOWN', Ref, process, Caller, Why} -> #{status => no_answer, outcome => no_answer, reason => Why}
    end.

%% Nothing is under way any more: no operation, no guardian.
settled() ->
    Idle = fun() ->
        try erlrc_operations:status(1000) of
            idle -> whereis(erlrc_guardian) =:= undefined orelse erlrc_hold:status() =/= none;
            _ -> false
        catch
            exit:_ -> false
        end
    end,
    ok = fixture:wait_until(Idle, 120000),
    ok = erlrc_hold:settle(),
    fixture:wait_until(fun() -> whereis(erlrc_guardian) =:= undefined end, 60000).

version(App) ->
    {_, _, Vsn} = lists:keyfind(App, 1, application:loaded_applications()),
    Vsn.

%% What is not as the answers say, or not of one version.
wrong(Operation, Before, App, Answers, Dirs) ->
    lists:append([unsound(Each, maps:get(Each, Dirs)) || Each <- applications()]) ++
        [{answer, Answer, Before, Now} || Now <- [version(App)], Answer <- untrue(Operation, Before, Now, Answers)].

%% The last answer of a change is what the node is asked about; a way back that closed by itself is confirmed.
untrue(change, Before, Now, [#{status := ok} = Answer]) -> [Answer || Now =:= Before];
untrue(change, Before, Now, [#{status := Status} = Answer]) when Status =:= refused; Status =:= failed -> [Answer || Now =/= Before];
untrue(reload, Before, Now, [Answer]) -> [Answer || Now =/= Before];
untrue(held_reverted, Before, Now, [_, #{status := ok, outcome := reverted} = Answer]) -> [Answer || Now =/= Before];
untrue(held_confirmed, Before, Now, [_, #{status := ok} = Answer]) -> [Answer || Now =:= Before];
untrue(_Operation, _Before, _Now, _Answers) -> [].

unsound(App, Dirs) ->
    try
        differences(App, Dirs)
    catch
        exit:Why -> [{App, does_not_answer, Why}]
    end.

differences(App, {Old, New}) ->
    Vsn = version(App),
    Number = list_to_integer(Vsn),
    Dir = case Vsn of "1" -> Old; "2" -> New end,
    Expected = #{
        running => [Vsn],
        modules => [],
        states => [],
        path => [filename:join(Dir, "ebin")],
        default => {ok, Number},
        kept => {ok, {set, App}},
        suspended => []
    },
    Found = #{
        running => [V || {A, _, V} <- application:which_applications(30000), A =:= App],
        modules => [M || Suffix <- ["_lib", "_env", "_server"], M <- [name(App, Suffix)], M:version() =/= Number],
        states => [{Pid, S} || Pid <- [whereis(name(App, "_server")) | workers(App)], S <- [state(Pid)], element(1, S) =/= Number],
        path => [P || P <- code:get_path(), lists:member(P, [filename:join(D, "ebin") || D <- [Old, New]])],
        default => application:get_env(App, default),
        kept => application:get_env(App, kept),
        suspended => [Pid || Pid <- [whereis(name(App, "_sup")) | workers(App)], is_suspended(Pid)]
    },
    [{App, Key, Value} || {Key, Value} <- maps:to_list(Found), maps:get(Key, Expected) =/= Value].

is_suspended(Pid) ->
    {status, _, _, [_, State | _]} = sys:get_status(Pid, 30000),
    State =:= suspended.

%% @doc What `code_change' of the servers calls: a fault may be waiting there.
-spec changing(module()) -> ok.
changing(Module) ->
    case persistent_term:get({?MODULE, Module}, none) of
        none -> ok;
        Fault -> chaos_faults:strike(Fault, self())
    end.
