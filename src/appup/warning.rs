//! Warnings about a script before it runs, with what to do about them.

use std::fmt;

use super::instruction::Direction;
use crate::migration::Origin;
use crate::term::{Atom, Term};

/// Something that a person should know about a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A module that is replaced loads a NIF library.
    LoadsNif {
        /// The module.
        module: Atom,
    },
    /// A module that is replaced has a function that runs when it is loaded.
    OnLoad {
        /// The module.
        module: Atom,
    },
    /// An Elixir protocol is replaced.
    Protocol {
        /// The module.
        module: Atom,
    },
    /// An implementation of an Elixir protocol is added, removed or replaced.
    ProtocolImplementation {
        /// The module.
        module: Atom,
    },
    /// The `.app` file lists a module that has no file.
    MissingBeam {
        /// The version whose `.app` it is.
        vsn: String,
        /// The module.
        module: Atom,
    },
    /// There is a file of a module that the `.app` file does not list.
    UnlistedBeam {
        /// The version whose `.app` it is.
        vsn: String,
        /// The module, or the name of its file.
        module: String,
    },
    /// Both sides have the same version and differ.
    SameVersion {
        /// The version.
        vsn: String,
        /// The modules that differ.
        modules: Vec<Atom>,
    },
    /// A module depends on one that the script does not load.
    DroppedDepends {
        /// The module.
        module: Atom,
        /// The dependency.
        depends: Atom,
    },
    /// Modules need new code of each other.
    Cycle {
        /// The modules.
        modules: Vec<Atom>,
    },
    /// The file of the appup holds more than one term; only the first counts.
    AppupTerms {
        /// The number of terms.
        count: usize,
    },
    /// The appup names another version than the `.app` file beside it.
    AppupVsn {
        /// The version of the `.app` file.
        vsn: String,
        /// The version that the appup names.
        found: String,
    },
    /// The appup that the application ships does not name the other version.
    NotCovered {
        /// The other version.
        vsn: String,
        /// The direction.
        direction: Direction,
    },
    /// States are converted field by field.
    StatesConverted {
        /// The modules whose processes have them.
        modules: Vec<Atom>,
        /// Who chose that.
        origin: Origin,
    },
    /// States are converted by migration modules.
    StatesMigrated {
        /// The modules whose processes have them, each with its migration module.
        called: Vec<(Atom, Atom)>,
    },
}

impl Warning {
    /// The warning as a tuple with its name in front.
    pub fn term(&self) -> Term {
        let of_module =
            |tag, module: &Atom| Term::tuple([Term::atom(tag), Term::Atom(module.clone())]);
        let atoms =
            |modules: &[Atom]| Term::List(modules.iter().cloned().map(Term::Atom).collect());
        match self {
            Self::LoadsNif { module } => of_module("loads_nif", module),
            Self::OnLoad { module } => of_module("on_load", module),
            Self::Protocol { module } => of_module("protocol", module),
            Self::ProtocolImplementation { module } => of_module("protocol_implementation", module),
            Self::MissingBeam { vsn, module } => Term::tuple([
                Term::atom("missing_beam"),
                Term::string(vsn),
                Term::Atom(module.clone()),
            ]),
            Self::UnlistedBeam { vsn, module } => {
                let module = Atom::new(module).map_or_else(|| Term::string(module), Term::Atom);
                Term::tuple([Term::atom("unlisted_beam"), Term::string(vsn), module])
            }
            Self::SameVersion { vsn, modules } => Term::tuple([
                Term::atom("same_version"),
                Term::string(vsn),
                atoms(modules),
            ]),
            Self::DroppedDepends { module, depends } => {
                let (module, depends) = (module.clone(), depends.clone());
                Term::tuple([
                    Term::atom("dropped_depends"),
                    Term::Atom(module),
                    Term::Atom(depends),
                ])
            }
            Self::Cycle { modules } => Term::tuple([Term::atom("cycle"), atoms(modules)]),
            Self::AppupTerms { count } => {
                Term::tuple([Term::atom("appup_terms"), Term::from(*count)])
            }
            Self::AppupVsn { vsn, found } => Term::tuple([
                Term::atom("appup_vsn"),
                Term::string(vsn),
                Term::string(found),
            ]),
            Self::NotCovered { vsn, direction } => Term::tuple([
                Term::atom("appup_not_covering"),
                Term::atom(direction.name()),
                Term::string(vsn),
            ]),
            Self::StatesConverted { modules, origin } => Term::tuple([
                Term::atom("states_converted"),
                atoms(modules),
                Term::atom(origin.name()),
            ]),
            Self::StatesMigrated { called } => {
                let pair = |(changed, migration): &(Atom, Atom)| {
                    Term::tuple([changed, migration].map(|name| Term::Atom(name.clone())))
                };
                let called = Term::list(called.iter().map(pair));
                Term::tuple([Term::atom("states_migrated"), called])
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadsNif { module } => write!(
                f,
                "{module} loads a NIF library, which must have an upgrade callback and a path of its \
                 own in each version: otherwise keep the module as it is or restart the application"
            ),
            Self::OnLoad { module } => write!(
                f,
                "{module} has an -on_load function, which runs again and must return ok: try it on a \
                 node that may fail"
            ),
            Self::Protocol { module } => write!(
                f,
                "{module} is an Elixir protocol, and what a release runs is its consolidated copy \
                 elsewhere: build that again and load it after the upgrade"
            ),
            Self::ProtocolImplementation { module } => write!(
                f,
                "{module} implements an Elixir protocol, whose consolidated copy does not know what is \
                 added or removed: build that again and load it after the upgrade"
            ),
            Self::MissingBeam { vsn, module } => write!(
                f,
                "version {vsn} lists the module {module} but has no file of it, which is left out: \
                 build it or take it out of the .app file"
            ),
            Self::UnlistedBeam { vsn, module } => write!(
                f,
                "version {vsn} has a file of the module {module} but does not list it, and it is left \
                 out: add it to modules in the .app file or delete the file"
            ),
            Self::SameVersion { vsn, modules } => write!(
                f,
                "both sides are version {vsn} and differ in {}: give the later one a version of its own",
                list(modules)
            ),
            Self::DroppedDepends { module, depends } => write!(
                f,
                "{module} depends on {depends}, which the script does not replace: no need to name it, \
                 or the name is wrong"
            ),
            Self::Cycle { modules } => write!(
                f,
                "{} need each other's new functions and are replaced together: none of their processes \
                 runs meanwhile",
                list(modules)
            ),
            Self::AppupTerms { count } => write!(
                f,
                "the appup that is shipped holds {count} terms, of which OTP's tools read the first alone: \
                 take the others out"
            ),
            Self::AppupVsn { vsn, found } => write!(
                f,
                "the appup that is shipped says that it is for version {found}, and the application is \
                 version {vsn}: its script is used as OTP uses it, and may not be meant for this version"
            ),
            Self::StatesConverted { modules, origin } => {
                write!(f, "states of {} are converted, {origin}", list(modules))
            }
            Self::StatesMigrated { called } => {
                let each = called
                    .iter()
                    .map(|(changed, migration)| format!("{changed} by {migration}"));
                write!(
                    f,
                    "states are converted: those of {}",
                    list(&each.collect::<Vec<_>>())
                )
            }
            Self::NotCovered { vsn, direction } => {
                let way = match direction {
                    Direction::Up => "from",
                    Direction::Down => "to",
                };
                write!(
                    f,
                    "the appup that is shipped has nothing {way} version {vsn}, a generated one takes \
                     its place: add the version to it or take the file away"
                )
            }
        }
    }
}

/// At most ten names, and the number of further ones.
fn list(modules: &[impl fmt::Display]) -> String {
    const SHOWN: usize = 10;
    let mut text = String::new();
    for (index, module) in modules.iter().take(SHOWN).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&module.to_string());
    }
    if modules.len() > SHOWN {
        text.push_str(&format!(" and {} more", modules.len() - SHOWN));
    }
    text
}
