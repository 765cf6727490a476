%% @doc How well the node is, beyond what runs: what the health and service checks say that upgrades go by, called now, and
%% which of the nodes that this one should be connected to it is not. Bounded in time, whatever a check does.
-module(erlrc_health).

-export([report/0]).
-export_type([report/0, check/0, peer/0]).

%% For a check, and for a peer's answer, in milliseconds.
-define(PATIENCE, 5000).
%% So many peers are named.
-define(NAMED, 1000).

-type report() :: #{checks := [check()], peers := [peer()]}.
%% Of the application `erlrc': of the node, for what is upgraded there and has no check of its own.
-type check() :: #{application := binary(), name := health_check | service_check, reason => binary()}.
%% `reason': why the check does not pass; none where it does.
-type peer() :: #{
    node := binary(),
    state := connected | silent | missing,
    %% Applications that run there in another version than here.
    others := [#{application := binary(), here := binary(), there := binary()}]
}.

%% @doc Calls every check, all at once, and asks the peers meanwhile.
-spec report() -> report().
-dialyzer({no_return, report/0}).
report() ->
    Running = running(),
    Workers = [{Check, spawn_monitor(fun() -> find_out(Check) end)} || Check <- checks(Running)],
    Peers = peers(Running),
    #{checks => [checked(Worker) || Worker <- Workers], peers => Peers}.

%% While an application takes its time to start nobody says what runs; the checks of the node are called all the same.
running() ->
    try
        application:which_applications(?PATIENCE)
    catch
        exit:_ -> []
    end.

checks(Running) ->
    Names = [{health_check, erlrc_health_check}, {service_check, erlrc_service_check}],
    OfNode = [{erlrc, Name, MFA} || {Name, _} <- Names, {ok, MFA} <- [application:get_env(erlrc, Name)]],
    OfApps = [
        {App, Name, MFA}
     || {App, _, _} <- Running, {Name, Key} <- Names, {ok, MFA} <- [application:get_env(App, Key)]
    ],
    OfNode ++ OfApps.

-spec find_out({atom(), health_check | service_check, term()}) -> no_return().
find_out(Check) ->
    exit({?MODULE, reason(Check)}).

reason({_App, Name, {M, F, A} = MFA}) when is_atom(M), is_atom(F), is_list(A), length(A) < 256 ->
    case erlrc_check:run(Name, MFA, ?PATIENCE) of
        ok -> none;
        {error, {Name, MFA, Why}} -> text("~ts:~ts/~b ~ts", [M, F, length(A), said(Why)])
    end;
reason({_App, _Name, Other}) ->
    text("cannot be called: ~0tP is not {Module, Function, Arguments}", [Other, 10]).

said(timeout) -> io_lib:format("does not answer within ~b s", [?PATIENCE div 1000]);
said({'EXIT', {Reason, _Stack}}) -> io_lib:format("fails: ~0tP", [Reason, 10]);
said({'EXIT', Reason}) -> io_lib:format("fails: ~0tP", [Reason, 10]);
said(Answer) -> io_lib:format("answers ~0tP", [Answer, 10]).

checked({{App, Name, _}, {Pid, Ref}}) ->
    Check = #{application => text("~ts", [App]), name => Name},
    receive
        {'DOWN', Ref, process, Pid, {?MODULE, none}} -> Check;
        {'DOWN', Ref, process, Pid, {?MODULE, Reason}} -> Check#{reason => Reason};
        {'DOWN', Ref, process, Pid, Why} -> Check#{reason => text("fails: ~0tP", [Why, 10])}
    end.

peers(Running) ->
    Connected = lists:sublist(lists:sort(nodes()), ?NAMED),
    Answers = erpc:multicall(Connected, application, which_applications, [?PATIENCE div 2], ?PATIENCE),
    Missing = lists:sublist(lists:usort(wanted(Running)) -- [node() | nodes()], ?NAMED),
    [peer(Node, Answer, Running) || {Node, Answer} <- lists:zip(Connected, Answers)] ++
        [#{node => text("~ts", [Node]), state => missing, others => []} || Node <- Missing].

peer(Node, {ok, There}, Running) when is_list(There) ->
    Versions = maps:from_list([{App, Vsn} || {App, _, Vsn} <- There]),
    Others = [
        #{application => text("~ts", [App]), here => text("~ts", [Vsn]), there => text("~ts", [Other])}
     || {App, _, Vsn} <- Running, #{App := Other} <- [Versions], Other =/= Vsn
    ],
    #{node => text("~ts", [Node]), state => connected, others => Others};
peer(Node, _Failed, _Running) ->
    #{node => text("~ts", [Node]), state => silent, others => []}.

%% The nodes without which this one is not whole: those that it waited for when it booted, and those that hold its tables.
wanted(Running) ->
    Mandatory = [Nodes || {ok, Nodes} <- [application:get_env(kernel, sync_nodes_mandatory)], is_list(Nodes)],
    Tables = [apply(mnesia, system_info, [db_nodes]) || {mnesia, _, _} <- Running],
    [Node || Node <- lists:append(Mandatory ++ Tables), is_atom(Node)].

text(Format, Arguments) ->
    unicode:characters_to_binary(string:slice(io_lib:format(Format, Arguments), 0, 1000)).
