//! The plan before an upgrade: what would fail is refused before anything is touched.
//!
//! Of the files only the changed modules are looked at: two directories that the node is about to read anyway, and
//! the debug information of what differs in them, once, whatever the number of nodes. Callers elsewhere are left to
//! `erlrc plan`, which only warns of them: reading everything that is loaded takes longer than most upgrades. Where
//! there is a script to run, the node is asked, once, what its processes and tables would meet.

use crate::appup::Direction;
use crate::cluster::operation::{Operation, Step, Version};
use crate::cluster::request::{Queue, what_runs_before};
use crate::cluster::{Answer, Decision, Gate, Mode, NodeLink, foresight};
use crate::installed;
use crate::node::NodeError;
use crate::plan::{Depth, Plan, Question, Surroundings, plan};
use crate::script;
use crate::term::Term;
use std::cell::RefCell;
use std::path::PathBuf;
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

    /// What is known beforehand of `operation` on the node behind `link`.
    ///
    /// # Errors
    /// The node did not answer.
    pub fn ask<L: NodeLink>(
        &self,
        operation: &Operation,
        link: &mut L,
        patience: Duration,
    ) -> Result<Foreseen, NodeError> {
        let facts = link.call(what_runs_before(operation), patience)?;
        self.foreseen(operation, &facts, link, patience)
    }

    /// What the files and the node behind `link` say of the operation.
    ///
    /// # Errors
    /// The node did not answer.
    fn foreseen<L: NodeLink>(
        &self,
        operation: &Operation,
        facts: &Term,
        link: &mut L,
        patience: Duration,
    ) -> Result<Foreseen, NodeError> {
        let (from, to) = match Sides::of(operation, facts) {
            Sides::Both(from, to) => (from, to),
            Sides::OldOneGone(dir) => return Ok(Foreseen::OldSideGone(dir)),
            Sides::None => return Ok(Foreseen::Nothing),
        };
        let Some(mut plan) = self.plan(operation, (&from, &to), scripts(operation, facts)) else {
            // The node will say why, in its own words.
            return Ok(Foreseen::Nothing);
        };
        if plan.has_instructions() {
            let exact = operation.between(from, to);
            let asked = (Queue::Wait, patience);
            if let Some(answer) = foresight::ask(&mut plan, &exact, link, asked)? {
                return Ok(Foreseen::NotLooked(Box::new(answer)));
            }
        }
        Ok(Foreseen::Plan(Box::new(plan)))
    }

    /// What the files of both versions say, read once.
    fn plan(
        &self,
        operation: &Operation,
        (from, to): (&Version, &Version),
        scripts: script::Options,
    ) -> Option<Plan> {
        let (Some(from_dir), Some(to_dir)) = (&from.dir, &to.dir) else {
            return None;
        };
        let dirs = (from_dir.clone(), to_dir.clone());
        let mut made = self.made.borrow_mut();
        let same = |made: &Made| made.dirs == dirs && made.scripts == scripts;
        if !made.as_ref().is_some_and(same) {
            let sides = ((&*from.vsn, from_dir), (&*to.vsn, to_dir));
            let plan = make(operation, sides, &scripts);
            *made = Some(Made {
                dirs,
                scripts,
                plan,
            });
        }
        made.as_ref().and_then(|made| made.plan.clone())
    }
}

/// What is known of an operation beforehand.
pub enum Foreseen {
    /// What it would come to.
    Plan(Box<Plan>),
    /// The node did not look: its answer.
    NotLooked(Box<Answer>),
    /// The version that runs is in this directory no more, nor anywhere else.
    OldSideGone(PathBuf),
    /// Nothing is replaced, or the node will say why not.
    Nothing,
}

/// What is asked beforehand of each application that an operation changes.
pub struct Preflights<'a>(Vec<Preflight<'a>>);

impl<'a> Preflights<'a> {
    /// For all changes of this operation.
    pub fn new(operation: &'a Operation) -> Self {
        Self(operation.changes().iter().map(Preflight::new).collect())
    }
}

impl<L: NodeLink> Gate<L> for Preflights<'_> {
    /// Whether the node is to go on: where one application would not, none does.
    fn decide(&self, node: &mut L, patience: Duration) -> Result<Decision, NodeError> {
        let mut all = Vec::new();
        for preflight in &self.0 {
            match preflight.decide(node, patience)? {
                Decision::Go(warnings) => all.extend(warnings),
                refused @ Decision::Refuse(_) => return Ok(refused),
            }
        }
        Ok(Decision::Go(all))
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
        let asked = operation.options.mode();
        let mode = asked.or_else(|| facts.get("preflight").and_then(Mode::of_term));
        let mode = mode.unwrap_or(Mode::Strict);
        if mode == Mode::Off {
            return go;
        }
        Ok(match self.foreseen(operation, &facts, node, patience)? {
            Foreseen::Plan(plan) => foresight::decision(&plan, mode),
            Foreseen::NotLooked(answer) => foresight::not_looked(*answer, mode),
            Foreseen::OldSideGone(dir) => {
                foresight::old_side_gone(&operation.application, &dir, mode)
            }
            Foreseen::Nothing => Decision::Go(Vec::new()),
        })
    }
}

/// What is chosen of scripts: what the node says, unless the hook was told otherwise.
fn scripts(operation: &Operation, facts: &Term) -> script::Options {
    let of_node = facts.get("options").and_then(script::arguments::options);
    operation.options.of_script(of_node.unwrap_or_default())
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
