//! Metrics in a file that is replaced as a whole: a collector must never see half of it.

use super::gather;
use crate::cli::arguments::Apps;
use crate::cli::{Common, Connection, Failure, Status};
use crate::installed::consult;
use crate::places::Root;
use crate::status::{Report, prometheus, report};
use crate::term::Term;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("cannot write the metrics to {}", file.display())]
struct MetricsError {
    file: PathBuf,
    source: io::Error,
}

/// Writes the metrics of `report` into `file`.
pub fn write(file: &Path, report: &Report) -> Result<(), Failure> {
    replace(file, &prometheus(report)).map_err(|source| {
        let file = file.to_owned();
        Failure::new(Status::Failed, MetricsError { file, source })
    })
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let directory = file
        .parent()
        .filter(|directory| *directory != Path::new(""));
    // The collector takes files that end in .prom, and so not this one.
    let mut new = tempfile::Builder::new()
        .prefix(".erlrc-metrics-")
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    new.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    new.persist(file).map(drop).map_err(|error| error.error)
}

/// Refreshes the metrics after a hook, where that is asked for. Whatever goes wrong is said, and is no
/// failure of the hook.
pub fn refresh(common: &Common, connection: &Connection) {
    let Some(file) = configured(&common.root) else {
        return;
    };
    // The metrics are those of the host, whichever nodes the hook was for.
    let connection = Connection {
        only: Vec::new(),
        ..connection.clone()
    };
    let written = gather::facts(common, &connection, &Apps::of_environment())
        .and_then(|facts| write(&file, &report(facts)));
    if let Err(failure) = written {
        common.output().warning(&failure.messages().join(": "));
    }
}

/// `ERLRC_METRICS`, or `{metrics, File}` in `erlrc.conf`: maintainer scripts have no environment that a
/// person could set.
fn configured(root: &Path) -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("ERLRC_METRICS").filter(|file| !file.is_empty()) {
        return Some(file.into());
    }
    let terms = consult(&Root(root).configuration()).ok()?;
    let mut pairs = terms.iter().filter_map(Term::as_pair);
    let (_, file) = pairs.rfind(|(key, _)| key.is_atom("metrics"))?;
    let file = file.as_string()?;
    let path = PathBuf::from(&*file);
    path.is_absolute().then_some(path)
}
