//! The value of an expression that needs no evaluation.

use super::fields::{Budget, record_fields};
use crate::forms::{Forms, literal_atom, node};
use crate::term::Term;

/// How deep a constant may nest.
const DEPTH: usize = 64;

/// The value of an abstract expression; `None` where it has to be evaluated, or would be too large.
pub fn value(forms: &Forms, expression: &Term, budget: &Budget) -> Option<Term> {
    at((forms, budget), expression, DEPTH)
}

fn at(given: (&Forms, &Budget), expression: &Term, depth: usize) -> Option<Term> {
    given.1.spend()?;
    let left = depth.checked_sub(1)?;
    let all = |parts: &[Term]| {
        parts
            .iter()
            .map(|part| at(given, part, left))
            .collect::<Option<Vec<_>>>()
    };
    match node(expression)? {
        // `text` is how a binary of Elixir's source is put.
        ("atom" | "integer" | "char" | "float" | "string" | "text", [value]) => Some(value.clone()),
        ("nil", []) => Some(Term::NIL),
        ("cons", _) => list(given, expression, left),
        ("tuple", [Term::List(parts)]) => Some(Term::Tuple(all(parts)?)),
        ("map", [Term::List(pairs)]) => {
            let pairs = pairs.iter().map(|pair| match node(pair)? {
                ("map_field_assoc", [key, value]) => {
                    Some((at(given, key, left)?, at(given, value, left)?))
                }
                _ => None,
            });
            Some(Term::map(pairs.collect::<Option<_>>()?))
        }
        ("bin", [Term::List(segments)]) => binary(segments),
        ("op", [operator, operand]) if operator.is_atom("-") => negative(at(given, operand, left)?),
        ("record", [Term::Atom(name), Term::List(fields)]) => {
            let mut parts = vec![Term::Atom(name.clone())];
            for field in record_fields(given.0, name)? {
                let own = fields.iter().find_map(|each| match node(each)? {
                    ("record_field", [key, value]) => {
                        (literal_atom(key) == Some(&field.name)).then_some(value)
                    }
                    _ => None,
                });
                parts.push(match own.or(field.default) {
                    Some(value) => at(given, value, left)?,
                    None => Term::atom("undefined"),
                });
            }
            Some(Term::Tuple(parts))
        }
        _ => None,
    }
}

/// A list is walked, not descended into: text is a list of a thousand elements.
fn list(given: (&Forms, &Budget), expression: &Term, left: usize) -> Option<Term> {
    let mut elements = Vec::new();
    let mut rest = expression;
    loop {
        match node(rest)? {
            ("cons", [head, tail]) => {
                elements.push(at(given, head, left)?);
                rest = tail;
            }
            ("nil", []) => return Some(Term::List(elements)),
            _ => return None,
        }
    }
}

/// A binary of literal text: `<<"text">>`.
fn binary(segments: &[Term]) -> Option<Term> {
    let mut bytes = Vec::new();
    for segment in segments {
        let ("bin_element", [value, size, types]) = node(segment)? else {
            return None;
        };
        let plain = size.is_atom("default") && types.is_atom("default");
        match node(value)? {
            ("string", [text]) if plain => {
                for part in text.elements()?.iter() {
                    bytes.push(u8::try_from(part.as_integer()?).ok()?);
                }
            }
            _ => return None,
        }
    }
    Some(Term::Binary(bytes))
}

fn negative(value: Term) -> Option<Term> {
    match value {
        Term::Integer(number) => Some(Term::Integer(number.checked_neg()?)),
        Term::Float(number) => Some(Term::Float(-number)),
        _ => None,
    }
}
