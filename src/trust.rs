//! Which directories are trusted: what they hold is run or loaded, so nobody else may be able to put something there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const ROOT: u32 = 0;
const OTHERS_WRITE: u32 = 0o022;

/// Why a directory is not trusted: it is a link or no directory at all, it belongs to somebody else than root or the
/// caller, or others can write into it.
pub fn distrust(dir: &Path) -> io::Result<Option<&'static str>> {
    let metadata = dir.symlink_metadata()?;
    let caller = rustix::process::geteuid().as_raw();
    Ok(match &metadata {
        metadata if !metadata.is_dir() => Some("is not a directory"),
        metadata if metadata.uid() != ROOT && metadata.uid() != caller => {
            Some("belongs to somebody else")
        }
        metadata if metadata.mode() & OTHERS_WRITE != 0 => {
            Some("can be written by group or others")
        }
        _ => None,
    })
}
