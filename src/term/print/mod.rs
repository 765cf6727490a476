//! Prints terms as text that `file:consult/1` reads back unchanged, in the manner of `~tp`.
//!
//! Lists of printable characters are strings, binaries of printable UTF-8 are strings in binaries,
//! atoms have quotes exactly where they need them. The one thing that does not read back is
//! [`Term::Opaque`], which has no text in Erlang either.

mod compact;
mod float;
mod layout;

use super::{Term, text};

/// The width that files for people are made for.
pub const WIDTH: usize = 80;

/// `term` on one line.
pub fn compact(term: &Term) -> String {
    let mut text = String::new();
    compact::write(&mut text, term);
    text
}

/// `term` on as many lines as it takes to stay within `width` where that can be had. Ends without a
/// newline.
pub fn pretty(term: &Term, width: usize) -> String {
    let mut text = String::new();
    layout::write(&mut text, term, width);
    text
}

/// A file of `terms`, each with its dot and newline, for people to read.
///
/// Has the first line of [`file_with_coding`] only where it needs it: where a string among the first
/// lines looks like the comment that declares a file to be in Latin-1.
pub fn file(terms: &[Term]) -> String {
    let text = dotted(terms);
    if text::is_latin1(text.as_bytes()) {
        format!("{CODING}{text}")
    } else {
        text
    }
}

/// As [`file()`], with a first line that tells editors the encoding.
pub fn file_with_coding(terms: &[Term]) -> String {
    format!("{CODING}{}", dotted(terms))
}

const CODING: &str = "%% coding: utf-8\n";

fn dotted(terms: &[Term]) -> String {
    let mut text = String::new();
    for term in terms {
        layout::write(&mut text, term, WIDTH);
        text.push_str(".\n");
    }
    text
}

#[cfg(test)]
mod tests;
