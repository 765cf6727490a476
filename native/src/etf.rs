//! The few external formats of single terms for which the NIF interface has no function: atoms
//! outside of Latin-1, big integers, bit strings, external funs, and as they are the terms that only
//! a node knows. Nothing nested.

#![forbid(unsafe_code)]

use erlrc::term::external::Opaque;
use erlrc::term::{Atom, Term};
use num_bigint::{BigInt, Sign};

const VERSION: u8 = 131;
const ATOM: u8 = 100;
const SMALL_ATOM: u8 = 115;
const ATOM_UTF8: u8 = 118;
const SMALL_ATOM_UTF8: u8 = 119;
const SMALL_INTEGER: u8 = 97;
const SMALL_BIG: u8 = 110;
const LARGE_BIG: u8 = 111;
const BIT_BINARY: u8 = 77;
const EXPORT: u8 = 113;

/// An atom.
pub fn atom(atom: &Atom) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    push_atom(&mut bytes, atom);
    bytes
}

/// An integer; `None` where it is longer than the format allows.
pub fn big_integer(integer: &BigInt) -> Option<Vec<u8>> {
    let (sign, digits) = integer.to_bytes_le();
    let mut bytes = vec![VERSION, LARGE_BIG];
    bytes.extend(u32::try_from(digits.len()).ok()?.to_be_bytes());
    bytes.push(u8::from(sign == Sign::Minus));
    bytes.extend(digits);
    Some(bytes)
}

/// A bit string of which `bits` of the last byte count; `None` where it is longer than the format
/// allows.
pub fn bit_string(data: &[u8], bits: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![VERSION, BIT_BINARY];
    bytes.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
    bytes.push(bits);
    bytes.extend(data);
    Some(bytes)
}

/// `fun module:function/arity`.
pub fn external_fun(module: &Atom, function: &Atom, arity: u8) -> Vec<u8> {
    let mut bytes = vec![VERSION, EXPORT];
    push_atom(&mut bytes, module);
    push_atom(&mut bytes, function);
    bytes.extend([SMALL_INTEGER, arity]);
    bytes
}

/// Reads the single term of `bytes`, made by the VM.
pub fn read(bytes: &[u8]) -> Option<Term> {
    let (&version, rest) = bytes.split_first()?;
    let (&tag, rest) = rest.split_first()?;
    match (version, tag) {
        (VERSION, SMALL_BIG) => rest.get(1..).and_then(read_big_integer),
        (VERSION, LARGE_BIG) => rest.get(4..).and_then(read_big_integer),
        (VERSION, BIT_BINARY) => {
            let (_, rest) = rest.split_first_chunk::<4>()?;
            let (&bits, data) = rest.split_first()?;
            Some(Term::BitString(data.to_vec(), bits))
        }
        (VERSION, EXPORT) => {
            let (module, rest) = read_atom(rest)?;
            let (function, rest) = read_atom(rest)?;
            match rest {
                &[SMALL_INTEGER, arity] => Some(Term::external_fun(module, function, arity)),
                _ => None,
            }
        }
        (VERSION, ATOM | SMALL_ATOM | ATOM_UTF8 | SMALL_ATOM_UTF8) => {
            read_atom(bytes.get(1..)?).map(|(atom, _)| Term::Atom(atom))
        }
        (VERSION, _) => Some(Term::Opaque(Opaque::from_external(bytes))),
        _ => None,
    }
}

fn read_big_integer(bytes: &[u8]) -> Option<Term> {
    let (&sign, digits) = bytes.split_first()?;
    let sign = if sign == 0 { Sign::Plus } else { Sign::Minus };
    Some(Term::BigInteger(Box::new(BigInt::from_bytes_le(
        sign, digits,
    ))))
}

fn push_atom(bytes: &mut Vec<u8>, atom: &Atom) {
    let text = atom.as_str().as_bytes();
    bytes.push(ATOM_UTF8);
    // At most 255 characters of at most four bytes each.
    bytes.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(text);
}

fn read_atom(bytes: &[u8]) -> Option<(Atom, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (length, rest) = match tag {
        SMALL_ATOM | SMALL_ATOM_UTF8 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        ATOM | ATOM_UTF8 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (text, rest) = rest.split_at_checked(length)?;
    let atom = if matches!(tag, ATOM | SMALL_ATOM) {
        Atom::new(&text.iter().copied().map(char::from).collect::<String>())
    } else {
        Atom::new(std::str::from_utf8(text).ok()?)
    };
    Some((atom?, rest))
}
