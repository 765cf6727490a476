%% @doc Records and structs that get another shape with the new version, and where earlier ones are still found: a pattern of
%% the new code matches none of them.
-module(erlrc_plan_records).

-export([findings/1, arguments/1, text/1]).

-define(NAMED, 10).
-define(ADVICE, "Convert it in the code_change of the process that holds it.").

%% @doc What has been found of them.
-spec findings([erlrc_outdated:found()]) -> [erlrc_finding:finding()].
findings(Found) ->
    [finding(Each) || Each <- Found].

%% @doc Of supervisors that hold records for the start of their children which are converted.
-spec arguments([pid()]) -> [erlrc_finding:finding()].
arguments([]) ->
    [];
arguments(Pids) ->
    Text = erlrc_finding:text("The records with which ~ts start children again are converted with the states.", [supervisors(Pids)]),
    Details = #{processes => erlrc_finding:named(Pids), count => length(Pids)},
    [erlrc_finding:new(arguments_migrated, info, names(Pids), Text, "See that the values of new fields are what init/1 expects.", Details)].

supervisors([_]) -> "this supervisor would";
supervisors(Pids) -> io_lib:format("these ~b supervisors would", [length(Pids)]).

finding(#{certainty := kept} = Found) ->
    Text = ["Nothing converts ", text(Found), "."],
    erlrc_finding:means(restart_application, made(error, Text, Found));
finding(#{certainty := untried} = Found) ->
    Text = [text(Found), "; whether it is converted was not tried."],
    made(warning, Text, Found);
finding(#{certainty := unclear} = Found) ->
    Text = [text(Found), ", or something that looks like it."],
    made(warning, Text, Found).

%% @doc What is held in which shape, and where.
-spec text(erlrc_outdated:found()) -> iodata().
text(#{shape := {struct, Module}} = Found) ->
    [erlrc_finding:text("%~ts{} in its earlier shape (now ~ts)", [Module, changes(Found)]), " in ", place(Found)];
text(#{shape := {map, [_ | _]}, module := Module, earlier := Earlier} = Found) ->
    Keys = lists:join(", ", [atom_to_list(Key) || Key <- lists:sublist(Earlier, ?NAMED)]),
    Shape = erlrc_finding:text("#{~ts}, which ~ts made so and now makes with ~ts,", [Keys, Module, changes(Found)]),
    [Shape, " in ", place(Found)];
text(#{shape := {Name, _}, module := Module, earlier := Earlier, later := Later} = Found) ->
    Shape = erlrc_finding:text("#~ts{} of ~ts in its earlier size (~w, now ~w)", [Name, Module, Earlier, Later]),
    [Shape, " in ", place(Found)].

changes(#{earlier := Earlier, later := Later}) ->
    Changes = ["-" ++ atom_to_list(Key) || Key <- Earlier -- Later] ++ ["+" ++ atom_to_list(Key) || Key <- Later -- Earlier],
    lists:join(" ", lists:sublist(Changes, ?NAMED)).

made(Severity, Text, #{place := state, holders := Pids} = Found) ->
    erlrc_finding:new(record_in_state, Severity, names(Pids), Text, advice(Pids), details(Found));
made(Severity, Text, #{place := dictionary, holders := Pids} = Found) ->
    erlrc_finding:new(record_in_dictionary, Severity, names(Pids), Text, ?ADVICE, details(Found));
made(Severity, Text, #{place := table, holders := Tables} = Found) ->
    erlrc_finding:new(
        record_in_table, Severity, tables(Tables), Text,
        "Convert the rows in version_change, or in an apply of the appup.", details(Found)
    ).

%% A supervisor has no code_change of its own.
advice(Pids) ->
    case lists:all(fun erlrc_child_arguments:is_supervisor/1, Pids) of
        true -> "It starts children with it again: let erlrc convert it (--migrate, with --allow-loss where a field goes), or let init/1 take both.";
        false -> ?ADVICE
    end.

names(Pids) -> erlrc_finding:names(Pids).

tables(Tables) -> lists:join(", ", [erlrc_finding:text("~0tp", [Table]) || Table <- lists:sublist(Tables, ?NAMED)]).

place(#{place := state, holders := Pids}) -> ["the states of ", erlrc_finding:count(Pids)];
place(#{place := dictionary, holders := Pids}) -> ["the dictionaries of ", erlrc_finding:count(Pids)];
place(#{place := table, holders := Tables}) -> ["the table ", tables(Tables)].

details(#{shape := {struct, Module}} = Found) -> (holders(Found))#{struct => Module};
details(#{shape := {map, [_ | _] = Keys}, module := Module} = Found) -> (holders(Found))#{keys => Keys, module => Module};
details(#{shape := {Name, Size}, module := Module} = Found) -> (holders(Found))#{record => Name, size => Size, module => Module}.

holders(#{place := table, holders := Tables}) -> #{count => length(Tables)};
holders(#{holders := Pids}) -> #{processes => erlrc_finding:named(Pids), count => length(Pids)}.
