//! Whether the version that is to run has a file of each module that it lists.

use foldhash::HashSet;

use super::error::{Age, ScriptError};
use super::survey::beams;
use super::{Options, Side, Version, files};
use crate::appup::Direction;
use crate::term::Atom;

/// Refuses a version that lists a module of which it has no file: its old code would stay loaded, and a node that starts
/// would not come up with it. What the version that runs lists and does not have either is no news.
pub fn check(
    application: &Atom,
    old: &Version,
    new: &Version,
    direction: Direction,
    options: &Options,
) -> Result<(), ScriptError> {
    let (old, new) = ((old, Age::Old), (new, Age::New));
    let (from, to) = match direction {
        Direction::Up => (old, new),
        Direction::Down => (new, old),
    };
    let missing = missing(application, to, options)?;
    if missing.is_empty() {
        return Ok(());
    }
    let missing_before = self::missing(application, from, options)?;
    let news = missing
        .into_iter()
        .find(|module| !missing_before.contains(module));
    news.map_or(Ok(()), |module| {
        Err(ScriptError::MissingBeam {
            vsn: to.0.vsn.clone(),
            module,
        })
    })
}

/// The modules of a version that are listed and not there, as they are listed.
fn missing(
    application: &Atom,
    (version, age): (&Version, Age),
    options: &Options,
) -> Result<Vec<Atom>, ScriptError> {
    let specification = files::specification(application, version, age, options)?;
    let found: HashSet<String> = match &version.side {
        Side::Directory(dir) => beams(&dir.join("ebin"), |_| true)?.into_iter().collect(),
        Side::Loaded(_, modules) => modules
            .iter()
            .map(|module| module.name.as_str().to_owned())
            .collect(),
    };
    let listed = specification.modules().iter();
    Ok(listed
        .filter(|module| !found.contains(module.as_str()))
        .cloned()
        .collect())
}
