//! One call of a maintainer script, and what it comes to for each application.

use super::carry::Carrier;
use super::hooks::Hooks;
use super::log::Log;
use super::survey::survey;
use crate::maint::{Call, Configuration, Minimum, NodeState, Version, decide};
use crate::outcome::Class;
use crate::stash::Stash;
use crate::term::Atom;
use std::path::PathBuf;

/// An application in the version that a script belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The application.
    pub application: Atom,
    /// The version, and its directory.
    pub version: Version,
}

/// One call.
pub struct Session<'a> {
    /// What the package manager is doing.
    pub call: Call,
    /// The configuration of the host.
    pub configuration: Configuration,
    /// The directory of registrations.
    pub root: PathBuf,
    /// The directory of the metadata.
    pub apps: PathBuf,
    /// The directory of what the packages of services name.
    pub sets: PathBuf,
    /// The old versions that nodes still run.
    pub stash: Stash,
    /// The journal.
    pub log: Log,
    /// The outside.
    pub hooks: Box<dyn Hooks + 'a>,
}

impl Session<'_> {
    /// Does what the script is called for with `subject`; the class of the worst answer.
    pub fn perform(&self, subject: &Subject, minimums: &[Minimum]) -> Class {
        let class = self.carry_out(subject, minimums).1;
        self.lenient(class)
    }

    /// Does what the configuration of a package does, at any other time: the class of the worst answer, and whether
    /// every node runs what is installed, or nothing.
    pub fn reconcile(&self, application: &Atom, version: &Version) -> (Class, bool) {
        let subject = Subject {
            application: application.clone(),
            version: version.clone(),
        };
        let minimums = self.log.journal().minimums(application);
        let (carrier, class) = self.carry_out(&subject, &minimums);
        let there = |state: &NodeState| match state {
            NodeState::Running(vsn) => *vsn == version.vsn,
            NodeState::Idle => true,
            NodeState::Unknown => false,
        };
        let all = carrier.states().all(there);
        (class, all)
    }

    fn carry_out(&self, subject: &Subject, minimums: &[Minimum]) -> (Carrier<'_>, Class) {
        let (host, facts) = survey(self, subject, minimums);
        let actions = decide(self.call, &facts);
        let mut carrier = Carrier::new(self, subject, facts, host);
        carrier.settle_interrupted();
        let class = carrier.carry_out(&actions);
        (carrier, class)
    }

    /// A node that cannot be spoken to fails a package only where the configuration is strict.
    pub(super) fn lenient(&self, class: Class) -> Class {
        match class.is_silence() && !self.configuration.strict {
            true => Class::Done,
            false => class,
        }
    }
}
