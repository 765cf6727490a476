//! The rules: what of all that was looked at is not as it should be.

use super::{Ailment, Checkup, Content, Directory, Repair, Weight};
use crate::identity::NodeName;
use crate::maint::facts::Version;
use crate::maint::journal::State;
use crate::term::Atom;
use std::collections::BTreeSet;

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
