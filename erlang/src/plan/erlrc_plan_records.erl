%% @doc Records that get another size with the new version, and where old ones are still found: a pattern of the new code
%% matches none of them.
-module(erlrc_plan_records).

-export([changed/2, in_states/2, in_tables/2]).

-define(NAMED, 10).

%% @doc The records of these modules whose size changes, as far as the debug information of both versions tells. One that
%% another module of the new version has in the earlier size is left out.
-spec changed([module()], erlrc_evaluator:script()) -> erlrc_look:records().
changed(Modules, #{from := {_, From}, to := {_, To}}) ->
    Changed = maps:from_list([
        {{Name, length(Old) + 1}, {Module, length(New) + 1}}
     || Module <- Modules,
        Earlier <- [records(file(From, Module))],
        Earlier =/= [],
        Later <- [records(file(To, Module))],
        {Name, Old} <- Earlier,
        {_, New} <- [lists:keyfind(Name, 1, Later)],
        length(Old) =/= length(New)
    ]),
    case map_size(Changed) of
        0 -> Changed;
        _ -> maps:without([Each || Each <- known(To), is_map_key(Each, Changed)], Changed)
    end.

known(Dir) ->
    Files = filelib:wildcard(filename:join([Dir, "ebin", "*" ++ code:objfile_extension()])),
    [{Name, length(Fields) + 1} || File <- Files, {Name, Fields} <- records(File)].

file(Dir, Module) ->
    filename:join([Dir, "ebin", atom_to_list(Module) ++ code:objfile_extension()]).

records(File) ->
    case {erlrc_room:is_short(), file:read_file(File)} of
        {false, {ok, Beam}} -> erlrc_shape:records(list_to_atom(filename:basename(File, code:objfile_extension())), Beam);
        _ -> []
    end.

%% @doc Of states: of those that `code_change' gives back with them, and of those on which it was not tried.
-spec in_states(erlrc_trial:result(), erlrc_look:records()) -> [erlrc_finding:finding()].
in_states(#{records := Found}, Records) ->
    [
        in_state(How, Record, lists:usort([Pid || {Pid, H, R} <- Found, H =:= How, R =:= Record]), Records)
     || {How, Record} <- lists:usort([{How, Record} || {_, How, Record} <- Found])
    ].

in_state(stays, Record, Pids, Records) ->
    erlrc_finding:means(restart_application, erlrc_finding:new(
        record_in_state, error, names(Pids),
        ["The new code keeps ", sizes(Record, Records), " in the states of ", count(Pids), "."],
        "Convert it in the code_change of the process that holds it.", details(Record, Pids)
    ));
in_state(untried, Record, Pids, Records) ->
    erlrc_finding:new(
        record_in_state, warning, names(Pids),
        [sizes(Record, Records), " is in the states of ", count(Pids), ", on which code_change was not tried."],
        "See that code_change converts it.", details(Record, Pids)
    ).

%% @doc Of tables.
-spec in_tables(erlrc_tables:result(), erlrc_look:records()) -> [erlrc_finding:finding()].
in_tables(#{records := Found}, Records) ->
    [
        erlrc_finding:new(
            record_in_table, warning, erlrc_finding:text("~0tp", [Table]),
            [sizes(Record, Records), " is in the table ", erlrc_finding:text("~0tp", [Table]), "."],
            "Convert the rows when the new version starts to use them.", #{}
        )
     || {Table, Record} <- lists:sublist(lists:usort(Found), ?NAMED)
    ].

sizes({Name, Size} = Record, Records) ->
    #{Record := {Module, New}} = Records,
    erlrc_finding:text("#~ts{} of ~ts in its earlier size (~w, now ~w)", [Name, Module, Size, New]).

names(Pids) -> erlrc_finding:names(Pids).

count([_]) -> "1 process";
count(Pids) -> erlrc_finding:text("~w processes", [length(Pids)]).

details({Name, Size}, Pids) ->
    #{record => Name, size => Size, processes => erlrc_finding:named(Pids), count => length(Pids)}.
