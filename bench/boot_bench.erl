%% @doc How long real nodes take to boot, one by one and side by side. See bench/boot.
-module(boot_bench).
-behaviour(application).

-export([main/0, timed/0]).
-export([start/2, stop/1]).

-define(SLOW, 200).
-define(MILLISECONDS, 20).
-define(CHAIN, 10).
-define(JOBS, 16).
-define(IDLE, 10000).

%% @doc Plain arguments: the directory to work in, how many runs, directories of erlrc's modules, our own first.
-spec main() -> no_return().
main() ->
    [Work, Runs | Ebins] = init:get_plain_arguments(),
    io:format("| applications | how | boot, ms | plan and load, ms | applications started, ms | memory, MB | most of it, MB |~n"),
    io:format("|---|---|---|---|---|---|---|~n"),
    slow(Work, list_to_integer(Runs), hd(Ebins)),
    idle(Work, list_to_integer(Runs), Ebins),
    halt(0).

slow(Work, Runs, Ebin) ->
    Root = filename:join(Work, "slow"),
    [application(Root, N, keys(N)) || N <- lists:seq(1, ?SLOW)],
    [{One, OneByOne, _}, {Many, SideBySide, _}] = rows("slow", Root, Runs, [{"one by one", Ebin, []}, {"side by side", Ebin, jobs(?JOBS)}]),
    Bound = 1000 * (?CHAIN * ?MILLISECONDS + ?SLOW * ?MILLISECONDS div ?JOBS),
    io:format("~nside by side, ~b jobs: the boot ~.1f x, the starts ~.1f x as fast; starts ~.2f x critical path and work by jobs (~b ms)~n~n", [
        ?JOBS, One / Many, OneByOne / SideBySide, SideBySide / Bound, Bound div 1000
    ]).

%% The first half needs nobody; the second is in chains.
keys(N) when N =< ?SLOW div 2; N rem ?CHAIN =:= 1 -> keys([], N);
keys(N) -> keys([name(N - 1)], N).

keys(Needed, _N) ->
    [{applications, [kernel, stdlib | Needed]}, {mod, {?MODULE, []}}].

idle(Work, Runs, Ebins) ->
    Root = filename:join(Work, "idle"),
    [application(Root, N, [{applications, [kernel, stdlib]}]) || N <- lists:seq(1, ?IDLE)],
    Ways = [{"side by side", hd(Ebins), ["-erlrc", "boot", "concurrent"]} | [{"one by one", Ebin, []} || Ebin <- Ebins]],
    [_, {Own, _, Memory} | Others] = rows("idle", Root, Runs, Ways),
    [
        io:format("~none by one, to ~s: ~.2f x the time, ~.2f x the memory~n", [Ebin, Own / Boot, Memory / Its])
     || {Ebin, {Boot, _, Its}} <- lists:zip(tl(Ebins), Others)
    ].

%% The ways take turns, so that what disturbs the machine disturbs all of them alike. The shortest boot of each way, and
%% the memory after it.
rows(What, Root, Runs, Ways) ->
    Rounds = [[boot(Root, Ebin, Args) || {_, Ebin, Args} <- Ways] || _ <- lists:seq(1, Runs)],
    [
        row(What, How, Ebin, [lists:nth(Number, Round) || Round <- Rounds])
     || {Number, {How, Ebin, _}} <- lists:zip(lists:seq(1, length(Ways)), Ways)
    ].

jobs(Jobs) ->
    ["-erlrc", "boot", "concurrent", "boot_jobs", integer_to_list(Jobs)].

row(What, How, Ebin, Times) ->
    {Boot, Prepared, Started, Memory, Peak} = lists:min(Times),
    Thousands = [io_lib:format("~.1f", [Number / 1000]) || Number <- [Boot, Prepared, Started]],
    Millions = [io_lib:format("~.1f", [Bytes / 1.0e6]) || Bytes <- [Memory, Peak]],
    io:format("| ~s | ~s, ~s | ~s | ~s | ~s | ~s | ~s |~n", [What, How, Ebin | Thousands ++ Millions]),
    {Boot, Started, Memory}.

name(N) ->
    list_to_atom(lists:flatten(io_lib:format("app~5..0b", [N]))).

application(Root, N, Keys) ->
    Name = name(N),
    File = filename:join([Root, "lib", atom_to_list(Name) ++ "-1.0", "ebin", atom_to_list(Name) ++ ".app"]),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, io_lib:format("~p.~n", [{application, Name, [{vsn, "1.0"}, {modules, []} | Keys]}])),
    Registered = filename:join([Root, "applications", Name]),
    ok = filelib:ensure_dir(Registered),
    ok = file:write_file(Registered, "").

boot(Root, Ebin, Args) ->
    Directories = ["ERLRC_RUN", "ERLRC_APPS", "ERLRC_STATE", "ERLRC_STASH"],
    {ok, Peer, _} = peer:start(#{
        connection => standard_io,
        args => ["-kernel", "logger_level", "error", "-pa", Ebin, "-pa", filename:dirname(code:which(?MODULE)) | Args],
        env => [
            {"ERLRC_ROOT", Root},
            {"ERL_LIBS", filename:join(Root, "lib")}
            | [{Name, filename:join(Root, "none")} || Name <- Directories]
        ],
        wait_boot => 120000
    }),
    Times = peer:call(Peer, ?MODULE, timed, [], infinity),
    ok = peer:stop(Peer),
    Times.

%% @doc Microseconds: of the boot; of it, where they are measured, until the first application was begun, and from then
%% to the last that had started. Then bytes: what the emulator has taken, and the most that the process ever had.
-spec timed() -> {integer(), integer(), integer(), non_neg_integer(), non_neg_integer()}.
timed() ->
    {ok, _} = application:ensure_all_started(erlrc),
    {Time, ok} = timer:tc(erlrc_boot, boot, []),
    [garbage_collect(Pid) || Pid <- processes()],
    Memory = erlang:memory(total),
    case erlrc_hook:request(#{protocol => 1, operation => boot_times}) of
        #{boot := #{applications := [#{begun := First} | _] = Apps}} ->
            Last = lists:max([Begun + Took || #{begun := Begun, took := Took} <- Apps]),
            {Time, First, Last - First, Memory, peak()};
        _ ->
            {Time, 0, 0, Memory, peak()}
    end.

peak() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Kilobytes]} = re:run(Status, "VmHWM:\\s+(\\d+)", [{capture, all_but_first, list}]),
    1024 * list_to_integer(Kilobytes).

%% @private
-spec start(application:start_type(), term()) -> {ok, pid()}.
start(_Type, _Arguments) ->
    timer:sleep(?MILLISECONDS),
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.

%% @private
-spec stop(term()) -> ok.
stop(_State) ->
    ok.
