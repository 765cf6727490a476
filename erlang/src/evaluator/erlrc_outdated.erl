%% @doc Records and structs whose shape changes with a version, and who holds them in the earlier one: the new code
%% matches none of these. For the evaluator, which refuses what nobody converts, and for plans, which say it.
%%
%% What `code_change' converts is tried beforehand (`erlrc_trial'), on those processes alone in which something was found;
%% on all, where something was found in a table.
-module(erlrc_outdated).

-export([shapes/2, find/5, mode/1]).
-export_type([found/0, unseen/0, certainty/0]).

%% Nobody converts it; somebody may; it may be another one of that name.
-type certainty() :: kept | untried | unclear.
-type found() :: #{
    shape := erlrc_look:shape(),
    %% The module that has it, and its size or its keys before and after.
    module := module(),
    earlier := pos_integer() | [atom()],
    later := pos_integer() | [atom()],
    place := state | dictionary | table,
    holders := [pid() | erlrc_tables:table(), ...],
    certainty := certainty()
}.

-type unseen() :: [erlrc_funs:unseen() | erlrc_tables:unseen()].

%% Milliseconds for the search of processes and of tables.
-define(TIME, 2000).
-define(TABLES, 300).

%% @doc What an operation does with what is found: the option of a script, else the environment.
-spec mode(map()) -> strict | warn | off.
mode(#{preflight := Mode}) -> Mode;
mode(_Options) -> application:get_env(erlrc, preflight, strict).

%% @doc The records and structs of these modules whose shape changes, as far as the files of both versions tell. A record
%% that another module of the new version has in the earlier size is left out.
-spec shapes([module()], erlrc_evaluator:change()) -> erlrc_look:records().
shapes(Modules, #{from := {_, From}, to := {_, To}}) ->
    case erlrc_room:is_short() of
        true -> #{};
        false -> maps:from_list(without_known(records(Modules, From, To), To) ++ structs(Modules, From, To))
    end.

records(Modules, From, To) ->
    [
        {{Name, length(Old) + 1}, {Module, length(New) + 1}}
     || Module <- Modules,
        [_ | _] = Earlier <- [of_file(From, Module)],
        Later <- [of_file(To, Module)],
        {Name, Old} <- Earlier,
        {_, New} <- [lists:keyfind(Name, 1, Later)],
        length(Old) =/= length(New)
    ].

without_known([], _To) ->
    [];
without_known(Records, To) ->
    Files = filelib:wildcard(filename:join([To, "ebin", "*" ++ code:objfile_extension()])),
    Known = [{Name, length(Fields) + 1} || File <- Files, {Name, Fields} <- of_file(File)],
    [Each || {Record, _} = Each <- Records, not lists:member(Record, Known)].

structs(Modules, From, To) ->
    [
        {{struct, Module}, {Earlier, Later}}
     || Module <- Modules,
        {ok, Earlier} <- [erlrc_struct:keys(Module, file(From, Module))],
        {ok, Later} <- [erlrc_struct:keys(Module, file(To, Module))],
        Earlier =/= Later
    ].

file(Dir, Module) ->
    filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]).

of_file(Dir, Module) -> of_file(file(Dir, Module)).

of_file(File) ->
    case file:read_file(File) of
        {ok, Beam} -> erlrc_shape:records(list_to_atom(filename:basename(File, code:objfile_extension())), Beam);
        {error, _} -> []
    end.

%% @doc Who holds something in one of these shapes, and who was not looked at. `Targets' are the processes that the script changes; `Try' runs
%% `code_change' on the states of some of them.
-spec find(erlrc_look:records(), map(), fun((map()) -> erlrc_trial:result()), [module()], erlrc_evaluator:change()) ->
    #{found := [found()], unseen := unseen()}.
find(Shapes, _Targets, _Try, _Steady, _Script) when map_size(Shapes) =:= 0 ->
    #{found => [], unseen => []};
find(Shapes, Targets, Try, Steady, #{application := App, from := {_, Dir}} = Script) ->
    #{held := Held, unseen := Unseen} = erlrc_funs:in_processes(erlrc_look:wanted(Shapes), ?TIME),
    All = [{Shape, Place, Pid} || {{record, Shape}, Place, Pid} <- Held, Place =/= messages],
    {InProcesses, Stay} = erlrc_child_arguments:without_converted(All, Shapes, Targets, [Script]),
    Mine = maps:with([Pid || {_, state, Pid} <- InProcesses], Targets),
    Tables = erlrc_tables:search(#{modules => [], records => Shapes, directory => Dir, application => App}, ?TABLES),
    %% Whoever is told of the change may convert a table, whatever is in its own state.
    Trial = Try(case Tables of #{records := [_ | _]} -> Targets; #{} -> Mine end),
    Found =
        tried(Trial) ++
            [held(Each, #{}, Steady, App) || Each <- Stay] ++
            [held(Each, Targets, Steady, App) || {_, Place, Pid} = Each <- InProcesses, Place =:= dictionary orelse not is_map_key(Pid, Mine)] ++
            [{Shape, table, Table, table(Table, Trial, Script)} || {Table, Shape} <- maps:get(records, Tables)],
    #{found => grouped(Found, Shapes), unseen => Unseen ++ maps:get(unseen, Tables)}.

tried(#{records := Records}) ->
    [{Shape, state, Pid, case How of stays -> kept; untried -> untried end} || {Pid, How, Shape} <- Records].

%% A process that is told of the change may convert its dictionary, unless its code_change gives back what it was given.
held({Shape, dictionary, Pid}, Targets, Steady, App) ->
    case Targets of
        #{Pid := #{modules := Modules}} ->
            Certainty = case Modules -- Steady of [] -> kept; _ -> untried end,
            {Shape, dictionary, Pid, Certainty};
        #{} ->
            {Shape, dictionary, Pid, of_whom(Shape, Pid, App)}
    end;
held({Shape, Place, Pid}, _Targets, _Steady, App) ->
    {Shape, Place, Pid, of_whom(Shape, Pid, App)}.

%% Another application may have a record of that name and size itself. Names of structs are their own.
of_whom({struct, _}, _Pid, _App) ->
    kept;
of_whom({map, Keys}, _Pid, _App) when is_list(Keys) ->
    unclear;
of_whom(Shape, Pid, App) ->
    case application:get_application(Pid) of
        {ok, App} -> kept;
        {ok, Other} -> has_its_own(Shape, [File || Module <- erlrc_node:modules(Other), File <- [code:which(Module)]]);
        undefined -> has_its_own(Shape, [code:which(Module) || Module <- started_by(Pid)])
    end.

started_by(Pid) ->
    case erlrc_scan:initial(Pid, erlrc_scan:is_slow()) of
        {{supervisor, Module, _}, _} -> [Module];
        {{Module, _, _}, _} -> [Module];
        _ -> []
    end.

has_its_own({Name, Size}, Files) ->
    Known = [of_file(File) || File <- Files, is_list(File)],
    Own = [Fields || Records <- Known, {N, Fields} <- Records, N =:= Name, length(Fields) + 1 =:= Size],
    case {Own, lists:append(Known)} of
        {[_ | _], _} -> none;
        {[], [_ | _]} -> kept;
        %% No debug information, or no record at all: that cannot be told apart.
        {[], []} -> unclear
    end.

%% What somebody else's terms look like is not known, nor what an instruction of the script or a `code_change' with
%% effects does to tables.
table(persistent_term, _Trial, _Script) ->
    unclear;
table(_Table, #{skipped := Skipped}, #{instructions := Instructions}) ->
    Applies = [apply || Instruction <- Instructions, is_tuple(Instruction), element(1, Instruction) =:= apply],
    case Applies ++ [Why || {_, {has_effects, _} = Why, _} <- Skipped] of
        [] -> kept;
        _ -> untried
    end.

grouped(Found, Shapes) ->
    Known = [certain(Each) || {_, _, _, Certainty} = Each <- Found, Certainty =/= none],
    Groups = maps:groups_from_list(
        fun({Shape, Place, _, Certainty}) -> {Shape, Place, Certainty} end, fun({_, _, Holder, _}) -> Holder end, Known
    ),
    [found(Group, lists:usort(Holders), Shapes) || {Group, Holders} <- lists:sort(maps:to_list(Groups))].

%% Who has made a map is never certain.
certain({{map, Keys} = Shape, Place, Holder, _Certainty}) when is_list(Keys) -> {Shape, Place, Holder, unclear};
certain(Found) -> Found.

found({Shape, Place, Certainty}, Holders, Shapes) ->
    {Module, Earlier, Later} =
        case {Shape, Shapes} of
            {{struct, Struct}, #{Shape := {Old, New}}} -> {Struct, Old, New};
            {{_, SizeOrKeys}, #{Shape := {Owner, New}}} -> {Owner, SizeOrKeys, New}
        end,
    #{
        shape => Shape, module => Module, earlier => Earlier, later => Later, place => Place, holders => Holders,
        certainty => Certainty
    }.
