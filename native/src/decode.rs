//! Arguments out of the VM. What cannot be an argument is a `badarg`, never a panic.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use erlrc::term::{Atom, Term};
use rustler::types::list::ListIterator;
use rustler::types::map::MapIterator;
use rustler::types::tuple::get_tuple;
use rustler::{Binary, Decoder, Error, NifResult, TermType};

use crate::etf;

/// How deep an argument or an answer may nest: what the core accepts in a file, and what the
/// shapes of the engine's functions wrap around it. The stack of a dirty scheduler is small.
pub const MAX_NESTING: usize = 256 + 32;

/// Any term but pids, ports, references and closures.
pub struct Value(pub Term);

impl<'a> Decoder<'a> for Value {
    fn decode(term: rustler::Term<'a>) -> NifResult<Self> {
        value(term, MAX_NESTING).map(Self)
    }
}

/// A file or directory, given as a binary or as a string.
pub struct Path(pub PathBuf);

impl<'a> Decoder<'a> for Path {
    fn decode(term: rustler::Term<'a>) -> NifResult<Self> {
        let bytes = if let Ok(binary) = term.decode::<Binary>() {
            binary.as_slice().to_vec()
        } else {
            string(term)?.into_bytes()
        };
        // What the operating system would take for the end of the name.
        if bytes.contains(&0) {
            return Err(Error::BadArg);
        }
        Ok(Self(PathBuf::from(OsStr::from_bytes(&bytes))))
    }
}

/// Text, given as a string or as a UTF-8 binary.
pub struct Text(pub String);

impl<'a> Decoder<'a> for Text {
    fn decode(term: rustler::Term<'a>) -> NifResult<Self> {
        match term.decode::<&str>() {
            Ok(text) => Ok(Self(text.to_owned())),
            Err(_) => string(term).map(Self),
        }
    }
}

// Recursion is as deep as the term, which is why `depth` levels are all there may be.
fn value(term: rustler::Term<'_>, depth: usize) -> NifResult<Term> {
    let inside = depth.checked_sub(1).ok_or(Error::BadArg)?;
    match term.get_type() {
        TermType::Atom => atom(term),
        TermType::Integer => integer(term),
        TermType::Float => term.decode().map(Term::Float),
        TermType::Binary if term.is_binary() => {
            Ok(Term::Binary(Binary::from_term(term)?.as_slice().to_vec()))
        }
        TermType::List => list(term, inside),
        TermType::Tuple => {
            let items = get_tuple(term)?.into_iter().map(|item| value(item, inside));
            items.collect::<NifResult<_>>().map(Term::Tuple)
        }
        TermType::Map => {
            let pairs = MapIterator::new(term).ok_or(Error::BadArg)?;
            let pairs = pairs.map(|(key, val)| Ok((value(key, inside)?, value(val, inside)?)));
            pairs.collect::<NifResult<_>>().map(Term::Map)
        }
        // A bit string or a fun; a closure fails in `read`.
        TermType::Binary | TermType::Fun => external(term),
        TermType::Pid | TermType::Port | TermType::Ref | TermType::Unknown => Err(Error::BadArg),
    }
}

fn atom(term: rustler::Term<'_>) -> NifResult<Term> {
    match term.atom_to_string() {
        Ok(text) => Atom::new(&text).map(Term::Atom).ok_or(Error::BadArg),
        // Outside of Latin-1.
        Err(_) => external(term),
    }
}

fn integer(term: rustler::Term<'_>) -> NifResult<Term> {
    if let Ok(integer) = term.decode::<i64>() {
        return Ok(Term::Integer(integer));
    }
    external(term)
}

fn external(term: rustler::Term<'_>) -> NifResult<Term> {
    etf::read(&term.to_binary()).ok_or(Error::BadArg)
}

fn list(term: rustler::Term<'_>, depth: usize) -> NifResult<Term> {
    if let Some(text) = text(term) {
        return Ok(Term::String(text.into()));
    }
    let mut items = Vec::new();
    let mut rest = term;
    while let Ok((head, tail)) = rest.list_get_cell() {
        items.push(value(head, depth)?);
        rest = tail;
    }
    if rest.is_empty_list() {
        return Ok(Term::List(items));
    }
    Ok(Term::ImproperList(items, Box::new(value(rest, depth)?)))
}

fn string(term: rustler::Term<'_>) -> NifResult<String> {
    if term.is_empty_list() {
        Ok(String::new())
    } else {
        text(term).ok_or(Error::BadArg)
    }
}

/// The text of a non-empty proper list of nothing but characters.
fn text(term: rustler::Term<'_>) -> Option<String> {
    // The iterator panics at the end of an improper list, the length is there for proper ones only.
    if term.is_empty_list() || term.list_length().is_err() {
        return None;
    }
    let characters = ListIterator::decode(term).ok()?;
    characters
        .map(|item| item.decode::<u32>().ok().and_then(char::from_u32))
        .collect()
}
