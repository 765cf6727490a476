//! What `erlrc doctor` finds: the page of findings is made from this table.

use crate::catalogue::Entry;

/// Every kind of finding.
pub const DOCTOR: [Entry; 26] = [
    Entry {
        name: "damaged_stash",
        meaning: "A version that was kept for running nodes is damaged and is not used.",
        remedy: "Restart the nodes that run it; until then they use the code that they have loaded.",
    },
    Entry {
        name: "disabled",
        meaning: "A registered application is disabled, so nodes do not start it when they boot.",
        remedy: "Nothing, if this is intended. Otherwise run erlrc enable APP.",
    },
    Entry {
        name: "failed",
        meaning: "The last change of the application on the node failed, and nothing since has made up for it.",
        remedy: "Read the reason with erlrc history, correct it and repeat the operation.",
    },
    Entry {
        name: "forged_journal",
        meaning: "The journal holds records that name what erlrc would never write.",
        remedy: "Find out who wrote them.",
    },
    Entry {
        name: "incomplete_package",
        meaning: "A package is installed, but its directory does not hold the version that its metadata names.",
        remedy: "Install the package again.",
    },
    Entry {
        name: "interrupted",
        meaning: "A maintainer script was interrupted while it upgraded a node.",
        remedy: "Run erlrc doctor again when the package manager has finished, with --yes if the finding is still there.",
    },
    Entry {
        name: "journal_open",
        meaning: "A maintainer script left its record in the journal open, although every node runs what is installed.",
        remedy: "erlrc doctor --yes closes it.",
    },
    Entry {
        name: "mistaken_file",
        meaning: "A file of erlrc's configuration cannot be read or has a wrong value.",
        remedy: "Correct the file: until then it has no effect.",
    },
    Entry {
        name: "node_without_entry",
        meaning: "A node is registered with epmd but has no entry in the rendezvous directory, so erlrc does not look after it.",
        remedy: "Nothing, if this is intended. Otherwise start erlrc on the node.",
    },
    Entry {
        name: "not_running",
        meaning: "A registered application does not run on a node.",
        remedy: "Read the reason with erlrc history and start the application.",
    },
    Entry {
        name: "old_library",
        meaning: "A node runs a native library of an earlier version of an application: no upgrade has loaded the one that the version has.",
        remedy: "Restart the node, or upgrade the application to a version whose modules load the library.",
    },
    Entry {
        name: "orphan_directory",
        meaning: "A directory holds a version of an application that no package names.",
        remedy: "Move it away if nothing needs it.",
    },
    Entry {
        name: "refused_modules",
        meaning: "An application has modules that the OTP on the disk does not load: the node could not start it any more.",
        remedy: "Install a build of the application for that release before the node is restarted.",
    },
    Entry {
        name: "registration_without_package",
        meaning: "An application is registered, but no package and no node has it.",
        remedy: "Install it, or remove the registration.",
    },
    Entry {
        name: "release_on_trial",
        meaning: "Nodes run a release that is on trial: they go back by themselves unless it is committed.",
        remedy: "erlrc release commit keeps it, erlrc release revert takes it back.",
    },
    Entry {
        name: "restart_needed",
        meaning: "A node runs another version than the installed one and is to be restarted to run it.",
        remedy: "Restart the node.",
    },
    Entry {
        name: "run_waits",
        meaning: "A run of erlrc apply waits to be confirmed: its packages go back by themselves unless it is.",
        remedy: "erlrc confirm keeps it, erlrc revert takes it back.",
    },
    Entry {
        name: "stale_stash",
        meaning: "A version is kept for running nodes, but no node runs it any more.",
        remedy: "erlrc doctor --yes deletes it.",
    },
    Entry {
        name: "unfinished_environment",
        meaning: "erlrc env was interrupted while it made or removed an environment.",
        remedy: "erlrc doctor --yes deletes what it left, as erlrc env clean --yes does.",
    },
    Entry {
        name: "unfinished_release",
        meaning: "A command was interrupted while a release went on trial or was committed, or nobody committed it in time.",
        remedy: "Run the command that the finding names: it finishes what was begun, or forgets it.",
    },
    Entry {
        name: "unfinished_run",
        meaning: "A run of erlrc apply ended in the midst, or did not go back as a whole, or its record cannot be read.",
        remedy: "Run the command that the finding names.",
    },
    Entry {
        name: "unfinished_stash",
        meaning: "A maintainer script was interrupted while it kept the files of a version.",
        remedy: "erlrc doctor --yes deletes what it left.",
    },
    Entry {
        name: "unreachable_node",
        meaning: "A node does not tell what it runs.",
        remedy: "The advice of the finding depends on the reason: compare cookies, correct the entry of the node, or start the node.",
    },
    Entry {
        name: "unsettled",
        meaning: "An operation failed and the node could not put everything right: the application is between two versions.",
        remedy: "erlrc doctor --yes has the node make the application whole; where it cannot, restart the node.",
    },
    Entry {
        name: "version_mismatch",
        meaning: "A node runs another version than the installed one.",
        remedy: "erlrc doctor --yes upgrades the node; erlrc plan tells beforehand what this does.",
    },
    Entry {
        name: "waiting",
        meaning: "An upgrade waits: for the package to be configured, or for the end of the package manager's run.",
        remedy: "Run erlrc doctor again when the package manager has finished.",
    },
];
