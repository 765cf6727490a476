//! What a hook asks of a node, and how that is taken back.

use super::answer::Answer;
use super::options::Options;
use crate::outcome::{Class, Outcome};
use crate::term::Atom;
use std::path::PathBuf;

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

    /// Whether it replaces what runs: what several nodes do all together or not at all.
    pub fn replaces(&self) -> bool {
        matches!(self.step, Step::Upgrade { .. } | Step::Downgrade { .. })
    }

    /// The same upgrade or downgrade between exactly these versions.
    pub fn between(&self, from: Version, to: Version) -> Self {
        let step = match self.step {
            Step::Downgrade { .. } => Step::Downgrade { from, to },
            _ => Step::Upgrade { from, to },
        };
        Self {
            step,
            ..self.clone()
        }
    }

    /// Whether a node that says this has done what was asked, or found it done.
    pub fn is_achieved_by(&self, outcome: &Outcome) -> bool {
        use Outcome::{
            AlreadyRunning, Downgraded, Included, NotRunning, Started, StartedIncludedStopped,
            Stopped, StoppedIncludedStarted, Unloaded, Upgraded,
        };
        let ways: &[Outcome] = match self.step {
            Step::Start(_) => &[Started, StartedIncludedStopped, AlreadyRunning, Included],
            Step::Stop(_) => &[Stopped, StoppedIncludedStarted, NotRunning],
            Step::Unload(_) => &[Unloaded],
            Step::Upgrade { .. } => &[
                Upgraded,
                Started,
                StartedIncludedStopped,
                AlreadyRunning,
                Included,
            ],
            Step::Downgrade { .. } => &[
                Downgraded,
                Started,
                StartedIncludedStopped,
                AlreadyRunning,
                Included,
            ],
        };
        ways.contains(outcome)
    }

    /// Whether `answer` says that the node is not as it was.
    pub fn changed(&self, answer: &Answer) -> bool {
        answer.class == Class::Done
            && answer.outcome.is_change()
            && !matches!(self.step, Step::Unload(_))
    }

    /// What takes the operation back, on a node that answered `outcome`.
    pub fn reverse(&self, outcome: &Outcome) -> Option<Self> {
        let step = match (&self.step, outcome) {
            (Step::Start(version), _) => Step::Stop(version.clone()),
            (Step::Stop(version), _) => Step::Start(version.clone()),
            (Step::Unload(_), _) => return None,
            // It did not run: the upgrade had nothing to do but start it.
            (
                Step::Upgrade { to, .. } | Step::Downgrade { to, .. },
                Outcome::Started | Outcome::StartedIncludedStopped,
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
    pub fn done(&self) -> Outcome {
        match self.step {
            Step::Start(_) => Outcome::Started,
            Step::Stop(_) => Outcome::Stopped,
            Step::Unload(_) => Outcome::Unloaded,
            Step::Upgrade { .. } => Outcome::Upgraded,
            Step::Downgrade { .. } => Outcome::Downgraded,
        }
    }
}
