//! What a node says of its health: the answer to the question `health`.

use super::node::{line, list, text};
use crate::term::{Atom, Term};
use serde::Serialize;

/// How well a node is, beyond what runs there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What the checks say that upgrades go by.
    pub checks: Vec<Check>,
    /// The nodes that it is connected to, or should be.
    pub peers: Vec<Peer>,
}

/// A check that was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Whose it is; `erlrc`, where it is the node's.
    pub application: String,
    /// `health_check` or `service_check`.
    pub name: String,
    /// Why it does not pass; none where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A node that another one is connected to, or should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Its name.
    pub node: String,
    /// `connected`, `silent` or `missing`.
    pub state: String,
    /// Applications that run on both, in another version there.
    pub others: Vec<Other>,
}

/// An application that runs on two nodes in two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Other {
    /// The application.
    pub application: String,
    /// The version on the node that was asked.
    pub here: String,
    /// The version on its peer.
    pub there: String,
}

impl Health {
    /// Reads an answer; `None` where it is none, as that of a node that does not know the question.
    pub fn parse(answer: &Term) -> Option<Self> {
        answer.get("checks")?;
        Some(Self {
            checks: list(answer, "checks", check),
            peers: list(answer, "peers", peer),
        })
    }

    /// What is not well, in words.
    pub fn findings(&self) -> Vec<String> {
        let of_check = |check: &Check| {
            let reason = check.reason.as_ref()?;
            let (application, name) = (&check.application, check.name.replace('_', " "));
            Some(format!("{application}: {name}: {reason}"))
        };
        let of_peer = |peer: &Peer| {
            let node = &peer.node;
            match peer.state.as_str() {
                "connected" => None,
                "silent" => Some(format!("peer {node} is connected and does not answer")),
                _ => Some(format!("peer {node} is not connected")),
            }
        };
        let checks = self.checks.iter().filter_map(of_check);
        checks
            .chain(self.peers.iter().filter_map(of_peer))
            .collect()
    }
}

fn check(term: &Term) -> Option<Check> {
    let name = term.get("name").and_then(Term::as_atom).map(Atom::as_str)?;
    Some(Check {
        application: text(term, "application")?,
        name: word(name, &["health_check", "service_check"])?,
        reason: term.get("reason").and_then(line),
    })
}

fn peer(term: &Term) -> Option<Peer> {
    let state = term
        .get("state")
        .and_then(Term::as_atom)
        .map(Atom::as_str)?;
    let other = |term: &Term| {
        Some(Other {
            application: text(term, "application")?,
            here: text(term, "here")?,
            there: text(term, "there")?,
        })
    };
    Some(Peer {
        node: text(term, "node")?,
        state: word(state, &["connected", "silent", "missing"])?,
        others: list(term, "others", other),
    })
}

/// A word that is known: a node's own words are not printed.
fn word(word: &str, known: &[&str]) -> Option<String> {
    known.contains(&word).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text::parse_all};

    #[test]
    fn what_does_not_pass_is_told_and_words_are_known_ones() {
        let answer = r#"#{checks => [#{application => <<"foo">>, name => health_check},
                #{application => <<"bar">>, name => service_check, reason => <<"bar:well/0 answers\e[2J no">>},
                #{application => <<"bar">>, name => evil, reason => <<"x">>}, odd],
            peers => [#{node => <<"b@h">>, state => connected, others =>
                    [#{application => <<"foo">>, here => <<"1">>, there => <<"2">>}]},
                #{node => <<"c@h">>, state => missing, others => []},
                #{node => <<"d@h">>, state => silent, others => []}, #{node => <<"e@h">>, state => evil}]}."#;
        let term = parse_all(answer.as_bytes(), &Limits::default())
            .expect("terms")
            .remove(0);
        let health = Health::parse(&term).expect("an answer");
        assert_eq!((health.checks.len(), health.peers.len()), (2, 3));
        assert_eq!(health.peers[0].others[0].there, "2");
        assert_eq!(
            health.findings(),
            [
                "bar: service check: bar:well/0 answers[2J no",
                "peer c@h is not connected",
                "peer d@h is connected and does not answer",
            ]
        );
        assert_eq!(Health::parse(&Term::NIL), None);
    }
}
