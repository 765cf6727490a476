//! Packages as files.
//!
//! * [`deb`](mod@deb), with [`control`] and [`document`]: dpkg's.
//! * [`rpm`](mod@rpm) writes rpm's.

pub mod control;
pub mod deb;
pub mod document;
pub mod rpm;

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `bytes` as `file` in `dir`, whole or not at all.
fn put(dir: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut written = tempfile::Builder::new()
        .permissions(PermissionsExt::from_mode(0o644))
        .tempfile_in(dir)?;
    written.write_all(bytes)?;
    written.persist(file).map_err(|error| error.error)?;
    Ok(())
}
