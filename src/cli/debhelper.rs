//! `erlrc debhelper`, which debhelper calls `dh_erlrc`: the applications in a Debian source package.

use super::{Common, Failure, Status};
use crate::package::debhelper::staging::stage;

/// Arguments of `erlrc debhelper`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Activated by `Build-Depends: dh-sequence-erlrc`. For every application in usr/lib/erlang/lib of the staging
directory of a binary package: its registration, its metadata, the calls of erlrc in the maintainer
scripts, and ${erlrc:Pre-Depends}, ${erlrc:Depends}, ${erlrc:Suggests} and ${erlrc:Provides} for
debian/control. debian/PACKAGE.erlrc may list built applications to install there first, a directory a
line. What erlrc.toml or rebar.config specify about dependencies and registration holds here too.

JSON: a line for each application, {\"kind\": \"debhelper\", \"version\": 1, \"application\", \"package\"}

Example:
  dh_erlrc -pegerl")]
pub struct Arguments {
    /// Only these binary packages
    #[arg(short, long, value_name = "PACKAGE")]
    package: Vec<String>,
    /// Print what was done
    #[arg(short, long)]
    verbose: bool,
    /// Change nothing
    #[arg(long)]
    no_act: bool,
    /// Options of debhelper that mean nothing here
    #[arg(
        short = 'O',
        value_name = "OPTION",
        allow_hyphen_values = true,
        hide = true
    )]
    others: Vec<String>,
    /// Packages for this architecture; those whose staging directory is there in any case
    #[arg(short = 'a', long = "arch", hide = true)]
    arch: bool,
    /// The same of packages for all architectures
    #[arg(short = 'i', long = "indep", hide = true)]
    indep: bool,
}

/// Does it in the current directory.
pub fn run(arguments: &Arguments, common: &Common) -> Result<Status, Failure> {
    if arguments.no_act {
        return Ok(Status::Done);
    }
    let failed = |error: Box<dyn std::error::Error>| Failure::new(Status::Failed, error);
    let here = std::env::current_dir().map_err(|error| failed(error.into()))?;
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let staged = stage(&here, &arguments.package, &search_path);
    for (application, package) in staged.map_err(|error| failed(error.into()))? {
        let report = serde_json::json!({"application": application, "package": package});
        common.output().envelope("debhelper", 1, &report);
        if arguments.verbose {
            common
                .output()
                .text(&format!("\tdh_erlrc: {application} in {package}\n"));
        }
    }
    Ok(Status::Done)
}
