//! Terms in the external format, version 131, as `term_to_binary/1` and the distribution protocol
//! have it.
//!
//! Our own, because this runs inside of the VM on bytes that anybody may have made. The `eetf` crate
//! recurses: at 256 levels it needs more stack than a dirty scheduler has. It also allocates what a
//! length on the wire says, panics at some tags and sizes, takes atoms in Latin-1 for UTF-8, reads
//! floats of old with half of their digits, and writes `[1,-1]` as `[1,255]`.

mod compressed;
mod decode;
mod encode;
mod error;
mod leaf;
mod opaque;

use super::{Limits, Term};

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
    decode::prefix(bytes, limits)
}

/// Encodes `term`, with the version byte.
pub fn encode(term: &Term) -> Vec<u8> {
    let mut bytes = vec![tag::VERSION];
    encode::write(&mut bytes, term);
    bytes
}

/// The tags, as the chapter "External Term Format" of ERTS names them.
mod tag {
    pub const VERSION: u8 = 131;
    pub const COMPRESSED: u8 = 80;
    pub const NEW_FLOAT: u8 = 70;
    pub const BIT_BINARY: u8 = 77;
    pub const NEW_PID: u8 = 88;
    pub const NEW_PORT: u8 = 89;
    pub const NEWER_REFERENCE: u8 = 90;
    pub const SMALL_INTEGER: u8 = 97;
    pub const INTEGER: u8 = 98;
    pub const FLOAT: u8 = 99;
    pub const ATOM: u8 = 100;
    pub const REFERENCE: u8 = 101;
    pub const PORT: u8 = 102;
    pub const PID: u8 = 103;
    pub const SMALL_TUPLE: u8 = 104;
    pub const LARGE_TUPLE: u8 = 105;
    pub const NIL: u8 = 106;
    pub const STRING: u8 = 107;
    pub const LIST: u8 = 108;
    pub const BINARY: u8 = 109;
    pub const SMALL_BIG: u8 = 110;
    pub const LARGE_BIG: u8 = 111;
    pub const NEW_FUN: u8 = 112;
    pub const EXPORT: u8 = 113;
    pub const NEW_REFERENCE: u8 = 114;
    pub const SMALL_ATOM: u8 = 115;
    pub const MAP: u8 = 116;
    pub const ATOM_UTF8: u8 = 118;
    pub const SMALL_ATOM_UTF8: u8 = 119;
    pub const V4_PORT: u8 = 120;
}

#[cfg(test)]
mod tests;
