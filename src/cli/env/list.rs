//! `erlrc env list`: the environments of this host, one line each.

use super::{Place, count, size};
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::environment::needs::newest;
use crate::environment::{EnvironmentError, Record, uses};
use serde_json::json;
use std::error::Error;

/// Arguments of `erlrc env list`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
ASKS is what an environment asks of the libraries of the host, the newest version of each kind; USED tells how many
processes run from it, as far as the caller may see them. Content is not looked at: erlrc env check does that.

JSON: {\"kind\": \"environments\", \"version\": 1, \"environments\": [{\"name\", \"dir\", \"otp\", \"erts\", \"from\", \"asked\",
\"applications\": {NAME: VSN}, \"asks\": [VERSION], \"bytes\", \"digest\", \"used\": [{\"pid\", \"program\"}], \"error\"}]}; of one that
cannot be read name, dir and error are there alone, schema/environments-1.json

Examples:
  erlrc env list
  erlrc env list --json")]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
}

/// Prints the list.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (arguments.place.store(), common.output());
    let names = store.names();
    let read: Vec<_> = names.iter().map(|name| store.read(name)).collect();
    let listed: Vec<serde_json::Value> = names
        .iter()
        .zip(&read)
        .map(|(name, read)| json(name, &store.place(name), read.as_ref()))
        .collect();
    out.envelope("environments", 1, &json!({"environments": listed}));
    let rows = names.iter().zip(&read);
    let rows: Vec<Vec<String>> = rows
        .map(|(name, read)| match read {
            Ok(record) => row(name, record, uses::of(&store.place(name)).len()),
            Err(error) => vec![name.clone(), "-".to_owned(), chain(error)],
        })
        .collect();
    match rows.is_empty() {
        true => out.text(&format!(
            "no environment in {}: erlrc env make makes one\n",
            store.root().display()
        )),
        false => out.text(&table(
            &["NAME", "OTP", "APPLICATIONS", "SIZE", "ASKS", "USED"],
            &rows,
        )),
    }
    match read.iter().any(Result::is_err) {
        true => Ok(Status::Failed),
        false => Ok(Status::Done),
    }
}

/// The error with its causes, on one line.
pub fn chain(error: &EnvironmentError) -> String {
    let first: &dyn Error = error;
    let all = std::iter::successors(Some(first), |&error| error.source());
    let all: Vec<String> = all.map(ToString::to_string).collect();
    output::printable(&all.join(": "))
}

fn json(
    name: &str,
    dir: &std::path::Path,
    read: Result<&Record, &EnvironmentError>,
) -> serde_json::Value {
    match read {
        Err(error) => json!({"name": name, "dir": dir, "error": chain(error)}),
        Ok(record) => json!({
            "name": name,
            "dir": dir,
            "otp": record.otp,
            "erts": record.erts,
            "from": record.from,
            "asked": record.asked,
            "applications": record.applications,
            "asks": asks(record),
            "bytes": record.bytes,
            "digest": record.digest,
            "used": uses::of(dir),
        }),
    }
}

/// What it asks of the host's libraries.
pub fn asks(record: &Record) -> Vec<String> {
    let versions = record.needs.values().flatten();
    let mut all = newest(versions.map(String::as_str));
    all.retain(|version| version.starts_with("GLIBC_") || version.starts_with("OPENSSL_"));
    all
}

fn row(name: &str, record: &Record, used: usize) -> Vec<String> {
    // What every environment has tells nothing.
    let more: Vec<&str> = record.asked.iter().map(String::as_str).collect();
    let applications = match more.is_empty() {
        true => format!("{} of OTP", record.applications.len()),
        false => format!(
            "{} of OTP for {}",
            record.applications.len(),
            more.join(", ")
        ),
    };
    let used = match used {
        0 => "no".to_owned(),
        used => format!(
            "by {}",
            count(used, "process").replace("processs", "processes")
        ),
    };
    let cells = [
        name.to_owned(),
        record.otp.clone(),
        applications,
        size(record.bytes),
        asks(record).join(", "),
        used,
    ];
    cells.map(|cell| output::printable(&cell)).to_vec()
}
