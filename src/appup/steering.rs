//! Module attributes that influence generation: those of knit, as `-knit_X` or `-erlrc_X`.
//!
//! If a module has both, `-erlrc_X` takes precedence.

use super::instruction::{Direction, Mfa, Purge, Timeout};
use crate::term::{Atom, Term};

/// What the attributes of a module request.
#[derive(Clone, Debug, Default)]
pub struct Steering {
    /// Its priority: higher ones come first.
    pub priority: i64,
    /// The last argument of `code_change`, if set.
    pub extra: Option<Term>,
    /// The modules to be replaced together with it.
    pub depends: Vec<Atom>,
    /// How long its processes may take to be suspended, if set.
    pub timeout: Option<Timeout>,
    /// What happens to processes that run old code, if set.
    pub purge: Option<(Purge, Purge)>,
    /// The functions to call.
    pub applies: Vec<Apply>,
    /// The attributes that are set, not counting those of calls.
    pub told: Vec<&'static str>,
}

/// A function to call, with its position.
#[derive(Clone, Debug)]
pub struct Apply {
    /// The script.
    pub direction: Direction,
    /// The position in the script.
    pub phase: Phase,
    /// The order within a phase: lower numbers come first.
    pub number: i64,
    /// The call.
    pub mfa: Mfa,
    /// The attribute that requests it.
    pub attribute: &'static str,
}

/// The positions at which a script calls functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before any module is replaced.
    First,
    /// Right after the module that requests it.
    Immediate,
    /// After everything else.
    Last,
    /// When every node has committed.
    Committed,
}

/// An attribute with a value that is not valid.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the attribute '{attribute}' of the module '{module}' has a value that it cannot have")]
pub struct BadAttribute {
    /// The module.
    pub module: Atom,
    /// The attribute.
    pub attribute: Atom,
    /// Its value as the module holds it, which is a list.
    pub value: Term,
}

impl Steering {
    /// Parses `attributes`, which are those of `module`.
    pub fn of(module: &Atom, attributes: &[(Atom, Term)]) -> Result<Self, BadAttribute> {
        let mut steering = Self::default();
        for (key, names) in KEYS {
            let Some((attribute, values)) = values(attributes, names) else {
                continue;
            };
            steering
                .set(*key, attribute, &values)
                .ok_or_else(|| BadAttribute {
                    module: module.clone(),
                    attribute: Atom::of(attribute),
                    value: flat(values),
                })?;
            if !matches!(key, Key::Apply) {
                steering.told.push(attribute);
            }
        }
        Ok(steering)
    }

    fn set(&mut self, key: Key, attribute: &'static str, values: &[Term]) -> Option<()> {
        match key {
            Key::Priority => self.priority = integer(single(values)?)?,
            Key::Extra => self.extra = Some(extra(values)?),
            Key::Depends => {
                for value in values {
                    depends(value, &mut self.depends)?;
                }
            }
            Key::Timeout => self.timeout = Some(timeout(single(values)?)?),
            Key::Purge => self.purge = Some(purge_pair(single(values)?)?),
            Key::Apply => {
                for value in values {
                    for item in value.elements()?.iter() {
                        self.applies.push(apply(item, attribute)?);
                    }
                }
            }
        }
        Some(())
    }
}

#[derive(Clone, Copy)]
enum Key {
    Priority,
    Extra,
    Depends,
    Timeout,
    Purge,
    Apply,
}

const KEYS: &[(Key, [&str; 2])] = &[
    (Key::Priority, ["erlrc_priority", "knit_priority"]),
    (Key::Extra, ["erlrc_extra", "knit_extra"]),
    (Key::Depends, ["erlrc_depends", "knit_depends"]),
    (Key::Timeout, ["erlrc_timeout", "knit_timeout"]),
    (Key::Purge, ["erlrc_purge", "knit_purge"]),
    (Key::Apply, ["erlrc_apply", "knit_apply"]),
];

/// The values of the first of `names` that the module has, one for each time it is written. The
/// compiler puts a value that is not a list into one.
fn values(
    attributes: &[(Atom, Term)],
    names: &[&'static str; 2],
) -> Option<(&'static str, Vec<Term>)> {
    names.iter().find_map(|name| {
        let of_name = attributes
            .iter()
            .filter(|(attribute, _)| attribute.as_str() == *name);
        let values: Vec<_> = of_name.map(|(_, value)| value.clone()).collect();
        (!values.is_empty()).then_some((*name, values))
    })
}

/// The values as `module_info(attributes)` returns them for one attribute.
fn flat(values: Vec<Term>) -> Term {
    Term::List(
        values
            .iter()
            .flat_map(|value| {
                value
                    .clone()
                    .into_elements()
                    .unwrap_or_else(|value| vec![value])
            })
            .collect(),
    )
}

fn single(values: &[Term]) -> Option<Term> {
    let [value] = values else { return None };
    match value.elements()?.as_ref() {
        [value] => Some(value.clone()),
        _ => None,
    }
}

// A module holds a list of one element and that element alone in the same form; it counts as the
// element, as in knit. Other lists can only have been written as lists.
fn extra(values: &[Term]) -> Option<Term> {
    single(values).or_else(|| match values {
        [list] => list.elements().map(|_| list.clone()),
        _ => None,
    })
}

fn integer(term: Term) -> Option<i64> {
    match term {
        Term::Integer(integer) => Some(integer),
        _ => None,
    }
}

// Two levels: the list of the attribute, and lists in it, which knit flattens.
fn depends(value: &Term, found: &mut Vec<Atom>) -> Option<()> {
    for item in value.elements()?.iter() {
        match item {
            Term::Atom(module) => found.push(module.clone()),
            Term::List(items) => {
                for item in items {
                    found.push(item.as_atom()?.clone());
                }
            }
            _ => return None,
        }
    }
    Some(())
}

fn timeout(term: Term) -> Option<Timeout> {
    match term {
        Term::Integer(n) if n > 0 => u64::try_from(n).ok().map(Timeout::Milliseconds),
        term if term.is_atom("default") => Some(Timeout::Default),
        term if term.is_atom("infinity") => Some(Timeout::Infinity),
        _ => None,
    }
}

fn purge(term: &Term) -> Option<Purge> {
    match term.as_atom()?.as_str() {
        "soft_purge" => Some(Purge::Soft),
        "brutal_purge" => Some(Purge::Brutal),
        _ => None,
    }
}

fn purge_pair(term: Term) -> Option<(Purge, Purge)> {
    match term.as_tuple() {
        Some([pre, post]) => Some((purge(pre)?, purge(post)?)),
        Some(_) => None,
        None => purge(&term).map(|purge| (purge, purge)),
    }
}

fn apply(term: &Term, attribute: &'static str) -> Option<Apply> {
    let (direction, term) = match term.as_tuple()? {
        [way, inner] if way.is_atom("up") => (Direction::Up, inner),
        [way, inner] if way.is_atom("down") => (Direction::Down, inner),
        _ => (Direction::Up, term),
    };
    let (phase, number, call) = match term.as_tuple()? {
        [phase_and_number, call] => {
            let (phase, number) = phase(phase_and_number)?;
            (phase, number, call)
        }
        _ => (Phase::Last, 0, term),
    };
    let mfa = mfa(call)?;
    Some(Apply {
        direction,
        phase,
        number,
        mfa,
        attribute,
    })
}

fn phase(term: &Term) -> Option<(Phase, i64)> {
    let (phase, number) = match term.as_tuple() {
        Some([phase, Term::Integer(number)]) => (phase, *number),
        Some(_) => return None,
        None => (term, 0),
    };
    let phase = match phase.as_atom()?.as_str() {
        "first" => Phase::First,
        "immediate" => Phase::Immediate,
        "last" => Phase::Last,
        "committed" | "apply_after_commit" => Phase::Committed,
        _ => return None,
    };
    Some((phase, number))
}

fn mfa(term: &Term) -> Option<Mfa> {
    let [module, function, args] = term.as_tuple()? else {
        return None;
    };
    let (module, function) = (module.as_atom()?.clone(), function.as_atom()?.clone());
    Some(Mfa {
        module,
        function,
        args: args.elements()?.into_owned(),
    })
}
