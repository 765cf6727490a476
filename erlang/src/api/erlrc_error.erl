%% @doc Formats errors as one line: what went wrong, where, why, and what to do next.
-module(erlrc_error).

-export([format_error/1, report/1]).

-import(erlrc_reason, [names/1, parse/1, posix/1, term/1, text/2, why/1]).

%% @doc One line for every reason and every warning of erlrc; an unknown one is printed as a term.
-spec format_error(term()) -> string().
format_error(Reason) ->
    one_line(safely(fun format/1, named(Reason))).

%% What is about several applications is said of all of them.
named(Reason) when is_tuple(Reason), tuple_size(Reason) > 1, is_list(element(2, Reason)) ->
    case {lists:member(element(1, Reason), about_applications()), element(2, Reason)} of
        {true, [App | _] = Apps} when is_atom(App) -> setelement(2, Reason, names(Apps));
        _ -> Reason
    end;
named({not_rolled_back, Why, Left}) ->
    {not_rolled_back, named(Why), Left};
named({max_pause, #{application := [_ | _] = Apps} = Why}) ->
    {max_pause, Why#{application := names(Apps)}};
named(Reason) ->
    Reason.

about_applications() ->
    [script_failed, bad_script, died, killed_for_old_code, converted, not_reverted].

%% @doc Formats a log report of erlrc for `logger'; `what' names the kind of report.
-spec report(map()) -> {io:format(), [term()]}.
report(Report) ->
    {"~ts", [one_line(safely(fun event/1, Report))]}.

%% A reason with a known tag and unknown contents is printed as a term.
safely(Format, Reason) ->
    try
        unicode:characters_to_list(Format(Reason))
    catch
        error:_ -> term(Reason)
    end.

event(#{what := boot_failed, reason := Reason, started := []}) ->
    text("erlrc: boot: ~ts. Nothing was started", [format(Reason)]);
event(#{what := boot_failed, reason := Reason, started := Started}) ->
    text("erlrc: boot: ~ts. Started: ~ts", [format(Reason), names(Started)]);
event(#{what := boot_warning, reason := Reason}) ->
    text("erlrc: boot: ~ts", [format(Reason)]);
event(#{what := booted, started := Started}) ->
    text("erlrc: boot: started ~ts", [names(Started)]);
event(#{what := application_died, application := App, reason := Reason}) ->
    text(
        "erlrc: application ~ts ended: ~ts. Its registration says {on_exit, halt}: the node halts"
        " with status 1",
        [App, term(Reason)]
    );
event(#{what := modules_not_loaded, modules := Failed}) ->
    text(
        "erlrc: modules that running applications name cannot be loaded, reinstall their packages:"
        " ~ts",
        [term(Failed)]
    );
event(#{what := node_not_registered, file := File, reason := {entry_of_process, Pid}}) ->
    text("erlrc: hooks do not find this node: ~ts is the entry of a node that runs as process ~ts; give one of them another name", [File, Pid]);
event(#{what := node_not_registered, file := File, reason := Reason}) ->
    text("erlrc: hooks do not find this node, for its entry ~ts cannot be written: ~ts; it is tried again", [File, why(Reason)]);
event(#{what := node_without_socket, reason := {Path, Reason}}) ->
    text("erlrc: the node does not listen for hooks on ~ts: ~ts; it is tried again", [Path, why(Reason)]);
event(#{what := cookie_file_unknown, files := Files}) ->
    text(
        "erlrc: no file is known that holds the cookie of this node, hooks cannot speak to it;"
        " name it by {cookie_file, File} in the environment of erlrc, or write an entry below"
        " ~ts. Tried: ~ts",
        [filename:join(erlrc_node:root(), "nodes"), lists:join(", ", Files)]
    );
event(#{what := notify_failed, reason := Reason}) ->
    text("erlrc: READY=1 did not reach systemd (NOTIFY_SOCKET): ~ts", [why(Reason)]);
event(#{what := warning, warning := Warning}) ->
    text("erlrc: ~ts", [format(Warning)]);
event(#{what := What} = Report) ->
    text("erlrc: ~ts ~ts", [term(What), term(maps:remove(what, Report))]);
event(Report) ->
    text("erlrc: ~ts", [term(Report)]).

%% Reasons of the boot.
format({app_dir_unreadable, Dir, Posix}) ->
    text("cannot read ~ts: ~ts; create it, or set ERLRC_ROOT", [Dir, posix(Posix)]);
format({appspec_file_not_found, File}) ->
    text(
        "~ts is not there; install the package that holds it, add its directory to the code path,"
        " or unregister the application",
        [File]
    );
format({appspec_file_parse_error, File, Why}) ->
    text("~ts: ~ts", [File, parse(Why)]);
format({appspec_override_wrong_arity, File, Entry}) ->
    text("~ts: ~ts", [File, parse({appspec_override_wrong_arity, Entry})]);
format({registration_file_error, File, Why}) ->
    text("~ts: ~ts", [File, parse(Why)]);
format({metadata_file_error, File, Why}) ->
    text("~ts: ~ts; it is passed over", [File, parse(Why)]);
format({unknown_registration_term, File, Term}) ->
    text("~ts: ~ts is not known to this version of erlrc, it is passed over", [File, term(Term)]);
format({several_versions, App, Chosen, Others}) ->
    text(
        "several versions of ~ts are installed: ~ts is taken, not ~ts; remove what is not meant",
        [App, Chosen, lists:join(", ", Others)]
    );
format({circular_dependency, App, Cycle}) ->
    text(
        "~ts needs itself to be started first; break the circle of applications or"
        " included_applications among ~ts",
        [App, names(Cycle)]
    );
format({duplicate_included, App, By1, By2}) ->
    text(
        "~ts is included by both ~ts and ~ts, and only one may; unregister one of them,"
        " or override its included_applications",
        [App, By1, By2]
    );
format({load_failed, App, Why}) ->
    text("~ts cannot be loaded: ~ts", [App, why(Why)]);
format({start_failed, App, {not_started, Needed}}) ->
    text("~ts cannot be started because ~ts does not run", [App, Needed]);
format({start_failed, App, timeout}) ->
    text("~ts did not start in time, and was killed", [App]);
format({start_failed, App, Why}) ->
    text("~ts failed to start: ~ts; the log of the node has the details", [App, why(Why)]);
format({start_failed, Failed}) when is_list(Failed) ->
    lists:join("; ", [format({start_failed, App, Why}) || {App, Why} <- Failed]);
format({package_gone, App}) ->
    text(
        "~ts is registered but not installed, it is skipped; install its package, or remove ~ts",
        [App, filename:join([erlrc_node:root(), "applications", atom_to_list(App)])]
    );
format({boot_script_failed, File, Text}) ->
    text("no boot script for ~ts: ~ts", [File, Text]);
format({busy, #{name := Name, since := Since} = Operation}) ->
    Of = [[" of ", App] || #{application := App} <- [Operation]],
    Time = calendar:system_time_to_rfc3339(Since div 1000, [{offset, "Z"}]),
    text("the node is busy since ~ts: ~ts~ts; nothing was done", [Time, Name, Of]);
format({stuck, {Module, Function, Arity}}) ->
    text(
        "it did not end, nor could it be called off: it was killed in ~ts:~ts/~b, and what it had done until then stays;"
        " see what runs (erlrc status) and restart the node if it is not what it should be",
        [Module, Function, Arity]
    );
format({operation_died, Why}) ->
    text("the process that carried it out died (~ts), and what it had done was undone; the log of the node may say why", [why(Why)]);
format(node_stopping) ->
    "the node is being stopped; nothing was done";
format({node_stopping, Why}) ->
    text("the node was being stopped meanwhile: ~ts", [format_error(Why)]);
format(out_of_time) ->
    "the time that was given for it is over";
format({file_error, File, Posix}) ->
    text("~ts: ~ts", [File, posix(Posix)]);
format(Reason) ->
    format_operation(Reason).

%% Reasons of operations.
format_operation(version_mismatch) ->
    "another version runs than the one that was named; nothing was done";
format_operation({not_so, App, Why}) ->
    text("~ts: ~ts", [App, format(Why)]);
format_operation({not_together, Apps, Why}) ->
    text(
        "~ts cannot be changed as one: ~ts is for OTP's release_handler, which takes one application at a time; change them one"
        " after the other, or restart the node",
        [names(Apps), term(Why)]
    );
format_operation({version_mismatch, App, Vsn}) ->
    text("~ts ~ts runs, which is no version that was named; nothing was done", [App, Vsn]);
format_operation(version_load_mismatch) ->
    "another version is loaded than the one that was named; unload that one first";
format_operation(bad_directory) ->
    "the directory does not hold this version of the application";
format_operation({bad_argument, application, Value}) ->
    text("an application is named by an atom, not by ~tP", [Value, 12]);
format_operation({bad_argument, Key, Value}) when is_binary(Value), (Key =:= vsn orelse Key =:= from orelse Key =:= to) ->
    text("a version is a string (in Elixir a charlist, ~~c\"1.0\"), not ~tP", [Value, 12]);
format_operation({bad_argument, Key, Value}) when Key =:= vsn; Key =:= from; Key =:= to ->
    text("a version is a string, not ~tP", [Value, 12]);
format_operation({bad_argument, _Dir, Value}) ->
    text("a directory is a string or a binary, not ~tP", [Value, 12]);
format_operation({bad_directory, Dir}) ->
    text(
        "~ts does not hold this version of the application; install it there, or name its directory",
        [Dir]
    );
format_operation(included) ->
    "it runs inside an application that includes it; stop or upgrade that one";
format_operation(running) ->
    "the application runs; stop it first";
format_operation(restart_new_emulator) ->
    "the script asks for a new emulator; restart the node";
format_operation(not_held) ->
    "the way back is not kept open any more";
format_operation({not_reverted, Why}) ->
    text("it could not be taken back: ~ts", [why(Why)]);
format_operation({converted, App, 1}) ->
    text(
        "a process of ~ts had gone on since; its state was changed back, what only the other version knows is lost",
        [App]
    );
format_operation({converted, App, Count}) ->
    text(
        "~b processes of ~ts had gone on since; their states were changed back, what only the other version knows is"
        " lost",
        [Count, App]
    );
format_operation({died, App, Count, Modules}) ->
    text(
        "processes of ~ts died while their states were changed, and these are lost (~b of ~ts); the log of the node says why",
        [App, Count, names(Modules)]
    );
format_operation({killed_for_old_code, App, Killed}) ->
    text(
        "killed by the upgrade of ~ts, for they still ran code that had to go: ~ts",
        [App, lists:join(", ", [[Name, " (", atom_to_list(Module), ")"] || {Name, Module} <- Killed])]
    );
format_operation({after_commit_failed, _App, {Module, Function, Arguments}, timeout}) ->
    text(
        "~ts:~ts/~b, called after the commit, did not return in time and was killed; the new version runs, call it again",
        [Module, Function, length(Arguments)]
    );
format_operation({after_commit_failed, _App, {Module, Function, Arguments}, interrupted}) ->
    text(
        "~ts:~ts/~b, called after the commit, was interrupted and may or may not have done its work; it is not called again,"
        " see to it by hand",
        [Module, Function, length(Arguments)]
    );
format_operation({after_commit_failed, _App, {Module, Function, Arguments}, Why}) ->
    text(
        "~ts:~ts/~b, called after the commit, failed: ~ts; the new version runs, call it again when that is mended",
        [Module, Function, length(Arguments), why(Why)]
    );
format_operation({restarted, Apps}) ->
    text("these were restarted and have lost their states: ~ts", [names(Apps)]);
format_operation({needed_by, Apps}) ->
    text("running applications depend on it, stop them first: ~ts", [names(Apps)]);
format_operation({needs_stopped, App}) ->
    text("it needs ~ts, which is being stopped", [App]);
format_operation({not_started, App, Why}) ->
    text("~ts is wanted but cannot run by itself: ~ts", [App, format(Why)]);
format_operation({old_directory_gone, Dir}) ->
    text("~ts is gone, and with it the code of the version that runs; restart the node", [Dir]);
format_operation({killed, App}) ->
    text("~ts did not stop in time, its processes were killed", [App]);
format_operation({stop_failed, App, Why}) ->
    text("~ts cannot be stopped: ~ts", [App, why(Why)]);
format_operation({unload_failed, App, {running, App}}) ->
    text("~ts cannot be unloaded, it runs; stop it first", [App]);
format_operation({unload_failed, App, Why}) ->
    text("~ts cannot be unloaded: ~ts", [App, why(Why)]);
format_operation({respecify_failed, App, Why}) ->
    text("the dependencies of ~ts cannot be rewritten: ~ts", [App, why(Why)]);
format_operation({config_change_failed, App, timeout}) ->
    text("config_change/3 of ~ts did not answer in time", [App]);
format_operation({config_change_failed, App, Why}) ->
    text("config_change/3 of ~ts failed: ~ts", [App, why(Why)]);
format_operation({unsettled, App, Left}) ->
    text("~ts is not of one version; restart the node. What is not: ~ts", [App, term(Left)]);
format_operation({not_rolled_back, Why, Left}) ->
    Restarted = [App || {restarted, App} <- Left],
    Called = [MFA || {applied, {_, _, _} = MFA} <- Left],
    Gone = [What || {gone, What} <- Left],
    case length(Restarted) + length(Called) + length(Gone) =:= length(Left) of
        true ->
            Parts = [restarted(Restarted) || Restarted =/= []] ++ [called(Called) || Called =/= []] ++
                [gone(Gone) || Gone =/= []],
            text("~ts; everything runs as before, but ~ts", [format(Why), lists:join(", and ", Parts)]);
        false ->
            text(
                "~ts, and not all of it could be undone; restart the node. What is left: ~ts",
                [format(Why), term(Left)]
            )
    end;
format_operation({unknown_application_controller, Release}) ->
    text("the application controller of OTP ~ts is not known to this version of erlrc", [Release]);
format_operation(Reason) ->
    case erlrc_upgrade_error:format(Reason) of
        unknown -> format_request(Reason);
        Text -> Text
    end.

restarted(Apps) ->
    text("these were restarted and have lost their states: ~ts", [names(Apps)]).

%% Also names the processes that had to be killed for it.
gone(Gone) ->
    text("these ended on the way back and nobody has started them again: ~ts", [lists:join(", ", [lost(What) || What <- Gone])]).

lost({name, Name}) -> text("~ts", [Name]);
lost({supervisor, Module}) -> text("a supervisor of ~ts", [Module]);
lost({process, {Module, Function, Arity}}) -> text("a process of ~ts:~ts/~b", [Module, Function, Arity]);
lost({listener, Address, Port}) -> text("the listener at ~ts:~b", [inet:ntoa(Address), Port]);
lost(Other) -> term(Other).

called(Calls) ->
    Names = [text("~ts:~ts/~b", [Module, Function, length(Arguments)]) || {Module, Function, Arguments} <- Calls],
    text("what the script called cannot be taken back: ~ts", [lists:join(", ", Names)]).

%% Reasons of requests that the command sends.
format_request(incomplete_request) ->
    "the request names no operation or no application";
format_request({unknown_operation, Operation}) ->
    text("this node's erlrc does not know the operation ~ts; upgrade erlrc", [term(Operation)]);
format_request({bad_application_name, Name}) ->
    text("~ts is no name of an application", [term(Name)]);
format_request({missing, Key}) ->
    text("the request lacks ~ts", [Key]);
format_request({bad_option, Key, Value}) ->
    text("the option ~ts of the request cannot be ~ts", [term(Key), term(Value)]);
format_request({bad_argument, Key}) ->
    text("~ts of the request is no text, or too long", [Key]);
format_request(Reason) ->
    term(Reason).

one_line(Text) ->
    Line = unicode:characters_to_list(Text),
    [if Char < 32 -> $\s; true -> Char end || Char <- Line, Char =/= 127].
