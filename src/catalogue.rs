//! Names that users meet, each with what it means and what to do about it: the manual page and the reference are made
//! from such tables.

/// A name, its meaning and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: stable, lower-case letters and underscores.
    pub name: &'static str,
    /// What it means, in whole sentences.
    pub meaning: &'static str,
    /// What to do about it, in whole sentences.
    pub remedy: &'static str,
}
