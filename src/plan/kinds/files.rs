//! What a plan finds in the files of both versions.

use crate::catalogue::Entry;

/// The findings that files alone show.
pub const FILES: [Entry; 49] = [
    Entry {
        name: "after_commit_undefined",
        meaning: "A function that is to be called when every node has committed is not exported by the new version. Nothing would be taken back when the call fails.",
        remedy: "Correct the name in the appup or in the attribute erlrc_apply, or export the function.",
    },
    Entry {
        name: "appup_misses",
        meaning: "The appup that the application ships has no instruction for a module that differs between the versions. The old code of that module goes on running.",
        remedy: "Add the module to the appup, or delete the appup: erlrc then generates one.",
    },
    Entry {
        name: "appup_not_covering",
        meaning: "The appup that the application ships does not name the other version. erlrc generates a script instead.",
        remedy: "Add the version to the appup if the script needs more than replacing the modules that differ.",
    },
    Entry {
        name: "appup_rejected",
        meaning: "The appup cannot be read, or OTP's tools refuse one of its instructions.",
        remedy: "Correct the appup, or delete it: erlrc then generates one.",
    },
    Entry {
        name: "appup_terms",
        meaning: "The file of the appup holds several terms. OTP's tools read the first one only.",
        remedy: "Remove the other terms.",
    },
    Entry {
        name: "appup_vsn",
        meaning: "The appup names another version than the .app file beside it.",
        remedy: "Build both files from the same source.",
    },
    Entry {
        name: "appup_wrong_instruction",
        meaning: "An instruction does not fit its module: it asks for a code_change that the module does not export, only loads a supervisor whose children would stay as they are, or only loads a module whose state changes.",
        remedy: "Use the instruction that the advice of the finding names.",
    },
    Entry {
        name: "bad_beam",
        meaning: "A .beam file of one of the versions cannot be read.",
        remedy: "Build the module again.",
    },
    Entry {
        name: "broken_call",
        meaning: "A module that is not replaced calls a function that the new version no longer exports.",
        remedy: "Upgrade the caller too, or keep the function.",
    },
    Entry {
        name: "broken_fun",
        meaning: "Code that stays keeps an external fun (fun Module:Function/Arity) of a function that the new version no longer exports.",
        remedy: "Keep the function until nothing calls it any more, or replace the fun where it is kept.",
    },
    Entry {
        name: "broken_name",
        meaning: "Code that stays holds a module and a function as data, such as {Module, Function, Arguments}, and the new version no longer exports that function.",
        remedy: "Keep the function until nothing calls it any more, or replace the name where it is kept.",
    },
    Entry {
        name: "children_changed",
        meaning: "A supervisor of the new version specifies other children: some are added, removed or changed.",
        remedy: "Make sure that nothing needs the children that are stopped: their state is lost. A changed child keeps running as it was started until it is restarted.",
    },
    Entry {
        name: "code_change_rejects",
        meaning: "code_change of the module has no clause that accepts the state of the earlier version, so the upgrade would be rolled back.",
        remedy: "Add a clause of code_change that accepts the state of the earlier version.",
    },
    Entry {
        name: "code_change_unchanged",
        meaning: "The state of the module changes, but its code_change is the same in both versions.",
        remedy: "Make sure that code_change converts the earlier state into the new one.",
    },
    Entry {
        name: "cycle",
        meaning: "Some modules need new functions of each other. They are replaced together, and all their processes are suspended meanwhile.",
        remedy: "Nothing needs to be done.",
    },
    Entry {
        name: "dependency_added",
        meaning: "The new version needs an application that the earlier one did not need. erlrc starts it if it is not running.",
        remedy: "Make sure that the application may run on these nodes.",
    },
    Entry {
        name: "dependency_missing",
        meaning: "The new version needs an application that is not installed.",
        remedy: "Install that application first.",
    },
    Entry {
        name: "dependency_too_old",
        meaning: "The new version asks, in runtime_dependencies, for a later version of an application than is there.",
        remedy: "Upgrade that application first.",
    },
    Entry {
        name: "dropped_depends",
        meaning: "The script says that a module depends on another one, which the script does not replace.",
        remedy: "Remove the name from the instruction, or correct it.",
    },
    Entry {
        name: "elixir_protocol",
        meaning: "An Elixir protocol changes. A release runs the consolidated copy of the protocol, which is in another directory. It is not reported for a node without a consolidated copy.",
        remedy: "Build the consolidated protocols again and load them after the upgrade.",
    },
    Entry {
        name: "elixir_protocol_implementation",
        meaning: "An implementation of an Elixir protocol is added or removed. The consolidated copy of the protocol does not know this. It is not reported for a node without a consolidated copy.",
        remedy: "Build the consolidated protocols again and load them after the upgrade.",
    },
    Entry {
        name: "environment_added",
        meaning: "The new version has application environment keys that the earlier one did not have. They get their defaults.",
        remedy: "Set the keys that must not have their defaults.",
    },
    Entry {
        name: "environment_default",
        meaning: "The default of an application environment key changes.",
        remedy: "Set the key if it must keep its earlier value.",
    },
    Entry {
        name: "environment_removed",
        meaning: "The new version no longer has an application environment key.",
        remedy: "Remove the key from the configuration: a value that is set there stays, but nothing reads it.",
    },
    Entry {
        name: "funs_kept",
        meaning: "Functions of the earlier version hand out funs. Such a fun fails with badfun when it is called after the old code has been purged.",
        remedy: "Keep an external fun (fun Module:Function/Arity) instead, or create the funs anew in code_change.",
    },
    Entry {
        name: "init_fails_again",
        meaning: "The upgrade calls init/1 of a supervisor again, and something that it calls fails the second time, for example creating a named table.",
        remedy: "Move the call into a child, or make it only where it has not been made yet.",
    },
    Entry {
        name: "init_repeats",
        meaning: "The upgrade calls init/1 of a supervisor again, and init/1 does more than return child specifications.",
        remedy: "Move that into a child, or make sure that it does no harm a second time.",
    },
    Entry {
        name: "later_version",
        meaning: "Another directory holds a version of the application that counts as later. A node that boots without erlrc would load that one.",
        remedy: "Move the directories away that are not meant to run.",
    },
    Entry {
        name: "loads_nif",
        meaning: "The module loads a NIF library. The library needs an upgrade callback, and a path of its own in each version.",
        remedy: "Keep the module as it is, restart the application, or try the upgrade on a node that may fail.",
    },
    Entry {
        name: "migrate_not_read",
        meaning: "The registration, the package or erlrc.conf was to say whether states are converted, and cannot be understood. No state is converted because of it.",
        remedy: "Correct the file; erlrc config check names what is wrong.",
    },
    Entry {
        name: "migration_unusable",
        meaning: "The later version names a module that is to convert the states of another one, in priv/APP.migration or by the attribute erlrc_migration, and that module cannot be used. The upgrade is refused.",
        remedy: "Correct the term or the attribute, or bring the module, which exports migrate/5, in the later version.",
    },
    Entry {
        name: "missing_beam",
        meaning: "A version lists a module in its .app file but has no file of it.",
        remedy: "Build the module, or take it out of the .app file.",
    },
    Entry {
        name: "native_library",
        meaning: "A native library differs between the versions, but the modules that load it do not. Nothing would load the new library.",
        remedy: "Restart the node to run the new library, or make the modules that load it differ as well.",
    },
    Entry {
        name: "no_script",
        meaning: "No script leads from the one version to the other, because something that it is made from cannot be read.",
        remedy: "Correct what the finding names, then ask again.",
    },
    Entry {
        name: "not_reversible",
        meaning: "The appup of the later version has no instructions for a downgrade.",
        remedy: "Add them to the appup: a generated downgrade knows less than its author does.",
    },
    Entry {
        name: "on_load",
        meaning: "The module has an -on_load function, which is called again when the module is replaced, and which must return ok.",
        remedy: "Try the upgrade on a node that may fail.",
    },
    Entry {
        name: "otp_release",
        meaning: "Modules of the new version were compiled for a later OTP release than the node runs.",
        remedy: "Build them on the release of the node, or restart the node on the later release.",
    },
    Entry {
        name: "restart_application",
        meaning: "The appup asks for the application to be restarted: its processes are stopped and their states are lost.",
        remedy: "Choose a time when this does no harm.",
    },
    Entry {
        name: "restart_emulator",
        meaning: "The appup asks for a restart of the emulator.",
        remedy: "Restart the node at a suitable time.",
    },
    Entry {
        name: "same_version",
        meaning: "Both sides have the same version number, but their modules differ.",
        remedy: "Give the later one a version number of its own.",
    },
    Entry {
        name: "shadowed",
        meaning: "The code path has files of the application's modules in another directory, and that directory comes first.",
        remedy: "Remove that directory from the code path, or delete the files.",
    },
    Entry {
        name: "shared_record",
        meaning: "Several modules use a record whose fields change. Messages and tables may still hold the earlier record.",
        remedy: "Make sure that no earlier record is left when the new code runs, or that the new code accepts both.",
    },
    Entry {
        name: "state_migrated",
        meaning: "erlrc converts the state of the module, or the argument of a supervisor, field by field, or by a migration module that the later version names. The text says who asked for that: --migrate, the registration, the package, the node or erlrc.conf. A warning says that fields are lost.",
        remedy: "Make sure that the values of new fields are what the new code expects.",
    },
    Entry {
        name: "state_not_migrated",
        meaning: "The state of the module changes, and nothing converts it: there is no code_change, or code_change returns the state as it was. Of a supervisor: init/1 does not take the argument that a running one has.",
        remedy: "Write a code_change; erlrc make-migration prints a proposal. Otherwise let the upgrade policy restart the application.",
    },
    Entry {
        name: "state_unknown",
        meaning: "Whether the state of the module changes cannot be determined, because debug information is missing.",
        remedy: "Build both versions with debug_info, or try the upgrade on a node that may fail.",
    },
    Entry {
        name: "storage_not_made",
        meaning: "The new init/1 of a process, or start/2 of the application, makes a named table or a persistent term that the running version does not have. An upgrade calls neither, so the new code finds none.",
        remedy: "Make it in code_change, or by the attribute erlrc_apply, where it is not there yet.",
    },
    Entry {
        name: "system_application",
        meaning: "The application is part of what the emulator itself runs on and cannot be replaced while the emulator runs.",
        remedy: "Restart the node at a suitable time.",
    },
    Entry {
        name: "undefined_call",
        meaning: "The new version calls a function that no installed application exports. It is an error where an application that the new version depends on should export it.",
        remedy: "Install what exports the function first, or remove the call.",
    },
    Entry {
        name: "unlisted_beam",
        meaning: "A version has a file of a module that its .app file does not list. The module is left out of the script.",
        remedy: "Add the module to the .app file, or delete the file.",
    },
];
