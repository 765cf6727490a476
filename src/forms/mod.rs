//! Debug information: the abstract format of a module (chapter "The Abstract Format" of ERTS), into
//! which Elixir's own format is translated, and what a plan needs from it.
//!
//! It is read with limits and not trusted: from an unexpected form nothing is concluded.

mod anatomy;
mod arguments;
mod children;
mod effects;
mod elixir;
mod escapes;
mod flow;
mod shape;
mod special;
mod storage;

pub use anatomy::{Anatomy, CodeChange};
pub use children::Children;
pub use shape::{Keeper, Record, Shape, place, state_expressions};
pub use special::{Place, hands_out_whole};
pub use storage::Storage;

use crate::term::{Atom, Limits, Term, external};
use std::collections::BTreeMap;

/// The content of debug information, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debug<T> {
    /// It was read.
    Known(T),
    /// The module was compiled without debug information, or stripped.
    Absent,
    /// It is in the format of an unknown language.
    Foreign,
    /// It is encrypted, damaged or too large.
    Unreadable,
}

impl<T> Debug<T> {
    /// The content, if it was read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }
}

/// The limits for debug information: long lists in source text are deeply nested.
fn limits() -> Limits {
    Limits {
        size: 64 << 20,
        nesting: 20_000,
        values: 8 << 20,
        ..Limits::default()
    }
}

/// The functions and records of a module.
#[derive(Debug, Default)]
pub struct Forms {
    /// The clauses of each function, by name and arity.
    pub functions: BTreeMap<(Atom, i64), Vec<Term>>,
    /// The fields of each record.
    pub records: BTreeMap<Atom, Vec<Term>>,
    /// The definition of each type without parameters.
    pub types: BTreeMap<Atom, Term>,
}

impl Forms {
    /// Parses the chunk `Dbgi`.
    pub fn read(chunk: Option<&[u8]>) -> Debug<Self> {
        let Some(chunk) = chunk else {
            return Debug::Absent;
        };
        let Ok(term) = external::decode(chunk, &limits()) else {
            return Debug::Unreadable;
        };
        let Some((backend, data)) = parts(term) else {
            return Debug::Unreadable;
        };
        match (backend.as_str(), data) {
            ("erl_abstract_code", Term::List(forms)) => Debug::Known(Self::of(forms)),
            ("erl_abstract_code", none) if none.is_atom("none") => Debug::Absent,
            ("erl_abstract_code", _) => Debug::Unreadable,
            ("elixir_erl", none) if none.is_atom("none") => Debug::Absent,
            ("elixir_erl", data) => elixir::forms(&data).map_or(Debug::Unreadable, Debug::Known),
            _ => Debug::Foreign,
        }
    }

    fn of(forms: Vec<Term>) -> Self {
        let mut found = Self::default();
        for form in forms {
            let Term::Tuple(parts) = form else { continue };
            let Ok([kind, _place, rest @ ..]) = <[Term; 5]>::try_from(parts).or_else(padded) else {
                continue;
            };
            match (kind.as_atom().map(Atom::as_str), rest) {
                (
                    Some("function"),
                    [Term::Atom(name), Term::Integer(arity), Term::List(clauses)],
                ) => {
                    found.functions.insert((name, arity), clauses);
                }
                (Some("attribute"), [kind, Term::Tuple(value), _]) if kind.is_atom("record") => {
                    if let Ok([Term::Atom(name), Term::List(fields)]) = <[Term; 2]>::try_from(value)
                    {
                        found.records.insert(name, fields);
                    }
                }
                (Some("attribute"), [kind, Term::Tuple(value), _])
                    if kind.is_atom("type") || kind.is_atom("opaque") =>
                {
                    if let Ok([Term::Atom(name), declared, parameters]) =
                        <[Term; 3]>::try_from(value)
                        && parameters.is_nil()
                    {
                        found.types.insert(name, declared);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The clauses of a function; empty if there is no such function.
    pub fn clauses(&self, name: &str, arity: usize) -> &[Term] {
        let (Some(name), Ok(arity)) = (Atom::new(name), i64::try_from(arity)) else {
            return &[];
        };
        self.functions
            .get(&(name, arity))
            .map_or(&[], Vec::as_slice)
    }
}

/// The backend and the data of `{debug_info_v1, Backend, Data}`; of Erlang's data, `{Forms,
/// Options}`, only the forms.
fn parts(term: Term) -> Option<(Atom, Term)> {
    let Term::Tuple(parts) = term else {
        return None;
    };
    let [tag, Term::Atom(backend), data] = <[Term; 3]>::try_from(parts).ok()? else {
        return None;
    };
    if !tag.is_atom("debug_info_v1") {
        return None;
    }
    match data {
        Term::Tuple(parts) if backend == *"erl_abstract_code" => {
            parts.into_iter().next().map(|forms| (backend, forms))
        }
        data => Some((backend, data)),
    }
}

/// An attribute has one element less than a function.
fn padded(mut parts: Vec<Term>) -> Result<[Term; 5], Vec<Term>> {
    parts.push(Term::NIL);
    <[Term; 5]>::try_from(parts)
}

/// The tag of an abstract node, and the elements after its annotation.
pub fn node(term: &Term) -> Option<(&str, &[Term])> {
    match term.as_tuple()? {
        [Term::Atom(kind), _annotation, rest @ ..] => Some((kind.as_str(), rest)),
        _ => None,
    }
}

/// The parts of a clause: its patterns and its body.
pub fn clause(term: &Term) -> Option<(&[Term], &[Term])> {
    match node(term)? {
        ("clause", [Term::List(patterns), _guards, Term::List(body)]) => Some((patterns, body)),
        _ => None,
    }
}

/// The atom that an abstract node is.
pub fn literal_atom(term: &Term) -> Option<&Atom> {
    match node(term)? {
        ("atom", [Term::Atom(atom)]) => Some(atom),
        _ => None,
    }
}

/// The name of the variable that an abstract node is.
pub fn variable(term: &Term) -> Option<&Atom> {
    match node(term)? {
        ("var", [Term::Atom(name)]) if *name != *"_" => Some(name),
        _ => None,
    }
}

/// The module (if named), the function and the arguments of a call.
pub fn call(term: &Term) -> Option<(Option<&Atom>, &Atom, &[Term])> {
    let ("call", [function, Term::List(arguments)]) = node(term)? else {
        return None;
    };
    match node(function)? {
        ("atom", [Term::Atom(name)]) => Some((None, name, arguments)),
        ("remote", [module, name]) => {
            Some((Some(literal_atom(module)?), literal_atom(name)?, arguments))
        }
        _ => None,
    }
}

/// Visits a term and everything in it, except inside terms for which `visit` returns `false`.
pub fn walk<'t>(term: &'t Term, visit: &mut dyn FnMut(&'t Term) -> bool) {
    if !visit(term) {
        return;
    }
    let parts = match term {
        Term::Tuple(parts) | Term::List(parts) => parts,
        _ => return,
    };
    for part in parts {
        walk(part, visit);
    }
}

/// The term without its source locations.
pub fn without_places(term: &Term) -> Term {
    match term {
        Term::Tuple(parts) => match parts.as_slice() {
            [Term::Atom(kind), place, rest @ ..] if is_place(place) => {
                let mut parts = vec![Term::Atom(kind.clone()), Term::Integer(0)];
                parts.extend(rest.iter().map(without_places));
                Term::Tuple(parts)
            }
            parts => Term::Tuple(parts.iter().map(without_places).collect()),
        },
        Term::List(parts) => Term::List(parts.iter().map(without_places).collect()),
        term => term.clone(),
    }
}

/// An annotation: a line, a line and a column, or a list of either and more.
fn is_place(term: &Term) -> bool {
    match term {
        Term::Integer(_) => true,
        Term::Tuple(parts) => matches!(parts.as_slice(), [Term::Integer(_), Term::Integer(_)]),
        Term::List(parts) => {
            let known = |part: &Term| {
                part.as_tagged("location").is_some() || part.as_tagged("generated").is_some()
            };
            parts.iter().any(known)
        }
        _ => false,
    }
}
