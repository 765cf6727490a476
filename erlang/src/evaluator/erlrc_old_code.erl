%% @doc Old code: who uses it, and how it makes room. A module has one current and one old version; before the current
%% one can become old, what is old has to be purged.
%%
%% Whoever still runs it is waited for, some seconds. If it has not left by then the change is refused and it is named;
%% it is killed only where that was asked for (option `old_code', `kill'), and told.
-module(erlrc_old_code).

-export([make_room/2, check/2, purge/2, users/1, runs/2, name/1]).
-export_type([policy/0, options/0, killed/0]).

%% Milliseconds.
-define(PATIENCE, 5000).
-define(REST, 20).
-define(NAMED, 20).

-type policy() :: wait | kill.
%% `protected': processes that are never killed. `patience': how long a server that is in a callback of the old code is
%% waited for where others are not.
-type options() :: #{old_code => policy(), protected => [pid()], patience => non_neg_integer(), _ => _}.
%% Who was killed, as a person knows it, and for which module.
-type killed() :: {Name :: binary(), pid(), module()}.
-type entry() :: {module(), soft_purge | brutal_purge, term()}.

%% @doc Purges the old code of modules that are about to be replaced, while everything runs. A script that purges a module
%% softly has nobody killed, whatever was asked for.
-spec make_room([entry()], options()) -> {ok, [killed()]} | {error, {old_processes, module(), [map()]}}.
make_room(Entries, Options) ->
    Deadline = erlang:monotonic_time(millisecond) + min(?PATIENCE, erlrc_deadline:left()),
    Old = [Entry || {Module, _, _} = Entry <- Entries, erlang:check_old_code(Module)],
    each(fun({Module, Pre, _}) -> make_room(Module, Pre, Deadline, Options) end, Old, []).

make_room(Module, Pre, Deadline, Options) ->
    Policy = case Pre of soft_purge -> wait; brutal_purge -> policy(Options) end,
    Whom = case Policy of wait -> fun(_Pid) -> true end; kill -> fun(Pid) -> is_server(Pid, Module) end end,
    case softly(Module, Whom, Deadline) of
        true -> {ok, []};
        false -> by_force(Module, Options#{old_code => Policy})
    end.

each(_Fun, [], Killed) ->
    {ok, Killed};
each(Fun, [Entry | Entries], Killed) ->
    case Fun(Entry) of
        {ok, More} -> each(Fun, Entries, More ++ Killed);
        Error -> Error
    end.

policy(Options) -> maps:get(old_code, Options, wait).

%% @doc Whether {@link make_room/2} would succeed if nobody left; nothing is purged.
-spec check([entry()], options()) -> ok | {error, {old_processes, module(), [map()]}}.
check(Entries, Options) ->
    Soft = [Module || {Module, Pre, _} <- Entries, Pre =:= soft_purge orelse policy(Options) =:= wait],
    case [{Module, Pids} || Module <- Soft, erlang:check_old_code(Module), [_ | _] = Pids <- [users(Module)]] of
        [] -> ok;
        [{Module, Pids} | _] -> refused(Module, Pids)
    end.

%% @doc Purges one module that stands in the way in the midst of a change.
-spec purge(module(), options()) -> {ok, [killed()]} | {error, {old_processes, module(), [map()]}}.
purge(Module, Options) ->
    Deadline = erlang:monotonic_time(millisecond) + maps:get(patience, Options, 0),
    case softly(Module, fun(Pid) -> is_server(Pid, Module) end, Deadline) of
        true -> {ok, []};
        false -> by_force(Module, Options)
    end.

%% Softly; those of its users that `Whom' names are waited for.
softly(Module, Whom, Deadline) ->
    code:soft_purge(Module) orelse
        case lists:filter(Whom, users(Module)) of
            [] -> false;
            Pids -> left(Pids, Module, Deadline) andalso softly(Module, Whom, Deadline)
        end.

left(Pids, Module, Deadline) ->
    case [Pid || Pid <- Pids, runs(Pid, Module)] of
        [] ->
            true;
        Still ->
            Late = erlang:monotonic_time(millisecond) >= Deadline,
            receive
            after ?REST -> not Late andalso left(Still, Module, Deadline)
            end
    end.

%% A server that entered the old code through a callback leaves it before long.
is_server(Pid, Module) ->
    case process_info(Pid, dictionary) of
        {_, Dictionary} -> lists:keyfind('$initial_call', 1, Dictionary) =:= {'$initial_call', {Module, init, 1}};
        undefined -> false
    end.

by_force(Module, Options) ->
    Pids = users(Module),
    Protected = [Pid || Pid <- maps:get(protected, Options, []), lists:member(Pid, Pids)],
    case {policy(Options), Protected} of
        {kill, []} ->
            Killed = [{name(Pid), Pid, Module} || Pid <- Pids],
            _ = code:purge(Module),
            {ok, Killed};
        _ ->
            refused(Module, Pids)
    end.

refused(Module, Pids) ->
    {error, {old_processes, Module, [erlrc_system:culprit(Pid) || Pid <- lists:sublist(Pids, ?NAMED)]}}.

%% @doc Who runs the old code of a module.
-spec users(module()) -> [pid()].
users(Module) ->
    [Pid || Pid <- processes(), runs(Pid, Module)].

%% @doc Whether a process runs the old code of a module.
-spec runs(pid(), module()) -> boolean().
runs(Pid, Module) ->
    is_process_alive(Pid) andalso erlang:check_process_code(Pid, Module) =:= true.

%% @doc A process as a person knows it: by its registered name, else by the function that it was started with.
-spec name(pid()) -> binary().
name(Pid) ->
    Name =
        case process_info(Pid, [registered_name, dictionary, initial_call]) of
            [{_, Registered}, _, _] when is_atom(Registered) -> [atom_to_list(Registered), " "];
            [_, {_, Dictionary}, {_, Initial}] -> called(proplists:get_value('$initial_call', Dictionary, Initial));
            undefined -> ""
        end,
    unicode:characters_to_binary([Name, pid_to_list(Pid)]).

called({Module, Function, Arity}) -> io_lib:format("~tw:~tw/~tw ", [Module, Function, Arity]);
called(_Other) -> "".
