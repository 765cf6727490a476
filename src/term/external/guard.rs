//! Walks over a term in the external format before `eetf` reads it: without recursion, without
//! taking a length on faith.
//!
//! What passes is well-formed down to its last byte, within the limits, and free of what `eetf`
//! crashes on or gets wrong; what it gets wrong and can be said otherwise is rewritten.

use super::{Checked, ExternalError};
use crate::term::{Atom, Limits};
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read as _;

const VERSION: u8 = 131;
const COMPRESSED: u8 = 80;
const NEW_FLOAT: u8 = 70;
const ATOM_UTF8: u8 = 118;

/// Checks the term that `bytes` start with.
pub(super) fn check<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Checked<'a>, ExternalError> {
    if bytes.first() != Some(&VERSION) {
        return Err(ExternalError::Version);
    }
    if bytes.get(1) == Some(&COMPRESSED) {
        let (plain, length) = decompress(bytes, limits)?;
        let (patched, used) = walk(&plain, limits)?;
        if used != plain.len() {
            return Err(ExternalError::Compression);
        }
        let bytes = Cow::Owned(patched.unwrap_or(plain));
        return Ok(Checked { bytes, length });
    }
    let (patched, length) = walk(bytes, limits)?;
    let bytes = patched.map_or(Cow::Borrowed(&bytes[..length]), Cow::Owned);
    Ok(Checked { bytes, length })
}

/// The plain form of a compressed term, and how many bytes the compressed one has.
fn decompress(bytes: &[u8], limits: &Limits) -> Result<(Vec<u8>, usize), ExternalError> {
    let header = bytes.get(2..6).and_then(|size| size.try_into().ok());
    let size = u32::from_be_bytes(header.ok_or(ExternalError::Truncated)?) as usize;
    if size > limits.size {
        return Err(ExternalError::TooLong { limit: limits.size });
    }
    let mut plain = vec![VERSION];
    let mut decoder = flate2::bufread::ZlibDecoder::new(bytes.get(6..).unwrap_or_default());
    let most = size as u64 + 1;
    let read = decoder.by_ref().take(most).read_to_end(&mut plain);
    match read {
        Ok(length) if length == size => Ok((plain, 6 + decoder.total_in() as usize)),
        _ => Err(ExternalError::Compression),
    }
}

/// Walks over one term: its form for `eetf` where that is another, and its length.
fn walk(bytes: &[u8], limits: &Limits) -> Result<(Option<Vec<u8>>, usize), ExternalError> {
    let mut walk = Walk::new(bytes, limits);
    walk.term()?;
    if walk.atoms > limits.atoms {
        // Too many, but maybe not too many distinct ones: only then is it worth to tell.
        walk = Walk::new(bytes, limits);
        walk.distinct = Some(HashSet::new());
        walk.term()?;
    }
    Ok((walk.patched(), walk.at))
}

/// A term whose parts are walked over.
struct Open {
    /// How many parts are left.
    parts: usize,
    /// How many bytes follow the last part.
    then: usize,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
    open: Vec<Open>,
    values: usize,
    /// How many atoms there are, the same one twice counting twice.
    atoms: usize,
    distinct: Option<HashSet<&'a [u8]>>,
    /// Pieces to be replaced, in their order: from, to, by what.
    patches: Vec<(usize, usize, Vec<u8>)>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Self {
            bytes,
            at: 1,
            limits,
            open: Vec::new(),
            values: 0,
            atoms: 0,
            distinct: None,
            patches: Vec::new(),
        }
    }

    fn term(&mut self) -> Result<(), ExternalError> {
        loop {
            self.value()?;
            loop {
                let Some(last) = self.open.last_mut() else {
                    return Ok(());
                };
                if last.parts > 0 {
                    last.parts -= 1;
                    break;
                }
                let then = last.then;
                self.open.pop();
                self.take(then)?;
            }
            if self.at > self.limits.size {
                return Err(ExternalError::TooLong {
                    limit: self.limits.size,
                });
            }
        }
    }

    /// One value; of one with parts, what stands before them.
    fn value(&mut self) -> Result<(), ExternalError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(ExternalError::TooManyValues {
                limit: self.limits.values,
            });
        }
        let at = self.at;
        let tag = self.byte()?;
        match tag {
            NEW_FLOAT => self.take(8).map(drop),
            77 => self.bit_string(),
            97 => self.take(1).map(drop),
            98 => self.take(4).map(drop),
            99 => self.old_float(at),
            100 | 115 | ATOM_UTF8 | 119 => self.atom(at, tag),
            101 => self.parts(1, 5),
            102 => self.parts(1, 5),
            103 => self.parts(1, 9),
            88 | 120 => self.parts(1, 12),
            89 => self.parts(1, 8),
            90 => self.reference(4),
            114 => self.reference(1),
            104 => self
                .byte()
                .and_then(|count| self.parts(usize::from(count), 0)),
            105 => self.word().and_then(|count| self.parts(count, 0)),
            106 => Ok(()),
            107 => self.short().and_then(|length| self.take(length)).map(drop),
            108 => self
                .word()
                .and_then(|count| self.parts(count.saturating_add(1), 0)),
            109 => self.word().and_then(|length| self.take(length)).map(drop),
            110 => self
                .byte()
                .and_then(|length| self.big_integer(usize::from(length))),
            111 => self.word().and_then(|length| self.big_integer(length)),
            112 => self.closure(),
            113 => self.parts(3, 0),
            116 => self
                .word()
                .and_then(|count| self.parts(count.saturating_mul(2), 0)),
            _ => Err(ExternalError::Tag { tag, at }),
        }
    }

    /// Opens a term of `count` parts that `then` bytes follow. Each part has at least one byte.
    fn parts(&mut self, count: usize, then: usize) -> Result<(), ExternalError> {
        if count.saturating_add(then) > self.bytes.len() - self.at {
            return Err(ExternalError::Truncated);
        }
        if self.open.len() >= self.limits.nesting {
            return Err(ExternalError::TooDeep {
                limit: self.limits.nesting,
            });
        }
        self.open.push(Open { parts: count, then });
        Ok(())
    }

    /// Numbers of a reference: OTP has up to five.
    fn reference(&mut self, then: usize) -> Result<(), ExternalError> {
        match self.short()? {
            count @ 0..=5 => self.parts(1, then + 4 * count),
            _ => Err(ExternalError::Malformed),
        }
    }

    /// Size, arity, digest and index, how many free variables; then the module, two integers, a
    /// pid and the variables.
    fn closure(&mut self) -> Result<(), ExternalError> {
        self.take(4 + 1 + 16 + 4)?;
        let variables = self.word()?;
        self.parts(variables.saturating_add(4), 0)
    }

    fn bit_string(&mut self) -> Result<(), ExternalError> {
        let length = self.word()?;
        let used = self.byte()?;
        self.take(length)?;
        match (length, used) {
            (0, 0) | (1.., 1..=8) => Ok(()),
            _ => Err(ExternalError::Malformed),
        }
    }

    fn big_integer(&mut self, length: usize) -> Result<(), ExternalError> {
        if length > self.limits.digits {
            return Err(ExternalError::TooLargeInteger {
                limit: self.limits.digits,
            });
        }
        self.take(1 + length).map(drop)
    }

    /// A float as text, which `eetf` would read with half of its digits.
    fn old_float(&mut self, start: usize) -> Result<(), ExternalError> {
        let text = self.take(31)?;
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        let float = std::str::from_utf8(&text[..end])
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let float: f64 = float
            .filter(|float: &f64| float.is_finite())
            .ok_or(ExternalError::Malformed)?;
        let mut patch = vec![NEW_FLOAT];
        patch.extend(float.to_be_bytes());
        self.patches.push((start, self.at, patch));
        Ok(())
    }

    /// An atom; one in Latin-1 is made one in UTF-8.
    fn atom(&mut self, start: usize, tag: u8) -> Result<(), ExternalError> {
        let short = matches!(tag, 115 | 119);
        let length = if short {
            usize::from(self.byte()?)
        } else {
            self.short()?
        };
        let name = self.take(length)?;
        let latin1 = matches!(tag, 100 | 115);
        let characters = if latin1 {
            length
        } else {
            std::str::from_utf8(name)
                .map_err(|_| ExternalError::Malformed)?
                .chars()
                .count()
        };
        if characters > Atom::MAX_CHARACTERS {
            return Err(ExternalError::Malformed);
        }
        if latin1 && !name.is_ascii() {
            let text: String = name.iter().copied().map(char::from).collect();
            let mut patch = vec![ATOM_UTF8];
            // At most 255 characters of two bytes.
            patch.extend((text.len() as u16).to_be_bytes());
            patch.extend(text.as_bytes());
            self.patches.push((start, self.at, patch));
        }
        self.count_atom(name)
    }

    fn count_atom(&mut self, name: &'a [u8]) -> Result<(), ExternalError> {
        self.atoms += 1;
        if let Some(distinct) = &mut self.distinct {
            distinct.insert(name);
            if distinct.len() > self.limits.atoms {
                return Err(ExternalError::TooManyAtoms {
                    limit: self.limits.atoms,
                });
            }
        }
        Ok(())
    }

    /// The bytes walked over with all patches; `None` where there are none.
    fn patched(&mut self) -> Option<Vec<u8>> {
        let patches = std::mem::take(&mut self.patches);
        let mut patched = Vec::with_capacity(if patches.is_empty() { 0 } else { self.at });
        let mut done = 0;
        for (from, to, patch) in &patches {
            patched.extend_from_slice(&self.bytes[done..*from]);
            patched.extend_from_slice(patch);
            done = *to;
        }
        patched.extend_from_slice(if done > 0 {
            &self.bytes[done..self.at]
        } else {
            &[]
        });
        (done > 0).then_some(patched)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ExternalError> {
        let end = self
            .at
            .checked_add(length)
            .ok_or(ExternalError::Truncated)?;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(ExternalError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ExternalError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn short(&mut self) -> Result<usize, ExternalError> {
        let bytes = self.take(2)?;
        Ok(usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
    }

    fn word(&mut self) -> Result<usize, ExternalError> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |word, byte| word << 8 | usize::from(*byte)))
    }
}
