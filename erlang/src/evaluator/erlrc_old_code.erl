%% @doc Old code: who uses it, and how it makes room. A module has one current and one old version; before the current
%% one can become old, what is old has to be purged.
%%
%% Whoever still runs it is waited for, some seconds. If it has not left by then the change is refused and it is named;
%% it is killed only where that was asked for (option `old_code', `kill'), and told. Funs of the old code are use, too, and
%% so are native functions, of which nobody can tell.
-module(erlrc_old_code).

-export([make_room/2, check/2, purge/2, may_go/1, stay/1, users/1, runs/2, name/1]).
-export_type([policy/0, options/0, killed/0]).

%% Milliseconds.
-define(PATIENCE, 5000).
-define(REST, 20).
-define(LOOK, 2000).
-define(NAMED, 20).

-type policy() :: wait | kill.
%% `protected': processes that are never killed. `patience': how long a server that is in a callback of the old code is
%% waited for; `wait_for': others, too.
-type options() :: #{
    old_code => policy(), protected => [pid()], patience => non_neg_integer(), wait_for => everybody, _ => _
}.
%% Who was killed, as a person knows it, and for which module.
-type killed() :: {Name :: binary(), pid(), module()}.
-type reason() ::
    {old_processes, module(), [map()]} | {old_funs, module(), Holders :: [binary()]} | {old_natives, module()}.
-type entry() :: {module(), soft_purge | brutal_purge, term()}.

%% @doc Purges the old code of modules that are about to be replaced, while everything runs. A script that purges a module
%% softly has nobody killed, whatever was asked for.
-spec make_room([entry()], options()) -> {ok, [killed()]} | {error, reason()}.
make_room(Entries, Options) ->
    Deadline = erlang:monotonic_time(millisecond) + min(?PATIENCE, erlrc_deadline:left()),
    Old = [Entry || {Module, _, _} = Entry <- Entries, erlang:check_old_code(Module)],
    case unused([Module || {Module, Pre, _} <- Old, policy(Pre, Options) =:= wait], Deadline) of
        ok -> each(fun({Module, Pre, _}) -> make_room(Module, Pre, Deadline, Options) end, Old, []);
        Error -> Error
    end.

make_room(Module, Pre, Deadline, Options) ->
    Policy = policy(Pre, Options),
    Whom = case Policy of wait -> fun(_Pid) -> true end; kill -> fun(Pid) -> is_server(Pid, Module) end end,
    case softly(Module, Whom, Deadline) of
        true -> {ok, []};
        false -> by_force(Module, Options#{old_code => Policy})
    end.

%% What OTP does not look for: native functions, and funs, which are waited for like processes.
unused(Modules, Deadline) ->
    case {erlrc_natives:old(Modules), held(Modules)} of
        {[Module | _], _} ->
            {error, {old_natives, Module}};
        {[], []} ->
            ok;
        {[], [{Module, _} | _] = Held} ->
            Late = erlang:monotonic_time(millisecond) >= Deadline,
            receive
            after ?REST -> case Late of true -> {error, {old_funs, Module, holders(Module, Held)}}; false -> unused(Modules, Deadline) end
            end
    end.

held(Modules) ->
    #{held := Held} = erlrc_funs:held(Modules, ?LOOK),
    lists:usort(Held).

holders(Module, Held) ->
    lists:sublist([holder(Holder) || {M, Holder} <- Held, M =:= Module], ?NAMED).

holder({table, Table}) -> iolist_to_binary(io_lib:format("table ~tp", [Table]));
holder(Pid) -> name(Pid).

%% @doc Those of `Modules' whose old code nobody uses, as far as all could be looked at, but for processes that run it.
-spec may_go([module()]) -> [module()].
may_go([]) ->
    [];
may_go(Modules) ->
    Others = Modules -- erlrc_natives:old(Modules),
    case erlrc_funs:held(Others, ?LOOK) of
        #{complete := true, held := Held} -> [Module || Module <- Others, not lists:keymember(Module, 1, Held)];
        #{complete := false} -> []
    end.

each(_Fun, [], Killed) ->
    {ok, Killed};
each(Fun, [Entry | Entries], Killed) ->
    case Fun(Entry) of
        {ok, More} -> each(Fun, Entries, More ++ Killed);
        Error -> Error
    end.

policy(soft_purge, _Options) -> wait;
policy(brutal_purge, Options) -> policy(Options).

policy(Options) -> maps:get(old_code, Options, wait).

%% @doc Whether {@link make_room/2} would succeed if nobody left; nothing is purged.
-spec check([entry()], options()) -> ok | {error, reason()}.
check(Entries, Options) ->
    Soft = [Module || {Module, Pre, _} <- Entries, policy(Pre, Options) =:= wait, erlang:check_old_code(Module)],
    case [{Module, Pids} || Module <- Soft, [_ | _] = Pids <- [users(Module)]] of
        [] -> unused(Soft, erlang:monotonic_time(millisecond));
        [{Module, Pids} | _] -> refused(Module, Pids)
    end.

%% @doc Purges one module that stands in the way in the midst of a change.
-spec purge(module(), options()) -> {ok, [killed()]} | {error, reason()}.
purge(Module, Options) ->
    Deadline = erlang:monotonic_time(millisecond) + maps:get(patience, Options, 0),
    Whom =
        case Options of
            #{wait_for := everybody} -> fun(_Pid) -> true end;
            _ -> fun(Pid) -> is_server(Pid, Module) end
        end,
    case softly(Module, Whom, Deadline) of
        true -> {ok, []};
        false -> by_force(Module, Options)
    end.

%% Softly; those of its users that `Whom' names are waited for.
softly(Module, Whom, Deadline) ->
    case code:soft_purge(Module) of
        true -> erlrc_natives:forget(Module) =:= ok;
        false -> wait(Module, Whom, Deadline)
    end.

wait(Module, Whom, Deadline) ->
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
            ok = erlrc_inventory:take(Pids),
            _ = code:purge(Module),
            ok = erlrc_natives:forget(Module),
            {ok, Killed};
        _ ->
            refused(Module, Pids)
    end.

refused(Module, Pids) ->
    {error, {old_processes, Module, [erlrc_system:culprit(Pid) || Pid <- lists:sublist(Pids, ?NAMED)]}}.

%% @doc Who does not leave the old code of these modules in the time for which {@link make_room/2} waits.
-spec stay([module()]) -> [{module(), [pid()]}].
stay(Modules) ->
    Deadline = erlang:monotonic_time(millisecond) + min(?PATIENCE, erlrc_deadline:left()),
    Used = [{Module, Pids} || Module <- Modules, [_ | _] = Pids <- [users(Module)]],
    _ = [left(Pids, Module, Deadline) || {Module, Pids} <- Used],
    [{Module, Still} || {Module, Pids} <- Used, [_ | _] = Still <- [[Pid || Pid <- Pids, runs(Pid, Module)]]].

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
