//! What a node is at, shown on a terminal while the hook waits for its answer.
//!
//! The connection is busy with the call, so another one asks. Nothing of it where standard error is no
//! terminal, nor for what is over soon; and never does the hook wait for it.

use crate::cli::{Connection, nodes, output};
use crate::cluster::request::question;
use crate::node::{Deadline, Node};
use crate::rendezvous::Entry;
use crate::term::{Atom, Term};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is over by then is not shown.
const SOON: Duration = Duration::from_millis(300);
/// How often the node is asked.
const EVERY: Duration = Duration::from_millis(200);
/// How long it may take to answer that.
const PATIENCE: Duration = Duration::from_secs(1);
/// The cursor stays where the line of outcomes is being written.
const SAVE: &str = "\u{1b}7";
const RESTORE: &str = "\u{1b}8";
const REST_OF_LINE: &str = "\u{1b}[K";

/// Progress that is shown until this is dropped.
pub struct Progress {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Shown,
    Over,
}

impl Progress {
    /// Shows what the node of `entry` is at, where somebody can see it.
    pub fn of(entry: &Entry, connection: &Connection) -> Option<Self> {
        std::io::stderr().is_terminal().then(|| {
            let state = Arc::new(Mutex::new(State::Waiting));
            let (shown, entry, connection) =
                (Arc::clone(&state), entry.clone(), connection.clone());
            // Nobody joins it: where it hangs it ends with the hook.
            thread::spawn(move || show(&shown, &entry, &connection));
            Self { state }
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::Shown {
            output::error_text(REST_OF_LINE);
        }
        *state = State::Over;
    }
}

fn show(state: &Mutex<State>, entry: &Entry, connection: &Connection) {
    let started = Instant::now();
    thread::sleep(SOON);
    let mut node: Option<Node> = None;
    while draw(state, &line(entry, node.as_mut(), started.elapsed())) {
        thread::sleep(EVERY);
        node = node.or_else(|| nodes::connect(entry, connection).ok());
    }
}

/// Whether the hook still waits.
fn draw(state: &Mutex<State>, line: &str) -> bool {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if *state == State::Over {
        return false;
    }
    *state = State::Shown;
    output::error_text(&format!("{SAVE} {line}{REST_OF_LINE}{RESTORE}"));
    true
}

fn line(entry: &Entry, node: Option<&mut Node>, elapsed: Duration) -> String {
    let answer = node.and_then(|node| {
        node.call(question("progress"), Deadline::after(PATIENCE))
            .ok()
    });
    let progress = answer.as_ref().and_then(|answer| answer.get("progress"));
    in_words(entry.name.local(), progress, elapsed)
}

fn in_words(node: &str, progress: Option<&Term>, elapsed: Duration) -> String {
    let number = |key| progress?.get(key)?.as_integer();
    let stage = progress.and_then(|progress| progress.get("stage")?.as_atom().map(Atom::as_str));
    let standing = number("done")
        .zip(number("total"))
        .map(|(done, total)| format!(" {done} of {total} processes,"));
    let stage = stage.map_or_else(String::new, |stage| format!(" {stage},"));
    let text = format!(
        "[{node}:{stage}{} {:.0} s]",
        standing.unwrap_or_default(),
        elapsed.as_secs_f64()
    );
    output::printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text::parse_all};

    #[track_caller]
    fn case(progress: &str, expected: &str) {
        let term = parse_all(progress.as_bytes(), &Limits::default())
            .expect("terms")
            .remove(0);
        assert_eq!(
            in_words("n1", Some(&term), Duration::from_secs(3)),
            expected
        );
    }

    #[test]
    fn progress_is_told_as_far_as_it_is_known() {
        case(
            "#{stage => quiesce, done => 7, total => 9}.",
            "[n1: quiesce, 7 of 9 processes, 3 s]",
        );
        case("#{stage => prepare}.", "[n1: prepare, 3 s]");
        case("#{stage => '\\e[2J'}.", "[n1: [2J, 3 s]");
        case("odd.", "[n1: 3 s]");
        assert_eq!(in_words("n1", None, Duration::from_secs(0)), "[n1: 0 s]");
    }

    #[test]
    fn what_is_over_is_not_drawn() {
        assert!(!draw(&Mutex::new(State::Over), "x"));
    }
}
