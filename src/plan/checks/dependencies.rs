//! Applications that the new version needs.

use super::Case;
use crate::application::vsn;
use crate::plan::finding::Finding;
use crate::term::{Atom, Term};
use std::cmp::Ordering;

/// Applications that the new version needs, that are not there or too old.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let new = case.to.applications.iter();
    let new = new.filter(|name| !case.from.applications.contains(name));
    let optional = |name: &&Atom| !case.to.optional_applications.contains(name);
    let mut findings: Vec<_> = new
        .filter(optional)
        .filter_map(|name| added(case, name))
        .collect();
    findings.extend(required(case).filter_map(|(name, wanted)| too_old(case, &name, &wanted)));
    findings
}

fn added(case: &Case<'_>, name: &Atom) -> Option<Finding> {
    let (around, application) = (case.around, &case.to.name);
    let runs = around.applications.get(name).is_some_and(|(_, runs)| *runs);
    if runs || matches!(name.as_str(), "kernel" | "stdlib") {
        return None;
    }
    if around.has_application(name) || !around.complete {
        let text =
            format!("{application} now needs {name}, which is started before it is upgraded");
        let finding = Finding::info("dependency_added", name);
        return Some(
            finding
                .text(text)
                .advice(format!("see that {name} may run")),
        );
    }
    let text = format!("{application} now needs {name}, which is not installed");
    let finding = Finding::error("dependency_missing", name);
    Some(finding.text(text).advice(format!("install {name} before")))
}

/// `runtime_dependencies`: what OTP's own applications say of the versions that they need.
fn required(case: &Case<'_>) -> impl Iterator<Item = (Atom, String)> {
    let list = case.to.key("runtime_dependencies").and_then(Term::elements);
    let pair = |entry: &Term| {
        let text = entry.as_string()?;
        let (name, wanted) = text.rsplit_once('-')?;
        Some((Atom::new(name)?, wanted.to_owned()))
    };
    let pairs: Vec<_> = list.unwrap_or_default().iter().filter_map(pair).collect();
    pairs.into_iter()
}

fn too_old(case: &Case<'_>, name: &Atom, wanted: &str) -> Option<Finding> {
    let (found, _) = case.around.applications.get(name)?;
    if found.is_empty() || vsn::compare(found, wanted) != Ordering::Less {
        return None;
    }
    let text = format!(
        "{} needs {name} {wanted} or later, and {found} is there",
        case.to.name
    );
    Some(
        Finding::warning("dependency_too_old", name)
            .text(text)
            .advice(format!("upgrade {name} before"))
            .detail("needed", wanted)
            .detail("found", found.as_str()),
    )
}
