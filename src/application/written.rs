//! The keys of a specification as written: as terms, or as text that is parsed when they are first
//! used.
//!
//! A boot looks into thousands of specifications and needs only a few of their keys.

use super::named_keys;
use crate::term::text::{Keep, parse_all};
use crate::term::{Limits, Term};
use std::sync::OnceLock;

/// The keys.
#[derive(Clone, Debug)]
pub enum Written {
    /// As terms.
    Keys(Vec<Term>),
    /// As text that has been checked, and as terms once they have been used.
    Text(Box<[u8]>, OnceLock<Vec<Term>>),
}

/// Which parts of an entry must be parsed at once: those that decide about starting the
/// application, and those that could be wrong.
pub fn keep(key: &str) -> Keep {
    match key {
        "vsn" | "mod" => Keep::All,
        "applications" | "included_applications" | "optional_applications" => Keep::All,
        // Nothing can be wrong with these.
        "modules" => Keep::UnlessAtoms,
        _ => Keep::Nothing,
    }
}

impl Written {
    /// The keys in a text that has been checked to be a specification.
    pub fn text(text: Vec<u8>) -> Self {
        Self::Text(text.into(), OnceLock::new())
    }

    /// All keys.
    pub fn keys(&self) -> &[Term] {
        match self {
            Self::Keys(keys) => keys,
            Self::Text(text, keys) => keys.get_or_init(|| read(text)),
        }
    }

    /// All keys, without a copy.
    pub fn into_keys(self) -> Vec<Term> {
        match self {
            Self::Keys(keys) => keys,
            Self::Text(text, keys) => keys.into_inner().unwrap_or_else(|| read(&text)),
        }
    }
}

/// The same reader has found the text to be valid before.
fn read(text: &[u8]) -> Vec<Term> {
    let terms = parse_all(text, &Limits::default()).unwrap_or_default();
    let specification = terms.into_iter().next().map(named_keys);
    specification
        .and_then(Result::ok)
        .map_or_else(Vec::new, |(_, keys)| keys)
}
