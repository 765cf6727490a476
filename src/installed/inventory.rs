//! What is registered and what packages say is installed, of all applications, without a code path.

use super::{consult, text};
use crate::application::{Error, Fault, Metadata, Registration, is_application_name};
use crate::places::Root;
use std::collections::BTreeMap;
use std::path::Path;

/// The registrations and metadata of a host, by application.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Registered applications.
    pub registered: BTreeMap<String, Registration>,
    /// What packages installed.
    pub installed: BTreeMap<String, Metadata>,
    /// Files that cannot be used, a line each.
    pub warnings: Vec<String>,
}

/// What `root` (ERLRC_ROOT) and `apps` (ERLRC_APPS) hold. What cannot be read is none, with a warning:
/// who asks how things stand gets an answer all the same.
pub fn inventory(root: &Path, apps: &Path) -> Inventory {
    let mut inventory = Inventory::default();
    each(
        &Root(root).registrations(),
        &mut inventory,
        |inventory, name, file| {
            // Most registrations are empty, and need not be opened.
            let empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
            let terms = if empty { Vec::new() } else { consult(file)? };
            let (registration, _) = Registration::from_terms(terms)?;
            inventory.registered.insert(name, registration);
            Ok(())
        },
    );
    each(apps, &mut inventory, |inventory, name, file| {
        let terms = consult(file)?;
        let metadata = match terms.as_slice() {
            [term] => Metadata::from_term(term)?,
            _ => return Err(Error::TermCount { count: terms.len() }.into()),
        };
        if metadata.application.as_str() != name {
            return Err(Error::WrongName {
                found: metadata.application,
            }
            .into());
        }
        inventory.installed.insert(name, metadata);
        Ok(())
    });
    inventory
}

/// Calls `read` for each file in `dir` that is named like an application.
fn each(
    dir: &Path,
    inventory: &mut Inventory,
    read: impl Fn(&mut Inventory, String, &Path) -> Result<(), Fault>,
) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return inventory.warnings.push(format!("{}: {error}", text(dir))),
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_application_name(name)).collect();
    names.sort_unstable();
    for name in names {
        let file = dir.join(&name);
        if let Err(fault) = read(inventory, name, &file) {
            inventory.warnings.push(format!("{}: {fault}", text(&file)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_registered_and_installed_is_found_and_what_is_broken_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, apps) = (dir.path().join("root"), dir.path().join("apps"));
        let registered = root.join("applications");
        fs::create_dir_all(&registered).expect("a directory");
        fs::create_dir_all(&apps).expect("a directory");
        for (file, content) in [
            ("foo", ""),
            ("bar", "{enabled, false}."),
            ("foo.app", "x"),
            ("bar~", ""),
            ("bad", "{enabled"),
        ] {
            fs::write(registered.join(file), content).expect("a file");
        }
        for (file, content) in [
            ("foo", "{foo, \"1.0\", \"/lib/foo-1.0\"}."),
            ("odd", "{foo, \"1\", \"/x\"}."),
            ("foo.dpkg-new", ""),
        ] {
            fs::write(apps.join(file), content).expect("a file");
        }
        let inventory = inventory(&root, &apps);
        let enabled: Vec<_> = inventory
            .registered
            .iter()
            .map(|(name, r)| (name.as_str(), r.enabled))
            .collect();
        assert_eq!(enabled, [("bar", false), ("foo", true)]);
        let installed: Vec<_> = inventory
            .installed
            .values()
            .map(|m| m.vsn.as_str())
            .collect();
        assert_eq!(installed, ["1.0"]);
        let [bad, odd] = &inventory.warnings[..] else {
            panic!("{:?}", inventory.warnings)
        };
        assert!(bad.contains("applications/bad: ") && odd.contains("apps/odd: "));
    }
}
