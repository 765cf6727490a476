//! Two versions of an application, in their directories or loaded in a node, and the script that
//! leads from one to the other.
//!
//! Reads files and nothing else; what the script is, is decided in [`crate::appup`].

pub mod arguments;
mod compare;
mod digests;
mod error;
mod files;
mod interface;
mod names;
mod survey;

use std::path::PathBuf;

use crate::application::Application;
use crate::appup::{self, Direction, Generated, Reason, Warning};
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
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether modules are loaded again that do not differ.
    pub reload_unchanged: bool,
    /// Modules and behaviours that count as supervisors besides the known ones.
    pub supervisors: Vec<Atom>,
    /// Where overrides of `.app` files are.
    pub root: Option<PathBuf>,
    /// How many threads compare modules; 0 for as many as serve.
    pub threads: usize,
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
    /// What a person should know.
    pub warnings: Vec<Warning>,
}

/// Generates the appup between two versions of an application.
pub fn make_appup(
    application: &Atom,
    old: &Version,
    new: &Version,
    options: &Options,
) -> Result<Generated, ScriptError> {
    let old_spec = files::specification(application, old, Age::Old, options)?;
    let new_spec = files::specification(application, new, Age::New, options)?;
    let (facts, mut warnings) = survey::survey((&old_spec, old), (&new_spec, new), options)?;
    let mut generated = appup::generate(&facts, &options.supervisors)?;
    warnings.append(&mut generated.warnings);
    generated.warnings = warnings;
    Ok(generated)
}

/// The script of one direction: that of the appup in the later version, if that covers the earlier one,
/// else a generated one. `old` is the earlier version whatever the direction.
pub fn upgrade_script(
    application: &Atom,
    old: &Version,
    new: &Version,
    direction: Direction,
    options: &Options,
) -> Result<Script, ScriptError> {
    let shipped = files::shipped(application, new)?;
    let not_covered = match &shipped {
        Some((file, shipped)) => {
            let script = shipped.script(direction, &old.vsn);
            let script = script.map_err(|error| files::bad_appup(file, error))?;
            if let Some(instructions) = script {
                return Ok(Script::shipped(direction, instructions));
            }
            Some(Warning::NotCovered {
                vsn: old.vsn.clone(),
                direction,
            })
        }
        None => None,
    };
    let generated = make_appup(application, old, new, options)?;
    let steps = generated.script(direction);
    Ok(Script {
        direction,
        generated: true,
        instructions: steps.iter().map(|step| step.instruction.term()).collect(),
        reasons: steps.iter().map(|step| step.reasons.clone()).collect(),
        warnings: not_covered
            .into_iter()
            .chain(generated.warnings.iter().cloned())
            .collect(),
    })
}

impl Script {
    fn shipped(direction: Direction, instructions: &[Term]) -> Self {
        Self {
            direction,
            generated: false,
            instructions: instructions.to_vec(),
            reasons: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// `#{source, instructions, reasons, warnings}`, as the engine answers it.
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
        let warnings = self.warnings.iter().map(Warning::term).collect();
        Term::Map(vec![
            (Term::atom("source"), Term::atom(source)),
            (
                Term::atom("instructions"),
                Term::List(self.instructions.clone()),
            ),
            (Term::atom("reasons"), Term::list(reasons)),
            (Term::atom("warnings"), Term::List(warnings)),
        ])
    }
}
