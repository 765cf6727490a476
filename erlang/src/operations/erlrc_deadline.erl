%% @doc How long the operation may go on that the calling process carries out. Who asked says it, as the hooks do; without
%% a word there is no end. What calls code that is not ours asks here how long it may wait.
-module(erlrc_deadline).

-export([in/1, set/1, current/0, left/0, is_over/0, extend/1]).
-export_type([deadline/0]).

%% Monotonic time, milliseconds.
-type deadline() :: integer() | infinity.

%% More than `receive' could wait for is no end.
-define(LONGEST, 16#FFFFFFF).
%% Milliseconds for what is left to do, however late it is: less than `erlrc_operations' waits before it kills; the hook
%% waits 5 s more for what is done.
-define(TAKE_BACK, 20000).
-define(FINISH, 3000).

%% @doc The deadline that is so many milliseconds away.
-spec in(pos_integer()) -> deadline().
in(Milliseconds) ->
    erlang:monotonic_time(millisecond) + min(Milliseconds, ?LONGEST).

%% @doc Binds the calling process.
-spec set(deadline()) -> ok.
set(Deadline) ->
    _ = put(?MODULE, Deadline),
    ok.

%% @doc What the calling process is bound by.
-spec current() -> deadline().
current() ->
    case get(?MODULE) of
        undefined -> infinity;
        Deadline -> Deadline
    end.

%% @doc Milliseconds.
-spec left() -> timeout().
left() ->
    case current() of
        infinity -> infinity;
        Deadline -> max(0, Deadline - erlang:monotonic_time(millisecond))
    end.

%% @doc Whether nothing is left.
-spec is_over() -> boolean().
is_over() ->
    left() =:= 0.

%% @doc Time for what has to be done even when it is over.
-spec extend(take_back | finish) -> ok.
extend(Purpose) ->
    case current() of
        infinity -> ok;
        Deadline -> set(max(Deadline, in(needed(Purpose))))
    end.

needed(take_back) -> ?TAKE_BACK;
needed(finish) -> ?FINISH.
