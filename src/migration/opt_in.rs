//! Whether states are converted: who may choose it, and whose choice counts.

use super::Loss;
use crate::term::Term;
use std::fmt;

/// What is chosen: the value of the key `migrate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No state is converted.
    None,
    /// States are converted as long as no value is lost.
    Fields,
    /// The values of fields that the target does not have are dropped.
    Lossy,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::None, Self::Fields, Self::Lossy];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fields => "fields",
            Self::Lossy => "lossy",
        }
    }

    /// The choice that an atom names.
    pub fn of_term(term: &Term) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|choice| term.is_atom(choice.name()))
    }

    /// What the terms of a file say under the key `migrate`; the last one counts. `Err` for a value that is no choice.
    pub fn of_terms(terms: &[Term]) -> Result<Option<Self>, BadChoice> {
        let pairs = terms.iter().rev().filter_map(Term::as_pair);
        let said = pairs.into_iter().find(|(key, _)| key.is_atom("migrate"));
        said.map(|(_, value)| Self::of_term(value).ok_or(BadChoice))
            .transpose()
    }

    /// What may be lost on the way; `None` where nothing is converted.
    pub fn loss(self) -> Option<Loss> {
        match self {
            Self::None => None,
            Self::Fields => Some(Loss::Refused),
            Self::Lossy => Some(Loss::Allowed),
        }
    }
}

impl From<Loss> for Choice {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Refused => Self::Fields,
            Loss::Allowed => Self::Lossy,
        }
    }
}

/// The value of the key `migrate` is no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("migrate must be none, fields or lossy")]
pub struct BadChoice;

/// Who made the choice that counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The evaluator, which converts no states whatever is chosen.
    Evaluator,
    /// Whoever asked for the upgrade, with `--migrate`.
    Command,
    /// The registration of the application.
    Registration,
    /// The package of the later version.
    Package,
    /// The environment of erlrc on the node.
    Node,
    /// `erlrc.conf`.
    Host,
    /// Nobody.
    #[default]
    Default,
}

impl Origin {
    /// The word for it, in answers of the engine and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evaluator => "evaluator",
            Self::Command => "command",
            Self::Registration => "registration",
            Self::Package => "package",
            Self::Node => "node",
            Self::Host => "host",
            Self::Default => "default",
        }
    }
}

/// In a sentence on what is done: "..., as its registration asks".
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evaluator => "as the evaluator has it",
            Self::Command => "as --migrate asks",
            Self::Registration => "as the registration of the application asks",
            Self::Package => "as the package of the later version asks",
            Self::Node => "as the environment of erlrc on the node asks",
            Self::Host => "as erlrc.conf asks",
            Self::Default => "by default",
        })
    }
}

/// Whether the states of one application are converted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptIn {
    /// What is chosen.
    pub choice: Choice,
    /// Who chose it.
    pub origin: Origin,
    /// Files that were to say something of it and cannot be understood, each with the reason.
    pub faults: Vec<String>,
}

impl OptIn {
    /// The first choice that somebody made: nothing is converted where nobody made one.
    pub fn first(said: impl IntoIterator<Item = (Origin, Option<Choice>)>) -> Self {
        let made = said
            .into_iter()
            .find_map(|(origin, choice)| Some((origin, choice?)));
        let (origin, choice) = made.unwrap_or((Origin::Default, Choice::None));
        Self {
            choice,
            origin,
            faults: Vec::new(),
        }
    }

    /// What may be lost on the way; `None` where nothing is converted.
    pub fn loss(&self) -> Option<Loss> {
        self.choice.loss()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text};

    #[test]
    fn the_first_choice_counts_and_without_one_nothing_is_converted() {
        let first = |said: &[(Origin, Option<Choice>)]| {
            let found = OptIn::first(said.iter().copied());
            (found.choice, found.origin)
        };
        let none = (Origin::Command, None);
        assert_eq!(first(&[none]), (Choice::None, Origin::Default));
        let registered = (Origin::Registration, Some(Choice::None));
        let packaged = (Origin::Package, Some(Choice::Lossy));
        assert_eq!(
            first(&[none, registered, packaged]),
            (Choice::None, Origin::Registration)
        );
        assert_eq!(first(&[none, packaged]), (Choice::Lossy, Origin::Package));
    }

    #[test]
    fn the_last_term_of_a_file_counts() {
        let said = |source: &str| {
            let terms = text::parse_all(source.as_bytes(), &Limits::default()).expect("terms");
            Choice::of_terms(&terms)
        };
        assert_eq!(said("{enabled, true}. migrate."), Ok(None));
        assert_eq!(
            said("{migrate, none}. {migrate, fields}."),
            Ok(Some(Choice::Fields))
        );
        assert_eq!(said("{migrate, \"fields\"}."), Err(BadChoice));
        assert_eq!(said("{migrate, fields}. {migrate, yes}."), Err(BadChoice));
    }
}
