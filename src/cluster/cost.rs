//! What the script of an upgrade cost on a node, as its answer says.

pub use crate::history::Cost;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;

impl Cost {
    /// Reads the key `report` of an answer; `None` where it is none. A number that is not there is 0.
    pub fn parse(term: &Term) -> Option<Self> {
        let number = |key| term.get(key).and_then(natural).unwrap_or(0);
        Some(Self {
            evaluator: name(term.get("evaluator")?)?,
            instructions: number("instructions"),
            modules: number("modules"),
            processes: number("processes"),
            pause: number("pause"),
            stages: term.get("stages").map(stages).unwrap_or_default(),
        })
    }
}

fn stages(term: &Term) -> BTreeMap<String, u64> {
    let Term::Map(pairs) = term else {
        return BTreeMap::new();
    };
    pairs
        .iter()
        .filter_map(|(stage, time)| Some((name(stage)?, natural(time)?)))
        .collect()
}

/// Names are the node's: what is no plain word is not taken.
fn name(term: &Term) -> Option<String> {
    let word = term.as_atom().map(Atom::as_str)?;
    let plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| word.to_owned())
}

fn natural(term: &Term) -> Option<u64> {
    u64::try_from(term.as_integer()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<const N: usize>(pairs: [(&'static str, Term); N]) -> Term {
        let pairs = pairs.into_iter();
        Term::map(pairs.map(|(key, value)| (Term::atom(key), value)).collect())
    }

    #[test]
    fn a_cost_is_read_as_far_as_it_is_understood() {
        let stages = map([
            ("commit", Term::Integer(7)),
            ("of a later\u{1b} version", Term::Integer(1)),
            ("negative", Term::Integer(-1)),
        ]);
        let term = map([
            ("evaluator", Term::atom("transactional")),
            ("instructions", Term::Integer(3)),
            ("pause", Term::Integer(1500)),
            ("processes", Term::NIL),
            ("stages", stages),
            ("later", Term::NIL),
        ]);
        let expected = Cost {
            evaluator: "transactional".to_owned(),
            instructions: 3,
            pause: 1500,
            stages: BTreeMap::from([("commit".to_owned(), 7)]),
            ..Cost::default()
        };
        assert_eq!(Cost::parse(&term), Some(expected));
        assert_eq!(Cost::parse(&Term::NIL), None);
        assert_eq!(Cost::parse(&map([("evaluator", Term::NIL)])), None);
    }
}
