//! The release file of OTP and its boot script, which OTP's own `systools` makes, in an Erlang that lives for as long as
//! that takes.

use crate::cli::{Failure, Status, make_boot_script};
use crate::places::ApplicationDir;
use crate::release::Release;
use std::path::{Path, PathBuf};

/// What it prints goes to this program, which knows where it belongs.
const MAKE: &str = r#"
    [Name | Path] = init:get_plain_arguments(),
    case systools:make_script(Name, [silent, local, no_warn_sasl, {path, Path}]) of
        {ok, _, _} -> halt(0);
        {error, Module, Error} ->
            io:put_chars(standard_error, Module:format_error(Error)),
            halt(1)
    end."#;

#[derive(Debug, thiserror::Error)]
enum BootFilesError {
    #[error("cannot run {}", erl.display())]
    Erl {
        erl: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}", file.display())]
    Write {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("systools makes no boot script of it; no release was made")]
    Refused { source: Said },
    #[error("{service} {version} exists, without a boot script")]
    Missing { service: String, version: String },
}

/// What `systools` says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// Why a release that is there gets no boot script.
pub fn missing(service: &str, version: &str) -> Failure {
    let (service, version) = (service.to_owned(), version.to_owned());
    let failure = Failure::new(Status::Failed, BootFilesError::Missing { service, version });
    failure.hint("a release is never changed: make one of another version with --rel")
}

/// Writes `SERVICE.rel`, `.script` and `.boot` into `dir`.
pub fn make(release: &Release, dir: &Path, erl: &Path) -> Result<(), Failure> {
    let refused = |error| Failure::new(Status::Failed, error);
    let file = dir.join(format!("{}.rel", release.service));
    std::fs::write(&file, release.rel())
        .map_err(|source| refused(BootFilesError::Write { file, source }))?;
    let mut command = make_boot_script::erl(erl);
    command.env_remove("ERL_LIBS");
    command.args(["-eval", MAKE, "-extra"]);
    command.arg(&release.service);
    let members = release.applications.iter();
    command.args(members.map(|member| ApplicationDir(&member.dir).ebin()));
    command.current_dir(dir);
    let output = command.output().map_err(|source| {
        let erl = erl.to_owned();
        refused(BootFilesError::Erl { erl, source })
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.split_whitespace().collect();
    let source = Said(said.join(" "));
    Err(refused(BootFilesError::Refused { source }))
}
