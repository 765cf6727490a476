//! The registration of an application: a file of its name in `$ERLRC_ROOT/applications`, normally
//! empty.

use super::{Error, UpgradePolicy};
use crate::term::{Atom, Term};

/// Whether a file of this name registers an application: `^[a-z][0-9A-Za-z_@]*$`, at most 255
/// characters. What package managers and editors leave beside it (`.dpkg-new`, `~`) does not.
pub fn is_application_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@')
        && name.len() <= Atom::MAX_CHARACTERS
}

/// What the node does when a registered application dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExit {
    /// It stays up.
    #[default]
    Stay,
    /// It halts.
    Halt,
}

/// What a registration file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whether the application is to run: `{enabled, false}` says no.
    pub enabled: bool,
    /// `{on_exit, stay | halt}`.
    pub on_exit: OnExit,
    /// `{upgrade_policy, [hot | restart_application | defer]}`; the node's own where it is not said.
    pub upgrade_policy: Option<UpgradePolicy>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            enabled: true,
            on_exit: OnExit::default(),
            upgrade_policy: None,
        }
    }
}

impl Registration {
    /// What the terms of a registration file say, and which of them say nothing that is known: a
    /// later version's, to be warned of and passed over. The last of several wins.
    pub fn from_terms(terms: Vec<Term>) -> Result<(Self, Vec<Term>), Error> {
        let mut registration = Self::default();
        let mut unknown = Vec::new();
        for term in terms {
            match pair(&term) {
                Some(("enabled", value)) => {
                    registration.enabled = choice(value, &[("true", true), ("false", false)])
                        .ok_or(Error::BadRegistration { tag: "enabled" })?;
                }
                Some(("on_exit", value)) => {
                    let words = [("stay", OnExit::Stay), ("halt", OnExit::Halt)];
                    registration.on_exit =
                        choice(value, &words).ok_or(Error::BadRegistration { tag: "on_exit" })?;
                }
                Some(("upgrade_policy", value)) => {
                    let policy = UpgradePolicy::from_term(value);
                    let policy = policy.ok_or(Error::BadRegistration {
                        tag: "upgrade_policy",
                    })?;
                    registration.upgrade_policy = Some(policy);
                }
                _ => unknown.push(term),
            }
        }
        Ok((registration, unknown))
    }
}

fn pair(term: &Term) -> Option<(&str, &Term)> {
    let (tag, value) = term.as_pair()?;
    Some((tag.as_atom()?.as_str(), value))
}

fn choice<T: Copy>(value: &Term, words: &[(&str, T)]) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| value.is_atom(word))
        .map(|(_, chosen)| *chosen)
}
