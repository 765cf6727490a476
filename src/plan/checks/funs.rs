//! Funs of code that is replaced: whoever still has one when the old code is purged fails to call it.

use super::{Case, json, listed};
use crate::plan::finding::Finding;
use serde_json::{Map, Value};

/// Funs of the old code that something may keep: one finding for all modules that make some.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let changed = case.compared.changed.values().map(|changed| &changed.old);
    let gone = changed.chain(case.compared.removed.values());
    let kept = gone.filter_map(|old| Some((old, &old.debug.known()?.escapes)));
    let kept = kept.filter(|(old, escapes)| old.funs > 0 && !escapes.is_empty());
    let kept: Vec<_> = kept.collect();
    let who = match &kept[..] {
        [] => return Vec::new(),
        [(old, escapes)] => format!("{} makes funs in {} that", old.module, listed(*escapes)),
        _ => {
            let counts = kept.iter();
            let counts = counts.map(|(old, escapes)| format!("{} ({})", old.module, escapes.len()));
            format!(
                "{} modules make funs, in this many functions each: {}; these",
                kept.len(),
                listed(counts)
            )
        }
    };
    let functions = kept.iter();
    let functions = functions.map(|(old, escapes)| {
        let functions = json(*escapes);
        (old.module.to_string(), Value::from(functions))
    });
    let functions: Map<String, Value> = functions.collect();
    let finding = Finding::info("funs_kept", &case.to.name)
        .text(format!(
            "{who} may be in states, tables or messages, and fail once the old code is purged"
        ))
        .advice("keep `fun Module:Function/Arity` instead, or make them anew in code_change")
        .detail("functions", functions);
    vec![finding]
}
