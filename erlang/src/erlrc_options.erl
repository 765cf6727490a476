%% @doc What the environment of erlrc says of upgrades: whether each value is one that it may have. Asked before anything
%% is done, for most of them are used in the midst of an upgrade, and one after the way back was given up.
-module(erlrc_options).

-export([check/0, directories/0, expected/1]).

%% @doc The first key that has a value which it cannot have.
-spec check() -> ok | {error, {bad_environment, atom(), term()}}.
check() ->
    sound(keys()).

%% @doc The same of the directories, which have to be known before anything else.
-spec directories() -> ok | {error, {bad_environment, atom(), term()}}.
directories() ->
    sound([root_dir, apps_dir, run_dir, stash_dir]).

sound(Keys) ->
    Set = [{Key, Value} || Key <- Keys, {ok, Value} <- [application:get_env(erlrc, Key)]],
    case [{bad_environment, Key, Value} || {Key, Value} <- Set, not is_sound(kind(Key), Value)] of
        [] -> ok;
        [Bad | _] -> {error, Bad}
    end.

keys() ->
    [
        suspend_timeout, quiesce_longest, code_change_timeout, apply_timeout, purge_after, max_pause, health_check,
        service_check, suspend, supervisor_children, unchanged_modules, supervisors
    ].

kind(Key) when Key =:= apply_timeout; Key =:= max_pause -> timeout;
kind(Key) when Key =:= health_check; Key =:= service_check -> mfa;
kind(suspend) -> [needed, always];
kind(unchanged_modules) -> [skip, reload];
kind(supervisor_children) -> [true, false];
kind(supervisors) -> modules;
kind(Key) when Key =:= root_dir; Key =:= apps_dir; Key =:= run_dir; Key =:= stash_dir -> directory;
kind(_Key) -> milliseconds.

is_sound(timeout, infinity) -> true;
is_sound(Kind, Time) when Kind =:= timeout; Kind =:= milliseconds -> is_integer(Time) andalso Time >= 0 andalso Time < 1 bsl 32;
is_sound(mfa, {M, F, A}) -> is_atom(M) andalso is_atom(F) andalso is_proper(A);
is_sound(directory, Dir) -> is_atom(Dir) orelse is_binary(Dir) orelse io_lib:printable_unicode_list(Dir);
is_sound(modules, [Module | Modules]) -> is_atom(Module) andalso is_sound(modules, Modules);
is_sound(modules, Modules) -> Modules =:= [];
is_sound(Values, Value) when is_list(Values) -> lists:member(Value, Values);
is_sound(_Kind, _Value) -> false.

is_proper([_ | Rest]) -> is_proper(Rest);
is_proper(End) -> End =:= [].

%% @doc What a key may be, in words.
-spec expected(atom()) -> string().
expected(Key) ->
    case kind(Key) of
        timeout -> "milliseconds, or infinity";
        milliseconds -> "milliseconds";
        mfa -> "{Module, Function, Arguments}";
        modules -> "a list of modules";
        directory -> "a directory";
        [One, Other] -> atom_to_list(One) ++ " or " ++ atom_to_list(Other)
    end.
