//! Values without parts.

use super::decode::{Decoder, Step};
use super::{ExternalError, tag};
use crate::term::{Atom, Term};
use num_bigint::{BigInt, Sign};

impl Decoder<'_> {
    pub(super) fn big_integer(&mut self, length: usize) -> Step<Term> {
        if length > self.limits.digits {
            return Err(ExternalError::TooLargeInteger {
                limit: self.limits.digits,
            });
        }
        let sign = match self.byte()? {
            0 => Sign::Plus,
            1 => Sign::Minus,
            _ => return Err(ExternalError::Malformed),
        };
        Ok(Term::from(BigInt::from_bytes_le(sign, self.take(length)?)))
    }

    /// A float as text.
    pub(super) fn old_float(&mut self) -> Step<Term> {
        let text = self.take(31)?;
        let end = text
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len());
        let text = std::str::from_utf8(&text[..end]).map_err(|_| ExternalError::Malformed)?;
        text.trim()
            .parse()
            .map_err(|_| ExternalError::Malformed)
            .and_then(finite)
    }

    pub(super) fn atom(&mut self, tag: u8) -> Step<Term> {
        let length = match tag {
            tag::SMALL_ATOM | tag::SMALL_ATOM_UTF8 => self.small()?,
            _ => usize::from(u16::from_be_bytes(self.array()?)),
        };
        let name = self.take(length)?;
        let atom = match std::str::from_utf8(name) {
            Ok(name) if name.is_ascii() || matches!(tag, tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8) => {
                Atom::new(name)
            }
            _ if matches!(tag, tag::ATOM | tag::SMALL_ATOM) => Atom::new(&latin1(name)),
            _ => None,
        };
        let atom = atom.ok_or(ExternalError::Malformed)?;
        self.atoms += 1;
        if let Some(distinct) = &mut self.distinct {
            distinct.insert(atom.clone());
            if distinct.len() > self.limits.atoms {
                return Err(ExternalError::TooManyAtoms {
                    limit: self.limits.atoms,
                });
            }
        }
        Ok(Term::Atom(atom))
    }

    pub(super) fn string(&mut self) -> Step<Term> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        self.take(length).map(|bytes| Term::string(&latin1(bytes)))
    }

    pub(super) fn bit_string(&mut self) -> Step<Term> {
        let length = self.word()?;
        let used = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        match (length, used) {
            (0, 0) => Ok(Term::binary([])),
            (1.., 1..=8) => Ok(Term::bit_string(bytes, length * 8 - 8 + used)),
            _ => Err(ExternalError::Malformed),
        }
    }
}

pub(super) fn finite(float: f64) -> Step<Term> {
    if float.is_finite() {
        Ok(Term::Float(float))
    } else {
        Err(ExternalError::Malformed)
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
