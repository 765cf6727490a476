//! `erlrc snapshot drop`: removes a snapshot.

use super::tag;
use crate::cli::{Common, Failure, Status};
use crate::snapshot::Tag;
use serde_json::json;

/// Arguments of `erlrc snapshot drop`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Nothing is asked: what was named goes. Package files that another snapshot has too stay there.

JSON: {\"kind\": \"snapshot_dropped\", \"version\": 1, \"tag\"}

Examples:
  erlrc snapshot drop before-deploy")]
pub struct Arguments {
    /// The snapshot
    #[arg(value_name = "TAG", value_parser = tag)]
    tag: Tag,
}

/// Removes it.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    super::discard(common, &arguments.tag)?;
    out.envelope("snapshot_dropped", 1, &json!({"tag": arguments.tag}));
    out.text(&format!("{}: dropped\n", arguments.tag));
    Ok(Status::Done)
}
