%% @doc What has been found in states and tables, for a live plan.
-module(erlrc_plan_states).

-export([trial/1, nobody/2, blocked/1, tables/1, effects/1, cause/1]).

-define(NAMED, 10).

%% @doc Of a trial of `code_change', and of what was seen in the states.
-spec trial(erlrc_trial:result()) -> [erlrc_finding:finding()].
trial(#{tried := Tried, failed := Failed, refused := Refused, skipped := Skipped, funs := Funs, paths := Paths}) ->
    [failure(Module, Failed, Tried) || Module <- lists:usort([M || {_, M, _} <- Failed])] ++
        [refusal(Module, [{Pid, Callback} || {Pid, M, Callback} <- Refused, M =:= Module])
            || Module <- lists:usort([M || {_, M, _} <- Refused])] ++
        [skipped(Each) || Each <- Skipped] ++
        [fun_finding(Funs) || Funs =/= []] ++
        [path_finding(Paths) || Paths =/= []].

failure(Module, All, Tried) ->
    Failed = [{Pid, Why} || {Pid, M, Why} <- All, M =:= Module],
    failure(Module, hd(Failed), [Pid || {Pid, _} <- Failed], Tried).

failure(Module, {Pid, {migration_failed, Migration, _} = Why}, Pids, Tried) ->
    erlrc_finding:new(
        migration_would_fail, error, atom_to_binary(Module),
        erlrc_finding:text("~ts, for ~ts, first that of ~ts.", [cause(Why), states(length(Pids), Tried), erlrc_finding:name(Pid)]),
        erlrc_finding:text("Let migrate/5 of ~ts convert these states, or return unchanged.", [Migration]),
        #{count => length(Pids), processes => erlrc_finding:named(Pids), migration => Migration, reason => iolist_to_binary(cause(Why))}
    );
failure(Module, {_, First}, Pids, Tried) ->
    erlrc_finding:new(
        code_change_would_fail, error, atom_to_binary(Module),
        erlrc_finding:text("code_change fails for ~ts: ~ts.", [states(length(Pids), Tried), cause(First)]),
        "Let code_change accept these states, or change them before the upgrade.",
        #{
            count => length(Pids),
            processes => erlrc_finding:named(Pids),
            reason => erlrc_finding:text("~0tp", [First])
        }
    ).

%% @doc Why a conversion failed, in words. A stack, in which modules have the names of their trial, is among the details.
-spec cause(term()) -> iodata().
cause({migration_failed, Migration, Why}) -> [atom_to_list(Migration), " ", erlrc_migrator:format_error(Why)];
cause({Reason, [{_, _, _, _} | _]}) -> erlrc_finding:text("~0tp", [Reason]);
cause(Why) -> erlrc_finding:text("~0tp", [Why]).

states(1, 0) -> "the state of 1 process";
states(Count, 0) -> io_lib:format("the states of ~w processes", [Count]);
states(Count, Well) -> io_lib:format("the states of ~w of ~w processes", [Count, Count + Well]).

refusal(Module, Refused) ->
    Pids = lists:usort([Pid || {Pid, _} <- Refused]),
    Callbacks = [io_lib:format("~ts/~w", [Name, Arity]) || {Name, Arity} <- lists:usort([Each || {_, Each} <- Refused])],
    erlrc_finding:new(
        state_refused, error, atom_to_binary(Module),
        erlrc_finding:text("No clause of ~ts takes what code_change makes of the states of ~w processes: they would end with their next message.", [
            lists:join(", ", Callbacks), length(Pids)
        ]),
        "Let code_change return what the callbacks take, or let a clause take it.",
        #{count => length(Pids), processes => erlrc_finding:named(Pids)}
    ).

skipped({Module, Why, Count}) ->
    erlrc_finding:new(
        code_change_not_tried, info, atom_to_binary(Module),
        erlrc_finding:text("code_change was not tried on ~w states: it ~ts.", [Count, reason(Why)]),
        "Test it on a node that may fail.", #{count => Count}
    ).

reason({has_effects, Effects}) -> effects(Effects);
reason(special_process) -> "is that of special processes, which do not give their states away";
reason(funs_in_state) -> "calls funs, and the states hold some";
reason({state_too_large, Words}) -> io_lib:format("would have to copy ~w words", [Words]);
reason(not_answering) -> "would wait for processes that do not answer";
reason(out_of_time) -> "would take more time than there is";
reason(no_file) -> "is that of a module without a file";
reason(Why) -> io_lib:format("cannot be: ~0tp", [Why]).

fun_finding(Funs) ->
    Pids = lists:usort([Pid || {Pid, _, _} <- Funs]),
    Modules = lists:usort([Module || {_, Module, _} <- Funs]),
    erlrc_finding:new(
        fun_in_state, warning, erlrc_finding:names(Pids),
        erlrc_finding:text("States hold funs of modules that change: ~0tp.", [Modules]),
        "They work until the old code is purged, then fail with badfun; hold fun M:F/A or data instead.",
        #{funs => [erlrc_finding:text("~ts ~ts", [M, Name]) || {_, M, Name} <- Funs]}
    ).

%% @doc Of modules with a `code_change' that no process was found to run, where of some processes it cannot be told what
%% they run.
-spec nobody([module()], Unknown :: [pid()]) -> [erlrc_finding:finding()].
nobody(Modules, Unknown) ->
    [nobody_runs(Module, Unknown) || Module <- Modules].

nobody_runs(Module, []) ->
    erlrc_finding:new(
        code_change_without_process, info, atom_to_binary(Module),
        erlrc_finding:text("No process runs ~ts, so its code_change is not called.", [Module]), "", #{}
    );
nobody_runs(Module, Unknown) ->
    erlrc_finding:new(
        code_change_without_process, warning, atom_to_binary(Module),
        erlrc_finding:text("No process was found that runs ~ts; of ~w it cannot be told what they run, as they sleep, are busy or are large.", [
            Module, length(Unknown)
        ]),
        "Name the module in the child specification of its processes.",
        #{processes => erlrc_finding:named(Unknown), count => length(Unknown)}
    ).

%% @doc Of processes that would have to stand and wait for a connection in a call that nothing else ends.
-spec blocked([pid()]) -> [erlrc_finding:finding()].
blocked(Pids) ->
    Blocked = [Pid || Pid <- Pids, {_, {prim_inet, accept0, _}} <- [process_info(Pid, current_function)]],
    [
        erlrc_finding:new(
            process_blocked, error, erlrc_finding:names(Blocked),
            erlrc_finding:text("~w processes wait in accept, and do not stand still before a connection comes.", [length(Blocked)]),
            "Load their module without suspending them, or have them accept with a timeout.",
            #{processes => erlrc_finding:named(Blocked), count => length(Blocked)}
        )
     || Blocked =/= []
    ].

%% @doc Of tables.
-spec tables(erlrc_tables:result()) -> [erlrc_finding:finding()].
tables(#{funs := Funs}) ->
    Tables = [erlrc_finding:text("~0tp", [Table]) || Table <- lists:sublist(lists:usort([Table || {Table, _, _} <- Funs]), ?NAMED)],
    [
        erlrc_finding:new(
            fun_in_table, warning, lists:join(", ", Tables),
            erlrc_finding:text("Tables hold funs of modules that change: ~0tp.", [lists:usort([M || {_, M, _} <- Funs])]),
            "They work until the old code is purged, then fail with badfun; hold fun M:F/A or data instead.",
            #{funs => [erlrc_finding:text("~0tp ~ts ~ts", [Table, M, Name]) || {Table, M, Name} <- Funs]}
        )
     || Funs =/= []
    ].

path_finding(Pids) ->
    erlrc_finding:new(
        path_in_state, warning, erlrc_finding:names(Pids),
        "States name files of the old version's directory, which the package manager deletes.",
        "Ask code:priv_dir/1 when the file is needed, or convert the name in code_change.", #{}
    ).

%% @doc What a function does to others, in words.
-spec effects([send | 'receive' | apply | mfa()]) -> iodata().
effects(Effects) ->
    lists:join(", ", [effect(Effect) || Effect <- lists:sublist(Effects, 3)]).

effect(send) -> "sends messages";
effect('receive') -> "receives messages";
effect(apply) -> "calls functions that are known only at run time";
effect({M, F, A}) -> io_lib:format("calls ~ts:~ts/~w", [M, F, A]).
