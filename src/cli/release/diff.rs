//! `erlrc release diff`: what changes from one release to another.

use super::{Services, failed, name};
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::release::set::{self, Change};
use serde_json::json;

/// Arguments of `erlrc release diff`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What is to run comes in start order, then what is to run no more, in the reverse of its own. reload: the same version
with other files.

JSON: {\"kind\": \"release_diff\", \"version\": 1, \"service\", \"from\", \"to\", \"otp\": {\"from\", \"to\"}, \"environment\": {\"from\",
\"to\"}, \"changes\": [{\"change\", \"application\", \"from\", \"to\"}]}, schema/release_diff-1.json

Examples:
  erlrc release diff shop 1.0 1.1")]
pub struct Arguments {
    /// The service
    #[arg(value_name = "S", value_parser = name)]
    service: String,
    /// The one release
    #[arg(value_name = "A", value_parser = name)]
    from: String,
    /// The other one
    #[arg(value_name = "B", value_parser = name)]
    to: String,
    #[command(flatten)]
    place: Services,
}

/// Compares them.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(common), common.output());
    let service = &arguments.service;
    let read = |version: &str| {
        let release = store.read(service, version);
        release.map_err(|error| failed(error, service))
    };
    let (from, to) = (read(&arguments.from)?, read(&arguments.to)?);
    let changes = set::compare(&from.applications, &to.applications);
    let report = json!({
        "service": service,
        "from": arguments.from,
        "to": arguments.to,
        "otp": {"from": from.otp, "to": to.otp},
        "environment": {"from": from.environment, "to": to.environment},
        "changes": changes,
    });
    out.envelope("release_diff", 1, &report);
    let mut text = String::new();
    let environment = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".to_owned());
    let others = [
        ("OTP", from.otp.clone(), to.otp.clone()),
        (
            "environment",
            environment(&from.environment),
            environment(&to.environment),
        ),
    ];
    for (what, from, to) in others.iter().filter(|(_, from, to)| from != to) {
        text += &format!("{what}: {from} -> {to}\n");
    }
    if !changes.is_empty() {
        let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
        text += &table(&["CHANGE", "APPLICATION", "FROM", "TO"], &rows);
    }
    if text.is_empty() {
        text = "the same applications\n".to_owned();
    }
    out.text(&output::printable_lines(&text));
    Ok(Status::Done)
}

fn row(change: &Change) -> Vec<String> {
    let vsn = |vsn: &Option<String>| vsn.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        change.change.as_str().to_owned(),
        change.application.to_string(),
        vsn(&change.from),
        vsn(&change.to),
    ]
}
