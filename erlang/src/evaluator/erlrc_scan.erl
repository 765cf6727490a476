%% @doc Looks at processes for those that run one of some modules: by the initial call that proc_lib keeps, and where
%% that does not say it, by what they loop in. Nobody is asked anything.
-module(erlrc_scan).

-export([wanted/1, processes/2, started_by/2, target/3, initial/2, kind/1, role/1, is_slow/0, is_suspended/1]).
-export_type([wanted/0, target/0, result/0]).

%% What a module is to the processes that run it.
-type role() :: server | statem | special | other.
-type wanted() :: #{module() => role()}.
%% What a process is to us, the changed modules that it is told to change, and who stood suspended before we came. `own':
%% the callback module of a server, which is the one that is called, whatever module the change is said to be of.
-type target() :: #{
    kind := supervisor | server | event_manager | special,
    modules := [module()],
    suspended := boolean(),
    own => module()
}.
-type result() :: #{
    targets := [{pid(), target()}],
    managers := [pid()],
    %% State machines that may run another module than the one that started them; of `other' not even that is known.
    statems := #{module() | other => [pid()]},
    %% Some servers of each module, and some of its state machines that are taken to run it.
    samples := #{module() => [pid()]},
    machines := #{module() => [pid()]},
    %% Whether a module hands its state machines over.
    leaves := #{module() => boolean()},
    %% Of which it cannot be told what they run.
    unknown := [pid()]
}.

%% What OTP 25 does not know.
-dialyzer({nowarn_function, is_slow/0}).

-record(how, {wanted :: wanted(), slow :: boolean(), servers :: [module()], statems :: boolean(), loops :: boolean()}).

%% @doc These modules, with what they are.
-spec wanted([module()]) -> wanted().
wanted(Modules) ->
    maps:from_list([{Module, role(Module)} || Module <- Modules]).

%% @doc What a module is, told by what it exports.
-spec role(module()) -> role().
role(Module) ->
    role(Module, [{callback_mode, 0, statem}, {handle_call, 3, server}, {system_code_change, 4, special}]).

role(_Module, []) ->
    other;
role(Module, [{Function, Arity, Role} | Roles]) ->
    case erlang:function_exported(Module, Function, Arity) of
        true -> Role;
        false -> role(Module, Roles)
    end.

%% @doc Looks at these.
-spec processes([pid()], wanted()) -> result().
processes(Pids, Wanted) ->
    Roles = maps:values(Wanted),
    How = #how{
        wanted = Wanted,
        slow = is_slow(),
        servers = [Module || {Module, server} <- maps:to_list(Wanted)],
        statems = lists:member(statem, Roles),
        loops = lists:any(fun(Role) -> Role =/= other end, Roles)
    },
    None = #{targets => [], managers => [], statems => #{}, samples => #{}, machines => #{}, leaves => #{}, unknown => []},
    lists:foldl(fun(Pid, Found) -> one(Pid, initial(Pid, How#how.slow), How, Found) end, None, Pids).

one(Pid, {{gen_event, init_it, _}, _}, _How, #{managers := Managers} = Found) ->
    Found#{managers := [Pid | Managers]};
one(Pid, {{supervisor, Module, _}, Current}, #how{wanted = Wanted}, Found) when is_map_key(Module, Wanted) ->
    add(Pid, target(supervisor, [Module], Current), Found);
one(Pid, {{Module, init, 1} = Initial, Current}, How, Found) ->
    case role(Module) of
        statem -> statem(Pid, Module, Current, How, Found);
        server -> server(Pid, Module, Current, How, Found);
        _ -> started(Pid, Initial, Current, How, Found)
    end;
one(Pid, {{_, _, _} = Initial, Current}, How, Found) ->
    started(Pid, Initial, Current, How, Found);
one(_Pid, _Initial, _How, Found) ->
    Found.

add(Pid, Target, #{targets := Targets} = Found) ->
    Found#{targets := [{Pid, Target} | Targets]}.

%% @doc A process, which was at `Current' when it was looked at.
-spec target(supervisor | server | event_manager | special, [module()], mfa() | undefined) -> target().
target(Kind, Modules, Current) ->
    #{kind => Kind, modules => Modules, suspended => is_suspended(Current)}.

statem(_Pid, _Module, _Current, #how{statems = false}, Found) ->
    Found;
statem(Pid, Module, Current, How, Found) ->
    case leaves(Module, Found) of
        {true, #{statems := Statems} = Known} ->
            Known#{statems := Statems#{Module => [Pid | maps:get(Module, Statems, [])]}};
        {false, #{machines := Machines} = Known} ->
            mine(Pid, Module, Current, How, Known#{machines := sample(Pid, Module, Machines)})
    end.

leaves(other, Found) ->
    {true, Found};
leaves(Module, #{leaves := Leaves} = Found) ->
    case Leaves of
        #{Module := Known} ->
            {Known, Found};
        #{} ->
            May = erlrc_callback:may_leave(Module),
            {May, Found#{leaves := Leaves#{Module => May}}}
    end.

mine(Pid, Module, Current, #how{wanted = Wanted}, Found) when is_map_key(Module, Wanted) ->
    add(Pid, (target(server, [Module], Current))#{own => Module}, Found);
mine(_Pid, _Module, _Current, _How, Found) ->
    Found.

server(Pid, Module, {gen_server, _, _}, #how{wanted = Wanted, servers = [_ | _]}, #{samples := Samples} = Found) when
    not is_map_key(Module, Wanted)
->
    Found#{samples := sample(Pid, Module, Samples)};
server(Pid, Module, Current, How, Found) ->
    mine(Pid, Module, Current, How, Found).

sample(Pid, Module, Samples) ->
    case Samples of
        #{Module := [_, _, _]} -> Samples;
        #{Module := Pids} -> Samples#{Module := [Pid | Pids]};
        #{} -> Samples#{Module => [Pid]}
    end.

%% The initial call is of no behaviour. Only a module that answers system messages is somebody's to suspend; a plain loop
%% that proc_lib started is nobody's.
started(Pid, {Module, _, _}, Current, #how{wanted = Wanted} = How, Found) when is_map_key(Module, Wanted) ->
    case erlang:function_exported(Module, system_code_change, 4) of
        true -> add(Pid, target(special, [Module], Current), Found);
        false -> looping(Pid, Current, How, Found)
    end;
started(Pid, _Initial, Current, How, Found) ->
    looping(Pid, Current, How, Found).

looping(_Pid, _Current, #how{loops = false}, Found) ->
    Found;
looping(Pid, Current, #how{wanted = Wanted} = How, Found) ->
    case erlrc_callback:loop(Pid, Current) of
        {gen_server, _, _} -> entered(Pid, Current, How, Found);
        {gen_statem, _, _} -> statem(Pid, other, Current, How, Found);
        {Module, _, _} when map_get(Module, Wanted) =:= special -> add(Pid, target(special, [Module], Current), Found);
        unknown -> unknown(Pid, Found);
        _ -> Found
    end.

entered(Pid, Current, #how{servers = Servers}, Found) ->
    case erlrc_callback:server(Pid, Servers) of
        {ok, Module} -> add(Pid, (target(server, [Module], Current))#{own => Module}, Found);
        none -> Found;
        unknown -> unknown(Pid, Found)
    end.

unknown(Pid, #{unknown := Unknown} = Found) ->
    Found#{unknown := [Pid | Unknown]}.

%% @doc Those of `Pids' that this module started.
-spec started_by(module(), [pid()]) -> [pid()].
started_by(Module, Pids) ->
    Slow = is_slow(),
    [Pid || Pid <- Pids, {{M, init, 1}, _} <- [initial(Pid, Slow)], M =:= Module].

%% @doc What a process is that was started by this call.
-spec kind(mfa() | undefined) -> supervisor | server | event_manager | special.
kind({supervisor, _, _}) -> supervisor;
kind({gen_event, _, _}) -> event_manager;
kind({Module, init, 1}) ->
    case role(Module) of
        Role when Role =:= server; Role =:= statem -> server;
        _ -> special
    end;
kind(_) -> special.

%% @doc Whether a process at this function stands suspended.
-spec is_suspended(mfa() | undefined) -> boolean().
is_suspended({sys, suspend_loop, _}) -> true;
is_suspended({sys, suspend_loop_hib, _}) -> true;
is_suspended(_) -> false.

%% @doc Whether the whole dictionary has to be copied for one key of it, as before OTP 26.2. Asked once: to try it for
%% every process takes seconds where it fails.
-spec is_slow() -> boolean().
is_slow() ->
    try process_info(self(), [{dictionary, '$initial_call'}]) of
        _ -> false
    catch
        error:badarg -> true
    end.

%% @doc The call that proc_lib has noted of a process, and its current function.
-spec initial(pid(), Slow :: boolean()) -> {mfa() | undefined, mfa() | undefined} | gone.
initial(Pid, false) ->
    case process_info(Pid, [{dictionary, '$initial_call'}, current_function]) of
        [{_, Initial}, {_, Current}] -> {Initial, Current};
        undefined -> gone
    end;
initial(Pid, true) ->
    case process_info(Pid, [dictionary, current_function]) of
        [{_, Dictionary}, {_, Current}] ->
            case lists:keyfind('$initial_call', 1, Dictionary) of
                {_, Initial} -> {Initial, Current};
                false -> {undefined, Current}
            end;
        undefined ->
            gone
    end.
