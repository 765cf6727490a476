//! `erlrc maint`: what the maintainer scripts of packages call.
//!
//! [`crate::maint`] decides, [`crate::maintainer`] gathers facts and carries out; arguments and words for people are
//! here. Whatever goes wrong, a script that the package manager cannot let fail does not.

mod apt_preflight;
mod policy_rc;
mod replaced;
mod session;
mod shell;
mod subject;

pub use session::{Places, Session};

use super::hook::{self, HookArguments};
use super::{Common, Failure, Status, output};
use crate::maint::{Call, Format, Moment};
use crate::maintainer::{self, Subject};
use std::panic::{self, AssertUnwindSafe};

/// Arguments of `erlrc maint`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Called by the maintainer scripts of packages, with the script's own arguments after `--`:

  deb preinst|postinst|prerm|postrm    the four scripts of dpkg
  rpm pre|post|preun|postun|posttrans  the scriptlets of rpm
  deb trigger, rpm trigger             what waits for the end of the run, in batch mode; files
                                       of the emulator that were replaced (PATHS)
  apt-preflight                        plans what apt is about to do, which calls it by
                                       DPkg::Pre-Install-Pkgs, version 3
  apt-preflight only|strict|warn FILE  the same for erlrc apply, the verdict goes into FILE

  script call                          what is done
  preinst upgrade                      the old version is kept in the stash, where a node runs it
  postrm upgrade, failed-upgrade       the nodes are taken to the new version, all or none
  preinst abort-upgrade                and back
  postinst configure, abort-upgrade    what is registered is started; what waited is made up for
  prerm remove                         stopped and unloaded
  postrm remove, disappear, purge      what is kept of it is dropped
  rpm pre, post, posttrans             as preinst, postrm and postinst; rpm does not take back

The status is not 0 only where the package manager makes something of it: postrm upgrade and
failed-upgrade, postinst configure, prerm remove; rpm post and preun. Nothing is done, and nothing said,
where no node is up, where DPKG_ROOT or ERLRC_SKIP=1 is set, and for nodes that do not see this file
system. A policy-rc.d that forbids starts (101) keeps applications from being started, not from being
upgraded.

Where an upgrade cannot be hot, {upgrade_policy, [hot, restart_application, defer]} in the registration
of the application, else in the environment of erlrc on the node, says what comes next; without it
[hot, defer]: the node goes on with the old version, out of the stash, until it is restarted.

ERLRC_ROOT/erlrc.conf may hold {batch, true}. (what one run upgrades, newly installs and removes is
changed at its end, on each node as one, or not at all; rpm stops what it removes at once), {strict,
true}. (a node that cannot be spoken to fails the package), {apt_preflight, strict | warn | off},
{migrate, none | fields | lossy} (whether states are converted field by field, see erlrc.conf(5)),
{metrics, FILE} (see erlrc status).

Example:
  erlrc maint deb postrm --app egerl=4.0.1=/usr/lib/erlang/lib/egerl-4.0.1 -- upgrade 4.1.0")]
pub struct Arguments {
    /// deb, rpm or apt-preflight
    format: String,
    /// The script, or what else is to be done
    script: Option<String>,
    /// An application of the package, in the version that the script belongs to
    #[arg(long = "app", value_name = "APP=VSN=DIR")]
    subjects: Vec<String>,
    /// The service whose package it is, in the version that the script belongs to
    #[arg(long, value_name = "SERVICE=VSN")]
    set: Option<String>,
    /// The least version of another application that the package works with
    #[arg(long = "min", value_name = "APP>=VSN")]
    minimums: Vec<String>,
    /// The arguments of the script
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<String>,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    hook: HookArguments,
}

/// Does what the script is called for.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let format = match arguments.format.as_str() {
        "deb" => Format::Deb,
        "rpm" => Format::Rpm,
        "apt-preflight" => {
            return match hook::skipped() || in_other_root() {
                true => Ok(Status::Done),
                false => apt_preflight::run(arguments, common),
            };
        }
        other => return Err(unknown(format!("{other} is no package format"))),
    };
    let script = arguments.script.as_deref().unwrap_or_default();
    if script == "trigger" {
        return match hook::skipped() || in_other_root() {
            true => Ok(Status::Done),
            false => {
                replaced::note(format, arguments, common);
                Ok(batch(format, arguments, common))
            }
        };
    }
    let Some(call) = Call::parse(format, script, &arguments.arguments) else {
        return Err(unknown(format!(
            "{script} is no script of {}",
            format.name()
        )));
    };
    if hook::skipped() || in_other_root() {
        return Ok(Status::Done);
    }
    let result = panic::catch_unwind(AssertUnwindSafe(|| perform(call, arguments, common)));
    match (call.may_fail, result) {
        (true, Ok(result)) => result,
        (true, Err(_)) => Ok(Status::Bug),
        (false, Ok(Err(failure))) => {
            output::error_text(&failure.text());
            Ok(Status::Done)
        }
        (false, _) => Ok(Status::Done),
    }
}

fn unknown(text: String) -> Failure {
    Failure::new(Status::Usage, text)
}

/// Whether dpkg works on another root than the one that nodes of this host see.
fn in_other_root() -> bool {
    std::env::var_os("DPKG_ROOT").is_some_and(|root| !root.is_empty() && root != "/")
}

/// The applications of a package in their order, until one fails.
fn perform(call: Call, arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let script = std::iter::once(arguments.script.as_deref().unwrap_or_default())
        .chain(arguments.arguments.iter().map(String::as_str));
    let script = format!(
        "{} {}",
        call.format.name(),
        script.collect::<Vec<_>>().join(" ")
    );
    let subjects = arguments.subjects.iter().map(|text| subject::parse(text));
    let subjects: Vec<Subject> = subjects.collect::<Result<_, _>>()?;
    let open = |script| Session::new(call, script, &arguments.hook, &arguments.places, common);
    let mut session = open(script.clone());
    if call.moment == Moment::Stop && maintainer::is_in_the_way(&session.engine, &subjects) {
        // Where that fails, the nodes say what is in the way of the stop.
        batch(call.format, arguments, common);
        session = open(script);
    }
    if let Some(text) = &arguments.set {
        let (service, vsn) = subject::set(text)?;
        return Ok(session.engine.perform_set(service, vsn).into());
    }
    let minimums = subject::minimums(&arguments.minimums)?;
    let mut status = Status::Done;
    for subject in &subjects {
        let class = session.engine.perform(subject, &minimums);
        status = status.worse(class.into());
        if status != Status::Done && call.may_fail {
            break;
        }
    }
    super::status::refresh(common, &arguments.hook.connection);
    Ok(status)
}

/// Does what waits for the end of a run. Called by erlrc's own package, triggered or configured, by hand, before erlrc
/// is removed, and under rpm before an application is stopped that what waits still needs.
fn batch(format: Format, arguments: &Arguments, common: &Common) -> Status {
    let call = Call {
        format,
        moment: Moment::Configure,
        may_fail: true,
    };
    let script = format!("{} trigger", format.name());
    let mut session = Session::new(call, script, &arguments.hook, &arguments.places, common);
    session.engine.configuration.batch = false;
    maintainer::run_batch(&session.engine).into()
}
