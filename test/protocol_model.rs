//! A model of the protocol by which an upgrade ends entirely old or entirely new, explored exhaustively.
//!
//! `Step` is what the evaluator does between two entries of its journal (`erlrc_window`, `erlrc_execution`). `Journal` holds
//! the entries that decide how an operation ends; the guardian has a copy of them. Their order is that of real upgrades:
//! `strike_SUITE` holds `protocol_journal` against the journals that a node writes, this model is held against it below.
//! `settle` stands for `erlrc_undo`, which the guardian runs, or the evaluator if the guardian is dead. Either may die
//! before any step, and a step of the evaluator may fail. A handle is locked as in `erlrc_commit`.

use std::collections::HashSet;

const WORKERS: usize = 2;

/// What the journal says of the window, the latest entry that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Journal {
    Empty,
    Open,
    Changing,
    Migrated,
    Confirmed,
    Released,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Worker {
    stands: bool,
    new_state: bool,
    kept: bool,
    /// It has done something since it went on with its new state.
    worked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Note(Journal),
    Suspend(usize),
    Commit,
    Migrate(usize),
    Resume(usize),
    Forget(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    workers: [Worker; WORKERS],
    new_code: bool,
    /// How often the prepared handle was finished: twice kills the node.
    finished: u8,
    /// What a process did was overwritten by an earlier state.
    lost: bool,
    journal: Journal,
    /// The next step of the evaluator; `None`: it is dead or through.
    next: Option<usize>,
    guardian: bool,
}

/// The protocol, and the ways in which it can be spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Real,
    /// Changes first, notes afterwards.
    NotesLate,
    /// Confirms when the first worker runs again.
    ConfirmsLate,
    /// Lets everybody go on without a look at what has changed.
    OnlyReleases,
    /// The way back takes the handle that the way there has used.
    FinishesAgain,
}

impl Protocol {
    fn steps(self) -> Vec<Step> {
        let all = |step: fn(usize) -> Step| (0..WORKERS).map(step).collect::<Vec<Step>>();
        let quiesce = [vec![Step::Note(Journal::Open)], all(Step::Suspend)].concat();
        let change = [vec![Step::Commit], all(Step::Migrate)].concat();
        let changing = vec![Step::Note(Journal::Changing)];
        let settled = vec![
            Step::Note(Journal::Migrated),
            Step::Note(Journal::Confirmed),
        ];
        let resume = all(Step::Resume);
        let end = [vec![Step::Note(Journal::Released)], all(Step::Forget)].concat();
        match self {
            Self::NotesLate => [quiesce, change, changing, settled, resume, end].concat(),
            Self::ConfirmsLate => {
                let (first, rest) = (resume[..1].to_vec(), resume[1..].to_vec());
                [quiesce, changing, change, first, settled, rest, end].concat()
            }
            _ => [quiesce, changing, change, settled, resume, end].concat(),
        }
    }
}

impl Node {
    fn before() -> Self {
        let worker = Worker {
            stands: false,
            new_state: false,
            kept: false,
            worked: false,
        };
        Self {
            workers: [worker; WORKERS],
            new_code: false,
            finished: 0,
            lost: false,
            journal: Journal::Empty,
            next: Some(0),
            guardian: true,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Note(entry) => self.journal = entry,
            Step::Suspend(worker) => self.workers[worker].stands = true,
            Step::Commit => {
                self.new_code = true;
                self.finished += 1;
            }
            Step::Migrate(worker) => {
                self.workers[worker].kept = true;
                self.workers[worker].new_state = true;
            }
            Step::Resume(worker) => self.workers[worker].stands = false,
            Step::Forget(worker) => self.workers[worker].kept = false,
        }
    }

    /// Ends what did not end by itself, as the journal has it.
    fn settle(&mut self, protocol: Protocol) {
        if self.journal == Journal::Changing && protocol != Protocol::OnlyReleases {
            for worker in self.workers.iter_mut().filter(|worker| worker.kept) {
                worker.new_state = false;
                self.lost |= worker.worked;
            }
            if self.new_code && protocol == Protocol::FinishesAgain {
                self.finished += 1;
            }
            self.new_code = false;
        }
        if self.journal == Journal::Migrated {
            // A window of its own in which all stand; the old code is prepared anew, and the state of whoever
            // has worked is changed back, not put back.
            for worker in &mut self.workers {
                worker.new_state = false;
            }
            self.new_code = false;
        }
        for worker in &mut self.workers {
            worker.stands = false;
            worker.kept = false;
        }
        self.next = None;
        self.guardian = false;
    }

    /// What may come next. One process dies at most: the guardian is there for the evaluator, and the other way round.
    fn successors(&self, protocol: Protocol, steps: &[Step]) -> Vec<Self> {
        let Some(at) = self.next else { return vec![] };
        let with = |change: &dyn Fn(&mut Self)| {
            let mut node = self.clone();
            change(&mut node);
            node
        };
        // Whoever is left settles it: the evaluator is killed, or its step fails.
        let mut all = vec![with(&|node| node.settle(protocol))];
        if self.guardian {
            // The evaluator goes on, and settles it itself where a step fails.
            all.push(with(&|node| node.guardian = false));
        }
        for (index, worker) in self.workers.iter().enumerate() {
            if !worker.stands && worker.new_state {
                all.push(with(&|node| node.workers[index].worked = true));
            }
        }
        all.push(with(&|node| {
            node.take(steps[at]);
            node.next = Some(at + 1).filter(|next| *next < steps.len());
        }));
        all
    }

    /// Never a mixture for whoever runs, and nobody is forgotten at the end.
    fn violation(&self) -> Option<&'static str> {
        let mixed = |worker: &Worker| !worker.stands && worker.new_state != self.new_code;
        let over = self.next.is_none();
        if self.workers.iter().any(mixed) {
            Some("a process runs with the state of the other version")
        } else if self.finished > 1 {
            Some("a handle was finished twice")
        } else if self.lost {
            Some("what a process did is lost")
        } else if over && self.workers.iter().any(|worker| worker.stands) {
            Some("a process stands for ever")
        } else if over && self.workers.iter().any(|worker| worker.kept) {
            Some("a process keeps a state that nobody will ask for")
        } else if over && self.journal >= Journal::Confirmed && !self.new_code {
            Some("confirmed, and back at the old version")
        } else {
            None
        }
    }
}

/// All nodes that can come about; the first that must not, with how many were seen.
fn explore(protocol: Protocol) -> (usize, Option<&'static str>) {
    let steps = protocol.steps();
    let mut seen = HashSet::new();
    let mut open = vec![Node::before()];
    while let Some(node) = open.pop() {
        if let Some(violation) = node.violation() {
            return (seen.len(), Some(violation));
        }
        if seen.insert(node.clone()) {
            open.extend(node.successors(protocol, &steps));
        }
    }
    (seen.len(), None)
}

#[test]
fn the_model_notes_what_a_node_notes() {
    let noted = Protocol::Real
        .steps()
        .into_iter()
        .filter_map(|step| match step {
            Step::Note(entry) => Some(format!("{entry:?}\n").to_lowercase()),
            _ => None,
        });
    assert_eq!(noted.collect::<String>(), include_str!("protocol_journal"));
}

#[test]
fn whoever_dies_at_whatever_step_the_node_ends_old_or_new() {
    let (seen, violation) = explore(Protocol::Real);
    assert_eq!(violation, None);
    assert!(seen > 2 * Protocol::Real.steps().len(), "{seen}");
}

#[test]
fn a_spoilt_protocol_is_found_out() {
    let found = |protocol| explore(protocol).1;
    let mixture = Some("a process runs with the state of the other version");
    assert_eq!(found(Protocol::NotesLate), mixture);
    assert_eq!(found(Protocol::OnlyReleases), mixture);
    assert_eq!(
        found(Protocol::FinishesAgain),
        Some("a handle was finished twice")
    );
    assert_eq!(
        found(Protocol::ConfirmsLate),
        Some("what a process did is lost")
    );
}
