//! Storage that only a start makes: tables and persistent terms which the new version expects and which nobody makes.

use super::{Case, json, listed};
use crate::forms::Storage;
use crate::plan::code::Code;
use crate::plan::compared::Changed;
use crate::plan::finding::Finding;
use crate::term::Term;
use std::collections::BTreeSet;

/// What `init/1` and `start/2` of modules that run would make, and neither version makes otherwise.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let applies = |instruction: &Term| instruction.as_tagged("apply").is_some();
    // What an author calls may make it.
    if case
        .script
        .is_some_and(|script| script.instructions.iter().any(applies))
    {
        return Vec::new();
    }
    let known = known(case);
    let changed = case.compared.changed.values();
    // That of a supervisor is called again.
    let changed = changed.filter(|changed| !changed.kind.supervises());
    changed
        .filter_map(|changed| missing(changed, &known))
        .collect()
}

/// What is there already, or is made when the code is changed, or by a process that is started for it.
fn known<'a>(case: &'a Case<'_>) -> BTreeSet<&'a String> {
    let changed = case.compared.changed.values();
    let olds = changed
        .clone()
        .map(|changed| &changed.old)
        .chain(case.compared.removed.values());
    let there = olds.filter_map(of).flat_map(|made| &made.anywhere);
    let fresh = changed
        .map(|changed| &changed.new)
        .chain(case.compared.added.values());
    let converted = fresh.filter_map(of).flat_map(|made| &made.in_upgrade);
    let added = case.compared.added.values().filter_map(of);
    there
        .chain(converted)
        .chain(added.flat_map(|made| &made.anywhere))
        .collect()
}

fn of(code: &Code) -> Option<&Storage> {
    Some(&code.debug.known()?.storage)
}

fn missing(changed: &Changed, known: &BTreeSet<&String>) -> Option<Finding> {
    // Without debug information of both sides nobody can tell.
    let (_, new) = (of(&changed.old)?, of(&changed.new)?);
    let missing = new
        .at_start
        .iter()
        .filter(|(made, _)| !known.contains(made));
    let missing: Vec<_> = missing.collect();
    let (_, function) = missing.first()?;
    let module = &changed.new.module;
    let names: Vec<&String> = missing.iter().map(|(made, _)| *made).collect();
    let text = format!(
        "{function} of {module} makes {}, which the version that runs does not have, and an upgrade does not call it",
        listed(&names)
    );
    Some(
        Finding::warning("storage_not_made", module)
            .text(text)
            .advice("make it in code_change, or by the attribute erlrc_apply, where it is not there yet")
            .detail("made", json(&names)),
    )
}
