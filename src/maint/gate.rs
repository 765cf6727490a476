//! Compares the requirements of a new version for other applications with the versions that run.
//!
//! dpkg chooses the order of unpacking: with `Depends: b (= 2.0)` the dependent comes first. A
//! requirement that is not met then is met when the package is configured, which happens in the
//! order of dependencies.

use super::facts::{Facts, NodeFacts};
use crate::application::vsn;
use crate::term::Atom;
use std::cmp::Ordering;
use std::fmt;

/// The earliest version of an application that another one works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// The required application.
    pub application: Atom,
    /// The earliest version.
    pub vsn: String,
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The requirement.
    pub minimum: Minimum,
    /// The present version, if any.
    pub found: Option<String>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Minimum { application, vsn } = &self.minimum;
        match &self.found {
            Some(found) => write!(f, "needs {application} {vsn} or later, {found} runs"),
            None => write!(
                f,
                "needs {application} {vsn} or later, which is not there yet"
            ),
        }
    }
}

/// The requirements of the new version that `node` does not meet yet. An application that does not
/// run there is started from the installed version.
pub fn unmet(facts: &Facts, node: &NodeFacts) -> Option<Unmet> {
    let found = |application| {
        let runs = node.siblings.get(application);
        runs.or_else(|| facts.installed.get(application))
    };
    let minimum = facts.minimums.iter().find(|minimum| {
        let found = found(&minimum.application);
        found.is_none_or(|found| vsn::compare(found, &minimum.vsn) == Ordering::Less)
    })?;
    Some(Unmet {
        minimum: minimum.clone(),
        found: found(&minimum.application).cloned(),
    })
}
