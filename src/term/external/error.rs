//! What can be wrong with a term in the external format.

use crate::term::Term;
use thiserror::Error;

/// Why bytes are no term in the external format, or none that is taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExternalError {
    /// They do not start with the version byte 131.
    #[error("not in the external term format, version 131")]
    Version,
    /// They end inside of a term.
    #[error("ends inside of a term")]
    Truncated,
    /// There is more than one term.
    #[error("more after the term, at byte {at}")]
    Trailing {
        /// Where the term ends.
        at: usize,
    },
    /// A tag that no OTP of today sends, or that has no place there.
    #[error("unknown tag {tag} at byte {at}")]
    Tag {
        /// The tag.
        tag: u8,
        /// Its place, after decompression.
        at: usize,
    },
    /// The parts of a term do not fit together.
    #[error("malformed term")]
    Malformed,
    /// The compressed data are broken, or not as long as they say.
    #[error("broken compression")]
    Compression,
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
    /// An integer of more bytes than the limit.
    #[error("an integer of more than {limit} bytes")]
    TooLargeInteger {
        /// The limit.
        limit: usize,
    },
}

impl ExternalError {
    /// `{bad_external_term, Why}`, where `Why` is a binary that a person can read.
    pub fn reason(&self) -> Term {
        Term::tuple([
            Term::atom("bad_external_term"),
            Term::binary(self.to_string()),
        ])
    }
}
