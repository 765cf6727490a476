//! The package of a service: it holds no application, names a set of them by its dependencies, each in exactly one
//! version, and tells erlrc so.

use super::assemble::{Package, Surroundings};
use super::dependency::{self, is_otp};
use super::entry::Entry;
use super::error::Error;
use super::relation::RelationKind;
use super::script::Contents;
use super::spec::{Format, PackageSpec};
use super::version::PackageVersion;
use crate::maint::ServiceSet;
use crate::places;
use crate::term::Atom;
use std::collections::BTreeMap;

/// A service with its applications.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The version of the set.
    pub vsn: String,
    /// The applications, each with its version; those of OTP without.
    pub applications: Vec<(Atom, Option<String>)>,
}

impl Service {
    /// The set that it is of.
    fn set(&self) -> ServiceSet {
        let versioned = self.applications.iter();
        let versioned = versioned.filter_map(|(name, vsn)| Some((name.clone(), vsn.clone()?)));
        ServiceSet {
            service: self.name.clone(),
            vsn: self.vsn.clone(),
            applications: versioned.collect(),
        }
    }

    /// Whether each application has a version, and those of OTP have none.
    fn check(&self) -> Result<(), Error> {
        for (name, vsn) in &self.applications {
            let fault = match (is_otp(name.as_str()), vsn) {
                (false, None) => "has no version: say which belongs to the set",
                (true, Some(_)) => {
                    "is of OTP, whose packages have versions of their own: name it without"
                }
                _ => continue,
            };
            return Err(Error::Field {
                key: "the application",
                value: name.to_string(),
                fault,
            });
        }
        Ok(())
    }
}

/// Builds the package.
pub fn assemble(
    service: &Service,
    spec: &PackageSpec,
    around: &Surroundings,
    format: Format,
) -> Result<Package, Error> {
    service.check()?;
    let name = spec.name.clone();
    let name = name.unwrap_or_else(|| dependency::package_name("", &service.name, format));
    let revision = around.revision.as_deref().or(spec.revision.as_deref());
    let mut version = PackageVersion::of_vsn(&service.vsn, revision.unwrap_or("1"))?;
    version.epoch = spec.epoch.unwrap_or(version.epoch);
    let otp = spec.otp.or(around.otp).ok_or_else(|| Error::Otp {
        application: service.name.clone(),
    })?;
    let mut relations: BTreeMap<RelationKind, Vec<_>> = spec.relations.clone();
    let own = dependency::of_set(&service.applications, spec, &around.siblings, otp, format)?;
    let depends = relations.entry(RelationKind::Depends).or_default();
    depends.splice(0..0, own);
    let contents = Contents {
        applications: Vec::new(),
        minimum: Vec::new(),
        set: Some((service.name.clone(), service.vsn.clone())),
    };
    let mut package = Package {
        summary: spec
            .summary
            .clone()
            .unwrap_or_else(|| format!("service {} in one set of applications", service.name)),
        description: spec
            .description
            .clone()
            .unwrap_or_else(|| description(service)),
        relations,
        ..Package::specified(spec, around, (name, version), contents)
    };
    package.check(format)?;
    package.add_copyright(&service.name, around)?;
    let set = Entry::file(service.set().text());
    package
        .entries
        .add(places::packaged_set(&service.name), set)?;
    package.fill_rest(spec, around)?;
    package.add_native(around, format)?;
    Ok(package)
}

fn description(service: &Service) -> String {
    let one = |(name, vsn): &(Atom, Option<String>)| match vsn {
        Some(vsn) => format!("{name} {vsn}"),
        None => name.to_string(),
    };
    let applications: Vec<String> = service.applications.iter().map(one).collect();
    format!(
        "This package holds no files of its own. It names the applications of the\n\
         service {} {}: {}.\n\
         Where erlrc is installed, the Erlang nodes of the host come to the whole set\n\
         at once, without a restart.",
        service.name,
        service.vsn,
        applications.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::write::control::control;
    use crate::term::text;

    fn package(
        applications: &[(&str, Option<&str>)],
        spec: &str,
        format: Format,
    ) -> Result<Package, Error> {
        let one = |(name, vsn): &(&str, Option<&str>)| {
            (Atom::new(name).expect("a name"), vsn.map(str::to_owned))
        };
        let service = Service {
            name: "MY_SERVICE".to_owned(),
            vsn: "2011.2".to_owned(),
            applications: applications.iter().map(one).collect(),
        };
        let spec = text::parse(spec).expect("a term");
        let spec = PackageSpec::from_terms(&spec, &Atom::of("MY_SERVICE"), format)
            .expect("a specification");
        let around = Surroundings {
            otp: Some(25),
            ..Surroundings::default()
        };
        assemble(&service, &spec, &around, format)
    }

    const SET: [(&str, Option<&str>); 3] = [
        ("my_app1", Some("1.1")),
        ("my_app2", Some("1.0-rc1")),
        ("mnesia", None),
    ];

    #[test]
    fn each_application_is_needed_in_one_version_in_any_package_of_it() {
        let spec = "[{prefix, []}, {conflicts, [\"other-app\"]}, {dependencies, [{kernel, \"erlang-base (>= 1:25)\"}]}]";
        let made = package(&SET, spec, Format::Deb).expect("a package");
        let text = control(&made);
        for line in [
            "Package: my-service\n",
            "Version: 2011.2-1\n",
            "Depends: my-app1 (>= 1.1), my-app1 (<< 1.1.~next), my-app2 (>= 1.0~rc1), my-app2 (<< 1.0~rc1.~next), erlang-mnesia (>= 1:25)\n",
            "Conflicts: other-app\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let set = made
            .entries
            .iter()
            .find(|(path, _)| *path == "/usr/lib/erlrc/sets/MY_SERVICE");
        let expected = "{\"MY_SERVICE\",\"2011.2\",[{my_app1,\"1.1\"},{my_app2,\"1.0-rc1\"}]}.\n";
        assert_eq!(
            set.map(|(_, entry)| entry),
            Some(&Entry::file(expected.to_owned()))
        );
    }

    #[test]
    fn under_rpm_a_version_is_any_release_of_it() {
        let made = package(&SET[..1], "[{prefix, []}]", Format::Rpm).expect("a package");
        let depends: Vec<String> = made.relations[&RelationKind::Depends]
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            (made.name.as_str(), depends),
            ("MY_SERVICE", vec!["my_app1 (= 1.1)".to_owned()])
        );
    }

    #[test]
    fn what_says_too_little_or_too_much_is_refused() {
        let refused = |set: &[(&str, Option<&str>)]| {
            let refused = package(set, "[]", Format::Deb).expect_err("a refusal");
            refused.to_string()
        };
        assert!(refused(&[("my_app1", None)]).contains("\"my_app1\" has no version"));
        assert!(refused(&[("mnesia", Some("4.21"))]).contains("\"mnesia\" is of OTP"));
    }
}
