%% @doc Starts applications, so many at once at most, each as soon as all that it needs has started.
%%
%% Of those that could be started, the first in the given order is. With one job that is the given order itself. After a
%% failure only what stands before it in the order is still started, so that whatever the number of jobs, all that a boot
%% one by one would have started before the failure is started, and the first failure in the order is the same one.
-module(erlrc_boot_jobs).

-export([run/3]).
-export_type([unit/0, job/0, start/0]).

%% An application, and others of the same list that have to start before it; these stand before it.
-type unit() :: {atom(), Needs :: [atom()]}.
-type start() :: fun((atom()) -> ok | {error, term()}).
%% Microseconds, of the monotonic time.
-type job() :: #{application := atom(), begun := integer(), took := non_neg_integer(), result := ok | {error, term()}}.

%% @doc Starts the applications by `Start', which is called in a process for each. Answers in the order of the list what
%% became of those that were begun.
-spec run([unit()], Jobs :: pos_integer(), start()) -> [job()].
run(Units, Jobs, Start) ->
    Numbered = lists:enumerate(Units),
    Numbers = maps:from_list([{App, Number} || {Number, {App, _}} <- Numbered]),
    Needs = [{Number, numbers(Needed, Numbers)} || {Number, {_, Needed}} <- Numbered],
    loop(#{
        start => Start,
        jobs => Jobs,
        names => maps:from_list([{Number, App} || {Number, {App, _}} <- Numbered]),
        %% How many each still waits for, and who waits for it.
        waiting => maps:from_list([{Number, length(Needed)} || {Number, Needed} <- Needs]),
        dependents => dependents(Needs),
        ready => gb_sets:from_ordset([Number || {Number, []} <- Needs]),
        running => #{},
        %% Nothing is begun from the first failure on. An atom is greater than any number.
        failure => none,
        ended => []
    }).

numbers(Apps, Numbers) ->
    lists:usort([Number || App <- Apps, #{App := Number} <- [Numbers]]).

dependents(Needs) ->
    Pairs = [{Needed, Number} || {Number, All} <- Needs, Needed <- All],
    lists:foldl(
        fun({Needed, Number}, Of) -> maps:update_with(Needed, fun(Before) -> [Number | Before] end, [Number], Of) end,
        #{},
        Pairs
    ).

loop(#{running := Running} = State) ->
    case next(State) of
        {Number, Next} -> loop(begin_job(Number, Next));
        none when map_size(Running) =:= 0 -> in_order(State);
        none -> loop(await(State))
    end.

next(#{running := Running, jobs := Jobs}) when map_size(Running) >= Jobs ->
    none;
next(#{ready := Ready, failure := Failure} = State) ->
    case gb_sets:is_empty(Ready) orelse gb_sets:smallest(Ready) > Failure of
        true ->
            none;
        false ->
            {Number, Rest} = gb_sets:take_smallest(Ready),
            {Number, State#{ready := Rest}}
    end.

%% Linked: what crashes here crashes the boot, as it would without a process of its own.
begin_job(Number, #{names := Names, start := Start, running := Running} = State) ->
    #{Number := App} = Names,
    Owner = self(),
    Pid = spawn_link(fun() -> Owner ! {?MODULE, self(), measured(App, Start)} end),
    State#{running := Running#{Pid => Number}}.

measured(App, Start) ->
    Begun = erlang:monotonic_time(microsecond),
    Result = Start(App),
    Took = erlang:monotonic_time(microsecond) - Begun,
    #{application => App, begun => Begun, took => Took, result => Result}.

await(#{running := Running, ended := Ended} = State) ->
    receive
        {?MODULE, Pid, Job} when is_map_key(Pid, Running) ->
            {Number, Rest} = maps:take(Pid, Running),
            after_job(Job, Number, State#{running := Rest, ended := [{Number, Job} | Ended]})
    end.

after_job(#{result := ok}, Number, #{dependents := Dependents} = State) ->
    lists:foldl(fun one_less/2, State, maps:get(Number, Dependents, []));
after_job(#{result := {error, _}}, Number, #{failure := Failure} = State) ->
    State#{failure := min(Number, Failure)}.

one_less(Number, #{waiting := Waiting, ready := Ready} = State) ->
    case Waiting of
        #{Number := 1} -> State#{ready := gb_sets:add(Number, Ready)};
        #{Number := Count} -> State#{waiting := Waiting#{Number := Count - 1}}
    end.

in_order(#{ended := Ended}) ->
    [Job || {_, Job} <- lists:keysort(1, Ended)].
