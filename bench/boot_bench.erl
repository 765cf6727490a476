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

%% @doc Plain arguments: the directory to work in, how many runs, directories of erlrc's modules.
-spec main() -> no_return().
main() ->
    [Work, Runs | Ebins] = init:get_plain_arguments(),
    io:format("| applications | how | boot, ms | plan and load, ms | applications started, ms |~n|---|---|---|---|---|~n"),
    [slow(Work, list_to_integer(Runs), Ebin) || Ebin <- Ebins],
    [idle(Work, list_to_integer(Runs), Ebin) || Ebin <- Ebins],
    halt(0).

slow(Work, Runs, Ebin) ->
    Root = filename:join(Work, "slow"),
    filelib:is_dir(Root) orelse [application(Root, N, keys(N)) || N <- lists:seq(1, ?SLOW)],
    One = row("slow", "one by one", Ebin, [boot(Root, Ebin, []) || _ <- lists:seq(1, Runs)]),
    Many = row("slow", "side by side", Ebin, [boot(Root, Ebin, jobs(?JOBS)) || _ <- lists:seq(1, Runs)]),
    Bound = 1000 * (?CHAIN * ?MILLISECONDS + ?SLOW * ?MILLISECONDS div ?JOBS),
    io:format("~nside by side, ~b jobs: ~.1f x as fast; ~.2f x critical path and work by jobs (~b ms)~n~n", [
        ?JOBS, One / Many, Many / Bound, Bound div 1000
    ]).

%% The first half needs nobody; the second is in chains.
keys(N) when N =< ?SLOW div 2; N rem ?CHAIN =:= 1 -> keys([], N);
keys(N) -> keys([name(N - 1)], N).

keys(Needed, _N) ->
    [{applications, [kernel, stdlib | Needed]}, {mod, {?MODULE, []}}].

idle(Work, Runs, Ebin) ->
    Root = filename:join(Work, "idle"),
    filelib:is_dir(Root) orelse [application(Root, N, [{applications, [kernel, stdlib]}]) || N <- lists:seq(1, ?IDLE)],
    _ = row("idle", "one by one", Ebin, [boot(Root, Ebin, []) || _ <- lists:seq(1, Runs)]),
    _ = row("idle", "side by side", Ebin, [boot(Root, Ebin, ["-erlrc", "boot", "concurrent"]) || _ <- lists:seq(1, Runs)]),
    ok.

jobs(Jobs) ->
    ["-erlrc", "boot", "concurrent", "boot_jobs", integer_to_list(Jobs)].

row(What, How, Ebin, Times) ->
    {Boot, Prepared, Started} = lists:min(Times),
    Text = fun(T) -> io_lib:format("~.1f", [T / 1000]) end,
    io:format("| ~s | ~s, ~s | ~s | ~s | ~s |~n", [What, How, Ebin, Text(Boot), Text(Prepared), Text(Started)]),
    Boot.

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
%% to the last that had started.
-spec timed() -> {integer(), integer(), integer()}.
timed() ->
    {ok, _} = application:ensure_all_started(erlrc),
    {Time, ok} = timer:tc(erlrc_boot, boot, []),
    case erlrc_hook:request(#{protocol => 1, operation => boot_times}) of
        #{boot := #{applications := [#{begun := First} | _] = Apps}} ->
            {Time, First, lists:max([Begun + Took || #{begun := Begun, took := Took} <- Apps]) - First};
        _ ->
            {Time, 0, 0}
    end.

%% @private
-spec start(application:start_type(), term()) -> {ok, pid()}.
start(_Type, _Arguments) ->
    timer:sleep(?MILLISECONDS),
    {ok, spawn_link(fun() -> receive stop -> ok end end)}.

%% @private
-spec stop(term()) -> ok.
stop(_State) ->
    ok.
