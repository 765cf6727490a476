//! The applications of a release in start order, as the engine decides it.

use super::Start;
use crate::application::Application;
use crate::inclusion::{Action, Specification, Transition};
use crate::term::Atom;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What every release begins with: what the emulator starts itself, and what reports crashes.
pub const ALWAYS: [&str; 3] = ["kernel", "stdlib", "sasl"];

/// An application and its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its specification.
    pub application: Application,
    /// Its directory.
    pub dir: PathBuf,
    /// How it is started.
    pub start: Start,
}

/// The applications that the transition `started` starts and loads, in start order, after `base`; those in `permanent`
/// take the node down with them when they end.
pub fn members(
    base: Vec<(Application, PathBuf)>,
    started: Transition,
    permanent: &BTreeSet<Atom>,
) -> Vec<Placed> {
    let mut tops = BTreeSet::new();
    for action in &started.actions {
        if let Action::Start(name) = action {
            tops.insert(name.clone());
        }
    }
    let base = base.into_iter().map(|(application, dir)| Placed {
        application,
        dir,
        start: Start::Permanent,
    });
    let loaded = started
        .actions
        .into_iter()
        .filter_map(|action| match action {
            Action::Load { application, ebin } => Some((*application, parent(&ebin))),
            _ => None,
        });
    let loaded = loaded.map(|(application, dir)| Placed {
        start: how(&application.name, &tops, permanent),
        application,
        dir,
    });
    base.chain(loaded).collect()
}

fn how(name: &Atom, tops: &BTreeSet<Atom>, permanent: &BTreeSet<Atom>) -> Start {
    match tops.contains(name) {
        true if permanent.contains(name) || ALWAYS.contains(&name.as_str()) => Start::Permanent,
        true => Start::Temporary,
        false => Start::Load,
    }
}

fn parent(ebin: &str) -> PathBuf {
    let ebin = Path::new(ebin);
    ebin.parent().unwrap_or(ebin).to_owned()
}

/// An application that depends on one that another includes. OTP starts the includer only: the dependent would not
/// start by a boot script of OTP's, while erlrc starts it after the includer.
pub fn dependent_on_included(members: &[Placed]) -> Option<(&Atom, &Atom)> {
    let included = members.iter().filter(|member| member.start == Start::Load);
    let included: BTreeSet<&Atom> = included.map(|member| &member.application.name).collect();
    members.iter().find_map(|member| {
        let mut needs = member.application.applications.iter();
        let needed = needs.find(|needed| included.contains(needed))?;
        Some((&member.application.name, needed))
    })
}

/// An application that needs or includes `missing`.
pub fn needer<'a>(known: &'a [(Atom, Specification)], missing: &str) -> Option<&'a Atom> {
    known.iter().find_map(|(name, specification)| {
        let Specification::Found { application, .. } = specification else {
            return None;
        };
        let needs = application.applications.iter();
        let mut needs = needs.chain(&application.included_applications);
        needs
            .any(|needed| needed.as_str() == missing)
            .then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inclusion::{Change, Event, Facts, Loaded, transition};
    use crate::term::text;

    fn application(name: &str, keys: &str) -> Application {
        let term = format!("{{application, {name}, [{{vsn, \"1\"}}{keys}]}}");
        Application::from_term(text::parse(&term).unwrap()).unwrap()
    }

    /// The members of a release of `roots` among applications `NAME: keys`.
    fn placed(lines: &str, roots: &[&str]) -> Vec<Placed> {
        let specification = |line: &str| {
            let (name, keys) = line.trim().split_once(':').unwrap();
            let found = Specification::Found {
                application: Box::new(application(name, keys)),
                ebin: format!("/lib/{name}-1/ebin"),
            };
            (Atom::new(name).unwrap(), found)
        };
        let kernel = Loaded {
            name: Atom::of("kernel"),
            applications: Vec::new(),
            included_applications: Vec::new(),
            optional_applications: Vec::new(),
        };
        let facts = Facts {
            loaded: vec![kernel],
            running: vec![Atom::of("kernel")],
            specifications: lines.lines().map(specification).collect(),
            ..Facts::default()
        };
        let start = roots.iter().filter_map(|name| Atom::new(name)).collect();
        let event = Event::Change(Change {
            start,
            ..Change::default()
        });
        let started = transition(facts, &event).unwrap();
        let kernel = (application("kernel", ""), "/lib/kernel-1".into());
        members(vec![kernel], started, &[Atom::of("low")].into())
    }

    const LINES: &str = "bar: , {included_applications, [foo]}
        foo: , {applications, [kernel, low]}
        baz: , {applications, [kernel, foo]}
        sasl:
        low:";

    #[test]
    fn what_is_needed_comes_first_and_what_is_included_is_loaded() {
        let placed = placed(LINES, &["sasl", "baz", "bar"]);
        let found: Vec<(&str, Start)> = placed
            .iter()
            .map(|member| (member.application.name.as_str(), member.start))
            .collect();
        let expected = [
            ("kernel", Start::Permanent),
            ("low", Start::Permanent),
            ("bar", Start::Temporary),
            ("foo", Start::Load),
            ("baz", Start::Temporary),
            ("sasl", Start::Permanent),
        ];
        assert_eq!(found, expected);
        assert_eq!(placed[1].dir, Path::new("/lib/low-1"));
    }

    #[test]
    fn who_depends_on_what_is_included_is_found() {
        let all = placed(LINES, &["baz", "bar"]);
        let found = dependent_on_included(&all).unwrap();
        assert_eq!((found.0.as_str(), found.1.as_str()), ("baz", "foo"));
        assert_eq!(dependent_on_included(&placed(LINES, &["bar"])), None);
    }
}
