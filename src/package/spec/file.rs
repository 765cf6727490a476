//! Where specifications are: `erlrc.toml`, or `{erlrc, [...]}` in `rebar.config`.

use super::{Format, PackageSpec};
use crate::application::Fault;
use crate::installed;
use crate::package::Error;
use crate::term::{Atom, Term};
use std::path::{Path, PathBuf};

/// A specification, not yet read for an application and a format.
#[derive(Clone, Debug)]
pub struct SpecFile {
    /// The file; what it names is relative to its directory.
    pub file: PathBuf,
    terms: Term,
}

/// The most bytes of an `erlrc.toml`.
const MAX_BYTES: usize = 1 << 20;

impl SpecFile {
    /// The specification in `file`; a `rebar.config` without a section has none.
    pub fn read(file: &Path) -> Result<Option<Self>, Error> {
        let terms = if file.extension().is_some_and(|ending| ending == "toml") {
            Some(toml(file)?)
        } else {
            section(file)?
        };
        Ok(terms.map(|terms| Self {
            file: file.to_owned(),
            terms,
        }))
    }

    /// The first specification in one of these directories; an empty one of the last directory where
    /// there is none.
    pub fn find(dirs: &[&Path]) -> Result<Self, Error> {
        for dir in dirs {
            for name in ["erlrc.toml", "rebar.config"] {
                let file = dir.join(name);
                if file.is_file()
                    && let Some(found) = Self::read(&file)?
                {
                    return Ok(found);
                }
            }
        }
        let dir = dirs.last().copied().unwrap_or(Path::new("."));
        Ok(Self {
            file: dir.join("erlrc.toml"),
            terms: Term::NIL,
        })
    }

    /// What it says about an application in a format.
    pub fn spec(&self, application: &Atom, format: Format) -> Result<PackageSpec, Error> {
        PackageSpec::from_terms(&self.terms, application, format).map_err(|fault| Error::Spec {
            file: self.file.clone(),
            fault,
        })
    }

    /// A path that it names.
    pub fn path(&self, named: &Path) -> PathBuf {
        let dir = self.file.parent().unwrap_or(Path::new(""));
        dir.join(named)
    }
}

/// The value of `{erlrc, Value}` among the terms of a file.
fn section(file: &Path) -> Result<Option<Term>, Error> {
    let terms = installed::consult(file).map_err(|fault| unusable(file, fault))?;
    let mut values = terms.iter().filter_map(|term| match term.as_pair() {
        Some((key, value)) if key.is_atom("erlrc") => Some(value.clone()),
        _ => None,
    });
    Ok(values.next())
}

fn toml(file: &Path) -> Result<Term, Error> {
    let read = std::fs::read_to_string(file);
    let text = read.map_err(|source| Error::Read {
        file: file.to_owned(),
        source,
    })?;
    if text.len() > MAX_BYTES {
        let limit = MAX_BYTES as u64;
        return Err(unusable(file, Fault::TooLarge { limit }));
    }
    let table: toml::Table = toml::from_str(&text).map_err(|source| Error::Toml {
        file: file.to_owned(),
        source: Box::new(source),
    })?;
    term(toml::Value::Table(table)).ok_or_else(|| Error::File {
        file: file.to_owned(),
        fault: "has a key of more than 255 characters",
    })
}

/// A value of TOML as the term that `rebar.config` would have for it.
fn term(value: toml::Value) -> Option<Term> {
    Some(match value {
        toml::Value::String(text) => Term::string(&text),
        toml::Value::Integer(number) => Term::Integer(number),
        toml::Value::Boolean(truth) => Term::from(truth),
        toml::Value::Float(number) => Term::string(&number.to_string()),
        toml::Value::Datetime(time) => Term::string(&time.to_string()),
        toml::Value::Array(values) => {
            let terms = values.into_iter().map(term);
            Term::List(terms.collect::<Option<_>>()?)
        }
        toml::Value::Table(table) => {
            let pair = |(key, value): (String, _)| {
                Some(Term::tuple([Atom::new(&key)?.into(), term(value)?]))
            };
            Term::List(table.into_iter().map(pair).collect::<Option<_>>()?)
        }
    })
}

fn unusable(file: &Path, fault: Fault) -> Error {
    Error::SpecFile {
        file: file.to_owned(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(toml: &str, terms: &str) -> (Term, Term) {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (
            dir.path().join("erlrc.toml"),
            dir.path().join("rebar.config"),
        );
        std::fs::write(&first, toml).unwrap();
        std::fs::write(&second, terms).unwrap();
        let read = |file: &Path| SpecFile::read(file).unwrap().unwrap().terms;
        (read(&first), read(&second))
    }

    #[test]
    fn toml_and_terms_say_the_same() {
        let (toml, terms) = both(
            "name = \"egerl\"\npre-depends = true\notp = 26\ndepends = [\"a (>= 1)\"]\n\
             [[files]]\nsource = \"x\"\npath = \"/y\"\n[applications.foo]\nepoch = 1\n",
            "{erl_opts, [debug_info]}.\n{erlrc, [{applications, [{foo, [{epoch, 1}]}]}, \
             {depends, [\"a (>= 1)\"]}, {files, [[{path, \"/y\"}, {source, \"x\"}]]}, \
             {name, \"egerl\"}, {otp, 26}, {'pre-depends', true}]}.\n",
        );
        let read = |terms: &Term| PackageSpec::from_terms(terms, &Atom::of("foo"), Format::Deb);
        assert_eq!(read(&toml).unwrap(), read(&terms).unwrap());
        assert_eq!(read(&toml).unwrap().epoch, Some(1));
    }

    #[test]
    fn a_project_without_a_section_has_no_specification() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rebar.config");
        std::fs::write(&file, "{deps, []}.\n").unwrap();
        assert!(SpecFile::read(&file).unwrap().is_none());
        let found = SpecFile::find(&[dir.path()]).unwrap();
        assert!(found.spec(&Atom::of("foo"), Format::Deb).is_ok());
        std::fs::write(&file, "{deps, []}").unwrap();
        assert!(SpecFile::find(&[dir.path()]).is_err());
    }

    #[test]
    fn what_is_no_toml_is_said_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("erlrc.toml");
        std::fs::write(&file, "name = ").unwrap();
        assert!(matches!(SpecFile::read(&file), Err(Error::Toml { .. })));
    }
}
