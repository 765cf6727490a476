%% @doc What changed supervisors would say of their children, for a live plan.
-module(erlrc_plan_supervisors).

-export([findings/2, hindrances/1]).

-type supervisor() ::
    {
        {pid(), module(), Arguments :: term()},
        %% The arguments that the new `init/1' would be given.
        {ok, term()} | {error, term()} | {untried, term()},
        {Old :: file:filename(), New :: file:filename()}
    }.
-type how() :: #{
    %% Where the code of a module may be that will run.
    files := fun((module()) -> [file:filename()]),
    %% Whether the script does more than replace modules, and so may end processes.
    barriers := boolean(),
    %% Whether children that are gained are started.
    children := boolean()
}.

-record(known, {
    pid :: pid(),
    module :: module(),
    %% What the new `init/1' answers, and what it would meet.
    answer :: term(),
    foreseen :: {taken, erlrc_taken_names:taken()} | {answer, erlrc_abstract:value()} | unknown,
    %% Ids of the earlier specification, and the children that are there with their processes.
    old :: [term()],
    now :: [{term(), pid() | undefined}] | unknown
}).

%% @doc Of supervisors that run: process, module, files of the code that runs and of the new code. What is so of many
%% that run the same module is said once.
-spec findings([supervisor()], how()) -> [erlrc_finding:finding()].
findings(Supervisors, How) ->
    Known = [known(Each, How) || Each <- Supervisors],
    Leaving = lists:append([leaving(Each) || Each <- Known]),
    lists:uniq(lists:append([init(Each) ++ gained(Each, Leaving, How) || Each <- Known])).

known({{Pid, Module, Arguments}, Given, {Old, New}}, How) ->
    Answer = answer(Module, Given, New),
    Foreseen =
        case {Answer, Given} of
            {{ok, Specified}, _} -> {answer, erlrc_abstract:value(Specified)};
            {{effects, _}, {ok, Argument}} -> taken_names({Module, Argument}, How);
            {unknown, {ok, Argument}} -> taken_names({Module, Argument}, How);
            _ -> unknown
        end,
    Now = children(Pid),
    Ids = specified(erlrc_hindrance:init({Module, Arguments}, Old), ids(Now)),
    #known{pid = Pid, module = Module, answer = Answer, foreseen = Foreseen, old = Ids, now = Now}.

answer(Module, {ok, Arguments}, File) -> erlrc_hindrance:init({Module, Arguments}, File);
answer(_Module, {untried, _Why}, _File) -> unknown;
answer(_Module, {error, Why}, _File) -> {not_converted, Why}.

taken_names(Init, #{files := Files, barriers := Barriers}) ->
    erlrc_taken_names:init(Init, #{files => Files, stays => fun(_) -> not Barriers end}).

init(#known{module = Module, answer = {not_converted, Why}}) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The argument that the supervisor has cannot be converted for the new init/1: ~ts.", [
                erlrc_plan_states:cause(Why)
            ]),
            "Let init/1 accept the arguments of the earlier version.", #{}
        )
    ];
init(#known{module = Module, foreseen = {taken, Taken}}) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The new init/1 fails, because ~ts.", [taken(Taken)]),
            "Let a child specification start it, or let init/1 accept that it is there.", holder(Taken)
        )
    ];
init(#known{module = Module, answer = {effects, Effects}}) ->
    [
        erlrc_finding:new(
            supervisor_init_has_effects, warning, atom_to_binary(Module),
            erlrc_finding:text(
                "init/1 is called again by the upgrade, and ~ts; the upgrade may be rolled back.",
                [erlrc_plan_states:effects(Effects)]
            ),
            "Move what must happen once out of init/1, to the function that starts the supervisor.", #{}
        )
    ];
init(#known{module = Module, answer = {error, Why}}) ->
    [
        erlrc_finding:new(
            supervisor_init_fails, error, atom_to_binary(Module),
            erlrc_finding:text("The new init/1 fails with the arguments that the supervisor has: ~0tp.", [Why]),
            "Let init/1 accept the arguments of the earlier version.", #{}
        )
    ];
init(#known{now = unknown}) ->
    [];
init(#known{module = Module, answer = {ok, Answer}, old = Old, now = Now}) ->
    case erlrc_children:child_ids(Answer) of
        {ok, New} -> children_changed(Module, (New -- Old) -- ids(Now), [Id || Id <- Old -- New, lists:member(Id, ids(Now))]);
        unknown -> []
    end;
init(#known{answer = unknown}) ->
    [].

%% What is started and stopped is what comes and goes between the two specifications; what somebody has started or
%% deleted beside them stays so. Where the earlier one cannot be asked, the children that are there stand for it.
specified({ok, Answer}, Now) ->
    case erlrc_children:child_ids(Answer) of
        {ok, Ids} -> Ids;
        unknown -> Now
    end;
specified(_, Now) ->
    Now.

ids(unknown) -> [];
ids(Children) -> [Id || {Id, _} <- Children].

children_changed(_Module, [], []) ->
    [];
children_changed(Module, Added, Removed) ->
    [
        erlrc_finding:new(
            supervisor_children_changed, info, atom_to_binary(Module),
            erlrc_finding:text("Children to be started: ~0tp, to be stopped: ~0tp.", [Added, Removed]),
            "Nothing, unless supervisor_children is false.", #{}
        )
    ].

children(Pid) ->
    try gen_server:call(Pid, which_children, 1000) of
        Children -> [{Id, Child} || {Id, Child, _, _} <- Children]
    catch
        exit:_ -> unknown
    end.

%% The processes that make room for gained children; the supervisor itself where it cannot be told which of its children do.
leaving(#known{answer = {ok, Answer}, old = Old, now = Now}) when Now =/= unknown ->
    case erlrc_children:child_ids(Answer) of
        {ok, New} -> [Child || {Id, Child} <- Now, is_pid(Child), lists:member(Id, Old -- New)];
        unknown -> []
    end;
leaving(#known{pid = Pid}) ->
    [Pid].

%% Children that would be started and find a name taken by a process that stays.
gained(_Supervisor, _Leaving, #{children := false}) ->
    [];
gained(#known{foreseen = {answer, Value}, now = Now} = Known, Leaving, How) when Now =/= unknown ->
    #known{module = Module, old = Old} = Known,
    #{files := Files, barriers := Barriers} = How,
    Stays = fun(Pid) -> not Barriers andalso stays(Pid, Leaving) end,
    [
        child_name_taken(Module, Id, Taken)
     || {Id, Start} <- erlrc_taken_names:children(Value),
        not lists:member(Id, Old ++ ids(Now)),
        {taken, Taken} <- [erlrc_taken_names:start(Start, #{files => Files, stays => Stays})]
    ];
gained(_Supervisor, _Leaving, _How) ->
    [].

%% Who is below or linked to one that leaves may leave with it.
stays(Pid, Leaving) ->
    not lists:any(fun(Each) -> lists:member(Each, Leaving) end, [Pid | around(Pid)]).

around(Pid) when node(Pid) =/= node() ->
    [];
around(Pid) ->
    case process_info(Pid, [links, dictionary]) of
        [{links, Links}, {dictionary, Dictionary}] ->
            Links ++ [above(Each) || Each <- proplists:get_value('$ancestors', Dictionary, [])];
        undefined ->
            []
    end.

above(Name) when is_atom(Name) -> whereis(Name);
above(Pid) -> Pid.

child_name_taken(Module, Id, Taken) ->
    erlrc_finding:new(
        child_name_taken, error, atom_to_binary(Module),
        erlrc_finding:text("The new child ~0tp cannot start, because ~ts.", [Id, taken(Taken)]),
        "Give it another name, or end the process that holds this one before.",
        (holder(Taken))#{child => erlrc_finding:text("~0tp", [Id])}
    ).

taken({Name, Pid}) ->
    erlrc_finding:text("~ts is held by ~ts", [name(Name), owner(Pid)]).

name({local, Name}) -> erlrc_finding:text("the name ~tp", [Name]);
name({global, Name}) -> erlrc_finding:text("the global name ~0tp", [Name]);
name({table, Name}) -> erlrc_finding:text("the table ~tp", [Name]).

owner(Pid) ->
    case application(Pid) of
        none -> process(Pid);
        Application -> [process(Pid), " of ", atom_to_list(Application)]
    end.

holder({{_, Name}, Pid}) ->
    Owner = [{application, Application} || Application <- [application(Pid)], Application =/= none],
    maps:from_list([{name, erlrc_finding:text("~0tp", [Name])}, {holder, process(Pid)} | Owner]).

process(Pid) when node(Pid) =/= node() -> erlrc_finding:text("~p on ~ts", [Pid, node(Pid)]);
process(Pid) -> erlrc_finding:name(Pid).

application(Pid) when node(Pid) =/= node() ->
    none;
application(Pid) ->
    case application:get_application(Pid) of
        {ok, Application} -> Application;
        undefined -> none
    end.

%% @doc What keeps the script from being run at all.
-spec hindrances([erlrc_hindrance:hindrance()]) -> [erlrc_finding:finding()].
hindrances(Hindrances) ->
    [erlrc_finding:means(restart_application, hindrance(Each)) || Each <- Hindrances].

hindrance({removed_module_in_use, Module, Pids} = Why) ->
    erlrc_finding:new(
        removed_module_in_use, error, atom_to_binary(Module), [erlrc_error:format_error(Why), "."],
        "Keep the module in the new version, or let the policy restart the application.",
        #{processes => erlrc_finding:named(Pids), count => length(Pids)}
    );
hindrance({supervisor_strategy, Module, Pid, From, To} = Why) ->
    erlrc_finding:new(
        supervisor_strategy_changed, error, atom_to_binary(Module), [erlrc_error:format_error(Why), "."],
        "Put children of another kind below a new supervisor, or let the policy restart the application.",
        #{processes => erlrc_finding:named([Pid]), before => From, 'after' => To}
    ).
