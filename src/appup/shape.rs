//! Terms made and taken apart.

use crate::term::{Atom, Term};

/// An atom whose text is a literal of this crate.
pub fn atom(text: &'static str) -> Term {
    Term::Atom(name(text))
}

/// An atom whose text is a literal of this crate, as a name.
pub fn name(text: &'static str) -> Atom {
    Atom::new(text).expect("literal atoms are shorter than 255 characters")
}

pub fn tuple<const N: usize>(fields: [Term; N]) -> Term {
    Term::Tuple(fields.into())
}

/// A string; the empty one is the empty list.
pub fn string(text: &str) -> Term {
    if text.is_empty() {
        Term::List(Vec::new())
    } else {
        Term::String(text.into())
    }
}

pub fn as_atom(term: &Term) -> Option<&Atom> {
    match term {
        Term::Atom(atom) => Some(atom),
        _ => None,
    }
}

pub fn is_atom(term: &Term, text: &str) -> bool {
    as_atom(term).is_some_and(|atom| atom.as_str() == text)
}

pub fn as_tuple(term: &Term) -> Option<&[Term]> {
    match term {
        Term::Tuple(fields) => Some(fields),
        _ => None,
    }
}

/// The elements of a proper list, a string's characters as integers.
pub fn elements(term: &Term) -> Option<Vec<Term>> {
    match term {
        Term::List(items) => Some(items.clone()),
        Term::String(text) => Some(
            text.chars()
                .map(|c| Term::Integer(u32::from(c).into()))
                .collect(),
        ),
        _ => None,
    }
}

/// The text of a string.
pub fn text(term: &Term) -> Option<String> {
    let character = |term: &Term| match term {
        Term::Integer(code) => u32::try_from(*code).ok().and_then(char::from_u32),
        _ => None,
    };
    match term {
        Term::String(text) => Some(text.to_string()),
        Term::List(items) => items.iter().map(character).collect(),
        _ => None,
    }
}
