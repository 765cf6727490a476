//! Names: atoms without quotes, reserved words, external funs.

use super::error::{Fault, ParseErrorKind, Step};
use super::{Parser, span};
use crate::term::{Atom, Term};

/// The words that are reserved in every release from OTP 25 on.
pub(in crate::term) const RESERVED: [&str; 28] = [
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case",
    "catch", "cond", "div", "end", "fun", "if", "let", "not", "of", "or", "orelse", "receive",
    "rem", "try", "when", "xor", "maybe",
];

impl<'a> Parser<'a> {
    /// An atom, or `fun m:f/1`.
    pub(super) fn name(&mut self) -> Step {
        let start = self.at;
        let name = self.scan_name();
        match name.as_bytes() {
            [] | [b'A'..=b'Z' | b'_' | b'0'..=b'9' | b'@', ..] => {
                self.at = start;
                return Err(self.unexpected());
            }
            [0xC3, 0x80..=0x9E, ..] => {
                self.at = start;
                return Err(self.fault(ParseErrorKind::Variable));
            }
            b"fun" => return self.whole(Self::fun),
            _ => {}
        }
        if is_reserved(name.as_bytes()) {
            self.at = start;
            let word = name.to_owned();
            return Err(self.fault(ParseErrorKind::ReservedWord { word }));
        }
        self.push_atom(name, start)
    }

    /// The longest name at this place; a name may be of Latin-1's letters.
    pub(super) fn scan_name(&mut self) -> &'a str {
        let start = self.at;
        loop {
            self.at += span::names(&self.bytes[self.at..]);
            match self.bytes.get(self.at..) {
                // U+00C0 to U+00FF but for the signs of multiplication and division.
                Some([0xC3, 0x80..=0x96 | 0x98..=0xB6 | 0xB8..=0xBF, ..]) => self.at += 2,
                _ => break,
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(super) fn push_atom(&mut self, name: &str, start: usize) -> Step {
        // Nothing can be wrong with a short one.
        if self.skipping && name.len() <= Atom::MAX_CHARACTERS {
            self.atoms += 1;
            return self.count();
        }
        let atom = self.atom(name, start)?;
        self.push(Term::Atom(atom))
    }

    fn atom(&mut self, name: &str, start: usize) -> Result<Atom, Box<Fault>> {
        let too_long = || Fault::illegal(start, "atom: longer than 255 characters");
        let atom = Atom::new(name).ok_or_else(too_long)?;
        self.atoms += 1;
        if let Some(distinct) = &mut self.distinct {
            if !distinct.contains(&atom) {
                distinct.insert(atom.clone());
            }
            if distinct.len() > self.limits.atoms {
                let limit = self.limits.atoms;
                return Err(self.fault(ParseErrorKind::TooManyAtoms { limit }));
            }
        }
        Ok(atom)
    }

    /// What follows `fun`: `Module:Function/Arity`.
    #[inline(never)]
    fn fun(&mut self) -> Step {
        let module = self.fun_atom()?;
        self.expect(b':')?;
        let function = self.fun_atom()?;
        self.expect(b'/')?;
        self.skip_blanks();
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.unexpected());
        }
        let start = self.at;
        self.number()?;
        let arity = self
            .stack
            .pop()
            .and_then(|arity| u8::try_from(arity.as_integer()?).ok());
        let Some(arity) = arity else {
            self.at = start;
            return Err(self.fault(ParseErrorKind::Illegal { what: "arity" }));
        };
        self.push(Term::external_fun(module, function, arity))
    }

    fn fun_atom(&mut self) -> Result<Atom, Box<Fault>> {
        self.skip_blanks();
        let start = self.at;
        match self.peek() {
            Some(b'\'') => self.quoted_atom()?,
            Some(b'a'..=b'z' | 0x80..) => self.name()?,
            _ => return Err(self.unexpected()),
        }
        match self.stack.pop() {
            Some(Term::Atom(atom)) => Ok(atom),
            _ => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }
}

/// Whether a name is an atom, and nothing can be wrong with it.
pub(super) fn is_short_atom(name: &[u8]) -> bool {
    matches!(name, [b'a'..=b'z', ..]) && name.len() <= Atom::MAX_CHARACTERS && !is_reserved(name)
}

/// Whether `name` is reserved. `maybe` is so for a writer only: OTP 25 reads it as an atom. A match
/// on bytes is a tree of comparisons, which a search in the list is not.
fn is_reserved(name: &[u8]) -> bool {
    matches!(
        name,
        b"after"
            | b"and"
            | b"andalso"
            | b"band"
            | b"begin"
            | b"bnot"
            | b"bor"
            | b"bsl"
            | b"bsr"
            | b"bxor"
            | b"case"
            | b"catch"
            | b"cond"
            | b"div"
            | b"end"
            | b"fun"
            | b"if"
            | b"let"
            | b"not"
            | b"of"
            | b"or"
            | b"orelse"
            | b"receive"
            | b"rem"
            | b"try"
            | b"when"
            | b"xor"
    )
}
