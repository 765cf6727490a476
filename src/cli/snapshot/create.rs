//! `erlrc snapshot create`: the packages of this host under a tag.

use super::{json, made, missing, of_time, tag, unfinished_packages};
use crate::cli::arguments::Apps;
use crate::cli::env::{count, size};
use crate::cli::{Common, Failure, Status, output};
use crate::snapshot::package::Keep;
use crate::snapshot::{Manifest, Tag};

/// Arguments of `erlrc snapshot create`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
All packages are recorded. The package files that are kept come from an earlier snapshot, from apt's archive cache where
that has what is installed, name, version and content alike, or from the repository by exact version. A file that is
nowhere is named: \"no package file could be kept for X\". It is not made of what is installed: keep the files that you
install with dpkg -i, or put them into /var/cache/apt/archives before. With --strict the status is 1 then; the snapshot
is made all the same.

JSON: {\"kind\": \"snapshot\", \"version\": 1, \"tag\", \"time\", \"host\", \"architecture\", \"erlrc\", \"keep\", \"packages\": [{\"name\",
\"arch\", \"version\", \"state\", \"auto\", \"hold\", \"applications\": [NAME], \"content\", \"file\": {\"sha256\", \"bytes\", \"origin\"},
\"missing\"}], \"missing\": [PACKAGE], \"bytes\"}. Of content, file and missing those are there that apply; origin is
snapshot, cache or repository; missing of a package says why no file is kept.

Examples:
  erlrc snapshot create
  erlrc snapshot create before-deploy
  erlrc snapshot create nightly --keep none
  erlrc snapshot create golden --keep all --strict")]
pub struct Arguments {
    /// Name of the snapshot [default: the time in UTC]
    #[arg(value_name = "TAG", value_parser = tag)]
    tag: Option<Tag>,
    /// Whose package files to keep
    #[arg(long, value_name = "WHOSE", value_enum, default_value_t)]
    keep: Whose,
    /// Status 1 where a package file could not be kept
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    packages: Apps,
}

/// [`Keep`] on the command line.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
enum Whose {
    /// Packages that brought applications, and erlrc
    #[default]
    Ours,
    /// All packages
    All,
    /// None
    None,
}

impl From<Whose> for Keep {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Ours => Self::Ours,
            Whose::All => Self::All,
            Whose::None => Self::None,
        }
    }
}

/// Makes it.
pub fn run(arguments: Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let tag = match arguments.tag {
        Some(tag) => tag,
        None => of_time(common, "")?,
    };
    let (keep, apps) = (arguments.keep.into(), &arguments.packages.apps);
    let manifest = made(common, tag, keep, apps)?;
    out.envelope("snapshot", 1, &json(&manifest));
    out.text(&output::printable_lines(&text(&manifest)));
    match arguments.strict && manifest.missing().next().is_some() {
        true => Ok(Status::Failed),
        false => Ok(Status::Done),
    }
}

fn text(manifest: &Manifest) -> String {
    let kept = manifest.kept().count();
    let files = match kept {
        0 => "no package file kept".to_owned(),
        kept => format!(
            "{} kept, {}",
            count(kept, "package file"),
            size(manifest.bytes())
        ),
    };
    format!(
        "{}: made, {} recorded, {files}\n{}{}",
        manifest.tag,
        count(manifest.packages.len(), "package"),
        missing(manifest.missing()),
        unfinished_packages(manifest),
    )
}
