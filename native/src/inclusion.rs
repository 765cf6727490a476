//! Functions of the engine about installed applications and what to start and stop.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use erlrc::application::Application;
use erlrc::inclusion::{self, Action, Loaded};
use erlrc::installed::{self, Directories, Event, Node};
use erlrc::term::{Atom, Term};
use rustler::{Error, NifResult};

use crate::atoms::NEW_ATOMS;
use crate::encode::Answer;
use crate::{decode, stack};

/// `consult(File) -> {ok, Terms}`.
#[rustler::nif(schedule = "DirtyIo")]
fn consult(file: decode::Path) -> NifResult<Answer> {
    let terms = stack::run(|| installed::consult(&file.0))?;
    Ok(Answer::new(
        terms.map(Term::List).map_err(|fault| fault.reason()),
    ))
}

/// `application(App, Dir, Root) -> {ok, {application, App, Keys}}`.
#[rustler::nif(schedule = "DirtyIo")]
fn application(name: decode::Value, dir: decode::Path, root: decode::Path) -> NifResult<Answer> {
    let name = name.0.as_atom().cloned().ok_or(Error::BadArg)?;
    let found = stack::run(|| installed::application(&name, &dir.0, &root.0))?;
    Ok(Answer::new(
        found
            .map(Application::into_term)
            .map_err(|error| error.reason()),
    ))
}

/// `transition(Facts, Event) -> {ok, #{actions, outcome, skipped, warnings}}`.
#[rustler::nif(schedule = "DirtyIo")]
fn transition(facts: decode::Value, event: decode::Value) -> NifResult<Answer> {
    let directories = directories(&facts.0).ok_or(Error::BadArg)?;
    let node = node(&facts.0).ok_or(Error::BadArg)?;
    let event = self::event(event.0).ok_or(Error::BadArg)?;
    let atoms = atoms_left(&facts.0).ok_or(Error::BadArg)?;
    let answer = stack::run(|| answer(&directories, node, event))?;
    Ok(Answer::with_atoms(answer, atoms))
}

fn answer(directories: &Directories, node: Node, event: Event) -> Result<Term, Term> {
    let survey = installed::survey(directories, node, event).map_err(|error| error.reason())?;
    let found = inclusion::transition(survey.facts, &survey.event);
    let transition = found.map_err(|error| error.reason())?;
    let warnings = survey.warnings.iter().map(installed::Warning::term);
    let warnings = warnings.chain(transition.warnings.iter().map(inclusion::Warning::term));
    let outcome = Atom::new(transition.outcome.as_str()).map(Term::Atom);
    Ok(Term::Map(vec![
        (
            Term::atom("actions"),
            Term::list(transition.actions.into_iter().map(Action::into_term)),
        ),
        (Term::atom("outcome"), outcome.unwrap_or(Term::NIL)),
        (
            Term::atom("skipped"),
            Term::list(transition.skipped.into_iter().map(Term::Atom)),
        ),
        (Term::atom("warnings"), Term::list(warnings)),
    ]))
}

/// How many atoms the VM has room for: one file brings [`NEW_ATOMS`] at most, a boot reads thousands.
fn atoms_left(facts: &Term) -> Option<usize> {
    match facts.get("atoms") {
        Some(atoms) => usize::try_from(atoms.as_integer()?).ok(),
        None => Some(NEW_ATOMS),
    }
}

fn directories(facts: &Term) -> Option<Directories> {
    let path = facts.get("path")?.elements()?;
    let libs = facts.get("libs")?.elements()?;
    Some(Directories {
        root: path_of(facts.get("root")?)?,
        apps: path_of(facts.get("apps")?)?,
        path: path.iter().map(path_of).collect::<Option<_>>()?,
        libs: libs.iter().map(path_of).collect::<Option<_>>()?,
        threads: installed::threads(),
    })
}

fn path_of(term: &Term) -> Option<PathBuf> {
    let bytes = match term.as_binary() {
        Some(bytes) => bytes.to_vec(),
        None => term.as_string()?.into_owned().into_bytes(),
    };
    let path = PathBuf::from(OsStr::from_bytes(&bytes));
    (!bytes.contains(&0)).then_some(path)
}

fn node(facts: &Term) -> Option<Node> {
    let list = |key| facts.get(key)?.elements();
    let original = |entry: &Term| {
        let (name, applications) = entry.as_pair()?;
        Some((name.as_atom()?.clone(), atoms(applications)?))
    };
    Some(Node {
        loaded: list("loaded")?.iter().map(loaded).collect::<Option<_>>()?,
        original: list("original")?
            .iter()
            .map(original)
            .collect::<Option<HashMap<_, _>>>()?,
        running: atoms(facts.get("running")?)?,
        stopped: atoms(facts.get("stopped")?)?,
    })
}

fn loaded(entry: &Term) -> Option<Loaded> {
    let [name, _vsn, applications, included, optional] = entry.as_tuple()? else {
        return None;
    };
    Some(Loaded {
        name: name.as_atom()?.clone(),
        applications: atoms(applications)?,
        included_applications: atoms(included)?,
        optional_applications: atoms(optional)?,
    })
}

fn atoms(list: &Term) -> Option<Vec<Atom>> {
    let elements = list.elements()?;
    elements
        .iter()
        .map(|term| term.as_atom().cloned())
        .collect()
}

fn event(term: Term) -> Option<Event> {
    if term.is_atom("boot") {
        return Some(Event::Boot);
    }
    let (tag, rest) = term.as_tuple()?.split_first()?;
    match (tag.as_atom()?.as_str(), rest) {
        ("start", [name, vsn, dir]) => Some(Event::Start {
            application: name.as_atom()?.clone(),
            vsn: vsn.as_text()?.into_owned(),
            dir: path_of(dir)?,
        }),
        ("stop", [name]) => Some(Event::Stop(name.as_atom()?.clone())),
        ("upgrade", [name, specification]) => {
            let application = Application::from_term(specification.clone()).ok()?;
            (Some(&application.name) == name.as_atom())
                .then(|| Event::Upgrade(Box::new(application)))
        }
        ("change", [set]) => {
            let list = |key| set.get(key)?.elements();
            let (upgrade, start) = (list("upgrade")?, list("start")?);
            let specification = |term: &Term| Application::from_term(term.clone()).ok();
            Some(Event::Change {
                upgrade: upgrade.iter().map(specification).collect::<Option<_>>()?,
                start: start.iter().map(self::start).collect::<Option<_>>()?,
                stop: atoms(set.get("stop")?)?,
            })
        }
        _ => None,
    }
}

fn start(term: &Term) -> Option<(Atom, String, PathBuf)> {
    let [name, vsn, dir] = term.as_tuple()? else {
        return None;
    };
    Some((
        name.as_atom()?.clone(),
        vsn.as_text()?.into_owned(),
        path_of(dir)?,
    ))
}
