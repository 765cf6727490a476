//! Where declared types and defaults say that a record is inside a field.

use super::Conversion;
use super::fields::Budget;
use crate::forms::{Forms, literal_atom, node};
use crate::term::{Atom, Term};

/// How many types are followed, one naming the next.
const STEPS: usize = 16;

/// What becomes of a value of this declared type, where `changes` says which records change.
pub fn conversion(
    forms: &Forms,
    declared: &Term,
    changes: &dyn Fn(&Atom) -> bool,
    budget: &Budget,
) -> Conversion {
    let types = Types {
        forms,
        changes,
        budget,
    };
    types.follow(declared, STEPS)
}

struct Types<'a> {
    forms: &'a Forms,
    changes: &'a dyn Fn(&Atom) -> bool,
    budget: &'a Budget,
}

impl Types<'_> {
    fn follow(&self, declared: &Term, steps: usize) -> Conversion {
        let (Some(left), Some(())) = (steps.checked_sub(1), self.budget.spend()) else {
            return Conversion::Same;
        };
        let inside = |part: &Term| self.follow(part, left);
        match node(declared) {
            Some(("type", [kind, Term::List(parts)])) => {
                match (kind.as_atom().map(Atom::as_str), parts.as_slice()) {
                    (Some("record"), [name, ..]) => record(name, self.changes),
                    (Some("list" | "nonempty_list"), [part]) => {
                        within(inside(part), Conversion::Elements)
                    }
                    (Some("map"), [pair]) => match node(pair) {
                        Some(("type", [_, Term::List(pair)])) if pair.len() == 2 => {
                            within(inside(&pair[1]), Conversion::Values)
                        }
                        _ => Conversion::Same,
                    },
                    (Some("union"), parts) => alternative(parts.iter().map(inside)),
                    _ => Conversion::Same,
                }
            }
            Some(("user_type", [Term::Atom(name), Term::List(arguments)]))
                if arguments.is_empty() =>
            {
                let definition = self.forms.types.get(name);
                definition.map_or(Conversion::Same, inside)
            }
            Some(("ann_type", [Term::List(parts)])) => {
                parts.last().map_or(Conversion::Same, inside)
            }
            _ => Conversion::Same,
        }
    }
}

fn record(name: &Term, changes: &dyn Fn(&Atom) -> bool) -> Conversion {
    match literal_atom(name) {
        Some(name) if changes(name) => Conversion::Record(name.clone()),
        _ => Conversion::Same,
    }
}

fn within(inside: Conversion, wrap: fn(Box<Conversion>) -> Conversion) -> Conversion {
    match inside {
        Conversion::Same => Conversion::Same,
        inside => wrap(Box::new(inside)),
    }
}

/// Of several alternatives one may be converted: a value is none of the others' shape.
fn alternative(parts: impl Iterator<Item = Conversion>) -> Conversion {
    let mut converted = parts.filter(|part| *part != Conversion::Same);
    match (converted.next(), converted.next()) {
        (Some(only), None) => only,
        _ => Conversion::Same,
    }
}
