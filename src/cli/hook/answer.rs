//! What a node answered, in the words of `erlrc_hook` or of `erlrcdynamic`.

use super::operation::{Operation, Step};
use crate::cli::{Status, output};
use eetf::{Atom, Term};

/// A node's answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means to the package manager.
    pub status: Status,
    /// The word that the hook prints.
    pub outcome: String,
    /// Why, where something is to be said.
    pub reason: Option<String>,
    /// The version that runs now.
    pub running: Option<String>,
    /// What else the person should know.
    pub warnings: Vec<String>,
}

impl Answer {
    /// An answer of nothing but a status, an outcome and a reason.
    pub fn new(status: Status, outcome: &str, reason: Option<String>) -> Self {
        let outcome = output::printable(outcome);
        Self {
            status,
            outcome,
            reason,
            running: None,
            warnings: Vec::new(),
        }
    }

    /// Reads the answer of `erlrc_hook:request/1`; `None` where it is none.
    pub fn parse(term: &Term) -> Option<Self> {
        let Term::Map(answer) = term else { return None };
        let get = |key: &str| answer.map.get(&Term::from(Atom::from(key)));
        let (Term::Atom(status), Term::Atom(outcome)) = (get("status")?, get("outcome")?) else {
            return None;
        };
        let warnings = match get("warnings") {
            Some(Term::List(warnings)) => warnings.elements.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            reason: get("reason").and_then(text),
            running: get("running").and_then(text),
            warnings,
            ..Self::new(status_of(&status.name)?, &outcome.name, None)
        })
    }

    /// What a function of `erlrcdynamic` returned.
    pub fn of_result(operation: &Operation, term: &Term) -> Self {
        match term {
            Term::Atom(atom) if atom.name == "restart_new_emulator" => {
                Self::new(Status::RestartEmulator, &atom.name, None)
            }
            Term::Atom(atom) if is_success(operation, &atom.name) => {
                Self::new(Status::Done, &atom.name, None)
            }
            Term::Atom(atom) => Self::new(Status::Failed, &atom.name, None),
            Term::Tuple(tuple) => match tuple.elements.as_slice() {
                [Term::Atom(tag), Term::Atom(outcome)] if tag.name == "ok" => {
                    Self::new(Status::Done, &outcome.name, None)
                }
                [Term::Atom(tag), _] if tag.name == "ok" => {
                    Self::new(Status::Done, operation.done(), None)
                }
                [Term::Atom(tag), reason] if tag.name == "error" => of_error(reason),
                _ => Self::new(
                    Status::Failed,
                    "error",
                    Some(output::printable(&term.to_string())),
                ),
            },
            _ => Self::new(
                Status::Failed,
                "error",
                Some(output::printable(&term.to_string())),
            ),
        }
    }
}

fn status_of(name: &str) -> Option<Status> {
    Some(match name {
        "ok" => Status::Done,
        "refused" | "failed" => Status::Failed,
        "no_path" => Status::NoPath,
        "restart_emulator" => Status::RestartEmulator,
        "not_rolled_back" => Status::NotRolledBack,
        "bug" => Status::Bug,
        _ => return None,
    })
}

fn is_success(operation: &Operation, outcome: &str) -> bool {
    let successes = match operation.step {
        Step::Start(_) => [
            "started",
            "started_included_stopped",
            "already_running",
            "included",
        ]
        .as_slice(),
        Step::Stop(_) => &["stopped", "stopped_included_started", "not_running"],
        Step::Unload(_) => &["unloaded"],
        Step::Upgrade { .. } | Step::Downgrade { .. } => &[],
    };
    successes.contains(&outcome)
}

fn of_error(reason: &Term) -> Answer {
    let tag = match reason {
        Term::Atom(atom) => Some(&atom.name),
        Term::Tuple(tuple) => match tuple.elements.first() {
            Some(Term::Atom(atom)) => Some(&atom.name),
            _ => None,
        },
        _ => None,
    };
    let status = match tag.map(String::as_str) {
        Some("not_rolled_back") => Status::NotRolledBack,
        Some("no_upgrade_path" | "not_upgradable" | "version_not_in_appup" | "no_appup_found") => {
            Status::NoPath
        }
        _ => Status::Failed,
    };
    let outcome = tag.map_or("error", String::as_str);
    Answer::new(
        status,
        outcome,
        Some(output::printable(&reason.to_string())),
    )
}

/// Text of a node: a binary of UTF-8, fit for one line of a terminal.
fn text(term: &Term) -> Option<String> {
    match term {
        Term::Binary(binary) => Some(output::printable(&String::from_utf8_lossy(&binary.bytes))),
        _ => None,
    }
}
