//! What an upgrade would do, and what would go wrong: the script with its reasons, and findings from the
//! files of both versions and of everything around them.
//!
//! Reads files and nothing else; loads no code and asks no node. What a node knows comes in as
//! [`Surroundings`], and what it has found itself by [`Plan::add`].

mod checks;
mod code;
mod compared;
mod finding;
mod kinds;
mod live;
mod report;
mod steps;
mod surroundings;
mod verdict;

pub use finding::{Finding, Severity};
pub use kinds::{FILES, NODE};
pub use live::Live;
#[cfg(test)]
pub use report::empty;
pub use report::{Modules, Place, Plan};
pub use steps::{Step, Steps};
pub use surroundings::Surroundings;
pub use verdict::Verdict;

use crate::application::Application;
use crate::appup::Direction;
use crate::script::{self, Age, Comparison, Found, Options, Script, ScriptError, Side, Version};
use crate::term::{Atom, Term};
use checks::Case;
use compared::Compared;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

/// The version of the form that a plan has as JSON: what is in it stays, more may come.
pub const SCHEMA: u32 = 1;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The application.
    pub application: &'a Atom,
    /// The version that runs.
    pub from: (&'a str, &'a PathBuf),
    /// The version that is to run.
    pub to: (&'a str, &'a PathBuf),
    /// Whether that is the later one.
    pub direction: Direction,
    /// What may be chosen of the script.
    pub options: &'a Options,
    /// What else there is.
    pub around: &'a Surroundings,
    /// How much is looked at.
    pub depth: Depth,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The modules that differ: what a hook has time for.
    Changes,
    /// All of both versions, and everything around them.
    Everything,
}

/// The plan that answers a question.
///
/// # Errors
/// Where the specification of either version cannot be read. Anything else that is wrong is a finding.
pub fn plan(question: &Question<'_>) -> Result<Plan, ScriptError> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(compared::STACK);
        match builder.spawn_scoped(scope, || answer(question)) {
            Ok(worker) => worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Where a thread cannot be had, the work is done without its stack.
            Err(_) => answer(question),
        }
    })
}

fn answer(question: &Question<'_>) -> Result<Plan, ScriptError> {
    let started = Instant::now();
    let (from, to) = specifications(question)?;
    let mut plan = report::empty(question);
    let comparison = compare(question);
    let script = script(question, &comparison);
    let dirs = (question.from.1.as_path(), question.to.1.as_path());
    let compared = comparison.and_then(|comparison| {
        Ok(Compared::read(
            &comparison,
            question.direction,
            dirs,
            question.depth,
        )?)
    });
    let errors = [script.as_ref().err(), compared.as_ref().err()];
    plan.add(
        errors
            .into_iter()
            .flatten()
            .next()
            .map(|error| no_script(question, error)),
    );
    let (script, compared) = (script.ok(), compared.unwrap_or_default());
    let later = match question.direction {
        Direction::Up => question.to.1,
        Direction::Down => question.from.1,
    };
    let opt_in = script::opt_in::decide(question.application, later, &question.options.migrate);
    let named = script::named::find(question.application, later, &question.options.migrate);
    let case = Case {
        from: &from,
        from_dir: question.from.1,
        to: &to,
        to_dir: question.to.1,
        compared: &compared,
        script: script.as_ref(),
        around: question.around,
        opt_in: &opt_in,
        named: &named,
        threads: crate::installed::threads(),
    };
    plan.add(checks::of_changes(&case));
    plan.add(script.iter().flat_map(|script| restarts(question, script)));
    if question.depth == Depth::Everything {
        plan.add(checks::of_surroundings(&case));
        plan.add(
            script
                .as_ref()
                .and_then(|script| irreversible(question, script)),
        );
    }
    plan.script = script.map(|script| Steps::new(question.application, &script));
    plan.modules = report::modules(&compared);
    plan.microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    Ok(plan)
}

fn version((vsn, dir): (&str, &PathBuf)) -> Version {
    Version {
        vsn: vsn.to_owned(),
        side: Side::Directory(dir.clone()),
    }
}

fn specifications(question: &Question<'_>) -> Result<(Application, Application), ScriptError> {
    let (old, new) = match question.direction {
        Direction::Up => (Age::Old, Age::New),
        Direction::Down => (Age::New, Age::Old),
    };
    let read = |side, age| {
        script::specification(question.application, &version(side), age, question.options)
    };
    Ok((read(question.from, old)?, read(question.to, new)?))
}

/// The earlier and the later version.
fn by_age(question: &Question<'_>) -> (Version, Version) {
    match question.direction {
        Direction::Up => (version(question.from), version(question.to)),
        Direction::Down => (version(question.to), version(question.from)),
    }
}

fn compare(question: &Question<'_>) -> Result<Comparison, ScriptError> {
    let (earlier, later) = by_age(question);
    script::compare(question.application, &earlier, &later, question.options)
}

/// What the later version ships for a direction.
fn shipped(question: &Question<'_>, direction: Direction) -> Result<Found, ScriptError> {
    if question.from.0 == question.to.0 {
        // A version to itself: what differs is loaded again, whatever its appup says of others.
        return Ok(Found::default());
    }
    let (earlier, later) = by_age(question);
    let (application, options) = (question.application, question.options);
    script::shipped_script(application, &earlier, &later, direction, options)
}

fn script(
    question: &Question<'_>,
    comparison: &Result<Comparison, ScriptError>,
) -> Result<Script, ScriptError> {
    let direction = question.direction;
    let found = shipped(question, direction)?;
    let generated = match comparison {
        Ok(comparison) => comparison.appup().map_err(ScriptError::from),
        Err(error) => Err(error.clone()),
    };
    let Some(instructions) = found.instructions else {
        return Ok(Script::generated(direction, &generated?, found.warnings));
    };
    // A shipped script says nothing about the files: the generator does.
    let of_files = generated.map(|generated| generated.warnings);
    let of_files = of_files.unwrap_or_default();
    let warnings = found.warnings.into_iter().chain(of_files).collect();
    Ok(Script::shipped(direction, instructions, warnings))
}

fn no_script(question: &Question<'_>, error: &ScriptError) -> Finding {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let (kind, advice) = match error {
        ScriptError::UnreadableAppup { .. } | ScriptError::BadAppup { .. } => {
            let advice = "mend the appup, or delete it: one is generated then";
            ("appup_rejected", advice)
        }
        ScriptError::BadBeam(_) => ("bad_beam", "build the module again"),
        _ => ("no_script", "mend what is wrong and ask again"),
    };
    Finding::error(kind, question.application)
        .text(text)
        .advice(advice)
}

/// What of a script, or of the application, asks for a restart.
fn restarts(question: &Question<'_>, script: &Script) -> Vec<Finding> {
    let name = question.application;
    let mut findings = Vec::new();
    if crate::appup::is_system(name) {
        findings.push(
            Finding::warning("system_application", name)
                .means(Verdict::RestartEmulator)
                .text(format!(
                    "{name} cannot be replaced while anything runs on it"
                ))
                .advice("restart the node when it suits"),
        );
    }
    let asks = |wanted: fn(&Term) -> bool| script.instructions.iter().find(|i| wanted(i));
    if let Some(instruction) = asks(steps::restarts_emulator) {
        findings.push(
            Finding::warning("restart_emulator", name)
                .means(Verdict::RestartEmulator)
                .text(format!("the appup asks for {instruction}"))
                .advice("restart the node when it suits"),
        );
    }
    if let Some(instruction) = asks(steps::restarts_application) {
        findings.push(
            Finding::warning("restart_application", name)
                .means(Verdict::RestartApplication)
                .text(format!("the appup asks for {instruction}"))
                .advice("choose a time when the state of its processes may be lost"),
        );
    }
    findings
}

/// The appup of the later version leads one way alone.
fn irreversible(question: &Question<'_>, script: &Script) -> Option<Finding> {
    if script.generated || question.direction == Direction::Down {
        return None;
    }
    let back = shipped(question, Direction::Down).ok()?;
    back.instructions.is_none().then(|| {
        let text = format!(
            "the appup of {} has no way back to version {}",
            question.application, question.from.0
        );
        Finding::warning("not_reversible", question.application)
            .text(text)
            .advice("add one to the appup: a generated one takes its place, and knows less")
    })
}
