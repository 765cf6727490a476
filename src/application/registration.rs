//! The registration of an application: a file with its name in `$ERLRC_ROOT/applications`, normally
//! empty.

use super::{Error, UpgradePolicy};
use crate::migration::Choice;
use crate::term::{Atom, Term};

/// Whether a file with this name registers an application: `^[a-z][0-9A-Za-z_@]*$`, at most 255
/// characters. Files that package managers and editors leave beside it (`.dpkg-new`, `~`) do not.
pub fn is_application_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@')
        && name.len() <= Atom::MAX_CHARACTERS
}

/// What the node does when a registered application ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExit {
    /// The node stays up.
    #[default]
    Stay,
    /// The node halts.
    Halt,
}

/// The content of a registration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whether nodes start the application; `{enabled, false}` disables it.
    pub enabled: bool,
    /// `{on_exit, stay | halt}`.
    pub on_exit: OnExit,
    /// `{upgrade_policy, [hot | restart_application | defer]}`; `None` stands for the policy of the
    /// node.
    pub upgrade_policy: Option<UpgradePolicy>,
    /// `{migrate, none | fields | lossy}`; `None` leaves the choice to the package, the node and `erlrc.conf`.
    pub migrate: Option<Choice>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            enabled: true,
            on_exit: OnExit::default(),
            upgrade_policy: None,
            migrate: None,
        }
    }
}

impl Registration {
    /// Parses the terms of a registration file; also returns the terms with unknown tags, which
    /// later versions may write and which the caller warns about. The last of several terms with
    /// one tag counts.
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
                Some(("migrate", value)) => {
                    let choice = Choice::of_term(value);
                    let choice = choice.ok_or(Error::BadRegistration { tag: "migrate" })?;
                    registration.migrate = Some(choice);
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
