//! `erlrc snapshot`: which packages this host has, kept under a tag.

mod create;
pub mod diff;
mod discard;
mod list;
mod restore;
mod show;

use super::arguments::absolute;
use super::{Common, Failure, Status, leftover};
use crate::places;
use crate::record::Time;
use crate::snapshot::create::Request;
use crate::snapshot::package::{INSTALLED, Keep, Package};
use crate::snapshot::{Manifest, SnapshotError, Store, Tag, store, tag};
use crate::trust::PathError;
use serde_json::json;
use std::io::ErrorKind;
use std::path::Path;

/// Arguments of `erlrc snapshot`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A snapshot is the package state of this host under a tag: every package with its exact version, and the package files
of those that brought applications, which repositories and caches drop sooner or later. It lies below
/var/lib/erlrc/snapshots. It is about packages: neither data of applications nor changed configuration files are in it.
For hosts with dpkg and apt; needs root.

Examples:
  erlrc snapshot create before-deploy
  erlrc snapshot list
  erlrc snapshot diff before-deploy
  erlrc snapshot restore before-deploy -n
  erlrc snapshot drop before-deploy")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Record the packages of this host, and keep package files
    Create(create::Arguments),
    /// List the snapshots of this host
    List(list::Arguments),
    /// Show what a snapshot holds
    Show(show::Arguments),
    /// Show what differs between a snapshot and now, or another one
    Diff(diff::Arguments),
    /// Restore the packages that a snapshot has
    Restore(restore::Arguments),
    /// Remove a snapshot, and the package files that no other one has
    Drop(discard::Arguments),
}

/// Does what was asked for.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    match arguments.action {
        Action::Create(arguments) => create::run(arguments, common),
        Action::List(arguments) => list::run(&arguments, common),
        Action::Show(arguments) => show::run(&arguments, common),
        Action::Diff(arguments) => diff::run(&arguments, common),
        Action::Restore(arguments) => restore::run(&arguments, common),
        Action::Drop(arguments) => discard::run(&arguments, common),
    }
}

/// Reads a tag.
fn tag(text: &str) -> Result<Tag, tag::TagError> {
    Tag::parse(text)
}

/// The snapshots of this host.
pub fn store(common: &Common) -> Store {
    Store::new(places::State(&absolute(&common.state)).snapshots())
}

/// A name for what this process makes or removes, from which it can be told that it has ended. What others have left that
/// have ended is removed.
fn unfinished(store: &Store, what: &str) -> String {
    leftover::sweep(store.root(), store::UNFINISHED);
    format!("{}{what}", leftover::prefix(store::UNFINISHED))
}

/// Keeps the state of the packages as snapshot `before-TIME`.
pub fn before(common: &Common, keep: Keep, apps: &Path) -> Result<Manifest, Failure> {
    made(common, of_time(common, "before-")?, keep, apps)
}

/// A tag that no snapshot has: `PREFIX` and the time.
fn of_time(common: &Common, prefix: &str) -> Result<Tag, Failure> {
    let taken = store(common).tags().map_err(failed)?;
    Ok(Tag::of_time(prefix, Time::now(), |tag| taken.contains(tag)))
}

/// Makes a snapshot.
fn made(common: &Common, tag: Tag, keep: Keep, apps: &Path) -> Result<Manifest, Failure> {
    let store = store(common);
    let unfinished = unfinished(&store, "create");
    let request = Request {
        tag,
        keep,
        apps,
        unfinished: &unfinished,
    };
    crate::snapshot::create::create(&store, request).map_err(failed)
}

/// Removes a snapshot.
pub fn discard(common: &Common, tag: &Tag) -> Result<(), Failure> {
    let store = store(common);
    let unfinished = unfinished(&store, "drop");
    store.remove(tag, &unfinished).map_err(failed)
}

/// A failure with what helps.
pub fn failed(error: SnapshotError) -> Failure {
    let hint = hint(&error);
    let failure = Failure::new(Status::Failed, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &SnapshotError) -> Option<String> {
    match error {
        SnapshotError::Path(PathError::Unusable { source, .. }) => match source.kind() {
            ErrorKind::PermissionDenied => Some("root alone may do that".to_owned()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(
                "nothing was left behind; make room, as with erlrc snapshot drop TAG, or keep fewer files with --keep"
                    .to_owned(),
            ),
            _ => None,
        },
        SnapshotError::Taken(tag) => {
            Some(format!("take another tag, or remove it with erlrc snapshot drop {tag}"))
        }
        SnapshotError::Unknown(_) => Some("erlrc snapshot list names those that there are".to_owned()),
        SnapshotError::NoManifest(tag) => Some(format!("erlrc snapshot drop {tag} removes it")),
        SnapshotError::NotAsked { .. } => {
            Some("snapshots are for hosts with dpkg and apt".to_owned())
        }
        _ => None,
    }
}

/// A snapshot for machines.
fn json(manifest: &Manifest) -> serde_json::Value {
    let missing: Vec<&str> = manifest
        .missing()
        .map(|package| package.name.as_str())
        .collect();
    json!({
        "tag": manifest.tag,
        "time": manifest.time,
        "host": manifest.host,
        "architecture": manifest.architecture,
        "erlrc": manifest.erlrc,
        "keep": manifest.keep,
        "packages": manifest.packages,
        "missing": missing,
        "bytes": manifest.bytes(),
    })
}

/// Why the files of these packages are not kept, a line for each.
pub fn missing<'a>(packages: impl Iterator<Item = &'a Package>) -> String {
    let line = |package: &Package| {
        let why = package.missing.as_deref().unwrap_or_default();
        let (name, version) = (&package.name, &package.version);
        format!("  no package file could be kept for {name} {version}: {why}\n")
    };
    packages.map(line).collect()
}

/// Packages with which dpkg has not come to an end, a line for each.
fn unfinished_packages(manifest: &Manifest) -> String {
    let unfinished = manifest
        .packages
        .iter()
        .filter(|package| package.state != INSTALLED);
    unfinished
        .map(|package| {
            format!(
                "  {} {} is {}, as dpkg says\n",
                package.name, package.version, package.state
            )
        })
        .collect()
}
