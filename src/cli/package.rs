//! `erlrc package`: makes OS packages of a built application.

use super::arguments::{application, directory, vsn};
use super::{Common, Failure, Output, Status, output};
use crate::package::Format;
use crate::package::make::{Made, Request, emit, make, make_service};
use crate::package::project::{self, Target};
use crate::package::service::Service;
use crate::release;
use crate::term::Atom;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `erlrc package`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
DIR is what rebar3, mix or erlang.mk leave: a directory with ebin and perhaps priv and include; or a project
of rebar3 or mix that has been compiled: each of its applications becomes a package, those of an umbrella in
apps, lib or libs, not what they depend on. Of several profiles in _build, test aside, the one counts that was
compiled last. What is to be said about the package is read from erlrc.toml or from {erlrc, [...]} in
rebar.config, in DIR, beside the application's sources, in the project or here; every key has a default. Prints the files made. The same input gives the same bytes: everything
in a package has the time SOURCE_DATE_EPOCH or else that of its newest file.

JSON: a line for each package, {\"kind\": \"package\", \"version\": 1, \"file\", \"format\", \"package\", \"vsn\", \"warnings\"};
with --emit {\"kind\": \"packaging\", \"version\": 1, \"files\": [FILE], \"missing\": what debian/control lacks}

Keys: name prefix version epoch revision maintainer section priority homepage summary description
license copyright otp libdir register pre-depends multi-arch sources exclude triggers; depends recommends
suggests conflicts breaks replaces provides (lists of \"package (>= version)\"); tables dependencies
(application = \"package (>= version)\" or \"\"), minimum (application = \"vsn\"), scripts (preinst postinst
prerm postrm, for rpm pre post preun postun posttrans = \"file\"), deb and rpm (keys for one format
alone), applications.APP (keys for one application alone); lists of tables files (source path mode
conffile format), links (path target), directories (path mode), file-triggers (path script: what rpm runs
at the end of a transaction that installs files whose paths begin so).

With --service it is the package of a service: no application, but a set of them, each needed in exactly the version
that --apps names. Where it is installed, what a run of the package manager changes is changed at its end, on each
node as one. Those of OTP are named without a version; what is to go is named by conflicts.

Examples:
  erlrc package
  erlrc package _build/default/lib/egerl
  erlrc package --format all --output dist --revision 2 _build/prod/lib/egerl
  erlrc package --emit . _build/default/lib/egerl
  erlrc package --service shop=2011.2 --apps tally=1.1,till=1.0,mnesia
  cat erlrc.toml
    name = \"egerl\"
    maintainer = \"Jane Doe <jane@example.org>\"
    depends = [\"adduser\"]
    [dependencies]
    lager = \"erlang-lager (>= 3.9)\"")]
pub struct Arguments {
    /// The built application, the directory that holds ebin; or a project that has been compiled
    #[arg(value_name = "DIR", value_parser = directory, default_value = ".")]
    dir: PathBuf,
    /// The specification: a .toml file, or a rebar.config with a section {erlrc, [...]}
    #[arg(long, value_name = "FILE", value_parser = directory)]
    spec: Option<PathBuf>,
    /// What to make
    #[arg(long, value_enum, default_value = "deb")]
    format: Formats,
    /// Where the files go; made if it is not there
    #[arg(long, value_name = "DIR", value_parser = directory, default_value = ".")]
    output: PathBuf,
    /// Make no package, but the debian directory of a source package, in this project's directory
    #[arg(long, value_name = "DIR", value_parser = directory)]
    emit: Option<PathBuf>,
    /// Make the package of a service, which names a set of applications
    #[arg(long, value_name = "SERVICE=VSN", value_parser = service, requires = "apps", conflicts_with = "emit")]
    service: Option<(String, String)>,
    /// The applications of the service, each in its version
    #[arg(long, value_name = "APP[=VSN]", value_delimiter = ',', value_parser = member, requires = "service")]
    apps: Vec<(Atom, Option<String>)>,
    /// Counts the packages made of one version; else the specification's, else 1
    #[arg(long, value_name = "N")]
    revision: Option<String>,
    /// The time of everything in the package, in seconds since 1970
    #[arg(
        long,
        value_name = "SECONDS",
        env = "SOURCE_DATE_EPOCH",
        hide_env_values = true
    )]
    time: Option<u32>,
}

/// The formats that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Formats {
    /// For dpkg
    Deb,
    /// For rpm
    Rpm,
    /// Both
    All,
}

impl Formats {
    fn each(self) -> &'static [Format] {
        match self {
            Self::Deb => &[Format::Deb],
            Self::Rpm => &[Format::Rpm],
            Self::All => &[Format::Deb, Format::Rpm],
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{} has {count} applications, and --emit takes one", dir.display())]
struct SeveralApplications {
    dir: PathBuf,
    count: usize,
}

/// Makes the packages and prints their files.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::new(Status::Failed, error))?;
    if let Some((name, vsn)) = &arguments.service {
        let (name, vsn) = (name.clone(), vsn.clone());
        let service = Service {
            name,
            vsn,
            applications: arguments.apps.clone(),
        };
        let target = Target {
            dir: arguments.dir.clone(),
            sources: Vec::new(),
        };
        let request = request(&arguments, target, &here);
        let make = |format| make_service(&request, &service, format);
        return made(make, arguments.format, common.output());
    }
    let targets =
        project::targets(&arguments.dir).map_err(|error| Failure::new(Status::Failed, error))?;
    let count = targets.len();
    if arguments.emit.is_some() && count > 1 {
        let dir = arguments.dir;
        let failure = Failure::new(Status::Usage, SeveralApplications { dir, count });
        return Err(failure.hint("name the directory of one of them below _build"));
    }
    let mut worst = Status::Done;
    for target in targets {
        let request = request(&arguments, target, &here);
        worst = match &arguments.emit {
            Some(project) => emitted(&request, project, common.output())?,
            None => made(
                |format| make(&request, format),
                arguments.format,
                common.output(),
            )?,
        };
    }
    Ok(worst)
}

fn request(arguments: &Arguments, target: Target, here: &Path) -> Request {
    Request {
        dir: target.dir,
        sources: target.sources,
        spec: arguments.spec.clone(),
        here: here.to_owned(),
        output: arguments.output.clone(),
        revision: arguments.revision.clone(),
        maintainer: maintainer(),
        time: arguments.time.map(i64::from),
        search_path: std::env::var_os("PATH").unwrap_or_default(),
    }
}

fn emitted(request: &Request, project: &Path, out: Output) -> Result<Status, Failure> {
    let emitted = emit(request, project).map_err(|error| Failure::new(Status::Failed, error))?;
    let files = emitted.files.iter();
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    let report = json!({"files": files, "missing": emitted.missing});
    out.envelope("packaging", 1, &report);
    if files.is_empty() {
        let debian = project.join("debian");
        let text = format!(
            "nothing written: {} has all files already\n",
            debian.display()
        );
        out.text(&text);
    }
    for file in files {
        out.text(&format!("{file}\n"));
    }
    let Some(stanza) = emitted.missing else {
        return Ok(Status::Done);
    };
    let control = project.join("debian/control");
    let text = "has nothing of this package and is left as it is; add to it:";
    output::error_text(&format!("erlrc: {} {text}\n\n{stanza}", control.display()));
    Ok(Status::Failed)
}

fn service(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=');
    let sound = |(name, vsn): &(&str, &str)| release::is_name(name) && release::is_name(vsn);
    let (name, vsn) = parts.filter(sound).ok_or("not of the form SERVICE=VSN")?;
    Ok((name.to_owned(), vsn.to_owned()))
}

fn member(text: &str) -> Result<(Atom, Option<String>), String> {
    match text.split_once('=') {
        None => Ok((application(text)?, None)),
        Some((name, wanted)) => Ok((application(name)?, Some(vsn(wanted)?))),
    }
}

fn made(
    make: impl Fn(Format) -> Result<Made, crate::package::Error>,
    formats: Formats,
    out: Output,
) -> Result<Status, Failure> {
    for format in formats.each() {
        let made = make(*format).map_err(|error| Failure::new(Status::Failed, error))?;
        for warning in &made.warnings {
            out.warning(&format!("warning: {warning}"));
        }
        let report = json!({
            "file": made.file.display().to_string(),
            "format": format.name(),
            "package": made.package,
            "vsn": made.version,
            "warnings": made.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        out.envelope("package", 1, &report);
        out.text(&format!("{}\n", made.file.display()));
    }
    Ok(Status::Done)
}

/// Who makes the package, as Debian's tools are told.
fn maintainer() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = set("DEBEMAIL").or_else(|| set("EMAIL"))?;
    if address.contains('<') {
        return Some(address);
    }
    let name = set("DEBFULLNAME").or_else(|| set("NAME"));
    let name = name.or_else(crate::history::full_name).or_else(|| {
        // Better than nobody.
        Some(address.split_once('@')?.0.to_owned())
    })?;
    Some(format!("{name} <{address}>"))
}
