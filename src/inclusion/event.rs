//! Events of a node, and the actions that answer them.

use super::Error;
use crate::application::Application;
use crate::term::{Atom, Term};

/// An event.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node boots: every registered application must run.
    Boot,
    /// An application is to be started; its specification is among the facts.
    Start(Atom),
    /// An application is to be stopped.
    Stop(Atom),
    /// An application is to be upgraded or downgraded to the version with this specification.
    Upgrade(Box<Application>),
    /// Do all of this, or nothing.
    Change(Change),
}

/// What is to become of several applications at once.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Go to another version each, whose specifications these are; those that do not run are left to `start`.
    pub upgrade: Vec<Application>,
    /// Run; their specifications are among the facts.
    pub start: Vec<Atom>,
    /// Run no more.
    pub stop: Vec<Atom>,
}

/// An action.
#[derive(Clone, Debug)]
pub enum Action {
    /// Load a specification, and put the directory `ebin` on the code path.
    Load {
        /// The specification.
        application: Box<Application>,
        /// The directory of its modules.
        ebin: String,
    },
    /// Start a loaded application.
    Start(Atom),
    /// Stop a running application.
    Stop(Atom),
    /// Set the key `applications` of a loaded specification.
    Respecify(Atom, Vec<Atom>),
    /// Run the script of an upgrade and put the specification of the new version in force. If the
    /// application does not run, there is no code to replace: the new version is loaded instead.
    Script,
}

impl Action {
    /// The action as an Erlang term.
    pub fn into_term(self) -> Term {
        match self {
            Self::Load { application, ebin } => {
                let name = Term::Atom(application.name.clone());
                let specification = application.into_term();
                Term::tuple([Term::atom("load"), name, specification, Term::string(&ebin)])
            }
            Self::Start(name) => Term::tuple([Term::atom("start"), Term::Atom(name)]),
            Self::Stop(name) => Term::tuple([Term::atom("stop"), Term::Atom(name)]),
            Self::Respecify(name, applications) => {
                let applications = Term::list(applications.into_iter().map(Term::Atom));
                Term::tuple([Term::atom("respecify"), Term::Atom(name), applications])
            }
            Self::Script => Term::atom("script"),
        }
    }
}

/// The outcome of a transition, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The registered applications run.
    Booted,
    /// The application is started.
    Started,
    /// The application is started after others that it includes have been stopped.
    StartedIncludedStopped,
    /// The application was running already.
    AlreadyRunning,
    /// The application runs as part of another one.
    Included,
    /// The application is stopped.
    Stopped,
    /// The application is stopped, and others that it included are started.
    StoppedIncludedStarted,
    /// The application was not running.
    NotRunning,
    /// The application runs in the other version.
    Upgraded,
    /// All that was asked of several applications is so.
    Changed,
}

impl Outcome {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Booted => "booted",
            Self::Started => "started",
            Self::StartedIncludedStopped => "started_included_stopped",
            Self::AlreadyRunning => "already_running",
            Self::Included => "included",
            Self::Stopped => "stopped",
            Self::StoppedIncludedStarted => "stopped_included_started",
            Self::NotRunning => "not_running",
            Self::Upgraded => "upgraded",
            Self::Changed => "changed",
        }
    }
}

/// The answer to an event.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The actions, in order.
    pub actions: Vec<Action>,
    /// The outcome.
    pub outcome: Outcome,
    /// Wanted applications that will not run, each with a warning that gives the reason.
    pub skipped: Vec<Atom>,
    /// Warnings for a person.
    pub warnings: Vec<Warning>,
}

/// Something that a person should know.
#[derive(Clone, Debug)]
pub enum Warning {
    /// A registered application is not installed: its package was removed.
    PackageGone(Atom),
    /// An application that was included is wanted but cannot run by itself.
    NotStarted(Atom, Box<Error>),
}

impl Warning {
    /// The warning as a term for `erlrc_error:format_error/1`.
    pub fn term(&self) -> Term {
        match self {
            Self::PackageGone(name) => {
                Term::tuple([Term::atom("package_gone"), Term::Atom(name.clone())])
            }
            Self::NotStarted(name, why) => Term::tuple([
                Term::atom("not_started"),
                Term::Atom(name.clone()),
                why.reason(),
            ]),
        }
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PackageGone(name) => {
                write!(f, "'{name}' is registered and not installed, skipped")
            }
            Self::NotStarted(name, why) => write!(f, "'{name}' cannot run by itself: {why}"),
        }
    }
}
