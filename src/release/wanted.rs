//! Which applications a release is to have, and which of the versions that there are will do.

use crate::application::vsn;
use crate::package::relation::Comparison;
use crate::term::Atom;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A version of an application, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which one.
    pub vsn: String,
    /// Its directory.
    pub dir: PathBuf,
}

/// The versions that will do: those for which all of this is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range(Vec<(Comparison, String)>);

/// Applications, each with the versions that will do.
pub type Wanted = BTreeMap<Atom, Range>;

/// No version will do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// Two versions of one application.
    #[error("{application} is asked for in two versions, {one} and {other}")]
    TwoVersions {
        /// The application.
        application: Atom,
        /// The one version.
        one: String,
        /// The other one.
        other: String,
    },
    /// None of those that there are.
    #[error("{application}{} is nowhere to be found{}", asked(.range), there(.found))]
    None {
        /// The application.
        application: Atom,
        /// What is asked for.
        range: Range,
        /// The versions that there are.
        found: Vec<String>,
    },
}

fn asked(range: &Range) -> String {
    match range.is_any() {
        true => String::new(),
        false => format!(" {range}"),
    }
}

fn there(found: &[String]) -> String {
    match found {
        [] => String::new(),
        found => format!("; there is {}", found.join(", ")),
    }
}

impl Range {
    /// Those that compare like this with a version.
    pub fn of(comparison: Comparison, vsn: impl Into<String>) -> Self {
        Self(vec![(comparison, vsn.into())])
    }

    /// Whether any version will do.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this version will do.
    pub fn admits(&self, vsn: &str) -> bool {
        self.0.iter().all(|(comparison, bound)| {
            let order = vsn::compare(vsn, bound);
            match comparison {
                Comparison::Earlier => order == Ordering::Less,
                Comparison::AtMost => order != Ordering::Greater,
                Comparison::Equal => order == Ordering::Equal,
                Comparison::AtLeast => order != Ordering::Less,
                Comparison::Later => order == Ordering::Greater,
            }
        })
    }

    fn equals(&self) -> impl Iterator<Item = &String> {
        let equals = self.0.iter();
        equals.filter_map(|(comparison, vsn)| (*comparison == Comparison::Equal).then_some(vsn))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |(comparison, vsn): &(Comparison, String)| match comparison {
            Comparison::Equal => vsn.clone(),
            comparison => format!("{} {vsn}", comparison.sign()),
        };
        let bounds: Vec<String> = self.0.iter().map(bound).collect();
        f.write_str(&bounds.join(", "))
    }
}

/// Takes several wishes together: of one application all of them hold.
pub fn merge(wishes: impl IntoIterator<Item = (Atom, Range)>) -> Result<Wanted, WantedError> {
    let mut wanted = Wanted::new();
    for (application, range) in wishes {
        let known = wanted.entry(application.clone()).or_default();
        known.0.extend(range.0);
        let mut equals = known.equals();
        if let Some(one) = equals.next()
            && let Some(other) = equals.find(|other| vsn::compare(one, other).is_ne())
        {
            return Err(WantedError::TwoVersions {
                application,
                one: one.clone(),
                other: other.clone(),
            });
        }
    }
    Ok(wanted)
}

/// Of the versions that there are, the one that is meant first, the one to take: the first where that will do, else the
/// latest that will.
pub fn choose<'a>(
    application: &Atom,
    range: &Range,
    found: &'a [Version],
) -> Result<&'a Version, WantedError> {
    let first = found.first().filter(|version| range.admits(&version.vsn));
    let admitted = found.iter().filter(|version| range.admits(&version.vsn));
    let latest = admitted.max_by(|a, b| vsn::compare(&a.vsn, &b.vsn));
    first.or(latest).ok_or_else(|| WantedError::None {
        application: application.clone(),
        range: range.clone(),
        found: found.iter().map(|version| version.vsn.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(bounds: &[(Comparison, &str)]) -> Range {
        let bound = |(comparison, vsn): &(Comparison, &str)| (*comparison, (*vsn).to_owned());
        Range(bounds.iter().map(bound).collect())
    }

    fn versions(found: &[&str]) -> Vec<Version> {
        let version = |vsn: &&str| Version {
            vsn: (*vsn).to_owned(),
            dir: format!("/lib/a-{vsn}").into(),
        };
        found.iter().map(version).collect()
    }

    #[track_caller]
    fn case(bounds: &[(Comparison, &str)], found: &[&str], expected: Option<&str>) {
        let found = versions(found);
        let chosen = choose(&Atom::of("a"), &range(bounds), &found).ok();
        assert_eq!(chosen.map(|version| version.vsn.as_str()), expected);
    }

    #[test]
    fn the_version_that_is_meant_is_taken_where_it_will_do_else_the_latest_that_will() {
        use Comparison::{AtLeast, AtMost, Earlier, Equal, Later};
        case(&[], &["1.1", "1.0", "2.0"], Some("1.1"));
        case(&[(Equal, "1.0")], &["1.1", "1.0", "2.0"], Some("1.0"));
        case(&[(AtLeast, "1.0")], &["1.1", "1.0", "2.0"], Some("1.1"));
        case(&[(Later, "1.1")], &["1.1", "1.2", "2.0"], Some("2.0"));
        case(&[(Earlier, "1.1")], &["1.1", "1.0", "0.9"], Some("1.0"));
        case(&[(AtMost, "0.95")], &["1.1", "1.0", "0.9"], Some("0.9"));
        case(&[(Equal, "1.00")], &["1.0"], Some("1.0"));
        case(&[(Later, "2.0")], &["1.1", "2.0"], None);
        case(&[], &[], None);
    }

    #[test]
    fn a_range_holds_a_version_and_what_is_repaired_of_it() {
        use Comparison::{AtLeast, Earlier};
        let bounds = [(AtLeast, "1.1"), (Earlier, "1.1.~next")];
        case(&bounds, &["1.0", "1.1", "1.1.1", "1.2"], Some("1.1"));
        case(&bounds, &["1.1.1", "1.2", "1.1-rc1"], None);
    }

    #[test]
    fn two_versions_of_one_application_are_refused() {
        let equal = |vsn: &str| (Atom::of("a"), Range::of(Comparison::Equal, vsn));
        let refused = merge([equal("1.0"), equal("1.1")]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a is asked for in two versions, 1.0 and 1.1"
        );
        let one = merge([
            equal("1.0"),
            (Atom::of("a"), Range::default()),
            equal("1.0"),
        ]);
        assert!(one.is_ok_and(|wanted| wanted.len() == 1));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let error = |bounds: &[(Comparison, &str)], found: &[&str]| {
            let found = versions(found);
            let refused = choose(&Atom::of("a"), &range(bounds), &found);
            refused.unwrap_err().to_string()
        };
        let equal = [(Comparison::Equal, "3")];
        let text = "a 3 is nowhere to be found; there is 1, 2";
        assert_eq!(error(&equal, &["1", "2"]), text);
        let later = [(Comparison::Later, "3")];
        assert_eq!(error(&later, &[]), "a >> 3 is nowhere to be found");
        assert_eq!(error(&[], &[]), "a is nowhere to be found");
    }
}
