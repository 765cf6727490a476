//! Supervisors: children that come, go or change, and what `init/1` does when it is called again.

use super::{Case, json, listed};
use crate::forms::Children;
use crate::plan::code::Code;
use crate::plan::compared::Changed;
use crate::plan::finding::Finding;
use serde_json::json;

/// What becomes of supervisors.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let changed = case.compared.changed.values();
    let supervisors = changed.filter(|changed| changed.kind.supervises());
    supervisors
        .flat_map(|Changed { old, new, .. }| children(old, new).into_iter().chain(init(new)))
        .collect()
}

fn children(old: &Code, new: &Code) -> Option<Finding> {
    let of = |code: &'_ Code| code.debug.known()?.children.clone();
    let (old, after): (Children, Children) = (of(old)?, of(new)?);
    let added: Vec<_> = after.keys().filter(|id| !old.contains_key(*id)).collect();
    let removed: Vec<_> = old.keys().filter(|id| !after.contains_key(*id)).collect();
    let differs = |(id, child): &(&String, &_)| old.get(*id).is_some_and(|before| before != *child);
    let changed: Vec<_> = after.iter().filter(differs).map(|(id, _)| id).collect();
    let said: Vec<String> = [("starts", &added), ("stops", &removed)]
        .iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(verb, ids)| format!("{verb} {}", listed(ids.iter())))
        .chain((!changed.is_empty()).then(|| {
            format!(
                "specifies {} anew, as of its next restart",
                listed(&changed)
            )
        }))
        .collect();
    if said.is_empty() {
        return None;
    }
    let (finding, advice) = if removed.is_empty() {
        let advice = "nothing, if that is meant";
        (Finding::info("children_changed", &new.module), advice)
    } else {
        let advice = "see that nobody needs the children that are stopped: what they keep is lost";
        (Finding::warning("children_changed", &new.module), advice)
    };
    let details = json!({"added": added, "removed": removed, "changed": changed});
    Some(
        finding
            .text(format!("{} {}", new.module, said.join(", ")))
            .advice(advice)
            .detail("children", details),
    )
}

/// Its `init/1` is called again, in the supervisor that runs.
fn init(new: &Code) -> Option<Finding> {
    let effects = &new.debug.known()?.effects;
    let (module, names) = (&new.module, || {
        effects.iter().map(|effect| &effect.function)
    });
    if effects.is_empty() {
        return None;
    }
    let once = effects.iter().filter(|effect| effect.once);
    let once: Vec<_> = once.map(|effect| &effect.function).collect();
    let finding = if once.is_empty() {
        let text = format!(
            "init/1 of {module} is called again and repeats {}; the upgrade may be rolled back",
            listed(names())
        );
        Finding::warning("init_repeats", module)
            .text(text)
            .advice("move that into a child, or see that it does no harm a second time")
    } else {
        let text = format!(
            "init/1 of {module} is called again, and {} fails the second time",
            listed(once)
        );
        Finding::error("init_fails_again", module)
            .text(text)
            .advice("move that into a child, or do it only where it is not done yet")
    };
    Some(finding.detail("calls", json(names())))
}
