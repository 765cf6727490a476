//! Terms of the core into the VM.

#![forbid(unsafe_code)]

use erlrc::term::{Atom, Term};
use rustler::types::tuple::make_tuple;
use rustler::{Encoder, Env, NewBinary};

use crate::atoms::{Atoms, NEW_ATOMS};
use crate::decode::MAX_NESTING;
use crate::{entry, etf};

/// What a function of the engine answers: `{ok, Value}` or `{error, Reason}`.
pub struct Answer(pub Result<Term, Term>);

impl Encoder for Answer {
    fn encode<'a>(&self, env: Env<'a>) -> rustler::Term<'a> {
        let (tag, term) = match &self.0 {
            Ok(value) => (rustler::types::atom::ok(), value),
            Err(reason) => (rustler::types::atom::error(), reason),
        };
        match value(env, term) {
            Ok(term) => (tag, term).encode(env),
            Err(unencodable) => env.error_tuple(unencodable),
        }
    }
}

/// A value answered as it is, not as `{ok, Value}`.
pub struct Value(pub Term);

impl Encoder for Value {
    fn encode<'a>(&self, env: Env<'a>) -> rustler::Term<'a> {
        value(env, &self.0).unwrap_or_else(|unencodable| env.error_tuple(unencodable))
    }
}

/// Why a term cannot be handed to the VM.
#[derive(Debug)]
pub enum Unencodable {
    /// It names more new atoms than one answer may bring.
    TooManyAtoms,
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
            Self::TooManyAtoms => (reason::too_many_new_atoms(), NEW_ATOMS).encode(env),
            Self::TooDeep => (reason::nested_too_deep(), MAX_NESTING).encode(env),
            Self::Term => reason::unrepresentable_term().encode(env),
        }
    }
}

fn value<'a>(env: Env<'a>, term: &Term) -> Result<rustler::Term<'a>, Unencodable> {
    let atoms = Atoms::of(env, term)?;
    Builder { env, atoms }.term(term, MAX_NESTING)
}

struct Builder<'t, 'a> {
    env: Env<'a>,
    atoms: Atoms<'t, 'a>,
}

type Built<'a> = Result<rustler::Term<'a>, Unencodable>;

impl<'a> Builder<'_, 'a> {
    // Recursion is as deep as the term, which is why `depth` levels are all there may be.
    fn term(&self, term: &Term, depth: usize) -> Built<'a> {
        let inside = depth.checked_sub(1).ok_or(Unencodable::TooDeep)?;
        match term {
            Term::Atom(atom) => self.atoms.get(atom),
            Term::Integer(integer) => Ok(integer.encode(self.env)),
            Term::BigInteger(integer) => self.external(etf::big_integer(integer)),
            Term::Float(float) => Ok(float.encode(self.env)),
            Term::Binary(bytes) => Ok(NewBinary::from_slice(self.env, bytes).into()),
            Term::BitString(bytes, bits) => self.external(etf::bit_string(bytes, *bits)),
            Term::String(text) => Ok(text
                .chars()
                .map(u32::from)
                .collect::<Vec<u32>>()
                .encode(self.env)),
            Term::List(items) => Ok(self.terms(items, inside)?.encode(self.env)),
            Term::ImproperList(items, tail) => self.improper(items, tail, inside),
            Term::Tuple(items) => Ok(make_tuple(self.env, &self.terms(items, inside)?)),
            Term::Map(pairs) => self.map(pairs, inside),
            Term::ExternalFun(module, function, arity) => self.fun(module, function, *arity),
        }
    }

    fn terms(&self, items: &[Term], depth: usize) -> Result<Vec<rustler::Term<'a>>, Unencodable> {
        items.iter().map(|item| self.term(item, depth)).collect()
    }

    fn improper(&self, items: &[Term], tail: &Term, depth: usize) -> Built<'a> {
        let tail = self.term(tail, depth)?;
        let items = self.terms(items, depth)?;
        Ok(items
            .into_iter()
            .rev()
            .fold(tail, |tail, item| tail.list_prepend(item)))
    }

    fn map(&self, pairs: &[(Term, Term)], depth: usize) -> Built<'a> {
        let mut keys = Vec::with_capacity(pairs.len());
        let mut values = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            keys.push(self.term(key, depth)?);
            values.push(self.term(value, depth)?);
        }
        rustler::Term::map_from_term_arrays(self.env, &keys, &values).map_err(|_| Unencodable::Term)
    }

    fn fun(&self, module: &Atom, function: &Atom, arity: u8) -> Built<'a> {
        self.atoms.get(module)?;
        self.atoms.get(function)?;
        entry::create(self.env, &etf::external_fun(module, function, arity))
            .ok_or(Unencodable::Term)
    }

    fn external(&self, bytes: Option<Vec<u8>>) -> Built<'a> {
        let term = bytes.and_then(|bytes| self.env.binary_to_term(&bytes));
        term.map(|(term, _)| term).ok_or(Unencodable::Term)
    }
}
