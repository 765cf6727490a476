//! Terms on several lines, for people.

use super::compact;
use crate::term::Term;

/// Appends `term`, from the end of the last line of `text` on.
pub(super) fn write(text: &mut String, term: &Term, width: usize) {
    let start = text.rfind('\n').map_or(0, |newline| newline + 1);
    let column = text[start..].chars().count();
    Writer {
        text,
        column,
        width,
    }
    .term(term, 1);
}

struct Writer<'a> {
    text: &'a mut String,
    /// Where on its line the next character goes.
    column: usize,
    width: usize,
}

impl Writer<'_> {
    /// A term after which `closing` characters more must fit on its last line.
    fn term(&mut self, term: &Term, closing: usize) {
        let start = self.text.len();
        if flat_length(term, self.room(closing)).is_some() {
            compact::write(self.text, term);
            let length = self.text[start..].chars().count();
            self.column += length;
            return;
        }
        match term {
            Term::Tuple(elements) => self.elements("{", elements, "}", closing),
            Term::List(elements) if compact::printable(elements).is_none() => {
                self.elements("[", elements, "]", closing);
            }
            Term::ImproperList(list) => {
                let column = self.column;
                self.elements("[", &list.0, "", 1);
                self.line(column);
                self.put("|");
                self.term(&list.1, closing + 1);
                self.put("]");
            }
            Term::Map(pairs) => self.pairs(pairs, closing),
            other => {
                compact::write(self.text, other);
                self.column += self.text[start..].chars().count();
            }
        }
    }

    /// Elements below each other, those that have no parts side by side.
    fn elements(&mut self, open: &str, elements: &[Term], close: &str, closing: usize) {
        self.put(open);
        let column = self.column;
        for (i, element) in elements.iter().enumerate() {
            let after = if i + 1 == elements.len() {
                closing + close.len()
            } else {
                1
            };
            if i > 0 {
                self.put(",");
                let side_by_side = is_small(element) && is_small(&elements[i - 1]);
                if !side_by_side || flat_length(element, self.room(after)).is_none() {
                    self.line(column);
                }
            }
            self.term(element, after);
        }
        self.put(close);
    }

    fn pairs(&mut self, pairs: &[(Term, Term)], closing: usize) {
        self.put("#{");
        let column = self.column;
        for (i, (key, value)) in pairs.iter().enumerate() {
            let after = if i + 1 == pairs.len() { closing + 1 } else { 1 };
            if i > 0 {
                self.put(",");
                self.line(column);
            }
            self.term(key, 3);
            self.put(" =>");
            if flat_length(value, self.room(after + 1)).is_some() {
                self.put(" ");
            } else {
                self.line(column + 4);
            }
            self.term(value, after);
        }
        self.put("}");
    }

    fn room(&self, closing: usize) -> usize {
        self.width.saturating_sub(self.column + closing)
    }

    fn put(&mut self, ascii: &str) {
        self.text.push_str(ascii);
        self.column += ascii.len();
    }

    fn line(&mut self, column: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', column));
        self.column = column;
    }
}

/// Whether a term goes beside others of its kind.
fn is_small(term: &Term) -> bool {
    matches!(term, Term::Atom(_) | Term::Integer(_) | Term::Float(_))
}

/// What is left of `room` after `term` on one line; `None` where it does not fit.
fn flat_length(term: &Term, room: usize) -> Option<usize> {
    let inside = |room, elements: &[Term]| {
        // Brackets and commas.
        let room = usize::checked_sub(room, elements.len().saturating_sub(1) + 2)?;
        elements
            .iter()
            .try_fold(room, |room, element| flat_length(element, room))
    };
    match term {
        Term::Tuple(elements) => inside(room, elements),
        // A string may be shorter than its elements, never longer than six times as long.
        Term::List(elements) if elements.len() > room => None,
        Term::List(elements) if compact::printable(elements).is_none() => inside(room, elements),
        Term::ImproperList(list) => flat_length(&list.1, inside(room.checked_sub(1)?, &list.0)?),
        Term::Map(pairs) => {
            let room = room.checked_sub(3 + 5 * pairs.len())?;
            pairs.iter().try_fold(room, |room, (key, value)| {
                flat_length(value, flat_length(key, room)?)
            })
        }
        Term::String(string) if string.len() > room.saturating_mul(4) => None,
        Term::Binary(bytes) | Term::BitString(bytes, _) if bytes.len() > room => None,
        leaf => {
            let mut text = String::new();
            compact::write(&mut text, leaf);
            room.checked_sub(text.chars().count())
        }
    }
}
