//! What a node answered, in the words of `erlrc_hook` or of `erlrcdynamic`.

use super::cost::Cost;
use super::operation::{Operation, Step};
use crate::cli::{Status, output};
use crate::term::{Atom, Term, print};

/// A node's answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it means to the package manager.
    pub status: Status,
    /// The word that the hook prints.
    pub outcome: String,
    /// Why, where something is to be said.
    pub reason: Option<String>,
    /// What failed within a script.
    pub cause: Option<String>,
    /// The version that runs now.
    pub running: Option<String>,
    /// What else the person should know.
    pub warnings: Vec<String>,
    /// The steps that a dry run found.
    pub plan: Vec<String>,
    /// What the script of an upgrade or downgrade cost.
    pub report: Option<Cost>,
    /// Under which number the node keeps the way back open.
    pub held: Option<String>,
}

impl Answer {
    /// An answer of nothing but a status, an outcome and a reason.
    pub fn new(status: Status, outcome: &str, reason: Option<String>) -> Self {
        let outcome = output::printable(outcome);
        Self {
            status,
            outcome,
            reason,
            cause: None,
            running: None,
            warnings: Vec::new(),
            plan: Vec::new(),
            report: None,
            held: None,
        }
    }

    /// Reads the answer of `erlrc_hook:request/1`; `None` where it is none.
    pub fn parse(term: &Term) -> Option<Self> {
        let status = status_of(term.get("status")?.as_atom()?.as_str())?;
        let outcome = term.get("outcome")?.as_atom()?;
        let texts = |key| {
            let list = term.get(key).and_then(Term::elements).unwrap_or_default();
            list.iter().filter_map(text).collect()
        };
        Some(Self {
            reason: term.get("reason").and_then(text),
            cause: term
                .get("cause")
                .and_then(Term::as_atom)
                .map(|cause| output::printable(cause.as_str())),
            running: term.get("running").and_then(text),
            warnings: texts("warnings"),
            plan: texts("plan"),
            report: term.get("report").and_then(Cost::parse),
            held: term.get("held").and_then(text),
            ..Self::new(status, outcome.as_str(), None)
        })
    }

    /// What a function of `erlrcdynamic` returned.
    pub fn of_result(operation: &Operation, result: &Term) -> Self {
        if let Some(outcome) = result.as_atom().map(Atom::as_str) {
            return Self::new(status_of_outcome(operation, outcome), outcome, None);
        }
        match (result.as_tagged("ok"), result.as_tagged("error")) {
            (Some([Term::Atom(outcome)]), _) => Self::new(Status::Done, outcome.as_str(), None),
            (Some([_unpurged]), _) => Self::new(Status::Done, operation.done(), None),
            (_, Some([reason])) => of_error(reason),
            _ => Self::new(
                Status::Failed,
                "error",
                Some(output::printable(&print::compact(result))),
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

fn status_of_outcome(operation: &Operation, outcome: &str) -> Status {
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
    match outcome {
        "restart_new_emulator" => Status::RestartEmulator,
        outcome if successes.contains(&outcome) => Status::Done,
        _ => Status::Failed,
    }
}

fn of_error(reason: &Term) -> Answer {
    let tag = reason
        .as_atom()
        .or_else(|| reason.as_tuple()?.first()?.as_atom());
    let outcome = tag.map_or("error", Atom::as_str);
    let status = match outcome {
        "not_rolled_back" => Status::NotRolledBack,
        "no_upgrade_path" | "not_upgradable" | "version_not_in_appup" | "no_appup_found" => {
            Status::NoPath
        }
        _ => Status::Failed,
    };
    Answer::new(
        status,
        outcome,
        Some(output::printable(&print::compact(reason))),
    )
}

/// Text of a node: a binary of UTF-8, fit for one line of a terminal.
fn text(term: &Term) -> Option<String> {
    let bytes = term.as_binary()?;
    Some(output::printable(&String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, external};

    fn answer() -> Term {
        let evaluator = (Term::atom("evaluator"), Term::atom("transactional"));
        let report = Term::map([evaluator].into());
        let pairs = [
            ("protocol", Term::Integer(1)),
            ("status", Term::atom("ok")),
            ("outcome", Term::atom("started")),
            ("reason", Term::binary("because\u{1b}[2J")),
            ("running", Term::binary("1.0")),
            ("warnings", Term::list([Term::binary("mind"), Term::NIL])),
            ("report", report),
            ("held", Term::binary("7")),
            ("of a later version", Term::NIL),
        ];
        Term::map(
            pairs
                .into_iter()
                .map(|(key, value)| (Term::atom(key), value))
                .collect(),
        )
    }

    #[test]
    fn an_answer_is_read_and_what_is_unknown_in_it_is_not() {
        let expected = Answer {
            status: Status::Done,
            outcome: "started".to_owned(),
            reason: Some("because[2J".to_owned()),
            cause: None,
            running: Some("1.0".to_owned()),
            warnings: vec!["mind".to_owned()],
            plan: Vec::new(),
            report: Some(Cost {
                evaluator: "transactional".to_owned(),
                ..Cost::default()
            }),
            held: Some("7".to_owned()),
        };
        assert_eq!(Answer::parse(&answer()), Some(expected));
        assert_eq!(Answer::parse(&Term::NIL), None);
        let status = |status| {
            let pairs = [("status", Term::atom(status)), ("outcome", Term::atom("x"))];
            let pairs = pairs
                .into_iter()
                .map(|(key, value)| (Term::atom(key), value));
            Answer::parse(&Term::map(pairs.collect())).map(|answer| answer.status)
        };
        assert_eq!(status("no_path"), Some(Status::NoPath));
        assert_eq!(status("not_rolled_back"), Some(Status::NotRolledBack));
        assert_eq!(status("of_a_later_version"), None);
    }

    #[test]
    fn every_mutation_of_an_answer_is_read_or_refused() {
        let whole = external::encode(&answer());
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut mutated = whole.clone();
                mutated[at] = value;
                if let Ok(term) = external::decode(&mutated, &Limits::default()) {
                    let read = Answer::parse(&term);
                    assert!(read.is_none_or(|answer| !format!("{answer:?}").contains("\\u{1b}")));
                }
            }
        }
    }
}
