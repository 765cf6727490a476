//! `erlrc snapshot list`: the snapshots of this host, one line each.

use super::{failed, store};
use crate::cli::env::{count, size};
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::snapshot::{Manifest, SnapshotError, Tag};
use serde_json::{Value, json};

/// Arguments of `erlrc snapshot list`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The oldest is first. FILES are the package files that a snapshot keeps; several snapshots share those that are the same.

JSON: {\"kind\": \"snapshots\", \"version\": 1, \"snapshots\": [{\"tag\", \"time\", \"host\", \"keep\", \"packages\": N, \"kept\": N,
\"missing\": N, \"bytes\", \"error\"}]}; of one that cannot be read tag and error are there alone.

Examples:
  erlrc snapshot list
  erlrc snapshot list --json")]
pub struct Arguments {}

/// Prints the list.
pub fn run(_: &Arguments, common: &Common) -> Result<Status, Failure> {
    let (store, out) = (store(common), common.output());
    let tags = store.tags().map_err(failed)?;
    let mut all: Vec<(Tag, Result<Manifest, SnapshotError>)> = tags
        .into_iter()
        .map(|tag| (tag.clone(), store.read(&tag)))
        .collect();
    all.sort_by_key(|(tag, read)| (read.as_ref().ok().map(|one| one.time), tag.clone()));
    let listed: Vec<Value> = all.iter().map(|(tag, read)| one(tag, read)).collect();
    out.envelope("snapshots", 1, &json!({"snapshots": listed}));
    let rows: Vec<Vec<String>> = all.iter().map(|(tag, read)| row(tag, read)).collect();
    out.text(&match rows.is_empty() {
        true => format!(
            "no snapshot in {}: erlrc snapshot create makes one\n",
            output::printable(&store.root().display().to_string())
        ),
        false => table(&["TAG", "TIME", "PACKAGES", "FILES", "SIZE"], &rows),
    });
    match all.iter().any(|(_, read)| read.is_err()) {
        true => Ok(Status::Failed),
        false => Ok(Status::Done),
    }
}

fn one(tag: &Tag, read: &Result<Manifest, SnapshotError>) -> Value {
    match read {
        Err(error) => json!({"tag": tag, "error": output::printable(&error.to_string())}),
        Ok(manifest) => json!({
            "tag": tag,
            "time": manifest.time,
            "host": manifest.host,
            "keep": manifest.keep,
            "packages": manifest.packages.len(),
            "kept": manifest.kept().count(),
            "missing": manifest.missing().count(),
            "bytes": manifest.bytes(),
        }),
    }
}

fn row(tag: &Tag, read: &Result<Manifest, SnapshotError>) -> Vec<String> {
    let cells = match read {
        Err(error) => vec![tag.to_string(), error.to_string()],
        Ok(manifest) => {
            let files = match manifest.missing().count() {
                0 => manifest.kept().count().to_string(),
                missing => format!(
                    "{}, {} missing",
                    manifest.kept().count(),
                    count(missing, "file")
                ),
            };
            let time = manifest.time.to_string();
            let second = time.split('.').next().unwrap_or_default();
            vec![
                tag.to_string(),
                format!("{second}Z"),
                manifest.packages.len().to_string(),
                files,
                size(manifest.bytes()),
            ]
        }
    };
    cells.iter().map(|cell| output::printable(cell)).collect()
}
