//! The boot order with its reasons.

use crate::inclusion::{Action, Transition};
use crate::term::Atom;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a node starts, in this order.
#[derive(Debug)]
pub struct BootOrder {
    /// The applications, each followed by those that it includes.
    pub applications: Vec<Application>,
    /// Registered applications that are not installed.
    pub skipped: Vec<String>,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// An application that is started, or loaded inside of another.
#[derive(Debug, Serialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub vsn: String,
    /// The directory of its modules.
    pub ebin: String,
    /// Whether it is registered; the others are there for their sake.
    pub registered: bool,
    /// What it depends on, of what is started here.
    pub depends_on: Vec<String>,
    /// What depends on it.
    pub dependency_of: Vec<String>,
    /// What it includes.
    pub includes: Vec<String>,
    /// What includes it.
    pub included_by: Option<String>,
}

impl BootOrder {
    /// The order that `transition` starts things in.
    pub fn new(transition: Transition, registered: Vec<Atom>, mut warnings: Vec<String>) -> Self {
        warnings.extend(transition.warnings.iter().map(ToString::to_string));
        let mut loaded = BTreeMap::new();
        let mut started = Vec::new();
        for action in transition.actions {
            match action {
                Action::Load { application, ebin } => {
                    loaded.insert(application.name.to_string(), (application, ebin));
                }
                Action::Start(name) => started.push(name.to_string()),
                _ => {}
            }
        }
        let registered: HashSet<String> = registered.iter().map(Atom::to_string).collect();
        let known = |names: &[Atom]| -> Vec<String> {
            let names = names.iter().map(Atom::to_string);
            names.filter(|name| loaded.contains_key(name)).collect()
        };
        let mut applications: HashMap<String, Application> = HashMap::new();
        for (name, (application, ebin)) in &loaded {
            let entry = Application {
                name: name.clone(),
                vsn: application.vsn.clone(),
                ebin: ebin.clone(),
                registered: registered.contains(name),
                depends_on: known(&application.applications),
                dependency_of: Vec::new(),
                includes: known(&application.included_applications),
                included_by: None,
            };
            applications.insert(name.clone(), entry);
        }
        Self {
            applications: arranged(applications, loaded.into_keys().collect(), started),
            skipped: transition.skipped.iter().map(Atom::to_string).collect(),
            warnings,
        }
    }

    /// Why an application is started.
    pub fn why(&self, application: &Application) -> String {
        let mut reasons = Vec::new();
        if application.registered {
            reasons.push("registered".to_owned());
        }
        if !application.dependency_of.is_empty() {
            reasons.push(format!(
                "dependency of {}",
                application.dependency_of.join(", ")
            ));
        }
        if !application.includes.is_empty() {
            reasons.push(format!("includes {}", self.inside(application).join(", ")));
        }
        reasons.join("; ")
    }

    /// A longest chain of applications that wait for one another, the one that starts last first.
    pub fn critical_path(&self) -> Vec<&Application> {
        let tops = self.tops();
        let mut longest: HashMap<&str, (usize, Option<&str>)> = HashMap::new();
        let mut last = None;
        // What is needed stands before what needs it.
        for (application, needed) in self.units(&tops) {
            let before = needed
                .iter()
                .filter_map(|name| Some((longest.get(name)?.0, *name)));
            let before = before.max_by_key(|(length, name)| (*length, std::cmp::Reverse(*name)));
            let length = before.map_or(1, |(length, _)| length + 1);
            longest.insert(&application.name, (length, before.map(|(_, name)| name)));
            if last.is_none_or(|(most, _)| length > most) {
                last = Some((length, application.name.as_str()));
            }
        }
        let named: HashMap<&str, &Application> = self
            .applications
            .iter()
            .map(|a| (a.name.as_str(), a))
            .collect();
        let first = last.map(|(_, name)| name);
        let path =
            std::iter::successors(first, |name| longest.get(name).and_then(|(_, next)| *next));
        path.filter_map(|name| named.get(name).copied()).collect()
    }

    /// The application that each is, or runs inside of.
    fn tops(&self) -> HashMap<&str, &str> {
        let mut tops: HashMap<&str, &str> = HashMap::new();
        for application in &self.applications {
            let includer = application.included_by.as_deref();
            let top = includer.and_then(|by| tops.get(by).copied());
            tops.insert(&application.name, top.unwrap_or(&application.name));
        }
        tops
    }

    /// What is started, in order, and what it and what it includes wait for.
    fn units<'a>(
        &'a self,
        tops: &HashMap<&'a str, &'a str>,
    ) -> Vec<(&'a Application, Vec<&'a str>)> {
        let mut units: Vec<(&Application, Vec<&str>)> = Vec::new();
        for application in &self.applications {
            if application.included_by.is_none() {
                units.push((application, Vec::new()));
            }
            let Some((top, needed)) = units.last_mut() else {
                continue;
            };
            let others = application
                .depends_on
                .iter()
                .filter_map(|name| tops.get(name.as_str()).copied());
            needed.extend(others.filter(|other| *other != top.name));
        }
        units
    }

    /// What an application includes, with what depends on that or needs it inside.
    fn inside(&self, application: &Application) -> Vec<String> {
        let of = |included: &&Application| included.included_by.as_ref() == Some(&application.name);
        let mut inside = Vec::new();
        for included in self.applications.iter().filter(of) {
            let deeper = self.inside(included);
            inside.push(
                match (included.dependency_of.is_empty(), deeper.is_empty()) {
                    (true, true) => included.name.clone(),
                    (true, false) => format!("{} ({})", included.name, deeper.join(", ")),
                    (false, _) => {
                        let needed = included.dependency_of.join(", ");
                        format!("{} (dependency of {needed})", included.name)
                    }
                },
            );
        }
        inside
    }
}

/// In start order, each followed by what it includes; with the other ends of all relations.
fn arranged(
    mut applications: HashMap<String, Application>,
    names: Vec<String>,
    started: Vec<String>,
) -> Vec<Application> {
    for name in &names {
        let Some(application) = applications.get(name) else {
            continue;
        };
        let depends_on = application.depends_on.clone();
        let includes = application.includes.clone();
        for other in depends_on {
            if let Some(other) = applications.get_mut(&other) {
                other.dependency_of.push(name.clone());
            }
        }
        for other in includes {
            if let Some(other) = applications.get_mut(&other) {
                other.included_by = Some(name.clone());
            }
        }
    }
    let mut arranged = Vec::with_capacity(names.len());
    for top in started {
        let mut open = vec![top];
        while let Some(name) = open.pop() {
            if let Some(application) = applications.remove(&name) {
                open.extend(application.includes.iter().rev().cloned());
                arranged.push(application);
            }
        }
    }
    arranged
}
