//! Why there is no transition that answers an event.

use crate::application::FileError;
use crate::term::{Atom, Term};

/// An event that must be refused; nothing is to be done then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The specification of an application that has to run cannot be had.
    #[error(transparent)]
    Specification(#[from] FileError),
    /// Applications that need each other to run first.
    #[error("circular dependency: {}", names(.cycle))]
    CircularDependency {
        /// The applications on the cycle, sorted. Never empty.
        cycle: Vec<Atom>,
    },
    /// An application that two others include.
    #[error("'{included}' is included by '{by1}' and by '{by2}'")]
    DuplicateIncluded {
        /// The application.
        included: Atom,
        /// The first includer in order of name.
        by1: Atom,
        /// The second.
        by2: Atom,
    },
    /// Running applications that depend on the one to stop.
    #[error("needed by {}", names(.applications))]
    NeededBy {
        /// Those applications, sorted.
        applications: Vec<Atom>,
    },
    /// An application that is to run needs the one that is being stopped.
    #[error("needs '{needed}', which is being stopped")]
    NeedsStopped {
        /// The application that is being stopped.
        needed: Atom,
    },
}

fn names(atoms: &[Atom]) -> String {
    atoms
        .iter()
        .map(Atom::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

impl Error {
    /// The reason as an Erlang term.
    pub fn reason(&self) -> Term {
        let atom = |name: &Atom| Term::Atom(name.clone());
        let list = |names: &[Atom]| Term::list(names.iter().map(atom));
        match self {
            Self::Specification(error) => error.reason(),
            Self::CircularDependency { cycle } => {
                let greatest = cycle.last().map_or_else(|| Term::list([]), atom);
                Term::tuple([Term::atom("circular_dependency"), greatest, list(cycle)])
            }
            Self::DuplicateIncluded { included, by1, by2 } => {
                let tag = Term::atom("duplicate_included");
                Term::tuple([tag, atom(included), atom(by1), atom(by2)])
            }
            Self::NeededBy { applications } => {
                Term::tuple([Term::atom("needed_by"), list(applications)])
            }
            Self::NeedsStopped { needed } => {
                Term::tuple([Term::atom("needs_stopped"), atom(needed)])
            }
        }
    }
}
