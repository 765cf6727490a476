//! Random graphs against the boot plan, random events against the three lines of [`super`].

use super::model::{App, Model, atom};
use super::*;
use crate::application::Application;
use crate::term::Atom;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(&NAMES[..]).prop_map(str::to_owned)
}

fn names(most: usize) -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(name(), 0..=most)
}

/// An application that depends on some, on some of these optionally, and includes others.
fn app() -> impl Strategy<Value = App> {
    let included = prop_oneof![3 => names(0), 2 => names(1), 1 => names(3)];
    (names(2), included, names(2)).prop_map(|(applications, included, optional)| App {
        optional: applications.intersection(&optional).cloned().collect(),
        applications: applications.into_iter().collect(),
        included: included.into_iter().collect(),
    })
}

/// The same, without a cycle: `name` names only earlier ones.
fn earlier(name: &str, app: &App) -> App {
    let keep = |names: &[String]| {
        names
            .iter()
            .filter(|n| n.as_str() < name)
            .cloned()
            .collect()
    };
    App {
        applications: keep(&app.applications),
        included: keep(&app.included),
        optional: keep(&app.optional),
    }
}

/// What is installed: each of [`NAMES`] with this probability.
fn disk(probability: f64) -> impl Strategy<Value = BTreeMap<String, App>> {
    let installed = vec((proptest::bool::weighted(probability), app()), NAMES.len());
    (installed, any::<[bool; 2]>()).prop_map(|(apps, cyclic)| {
        let named = NAMES
            .iter()
            .zip(apps)
            .filter(|(_, (installed, _))| *installed);
        named
            .map(|(name, (_, app))| {
                // Most graphs would have a cycle somewhere, and nothing else would be tried.
                let app = if cyclic == [true; 2] {
                    app
                } else {
                    earlier(name, &app)
                };
                ((*name).to_owned(), app)
            })
            .collect()
    })
}

/// What boot has to do, found without any cleverness.
struct Oracle<'m> {
    model: &'m Model,
    reached: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Missing(String),
    Duplicate(String, String, String),
    /// The greatest application that is on a cycle.
    Circular(String),
    Sound,
}

impl<'m> Oracle<'m> {
    fn new(model: &'m Model) -> Self {
        let mut oracle = Self {
            model,
            reached: BTreeSet::new(),
        };
        let installed = |name: &&String| model.disk.contains_key(*name);
        model
            .registered
            .iter()
            .filter(installed)
            .for_each(|name| oracle.reach(name));
        oracle
    }

    fn reach(&mut self, name: &str) {
        if !self.reached.insert(name.to_owned()) {
            return;
        }
        let Some(app) = self.model.disk.get(name) else {
            return;
        };
        for other in app.applications.iter().chain(&app.included) {
            let may_miss = app.optional.contains(other) && !app.included.contains(other);
            if self.model.disk.contains_key(other) || !may_miss {
                self.reach(other);
            }
        }
    }

    fn includers(&self, name: &str) -> Vec<&String> {
        let includes = |by: &&String| {
            self.app(by)
                .is_some_and(|app| app.included.contains(&name.to_owned()))
        };
        self.reached.iter().filter(includes).collect()
    }

    fn app(&self, name: &str) -> Option<&App> {
        self.model.disk.get(name)
    }

    /// The top of the unit that `name` is in; none on a cycle of inclusions.
    fn top(&self, name: &str) -> Option<String> {
        let mut top = name.to_owned();
        for _ in 0..=NAMES.len() {
            match self.includers(&top).first() {
                Some(by) => top = (*by).clone(),
                None => return Some(top),
            }
        }
        None
    }

    fn depends(&self, unit: &str, other: &str) -> bool {
        self.reached.iter().any(|member| {
            let app = self.app(member).unwrap();
            self.top(member).as_deref() == Some(unit)
                && app.applications.iter().any(|dependency| {
                    self.reached.contains(dependency)
                        && self.top(dependency).as_deref() == Some(other)
                        && (unit != other || dependency == member)
                })
        })
    }

    /// Whether one can get from `from` to `to` along one edge or more.
    fn path(&self, from: &str, to: &str, edge: &dyn Fn(&str, &str) -> bool) -> bool {
        let mut met: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(here) = open.pop() {
            for next in self.reached.iter().filter(|next| edge(here, next)) {
                if next == to {
                    return true;
                }
                if met.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }

    fn verdict(&self) -> Verdict {
        if let Some(name) = self.reached.iter().find(|name| self.app(name).is_none()) {
            return Verdict::Missing(format!("{name}.app"));
        }
        for name in &self.reached {
            if let [by1, by2, ..] = self.includers(name)[..] {
                return Verdict::Duplicate(name.clone(), by1.clone(), by2.clone());
            }
        }
        let includes =
            |by: &str, other: &str| self.app(by).unwrap().included.contains(&other.to_owned());
        let depends_on_itself = |name: &str, _: &str| {
            self.app(name)
                .unwrap()
                .applications
                .contains(&name.to_owned())
        };
        let greatest = |found: &dyn Fn(&str) -> bool| {
            self.reached.iter().rev().find(|name| found(name)).cloned()
        };
        greatest(&|name| self.path(name, name, &includes))
            .or_else(|| greatest(&|name| depends_on_itself(name, name)))
            .or_else(|| greatest(&|name| self.path(name, name, &|a, b| self.depends(a, b))))
            .map_or(Verdict::Sound, Verdict::Circular)
    }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Specification(crate::application::FileError::NotFound { file }) => {
            Verdict::Missing(file.clone())
        }
        Error::DuplicateIncluded { included, by1, by2 } => {
            Verdict::Duplicate(included.to_string(), by1.to_string(), by2.to_string())
        }
        Error::CircularDependency { cycle } => Verdict::Circular(cycle.last().unwrap().to_string()),
        other => panic!("{other:?}"),
    }
}

/// Each on the cycle needs another one on it, and the names ascend.
fn assert_cycle(oracle: &Oracle<'_>, cycle: &[Atom]) {
    assert!(cycle.windows(2).all(|pair| pair[0] < pair[1]));
    let needs = |a: &Atom, b: &Atom| {
        let app = oracle.app(a.as_str()).unwrap();
        let named = app.included.iter().chain(&app.applications);
        named.into_iter().any(|name| name == b.as_str()) || oracle.depends(a.as_str(), b.as_str())
    };
    for one in cycle {
        assert!(cycle.iter().any(|other| needs(one, other)), "{cycle:?}");
        assert!(cycle.iter().any(|other| needs(other, one)), "{cycle:?}");
    }
}

fn assert_started(oracle: &Oracle<'_>, actions: &[Action]) {
    let mut started: Vec<String> = Vec::new();
    let mut loaded = BTreeSet::new();
    for action in actions {
        match action {
            Action::Load { application, .. } => {
                assert!(started.is_empty() && loaded.insert(application.name.to_string()));
            }
            Action::Start(name) => {
                let name = name.to_string();
                assert!(!started.contains(&name));
                for other in oracle
                    .reached
                    .iter()
                    .filter(|other| oracle.depends(&name, other))
                {
                    assert!(started.contains(other), "{name} before {other}");
                }
                started.push(name);
            }
            Action::Respecify(..) => {}
            other => panic!("{other:?} at boot"),
        }
    }
    assert_eq!(loaded, oracle.reached);
    let tops: BTreeSet<_> = oracle
        .reached
        .iter()
        .filter_map(|name| oracle.top(name))
        .collect();
    assert_eq!(started.into_iter().collect::<BTreeSet<_>>(), tops);
}

#[derive(Clone, Debug)]
enum Step {
    Boot,
    Start(String),
    Stop(String),
    Upgrade(String, App, bool),
    /// Other versions, to start, to stop.
    Set(
        BTreeMap<String, App>,
        BTreeSet<String>,
        BTreeSet<String>,
        bool,
    ),
    ByHand(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Boot),
        4 => name().prop_map(Step::Start),
        4 => name().prop_map(Step::Stop),
        2 => name().prop_map(Step::ByHand),
        4 => (name(), app(), any::<bool>()).prop_map(|(name, app, free)| Step::Upgrade(name, app, free)),
        4 => (btree_map(name(), app(), 0..4), names(2), names(2), any::<bool>())
            .prop_map(|(apps, starts, stops, free)| Step::Set(apps, starts, stops, free)),
    ]
}

fn stops_of(step: &Step) -> &BTreeSet<String> {
    match step {
        Step::Set(_, _, stops, _) => stops,
        _ => unreachable!("no set"),
    }
}

/// Lets the event of `step` happen. Nothing may change where it is refused. What is started by hand runs on, unless it
/// is stopped itself or becomes included by this very event.
fn take(model: &mut Model, step: &Step) {
    let event = match step {
        Step::ByHand(name) => {
            if model.loaded.contains_key(name) && model.top(name).is_some() {
                model.start_by_hand(name);
            }
            return;
        }
        Step::Boot => Event::Boot,
        Step::Start(name) => Event::Start(atom(name)),
        Step::Stop(name) => Event::Stop(atom(name)),
        Step::Upgrade(name, app, free) => {
            let app = if *free {
                app.clone()
            } else {
                earlier(name, app)
            };
            Event::Upgrade(Box::new(app.specification(name)))
        }
        Step::Set(apps, starts, stops, free) => {
            let running = apps.iter().filter(|(name, _)| model.top(name).is_some());
            let upgrade = running.map(|(name, app)| match free {
                true => app.specification(name),
                false => earlier(name, app).specification(name),
            });
            let other = |name: &&String| !apps.contains_key(*name);
            let stops = stops.iter().filter(other);
            Event::Change(Change {
                upgrade: upgrade.collect(),
                start: starts
                    .difference(stops_of(step))
                    .filter(other)
                    .map(|name| atom(name))
                    .collect(),
                stop: stops.map(|name| atom(name)).collect(),
            })
        }
    };
    let before = model.clone();
    let result = model.event(&event);
    for name in before
        .by_hand
        .iter()
        .filter(|name| !is_stopped_by(&before, &event, name))
    {
        assert!(
            model.running.contains(name),
            "{name} does not run on: {before:#?}"
        );
    }
    let upgraded = match event {
        _ if result.is_err() => Vec::new(),
        Event::Upgrade(application) => vec![*application],
        Event::Change(change) => change.upgrade,
        _ => Vec::new(),
    };
    for application in upgraded {
        model
            .disk
            .insert(application.name.to_string(), App::of(&application));
    }
}

/// Whether `event` is the stop of `name`, or may make somebody else include it.
fn is_stopped_by(before: &Model, event: &Event, name: &String) -> bool {
    let includes = |app: &App| app.included.contains(name);
    let others = before
        .disk
        .iter()
        .filter(|(by, _)| before.top(by).is_none());
    match event {
        Event::Boot => false,
        Event::Stop(stopped) => stopped.as_str() == name,
        Event::Start(_) => others.into_iter().any(|(_, app)| includes(app)),
        Event::Upgrade(new) => {
            let had = before.loaded.get(new.name.as_str()).is_some_and(includes);
            (includes(&App::of(new)) && !had) || others.into_iter().any(|(_, app)| includes(app))
        }
        Event::Change(change) => {
            let includes_newly = |new: &Application| {
                let had = before.loaded.get(new.name.as_str()).is_some_and(includes);
                includes(&App::of(new)) && !had
            };
            change.stop.iter().any(|stopped| stopped.as_str() == name)
                || change.upgrade.iter().any(includes_newly)
                || others.into_iter().any(|(_, app)| includes(app))
        }
    }
}

fn booted_as_found(mut model: Model) {
    let before = model.clone();
    let oracle = Oracle::new(&before);
    match transition(model.facts(), &Event::Boot) {
        Ok(transition) => {
            assert_eq!(oracle.verdict(), Verdict::Sound);
            assert_started(&oracle, &transition.actions);
            model.event(&Event::Boot).unwrap();
            model.assert_sound();
            let again = model.event(&Event::Boot).unwrap();
            assert!(
                !again.contains("start") && !again.contains("load"),
                "{again}"
            );
        }
        Err(error) => {
            assert_eq!(oracle.verdict(), verdict(&error));
            if let Error::CircularDependency { cycle } = &error {
                assert_cycle(&oracle, cycle);
            }
        }
    }
}

/// Starts an application that includes others and stops it again: what ran and is wanted runs, and
/// every specification of what runs as before says what it said before.
fn restored(before: &Model, includer: App) {
    let mut model = before.clone();
    model.disk.insert("z".to_owned(), includer);
    if model.event(&Event::Start(atom("z"))).is_err() {
        return;
    }
    model.assert_sound();
    model.event(&Event::Stop(atom("z"))).unwrap();
    model.assert_sound();
    for name in before.running.intersection(&before.registered) {
        assert!(model.top(name).is_some() || model.skipped.contains(name));
    }
    for (name, app) in &before.loaded {
        let unchanged = |name: &String| model.top(name) == before.top(name);
        if unchanged(name) && app.applications.iter().all(unchanged) {
            assert_eq!(&model.loaded[name], app);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn boot_does_what_a_naive_search_finds(disk in disk(0.8), registered in names(4)) {
        booted_as_found(Model { disk, registered, ..Model::default() });
    }

    #[test]
    fn the_three_lines_hold_after_every_event(
        disk in disk(0.95),
        registered in names(4),
        steps in vec(step(), 1..12),
    ) {
        let mut model = Model { disk, registered, ..Model::default() };
        if model.event(&Event::Boot).is_err() {
            model.registered.clear();
        }
        model.assert_sound();
        for step in &steps {
            take(&mut model, step);
            model.assert_sound();
        }
    }

    #[test]
    fn what_an_inclusion_changed_is_restored_when_it_ends(
        disk in disk(0.95),
        registered in names(3),
        includer in app(),
    ) {
        let mut model = Model { disk, registered, ..Model::default() };
        if model.event(&Event::Boot).is_ok() {
            restored(&model, includer);
        }
    }
}
