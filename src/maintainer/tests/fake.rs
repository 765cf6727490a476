//! A host that is made up: directories on disk, nodes in memory.

use crate::cluster::operation::{Operation, Step};
use crate::cluster::{Answer, Outcomes};
use crate::identity::NodeName;
use crate::maint::{Call, Configuration, Format, Moment, Version};
use crate::maintainer::{Hooks, Log, Session, Subject, Tolerates};
use crate::node;
use crate::outcome::{Class, Outcome};
use crate::places::Root;
use crate::rendezvous::{self, Entries, Entry};
use crate::stash::Stash;
use crate::term::{Atom, Term};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// What a node that is made up runs: versions by application.
type Runs = BTreeMap<String, String>;

pub(super) struct Host {
    dir: TempDir,
    nodes: RefCell<BTreeMap<NodeName, Runs>>,
    /// Nodes that do not answer.
    silent: Vec<NodeName>,
    /// Whether the nodes know no sets.
    old: bool,
    /// Operations that do not succeed, as `node operation application version`.
    failing: BTreeMap<String, (Class, Outcome)>,
    /// What was asked of nodes, in the same words.
    pub(super) did: RefCell<Vec<String>>,
    /// What people were told.
    pub(super) told: RefCell<Vec<String>>,
    pub(super) trigger_works: Cell<bool>,
}

pub(super) fn atom(name: &str) -> Atom {
    Atom::new(name).expect("an atom")
}

impl Host {
    /// One whose nodes `n1`, `n2`, … run `erlrc`, `foo`, and `bar`, which needs `foo`, in version 1.
    pub(super) fn new(nodes: usize) -> Self {
        let host = Self {
            dir: tempfile::tempdir().expect("a directory"),
            nodes: RefCell::default(),
            silent: Vec::new(),
            old: false,
            failing: BTreeMap::new(),
            did: RefCell::default(),
            told: RefCell::default(),
            trigger_works: Cell::new(true),
        };
        for dir in ["root/applications", "apps", "nodes", "state"] {
            fs::create_dir_all(host.path(dir)).expect("a directory");
        }
        for place in 1..=nodes {
            let name = NodeName::parse(&format!("n{place}")).expect("a name");
            fs::write(host.path("nodes").join(name.to_string()), "cookie").expect("an entry");
            let runs = ["erlrc", "foo", "bar"].map(|app| (app.to_owned(), "1".to_owned()));
            host.nodes.borrow_mut().insert(name, runs.into());
        }
        for app in ["erlrc", "foo", "bar"] {
            host.register(app, "");
            host.install(app, "1");
        }
        host
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn register(&self, app: &str, content: &str) {
        let file = self.path("root");
        fs::write(Root(&file).registration(app), content).expect("a registration");
    }

    pub(super) fn unregister(&self, app: &str) {
        let file = self.path("root");
        fs::remove_file(Root(&file).registration(app)).expect("removed");
    }

    pub(super) fn version(&self, app: &str, vsn: &str) -> Version {
        Version {
            vsn: vsn.to_owned(),
            dir: self.path(&format!("lib/{app}-{vsn}")),
        }
    }

    pub(super) fn subject(&self, app: &str, vsn: &str) -> Subject {
        Subject {
            application: atom(app),
            version: self.version(app, vsn),
        }
    }

    /// What a package manager does when it unpacks a version.
    pub(super) fn install(&self, app: &str, vsn: &str) {
        let ebin = self.version(app, vsn).dir.join("ebin");
        fs::create_dir_all(&ebin).expect("a directory");
        let needs = if app == "bar" { "foo" } else { "kernel" };
        let spec =
            format!("{{application, {app}, [{{vsn, \"{vsn}\"}}, {{applications, [{needs}]}}]}}.");
        fs::write(ebin.join(format!("{app}.app")), spec).expect("a file");
        let metadata = format!("{{{app}, \"{vsn}\", {:?}}}.", self.version(app, vsn).dir);
        fs::write(self.path("apps").join(app), metadata).expect("metadata");
    }

    /// What it does when it has replaced one.
    pub(super) fn delete(&self, app: &str, vsn: &str) {
        fs::remove_dir_all(self.version(app, vsn).dir).expect("removed");
    }

    pub(super) fn fails(mut self, what: &str, class: Class, outcome: Outcome) -> Self {
        self.failing.insert(what.to_owned(), (class, outcome));
        self
    }

    pub(super) fn knows_no_sets(mut self) -> Self {
        self.old = true;
        self
    }

    pub(super) fn silent(mut self, node: &str) -> Self {
        self.silent.extend(NodeName::parse(node));
        self
    }

    pub(super) fn speaks_again(&mut self) {
        self.silent.clear();
    }

    /// What the nodes run of `app`, a word for each.
    pub(super) fn runs(&self, app: &str) -> String {
        let nodes = self.nodes.borrow();
        let words = nodes
            .values()
            .map(|runs| runs.get(app).map_or("-", String::as_str));
        words.collect::<Vec<_>>().join(" ")
    }

    pub(super) fn kept(&self, app: &str) -> usize {
        Stash::new(self.path("stash")).of(app).len()
    }

    /// The open records of the journal: states with nodes.
    pub(super) fn open(&self) -> Vec<String> {
        let session = self.session(Moment::Nothing, Configuration::default());
        let journal = session.log.journal();
        let open = journal.open().map(|record| {
            let node = record.node.as_deref().unwrap_or("-");
            format!("{} {} {node}", record.application, record.state.name())
        });
        open.collect()
    }

    pub(super) fn session(&self, moment: Moment, configuration: Configuration) -> Session<'_> {
        Session {
            call: Call {
                format: Format::Deb,
                moment,
                may_fail: true,
            },
            configuration,
            root: self.path("root"),
            apps: self.path("apps"),
            sets: self.path("sets"),
            stash: Stash::new(self.path("stash")),
            log: Log::open(&self.path("state"), "a script".to_owned(), Box::new(|_| {})),
            hooks: Box::new(self),
        }
    }

    /// The script of version `vsn` of `app`, called at this moment.
    pub(super) fn call(&self, moment: Moment, app: &str, vsn: &str) -> Class {
        self.call_with(Configuration::default(), moment, (app, vsn))
    }

    pub(super) fn call_with(
        &self,
        configuration: Configuration,
        moment: Moment,
        (app, vsn): (&str, &str),
    ) -> Class {
        let subject = self.subject(app, vsn);
        self.session(moment, configuration).perform(&subject, &[])
    }

    /// One step of an operation on one node: of a set each change, and none where one fails.
    fn step(&self, node: &NodeName, operation: &Operation) -> Answer {
        let Step::Set(changes) = &operation.step else {
            return self.alone(node, operation);
        };
        let before = self.nodes.borrow().clone();
        let what = format!("{node} as one:");
        let refused = self.failing.get(&what);
        self.did.borrow_mut().push(what);
        if let Some((class, outcome)) = refused {
            return Answer::new(*class, outcome.clone(), None);
        }
        let answers = changes.iter().map(|change| self.alone(node, change));
        let failed = answers.filter(|answer| answer.class.is_failure()).last();
        failed.map_or(Answer::new(Class::Done, Outcome::Changed, None), |failed| {
            self.nodes.replace(before);
            failed
        })
    }

    fn alone(&self, node: &NodeName, operation: &Operation) -> Answer {
        let app = operation.application.to_string();
        let (Step::Start(version)
        | Step::Stop(version)
        | Step::Unload(version)
        | Step::Upgrade { to: version, .. }
        | Step::Downgrade { to: version, .. }) = &operation.step
        else {
            unreachable!("a set of sets")
        };
        let what = format!("{node} {} {app} {}", operation.name(), version.vsn);
        self.did.borrow_mut().push(what.clone());
        if let Some((class, outcome)) = self.failing.get(&what) {
            return Answer::new(*class, outcome.clone(), Some("a reason".to_owned()));
        }
        let mut nodes = self.nodes.borrow_mut();
        let runs = nodes.get_mut(node).expect("a node");
        match operation.result() {
            Some(vsn) => runs.insert(app, vsn.to_owned()),
            None => runs.remove(&app),
        };
        Answer::new(Class::Done, operation.done(), None)
    }
}

impl Hooks for &Host {
    fn entries(&self) -> Entries {
        rendezvous::entries(&[self.path("nodes")]).expect("entries")
    }

    fn query(
        &self,
        entry: &Entry,
        calls: Vec<node::Call>,
    ) -> Result<Vec<Option<Term>>, Box<Answer>> {
        if self.silent.contains(&entry.name) {
            let answer = Answer::new(Class::Unreachable, Outcome::Hung, None);
            return Err(Box::new(answer));
        }
        let nodes = self.nodes.borrow();
        let answer = |call: &node::Call| {
            if self.old && call.arguments.first()?.get("changes").is_some() {
                let pairs = [("status", "refused"), ("outcome", "bad_request")];
                let pairs = pairs.map(|(key, word)| (Term::atom(key), Term::atom(word)));
                return Some(Term::map(pairs.into()));
            }
            let app = call.arguments.first()?.get("application")?.as_atom()?;
            let mut pairs = vec![
                (Term::atom("status"), Term::atom("ok")),
                (Term::atom("outcome"), Term::atom("running")),
            ];
            if let Some(vsn) = nodes[&entry.name].get(app.as_str()) {
                pairs.push((Term::atom("running"), Term::binary(vsn.as_str())));
            }
            Some(Term::map(pairs))
        };
        Ok(calls.iter().map(answer).collect())
    }

    /// As [`crate::cluster::Round`]: what fails on one node and is not tolerated takes the others back.
    fn round(
        &self,
        entries: &Entries,
        operations: &[Operation],
        tolerates: Tolerates<'_>,
    ) -> Option<Outcomes> {
        let before = self.nodes.borrow().clone();
        let mut outcomes = Outcomes {
            class: Class::Done,
            answers: Vec::new(),
            undone: false,
        };
        for (node, _) in entries {
            let mut answers = operations
                .iter()
                .map(|operation| self.step(node, operation));
            let answer = answers.next()?;
            if answer.class == Class::Done {
                answers.for_each(drop);
            }
            if !tolerates(node, &answer) {
                outcomes.class = outcomes.class.worse(answer.class);
            }
            outcomes.answers.push((node.clone(), answer));
        }
        if outcomes.class.is_failure() {
            self.nodes.replace(before);
            outcomes.undone = true;
        }
        Some(outcomes)
    }

    fn foresee(&self, entry: &Entry, operation: &Operation) -> Answer {
        let (name, app) = (operation.name(), &operation.application);
        let vsn = operation.result().unwrap_or_default();
        let what = format!("{} {name} {app} {vsn}", entry.name);
        match self.failing.get(&what) {
            Some((class, outcome)) => {
                Answer::new(*class, outcome.clone(), Some("a reason".to_owned()))
            }
            None => Answer::new(Class::Done, Outcome::Planned, None),
        }
    }

    fn say(&self, operation: &Operation, answers: Vec<(NodeName, Answer)>) {
        let app = &operation.application;
        let lines = answers
            .iter()
            .map(|(node, answer)| format!("{app} {node} {}", answer.outcome));
        self.told.borrow_mut().extend(lines);
    }

    fn load_modules(&self, entry: &Entry) {
        let what = format!("{} load_modules", entry.name);
        self.did.borrow_mut().push(what);
    }

    fn may_start(&self, _application: &Atom) -> bool {
        true
    }

    fn call_at_the_end(&self) -> bool {
        self.trigger_works.get()
    }

    fn unlisted(&self) -> Option<String> {
        Some("a node has no entry".to_owned())
    }

    fn complain(&self, application: &Atom, text: &str) {
        self.told
            .borrow_mut()
            .push(format!("{application}: {text}"));
    }

    fn warn(&self, text: &str) {
        self.told.borrow_mut().push(text.to_owned());
    }
}
