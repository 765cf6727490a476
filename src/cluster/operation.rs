//! What a hook asks of a node, and how that is taken back.

use super::answer::Answer;
use super::options::Options;
use crate::outcome::{Class, Outcome};
use crate::term::Atom;
use std::path::PathBuf;
use std::time::Duration;

/// A version of an application, and where it is, if that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its name.
    pub vsn: String,
    /// Its directory.
    pub dir: Option<PathBuf>,
}

/// What is to be done with an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The application.
    pub application: Atom,
    /// What to do with it.
    pub step: Step,
    /// How.
    pub options: Options,
}

/// What becomes of an upgrade whose way back a node has kept open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It stays.
    Confirm,
    /// It is taken back.
    Revert,
    /// Its time begins anew, and is so long.
    Prolong(Duration),
}

impl Settling {
    /// The name of the operation that asks a node for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Revert => "revert",
            Self::Prolong(_) => "prolong",
        }
    }
}

/// The operations of the protocol. `from` is what runs, `to` what is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start it.
    Start(Version),
    /// Stop it.
    Stop(Version),
    /// Take the stopped application out of the node's memory and code path.
    Unload(Version),
    /// Go to a later version.
    Upgrade {
        /// What runs.
        from: Version,
        /// What is to run.
        to: Version,
    },
    /// Go to an earlier version.
    Downgrade {
        /// What runs.
        from: Version,
        /// What is to run.
        to: Version,
    },
    /// Several applications as one. Each has the options of all; the operation is named after the first.
    Set(Vec<Operation>),
}

impl Operation {
    /// Several changes as one, one as it is; `None` of nothing.
    pub fn together(mut changes: Vec<Self>, options: &Options) -> Option<Self> {
        match changes.len() {
            0 | 1 => changes.pop(),
            _ => Some(Self {
                application: changes.first()?.application.clone(),
                step: Step::Set(changes),
                options: options.clone(),
            }),
        }
    }

    /// What it does to each application.
    pub fn changes(&self) -> &[Self] {
        match &self.step {
            Step::Set(changes) => changes,
            _ => std::slice::from_ref(self),
        }
    }

    /// The applications, as they are named to people.
    pub fn subject(&self) -> String {
        let names = self.changes().iter().map(|one| one.application.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    /// The part of it that a node which answered so has carried out.
    pub fn carried_out(&self, answer: &Answer) -> Self {
        let Step::Set(changes) = &self.step else {
            return self.clone();
        };
        let mut done = changes.clone();
        done.retain(|one| {
            let of = answer.of(&one.application);
            of.is_none_or(|of| of.outcome.as_ref().is_none_or(Outcome::is_change))
        });
        Self {
            step: Step::Set(done),
            ..self.clone()
        }
    }

    /// An operation as the node is configured to do it.
    pub fn new(application: Atom, step: Step) -> Self {
        let options = Options::default();
        Self {
            application,
            step,
            options,
        }
    }

    /// The name of the operation, of the command and of the function in `erlrcdynamic`.
    pub fn name(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "start",
            Step::Stop(_) => "stop",
            Step::Unload(_) => "unload",
            Step::Upgrade { .. } => "upgrade",
            Step::Downgrade { .. } => "downgrade",
            Step::Set(_) => "change",
        }
    }

    /// The command that does it: of several applications that all go one way, that way.
    pub fn command(&self) -> &'static str {
        self.way().name()
    }

    /// One that stands for all of it, where all applications go one way.
    fn way(&self) -> &Self {
        match &self.step {
            Step::Set(changes) => match changes.as_slice() {
                [one, others @ ..] if others.iter().all(|of| of.name() == one.name()) => one,
                _ => self,
            },
            _ => self,
        }
    }

    /// What the hook says that it does.
    pub fn gerund(&self) -> &'static str {
        match self.way().step {
            Step::Start(_) => "Starting",
            Step::Stop(_) => "Stopping",
            Step::Unload(_) => "Unloading",
            Step::Upgrade { .. } => "Upgrading",
            Step::Downgrade { .. } => "Downgrading",
            Step::Set(_) => "Changing",
        }
    }

    /// Whether it replaces what runs: what several nodes do all together or not at all.
    pub fn replaces(&self) -> bool {
        match &self.step {
            Step::Upgrade { .. } | Step::Downgrade { .. } => true,
            Step::Set(changes) => changes.iter().any(Self::replaces),
            _ => false,
        }
    }

    /// The same upgrade or downgrade between exactly these versions.
    pub fn between(&self, from: Version, to: Version) -> Self {
        let step = match self.step {
            Step::Downgrade { .. } => Step::Downgrade { from, to },
            _ => Step::Upgrade { from, to },
        };
        Self {
            step,
            ..self.clone()
        }
    }

    /// Whether a node that says this has done what was asked, or found it done.
    pub fn is_achieved_by(&self, outcome: &Outcome) -> bool {
        use Outcome::{
            AlreadyRunning, Changed, Downgraded, Included, NotRunning, Started,
            StartedIncludedStopped, Stopped, StoppedIncludedStarted, Unchanged, Unloaded, Upgraded,
        };
        let ways: &[Outcome] = match self.step {
            Step::Start(_) => &[Started, StartedIncludedStopped, AlreadyRunning, Included],
            Step::Stop(_) => &[Stopped, StoppedIncludedStarted, NotRunning],
            Step::Unload(_) => &[Unloaded],
            Step::Upgrade { .. } => &[
                Upgraded,
                Started,
                StartedIncludedStopped,
                AlreadyRunning,
                Included,
            ],
            Step::Downgrade { .. } => &[
                Downgraded,
                Started,
                StartedIncludedStopped,
                AlreadyRunning,
                Included,
            ],
            Step::Set(_) => &[Changed, Unchanged],
        };
        ways.contains(outcome)
    }

    /// Whether `answer` says that the node is not as it was.
    pub fn changed(&self, answer: &Answer) -> bool {
        answer.class == Class::Done
            && answer.outcome.is_change()
            && !matches!(self.step, Step::Unload(_))
    }

    /// What takes the operation back, on a node that answered `outcome`.
    pub fn reverse(&self, outcome: &Outcome) -> Option<Self> {
        let step = match (&self.step, outcome) {
            (Step::Start(version), _) => Step::Stop(version.clone()),
            (Step::Stop(version), _) => Step::Start(version.clone()),
            (Step::Unload(_), _) => return None,
            (Step::Set(changes), _) => {
                let reverse = |one: &Self| one.reverse(&one.done());
                Step::Set(changes.iter().rev().filter_map(reverse).collect())
            }
            // It did not run: the upgrade had nothing to do but start it.
            (
                Step::Upgrade { to, .. } | Step::Downgrade { to, .. },
                Outcome::Started | Outcome::StartedIncludedStopped,
            ) => Step::Stop(to.clone()),
            (Step::Upgrade { from, to }, _) => Step::Downgrade {
                from: to.clone(),
                to: from.clone(),
            },
            (Step::Downgrade { from, to }, _) => Step::Upgrade {
                from: to.clone(),
                to: from.clone(),
            },
        };
        Some(Self {
            application: self.application.clone(),
            step,
            options: self.options.of_reverse(),
        })
    }

    /// What taking the operation back cannot bring back.
    pub fn loss(&self) -> &'static str {
        match self.step {
            Step::Start(_) => "what the application did since it was started is lost",
            Step::Stop(_) | Step::Unload(_) => {
                "the application runs again, the state that its processes had is lost"
            }
            Step::Upgrade { .. } => {
                "states were converted back, what only the later version knows is lost"
            }
            Step::Downgrade { .. } => {
                "states were converted again, what only the later version knows is lost"
            }
            Step::Set(_) => {
                "states were converted back, what only the other versions know is lost, and what was stopped runs anew"
            }
        }
    }

    /// The version that runs when the operation is done, `None` for none.
    pub fn result(&self) -> Option<&str> {
        match &self.step {
            Step::Start(version) => Some(&version.vsn),
            Step::Stop(_) | Step::Unload(_) => None,
            Step::Upgrade { to, .. } | Step::Downgrade { to, .. } => Some(&to.vsn),
            Step::Set(changes) => changes.first()?.result(),
        }
    }

    /// The outcome of an operation that did what was asked.
    pub fn done(&self) -> Outcome {
        match self.step {
            Step::Start(_) => Outcome::Started,
            Step::Stop(_) => Outcome::Stopped,
            Step::Unload(_) => Outcome::Unloaded,
            Step::Upgrade { .. } => Outcome::Upgraded,
            Step::Downgrade { .. } => Outcome::Downgraded,
            Step::Set(_) => Outcome::Changed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Change;
    use crate::term::print;

    fn one(name: &str, step: fn(Version, Version) -> Step) -> Operation {
        let version = |vsn: &str| Version {
            vsn: vsn.to_owned(),
            dir: None,
        };
        let application = Atom::new(name).expect("a name");
        Operation::new(application, step(version("1"), version("2")))
    }

    fn up(name: &str) -> Operation {
        one(name, |from, to| Step::Upgrade { from, to })
    }

    fn set() -> Operation {
        let changes = vec![up("a"), up("b"), one("c", |_, to| Step::Start(to))];
        Operation::together(changes, &Options::default()).expect("a set")
    }

    #[test]
    fn one_is_as_it_is_and_several_are_one_request() {
        let alone = Operation::together(vec![up("a")], &Options::default());
        assert_eq!(alone, Some(up("a")));
        assert_eq!(Operation::together(Vec::new(), &Options::default()), None);
        let call = set().request(Duration::from_secs(1), None);
        let changes = call.arguments[0].get("changes").expect("changes");
        let expected = r#"[#{operation => upgrade,application => <<"a">>,from => <<"1">>,to => <<"2">>},#{operation => upgrade,application => <<"b">>,from => <<"1">>,to => <<"2">>},#{operation => start,application => <<"c">>,vsn => <<"2">>}]"#;
        let without = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(without(&print::compact(changes)), without(expected));
        assert_eq!(set().subject(), "a b c");
    }

    #[test]
    fn only_what_was_carried_out_is_reversed() {
        let change = |name: &str, outcome| Change {
            application: name.to_owned(),
            outcome: Some(outcome),
            running: None,
        };
        let mut answer = Answer::new(Class::Done, Outcome::Changed, None);
        let already = change("a", Outcome::AlreadyRunning);
        answer.changes = vec![
            already,
            change("b", Outcome::Upgraded),
            change("c", Outcome::Started),
        ];
        assert!(set().changed(&answer) && set().is_achieved_by(&answer.outcome));
        let back = set()
            .carried_out(&answer)
            .reverse(&answer.outcome)
            .expect("a way");
        let names: Vec<_> = back
            .changes()
            .iter()
            .map(|one| (one.name(), one.application.as_str()))
            .collect();
        assert_eq!(names, [("stop", "c"), ("downgrade", "b")]);
    }
}
