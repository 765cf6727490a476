//! `erlrc doctor`: what is not as it should be between packages, nodes and journal, and its mending.

mod examine;
mod mend;

use super::hook::HookArguments;
use super::maint::{Places, Session};
use super::release::{self, Services};
use super::{Common, Failure, Output, Status, apply, ask, env, nodes, output, scratch};
use crate::maint::{Call, Checkup, Finding, Format, Moment, Severity};
use crate::term::Atom;
use mend::{Mended, mend};
use std::collections::BTreeSet;

/// Arguments of `erlrc doctor`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Looks at what packages say, at what is on disk, at what nodes run and at what the journal has open, and
names what is not as it should be, each with what to do about it:

  incomplete_package   orphan_directory    version_mismatch   restart_needed   interrupted   waiting
  stale_stash          damaged_stash       unfinished_stash   journal_open     unreachable_node
  registration_without_package             disabled           mistaken_file    forged_journal
  node_without_entry   not_running         failed             refused_modules
  unfinished_environment    unsettled           old_library      release_on_trial   unfinished_release
  run_waits                 unfinished_run

With --yes, or where a person says yes on a terminal, what is safe is mended: nodes are brought to the version that is installed, as the package would have
done it; an application that an operation left between two versions is made whole by its node; what is
kept and not needed is dropped; a directory is removed where an upgrade by erlrc has
left it and the package manager says that no package has it; temporary files of commands that were killed
go without a word. Nothing is restarted, and no package
changed. The status is 1 where something is left for a person to do.

JSON: {\"kind\": \"doctor\", \"version\": 1, \"dry_run\", \"findings\": [{\"kind\", \"severity\", \"subject\", \"text\", \"advice\",
\"details\": {\"can_be_mended\", \"mended\"}}], \"status\"}. erlrc-findings(7) lists the kinds.

Examples:
  erlrc doctor
  erlrc doctor --yes
  erlrc --json doctor")]
pub struct Arguments {
    /// Mend what is safe to mend, and do not ask
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    environments: env::Place,
    #[command(flatten)]
    services: Services,
    #[command(flatten)]
    hook: HookArguments,
}

/// Looks, mends, says.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let call = Call {
        format: Format::Deb,
        moment: Moment::Configure,
        may_fail: true,
    };
    let (hook, places) = (&arguments.hook, &arguments.places);
    // A node that was named and is not there: nothing is looked at.
    nodes::entries(common, &hook.connection)?;
    let mut session = Session::new(call, "doctor".to_owned(), hook, places, common);
    session.engine.configuration.batch = false;
    if arguments.yes {
        scratch::sweep();
    }
    let mut checkup = examine::examine(&session);
    checkup.unfinished_environments = env::leftovers(&arguments.environments.store());
    checkup.unsettled = release::trial::findings(&arguments.services.store(common));
    checkup.unsettled.extend(apply::findings(common));
    let findings = checkup.findings();
    let out = common.output();
    let unmended = vec![None; findings.len()];
    let mended = match arguments.yes {
        true => mend(&session, &checkup, &findings),
        false => unmended.clone(),
    };
    say(&findings, &mended, out);
    let mended = match arguments.yes || hook.dry_run || !is_wanted(&findings, out) {
        true => mended,
        false => {
            let mended = mend(&session, &checkup, &findings);
            let (done, how): (Vec<Finding>, Vec<Option<Mended>>) = findings
                .iter()
                .cloned()
                .zip(mended.clone())
                .filter(|(_, mended)| mended.is_some())
                .unzip();
            say(&done, &how, out);
            mended
        }
    };
    if findings.is_empty() {
        out.text(&all_well(&checkup, arguments, common));
    }
    let left = findings.iter().zip(&mended).any(|(finding, mended)| {
        finding.severity != Severity::Info && !matches!(mended, Some(Mended::Done))
    });
    let status = if left { Status::Failed } else { Status::Done };
    let findings: Vec<_> = findings.iter().zip(&mended).map(json).collect();
    let report = serde_json::json!({
        "dry_run": !arguments.yes,
        "findings": findings,
        "status": status.code(),
    });
    out.envelope("doctor", 1, &report);
    Ok(status)
}

fn say(findings: &[Finding], mended: &[Option<Mended>], out: Output) {
    for (finding, mended) in findings.iter().zip(mended) {
        out.text(&output::printable_lines(&text(finding, mended.as_ref())));
    }
}

/// Asks on a terminal whether to mend; anywhere else nobody has said so.
fn is_wanted(findings: &[Finding], out: Output) -> bool {
    let count = findings
        .iter()
        .filter(|finding| finding.repair.is_some())
        .count();
    let question = match count {
        0 => return false,
        1 => "mend the one that erlrc can mend?".to_owned(),
        count => format!("mend the {count} that erlrc can mend?"),
    };
    !out.is_json() && ask::is_yes(&question)
}

fn all_well(checkup: &Checkup, arguments: &Arguments, common: &Common) -> String {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let packages = checkup.packages.iter().map(|package| &package.application);
    let registered = checkup
        .registered
        .iter()
        .map(|registered| &registered.application);
    let applications: BTreeSet<&Atom> = packages.chain(registered).collect();
    let applications = count(applications.len(), "application");
    match checkup.nodes.len() {
        0 => {
            let entries = nodes::entries(common, &arguments.hook.connection);
            match entries.is_ok_and(|entries| entries.is_empty()) {
                true => format!("{}\n", nodes::none(common, &arguments.hook.connection)),
                false => format!("all well: no node is up, {applications}\n"),
            }
        }
        nodes => format!("all well: {}, {applications}\n", count(nodes, "node")),
    }
}

fn severity(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn text(finding: &Finding, mended: Option<&Mended>) -> String {
    let what = match (mended, &finding.repair) {
        (Some(Mended::Done), _) => "mended".to_owned(),
        (Some(Mended::Failed(why)), _) => format!("not mended: {why}; {}", finding.advice),
        (None, Some(_)) => "erlrc doctor --yes mends it".to_owned(),
        (None, None) => finding.advice.clone(),
    };
    let text = output::printable(&finding.text);
    format!(
        "{}: {text}\n  {}\n",
        severity(finding),
        output::printable(&what)
    )
}

fn json((finding, mended): (&Finding, &Option<Mended>)) -> serde_json::Value {
    serde_json::json!({
        "kind": finding.kind,
        "severity": severity(finding),
        "subject": finding.subject,
        "text": finding.text,
        "advice": finding.advice,
        "details": {
            "can_be_mended": finding.repair.is_some(),
            "mended": matches!(mended, Some(Mended::Done)),
        },
    })
}
