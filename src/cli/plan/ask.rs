//! What each node has to do with a plan: what it runs, what it has loaded, what it would do and what it has
//! found itself.

use super::{Arguments, planned, status};
use crate::appup::Direction;
use crate::cli::hook::operation::{self, Operation, Step};
use crate::cli::hook::request::{self, Queue};
use crate::cli::hook::{called_off, open};
use crate::cli::resolution::{Known, Version};
use crate::cli::{Common, Failure, Status, nodes};
use crate::cluster::foresight;
use crate::node::Node;
use crate::outcome;
use crate::plan::{Plan, Surroundings};
use crate::rendezvous::Entry;
use crate::script::arguments;
use crate::term::{Atom, Term};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Outcomes of a node that has nothing of an application, or is not asked.
const NOTHING: [&str; 3] = ["absent", "node_down", "other_root"];

/// What came of asking.
#[derive(Debug)]
pub enum Outcome {
    /// A plan.
    Plan(Box<Plan>),
    /// No plan, and why.
    None {
        /// The node.
        node: String,
        /// In one word.
        outcome: String,
        /// Why, in words.
        reason: Option<String>,
        /// What it means for the exit status.
        status: Status,
    },
}

impl Outcome {
    /// The exit status that it stands for.
    pub fn status(&self) -> Status {
        match self {
            Self::Plan(plan) => status(plan.verdict),
            Self::None { status, .. } => *status,
        }
    }

    /// Whether the node may have something of the application: one that is down does not say.
    pub fn may_have_it(&self) -> bool {
        !matches!(self, Self::None { outcome, .. } if NOTHING.contains(&outcome.as_str()))
    }

    /// The plan, if it is one.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Plan(plan) => Some(plan),
            Self::None { .. } => None,
        }
    }

    /// Names what was unpacked below a directory by the place where it will be.
    pub fn will_be_in(&mut self, unpacked: &TempDir) {
        if let Self::Plan(plan) = self
            && let Ok(inside) = Path::new(&plan.to.dir).strip_prefix(unpacked)
        {
            plan.to.dir = Path::new("/").join(inside).display().to_string();
        }
    }

    /// What is said of a node without a plan.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Plan(_) => None,
            Self::None {
                node,
                outcome,
                reason,
                status,
            } => Some(json!({
                "node": node, "outcome": outcome, "reason": reason, "status": status.code(),
            })),
        }
    }
}

/// Asks every node of the host, or those that were named.
pub fn nodes(
    application: &Atom,
    to: Option<&PathBuf>,
    arguments: &Arguments,
    common: &Common,
) -> Result<Vec<Outcome>, Failure> {
    let entries = nodes::entries(common, &arguments.connection)?;
    let asker = Asker {
        application,
        to,
        arguments,
        common,
    };
    let outcomes = entries.iter().map(|(name, entry)| match entry {
        Ok(entry) => asker.ask(entry),
        Err(error) => {
            let reason = Some(error.to_string());
            none(name, "entry_refused", reason, Status::Unreachable)
        }
    });
    Ok(outcomes.collect())
}

fn none(node: &impl ToString, outcome: &str, reason: Option<String>, status: Status) -> Outcome {
    Outcome::None {
        node: node.to_string(),
        outcome: outcome.to_owned(),
        reason,
        status,
    }
}

struct Asker<'a> {
    application: &'a Atom,
    to: Option<&'a PathBuf>,
    arguments: &'a Arguments,
    common: &'a Common,
}

impl Asker<'_> {
    fn ask(&self, entry: &Entry) -> Outcome {
        let mut node = match open(entry, &self.arguments.connection) {
            Ok(node) => node,
            Err(answer) => {
                return none(
                    &entry.name,
                    answer.outcome.as_str(),
                    answer.reason.clone(),
                    answer.class.into(),
                );
            }
        };
        match self.plan(entry, &mut node) {
            Ok(outcome) => outcome,
            Err(failure) => {
                let reason = failure.messages().join(": ");
                none(&entry.name, "no_plan", Some(reason), failure.status())
            }
        }
    }

    fn plan(&self, entry: &Entry, node: &mut Node) -> Result<Outcome, Failure> {
        let facts = self.call(node, request::code(self.application))?;
        let Some(around) = Surroundings::of_node(&facts, release(&facts)) else {
            let reason = "its erlrc is too old to say what it has loaded".to_owned();
            return Ok(none(&entry.name, "no_plan", Some(reason), Status::Failed));
        };
        let known = Known::of_answer(&facts);
        let no_plan =
            |outcome, reason: String, status| Ok(none(&entry.name, outcome, Some(reason), status));
        if !known.is_anything() {
            let reason = "the node has nothing of it".to_owned();
            return no_plan("absent", reason, Status::Done);
        }
        let Some(vsn) = &known.running else {
            let reason = "the application does not run there: an upgrade would start it".to_owned();
            return no_plan("not_running", reason, Status::Done);
        };
        let Some(from) = known.old_side(self.application) else {
            let reason = format!(
                "{} {vsn} runs, and is neither in its directory any more nor in the stash: what \
                 a change would do to its states cannot be found out",
                self.application
            );
            return no_plan("old_directory_gone", reason, Status::NoPath);
        };
        let to = self.target(&known)?;
        let scripts = facts.get("code").and_then(|code| code.get("options"));
        let scripts = scripts.and_then(arguments::options).unwrap_or_default();
        let operation = self.operation(&from, &to);
        let scripts = operation.options.of_script(scripts);
        let mut plan = planned(
            self.application,
            (&from, &to),
            &around,
            scripts,
            self.common,
        )?;
        plan.node = Some(entry.name.to_string());
        // First, for it does not wait for an operation that is being carried out.
        let asked = (Queue::Pass, self.patience());
        let answer = foresight::ask(&mut plan, &operation, node, asked);
        let answer = answer.map_err(|error| Failure::new(Status::Unreachable, error))?;
        if let Some(answer) = answer {
            let status = match answer.outcome {
                outcome::Outcome::Busy => Status::Unreachable,
                _ => answer.class.into(),
            };
            return no_plan(
                answer.outcome.as_str(),
                answer.reason.unwrap_or_default(),
                status,
            );
        }
        let rehearsed = foresight::rehearse(&mut plan, &operation, node, self.patience());
        rehearsed.map_err(|error| Failure::new(Status::Unreachable, error))?;
        Ok(Outcome::Plan(Box::new(plan)))
    }

    fn target(&self, known: &Known) -> Result<Version, Failure> {
        match self.to {
            Some(dir) => Version::in_directory(self.application, dir, self.common),
            None => {
                let wanted = self.arguments.version.as_deref();
                let apps = &self.arguments.packages.apps;
                let target = known.target(self.application, wanted, apps);
                target.map_err(|failure| failure.hint("--to names its directory"))
            }
        }
    }

    fn operation(&self, from: &Version, to: &Version) -> Operation {
        let side = |version: &Version| operation::Version {
            vsn: version.vsn.clone(),
            dir: Some(version.dir.clone()),
        };
        let (from_side, to_side) = (side(from), side(to));
        let step = match from.way_to(to) {
            Direction::Up => Step::Upgrade {
                from: from_side,
                to: to_side,
            },
            Direction::Down => Step::Downgrade {
                from: from_side,
                to: to_side,
            },
        };
        let mut operation = Operation::new(self.application.clone(), step);
        operation.options.migration = self.arguments.migration;
        operation
    }

    fn patience(&self) -> Duration {
        self.arguments.connection.node_timeout
    }

    fn call(&self, node: &mut Node, call: crate::node::Call) -> Result<Term, Failure> {
        node.call(call, called_off(self.patience()))
            .map_err(|error| Failure::new(Status::Unreachable, error))
    }
}

fn release(facts: &Term) -> Option<u32> {
    facts.get("otp_release")?.as_text()?.parse().ok()
}
