%% @doc Upgrades that are provisional: their way back is kept open, and is gone when the time is over, unless somebody
%% confirms. Which of them can be, and what is known of the last one that went back by itself.
%%
%% The table `erlrc_table' holds `{went_back, told()}'.
-module(erlrc_provisional).

-export([hindrance/3, refusal/2, check/1, check/4, check_held/0]).
-export([went_back/3, succeeded/0, report/0]).
-export_type([why/0, told/0]).

%% An instruction with effects of its own; modules whose old code is not to be had; who keeps no way back open; the
%% application itself, which is loaded when there is no way back any more; what stops, or starts and nothing is replaced.
-type why() :: {instruction, term()} | {no_old_code, [module()]} | {evaluator, release_handler} | erlrc | not_replaced.
%% `since' is system time in milliseconds.
-type told() :: #{
    changes := [erlrc_hold:change()],
    why := time_is_over | guardian_killed,
    since := integer(),
    outcome := reverted | not_reverted | not_rolled_back,
    reason => term(),
    %% Another operation has begun since.
    later => true
}.

%% @doc Why the way back of a script cannot be kept open, if it cannot. `Own' is erlrc's own code, or `none'.
-spec hindrance([term()], none | map(), [atom()]) -> none | why().
hindrance(Segments, Own, Apps) ->
    case [Why || Segment <- Segments, Why <- leads_nowhere(Segment)] of
        [Why | _] -> Why;
        [] when Own =:= none -> case lists:member(erlrc, Apps) of true -> erlrc; false -> none end;
        [] -> erlrc
    end.

leads_nowhere({batch, _, #{no_way_back := []}}) -> [];
leads_nowhere({batch, _, #{no_way_back := Modules}}) -> [{no_old_code, Modules}];
leads_nowhere(Instruction) -> [{instruction, Instruction}].

%% @doc What is answered where an upgrade cannot be provisional.
-spec refusal([atom()], why()) -> {not_provisional, [atom()], why()}.
refusal(Apps, Why) ->
    {not_provisional, Apps, Why}.

%% @doc Whether the script, which is to be carried out under these options, can be provisional where it is to be.
-spec check(map(), [term()], none | map(), [atom()]) -> ok | {error, term()}.
check(#{over := revert}, Segments, Own, Apps) ->
    case hindrance(Segments, Own, Apps) of
        none -> ok;
        Why -> {error, refusal(Apps, Why)}
    end;
check(_Options, _Segments, _Own, _Apps) ->
    ok.

%% @doc The same for whoever keeps no way back open.
-spec check(#{application := atom(), options := map(), _ => _}) -> ok | {error, term()}.
check(#{application := App, options := #{over := revert}}) ->
    {error, refusal([App], {evaluator, release_handler})};
check(_Change) ->
    ok.

%% @doc Another operation is to begin: not while an upgrade is provisional, which it would make permanent.
-spec check_held() -> ok | {error, term()}.
check_held() ->
    ok = erlrc_guardian:settle_left(),
    case erlrc_hold:status() of
        #{over := revert, release := Release, left := Left} -> {error, {provisional, release, Release, max(0, Left)}};
        #{over := revert, changes := Changes, left := Left} -> {error, {provisional, Changes, max(0, Left)}};
        _ -> ok
    end.

%% @doc A provisional upgrade has gone back by itself, or has not been able to.
-spec went_back([erlrc_hold:change()], time_is_over | guardian_killed, term()) -> ok.
went_back(Changes, Why, Result) ->
    Told = maps:merge(outcome(Result), #{changes => Changes, why => Why, since => erlang:system_time(millisecond)}),
    Apps = [App || #{application := App} <- Changes],
    ok = erlrc_journal:log(warning, (maps:without([changes, since], Told))#{event => went_back, applications => Apps}),
    _ = ets:whereis(erlrc_table) =/= undefined andalso ets:insert(erlrc_table, {went_back, Told}),
    erlrc_unsettled:note(#{changes => [Change#{operation => revert} || Change <- Changes]}, result(Result)).

outcome({reverted, [], _Converted, _Warnings}) -> #{outcome => reverted};
outcome({reverted, Left, _, _}) -> #{outcome => not_rolled_back, reason => {not_rolled_back, not_held, Left}};
outcome({error, {not_reverted, _} = Why}) -> #{outcome => not_reverted, reason => Why};
outcome({error, Why}) -> #{outcome => not_rolled_back, reason => Why}.

result({reverted, [], _, _}) -> {ok, reverted};
result({reverted, Left, _, _}) -> {error, {not_rolled_back, not_held, Left}};
result({error, _} = Error) -> Error.

%% @doc Another operation begins.
-spec succeeded() -> ok.
succeeded() ->
    _ = [ets:insert(erlrc_table, {went_back, Told#{later => true}}) || #{} = Told <- [report()]],
    ok.

%% @doc The last one that went back by itself.
-spec report() -> none | told().
report() ->
    case ets:whereis(erlrc_table) =/= undefined andalso ets:lookup(erlrc_table, went_back) of
        [{went_back, Told}] -> Told;
        _ -> none
    end.
