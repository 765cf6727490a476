//! The plan before an upgrade: what would fail is refused before anything is touched.
//!
//! Only what the changed modules themselves say is looked at: two directories that the node is about to
//! read anyway, and the debug information of what differs in them. Callers elsewhere and processes are
//! left to `erlrc plan`: reading everything that is loaded takes longer than most upgrades. The files are
//! read once, whatever the number of nodes, and not at all where a node does not run the old version.

use crate::appup::Direction;
use crate::cluster::operation::{Operation, Step, Version};
use crate::cluster::request::what_runs_before;
use crate::cluster::{Answer, Decision, Gate, Mode, NodeLink};
use crate::installed;
use crate::node::NodeError;
use crate::outcome::{Class, Outcome};
use crate::plan::{Depth, Finding, Plan, Question, Severity, Surroundings, Verdict, plan};
use crate::script;
use crate::term::Term;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The plan before an operation, made when the first node needs it.
pub struct Preflight<'a> {
    operation: Option<&'a Operation>,
    made: RefCell<Option<Made>>,
}

struct Made {
    dirs: (PathBuf, PathBuf),
    scripts: script::Options,
    plan: Option<Plan>,
}

/// What a plan needs to be made.
enum Sides {
    /// The version that runs and the one that is to run, and where they are.
    Both(Version, Version),
    /// What the version that runs was is neither in its directory, which is this, nor in the stash.
    OldOneGone(PathBuf),
    /// The node does not run the version that is to be replaced.
    None,
}

impl Sides {
    fn of(operation: &Operation, facts: &Term) -> Self {
        let (Step::Upgrade { from, to } | Step::Downgrade { from, to }) = &operation.step else {
            return Self::None;
        };
        let text = |key: &str| Some(facts.get(key)?.as_text()?.into_owned());
        if text("running").as_ref() != Some(&from.vsn) || from.vsn == to.vsn {
            return Self::None;
        }
        let name = &operation.application;
        let dir = |key| text(key).map(PathBuf::from);
        let holds =
            |dir: &PathBuf| installed::shipped(name, dir).is_ok_and(|found| found.vsn == from.vsn);
        let places: Vec<PathBuf> = [from.dir.clone(), dir("from_dir"), dir("dir")]
            .into_iter()
            .flatten()
            .collect();
        let Some(from_dir) = places.iter().find(|dir| holds(dir)) else {
            return match places.into_iter().next() {
                Some(gone) => Self::OldOneGone(gone),
                None => Self::None,
            };
        };
        let beside = || Some(from_dir.parent()?.join(format!("{name}-{}", to.vsn)));
        let to_dir = to.dir.clone().or_else(|| dir("to_dir")).or_else(beside);
        let side = |version: &Version, dir| Version {
            vsn: version.vsn.clone(),
            dir: Some(dir),
        };
        to_dir.map_or(Self::None, |to_dir| {
            Self::Both(side(from, from_dir.clone()), side(to, to_dir))
        })
    }
}

impl<'a> Preflight<'a> {
    /// For this operation: nothing for one that is no upgrade.
    pub fn new(operation: &'a Operation) -> Self {
        let upgrades = matches!(
            operation.step,
            Step::Upgrade { .. } | Step::Downgrade { .. }
        );
        let wanted = operation.options.preflight != Some(Mode::Off);
        Self {
            operation: (upgrades && wanted).then_some(operation),
            made: RefCell::new(None),
        }
    }

    fn judge(
        &self,
        operation: &Operation,
        (from, to): (Version, Version),
        scripts: &script::Options,
        mode: Mode,
    ) -> Decision {
        let (Some(from_dir), Some(to_dir)) = (&from.dir, &to.dir) else {
            return Decision::Go(Vec::new());
        };
        let dirs = (from_dir.clone(), to_dir.clone());
        let mut made = self.made.borrow_mut();
        let same = |made: &Made| made.dirs == dirs && made.scripts == *scripts;
        if !made.as_ref().is_some_and(same) {
            let sides = ((&*from.vsn, from_dir), (&*to.vsn, to_dir));
            let plan = make(operation, sides, scripts);
            let scripts = scripts.clone();
            *made = Some(Made {
                dirs,
                scripts,
                plan,
            });
        }
        let plan = made.as_ref().and_then(|made| made.plan.as_ref());
        plan.map_or(Decision::Go(Vec::new()), |plan| decision(plan, mode))
    }
}

impl<L: NodeLink> Gate<L> for Preflight<'_> {
    /// Whether the node is to go on.
    fn decide(&self, node: &mut L, patience: Duration) -> Result<Decision, NodeError> {
        let go = Ok(Decision::Go(Vec::new()));
        let Some(operation) = self.operation else {
            return go;
        };
        let facts = match node.call(what_runs_before(operation), patience) {
            Ok(facts) => facts,
            // Without erlrc_hook nothing can be asked, and no upgrade is refused for that.
            Err(NodeError::Undefined { .. } | NodeError::CallFailed { .. }) => return go,
            Err(error) => return Err(error),
        };
        let options = &operation.options;
        let forced = options.force.then_some(Mode::Warn);
        let asked = forced.or(options.preflight);
        let mode = asked.or_else(|| facts.get("preflight").and_then(Mode::of_term));
        let mode = mode.unwrap_or(Mode::Strict);
        match Sides::of(operation, &facts) {
            _ if mode == Mode::Off => go,
            Sides::Both(from, to) => {
                let scripts = scripts(operation, &facts);
                Ok(self.judge(operation, (from, to), &scripts, mode))
            }
            Sides::OldOneGone(dir) => Ok(blind(operation, &dir, mode)),
            Sides::None => go,
        }
    }
}

/// What is chosen of scripts: what the node says, unless the hook was told otherwise.
fn scripts(operation: &Operation, facts: &Term) -> script::Options {
    let of_node = facts.get("options").and_then(script::arguments::options);
    let mut scripts = of_node.unwrap_or_default();
    scripts.migrate = operation.options.migration.loss().or(scripts.migrate);
    if operation.options.generate {
        scripts.appup = script::Appup::Generated;
    }
    scripts
}

/// A check that lacks its input does not pass: whether states fit the new version shows in the files of the old
/// one alone.
fn blind(operation: &Operation, dir: &Path, mode: Mode) -> Decision {
    let (name, dir) = (&operation.application, dir.display());
    let reason = format!(
        "what runs of {name} is neither in {dir} any more nor in the stash: whether its states fit the \
         other version cannot be found out"
    );
    if mode == Mode::Warn {
        return Decision::Go(vec![reason]);
    }
    let reason = format!("{reason}; a restart of the node is safe, --force goes on all the same");
    let answer = Answer::new(Class::NoPath, Outcome::OldDirectoryGone, Some(reason));
    Decision::Refuse(Box::new(answer))
}

/// The plan; none where it cannot be made: the node will say why, in its own words.
fn make(
    operation: &Operation,
    (from, to): ((&str, &PathBuf), (&str, &PathBuf)),
    options: &script::Options,
) -> Option<Plan> {
    let direction = match operation.step {
        Step::Downgrade { .. } => Direction::Down,
        _ => Direction::Up,
    };
    plan(&Question {
        application: &operation.application,
        from,
        to,
        direction,
        options,
        around: &Surroundings::default(),
        depth: Depth::Changes,
    })
    .ok()
}

/// What a person may do who wants to go on all the same.
fn way_on(errors: &[&Finding]) -> &'static str {
    let is = |kind: &'static str| errors.iter().any(|finding| finding.kind == kind);
    if is("appup_rejected") {
        // What OTP cannot read it cannot run either.
        "--generate puts a generated script in its place"
    } else if is("no_script") || is("bad_beam") {
        "the node could not do it either"
    } else {
        "--force goes on all the same"
    }
}

fn decision(plan: &Plan, mode: Mode) -> Decision {
    let errors = plan.findings.iter();
    let errors: Vec<&Finding> = errors.filter(|f| f.severity == Severity::Error).collect();
    let text = |finding: &&Finding| format!("{}: {}", finding.text, finding.advice);
    let texts: Vec<String> = errors.iter().map(text).collect();
    let worst = errors.iter().map(|finding| finding.verdict).max();
    match worst {
        None => Decision::Go(Vec::new()),
        Some(_) if mode == Mode::Warn => Decision::Go(texts),
        Some(worst) => {
            let reason = format!("{}; {}", texts.join("; "), way_on(&errors));
            // A way that loses states is none; how else to go on, the policy says.
            let (class, outcome) = match worst {
                Verdict::RestartApplication => (Class::NoPath, Outcome::RestartApplication),
                Verdict::RestartEmulator => (Class::RestartEmulator, Outcome::WouldFail),
                Verdict::WouldFail => (Class::Refused, Outcome::WouldFail),
                _ => (Class::NoPath, Outcome::WouldFail),
            };
            Decision::Refuse(Box::new(Answer::new(class, outcome, Some(reason))))
        }
    }
}
