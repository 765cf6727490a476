//! A node for the tests: what application_controller does with the actions of a transition, and
//! what it refuses to do.

use super::*;
use crate::application::Application;
use crate::term::Atom;
use crate::term::text::parse;
use std::collections::{BTreeMap, BTreeSet};

pub fn atom(name: &str) -> Atom {
    Atom::new(name).unwrap()
}

pub fn atoms(names: &[String]) -> Vec<Atom> {
    names.iter().map(|name| atom(name)).collect()
}

/// What an application says of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct App {
    pub applications: Vec<String>,
    pub included: Vec<String>,
    pub optional: Vec<String>,
}

impl App {
    pub fn specification(&self, name: &str) -> Application {
        let text = format!(
            "{{application, {name}, [{{vsn, \"1\"}}, {{applications, [{}]}},
               {{included_applications, [{}]}}, {{optional_applications, [{}]}}]}}",
            self.applications.join(","),
            self.included.join(","),
            self.optional.join(","),
        );
        Application::from_term(parse(&text).unwrap()).unwrap()
    }

    pub fn of(application: &Application) -> Self {
        let strings = |atoms: &[Atom]| atoms.iter().map(Atom::to_string).collect();
        Self {
            applications: strings(&application.applications),
            included: strings(&application.included_applications),
            optional: strings(&application.optional_applications),
        }
    }
}

/// A node and the applications that are installed beside it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub disk: BTreeMap<String, App>,
    pub loaded: BTreeMap<String, App>,
    pub original: BTreeMap<String, Vec<String>>,
    pub running: BTreeSet<String>,
    /// Those of them that were started by hand although running ones include them.
    pub by_hand: BTreeSet<String>,
    /// Whether nothing has been done since: the specifications do not know of it yet.
    pub unnoticed: bool,
    pub stopped: BTreeSet<String>,
    pub registered: BTreeSet<String>,
    /// Wanted applications of which a transition said that they will not run.
    pub skipped: BTreeSet<String>,
}

impl Model {
    /// A node without applications. `installed` is a line for each application on disk: its name,
    /// then `dependency`, `optional?` or `+included`.
    pub fn new(installed: &str) -> Self {
        let mut model = Self::default();
        for line in installed
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let (name, app) = app(line);
            model.disk.insert(name, app);
        }
        model
    }

    pub fn registered(mut self, names: &str) -> Self {
        self.registered = names.split_whitespace().map(str::to_owned).collect();
        self
    }

    pub fn stopped(mut self, names: &str) -> Self {
        self.stopped = names.split_whitespace().map(str::to_owned).collect();
        self
    }

    /// The node after these have been started, in this order.
    #[track_caller]
    pub fn running(mut self, names: &str) -> Self {
        for name in names.split_whitespace() {
            self.event(&Event::Start(atom(name))).unwrap();
        }
        self
    }

    /// The node after somebody has started these, as `application:start/1` does, whoever includes them.
    #[track_caller]
    pub fn started_by_hand(mut self, names: &str) -> Self {
        for name in names.split_whitespace() {
            self.start_by_hand(name);
        }
        self
    }

    /// What application_controller does if it is asked to: it looks at dependencies alone.
    pub fn start_by_hand(&mut self, name: &str) {
        let app = &self.loaded[name];
        let running = |other: &String| self.running.contains(other) || app.optional.contains(other);
        if !self.running.contains(name) && app.applications.iter().all(running) {
            self.running.insert(name.to_owned());
            self.by_hand.insert(name.to_owned());
            self.unnoticed = true;
        }
    }

    pub fn facts(&self) -> Facts {
        let set = |names: &BTreeSet<String>| names.iter().map(|name| atom(name)).collect();
        let loaded = self.loaded.iter().map(|(name, app)| Loaded {
            name: atom(name),
            applications: atoms(&app.applications),
            included_applications: atoms(&app.included),
            optional_applications: atoms(&app.optional),
        });
        let found = self.disk.iter().map(|(name, app)| {
            let application = Box::new(app.specification(name));
            (
                atom(name),
                Specification::Found {
                    application,
                    ebin: format!("/lib/{name}/ebin"),
                },
            )
        });
        let original = self
            .original
            .iter()
            .map(|(name, apps)| (atom(name), atoms(apps)));
        Facts {
            loaded: loaded.collect(),
            original: original.collect(),
            running: set(&self.running),
            stopped: set(&self.stopped),
            registered: set(&self.registered),
            specifications: found.collect(),
        }
    }

    /// Lets `event` happen: the outcome and what was done, as text.
    pub fn event(&mut self, event: &Event) -> Result<String, Error> {
        let transition = transition(self.facts(), event)?;
        let mut text = transition.outcome.as_str().to_owned();
        for action in &transition.actions {
            self.perform(action, event);
            text.push_str(&format!(", {}", describe(action)));
        }
        self.by_hand.retain(|name| self.running.contains(name));
        self.by_hand = self.still_by_hand();
        self.unnoticed &= transition.actions.is_empty();
        for name in &transition.skipped {
            self.skipped.insert(name.to_string());
            text.push_str(&format!(", skipped {name}"));
        }
        assert_eq!(transition.skipped.len(), transition.warnings.len());
        match event {
            Event::Stop(name) if !transition.actions.is_empty() => {
                self.stopped.insert(name.to_string());
            }
            Event::Start(name) => {
                self.stopped.remove(name.as_str());
            }
            Event::Upgrade(new) => {
                self.stopped.remove(new.name.as_str());
            }
            Event::Change(change) => {
                let changed = change.upgrade.iter().map(|new| &new.name);
                for name in changed.chain(&change.start) {
                    self.stopped.remove(name.as_str());
                }
                self.stopped.extend(change.stop.iter().map(Atom::to_string));
            }
            _ => {}
        }
        Ok(text)
    }

    /// What application_controller does, and asserts what it would refuse.
    fn perform(&mut self, action: &Action, event: &Event) {
        match action {
            Action::Load { application, ebin } => {
                let name = application.name.to_string();
                assert_eq!(*ebin, format!("/lib/{name}/ebin"));
                assert!(!self.loaded.contains_key(&name), "{name} is loaded already");
                self.loaded.insert(name, App::of(application));
            }
            Action::Start(name) => {
                let name = name.as_str();
                assert!(!self.running.contains(name), "{name} runs already");
                let app = self
                    .loaded
                    .get(name)
                    .unwrap_or_else(|| panic!("{name} is not loaded"));
                for dependency in &app.applications {
                    assert!(
                        self.running.contains(dependency) || app.optional.contains(dependency),
                        "{name} is started before {dependency}"
                    );
                }
                for member in self.unit(name).into_iter().chain([name.to_owned()]) {
                    assert_eq!(
                        self.top(&member),
                        None,
                        "{member} runs when {name} is started"
                    );
                }
                self.running.insert(name.to_owned());
            }
            Action::Stop(name) => assert!(self.running.remove(name.as_str()), "{name} runs not"),
            Action::Respecify(name, applications) => {
                let applications: Vec<_> = applications.iter().map(Atom::to_string).collect();
                self.respecify(name.as_str(), applications);
            }
            Action::Script => {
                let upgraded: Vec<&Application> = match event {
                    Event::Upgrade(new) => vec![new],
                    // All of them run when the event happens.
                    Event::Change(change) => change.upgrade.iter().collect(),
                    _ => panic!("a script in {event:?}"),
                };
                for new in upgraded {
                    let name = new.name.to_string();
                    self.original.remove(&name);
                    self.loaded.insert(name, App::of(new));
                }
            }
        }
    }

    fn respecify(&mut self, name: &str, applications: Vec<String>) {
        let app = self
            .loaded
            .get_mut(name)
            .unwrap_or_else(|| panic!("{name} is not loaded"));
        assert!(
            !applications.iter().any(|other| other == name),
            "{name} depends on itself"
        );
        assert_ne!(app.applications, applications, "{name} says so already");
        let original = self
            .original
            .entry(name.to_owned())
            .or_insert(app.applications.clone());
        if *original == applications {
            self.original.remove(name);
        }
        app.applications = applications;
    }

    /// What was started by hand and is still included by what runs.
    fn still_by_hand(&self) -> BTreeSet<String> {
        let active = |by: &&String| self.top(by).is_some();
        let includers = self.loaded.keys().filter(active);
        let included: BTreeSet<String> = includers
            .flat_map(|by| {
                self.loaded[by]
                    .included
                    .iter()
                    .filter(move |name| *name != by)
            })
            .cloned()
            .collect();
        let still = |name: &&String| included.contains(*name);
        self.by_hand.iter().filter(still).cloned().collect()
    }

    /// What `name` includes, through others too, as the loaded specifications have it; what was started by hand is a unit
    /// of its own.
    pub fn unit(&self, name: &str) -> BTreeSet<String> {
        let mut unit = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            for included in self.loaded.get(&name).iter().flat_map(|app| &app.included) {
                if !self.by_hand.contains(included) && unit.insert(included.clone()) {
                    open.push(included.clone());
                }
            }
        }
        unit
    }

    /// The running application that `name` is, or runs inside of.
    pub fn top(&self, name: &str) -> Option<String> {
        if self.running.contains(name) {
            return Some(name.to_owned());
        }
        self.running
            .iter()
            .find(|top| self.unit(top).contains(name))
            .cloned()
    }

    /// The three lines of [`super`], and what every loaded specification has to say.
    #[track_caller]
    pub fn assert_sound(&self) {
        for name in self.registered.difference(&self.stopped) {
            assert!(
                self.top(name).is_some() || self.skipped.contains(name),
                "{name} is wanted and does not run: {self:#?}"
            );
        }
        let mut inside: BTreeMap<String, &String> = BTreeMap::new();
        for top in &self.running {
            for included in self.unit(top) {
                assert!(
                    self.loaded.contains_key(&included),
                    "{included} is not loaded"
                );
                assert!(
                    !self.running.contains(&included),
                    "{included} runs and is in {top}"
                );
                if let Some(other) = inside.insert(included.clone(), top) {
                    panic!("{included} is in {other} and in {top}");
                }
            }
        }
        for (name, app) in &self.loaded {
            let original = self.original.get(name).unwrap_or(&app.applications);
            if !self.unnoticed {
                assert_eq!(app.applications, self.rewritten(name, original), "{name}");
            }
            if self.running.contains(name) {
                for dependency in &app.applications {
                    assert!(
                        self.running.contains(dependency) || app.optional.contains(dependency),
                        "{name} runs without {dependency}: {self:#?}"
                    );
                }
            }
        }
    }

    fn rewritten(&self, name: &str, original: &[String]) -> Vec<String> {
        let tops = original
            .iter()
            .map(|other| self.top(other).unwrap_or(other.clone()));
        let tops: Vec<String> = tops.collect();
        if tops == original {
            return tops;
        }
        let own = self.top(name).unwrap_or(name.to_owned());
        let mut rewritten = Vec::new();
        for (top, other) in tops.into_iter().zip(original) {
            if (top == *other || top != own) && !rewritten.contains(&top) {
                rewritten.push(top);
            }
        }
        rewritten
    }
}

/// An application of a line as [`Model::new`] takes it.
pub fn app(line: &str) -> (String, App) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap().trim_end_matches(':').to_owned();
    let mut app = App::default();
    for word in words {
        if let Some(included) = word.strip_prefix('+') {
            app.included.push(included.to_owned());
        } else if let Some(optional) = word.strip_suffix('?') {
            app.applications.push(optional.to_owned());
            app.optional.push(optional.to_owned());
        } else {
            app.applications.push(word.to_owned());
        }
    }
    (name, app)
}

fn describe(action: &Action) -> String {
    match action {
        Action::Load { application, .. } => format!("load {}", application.name),
        Action::Start(name) => format!("start {name}"),
        Action::Stop(name) => format!("stop {name}"),
        Action::Respecify(name, applications) => {
            let names: Vec<_> = applications.iter().map(Atom::as_str).collect();
            format!("respecify {name} [{}]", names.join(" "))
        }
        Action::Script => "script".to_owned(),
    }
}
