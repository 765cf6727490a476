//! Entries of an outline that consist of what nearly all of them do: names, small numbers, strings without
//! escapes, and lists and tuples of these.
//!
//! They are looked through in one loop that makes nothing and knows no errors: where it meets anything
//! else, right or wrong, the reader has to say what it is.

use super::name::is_short_atom;
use super::span::{blanks, names, until};

/// What there is in an entry, from behind its key on.
#[derive(Default)]
pub(super) struct Plain {
    /// Up to its end, in bytes.
    pub length: usize,
    pub atoms: usize,
    pub lists: usize,
    /// Atoms and lists among them.
    pub values: usize,
}

impl Plain {
    /// The rest of an entry that `text` starts with, nested no deeper than `most`; none where it is not
    /// plain.
    pub(super) fn entry(text: &[u8], most: usize) -> Option<Self> {
        let mut plain = Self::default();
        // What is open, the innermost last: a bit each, 1 for a tuple. The first is the entry.
        let mut open = 1_u32;
        let deepest = 1 << most.min(31);
        loop {
            let close = if open & 1 == 1 { b'}' } else { b']' };
            match plain.next(text)? {
                b',' => {
                    plain.length += 1;
                    while let Some(bracket) = plain.scalar_or_bracket(text)? {
                        if open >= deepest {
                            return None;
                        }
                        open = open << 1 | u32::from(bracket == b'{');
                        plain.lists += usize::from(bracket == b'[');
                        // In ASCII a bracket and what closes it are two apart.
                        if plain.next(text)? == bracket + 2 {
                            break;
                        }
                    }
                }
                byte if byte == close => {
                    plain.length += 1;
                    open >>= 1;
                    if open == 0 {
                        return Some(plain);
                    }
                    plain.values += 1;
                }
                _ => return None,
            }
        }
    }

    /// The next byte that is not blank.
    fn next(&mut self, text: &[u8]) -> Option<u8> {
        self.length += blanks(&text[self.length..]);
        text.get(self.length).copied()
    }

    /// Skips a value, or the bracket that starts one, which is then returned.
    fn scalar_or_bracket(&mut self, text: &[u8]) -> Option<Option<u8>> {
        let first = self.next(text)?;
        let rest = &text[self.length..];
        let length = match first {
            b'[' | b'{' => {
                self.length += 1;
                return Some(Some(first));
            }
            b'a'..=b'z' => {
                self.atoms += 1;
                Some(names(rest)).filter(|length| is_short_atom(&rest[..*length]))?
            }
            b'"' => {
                let length = until(b'"', &rest[1..]);
                (rest.get(length + 1) == Some(&b'"')).then_some(length + 2)?
            }
            b'0'..=b'9' => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
                Some(digits.count()).filter(|count| *count <= SMALL)?
            }
            _ => return None,
        };
        self.length += length;
        self.values += 1;
        Some(None)
    }
}

/// So many digits are a number that needs no further look.
const SMALL: usize = 18;
