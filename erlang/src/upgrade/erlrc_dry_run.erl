%% @doc What an operation would do, with nothing changed: the same plan, in words.
-module(erlrc_dry_run).

-export([plan/1]).

%% @doc A line for each step, in the order in which they would be taken; or what the operation would answer at once.
-spec plan(erlrcdynamic:operation()) -> {plan, [iodata()]} | erlrcdynamic:result().
plan(#{operation := change, changes := Changes}) ->
    set(erlrc_set_change:plan(Changes));
plan(#{operation := upgrade} = Operation) ->
    steps(erlrc_upgrade:plan(up, Operation));
plan(#{operation := downgrade} = Operation) ->
    steps(erlrc_upgrade:plan(down, Operation));
plan(#{operation := unload, application := App}) ->
    {plan, [["unload ", atom_to_list(App)]]};
plan(Operation) ->
    steps(erlrc_start:plan(Operation)).

set({ok, #{parts := Parts}, #{actions := Actions}, Outcomes}) ->
    Nothing = [io_lib:format("nothing for ~ts: ~ts", [App, Outcome]) || {App, Outcome} <- Outcomes],
    {plan, Nothing ++ lists:append([set_step(Action, Parts) || Action <- Actions])};
set(Answer) ->
    Answer.

set_step(script, []) ->
    [];
set_step(script, Parts) ->
    ["change together:" | lists:append([part(Part) || {Part, _} <- Parts])] ++ barriers(Parts);
set_step(Action, _Parts) ->
    step(Action, #{}).

part(#{application := App, from := {From, _}, to := {To, _}, instructions := Instructions, options := Options} = Part) ->
    Source = atom_to_list(maps:get(source, Options, shipped)),
    [
        io_lib:format("  ~ts ~ts -> ~ts, ~ts, ~ts", [App, From, To, Source, count(length(Instructions))])
        | [["    ", io_lib:format("~0tp", [Instruction])] || Instruction <- Instructions]
    ] ++ [io_lib:format("    call ~0tp when every node has committed", [Call]) || Call <- maps:get(committed, Part, [])].

%% Where the change is not one moment, but several.
barriers(Parts) ->
    case erlrc_transaction:windows([Change || {Change, _} <- Parts]) of
        {ok, Windows, [_ | _] = Barriers} when Windows > 1 ->
            [
                io_lib:format("not in one moment: ~b windows, cut by", [Windows])
                | [["  ", io_lib:format("~0tp", [Barrier])] || Barrier <- Barriers]
            ];
        _ ->
            []
    end.

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
