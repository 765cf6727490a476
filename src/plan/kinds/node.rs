//! What a plan finds on a node that runs.

use crate::catalogue::Entry;

/// The findings that a node has to be asked for.
pub const NODE: [Entry; 39] = [
    Entry {
        name: "application_stopped",
        meaning: "Another application would be stopped, because the new version changes which application includes it.",
        remedy: "Upgrade at a time when its processes may end.",
    },
    Entry {
        name: "arguments_migrated",
        meaning: "A supervisor holds records with which it would start children again, and which the new version of the child's module has with other fields. erlrc converts them with the states.",
        remedy: "Make sure that the values of new fields are what init/1 of the child expects.",
    },
    Entry {
        name: "child_name_taken",
        meaning: "A child that a supervisor gains cannot start, because a process that stays holds a name or a table that it takes. The upgrade would be rolled back.",
        remedy: "Give the child another name, or end the process that holds this one before the upgrade.",
    },
    Entry {
        name: "code_change_not_tried",
        meaning: "The plan could not try code_change on copies of some states. The finding says why.",
        remedy: "Test the upgrade on a node that may fail.",
    },
    Entry {
        name: "code_change_without_process",
        meaning: "The script calls code_change of a module, but no process is known to run that module. It is a warning where the node cannot tell what some processes run.",
        remedy: "Name the module in the child specification of its processes.",
    },
    Entry {
        name: "code_change_would_fail",
        meaning: "code_change was tried on copies of the states that are there now, and failed.",
        remedy: "Make code_change accept these states, or change them before the upgrade.",
    },
    Entry {
        name: "compile_env",
        meaning: "The application was compiled with other values of Application.compile_env/3 than the node will have after the upgrade.",
        remedy: "Set the values that it was compiled with, or compile it again: a release of Elixir does not boot with this difference.",
    },
    Entry {
        name: "environment_kept",
        meaning: "The default of an application environment key changes, and the value that was set on this node stays.",
        remedy: "Check whether the value fits the new version.",
    },
    Entry {
        name: "environment_unknown",
        meaning: "The node's application environment cannot be determined, so it cannot be merged.",
        remedy: "Use a version of erlrc that supports this OTP release.",
    },
    Entry {
        name: "fun_in_state",
        meaning: "States of processes hold funs of modules that are replaced. They fail with badfun after the old code has been purged.",
        remedy: "Keep external funs (fun Module:Function/Arity) or data instead.",
    },
    Entry {
        name: "fun_in_table",
        meaning: "ETS tables hold funs of modules that are replaced. They fail with badfun after the old code has been purged.",
        remedy: "Keep external funs (fun Module:Function/Arity) or data instead.",
    },
    Entry {
        name: "long_message_queue",
        meaning: "A process that must be suspended has many messages to handle first.",
        remedy: "Upgrade at a quieter time, or raise suspend_timeout.",
    },
    Entry {
        name: "migration_would_fail",
        meaning: "The migration module was tried on copies of the states that are there now, and failed, or returned neither {ok, State} nor unchanged.",
        remedy: "Let migrate/5 of that module convert these states, or return unchanged.",
    },
    Entry {
        name: "module_not_loadable",
        meaning: "The node cannot load a module of the new version.",
        remedy: "Compile the module for the OTP release of the node, and make sure that its file is complete.",
    },
    Entry {
        name: "name_in_environment",
        meaning: "The environment of an application may name a function that the new version no longer exports, such as {Module, Function, Arguments}.",
        remedy: "Keep the function until nothing calls it any more, or replace the name where it is kept.",
    },
    Entry {
        name: "name_in_table",
        meaning: "An ETS table or a persistent term may name a function that the new version no longer exports, such as {Module, Function, Arguments}.",
        remedy: "Keep the function until nothing calls it any more, or replace the name where it is kept.",
    },
    Entry {
        name: "node_refuses",
        meaning: "The node would refuse the operation, for the reason in the finding.",
        remedy: "Correct what the reason names, then ask again.",
    },
    Entry {
        name: "old_code_in_use",
        meaning: "Processes still run the code that the last upgrade replaced. A module can have two versions at a time, so they must end first.",
        remedy: "Wait until they have ended, or allow erlrc to kill them: {old_code, kill}.",
    },
    Entry {
        name: "other_version_on_path",
        meaning: "A third version of the application is on the code path of the node. OTP's own copy of one of its applications is none.",
        remedy: "Remove it: a module that only that version has would be loaded from there.",
    },
    Entry {
        name: "path_in_state",
        meaning: "States of processes name files in the directory of the earlier version, which the package manager deletes.",
        remedy: "Call code:priv_dir/1 when the file is needed, or convert the name in code_change.",
    },
    Entry {
        name: "port_of_old_directory",
        meaning: "A program that the node has started runs from the directory of the earlier version.",
        remedy: "It keeps running. Start it again to run the new version's program.",
    },
    Entry {
        name: "process_blocked",
        meaning: "Processes wait in gen_tcp:accept/1 and cannot be suspended before a connection arrives.",
        remedy: "Load their module without suspending them, or let them accept with a timeout.",
    },
    Entry {
        name: "process_would_linger",
        meaning: "Processes would keep running the old code, because they never leave a loop in it. It is information only where they are in a call of it that returns.",
        remedy: "Let the loop call itself by its full name, ?MODULE:loop(...), or make it a special process (sys).",
    },
    Entry {
        name: "record_in_dictionary",
        meaning: "Dictionaries of processes hold a record whose number of fields changes, or a struct whose keys change. It is an error where nothing converts it. A map of fixed keys that lacks one which its module now gives it and the new code demands is a warning, since nobody can tell who has made a map.",
        remedy: "Convert it in code_change of the process that holds it.",
    },
    Entry {
        name: "record_in_state",
        meaning: "States of processes hold a record whose number of fields changes, or a struct whose keys change. It is an error where code_change leaves the earlier one in place. A map of fixed keys that lacks one which its module now gives it and the new code demands is a warning, since nobody can tell who has made a map.",
        remedy: "Convert it in code_change of the process that holds it.",
    },
    Entry {
        name: "record_in_table",
        meaning: "An ETS table holds a record whose number of fields changes, or a struct whose keys change. It is an error where no instruction and no code_change can convert it. A map of fixed keys that lacks one which its module now gives it and the new code demands is a warning, since nobody can tell who has made a map.",
        remedy: "Convert the rows in version_change, or in an apply of the appup.",
    },
    Entry {
        name: "release_handler_needed",
        meaning: "OTP's release_handler runs the script, since it has an instruction that the transactional evaluator does not express.",
        remedy: "Expect that processes are suspended one after the other, and that a failure cannot be rolled back exactly.",
    },
    Entry {
        name: "removed_module_in_use",
        meaning: "A process runs a module that the new version no longer has.",
        remedy: "Keep the module in the new version, or let the upgrade policy restart the application.",
    },
    Entry {
        name: "restart_goes_back",
        meaning: "The node was started by the boot script of a release, which has another version of the application: a restart of the node goes back to that one.",
        remedy: "Build the release with the new version and install it before the node is started again.",
    },
    Entry {
        name: "script_refused",
        meaning: "OTP's tools refuse the script.",
        remedy: "Correct the appup, or delete it: erlrc then generates one.",
    },
    Entry {
        name: "search_incomplete",
        meaning: "Some states and tables of the application were not searched, or only a part of them: processes were busy or asleep, tables are private, states or tables are large, or there was no time left. Large tables of others are counted, too.",
        remedy: "Make sure that they hold no funs, records and names of functions that the new version does not know.",
    },
    Entry {
        name: "state_refused",
        meaning: "code_change was tried on copies of the states that are there now, and no clause of a callback of the new version takes what it returned.",
        remedy: "Make code_change return what the callbacks take, or add a clause that takes it.",
    },
    Entry {
        name: "states_not_looked_at",
        meaning: "The erlrc of the node does not know the question what its processes and tables would meet.",
        remedy: "Upgrade erlrc on the node first.",
    },
    Entry {
        name: "supervisor_children_changed",
        meaning: "A supervisor would start or stop children, because its child specifications change.",
        remedy: "Nothing needs to be done. With {supervisor_children, false} erlrc leaves the children alone.",
    },
    Entry {
        name: "supervisor_init_fails",
        meaning: "init/1 of the new version fails, with the arguments that the running supervisor has or because a name that it takes is held by a process. The upgrade would be rolled back.",
        remedy: "Make init/1 accept the arguments of the earlier version, and leave what it starts to child specifications.",
    },
    Entry {
        name: "supervisor_init_has_effects",
        meaning: "The upgrade calls init/1 of a supervisor again, and init/1 does more than return child specifications. Where that fails, the upgrade is rolled back.",
        remedy: "Move what must happen once to the function that starts the supervisor.",
    },
    Entry {
        name: "supervisor_not_answering",
        meaning: "A supervisor does not answer, so its children may be missed.",
        remedy: "Find out what it waits for: erlrc eval NODE 'erlang:process_info(Pid, current_stacktrace)'.",
    },
    Entry {
        name: "supervisor_strategy_changed",
        meaning: "A supervisor that runs would change its restart strategy to or from simple_one_for_one, which it cannot do.",
        remedy: "Put children of another kind below a new supervisor, or let the upgrade policy restart the application.",
    },
    Entry {
        name: "unsupervised_process",
        meaning: "Processes of modules that are replaced are in no supervision tree.",
        remedy: "Nothing needs to be done. erlrc upgrades them too; OTP's release_handler would miss them.",
    },
];
