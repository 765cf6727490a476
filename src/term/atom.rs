//! Atoms: their text and its limit.

use smol_str::SmolStr;

/// An atom's text, at most 255 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom(SmolStr);

impl Atom {
    /// The longest atom that the VM accepts, in characters.
    pub const MAX_CHARACTERS: usize = 255;

    /// An atom with this text; `None` if it is longer than the VM accepts.
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            text.len() <= Self::MAX_CHARACTERS || text.chars().count() <= Self::MAX_CHARACTERS;
        fits.then(|| Self(SmolStr::new(text)))
    }

    /// The atom of a text known when this is compiled.
    ///
    /// # Panics
    /// If `text` is longer than the VM accepts.
    pub fn of(text: &'static str) -> Self {
        assert!(
            text.len() <= Self::MAX_CHARACTERS,
            "an atom of at most 255 characters"
        );
        Self(SmolStr::new_static(text))
    }

    /// The atom's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Atom {
    /// The bare text, without quotes: for messages. Terms are printed by [`super::print`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Atom {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == text
    }
}

impl PartialEq<&str> for Atom {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == *text
    }
}

impl AsRef<str> for Atom {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::borrow::Borrow<str> for Atom {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}
