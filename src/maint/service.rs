//! The set of applications that the package of a service names: `{Service, Vsn, [{App, Vsn}]}.`

use super::journal::is_vsn;
use crate::application::{is_application_name, vsn};
use crate::term::{Atom, Term, print};
use std::collections::BTreeMap;

/// Applications that belong together, each in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSet {
    /// The service.
    pub service: String,
    /// The version of its package.
    pub vsn: String,
    /// The versions of the applications; those of OTP are left to the dependencies of the package.
    pub applications: BTreeMap<Atom, String>,
}

impl ServiceSet {
    /// Reads the content of a file; `None` where it is no set.
    pub fn from_term(term: &Term) -> Option<Self> {
        let [service, vsn, applications] = term.as_tuple()? else {
            return None;
        };
        let text = |term: &Term| Some(term.as_text()?.into_owned());
        let application = |term: &Term| {
            let (name, vsn) = term.as_pair()?;
            let (name, vsn) = (name.as_atom()?, text(vsn)?);
            let sound = is_application_name(name.as_str()) && is_vsn(&vsn);
            sound.then(|| (name.clone(), vsn))
        };
        let applications = applications.elements()?;
        let applications = applications.iter().map(application);
        Some(Self {
            service: text(service)?,
            vsn: text(vsn).filter(|vsn| is_vsn(vsn))?,
            applications: applications.collect::<Option<_>>()?,
        })
    }

    /// The content of its file.
    pub fn text(&self) -> String {
        let pair = |(name, vsn): (&Atom, &String)| {
            Term::tuple([Term::Atom(name.clone()), Term::string(vsn)])
        };
        let applications = self.applications.iter().map(pair).collect();
        let term = Term::tuple([
            Term::string(&self.service),
            Term::string(&self.vsn),
            Term::List(applications),
        ]);
        format!("{}.\n", print::compact(&term))
    }

    /// What is not as the set has it, a text for each application, by the versions that are installed.
    pub fn missing(&self, installed: impl Fn(&Atom) -> Option<String>) -> Vec<String> {
        let differs = |(name, wanted): (&Atom, &String)| match installed(name) {
            None => Some(format!("{name} {wanted} is not installed")),
            Some(found) if vsn::compare(&found, wanted).is_ne() => {
                Some(format!("{name} is {found}, not {wanted}"))
            }
            Some(_) => None,
        };
        self.applications.iter().filter_map(differs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::text;

    fn set(text: &str) -> Option<ServiceSet> {
        ServiceSet::from_term(&text::parse(text).expect("a term"))
    }

    #[test]
    fn a_set_is_read_as_it_was_written() {
        let text = "{\"MY_SERVICE\",\"2011.2\",[{my_app1,\"1.1\"},{my_app2,\"1.0\"}]}";
        let found = set(text).expect("a set");
        assert_eq!(found.vsn, "2011.2");
        assert_eq!(set(found.text().trim_end_matches(".\n")), Some(found));
    }

    #[test]
    fn what_is_no_set_is_none() {
        for text in [
            "{\"s\",\"1\"}",
            "{\"s\",\"1\",[{'A',\"1\"}]}",
            "{\"s\",\"1\",[{a,\"../1\"}]}",
            "{\"s\",\"1\",[a]}",
            "{\"s\",\"\",[]}",
            "{1,\"1\",[]}",
            "a",
        ] {
            assert_eq!(set(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let found = set("{\"s\",\"1\",[{a,\"1.1\"},{b,\"1.0\"},{c,\"2.0\"}]}").expect("a set");
        let installed = |name: &Atom| match name.as_str() {
            "a" => Some("1.0".to_owned()),
            "c" => Some("2.00".to_owned()),
            _ => None,
        };
        let missing = ["a is 1.0, not 1.1", "b 1.0 is not installed"];
        assert_eq!(found.missing(installed), missing);
        assert!(
            found
                .missing(|name| found.applications.get(name).cloned())
                .is_empty()
        );
    }
}
