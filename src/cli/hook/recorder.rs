//! Writing down what a hook did.

use crate::cli::Output;
use crate::cluster::operation::{Operation, Settling, Step, Version};
use crate::history::{self, NodeRecord, Record, Script, Who};
use crate::outcome::Outcome;
use crate::record::Time;
use crate::run::apt::RUN_ID;
use crate::snapshot::Tag;
use std::path::Path;
use std::time::Instant;

/// The record of `operation`, begun at `started`, that is not yet known to have done anything.
fn begun(operation: &Operation, started: Instant, who: Who) -> Record {
    let (from, to) = sides(&operation.step);
    let vsn = |version: Option<&Version>| version.map(|version| version.vsn.clone());
    let dir = |version: Option<&Version>| Some(version?.dir.as_ref()?.display().to_string());
    Record {
        version: history::VERSION,
        time: Time::now().minus(started.elapsed()),
        who,
        operation: operation.name().to_owned(),
        application: operation.application.to_string(),
        from: vsn(from),
        from_dir: dir(from),
        to: vsn(to),
        to_dir: dir(to),
        nodes: Vec::new(),
        undone: Vec::new(),
        together: Vec::new(),
        status: 0,
        duration: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// A record for each application that `operation` changes.
pub fn begun_each(operation: &Operation, started: Instant) -> Vec<Record> {
    let changes = operation.changes();
    let name = |one: &Operation| one.application.to_string();
    let together: Vec<String> = match changes {
        [_] => Vec::new(),
        several => several.iter().map(name).collect(),
    };
    let time = Time::now().minus(started.elapsed());
    let who = who();
    let record = |one: &Operation| Record {
        time,
        together: together.clone(),
        ..begun(one, started, who.clone())
    };
    changes.iter().map(record).collect()
}

/// The same of an upgrade that is confirmed or taken back.
pub fn settling(operation: &Operation, how: Settling, started: Instant) -> Vec<Record> {
    let mut records = begun_each(operation, started);
    for record in &mut records {
        record.operation = how.name().to_owned();
        if how == Settling::Revert {
            std::mem::swap(&mut record.from, &mut record.to);
        }
    }
    records
}

/// Writes `record` below the directory `state`. A hook that may not goes on without: what it was called
/// for is done.
pub fn write(state: &Path, record: &Record, output: Output) {
    // Where no node is, there is nothing to tell, and an image that is being built stays as it is.
    if record.nodes.is_empty() || is_slip(record) {
        return;
    }
    if let Err(error) = history::record(state, record) {
        // Who is not root is not expected to be able to.
        if rustix::process::geteuid().is_root() {
            output.warning(&format!("not written down: {}", super::chain(&error)));
        }
    }
}

/// Whether a person mistyped something: an operation that no node knew what to do with is none that failed. A package
/// does not mistype.
fn is_slip(record: &Record) -> bool {
    let says = |what: fn(&Outcome) -> bool| {
        move |node: &NodeRecord| Outcome::parse(&node.outcome).is_some_and(|word| what(&word))
    };
    let (slip, absent) = (says(Outcome::is_slip), says(Outcome::is_absent));
    let nodes = &record.nodes;
    record.who.script.is_none()
        && record.undone.is_empty()
        && nodes.iter().any(slip)
        && nodes.iter().all(|node| slip(node) || absent(node))
}

fn sides(step: &Step) -> (Option<&Version>, Option<&Version>) {
    match step {
        Step::Start(version) => (None, Some(version)),
        Step::Stop(version) | Step::Unload(version) => (Some(version), None),
        Step::Upgrade { from, to } | Step::Downgrade { from, to } => (Some(from), Some(to)),
        Step::Set(_) => (None, None),
    }
}

/// Who calls this command.
pub fn who() -> Who {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let package = variable("DPKG_MAINTSCRIPT_PACKAGE").zip(variable("DPKG_MAINTSCRIPT_NAME"));
    Who {
        sudo_user: variable("SUDO_USER"),
        script: package.map(|(package, name)| Script { package, name }),
        run: variable(RUN_ID).filter(|run| Tag::parse(run).is_ok()),
        ..Who::calling()
    }
}
