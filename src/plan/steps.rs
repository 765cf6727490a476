//! What would run: the instructions of a script, why each is there, how they are cut into segments, and
//! which evaluator runs them.

use super::live::Live;
use crate::appup::{after_commit, is_system};
use crate::script::Script;
use crate::term::{Atom, Term};
use serde::Serialize;

/// What would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// `shipped` or `generated`.
    pub source: &'static str,
    /// `transactional` or `release_handler`.
    pub evaluator: &'static str,
    /// Why that one.
    pub evaluator_reason: String,
    /// How many segments there are: each is carried out as a whole or not at all.
    pub segments: usize,
    /// The instructions in their order.
    pub instructions: Vec<Step>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The instruction as appup(5) has it.
    pub instruction: String,
    /// The module or application that it is about.
    pub subject: Option<String>,
    /// The number of its segment, from 1. What is called when every node has committed has that of the last one.
    pub segment: usize,
    /// Why it is there; nothing for those of a shipped appup.
    pub reasons: Vec<String>,
}

impl Steps {
    /// Takes a node's answer in the place of the default.
    pub fn runs_with(&mut self, live: &Live) {
        if self.evaluator != live.evaluator || live.evaluator == DEFAULT {
            self.evaluator = live.evaluator;
            self.evaluator_reason = "the node says so".to_owned();
        }
    }

    /// The steps of `script`, which is one of `application`.
    pub fn new(application: &Atom, script: &Script) -> Self {
        let mut cut = Cut::default();
        let mut instructions = Vec::with_capacity(script.instructions.len());
        for (at, instruction) in script.instructions.iter().enumerate() {
            let reasons = script.reasons.get(at).map(Vec::as_slice);
            let after = after_commit::call(instruction).is_some();
            instructions.push(Step {
                segment: cut.segment_of(instruction),
                instruction: instruction.to_string(),
                subject: subject(instruction).map(ToString::to_string),
                reasons: reasons
                    .unwrap_or_default()
                    .iter()
                    .map(ToString::to_string)
                    .chain(after.then(|| AFTER_COMMIT.to_owned()))
                    .collect(),
            });
        }
        let (evaluator, evaluator_reason) = evaluator(application, &script.instructions);
        Self {
            source: if script.generated {
                "generated"
            } else {
                "shipped"
            },
            evaluator,
            evaluator_reason,
            segments: cut.segment,
            instructions,
        }
    }
}

/// When the calls follow that belong to no segment.
const AFTER_COMMIT: &str =
    "is called when every node has committed; nothing is taken back where it fails";

/// Cuts a script at its barriers: all code changes between two of them are one segment.
#[derive(Default)]
struct Cut {
    segment: usize,
    batch: bool,
}

impl Cut {
    fn segment_of(&mut self, instruction: &Term) -> usize {
        // It is no part of what is carried out as a whole.
        if after_commit::call(instruction).is_some() {
            return self.segment;
        }
        let batch = !is_barrier(instruction);
        if !(batch && self.batch) {
            self.segment += 1;
        }
        self.batch = batch;
        self.segment
    }
}

const BARRIERS: [&str; 7] = [
    "apply",
    "stop",
    "start",
    "purge",
    "add_application",
    "remove_application",
    "restart_application",
];

/// Whether an instruction ends a segment.
pub fn is_barrier(instruction: &Term) -> bool {
    after_commit::call(instruction).is_none()
        && tag(instruction).is_some_and(|tag| BARRIERS.contains(&tag.as_str()))
}

/// The name of an instruction.
pub fn tag(instruction: &Term) -> Option<&Atom> {
    instruction
        .as_atom()
        .or_else(|| instruction.as_tuple()?.first()?.as_atom())
}

/// The module or application that an instruction is about.
pub fn subject(instruction: &Term) -> Option<&Atom> {
    if let Some([module, ..]) = after_commit::call(instruction) {
        return module.as_atom();
    }
    let second = instruction.as_tuple()?.get(1)?;
    second
        .as_atom()
        .or_else(|| second.as_tuple()?.first()?.as_atom())
}

/// Whether an instruction asks for a new emulator.
pub fn restarts_emulator(instruction: &Term) -> bool {
    tag(instruction)
        .is_some_and(|tag| matches!(tag.as_str(), "restart_new_emulator" | "restart_emulator"))
}

const DEFAULT: &str = "transactional";

/// What a node that is not told otherwise runs the script with. Where a node was asked, its answer takes the
/// place of this one.
fn evaluator(application: &Atom, instructions: &[Term]) -> (&'static str, String) {
    let synchronises =
        |instruction: &&Term| tag(instruction).is_some_and(|tag| *tag == *"sync_nodes");
    if is_system(application) {
        let reason = format!("{application} is what everything runs on");
        return ("release_handler", reason);
    }
    if let Some(restart) = instructions.iter().find(|i| restarts_emulator(i)) {
        return ("release_handler", format!("the script asks for {restart}"));
    }
    if instructions.iter().any(|i| synchronises(&i)) {
        let reason = "the script waits for other nodes (sync_nodes)".to_owned();
        return ("release_handler", reason);
    }
    let reason = "the default; no node was asked which one it is set to";
    (DEFAULT, reason.to_owned())
}

/// Whether an instruction stops an application and starts it again.
pub fn restarts_application(instruction: &Term) -> bool {
    tag(instruction).is_some_and(|tag| *tag == *"restart_application")
}
