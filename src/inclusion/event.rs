//! What may happen to a node, and what is then to be done.

use super::Error;
use crate::application::Application;
use crate::term::{Atom, Term};

/// What is asked of a node.
#[derive(Clone, Debug)]
pub enum Event {
    /// Run everything that is registered.
    Boot,
    /// Start an application; its specification is among the facts.
    Start(Atom),
    /// Stop an application.
    Stop(Atom),
    /// Take an application to another version, whose specification this is.
    Upgrade(Box<Application>),
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Load a specification and see to it that the code is found in `ebin`.
    Load {
        /// The specification.
        application: Box<Application>,
        /// The directory of its modules.
        ebin: String,
    },
    /// Start an application that is loaded.
    Start(Atom),
    /// Stop an application that runs.
    Stop(Atom),
    /// Let the loaded specification of an application name these as its `applications`.
    Respecify(Atom, Vec<Atom>),
    /// Here the script of an upgrade runs, and the new version's specification is put in force.
    /// Where the application does not run, there is no code to change in place: its new version
    /// becomes the one that is loaded.
    Script,
}

impl Action {
    /// The action as the node reads it.
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

/// The word for what a transition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What is wanted runs.
    Booted,
    /// The application is started.
    Started,
    /// The application is started, after others that it includes were stopped.
    StartedIncludedStopped,
    /// The application runs already.
    AlreadyRunning,
    /// The application runs inside another one.
    Included,
    /// The application is stopped.
    Stopped,
    /// The application is stopped, others that it included are started.
    StoppedIncludedStarted,
    /// The application does not run.
    NotRunning,
    /// The application runs in its other version.
    Upgraded,
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
        }
    }
}

/// The answer to an event.
#[derive(Clone, Debug)]
pub struct Transition {
    /// What is to be done, in this order.
    pub actions: Vec<Action>,
    /// What that comes to.
    pub outcome: Outcome,
    /// Wanted applications that will not run, each with a warning that says why.
    pub skipped: Vec<Atom>,
    /// What somebody should know.
    pub warnings: Vec<Warning>,
}

/// Something that somebody should know.
#[derive(Clone, Debug)]
pub enum Warning {
    /// A registered application is not installed: its package was removed.
    PackageGone(Atom),
    /// An application that was included is wanted, and cannot run by itself.
    NotStarted(Atom, Box<Error>),
}

impl Warning {
    /// The warning as `erlrc_error:format_error/1` reads it.
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
