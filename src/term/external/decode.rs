//! Decodes the external format without recursion and without trusting any length in it.

use super::{ExternalError, Opaque, compressed, leaf, tag};
use crate::term::{Atom, Limits, Term};
use std::collections::HashSet;

pub(super) type Step<T> = Result<T, ExternalError>;

/// The term that `bytes` start with, and its length.
pub(super) fn prefix(bytes: &[u8], limits: &Limits) -> Step<(Term, usize)> {
    match bytes {
        [tag::VERSION, tag::COMPRESSED, ..] => {
            let (plain, length) = compressed::plain(bytes, limits)?;
            match plain_prefix(&plain, limits)? {
                (term, used) if used == plain.len() => Ok((term, length)),
                _ => Err(ExternalError::Compression),
            }
        }
        [tag::VERSION, ..] => plain_prefix(bytes, limits),
        _ => Err(ExternalError::Version),
    }
}

fn plain_prefix(bytes: &[u8], limits: &Limits) -> Step<(Term, usize)> {
    let mut decoder = Decoder::new(bytes, limits);
    let mut term = decoder.term()?;
    if decoder.atoms > limits.atoms {
        // The count includes repeated atoms; the distinct ones are counted only if it exceeds the
        // limit.
        decoder = Decoder::new(bytes, limits);
        decoder.distinct = Some(HashSet::new());
        term = decoder.term()?;
    }
    Ok((term, decoder.at))
}

/// A term whose parts are being read.
struct Open {
    kind: Kind,
    /// How many parts are left.
    parts: usize,
    /// Where on the stack its parts are.
    start: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Tuple,
    /// Its last part is its tail.
    List,
    Map,
    Export,
    /// A pid, port or reference that starts at this byte: a node, and so many bytes after it.
    OfNode(usize, usize),
    /// A closure that starts at this byte.
    Closure(usize),
}

pub(super) struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) limits: &'a Limits,
    open: Vec<Open>,
    stack: Vec<Term>,
    values: usize,
    /// The number of atoms, repeated ones included.
    pub(super) atoms: usize,
    pub(super) distinct: Option<HashSet<Atom>>,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            bytes,
            at: 1,
            limits,
            open: Vec::new(),
            stack: Vec::new(),
            values: 0,
            atoms: 0,
            distinct: None,
        }
    }

    fn term(&mut self) -> Step<Term> {
        loop {
            self.value()?;
            if self.at > self.limits.size {
                return Err(ExternalError::TooLong {
                    limit: self.limits.size,
                });
            }
            loop {
                match self.open.last_mut() {
                    None => return self.stack.pop().ok_or(ExternalError::Truncated),
                    Some(open) if open.parts > 0 => {
                        open.parts -= 1;
                        break;
                    }
                    Some(_) => self.close()?,
                }
            }
        }
    }

    /// Reads one value; of one with parts, what stands before them.
    fn value(&mut self) -> Step<()> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(ExternalError::TooManyValues {
                limit: self.limits.values,
            });
        }
        let start = self.at;
        let tag = self.byte()?;
        let term = match tag {
            tag::SMALL_TUPLE => return self.small().and_then(|n| self.parts(Kind::Tuple, n)),
            tag::LARGE_TUPLE => return self.word().and_then(|n| self.parts(Kind::Tuple, n)),
            tag::LIST => {
                return self
                    .word()
                    .and_then(|n| self.parts(Kind::List, n.saturating_add(1)));
            }
            tag::MAP => {
                return self
                    .word()
                    .and_then(|n| self.parts(Kind::Map, n.saturating_mul(2)));
            }
            tag::EXPORT => return self.parts(Kind::Export, 3),
            tag::PID => return self.parts(Kind::OfNode(start, 9), 1),
            tag::NEW_PID | tag::V4_PORT => return self.parts(Kind::OfNode(start, 12), 1),
            tag::PORT | tag::REFERENCE => return self.parts(Kind::OfNode(start, 5), 1),
            tag::NEW_PORT => return self.parts(Kind::OfNode(start, 8), 1),
            tag::NEW_REFERENCE => return self.reference(start, 1),
            tag::NEWER_REFERENCE => return self.reference(start, 4),
            tag::NEW_FUN => return self.closure(start),
            tag::NIL => Term::NIL,
            tag::SMALL_INTEGER => self.small().map(Term::from)?,
            tag::INTEGER => Term::from(i64::from(i32::from_be_bytes(self.array()?))),
            tag::SMALL_BIG => self.small().and_then(|length| self.big_integer(length))?,
            tag::LARGE_BIG => self.word().and_then(|length| self.big_integer(length))?,
            tag::NEW_FLOAT => leaf::finite(f64::from_be_bytes(self.array()?))?,
            tag::FLOAT => self.old_float()?,
            tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8 => {
                self.atom(tag)?
            }
            tag::STRING => self.string()?,
            tag::BINARY => self.word().and_then(|n| self.take(n)).map(Term::binary)?,
            tag::BIT_BINARY => self.bit_string()?,
            _ => return Err(ExternalError::Tag { tag, at: start }),
        };
        self.stack.push(term);
        Ok(())
    }

    /// Opens a term of `count` parts, each of which has at least one byte.
    fn parts(&mut self, kind: Kind, count: usize) -> Step<()> {
        if count > self.bytes.len() - self.at {
            return Err(ExternalError::Truncated);
        }
        if self.open.len() >= self.limits.nesting {
            return Err(ExternalError::TooDeep {
                limit: self.limits.nesting,
            });
        }
        self.open.push(Open {
            kind,
            parts: count,
            start: self.stack.len(),
        });
        Ok(())
    }

    /// Makes a term of the parts that were read.
    fn close(&mut self) -> Step<()> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let mut parts = self.stack.split_off(open.start);
        let term = match open.kind {
            Kind::Tuple => Term::Tuple(parts),
            Kind::List => {
                let tail = parts.pop().ok_or(ExternalError::Malformed)?;
                Term::list_with_tail(parts, tail)
            }
            Kind::Map => map(parts)?,
            Kind::Export => export(parts)?,
            Kind::OfNode(start, length) => {
                self.take(length)?;
                if parts.iter().any(|node| node.as_atom().is_none()) {
                    return Err(ExternalError::Malformed);
                }
                Term::Opaque(Opaque::new(&self.bytes[start..self.at]))
            }
            Kind::Closure(start) => self.closed(start, &parts)?,
        };
        self.stack.push(term);
        Ok(())
    }

    /// A reference, of up to five numbers in OTP.
    fn reference(&mut self, start: usize, creation: usize) -> Step<()> {
        match u16::from_be_bytes(self.array()?) {
            count @ 0..=5 => self.parts(Kind::OfNode(start, creation + 4 * usize::from(count)), 1),
            _ => Err(ExternalError::Malformed),
        }
    }

    /// Size, arity, digest and index of a closure, and how many free variables; its parts are the
    /// module, two integers, a pid and the variables.
    fn closure(&mut self, start: usize) -> Step<()> {
        self.take(4 + 1 + 16 + 4)?;
        let variables = self.word()?;
        self.parts(Kind::Closure(start), variables.saturating_add(4))
    }

    fn closed(&self, start: usize, parts: &[Term]) -> Step<Term> {
        let sound = matches!(
            parts,
            [Term::Atom(_), Term::Integer(_), Term::Integer(_), Term::Opaque(pid), ..]
                if pid.kind() == "#Pid<>"
        );
        if !sound {
            return Err(ExternalError::Malformed);
        }
        Ok(Term::Opaque(Opaque::new(&self.bytes[start..self.at])))
    }

    pub(super) fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or(ExternalError::Truncated)?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N)?
            .try_into()
            .map_err(|_| ExternalError::Truncated)
    }

    pub(super) fn byte(&mut self) -> Step<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A number of 8 bits.
    pub(super) fn small(&mut self) -> Step<usize> {
        self.byte().map(usize::from)
    }

    /// A number of 32 bits.
    pub(super) fn word(&mut self) -> Step<usize> {
        self.array().map(|word| u32::from_be_bytes(word) as usize)
    }
}

fn map(parts: Vec<Term>) -> Step<Term> {
    let count = parts.len() / 2;
    let mut parts = parts.into_iter();
    let mut pairs = Vec::with_capacity(count);
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        pairs.push((key, value));
    }
    match Term::map(pairs) {
        Term::Map(pairs) if pairs.len() == count => Ok(Term::Map(pairs)),
        _ => Err(ExternalError::Malformed),
    }
}

fn export(parts: Vec<Term>) -> Step<Term> {
    match &parts[..] {
        [
            Term::Atom(module),
            Term::Atom(function),
            Term::Integer(arity),
        ] => u8::try_from(*arity)
            .map(|arity| Term::external_fun(module.clone(), function.clone(), arity))
            .map_err(|_| ExternalError::Malformed),
        _ => Err(ExternalError::Malformed),
    }
}
