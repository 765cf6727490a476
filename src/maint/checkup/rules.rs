//! The rules: which of the facts are not as they should be.

use super::{Checkup, Content, Directory, Finding, Registered, Repair, Severity, Silence};
use crate::application::vsn::compare;
use crate::identity::NodeName;
use crate::maint::facts::Version;
use crate::maint::journal::State;
use crate::term::Atom;
use std::cmp::Ordering;
use std::collections::BTreeSet;

impl Checkup {
    /// Every finding, the most severe first.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.packages(&mut found);
        self.directories(&mut found);
        self.mismatches(&mut found);
        self.journal(&mut found);
        self.kept(&mut found);
        self.registrations(&mut found);
        self.rest(&mut found);
        found.extend(self.unsettled.iter().cloned());
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        found
    }

    fn packages(&self, found: &mut Vec<Finding>) {
        for package in self.packages.iter().filter(|package| !package.complete) {
            let Version { vsn, dir } = &package.version;
            let name = &package.application;
            found.push(Finding {
                kind: "incomplete_package",
                severity: Severity::Error,
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

    /// The command that runs the other version of an application, where that is one.
    fn to_run(
        &self,
        Directory {
            application, vsn, ..
        }: &Directory,
    ) -> String {
        let mut packages = self.packages.iter();
        let package = packages.find(|package| package.application == *application);
        let (Some(package), Some(vsn)) = (package, vsn) else {
            return String::new();
        };
        let command = match compare(vsn, &package.version.vsn) {
            Ordering::Less => "downgrade",
            Ordering::Greater => "upgrade",
            Ordering::Equal => return String::new(),
        };
        format!("; to run it: erlrc {command} {application}={vsn}")
    }

    /// Only directories that an upgrade by erlrc is known to have left are removed.
    fn directories(&self, found: &mut Vec<Finding>) {
        for directory in &self.directories {
            let (dir, name) = (directory.dir.display(), &directory.application);
            let text = match directory.content {
                Content::Application => format!("{dir} holds {name}, and no package says so"),
                Content::AppupAlone => format!("{dir} holds an appup of {name} and nothing else"),
            };
            let ours = directory.owned == Some(false) && self.journal.names(&directory.dir);
            // If a person manages the directories, several versions are intended.
            let wanted = !directory.packaged && directory.content == Content::Application;
            let (severity, text, advice) = match wanted && !ours {
                true => (
                    Severity::Info,
                    format!("{dir} holds another version of {name} than the metadata names"),
                    format!("nothing needs to be done{}", self.to_run(directory)),
                ),
                false => (
                    Severity::Error,
                    format!(
                        "{text}; a node that boots without erlrc may take it for what is installed"
                    ),
                    format!("if nobody needs it, move it away: {dir}"),
                ),
            };
            found.push(Finding {
                kind: "orphan_directory",
                severity,
                subject: name.to_string(),
                text,
                advice,
                repair: (ours && !self.is_used(directory))
                    .then(|| Repair::Remove(directory.dir.clone())),
            });
        }
    }

    /// A node may run code from the directory, and load more of it.
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

    fn mismatches(&self, found: &mut Vec<Finding>) {
        for package in &self.packages {
            let (name, installed) = (&package.application, &package.version.vsn);
            let pending = self.journal.pending(name);
            let repair = package.complete.then(|| Repair::Reconcile(name.clone()));
            for (node, vsn) in self.running(name).filter(|(_, vsn)| *vsn != installed) {
                let text = format!("{node} runs {name} {vsn}, {installed} is installed");
                let waits = pending.get(node) == Some(installed);
                found.push(Finding {
                    kind: if waits {
                        "restart_needed"
                    } else {
                        "version_mismatch"
                    },
                    severity: Severity::Warning,
                    subject: name.to_string(),
                    text,
                    advice: match waits {
                        true => format!("restart the node {node}"),
                        false => format!("erlrc upgrade {name} --node {node}, or restart the node"),
                    },
                    repair: repair.clone().filter(|_| !waits),
                });
            }
        }
    }

    fn journal(&self, found: &mut Vec<Finding>) {
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
            let (kind, severity, text) = match record.state {
                State::Swapping => (
                    "interrupted",
                    Severity::Warning,
                    format!(
                        "'{}' was interrupted when it took {node} to {name} {to}",
                        record.script
                    ),
                ),
                State::Queued if !settled && record.to.is_none() => (
                    "waiting",
                    Severity::Warning,
                    format!("the stop of {name} waits since {}", record.time),
                ),
                State::Deferred | State::Queued if !settled => (
                    "waiting",
                    Severity::Warning,
                    format!("{name} {to} waits on {node} since {}", record.time),
                ),
                _ if settled && closed.insert(name.clone()) => (
                    "journal_open",
                    Severity::Info,
                    format!("'{}' left the journal of {name} open", record.script),
                ),
                _ => continue,
            };
            let repair = match (settled, installed) {
                (true, _) => Some(Repair::Close(name.clone())),
                (false, Some(package)) if package.complete => Some(Repair::Reconcile(name.clone())),
                _ => None,
            };
            found.push(Finding {
                kind,
                severity,
                subject: name.to_string(),
                text,
                advice: "run erlrc doctor again when the package manager has ended".to_owned(),
                repair,
            });
        }
    }

    /// Whether the node, or every node, runs the installed version or none.
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

    fn kept(&self, found: &mut Vec<Finding>) {
        for (name, stashed) in &self.stash {
            let vsn = &stashed.version.vsn;
            let needed = self.running(name).any(|(_, runs)| runs == vsn);
            // The stash is not needed for the installed version: its package holds it.
            let packaged = self.packages.iter().any(|package| {
                package.application == *name && package.version.vsn == *vsn && package.complete
            });
            if (needed && !packaged) || !self.unknown.is_empty() {
                continue;
            }
            found.push(Finding {
                kind: "stale_stash",
                severity: Severity::Info,
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
            found.push(Finding {
                kind: "damaged_stash",
                severity: Severity::Warning,
                subject: dir.display().to_string(),
                text: format!("what is kept in {} is not used: {why}", dir.display()),
                advice: "nodes that run it go on with what they have loaded; restart them"
                    .to_owned(),
                repair: Some(Repair::Discard(dir.clone())),
            });
        }
        for dir in &self.unfinished {
            found.push(Finding {
                kind: "unfinished_stash",
                severity: Severity::Info,
                subject: dir.display().to_string(),
                text: format!("{} was left by a hook that was interrupted", dir.display()),
                advice: "it can go".to_owned(),
                repair: Some(Repair::Discard(dir.clone())),
            });
        }
        for dir in &self.unfinished_environments {
            found.push(Finding {
                kind: "unfinished_environment",
                severity: Severity::Info,
                subject: dir.display().to_string(),
                text: format!(
                    "{} was left by an erlrc env that was interrupted",
                    dir.display()
                ),
                advice: "it can go".to_owned(),
                repair: Some(Repair::Remove(dir.clone())),
            });
        }
    }

    fn registrations(&self, found: &mut Vec<Finding>) {
        for registered in &self.registered {
            let name = &registered.application;
            let runs: Vec<String> = self
                .running(name)
                .map(|(node, _)| node.to_string())
                .collect();
            let (severity, kind, text, advice) = match registered.enabled {
                false if !runs.is_empty() => (
                    Severity::Warning,
                    "disabled",
                    format!(
                        "{name} runs on {} and is disabled: the next boot does not start it",
                        runs.join(", ")
                    ),
                    format!("erlrc enable {name}, or erlrc disable --now {name}"),
                ),
                false => (
                    Severity::Info,
                    "disabled",
                    format!(
                        "{name} is registered and disabled: nodes do not start it when they boot"
                    ),
                    format!("nothing, if that is meant; else erlrc enable {name}"),
                ),
                true if registered.installed || self.is_found(name) => continue,
                true => self.orphaned(registered),
            };
            found.push(Finding {
                kind,
                severity,
                subject: name.to_string(),
                text,
                advice,
                repair: None,
            });
        }
    }

    /// Whether a node finds the application, wherever it is.
    fn is_found(&self, application: &Atom) -> bool {
        self.found.values().any(|found| found.contains(application))
    }

    /// A registration whose application is not found on the host; a node may find it on a code path
    /// of its own.
    fn orphaned(&self, registered: &Registered) -> (Severity, &'static str, String, String) {
        let (name, file) = (&registered.application, registered.file.display());
        let asked = !self.found.is_empty() && self.unknown.is_empty();
        let (text, advice) = match asked {
            true => (
                format!(
                    "{name} is registered, and neither a package nor a node has it: it is skipped at boot"
                ),
                format!("install it, or remove the registration: rm {file}"),
            ),
            false => (
                format!(
                    "{name} is registered, and no package has it; no node that could have it was asked"
                ),
                "ask again when its node is up".to_owned(),
            ),
        };
        (Severity::Info, "registration_without_package", text, advice)
    }

    fn rest(&self, found: &mut Vec<Finding>) {
        for node_finding in &self.node_findings {
            found.push(Finding {
                kind: node_finding.kind,
                severity: Severity::Warning,
                subject: node_finding.application.clone(),
                text: node_finding.text.clone(),
                advice: node_finding.advice.clone(),
                repair: node_finding.repair.clone(),
            });
        }
        for (file, what) in &self.mistaken {
            found.push(Finding {
                kind: "mistaken_file",
                severity: Severity::Error,
                subject: file.display().to_string(),
                text: what.clone(),
                advice: "correct it: until then what it says does not hold".to_owned(),
                repair: None,
            });
        }
        for (node, silence) in &self.unknown {
            found.push(Finding {
                kind: "unreachable_node",
                severity: Severity::Warning,
                subject: node.to_string(),
                text: format!("{node} does not say what it runs: {}", silence.reason),
                advice: silence.advice(node),
                repair: None,
            });
        }
        if let Some(text) = &self.unlisted {
            found.push(Finding {
                kind: "node_without_entry",
                severity: Severity::Info,
                subject: "epmd".to_owned(),
                text: text.clone(),
                advice: "nothing needs to be done where erlrc is not to look after it".to_owned(),
                repair: None,
            });
        }
        if self.journal.refused > 0 {
            found.push(Finding {
                kind: "forged_journal",
                severity: Severity::Warning,
                subject: "journal".to_owned(),
                text: format!("{} records name what erlrc would not", self.journal.refused),
                advice: "find out who wrote them".to_owned(),
                repair: None,
            });
        }
    }
}

impl Silence {
    /// What may help.
    fn advice(&self, node: &NodeName) -> String {
        match self.outcome.as_str() {
            "cookie_refused" => format!(
                "its entry holds another cookie than the node: compare both, or restart {node}"
            ),
            "entry_refused" => "mend its entry as the reason says".to_owned(),
            "hung" | "timed_out" | "lost" => {
                format!(
                    "it takes connections and does not answer: look at its log and load; if it stays so, restart {node}"
                )
            }
            "no_erlrc" => "put erlrc on its code path (ERL_LIBS, -pa)".to_owned(),
            _ => "look at its log and at its entry".to_owned(),
        }
    }
}
