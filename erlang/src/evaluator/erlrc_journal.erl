%% @doc What an operation has done so far, in the process that does it and in a table for whoever settles what it left.
%%
%% The process dictionary of the operating process holds it, so that no stage has to hand it on, and whatever way the
%% process leaves a stage nothing is forgotten. The table is the guardian's; the process of `erlrc_outcome' inherits it, so
%% that the journal is there when both are dead.
-module(erlrc_journal).

-export([open/1, close/0, write_to/1, write/2, went_back/1, strike_out/2, table/0]).
-export([start/1, settle/2, about/1, note/1, killed/1, quiesced/2, entries/0, timed/2, measure/2, timings/0, summary/2, log/2]).
-export_type([summary/0]).

%% Loaded modules, processes that stood, the longest time that one window was open, time by stage, all in microseconds;
%% what was found of states; whether something of the new version was tried: its code loaded, an instruction with effects
%% of its own carried out; how many processes died while theirs was changed, and the modules of those; who was killed
%% because it ran old code, and of which module.
-type summary() :: #{
    modules := non_neg_integer(),
    processes := non_neg_integer(),
    pause := non_neg_integer(),
    stages := #{atom() => non_neg_integer()},
    shapes := #{module() => same | erlrc_shape:reason()},
    committed := boolean(),
    died => {pos_integer(), [module()]},
    killed => [{Name :: binary(), module()}]
}.

%% @doc A table for the journal of a script that has this context.
-spec open(map()) -> ets:table().
open(Context) ->
    Heir = [{heir, Keeper, ?MODULE} || Keeper <- [whereis(erlrc_outcome)], is_pid(Keeper)],
    Table = ets:new(?MODULE, [ordered_set, public | Heir]),
    true = ets:insert(Table, {0, Context}),
    Table.

%% @doc Drops the table to which the calling process wrote its journal.
-spec close() -> ok.
close() ->
    try ets:delete(get({?MODULE, table})) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc The calling process writes its journal there.
-spec write_to(ets:table()) -> ok.
write_to(Table) ->
    _ = put({?MODULE, table}, Table),
    ok.

%% @doc Adds an entry of another process. Where the table is gone nobody will settle anything by it.
-spec write(ets:table() | undefined, term()) -> ok.
write(Table, Entry) ->
    try ets:insert(Table, {erlang:unique_integer([monotonic, positive]), Entry}) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc Adds an entry of the way back to the table, for a successor of the process that goes it.
-spec went_back(term()) -> ok.
went_back(Entry) ->
    write(table(), Entry).

%% @doc Takes the entries of this name back.
-spec strike_out(ets:table(), atom()) -> ok.
strike_out(Table, Name) ->
    try ets:match_delete(Table, {'_', {Name, '_'}}) of
        true -> ok
    catch
        error:badarg -> ok
    end.

%% @doc Where the calling process writes its journal.
-spec table() -> ets:table() | undefined.
table() ->
    get({?MODULE, table}).

%% @doc Starts an empty journal; `Guardian' is who settles the operation.
-spec start(pid()) -> ok.
start(Guardian) ->
    put({?MODULE, entries}, []),
    put({?MODULE, timings}, #{}),
    put({?MODULE, guardian}, Guardian),
    Teller = erlrc_events:start(Guardian),
    put({?MODULE, teller}, Teller),
    note({teller, Teller}).

%% @doc Starts one for the way back from what `Entries' say. Whoever told of the operation tells of that too, so that it
%% is told in order.
-spec settle([term()], map()) -> ok.
settle(Entries, Context) ->
    put({?MODULE, entries}, []),
    put({?MODULE, timings}, #{}),
    put({?MODULE, settles}, true),
    put({?MODULE, teller}, teller([Pid || {teller, Pid} <- Entries, is_process_alive(Pid)])),
    about(maps:get(about, Context, #{})).

teller([Teller | _]) -> Teller;
teller([]) -> erlrc_events:start(self()).

%% @doc What the operation is about: every event of it says so.
-spec about(map()) -> ok.
about(About) ->
    tell({about, About}).

%% @doc So many of so many processes stand.
-spec quiesced(non_neg_integer(), non_neg_integer()) -> ok.
quiesced(Done, Total) ->
    tell({quiesced, Done, Total}).

tell(Event) ->
    erlrc_events:tell(get({?MODULE, teller}), Event).

%% @doc Adds an entry.
-spec note(term()) -> ok.
note(Entry) ->
    _ = get({?MODULE, settles}) =:= undefined andalso write(get({?MODULE, table}), Entry),
    put({?MODULE, entries}, [Entry | entries()]),
    counted(Entry).

%% @doc Notes and logs who was killed because it ran old code.
-spec killed([erlrc_old_code:killed()]) -> ok.
killed([]) ->
    ok;
killed(Killed) ->
    ok = note({killed, Killed}),
    log(warning, #{event => killed_for_old_code, killed => [{Name, Module} || {Name, _, Module} <- Killed]}).

counted({modules, Count}) ->
    tell({counts, #{modules => Count}});
counted({open, #{pids := Pids, changed := Changed}}) ->
    tell({counts, #{processes => length(Pids), changed => length(Changed)}});
counted({joined, _, Pids, _, Changed}) ->
    tell({more, #{processes => length(Pids), changed => length(Changed)}});
counted(_Entry) ->
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
    ok = tell({begun, Stage}),
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
    ok = tell({ended, Stage, Microseconds}),
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
    Summary = #{
        modules => lists:sum([Count || {modules, Count} <- Entries]),
        processes => length(lists:usort(lists:append(Opened ++ Joined))),
        pause => maps:get(pause, Timings, 0),
        stages => maps:remove(pause, Timings),
        committed => lists:any(fun is_trial/1, Entries),
        shapes => maps:map(fun shape/2, maps:from_list([Shape || {shapes, Shapes} <- Entries, Shape <- maps:to_list(Shapes)]))
    },
    Died = lists:append([Died || {died, Died} <- Entries]),
    Killed = lists:usort([{Name, Module} || {killed, Killed} <- Entries, {Name, _, Module} <- Killed]),
    maps:merge(Summary, maps:from_list(
        [{died, {length(lists:ukeysort(1, Died)), lists:usort([Module || {_, Module} <- Died])}} || Died =/= []] ++
            [{killed, Killed} || Killed =/= []]
    )).

is_trial({What, _}) -> lists:member(What, [committing, applied, purged, stopped, path]);
is_trial(_Entry) -> false.

shape(_Module, {other, Reason}) -> Reason;
shape(_Module, same) -> same.

%% @doc Logs a report, as {@link erlrc_events} says.
-spec log(logger:level(), map()) -> ok.
log(Level, Report) ->
    case get({?MODULE, teller}) of
        undefined -> erlrc_events:log(Level, Report, logger:timestamp());
        _ -> tell({log, Level, Report})
    end.
