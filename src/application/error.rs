//! What can be wrong with the terms of a file about an application.

use crate::term::{Atom, Term};

/// A term that is not what its file must hold.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Not `{application, Name, Keys}`.
    #[error("not of the form {{application, Name, Keys}}")]
    NotASpecification,
    /// A file that must hold one term holds another number of them.
    #[error("holds {count} terms where one is expected")]
    TermCount {
        /// How many there are.
        count: usize,
    },
    /// The file is about another application than its name says.
    #[error("is about '{found}'")]
    WrongName {
        /// The application it is about.
        found: Atom,
    },
    /// A key whose value is not of the type that app(5) gives it.
    #[error("the value of '{key}' has the wrong type")]
    BadKey {
        /// The key.
        key: &'static str,
    },
    /// An entry of an override file that is no pair.
    #[error("an override is a pair, this entry is not")]
    OverrideWrongArity {
        /// The entry.
        entry: Term,
    },
    /// An override of a key that must stay what the package ships.
    #[error("'{key}' cannot be overridden")]
    OverrideRefused {
        /// The key.
        key: &'static str,
    },
    /// `{merge, _}` or `{keymerge, _}` on lists that cannot be merged.
    #[error("the values of '{key}' cannot be merged")]
    OverrideNotMergeable {
        /// The key.
        key: Atom,
    },
    /// A registration term whose tag is known and whose value is not.
    #[error("'{tag}' must be {}", allowed(tag))]
    BadRegistration {
        /// The tag.
        tag: &'static str,
    },
    /// Not `{App, Vsn, Dir}`.
    #[error("not of the form {{App, Vsn, Dir}}")]
    NotMetadata,
}

/// What a registration term may be.
fn allowed(tag: &str) -> &'static str {
    match tag {
        "enabled" => "true or false",
        "on_exit" => "stay or halt",
        _ => "a list of hot, restart_application and defer",
    }
}

impl Error {
    /// The reason as an Erlang term, without the file: whoever read the file puts it around.
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

    /// The reason with the file in it, as second element.
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
