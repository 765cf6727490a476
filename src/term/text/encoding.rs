//! The encoding of a file, as `epp:set_encoding/1` finds it.

use super::error::{ParseError, ParseErrorKind};
use std::borrow::Cow;

/// How much of a file is searched for a coding comment.
const SEARCHED: usize = 512;

/// The text of a file: UTF-8 unless a comment in its first two lines says `coding: latin-1`.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    if is_latin1(bytes) {
        return Ok(Cow::Owned(bytes.iter().copied().map(char::from).collect()));
    }
    let not_utf8 = |at| ParseError::after(&bytes[..at], ParseErrorKind::NotUtf8);
    let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(error.valid_up_to()))?;
    match noncharacter(bytes) {
        Some(at) => {
            let kind = ParseErrorKind::Illegal { what: "character" };
            Err(ParseError::after(&bytes[..at], kind))
        }
        None => Ok(Cow::Borrowed(text)),
    }
}

/// Where there is U+FFFE or U+FFFF, which Erlang takes nowhere in a source.
fn noncharacter(utf8: &[u8]) -> Option<usize> {
    if utf8.is_ascii() {
        return None;
    }
    utf8.windows(3)
        .position(|three| matches!(three, [0xEF, 0xBF, 0xBE | 0xBF]))
}

/// Whether a comment in the first two lines of a file names Latin-1. A comment starts at the first `%`, even
/// one inside of a string; only its first `coding` that is followed by a name counts.
pub(in crate::term) fn is_latin1(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(SEARCHED)];
    if !start.contains(&b'%') {
        return false;
    }
    let comments = start
        .split(|byte| *byte == b'\n')
        .take(2)
        .filter_map(|line| {
            line.iter()
                .position(|byte| *byte == b'%')
                .map(|at| &line[at + 1..])
        });
    comments.filter_map(coding).next().is_some_and(|name| {
        let mut parts = name.split(|byte| *byte == b'-');
        let first = parts.next().unwrap_or_default();
        first.eq_ignore_ascii_case(b"latin") && parts.next() == Some(b"1")
    })
}

/// The name after `coding:` or `coding=`, with its dashes.
fn coding(comment: &[u8]) -> Option<&[u8]> {
    let mut rest = comment;
    loop {
        let at = rest.windows(6).position(|six| six == b"coding")?;
        rest = &rest[at + 6..];
        let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
        if let Some(b':' | b'=') = rest.get(spaces) {
            let name = &rest[spaces + 1..];
            let spaces = name.iter().take_while(|byte| **byte == b' ').count();
            let name = &name[spaces..];
            let end = name
                .iter()
                .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
            return Some(&name[..end.unwrap_or(name.len())]);
        }
    }
}
