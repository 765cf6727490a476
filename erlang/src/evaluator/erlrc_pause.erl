%% @doc How long the processes of a window will have to stand, going by what this node has just shown.
%%
%% ```
%% pause = R * (2 * P + 1.5 * C) + S * (90 * M + 0.65 * F + 0.0035 * M * E + 500 * L)     microseconds
%% '''
%% R: what one of many processes takes to answer a system message, measured on some of those concerned after all have
%% shown that they are not busy. P of them stand and go on, C change their state, which takes a snapshot too. M modules
%% with F functions become current on a node with E exported functions, L are loaded one by one; what that takes was
%% measured on OTP 25 to 29, and S is what the changes of code on this node took beside it, the last counting half, 1
%% before any. What a `code_change' or a health check does of its own is not in it.
-module(erlrc_pause).

-export([check/2, expected/3, committed/2]).

-define(SOME, 256).
-define(ROUNDS, 3).
%% Milliseconds.
-define(WAIT, 100).
%% Of a module of OTP on average.
-define(FUNCTIONS, 60).

%% @doc Whether the window will be as short as option `max_pause' (milliseconds) asks. Where nobody stands there is no
%% pause at all.
-spec check(erlrc_scope:window(), erlrc_scope:context()) -> ok | {error, {max_pause, map()}}.
check(#{pids := [_ | _] = Pids} = Window, #{subject := Subject, options := #{max_pause := Max}}) when is_integer(Max) ->
    #{code := #{new := #{handle := Handle}}} = Window,
    case (predicted(Window) + 999) div 1000 of
        Milliseconds when Milliseconds > Max ->
            Why = #{application => Subject, predicted => Milliseconds, allowed => Max},
            {error, {max_pause, Why#{processes => length(Pids), modules => length(erlrc_commit:modules(Handle))}}};
        _ ->
            ok
    end;
check(_Window, _Context) ->
    ok.

%% @doc The same in microseconds for so many modules of average size, processes, and processes that change, where
%% nothing is measured: R is 2.
-spec expected(non_neg_integer(), non_neg_integer(), non_neg_integer()) -> non_neg_integer().
expected(Modules, Processes, Changed) ->
    pause(2, Processes, Changed, code(Modules, ?FUNCTIONS * Modules)).

predicted(#{pids := Pids, changed := Changed, code := #{new := New}}) ->
    pause(answer(Pids), length(Pids), length(Changed), code(New)).

pause(Answer, Processes, Changed, Code) ->
    round(Answer * (2 * Processes + 1.5 * Changed) + scale() * Code).

%% The middle of three rounds: not the one in which the node had other things to do. Each asks others, whom the caches
%% of the processors have forgotten.
answer(Pids) ->
    Step = max(1, length(Pids) div (?ROUNDS * ?SOME)),
    Samples = samples(?ROUNDS, every(Step, Pids), Pids),
    lists:nth(?ROUNDS div 2 + 1, lists:sort([round_trip(Some) / length(Some) || Some <- Samples])).

samples(0, _Pids, _All) ->
    [];
samples(Rounds, [], All) ->
    samples(Rounds, All, All);
samples(Rounds, Pids, All) ->
    {Some, Rest} = lists:split(min(?SOME, length(Pids)), Pids),
    [Some | samples(Rounds - 1, Rest, All)].

every(1, Pids) -> Pids;
every(Step, Pids) when length(Pids) =< Step -> [];
every(Step, [Pid | _] = Pids) -> [Pid | every(Step, lists:nthtail(Step, Pids))].

round_trip(Pids) ->
    Ref = make_ref(),
    Started = erlang:monotonic_time(microsecond),
    lists:foreach(fun(Pid) -> erlrc_system:ask_sign_of_life(Pid, Ref) end, Pids),
    ok = erlrc_system:settle(Ref, length(Pids), ?WAIT),
    erlang:monotonic_time(microsecond) - Started.

code(#{handle := Handle, on_load := OnLoad}) ->
    Beams = erlrc_commit:beams(Handle),
    code(length(Beams), lists:sum([functions(Beam) || Beam <- Beams])) + 500 * length(OnLoad).

code(Modules, Functions) ->
    90 * Modules + 0.65 * Functions + 0.0035 * Modules * exports().

%% The fifth word of the chunk, after the size of its head, the instruction set, the highest instruction and the labels.
functions(Beam) ->
    case beam_lib:chunks(Beam, ["Code"]) of
        {ok, {_, [{_, Chunk}]}} -> word(Chunk, 16);
        _ -> 0
    end.

word(Chunk, At) ->
    case erlrc_bytes:number(Chunk, At, 4) of
        {ok, Number} -> Number;
        none -> 0
    end.

exports() ->
    lists:sum([exports(Module) || Module <- erlang:loaded()]).

%% A module may go meanwhile.
exports(Module) ->
    try
        length(erlang:get_module_info(Module, exports))
    catch
        error:badarg -> 0
    end.

scale() ->
    try
        ets:lookup_element(erlrc_table, commit_scale, 2)
    catch
        error:badarg -> 1
    end.

%% @doc Remembers what a change of code took, in microseconds.
-spec committed(erlrc_prepare:side(), non_neg_integer()) -> ok.
committed(New, Microseconds) ->
    try
        Expected = code(New),
        Took = max(0.25, min(4.0, Microseconds / max(1, Expected))),
        _ = Expected > 0 andalso ets:insert(erlrc_table, {commit_scale, (scale() + Took) / 2}),
        ok
    catch
        %% erlrc does not run.
        error:badarg -> ok
    end.
