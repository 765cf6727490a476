//! The digest of an application: that of all the files that it runs from.

use super::error::{ReleaseError, refused, unusable};
use crate::environment::choice::DIRECTORIES;
use crate::environment::content;
use crate::environment::record::hexadecimal;
use crate::environment::source::Link;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::Path;

/// More directories within each other than any application has.
const DEEPEST: usize = 32;
/// More files than any application has.
const MOST: usize = 200_000;

/// The digest of the application in `dir`: SHA-256 over the names and digests of its files below `ebin` and `priv`.
pub fn digest(dir: &Path) -> Result<String, ReleaseError> {
    let mut files = Vec::new();
    for below in DIRECTORIES {
        walk(dir, below, 0, &mut files)?;
    }
    let mut context = Sha256::new();
    for (path, content) in content::survey(&files)? {
        context.update(path.as_bytes());
        context.update([0]);
        // A mode that a package manager sets anew says nothing of the content.
        context.update(content.digest.trim_end_matches('x').as_bytes());
        context.update([b'\n']);
    }
    Ok(hexadecimal(&context.finalize()))
}

/// The files below `path`, a directory in `dir`. Links are followed.
fn walk(dir: &Path, path: &str, depth: usize, files: &mut Vec<Link>) -> Result<(), ReleaseError> {
    let place = dir.join(path);
    if depth > DEEPEST || files.len() > MOST {
        return Err(refused(&place, "holds more than an application"));
    }
    let entries = match fs::read_dir(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && depth == 0 => return Ok(()),
        entries => entries.map_err(|error| unusable(&place, error))?,
    };
    for entry in entries {
        let name = entry.map_err(|error| unusable(&place, error))?.file_name();
        let file = place.join(&name);
        let name = name.to_str();
        let name = name.ok_or_else(|| refused(&file, "has a name that is no text"))?;
        let path = format!("{path}/{name}");
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_dir() => walk(dir, &path, depth + 1, files)?,
            Ok(metadata) if metadata.is_file() => files.push((path, file)),
            // Pipes and sockets are no content; nor is a link to what is not there.
            Ok(_) => {}
            Err(_) if file.is_symlink() => {}
            Err(error) => return Err(unusable(&file, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_digest_is_that_of_what_the_application_runs_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for below in ["ebin", "priv/lib", "src"] {
            fs::create_dir_all(path(below)).unwrap();
        }
        fs::write(path("ebin/a.app"), "one").unwrap();
        fs::write(path("priv/lib/a"), "two").unwrap();
        let before = digest(dir.path()).unwrap();
        fs::write(path("src/a.erl"), "three").unwrap();
        fs::set_permissions(path("priv/lib/a"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("nowhere", path("priv/link")).unwrap();
        assert_eq!(digest(dir.path()).unwrap(), before);
        fs::write(path("priv/lib/a"), "twx").unwrap();
        assert_ne!(digest(dir.path()).unwrap(), before);
        fs::write(path("priv/lib/a"), "two").unwrap();
        fs::rename(path("priv/lib/a"), path("priv/lib/b")).unwrap();
        assert_ne!(digest(dir.path()).unwrap(), before);
    }

    #[test]
    fn a_directory_within_itself_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("ebin")).unwrap();
        symlink("../ebin", dir.path().join("ebin/again")).unwrap();
        assert!(digest(dir.path()).is_err());
    }
}
