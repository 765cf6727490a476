//! Derives the relations of a package from the specification of its application.
//!
//! For each application the first of these answers counts: the specification of the package; the
//! package that owns the application on this host; the table of OTP's packages; the naming
//! convention.

use super::relation::{Relation, RelationKind};
use super::spec::{Format, PackageSpec};
use super::version::{PackageVersion, VersionError};
use crate::application::Application;
use crate::term::Atom;
use std::collections::BTreeMap;

/// What the host on which packages are built knows about an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sibling {
    /// The package that owns it on this host, with that package's epoch.
    pub owner: Option<(String, u32)>,
    /// The version that this application was built against.
    pub vsn: Option<String>,
}

/// The result for an application's specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    /// The relations.
    pub relations: BTreeMap<RelationKind, Vec<Relation>>,
    /// The earliest version of each application outside OTP, for the check before an upgrade.
    pub minimum: Vec<(String, String)>,
}

/// The applications of OTP that are in Debian's package `erlang-base`.
const BASE: [&str; 5] = ["compiler", "erts", "kernel", "sasl", "stdlib"];

/// The other applications of OTP, up to OTP 29.
const OTP: [&str; 34] = [
    "asn1",
    "common_test",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eldap",
    "erl_docgen",
    "erl_interface",
    "et",
    "eunit",
    "ftp",
    "inets",
    "jinterface",
    "megaco",
    "mnesia",
    "observer",
    "odbc",
    "os_mon",
    "parsetools",
    "public_key",
    "reltool",
    "runtime_tools",
    "snmp",
    "ssh",
    "ssl",
    "syntax_tools",
    "tftp",
    "tools",
    "wx",
    "xmerl",
    "hipe",
    "otp_mibs",
];

/// The applications in the package of Elixir.
const ELIXIR: [&str; 6] = ["eex", "elixir", "ex_unit", "iex", "logger", "mix"];

/// Every application that `application` names.
pub fn named(application: &Application) -> Vec<Atom> {
    let mut names: Vec<Atom> = application
        .applications
        .iter()
        .chain(&application.included_applications)
        .chain(&application.optional_applications)
        .filter(|name| **name != application.name)
        .cloned()
        .collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names
}

/// Whether an application is part of OTP, which an upgrade of packages does not replace in a
/// running node.
pub fn is_otp(name: &str) -> bool {
    BASE.contains(&name) || OTP.contains(&name)
}

/// The releases of OTP that can run an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Releases {
    /// The oldest.
    pub first: u32,
    /// The last one, if a later one cannot.
    pub last: Option<u32>,
}

/// The relations of the package of `application`, which runs on these releases.
pub fn map(
    application: &Application,
    spec: &PackageSpec,
    siblings: &BTreeMap<Atom, Sibling>,
    releases: Releases,
    format: Format,
) -> Result<Dependencies, VersionError> {
    let mapping = Mapping {
        spec,
        siblings,
        otp: releases.first,
        format,
    };
    let mut found = Dependencies::default();
    let base = mapping.of(&Atom::of("erts"))?;
    found.add(RelationKind::Depends, base);
    if let Some(last) = releases.last {
        let bound = mapping.not_after(last).into_iter().collect();
        found.add(RelationKind::Depends, bound);
    }
    for name in named(application) {
        let optional = application.optional_applications.contains(&name);
        let kind = match (optional, is_otp(name.as_str()), spec.pre_depends) {
            (true, ..) => RelationKind::Suggests,
            (false, false, true) => RelationKind::PreDepends,
            _ => RelationKind::Depends,
        };
        found.add(kind, mapping.of(&name)?);
        if let (false, false, Some(vsn)) = (optional, is_otp(name.as_str()), mapping.vsn(&name)) {
            found.minimum.push((name.as_str().to_owned(), vsn));
        }
    }
    Ok(found)
}

/// The relations of the package of a service, whose applications have these versions. dpkg compares the version of a
/// package with its revision, rpm without.
pub fn of_set(
    applications: &[(Atom, Option<String>)],
    spec: &PackageSpec,
    siblings: &BTreeMap<Atom, Sibling>,
    otp: u32,
    format: Format,
) -> Result<Vec<Relation>, VersionError> {
    let mapping = Mapping {
        spec,
        siblings,
        otp,
        format,
    };
    let mut found = Dependencies::default();
    for (name, vsn) in applications {
        let relations = match vsn {
            Some(vsn) if !spec.dependencies.contains_key(name) => mapping.exactly(name, vsn)?,
            _ => mapping.of(name)?,
        };
        found.add(RelationKind::Depends, relations);
    }
    let found = found.relations.into_values();
    Ok(found.flatten().collect())
}

struct Mapping<'a> {
    spec: &'a PackageSpec,
    siblings: &'a BTreeMap<Atom, Sibling>,
    otp: u32,
    format: Format,
}

impl Mapping<'_> {
    fn of(&self, name: &Atom) -> Result<Vec<Relation>, VersionError> {
        if let Some(relations) = self.spec.dependencies.get(name) {
            return Ok(relations.clone());
        }
        let sibling = self.siblings.get(name);
        let owner = sibling.and_then(|sibling| sibling.owner.clone());
        if is_otp(name.as_str()) {
            return Ok(vec![self.otp(name, owner)]);
        }
        let (package, epoch) = self.package(name);
        let Some(vsn) = self.vsn(name) else {
            return Ok(vec![Relation::any(package)]);
        };
        let mut version = PackageVersion::of_vsn(&vsn, "0")?;
        version.epoch = version.epoch.max(epoch);
        Ok(vec![Relation::at_least(
            package,
            match self.format {
                Format::Deb => version.deb_at_least(),
                Format::Rpm => version.rpm_at_least(),
            },
        )])
    }

    /// The package of an application that is not of OTP, with its epoch.
    fn package(&self, name: &Atom) -> (String, u32) {
        let sibling = self.siblings.get(name);
        let owner = sibling.and_then(|sibling| sibling.owner.clone());
        let known = ELIXIR.contains(&name.as_str()).then(|| "elixir".to_owned());
        let convention = || package_name(&self.spec.prefix, name.as_str(), self.format);
        owner.unwrap_or_else(|| (known.unwrap_or_else(convention), 0))
    }

    fn exactly(&self, name: &Atom, vsn: &str) -> Result<Vec<Relation>, VersionError> {
        let (package, epoch) = self.package(name);
        let mut version = PackageVersion::of_vsn(vsn, "0")?;
        version.epoch = version.epoch.max(epoch);
        Ok(match self.format {
            Format::Deb => vec![
                Relation::at_least(package.clone(), version.deb_at_least()),
                Relation::earlier(package, version.deb_next()),
            ],
            Format::Rpm => vec![Relation::equal(package, version.rpm_at_least())],
        })
    }

    /// Release candidates of the next release load no more than that release does.
    fn not_after(&self, last: u32) -> Option<Relation> {
        let erts = Atom::of("erts");
        if self.spec.dependencies.contains_key(&erts) {
            return None;
        }
        let owner = self.siblings.get(&erts);
        let owner = owner.and_then(|sibling| sibling.owner.clone());
        let (package, epoch) = self.otp_package(&erts, owner);
        let next = format!("{}~", last + 1);
        Some(Relation::earlier(package, with_epoch(epoch, &next)))
    }

    fn otp(&self, name: &Atom, owner: Option<(String, u32)>) -> Relation {
        let (package, epoch) = self.otp_package(name, owner);
        Relation::at_least(package, with_epoch(epoch, &self.otp.to_string()))
    }

    /// The packages of OTP's applications have the version of OTP, with the epoch 1 in Debian.
    fn otp_package(&self, name: &Atom, owner: Option<(String, u32)>) -> (String, u32) {
        let default = match self.format {
            Format::Deb => 1,
            Format::Rpm => 0,
        };
        owner.unwrap_or_else(|| {
            let package = match self.format {
                Format::Deb if BASE.contains(&name.as_str()) => "erlang-base".to_owned(),
                Format::Deb if name.as_str() == "erl_interface" => "erlang-dev".to_owned(),
                _ => package_name("erlang-", name.as_str(), self.format),
            };
            (package, default)
        })
    }

    fn vsn(&self, name: &Atom) -> Option<String> {
        let minimum = self.spec.minimum.get(name).cloned();
        minimum.or_else(|| self.siblings.get(name)?.vsn.clone())
    }
}

fn with_epoch(epoch: u32, version: &str) -> String {
    match epoch {
        0 => version.to_owned(),
        epoch => format!("{epoch}:{version}"),
    }
}

impl Dependencies {
    fn add(&mut self, kind: RelationKind, relations: Vec<Relation>) {
        let field = self.relations.entry(kind).or_default();
        for relation in relations {
            if !field.contains(&relation) {
                field.push(relation);
            }
        }
    }
}

/// The name of a package by convention: Debian's names have only hyphens and lower-case letters.
pub fn package_name(prefix: &str, application: &str, format: Format) -> String {
    match format {
        Format::Deb => {
            let name = application.to_ascii_lowercase();
            format!("{prefix}{}", name.replace(['_', '@'], "-"))
        }
        Format::Rpm => format!("{prefix}{}", application.replace('@', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    fn application(keys: &str) -> Application {
        let term = text::parse(&format!("{{application, foo, [{keys}]}}")).unwrap();
        Application::from_term(term).unwrap()
    }

    fn spec(terms: &str) -> PackageSpec {
        let terms = text::parse(terms).unwrap();
        PackageSpec::from_terms(&terms, &Atom::of("foo"), Format::Deb).unwrap()
    }

    fn sibling(owner: Option<(&str, u32)>, vsn: Option<&str>) -> Sibling {
        Sibling {
            owner: owner.map(|(name, epoch)| (name.to_owned(), epoch)),
            vsn: vsn.map(str::to_owned),
        }
    }

    fn siblings() -> BTreeMap<Atom, Sibling> {
        BTreeMap::from([
            (Atom::of("bar_x"), sibling(None, Some("2.0-rc1"))),
            (
                Atom::of("owned"),
                sibling(Some(("libowned", 2)), Some("3.1")),
            ),
        ])
    }

    #[track_caller]
    fn case(keys: &str, terms: &str, format: Format, expected: &[(RelationKind, &str)]) {
        releases_case(keys, terms, format, SINCE_25, expected);
    }

    const SINCE_25: Releases = Releases {
        first: 25,
        last: None,
    };

    #[track_caller]
    fn releases_case(
        keys: &str,
        terms: &str,
        format: Format,
        releases: Releases,
        expected: &[(RelationKind, &str)],
    ) {
        let found = map(
            &application(keys),
            &spec(terms),
            &siblings(),
            releases,
            format,
        )
        .unwrap();
        let text = |relations: &Vec<Relation>| {
            let texts: Vec<_> = relations.iter().map(ToString::to_string).collect();
            texts.join(", ")
        };
        let found: Vec<_> = found
            .relations
            .iter()
            .map(|(kind, relations)| (*kind, text(relations)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(kind, text)| (*kind, (*text).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    const KEYS: &str = "{applications, [kernel, stdlib, public_key, owned, opt]}, \
        {included_applications, [bar_x]}, {optional_applications, [opt]}";

    #[test]
    fn applications_become_packages() {
        case(
            KEYS,
            "[]",
            Format::Deb,
            &[
                (
                    RelationKind::Depends,
                    "erlang-base (>= 1:25), erlang-bar-x (>= 2.0~rc1), libowned (>= 2:3.1), \
                     erlang-public-key (>= 1:25)",
                ),
                (RelationKind::Suggests, "erlang-opt"),
            ],
        );
    }

    #[test]
    fn what_a_later_release_does_not_load_is_not_installed_with_it() {
        let until_28 = Releases {
            first: 25,
            last: Some(28),
        };
        let none = "{applications, [kernel, stdlib]}";
        let case = |terms, format, expected| {
            let depends = &[(RelationKind::Depends, expected)];
            releases_case(none, terms, format, until_28, depends);
        };
        let deb = "erlang-base (>= 1:25), erlang-base (<< 1:29~)";
        case("[]", Format::Deb, deb);
        let rpm = "erlang-erts (>= 25), erlang-erts (<< 29~), erlang-kernel (>= 25), erlang-stdlib (>= 25)";
        case("[]", Format::Rpm, rpm);
        let own = "[{dependencies, [{erts, \"esl-erlang\"}, {kernel, []}, {stdlib, []}]}]";
        case(own, Format::Deb, "esl-erlang");
    }

    #[test]
    fn rpm_has_names_of_its_own() {
        case(
            KEYS,
            "[]",
            Format::Rpm,
            &[
                (
                    RelationKind::Depends,
                    "erlang-erts (>= 25), erlang-bar_x (>= 2.0~rc1), erlang-kernel (>= 25), \
                     libowned (>= 2:3.1), erlang-public_key (>= 25), erlang-stdlib (>= 25)",
                ),
                (RelationKind::Suggests, "erlang-opt"),
            ],
        );
    }

    #[test]
    fn the_specification_has_the_last_word() {
        case(
            KEYS,
            "[{prefix, \"\"}, {'pre-depends', true}, {minimum, [{opt, \"1.0\"}]},
              {dependencies, [{owned, \"mine (>= 7)\"}, {public_key, []}, {erts, \"esl-erlang\"},
                              {kernel, []}, {stdlib, []}]}]",
            Format::Deb,
            &[
                (RelationKind::PreDepends, "bar-x (>= 2.0~rc1), mine (>= 7)"),
                (RelationKind::Depends, "esl-erlang"),
                (RelationKind::Suggests, "opt (>= 1.0)"),
            ],
        );
    }

    #[test]
    fn the_gate_hears_of_siblings_alone() {
        let found = map(
            &application(KEYS),
            &spec("[{minimum, [{owned, \"3.0\"}, {opt, \"1.0\"}]}]"),
            &siblings(),
            SINCE_25,
            Format::Deb,
        );
        let minimum = found.unwrap().minimum;
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(minimum, [pair("bar_x", "2.0-rc1"), pair("owned", "3.0")]);
    }
}
