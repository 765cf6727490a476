//! What is foreseen of an upgrade: one verdict for `erlrc plan`, the hooks and the pre-flight of apt.
//!
//! The files of both versions have been looked at by [`crate::plan`]. Here the node's own look at its processes and
//! tables is added to that, and what both come to becomes a decision. Nobody else makes one.

use super::answer::Answer;
use super::ask::TAKING_BACK;
use super::link::{Decision, NodeLink};
use super::operation::Operation;
use super::options::Mode;
use super::request::Queue;
use crate::node::NodeError;
use crate::outcome::{Class, Outcome};
use crate::plan::{Finding, Live, Plan, Verdict};
use crate::term::{Atom, Term};
use std::path::Path;
use std::time::Duration;

/// Adds what the node behind `link` foresees of `operation` to `plan`; else the answer of a node that did not look.
///
/// # Errors
/// The node did not answer.
pub fn ask<L: NodeLink>(
    plan: &mut Plan,
    operation: &Operation,
    link: &mut L,
    (queue, patience): (Queue, Duration),
) -> Result<Option<Answer>, NodeError> {
    let call = operation.live_plan(queue, patience);
    match link.call(call, patience + TAKING_BACK) {
        Ok(answer) => Ok(hear(plan, &operation.application, &answer)),
        // Without erlrc_hook there is nobody who could look.
        Err(NodeError::Undefined { .. }) => {
            plan.add([cannot_look(&operation.application)]);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Adds to `plan` what the node says that it would do, step by step, or that it would refuse for another reason than is
/// in the plan. A hook need not ask: the node refuses its operation in the same words, before it changes anything.
///
/// # Errors
/// The node did not answer.
pub fn rehearse<L: NodeLink>(
    plan: &mut Plan,
    operation: &Operation,
    link: &mut L,
    patience: Duration,
) -> Result<(), NodeError> {
    let answer = link.call(operation.dry_run(patience), patience + TAKING_BACK)?;
    let Some(answer) = Answer::parse(&answer) else {
        return Ok(());
    };
    if answer.class == Class::Done {
        plan.node_steps = answer.plan;
    } else if answer.outcome != Outcome::BadRequest && !is_foreseen(plan, &answer) {
        plan.add([refused(&operation.application, answer)]);
    }
    Ok(())
}

/// Whether the plan says already that a restart is needed, and why.
fn is_foreseen(plan: &Plan, answer: &Answer) -> bool {
    let class = refusal(plan.verdict).map(|(class, _)| class);
    matches!(answer.class, Class::NoPath | Class::RestartEmulator) && class == Some(answer.class)
}

fn refused(application: &Atom, answer: Answer) -> Finding {
    let reason = answer.reason.unwrap_or_else(|| answer.outcome.to_string());
    let verdict = match answer.class {
        Class::NoPath => Verdict::RestartApplication,
        Class::RestartEmulator => Verdict::RestartEmulator,
        _ => Verdict::WouldFail,
    };
    Finding::error("node_refuses", application)
        .means(verdict)
        .text(format!("the node would refuse: {reason}"))
        .advice("mend what it names and ask again")
        .detail("outcome", answer.outcome.to_string())
}

fn hear(plan: &mut Plan, application: &Atom, answer: &Term) -> Option<Answer> {
    let heard = Answer::parse(answer).unwrap_or_else(|| {
        let reason = "its answer is not understood".to_owned();
        Answer::new(Class::Unreachable, Outcome::Malformed, Some(reason))
    });
    match (heard.class, &heard.outcome) {
        (Class::Done, _) => {
            plan.counted(Live::parse(answer));
            let idle = answer.get("idle").and_then(Term::elements);
            let idle = idle.unwrap_or_default();
            let idle = idle
                .iter()
                .filter_map(|name| Some(name.as_text()?.into_owned()));
            plan.nobody_runs(&idle.collect());
            let findings = answer.get("findings").and_then(Term::elements);
            let findings = findings.unwrap_or_default();
            plan.add(findings.iter().filter_map(Finding::parse));
            None
        }
        (_, Outcome::BadRequest) => {
            plan.add([cannot_look(application)]);
            None
        }
        _ => Some(heard),
    }
}

/// An erlrc that does not know the question would otherwise never be replaced by one that does.
fn cannot_look(application: &Atom) -> Finding {
    Finding::warning("states_not_looked_at", application)
        .text("the erlrc of the node is too old to say what its processes and tables would meet")
        .advice("upgrade erlrc first")
}

/// What a verdict means to those who act on it: the class of the refusal, `None` where there is none.
pub fn refusal(verdict: Verdict) -> Option<(Class, Outcome)> {
    match verdict {
        Verdict::Hot | Verdict::HotWithWarnings => None,
        // A way that loses states is none; how else to go on, the policy says.
        Verdict::RestartApplication => Some((Class::NoPath, Outcome::RestartApplication)),
        Verdict::RestartEmulator => Some((Class::RestartEmulator, Outcome::RestartNewEmulator)),
        Verdict::WouldFail => Some((Class::Refused, Outcome::WouldFail)),
    }
}

/// Whether to go on with what a plan says of an operation.
pub fn decision(plan: &Plan, mode: Mode) -> Decision {
    let against: Vec<&Finding> = plan.against().collect();
    let texts: Vec<String> = against.iter().map(|finding| finding.sentence()).collect();
    match (refusal(plan.verdict), mode) {
        (None, _) | (_, Mode::Off) => Decision::Go(said(plan)),
        (Some(_), Mode::Warn) => Decision::Go([texts, said(plan)].concat()),
        (Some((class, outcome)), Mode::Strict) => {
            let reason = format!("{}; {}", texts.join("; "), way_on(&against));
            refuse(class, outcome, reason)
        }
    }
}

/// Findings that keep nobody from going on and of which no answer of the node tells: that nobody has looked, and what
/// runs on as it was although the version is another.
const SAID: [&str; 2] = ["states_not_looked_at", "native_library"];

/// What is said, whatever else is.
fn said(plan: &Plan) -> Vec<String> {
    let findings = plan.findings.iter();
    let said = findings.filter(|finding| SAID.contains(&&*finding.kind));
    said.map(Finding::sentence).collect()
}

/// A check that lacks its input does not pass: the node did not look, and says why.
pub fn not_looked(answer: Answer, mode: Mode) -> Decision {
    let why = answer.reason.as_deref();
    let reason = format!(
        "what its processes would meet cannot be found out: {}",
        why.unwrap_or(answer.outcome.as_str())
    );
    match mode {
        Mode::Strict => refuse(answer.class, answer.outcome, format!("{reason}; {FORCE}")),
        Mode::Warn | Mode::Off => Decision::Go(vec![reason]),
    }
}

/// The same where the version that runs is not in `dir` any more: whether states fit the new version shows in the
/// files of the old one alone.
pub fn old_side_gone(application: &Atom, dir: &Path, mode: Mode) -> Decision {
    let reason = format!(
        "what runs of {application} is neither in {} any more nor in the stash: whether its states fit the \
         other version cannot be found out",
        dir.display()
    );
    match mode {
        Mode::Strict => {
            let reason = format!("{reason}; a restart of the node is safe, {FORCE}");
            refuse(Class::NoPath, Outcome::OldDirectoryGone, reason)
        }
        Mode::Warn | Mode::Off => Decision::Go(vec![reason]),
    }
}

const FORCE: &str = "--force goes on all the same";

fn refuse(class: Class, outcome: Outcome, reason: String) -> Decision {
    Decision::Refuse(Box::new(Answer::new(class, outcome, Some(reason))))
}

/// What a person may do who wants to go on all the same.
fn way_on(against: &[&Finding]) -> &'static str {
    let is = |kind: &'static str| against.iter().any(|finding| finding.kind == kind);
    if is("appup_rejected") {
        // What OTP cannot read it cannot run either.
        "--generate puts a generated script in its place"
    } else if is("no_script") || is("bad_beam") || is("module_not_loadable") {
        "the node could not do it either"
    } else {
        FORCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appup::Direction;
    use crate::plan::{Depth, Question, Surroundings};
    use std::path::PathBuf;

    fn term(text: &str) -> Term {
        crate::term::text::parse(text).expect("a term")
    }

    fn plan() -> Plan {
        let dir = PathBuf::from("/nowhere");
        crate::plan::empty(&Question {
            application: &Atom::of("foo"),
            from: ("1", &dir),
            to: ("2", &dir),
            direction: Direction::Up,
            options: &crate::script::Options::default(),
            around: &Surroundings::default(),
            depth: Depth::Changes,
        })
    }

    #[track_caller]
    fn heard(answer: &str) -> (Plan, Option<Answer>) {
        let mut plan = plan();
        let answer = hear(&mut plan, &Atom::of("foo"), &term(answer));
        (plan, answer)
    }

    fn planned(finding: &str) -> String {
        format!(
            "#{{status => ok, outcome => planned, evaluator => transactional, findings => [{finding}]}}"
        )
    }

    const FAILS: &str = "#{kind => code_change_would_fail, severity => error, subject => <<\"a\">>, text => <<\"it fails.\">>, advice => <<\"Mend it.\">>}";
    const LOSES: &str = "#{kind => record_in_state, severity => error, verdict => restart_application, subject => <<\"b\">>, text => <<\"it stays.\">>, advice => <<\"Convert it.\">>}";
    const WARNS: &str = "#{kind => fun_in_state, severity => warning, subject => <<\"c\">>, text => <<\"funs.\">>, advice => <<\"\">>}";

    #[track_caller]
    fn decided(findings: &str, mode: Mode) -> Result<Vec<String>, Box<Answer>> {
        let (plan, answer) = heard(&planned(findings));
        assert_eq!(answer, None);
        match decision(&plan, mode) {
            Decision::Go(warnings) => Ok(warnings),
            Decision::Refuse(answer) => Err(answer),
        }
    }

    #[test]
    fn what_the_node_foresees_is_decided_as_the_files_are() {
        let refused = decided(FAILS, Mode::Strict).expect_err("a refusal");
        assert_eq!(
            (refused.class, refused.outcome),
            (Class::Refused, Outcome::WouldFail)
        );
        let reason = "it fails: Mend it; --force goes on all the same";
        assert_eq!(refused.reason.as_deref(), Some(reason));
        let lost = decided(LOSES, Mode::Strict).expect_err("a refusal");
        assert_eq!(
            (lost.class, lost.outcome),
            (Class::NoPath, Outcome::RestartApplication)
        );
        assert_eq!(decided(WARNS, Mode::Strict), Ok(Vec::new()));
        let said = Ok(vec!["it fails: Mend it".to_owned()]);
        assert_eq!(decided(FAILS, Mode::Warn), said);
    }

    #[test]
    fn every_verdict_beyond_warnings_is_refused() {
        for verdict in Verdict::ALL {
            let passes = verdict <= Verdict::HotWithWarnings;
            assert_eq!(refusal(verdict).is_none(), passes, "{verdict}");
        }
    }

    #[test]
    fn a_node_that_did_not_look_lets_nothing_pass() {
        let (plan, answer) =
            heard("#{status => bug, outcome => crashed, reason => <<\"erlrc itself failed\">>}");
        assert_eq!(plan.verdict, Verdict::Hot);
        let answer = answer.expect("an answer");
        let text = "what its processes would meet cannot be found out: erlrc itself failed";
        match not_looked(answer.clone(), Mode::Strict) {
            Decision::Refuse(answer) => {
                assert_eq!(answer.class, Class::Bug);
                let reason = format!("{text}; --force goes on all the same");
                assert_eq!(answer.reason, Some(reason));
            }
            Decision::Go(warnings) => panic!("it went on: {warnings:?}"),
        }
        match not_looked(answer, Mode::Warn) {
            Decision::Go(warnings) => assert_eq!(warnings, [text]),
            Decision::Refuse(answer) => panic!("it was refused: {answer:?}"),
        }
        let (_, answer) = heard("unheard_of");
        assert_eq!(
            answer.map(|answer| answer.outcome),
            Some(Outcome::Malformed)
        );
    }

    #[test]
    fn a_state_that_no_process_has_is_nobodys_loss() {
        let lost = |module: &'static str| {
            Finding::error("state_not_migrated", module)
                .means(Verdict::RestartApplication)
                .text("it changes")
        };
        for (idle, verdict) in [
            ("[<<\"a\">>, <<\"b\">>]", Verdict::Hot),
            ("[<<\"a\">>]", Verdict::RestartApplication),
            ("[]", Verdict::RestartApplication),
        ] {
            let mut plan = plan();
            plan.add([lost("a"), lost("b")]);
            let answer = format!("#{{status => ok, outcome => planned, idle => {idle}}}");
            assert_eq!(hear(&mut plan, &Atom::of("foo"), &term(&answer)), None);
            assert_eq!(plan.verdict, verdict, "{idle}");
        }
    }

    #[test]
    fn a_state_of_which_the_files_tell_is_named_once() {
        let record = |module: &str| {
            format!(
                "#{{kind => record_in_state, severity => error, verdict => restart_application, subject => <<\"p\">>, \
                 text => <<\"it stays in {module}.\">>, advice => <<\"\">>, details => #{{module => {module}}}}}"
            )
        };
        for (idle, kinds) in [
            ("[]", vec!["record_in_state", "state_not_migrated"]),
            // Another process than one of the module's has its record.
            (
                "[<<\"a\">>]",
                vec!["record_in_state", "record_in_state", "state_not_migrated"],
            ),
        ] {
            let mut plan = plan();
            let lost = Finding::error("state_not_migrated", "a").means(Verdict::RestartApplication);
            plan.add([lost.text("it changes")]);
            let [a, b] = ["a", "b"].map(record);
            let answer = format!(
                "#{{status => ok, outcome => planned, idle => {idle}, findings => [{a}, {b}]}}"
            );
            assert_eq!(hear(&mut plan, &Atom::of("foo"), &term(&answer)), None);
            let found: Vec<&str> = plan.findings.iter().map(|finding| &*finding.kind).collect();
            assert_eq!(
                (found, plan.verdict),
                (kinds, Verdict::RestartApplication),
                "{idle}"
            );
        }
    }

    #[test]
    fn an_erlrc_that_cannot_look_may_be_replaced_and_that_is_said() {
        let (plan, answer) = heard("#{status => refused, outcome => bad_request}");
        assert_eq!((plan.verdict, answer), (Verdict::HotWithWarnings, None));
        match decision(&plan, Mode::Strict) {
            Decision::Go(warnings) => assert_eq!(
                warnings,
                [
                    "the erlrc of the node is too old to say what its processes and tables would meet: upgrade erlrc first"
                ]
            ),
            Decision::Refuse(answer) => panic!("it was refused: {answer:?}"),
        }
    }
}
