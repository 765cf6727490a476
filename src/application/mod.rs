//! The files about an application: its specification (the `.app` file, app(5)), the overrides and
//! the registration that an administrator adds, and the metadata that its package ships.
//!
//! Must not do I/O: terms in, values out. [`crate::installed`] reads the files.

mod error;
mod file_error;
mod metadata;
mod overrides;
mod registration;
mod upgrade_policy;
pub mod vsn;
mod written;

use crate::term::{Atom, Limits, Term, text};
use std::sync::OnceLock;
use written::Written;

pub use error::Error;
pub use file_error::{Fault, FileError, FileKind};
pub use metadata::Metadata;
pub use overrides::merge;
pub use registration::{OnExit, Registration, is_application_name};
pub use upgrade_policy::{Strategy, UpgradePolicy};

/// An application specification. The keys that decide about starting it are typed fields; the
/// others are kept as written.
///
/// As in OTP, only the shape `{application, Name, Keys}` is required. A missing key has OTP's
/// default; an unknown key is kept.
#[derive(Clone, Debug)]
pub struct Application {
    /// The application's name.
    pub name: Atom,
    /// `vsn`, or the empty string.
    pub vsn: String,
    /// `applications`: what must run before this one starts.
    pub applications: Vec<Atom>,
    /// `included_applications`: what is loaded with this one and runs inside it.
    pub included_applications: Vec<Atom>,
    /// `optional_applications`: those of `applications` that may be missing.
    pub optional_applications: Vec<Atom>,
    /// `mod`; `None` for a library application.
    pub start: Option<Start>,
    modules: OnceLock<Vec<Atom>>,
    written: Written,
}

/// The value of `mod`: the module that starts the application and its argument.
#[derive(Clone, Debug)]
pub struct Start {
    /// The start module.
    pub module: Atom,
    /// The second argument of its `start/2`.
    pub args: Term,
}

impl Application {
    /// Parses a term `{application, Name, Keys}`.
    pub fn from_term(term: Term) -> Result<Self, Error> {
        let (name, keys) = named_keys(term)?;
        Self::from_keys(name, keys)
    }

    /// The specification of `name` with these keys.
    pub fn from_keys(name: Atom, keys: Vec<Term>) -> Result<Self, Error> {
        let mut found = Self {
            name,
            vsn: String::new(),
            applications: Vec::new(),
            included_applications: Vec::new(),
            optional_applications: Vec::new(),
            start: None,
            modules: OnceLock::new(),
            written: Written::Keys(Vec::new()),
        };
        // In reverse order, because OTP uses the first of several entries.
        for entry in keys.iter().rev() {
            if let Some((Term::Atom(key), value)) = entry.as_pair() {
                found.set(key.as_str(), value)?;
            }
        }
        found.written = Written::Keys(keys);
        Ok(found)
    }

    /// Parses the text of a `.app` file. All of it is checked. The keys that decide about starting
    /// the application become terms; the others become terms when they are first used.
    pub fn from_text(text: Vec<u8>) -> Result<Self, Fault> {
        let outline = text::outline(&text, &Limits::default(), written::keep)?;
        let outline = Self::from_term(only(outline)?)?;
        Ok(Self {
            // The outline leaves plain entries out, so it may lack the first of several.
            modules: OnceLock::new(),
            written: Written::text(text),
            ..outline
        })
    }

    fn set(&mut self, key: &str, value: &Term) -> Result<(), Error> {
        match key {
            "vsn" => {
                let vsn = value.as_string().ok_or(Error::BadKey { key: "vsn" })?;
                self.vsn = vsn.into_owned();
            }
            "modules" => self.modules = modules(value)?.into(),
            "applications" => self.applications = atoms("applications", value)?,
            "included_applications" => {
                self.included_applications = atoms("included_applications", value)?;
            }
            "optional_applications" => {
                self.optional_applications = atoms("optional_applications", value)?;
            }
            "mod" => self.start = start(value)?,
            _ => {}
        }
        Ok(())
    }

    /// The specification as a term `{application, Name, Keys}`.
    pub fn to_term(&self) -> Term {
        self.clone().into_term()
    }

    /// The same term, without a copy.
    pub fn into_term(self) -> Term {
        Term::tuple([
            Term::atom("application"),
            Term::Atom(self.name),
            Term::List(self.written.into_keys()),
        ])
    }

    /// All keys as written, including those that are fields.
    pub fn keys(&self) -> &[Term] {
        self.written.keys()
    }

    /// `modules`; for the old form `{Module, Vsn}` only the module.
    pub fn modules(&self) -> &[Atom] {
        self.modules.get_or_init(|| {
            // When the specification was read, it was checked that this is a list of modules.
            let modules = self.key("modules").map(modules);
            modules.and_then(Result::ok).unwrap_or_default()
        })
    }

    /// `registered`: the names that the application's processes register.
    pub fn registered(&self) -> Result<Vec<Atom>, Error> {
        self.key("registered")
            .map_or(Ok(Vec::new()), |value| atoms("registered", value))
    }

    /// `env`: the parameters of the application environment, with their defaults.
    pub fn env(&self) -> Result<Vec<(&Atom, &Term)>, Error> {
        let bad = Error::BadKey { key: "env" };
        let pairs = match self.key("env") {
            None => return Ok(Vec::new()),
            Some(Term::List(pairs)) => pairs,
            Some(_) => return Err(bad),
        };
        pairs
            .iter()
            .map(parameter)
            .collect::<Option<_>>()
            .ok_or(bad)
    }

    /// The value of `key`; of several entries the first counts, as in OTP.
    pub fn key(&self, key: &str) -> Option<&Term> {
        let mut pairs = self.keys().iter().filter_map(Term::as_pair);
        pairs
            .find(|(found, _)| found.is_atom(key))
            .map(|(_, value)| value)
    }
}

/// The parts of `{application, Name, Keys}`.
fn named_keys(term: Term) -> Result<(Atom, Vec<Term>), Error> {
    let Term::Tuple(fields) = term else {
        return Err(Error::NotASpecification);
    };
    match <[Term; 3]>::try_from(fields) {
        Ok([tag, Term::Atom(name), keys]) if tag.is_atom("application") => {
            let keys = keys.into_elements().map_err(|_| Error::NotASpecification)?;
            Ok((name, keys))
        }
        _ => Err(Error::NotASpecification),
    }
}

/// The only element of `terms`.
pub fn only(mut terms: Vec<Term>) -> Result<Term, Error> {
    match (terms.pop(), terms.len()) {
        (Some(term), 0) => Ok(term),
        (last, before) => {
            let count = before + usize::from(last.is_some());
            Err(Error::TermCount { count })
        }
    }
}

fn atoms(key: &'static str, value: &Term) -> Result<Vec<Atom>, Error> {
    collect(key, value, Term::as_atom)
}

fn modules(value: &Term) -> Result<Vec<Atom>, Error> {
    collect("modules", value, |element| match element.as_pair() {
        Some((module, _vsn)) => module.as_atom(),
        None => element.as_atom(),
    })
}

/// The atom in each element of a list.
fn collect(
    key: &'static str,
    list: &Term,
    atom: impl Fn(&Term) -> Option<&Atom>,
) -> Result<Vec<Atom>, Error> {
    let Term::List(elements) = list else {
        return Err(Error::BadKey { key });
    };
    let mut atoms = Vec::with_capacity(elements.len());
    for element in elements {
        atoms.push(atom(element).ok_or(Error::BadKey { key })?.clone());
    }
    Ok(atoms)
}

fn parameter(pair: &Term) -> Option<(&Atom, &Term)> {
    let (name, value) = pair.as_pair()?;
    Some((name.as_atom()?, value))
}

fn start(value: &Term) -> Result<Option<Start>, Error> {
    match value.as_pair() {
        Some((Term::Atom(module), args)) => Ok(Some(Start {
            module: module.clone(),
            args: args.clone(),
        })),
        _ if value.is_nil() => Ok(None),
        _ => Err(Error::BadKey { key: "mod" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::Choice;

    fn atom(text: &str) -> Term {
        Term::Atom(Atom::new(text).unwrap())
    }

    fn names(atoms: &[Atom]) -> Vec<&str> {
        atoms.iter().map(Atom::as_str).collect()
    }

    fn list(names: &[&str]) -> Term {
        Term::List(names.iter().map(|name| atom(name)).collect())
    }

    fn pair(key: &str, value: Term) -> Term {
        Term::Tuple(vec![atom(key), value])
    }

    fn foo(keys: Vec<Term>) -> Result<Application, Error> {
        let fields = vec![atom("application"), atom("foo"), Term::List(keys)];
        Application::from_term(Term::Tuple(fields))
    }

    #[track_caller]
    fn bad_key(key: &str, value: Term) {
        match foo(vec![pair(key, value)]) {
            Err(Error::BadKey { key: found }) => assert_eq!(found, key),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_application_without_keys_has_defaults() {
        let foo = foo(vec![]).unwrap();
        assert_eq!((foo.name.as_str(), foo.vsn.as_str()), ("foo", ""));
        assert!(foo.applications.is_empty() && foo.start.is_none() && foo.modules().is_empty());
        assert!(foo.env().unwrap().is_empty() && foo.registered().unwrap().is_empty());
    }

    #[test]
    fn keys_become_fields_and_unknown_ones_are_kept() {
        let start = Term::Tuple(vec![atom("foo_app"), Term::List(vec![Term::Integer(1)])]);
        let env = Term::List(vec![pair("a", Term::Integer(1))]);
        let foo = foo(vec![
            pair("vsn", Term::String("1.0".into())),
            pair(
                "modules",
                Term::List(vec![atom("foo"), pair("foo_old", Term::Integer(1))]),
            ),
            pair("applications", list(&["kernel", "baz"])),
            pair("applications", list(&["the_first_one_counts"])),
            pair("included_applications", list(&["bar"])),
            pair("optional_applications", list(&["baz"])),
            pair("mod", start),
            pair("env", env),
            pair("registered", list(&["foo_sup"])),
            atom("no_pair"),
            pair("links", Term::List(vec![])),
        ])
        .unwrap();
        assert_eq!(foo.vsn, "1.0");
        assert_eq!(names(foo.modules()), ["foo", "foo_old"]);
        assert_eq!(names(&foo.applications), ["kernel", "baz"]);
        assert_eq!(names(&foo.included_applications), ["bar"]);
        assert_eq!(names(&foo.optional_applications), ["baz"]);
        assert_eq!(foo.start.as_ref().unwrap().module.as_str(), "foo_app");
        assert_eq!(foo.env().unwrap()[0].0.as_str(), "a");
        assert_eq!(names(&foo.registered().unwrap()), ["foo_sup"]);
        assert_eq!(foo.keys().len(), 11);
        assert!(foo.key("links").is_some());
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_first_counts_in_a_text_too() {
        for keys in [
            "{modules, [a]}, {modules, [{b, 1}]}",
            "{modules, [{b, 1}]}, {modules, [a]}",
            "{vsn, \"1\"}, {vsn, \"2\"}",
            "{applications, [a]}, {applications, ['B']}",
            "{mod, {a, []}}, {mod, []}",
        ] {
            let text = format!("{{application, foo, [{keys}]}}.");
            let term =
                only(crate::term::text::parse_all(text.as_bytes(), &Limits::default()).unwrap());
            let (read, made) = (
                Application::from_text(text.into_bytes()).unwrap(),
                Application::from_term(term.unwrap()).unwrap(),
            );
            assert_eq!(read.modules(), made.modules(), "{keys}");
            assert_eq!((read.vsn, read.applications), (made.vsn, made.applications));
            let start = |found: Option<Start>| found.map(|start| start.module);
            assert_eq!(start(read.start), start(made.start));
        }
    }

    #[test]
    fn a_library_application_has_an_empty_mod() {
        assert!(
            foo(vec![pair("mod", Term::List(vec![]))])
                .unwrap()
                .start
                .is_none()
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_rejected() {
        bad_key("vsn", atom("one"));
        bad_key("vsn", Term::List(vec![Term::Integer(-1)]));
        bad_key("applications", atom("kernel"));
        bad_key("applications", Term::String("kernel".into()));
        bad_key("included_applications", Term::List(vec![Term::Integer(1)]));
        bad_key("optional_applications", Term::Tuple(vec![]));
        bad_key("modules", Term::list_with_tail(vec![atom("a")], atom("b")));
        bad_key("mod", atom("foo"));
        bad_key("mod", Term::Tuple(vec![]));
    }

    #[test]
    fn what_is_no_specification_is_rejected() {
        let wrong = |fields: Vec<Term>| {
            assert!(matches!(
                Application::from_term(Term::Tuple(fields)),
                Err(Error::NotASpecification)
            ));
        };
        wrong(vec![]);
        wrong(vec![atom("application"), atom("foo")]);
        wrong(vec![atom("release"), atom("foo"), list(&[])]);
        wrong(vec![atom("application"), Term::Integer(1), list(&[])]);
        wrong(vec![atom("application"), atom("foo"), atom("no_list")]);
        assert!(matches!(
            Application::from_term(atom("foo")),
            Err(Error::NotASpecification)
        ));
    }

    #[test]
    fn names_that_package_managers_leave_register_nothing() {
        for name in ["foo", "f", "foo_Bar2", "foo@host"] {
            assert!(is_application_name(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "",
            "Foo",
            "foo.app",
            "foo.dpkg-new",
            "foo~",
            ".foo",
            "1foo",
            "é",
            "fé",
            &long,
        ] {
            assert!(!is_application_name(name), "{name}");
        }
    }

    #[test]
    fn an_empty_registration_is_enabled_and_stays() {
        let (registration, unknown) = Registration::from_terms(vec![]).unwrap();
        assert_eq!(
            registration,
            Registration {
                enabled: true,
                on_exit: OnExit::Stay,
                upgrade_policy: None,
                migrate: None,
            }
        );
        assert!(unknown.is_empty());
    }

    #[test]
    fn a_registration_may_disable_and_halt() {
        let terms = vec![
            pair("enabled", atom("false")),
            pair("on_exit", atom("halt")),
            pair(
                "upgrade_policy",
                Term::List(vec![atom("hot"), atom("defer")]),
            ),
            pair("migrate", atom("lossy")),
            atom("later"),
        ];
        let (registration, unknown) = Registration::from_terms(terms).unwrap();
        assert_eq!(
            registration,
            Registration {
                enabled: false,
                on_exit: OnExit::Halt,
                upgrade_policy: Some(UpgradePolicy::default()),
                migrate: Some(Choice::Lossy),
            }
        );
        assert_eq!(unknown.len(), 1);
    }

    #[test]
    fn a_known_tag_with_an_unknown_value_is_rejected() {
        let policies = "a list of hot, restart_application and defer";
        for (tag, value, allowed) in [
            ("enabled", "maybe", "true or false"),
            ("on_exit", "restart", "stay or halt"),
            ("upgrade_policy", "hot", policies),
            ("migrate", "true", "none, fields or lossy"),
        ] {
            let error = Registration::from_terms(vec![pair(tag, atom(value))]);
            let error = error.expect_err("a value that it cannot have");
            assert!(matches!(error, Error::BadRegistration { tag: found } if found == tag));
            assert_eq!(error.to_string(), format!("'{tag}' must be {allowed}"));
        }
    }

    #[test]
    fn metadata_names_version_and_directory() {
        let text = |text: &str| Term::String(text.into());
        let term = Term::Tuple(vec![atom("foo"), text("1.0"), text("/lib/foo-1.0")]);
        let metadata = Metadata::from_term(&term).unwrap();
        assert_eq!(
            (metadata.vsn.as_str(), metadata.dir.as_str()),
            ("1.0", "/lib/foo-1.0")
        );
        for bad in [
            Term::Tuple(vec![atom("foo"), text("1.0"), Term::List(vec![])]),
            Term::Tuple(vec![atom("foo"), atom("1.0"), text("/lib")]),
            Term::Tuple(vec![atom("foo"), text("1.0")]),
            atom("foo"),
        ] {
            assert!(matches!(Metadata::from_term(&bad), Err(Error::NotMetadata)));
        }
    }
}
