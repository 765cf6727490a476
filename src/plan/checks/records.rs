//! Records that several modules share: messages and tables still hold the old ones.

use super::states::fields;
use super::{Case, json, listed};
use crate::forms::{Record, Shape};
use crate::plan::compared::Changed;
use crate::plan::finding::Finding;
use crate::term::Atom;
use serde_json::json;
use std::collections::BTreeMap;

/// A record: its name, its fields before and after. Modules that have another one of the same name, as most
/// have one that is called `state`, do not share it.
type Change<'a> = (&'a Atom, &'a Record, &'a Record);

/// Records that several modules share and that change.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<Change<'_>, Vec<&Atom>> = BTreeMap::new();
    for (module, Changed { old, new, .. }) in &case.compared.changed {
        let (Some(old), Some(new)) = (old.debug.known(), new.debug.known()) else {
            continue;
        };
        for name in old.used.iter().filter(|name| !is_state(&old.states, name)) {
            if let (Some(before), Some(after)) = (old.records.get(name), new.records.get(name))
                && before != after
            {
                let modules = found.entry((name, before, after)).or_default();
                modules.push(module);
            }
        }
    }
    let several = found.iter().filter(|(_, modules)| modules.len() > 1);
    several
        .map(|(change, modules)| finding(*change, modules))
        .collect()
}

/// A module's own state is its own matter, even where others define a record of the same name.
fn is_state(states: &std::collections::BTreeSet<Shape>, name: &Atom) -> bool {
    states.contains(&Shape::Record(name.clone()))
}

fn finding((name, before, after): Change<'_>, modules: &[&Atom]) -> Finding {
    let text = format!(
        "#{name}{{}}, which {} use, {}: messages and tables may hold the old one",
        listed(modules),
        fields(before, after)
    );
    Finding::warning("shared_record", name)
        .text(text)
        .advice("see that no old one is left when the new code runs, or that it takes both")
        .detail("modules", json(modules))
        .detail("fields", json!({"before": before, "after": after}))
}
