%% @doc What a live plan searches tables for, and what it says of the states and tables that it could not search.
-module(erlrc_plan_search).

-export([tables/3, unseen/3]).

%% Milliseconds for the search of tables.
-define(TABLES, 300).
-define(NAMED, 10).

%% @doc Searches all tables for funs of these modules and for names of these functions. Funs of modules that make none are
%% in no table.
-spec tables([module()], erlrc_look:functions(), erlrc_evaluator:change()) -> erlrc_tables:result().
tables(Modules, Functions, #{application := App, from := {_, Dir}}) ->
    erlrc_tables:search(
        #{
            modules => [Module || Module <- Modules, makes_funs(file(Module, Dir))],
            records => #{},
            functions => Functions,
            directory => Dir ++ "/",
            application => App
        },
        ?TABLES
    ).

makes_funs(File) ->
    case erlrc_bytes:chunks(File, ["FunT"]) of
        {ok, {_, [{_, Funs}]}} -> erlrc_bytes:number(Funs, 0, 4) =/= {ok, 0};
        {error, beam_lib, {missing_chunk, _, _}} -> false;
        _ -> true
    end.

file(Module, Dir) ->
    filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]).

%% @doc What was not searched, or only a part of it: states of the application's processes, its tables, and large tables of
%% others. `Targets' are the processes that the script changes.
-spec unseen(erlrc_outdated:unseen(), #{pid() => _}, erlrc_evaluator:change()) -> [erlrc_finding:finding()].
unseen(Unseen, Targets, #{application := App}) ->
    Master = erlrc_node:master(App),
    Pids = [Each || {Pid, _} = Each <- lists:usort(Unseen), is_pid(Pid), is_map_key(Pid, Targets) orelse is_of(Pid, Master)],
    Tables = [{Table, Why, is_own(Table, Master)} || {Table, Why} <- lists:usort(Unseen), not is_pid(Table)],
    Parts = [
        {states, lists:ukeysort(1, Pids)},
        {tables, [{Table, Why} || {Table, Why, true} <- Tables]},
        {tables_of_others, [{Table, Why} || {Table, Why, false} <- Tables, Why =/= private]}
    ],
    finding([Part || {_, [_ | _]} = Part <- Parts], App).

is_of(Pid, Master) -> process_info(Pid, group_leader) =:= {group_leader, Master}.

is_own(persistent_term, _Master) ->
    false;
is_own(Table, Master) ->
    case ets:info(Table, owner) of
        Pid when is_pid(Pid) -> Pid =:= Master orelse is_of(Pid, Master);
        undefined -> false
    end.

finding([], _App) ->
    [];
finding(Parts, App) ->
    Counts = [{What, counts([Why || {_, Why} <- Found])} || {What, Found} <- Parts],
    [
        erlrc_finding:new(
            search_incomplete, info, atom_to_binary(App),
            ["Not searched, or only in part: ", lists:join("; ", [part(Each) || Each <- Counts]), "."],
            "Know what they hold of the earlier version: its funs, records and names of functions.",
            maps:from_list([{What, maps:from_list(Each)} || {What, Each} <- Counts] ++ [{names, names(Parts)}])
        )
    ].

counts(Reasons) ->
    [{Why, length([Each || Each <- Reasons, Each =:= Why])} || Why <- lists:usort(Reasons)].

part({What, Counts}) ->
    [what(What), " (", lists:join(", ", [erlrc_finding:text("~w ~ts", [Count, why(Why)]) || {Why, Count} <- Counts]), ")"].

what(states) -> "states of its processes";
what(tables) -> "its tables";
what(tables_of_others) -> "tables of others".

why(busy) -> "busy or asleep";
why(late) -> "for want of time";
why(Why) -> atom_to_list(Why).

names(Parts) ->
    [name(Each) || {Each, _} <- lists:sublist(lists:append([Found || {_, Found} <- Parts]), ?NAMED)].

name(Pid) when is_pid(Pid) -> erlrc_finding:name(Pid);
name(Table) -> erlrc_finding:text("~0tp", [Table]).
