//! Whether a run may stay: what `erlrc check` says afterwards and did not say before.

use super::Arguments;
use crate::cli::{Common, Failure, check};
use std::time::Duration;

/// What is not well and is not among `known`, at once or after `wait`.
pub fn unwell(
    common: &Common,
    arguments: &Arguments,
    wait: Duration,
    known: &[String],
) -> Result<Vec<String>, Failure> {
    let new = |findings: &[String]| -> Vec<String> {
        let new = findings.iter().filter(|finding| !known.contains(finding));
        new.cloned().collect()
    };
    let (connection, packages) = (&arguments.hook.connection, &arguments.places.packages);
    let is_enough = |findings: &[String]| new(findings).is_empty();
    let findings = check::unwell(common, connection, packages, wait, &is_enough)?;
    Ok(new(&findings))
}
