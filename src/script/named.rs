//! Migration modules: modules of the later version that convert the states of other modules. They are named in the
//! package, by terms `{module, Changed, Migration}` in `priv/APP.migration` or by the attribute `-erlrc_migration(Changed)`
//! of the migration module itself, and hold for both directions.

use super::interface::{attributes, exports};
use super::opt_in::{Converts, Said};
use super::survey::beams;
use crate::beam::{Chunk, Chunks, Module, Reader};
use crate::installed;
use crate::places::ApplicationDir;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;
use std::path::Path;
use thiserror::Error;

/// The callback of a migration module, `migrate(up | down, Module, Earlier, Later, State)`.
const CALLBACK: (&str, u32) = ("migrate", 5);
const ATTRIBUTE: &str = "erlrc_migration";

/// Why a migration module that is named cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The file that names migration modules.
    #[error("{file} cannot be used: {why}")]
    BadFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A term of that file.
    #[error("{file}: {term} is not {{module, MODULE, MIGRATION_MODULE}}")]
    BadTerm {
        /// The file.
        file: String,
        /// The term.
        term: String,
    },
    /// The attribute of a module.
    #[error("the attribute -{ATTRIBUTE} of {migration} is {value}, and names no modules")]
    BadAttribute {
        /// The module that has it.
        migration: Atom,
        /// Its value.
        value: String,
    },
    /// There is no such module.
    #[error("{migration}, which is to migrate {changed}, is not in the later version")]
    Missing {
        /// The module whose states are to be converted.
        changed: Atom,
        /// The migration module.
        migration: Atom,
    },
    /// Its file is no module, or it cannot be loaded beside the others.
    #[error("{migration}, which is to migrate {changed}, cannot be used: {why}")]
    Unusable {
        /// The module whose states are to be converted.
        changed: Atom,
        /// The migration module.
        migration: Atom,
        /// What is wrong with it.
        why: String,
    },
    /// Two modules are named for one.
    #[error("both {first} and {second} are to migrate {changed}")]
    Twice {
        /// The module whose states are to be converted.
        changed: Atom,
        /// One of them.
        first: Atom,
        /// The other one.
        second: Atom,
    },
}

impl Fault {
    /// The module whose states are not converted because of it, where it is about one.
    pub fn changed(&self) -> Option<&Atom> {
        match self {
            Self::Missing { changed, .. }
            | Self::Unusable { changed, .. }
            | Self::Twice { changed, .. } => Some(changed),
            _ => None,
        }
    }
}

/// What a version names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The migration module of each module.
    found: BTreeMap<Atom, Atom>,
    faults: Vec<Fault>,
}

impl Named {
    /// The migration module of `changed`.
    pub fn of(&self, changed: &Atom) -> Option<&Atom> {
        self.found.get(changed)
    }

    /// What is wrong, as far as it concerns these modules.
    pub fn faults<'a>(&'a self, replaced: &'a [Atom]) -> impl Iterator<Item = &'a Fault> {
        let concerns = |fault: &&Fault| {
            let changed = fault.changed();
            changed.is_none_or(|changed| replaced.contains(changed))
        };
        self.faults.iter().filter(concerns)
    }

    fn name(&mut self, changed: Atom, migration: Atom) {
        match self.found.get(&changed) {
            Some(first) if *first != migration => self.faults.push(Fault::Twice {
                changed,
                first: first.clone(),
                second: migration,
            }),
            _ => {
                self.found.insert(changed, migration);
            }
        }
    }

    fn in_file(&mut self, file: &Path) {
        let shown = file.display().to_string();
        let terms = match installed::consult(file) {
            Ok(terms) => terms,
            Err(fault) if fault.is_missing() => return,
            Err(fault) => {
                let why = fault.to_string();
                return self.faults.push(Fault::BadFile { file: shown, why });
            }
        };
        for term in terms {
            match term.as_tagged("module") {
                Some([Term::Atom(changed), Term::Atom(migration)]) => {
                    self.name(changed.clone(), migration.clone());
                }
                Some(_) => self.faults.push(Fault::BadTerm {
                    file: shown.clone(),
                    term: term.to_string(),
                }),
                None => {}
            }
        }
    }

    /// What the attributes of the modules of a directory say. A file that is no module is of no interest here.
    fn in_attributes(&mut self, directory: &Path) {
        let names = beams(&directory.join("ebin"), |_| true).unwrap_or_default();
        let mut reader = Reader::new();
        for migration in names.iter().filter_map(|name| Atom::new(name)) {
            let file = ApplicationDir(directory).beam(migration.as_str());
            if reader.read(file.as_path()).is_err() {
                continue;
            }
            for value in values(reader.bytes()) {
                match changed(&value) {
                    Some(modules) => modules
                        .into_iter()
                        .for_each(|changed| self.name(changed, migration.clone())),
                    None => self.faults.push(Fault::BadAttribute {
                        migration: migration.clone(),
                        value: value.to_string(),
                    }),
                }
            }
        }
    }

    fn check(&mut self, directory: &Path) {
        let faults = self
            .found
            .iter()
            .filter_map(|(changed, migration)| unusable(directory, changed, migration));
        self.faults.extend(faults.collect::<Vec<_>>());
    }
}

/// What the later version of `application`, in `later`, names. Nothing for what calls no migration modules: another
/// evaluator, and a node of an earlier version of erlrc, which reads no files either.
pub fn find(application: &Atom, later: &Path, said: &Said) -> Named {
    let mut named = Named::default();
    if said.evaluator == Converts::Nothing || said.root.is_none() {
        return named;
    }
    named.in_file(&ApplicationDir(later).migration(application.as_str()));
    named.in_attributes(later);
    named.check(later);
    named
}

/// The values of the attribute in a module.
fn values(bytes: &[u8]) -> Vec<Term> {
    let Ok(chunks) = Chunks::parse(bytes) else {
        return Vec::new();
    };
    let marked = |bytes: &[u8]| {
        let mut windows = bytes.windows(ATTRIBUTE.len());
        windows.any(|window| window == ATTRIBUTE.as_bytes())
    };
    // Compressed, it may hide it.
    let may_have = |bytes: &&[u8]| bytes.get(1) == Some(&b'P') || marked(bytes);
    if chunks.get(Chunk::Attr).filter(may_have).is_none() {
        return Vec::new();
    }
    let all = attributes(&chunks).ok().flatten().unwrap_or_default();
    let own = all
        .into_iter()
        .filter(|(name, _)| name.as_str() == ATTRIBUTE);
    own.map(|(_, value)| value).collect()
}

/// The modules in the value of an attribute: the compiler puts what is no list into one.
fn changed(value: &Term) -> Option<Vec<Atom>> {
    let elements = value.elements()?;
    let atoms = elements.iter().map(|element| element.as_atom().cloned());
    atoms.collect()
}

fn unusable(directory: &Path, changed: &Atom, migration: &Atom) -> Option<Fault> {
    let mut reader = Reader::new();
    let file = ApplicationDir(directory).beam(migration.as_str());
    let because = |why: String| {
        Some(Fault::Unusable {
            changed: changed.clone(),
            migration: migration.clone(),
            why,
        })
    };
    if !file.is_file() {
        return Some(Fault::Missing {
            changed: changed.clone(),
            migration: migration.clone(),
        });
    }
    if let Err(error) = reader.read(file.as_path()) {
        return because(error.to_string());
    }
    let exported = Module::parse(reader.bytes()).and_then(|module| {
        let (name, arity) = CALLBACK;
        let exports = exports(&module)?;
        let mut of_it = exports.iter().filter(|function| function.arity == arity);
        let exported = of_it.any(|function| function.name.as_str() == name);
        Ok((exported, module.has_on_load()))
    });
    match exported {
        Ok((true, false)) => None,
        Ok((false, _)) => because("it does not export migrate/5".to_owned()),
        Ok((true, true)) => because("it has an -on_load function".to_owned()),
        Err(error) => because(error.to_string()),
    }
}
