//! Outlines: a text is read and checked as a whole, and kept in part.

use super::Parser;
use super::error::Step;
use super::name::is_short_atom;
use super::plain::Plain;
use crate::term::Term;

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
            key if is_short_atom(key.as_bytes()) => choice(key),
            // In quotes, or something else.
            _ => Keep::All,
        };
        if keep != Keep::All && self.leave_out(keep) {
            return self.left_out();
        }
        self.at = start;
        if keep != Keep::Nothing {
            return self.tuple(ENTRY);
        }
        self.skipping = true;
        let step = self.tuple(ENTRY);
        self.skipping = false;
        step.and_then(|()| self.left_out())
    }

    /// Whatever an entry stands in counts on something there.
    fn left_out(&mut self) -> Step {
        self.stack.push(Term::Tuple(Vec::new()));
        Ok(())
    }

    /// Skips an entry, from behind its key on, that is plain and need not be kept. `false`, and nothing is
    /// read, where it may be anything else.
    fn leave_out(&mut self, keep: Keep) -> bool {
        let deeper = self.limits.nesting.checked_sub(ENTRY);
        let plain = deeper.and_then(|deeper| Plain::entry(&self.bytes[self.at..], deeper));
        let Some(plain) = plain else {
            return false;
        };
        let is_atoms = plain.lists == 1 && plain.values == plain.atoms + 1;
        // The key and the entry itself count too.
        let (atoms, values) = (self.atoms + plain.atoms + 1, self.values + plain.values + 2);
        if keep == Keep::UnlessAtoms && !is_atoms || values > self.limits.values {
            return false;
        }
        self.at += plain.length;
        (self.atoms, self.values) = (atoms, values);
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
