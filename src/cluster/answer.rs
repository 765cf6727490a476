//! What a node answered, in the words of `erlrc_hook` or of `erlrcdynamic`.

use super::cost::Cost;
use super::operation::Operation;
use crate::line::{chain, of_node, printable, without_directories};
use crate::outcome::{Class, Outcome};
use crate::rendezvous::RendezvousError;
use crate::term::{Atom, Term, print};

/// So many warnings, or steps of a plan, are taken from a node.
const MOST_TEXTS: usize = 10_000;

/// A node's answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub class: Class,
    /// The word that the hook prints.
    pub outcome: Outcome,
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
    /// Of several applications: what became of each.
    pub changes: Vec<Change>,
}

/// What became of one application among several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The application.
    pub application: String,
    /// Its own outcome, where all went well.
    pub outcome: Option<Outcome>,
    /// The version that runs now.
    pub running: Option<String>,
}

impl Answer {
    /// What it means that the entry of a node must not be used.
    pub fn entry_refused(error: &RendezvousError) -> Self {
        let reason = Some(chain(error));
        Self::new(Class::Unreachable, Outcome::EntryRefused, reason)
    }

    /// An answer of nothing but a class, an outcome and a reason.
    pub fn new(class: Class, outcome: Outcome, reason: Option<String>) -> Self {
        Self {
            class,
            outcome,
            reason: reason.map(|reason| of_node(&reason)),
            cause: None,
            running: None,
            warnings: Vec::new(),
            plan: Vec::new(),
            report: None,
            held: None,
            changes: Vec::new(),
        }
    }

    /// What became of one application among several.
    pub fn of(&self, application: &Atom) -> Option<&Change> {
        let mut changes = self.changes.iter();
        changes.find(|change| change.application == application.as_str())
    }

    /// Reads the answer of `erlrc_hook:request/1`; `None` where it is none. A success in words that are not
    /// known is none either: what it stands for cannot be told.
    pub fn parse(term: &Term) -> Option<Self> {
        let outcome = Outcome::parse(term.get("outcome")?.as_atom()?.as_str())?;
        let committed = term.get("committed").map(|word| !word.is_atom("false"));
        let class = class_of(term.get("status")?.as_atom()?.as_str(), committed)?;
        let class = match (class, &outcome) {
            (Class::Done, outcome) if !outcome.is_success() => return None,
            // It is down in a moment, which is normal.
            (Class::Refused | Class::NotCommitted | Class::RolledBack, Outcome::NodeStopping) => {
                Class::Absent
            }
            (class, _) => class,
        };
        let texts = |key| {
            let list = term.get(key).and_then(Term::elements).unwrap_or_default();
            list.iter().filter_map(text).take(MOST_TEXTS).collect()
        };
        Some(Self {
            reason: term.get("reason").and_then(text),
            cause: term
                .get("cause")
                .and_then(Term::as_atom)
                .map(|cause| of_node(cause.as_str())),
            running: term.get("running").and_then(text),
            warnings: texts("warnings"),
            plan: texts("plan"),
            report: term.get("report").and_then(Cost::parse),
            held: term.get("held").and_then(text),
            changes: changes(term),
            ..Self::new(class, outcome, None)
        })
    }

    /// What a function of `erlrcdynamic` returned.
    pub fn of_result(operation: &Operation, result: &Term) -> Self {
        if let Some(outcome) = result.as_atom().map(word) {
            return Self::new(class_of_result(operation, &outcome), outcome, None);
        }
        match (result.as_tagged("ok"), result.as_tagged("error")) {
            (Some([Term::Atom(outcome)]), _) => {
                let outcome = word(outcome);
                Self::new(class_of_result(operation, &outcome), outcome, None)
            }
            (Some([_unpurged]), _) => Self::new(Class::Done, operation.done(), None),
            (_, Some([reason])) => of_error(reason),
            _ => Self::new(Class::RolledBack, Outcome::Error, Some(shown(result))),
        }
    }
}

/// An atom as a word; one that is none says nothing but that it was an error.
fn word(atom: &Atom) -> Outcome {
    Outcome::parse(atom.as_str()).unwrap_or(Outcome::Error)
}

fn shown(term: &Term) -> String {
    printable(&print::compact(term))
}

fn class_of(status: &str, committed: Option<bool>) -> Option<Class> {
    Some(match status {
        "ok" => Class::Done,
        "refused" => Class::Refused,
        "failed" if committed == Some(false) => Class::NotCommitted,
        "failed" => Class::RolledBack,
        "no_path" => Class::NoPath,
        "restart_emulator" => Class::RestartEmulator,
        "not_rolled_back" => Class::NotRolledBack,
        "bug" => Class::Bug,
        _ => return None,
    })
}

/// What it means that a function of `erlrcdynamic` returned this, which is no `{error, _}`.
fn class_of_result(operation: &Operation, outcome: &Outcome) -> Class {
    match operation.is_achieved_by(outcome) {
        true => Class::Done,
        false => outcome.class_of_error(),
    }
}

fn of_error(reason: &Term) -> Answer {
    let tag = reason
        .as_atom()
        .or_else(|| reason.as_tuple()?.first()?.as_atom());
    let outcome = tag.map_or(Outcome::Error, word);
    Answer::new(outcome.class_of_error(), outcome, Some(shown(reason)))
}

fn changes(term: &Term) -> Vec<Change> {
    let list = term.get("changes").and_then(Term::elements);
    let change = |term: &Term| {
        let outcome = term.get("outcome").and_then(Term::as_atom);
        Some(Change {
            application: text(term.get("application")?)?,
            outcome: outcome.and_then(|word| Outcome::parse(word.as_str())),
            running: term.get("running").and_then(text),
        })
    };
    let list = list.unwrap_or_default();
    list.iter().filter_map(change).take(MOST_TEXTS).collect()
}

/// Text of a node: a binary of UTF-8, fit for one line of a terminal.
fn text(term: &Term) -> Option<String> {
    let bytes = term.as_binary()?;
    let text = of_node(&String::from_utf8_lossy(bytes));
    Some(without_directories(&text))
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
            class: Class::Done,
            outcome: Outcome::Started,
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
            changes: Vec::new(),
        };
        assert_eq!(Answer::parse(&answer()), Some(expected));
        assert_eq!(Answer::parse(&Term::NIL), None);
    }

    fn answered(pairs: &[(&'static str, &'static str)]) -> Option<(Class, String)> {
        let pairs = pairs
            .iter()
            .map(|&(key, value)| (Term::atom(key), Term::atom(value)));
        let answer = Answer::parse(&Term::map(pairs.collect()))?;
        Some((answer.class, answer.outcome.to_string()))
    }

    #[test]
    fn a_status_and_what_was_committed_make_a_class() {
        let status =
            |status| answered(&[("status", status), ("outcome", "x")]).map(|(class, _)| class);
        assert_eq!(status("no_path"), Some(Class::NoPath));
        assert_eq!(status("not_rolled_back"), Some(Class::NotRolledBack));
        assert_eq!(status("refused"), Some(Class::Refused));
        assert_eq!(status("failed"), Some(Class::RolledBack));
        assert_eq!(status("of_a_later_version"), None);
        let committed = |committed| {
            let pairs = [
                ("status", "failed"),
                ("outcome", "x"),
                ("committed", committed),
            ];
            answered(&pairs).map(|(class, _)| class)
        };
        assert_eq!(committed("false"), Some(Class::NotCommitted));
        assert_eq!(committed("true"), Some(Class::RolledBack));
        assert_eq!(committed("odd"), Some(Class::RolledBack));
    }

    #[test]
    fn what_is_no_word_is_no_answer_and_no_success_but_a_known_one() {
        let case = |status, outcome| answered(&[("status", status), ("outcome", outcome)]);
        assert_eq!(case("ok", "evil@vm) up (b@c"), None);
        assert_eq!(case("refused", "evil@vm) up (b@c"), None);
        assert_eq!(case("ok", "\u{1b}[31mEVIL"), None);
        assert_eq!(case("ok", "put_to_sleep"), None);
        assert_eq!(case("ok", "node_down"), None);
        assert_eq!(case("ok", "not_tried"), None);
        let stopping = Some((Class::Absent, "node_stopping".to_owned()));
        assert_eq!(case("refused", "node_stopping"), stopping);
        let refused = Some((Class::Refused, "put_to_sleep".to_owned()));
        assert_eq!(case("refused", "put_to_sleep"), refused);
        let done = Some((Class::Done, "upgraded".to_owned()));
        assert_eq!(case("ok", "upgraded"), done);
    }

    #[test]
    fn what_a_node_says_without_end_is_cut() {
        let text = Term::binary("x".repeat(1 << 20));
        let pairs = [
            ("status", Term::atom("failed")),
            ("outcome", Term::atom("x")),
            ("reason", text.clone()),
            ("running", text),
            ("warnings", Term::list(vec![Term::binary("w"); 100_000])),
        ];
        let pairs = pairs.map(|(key, value)| (Term::atom(key), value));
        let answer = Answer::parse(&Term::map(pairs.into_iter().collect())).expect("an answer");
        assert!(answer.reason.expect("a reason").len() < 20_000);
        assert!(answer.running.expect("a version").len() < 20_000);
        assert_eq!(answer.warnings.len(), MOST_TEXTS);
        let answer = of_error(&Term::binary("x".repeat(1 << 20)));
        assert!(answer.reason.expect("a reason").len() < 20_000);
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
