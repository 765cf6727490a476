//! A snapshot of this host: its packages recorded, their files gathered.

use super::error::SnapshotError;
use super::host::{self, State};
use super::manifest::Manifest;
use super::package::{Keep, Kept, Package};
use super::source::{Answer, Identity, Origin, choose};
use super::store::{Draft, Store};
use super::tag::Tag;
use crate::record::Time;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The directory that repositories load into.
const LOADED: &str = "loaded";

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The name of the snapshot.
    pub tag: Tag,
    /// Whose files are kept.
    pub keep: Keep,
    /// Where packages say which applications they installed.
    pub apps: &'a Path,
    /// The directory for what is not finished; no other process uses it.
    pub unfinished: &'a str,
}

/// Makes the snapshot. A package file that cannot be had is named in it, and no error.
pub fn create(store: &Store, request: Request<'_>) -> Result<Manifest, SnapshotError> {
    if store.tags()?.contains(&request.tag) {
        return Err(SnapshotError::Taken(request.tag));
    }
    let State {
        architecture,
        mut packages,
    } = host::state(request.apps)?;
    let draft = store.begin(request.unfinished)?;
    let earlier = earlier(store)?;
    let wanted = packages
        .iter_mut()
        .filter(|package| request.keep.wants(package));
    let mut wanted: Vec<&mut Package> = wanted.collect();
    for package in &mut wanted {
        package.content = host::content(package);
    }
    gather(&mut wanted, &earlier, &draft)?;
    let manifest = Manifest::new(
        request.tag,
        Time::now(),
        architecture,
        request.keep,
        packages,
    );
    draft.commit(&manifest)?;
    Ok(manifest)
}

/// The package files of all snapshots, by their names.
fn earlier(store: &Store) -> Result<BTreeMap<String, Vec<Kept>>, SnapshotError> {
    let mut files: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for tag in store.tags()? {
        // A damaged one is named by `list`; here it has nothing to give.
        let packages = store.read(&tag).map(|manifest| manifest.packages);
        for package in packages.unwrap_or_default() {
            let known = files.entry(package.file_name()).or_default();
            known.extend(package.file.filter(|file| !known.contains(file)));
        }
    }
    Ok(files)
}

/// What was asked for one package so far.
type Asked = Vec<(Origin, Answer)>;

/// Keeps a file for each package, or says why not: from what is on this host, then from repositories, all in one go.
fn gather(
    wanted: &mut [&mut Package],
    earlier: &BTreeMap<String, Vec<Kept>>,
    draft: &Draft<'_>,
) -> Result<(), SnapshotError> {
    let archives = match wanted.is_empty() {
        true => return Ok(()),
        false => host::archives()?,
    };
    let mut open = Vec::new();
    for package in wanted {
        let shared = earlier.get(&package.file_name()).into_iter().flatten();
        let mut asked = share(package, shared, draft);
        if package.file.is_none() {
            take(package, &archives, Origin::Cache, &mut asked, draft)?;
        }
        if package.file.is_none() {
            open.push((&mut **package, asked));
        }
    }
    load(open, draft)
}

/// Takes the file from an earlier snapshot.
fn share<'a>(
    package: &mut Package,
    kept: impl Iterator<Item = &'a Kept>,
    draft: &Draft<'_>,
) -> Asked {
    let mut asked = Vec::new();
    for one in kept {
        let shared = match draft.share(one, package) {
            Ok(shared) => shared,
            // It is being dropped, or damaged; others may have it.
            Err(error) => {
                asked.push((Origin::Snapshot, Answer::Unknown(error.to_string())));
                continue;
            }
        };
        let answer = answer(&draft.place(package));
        let fits = choose(package, &[(Origin::Snapshot, answer.clone())]).is_ok();
        asked.push((Origin::Snapshot, answer));
        if fits {
            package.file = Some(shared);
            break;
        }
        let _ = draft.forget(package);
    }
    asked
}

/// Takes the file from a directory.
fn take(
    package: &mut Package,
    dir: &Path,
    origin: Origin,
    asked: &mut Asked,
    draft: &Draft<'_>,
) -> Result<(), SnapshotError> {
    let file = dir.join(package.file_name());
    if !file.is_file() {
        return Ok(());
    }
    let kept = draft.copy(&file, package, origin)?;
    // What was copied is looked at, whatever became of the file meanwhile.
    asked.push((origin, answer(&draft.place(package))));
    match choose(package, asked) {
        Ok(_) => package.file = Some(kept),
        Err(_) => draft.forget(package)?,
    }
    Ok(())
}

fn answer(file: &Path) -> Answer {
    let identity: Result<Identity, String> = host::identity(file);
    identity.map_or_else(Answer::Unknown, Answer::File)
}

/// Takes files from repositories, and says of those that are nowhere why.
fn load(mut open: Vec<(&mut Package, Asked)>, draft: &Draft<'_>) -> Result<(), SnapshotError> {
    let all: Vec<&Package> = open.iter().map(|(package, _)| &**package).collect();
    let offered = host::offered(&all)?;
    let is_offered = |package: &&Package| {
        let plain = package.name.split(':').next().unwrap_or_default();
        offered.contains(&format!("{plain} {} {}", package.version, package.arch))
    };
    let offered: Vec<&Package> = all.into_iter().filter(is_offered).collect();
    let dir = draft.dir().join(LOADED);
    let names: Vec<String> = offered.iter().map(|package| package.name.clone()).collect();
    let loaded = match offered.is_empty() {
        true => Ok(()),
        false => {
            fs::create_dir(&dir).map_err(super::error::unusable(&dir))?;
            host::download(&offered, &dir)
        }
    };
    for (package, asked) in &mut open {
        take(package, &dir, Origin::Repository, asked, draft)?;
        if let (Err(error), true, true) = (
            &loaded,
            package.file.is_none(),
            names.contains(&package.name),
        ) {
            asked.push((Origin::Repository, Answer::Unknown(error.to_string())));
        }
        if package.file.is_none() {
            package.missing = choose(package, asked).err();
        }
    }
    match dir.exists() {
        true => fs::remove_dir_all(&dir).map_err(super::error::unusable(&dir)),
        false => Ok(()),
    }
}
