//! Terms in the external format, version 131, through the `eetf` crate.
//!
//! `eetf` 0.12 must see no bytes that [`guard`] has not: it recurses without bound, allocates what
//! a length on the wire says, panics at some tags and sizes, reads old floats with half their digits
//! and takes atoms in Latin-1 for UTF-8. And it must encode no negative integers beside bytes in a
//! list: `[1,-1]` would become `[1,255]`. Its types do not leave this module.

mod error;
mod guard;
mod opaque;

use super::{Atom, Limits, Term};
use num_bigint::BigInt;
use std::borrow::Cow;

pub use error::ExternalError;
pub use opaque::Opaque;

/// Decodes the one term that `bytes` are, from the version byte on.
///
/// # Errors
/// Where they are not exactly one term, or exceed a limit.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Term, ExternalError> {
    match decode_prefix(bytes, limits)? {
        (term, length) if length == bytes.len() => Ok(term),
        (_, length) => Err(ExternalError::Trailing { at: length }),
    }
}

/// Decodes the term that `bytes` start with, and tells how many bytes it has: a message of the
/// distribution protocol is two terms in a row.
///
/// # Errors
/// Where they do not start with a term, or exceed a limit.
pub fn decode_prefix(bytes: &[u8], limits: &Limits) -> Result<(Term, usize), ExternalError> {
    let checked = guard::check(bytes, limits)?;
    let term = eetf::Term::decode(&*checked.bytes).map_err(|_| ExternalError::Malformed)?;
    Ok((from_eetf(term)?, checked.length))
}

/// Encodes `term`.
pub fn encode(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Fails for atoms of more than 65,535 bytes and integers of 4 GiB alone; there are none.
    let encoded = to_eetf(term).encode(&mut bytes);
    debug_assert!(encoded.is_ok(), "{encoded:?}");
    bytes
}

fn from_eetf(term: eetf::Term) -> Result<Term, ExternalError> {
    use eetf::Term as E;
    let all = |terms: Vec<E>| {
        terms
            .into_iter()
            .map(from_eetf)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match term {
        E::Atom(atom) => Term::Atom(atom_from(&atom)?),
        E::FixInteger(integer) => Term::Integer(i64::from(integer.value)),
        E::BigInteger(integer) => Term::from(integer.value),
        E::Float(float) => Term::Float(float.value),
        E::Binary(binary) => Term::Binary(binary.bytes),
        E::BitBinary(bits) => bits_from(bits),
        E::ByteList(list) if list.bytes.is_empty() => Term::NIL,
        E::ByteList(list) => Term::String(list.bytes.iter().copied().map(char::from).collect()),
        E::List(list) => Term::List(all(list.elements)?),
        E::ImproperList(list) => Term::list_with_tail(all(list.elements)?, from_eetf(*list.last)?),
        E::Tuple(tuple) => Term::Tuple(all(tuple.elements)?),
        E::Map(map) => map_from(map)?,
        E::ExternalFun(fun) => Term::external_fun(
            atom_from(&fun.module)?,
            atom_from(&fun.function)?,
            fun.arity,
        ),
        other @ (E::Pid(_) | E::Port(_) | E::Reference(_) | E::InternalFun(_)) => {
            Term::Opaque(Opaque::new(&other)?)
        }
    })
}

fn atom_from(atom: &eetf::Atom) -> Result<Atom, ExternalError> {
    Atom::new(&atom.name).ok_or(ExternalError::Malformed)
}

/// `eetf` keeps the bits of the last byte at its low end.
fn bits_from(bits: eetf::BitBinary) -> Term {
    let (mut bytes, used) = (bits.bytes, bits.tail_bits_size);
    match bytes.last_mut() {
        Some(last) if (1..8).contains(&used) => {
            *last <<= 8 - used;
            Term::BitString(bytes, used)
        }
        _ => Term::Binary(bytes),
    }
}

/// `eetf` forgets the order of the pairs: that of the keys is at least always the same.
fn map_from(map: eetf::Map) -> Result<Term, ExternalError> {
    let pair = |(key, value)| Ok((from_eetf(key)?, from_eetf(value)?));
    let mut pairs = map
        .map
        .into_iter()
        .map(pair)
        .collect::<Result<Vec<_>, ExternalError>>()?;
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Term::map(pairs))
}

fn to_eetf(term: &Term) -> eetf::Term {
    let all = |terms: &[Term]| terms.iter().map(to_eetf).collect::<Vec<_>>();
    match term {
        Term::Atom(atom) => eetf::Atom::from(atom.as_str()).into(),
        Term::Integer(integer) => integer_to(*integer),
        Term::BigInteger(integer) => eetf::BigInteger {
            value: (**integer).clone(),
        }
        .into(),
        // Terms have no others; zero is what is left where one was made against the rule.
        Term::Float(float) => eetf::Float::try_from(*float)
            .unwrap_or(eetf::Float { value: 0.0 })
            .into(),
        Term::Binary(bytes) => eetf::Binary::from(bytes.clone()).into(),
        Term::BitString(bytes, used) => bits_to(bytes, *used),
        Term::String(text) => string_to(text),
        Term::List(elements) => list_to(elements),
        Term::ImproperList(list) => {
            eetf::ImproperList::from((all(&list.0), to_eetf(&list.1))).into()
        }
        Term::Tuple(elements) => eetf::Tuple::from(all(elements)).into(),
        Term::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| (to_eetf(key), to_eetf(value)));
            eetf::Map {
                map: pairs.collect(),
            }
            .into()
        }
        Term::ExternalFun(fun) => eetf::ExternalFun {
            module: fun.0.as_str().into(),
            function: fun.1.as_str().into(),
            arity: fun.2,
        }
        .into(),
        Term::Opaque(opaque) => opaque.to_eetf(),
    }
}

fn integer_to(integer: i64) -> eetf::Term {
    match i32::try_from(integer) {
        Ok(value) => eetf::FixInteger { value }.into(),
        Err(_) => big_to(integer),
    }
}

fn big_to(integer: i64) -> eetf::Term {
    eetf::BigInteger {
        value: BigInt::from(integer),
    }
    .into()
}

fn bits_to(bytes: &[u8], used: u8) -> eetf::Term {
    let mut bytes = bytes.to_vec();
    let used = used.clamp(1, 8);
    if let Some(last) = bytes.last_mut() {
        *last >>= 8 - used;
    }
    eetf::BitBinary::from((bytes, used)).into()
}

/// The longest list that has the format of a string.
const LONGEST_STRING: usize = u16::MAX as usize;

fn string_to(text: &str) -> eetf::Term {
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    match bytes.filter(|bytes| bytes.len() <= LONGEST_STRING) {
        Some(bytes) => eetf::ByteList::from(bytes).into(),
        None => {
            let elements = text.chars().map(|c| integer_to(i64::from(u32::from(c))));
            eetf::List::from(elements.collect::<Vec<_>>()).into()
        }
    }
}

/// A negative integer in a list goes as a big one, as which the VM takes it too: `eetf` would take
/// it for a byte.
fn list_to(elements: &[Term]) -> eetf::Term {
    let element = |element: &Term| match element {
        Term::Integer(integer @ ..0) => big_to(*integer),
        other => to_eetf(other),
    };
    let looks_like_bytes = elements.iter().all(|e| matches!(e, Term::Integer(..256)));
    let converted = if looks_like_bytes {
        elements.iter().map(element).collect()
    } else {
        elements.iter().map(to_eetf).collect::<Vec<_>>()
    };
    eetf::List::from(converted).into()
}

/// The bytes of one term, checked: nothing in them crashes `eetf`.
struct Checked<'a> {
    bytes: Cow<'a, [u8]>,
    /// How many bytes of the input the term had.
    length: usize,
}

#[cfg(test)]
mod tests;
