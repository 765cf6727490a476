//! Migrations of a script: which states it converts field by field, and the instructions that do it.
//!
//! The evaluator in the node knows a migration by the extra of an `update` instruction,
//! `{erlrc_migration, {Up, Down}, none | {extra, Extra}}`: what becomes of a state going up and going down, and what
//! `code_change` is called with afterwards, `none` where there is no `code_change`.

use super::Script;
use super::named::{Fault, Named};
use super::names::Names;
use crate::appup::{Direction, ModuleKind, Warning};
use crate::beam::{Chunk, Chunks, Module, Reader};
use crate::forms::{Anatomy, CodeChange, Debug, Forms, Keeper};
use crate::migration::{self, Loss, Migration, Obstacle, OptIn, Version};
use crate::places::ApplicationDir;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was found about the states of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// How they are converted in the direction of the script.
    pub migration: Migration,
    /// The conversion in the other direction, where there is one; on that way values may be lost.
    pub back: Option<Migration>,
    /// Whether the module has a `code_change` that is called afterwards.
    pub has_code_change: bool,
}

/// The migration of each module, or why there is none. Modules whose states stay, or are converted by their own
/// `code_change`, are left out.
pub type Migrations = BTreeMap<Atom, Result<Found, Vec<Obstacle>>>;

/// Finds the migrations of `modules` between the application directories of the earlier and the later version.
pub fn find(
    (earlier, later): (&Path, &Path),
    modules: impl IntoIterator<Item = Atom>,
    direction: Direction,
    loss: Loss,
) -> Migrations {
    let one = |module: Atom| {
        let found = of_module((earlier, later), &module, direction, loss)?;
        Some((module, found))
    };
    modules.into_iter().filter_map(one).collect()
}

/// A module's debug information.
struct Read {
    forms: Forms,
    anatomy: Anatomy,
}

fn read(directory: &Path, module: &Atom) -> Option<Read> {
    let mut reader = Reader::new();
    let file = ApplicationDir(directory).beam(module.as_str());
    reader.read(file.as_path()).ok()?;
    let chunks = Chunks::parse(reader.bytes()).ok()?;
    let code = Module::new(chunks).ok()?;
    // A file of another module in this name is refused elsewhere.
    let named = code.name().ok()? == module.as_str();
    let forms = match Forms::read(chunks.get(Chunk::Dbgi)) {
        Debug::Known(forms) if named => forms,
        _ => return None,
    };
    let facts = super::interface::new_module(&code, &Names::new([])).ok()?;
    let anatomy = Anatomy::of(&forms, &ModuleKind::of_new(module, &facts, &[]));
    Some(Read { forms, anatomy })
}

fn of_module(
    (earlier, later): (&Path, &Path),
    module: &Atom,
    direction: Direction,
    loss: Loss,
) -> Option<Result<Found, Vec<Obstacle>>> {
    let (old, new) = (read(earlier, module)?, read(later, module)?);
    let between = |before: &Read, after: &Read, loss| {
        migration::between(
            module,
            Version {
                forms: &before.forms,
                anatomy: &before.anatomy,
            },
            Version {
                forms: &after.forms,
                anatomy: &after.anatomy,
            },
            &new.anatomy,
            loss,
        )
    };
    let (before, after) = match direction {
        Direction::Up => (&old, &new),
        Direction::Down => (&new, &old),
    };
    let migration = match between(before, after, loss) {
        Ok(migration) => migration?,
        Err(obstacles) => return Some(Err(obstacles)),
    };
    let back = between(after, before, Loss::Allowed).ok().flatten();
    Some(Ok(Found {
        migration,
        back,
        has_code_change: new.anatomy.code_change != CodeChange::Absent,
    }))
}

/// The records of each module that may be in the arguments with which its processes are started: what becomes of them
/// going up and going down.
fn arguments(
    (earlier, later): (&Path, &Path),
    modules: impl IntoIterator<Item = Atom>,
    direction: Direction,
    loss: Loss,
) -> Vec<(Atom, [Term; 2])> {
    let one = |module: Atom| {
        let (old, new) = (read(earlier, &module)?, read(later, &module)?);
        let ways = match direction {
            Direction::Up => {
                let (up, down) = migration::records(&old.forms, &new.forms, loss)?;
                [up, down]
            }
            Direction::Down => {
                let (down, up) = migration::records(&new.forms, &old.forms, loss)?;
                [up, down]
            }
        };
        Some((module, ways.map(|way| way.term())))
    };
    modules.into_iter().filter_map(one).collect()
}

impl Script {
    /// The modules that an instruction of this script replaces.
    pub fn replaced(&self) -> Vec<Atom> {
        let replaced = self.instructions.iter().filter_map(replaces);
        replaced.map(|(module, _)| module.clone()).collect()
    }

    /// Lets the instructions convert what changes between two application directories, where that is chosen, but for what
    /// migration modules convert.
    pub fn convert(&mut self, dirs: (&Path, &Path), opt_in: &OptIn, named: &Named) {
        let Some(loss) = opt_in.loss() else {
            return;
        };
        let replaced = self.replaced().into_iter();
        let modules = replaced.filter(|module| named.of(module).is_none());
        let migrations = find(dirs, modules, self.direction, loss);
        self.arguments = arguments(dirs, self.replaced(), self.direction, loss);
        let modules = self.migrate(&migrations);
        if !modules.is_empty() {
            let origin = opt_in.origin;
            self.warnings
                .push(Warning::StatesConverted { modules, origin });
        }
    }

    /// Lets the instructions convert the states of these modules; says which do.
    fn migrate(&mut self, migrations: &Migrations) -> Vec<Atom> {
        let mut modules = Vec::new();
        for instruction in &mut self.instructions {
            let Some((module, role)) = replaces(instruction) else {
                continue;
            };
            if let Some(Ok(found)) = migrations.get(module)
                && role.fits(found.migration.keeper)
            {
                modules.push(module.clone());
                *instruction = converting(instruction, found.ways(self.direction));
            }
        }
        modules
    }

    /// The migration modules of the modules that this script replaces, in the directory of the later version.
    pub fn migrators(&self, named: &Named, later: &Path) -> Result<Vec<Migrator>, Fault> {
        let replaced = self.replaced();
        if let Some(fault) = named.faults(&replaced).next() {
            return Err(fault.clone());
        }
        let one = |changed: Atom| {
            let migration = named.of(&changed)?.clone();
            let (supervises, has_code_change) = role_of(later, &changed);
            let file = ApplicationDir(later).beam(migration.as_str());
            Some(Migrator {
                changed,
                migration,
                file,
                supervises,
                has_code_change,
            })
        };
        Ok(replaced.into_iter().filter_map(one).collect())
    }

    /// Lets the instructions call these migration modules, with the earlier and the later version.
    pub fn call(&mut self, migrators: &[Migrator], vsns: (&str, &str)) {
        let mut called = Vec::new();
        for instruction in &mut self.instructions {
            let Some((module, role)) = replaces(instruction) else {
                continue;
            };
            let migrator = migrators.iter().find(|each| each.changed == *module);
            // A supervisor that is not told of the change keeps its argument.
            let Some(migrator) = migrator.filter(|each| !each.supervises || role != Role::Load)
            else {
                continue;
            };
            called.push((module.clone(), migrator.migration.clone()));
            *instruction = converting(instruction, migrator.ways(vsns));
        }
        if !called.is_empty() {
            self.warnings.push(Warning::StatesMigrated { called });
        }
    }
}

/// A module that converts the states of another one.
#[derive(Clone, Debug)]
pub struct Migrator {
    changed: Atom,
    migration: Atom,
    file: PathBuf,
    supervises: bool,
    has_code_change: bool,
}

impl Migrator {
    /// `{module, state | argument, {Migration, File}, {up | down, Earlier, Later}}`.
    fn ways(&self, (earlier, later): (&str, &str)) -> Ways {
        let kept = if self.supervises { "argument" } else { "state" };
        let file = Term::string(&self.file.to_string_lossy());
        let way = |direction: Direction| {
            let [earlier, later] = [earlier, later].map(Term::string);
            Term::tuple([
                Term::atom("module"),
                Term::atom(kept),
                Term::tuple([Term::Atom(self.migration.clone()), file.clone()]),
                Term::tuple([Term::atom(direction.name()), earlier, later]),
            ])
        };
        Ways {
            up: way(Direction::Up),
            down: way(Direction::Down),
            has_code_change: self.has_code_change,
        }
    }
}

/// Whether a module is one of supervisors, and whether its processes are told of a change.
fn role_of(later: &Path, module: &Atom) -> (bool, bool) {
    let mut reader = Reader::new();
    let file = ApplicationDir(later).beam(module.as_str());
    let facts = reader.read(file.as_path()).and_then(|()| {
        super::interface::new_module(&Module::parse(reader.bytes())?, &Names::new([]))
    });
    let Ok(facts) = facts else {
        return (false, true);
    };
    let supervises = ModuleKind::of_new(module, &facts, &[]).supervises();
    let told = facts.interface.exports.iter().any(|function| {
        let function = (function.name.as_str(), function.arity);
        matches!(function, ("code_change", 3 | 4) | ("system_code_change", 4))
    });
    (supervises, told || supervises)
}

/// How the states of a module are converted in each direction, and whether its own `code_change` is called afterwards.
struct Ways {
    up: Term,
    down: Term,
    has_code_change: bool,
}

impl Found {
    fn ways(&self, direction: Direction) -> Ways {
        let back = self.back.as_ref();
        let back = back.map_or_else(|| Term::atom("none"), Migration::term);
        let (up, down) = match direction {
            Direction::Up => (self.migration.term(), back),
            Direction::Down => (back, self.migration.term()),
        };
        Ways {
            up,
            down,
            has_code_change: self.has_code_change,
        }
    }
}

/// What an instruction does with the processes of its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// They are supervisors, whose `init/1` is called again.
    Supervisor,
    /// They are told of the change.
    Update,
    /// Nothing.
    Load,
}

impl Role {
    /// Whether it may convert what is kept so. A supervisor that is not told of the change is not asked for its children.
    fn fits(self, keeper: Keeper) -> bool {
        let left_out = match keeper {
            Keeper::Supervisor => Self::Load,
            _ => Self::Supervisor,
        };
        self != left_out
    }
}

/// The module that an instruction replaces while its processes may stand.
fn replaces(instruction: &Term) -> Option<(&Atom, Role)> {
    let [kind, Term::Atom(module), rest @ ..] = instruction.as_tuple()? else {
        return None;
    };
    let supervises = || {
        rest.first()
            .is_some_and(|change| change.is_atom("supervisor"))
    };
    let role = match kind.as_atom()?.as_str() {
        "load_module" => Role::Load,
        "update" if supervises() => Role::Supervisor,
        "update" => Role::Update,
        _ => return None,
    };
    Some((module, role))
}

fn converting(instruction: &Term, ways: Ways) -> Term {
    let Some([kind, module, rest @ ..]) = instruction.as_tuple() else {
        return instruction.clone();
    };
    // `{update, Module, supervisor}` says the same as this.
    let spelled;
    let rest = match rest {
        [supervisor] if supervisor.is_atom("supervisor") => {
            spelled = supervisor_change();
            spelled.as_slice()
        }
        rest => rest,
    };
    let own = rest
        .iter()
        .position(|part| part.as_tagged("advanced").is_some());
    let soft = rest.iter().position(|part| part.is_atom("soft"));
    let given = own.and_then(|at| rest.get(at)?.as_tagged("advanced")?.first());
    let called = match (given, ways.has_code_change) {
        (_, false) => None,
        (Some(extra), true) => Some(extra.clone()),
        // `{update, Module, DepMods}` says the same as `{advanced, []}`.
        (None, true) if soft.is_none() && kind.is_atom("update") => Some(Term::NIL),
        (None, true) => None,
    };
    let change = change(ways, called);
    let mut parts = vec![Term::atom("update"), module.clone()];
    match own.or(soft) {
        Some(at) => {
            parts.extend(rest.iter().cloned());
            if let Some(part) = parts.get_mut(at + 2) {
                *part = change;
            }
        }
        None => {
            parts.push(change);
            parts.extend(rest.iter().cloned());
        }
    }
    Term::Tuple(parts)
}

fn supervisor_change() -> [Term; 6] {
    let advanced = Term::tuple([Term::atom("advanced"), Term::NIL]);
    let purge = || Term::atom("brutal_purge");
    let (fixed, timeout) = (Term::atom("static"), Term::atom("default"));
    [fixed, timeout, advanced, purge(), purge(), Term::NIL]
}

/// `{advanced, {erlrc_migration, {Up, Down}, none | {extra, Extra}}}`.
fn change(ways: Ways, called: Option<Term>) -> Term {
    let called = called.map_or_else(
        || Term::atom("none"),
        |extra| Term::tuple([Term::atom("extra"), extra]),
    );
    let migration = [
        Term::atom("erlrc_migration"),
        Term::tuple([ways.up, ways.down]),
        called,
    ];
    Term::tuple([Term::atom("advanced"), Term::tuple(migration)])
}
