//! The environment: keys that come and go, defaults that change.

use super::{Case, listed};
use crate::plan::finding::Finding;
use crate::term::{Atom, Term};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What becomes of the environment.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let (Ok(old), Ok(new)) = (case.from.env(), case.to.env()) else {
        return Vec::new();
    };
    let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (old.into_iter().collect(), new.into_iter().collect());
    let added = new.iter().filter(|(key, _)| !old.contains_key(*key));
    let removed = old.iter().filter(|(key, _)| !new.contains_key(*key));
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(*key).is_some_and(|before| before != *value));
    let application = &case.to.name;
    let mut findings = Vec::new();
    let said: Vec<_> = added.map(|(key, value)| (*key, *value)).collect();
    if !said.is_empty() {
        let text = format!(
            "{application} gains {}",
            listed(said.iter().map(|(key, _)| key))
        );
        findings.push(
            Finding::info("environment_added", application)
                .text(text)
                .advice("set what must not have its default")
                .detail("keys", values(&said)),
        );
    }
    let said: Vec<_> = removed.map(|(key, value)| (*key, *value)).collect();
    if !said.is_empty() {
        findings.push(gone(case, &said));
    }
    // Of those that were set, the node says itself that they stay.
    let changed = changed.filter(|(key, _)| !case.around.kept.contains::<Atom>(key));
    let said: Vec<_> = changed.map(|(key, value)| (*key, *value)).collect();
    if !said.is_empty() {
        findings.push(defaults(case, &old, &said));
    }
    findings
}

type Pairs<'a> = [(&'a Atom, &'a Term)];

fn values(pairs: &Pairs<'_>) -> Value {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| (key.to_string(), Value::from(value.to_string())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn gone(case: &Case<'_>, keys: &Pairs<'_>) -> Finding {
    let application = &case.to.name;
    let text = format!(
        "{application} no longer has {}",
        listed(keys.iter().map(|(key, _)| key))
    );
    Finding::info("environment_removed", application)
        .text(text)
        .advice("take it out of the configuration: what is set there stays, and nobody reads it")
        .detail("keys", values(keys))
}

fn defaults(case: &Case<'_>, old: &BTreeMap<&Atom, &Term>, keys: &Pairs<'_>) -> Finding {
    let application = &case.to.name;
    let before = |key: &&Atom| old.get(*key).map(ToString::to_string).unwrap_or_default();
    let each = keys
        .iter()
        .map(|(key, new)| format!("{key} from {} to {new}", before(key)));
    let detail = |(key, new): &(&Atom, &Term)| {
        let (before, after) = (before(key), new.to_string());
        (key.to_string(), json!({"before": before, "after": after}))
    };
    let details: serde_json::Map<_, _> = keys.iter().map(detail).collect();
    Finding::info("environment_default", application)
        .text(format!(
            "defaults of {application} change: {}",
            listed(each)
        ))
        .advice("set what must stay as it was")
        .detail("keys", details)
}
