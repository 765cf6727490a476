//! Which libraries this host's dynamic linker would take, found as ld.so(8) describes it, without running it.

use super::needs::{Library, Requirement};
use super::object::{self, Object};
use crate::package::machine::Architecture;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// The cache that ldconfig(8) writes.
const CACHE: &str = "/etc/ld.so.cache";
/// Where libraries are when the cache does not know them.
const DEFAULTS: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// More libraries than any program has.
const MOST: usize = 1_000;

/// What is loaded into one process, by name.
pub type Loaded = BTreeMap<String, Library>;

/// The libraries of this host.
#[derive(Debug, Default)]
pub struct Host {
    cache: BTreeMap<String, Vec<PathBuf>>,
    read: BTreeMap<PathBuf, Option<Object>>,
}

/// A file whose libraries are looked for.
struct Wanted {
    by: PathBuf,
    object: Object,
    /// `DT_RPATH` of it and of what loads it.
    inherited: Vec<PathBuf>,
    own: Vec<PathBuf>,
}

impl Host {
    /// This host.
    pub fn of_system() -> Self {
        let bytes = std::fs::read(CACHE).unwrap_or_default();
        Self {
            cache: cached(&bytes).unwrap_or_default(),
            read: BTreeMap::new(),
        }
    }

    /// What `file`, called `name`, needs with all its libraries; `loaded` is what the process has already, and then
    /// what it has after that.
    pub fn requirements(
        &mut self,
        name: &str,
        file: &Path,
        object: &Object,
        loaded: &mut Loaded,
    ) -> Vec<Requirement> {
        let mut requirements = self.interpreter(name, object, loaded);
        let first = wanted(PathBuf::from(name), file, object, &[]);
        let mut open = VecDeque::from([first]);
        while let Some(one) = open.pop_front() {
            for (library, versions) in &one.object.needs {
                let known = loaded.get(library).cloned();
                let found = known.or_else(|| {
                    let (path, object) = self.find(library, &one)?;
                    let found = Library {
                        path: path.clone(),
                        provides: object.provides.clone(),
                    };
                    loaded.insert(library.clone(), found.clone());
                    open.push_back(wanted(path.clone(), &path, &object, &one.inherited));
                    Some(found)
                });
                requirements.push(Requirement {
                    by: one.by.clone(),
                    library: library.clone(),
                    versions: versions.clone(),
                    found,
                });
            }
            if loaded.len() > MOST {
                break;
            }
        }
        requirements
    }

    /// The dynamic linker that the program names is the first library that it has.
    fn interpreter(
        &mut self,
        name: &str,
        object: &Object,
        loaded: &mut Loaded,
    ) -> Vec<Requirement> {
        let Some(interpreter) = &object.interpreter else {
            return Vec::new();
        };
        let path = PathBuf::from(interpreter);
        let found = self
            .object(&path, object.architecture)
            .map(|found| Library {
                path: path.clone(),
                provides: found.provides,
            });
        if let (Some(library), Some(file)) = (&found, path.file_name()) {
            loaded.insert(file.to_string_lossy().into_owned(), library.clone());
        }
        vec![Requirement {
            by: PathBuf::from(name),
            library: interpreter.clone(),
            versions: Vec::new(),
            found,
        }]
    }

    fn find(&mut self, library: &str, one: &Wanted) -> Option<(PathBuf, Object)> {
        let architecture = one.object.architecture;
        let searched = one.inherited.iter().chain(&one.own);
        let mut places: Vec<PathBuf> = searched.map(|dir| dir.join(library)).collect();
        places.extend(self.cache.get(library).into_iter().flatten().cloned());
        for dir in DEFAULTS.map(Path::new) {
            places.push(dir.join(library));
            let triplet = format!("{}-linux-gnu", architecture.rpm);
            places.push(dir.join(triplet).join(library));
        }
        let mut found = places.into_iter();
        found.find_map(|path| Some((path.clone(), self.object(&path, architecture)?)))
    }

    /// The library in `path`, if it is one for this architecture; others are passed over, as the linker does.
    fn object(&mut self, path: &Path, architecture: Architecture) -> Option<Object> {
        let read = || object::read(&std::fs::read(path).ok()?).ok()?;
        let known = self.read.entry(path.to_owned()).or_insert_with(read);
        let fits = |object: &&Object| object.architecture == architecture;
        known.as_ref().filter(fits).cloned()
    }
}

fn wanted(by: PathBuf, file: &Path, object: &Object, inherited: &[PathBuf]) -> Wanted {
    let origin = file.parent().unwrap_or(Path::new("/"));
    let origin = origin.to_string_lossy();
    let expand = |dir: &String| {
        let dir = dir.replace("${ORIGIN}", &origin);
        PathBuf::from(dir.replace("$ORIGIN", &origin))
    };
    // DT_RUNPATH takes the place of DT_RPATH.
    let own: Vec<PathBuf> = object.runpath.iter().map(expand).collect();
    let rpath = object.rpath.iter().map(expand);
    let inherited = match own.is_empty() {
        true => rpath.chain(inherited.iter().cloned()).collect(),
        false => Vec::new(),
    };
    Wanted {
        by,
        object: object.clone(),
        inherited,
        own,
    }
}

/// The libraries in a cache of glibc's form 1.1; `None` where it is none.
fn cached(bytes: &[u8]) -> Option<BTreeMap<String, Vec<PathBuf>>> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    let start = bytes.windows(MAGIC.len()).position(|part| part == MAGIC)?;
    let cache = bytes.get(start..)?;
    let number = |at: usize| -> Option<usize> {
        let bytes = cache.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_ne_bytes(bytes)).ok()
    };
    let text = |at: usize| -> Option<&str> {
        let rest = cache.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    };
    let count = number(MAGIC.len())?.min(cache.len() / ENTRY);
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in 0..count {
        let at = HEADER + entry * ENTRY;
        let (key, value) = (text(number(at + 4)?)?, text(number(at + 8)?)?);
        found.entry(key.to_owned()).or_default().push(value.into());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::needs::unmet;
    use super::*;

    fn own() -> (PathBuf, Object) {
        let file = std::env::current_exe().unwrap();
        let object = object::read(&std::fs::read(&file).unwrap()).unwrap();
        (file, object.unwrap())
    }

    #[test]
    fn what_runs_here_has_all_that_it_needs() {
        let (file, object) = own();
        let mut loaded = Loaded::new();
        let all = Host::of_system().requirements("self", &file, &object, &mut loaded);
        assert_eq!(unmet(&all), []);
        assert!(loaded.contains_key("libc.so.6"));
        // Without a cache the default directories have the same.
        let all = Host::default().requirements("self", &file, &object, &mut Loaded::new());
        assert_eq!(unmet(&all), []);
    }

    #[test]
    fn what_is_newer_or_elsewhere_is_unmet() {
        let (file, mut object) = own();
        let libc = object.needs.get_mut("libc.so.6").unwrap();
        libc.push("GLIBC_9.99".to_owned());
        object.needs.insert("libnope.so.1".to_owned(), Vec::new());
        object.interpreter = Some("/nowhere/ld.so".to_owned());
        let mut loaded = Loaded::new();
        let all = Host::of_system().requirements("self", &file, &object, &mut loaded);
        let found: Vec<_> = unmet(&all).iter().map(|one| one.text()).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("/nowhere/ld.so is not there"));
        assert!(found[1].contains("has no GLIBC_9.99, self needs it"));
        assert!(found[2].starts_with("libnope.so.1 is not there"));
    }

    #[test]
    fn a_cache_that_is_torn_is_no_cache() {
        let whole = std::fs::read(CACHE).unwrap();
        assert!(cached(&whole).unwrap().contains_key("libc.so.6"));
        for length in [0, 20, 47, 60, 500] {
            assert_eq!(cached(&whole[..length]), None, "{length}");
        }
    }
}
