%% @doc What an operation would do, with nothing changed: the same plan, in words.
-module(erlrc_dry_run).

-export([plan/1]).

%% @doc A line for each step, in the order in which they would be taken; or what the operation would answer at once.
-spec plan(erlrcdynamic:operation()) -> {plan, [iodata()]} | erlrcdynamic:result().
plan(#{operation := upgrade} = Operation) ->
    steps(erlrc_upgrade:plan(up, Operation));
plan(#{operation := downgrade} = Operation) ->
    steps(erlrc_upgrade:plan(down, Operation));
plan(#{operation := unload, application := App}) ->
    {plan, [["unload ", atom_to_list(App)]]};
plan(Operation) ->
    steps(erlrc_start:plan(Operation)).

steps({ok, #{actions := Actions} = Plan}) ->
    {plan, lists:append([step(Action, Plan) || Action <- Actions])};
steps(Answer) ->
    Answer.

step(script, #{source := Source, instructions := Instructions}) ->
    {Script, Committed} = erlrc_after_commit:split(Instructions),
    [
        ["run the script, ", atom_to_list(Source), ", ", count(length(Script))]
        | [["  ", io_lib:format("~0tp", [Instruction])] || Instruction <- Script]
    ] ++ [io_lib:format("call ~0tp when every node has committed", [Call]) || Call <- Committed];
step({load, App, {application, App, Keys}, Ebin}, _Plan) ->
    [io_lib:format("load ~ts ~ts from ~ts", [App, proplists:get_value(vsn, Keys, ""), Ebin])];
step({respecify, App, Applications}, _Plan) ->
    [io_lib:format("let ~ts depend on ~0tp", [App, Applications])];
step({Verb, App}, _Plan) ->
    [io_lib:format("~ts ~ts", [Verb, App])].

count(1) -> "1 instruction";
count(Count) -> integer_to_list(Count) ++ " instructions".
