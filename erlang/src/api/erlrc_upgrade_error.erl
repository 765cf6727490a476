%% @doc Formats errors of appups, scripts and the engine for `erlrc_error'.
-module(erlrc_upgrade_error).

-export([format/1]).

-import(erlrc_reason, [names/1, parse/1, posix/1, term/1, text/2, why/1]).

%% @doc The text for a reason; `unknown' if the reason is of another module.
-spec format(term()) -> iodata() | unknown.
format(bad_old_appfile) ->
    "the .app file of the earlier version is missing or broken";
format(bad_new_appfile) ->
    "the .app file of the later version is missing or broken";
format(bad_old_appvsn) ->
    "the .app file of the earlier version says another version";
format(bad_new_appvsn) ->
    "the .app file of the later version says another version";
format(no_appup_found) ->
    "no appup covers this pair of versions";
format({not_provisional, Apps, Why}) ->
    text(
        "~ts cannot be upgraded provisionally: ~ts; without --provisional the upgrade is for good",
        [lists:join(" ", [atom_to_list(App) || App <- Apps]), no_way_back(Why)]
    );
format({provisional, release, Release, Left}) ->
    [Service, _] = string:lexemes(Release, " "),
    text(
        "~ts is on trial and goes back in ~b s; first erlrc release commit ~ts keeps it, or erlrc release revert ~ts takes it back",
        [Release, Left div 1000, Service, Service]
    );
format({provisional, Changes, Left}) ->
    Names = lists:join(" ", [atom_to_list(App) || #{application := App} <- Changes]),
    text(
        "an upgrade of ~ts is provisional and goes back in ~b s; first erlrc confirm ~ts keeps it, or erlrc undo ~ts takes it back",
        [Names, Left div 1000, Names, Names]
    );
format({states_not_converted, App, [First | More]}) ->
    Rest = [["; ", erlrc_plan_records:text(Each)] || Each <- lists:sublist(More, 2)],
    text(
        "nothing converts what ~ts keeps in an earlier shape, which the new code does not match: ~ts~ts; a restart of the"
        " application loses it, --force goes on all the same",
        [App, erlrc_plan_records:text(First), Rest]
    );
format({migration_fails, App, [{Pid, Module, {migration_failed, Migration, Why}} | More]}) ->
    text(
        "~ts: ~ts ~ts, for the state of ~ts (~ts)~ts; let migrate/5 convert it, or return unchanged",
        [App, Migration, erlrc_migrator:format_error(Why), erlrc_finding:name(Pid), Module, and_more(length(More))]
    );
format({migration_not_loaded, Migration, Why}) ->
    text("the migration module ~ts cannot be loaded: ~ts", [Migration, why(Why)]);
format({bad_migration, Why}) ->
    Why;
format({states_migrated, Called}) ->
    text("states are converted: those of ~ts", [lists:join(", ", [text("~ts by ~ts", [Module, By]) || {Module, By} <- Called])]);
format({removed_module_in_use, Module, Pids}) ->
    text("the new version has no module ~ts, and ~ts; restart the application", [Module, live_in(Pids)]);
format({supervisor_strategy, Module, Pid, From, To}) ->
    text(
        "the supervisor ~ts (~ts) goes from ~ts to ~ts, which a running supervisor cannot; restart the application",
        [erlrc_finding:name(Pid), Module, From, To]
    );
format({bad_beam, File, Why}) ->
    text("~ts cannot be used: ~ts; install the package again", [File, why(Why)]);
format({bad_appup, File, Why}) ->
    text(
        "the appup ~ts is broken: ~ts; correct it, or remove it and one is generated",
        [File, parse(Why)]
    );
format({bad_attribute, Module, Attribute, Value}) ->
    text("the attribute ~ts of ~ts cannot be ~ts", [Attribute, Module, term(Value)]);
format({bad_directory, Dir, Posix}) ->
    text("cannot list ~ts: ~ts", [Dir, posix(Posix)]);
format({loads_nif, Module}) ->
    text(
        "~ts loads a NIF library, which must have an upgrade callback and a path of its own in each"
        " version; otherwise keep the module as it is or restart the application",
        [Module]
    );
format({on_load, Module}) ->
    text("~ts has an -on_load function, which runs again and must return ok", [Module]);
format({protocol, Module}) ->
    text(
        "~ts is an Elixir protocol; build its consolidated copy again and load it after the upgrade",
        [Module]
    );
format({protocol_implementation, Module}) ->
    text(
        "~ts implements an Elixir protocol; build the protocol's consolidated copy again and load it"
        " after the upgrade",
        [Module]
    );
format({missing_beam, Vsn, Module}) ->
    text(
        "version ~ts lists the module ~ts and has no file of it, it is left out; build it, or take"
        " it out of the .app file",
        [Vsn, Module]
    );
format({no_beam, Vsn, Module}) ->
    text(
        "version ~ts lists the module ~ts and has no file of it; build it, or take it out of the .app file",
        [Vsn, Module]
    );
format({unlisted_beam, Vsn, Module}) ->
    text(
        "version ~ts has a file of the module ~ts and does not list it, it is left out; add it to"
        " modules in the .app file, or delete the file",
        [Vsn, Module]
    );
format({same_version, Vsn, Modules}) ->
    text(
        "both sides are version ~ts and differ in ~ts; give the later one a version of its own",
        [Vsn, names(Modules)]
    );
format({dropped_depends, Module, Depends}) ->
    text("~ts depends on ~ts, which is not replaced; its name may be wrong", [Module, Depends]);
format({cycle, Modules}) ->
    text("~ts need each other's new functions and are replaced together", [names(Modules)]);
format({compile_env, _, _, _, _} = Contradiction) ->
    erlrc_compile_env:format(Contradiction);
format({appup_terms, Count}) ->
    text("the appup that is shipped holds ~b terms, of which the first alone is read, as by OTP's tools", [Count]);
format({appup_vsn, Vsn, Found}) ->
    text(
        "the appup that is shipped says that it is for version ~ts, and the application is version ~ts; its script is"
        " used as OTP uses it, and may not be meant for this version",
        [Found, Vsn]
    );
format({states_converted, Modules, Origin}) ->
    text("states of ~ts are converted, ~ts", [names(Modules), origin(Origin)]);
format({appup_not_covering, up, Vsn}) ->
    text(
        "the appup that is shipped has nothing from version ~ts, a generated one takes its place",
        [Vsn]
    );
format({appup_not_covering, down, Vsn}) ->
    text(
        "the appup that is shipped has nothing to version ~ts, a generated one takes its place",
        [Vsn]
    );
format({bad_script, App, Why}) ->
    text("the script for ~ts is not one that OTP can run: ~ts", [App, why(Why)]);
format({bad_module, Module, File, Why}) ->
    text("~ts (~ts) cannot be loaded: ~ts", [Module, File, why(Why)]);
format({sticky_directory, Module}) ->
    text("~ts belongs to OTP itself, in a sticky directory; restart the node", [Module]);
format({old_processes, Module}) ->
    text("processes still run old code of ~ts; try again later, or restart the node", [Module]);
format({old_processes, Module, Who}) ->
    text(
        "~ts still run the code of ~ts before the one that is loaded, which has to go first; wait until they have ended,"
        " or have them killed ({old_code, kill})",
        [lists:join(", ", [who(Process) || Process <- Who]), Module]
    );
format({old_funs, Module, Holders}) ->
    text(
        "~ts hold functions of the code of ~ts before the one that is loaded, which has to go first; restart them or the"
        " node, or have these functions fail ({old_code, kill})",
        [lists:join(", ", Holders), Module]
    );
format({old_natives, Module}) ->
    text(
        "the native library of ~ts before the one that is loaded may be in use, which nobody can tell, and would have to go"
        " first; restart the node",
        [Module]
    );
format({natives_not_loaded, Module}) ->
    text(
        "~ts loads a native library, but not by an -on_load function: it would have no native functions after the change;"
        " restart the node",
        [Module]
    );
format({script_failed, App, {natives_gone, Module}}) ->
    text(
        "~ts: the new version of ~ts came up without its native functions; its library has no upgrade callback, or failed",
        [App, Module]
    );
format({script_failed, App, out_of_time}) ->
    text("the upgrade of ~ts was called off: the time that was given for it is over", [App]);
format({script_failed, App, {apply_failed, {Module, Function, Arguments}, timeout}}) ->
    text(
        "~ts:~ts/~b, which the script for ~ts calls, did not return in time and was killed",
        [Module, Function, length(Arguments), App]
    );
format({script_failed, App, {timeout, []}}) ->
    text("the script for ~ts did not end in time", [App]);
format({script_failed, App, {timeout, Pids}}) when is_list(Pids) ->
    text("the script for ~ts did not end in time; it waited for ~ts", [App, term(Pids)]);
format({script_failed, App, {code_change_failed, Pid, Module, _Vsn, Why}}) ->
    text("~ts: code_change of ~ts failed in ~ts: ~ts", [App, Module, term(Pid), why(Why)]);
format({script_failed, App, {code_change_failed, Pid, Module, {migration_failed, Migration, Why}}}) ->
    text("~ts: ~ts ~ts, for the state of ~ts (~ts)", [App, Migration, erlrc_migrator:format_error(Why), erlrc_finding:name(Pid), Module]);
format({script_failed, App, {code_change_failed, Pid, Module, Why}}) ->
    text("~ts: code_change of ~ts failed in ~ts: ~ts", [App, Module, term(Pid), why(Why)]);
format({script_failed, App, {code_change_timeout, Who}}) ->
    text("~ts: code_change did not end in time in ~ts", [App, term(Who)]);
format({script_failed, App, {evaluator_died, Why}}) ->
    text("the script for ~ts was broken off: ~ts", [App, broken_off(Why)]);
format({guardian_died, Why}) ->
    text("the operation was broken off: ~ts", [broken_off(Why)]);
format({script_failed, App, Why}) ->
    text("the script for ~ts failed: ~ts", [App, why(Why)]);
format({max_pause, #{application := App, predicted := Predicted, allowed := Allowed} = Why}) ->
    #{processes := Processes, modules := Modules} = Why,
    text(
        "~b processes of ~ts would stand still for about ~b ms while ~b modules are replaced; ~b ms are allowed",
        [Processes, App, Predicted, Modules, Allowed]
    );
format({bad_new_appvsn, App, Vsn, Found}) ->
    text("the .app file of ~ts says ~ts, not ~ts", [App, Found, Vsn]);
format({module_not_loaded, Module, Dir, Why}) ->
    text("~ts of the running version is not loaded and cannot be, from ~ts: ~ts", [Module, Dir, why(Why)]);
format({old_code_in_use, Module}) ->
    text("processes still run old code of ~ts; stop them, or restart the node", [Module]);
format({unknown_record, Name}) ->
    text("systools of OTP ~ts has another record ~ts than this version of erlrc knows",
        [erlang:system_info(otp_release), Name]);
format({bad_environment, Key, Value}) ->
    text("~ts in the environment of erlrc cannot be ~tP, it is ~ts", [Key, Value, 12, erlrc_options:expected(Key)]);
format({bad_evaluator, Name}) ->
    text("there is no evaluator ~ts; take transactional or release_handler", [term(Name)]);
format({too_many_new_atoms, Most}) when is_integer(Most) ->
    text(
        "what is installed names more than ~b atoms that the node does not have, it has no room for them; give it a higher"
        " limit (+t)",
        [Most]
    );
format({engine_not_loaded, Why}) ->
    why(Why);
format({crashed, {{engine_not_loaded, _} = Why, [_ | _]}}) ->
    format(Why);
format({crashed, Why}) ->
    text("erlrc itself failed, which is a bug: ~ts", [term(Why)]);
format(_Reason) ->
    unknown.

and_more(0) -> "";
and_more(1) -> " and of another process";
and_more(Count) -> text(" and of ~b other processes", [Count]).

who(#{registered_name := Name, pid := Pid}) -> text("~ts (~p)", [Name, Pid]);
who(#{current_function := {Module, Function, Arity}, pid := Pid}) -> text("~p (in ~ts:~ts/~b)", [Pid, Module, Function, Arity]);
who(#{pid := Pid}) -> text("~p", [Pid]).

broken_off(Why) ->
    case is_full(Why) of
        true -> "the node has no room for another process, port or table (system_limit)";
        false -> why(Why)
    end.

%% Whether a term says somewhere that a limit of the emulator was reached.
is_full(system_limit) -> true;
%% `code:prepare_loading/1' keeps only the stack.
is_full({erlang, spawn_opt, Arguments, _}) when is_list(Arguments) -> true;
is_full(Reason) when is_tuple(Reason) -> is_full(tuple_to_list(Reason));
is_full([First | Rest]) -> is_full(First) orelse is_full(Rest);
is_full(_) -> false.

live_in([Pid]) -> text("the process ~ts lives in it", [erlrc_finding:name(Pid)]);
live_in(Pids) -> text("~w processes live in it: ~ts", [length(Pids), erlrc_finding:names(Pids)]).

no_way_back({instruction, Instruction}) -> text("nothing undoes the instruction ~0tp", [Instruction]);
no_way_back({no_old_code, Modules}) -> text("the code that runs of ~ts is nowhere to be had again", [names(Modules)]);
no_way_back({evaluator, release_handler}) -> "the evaluator release_handler keeps no way back open";
no_way_back(erlrc) -> "erlrc keeps no way back open for itself";
no_way_back(not_replaced) -> "it does not run, and would be started".

origin(command) -> "as --migrate asks";
origin(registration) -> "as the registration of the application asks";
origin(package) -> "as the package of the later version asks";
origin(node) -> "as the environment of erlrc on the node asks";
origin(host) -> "as erlrc.conf asks".
