//! The journal on disk: read once, written at each step.

use crate::line::chain;
use crate::maint::{Journal, Minimum, Record, State, Subject};
use crate::places;
use crate::record::{RecordLog, Time};
use crate::term::Atom;
use std::cell::{Cell, RefCell};
use std::path::Path;

/// The journal, and the script that writes into it.
pub struct Log {
    log: RecordLog,
    script: String,
    warn: Box<dyn Fn(&str)>,
    journal: RefCell<Journal>,
    told: Cell<bool>,
}

/// What is noted of an application.
#[derive(Clone, Debug, Default)]
pub struct Note {
    /// The node, where it is about one alone.
    pub node: Option<String>,
    /// What ran.
    pub from: Option<Subject>,
    /// What is to run.
    pub to: Option<Subject>,
    /// Why, where that is to be said.
    pub reason: Option<String>,
    /// What the version that is to run asks for.
    pub needs: Vec<Minimum>,
}

impl Log {
    /// The journal below `state`, written by `script`. `warn` is told what cannot be read or written.
    pub fn open(state: &Path, script: String, warn: Box<dyn Fn(&str)>) -> Self {
        let log = RecordLog::open(places::State(state).journal());
        let (records, told) = match log.read::<Record>() {
            Ok((records, tail)) => {
                for line in &tail.corrupt {
                    warn(&line.to_string());
                }
                (records, false)
            }
            Err(error) => {
                warn(&chain(&error));
                (Vec::new(), true)
            }
        };
        let journal = Journal::replay(records);
        if journal.refused > 0 {
            let text = format!(
                "{} records of the journal name what erlrc would not; they are passed over",
                journal.refused
            );
            warn(&text);
        }
        Self {
            log,
            script,
            warn,
            journal: RefCell::new(journal),
            told: Cell::new(told),
        }
    }

    /// What is open.
    pub fn journal(&self) -> Journal {
        self.journal.borrow().clone()
    }

    /// Notes how far `application` has come. Who cannot write goes on without, and says so once.
    pub fn note(&self, state: State, application: &Atom, note: Note) {
        let record = Record {
            time: Time::now().to_string(),
            script: self.script.clone(),
            state,
            application: application.to_string(),
            node: note.node,
            from: note.from,
            to: note.to,
            reason: note.reason,
            needs: note.needs.into_iter().map(need).collect(),
        };
        if let Err(error) = self.log.append(&record)
            && !self.told.replace(true)
        {
            (self.warn)(&format!("not written down: {}", chain(&error)));
        }
        self.journal.borrow_mut().note(record);
    }
}

fn need(minimum: Minimum) -> (String, String) {
    (minimum.application.to_string(), minimum.vsn)
}
