//! Builds a package as data, from the application, its specification and the host.

use super::dependency::{self, Releases, Sibling};
use super::entry::{Entries, Entry};
use super::error::Error;
use super::machine::{self, Architecture};
use super::relation::{Relation, RelationKind};
use super::script::{Contents, Script, Scriptlet};
use super::spec::{Format, PackageSpec};
use super::tree::Built;
use super::version::PackageVersion;
use crate::application::Application;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;

/// A package, ready to be written.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: PackageVersion,
    /// The architectures on which it runs.
    pub architecture: Architecture,
    /// The maintainer, `Name <address>`.
    pub maintainer: String,
    /// Debian's section.
    pub section: String,
    /// Debian's priority.
    pub priority: String,
    /// Debian's `Multi-Arch`.
    pub multi_arch: Option<String>,
    /// The home page of the project.
    pub homepage: Option<String>,
    /// The licence's name.
    pub license: String,
    /// The first line of the description.
    pub summary: String,
    /// The other lines of the description.
    pub description: String,
    /// The relations to other packages.
    pub relations: BTreeMap<RelationKind, Vec<Relation>>,
    /// The library requirements of rpm.
    pub libraries: Vec<String>,
    /// The files, links and directories.
    pub entries: Entries,
    /// The arguments of the `erlrc maint` calls in its scripts.
    pub contents: Contents,
    /// The package's own shell commands in maintainer scripts.
    pub scripts: BTreeMap<Script, String>,
    /// The package's own shell commands in scriptlets.
    pub scriptlets: BTreeMap<Scriptlet, String>,
    /// The lines of `triggers`.
    pub triggers: Vec<String>,
    /// Path prefixes of installed files, with the commands that rpm runs at the end of such a
    /// transaction.
    pub file_triggers: Vec<(String, String)>,
    /// The time stamp of every file, in seconds since 1970.
    pub time: i64,
}

/// The inputs that come neither from the application nor from the text of its specification.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What the host knows about applications.
    pub siblings: BTreeMap<Atom, Sibling>,
    /// The packages that own libraries on this host.
    pub library_owners: BTreeMap<String, String>,
    /// The files that the specification names, by their installed paths.
    pub extra: Vec<(String, Entry)>,
    /// The commands in the files that the specification names, for maintainer scripts.
    pub scripts: BTreeMap<Script, String>,
    /// The same for scriptlets.
    pub scriptlets: BTreeMap<Scriptlet, String>,
    /// The same for the end of rpm transactions, with their path prefixes.
    pub file_triggers: Vec<(String, String)>,
    /// Copyright and licence, if there is a file with them.
    pub copyright: Option<String>,
    /// The maintainer, if the specification names none.
    pub maintainer: Option<String>,
    /// A revision that replaces the one in the specification.
    pub revision: Option<String>,
    /// The OTP release of this host.
    pub otp: Option<u32>,
    /// The time stamp of every file; if there is none, that of the newest file.
    pub time: Option<i64>,
}

/// Builds the package.
pub fn assemble(
    built: Built,
    spec: &PackageSpec,
    around: &Surroundings,
    format: Format,
) -> Result<Package, Error> {
    let application = &built.application;
    let (version, own_name) = (
        version(application, spec, around)?,
        application.name.as_str(),
    );
    let name = spec.name.clone();
    let name = name.unwrap_or_else(|| dependency::package_name(&spec.prefix, own_name, format));
    let releases = Releases {
        first: otp(&built, spec, around)?,
        last: built.last_otp,
    };
    let mapped = dependency::map(application, spec, &around.siblings, releases, format)?;
    let mut relations = mapped.relations;
    let vsn = PackageVersion::of_vsn(&application.vsn, "0")?;
    add_own(&mut relations, own_name, &vsn, format);
    for (kind, own) in &spec.relations {
        let field = relations.entry(*kind).or_default();
        field.extend(own.iter().cloned());
    }
    let contents = Contents {
        applications: vec![(
            own_name.to_owned(),
            application.vsn.clone(),
            format!("{}/{own_name}-{}", spec.lib_dir, application.vsn),
        )],
        minimum: mapped.minimum,
        set: None,
    };
    let mut package = Package {
        homepage: spec.homepage.clone().or_else(|| link(application)),
        license: license(application, spec),
        summary: summary(application, spec)?,
        description: spec
            .description
            .clone()
            .unwrap_or_else(|| description(own_name)),
        time: around.time.unwrap_or(built.newest).max(0),
        relations,
        ..Package::specified(spec, around, (name, version), contents)
    };
    package.check(format)?;
    package.fill(built, spec, around)?;
    package.add_native(around, format)?;
    Ok(package)
}

impl Package {
    /// What specification and host say by themselves: for every package, whatever is in it. There are no relations and no
    /// files yet.
    pub(super) fn specified(
        spec: &PackageSpec,
        around: &Surroundings,
        (name, version): (String, PackageVersion),
        contents: Contents,
    ) -> Self {
        Self {
            name,
            version,
            architecture: machine::ALL,
            maintainer: spec
                .maintainer
                .clone()
                .or(around.maintainer.clone())
                .unwrap_or_default(),
            section: spec.section.clone(),
            priority: spec.priority.clone(),
            multi_arch: spec.multi_arch.clone(),
            homepage: spec.homepage.clone(),
            license: named_license(spec.license.clone()),
            summary: spec.summary.clone().unwrap_or_default(),
            description: spec.description.clone().unwrap_or_default(),
            relations: BTreeMap::new(),
            libraries: Vec::new(),
            entries: Entries::default(),
            contents,
            scripts: around.scripts.clone(),
            scriptlets: around.scriptlets.clone(),
            triggers: spec.triggers.clone(),
            file_triggers: around.file_triggers.clone(),
            time: around.time.unwrap_or_default().max(0),
        }
    }

    /// Checks that every value is valid where it will be written.
    pub(super) fn check(&mut self, format: Format) -> Result<(), Error> {
        let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let debian = |c: char| small(c) || matches!(c, '+' | '-' | '.');
        let any = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let first = self.name.chars().next();
        let sound = match format {
            Format::Deb => {
                self.name.len() > 1 && first.is_some_and(small) && self.name.chars().all(debian)
            }
            Format::Rpm => {
                first.is_some_and(|c| c.is_ascii_alphanumeric()) && self.name.chars().all(any)
            }
        };
        if !sound {
            return Err(field("name", &self.name, "is no name of a package"));
        }
        if self.maintainer.is_empty() {
            self.maintainer = "Unknown maintainer <unknown@example.org>".to_owned();
        }
        let mut parts = self.maintainer.split(['<', '>']);
        let address = parts.nth(1).unwrap_or_default();
        if !address.contains('@') || self.maintainer.chars().any(char::is_control) {
            return Err(field(
                "maintainer",
                &self.maintainer,
                "is not `Name <address>`",
            ));
        }
        let values = ["no", "same", "foreign", "allowed"];
        match &self.multi_arch {
            Some(value) if !values.contains(&value.as_str()) => Err(field(
                "multi-arch",
                value,
                "is neither no, same, foreign nor allowed",
            )),
            _ => Ok(()),
        }
    }
}

fn version(
    application: &Application,
    spec: &PackageSpec,
    around: &Surroundings,
) -> Result<PackageVersion, Error> {
    let vsn = spec.version.as_deref().unwrap_or(&application.vsn);
    let revision = around.revision.as_deref().or(spec.revision.as_deref());
    let mut version = PackageVersion::of_vsn(vsn, revision.unwrap_or("1"))?;
    version.epoch = spec.epoch.unwrap_or(version.epoch);
    Ok(version)
}

fn otp(built: &Built, spec: &PackageSpec, around: &Surroundings) -> Result<u32, Error> {
    let known = spec.otp.or(built.otp).or(around.otp);
    known.ok_or_else(|| Error::Otp {
        application: built.application.name.as_str().to_owned(),
    })
}

/// Relations of every package of an application: the name by which the application can be required,
/// and the suggestion of erlrc.
pub(super) fn add_own(
    relations: &mut BTreeMap<RelationKind, Vec<Relation>>,
    name: &str,
    vsn: &PackageVersion,
    format: Format,
) {
    let (provided, vsn) = match format {
        Format::Deb => (
            name.replace(['_', '@'], "-").to_ascii_lowercase(),
            vsn.deb_at_least(),
        ),
        Format::Rpm => (name.to_owned(), vsn.rpm_at_least()),
    };
    let provided = Relation::equal(format!("erlang-app-{provided}"), vsn);
    relations
        .entry(RelationKind::Provides)
        .or_default()
        .push(provided);
    if name != "erlrc" {
        let suggested = relations.entry(RelationKind::Suggests).or_default();
        suggested.push(Relation::any("erlrc"));
    }
}

/// The first of the application's `links`.
fn link(application: &Application) -> Option<String> {
    let links = application.key("links")?.elements()?.into_owned();
    let (_, page) = links.first()?.as_pair()?;
    let page = page.as_text()?;
    let plain = page.chars().all(|c| c.is_ascii_graphic());
    (plain && page.starts_with("http")).then(|| page.into_owned())
}

fn license(application: &Application, spec: &PackageSpec) -> String {
    let named = || {
        let licenses = application.key("licenses")?.elements()?.into_owned();
        let texts = licenses
            .iter()
            .map(|license| Some(license.as_text()?.into_owned()));
        let texts: Vec<_> = texts.collect::<Option<_>>()?;
        (!texts.is_empty()).then(|| texts.join(" or "))
    };
    named_license(spec.license.clone().or_else(named))
}

/// The name of a licence, if one is named that can be written.
fn named_license(license: Option<String>) -> String {
    let plain = license.filter(|text| !text.chars().any(char::is_control));
    plain.unwrap_or_else(|| "unspecified".to_owned())
}

fn summary(application: &Application, spec: &PackageSpec) -> Result<String, Error> {
    if let Some(summary) = &spec.summary {
        return Ok(summary.clone());
    }
    let description = application.key("description").and_then(Term::as_text);
    let text = description.unwrap_or_default().trim().to_owned();
    if text.chars().any(char::is_control) {
        return Err(Error::Unusable {
            key: "description",
            value: text,
        });
    }
    let name = format!("OTP application {}", application.name.as_str());
    Ok(match text.split_whitespace().count() {
        0 => name,
        // A single word says too little in a list of packages.
        1 => format!("{text} ({name})"),
        _ => text,
    })
}

fn description(name: &str) -> String {
    format!(
        "This package holds the OTP application {name}. Where erlrc is installed, the\n\
         Erlang nodes of the host that run it follow every upgrade of the package\n\
         without a restart."
    )
}

fn field(key: &'static str, value: &str, fault: &'static str) -> Error {
    let value = value.to_owned();
    Error::Field { key, value, fault }
}
