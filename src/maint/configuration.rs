//! `$ERLRC_ROOT/erlrc.conf`: how the package hooks of this host behave.

use crate::migration::Choice;
use crate::term::Term;

/// What the apt pre-flight does with the errors of the plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preflight {
    /// Stop apt before it begins.
    Strict,
    /// Print them.
    #[default]
    Warn,
    /// Make no plans.
    Off,
}

/// A key of the file.
#[derive(Clone, Copy, Debug)]
pub struct FileKey {
    /// Its name.
    pub name: &'static str,
    /// Its default; empty if there is none.
    pub default: &'static str,
    /// The values that it may have, in words.
    pub values: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// Every key of the file.
pub const FILE_KEYS: [FileKey; 5] = [
    FileKey {
        name: "batch",
        default: "false",
        values: "true or false",
        meaning: "What one run of the package manager upgrades, downgrades, newly installs and removes is changed at its end, on each node as one: all of it or nothing. What rpm removes is stopped at once.",
    },
    FileKey {
        name: "strict",
        default: "false",
        values: "true or false",
        meaning: "A node that cannot be reached fails the package.",
    },
    FileKey {
        name: "apt_preflight",
        default: "warn",
        values: "strict, warn or off",
        meaning: "What apt does, before it begins, with the errors that the plans of all upgrades have: stop, print them, or make no plans.",
    },
    FileKey {
        name: "migrate",
        default: "none",
        values: "none, fields or lossy",
        meaning: "Whether states are converted field by field where a module has no code_change of its own; with lossy also where fields are lost. --migrate, a registration, a package and a node may choose otherwise.",
    },
    FileKey {
        name: "metrics",
        default: "",
        values: "the name of a file, from the root",
        meaning: "File in which metrics for Prometheus are written after each operation.",
    },
];

/// The content of the file. Unknown terms are those of later versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// `{batch, true}`: what one run of the package manager changes is changed at its end, as one.
    pub batch: bool,
    /// `{strict, true}`: a node that cannot be reached fails the package.
    pub strict: bool,
    /// `{apt_preflight, strict | warn | off}`.
    pub preflight: Preflight,
    /// The terms that were ignored.
    pub unknown: Vec<Term>,
}

impl Configuration {
    /// Parses the terms of the file.
    pub fn from_terms(terms: Vec<Term>) -> Self {
        let mut configuration = Self::default();
        for term in terms {
            if configuration.take(&term).is_none() {
                configuration.unknown.push(term);
            }
        }
        configuration
    }

    /// What is wrong with a term of the file.
    pub fn fault(term: &Term) -> Option<String> {
        let named = |key: &&FileKey| term.as_pair().is_some_and(|(tag, _)| tag.is_atom(key.name));
        let Some(key) = FILE_KEYS.iter().find(named) else {
            let known = FILE_KEYS.map(|key| key.name).join(", ");
            return Some(format!("not known, and passed over; known are {known}"));
        };
        let wrong = || format!("{} must be {}; it is passed over", key.name, key.values);
        let sound = match term.as_pair().filter(|_| key.name == "metrics") {
            Some((_, file)) => file.as_string().is_some_and(|file| file.starts_with('/')),
            None => Self::default().take(term).is_some(),
        };
        (!sound).then(wrong)
    }

    fn take(&mut self, term: &Term) -> Option<()> {
        let (tag, value) = term.as_pair()?;
        if tag.is_atom("metrics") {
            // Read by the code that writes metrics.
            return Some(());
        }
        if tag.is_atom("migrate") {
            // Read where it is decided whether states are converted.
            return Choice::of_term(value).map(drop);
        }
        match (tag.as_atom()?.as_str(), value.as_atom()?.as_str()) {
            ("batch", "true") => self.batch = true,
            ("batch", "false") => self.batch = false,
            ("strict", "true") => self.strict = true,
            ("strict", "false") => self.strict = false,
            ("apt_preflight", "strict") => self.preflight = Preflight::Strict,
            ("apt_preflight", "warn") => self.preflight = Preflight::Warn,
            ("apt_preflight", "off") => self.preflight = Preflight::Off,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text};

    #[test]
    fn what_is_known_is_taken_and_the_rest_is_named() {
        let source = "{batch, true}. {apt_preflight, strict}. {later, 1}. {strict, maybe}. {metrics, \"/m\"}.";
        let terms = text::parse_all(source.as_bytes(), &Limits::default()).expect("terms");
        let configuration = Configuration::from_terms(terms);
        assert!(configuration.batch && !configuration.strict);
        assert_eq!(configuration.preflight, Preflight::Strict);
        assert_eq!(configuration.unknown.len(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_term_is_said() {
        let case = |source: &str| {
            let terms = text::parse_all(source.as_bytes(), &Limits::default()).expect("terms");
            Configuration::fault(&terms[0]).unwrap_or_default()
        };
        assert_eq!(case("{batch, true}."), "");
        assert_eq!(case("{metrics, \"/m\"}."), "");
        assert!(
            case("{strikt, true}.").starts_with("not known, and passed over; known are batch,")
        );
        assert_eq!(
            case("{strict, maybe}."),
            "strict must be true or false; it is passed over"
        );
        assert!(case("{metrics, \"m\"}.").starts_with("metrics must be"));
        assert_eq!(case("{migrate, fields}."), "");
        assert!(case("{migrate, true}.").starts_with("migrate must be none, fields or lossy"));
        assert!(case("strict.").starts_with("not known"));
    }
}
