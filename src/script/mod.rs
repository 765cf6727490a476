//! Two versions of an application, in their directories or loaded in a node, and the script that
//! leads from one to the other.
//!
//! Reads files and nothing else; what the script is, is decided in [`crate::appup`].

pub mod arguments;
mod compare;
mod complete;
mod digests;
mod error;
mod files;
mod interface;
pub mod migrations;
pub mod named;
mod names;
pub mod opt_in;
mod survey;

use std::path::PathBuf;

use crate::application::Application;
use crate::appup::{self, BadAttribute, Direction, Facts, Generated, Reason, Warning};
use crate::term::{Atom, Term};

pub use digests::{ModuleDigest, module_digests};
pub use error::{Age, ScriptError};
pub use files::specification;
pub use interface::{LoadedModule, attributes};

/// One version of an application.
#[derive(Clone, Debug)]
pub struct Version {
    /// Which one.
    pub vsn: String,
    /// Where it is.
    pub side: Side,
}

/// Where a version of an application is.
#[derive(Clone, Debug)]
pub enum Side {
    /// The application's directory, the one that holds `ebin`.
    Directory(PathBuf),
    /// In a node; its directory is gone.
    Loaded(Box<Application>, Vec<LoadedModule>),
}

/// What may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether modules are loaded again that do not differ.
    pub reload_unchanged: bool,
    /// Modules and behaviours that count as supervisors besides the known ones.
    pub supervisors: Vec<Atom>,
    /// Where overrides of `.app` files are.
    pub root: Option<PathBuf>,
    /// What is said of the conversion of states, field by field; [`opt_in::decide`] says what it comes to.
    pub migrate: opt_in::Said,
    /// How many threads compare modules; 0 for as many as serve.
    pub threads: usize,
    /// Which appup counts.
    pub appup: Appup,
}

/// Which appup counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Appup {
    /// That of the later version, where it covers the earlier one.
    #[default]
    Shipped,
    /// One that is generated, whatever the later version ships.
    Generated,
}

/// A script of one direction.
#[derive(Clone, Debug)]
pub struct Script {
    /// Which way it leads.
    pub direction: Direction,
    /// Whether it was generated or found in the appup that the later version ships.
    pub generated: bool,
    /// The high-level instructions.
    pub instructions: Vec<Term>,
    /// Why each of them is there; nothing for those of a shipped appup.
    pub reasons: Vec<Vec<Reason>>,
    /// What becomes of the records in the start arguments of children, by their modules, going up and going down.
    pub arguments: Vec<(Atom, [Term; 2])>,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Two versions of an application, module by module: what changed and why. Generation and the checks of a
/// plan read the same one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The modules of both.
    pub facts: Facts,
    /// What a person should know of their files.
    pub warnings: Vec<Warning>,
    /// Modules and behaviours that count as supervisors besides the known ones.
    pub supervisors: Vec<Atom>,
}

/// Compares two versions of an application.
pub fn compare(
    application: &Atom,
    old: &Version,
    new: &Version,
    options: &Options,
) -> Result<Comparison, ScriptError> {
    let old_spec = files::specification(application, old, Age::Old, options)?;
    let new_spec = files::specification(application, new, Age::New, options)?;
    let (facts, warnings) = survey::survey((&old_spec, old), (&new_spec, new), options)?;
    Ok(Comparison {
        facts,
        warnings,
        supervisors: options.supervisors.clone(),
    })
}

impl Comparison {
    /// The appup between both.
    pub fn appup(&self) -> Result<Generated, BadAttribute> {
        let mut generated = appup::generate(&self.facts, &self.supervisors)?;
        let ours = std::mem::take(&mut generated.warnings);
        generated.warnings = self.warnings.iter().cloned().chain(ours).collect();
        Ok(generated)
    }
}

/// Generates the appup between two versions of an application.
pub fn make_appup(
    application: &Atom,
    old: &Version,
    new: &Version,
    options: &Options,
) -> Result<Generated, ScriptError> {
    Ok(compare(application, old, new, options)?.appup()?)
}

/// What the later version ships for one direction.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The instructions, where its appup covers the earlier version.
    pub instructions: Option<Vec<Term>>,
    /// What a person should know of the appup.
    pub warnings: Vec<Warning>,
}

/// The script of one direction in the appup of the later version; nothing where there is none, or where
/// the options want none. `old` is the earlier version whatever the direction.
pub fn shipped_script(
    application: &Atom,
    old: &Version,
    new: &Version,
    direction: Direction,
    options: &Options,
) -> Result<Found, ScriptError> {
    let shipped = match options.appup {
        Appup::Shipped => files::shipped(application, new)?,
        Appup::Generated => None,
    };
    let Some((file, shipped)) = shipped else {
        return Ok(Found::default());
    };
    let script = shipped.script(direction, &old.vsn);
    let instructions = script
        .map_err(|error| files::bad_appup(&file, error))?
        .map(<[Term]>::to_vec);
    let not_covered = instructions.is_none().then(|| Warning::NotCovered {
        vsn: old.vsn.clone(),
        direction,
    });
    let warnings = shipped
        .warnings
        .iter()
        .cloned()
        .chain(not_covered)
        .collect();
    Ok(Found {
        instructions,
        warnings,
    })
}

/// The script of one direction: that of the appup in the later version, if that covers the earlier one,
/// else a generated one. `old` is the earlier version whatever the direction. Refused where the version that is to run
/// lacks a module that it lists.
pub fn upgrade_script(
    application: &Atom,
    old: &Version,
    new: &Version,
    direction: Direction,
    options: &Options,
) -> Result<Script, ScriptError> {
    let mut script = plain_script(application, old, new, direction, options)?;
    complete::check(application, old, new, direction, options)?;
    let Side::Directory(later) = &new.side else {
        return Ok(script);
    };
    let named = named::find(application, later, &options.migrate);
    let migrators = script.migrators(&named, later)?;
    if let Side::Directory(earlier) = &old.side {
        let opt_in = opt_in::decide(application, later, &options.migrate);
        script.convert((earlier, later), &opt_in, &named);
    }
    script.call(&migrators, (&old.vsn, &new.vsn));
    Ok(script)
}

/// The script without migrations.
fn plain_script(
    application: &Atom,
    old: &Version,
    new: &Version,
    direction: Direction,
    options: &Options,
) -> Result<Script, ScriptError> {
    let found = shipped_script(application, old, new, direction, options)?;
    let generated = || make_appup(application, old, new, options);
    match found.instructions {
        Some(instructions) => Ok(Script::shipped(direction, instructions, found.warnings)),
        None => Ok(Script::generated(direction, &generated()?, found.warnings)),
    }
}

impl Script {
    /// One that was found.
    pub fn shipped(direction: Direction, instructions: Vec<Term>, warnings: Vec<Warning>) -> Self {
        Self {
            direction,
            generated: false,
            instructions,
            reasons: Vec::new(),
            arguments: Vec::new(),
            warnings,
        }
    }

    /// One that was generated; `warnings` are those of the appup that does not cover the version.
    pub fn generated(
        direction: Direction,
        generated: &Generated,
        mut warnings: Vec<Warning>,
    ) -> Self {
        let steps = generated.script(direction);
        warnings.extend(generated.warnings.iter().cloned());
        Self {
            direction,
            generated: true,
            instructions: steps.iter().map(|step| step.instruction.term()).collect(),
            reasons: steps.iter().map(|step| step.reasons.clone()).collect(),
            arguments: Vec::new(),
            warnings,
        }
    }

    /// `#{source, instructions, reasons, arguments, warnings}`, as the engine answers it.
    pub fn term(&self) -> Term {
        let source = if self.generated {
            "generated"
        } else {
            "shipped"
        };
        let reasons = self
            .instructions
            .iter()
            .zip(&self.reasons)
            .map(|(instruction, reasons)| {
                let reasons = reasons.iter().map(Reason::term).collect();
                let direction = Term::atom(self.direction.name());
                Term::tuple([direction, instruction.clone(), Term::List(reasons)])
            });
        let arguments = self.arguments.iter().map(|(module, ways)| {
            let ways = Term::tuple(ways.clone());
            (Term::Atom(module.clone()), ways)
        });
        let warnings = self.warnings.iter().map(Warning::term).collect();
        Term::Map(vec![
            (Term::atom("source"), Term::atom(source)),
            (
                Term::atom("instructions"),
                Term::List(self.instructions.clone()),
            ),
            (Term::atom("reasons"), Term::list(reasons)),
            (Term::atom("arguments"), Term::Map(arguments.collect())),
            (Term::atom("warnings"), Term::List(warnings)),
        ])
    }
}
