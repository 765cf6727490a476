//! Terms on one line.

use super::float;
use crate::term::text::RESERVED;
use crate::term::{Atom, Term};
use std::fmt::Write as _;

/// Appends `term` on one line.
pub(super) fn write(text: &mut String, term: &Term) {
    match term {
        Term::List(elements) => match printable(elements) {
            Some(string) => quoted(text, &string, '"'),
            None => bracketed(text, "[", elements, "]"),
        },
        Term::ImproperList(list) => {
            bracketed(text, "[", &list.0, "|");
            write(text, &list.1);
            text.push(']');
        }
        Term::String(string) if !string.chars().all(is_printable) => {
            let elements: Vec<Term> = string.chars().map(Term::from).collect();
            bracketed(text, "[", &elements, "]");
        }
        Term::Tuple(elements) => bracketed(text, "{", elements, "}"),
        Term::Map(pairs) => {
            text.push_str("#{");
            for (i, (key, value)) in pairs.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                write(text, key);
                text.push_str(" => ");
                write(text, value);
            }
            text.push('}');
        }
        other => leaf(text, other),
    }
}

/// Appends a term that has no parts.
fn leaf(text: &mut String, term: &Term) {
    // Writing to a String cannot fail.
    let _ = match term {
        Term::Atom(name) => return atom(text, name),
        Term::Integer(integer) => write!(text, "{integer}"),
        Term::BigInteger(integer) => write!(text, "{integer}"),
        Term::Float(value) => return text.push_str(&float::shortest(*value)),
        Term::Binary(bytes) => return binary(text, bytes),
        Term::BitString(bytes, bits) => return bit_string(text, bytes, *bits),
        Term::String(string) => return quoted(text, string, '"'),
        Term::ExternalFun(fun) => {
            text.push_str("fun ");
            atom(text, &fun.0);
            text.push(':');
            atom(text, &fun.1);
            write!(text, "/{}", fun.2)
        }
        Term::Opaque(opaque) => return text.push_str(opaque.kind()),
        Term::List(_) | Term::ImproperList(_) | Term::Tuple(_) | Term::Map(_) => Ok(()),
    };
}

fn bracketed(text: &mut String, open: &str, elements: &[Term], close: &str) {
    text.push_str(open);
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        write(text, element);
    }
    text.push_str(close);
}

/// Appends an atom, with quotes where it needs them.
pub(super) fn atom(text: &mut String, atom: &Atom) {
    if needs_quotes(atom.as_str()) {
        quoted(text, atom.as_str(), '\'');
    } else {
        text.push_str(atom.as_str());
    }
}

fn needs_quotes(name: &str) -> bool {
    let is_letter = |letter: char| matches!(letter, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '@' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ');
    let starts = name.starts_with(|first| matches!(first, 'a'..='z' | 'ß'..='ö' | 'ø'..='ÿ'));
    // `else` is reserved in OTP 27, where `maybe` is.
    !starts || !name.chars().all(is_letter) || RESERVED.contains(&name) || name == "else"
}

/// The text of a non-empty list of printable characters.
pub(super) fn printable(elements: &[Term]) -> Option<String> {
    if elements.is_empty() {
        return None;
    }
    elements
        .iter()
        .map(|element| element.as_char().filter(|c| is_printable(*c)))
        .collect()
}

/// As `io_lib:printable_unicode_list/1`.
fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{8}'..='\r' | '\u{1B}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..)
}

fn quoted(text: &mut String, content: &str, quote: char) {
    text.push(quote);
    for character in content.chars() {
        escaped(text, character, quote);
    }
    text.push(quote);
}

fn escaped(text: &mut String, character: char, quote: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{B}' => text.push_str("\\v"),
        '\u{8}' => text.push_str("\\b"),
        '\u{C}' => text.push_str("\\f"),
        '\u{1B}' => text.push_str("\\e"),
        '\u{7F}' => text.push_str("\\d"),
        '\0'..=' ' | '\u{80}'..='\u{9F}' if character != ' ' => {
            let _ = write!(text, "\\x{{{:X}}}", u32::from(character));
        }
        _ => {
            if character == quote || character == '\\' {
                text.push('\\');
            }
            text.push(character);
        }
    }
}

fn binary(text: &mut String, bytes: &[u8]) {
    let string = std::str::from_utf8(bytes)
        .ok()
        .filter(|s| s.chars().all(is_printable));
    match string {
        Some(string) if !string.is_empty() => {
            text.push_str("<<");
            quoted(text, string, '"');
            text.push_str(if string.is_ascii() { ">>" } else { "/utf8>>" });
        }
        _ => bit_string(text, bytes, 8),
    }
}

fn bit_string(text: &mut String, bytes: &[u8], bits: u8) {
    text.push_str("<<");
    for (i, byte) in bytes.iter().enumerate() {
        let separator = if i > 0 { "," } else { "" };
        let _ = if i + 1 == bytes.len() && bits < 8 {
            write!(text, "{separator}{}:{bits}", byte >> (8 - bits))
        } else {
            write!(text, "{separator}{byte}")
        };
    }
    text.push_str(">>");
}
