//! Why an event cannot be answered with a transition.

use crate::application::FileError;
use crate::term::{Atom, Term};

/// The event must be refused, and nothing is done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// An application that must run has no usable specification.
    #[error(transparent)]
    Specification(#[from] FileError),
    /// Applications depend on each other in a cycle.
    #[error("circular dependency: {}", names(.cycle))]
    CircularDependency {
        /// The applications on the cycle, sorted. Never empty.
        cycle: Vec<Atom>,
    },
    /// Two applications include the same one.
    #[error("'{included}' is included by '{by1}' and by '{by2}'")]
    DuplicateIncluded {
        /// The included application.
        included: Atom,
        /// The first includer, in alphabetical order.
        by1: Atom,
        /// The second includer.
        by2: Atom,
    },
    /// Running applications depend on the one that is to be stopped.
    #[error("needed by {}", names(.applications))]
    NeededBy {
        /// Those applications, sorted.
        applications: Vec<Atom>,
    },
    /// An application that must run depends on the one that is being stopped.
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
