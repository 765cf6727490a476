//! `erlrc release make`: writes down which versions of which applications belong together.

use super::set::{self, Asked, Found, Otp};
use super::{Named, Services, applications, boot_files, failed};
use crate::cli::arguments::{Apps, application, directory, vsn};
use crate::cli::env::{Environments, count};
use crate::cli::{Common, Failure, Output, Status, output};
use crate::package::relation::Comparison;
use crate::release::store::{Store, other_set};
use crate::release::wanted::Range;
use crate::release::{Member, Release, content};
use crate::term::Atom;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Arguments of `erlrc release make`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
kernel, stdlib and sasl are in every release; so is all that the applications named need and include, at any distance,
in the order in which they start. An application is looked for where a node looks: what its package says, then the
directories of --lib and ERL_LIBS, then those of OTP.

With --from-control the applications are those that the Debian package S depends on, or the only package of the file,
with exact ranges: tally (>= 1.1), tally (<< 1.2). A package erlang-foo-bar or foo-bar is the application foo_bar; a
dependency that is no application which is installed is named and passed over.

The same set again changes nothing. Another set of the same version is refused.

JSON: {\"kind\": \"release_made\", \"version\": 1, \"service\", \"release\", \"dir\", \"new\", \"otp\", \"erts\", \"environment\", \"from\",
\"applications\": [{\"application\", \"vsn\", \"dir\", \"digest\", \"start\"}], \"passed_over\": [TEXT], \"boot\": FILE},
schema/release_made-1.json

Examples:
  erlrc release make shop 1.0 --apps tally
  erlrc release make shop 1.1 --apps tally=1.1,cowboy=2.9.0 --rel
  erlrc release make shop 1.1 --from-control debian/control
  erlrc release make shop 1.1 --apps tally --env otp-25.2.3-6f1c0a92d3b4")]
pub struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Applications, each with its version if it is another than is installed
    #[arg(long, value_name = "APP[=VSN]", value_delimiter = ',', value_parser = asked, required_unless_present = "from_control")]
    apps: Vec<(Atom, Range)>,
    /// Control file of a Debian package that depends on them
    #[arg(long, value_name = "FILE")]
    from_control: Option<PathBuf>,
    /// Environment that the release runs from, by name or directory, or another OTP tree [default: the distribution's]
    #[arg(long, value_name = "DIR")]
    env: Option<PathBuf>,
    /// Further directory of applications, each in APP or APP-VSN below it
    #[arg(long, value_name = "DIR", value_parser = directory)]
    lib: Vec<PathBuf>,
    /// Also write .rel, .script and .boot, by the systools of its OTP
    #[arg(long)]
    rel: bool,
    /// Directory of what packages say about the applications that they installed
    #[arg(
        long = "metadata",
        value_name = "DIR",
        env = crate::places::APPS.variable,
        default_value = crate::places::APPS.default,
        hide_env_values = true
    )]
    metadata: PathBuf,
    #[command(flatten)]
    environments: Environments,
    #[command(flatten)]
    place: Services,
}

fn asked(text: &str) -> Result<(Atom, Range), String> {
    match text.split_once('=') {
        None => Ok((application(text)?, Range::default())),
        Some((name, wanted)) => {
            let range = Range::of(Comparison::Equal, vsn(wanted)?);
            Ok((application(name)?, range))
        }
    }
}

/// Finds the applications, and writes the release.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    let out = common.output();
    let otp = set::otp(arguments.env.as_deref(), &arguments.environments)?;
    let asked = Asked {
        service: &arguments.named.service,
        apps: &arguments.apps,
        control: arguments.from_control.as_deref(),
        libs: &arguments.lib,
        packages: &Apps {
            apps: arguments.metadata.clone(),
        },
    };
    let found = set::find(&asked, &otp, common)?;
    for warning in &found.warnings {
        out.warning(warning);
    }
    if arguments.rel {
        set::check_boot(&found.placed)?;
    }
    let members = members(&found).map_err(|error| failed(error, &arguments.named.service))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let release = Release {
        service: arguments.named.service.clone(),
        version: arguments.named.release.clone(),
        otp: otp.tree.otp.clone(),
        erts: otp.tree.erts.clone(),
        environment: otp.environment.clone(),
        applications: members,
        made: now.map_or(0, |since| since.as_secs()),
    };
    let store = arguments.place.store(common);
    let link = arguments.env.as_ref().map(|_| otp.dir.as_path());
    let is_new = write(&store, &release, link, arguments.rel.then_some(&otp))?;
    say(&store, &release, (is_new, &found, &otp), out);
    Ok(Status::Done)
}

fn members(found: &Found) -> Result<Vec<Member>, crate::release::ReleaseError> {
    let placed = found.placed.iter();
    placed
        .map(|placed| {
            Ok(Member {
                application: placed.application.name.clone(),
                vsn: placed.application.vsn.clone(),
                digest: content::digest(&placed.dir)?,
                start: placed.start,
                dir: placed.dir.clone(),
            })
        })
        .collect()
}

/// Writes it, unless it is there: whether it is new. `boot`: with a boot script by this OTP.
fn write(
    store: &Store,
    release: &Release,
    environment: Option<&Path>,
    boot: Option<&Otp>,
) -> Result<bool, Failure> {
    let (service, version) = (&release.service, &release.version);
    let failed = |error| failed(error, service);
    let locked = store.lock(service).map_err(failed)?;
    if store.place(service, version).exists() {
        let known = store.read(service, version).map_err(failed)?;
        if !known.is_same(release) {
            return Err(failed(other_set(&known, release)));
        }
        if boot.is_some() && store.boot(service, version).is_none() {
            return Err(boot_files::missing(service, version));
        }
        return Ok(false);
    }
    let prepared = locked.prepare(release, environment).map_err(failed)?;
    if let Some(otp) = boot {
        boot_files::make(release, prepared.dir(), &otp.erl())?;
    }
    locked.commit(&prepared, version).map_err(failed)?;
    Ok(true)
}

fn say(store: &Store, release: &Release, made: (bool, &Found, &Otp), out: Output) {
    let (is_new, found, otp) = made;
    let from = &otp.tree.root;
    let erl = match release.environment.is_none() {
        true => PathBuf::from("erl"),
        false => otp.erl(),
    };
    let (service, version) = (&release.service, &release.version);
    let boot = store.boot(service, version);
    let report = json!({
        "service": service,
        "release": version,
        "dir": store.place(service, version),
        "new": is_new,
        "otp": release.otp,
        "erts": release.erts,
        "environment": release.environment,
        "from": from,
        "applications": applications(release),
        "passed_over": found.passed_over,
        "boot": boot,
    });
    out.envelope("release_made", 1, &report);
    let what = match is_new {
        true => "made",
        false => "is there already",
    };
    let members = release.applications.iter();
    let members: Vec<String> = members
        .map(|one| format!("{} {}", one.application, one.vsn))
        .collect();
    let mut text = format!(
        "{service} {version}: {what}, {}, OTP {} from {}\n  {}\n",
        count(members.len(), "application"),
        release.otp,
        from.display(),
        members.join(", ")
    );
    if !found.passed_over.is_empty() {
        let passed_over = found.passed_over.join(", ");
        text += &format!("  no application that is installed, passed over: {passed_over}\n");
    }
    if let Some(boot) = boot {
        let (erl, boot) = (erl.display(), boot.with_extension(""));
        text += &format!("  {erl} -boot {} boots it\n", boot.display());
    }
    out.text(&output::printable_lines(&text));
}
