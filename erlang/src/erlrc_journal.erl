%% @doc What an operation has done so far, in the process that does it and in its guardian.
%%
%% The process dictionary of the operating process holds it, so that no stage has to hand it on, and whatever way the
%% process leaves a stage nothing is forgotten.
-module(erlrc_journal).

-export([start/1, note/1, entries/0, timed/2, measure/2, timings/0, summary/2, log/2]).
-export_type([summary/0]).

%% Loaded modules, processes that stood, the longest time that one window was open, time by stage; all in microseconds.
-type summary() :: #{
    modules := non_neg_integer(),
    processes := non_neg_integer(),
    pause := non_neg_integer(),
    stages := #{atom() => non_neg_integer()}
}.

%% @doc Starts an empty journal; `Guardian' gets a copy of every entry.
-spec start(pid() | none) -> ok.
start(Guardian) ->
    put({?MODULE, entries}, []),
    put({?MODULE, timings}, #{}),
    put({?MODULE, guardian}, Guardian),
    ok.

%% @doc Adds an entry.
-spec note(term()) -> ok.
note(Entry) ->
    _ = [Guardian ! {note, self(), Entry} || Guardian <- [get({?MODULE, guardian})], is_pid(Guardian)],
    put({?MODULE, entries}, [Entry | entries()]),
    ok.

%% @doc The entries, the newest first.
-spec entries() -> [term()].
entries() ->
    case get({?MODULE, entries}) of
        undefined -> [];
        Entries -> Entries
    end.

%% @doc Calls `Fun' and adds the time it took to that of `Stage'.
-spec timed(atom(), fun(() -> Result)) -> Result.
timed(Stage, Fun) ->
    Started = erlang:monotonic_time(microsecond),
    try
        Fun()
    after
        measure(Stage, erlang:monotonic_time(microsecond) - Started)
    end.

%% @doc Adds microseconds to a stage; of pauses the longest counts.
-spec measure(atom(), integer()) -> ok.
measure(pause, Microseconds) ->
    put_timing(pause, max(Microseconds, maps:get(pause, timings(), 0)));
measure(Stage, Microseconds) ->
    put_timing(Stage, Microseconds + maps:get(Stage, timings(), 0)).

put_timing(Stage, Microseconds) ->
    put({?MODULE, timings}, maps:put(Stage, Microseconds, timings())),
    ok.

%% @doc Microseconds by stage.
-spec timings() -> #{atom() => integer()}.
timings() ->
    case get({?MODULE, timings}) of
        undefined -> #{};
        Timings -> Timings
    end.

%% @doc What entries and timings come to in numbers.
-spec summary([term()], #{atom() => integer()}) -> summary().
summary(Entries, Timings) ->
    Opened = [Pids || {open, #{pids := Pids}} <- Entries],
    Joined = [Pids || {joined, _, Pids, _, _} <- Entries],
    #{
        modules => lists:sum([Count || {modules, Count} <- Entries]),
        processes => length(lists:usort(lists:append(Opened ++ Joined))),
        pause => maps:get(pause, Timings, 0),
        stages => maps:remove(pause, Timings)
    }.

%% @doc Logs a report in erlrc's domain.
-spec log(logger:level(), map()) -> ok.
log(Level, Report) ->
    logger:log(Level, Report, #{domain => [erlrc]}).
