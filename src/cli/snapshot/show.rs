//! `erlrc snapshot show`: what a snapshot holds.

use super::{failed, json, store, tag};
use crate::cli::env::{count, size};
use crate::cli::table::table;
use crate::cli::{Common, Failure, Status, output};
use crate::snapshot::package::{Keep, Package};
use crate::snapshot::{Manifest, Tag};

/// Arguments of `erlrc snapshot show`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The packages whose files are kept, or should be; with --verbose all that are recorded.

JSON: as erlrc snapshot create.

Examples:
  erlrc snapshot show before-deploy
  erlrc snapshot show before-deploy --json")]
pub struct Arguments {
    /// The snapshot
    #[arg(value_name = "TAG", value_parser = tag)]
    tag: Tag,
}

/// Prints it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let manifest = store(common).read(&arguments.tag).map_err(failed)?;
    out.envelope("snapshot", 1, &json(&manifest));
    let is_shown = |package: &&Package| out.is_verbose() || manifest.keep.wants(package);
    let rows: Vec<Vec<String>> = manifest.packages.iter().filter(is_shown).map(row).collect();
    out.text(&output::printable_lines(&head(&manifest)));
    if !rows.is_empty() {
        out.text(&table(
            &["PACKAGE", "VERSION", "STATE", "APPLICATIONS", "FILE"],
            &rows,
        ));
    }
    Ok(Status::Done)
}

fn head(manifest: &Manifest) -> String {
    let files = match manifest.keep {
        Keep::Ours => "files of packages that brought applications, and of erlrc",
        Keep::All => "files of all packages",
        Keep::None => "no package files",
    };
    format!(
        "{}: made {} on {} ({}) by erlrc {}\n  {} recorded; keeps {files}\n",
        manifest.tag,
        manifest.time,
        manifest.host,
        manifest.architecture,
        manifest.erlrc,
        count(manifest.packages.len(), "package"),
    )
}

fn row(package: &Package) -> Vec<String> {
    let marks = [(package.auto, "automatic"), (package.hold, "held")];
    let marks = marks
        .iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, word)| *word);
    let state: Vec<&str> = std::iter::once(package.state.as_str())
        .chain(marks)
        .collect();
    let file = match (&package.file, &package.missing) {
        (Some(file), _) => format!("{}, from {}", size(file.bytes), file.origin.name()),
        (None, Some(why)) => format!("none: {why}"),
        (None, None) => String::new(),
    };
    let cells = [
        package.name.clone(),
        package.version.clone(),
        state.join(", "),
        package.applications.join(", "),
        file,
    ];
    cells.map(|cell| output::printable(&cell)).to_vec()
}
