//! Outlines: a text is read and checked as a whole, and kept in part.

use super::Parser;
use super::error::Step;
use super::name::{is_plain_name, names_length};
use crate::term::{Atom, Term};

/// What of an entry in an outline is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    All,
    /// Everything, unless it is a pair whose value is a list of atoms without quotes.
    UnlessAtoms,
    /// Nothing.
    Nothing,
}

/// What is kept of the entry with this key.
pub type Choice = fn(&str) -> Keep;

/// Entries are in the list in the tuple that is the term.
pub(super) const ENTRY: usize = 3;

impl Parser<'_> {
    /// A tuple that is an entry; where it is not kept, an empty one takes its place.
    pub(super) fn entry(&mut self, choice: Choice) -> Step {
        let start = self.at;
        self.at += 1;
        self.skip_blanks();
        let keep = match self.scan_name() {
            // No name, or one in quotes.
            "" => Keep::All,
            key => choice(key),
        };
        if keep == Keep::UnlessAtoms && self.rest_is_atoms() {
            return self.push(Term::Tuple(Vec::new()));
        }
        self.at = start;
        self.skipping = keep == Keep::Nothing;
        let step = self.tuple(ENTRY);
        self.skipping = false;
        step
    }

    /// What follows the key of a pair whose value is a list of atoms without quotes.
    fn rest_is_atoms(&mut self) -> bool {
        if !self.take_after_blanks(b',') {
            return false;
        }
        self.skip_blanks();
        self.peek() == Some(b'[') && self.plain_names() && self.take_after_blanks(b'}')
    }

    /// A list of nothing but names and blanks, from its bracket on. `false`, and nothing is read, where
    /// it is anything else; it may be a list of atoms all the same.
    pub(super) fn plain_names(&mut self) -> bool {
        let blanks = |rest: &[u8]| rest.iter().take_while(|byte| **byte <= b' ').count();
        let (mut at, mut count) = (self.at + 1, 0);
        loop {
            at += blanks(&self.bytes[at..]);
            let rest = &self.bytes[at..];
            let name = &rest[..names_length(rest)];
            if !is_plain_name(name) || name.len() > Atom::MAX_CHARACTERS {
                return false;
            }
            count += 1;
            at += name.len();
            at += blanks(&self.bytes[at..]);
            match self.bytes.get(at) {
                Some(b',') => at += 1,
                Some(b']') => break,
                _ => return false,
            }
        }
        self.at = at + 1;
        self.atoms += count;
        self.values += count;
        true
    }

    /// Reads something whose parts are needed to read on.
    pub(super) fn whole(&mut self, read: impl FnOnce(&mut Self) -> Step) -> Step {
        let skipping = std::mem::take(&mut self.skipping);
        let step = read(self);
        self.skipping = skipping;
        step
    }
}
