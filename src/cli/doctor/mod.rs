//! `erlrc doctor`: what is not as it should be between packages, nodes and journal, and its mending.

mod examine;
mod mend;

use super::hook::HookArguments;
use super::maint::{Places, Session};
use super::{Common, Failure, Status, output};
use crate::maint::{Ailment, Call, Format, Moment, Weight};
use mend::{Mended, mend};

/// Arguments of `erlrc doctor`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Looks at what packages say, at what is on disk, at what nodes run and at what the journal has open, and
names what is not as it should be, each with what to do about it:

  incomplete_package   orphan_directory    version_mismatch   restart_needed   interrupted   waiting
  stale_stash          damaged_stash       unfinished_stash   journal_open     unreachable_node
  registration_without_package             forged_journal

What is safe is mended: nodes are brought to the version that is installed, as the package would have
done it; what is kept and not needed is dropped; a directory is removed where an upgrade by erlrc has
left it and the package manager says that no package has it. Nothing is restarted, and no package
changed. The status is 1 where something is left for a person to do.

Examples:
  erlrc doctor --dry-run
  erlrc --json doctor -n")]
pub struct Arguments {
    #[command(flatten)]
    places: Places,
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
    let mut session = Session::new(call, "doctor".to_owned(), hook, places, common);
    session.configuration.batch = false;
    let checkup = examine::examine(&session);
    let ailments = checkup.ailments();
    let mended = match hook.dry_run {
        true => vec![None; ailments.len()],
        false => mend(&session, &checkup, &ailments),
    };
    for (ailment, mended) in ailments.iter().zip(&mended) {
        common
            .output()
            .text(&output::printable_lines(&text(ailment, mended.as_ref())));
    }
    let left = ailments.iter().zip(&mended).any(|(ailment, mended)| {
        ailment.weight != Weight::Info && !matches!(mended, Some(Mended::Done))
    });
    let status = if left { Status::Failed } else { Status::Done };
    let findings: Vec<_> = ailments.iter().zip(&mended).map(json).collect();
    common.output().json(&serde_json::json!({
        "dry_run": hook.dry_run,
        "findings": findings,
        "status": status.code(),
    }));
    Ok(status)
}

fn weight(ailment: &Ailment) -> &'static str {
    match ailment.weight {
        Weight::Info => "info",
        Weight::Warning => "warning",
        Weight::Error => "error",
    }
}

fn text(ailment: &Ailment, mended: Option<&Mended>) -> String {
    let what = match (mended, &ailment.repair) {
        (Some(Mended::Done), _) => "mended".to_owned(),
        (Some(Mended::Failed(why)), _) => format!("not mended: {why}; {}", ailment.advice),
        (None, Some(_)) => "erlrc doctor mends it".to_owned(),
        (None, None) => ailment.advice.clone(),
    };
    let text = output::printable(&ailment.text);
    format!(
        "{}: {text}\n  {}\n",
        weight(ailment),
        output::printable(&what)
    )
}

fn json((ailment, mended): (&Ailment, &Option<Mended>)) -> serde_json::Value {
    serde_json::json!({
        "kind": ailment.kind,
        "severity": weight(ailment),
        "subject": ailment.subject,
        "text": ailment.text,
        "advice": ailment.advice,
        "details": {
            "can_be_mended": ailment.repair.is_some(),
            "mended": matches!(mended, Some(Mended::Done)),
        },
    })
}
