//! Records that several modules share: messages and tables still hold the old ones.

use super::states::fields;
use super::{Case, json, listed};
use crate::plan::finding::Finding;
use crate::plan::forms::{Record, Shape};
use crate::term::Atom;
use serde_json::json;
use std::collections::BTreeMap;

/// A record as two modules or more have it.
#[derive(Default)]
struct Shared<'a> {
    modules: Vec<&'a Atom>,
    before: Option<&'a Record>,
    after: Option<&'a Record>,
}

/// Records that several modules share and that change.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<&Atom, Shared<'_>> = BTreeMap::new();
    for (module, (old, new)) in &case.compared.changed {
        let (Some(old), Some(new)) = (old.debug.known(), new.debug.known()) else {
            continue;
        };
        for name in old.used.iter().filter(|name| !is_state(&old.states, name)) {
            if let (Some(before), Some(after)) = (old.records.get(name), new.records.get(name))
                && before != after
            {
                let shared = found.entry(name).or_default();
                shared.modules.push(module);
                (shared.before, shared.after) = (Some(before), Some(after));
            }
        }
    }
    let several = found.iter().filter(|(_, shared)| shared.modules.len() > 1);
    several
        .filter_map(|(name, shared)| finding(name, shared))
        .collect()
}

/// A module's own state is its own matter, even where others define a record of the same name.
fn is_state(states: &std::collections::BTreeSet<Shape>, name: &Atom) -> bool {
    states.contains(&Shape::Record(name.clone()))
}

fn finding(name: &Atom, shared: &Shared<'_>) -> Option<Finding> {
    let (before, after) = (shared.before?, shared.after?);
    let text = format!(
        "#{name}{{}}, which {} use, {}: messages and tables may hold the old one",
        listed(&shared.modules),
        fields(before, after)
    );
    Some(
        Finding::warning("shared_record", name)
            .text(text)
            .advice("see that no old one is left when the new code runs, or that it takes both")
            .detail("modules", json(&shared.modules))
            .detail("fields", json!({"before": before, "after": after})),
    )
}
