//! What is wrong on a host, from what its disk, its nodes and its journal say.

use super::facts::{Stashed, Version};
use super::journal::{Journal, State};
use crate::identity::NodeName;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What an application directory beside that of the package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The whole application: OTP may take it for the installed one.
    Application,
    /// An appup without an application, which is as bad.
    AppupAlone,
}

/// A directory that looks like a version of an application.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The application.
    pub application: Atom,
    /// Where.
    pub dir: PathBuf,
    /// What it holds.
    pub content: Content,
    /// Whether a package has it; `None` where nobody knows.
    pub owned: Option<bool>,
}

/// What a package says about its application, and whether it is so.
#[derive(Clone, Debug)]
pub struct Package {
    /// The application.
    pub application: Atom,
    /// The version.
    pub version: Version,
    /// Whether the directory holds it.
    pub complete: bool,
}

/// Everything that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Checkup {
    /// What packages say.
    pub packages: Vec<Package>,
    /// Registrations for which there is neither metadata nor a directory.
    pub orphaned_registrations: Vec<Atom>,
    /// Directories that no metadata names, of applications that have some.
    pub directories: Vec<Directory>,
    /// What is kept, with its application.
    pub stash: Vec<(Atom, Stashed)>,
    /// What is kept and damaged, with the reason.
    pub damaged: Vec<(PathBuf, String)>,
    /// What an interrupted keeping left.
    pub unfinished: Vec<PathBuf>,
    /// What each node runs.
    pub nodes: BTreeMap<NodeName, BTreeMap<Atom, String>>,
    /// Nodes that do not say, with the reason.
    pub unknown: BTreeMap<NodeName, String>,
    /// The journal.
    pub journal: Journal,
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It goes away by itself, or disturbs nobody.
    Info,
    /// Look at it.
    Warning,
    /// It breaks something.
    Error,
}

/// What can be done about it without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Discard it from the stash.
    Discard(PathBuf),
    /// Remove the directory, which our own upgrade left.
    Remove(PathBuf),
    /// Bring the nodes to the version that is installed.
    Reconcile(Atom),
    /// Close what the journal has open.
    Close(Atom),
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ailment {
    /// What it is: a stable name.
    pub kind: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// What it is about.
    pub subject: String,
    /// What and where, in one sentence.
    pub text: String,
    /// What a person can do.
    pub advice: String,
    /// What the doctor can do.
    pub repair: Option<Repair>,
}

impl Checkup {
    /// Everything that is not as it should be, the worst first.
    pub fn ailments(&self) -> Vec<Ailment> {
        let mut found = Vec::new();
        self.packages(&mut found);
        self.directories(&mut found);
        self.mismatches(&mut found);
        self.journal(&mut found);
        self.kept(&mut found);
        self.rest(&mut found);
        found.sort_by_key(|ailment| std::cmp::Reverse(ailment.weight));
        found
    }

    fn packages(&self, found: &mut Vec<Ailment>) {
        for package in self.packages.iter().filter(|package| !package.complete) {
            let Version { vsn, dir } = &package.version;
            let name = &package.application;
            found.push(Ailment {
                kind: "incomplete_package",
                weight: Weight::Error,
                subject: name.to_string(),
                text: format!(
                    "{name} {vsn} is installed, and {} does not hold it",
                    dir.display()
                ),
                advice: "install the package again".to_owned(),
                repair: None,
            });
        }
    }

    /// Only what our own upgrades are known to have left is taken away.
    fn directories(&self, found: &mut Vec<Ailment>) {
        for directory in &self.directories {
            let (dir, name) = (directory.dir.display(), &directory.application);
            let text = match directory.content {
                Content::Application => format!("{dir} holds {name}, and no package says so"),
                Content::AppupAlone => format!("{dir} holds an appup of {name} and nothing else"),
            };
            let ours = directory.owned == Some(false) && self.journal.names(&directory.dir);
            found.push(Ailment {
                kind: "orphan_directory",
                weight: Weight::Error,
                subject: name.to_string(),
                text: format!("{text}; a node that boots may take it for what is installed"),
                advice: format!("if nobody needs it: rm -r {dir}"),
                repair: (ours && !self.is_used(directory))
                    .then(|| Repair::Remove(directory.dir.clone())),
            });
        }
    }

    /// A node may run what lies there, and load more of it.
    fn is_used(&self, directory: &Directory) -> bool {
        let base = directory.dir.file_name().map(|base| base.to_string_lossy());
        let named = |vsn: &String| {
            let name = format!("{}-{vsn}", directory.application);
            base.as_deref() == Some(name.as_str())
        };
        !self.unknown.is_empty()
            || self
                .running(&directory.application)
                .any(|(_, vsn)| named(vsn))
    }

    fn running(&self, application: &Atom) -> impl Iterator<Item = (&NodeName, &String)> {
        let runs = self.nodes.iter();
        runs.filter_map(move |(node, runs)| Some((node, runs.get(application)?)))
    }

    fn mismatches(&self, found: &mut Vec<Ailment>) {
        for package in &self.packages {
            let (name, installed) = (&package.application, &package.version.vsn);
            let pending = self.journal.pending(name);
            let repair = package.complete.then(|| Repair::Reconcile(name.clone()));
            for (node, vsn) in self.running(name).filter(|(_, vsn)| *vsn != installed) {
                let text = format!("{node} runs {name} {vsn}, {installed} is installed");
                let waits = pending.get(node) == Some(installed);
                found.push(Ailment {
                    kind: if waits {
                        "restart_needed"
                    } else {
                        "version_mismatch"
                    },
                    weight: Weight::Warning,
                    subject: name.to_string(),
                    text,
                    advice: match waits {
                        true => format!("restart the node {node}"),
                        false => "install the package again, or restart the node".to_owned(),
                    },
                    repair: repair.clone().filter(|_| !waits),
                });
            }
        }
    }

    fn journal(&self, found: &mut Vec<Ailment>) {
        let mut closed = BTreeSet::new();
        for record in self.journal.open() {
            let Some(name) = Atom::new(&record.application) else {
                continue;
            };
            let node = record.node.as_deref().unwrap_or("the host");
            let installed = self
                .packages
                .iter()
                .find(|package| package.application == name);
            let settled = self.is_settled(&name, record.node.as_deref());
            let to = record.to.as_ref().map_or("another version", |to| &to.vsn);
            let (kind, weight, text) = match record.state {
                State::Swapping => (
                    "interrupted",
                    Weight::Warning,
                    format!(
                        "'{}' was interrupted when it took {node} to {name} {to}",
                        record.script
                    ),
                ),
                State::Deferred | State::Queued if !settled => (
                    "waiting",
                    Weight::Warning,
                    format!("{name} {to} waits on {node} since {}", record.time),
                ),
                _ if settled && closed.insert(name.clone()) => (
                    "journal_open",
                    Weight::Info,
                    format!("'{}' left the journal of {name} open", record.script),
                ),
                _ => continue,
            };
            let repair = match (settled, installed) {
                (true, _) => Some(Repair::Close(name.clone())),
                (false, Some(package)) if package.complete => Some(Repair::Reconcile(name.clone())),
                _ => None,
            };
            found.push(Ailment {
                kind,
                weight,
                subject: name.to_string(),
                text,
                advice: "run erlrc doctor again when the package manager has ended".to_owned(),
                repair,
            });
        }
    }

    /// Whether every node, or the one, runs what is installed or nothing.
    fn is_settled(&self, application: &Atom, node: Option<&str>) -> bool {
        let package = self
            .packages
            .iter()
            .find(|package| package.application == *application);
        let installed = package.map(|package| &package.version.vsn);
        let mut meant = self
            .running(application)
            .filter(|(name, _)| node.is_none_or(|node| name.to_string() == node));
        self.unknown.is_empty() && meant.all(|(_, vsn)| Some(vsn) == installed)
    }

    fn kept(&self, found: &mut Vec<Ailment>) {
        for (name, stashed) in &self.stash {
            let vsn = &stashed.version.vsn;
            let needed = self.running(name).any(|(_, runs)| runs == vsn);
            // Under the name of what is installed the package has it.
            let packaged = self.packages.iter().any(|package| {
                package.application == *name && package.version.vsn == *vsn && package.complete
            });
            if (needed && !packaged) || !self.unknown.is_empty() {
                continue;
            }
            found.push(Ailment {
                kind: "stale_stash",
                weight: Weight::Info,
                subject: name.to_string(),
                text: format!(
                    "{name} {vsn} is kept in {}, and no node runs it",
                    stashed.dir.display()
                ),
                advice: "it can go".to_owned(),
                repair: Some(Repair::Discard(stashed.dir.clone())),
            });
        }
        for (dir, why) in &self.damaged {
            found.push(Ailment {
                kind: "damaged_stash",
                weight: Weight::Warning,
                subject: dir.display().to_string(),
                text: format!("what is kept in {} is not used: {why}", dir.display()),
                advice: "nodes that run it go on with what they have loaded; restart them"
                    .to_owned(),
                repair: Some(Repair::Discard(dir.clone())),
            });
        }
        for dir in &self.unfinished {
            found.push(Ailment {
                kind: "unfinished_stash",
                weight: Weight::Info,
                subject: dir.display().to_string(),
                text: format!("{} was left by a hook that was interrupted", dir.display()),
                advice: "it can go".to_owned(),
                repair: Some(Repair::Discard(dir.clone())),
            });
        }
    }

    fn rest(&self, found: &mut Vec<Ailment>) {
        for name in &self.orphaned_registrations {
            found.push(Ailment {
                kind: "registration_without_package",
                weight: Weight::Info,
                subject: name.to_string(),
                text: format!("{name} is registered and not installed, it is skipped at boot"),
                advice: "purge its package, or remove the registration".to_owned(),
                repair: None,
            });
        }
        for (node, why) in &self.unknown {
            found.push(Ailment {
                kind: "unreachable_node",
                weight: Weight::Warning,
                subject: node.to_string(),
                text: format!("{node} does not say what it runs: {why}"),
                advice: "look at its entry and its cookie".to_owned(),
                repair: None,
            });
        }
        if self.journal.refused > 0 {
            found.push(Ailment {
                kind: "forged_journal",
                weight: Weight::Warning,
                subject: "journal".to_owned(),
                text: format!("{} records name what erlrc would not", self.journal.refused),
                advice: "find out who wrote them".to_owned(),
                repair: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maint::{Record, Subject};

    fn atom(name: &str) -> Atom {
        Atom::new(name).expect("a name")
    }

    fn version(vsn: &str) -> Version {
        let dir = PathBuf::from(format!("/lib/foo-{vsn}"));
        Version {
            vsn: vsn.to_owned(),
            dir,
        }
    }

    /// 2.0 is installed.
    fn host() -> Checkup {
        let package = Package {
            application: atom("foo"),
            version: version("2.0"),
            complete: true,
        };
        Checkup {
            packages: vec![package],
            ..Checkup::default()
        }
    }

    fn runs(mut checkup: Checkup, vsn: &str) -> Checkup {
        let node = NodeName::parse("n1").expect("a name");
        checkup
            .nodes
            .insert(node, BTreeMap::from([(atom("foo"), vsn.to_owned())]));
        checkup
    }

    fn keeps(mut checkup: Checkup, vsn: &str) -> Checkup {
        let dir = PathBuf::from(format!("/stash/foo-{vsn}"));
        let version = version(vsn);
        checkup.stash.push((atom("foo"), Stashed { version, dir }));
        checkup
    }

    fn noted(mut checkup: Checkup, state: State, vsn: &str) -> Checkup {
        checkup.journal.note(Record {
            time: "2026-01-01T00:00:00Z".to_owned(),
            script: "deb postrm upgrade".to_owned(),
            state,
            application: "foo".to_owned(),
            node: Some("n1".to_owned()),
            from: None,
            to: Some(Subject::from(&version(vsn))),
            reason: None,
            needs: BTreeMap::new(),
        });
        checkup
    }

    fn orphan(mut checkup: Checkup, vsn: &str, owned: Option<bool>) -> Checkup {
        checkup.directories.push(Directory {
            application: atom("foo"),
            dir: version(vsn).dir,
            content: Content::Application,
            owned,
        });
        checkup
    }

    #[track_caller]
    fn case(checkup: &Checkup, expected: &[(&str, Option<Repair>)]) {
        let found = checkup.ailments();
        let found: Vec<(&str, Option<Repair>)> = found
            .into_iter()
            .map(|ailment| (ailment.kind, ailment.repair))
            .collect();
        assert_eq!(found, expected);
    }

    fn discard(vsn: &str) -> Option<Repair> {
        Some(Repair::Discard(format!("/stash/foo-{vsn}").into()))
    }

    #[test]
    fn a_sound_host_has_nothing() {
        case(&host(), &[]);
        case(&runs(host(), "2.0"), &[]);
    }

    #[test]
    fn a_node_that_runs_another_version_is_brought_to_it_unless_it_waits() {
        let behind = keeps(runs(host(), "1.0"), "1.0");
        case(
            &behind,
            &[("version_mismatch", Some(Repair::Reconcile(atom("foo"))))],
        );
        case(
            &noted(behind, State::Pending, "2.0"),
            &[("restart_needed", None)],
        );
    }

    #[test]
    fn what_was_interrupted_is_brought_to_its_end() {
        let between = |vsn| noted(runs(host(), vsn), State::Swapping, "2.0");
        case(
            &between("2.0"),
            &[("interrupted", Some(Repair::Close(atom("foo"))))],
        );
        let reconcile = || Some(Repair::Reconcile(atom("foo")));
        let both = [
            ("version_mismatch", reconcile()),
            ("interrupted", reconcile()),
        ];
        case(&between("1.0"), &both);
    }

    #[test]
    fn what_nobody_runs_need_not_be_kept() {
        case(
            &keeps(runs(host(), "2.0"), "1.0"),
            &[("stale_stash", discard("1.0"))],
        );
        case(
            &keeps(runs(host(), "2.0"), "2.0"),
            &[("stale_stash", discard("2.0"))],
        );
        let mut unknown = keeps(host(), "1.0");
        let node = NodeName::parse("n2").expect("a name");
        unknown.unknown.insert(node, "hung".to_owned());
        case(&unknown, &[("unreachable_node", None)]);
    }

    #[test]
    fn only_what_an_upgrade_of_ours_left_is_removed() {
        let remove = Some(Repair::Remove("/lib/foo-3.0".into()));
        let named = |owned| orphan(noted(host(), State::Swapped, "3.0"), "3.0", owned);
        let closed = ("journal_open", Some(Repair::Close(atom("foo"))));
        case(
            &named(Some(false)),
            &[("orphan_directory", remove), closed.clone()],
        );
        case(
            &named(Some(true)),
            &[("orphan_directory", None), closed.clone()],
        );
        case(&named(None), &[("orphan_directory", None), closed]);
        case(
            &orphan(host(), "3.0", Some(false)),
            &[("orphan_directory", None)],
        );
    }
}
