//! What a hook asks of a node, and how that is taken back.

use super::answer::Answer;
use super::options::Options;
use crate::node::Call;
use crate::term::{Atom, Term};
use std::path::PathBuf;
use std::time::Duration;

/// The version of the words between hook and node.
pub const PROTOCOL: i64 = 1;

/// A version of an application, and where it is, if that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub vsn: String,
    /// Its directory.
    pub dir: Option<PathBuf>,
}

/// What is to be done with an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The application.
    pub application: Atom,
    /// What to do with it.
    pub step: Step,
    /// How.
    pub options: Options,
}

/// Keys of a request and their values.
type Arguments = Vec<(&'static str, Term)>;

/// What becomes of an upgrade whose way back a node has kept open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It stays.
    Confirm,
    /// It is taken back.
    Revert,
}

/// The operations of the protocol. `from` is what runs, `to` what is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start it.
    Start(Version),
    /// Stop it.
    Stop(Version),
    /// Take the stopped application out of the node's memory and code path.
    Unload(Version),
    /// Go to a later version.
    Upgrade {
        /// What runs.
        from: Version,
        /// What is to run.
        to: Version,
    },
    /// Go to an earlier version.
    Downgrade {
        /// What runs.
        from: Version,
        /// What is to run.
        to: Version,
    },
}

impl Operation {
    /// An operation as the node is configured to do it.
    pub fn new(application: Atom, step: Step) -> Self {
        let options = Options::default();
        Self {
            application,
            step,
            options,
        }
    }

    /// The name of the operation, of the command and of the function in `erlrcdynamic`.
    pub fn name(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "start",
            Step::Stop(_) => "stop",
            Step::Unload(_) => "unload",
            Step::Upgrade { .. } => "upgrade",
            Step::Downgrade { .. } => "downgrade",
        }
    }

    /// What the hook says that it does.
    pub fn gerund(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "Starting",
            Step::Stop(_) => "Stopping",
            Step::Unload(_) => "Unloading",
            Step::Upgrade { .. } => "Upgrading",
            Step::Downgrade { .. } => "Downgrading",
        }
    }

    /// The call of `erlrc_hook:request/1`. After `patience` the node calls the operation off.
    pub fn request(&self, patience: Duration) -> Call {
        let name = ("operation", self.name());
        self.asked(&[name], patience)
    }

    /// The same for the plan alone. An operation of its own: a node that does not know it refuses,
    /// where it would pass over an option and do what is only asked about.
    pub fn dry_run(&self, patience: Duration) -> Call {
        self.asked(&[("operation", "dry_run"), ("of", self.name())], patience)
    }

    /// The call that gives the way back up, which a node holds under the number `held`, or goes it.
    pub fn settle(&self, how: Settling, held: Option<&str>, patience: Duration) -> Call {
        let name = match how {
            Settling::Confirm => "confirm",
            Settling::Revert => "revert",
        };
        let versions = self.versions().into_iter();
        let texts = versions.chain(held.map(|held| ("held", held.to_owned())));
        let mut arguments: Arguments = texts.map(|(key, text)| (key, Term::binary(text))).collect();
        arguments.push(bound(patience));
        request(&[("operation", name)], &self.application, arguments)
    }

    fn asked(&self, names: &[(&'static str, &'static str)], patience: Duration) -> Call {
        let mut arguments = self.arguments();
        arguments.push(bound(patience));
        request(names, &self.application, arguments)
    }

    fn arguments(&self) -> Arguments {
        let versions = self.versions().into_iter();
        let options = self.options.term().map(|options| ("options", options));
        versions
            .map(|(key, text)| (key, Term::binary(text)))
            .chain(options)
            .collect()
    }

    /// The question what the node finds about it in its processes.
    pub fn live_plan(&self, patience: Duration) -> Call {
        self.asked(&[("operation", "live_plan"), ("of", self.name())], patience)
    }

    fn versions(&self) -> Vec<(&'static str, String)> {
        let versions: Vec<(&'static str, &'static str, &Version)> = match &self.step {
            Step::Start(version) | Step::Stop(version) | Step::Unload(version) => {
                vec![("vsn", "dir", version)]
            }
            Step::Upgrade { from, to } | Step::Downgrade { from, to } => {
                vec![("from", "from_dir", from), ("to", "to_dir", to)]
            }
        };
        versions
            .into_iter()
            .flat_map(|(vsn_key, dir_key, version)| {
                let dir = version
                    .dir
                    .as_ref()
                    .map(|dir| (dir_key, dir.display().to_string()));
                [(vsn_key, version.vsn.clone())].into_iter().chain(dir)
            })
            .collect()
    }

    /// The call of `erlrcdynamic` that says the same, for a node that lacks `erlrc_hook`.
    pub fn direct_call(&self) -> Call {
        // Its arguments come in the order earlier, later.
        let versions = match &self.step {
            Step::Start(version) | Step::Stop(version) | Step::Unload(version) => vec![version],
            Step::Upgrade { from, to } => vec![from, to],
            Step::Downgrade { from, to } => vec![to, from],
        };
        let mut arguments = vec![Term::Atom(self.application.clone())];
        arguments.extend(versions.iter().map(|version| Term::string(&version.vsn)));
        let dirs: Option<Vec<Term>> = versions
            .iter()
            .map(|version| {
                version
                    .dir
                    .as_ref()
                    .map(|dir| Term::string(&dir.display().to_string()))
            })
            .collect();
        // stop/2 has no directory.
        if let (Some(dirs), false) = (dirs, matches!(self.step, Step::Stop(_))) {
            arguments.extend(dirs);
        }
        Call {
            module: "erlrcdynamic",
            function: self.name(),
            arguments,
        }
    }

    /// Whether it replaces what runs: what several nodes do all together or not at all.
    pub fn replaces(&self) -> bool {
        matches!(self.step, Step::Upgrade { .. } | Step::Downgrade { .. })
    }

    /// Whether `answer` says that the node is not as it was.
    pub fn changed(&self, answer: &Answer) -> bool {
        let idle = match self.step {
            Step::Start(_) => ["already_running", "included"].as_slice(),
            Step::Stop(_) => &["not_running", "included"],
            Step::Unload(_) => return false,
            Step::Upgrade { .. } | Step::Downgrade { .. } => &["already_running", "included"],
        };
        !idle.contains(&answer.outcome.as_str())
    }

    /// What takes the operation back, on a node that answered `outcome`.
    pub fn reverse(&self, outcome: &str) -> Option<Self> {
        let step = match (&self.step, outcome) {
            (Step::Start(version), _) => Step::Stop(version.clone()),
            (Step::Stop(version), _) => Step::Start(version.clone()),
            (Step::Unload(_), _) => return None,
            // It did not run: the upgrade had nothing to do but start it.
            (
                Step::Upgrade { to, .. } | Step::Downgrade { to, .. },
                "started" | "started_included_stopped",
            ) => Step::Stop(to.clone()),
            (Step::Upgrade { from, to }, _) => Step::Downgrade {
                from: to.clone(),
                to: from.clone(),
            },
            (Step::Downgrade { from, to }, _) => Step::Upgrade {
                from: to.clone(),
                to: from.clone(),
            },
        };
        Some(Self {
            application: self.application.clone(),
            step,
            options: self.options.of_reverse(),
        })
    }

    /// What taking the operation back cannot bring back.
    pub fn loss(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "what the application did since it was started is lost",
            Step::Stop(_) | Step::Unload(_) => {
                "the application runs again, the state that its processes had is lost"
            }
            Step::Upgrade { .. } => {
                "states were converted back, what only the later version knows is lost"
            }
            Step::Downgrade { .. } => {
                "states were converted again, what only the later version knows is lost"
            }
        }
    }

    /// The version that runs when the operation is done, `None` for none.
    pub fn result(&self) -> Option<&str> {
        match &self.step {
            Step::Start(version) => Some(&version.vsn),
            Step::Stop(_) | Step::Unload(_) => None,
            Step::Upgrade { to, .. } | Step::Downgrade { to, .. } => Some(&to.vsn),
        }
    }

    /// The outcome of an operation that did what was asked.
    pub fn done(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "started",
            Step::Stop(_) => "stopped",
            Step::Unload(_) => "unloaded",
            Step::Upgrade { .. } => "upgraded",
            Step::Downgrade { .. } => "downgraded",
        }
    }
}

/// The question which version of `application` runs.
pub fn what_runs(application: &Atom) -> Call {
    request(&[("operation", "running")], application, Vec::new())
}

/// The question what the node has loaded, and what of `application`.
pub fn code(application: &Atom) -> Call {
    request(&[("operation", "code")], application, Vec::new())
}

/// A question that is about no application: `status` or `progress`.
pub fn question(name: &'static str) -> Call {
    let pairs = [
        (Term::atom("protocol"), Term::Integer(PROTOCOL)),
        (Term::atom("operation"), Term::atom(name)),
    ];
    Call {
        module: "erlrc_hook",
        function: "request",
        arguments: vec![Term::map(pairs.into())],
    }
}

/// How long the one who asks waits, in milliseconds: a node does not work on what nobody waits for.
fn bound(patience: Duration) -> (&'static str, Term) {
    let milliseconds = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    ("patience", Term::Integer(milliseconds.max(1)))
}

fn request(
    names: &[(&'static str, &'static str)],
    application: &Atom,
    arguments: Arguments,
) -> Call {
    let fixed = [
        (Term::atom("protocol"), Term::Integer(PROTOCOL)),
        (Term::atom("application"), Term::Atom(application.clone())),
    ];
    let names = names
        .iter()
        .map(|&(key, name)| (Term::atom(key), Term::atom(name)));
    let arguments = arguments
        .into_iter()
        .map(|(key, value)| (Term::atom(key), value));
    let arguments = vec![Term::map(
        fixed.into_iter().chain(names).chain(arguments).collect(),
    )];
    Call {
        module: "erlrc_hook",
        function: "request",
        arguments,
    }
}
