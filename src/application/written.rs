//! The keys of a specification as they were written: as terms, or as a text that they are read from
//! when somebody asks for them.
//!
//! Of ten thousand specifications that a boot looks into, it needs a few keys.

use super::named_keys;
use crate::term::text::{Keep, parse_all};
use crate::term::{Limits, Term};
use std::sync::OnceLock;

/// The keys.
#[derive(Clone, Debug)]
pub enum Written {
    /// As terms.
    Keys(Vec<Term>),
    /// As a text that has been checked, and as terms once they were asked for.
    Text(Box<[u8]>, OnceLock<Vec<Term>>),
}

/// What of the entry with this key must be known before anybody asks for it: what decides about starting
/// the application, and what could be wrong.
pub fn keep(key: &str) -> Keep {
    match key {
        "vsn" | "mod" => Keep::All,
        "applications" | "included_applications" | "optional_applications" => Keep::All,
        // Of these nothing is wrong.
        "modules" => Keep::UnlessAtoms,
        _ => Keep::Nothing,
    }
}

impl Written {
    /// The keys in a text that is known to be a specification.
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

    /// The same, without a copy.
    pub fn into_keys(self) -> Vec<Term> {
        match self {
            Self::Keys(keys) => keys,
            Self::Text(text, keys) => keys.into_inner().unwrap_or_else(|| read(&text)),
        }
    }
}

/// The text has been found sound before, by the same reader.
fn read(text: &[u8]) -> Vec<Term> {
    let terms = parse_all(text, &Limits::default()).unwrap_or_default();
    let specification = terms.into_iter().next().map(named_keys);
    specification
        .and_then(Result::ok)
        .map_or_else(Vec::new, |(_, keys)| keys)
}
