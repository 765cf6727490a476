//! What `dh_erlrc` does with the staging directories of a Debian source package: takes in built
//! applications, registers them, calls erlrc from the scripts that debhelper puts together, and says
//! what they depend on in `${erlrc:Depends}` and its siblings.
//!
//! Works in the directory that holds `debian`. Everything can be done twice: what was written before
//! is replaced.

use crate::package::assemble::add_own;
use crate::package::dependency::{self, Releases, Sibling};
use crate::package::entry::Entry;
use crate::package::error::Error;
use crate::package::fill::metadata;
use crate::package::host;
use crate::package::relation::{Relation, RelationKind};
use crate::package::script::{Contents, Script};
use crate::package::spec::SpecFile;
use crate::package::spec::{Format, PackageSpec};
use crate::package::tree::{self, Built};
use crate::package::version::PackageVersion;
use crate::places;
use crate::term::Atom;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// An application in the staging directory of a binary package.
struct Staged {
    package: String,
    /// Where it will be installed.
    dir: String,
    /// Where it was built, beside what it was built with.
    origin: PathBuf,
    spec: PackageSpec,
    built: Built,
}

/// Does it for the binary packages of the source package in `here`, or for those in `only`.
/// Returns the applications and their packages.
pub fn stage(
    here: &Path,
    only: &[String],
    search_path: &std::ffi::OsStr,
) -> Result<Vec<(String, String)>, Error> {
    let packages = packages(&here.join("debian/control"))?;
    let file = SpecFile::find(&[here])?;
    let mut staged = Vec::new();
    for package in &packages {
        let origins = take_in(here, package, &file)?;
        staged.extend(find(here, package, &file, &origins)?);
    }
    let otp = host::otp(search_path);
    for package in packages
        .iter()
        .filter(|name| only.is_empty() || only.contains(name))
    {
        let mut own = staged
            .iter()
            .filter(|one| one.package == *package)
            .peekable();
        if own.peek().is_some() {
            finish(here, package, &own.collect::<Vec<_>>(), &staged, otp)?;
        }
    }
    let named = staged.iter();
    Ok(named
        .map(|one| {
            (
                one.built.application.name.as_str().to_owned(),
                one.package.clone(),
            )
        })
        .collect())
}

/// The binary packages of a source package, in the order of its control file.
fn packages(control: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(control).map_err(|source| Error::Read {
        file: control.to_owned(),
        source,
    })?;
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("Package:"));
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

/// Copies the built applications that `debian/PACKAGE.erlrc` lists, a directory a line.
fn take_in(here: &Path, package: &str, file: &SpecFile) -> Result<BTreeMap<Atom, PathBuf>, Error> {
    let mut origins = BTreeMap::new();
    let list = here.join(format!("debian/{package}.erlrc"));
    let text = fs::read_to_string(&list).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let dir = here.join(line);
        let application = tree::application(&dir)?;
        let spec = file.spec(&application.name, Format::Deb)?;
        let built = tree::read(&dir, spec.sources, &spec.exclude)?;
        let name = format!("{}-{}", application.name, application.vsn);
        let place = root(here, package)
            .join(spec.lib_dir.trim_start_matches('/'))
            .join(name);
        for (at, entry) in &built.entries {
            put(&place.join(at), entry)?;
        }
        origins.insert(application.name, dir);
    }
    Ok(origins)
}

/// The applications in the staging directory of a package.
fn find(
    here: &Path,
    package: &str,
    file: &SpecFile,
    origins: &BTreeMap<Atom, PathBuf>,
) -> Result<Vec<Staged>, Error> {
    let mut found = Vec::new();
    let lib_dir = "/usr/lib/erlang/lib";
    let lib = root(here, package).join(lib_dir.trim_start_matches('/'));
    let mut dirs: Vec<_> = fs::read_dir(&lib)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    dirs.sort();
    for dir in dirs.iter().filter(|dir| dir.join("ebin").is_dir()) {
        let built = tree::read(dir, false, &[])?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        found.push(Staged {
            package: package.to_owned(),
            dir: format!("{lib_dir}/{name}"),
            origin: origins.get(&built.application.name).unwrap_or(dir).clone(),
            spec: file.spec(&built.application.name, Format::Deb)?,
            built,
        });
    }
    Ok(found)
}

/// Writes what `package`, which holds the applications `own`, needs.
fn finish(
    here: &Path,
    package: &str,
    own: &[&Staged],
    all: &[Staged],
    otp: Option<u32>,
) -> Result<(), Error> {
    let mut contents = Contents {
        applications: Vec::new(),
        minimum: Vec::new(),
        set: None,
    };
    let mut relations: BTreeMap<RelationKind, Vec<Relation>> = BTreeMap::new();
    for one in own {
        let application = &one.built.application;
        let (name, vsn) = (application.name.as_str(), &application.vsn);
        let mapped = mapped(one, all, otp)?;
        for (kind, more) in mapped.relations {
            let field = relations.entry(kind).or_default();
            field.extend(
                more.into_iter()
                    .filter(|relation| !is_of(relation, package)),
            );
        }
        add_own(
            &mut relations,
            name,
            &PackageVersion::of_vsn(vsn, "0")?,
            Format::Deb,
        );
        let others = mapped.minimum.into_iter();
        let within = |name: &str| {
            own.iter()
                .any(|one| one.built.application.name.as_str() == name)
        };
        contents
            .minimum
            .extend(others.filter(|(name, _)| !within(name)));
        contents
            .applications
            .push((name.to_owned(), vsn.clone(), one.dir.clone()));
        let root = root(here, package);
        let entry = Entry::file(metadata(name, vsn, &one.dir));
        let within = |path: String| root.join(path.trim_start_matches('/'));
        put(&within(places::packaged_metadata(name)), &entry)?;
        if let Some(choice) = one.spec.migrate {
            let (path, entry) = one.built.migration(choice);
            put(&within(format!("{}/{path}", one.dir)), &entry)?;
        }
        if one.spec.register {
            let file = within(places::packaged_registration(name));
            put(&file, &Entry::file(""))?;
        }
    }
    for script in Script::ALL {
        let file = here.join(format!("debian/{package}.{}.debhelper", script.name()));
        add_snippet(&file, script, &script.snippet(&contents))?;
    }
    add_variables(
        &here.join(format!("debian/{package}.substvars")),
        &relations,
    )
}

/// What follows from one application's specification, its siblings in this source package included.
fn mapped(
    one: &Staged,
    all: &[Staged],
    otp: Option<u32>,
) -> Result<dependency::Dependencies, Error> {
    let application = &one.built.application;
    let names = dependency::named(application);
    let lib_dir = &one.spec.lib_dir;
    let mut siblings = host::siblings(&names, &one.origin, lib_dir, Format::Deb);
    for other in all {
        let sibling = Sibling {
            owner: Some((other.package.clone(), 0)),
            vsn: Some(other.built.application.vsn.clone()),
        };
        siblings.insert(other.built.application.name.clone(), sibling);
    }
    let first = one
        .spec
        .otp
        .or(one.built.otp)
        .or(otp)
        .ok_or_else(|| Error::Otp {
            application: Atom::as_str(&application.name).to_owned(),
        })?;
    Ok(dependency::map(
        application,
        &one.spec,
        &siblings,
        Releases {
            first,
            last: one.built.last_otp,
        },
        Format::Deb,
    )?)
}

fn is_of(relation: &Relation, package: &str) -> bool {
    relation
        .alternatives
        .iter()
        .any(|target| target.package == package)
}

const BEGIN: &str = "# Automatically added by dh_erlrc\n";
const END: &str = "# End automatically added section\n";

/// Where something begins, after what is there: services start when the application runs. Where
/// something ends, before it.
fn add_snippet(file: &Path, script: Script, snippet: &str) -> Result<(), Error> {
    let before = fs::read_to_string(file).unwrap_or_default();
    let others = match (before.split_once(BEGIN), before.split_once(END)) {
        (Some((before, rest)), Some(_)) => {
            let after = rest.split_once(END).map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        _ => before,
    };
    let own = format!("{BEGIN}{snippet}{END}");
    let text = match script {
        Script::Preinst | Script::Postinst => others + &own,
        Script::Prerm | Script::Postrm => own + &others,
    };
    put(file, &Entry::file(text))
}

/// `erlrc:Depends=…` and the like, those of other programs left as they are.
fn add_variables(
    file: &Path,
    relations: &BTreeMap<RelationKind, Vec<Relation>>,
) -> Result<(), Error> {
    let before = fs::read_to_string(file).unwrap_or_default();
    let others = before.lines().filter(|line| !line.starts_with("erlrc:"));
    let mut text: String = others.map(|line| format!("{line}\n")).collect();
    for kind in [
        RelationKind::PreDepends,
        RelationKind::Depends,
        RelationKind::Suggests,
        RelationKind::Provides,
    ] {
        let mut texts: Vec<String> = Vec::new();
        for relation in relations.get(&kind).into_iter().flatten() {
            let relation = relation.to_string();
            if !texts.contains(&relation) {
                texts.push(relation);
            }
        }
        text.push_str(&format!("erlrc:{}={}\n", kind.field(), texts.join(", ")));
    }
    put(file, &Entry::file(text))
}

fn root(here: &Path, package: &str) -> PathBuf {
    here.join("debian").join(package)
}

/// Writes an entry at a path of this host.
pub(super) fn put(path: &Path, entry: &Entry) -> Result<(), Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(failed)?;
    match entry {
        Entry::Directory { mode } => {
            fs::create_dir_all(path).map_err(failed)?;
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(failed)
        }
        Entry::Link { target } => match symlink(target, path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(()),
        },
        Entry::File { content, mode, .. } => {
            fs::write(path, content).map_err(failed)?;
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).map_err(failed)
        }
    }
}
