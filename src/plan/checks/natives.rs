//! Native libraries of an application that differ while the modules that load them do not: nothing loads them
//! again, and the earlier code runs on.

use super::{Case, json, listed};
use crate::beam::{Module, Reader};
use crate::plan::finding::Finding;
use crate::plan::surroundings::{entries, file_name};
use crate::term::Atom;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Libraries lie directly in `priv`, or in a directory for the system or the machine.
const LEVELS: usize = 3;

/// More files than this are no libraries of one application.
const MOST: usize = 1000;

/// Libraries that differ and that nothing loads again.
pub fn check(case: &Case<'_>) -> Option<Finding> {
    let files = differing(&case.from_dir.join("priv"), &case.to_dir.join("priv"));
    if files.is_empty() {
        return None;
    }
    let stay: Vec<&Atom> = case.compared.unchanged.iter().collect();
    let loaders = loaders(&case.to_dir.join("ebin"), &stay);
    let loads = |changed: &&crate::plan::compared::Changed| changed.new.loads_nif();
    let replaced = case.compared.changed.values().any(|c| loads(&c));
    // Where each module that loads a library is loaded again, so is the library.
    if loaders.is_empty() && replaced {
        return None;
    }
    let names = files.iter().map(|file| format!("priv/{}", file.display()));
    let names: Vec<String> = names.collect();
    let text = match loaders.is_empty() {
        true => format!(
            "{} {}, and no module that differs loads native code: whoever has loaded the earlier one \
             keeps it",
            listed(&names),
            differ(&names)
        ),
        false => format!(
            "{} {}, and {}, which {} native code, {}: the earlier library stays loaded",
            listed(&names),
            differ(&names),
            listed(&loaders),
            if loaders.len() == 1 { "loads" } else { "load" },
            if loaders.len() == 1 {
                "does not"
            } else {
                "do not"
            },
        ),
    };
    Some(
        Finding::warning("native_library", &case.to.name)
            .text(text)
            .advice(
                "restart the node to run the new library, or build the modules that load it with \
                 a change of their own",
            )
            .detail("files", json(&names))
            .detail("modules", json(&loaders)),
    )
}

fn differ(names: &[String]) -> &'static str {
    if names.len() == 1 {
        "differs"
    } else {
        "differ"
    }
}

/// The libraries that both directories have and that differ, below these directories.
fn differing(old: &Path, new: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut seen = 0;
    let mut open = vec![(PathBuf::new(), LEVELS)];
    while let Some((dir, levels)) = open.pop() {
        for file in entries(&new.join(&dir)) {
            seen += 1;
            if seen > MOST {
                return found;
            }
            let inside = dir.join(file_name(&file));
            if file.is_dir() {
                open.extend(levels.checked_sub(1).map(|left| (inside, left)));
            } else if is_library(&file) && !same(&old.join(&inside), &file) {
                found.insert(inside);
            }
        }
    }
    found
}

/// Whether a file is called as a shared library is: `x.so`, `x.so.1`.
fn is_library(file: &Path) -> bool {
    let name = file_name(file);
    name.ends_with(".so") || name.contains(".so.")
}

/// Whether the content is the same, or there is no earlier one: a library that comes is no change of one.
fn same(old: &Path, new: &Path) -> bool {
    let size = |file: &Path| std::fs::metadata(file).map(|data| data.len());
    let (Ok(before), Ok(after)) = (size(old), size(new)) else {
        return true;
    };
    before == after && matches!((std::fs::read(old), std::fs::read(new)), (Ok(a), Ok(b)) if a == b)
}

/// Those of the modules that load native code.
fn loaders<'a>(ebin: &Path, modules: &[&'a Atom]) -> Vec<&'a Atom> {
    let mut reader = Reader::new();
    let mut loads = |module: &Atom| {
        reader
            .read(ebin.join(format!("{module}.beam")).as_path())
            .ok()?;
        let module = Module::parse(reader.bytes()).ok()?;
        let imports = module.imports().ok()?;
        let mut calls = imports.iter();
        let loads = calls.any(|(module, name, arity)| is_load_nif(module, name, *arity));
        loads.then_some(())
    };
    let modules = modules.iter().copied();
    modules.filter(|module| loads(module).is_some()).collect()
}

fn is_load_nif(module: &str, function: &str, arity: usize) -> bool {
    (module, function, arity) == ("erlang", "load_nif", 2)
}
