//! What the new version of an application asks of others, against what runs.
//!
//! dpkg unpacks in an order of its own: with `Depends: b (= 2.0)` the dependent comes first. What is
//! unmet at that time is met when the package is configured, which dpkg does in order of dependency.

use super::facts::{Facts, NodeFacts};
use crate::application::vsn;
use crate::term::Atom;
use std::cmp::Ordering;
use std::fmt;

/// The least version of an application that another one works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// The application that is needed.
    pub application: Atom,
    /// The least version of it.
    pub vsn: String,
}

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// What is asked for.
    pub minimum: Minimum,
    /// The version that is there instead, if any.
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

/// What `node` does not yet give the new version. What does not run there yet is started from what is
/// installed.
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
