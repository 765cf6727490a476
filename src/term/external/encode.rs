//! Terms into the external format.

use super::tag;
use crate::term::{Atom, Term};
use num_bigint::{BigInt, Sign};

/// The longest list that has the format of a string.
const LONGEST_STRING: usize = u16::MAX as usize;

/// Appends `term`, without the version byte.
pub(super) fn write(out: &mut Vec<u8>, term: &Term) {
    match term {
        Term::Atom(name) => atom(out, name),
        Term::Integer(value) => integer(out, *value),
        Term::BigInteger(value) => big_integer(out, value),
        Term::Float(value) => {
            out.push(tag::NEW_FLOAT);
            out.extend(value.to_be_bytes());
        }
        Term::Binary(bytes) => {
            counted(out, tag::BINARY, bytes.len());
            out.extend(bytes);
        }
        Term::BitString(bytes, used) => {
            counted(out, tag::BIT_BINARY, bytes.len());
            out.push(*used);
            out.extend(bytes);
        }
        Term::String(text) => string(out, text),
        Term::List(elements) => list(out, elements),
        Term::ImproperList(list) => {
            counted(out, tag::LIST, list.0.len());
            all(out, &list.0);
            write(out, &list.1);
        }
        Term::Tuple(elements) => {
            match u8::try_from(elements.len()) {
                Ok(count) => out.extend([tag::SMALL_TUPLE, count]),
                Err(_) => counted(out, tag::LARGE_TUPLE, elements.len()),
            }
            all(out, elements);
        }
        Term::Map(pairs) => {
            counted(out, tag::MAP, pairs.len());
            for (key, value) in pairs {
                write(out, key);
                write(out, value);
            }
        }
        Term::ExternalFun(fun) => {
            out.push(tag::EXPORT);
            atom(out, &fun.0);
            atom(out, &fun.1);
            out.extend([tag::SMALL_INTEGER, fun.2]);
        }
        Term::Opaque(opaque) => out.extend(opaque.external().get(1..).unwrap_or_default()),
    }
}

fn all(out: &mut Vec<u8>, terms: &[Term]) {
    for term in terms {
        write(out, term);
    }
}

/// A tag and a number of 32 bits. No term in memory has more parts than that.
fn counted(out: &mut Vec<u8>, tag: u8, count: usize) {
    out.push(tag);
    out.extend((count as u32).to_be_bytes());
}

pub(super) fn atom(out: &mut Vec<u8>, atom: &Atom) {
    let name = atom.as_str().as_bytes();
    match u8::try_from(name.len()) {
        Ok(length) => out.extend([tag::SMALL_ATOM_UTF8, length]),
        Err(_) => {
            out.push(tag::ATOM_UTF8);
            // At most 255 characters of four bytes.
            out.extend((name.len() as u16).to_be_bytes());
        }
    }
    out.extend(name);
}

fn integer(out: &mut Vec<u8>, value: i64) {
    if let Ok(small) = u8::try_from(value) {
        out.extend([tag::SMALL_INTEGER, small]);
    } else if let Ok(value) = i32::try_from(value) {
        out.push(tag::INTEGER);
        out.extend(value.to_be_bytes());
    } else {
        big_integer(out, &BigInt::from(value));
    }
}

fn big_integer(out: &mut Vec<u8>, value: &BigInt) {
    let (sign, digits) = value.to_bytes_le();
    match u8::try_from(digits.len()) {
        Ok(length) => out.extend([tag::SMALL_BIG, length]),
        Err(_) => counted(out, tag::LARGE_BIG, digits.len()),
    }
    out.push(u8::from(sign == Sign::Minus));
    out.extend(digits);
}

fn string(out: &mut Vec<u8>, text: &str) {
    let bytes: Option<Vec<u8>> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect();
    match bytes {
        Some(bytes) if bytes.len() <= LONGEST_STRING => {
            out.push(tag::STRING);
            out.extend((bytes.len() as u16).to_be_bytes());
            out.extend(bytes);
        }
        _ => {
            counted(out, tag::LIST, text.chars().count());
            for character in text.chars() {
                integer(out, i64::from(u32::from(character)));
            }
            out.push(tag::NIL);
        }
    }
}

fn list(out: &mut Vec<u8>, elements: &[Term]) {
    let byte = |element: &Term| {
        element
            .as_integer()
            .and_then(|value| u8::try_from(value).ok())
    };
    if elements.is_empty() {
        out.push(tag::NIL);
    } else if elements.len() <= LONGEST_STRING && elements.iter().all(|e| byte(e).is_some()) {
        out.push(tag::STRING);
        out.extend((elements.len() as u16).to_be_bytes());
        out.extend(elements.iter().filter_map(byte));
    } else {
        counted(out, tag::LIST, elements.len());
        all(out, elements);
        out.push(tag::NIL);
    }
}
