//! Terms of the core into the VM.

#![forbid(unsafe_code)]

use erlrc::term::Term;
use rustler::types::tuple::make_tuple;
use rustler::{Encoder, Env, NewBinary};

use crate::atoms::{Atoms, NEW_ATOMS};
use crate::decode::MAX_NESTING;
use crate::{entry, etf};

/// What a function of the engine answers: `{ok, Value}` or `{error, Reason}`.
pub struct Answer {
    result: Result<Term, Term>,
    /// How many new atoms it may bring.
    atoms: usize,
}

impl Answer {
    /// An answer that brings no more atoms than one file may hold.
    pub fn new(result: Result<Term, Term>) -> Self {
        Self::with_atoms(result, NEW_ATOMS)
    }

    /// An answer that may bring so many.
    pub fn with_atoms(result: Result<Term, Term>, atoms: usize) -> Self {
        Self { result, atoms }
    }
}

impl Encoder for Answer {
    fn encode<'a>(&self, env: Env<'a>) -> rustler::Term<'a> {
        let (tag, term) = match &self.result {
            Ok(value) => (rustler::types::atom::ok(), value),
            Err(reason) => (rustler::types::atom::error(), reason),
        };
        match value(env, term, self.atoms) {
            Ok(term) => (tag, term).encode(env),
            Err(unencodable) => env.error_tuple(unencodable),
        }
    }
}

/// Why a term cannot be handed to the VM.
#[derive(Debug)]
pub enum Unencodable {
    /// It names more new atoms than one answer may bring.
    TooManyAtoms(usize),
    /// It nests too deep.
    TooDeep,
    /// The VM has no such term: an integer beyond its limit, a map with a key twice.
    Term,
}

mod reason {
    rustler::atoms! { too_many_new_atoms, nested_too_deep, unrepresentable_term }
}

impl Encoder for Unencodable {
    fn encode<'a>(&self, env: Env<'a>) -> rustler::Term<'a> {
        match self {
            Self::TooManyAtoms(most) => (reason::too_many_new_atoms(), most).encode(env),
            Self::TooDeep => (reason::nested_too_deep(), MAX_NESTING).encode(env),
            Self::Term => reason::unrepresentable_term().encode(env),
        }
    }
}

type Built<'a> = Result<rustler::Term<'a>, Unencodable>;

fn value<'a>(env: Env<'a>, root: &Term, most: usize) -> Built<'a> {
    let atoms = Atoms::of(env, root, most)?;
    let mut open: Vec<Container> = Vec::new();
    let mut term = root;
    loop {
        match Container::new(term) {
            Some(_) if open.len() == MAX_NESTING => return Err(Unencodable::TooDeep),
            Some(container) => open.push(container),
            None => match open.last_mut() {
                Some(parent) => parent.items.push(leaf(env, &atoms, term)?),
                None => return leaf(env, &atoms, term),
            },
        }
        term = loop {
            let container = open.last_mut().ok_or(Unencodable::Term)?;
            if let Some(next) = container.left.next() {
                break next;
            }
            let closed = open.pop().ok_or(Unencodable::Term)?.close(env)?;
            match open.last_mut() {
                Some(parent) => parent.items.push(closed),
                None => return Ok(closed),
            }
        };
    }
}

/// A term whose items are being built. Kept on the heap: how deep a term nests is its maker's choice.
struct Container<'t, 'a> {
    term: &'t Term,
    left: std::vec::IntoIter<&'t Term>,
    items: Vec<rustler::Term<'a>>,
}

impl<'t, 'a> Container<'t, 'a> {
    /// `None` where `term` has no items, or is a string.
    fn new(term: &'t Term) -> Option<Self> {
        let items: Vec<&Term> = match term {
            Term::List(items) | Term::Tuple(items) => items.iter().collect(),
            Term::ImproperList(list) => list.0.iter().chain([&list.1]).collect(),
            Term::Map(pairs) => pairs.iter().flat_map(|(key, value)| [key, value]).collect(),
            _ => return None,
        };
        Some(Self {
            term,
            items: Vec::with_capacity(items.len()),
            left: items.into_iter(),
        })
    }

    fn close(mut self, env: Env<'a>) -> Built<'a> {
        match self.term {
            Term::Tuple(_) => Ok(make_tuple(env, &self.items)),
            Term::ImproperList(..) => {
                let tail = self.items.pop().ok_or(Unencodable::Term)?;
                let items = self.items.into_iter().rev();
                Ok(items.fold(tail, |tail, item| tail.list_prepend(item)))
            }
            Term::Map(_) => {
                let (keys, values): (Vec<_>, Vec<_>) = self
                    .items
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .unzip();
                rustler::Term::map_from_term_arrays(env, &keys, &values)
                    .map_err(|_| Unencodable::Term)
            }
            _ => Ok(self.items.encode(env)),
        }
    }
}

fn leaf<'a>(env: Env<'a>, atoms: &Atoms<'_, 'a>, term: &Term) -> Built<'a> {
    match term {
        Term::Atom(atom) => atoms.get(atom),
        Term::Integer(integer) => Ok(integer.encode(env)),
        Term::BigInteger(integer) => external(env, etf::big_integer(integer).as_deref()),
        // The VM has no other floats, and making one would fail at a distance.
        Term::Float(float) if float.is_finite() => Ok(float.encode(env)),
        Term::Binary(bytes) => Ok(NewBinary::from_slice(env, bytes).into()),
        Term::BitString(bytes, bits) => external(env, etf::bit_string(bytes, *bits).as_deref()),
        Term::String(text) => Ok(text
            .chars()
            .map(u32::from)
            .collect::<Vec<u32>>()
            .encode(env)),
        Term::ExternalFun(fun) => {
            let (module, function, arity) = &**fun;
            entry::create(env, &etf::external_fun(module, function, *arity))
                .ok_or(Unencodable::Term)
        }
        Term::Opaque(opaque) => external(env, Some(opaque.external())),
        _ => Err(Unencodable::Term),
    }
}

fn external<'a>(env: Env<'a>, bytes: Option<&[u8]>) -> Built<'a> {
    let term = bytes.and_then(|bytes| env.binary_to_term(bytes));
    term.map(|(term, _)| term).ok_or(Unencodable::Term)
}
