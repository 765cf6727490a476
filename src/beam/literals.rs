//! The literals of a module: terms that its code holds ready-made.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

use super::chunks::number;
use super::{Chunk, Chunks, MAX_BYTES};
use crate::term::{Limits, Term, external};

/// The table of literals, unpacked; none where there is none, or where it cannot be read.
pub fn literals(chunks: &Chunks<'_>) -> Option<Vec<u8>> {
    let table = chunks.get(Chunk::LitT)?;
    let (size, packed) = (number(table)?, table.get(4..)?);
    // OTP 28 does not pack it any more.
    if size == 0 {
        return Some(packed.to_vec());
    }
    let mut unpacked = Vec::new();
    let mut decoder = ZlibDecoder::new(packed).take(MAX_BYTES);
    decoder.read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

/// The terms of an unpacked table, up to the first that cannot be read.
pub fn terms(table: &[u8]) -> impl Iterator<Item = Term> {
    let mut rest = table.get(4..).unwrap_or_default();
    std::iter::from_fn(move || {
        let size = number(rest)?;
        let term = rest.get(4..size.checked_add(4)?)?;
        rest = rest.get(size + 4..)?;
        external::decode(term, &Limits::default()).ok()
    })
}
