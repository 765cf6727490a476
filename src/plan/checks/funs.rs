//! Funs of code that is replaced: whoever still has one when the old code is purged fails to call it.

use super::{Case, json, listed};
use crate::plan::finding::Finding;

/// Funs of the old code that something may keep.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let changed = case.compared.changed.values().map(|changed| &changed.old);
    let gone = changed.chain(case.compared.removed.values());
    let kept = gone.filter_map(|old| Some((old, &old.debug.known()?.escapes)));
    let kept = kept.filter(|(old, escapes)| old.funs > 0 && !escapes.is_empty());
    kept.map(|(old, escapes)| {
        let text = format!(
            "{} makes funs in {} that may be in states, tables or messages, and fail once its old code is purged",
            old.module,
            listed(escapes)
        );
        Finding::info("funs_kept", &old.module)
            .text(text)
            .advice("keep `fun Module:Function/Arity` instead, or make them anew in code_change")
            .detail("functions", json(escapes))
    })
    .collect()
}
