//! Makes a package file from a directory: reads, asks the host, builds and writes.

use super::assemble::{Package, Surroundings, assemble};
use super::debhelper::source::{self, Emitted, Source};
use super::entry::Entry;
use super::error::Error;
use super::service::{self, Service};
use super::spec::{ExtraFile, Format, PackageSpec, SpecFile};
use super::write::{deb, rpm};
use super::{dependency, fill, host, tree};
use crate::term::Atom;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A request for a package.
#[derive(Clone, Debug)]
pub struct Request {
    /// The built application.
    pub dir: PathBuf,
    /// The directories of its sources and its project, which may hold a specification or a licence too.
    pub sources: Vec<PathBuf>,
    /// The specification; if there is none, it is searched in `dir`, `sources` and `here`.
    pub spec: Option<PathBuf>,
    /// The working directory of the caller.
    pub here: PathBuf,
    /// The directory for the package; it is created if it does not exist.
    pub output: PathBuf,
    /// A revision that replaces the one in the specification.
    pub revision: Option<String>,
    /// The maintainer, if the specification names none.
    pub maintainer: Option<String>,
    /// The time stamp of every file, in seconds since 1970; if there is none, that of the newest
    /// file.
    pub time: Option<i64>,
    /// The search path for programs.
    pub search_path: OsString,
}

/// A file that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The file.
    pub file: PathBuf,
    /// The package's name.
    pub package: String,
    /// Its version, as dpkg has it.
    pub version: String,
    /// Warnings about choices that were made without information.
    pub warnings: Vec<&'static str>,
}

/// A package before it is written.
struct Prepared {
    package: Package,
    spec: PackageSpec,
    file: SpecFile,
    warnings: Vec<&'static str>,
}

/// Makes the package in one format.
pub fn make(request: &Request, format: Format) -> Result<Made, Error> {
    let Prepared {
        package, warnings, ..
    } = prepare(request, format)?;
    written(package, warnings, request, format)
}

/// Makes the package of a service in one format.
pub fn make_service(request: &Request, service: &Service, format: Format) -> Result<Made, Error> {
    let file = specification(request)?;
    let own = Atom::new(&service.name).unwrap_or_else(|| Atom::of("service"));
    let spec = file.spec(&own, format)?;
    let names = service.applications.iter().map(|(name, _)| name.clone());
    let around = around(request, (&file, &spec), names.collect(), format)?;
    let around = Surroundings {
        time: around.time.or_else(|| changed(&file.file)),
        ..around
    };
    let mut warnings = Vec::new();
    if spec.maintainer.is_none() && around.maintainer.is_none() {
        warnings.push(NO_MAINTAINER);
    }
    let package = service::assemble(service, &spec, &around, format)?;
    written(package, warnings, request, format)
}

const NO_MAINTAINER: &str = "no maintainer: say `maintainer` in the specification, or set DEBEMAIL";

/// When the specification changed, in seconds, or now where there is none.
fn changed(file: &Path) -> Option<i64> {
    let metadata = std::fs::metadata(file);
    let time = metadata.and_then(|metadata| metadata.modified());
    let since = time
        .unwrap_or_else(|_| SystemTime::now())
        .duration_since(UNIX_EPOCH);
    i64::try_from(since.ok()?.as_secs()).ok()
}

fn written(
    package: Package,
    warnings: Vec<&'static str>,
    request: &Request,
    format: Format,
) -> Result<Made, Error> {
    let (name, version) = (package.name.clone(), package.version.deb());
    let file = match format {
        Format::Deb => deb::write(package, &request.output)?,
        Format::Rpm => rpm::write(package, &request.output)?,
    };
    Ok(Made {
        file,
        package: name,
        version,
        warnings,
    })
}

/// Writes the `debian` directory of a source package into the directory of a project.
pub fn emit(request: &Request, project: &Path) -> Result<Emitted, Error> {
    let prepared = prepare(request, Format::Deb)?;
    let mut files = Vec::new();
    for extra in &prepared.spec.files {
        let from = prepared.file.path(&extra.source);
        let Entry::File { mode, .. } = tree::file(&from)? else {
            continue;
        };
        let mode = extra.mode.unwrap_or(mode);
        files.push((relative(&from, project), extra.path.clone(), mode));
    }
    source::write(&Source {
        package: &prepared.package,
        spec: &prepared.spec,
        project,
        application: relative(&request.dir, project),
        files,
    })
}

/// A path below the project, relative to it; any other path unchanged.
fn relative(path: &Path, project: &Path) -> String {
    let path = path.strip_prefix(project).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

fn prepare(request: &Request, format: Format) -> Result<Prepared, Error> {
    let application = tree::application(&request.dir)?;
    let file = specification(request)?;
    let spec = file.spec(&application.name, format)?;
    let built = tree::read(&request.dir, spec.sources, &spec.exclude)?;
    let around = surroundings(request, &file, &spec, &built, format)?;
    let mut warnings = Vec::new();
    if spec.maintainer.is_none() && around.maintainer.is_none() {
        warnings.push(NO_MAINTAINER);
    }
    if built.application.key("description").is_none() {
        warnings.push("no description in the .app file: OTP refuses to upgrade the application");
    }
    let package = assemble(built, &spec, &around, format)?;
    Ok(Prepared {
        package,
        spec,
        file,
        warnings,
    })
}

fn specification(request: &Request) -> Result<SpecFile, Error> {
    match &request.spec {
        None => {
            let sources = request.sources.iter().map(PathBuf::as_path);
            let places = [request.dir.as_path()].into_iter().chain(sources);
            let places: Vec<&Path> = places.chain([request.here.as_path()]).collect();
            SpecFile::find(&places)
        }
        Some(file) => SpecFile::read(file)?.ok_or_else(|| Error::File {
            file: file.clone(),
            fault: "has no section {erlrc, [...]}",
        }),
    }
}

fn surroundings(
    request: &Request,
    file: &SpecFile,
    spec: &PackageSpec,
    built: &tree::Built,
    format: Format,
) -> Result<Surroundings, Error> {
    let names = dependency::named(&built.application);
    let around = around(request, (file, spec), names, format)?;
    let files = built.entries.iter().chain(&around.extra);
    let native = fill::native(files.map(|(path, entry)| (path.as_str(), entry)))?;
    let library_owners = match (&native, format) {
        (Some(native), Format::Deb) => host::library_owners(native.unknown()),
        _ => BTreeMap::new(),
    };
    Ok(Surroundings {
        library_owners,
        copyright: around
            .copyright
            .map_or_else(|| license(request), |text| Ok(Some(text)))?,
        ..around
    })
}

/// What specification and host say of a package, whatever is in it; `names` are the applications that it is to know of.
fn around(
    request: &Request,
    (file, spec): (&SpecFile, &PackageSpec),
    mut names: Vec<Atom>,
    format: Format,
) -> Result<Surroundings, Error> {
    names.retain(|name| !spec.dependencies.contains_key(name));
    let copyright = spec.copyright.as_ref();
    Ok(Surroundings {
        siblings: host::siblings(&names, &request.dir, &spec.lib_dir, format),
        library_owners: BTreeMap::new(),
        extra: extra(file, spec)?,
        scripts: scripts(file, &spec.scripts)?,
        scriptlets: scripts(file, &spec.scriptlets)?,
        file_triggers: file_triggers(file, spec)?,
        copyright: copyright.map(|named| text(&file.path(named))).transpose()?,
        maintainer: request.maintainer.clone(),
        revision: request.revision.clone(),
        otp: host::otp(&request.search_path),
        time: request.time,
    })
}

fn extra(file: &SpecFile, spec: &PackageSpec) -> Result<Vec<(String, Entry)>, Error> {
    let mut entries = Vec::new();
    for extra in &spec.files {
        let source = file.path(&extra.source);
        if source.is_dir() {
            let found = tree::below(&source)?;
            let below = found.into_iter();
            entries.extend(below.map(|(at, entry)| (format!("{}/{at}", extra.path), entry)));
        } else {
            entries.push((extra.path.clone(), tree::file(&source)?));
        }
    }
    for (path, entry) in &mut entries {
        if let Entry::File { mode, conffile, .. } = entry {
            let within = |extra: &&ExtraFile| Path::new(path).starts_with(&extra.path);
            let extra = spec.files.iter().rfind(within);
            *mode = extra.and_then(|extra| extra.mode).unwrap_or(*mode);
            let chosen = extra.and_then(|extra| extra.conffile);
            *conffile = chosen.unwrap_or(path.starts_with("/etc/"));
        }
    }
    Ok(entries)
}

fn scripts<S: Copy + Ord>(
    file: &SpecFile,
    named: &BTreeMap<S, PathBuf>,
) -> Result<BTreeMap<S, String>, Error> {
    let one = |(script, path): (&S, &PathBuf)| Ok((*script, text(&file.path(path))?));
    named.iter().map(one).collect()
}

fn file_triggers(file: &SpecFile, spec: &PackageSpec) -> Result<Vec<(String, String)>, Error> {
    let triggers = spec.file_triggers.iter();
    let one = triggers.map(|own| Ok((own.path.clone(), text(&file.path(&own.script))?)));
    one.collect()
}

/// The licence file that the specification names, or else one beside the application.
/// The licence that lies beside the application or its sources.
fn license(request: &Request) -> Result<Option<String>, Error> {
    let names = ["LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING"];
    let mut places = [&request.dir].into_iter().chain(&request.sources);
    let found = places.find_map(|dir| {
        let mut beside = names.iter().map(|name| dir.join(name));
        beside.find(|path| path.is_file())
    });
    found.map(|path| text(&path)).transpose()
}

fn text(path: &Path) -> Result<String, Error> {
    let Entry::File { content, .. } = tree::file(path)? else {
        return Ok(String::new());
    };
    String::from_utf8(content).map_err(|_| Error::File {
        file: path.to_owned(),
        fault: "is no text in UTF-8",
    })
}
