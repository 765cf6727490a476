//! Migrations of a script: which states it converts field by field, and the instructions that do it.
//!
//! The evaluator in the node knows a migration by the extra of an `update` instruction,
//! `{erlrc_migration, {Up, Down}, none | {extra, Extra}}`: what becomes of a state going up and going down, and what
//! `code_change` is called with afterwards, `none` where there is no `code_change`.

use super::Script;
use super::names::Names;
use crate::appup::{Direction, ModuleKind, Warning};
use crate::beam::{Chunk, Chunks, Module, Reader};
use crate::forms::{Anatomy, CodeChange, Debug, Forms, Keeper};
use crate::migration::{self, Loss, Migration, Obstacle, OptIn, Version};
use crate::places::ApplicationDir;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;
use std::path::Path;

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

impl Script {
    /// The modules that an instruction of this script replaces.
    pub fn replaced(&self) -> Vec<Atom> {
        let replaced = self.instructions.iter().filter_map(replaces);
        replaced.map(|(module, _)| module.clone()).collect()
    }

    /// Lets the instructions convert what changes between two application directories, where that is chosen.
    pub fn convert(&mut self, dirs: (&Path, &Path), opt_in: &OptIn) {
        let Some(loss) = opt_in.loss() else {
            return;
        };
        let migrations = find(dirs, self.replaced(), self.direction, loss);
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
                *instruction = converting(instruction, found, self.direction);
            }
        }
        modules
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

fn converting(instruction: &Term, found: &Found, direction: Direction) -> Term {
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
    let called = match (given, found.has_code_change) {
        (_, false) => None,
        (Some(extra), true) => Some(extra.clone()),
        // `{update, Module, DepMods}` says the same as `{advanced, []}`.
        (None, true) if soft.is_none() && kind.is_atom("update") => Some(Term::NIL),
        (None, true) => None,
    };
    let change = change(found, called, direction);
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
fn change(found: &Found, called: Option<Term>, direction: Direction) -> Term {
    let back = found.back.as_ref();
    let back = back.map_or_else(|| Term::atom("none"), Migration::term);
    let (up, down) = match direction {
        Direction::Up => (found.migration.term(), back),
        Direction::Down => (back, found.migration.term()),
    };
    let called = called.map_or_else(
        || Term::atom("none"),
        |extra| Term::tuple([Term::atom("extra"), extra]),
    );
    let migration = [
        Term::atom("erlrc_migration"),
        Term::tuple([up, down]),
        called,
    ];
    Term::tuple([Term::atom("advanced"), Term::tuple(migration)])
}
