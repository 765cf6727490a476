//! What a node has counted for a plan, beside its findings.

use crate::term::{Atom, Term};
use serde::Serialize;

/// What a node has counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Live {
    /// What would run the script there.
    pub evaluator: &'static str,
    /// The modules that the script would load or delete, as far as it is one of batches.
    pub modules: Vec<String>,
    /// How many processes would stand still, their supervisors with them.
    pub processes: u64,
    /// For about how many microseconds, on a slow machine.
    #[serde(rename = "pause_us")]
    pub pause: u64,
    /// On how many states `code_change` was tried.
    pub tried: u64,
    /// How long the node took, in milliseconds.
    #[serde(rename = "duration_ms")]
    pub milliseconds: u64,
}

impl Live {
    /// Reads the answer to `live_plan`; none where it is another one. A number that is not there is 0.
    pub fn parse(answer: &Term) -> Option<Self> {
        let number = |key| {
            let number = answer.get(key).and_then(Term::as_integer);
            number
                .and_then(|number| u64::try_from(number).ok())
                .unwrap_or(0)
        };
        let evaluator = match answer.get("evaluator")?.as_atom().map(Atom::as_str)? {
            "release_handler" => "release_handler",
            _ => "transactional",
        };
        let modules = answer.get("modules").and_then(Term::elements);
        let modules = modules.unwrap_or_default();
        Some(Self {
            evaluator,
            modules: modules
                .iter()
                .filter_map(|name| Some(name.as_text()?.into_owned()))
                .collect(),
            processes: number("processes"),
            pause: number("pause"),
            tried: number("tried"),
            milliseconds: number("milliseconds"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_far_as_it_is_understood() {
        let term = |pairs: Vec<(&'static str, Term)>| {
            let pairs = pairs
                .into_iter()
                .map(|(key, value)| (Term::atom(key), value));
            Term::Map(pairs.collect())
        };
        let answer = term(vec![
            ("evaluator", Term::atom("transactional")),
            ("modules", Term::list([Term::binary("a"), Term::Integer(1)])),
            ("processes", Term::Integer(3)),
            ("pause", Term::Integer(-1)),
            ("later", Term::NIL),
        ]);
        let live = Live {
            evaluator: "transactional",
            modules: vec!["a".to_owned()],
            processes: 3,
            pause: 0,
            tried: 0,
            milliseconds: 0,
        };
        assert_eq!(Live::parse(&answer), Some(live));
        assert_eq!(Live::parse(&term(vec![("status", Term::atom("ok"))])), None);
    }
}
