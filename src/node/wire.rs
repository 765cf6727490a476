//! Terms of the external format on their way to and from a node: eetf behind a guard.
//!
//! eetf 0.12 trusts its input: it allocates what a length field says, recurses without a limit and
//! panics on some tags. [`decode`] walks the bytes first, without recursion or allocation by the
//! sender's word, and hands on only what is bounded and complete.

use eetf::Term;

/// The deepest nesting that is taken.
const DEPTH: usize = 256;
/// The most terms in one message: a term is some 40 bytes here and may be one on the wire.
const TERMS: usize = 1_000_000;
/// The first byte of a term in the external format.
const VERSION: u8 = 131;

/// Why bytes are no term that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside of a term.
    #[error("the message ends early")]
    Truncated,
    /// The first byte is not the version of the external format.
    #[error("unknown version {version} of the external term format")]
    Version {
        /// The byte.
        version: u8,
    },
    /// A tag that is unknown, or must not be in a message.
    #[error("unknown tag {tag} in the external term format")]
    Tag {
        /// The tag.
        tag: u8,
    },
    /// Nested deeper than we take.
    #[error("nested deeper than {DEPTH} levels")]
    TooDeep,
    /// More terms than we take.
    #[error("more than {TERMS} terms in one message")]
    TooMany,
    /// What the decoder says.
    #[error("{reason}")]
    Invalid {
        /// In its words.
        reason: String,
    },
}

/// `term` in the external format, version byte included.
pub fn encode(term: &Term) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    term.encode(&mut bytes)
        .map_err(|error| WireError::Invalid {
            reason: error.to_string(),
        })?;
    Ok(bytes)
}

/// The term that `bytes` begin with, and the bytes after it.
pub fn decode(bytes: &[u8]) -> Result<(Term, &[u8]), WireError> {
    let size = check(bytes)?;
    let (own, rest) = bytes.split_at_checked(size).ok_or(WireError::Truncated)?;
    let term = Term::decode(own).map_err(|error| WireError::Invalid {
        reason: error.to_string(),
    })?;
    Ok((term, rest))
}

/// The bytes of the term that `bytes` begin with, if eetf can be trusted with it.
fn check(bytes: &[u8]) -> Result<usize, WireError> {
    let mut cursor = Cursor { bytes, at: 0 };
    let version = cursor.byte()?;
    if version != VERSION {
        return Err(WireError::Version { version });
    }
    // How many terms are still to come on each level.
    let mut levels = vec![1usize];
    let mut terms = 0usize;
    while let Some(left) = levels.last_mut() {
        if *left == 0 {
            levels.pop();
            continue;
        }
        *left -= 1;
        terms += 1;
        let inner = cursor.term()?;
        if inner > 0 {
            levels.push(inner);
        }
        if terms.saturating_add(inner) > TERMS {
            return Err(WireError::TooMany);
        }
        if levels.len() > DEPTH {
            return Err(WireError::TooDeep);
        }
    }
    Ok(cursor.at)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn skip(&mut self, count: usize) -> Result<&[u8], WireError> {
        let end = self.at.checked_add(count).ok_or(WireError::Truncated)?;
        let skipped = self.bytes.get(self.at..end).ok_or(WireError::Truncated)?;
        self.at = end;
        Ok(skipped)
    }

    fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.skip(1)?.first().copied().unwrap_or_default())
    }

    fn number(&mut self, width: usize) -> Result<usize, WireError> {
        Ok(self
            .skip(width)?
            .iter()
            .fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    /// A count of inner terms, each of which takes at least a byte.
    fn count(&mut self, width: usize) -> Result<usize, WireError> {
        let count = self.number(width)?;
        if count > self.bytes.len() - self.at {
            Err(WireError::Truncated)
        } else {
            Ok(count)
        }
    }

    /// Steps over a tag and what belongs to it alone; how many terms follow inside.
    fn term(&mut self) -> Result<usize, WireError> {
        let tag = self.byte()?;
        match tag {
            70 => self.leaf(8), // NEW_FLOAT
            77 => self.bit_binary(),
            97 => self.leaf(1),                          // SMALL_INTEGER
            98 => self.leaf(4),                          // INTEGER
            100 | 118 => self.sized(2, 0),               // ATOM, ATOM_UTF8
            115 | 119 => self.sized(1, 0),               // SMALL_ATOM, SMALL_ATOM_UTF8
            104 => self.count(1),                        // SMALL_TUPLE
            105 => self.count(4),                        // LARGE_TUPLE
            106 => Ok(0),                                // NIL
            107 => self.sized(2, 0),                     // STRING
            108 => Ok(self.count(4)? + 1),               // LIST and its tail
            109 => self.sized(4, 0),                     // BINARY
            110 => self.sized(1, 1),                     // SMALL_BIG
            111 => self.sized(4, 1),                     // LARGE_BIG
            113 => Ok(3),                                // EXPORT
            116 => Ok(self.count(4)?.saturating_mul(2)), // MAP
            88 => self.node_and(12),                     // NEW_PID
            89 => self.node_and(8),                      // NEW_PORT
            120 => self.node_and(12),                    // V4_PORT
            90 => self.reference(),
            112 => self.closure(),
            tag => Err(WireError::Tag { tag }),
        }
    }

    fn leaf(&mut self, size: usize) -> Result<usize, WireError> {
        self.skip(size).map(|_| 0)
    }

    fn sized(&mut self, width: usize, extra: usize) -> Result<usize, WireError> {
        let size = self.number(width)?;
        self.leaf(size.saturating_add(extra))
    }

    fn bit_binary(&mut self) -> Result<usize, WireError> {
        let size = self.number(4)?;
        let bits = self.byte()?;
        if !(1..=8).contains(&bits) || size == 0 {
            return Err(WireError::Tag { tag: 77 });
        }
        self.leaf(size)
    }

    /// A node's name, which must be an atom, and `size` bytes.
    fn node_and(&mut self, size: usize) -> Result<usize, WireError> {
        self.atom()?;
        self.leaf(size)
    }

    fn atom(&mut self) -> Result<(), WireError> {
        match self.byte()? {
            100 | 118 => self.sized(2, 0).map(|_| ()),
            115 | 119 => self.sized(1, 0).map(|_| ()),
            tag => Err(WireError::Tag { tag }),
        }
    }

    fn reference(&mut self) -> Result<usize, WireError> {
        let words = self.number(2)?;
        self.node_and(4 + 4 * words)
    }

    /// Module, old index, old uniq, pid and the free variables; the size that it names is ignored,
    /// as eetf ignores it.
    fn closure(&mut self) -> Result<usize, WireError> {
        self.leaf(4 + 1 + 16 + 4)?;
        let free = self.count(4)?;
        Ok(free.saturating_add(4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eetf::{Atom, Binary, FixInteger, List, Tuple};
    use proptest::prelude::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let term = Term::from(Tuple::from(vec![
            Term::from(Atom::from("call")),
            Term::from(FixInteger::from(-1)),
            Term::from(Binary::from(b"x".to_vec())),
            Term::from(List::from(vec![Term::from(FixInteger::from(300))])),
            Term::from(eetf::Pid::new("n@h", 1, 0, 7)),
        ]));
        let mut bytes = encode(&term).expect("an encodable term");
        bytes.extend_from_slice(b"rest");
        assert_eq!(decode(&bytes), Ok((term, b"rest".as_slice())));
    }

    #[test]
    fn a_length_is_not_believed() {
        for tag in [105u8, 108, 109, 111, 116, 112] {
            let bytes = [VERSION, tag, 0xff, 0xff, 0xff, 0xff, 0, 0];
            assert_eq!(decode(&bytes), Err(WireError::Truncated), "{tag}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let mut bytes = vec![VERSION];
        for _ in 0..100_000 {
            bytes.extend_from_slice(&[104, 1]);
        }
        bytes.push(106);
        assert_eq!(decode(&bytes), Err(WireError::TooDeep));
    }

    #[test]
    fn tags_that_eetf_panics_on_are_refused() {
        for tag in [68u8, 82, 80, 121] {
            assert_eq!(
                decode(&[VERSION, tag, 0, 0, 0, 0, 0]),
                Err(WireError::Tag { tag })
            );
        }
        assert_eq!(
            decode(&[VERSION, 77, 0, 0, 0, 1, 0, 7]),
            Err(WireError::Tag { tag: 77 })
        );
        assert_eq!(
            decode(&[130, 106]),
            Err(WireError::Version { version: 130 })
        );
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_term_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            bytes.insert(0, VERSION);
            let _ = decode(&bytes);
        }
    }
}
