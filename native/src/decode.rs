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
/// shapes of the engine's functions wrap around it.
pub const MAX_NESTING: usize = 256 + 32;

/// Any term.
pub struct Value(pub Term);

impl<'a> Decoder<'a> for Value {
    fn decode(term: rustler::Term<'a>) -> NifResult<Self> {
        value(term).map(Self)
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

fn value(root: rustler::Term<'_>) -> NifResult<Term> {
    let mut open: Vec<Container> = Vec::new();
    let mut term = root;
    loop {
        match Container::new(term)? {
            Some(_) if open.len() == MAX_NESTING => return Err(Error::BadArg),
            Some(container) => open.push(container),
            None => match open.last_mut() {
                Some(parent) => parent.items.push(leaf(term)?),
                None => return leaf(term),
            },
        }
        term = loop {
            let Some(container) = open.last_mut() else {
                return Err(Error::BadArg);
            };
            if let Some(next) = container.left.next() {
                break next;
            }
            let Some(closed) = open.pop().and_then(Container::close) else {
                return Err(Error::BadArg);
            };
            match open.last_mut() {
                Some(parent) => parent.items.push(closed),
                None => return Ok(closed),
            }
        };
    }
}

/// A term whose items are being read. Kept on the heap: how deep a term nests is its maker's choice.
struct Container<'a> {
    kind: Kind,
    left: std::vec::IntoIter<rustler::Term<'a>>,
    items: Vec<Term>,
}

enum Kind {
    List,
    ImproperList,
    Tuple,
    Map,
}

impl<'a> Container<'a> {
    /// `None` where `term` has no items, or is a string.
    fn new(term: rustler::Term<'a>) -> NifResult<Option<Self>> {
        let (kind, items) = match term.get_type() {
            TermType::List if text(term).is_none() => list(term),
            TermType::Tuple => (Kind::Tuple, get_tuple(term)?),
            TermType::Map => {
                let pairs = MapIterator::new(term).ok_or(Error::BadArg)?;
                (
                    Kind::Map,
                    pairs.flat_map(|(key, value)| [key, value]).collect(),
                )
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            kind,
            items: Vec::with_capacity(items.len()),
            left: items.into_iter(),
        }))
    }

    fn close(mut self) -> Option<Term> {
        Some(match self.kind {
            Kind::List => Term::List(self.items),
            Kind::ImproperList => {
                let tail = self.items.pop()?;
                Term::ImproperList(Box::new((self.items, tail)))
            }
            Kind::Tuple => Term::Tuple(self.items),
            Kind::Map => {
                let mut items = self.items.into_iter();
                Term::Map(std::iter::from_fn(|| items.next().zip(items.next())).collect())
            }
        })
    }
}

fn leaf(term: rustler::Term<'_>) -> NifResult<Term> {
    match term.get_type() {
        TermType::Atom => atom(term),
        TermType::Integer => integer(term),
        TermType::Float => term.decode().map(Term::Float),
        TermType::Binary if term.is_binary() => {
            Ok(Term::Binary(Binary::from_term(term)?.as_slice().to_vec()))
        }
        TermType::List => text(term)
            .map(|text| Term::String(text.into()))
            .ok_or(Error::BadArg),
        _ => external(term),
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

fn list(term: rustler::Term<'_>) -> (Kind, Vec<rustler::Term<'_>>) {
    let mut items = Vec::new();
    let mut rest = term;
    while let Ok((head, tail)) = rest.list_get_cell() {
        items.push(head);
        rest = tail;
    }
    if rest.is_empty_list() {
        return (Kind::List, items);
    }
    items.push(rest);
    (Kind::ImproperList, items)
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
