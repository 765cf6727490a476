//! The keys of registrations and of erlrc's environment on a node, for people: the manual page `erlrc.conf(5)` and
//! `docs/reference/configuration.md` are made from these tables.

use crate::places;

/// The keys of a registration: name, values, default and meaning.
pub const REGISTRATION_KEYS: [(&str, &str, &str, &str); 4] = [
    (
        "enabled",
        "true | false",
        "true",
        "Whether nodes start the application when they boot.",
    ),
    (
        "on_exit",
        "stay | halt",
        "stay",
        "What the node does when the application ends without having been stopped.",
    ),
    (
        "migrate",
        "none | fields | lossy",
        "",
        "Whether states of the application are converted field by field where a module has no code_change of its own; with lossy also where fields are lost. The choice of its package, of the node and of erlrc.conf is used where none is given.",
    ),
    (
        "upgrade_policy",
        "[hot | restart_application | defer]",
        "",
        "What is tried, in this order, when the package of the application is upgraded. The policy of the node is used where none is given.",
    ),
];

/// The keys of erlrc's environment on a node: name, values, default and meaning.
pub const NODE_KEYS: [(&str, &str, &str, &str); 28] = [
    (
        "appup",
        "shipped or generated",
        "shipped",
        "Whether an appup that a version ships is used, or always a generated one.",
    ),
    (
        "apply_timeout",
        "milliseconds, or infinity",
        "infinity",
        "How long a function may take that a script calls (apply).",
    ),
    (
        "apps_dir",
        "a directory",
        places::APPS.default,
        "Where packages say what is installed, unless ERLRC_APPS is set.",
    ),
    (
        "boot",
        "sequential or concurrent",
        "sequential",
        "Whether the boot starts applications that do not depend on one another side by side.",
    ),
    (
        "boot_jobs",
        "a number from 1 to 1024",
        "the schedulers",
        "How many applications a concurrent boot starts at once.",
    ),
    (
        "code_change_timeout",
        "milliseconds",
        "5000",
        "How long code_change of one process may take.",
    ),
    (
        "cookie_file",
        "a file",
        "",
        "The file that holds the cookie of the node, if it is none of those that OTP reads.",
    ),
    (
        "evaluator",
        "transactional or release_handler",
        "transactional",
        "What runs a script: erlrc's own evaluator, or OTP's release_handler.",
    ),
    (
        "health_check",
        "{Module, Function, Arguments}",
        "",
        "A function that is called while the processes are suspended, after code_change. Anything but ok or true rolls the upgrade back.",
    ),
    (
        "library_dirs",
        "a list of directories",
        "[\"/usr/lib/elixir/lib\", \"/usr/share/elixir/lib\"]",
        "Directories of applications that are put on the code path when an application needs them.",
    ),
    (
        "max_pause",
        "milliseconds, or infinity",
        "infinity",
        "The longest time for which processes may be suspended. An upgrade that is predicted to take longer is refused.",
    ),
    (
        "migrate",
        "none or fields or lossy",
        "none",
        "Whether states are converted field by field where a module has no code_change of its own; with lossy also where fields are lost. A registration and a package may choose otherwise.",
    ),
    (
        "old_code",
        "wait or kill",
        "wait",
        "What happens to processes that still run the code before the one that is replaced.",
    ),
    (
        "on_start_failure",
        "stop or continue",
        "stop",
        "Whether the boot of the node ends when a registered application does not start.",
    ),
    (
        "preflight",
        "strict or warn or off",
        "strict",
        "What an upgrade does with the errors of its plan: refuse, print them, or make no plan.",
    ),
    (
        "purge_after",
        "milliseconds",
        "60000",
        "How long after an upgrade the old code is purged.",
    ),
    (
        "quiesce_longest",
        "milliseconds",
        "30000",
        "How long is waited for processes for which the script says infinity.",
    ),
    (
        "register_node",
        "true or false",
        "true",
        "Whether the node writes its entry in the rendezvous directory.",
    ),
    (
        "root_dir",
        "a directory",
        places::ROOT.default,
        "The directory of registrations, unless ERLRC_ROOT is set.",
    ),
    (
        "run_dir",
        "a directory",
        places::RUN.default,
        "The rendezvous directory, unless ERLRC_RUN is set.",
    ),
    (
        "service_check",
        "{Module, Function, Arguments}",
        "",
        "A function that is called when all processes run again. Anything but ok or true rolls the upgrade back.",
    ),
    (
        "stash_dir",
        "a directory",
        places::STASH.default,
        "Where old versions are kept for a late upgrade, unless ERLRC_STASH is set.",
    ),
    (
        "supervisor_children",
        "true or false",
        "true",
        "Whether children that a changed supervisor has gained or lost are started or stopped.",
    ),
    (
        "supervisors",
        "a list of modules",
        "[]",
        "Modules to treat as supervisors, where that cannot be seen in them.",
    ),
    (
        "suspend",
        "needed or always",
        "needed",
        "Whether processes are suspended whose state is the same in both versions.",
    ),
    (
        "suspend_timeout",
        "milliseconds",
        "5000",
        "How long is waited for a process to be suspended, unless the script says it.",
    ),
    (
        "unchanged_modules",
        "skip or reload",
        "skip",
        "Whether a generated script loads modules whose code is the same in both versions.",
    ),
    (
        "upgrade_policy",
        "a list of hot, restart_application and defer",
        "[hot, defer]",
        "What is tried, in this order, when a package is upgraded.",
    ),
];
