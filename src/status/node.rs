//! What a node says of itself: the answer to the operation `status`.

use crate::outcome::Outcome;
use crate::term::{Atom, Term};
use serde::Serialize;

/// More characters than this are of no use to anybody.
const LONGEST_TEXT: usize = 1000;

/// How a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeFacts {
    /// OTP's release, `25`.
    pub otp_release: String,
    /// The emulator's version, `13.1.5`.
    pub erts: String,
    /// The version of erlrc that is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erlrc: Option<String>,
    /// Its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_pid: Option<u32>,
    /// OTP's root directory.
    #[serde(skip)]
    pub root: Option<String>,
    /// How long it has been up, in milliseconds.
    #[serde(rename = "uptime_ms")]
    pub uptime: u64,
    /// The loaded applications.
    #[serde(skip)]
    pub applications: Vec<Loaded>,
    /// The applications that an operation has stopped since.
    #[serde(skip)]
    pub stopped: Vec<String>,
    /// The operation that it carries out just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Current>,
    /// The upgrade whose way back it keeps open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The last provisional upgrade that went back by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back: Option<WentBack>,
    /// What its operations could not put right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsettled: Vec<Unsettled>,
    /// Modules with processes in their old code.
    pub old_code: Vec<OldCode>,
    /// How many modules have old code, run or not.
    pub old_modules: u64,
    /// Whether it had time to ask all processes about all of them.
    pub complete: bool,
}

/// A loaded application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its name.
    pub name: String,
    /// Its version.
    pub vsn: String,
    /// Whether it runs.
    pub state: State,
    /// The application in which it runs.
    pub includer: Option<String>,
    /// Its directory.
    pub dir: Option<String>,
    /// What a restart of the node brings in its place.
    pub after_restart: Option<AfterRestart>,
    /// Native libraries of an earlier version that run on.
    pub old_libraries: Vec<String>,
}

/// The version that the boot script of a release has, where another one runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AfterRestart {
    /// The version.
    pub vsn: String,
    /// The name and the version of the release.
    pub release: String,
    /// The boot script.
    pub script: String,
}

/// How an application stands on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It runs itself.
    Running,
    /// It runs inside another.
    Included,
    /// It is loaded and does not run.
    Loaded,
    /// The node has nothing of it.
    Absent,
    /// The node does not say.
    Unknown,
}

/// An operation on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Current {
    /// Which.
    pub name: String,
    /// Of which application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Since when, in milliseconds since 1970, by the node's clock.
    #[serde(rename = "since_ms")]
    pub since: u64,
    /// How many wait behind it.
    pub waiting: u64,
}

/// An upgrade that is done and whose way back is kept open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Of which application.
    pub application: String,
    /// The version to which the way back leads.
    pub from: String,
    /// The version that runs.
    pub to: String,
    /// For how long yet, in milliseconds.
    #[serde(rename = "left_ms")]
    pub left: u64,
    /// What happens then: `confirm` or `revert`.
    pub over: String,
    /// Its number, by which it is confirmed or taken back.
    #[serde(skip)]
    pub held: Option<String>,
    /// The applications one by one.
    #[serde(skip)]
    pub changes: Vec<Replaced>,
    /// Service and version of the release that is on trial so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// What an upgrade has replaced of one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The application.
    pub application: String,
    /// The version before.
    pub from: String,
    /// The version after.
    pub to: String,
}

/// A provisional upgrade that nobody has confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WentBack {
    /// Of which application.
    pub application: String,
    /// The version to which the way back leads.
    pub from: String,
    /// The version that ran until then.
    pub to: String,
    /// `time_is_over` or `guardian_killed`.
    pub why: String,
    /// `reverted`, `not_reverted` or `not_rolled_back`.
    pub outcome: String,
    /// Why it has not gone back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in milliseconds since 1970, by the node's clock.
    #[serde(rename = "since_ms")]
    pub since: u64,
    /// Whether another operation has begun since.
    pub later: bool,
    /// The applications one by one.
    #[serde(skip)]
    pub changes: Vec<Replaced>,
}

impl Held {
    /// Whether it goes back by itself.
    pub fn is_provisional(&self) -> bool {
        self.over == "revert"
    }
}

/// What an operation could not put right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsettled {
    /// Of which application.
    pub application: String,
    /// Which operation.
    pub operation: String,
    /// The version that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that it was to lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Since when, in milliseconds since 1970, by the node's clock.
    #[serde(rename = "since_ms")]
    pub since: u64,
    /// What is left, each in a few words.
    pub left: Vec<String>,
}

impl Unsettled {
    /// The operation, in words.
    pub fn what(&self) -> String {
        let versions = match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!(" from {from} to {to}"),
            _ => String::new(),
        };
        format!("{} of {}{versions}", self.operation, self.application)
    }
}

/// A module whose old code is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OldCode {
    /// The module.
    pub module: String,
    /// Its application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// When its code became old, in milliseconds since 1970.
    #[serde(rename = "since_ms", skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Who runs it, some of them.
    pub processes: Vec<Process>,
    /// How many do.
    pub count: u64,
}

/// A process in old code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// Its identifier.
    pub pid: String,
    /// The name it is registered by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The function it began in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_call: Option<String>,
    /// The function it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
}

impl NodeFacts {
    /// Reads an answer; `None` where it is none, as that of a node that does not know the question.
    pub fn parse(answer: &Term) -> Option<Self> {
        Some(Self {
            otp_release: text(answer, "otp_release")?,
            erts: text(answer, "erts")?,
            erlrc: text(answer, "erlrc"),
            os_pid: text(answer, "os_pid").and_then(|pid| pid.parse().ok()),
            root: text(answer, "root"),
            uptime: number(answer, "uptime")?,
            applications: list(answer, "applications", loaded),
            stopped: list(answer, "stopped", line),
            operation: answer.get("operation").and_then(current),
            held: answer.get("held").and_then(held),
            went_back: answer.get("went_back").and_then(went_back),
            unsettled: list(answer, "unsettled", unsettled),
            old_code: list(answer, "old_code", old_code),
            old_modules: number(answer, "old_modules").unwrap_or(0),
            complete: answer
                .get("complete")
                .and_then(Term::as_bool)
                .unwrap_or(false),
        })
    }
}

fn loaded(term: &Term) -> Option<Loaded> {
    Some(Loaded {
        name: text(term, "name")?,
        vsn: text(term, "vsn")?,
        state: match term
            .get("state")
            .and_then(Term::as_atom)
            .map(Atom::as_str)?
        {
            "running" => State::Running,
            "included" => State::Included,
            "loaded" => State::Loaded,
            _ => State::Unknown,
        },
        includer: text(term, "includer"),
        dir: text(term, "dir"),
        after_restart: term.get("after_restart").and_then(after_restart),
        old_libraries: list(term, "old_libraries", line),
    })
}

fn after_restart(term: &Term) -> Option<AfterRestart> {
    Some(AfterRestart {
        vsn: text(term, "vsn")?,
        release: text(term, "release")?,
        script: text(term, "script")?,
    })
}

fn current(term: &Term) -> Option<Current> {
    Some(Current {
        name: text(term, "name")?,
        application: text(term, "application"),
        since: number(term, "since")?,
        waiting: number(term, "waiting").unwrap_or(0),
    })
}

fn held(term: &Term) -> Option<Held> {
    Some(Held {
        application: text(term, "application")?,
        from: text(term, "from")?,
        to: text(term, "to")?,
        left: number(term, "left").unwrap_or(0),
        over: word(term, "over").unwrap_or_else(|| "confirm".to_owned()),
        held: text(term, "held"),
        changes: list(term, "changes", replaced),
        release: text(term, "release"),
    })
}

fn replaced(term: &Term) -> Option<Replaced> {
    Some(Replaced {
        application: text(term, "application")?,
        from: text(term, "from")?,
        to: text(term, "to")?,
    })
}

fn went_back(term: &Term) -> Option<WentBack> {
    Some(WentBack {
        application: text(term, "application")?,
        from: text(term, "from")?,
        to: text(term, "to")?,
        why: word(term, "why")?,
        outcome: word(term, "outcome")?,
        reason: text(term, "reason"),
        since: number(term, "since")?,
        later: term.get("later").and_then(Term::as_bool).unwrap_or(false),
        changes: list(term, "changes", replaced),
    })
}

/// An atom that is a word.
fn word(term: &Term, key: &str) -> Option<String> {
    let word = term.get(key)?.as_atom()?.as_str();
    Outcome::parse(word).map(|word| word.to_string())
}

fn unsettled(term: &Term) -> Option<Unsettled> {
    Some(Unsettled {
        application: text(term, "application")?,
        operation: text(term, "operation")?,
        from: text(term, "from"),
        to: text(term, "to"),
        since: number(term, "since").unwrap_or(0),
        left: list(term, "left", line),
    })
}

fn old_code(term: &Term) -> Option<OldCode> {
    let process = |term: &Term| {
        Some(Process {
            pid: text(term, "pid")?,
            name: text(term, "name"),
            initial_call: text(term, "initial_call"),
            current: text(term, "current"),
        })
    };
    let processes = list(term, "processes", process);
    Some(OldCode {
        module: text(term, "module")?,
        application: text(term, "application"),
        since: number(term, "since"),
        count: number(term, "count").unwrap_or(processes.len() as u64),
        processes,
    })
}

pub(super) fn list<T>(term: &Term, key: &str, item: impl Fn(&Term) -> Option<T>) -> Vec<T> {
    let elements = term.get(key).and_then(Term::elements).unwrap_or_default();
    elements.iter().filter_map(item).collect()
}

pub(super) fn text(term: &Term, key: &str) -> Option<String> {
    term.get(key).and_then(line)
}

/// Text of a node, fit for one line.
pub(super) fn line(term: &Term) -> Option<String> {
    let text = String::from_utf8_lossy(term.as_binary()?).into_owned();
    Some(
        text.chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_TEXT)
            .collect(),
    )
}

pub(super) fn number(term: &Term, key: &str) -> Option<u64> {
    u64::try_from(term.get(key)?.as_integer()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, external, text::parse_all};

    const ANSWER: &str = r#"#{protocol => 1, status => ok, outcome => status, otp_release => <<"25">>,
        erts => <<"13.1.5">>, os_pid => <<"4711">>, uptime => 9000, later => [x], stopped => [<<"baz">>, x], old_modules => 2,
        complete => true, operation => #{name => <<"upgrade">>, application => <<"foo">>, since => 7, waiting => 1},
        held => #{application => <<"foo">>, from => <<"1.0">>, to => <<"1.1">>, left => 9},
        applications => [#{name => <<"foo">>, vsn => <<"1.0">>, state => included, includer => <<"bar">>},
            #{name => <<"b">>, vsn => <<"2">>, state => of_a_later_version}, #{}, odd],
        old_code => [#{module => <<"foo_server">>, since => 5, count => 3,
            processes => [#{pid => <<"<0.1.0>">>, initial_call => <<"foo:init/1">>}]}]}."#;

    fn answer() -> Term {
        parse_all(ANSWER.as_bytes(), &Limits::default())
            .expect("terms")
            .remove(0)
    }

    #[test]
    fn an_answer_is_read_as_far_as_it_is_understood() {
        let facts = NodeFacts::parse(&answer()).expect("an answer");
        assert_eq!(
            (facts.os_pid, facts.uptime, facts.complete, facts.erlrc),
            (Some(4711), 9000, true, None)
        );
        let states: Vec<_> = facts
            .applications
            .iter()
            .map(|app| (app.state, app.includer.as_deref()))
            .collect();
        assert_eq!(
            states,
            [(State::Included, Some("bar")), (State::Unknown, None)]
        );
        assert_eq!(facts.stopped, ["baz"]);
        assert_eq!(facts.operation.map(|operation| operation.waiting), Some(1));
        let held = facts.held.expect("what is held");
        assert_eq!(
            (held.from.as_str(), held.to.as_str(), held.left),
            ("1.0", "1.1", 9)
        );
        assert_eq!(
            (facts.old_code[0].count, facts.old_code[0].processes.len()),
            (3, 1)
        );
        assert_eq!(NodeFacts::parse(&Term::NIL), None);
    }

    #[test]
    fn every_mutation_of_an_answer_is_read_or_refused() {
        let whole = external::encode(&answer());
        for at in 0..whole.len() {
            for value in 0..=255 {
                let mut mutated = whole.clone();
                mutated[at] = value;
                if let Ok(term) = external::decode(&mutated, &Limits::default()) {
                    let read = serde_json::to_string(&NodeFacts::parse(&term)).expect("JSON");
                    assert!(!read.contains("\\u00"), "{read}");
                }
            }
        }
    }
}
