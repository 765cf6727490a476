//! Quoted atoms, strings, sigils, characters, and their escapes.

use super::error::{Fault, ParseErrorKind, Step};
use super::{Parser, span};
use crate::term::Term;
use std::borrow::Cow;

impl<'a> Parser<'a> {
    pub(super) fn quoted_atom(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        let name = self.until_quote('\'', "atom")?;
        self.push_atom(&name, start)
    }

    /// One string or several in a row.
    pub(super) fn strings(&mut self) -> Step {
        let first = self.string_literal()?;
        self.literal_end = self.at;
        self.skip_blanks();
        if self.peek() != Some(b'"') {
            self.at = self.literal_end;
            return match self.skipping {
                true => self.count(),
                false => self.push(Term::string(&first)),
            };
        }
        let mut whole = first.into_owned();
        while self.peek() == Some(b'"') {
            whole.push_str(&self.string_literal()?);
            self.literal_end = self.at;
            self.skip_blanks();
        }
        self.at = self.literal_end;
        self.push(Term::string(&whole))
    }

    fn string_literal(&mut self) -> Result<Cow<'a, str>, Box<Fault>> {
        if self.bytes[self.at..].starts_with(b"\"\"\"") {
            return self.triple_quoted(true).map(Cow::Owned);
        }
        self.at += 1;
        self.until_quote('"', "string")
    }

    /// A character, `$a`.
    #[inline(never)]
    pub(super) fn character(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        let character = match self.character_here() {
            Some('\\') => self.escape()?,
            Some(character) => {
                self.at += character.len_utf8();
                character
            }
            None => {
                self.at = start;
                return Err(self.fault(ParseErrorKind::Unterminated { what: "character" }));
            }
        };
        self.push(Term::from(character))
    }

    /// A sigil: `~s` and `~S` are strings; `~`, `~b` and `~B` are binaries of UTF-8. Upper case
    /// letters switch escapes off.
    #[inline(never)]
    pub(super) fn sigil(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        let name = self.scan_name();
        if !matches!(name, "" | "b" | "B" | "s" | "S") {
            self.at = start;
            return Err(self.fault(ParseErrorKind::Illegal {
                what: "sigil prefix",
            }));
        }
        let text = if self.bytes[self.at..].starts_with(b"\"\"\"") {
            Cow::Owned(self.triple_quoted(matches!(name, "" | "B" | "S"))?)
        } else {
            self.sigil_text(matches!(name, "B" | "S"))?
        };
        if !self.scan_name().is_empty() {
            return Err(self.fault(ParseErrorKind::Illegal {
                what: "sigil suffix",
            }));
        }
        if self.peek() == Some(b'"') {
            return Err(self.unexpected());
        }
        if matches!(name, "s" | "S") {
            self.literal_end = self.at;
            self.push(Term::string(&text))
        } else {
            self.push(Term::binary(&*text))
        }
    }

    fn sigil_text(&mut self, verbatim: bool) -> Result<Cow<'a, str>, Box<Fault>> {
        let close = match self.peek() {
            Some(b'(') => ')',
            Some(b'[') => ']',
            Some(b'{') => '}',
            Some(b'<') => '>',
            Some(open @ (b'/' | b'|' | b'#' | b'`' | b'\'' | b'"')) => char::from(open),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        if !verbatim {
            return self.until_quote(close, "sigil");
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = rest.find(close) else {
            return Err(self.fault(ParseErrorKind::Unterminated { what: "sigil" }));
        };
        self.at += length + 1;
        Ok(Cow::Borrowed(&rest[..length]))
    }

    /// The text up to `quote`, which is ASCII and is read too.
    fn until_quote(&mut self, quote: char, what: &'static str) -> Result<Cow<'a, str>, Box<Fault>> {
        let start = self.at;
        let rest = &self.bytes[start..];
        let close = quote as u8;
        let stop = Some(span::until(close, rest)).filter(|stop| *stop < rest.len());
        if let Some(length) = stop.filter(|length| rest[*length] == close) {
            self.at += length + 1;
            return Ok(Cow::Borrowed(
                self.text.get(start..start + length).unwrap_or_default(),
            ));
        }
        let unterminated = || Fault::new(start - 1, ParseErrorKind::Unterminated { what });
        let Some(length) = stop else {
            return Err(unterminated());
        };
        self.at += length;
        self.escaped(start, quote)
            .and_then(|text| text.map(Cow::Owned).ok_or_else(unterminated))
    }

    /// As [`Self::until_quote`], at the first escape; `None` where there is no quote.
    #[inline(never)]
    fn escaped(&mut self, start: usize, quote: char) -> Result<Option<String>, Box<Fault>> {
        let mut text = String::from(self.text.get(start..self.at).unwrap_or_default());
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(plain) = rest.find([quote, '\\']) else {
                return Ok(None);
            };
            text.push_str(&rest[..plain]);
            self.at += plain;
            if rest[plain..].starts_with('\\') {
                match self.escape() {
                    Ok(character) => text.push(character),
                    Err(_) if self.at == self.bytes.len() => return Ok(None),
                    Err(fault) => return Err(fault),
                }
            } else {
                self.at += 1;
                return Ok(Some(text));
            }
        }
    }

    /// An escape, from its backslash on.
    pub(super) fn escape(&mut self) -> Result<char, Box<Fault>> {
        let start = self.at;
        let illegal = || Fault::illegal(start, "escape sequence");
        self.at += 1;
        let Some(letter) = self.character_here() else {
            return Err(Fault::new(
                start,
                ParseErrorKind::Unterminated {
                    what: "escape sequence",
                },
            ));
        };
        if letter.is_digit(8) {
            return self.code_point(8, 3).ok_or_else(illegal);
        }
        self.at += letter.len_utf8();
        match letter {
            'x' if self.peek() == Some(b'{') => {
                self.at += 1;
                let code_point = self.code_point(16, usize::MAX).ok_or_else(illegal)?;
                self.expect_here(b'}')?;
                Ok(code_point)
            }
            'x' => {
                let two = self.at + 2;
                let code_point = self.code_point(16, 2);
                code_point.filter(|_| self.at == two).ok_or_else(illegal)
            }
            '^' => self.control().ok_or_else(illegal),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{B}'),
            'b' => Ok('\u{8}'),
            'f' => Ok('\u{C}'),
            'e' => Ok('\u{1B}'),
            's' => Ok(' '),
            'd' => Ok('\u{7F}'),
            other => Ok(other),
        }
    }

    fn expect_here(&mut self, byte: u8) -> Step {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    /// The character after `\^`: OTP 25 takes any.
    fn control(&mut self) -> Option<char> {
        let letter = self.character_here()?;
        self.at += letter.len_utf8();
        match letter {
            '?' => Some('\u{7F}'),
            letter => char::from_u32(u32::from(letter) & 31),
        }
    }

    /// The character of up to `most` digits. Erlang takes any scalar value but U+FFFE and U+FFFF.
    fn code_point(&mut self, base: u32, most: usize) -> Option<char> {
        let digits = self.bytes[self.at..].iter().take(most);
        let values = digits.map_while(|byte| char::from(*byte).to_digit(base));
        let (mut length, mut code_point) = (0, 0u32);
        for value in values {
            length += 1;
            // Saturated: no character either.
            code_point = code_point.saturating_mul(base).saturating_add(value);
        }
        self.at += length;
        char::from_u32(code_point)
            .filter(|found| length > 0 && !matches!(found, '\u{FFFE}' | '\u{FFFF}'))
    }
}
