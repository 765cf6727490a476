//! What may go wrong, a file for each kind of it. Every check reads a [`Case`] and adds findings; none
//! knows another.

mod after_commit;
mod calls;
mod dependencies;
mod environment;
mod files;
mod funs;
mod names;
mod natives;
mod records;
mod shipped;
mod states;
mod storage;
mod supervisors;

use super::compared::Compared;
use super::finding::Finding;
use super::steps::restarts_application;
use super::surroundings::Surroundings;
use crate::application::Application;
use crate::migration::OptIn;
use crate::script::Script;
use crate::script::named::Named;
use crate::term::Atom;
use std::collections::BTreeSet;
use std::path::Path;

/// What the checks are told.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The version that runs.
    pub from: &'a Application,
    /// Its directory.
    pub from_dir: &'a Path,
    /// The version that is to run.
    pub to: &'a Application,
    /// Its directory.
    pub to_dir: &'a Path,
    /// Both, module by module.
    pub compared: &'a Compared,
    /// The script, where there is one.
    pub script: Option<&'a Script>,
    /// What else there is.
    pub around: &'a Surroundings,
    /// Whether states are converted field by field, and who chose that.
    pub opt_in: &'a OptIn,
    /// The migration modules that the later version names.
    pub named: &'a Named,
    /// How many threads may read.
    pub threads: usize,
}

/// What the changed modules themselves say: all that a hook has the time for.
pub fn of_changes(case: &Case<'_>) -> Vec<Finding> {
    let of_processes: [fn(&Case<'_>) -> Vec<Finding>; 2] = [states::check, supervisors::check];
    let restarts = |script: &Script| script.instructions.iter().any(restarts_application);
    let mut findings = shipped::check(case);
    findings.extend(files::missing(case));
    findings.extend(after_commit::check(case));
    findings.extend(natives::check(case));
    // Where the application is started anew, no process lives to meet the new code.
    if !case.script.is_some_and(restarts) {
        findings.extend(of_processes.iter().flat_map(|check| check(case)));
    }
    findings
}

/// What is left: the files, everything that is around them, and what is good to know.
pub fn of_surroundings(case: &Case<'_>) -> Vec<Finding> {
    let checks: [fn(&Case<'_>) -> Vec<Finding>; 8] = [
        calls::check,
        dependencies::check,
        environment::check,
        files::check,
        funs::check,
        names::check,
        records::check,
        storage::check,
    ];
    checks.iter().flat_map(|check| check(case)).collect()
}

/// At most ten names, and how many more there are.
pub fn listed<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

/// The names as JSON has them.
pub fn json<T: ToString>(names: impl IntoIterator<Item = T>) -> Vec<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

/// What `old` has and `new` has not.
pub fn lost<'a, T: Ord>(old: &'a BTreeSet<T>, new: &'a BTreeSet<T>) -> impl Iterator<Item = &'a T> {
    old.difference(new)
}

/// The modules of the application in either version.
pub fn own(case: &Case<'_>) -> BTreeSet<Atom> {
    let modules = case.from.modules().iter().chain(case.to.modules());
    modules.cloned().collect()
}
