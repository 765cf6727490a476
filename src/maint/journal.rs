//! The journal: what maintainer scripts record before and after they act.
//!
//! A record is an intent or its completion; for each application and node the last one counts.
//! Names and paths are checked when they are read, so that a journal which somebody else has
//! written into cannot lead outside.

use super::facts::Version;
use super::gate::Minimum;
use crate::application::is_application_name;
use crate::identity::NodeName;
use crate::term::Atom;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// How far an application has come from one version to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The old version is in the stash.
    Prepared,
    /// A node is being upgraded to the new version.
    Swapping,
    /// The node runs the new version.
    Swapped,
    /// The node runs the old version again.
    Unswapped,
    /// The node waits until the package is configured.
    Deferred,
    /// The node keeps the old version until it is restarted.
    Pending,
    /// The application waits for the end of the package manager's run.
    Queued,
    /// There is nothing left to do.
    Done,
}

impl State {
    /// The word in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Swapping => "swapping",
            Self::Swapped => "swapped",
            Self::Unswapped => "unswapped",
            Self::Deferred => "deferred",
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Done => "done",
        }
    }
}

/// A version in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The version.
    pub vsn: String,
    /// Its directory, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

impl From<&Version> for Subject {
    fn from(version: &Version) -> Self {
        Self {
            vsn: version.vsn.clone(),
            dir: Some(version.dir.clone()),
        }
    }
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The time, as in RFC 3339.
    pub time: String,
    /// The maintainer script and its arguments, or `doctor`.
    pub script: String,
    /// The state.
    pub state: State,
    /// The application.
    pub application: String,
    /// The node, if the record is about a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Subject>,
    /// The version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Subject>,
    /// The reason, if there is one to report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The requirements of the new version for the versions of other applications. The scripts of
    /// the old version, which make the upgrade, do not know them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub needs: BTreeMap<String, String>,
}

impl Record {
    /// Whether every name and path in it is one that erlrc writes.
    fn is_sound(&self) -> bool {
        let subjects = [&self.from, &self.to];
        is_application_name(&self.application)
            && self
                .node
                .as_deref()
                .is_none_or(|node| NodeName::parse(node).is_some())
            && self.minimums().len() == self.needs.len()
            && subjects.into_iter().flatten().all(Subject::is_sound)
    }
}

impl Record {
    /// The requirements of the new version, as far as they are valid.
    pub fn minimums(&self) -> Vec<Minimum> {
        let minimum = |(name, vsn): (&String, &String)| {
            let sound = is_application_name(name) && is_vsn(vsn);
            Some(Minimum {
                application: Atom::new(name).filter(|_| sound)?,
                vsn: vsn.clone(),
            })
        };
        self.needs.iter().filter_map(minimum).collect()
    }
}

impl Subject {
    fn is_sound(&self) -> bool {
        is_vsn(&self.vsn) && self.dir.as_deref().is_none_or(is_plain)
    }
}

/// Whether a text can be part of the name of a directory.
pub(super) fn is_vsn(text: &str) -> bool {
    let bad = |c: char| c.is_control() || c.is_whitespace() || c == '/';
    !text.is_empty() && text.len() <= 255 && !text.contains(bad)
}

/// Whether a path is absolute and contains no `..`.
fn is_plain(path: &Path) -> bool {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute() && path.components().all(plain)
}

/// The open records.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    open: BTreeMap<(String, Option<String>), Record>,
    /// Every directory that a record names.
    dirs: BTreeSet<PathBuf>,
    /// The number of records that were ignored because of a name or path.
    pub refused: usize,
}

impl Journal {
    /// Reads `records`, the oldest first.
    pub fn replay(records: impl IntoIterator<Item = Record>) -> Self {
        let mut journal = Self::default();
        for record in records {
            journal.note(record);
        }
        journal
    }

    /// Adds a record.
    pub fn note(&mut self, record: Record) {
        if !record.is_sound() {
            self.refused += 1;
            return;
        }
        let subjects = [&record.from, &record.to].into_iter().flatten();
        self.dirs
            .extend(subjects.filter_map(|subject| subject.dir.clone()));
        let key = (record.application.clone(), record.node.clone());
        match (record.state, &record.node) {
            (State::Done, None) => self
                .open
                .retain(|(known, _), _| *known != record.application),
            (State::Done, Some(_)) => drop(self.open.remove(&key)),
            _ => drop(self.open.insert(key, record)),
        }
    }

    /// Whether any record names `dir`.
    pub fn names(&self, dir: &Path) -> bool {
        self.dirs.contains(dir)
    }

    /// Every open record, by application and node.
    pub fn open(&self) -> impl Iterator<Item = &Record> {
        self.open.values()
    }

    /// The open records of `application`.
    pub fn of(&self, application: &Atom) -> impl Iterator<Item = &Record> {
        let name = application.as_str().to_owned();
        self.open().filter(move |record| record.application == name)
    }

    /// The nodes that need a restart to run a version of `application`.
    pub fn pending(&self, application: &Atom) -> BTreeMap<NodeName, String> {
        let pending = |record: &Record| {
            let node = NodeName::parse(record.node.as_deref()?)?;
            let vsn = record.to.as_ref()?.vsn.clone();
            (record.state == State::Pending).then_some((node, vsn))
        };
        self.of(application).filter_map(pending).collect()
    }

    /// The requirements of the version of `application` that is being installed.
    pub fn minimums(&self, application: &Atom) -> Vec<Minimum> {
        let prepared = self
            .of(application)
            .find(|record| record.state == State::Prepared);
        prepared.map(Record::minimums).unwrap_or_default()
    }

    /// The applications that wait for the end of the package manager's run; those that are to stop have no version after.
    pub fn queued(&self) -> impl Iterator<Item = &Record> {
        self.open().filter(|record| record.state == State::Queued)
    }
}
