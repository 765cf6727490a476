//! The files: what is missing, not listed, of another release, or in the way.

use super::{Case, json, listed, own};
use crate::application::vsn;
use crate::appup::Warning;
use crate::places::ApplicationDir;
use crate::plan::code::Code;
use crate::plan::finding::Finding;
use crate::plan::surroundings::{entries, file_name};
use crate::term::Atom;
use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Modules that the new version lists and does not have.
pub fn missing(case: &Case<'_>) -> Vec<Finding> {
    of_warnings(case, is_missing)
}

fn is_missing(warning: &Warning) -> bool {
    matches!(warning, Warning::MissingBeam { .. })
}

fn of_warnings(case: &Case<'_>, wanted: fn(&Warning) -> bool) -> Vec<Finding> {
    let warnings = case.script.iter().flat_map(|script| &script.warnings);
    warnings
        .filter(|warning| wanted(warning))
        .filter_map(|warning| of_warning(case, warning))
        .collect()
}

/// What else is wrong with the files.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = of_warnings(case, |warning| !is_missing(warning));
    let fresh: Vec<&Code> = case.compared.fresh().map(|(_, new)| new).collect();
    findings.extend(release(case, &fresh));
    findings.extend(versions_in_the_way(case));
    findings.extend(modules_in_the_way(case));
    findings
}

/// What generation has to say, as findings. What was so before is no news.
fn of_warning(case: &Case<'_>, warning: &Warning) -> Option<Finding> {
    let listed = |module: &Atom| case.from.modules().contains(module);
    let old_file = |name: &str| ApplicationDir(case.from_dir).beam(name);
    let finding = match warning {
        Warning::LoadsNif { module } => Finding::warning("loads_nif", module),
        Warning::OnLoad { module } => Finding::warning("on_load", module),
        Warning::Protocol { module } | Warning::ProtocolImplementation { module }
            if !case.around.may_have_consolidated(module.as_str()) =>
        {
            return None;
        }
        Warning::Protocol { module } => Finding::warning("elixir_protocol", module),
        Warning::ProtocolImplementation { module } => {
            Finding::warning("elixir_protocol_implementation", module)
        }
        Warning::MissingBeam { module, .. }
            if listed(module) && !old_file(module.as_str()).exists() =>
        {
            return None;
        }
        // A node that starts would not come up with it.
        Warning::MissingBeam { module, .. } => Finding::error("missing_beam", module),
        Warning::UnlistedBeam { module, .. } if is_old_news(case, module) => return None,
        Warning::UnlistedBeam { module, .. } => Finding::warning("unlisted_beam", module),
        Warning::SameVersion { .. } => Finding::warning("same_version", &case.to.name),
        Warning::DroppedDepends { module, .. } => Finding::info("dropped_depends", module),
        Warning::Cycle { modules } => {
            Finding::info("cycle", modules.first().map_or("", Atom::as_str))
        }
        Warning::AppupTerms { .. } => Finding::warning("appup_terms", &case.to.name),
        Warning::AppupVsn { .. } => Finding::warning("appup_vsn", &case.to.name),
        Warning::NotCovered { .. } => Finding::warning("appup_not_covering", &case.to.name),
        // The check of states says more of it.
        Warning::StatesConverted { .. } | Warning::StatesMigrated { .. } => return None,
    };
    // A warning says first what is the case, then, behind the last colon, what to do.
    let whole = warning.to_string();
    let (text, advice) = whole.rsplit_once(": ").unwrap_or((&whole, ""));
    Some(finding.text(text).advice(advice))
}

fn is_old_news(case: &Case<'_>, module: &str) -> bool {
    let listed = case.from.modules().iter().any(|name| *name == *module);
    let file = ApplicationDir(case.from_dir).beam(module);
    !listed && file.exists()
}

fn release(case: &Case<'_>, fresh: &[&Code]) -> Option<Finding> {
    let node = case.around.release?;
    let refused: Vec<_> = fresh
        .iter()
        .filter(|code| !code.releases.contain(node))
        .collect();
    let modules: Vec<_> = refused.iter().map(|code| &code.module).collect();
    let releases = || refused.iter().map(|code| code.releases);
    let compiled_by = releases().filter_map(|releases| releases.compiled_by).max();
    let compiled_by = compiled_by.map_or_else(String::new, |release| {
        format!(" (compiled by OTP {release})")
    });
    let needed = releases().map(|releases| releases.first).max()?;
    let (needed, limit, other) = match needed > node {
        true => (
            needed,
            "later",
            format!(", or restart the node on OTP {needed}"),
        ),
        false => {
            let last = releases().filter_map(|releases| releases.last).min()?;
            (last, "earlier", String::new())
        }
    };
    let text = format!(
        "{} can be loaded by OTP {needed} or {limit}{compiled_by}, and the node runs OTP {node}",
        listed(&modules)
    );
    Some(
        Finding::error("otp_release", &case.to.name)
            .text(text)
            .advice(format!("build it on OTP {node}{other}"))
            .detail("modules", json(&modules))
            .detail("needed", needed)
            .detail("node", node),
    )
}

/// Other versions beside the new one, which OTP takes for the latest and would load instead of it.
fn versions_in_the_way(case: &Case<'_>) -> Option<Finding> {
    let parent = case.to_dir.parent()?;
    // Between directories of which no node takes any, none is in the way.
    let loads_from = |ebin: &PathBuf| ebin.ancestors().nth(2) == Some(parent);
    if !case.around.path.iter().any(loads_from) {
        return None;
    }
    let prefix = format!("{}-", case.to.name);
    let meant: [&Path; 2] = [case.to_dir, case.from_dir];
    let in_the_way = |dir: &Path| {
        let found = file_name(dir).strip_prefix(&prefix)?;
        let later = vsn::compare(found, &case.to.vsn) == Ordering::Greater;
        // `foo-plugin` is no version of `foo`.
        let file = ApplicationDir(dir).app(case.to.name.as_str());
        let other = later && !meant.contains(&dir) && file.is_file();
        other.then(|| dir.display().to_string())
    };
    // Where versions are not side by side by name, none is chosen by name.
    file_name(case.to_dir).strip_prefix(&prefix)?;
    let dirs: Vec<String> = entries(parent)
        .iter()
        .filter_map(|dir| in_the_way(dir))
        .collect();
    (!dirs.is_empty()).then(|| {
        let text = format!(
            "{} {} later than {}: a node that boots without erlrc would take {}",
            listed(&dirs),
            if dirs.len() == 1 { "is" } else { "are" },
            case.to.vsn,
            if dirs.len() == 1 { "it" } else { "the latest" },
        );
        Finding::warning("later_version", &case.to.name)
            .text(text)
            .advice("move away what is not meant to run")
            .detail("directories", dirs)
    })
}

/// Files of the application's modules in other places that come first on the code path, or that are
/// loaded from a place on it: what is loaded from a directory that an earlier upgrade has left comes from there
/// once, and never again; what is compiled while the node runs has no file.
fn modules_in_the_way(case: &Case<'_>) -> Option<Finding> {
    let around = case.around;
    let ours = [case.from_dir.join("ebin"), case.to_dir.join("ebin")];
    let before = around.path.iter().take_while(|dir| !ours.contains(dir));
    let before: Vec<_> = before
        .filter(|_| around.path.iter().any(|dir| ours.contains(dir)))
        .collect();
    let foreign = |module: &Atom| {
        let loaded = around.files.get(module);
        let on_path = |file: &Path| around.path.iter().any(|dir| file.parent() == Some(dir));
        let loaded = loaded.filter(|file| on_path(file) && file.is_file());
        let loaded = loaded.filter(|file| !ours.iter().any(|dir| file.parent() == Some(dir)));
        let name = format!("{module}.beam");
        let shadow = || {
            before
                .iter()
                .map(|dir| dir.join(&name))
                .find(|file| file.is_file())
        };
        loaded.cloned().or_else(shadow)
    };
    let own = own(case);
    let files: Vec<_> = own.iter().filter_map(foreign).collect();
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    (!files.is_empty()).then(|| {
        let text = format!(
            "modules of {} come from elsewhere: {}",
            case.to.name,
            listed(&files)
        );
        Finding::warning("shadowed", &case.to.name)
            .text(text)
            .advice("take that directory off the code path, or delete the files")
            .detail("files", files)
    })
}
