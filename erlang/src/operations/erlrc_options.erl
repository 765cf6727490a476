%% @doc What the environment of erlrc says: whether each value is one that it may have. Asked before anything is done, for
%% most of them are used in the midst of an upgrade, and one after the way back was given up.
-module(erlrc_options).

-export([check/0, check_boot/0, expected/1, of_scripts/0, scripts/0, settings/0]).

%% Each application that is being started costs some processes.
-define(MOST_JOBS, 1024).

%% @doc The first key of upgrades that has a value which it cannot have.
-spec check() -> ok | {error, {bad_environment, atom(), term()}}.
check() ->
    sound(keys()).

%% @doc The same of what has to be known at boot.
-spec check_boot() -> ok | {error, {bad_environment, atom(), term()}}.
check_boot() ->
    sound(boot_keys()).

boot_keys() ->
    [
        root_dir, apps_dir, run_dir, stash_dir, boot, boot_jobs, on_start_failure, register_node, cookie_file, library_dirs
    ].

%% @doc What may be chosen of a script: the engine takes it, in the node and in a plan that is made elsewhere.
-spec of_scripts() -> [atom()].
of_scripts() ->
    [unchanged_modules, supervisors, appup, migrate].

%% @doc What of that the environment says, where it is sound; what is not is refused by `check/0', in its turn. With it what
%% else the engine decides by: the directory of registrations, and the evaluator.
-spec scripts() -> #{atom() => term()}.
scripts() ->
    maps:from_list([{root, erlrc_node:root()}, {evaluator, erlrc_evaluator:name(#{})} | chosen()]).

chosen() ->
    [
        {Key, Value}
     || Key <- of_scripts(), {ok, Value} <- [application:get_env(erlrc, Key)], is_sound(kind(Key), Value)
    ].

sound(Keys) ->
    Set = [{Key, Value} || Key <- Keys, {ok, Value} <- [application:get_env(erlrc, Key)]],
    case [{bad_environment, Key, Value} || {Key, Value} <- Set, not is_sound(kind(Key), Value)] of
        [] -> ok;
        [Bad | _] -> {error, Bad}
    end.

%% @doc Every key of erlrc's environment on this node: its value as text and what is wrong with it, if anything is. For the
%% command line.
-spec settings() -> [#{key := binary(), value := binary(), fault => binary()}].
settings() ->
    _ = application:load(erlrc),
    [setting(Key, Value) || {Key, Value} <- lists:sort(application:get_all_env(erlrc)), Key =/= included_applications].

setting(Key, Value) ->
    Text = unicode:characters_to_binary(io_lib:format("~0tP", [Value, 50])),
    Setting = #{key => atom_to_binary(Key), value => Text},
    case {lists:member(Key, keys() ++ boot_keys()), lists:member(Key, [evaluator, upgrade_policy])} of
        {true, _} ->
            case is_sound(kind(Key), Value) of
                true -> Setting;
                false -> Setting#{fault => unicode:characters_to_binary(["must be ", expected(Key)])}
            end;
        {false, true} ->
            Setting;
        {false, false} ->
            Setting#{fault => <<"no key that erlrc knows">>}
    end.

keys() ->
    [
        suspend_timeout, quiesce_longest, code_change_timeout, apply_timeout, purge_after, max_pause, health_check,
        service_check, suspend, old_code, supervisor_children, unchanged_modules, supervisors, appup, preflight, migrate
    ].

kind(Key) when Key =:= apply_timeout; Key =:= max_pause -> timeout;
kind(Key) when Key =:= health_check; Key =:= service_check -> mfa;
kind(suspend) -> [needed, always];
kind(old_code) -> [wait, kill];
kind(unchanged_modules) -> [skip, reload];
kind(appup) -> [shipped, generated];
kind(Key) when Key =:= supervisor_children; Key =:= register_node -> [true, false];
kind(on_start_failure) -> [stop, continue];
kind(boot) -> [sequential, concurrent];
kind(boot_jobs) -> jobs;
kind(preflight) -> [strict, warn, off];
kind(migrate) -> [none, fields, lossy];
kind(cookie_file) -> file;
kind(supervisors) -> modules;
kind(library_dirs) -> directories;
kind(Key) when Key =:= root_dir; Key =:= apps_dir; Key =:= run_dir; Key =:= stash_dir -> directory;
kind(_Key) -> milliseconds.

is_sound(timeout, infinity) -> true;
is_sound(Kind, Time) when Kind =:= timeout; Kind =:= milliseconds -> is_integer(Time) andalso Time >= 0 andalso Time < 1 bsl 32;
is_sound(jobs, Jobs) -> is_integer(Jobs) andalso Jobs >= 1 andalso Jobs =< ?MOST_JOBS;
is_sound(mfa, {M, F, A}) -> is_atom(M) andalso is_atom(F) andalso is_proper(A);
is_sound(file, File) -> is_binary(File) orelse (File =/= [] andalso io_lib:printable_unicode_list(File));
is_sound(directory, Dir) -> is_atom(Dir) orelse is_binary(Dir) orelse io_lib:printable_unicode_list(Dir);
is_sound(directories, Dirs) -> is_proper(Dirs) andalso lists:all(fun(Dir) -> is_sound(file, Dir) end, Dirs);
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
        jobs -> lists:flatten(io_lib:format("a number from 1 to ~b", [?MOST_JOBS]));
        mfa -> "{Module, Function, Arguments}";
        modules -> "a list of modules";
        directory -> "a directory";
        directories -> "a list of directories";
        file -> "a file";
        Values -> lists:flatten(lists:join(" or ", [atom_to_list(Value) || Value <- Values]))
    end.
