//! Collects the contents of a package, and the requirements of its native code.

use super::assemble::{Package, Surroundings};
use super::entry::Entry;
use super::error::Error;
use super::machine::{self, Native};
use super::relation::RelationKind;
use super::spec::{Format, PackageSpec};
use super::tree::Built;
use super::write::document;
use crate::places;
use crate::term::{Atom, Term, print};

impl Package {
    pub(super) fn fill(
        &mut self,
        built: Built,
        spec: &PackageSpec,
        around: &Surroundings,
    ) -> Result<(), Error> {
        let name = built.application.name.as_str();
        self.add_copyright(name, around)?;
        for (name, vsn, dir) in self.contents.applications.clone() {
            let metadata = Entry::file(metadata(&name, &vsn, &dir));
            self.entries
                .add(places::packaged_metadata(&name), metadata)?;
            if spec.register {
                self.entries
                    .add(places::packaged_registration(&name), registration())?;
            }
            let own = spec.migrate.map(|choice| built.migration(choice));
            let is_own = |path: &String| own.as_ref().is_some_and(|(name, _)| name == path);
            let rest = built.entries.iter().filter(|(path, _)| !is_own(path));
            for (path, entry) in rest.chain(&own) {
                self.entries.add(format!("{dir}/{path}"), entry.clone())?;
            }
        }
        self.fill_rest(spec, around)
    }

    /// What the specification names beside applications.
    pub(super) fn fill_rest(
        &mut self,
        spec: &PackageSpec,
        around: &Surroundings,
    ) -> Result<(), Error> {
        for (path, entry) in &around.extra {
            self.entries.add(path.clone(), entry.clone())?;
        }
        for link in &spec.links {
            let target = link.target.clone();
            self.entries
                .add(link.path.clone(), Entry::Link { target })?;
        }
        for directory in &spec.directories {
            let mode = directory.mode;
            let entry = Entry::Directory { mode };
            self.entries.add(directory.path.clone(), entry)?;
        }
        Ok(())
    }

    pub(super) fn add_copyright(
        &mut self,
        application: &str,
        around: &Surroundings,
    ) -> Result<(), Error> {
        let text = around.copyright.as_deref();
        let copyright = document::copyright(self, application, text);
        let path = format!("/usr/share/doc/{}/copyright", self.name);
        Ok(self.entries.add(path, Entry::file(copyright))?)
    }

    pub(super) fn add_native(
        &mut self,
        around: &Surroundings,
        format: Format,
    ) -> Result<(), Error> {
        let Some(native) = native(self.entries.iter())? else {
            // The dependent may be of any architecture, because this package runs on all of them.
            self.multi_arch.get_or_insert_with(|| "foreign".to_owned());
            return Ok(());
        };
        self.architecture = native.architecture;
        match format {
            Format::Deb => {
                let depends = self.relations.entry(RelationKind::Depends).or_default();
                depends.extend(native.deb(&around.library_owners));
            }
            Format::Rpm => self.libraries = native.rpm(),
        }
        Ok(())
    }
}

/// Combines the native code of all files.
pub fn native<'a>(
    files: impl Iterator<Item = (&'a str, &'a Entry)>,
) -> Result<Option<Native>, Error> {
    let mut whole: Option<Native> = None;
    for (path, entry) in files {
        let Entry::File { content, .. } = entry else {
            continue;
        };
        let read = machine::read(content).map_err(|source| Error::Native {
            file: path.to_owned(),
            source,
        })?;
        whole = match (whole, read) {
            (Some(whole), Some(more)) => Some(joined(whole, more)?),
            (whole, more) => whole.or(more),
        };
    }
    Ok(whole)
}

fn joined(mut whole: Native, more: Native) -> Result<Native, Error> {
    if whole.architecture != more.architecture {
        return Err(Error::Architectures {
            first: whole.architecture.deb,
            second: more.architecture.deb,
        });
    }
    for (library, versions) in more.libraries {
        let known = whole.libraries.entry(library).or_default();
        known.extend(versions);
        known.sort();
        known.dedup();
    }
    Ok(whole)
}

fn registration() -> Entry {
    Entry::File {
        content: Vec::new(),
        mode: 0o644,
        conffile: true,
    }
}

/// The metadata: `{App, Vsn, Dir}.`
pub fn metadata(name: &str, vsn: &str, dir: &str) -> String {
    let name = Atom::new(name).map_or(Term::NIL, Term::Atom);
    let term = Term::tuple([name, Term::string(vsn), Term::string(dir)]);
    format!("{}.\n", print::compact(&term))
}
