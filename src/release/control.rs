//! The dependencies of a Debian package as applications with ranges of versions: `Depends: tally (>= 1.1), tally (<< 1.2)`.

use super::wanted::{Range, Version};
use crate::application::is_application_name;
use crate::package::dependency::is_otp;
use crate::package::relation::{Comparison, Relation, Target};
use crate::package::version::vsn_of;
use crate::term::Atom;

/// A dependency on any of some packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// As it is written.
    pub text: String,
    /// Any of these will do, the first is the one to take.
    pub alternatives: Vec<Candidate>,
}

/// A package that may be the one of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The applications that it may hold, by the names that packages have, the likeliest first.
    pub names: Vec<Atom>,
    /// The versions of the application that will do.
    pub range: Range,
}

/// What is wrong with a control file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It describes no package, or several of which none is meant.
    #[error("it describes {}, and none is called {service}", packages(.found))]
    NoPackage {
        /// The package that is looked for.
        service: String,
        /// Those that are there.
        found: Vec<String>,
    },
    /// A dependency that says nothing.
    #[error("{text:?} is no dependency")]
    Relation {
        /// As it is written.
        text: String,
    },
    /// Another OTP than the one that is used.
    #[error("it depends on {text}, and OTP {otp} is used")]
    Otp {
        /// The dependency as it is written.
        text: String,
        /// The version of OTP.
        otp: String,
    },
    /// A version that is known when the package is built.
    #[error("the version in {text:?} is not known before the package is built")]
    Unknown {
        /// As it is written.
        text: String,
    },
}

fn packages(found: &[String]) -> String {
    match found {
        [] => "no package".to_owned(),
        found => found.join(", "),
    }
}

/// What the only package in a control file, or the one that is called `service`, depends on.
pub fn needs(text: &str, service: &str) -> Result<Vec<Need>, ControlError> {
    let stanzas = stanzas(text);
    let mut packages: Vec<(&str, &Vec<Field>)> = Vec::new();
    for stanza in &stanzas {
        packages.extend(value(stanza, "Package").map(|name| (name.trim(), stanza)));
    }
    let named = packages.iter().find(|(name, _)| *name == service);
    let only = (packages.len() == 1).then(|| &packages[0]);
    let Some((_, stanza)) = named.or(only) else {
        return Err(ControlError::NoPackage {
            service: service.to_owned(),
            found: packages
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
        });
    };
    let fields = ["Pre-Depends", "Depends"].into_iter();
    let relations = fields.filter_map(|field| value(stanza, field));
    let relations = relations.flat_map(|value| value.split(','));
    relations
        .filter_map(|text| need(text.trim()).transpose())
        .collect()
}

/// What dependencies come to on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Applications with the versions that will do.
    pub wishes: Vec<(Atom, Range)>,
    /// Dependencies on packages that hold no application that is there, as they are written.
    pub passed_over: Vec<String>,
}

/// Takes of each dependency the first alternative that is there in a version that will do; where none is, the first that
/// is there at all, for somebody to say so. The packages of OTP's applications have the version of OTP.
pub fn resolve(
    needs: &[Need],
    otp: &str,
    versions: impl Fn(&Atom) -> Vec<Version>,
) -> Result<Resolved, ControlError> {
    let mut resolved = Resolved::default();
    for need in needs {
        let there = need.alternatives.iter().filter_map(|candidate| {
            let mut names = candidate.names.iter();
            let found = names.find_map(|name| Some((name, known(versions(name))?)))?;
            Some((found.0, &candidate.range, found.1))
        });
        let there: Vec<_> = there.collect();
        let will_do =
            |(name, range, found): &&(&Atom, &Range, Vec<Version>)| match is_otp(name.as_str()) {
                true => range.admits(otp),
                false => found.iter().any(|version| range.admits(&version.vsn)),
            };
        match there.iter().find(will_do).or(there.first()) {
            None => resolved.passed_over.push(need.text.clone()),
            Some((name, range, _)) if !is_otp(name.as_str()) => {
                resolved.wishes.push(((*name).clone(), (*range).clone()));
            }
            Some((name, range, _)) if range.admits(otp) => {
                resolved.wishes.push(((*name).clone(), Range::default()));
            }
            Some(_) => {
                let (text, otp) = (need.text.clone(), otp.to_owned());
                return Err(ControlError::Otp { text, otp });
            }
        }
    }
    Ok(resolved)
}

fn known(versions: Vec<Version>) -> Option<Vec<Version>> {
    (!versions.is_empty()).then_some(versions)
}

/// A field and its value, on one line.
type Field = (String, String);

fn stanzas(text: &str) -> Vec<Vec<Field>> {
    let mut stanzas = vec![Vec::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let stanza: &mut Vec<Field> = stanzas.last_mut().expect("there is one always");
        if line.trim().is_empty() {
            if !stanza.is_empty() {
                stanzas.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            stanza.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    stanzas
}

fn value<'a>(stanza: &'a [Field], name: &str) -> Option<&'a str> {
    let mut fields = stanza.iter();
    let found = fields.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// One dependency; none where the text stands for others, which are known when the package is built.
fn need(text: &str) -> Result<Option<Need>, ControlError> {
    if text.is_empty() || text.starts_with("${") {
        return Ok(None);
    }
    let text = text.to_owned();
    if text.contains("${") {
        return Err(ControlError::Unknown { text });
    }
    // Architectures and build profiles follow in brackets.
    let parts = text.split('|').map(|part| {
        let end = part.find(['[']).unwrap_or(part.len());
        let part = &part[..end];
        let versioned = part.find(')').map_or(0, |end| end + 1);
        let profile = part[versioned..].find('<');
        let end = profile.filter(|_| versioned > 0 || !part.contains('('));
        &part[..end.map_or(part.len(), |end| versioned + end)]
    });
    let plain: Vec<&str> = parts.map(str::trim).collect();
    match Relation::parse(&plain.join(" | ")) {
        None => Err(ControlError::Relation { text }),
        Some(relation) => Ok(Some(Need {
            text,
            alternatives: relation.alternatives.iter().map(candidate).collect(),
        })),
    }
}

fn candidate(target: &Target) -> Candidate {
    let range = target.version.as_ref();
    Candidate {
        names: names(&target.package),
        range: range.map_or_else(Range::default, |(comparison, version)| {
            range_of(*comparison, version)
        }),
    }
}

/// The applications that a package may hold, by the names that are usual.
fn names(package: &str) -> Vec<Atom> {
    let package = package.split(':').next().unwrap_or(package);
    if package == "erlang-base" {
        return vec![Atom::of("kernel")];
    }
    let bare = package.strip_prefix("erlang-");
    let names = [bare, Some(package)].into_iter().flatten();
    let names = names.map(|name| name.replace('-', "_"));
    let names = names.filter(|name| is_application_name(name));
    names.filter_map(|name| Atom::new(&name)).collect()
}

/// What a package's version says of the application's, which has no revision: where the bound has one, the same version
/// of the application may be on either side of it.
fn range_of(comparison: Comparison, version: &str) -> Range {
    let has_revision = version.contains('-');
    let comparison = match comparison {
        Comparison::Earlier if has_revision => Comparison::AtMost,
        Comparison::Later if has_revision => Comparison::AtLeast,
        comparison => comparison,
    };
    Range::of(comparison, vsn_of(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(depends: &str, expected: &[(&[&str], &str)]) {
        let text = format!("Package: shop\nDepends: {depends}\nDescription: a shop\n");
        let found = needs(&text, "shop").unwrap();
        let found: Vec<(Vec<String>, String)> = found
            .iter()
            .flat_map(|need| &need.alternatives)
            .map(|one| {
                let names = one.names.iter().map(ToString::to_string).collect();
                (names, one.range.to_string())
            })
            .collect();
        let expected = expected.iter().map(|(names, range)| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            (names, (*range).to_owned())
        });
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn dependencies_become_applications_with_ranges() {
        case(
            "tally (>= 1.1), tally (<< 1.1.~next)",
            &[(&["tally"], ">= 1.1"), (&["tally"], "<< 1.1.~next")],
        );
        case("erlang-p1-xml", &[(&["p1_xml", "erlang_p1_xml"], "")]);
        case("tally:any (= 1:1.0~rc1-2)", &[(&["tally"], "1.0-rc1")]);
        case("erlang-base (>= 1:25)", &[(&["kernel"], ">= 25")]);
        case("a [amd64] | b <!nocheck>", &[(&["a"], ""), (&["b"], "")]);
        case("a (>= 1) [amd64] <!nocheck>", &[(&["a"], ">= 1")]);
        case("${misc:Depends}, a,", &[(&["a"], "")]);
        case(
            "a (>= 1),\n b (<< 2)",
            &[(&["a"], ">= 1"), (&["b"], "<< 2")],
        );
    }

    #[test]
    fn a_bound_with_a_revision_may_be_of_the_same_version() {
        case("a (<< 1.1-2)", &[(&["a"], "<= 1.1")]);
        case("a (>> 1.1-2)", &[(&["a"], ">= 1.1")]);
        case("a (<< 1.1)", &[(&["a"], "<< 1.1")]);
        case("a (= 1.1-2)", &[(&["a"], "1.1")]);
    }

    #[test]
    fn the_package_is_the_only_one_or_the_one_with_the_name_of_the_service() {
        let source = "Source: shop\nBuild-Depends: x\n\n# a comment\nPackage: other\nDepends: a\n\n\
                      Package: shop\nPre-Depends: c\nDepends: b\n";
        let names = |service: &str, text: &str| -> Result<Vec<String>, ControlError> {
            let needs = needs(text, service)?.into_iter();
            Ok(needs.map(|need| need.text).collect())
        };
        assert_eq!(names("shop", source).unwrap(), ["c", "b"]);
        assert_eq!(names("s", "Package: shop\nDepends: b").unwrap(), ["b"]);
        let none = names("till", source).unwrap_err().to_string();
        assert_eq!(none, "it describes other, shop, and none is called till");
        let none = names("till", "").unwrap_err().to_string();
        assert_eq!(none, "it describes no package, and none is called till");
    }

    /// What dependencies come to where tally 1.0 and 1.1, crypto and p1_xml are there, with OTP 25.2.3.
    fn resolved(depends: &str) -> Result<(Vec<String>, Vec<String>), ControlError> {
        let needs = needs(&format!("Package: shop\nDepends: {depends}"), "shop")?;
        let version = |vsn: &&str| Version {
            vsn: (*vsn).to_owned(),
            dir: "/".into(),
        };
        let versions = |name: &Atom| -> Vec<Version> {
            let found: &[&str] = match name.as_str() {
                "tally" => &["1.1", "1.0"],
                "crypto" | "kernel" => &["5.1.2"],
                "p1_xml" => &["3"],
                _ => &[],
            };
            found.iter().map(version).collect()
        };
        let found = resolve(&needs, "25.2.3", versions)?;
        let wishes = found.wishes.iter();
        let wishes = wishes.map(|(name, range)| format!("{name} {range}").trim().to_owned());
        Ok((wishes.collect(), found.passed_over))
    }

    #[track_caller]
    fn comes_to(depends: &str, wishes: &[&str], passed_over: &[&str]) {
        let (found, others) = resolved(depends).unwrap();
        assert_eq!(found, wishes);
        assert_eq!(others, passed_over);
    }

    #[test]
    fn dependencies_are_applications_that_are_there() {
        comes_to("tally (= 1.0-1), adduser", &["tally 1.0"], &["adduser"]);
        comes_to("erlang-p1-xml", &["p1_xml"], &[]);
        comes_to(
            "erlang-crypto (>= 1:25), erlang-base",
            &["crypto", "kernel"],
            &[],
        );
        comes_to("till | tally (>> 1)", &["tally >> 1"], &[]);
        comes_to("tally (>= 2) | p1-xml", &["p1_xml"], &[]);
        comes_to("tally (>= 2) | till", &["tally >= 2"], &[]);
        let refused = resolved("erlang-crypto (>= 1:26)").unwrap_err().to_string();
        let text = "it depends on erlang-crypto (>= 1:26), and OTP 25.2.3 is used";
        assert_eq!(refused, text);
    }

    #[test]
    fn what_is_no_dependency_is_refused() {
        for text in ["a (1)", "a b", "a (>= 1", "-a"] {
            let found = needs(&format!("Package: s\nDepends: {text}"), "s");
            assert!(
                matches!(found, Err(ControlError::Relation { .. })),
                "{text}"
            );
        }
        let found = needs("Package: s\nDepends: a (= ${binary:Version})", "s");
        assert!(matches!(found, Err(ControlError::Unknown { .. })));
    }
}
