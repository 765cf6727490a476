//! The atom table of a module, in its three encodings.

use std::borrow::Cow;

use super::BeamError;
use super::chunks::{Chunk, Chunks};

/// The atoms of a module. The first is its name; numbers start at 1.
#[derive(Clone, Debug)]
pub struct AtomTable<'a> {
    texts: Vec<&'a [u8]>,
    latin1: bool,
    chunk: Chunk,
}

impl<'a> AtomTable<'a> {
    /// The atoms of `chunks`: `AtU8`, or `Atom` where there is none.
    pub fn parse(chunks: &Chunks<'a>) -> Result<Self, BeamError> {
        let (chunk, bytes) = match (chunks.get(Chunk::AtU8), chunks.get(Chunk::Atom)) {
            (Some(bytes), _) => (Chunk::AtU8, bytes),
            (None, Some(bytes)) => (Chunk::Atom, bytes),
            (None, None) => return Err(BeamError::MissingChunk { chunk: "AtU8" }),
        };
        let bad = BeamError::BadChunk {
            chunk: chunk.name(),
        };
        let texts = texts(bytes).ok_or(bad)?;
        Ok(Self {
            texts,
            latin1: chunk == Chunk::Atom,
            chunk,
        })
    }

    /// How many atoms there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The name of the module.
    pub fn module(&self) -> Result<Cow<'a, str>, BeamError> {
        self.get(1)
    }

    /// The atom of a number.
    pub fn get(&self, number: usize) -> Result<Cow<'a, str>, BeamError> {
        let text = number
            .checked_sub(1)
            .and_then(|index| self.texts.get(index));
        text.and_then(|text| self.decode(text))
            .ok_or(BeamError::BadChunk {
                chunk: self.chunk.name(),
            })
    }

    /// Every atom, those left out that are no text.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'a, str>> + '_ {
        self.texts.iter().filter_map(|text| self.decode(text))
    }

    /// The bytes of every atom, in the encoding of the table, in the order of their numbers.
    pub fn bytes(&self) -> &[&'a [u8]] {
        &self.texts
    }

    fn decode(&self, text: &'a [u8]) -> Option<Cow<'a, str>> {
        if self.latin1 && !text.is_ascii() {
            return Some(Cow::Owned(
                text.iter().map(|&byte| char::from(byte)).collect(),
            ));
        }
        let text = std::str::from_utf8(text).ok()?;
        (text.len() <= 255 || text.chars().count() <= 255).then_some(Cow::Borrowed(text))
    }
}

/// OTP 28 and later write the count negated and each length as a compact integer.
fn texts(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = bytes.split_first_chunk::<4>()?;
    let count = i32::from_be_bytes(*count);
    let compact = count < 0;
    let count = usize::try_from(count.unsigned_abs()).ok()?;
    // Each atom takes a byte at least.
    if count > rest.len() {
        return None;
    }
    let mut texts = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = length(rest, compact)?;
        let (text, after) = after.split_at_checked(length)?;
        texts.push(text);
        rest = after;
    }
    Some(texts)
}

fn length(bytes: &[u8], compact: bool) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if !compact {
        return Some((usize::from(first), rest));
    }
    if first & 0b1000 == 0 {
        return Some((usize::from(first >> 4), rest));
    }
    // Longer than two bytes of length: no atom.
    if first & 0b1_0000 != 0 {
        return None;
    }
    let (&low, rest) = rest.split_first()?;
    Some((
        usize::from(first & 0b1110_0000) << 3 | usize::from(low),
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(chunk: &[u8], expected: Option<&[&str]>) {
        let actual = texts(chunk);
        let expected = expected.map(|texts| texts.iter().map(|t| t.as_bytes()).collect::<Vec<_>>());
        assert_eq!(actual, expected);
    }

    #[test]
    fn both_encodings_are_read() {
        case(b"\0\0\0\x02\x01a\x03bcd", Some(&["a", "bcd"]));
        case(b"\xff\xff\xff\xfe\x10a\x30bcd", Some(&["a", "bcd"]));
        let long = "x".repeat(300);
        let mut chunk = b"\xff\xff\xff\xff\x28\x2c".to_vec();
        chunk.extend_from_slice(long.as_bytes());
        case(&chunk, Some(&[&long]));
    }

    #[test]
    fn a_hostile_count_allocates_nothing() {
        case(b"\x7f\xff\xff\xff\x01a", None);
        case(b"\x80\x00\x00\x00\x10a", None);
    }

    #[test]
    fn a_text_beyond_the_chunk_is_refused() {
        case(b"\0\0\0\x01\x05a", None);
        case(b"\xff\xff\xff\xff\x18a", None);
        case(b"\0\0\0\x01", None);
    }
}
