//! What is around an application: everything else that a node has loaded, or that is installed.

use crate::term::{Atom, Term};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What is around an application.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The files of the modules that are loaded, or that may be.
    pub files: BTreeMap<Atom, PathBuf>,
    /// Modules that are loaded from no file, those in the emulator above all.
    pub without_file: HashSet<Atom>,
    /// The code path.
    pub path: Vec<PathBuf>,
    /// Whether a module that is not in here is nowhere.
    pub complete: bool,
    /// Whether it is a node that runs, which loads code from `path` alone.
    pub of_node: bool,
    /// The OTP release that the modules are loaded by.
    pub release: Option<u32>,
    /// Applications: their versions, and whether they run.
    pub applications: HashMap<Atom, (String, bool)>,
    /// Keys of the application's environment that were set to another value than the default.
    pub kept: HashSet<Atom>,
}

impl Surroundings {
    /// What is installed in these directories of applications. `application` itself is left out, in
    /// whatever version.
    pub fn installed(libs: &[PathBuf], application: &Atom) -> Self {
        let mut found = Self::default();
        for lib in libs {
            for dir in entries(lib) {
                let ebin = dir.join("ebin");
                let files = entries(&ebin);
                let names = files
                    .iter()
                    .filter_map(|file| file_name(file).strip_suffix(".app"));
                let names: Vec<Atom> = names.filter_map(Atom::new).collect();
                if names.contains(application) {
                    continue;
                }
                found.add_modules(&files);
                for name in names {
                    let vsn = file_name(&dir).strip_prefix(&format!("{name}-"));
                    let state = (vsn.unwrap_or_default().to_owned(), false);
                    found.applications.insert(name, state);
                    found.path.push(ebin.clone());
                }
            }
        }
        // Without stdlib these are not all modules that there are.
        found.complete = found.files.contains_key("lists");
        if found.complete {
            found.without_file.extend(preloaded());
        }
        found
    }

    fn add_modules(&mut self, files: &[PathBuf]) {
        for file in files {
            let module = file_name(file).strip_suffix(".beam").and_then(Atom::new);
            if let Some(module) = module {
                self.files.insert(module, file.clone());
            }
        }
    }

    /// What a node answers to the operation `code`: `#{modules := [{Module, File}], path := [Dir],
    /// applications := [{App, Vsn, Running}], kept := [Key]}`.
    pub fn of_node(answer: &Term, release: Option<u32>) -> Option<Self> {
        let code = answer.get("code")?;
        let mut found = Self {
            complete: true,
            of_node: true,
            release,
            ..Self::default()
        };
        for entry in code.get("modules")?.elements()?.iter() {
            let (module, file) = entry.as_pair()?;
            let module = module.as_atom()?.clone();
            match file.as_text() {
                Some(file) => drop(found.files.insert(module, PathBuf::from(&*file))),
                None => drop(found.without_file.insert(module)),
            }
        }
        let path = code.get("path")?.elements()?;
        let path = path.iter().filter_map(Term::as_text);
        found.path = path.map(|dir| PathBuf::from(&*dir)).collect();
        for entry in code.get("applications")?.elements()?.iter() {
            let [name, vsn, running] = entry.as_tuple()? else {
                return None;
            };
            let state = (vsn.as_text()?.into_owned(), running.as_bool()?);
            found.applications.insert(name.as_atom()?.clone(), state);
        }
        let kept = code.get("kept").and_then(Term::elements);
        let kept = kept.unwrap_or_default();
        found.kept = kept
            .iter()
            .filter_map(|key| key.as_atom().cloned())
            .collect();
        Some(found)
    }

    /// The file that `module` is or would be loaded from.
    pub fn file(&self, module: &Atom) -> Option<PathBuf> {
        if let Some(file) = self.files.get(module) {
            return Some(file.clone());
        }
        let name = format!("{module}.beam");
        let files = self.path.iter().map(|dir| dir.join(&name));
        files.into_iter().find(|file| file.is_file())
    }

    /// Whether a protocol of Elixir, or the one that a module implements, may have a consolidated copy: not on a node
    /// that finds none. An implementation is called `Protocol.Type`.
    pub fn may_have_consolidated(&self, module: &str) -> bool {
        let names = module.match_indices('.').map(|(at, _)| &module[..at]);
        let names: Vec<&str> = names.chain([module]).collect();
        let mut dirs = self.path.iter();
        let holds = |dir: &PathBuf| {
            let mut names = names.iter();
            file_name(dir) == "consolidated"
                && names.any(|name| dir.join(format!("{name}.beam")).is_file())
        };
        !self.of_node || dirs.any(holds)
    }

    /// Whether an application is known or can be found on the code path.
    pub fn has_application(&self, name: &Atom) -> bool {
        let file = format!("{name}.app");
        self.applications.contains_key(name)
            || self.path.iter().any(|dir| dir.join(&file).is_file())
    }
}

/// The entries of a directory, none where it cannot be read: what is not there is not around.
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut entries: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort_unstable();
    entries
}

/// The last part of a path, empty where it is no text.
pub fn file_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// Modules of the emulator itself, which have no file in any application (`erlang:pre_loaded/0`).
fn preloaded() -> impl Iterator<Item = Atom> {
    const NAMES: [&str; 20] = [
        "atomics",
        "counters",
        "erl_init",
        "erl_prim_loader",
        "erl_tracer",
        "erlang",
        "erts_code_purger",
        "erts_dirty_process_signal_handler",
        "erts_internal",
        "erts_literal_area_collector",
        "erts_trace_cleaner",
        "init",
        "persistent_term",
        "prim_buffer",
        "prim_eval",
        "prim_file",
        "prim_inet",
        "prim_net",
        "prim_socket",
        "prim_zip",
    ];
    NAMES
        .into_iter()
        .chain(["socket_registry", "zlib"])
        .map(Atom::of)
}
