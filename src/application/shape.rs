//! Views of terms that the files of this module are made of. `None` is "not of that shape".

use crate::term::{Atom, Term};

/// An atom whose text is a literal of this crate.
pub fn atom(text: &'static str) -> Term {
    Term::Atom(Atom::new(text).expect("literal atoms are shorter than 255 characters"))
}

pub fn is_atom(term: &Term, text: &str) -> bool {
    matches!(term, Term::Atom(atom) if atom.as_str() == text)
}

/// The elements of a proper list that is not written as a string.
pub fn list(term: &Term) -> Option<&[Term]> {
    match term {
        Term::List(elements) => Some(elements),
        _ => None,
    }
}

/// The elements of any proper list, a string's characters as integers.
pub fn into_list(term: Term) -> Option<Vec<Term>> {
    match term {
        Term::List(elements) => Some(elements),
        Term::String(text) => Some(
            text.chars()
                .map(|c| Term::Integer(u32::from(c).into()))
                .collect(),
        ),
        _ => None,
    }
}

pub fn text(term: &Term) -> Option<String> {
    match term {
        Term::String(text) => Some(text.as_str().to_owned()),
        Term::List(elements) => elements.iter().map(character).collect(),
        _ => None,
    }
}

fn character(term: &Term) -> Option<char> {
    match term {
        Term::Integer(code) => u32::try_from(*code).ok().and_then(char::from_u32),
        _ => None,
    }
}

pub fn atoms(term: &Term) -> Option<Vec<Atom>> {
    list(term)?.iter().map(as_atom).collect()
}

pub fn modules(term: &Term) -> Option<Vec<Atom>> {
    let module = |entry: &Term| match entry {
        Term::Tuple(pair) if pair.len() == 2 => as_atom(&pair[0]),
        entry => as_atom(entry),
    };
    list(term)?.iter().map(module).collect()
}

fn as_atom(term: &Term) -> Option<Atom> {
    match term {
        Term::Atom(atom) => Some(atom.clone()),
        _ => None,
    }
}
