//! The words between a hook and a node: operations and questions as calls.

use super::operation::{Operation, Settling, Step, Version};
use super::options::{Hold, Over};
use crate::node::{self, Call};
use crate::term::{Atom, Term};
use std::time::Duration;

/// The version of the words between hook and node.
pub const PROTOCOL: i64 = 1;

/// The name of one operation, by which a node can be asked how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    /// A name that nobody can guess: 16 random bytes in hexadecimal digits. `None` where the system has none.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 16];
        node::random(&mut bytes).ok()?;
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        Some(Self(digits.collect()))
    }
}

/// Whether a question that is not answered in the midst of an operation waits for its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// It does, as the operation that it is about will.
    Wait,
    /// It is answered at once that the node is busy.
    Pass,
}

/// Keys of a request and their values.
type Arguments = Vec<(&'static str, Term)>;

impl Operation {
    /// The call of `erlrc_hook:request/1`. After `patience` the node calls the operation off; how it ended can be
    /// asked for by its `id`.
    pub fn request(&self, patience: Duration, id: Option<&Id>) -> Call {
        let mut arguments = self.arguments();
        arguments.push(bound(patience));
        arguments.extend(id.map(named));
        let name = ("operation", self.name());
        request(&[name], &self.application, arguments)
    }

    /// The same for the plan alone. An operation of its own: a node that does not know it refuses,
    /// where it would pass over an option and do what is only asked about.
    pub fn dry_run(&self, patience: Duration) -> Call {
        self.asked(&[("operation", "dry_run"), ("of", self.name())], patience)
    }

    /// The call that gives the way back up, which a node holds under the number `held`, or goes it.
    pub fn settle(
        &self,
        how: Settling,
        held: Option<&str>,
        patience: Duration,
        id: Option<&Id>,
    ) -> Call {
        let versions = self.versions().into_iter();
        let texts = versions.chain(held.map(|held| ("held", held.to_owned())));
        let mut arguments: Arguments = texts.map(|(key, text)| (key, Term::binary(text))).collect();
        arguments.extend(self.set());
        if let Settling::Prolong(time) = how {
            let over = Over::Revert;
            let hold = (Term::atom("hold"), Hold { time, over }.term());
            arguments.push(("options", Term::map([hold].into())));
        }
        arguments.push(bound(patience));
        arguments.extend(id.map(named));
        request(&[("operation", how.name())], &self.application, arguments)
    }

    fn asked(&self, names: &[(&'static str, &'static str)], patience: Duration) -> Call {
        let mut arguments = self.arguments();
        arguments.push(bound(patience));
        request(names, &self.application, arguments)
    }

    fn arguments(&self) -> Arguments {
        let versions = self.versions().into_iter();
        let changes = self.set();
        let options = self.options.term().map(|options| ("options", options));
        versions
            .map(|(key, text)| (key, Term::binary(text)))
            .chain(changes)
            .chain(options)
            .collect()
    }

    /// What is to be done with each of several applications.
    fn set(&self) -> Option<(&'static str, Term)> {
        let Step::Set(changes) = &self.step else {
            return None;
        };
        let change = |one: &Self| {
            let texts = one.versions().into_iter();
            let texts = texts.map(|(key, text)| (Term::atom(key), Term::binary(text)));
            let named = [
                (Term::atom("operation"), Term::atom(one.name())),
                (
                    Term::atom("application"),
                    Term::binary(one.application.as_str()),
                ),
            ];
            Term::map(named.into_iter().chain(texts).collect())
        };
        Some(("changes", Term::list(changes.iter().map(change))))
    }

    /// The question what the node finds about it in its processes.
    pub fn live_plan(&self, queue: Queue, patience: Duration) -> Call {
        let mut names = vec![("operation", "live_plan"), ("of", self.name())];
        names.extend((queue == Queue::Wait).then_some(("busy", "wait")));
        self.asked(&names, patience)
    }

    fn versions(&self) -> Vec<(&'static str, String)> {
        let versions: Vec<(&'static str, &'static str, &Version)> = match &self.step {
            Step::Start(version) | Step::Stop(version) | Step::Unload(version) => {
                vec![("vsn", "dir", version)]
            }
            Step::Upgrade { from, to } | Step::Downgrade { from, to } => {
                vec![("from", "from_dir", from), ("to", "to_dir", to)]
            }
            Step::Set(_) => Vec::new(),
        };
        versions
            .into_iter()
            .flat_map(|(vsn_key, dir_key, version)| {
                let dir = version
                    .dir
                    .as_ref()
                    .map(|dir| (dir_key, dir.display().to_string()));
                [(vsn_key, version.vsn.clone())].into_iter().chain(dir)
            })
            .collect()
    }

    /// The call of `erlrcdynamic` that says the same, for a node that lacks `erlrc_hook`.
    pub fn direct_call(&self) -> Call {
        // Its arguments come in the order earlier, later.
        let versions = match &self.step {
            Step::Start(version) | Step::Stop(version) | Step::Unload(version) => vec![version],
            Step::Upgrade { from, to } => vec![from, to],
            Step::Downgrade { from, to } => vec![to, from],
            // A node that has it has `erlrc_hook`.
            Step::Set(_) => Vec::new(),
        };
        let mut arguments = vec![Term::Atom(self.application.clone())];
        arguments.extend(versions.iter().map(|version| Term::string(&version.vsn)));
        let dirs: Option<Vec<Term>> = versions
            .iter()
            .map(|version| {
                version
                    .dir
                    .as_ref()
                    .map(|dir| Term::string(&dir.display().to_string()))
            })
            .collect();
        // stop/2 has no directory.
        if let (Some(dirs), false) = (dirs, matches!(self.step, Step::Stop(_))) {
            arguments.extend(dirs);
        }
        Call {
            module: "erlrcdynamic",
            function: self.name(),
            arguments,
        }
    }
}

/// The same question, and where the versions are that `operation` goes from and to where it does not say.
pub fn what_runs_before(operation: &Operation) -> Call {
    let versions = operation.versions().into_iter();
    let versions = versions.filter(|(key, _)| matches!(*key, "from" | "to"));
    let versions = versions.map(|(key, text)| (key, Term::binary(text)));
    let running = [("operation", "running")];
    request(&running, &operation.application, versions.collect())
}

/// The question which version of `application` runs.
pub fn what_runs(application: &Atom) -> Call {
    request(&[("operation", "running")], application, Vec::new())
}

/// The call that makes `application` whole again after an operation that could not be put right.
pub fn settle(application: &Atom, patience: Duration) -> Call {
    request(
        &[("operation", "settle")],
        application,
        vec![bound(patience)],
    )
}

/// The question what the node has loaded, and what of `application`.
pub fn code(application: &Atom) -> Call {
    request(&[("operation", "code")], application, Vec::new())
}

/// The question which versions of `application` the node finds, and where.
pub fn versions(application: &Atom) -> Call {
    request(&[("operation", "versions")], application, Vec::new())
}

/// A question that is about no application: `status` or `progress`.
pub fn question(name: &'static str) -> Call {
    let pairs = [
        (Term::atom("protocol"), Term::Integer(PROTOCOL)),
        (Term::atom("operation"), Term::atom(name)),
    ];
    Call {
        module: "erlrc_hook",
        function: "request",
        arguments: vec![Term::map(pairs.into())],
    }
}

/// The question how the operation `id` ended.
pub fn outcome_of(id: &Id) -> Call {
    let Call {
        module,
        function,
        mut arguments,
    } = question("outcome");
    if let Some(Term::Map(pairs)) = arguments.first_mut() {
        let (key, id) = named(id);
        pairs.push((Term::atom(key), id));
    }
    Call {
        module,
        function,
        arguments,
    }
}

fn named(id: &Id) -> (&'static str, Term) {
    ("id", Term::binary(id.0.clone()))
}

/// How long the one who asks waits, in milliseconds: a node does not work on what nobody waits for.
fn bound(patience: Duration) -> (&'static str, Term) {
    let milliseconds = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    ("patience", Term::Integer(milliseconds.max(1)))
}

fn request(
    names: &[(&'static str, &'static str)],
    application: &Atom,
    arguments: Arguments,
) -> Call {
    let fixed = [
        (Term::atom("protocol"), Term::Integer(PROTOCOL)),
        (Term::atom("application"), Term::Atom(application.clone())),
    ];
    let names = names
        .iter()
        .map(|&(key, name)| (Term::atom(key), Term::atom(name)));
    let arguments = arguments
        .into_iter()
        .map(|(key, value)| (Term::atom(key), value));
    let arguments = vec![Term::map(
        fixed.into_iter().chain(names).chain(arguments).collect(),
    )];
    Call {
        module: "erlrc_hook",
        function: "request",
        arguments,
    }
}
