//! Reads terms from text: what `file:consult/1` takes, of any OTP from 25 on.
//!
//! Where the releases differ, what only one of them takes is taken as that one does: OTP 27's
//! triple-quoted strings and sigils, OTP 28's based floats, OTP 25's adjacent strings without white
//! space between them and its atoms `maybe` and `else`. Where the same text means two things, the
//! newer release counts: `"""` opens a triple-quoted string, `\^?` is delete.
//!
//! One pass over the bytes, no tokens; finished terms go to one stack, from which a container takes
//! its elements when it ends. A line is counted only for an error.

mod binary;
mod container;
mod encoding;
mod error;
mod name;
mod number;
mod outline;
mod plain;
mod quoted;
mod segment;
mod span;
mod triple;

pub(super) use encoding::is_latin1;
pub(super) use name::RESERVED;

use super::{Limits, Term};
use std::collections::HashSet;

use error::Step;
pub use error::{ParseError, ParseErrorKind};
pub use outline::{Choice, Keep};

/// Reads the terms of a file, each ended by a dot.
///
/// # Errors
/// The first place where the text is not what `file:consult/1` would take, or exceeds a limit.
pub fn parse_all(bytes: &[u8], limits: &Limits) -> Result<Vec<Term>, ParseError> {
    parse_file(bytes, limits, None)
}

/// As [`parse_all`], but of the entries in the list in a tuple that is a term, as those of a `.app`
/// file, only what `choice` says of their keys is kept. An empty tuple takes the place of the others.
///
/// # Errors
/// As [`parse_all`]: the whole text is checked.
pub fn outline(bytes: &[u8], limits: &Limits, choice: Choice) -> Result<Vec<Term>, ParseError> {
    parse_file(bytes, limits, Some(choice))
}

/// Reads one term, which may end in a dot.
///
/// # Errors
/// As [`parse_all`], and where there is not exactly one term.
pub fn parse(text: &str) -> Result<Term, ParseError> {
    let limits = Limits::default();
    let mut parser = Parser::new(text, &limits);
    let mut one = || {
        parser.term(1)?;
        parser.skip_blanks();
        if parser.peek() == Some(b'.') {
            parser.at += 1;
        }
        parser.skip_blanks();
        parser.peek().map_or(Ok(()), |_| Err(parser.unexpected()))
    };
    one().map_err(|fault| ParseError::locate(text, &fault))?;
    parser
        .stack
        .pop()
        .ok_or_else(|| ParseError::at_start(ParseErrorKind::UnexpectedEnd))
}

fn parse_file(
    bytes: &[u8],
    limits: &Limits,
    choice: Option<Choice>,
) -> Result<Vec<Term>, ParseError> {
    if bytes.len() > limits.size {
        return Err(ParseError::at_start(ParseErrorKind::TooLong {
            limit: limits.size,
        }));
    }
    let text = encoding::decode(bytes)?;
    let mut parser = Parser::new(&text, limits);
    parser.choice = choice;
    let mut result = parser.terms();
    if result.is_ok() && parser.atoms > limits.atoms {
        // Too many atoms, but maybe not too many distinct ones: only then is it worth to tell.
        parser = Parser::new(&text, limits);
        parser.distinct = Some(HashSet::new());
        result = parser.terms();
    }
    result.map_err(|fault| ParseError::locate(&text, &fault))?;
    Ok(parser.stack)
}

/// The reader's state. A method that reads a term leaves it on the stack.
struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The byte that is read next.
    at: usize,
    limits: &'a Limits,
    stack: Vec<Term>,
    /// How many values were read.
    values: usize,
    /// How many atoms were read, the same one twice counting twice.
    atoms: usize,
    /// The atoms met so far, where it matters which.
    distinct: Option<HashSet<super::Atom>>,
    /// Which entries are kept, where this is an outline.
    choice: Option<Choice>,
    /// Whether what is read is counted and not kept: it does not come to the stack.
    skipping: bool,
    /// Where the last string literal ended: in a binary, `"ab"` and `[97,98]` differ.
    literal_end: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            limits,
            // What it would mostly grow to.
            stack: Vec::with_capacity(32),
            values: 0,
            atoms: 0,
            distinct: None,
            choice: None,
            skipping: false,
            literal_end: usize::MAX,
        }
    }

    /// Terms with their dots, up to the end.
    fn terms(&mut self) -> Step {
        loop {
            self.skip_blanks();
            if self.at == self.bytes.len() {
                return Ok(());
            }
            self.term(1)?;
            self.skip_blanks();
            self.dot()?;
        }
    }

    /// A dot, and the blank, comment or end of text that makes it one.
    fn dot(&mut self) -> Step {
        if self.peek() != Some(b'.') {
            return Err(self.unexpected());
        }
        self.at += 1;
        match self.peek() {
            None | Some(b'%') => Ok(()),
            Some(_) if self.blank() > 0 => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// One term, `nesting` deep.
    fn term(&mut self, nesting: usize) -> Step {
        self.skip_blanks();
        match self.peek() {
            Some(b'a'..=b'z') => self.name(),
            Some(b'{') => match self.choice {
                Some(choice) if nesting == outline::ENTRY => self.entry(choice),
                _ => self.tuple(nesting),
            },
            Some(b'[') => self.list(nesting),
            Some(b'"') => self.strings(),
            Some(b'0'..=b'9') => self.number(),
            Some(b'\'') => self.quoted_atom(),
            Some(b'<') => self.whole(|parser| parser.bit_string(nesting)),
            Some(b'-' | b'+') => self.signed(),
            Some(b'$') => self.character(),
            Some(b'#') => self.map(nesting),
            Some(b'~') => self.sigil(),
            Some(b'(') => self.parenthesised(nesting),
            Some(0x80..) => self.name(),
            _ => Err(self.unexpected()),
        }
    }

    /// Leaves a term on the stack, unless what is read is not kept.
    #[inline]
    fn push(&mut self, term: Term) -> Step {
        self.count()?;
        if !self.skipping {
            self.stack.push(term);
        }
        Ok(())
    }

    /// Counts a value.
    #[inline]
    fn count(&mut self) -> Step {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.fault(ParseErrorKind::TooManyValues {
                limit: self.limits.values,
            }));
        }
        Ok(())
    }

    fn nest(&self, nesting: usize) -> Step {
        if nesting > self.limits.nesting {
            return Err(self.fault(ParseErrorKind::TooDeep {
                limit: self.limits.nesting,
            }));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The character at this place.
    fn character_here(&self) -> Option<char> {
        self.text
            .get(self.at..)
            .and_then(|rest| rest.chars().next())
    }

    fn next_after_blanks(&mut self) -> Option<u8> {
        self.skip_blanks();
        let next = self.peek();
        self.at += 1;
        next
    }

    fn take_after_blanks(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Step {
        if self.take_after_blanks(byte) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Skips white space and comments.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(0..=b' ') => self.at += span::blanks(&self.bytes[self.at..]),
                Some(b'%') => self.skip_comment(),
                Some(0xC2) if self.blank() == 2 => self.at += 2,
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
    }

    /// How many bytes the white space character at this place has; 0 where there is none. Erlang's
    /// white space is all of U+0000 to U+0020 and U+0080 to U+00A0.
    fn blank(&self) -> usize {
        match self.bytes.get(self.at..) {
            Some([0..=b' ', ..]) => 1,
            Some([0xC2, 0x80..=0xA0, ..]) => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
