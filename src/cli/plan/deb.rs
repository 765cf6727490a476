//! The application in an unpacked package.

use crate::cli::{Failure, Status};
use crate::term::Atom;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[derive(Debug, thiserror::Error)]
enum ApplicationError {
    #[error("the package holds no application{}", of(name))]
    None { name: Option<Atom> },
    #[error("the package holds several applications: {}", names.join(", "))]
    Several { names: Vec<String> },
}

fn of(name: &Option<Atom>) -> String {
    name.as_ref()
        .map_or_else(String::new, |name| format!(" {name}"))
}

/// The application in an unpacked package, and its directory there: the only one, or the one of this name.
pub fn application(
    unpacked: &TempDir,
    wanted: Option<&Atom>,
) -> Result<(Option<Atom>, PathBuf), Failure> {
    let mut found = Vec::new();
    search(unpacked.path(), 8, &mut found);
    found.retain(|(name, _)| wanted.is_none_or(|wanted| wanted == name));
    found.sort();
    match (found.pop(), found.is_empty()) {
        (Some((name, dir)), true) => Ok((Some(name), dir)),
        (Some((name, _)), false) => {
            let others = found.iter().map(|(name, _)| name.to_string());
            let names = others.chain([name.to_string()]).collect();
            let failure = Failure::new(Status::Failed, ApplicationError::Several { names });
            Err(failure.hint("name the application"))
        }
        (None, _) => {
            let name = wanted.cloned();
            Err(Failure::new(
                Status::Failed,
                ApplicationError::None { name },
            ))
        }
    }
}

/// The directories that hold `ebin/NAME.app`.
fn search(dir: &Path, levels: usize, found: &mut Vec<(Atom, PathBuf)>) {
    let Some(levels) = levels.checked_sub(1) else {
        return;
    };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir {
            search(&entry.path(), levels, found);
        } else if dir.ends_with("ebin") {
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".app"));
            if let (Some(name), Some(parent)) = (name.and_then(Atom::new), dir.parent()) {
                found.push((name, parent.to_owned()));
            }
        }
    }
}
