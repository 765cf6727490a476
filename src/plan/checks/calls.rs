//! Calls that lead nowhere: from others to functions that the new version lost, and from the new version
//! to functions that are not there.

use super::{Case, json, listed, lost, own};
use crate::appup::facts::Function;
use crate::beam::{BeamError, Module, Reader};
use crate::places::ApplicationDir;
use crate::plan::code::{Call, Code, exports_of, function};
use crate::plan::compared::{Changed, in_parallel};
use crate::plan::finding::Finding;
use crate::plan::verdict::Verdict;
use crate::term::Atom;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The functions that the new version no longer offers, by module.
pub type Lost<'a> = HashMap<&'a str, BTreeSet<&'a Function>>;

/// Calls that lead nowhere.
pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = broken(case);
    findings.extend(
        case.compared
            .fresh()
            .filter_map(|code| undefined(case, code)),
    );
    findings
}

/// Calls from whatever is loaded to functions that are no longer exported.
fn broken(case: &Case<'_>) -> Vec<Finding> {
    let lost = lost_functions(case);
    if lost.is_empty() {
        return Vec::new();
    }
    let callers: Vec<(Atom, PathBuf)> = callers(case);
    let called = in_parallel(&callers, case.threads, |(_, file), reader: &mut Reader| {
        // What cannot be read calls nothing that could be told.
        calls(file, &lost, reader).unwrap_or_default()
    });
    let pairs = callers.iter().zip(called);
    pairs
        .filter(|(_, calls)| !calls.is_empty())
        .map(|((caller, _), calls)| broken_call(case, caller, &calls))
        .collect()
}

fn broken_call(case: &Case<'_>, caller: &Atom, calls: &BTreeSet<String>) -> Finding {
    let own = case.to.modules().contains(caller);
    let text = format!(
        "{caller} calls {}, which version {} no longer exports",
        listed(calls),
        case.to.vsn
    );
    let advice = if own {
        "the new version itself is broken: rebuild it with the caller changed"
    } else {
        "upgrade or stop the caller first, or keep the function until nobody calls it"
    };
    Finding::warning("broken_call", caller)
        .text(text)
        .advice(advice)
        .detail("calls", json(calls))
}

/// The functions that nobody offers any more after the upgrade.
pub fn lost_functions<'a>(case: &Case<'a>) -> Lost<'a> {
    let mut found = Lost::new();
    for (name, Changed { old, new, .. }) in &case.compared.changed {
        let functions: BTreeSet<_> = lost(&old.exports, &new.exports).collect();
        if !functions.is_empty() && !new.has("$handle_undefined_function", 2) {
            found.insert(name.as_str(), functions);
        }
    }
    let mut reader = Reader::new();
    for (name, old) in &case.compared.removed {
        let elsewhere = elsewhere(case, name, &mut reader);
        let gone = |function: &&Function| !elsewhere.contains(*function);
        let functions: BTreeSet<_> = old.exports.iter().filter(gone).collect();
        if !functions.is_empty() {
            found.insert(name.as_str(), functions);
        }
    }
    found
}

/// What a module that has moved to another application exports there.
fn elsewhere(case: &Case<'_>, module: &Atom, reader: &mut Reader) -> BTreeSet<Function> {
    let ours = [case.from_dir.join("ebin"), case.to_dir.join("ebin")];
    let file = format!("{module}.beam");
    let others = case.around.path.iter().filter(|dir| !ours.contains(dir));
    let mut files = others.map(|dir| dir.join(&file)).filter(|f| f.is_file());
    let found = files.next();
    found
        .and_then(|file| exports_of(&file, reader).ok())
        .unwrap_or_default()
}

/// What will be loaded after the upgrade: others, and the new version.
fn callers(case: &Case<'_>) -> Vec<(Atom, PathBuf)> {
    let own = own(case);
    let others = case.around.files.iter();
    let others = others.filter(|(module, _)| !own.contains(*module));
    let ebin = case.to_dir.join("ebin");
    let new = case.to.modules().iter();
    let new = new.map(|module| (module.clone(), ebin.join(format!("{module}.beam"))));
    let others = others.map(|(module, file)| (module.clone(), file.clone()));
    others.chain(new).collect()
}

/// The lost functions that the module in `file` calls.
fn calls(file: &Path, lost: &Lost<'_>, reader: &mut Reader) -> Result<BTreeSet<String>, BeamError> {
    reader.read(file)?;
    let module = Module::parse(reader.bytes())?;
    let atoms = module.atoms();
    // Few modules name any of those that lost a function: the others are done with here.
    let watched: BTreeMap<usize, &BTreeSet<&Function>> = (1..)
        .zip(atoms.bytes())
        .filter_map(|(at, text)| Some((at, lost.get(std::str::from_utf8(text).ok()?)?)))
        .collect();
    let mut found = BTreeSet::new();
    if watched.is_empty() {
        return Ok(found);
    }
    for [of, name, arity] in module.import_numbers()? {
        if let Some(functions) = watched.get(&of) {
            let called = function(&atoms.get(name)?, arity)?;
            if functions.contains(&called) {
                found.insert(format!("{}:{called}", atoms.get(of)?));
            }
        }
    }
    Ok(found)
}

/// Calls that the new version of a module makes, the old one did not, and nobody answers.
fn undefined(case: &Case<'_>, (old, new): (Option<&Code>, &Code)) -> Option<Finding> {
    let mut reader = Reader::new();
    let mut known: HashMap<&Atom, Option<BTreeSet<Function>>> = HashMap::new();
    let fresh = new
        .imports
        .iter()
        .filter(|call| old.is_none_or(|old| !old.imports.contains(*call)));
    let missing = fresh.filter(|call| {
        let exports = known
            .entry(&call.module)
            .or_insert_with(|| exports(case, &call.module, &mut reader));
        exports
            .as_ref()
            .is_some_and(|exports| !answers(exports, call))
    });
    let missing: Vec<&Call> = missing.collect();
    let required = missing
        .iter()
        .filter(|call| is_required(case, &call.module));
    let certain: BTreeSet<&Atom> = required.map(|call| &call.module).collect();
    let missing = missing.iter();
    let missing = missing.map(|call| format!("{}:{}", call.module, call.function));
    let missing: Vec<String> = missing.collect();
    (!missing.is_empty()).then(|| {
        let text = format!(
            "{} calls {}, which is not there",
            new.module,
            listed(&missing)
        );
        let finding = match certain.is_empty() {
            true => Finding::warning("undefined_call", &new.module),
            // What the application says that it needs must have what it calls; what else runs may not.
            false => Finding::error("undefined_call", &new.module)
                .means(Verdict::HotWithWarnings)
                .detail("of_required", json(&certain)),
        };
        finding
            .text(text)
            .advice("install what exports it before, or take the call out")
            .detail("calls", missing)
    })
}

/// Whether a module belongs to an application that the new version cannot run without.
fn is_required(case: &Case<'_>, module: &Atom) -> bool {
    let file = case.around.file(module);
    let ebin = file.as_deref().and_then(Path::parent);
    let optional = &case.to.optional_applications;
    let mut needed = case.to.applications.iter();
    ebin.is_some_and(|ebin| {
        needed.any(|name| !optional.contains(name) && ebin.join(format!("{name}.app")).is_file())
    })
}

fn answers(exports: &BTreeSet<Function>, call: &Call) -> bool {
    let any = |function: &Function| function.name == *"$handle_undefined_function";
    call.function.name == *"module_info"
        || exports.contains(&call.function)
        || exports.iter().any(any)
}

/// What a module exports after the upgrade: nothing where it is nowhere, `None` where that cannot be
/// told.
fn exports(case: &Case<'_>, module: &Atom, reader: &mut Reader) -> Option<BTreeSet<Function>> {
    let around = case.around;
    if case.compared.removed.contains_key(module) {
        return Some(BTreeSet::new());
    }
    if case.to.modules().contains(module) {
        let file = ApplicationDir(case.to_dir).beam(module.as_str());
        return exports_of(&file, reader).ok();
    }
    if around.without_file.contains(module) {
        return None;
    }
    match around.file(module) {
        Some(file) => exports_of(&file, reader).ok(),
        None => around.complete.then(BTreeSet::new),
    }
}
