//! What can be wrong with a text, and where.

use super::Parser;
use crate::term::Term;
use thiserror::Error;

/// The result of reading a piece: the piece is on the parser's stack.
pub(super) type Step = Result<(), Box<Fault>>;

/// An error at a byte of the text; made a [`ParseError`] when it leaves the parser. In a box, for every
/// piece returns room for one.
#[derive(Debug)]
pub(super) struct Fault {
    at: usize,
    kind: ParseErrorKind,
}

impl Fault {
    #[cold]
    pub(super) fn new(at: usize, kind: ParseErrorKind) -> Box<Self> {
        Box::new(Self { at, kind })
    }

    #[cold]
    pub(super) fn illegal(at: usize, what: &'static str) -> Box<Self> {
        Self::new(at, ParseErrorKind::Illegal { what })
    }
}

/// Why a text is not a sequence of terms, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseErrorKind {
    /// More bytes than the limit.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Terms nested deeper than the limit.
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More distinct atoms than the limit.
    #[error("more than {limit} atoms")]
    TooManyAtoms {
        /// The limit.
        limit: usize,
    },
    /// More values than the limit.
    #[error("more than {limit} values")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// Bytes that are no UTF-8, in a file that does not say that it is Latin-1.
    #[error("not UTF-8 (a file in Latin-1 says `%% coding: latin-1` in its first two lines)")]
    NotUtf8,
    /// A character that no token starts with, or that does not go on what stands before it.
    #[error("unexpected {found:?}")]
    Unexpected {
        /// The character.
        found: char,
    },
    /// The text ends inside of a term, or before its dot.
    #[error("unexpected end: the last term is not finished, or its dot is missing")]
    UnexpectedEnd,
    /// A quoted atom, string or sigil without its closing quote.
    #[error("unterminated {what}")]
    Unterminated {
        /// What is not terminated.
        what: &'static str,
    },
    /// A name that is a variable: terms have none.
    #[error("a variable is no term")]
    Variable,
    /// An unquoted reserved word.
    #[error("reserved word `{word}` must be quoted to be an atom")]
    ReservedWord {
        /// The word.
        word: String,
    },
    /// A token or construct that is malformed or has no value.
    #[error("illegal {what}")]
    Illegal {
        /// What is wrong.
        what: &'static str,
    },
}

impl ParseError {
    pub(super) fn at_start(kind: ParseErrorKind) -> Self {
        Self {
            line: 1,
            column: 1,
            kind,
        }
    }

    pub(super) fn locate(text: &str, fault: &Fault) -> Self {
        let before = text.as_bytes().get(..fault.at).unwrap_or(text.as_bytes());
        Self::after(before, fault.kind.clone())
    }

    /// The error at the end of `before`, which may be no UTF-8.
    pub(super) fn after(before: &[u8], kind: ParseErrorKind) -> Self {
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let is_character_start = |byte: &&u8| **byte & 0xC0 != 0x80;
        let column = before[line_start..]
            .iter()
            .filter(is_character_start)
            .count()
            + 1;
        Self {
            line: newlines + 1,
            column,
            kind,
        }
    }

    /// `{Line, Column, Why}`, where `Why` is a binary that a person can read.
    pub fn reason(&self) -> Term {
        let why = Term::binary(self.kind.to_string());
        Term::tuple([Term::from(self.line), Term::from(self.column), why])
    }
}

impl Parser<'_> {
    pub(super) fn fault(&self, kind: ParseErrorKind) -> Box<Fault> {
        Fault::new(self.at, kind)
    }

    /// What is at this place does not belong there.
    #[cold]
    pub(super) fn unexpected(&self) -> Box<Fault> {
        self.fault(match self.character_here() {
            Some(found) => ParseErrorKind::Unexpected { found },
            None => ParseErrorKind::UnexpectedEnd,
        })
    }

    /// What was just read (an ASCII character, else nothing was) does not belong there.
    #[cold]
    pub(super) fn unexpected_before(&mut self) -> Box<Fault> {
        self.at -= 1;
        self.unexpected()
    }
}
