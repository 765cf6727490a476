%% @doc Whether a function that an upgrade is going to call fails because a name is taken: a registered name, a global
%% one, that of a table. Nothing is called for it; the debug information of the modules on the way is read. What is said
%% is certain as long as the holder of the name lives; all else is unknown.
-module(erlrc_taken_names).

-export([init/2, start/2, children/1]).
-export([answer/4]).
-export_type([taken/0, how/0]).

-type name() :: {local | global | table, term()}.
-type taken() :: {name(), Holder :: pid()}.
-type how() :: #{
    %% Where the code of a module is that will run: the first that is there.
    files := fun((module()) -> [file:filename()]),
    %% Whether a holder is still there when the function is called.
    stays := fun((pid()) -> boolean())
}.

-define(IS_SERVER(Behaviour), (Behaviour =:= gen_server orelse Behaviour =:= gen_statem)).
-define(IS_START(Function), (Function =:= start orelse Function =:= start_link orelse Function =:= start_monitor)).
-define(HARMLESS, [{send_after, 3}, {start_timer, 3}, {cancel_timer, 1}, {system_info, 1}, {system_time, 1}, {monotonic_time, 1},
    {unique_integer, 1}, {make_tuple, 2}, {phash2, 1}, {phash2, 2}, {get_cookie, 0}, {error, 1}, {error, 2}, {exit, 1}]).
-define(HARMFUL, [apply, exit, halt, throw, link, spawn, spawn_link, spawn_monitor, spawn_opt, spawn_request, open_port,
    register, unregister, port_command, port_close, disconnect_node, load_module, delete_module, purge_module]).
-define(LIMIT, 1000).
-define(MAX_HEAP, 8 * 1024 * 1024).
-define(DEPTH, 8).

%% @doc What the `init/1' of a supervisor comes to: it fails, or answers this.
-spec init({module(), Arguments :: term()}, how()) -> {taken, taken()} | {answer, erlrc_abstract:value()} | unknown.
init({Module, Arguments}, How) ->
    evaluated(Module, init, [erlrc_abstract:value(Arguments)], How).

%% @doc Whether a start function of a child specification fails, or answers with an error.
-spec start({module(), atom(), [erlrc_abstract:value()]}, how()) -> {taken, taken()} | unknown.
start({Module, Function, Arguments}, How) ->
    case evaluated(Module, Function, Arguments, How) of
        {taken, Taken} -> {taken, Taken};
        _ -> unknown
    end.

%% In a process of its own, which may be stopped.
evaluated(Module, Function, Arguments, How) ->
    case erlrc_check:call({?MODULE, answer, [Module, Function, Arguments, How]}, ?LIMIT) of
        {ok, Answer} -> Answer;
        {error, _} -> unknown
    end.

%% @private The dictionary keeps the functions of modules, and what name was met last.
-spec answer(module(), atom(), [erlrc_abstract:value()], how()) -> {taken, taken()} | {answer, erlrc_abstract:value()} | unknown.
answer(Module, Function, Arguments, How) ->
    _ = process_flag(max_heap_size, #{size => ?MAX_HEAP, kill => true, error_logger => false}),
    try value(Module, Function, Arguments, {How, ?DEPTH}) of
        Value ->
            case is_error(Value) of
                true -> met();
                false -> {answer, Value}
            end
    catch
        throw:fails -> met();
        throw:undecided -> unknown
    end.

met() ->
    case get(met) of
        undefined -> unknown;
        Taken -> {taken, Taken}
    end.

is_error(Value) ->
    case erlrc_abstract:tuple(Value) of
        [{term, error}, _] -> true;
        _ -> false
    end.

value(_Module, _Name, _Values, {_How, 0}) ->
    throw(undecided);
value(Module, Name, Values, {How, Depth} = At) ->
    case special(Module, Name, Values, {How, Depth - 1}) of
        {value, Value} ->
            Value;
        none ->
            case is_harmless(Module, Name, length(Values)) of
                true -> unknown;
                false -> erlrc_abstract:call(Name, Values, context(Module, At))
            end
    end.

context(Module, {How, Depth}) ->
    #{
        functions => functions(Module, How),
        depth => Depth,
        outside => fun(Other, Name, Values) -> value(Other, Name, Values, {How, Depth - 1}) end,
        harmless => fun is_harmless/3
    }.

functions(Module, #{files := Files}) ->
    case get({functions, Module}) of
        undefined ->
            Functions = read(Module, Files(Module)),
            _ = put({functions, Module}, Functions),
            Functions;
        Functions ->
            Functions
    end.

read(_Module, []) ->
    #{};
read(Module, [File | Files]) ->
    case file:read_file(File) of
        {ok, Beam} ->
            case erlrc_shape:forms(Module, Beam) of
                none -> #{};
                Forms -> erlrc_abstract:functions(Forms)
            end;
        {error, _} ->
            read(Module, Files)
    end.

%% The functions that take names, and those that lead to code of other modules.
special(Module, Name, Values, {How, _} = At) ->
    case {starts(Module, Name, Values), claims(Module, Name, Values)} of
        {{Names, Kind, Init}, _} -> {value, started(Names, Kind, Init, At)};
        {none, none} when {Module, Name, length(Values)} =:= {erlang, whereis, 1} -> {value, registered(Values)};
        {none, none} -> none;
        {none, Claimed} -> {value, claimed(Claimed, How)}
    end.

%% The names of what is started, what it is, and its `init'.
starts(Behaviour, Start, [Name, Module, Arguments, _]) when ?IS_SERVER(Behaviour), ?IS_START(Start) ->
    {names(Name), process, {Module, [Arguments]}};
starts(Behaviour, Start, [Module, Arguments, _]) when ?IS_SERVER(Behaviour), ?IS_START(Start) ->
    {[], process, {Module, [Arguments]}};
starts(gen_event, Start, [Name | _]) when ?IS_START(Start) -> {names(Name), other, none};
starts(supervisor_bridge, start_link, [Name, Module, Arguments]) -> {names(Name), process, {Module, [Arguments]}};
starts(supervisor, start_link, [Name, Module, Arguments]) -> {names(Name), supervisor, {Module, [Arguments]}};
starts(supervisor, start_link, [Module, Arguments]) -> {[], supervisor, {Module, [Arguments]}};
starts('Elixir.GenServer', Start, [Module, Arguments, Options]) when ?IS_START(Start) ->
    {option(Options), process, {Module, [Arguments]}};
starts('Elixir.Supervisor', start_link, [Module, Arguments, Options]) ->
    {option(Options), supervisor, {Module, [Arguments]}};
starts(Elixir, start_link, [_, Options]) when Elixir =:= 'Elixir.Supervisor'; Elixir =:= 'Elixir.Agent' ->
    {option(Options), other, none};
starts(Elixir, start_link, [Options]) when Elixir =:= 'Elixir.DynamicSupervisor'; Elixir =:= 'Elixir.Task.Supervisor' ->
    {option(Options), other, none};
starts(_Module, _Function, _Values) ->
    none.

names({term, {local, Name}}) when is_atom(Name) -> [{local, Name}];
names({term, {global, Name}}) -> [{global, Name}];
names(_) -> [].

%% The name in the options of Elixir.
option(Options) ->
    case [Name || {term, {name, Name}} <- values(Options)] of
        [Name | _] when is_atom(Name), Name =/= nil -> [{local, Name}];
        [{global, _} = Name | _] -> [Name];
        _ -> []
    end.

values(Value) ->
    case erlrc_abstract:list(Value) of
        unknown -> [];
        Values -> Values
    end.

%% What is to be had once by the one that calls.
claims(erlang, register, [{term, Name}, _]) when is_atom(Name) ->
    {local, Name};
claims(ets, new, [{term, Name}, Options]) when is_atom(Name) ->
    case lists:member({term, named_table}, values(Options)) of
        true -> {table, Name};
        false -> none
    end;
claims(_Module, _Function, _Values) ->
    none.

claimed(Name, How) ->
    case is_taken(Name, How) of
        true -> throw(fails);
        false -> unknown
    end.

registered([{term, Name}]) when is_atom(Name) -> erlrc_abstract:value(whereis(Name));
registered(_) -> unknown.

%% The name is taken before `init' is called.
started(Names, Kind, Init, {How, _} = At) ->
    case lists:any(fun(Name) -> is_taken(Name, How) end, Names) of
        true ->
            {_, Pid} = get(met),
            erlrc_abstract:value({error, {already_started, Pid}});
        false ->
            initialised(Kind, Init, At)
    end.

%% Where it cannot be told what `init' does, all of it is undecided: it might end the holder of a name.
initialised(Kind, {{term, Module}, Arguments}, At) when Kind =/= other ->
    try children(Kind, value(Module, init, Arguments, At), At) of
        started -> unknown
    catch
        throw:fails -> erlrc_abstract:value({error, init_fails})
    end;
initialised(_Kind, _Init, _At) ->
    unknown.

children(process, _Answer, _At) ->
    started;
children(supervisor, Answer, At) ->
    lists:foreach(
        fun({_Id, {Module, Function, Arguments}}) ->
            is_error(value(Module, Function, Arguments, At)) andalso throw(fails)
        end,
        children(Answer)
    ),
    started.

is_taken(Name, #{stays := Stays}) ->
    case holder(Name) of
        Pid when is_pid(Pid) -> Stays(Pid) andalso met({Name, Pid});
        _ -> false
    end.

met(Taken) ->
    _ = put(met, Taken),
    true.

holder({local, Name}) -> whereis(Name);
holder({global, Name}) -> global:whereis_name(Name);
holder({table, Name}) -> ets:info(Name, owner).

%% @doc The children in what an `init/1' answers, as far as they are known and unless all are of one kind, with the values
%% of the arguments.
-spec children(erlrc_abstract:value()) -> [{Id :: term(), {module(), atom(), [erlrc_abstract:value()]}}].
children(Answer) ->
    case erlrc_abstract:tuple(Answer) of
        [{term, ok}, Specified] ->
            case erlrc_abstract:tuple(Specified) of
                [Flags, Specs] -> [Child || not is_simple(Flags), Spec <- values(Specs), Child <- child(Spec)];
                _ -> []
            end;
        _ ->
            []
    end.

is_simple({term, #{strategy := Strategy}}) -> Strategy =:= simple_one_for_one;
is_simple({term, #{}}) -> false;
is_simple({term, {Strategy, _, _}}) -> Strategy =:= simple_one_for_one;
is_simple(_) -> true.

child(Spec) ->
    case {erlrc_abstract:field(id, Spec), erlrc_abstract:field(start, Spec), erlrc_abstract:tuple(Spec)} of
        {{term, Id}, Start, unknown} -> started_by(Id, Start);
        {_, _, [{term, Id}, Start | _]} -> started_by(Id, Start);
        _ -> []
    end.

started_by(Id, Start) ->
    case erlrc_abstract:tuple(Start) of
        [{term, Module}, {term, Function}, Arguments] when is_atom(Module), is_atom(Function) ->
            case erlrc_abstract:list(Arguments) of
                unknown -> [];
                Values -> [{Id, {Module, Function, Values}}]
            end;
        _ ->
            []
    end.

%% What changes nothing that decides whether a name is taken, or ends the one that calls it.
is_harmless(Module, _Name, _Arity) when
    Module =:= lists; Module =:= maps; Module =:= proplists; Module =:= io_lib; Module =:= string; Module =:= binary;
    Module =:= logger; Module =:= io; Module =:= filename; Module =:= queue; Module =:= sets; Module =:= ets;
    Module =:= persistent_term; Module =:= crypto; Module =:= rand; Module =:= os; Module =:= math
->
    true;
is_harmless(application, Name, _Arity) ->
    lists:member(Name, [get_env, get_all_env, get_key, get_application, set_env]);
is_harmless(erlang, Name, Arity) ->
    erl_internal:guard_bif(Name, Arity) orelse
        lists:member({Name, Arity}, ?HARMLESS) orelse
        (erl_internal:bif(Name, Arity) andalso not lists:member(Name, ?HARMFUL));
is_harmless(_Module, _Name, _Arity) ->
    false.
