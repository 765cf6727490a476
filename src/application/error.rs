//! What can be wrong with the terms of a file about an application.

use crate::term::{Atom, Term};

/// A term that does not have the form that its file requires.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The term is not `{application, Name, Keys}`.
    #[error("not of the form {{application, Name, Keys}}")]
    NotASpecification,
    /// A file that must hold one term holds another number.
    #[error("holds {count} terms where one is expected")]
    TermCount {
        /// The number of terms.
        count: usize,
    },
    /// The file is about another application than its name says.
    #[error("is about '{found}'")]
    WrongName {
        /// The application in the file.
        found: Atom,
    },
    /// The value of a key does not have the type that app(5) requires.
    #[error("the value of '{key}' has the wrong type")]
    BadKey {
        /// The key.
        key: &'static str,
    },
    /// An entry of an override file is not a pair.
    #[error("an override is a pair, this entry is not")]
    OverrideWrongArity {
        /// The entry.
        entry: Term,
    },
    /// An override changes a key that only the package may set.
    #[error("'{key}' cannot be overridden")]
    OverrideRefused {
        /// The key.
        key: &'static str,
    },
    /// `{merge, _}` or `{keymerge, _}` with lists that cannot be merged.
    #[error("the values of '{key}' cannot be merged")]
    OverrideNotMergeable {
        /// The key.
        key: Atom,
    },
    /// The tag of a registration term is known, but its value is not valid.
    #[error("'{tag}' must be {}", allowed(tag))]
    BadRegistration {
        /// The tag.
        tag: &'static str,
    },
    /// The term is not `{App, Vsn, Dir}`.
    #[error("not of the form {{App, Vsn, Dir}}")]
    NotMetadata,
}

/// The values that a registration term may have, in words.
fn allowed(tag: &str) -> &'static str {
    match tag {
        "enabled" => "true or false",
        "migrate" => "none, fields or lossy",
        "on_exit" => "stay or halt",
        _ => "a list of hot, restart_application and defer",
    }
}

impl Error {
    /// The reason as an Erlang term, without the file, which the reader of the file adds.
    pub fn reason(&self) -> Term {
        let tagged = |tag, value| Term::tuple([Term::atom(tag), value]);
        match self {
            Self::NotASpecification => Term::atom("bad_format"),
            Self::TermCount { count } => tagged("term_count", Term::from(*count)),
            Self::WrongName { found } => tagged("wrong_name", Term::Atom(found.clone())),
            Self::BadKey { key } => tagged("bad_key", Term::atom(key)),
            Self::OverrideWrongArity { entry } => {
                tagged("appspec_override_wrong_arity", entry.clone())
            }
            Self::OverrideRefused { key } => tagged("appspec_override_refused", Term::atom(key)),
            Self::OverrideNotMergeable { key } => {
                tagged("appspec_override_not_mergeable", Term::Atom(key.clone()))
            }
            Self::BadRegistration { tag } => tagged("bad_registration", Term::atom(tag)),
            Self::NotMetadata => Term::atom("bad_metadata"),
        }
    }

    /// The reason as an Erlang term with the file as its second element.
    pub(super) fn reason_in(&self, file: &str) -> Term {
        match self.reason() {
            Term::Tuple(mut elements) => {
                elements.insert(1, Term::string(file));
                Term::Tuple(elements)
            }
            reason => Term::tuple([reason, Term::string(file)]),
        }
    }
}
