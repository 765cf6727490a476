//! Why a node has not carried a set out: which application keeps the others from it, and what follows.

use super::part::{Part, Waiting};
use super::together::End;
use crate::application::{Strategy, UpgradePolicy};
use crate::cluster::Answer;
use crate::cluster::operation::Operation;
use crate::identity::NodeName;
use crate::installed;
use crate::maint::Verdict;
use crate::outcome::Class;
use std::collections::BTreeSet;

/// What an answer to a set comes to.
pub(super) struct Blame {
    /// What follows.
    pub(super) end: End,
    /// Whether the round may go on as if the node had not failed: the upgrade policies say what comes next.
    pub(super) tolerated: bool,
    found: Found,
}

/// Who it was.
enum Found {
    /// There is nobody to name.
    Nobody,
    /// The node refuses these alone as well, and says why; each of the others would go alone.
    Refused(Vec<(usize, String)>),
    /// The node refuses none of them alone.
    Together,
    /// What failed is a part of this one.
    Failed(usize),
}

/// What the answer of `node` comes to.
pub(super) fn blame(
    node: &NodeName,
    answer: &Answer,
    parts: &[Part],
    waiting: &[Waiting<'_>],
) -> Blame {
    let verdict = Verdict::of(answer.class, &answer.outcome);
    let silent = |end| Blame {
        end,
        tolerated: true,
        found: Found::Nobody,
    };
    let defers = || {
        let mut changing = parts.iter().filter(|part| part.change().is_some());
        changing.all(|part| policy(node, part, waiting).is_some_and(|policy| policy.defers()))
    };
    match verdict {
        Verdict::Done => silent(End::Through),
        Verdict::Absent => silent(End::Left(Class::Done)),
        Verdict::Unreachable if defers() => silent(End::Left(Class::Done)),
        Verdict::Unreachable => silent(End::Left(answer.class)),
        Verdict::TooEarly | Verdict::NotHot | Verdict::Failed => {
            let found = find(node, answer, parts, waiting);
            let end = match verdict {
                Verdict::NotHot => by_policy(node, answer, (parts, &found), waiting),
                _ => End::Left(answer.class),
            };
            Blame {
                end,
                tolerated: !matches!(end, End::Left(_)),
                found,
            }
        }
    }
}

fn find(node: &NodeName, answer: &Answer, parts: &[Part], waiting: &[Waiting<'_>]) -> Found {
    match answer.class {
        Class::Refused | Class::NoPath | Class::RestartEmulator => asked(node, parts, waiting),
        Class::NotCommitted | Class::RolledBack => {
            named(answer, parts, waiting).map_or(Found::Nobody, Found::Failed)
        }
        _ => Found::Nobody,
    }
}

/// Who it is by what the node says of each alone; nobody where it does not say.
fn asked(node: &NodeName, parts: &[Part], waiting: &[Waiting<'_>]) -> Found {
    let mut refused = Vec::new();
    for part in parts {
        let Some(answer) = foreseen(node, part, waiting) else {
            return Found::Nobody;
        };
        match answer.class {
            Class::Done => {}
            class if class.is_failure() => {
                let why = answer.reason.unwrap_or_else(|| answer.outcome.to_string());
                refused.push((part.place, why));
            }
            _ => return Found::Nobody,
        }
    }
    match refused.is_empty() {
        true => Found::Together,
        false => Found::Refused(refused),
    }
}

/// What the node would answer to this one alone.
fn foreseen(node: &NodeName, part: &Part, waiting: &[Waiting<'_>]) -> Option<Answer> {
    let carrier = &waiting.get(part.place)?.carrier;
    let operation = Operation::new(carrier.application.clone(), part.step());
    let entry = carrier.host.entry(node)?;
    Some(carrier.session.hooks.foresee(entry, &operation))
}

/// The one of whose modules the answer names one; none where there are several.
fn named(answer: &Answer, parts: &[Part], waiting: &[Waiting<'_>]) -> Option<usize> {
    let texts = answer.reason.iter().chain(&answer.cause);
    let separates = |c: char| !(c.is_alphanumeric() || c == '_' || c == '@');
    let words: BTreeSet<&str> = texts.flat_map(|text| text.split(separates)).collect();
    let is_named = |part: &&Part| {
        waiting.get(part.place).is_some_and(|one| {
            let name = &one.carrier.application;
            let shipped = installed::shipped(name, &part.to().dir);
            let modules = shipped.map(|found| found.modules().to_vec());
            let modules = modules.unwrap_or_default();
            modules.iter().any(|module| words.contains(module.as_str()))
        })
    };
    let mut found = parts.iter().filter(is_named);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one.place),
        _ => None,
    }
}

/// What the upgrade policies of those that cannot be hot say; where nobody knows which they are, those of all.
fn by_policy(
    node: &NodeName,
    answer: &Answer,
    (parts, found): (&[Part], &Found),
    waiting: &[Waiting<'_>],
) -> End {
    let concerned = |part: &&Part| match found {
        Found::Refused(refused) => refused.iter().any(|(place, _)| *place == part.place),
        Found::Failed(place) => *place == part.place,
        Found::Nobody | Found::Together => part.change().is_some(),
    };
    let next = |part: &Part| {
        let policy = policy(node, part, waiting)?;
        policy.after(policy.first())
    };
    let next: Vec<Option<Strategy>> = parts.iter().filter(concerned).map(next).collect();
    if next.is_empty() || next.contains(&None) {
        End::Left(answer.class)
    } else if next.contains(&Some(Strategy::RestartApplication)) {
        End::Apart
    } else {
        End::Waits
    }
}

/// The upgrade policy of it. What is new has none: it is not replaced.
fn policy(node: &NodeName, part: &Part, waiting: &[Waiting<'_>]) -> Option<UpgradePolicy> {
    let one = waiting
        .get(part.place)
        .filter(|_| part.change().is_some())?;
    Some(one.carrier.host.policy(node))
}

impl Blame {
    /// Says which application it was; its reason where the answer to the set gives another one.
    pub(super) fn tell(
        &self,
        node: &NodeName,
        answer: &Answer,
        (parts, waiting): (&[Part], &[Waiting<'_>]),
    ) {
        let names = |without: &dyn Fn(usize) -> bool| {
            let places = parts.iter().map(|part| part.place);
            let left = places.filter(|place| !without(*place));
            let names = left.filter_map(|place| waiting.get(place));
            let names = names.map(|one| one.carrier.application.to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        match &self.found {
            Found::Nobody => {}
            Found::Refused(refused) => {
                let others = names(&|place| refused.iter().any(|(known, _)| *known == place));
                for (place, why) in refused {
                    let mut text = format!("{node} refuses it alone as well");
                    if answer.reason.as_ref() != Some(why) {
                        text = format!("{text} ({why})");
                    }
                    if !others.is_empty() {
                        text = format!("{text}; alone would go: {others}");
                    }
                    warn(*place, waiting, &text);
                }
            }
            Found::Together => {
                let all = names(&|_| false);
                let text = format!("{node} refuses what waits as one; alone would go: {all}");
                parts
                    .first()
                    .into_iter()
                    .for_each(|part| warn(part.place, waiting, &text));
            }
            Found::Failed(place) => {
                let others = names(&|known| known == *place);
                warn(
                    *place,
                    waiting,
                    &format!("it is what failed on {node}; as they were: {others}"),
                );
            }
        }
    }
}

fn warn(place: usize, waiting: &[Waiting<'_>], text: &str) {
    if let Some(one) = waiting.get(place) {
        one.carrier.warn(text);
    }
}
