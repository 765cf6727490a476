//! A table of a specification, read key by key: what is left in the end nobody knows.

use super::Format;
use crate::migration::Choice;
use crate::package::relation::Relation;
use crate::term::{Atom, Term};
use std::collections::BTreeMap;

/// What is wrong with a specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It is no list of pairs with atoms as keys.
    #[error("is no table")]
    NoTable,
    /// A key that means nothing.
    #[error("has the unknown key {key}")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// A key that must be there is not.
    #[error("{key} lacks the key {missing}")]
    MissingKey {
        /// The table.
        key: &'static str,
        /// What it lacks.
        missing: &'static str,
    },
    /// The value of a key is not what it must be.
    #[error("{key} is {fault}")]
    BadValue {
        /// The key.
        key: String,
        /// What the value is not.
        fault: &'static str,
    },
}

/// The pairs of a table that are not read yet.
#[derive(Debug, Default)]
pub struct Table {
    pairs: BTreeMap<String, Term>,
}

impl Table {
    /// The table in a list of pairs; of several with one key the first counts, as in proplists.
    pub fn of(terms: &Term) -> Result<Self, SpecError> {
        let Term::List(elements) = terms else {
            return Err(SpecError::NoTable);
        };
        let mut pairs = BTreeMap::new();
        for element in elements {
            let (key, value) = element.as_pair().ok_or(SpecError::NoTable)?;
            let key = key.as_atom().ok_or(SpecError::NoTable)?.as_str();
            pairs.entry(key.to_owned()).or_insert_with(|| value.clone());
        }
        Ok(Self { pairs })
    }

    /// This table with what `over` says put over it.
    pub fn under(mut self, over: Self) -> Self {
        self.pairs.extend(over.pairs);
        self
    }

    /// What is said about one application.
    pub fn take_own(mut self, application: &str) -> Result<Self, SpecError> {
        self.take_table(application)
    }

    /// What is said about one format; what is said about the other is put aside.
    pub fn take_format(&mut self, format: Format) -> Result<Self, SpecError> {
        let deb = self.take_table(Format::Deb.name())?;
        let rpm = self.take_table(Format::Rpm.name())?;
        Ok(match format {
            Format::Deb => deb,
            Format::Rpm => rpm,
        })
    }

    /// The table that is the value of `key`, an empty one where there is none.
    pub fn take_table(&mut self, key: &str) -> Result<Self, SpecError> {
        let value = self.pairs.remove(key);
        value.map_or(Ok(Self::default()), |value| {
            Self::of(&value).map_err(|_| bad(key, "not a table"))
        })
    }

    /// No other keys may be there.
    pub fn only(&self, known: &[&str]) -> Result<(), SpecError> {
        let unknown = self.pairs.keys().find(|key| !known.contains(&key.as_str()));
        unknown.map_or(Ok(()), |key| {
            Err(SpecError::UnknownKey { key: key.clone() })
        })
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<(), SpecError> {
        self.pairs.keys().next().map_or(Ok(()), |key| {
            Err(SpecError::UnknownKey { key: key.clone() })
        })
    }

    /// Text without control characters.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, SpecError> {
        self.checked(key, "not text on one line", |text| {
            !text.chars().any(char::is_control)
        })
    }

    /// Text of any number of lines.
    pub fn lines(&mut self, key: &str) -> Result<Option<String>, SpecError> {
        self.checked(key, "not text", |text| {
            !text.chars().any(|c| c.is_control() && c != '\n')
        })
    }

    /// An absolute path.
    pub fn path(&mut self, key: &str) -> Result<Option<String>, SpecError> {
        let fault = "not an absolute path without . and ..";
        self.checked(key, fault, is_plain_path)
    }

    fn checked(
        &mut self,
        key: &str,
        fault: &'static str,
        sound: impl Fn(&str) -> bool,
    ) -> Result<Option<String>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        match value.as_text() {
            Some(text) if sound(&text) => Ok(Some(text.into_owned())),
            _ => Err(bad(key, fault)),
        }
    }

    /// A number from 0.
    pub fn number(&mut self, key: &str) -> Result<Option<u32>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        let number = match value.as_text() {
            Some(text) => text.parse().ok(),
            None => value.as_integer().and_then(|n| u32::try_from(n).ok()),
        };
        number.map(Some).ok_or_else(|| bad(key, "not a number"))
    }

    /// Permissions: an octal text, or a number.
    pub fn mode(&mut self, key: &str) -> Result<Option<u32>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        let mode = match value.as_text() {
            Some(text) => u32::from_str_radix(&text, 8).ok(),
            None => value.as_integer().and_then(|n| u32::try_from(n).ok()),
        };
        mode.filter(|mode| *mode <= 0o777)
            .map(Some)
            .ok_or_else(|| bad(key, "not an octal mode of at most 0777"))
    }

    /// `true` or `false`.
    pub fn truth(&mut self, key: &str) -> Result<Option<bool>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        let truth = value.as_bool().map(Some);
        truth.ok_or_else(|| bad(key, "neither true nor false"))
    }

    /// Whether states are converted: `none`, `fields` or `lossy`, an atom or text.
    pub fn choice(&mut self, key: &str) -> Result<Option<Choice>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        let named = |choice: &Choice| {
            let name = choice.name();
            value.is_atom(name) || value.as_text().is_some_and(|text| text == name)
        };
        let choice = Choice::ALL.into_iter().find(named);
        choice
            .map(Some)
            .ok_or_else(|| bad(key, "neither none, fields nor lossy"))
    }

    /// `"deb"` or `"rpm"`.
    pub fn format(&mut self, key: &str) -> Result<Option<Format>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(None);
        };
        let named = |format: &Format| value.as_text().is_some_and(|text| text == format.name());
        let format = [Format::Deb, Format::Rpm].into_iter().find(named);
        format
            .map(Some)
            .ok_or_else(|| bad(key, "neither deb nor rpm"))
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, SpecError> {
        let fault = "not a list of texts";
        self.list(key, fault, |value| {
            let text = value.as_text()?;
            (!text.chars().any(char::is_control)).then(|| text.into_owned())
        })
    }

    /// A list of relations.
    pub fn relations(&mut self, key: &str) -> Result<Vec<Relation>, SpecError> {
        self.list(key, RELATIONS, |value| Relation::parse(&value.as_text()?))
    }

    fn list<T>(
        &mut self,
        key: &str,
        fault: &'static str,
        read: impl Fn(&Term) -> Option<T>,
    ) -> Result<Vec<T>, SpecError> {
        let Some(value) = self.pairs.remove(key) else {
            return Ok(Vec::new());
        };
        let Term::List(elements) = value else {
            return Err(bad(key, fault));
        };
        let read = elements.iter().map(read);
        read.collect::<Option<_>>().ok_or_else(|| bad(key, fault))
    }

    /// A list of tables.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Table) -> Result<Option<T>, SpecError>,
    ) -> Result<Vec<T>, SpecError> {
        let tables = self.list(key, "not a list of tables", |value| Self::of(value).ok())?;
        let one = |mut table: Self| {
            let found = read(&mut table)?;
            table.finish()?;
            found.ok_or(SpecError::MissingKey {
                key,
                missing: if key == "files" { "source" } else { "path" },
            })
        };
        tables.into_iter().map(one).collect()
    }

    /// A table of relations, one or a list for each application.
    pub fn relations_of(&mut self, key: &str) -> Result<BTreeMap<Atom, Vec<Relation>>, SpecError> {
        let mut table = self.take_table(key)?;
        let mut found = BTreeMap::new();
        for application in table.applications(key)? {
            let name = application.as_str();
            let relations = match table.pairs.get(name).and_then(Term::as_text) {
                Some(text) if !text.is_empty() => {
                    vec![Relation::parse(&text).ok_or_else(|| bad(name, RELATIONS))?]
                }
                Some(_) => Vec::new(),
                None => table.relations(name)?,
            };
            found.insert(application, relations);
        }
        Ok(found)
    }

    /// A table of texts, one for each application.
    pub fn texts_of(&mut self, key: &str) -> Result<BTreeMap<Atom, String>, SpecError> {
        let mut table = self.take_table(key)?;
        let mut found = BTreeMap::new();
        for application in table.applications(key)? {
            if let Some(text) = table.text(application.as_str())? {
                found.insert(application, text);
            }
        }
        Ok(found)
    }

    fn applications(&self, key: &str) -> Result<Vec<Atom>, SpecError> {
        let names = self.pairs.keys().map(|name| Atom::new(name));
        let names = names.collect::<Option<_>>();
        names.ok_or_else(|| bad(key, "not a table of applications"))
    }
}

const RELATIONS: &str = "not a list of relations like \"a (>= 1.0)\"";

fn bad(key: &str, fault: &'static str) -> SpecError {
    SpecError::BadValue {
        key: key.to_owned(),
        fault,
    }
}

/// Whether a path is absolute and says what it means.
fn is_plain_path(path: &str) -> bool {
    let sound = |part: &str| !matches!(part, "" | "." | "..");
    path.strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(sound))
        && !path.chars().any(char::is_control)
}
