//! Whether the states of an application are converted: the one place that decides it, for the script that a node
//! carries out and for the plan that foretells it.

use crate::installed;
use crate::migration::{Choice, OptIn, Origin};
use crate::places::{ApplicationDir, Root};
use crate::term::Atom;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The permission of others to read.
const EVERYBODY: u32 = 0o004;

/// What is known of the choice before any file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What whoever asks for the upgrade has chosen.
    pub asked: Option<Choice>,
    /// What the environment of erlrc on the node says.
    pub node: Option<Choice>,
    /// The directory of registrations and of `erlrc.conf`. Without it no file is read, that of the package neither: a
    /// node of an earlier version of erlrc reads none.
    pub root: Option<PathBuf>,
    /// What runs the script.
    pub evaluator: Converts,
    /// Whether the script takes an upgrade back.
    pub way: Way,
}

/// Whether what runs a script can convert states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Converts {
    /// erlrc's own evaluator does.
    #[default]
    States,
    /// OTP's own knows nothing of it.
    Nothing,
}

/// Which way a script leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// To the version that somebody wants.
    #[default]
    There,
    /// Back to the one before it: what came by the conversion goes with it.
    Back,
}

/// Decides it for `application`, whose later version is in `later`. A file that cannot be read or
/// understood is taken for one that wants nothing converted.
pub fn decide(application: &Atom, later: &Path, said: &Said) -> OptIn {
    if said.evaluator == Converts::Nothing {
        return OptIn::first([(Origin::Evaluator, Some(Choice::None))]);
    }
    let mut faults = Vec::new();
    let mut in_file = |file: Option<PathBuf>| file.and_then(|file| of_file(&file, &mut faults));
    let root = said.root.as_deref().map(Root);
    let name = application.as_str();
    let registration = in_file(root.map(|root| root.registration(name)));
    let package = in_file(root.map(|_| ApplicationDir(later).migration(name)));
    let host = in_file(root.map(Root::configuration));
    let mut found = OptIn::first([
        (Origin::Command, said.asked),
        (Origin::Registration, registration),
        (Origin::Package, package),
        (Origin::Node, said.node),
        (Origin::Host, host),
    ]);
    if said.way == Way::Back && found.choice == Choice::Fields {
        found.choice = Choice::Lossy;
    }
    OptIn { faults, ..found }
}

fn of_file(file: &Path, faults: &mut Vec<String>) -> Option<Choice> {
    match said_in(file) {
        Ok(choice) => choice,
        Err(why) => {
            faults.push(format!("{}: {why}", file.display()));
            Some(Choice::None)
        }
    }
}

/// What a file says. Nodes run as users of their own, and a plan that root makes is to say what they do: a file that
/// not everybody may read tells nobody anything.
fn said_in(file: &Path) -> Result<Option<Choice>, String> {
    match fs::metadata(file) {
        // Most registrations are empty.
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(found) if found.mode() & EVERYBODY == 0 => {
            return Err("not everybody may read it, so that nodes need not know it".to_owned());
        }
        _ => {}
    }
    match installed::consult(file) {
        Ok(terms) => Choice::of_terms(&terms).map_err(|error| error.to_string()),
        Err(fault) if fault.is_missing() => Ok(None),
        Err(fault) => Err(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    fn decided(dir: &TempDir, said: &Said) -> (Choice, Origin, usize) {
        let found = decide(&Atom::of("foo"), &dir.path().join("foo-2"), said);
        (found.choice, found.origin, found.faults.len())
    }

    fn write(dir: &TempDir, name: &str, text: &str) -> PathBuf {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(&file, text).expect("a file");
        file
    }

    fn reads(dir: &TempDir) -> Said {
        Said {
            root: Some(dir.path().to_owned()),
            ..Said::default()
        }
    }

    #[test]
    fn files_are_read_only_for_a_node_that_reads_them_too() {
        let dir = TempDir::new().expect("a directory");
        write(&dir, "erlrc.conf", "{migrate, lossy}.");
        write(&dir, "foo-2/priv/foo.migration", "{migrate, fields}.");
        assert_eq!(
            decided(&dir, &reads(&dir)),
            (Choice::Fields, Origin::Package, 0)
        );
        let nothing = (Choice::None, Origin::Default, 0);
        assert_eq!(decided(&dir, &Said::default()), nothing);
    }

    #[test]
    fn what_not_everybody_may_read_asks_for_nothing() {
        let dir = TempDir::new().expect("a directory");
        write(&dir, "erlrc.conf", "{migrate, lossy}.");
        let file = write(&dir, "applications/foo", "{migrate, fields}.");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        assert_eq!(
            decided(&dir, &reads(&dir)),
            (Choice::None, Origin::Registration, 1)
        );
        // One that is empty says nothing to anybody.
        fs::write(&file, "").expect("a file");
        assert_eq!(
            decided(&dir, &reads(&dir)),
            (Choice::Lossy, Origin::Host, 0)
        );
    }

    #[test]
    fn the_way_back_drops_what_came_and_the_other_evaluator_converts_nothing() {
        let dir = TempDir::new().expect("a directory");
        write(&dir, "applications/foo", "{migrate, fields}.");
        let back = Said {
            way: Way::Back,
            ..reads(&dir)
        };
        assert_eq!(
            decided(&dir, &back),
            (Choice::Lossy, Origin::Registration, 0)
        );
        let other = Said {
            evaluator: Converts::Nothing,
            asked: Some(Choice::Fields),
            ..reads(&dir)
        };
        assert_eq!(decided(&dir, &other).0, Choice::None);
    }
}
