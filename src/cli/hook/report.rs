//! What a hook prints: a line of nodes and outcomes as it comes about, details on standard error.

use crate::cli::history::moment;
use crate::cli::{Output, Status, output};
use crate::cluster::operation::{Operation, Settling};
use crate::cluster::{Answer, Change, Event};
use crate::history::{NodeRecord, Record};
use crate::identity::NodeName;
use crate::outcome::{Class, Outcome};
use crate::record::Time;
use serde::Serialize;

/// More of a reason than this, in characters, is for machines alone.
const LONGEST_DETAIL: usize = 1000;

/// The report of a hook on its way.
#[derive(Debug)]
pub struct Report {
    /// The operation as machines know it.
    operation: &'static str,
    /// The command that stands before each line.
    command: &'static str,
    gerund: &'static str,
    /// Whether it replaces what runs.
    replaces: bool,
    /// All applications, as they are named to people.
    application: String,
    /// The version of each that the operation leaves running.
    results: Vec<(String, Option<String>)>,
    output: Output,
    line: Line,
    begun: bool,
    /// What a dry run found, for the end of the line.
    steps: Vec<String>,
    details: Vec<String>,
    /// Whether something failed that is written down in full.
    tells_more: bool,
    nodes: Vec<NodeReport>,
    undone: Vec<NodeReport>,
    class: Class,
    /// How many seconds the way back stays open, where it does.
    provisional: Option<u64>,
}

/// Which line is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The operation.
    Doing,
    /// What the operation would be.
    Planning,
    /// Its taking back.
    Undoing,
}

#[derive(Debug, Serialize)]
struct NodeReport {
    #[serde(flatten)]
    record: NodeRecord,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<String>,
    /// Of several applications: what became of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeReport>,
}

#[derive(Debug, Serialize)]
struct ChangeReport {
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<String>,
}

impl NodeReport {
    /// What is written down of one application among several.
    fn of(&self, application: &str) -> NodeRecord {
        let mut record = self.record.clone();
        if let Some(of) = self.changes.iter().find(|of| of.application == application) {
            record.outcome = of.outcome.clone().unwrap_or(record.outcome);
            record.running.clone_from(&of.running);
        }
        record
    }
}

impl Report {
    /// The report of `operation`.
    pub fn new(operation: &Operation, dry_run: bool, output: Output) -> Self {
        Self {
            operation: operation.name(),
            command: operation.command(),
            gerund: operation.gerund(),
            replaces: operation.replaces(),
            application: operation.subject(),
            results: operation
                .changes()
                .iter()
                .map(|one| (one.application.to_string(), one.result().map(str::to_owned)))
                .collect(),
            output,
            line: if dry_run { Line::Planning } else { Line::Doing },
            begun: false,
            steps: Vec::new(),
            details: Vec::new(),
            tells_more: false,
            nodes: Vec::new(),
            undone: Vec::new(),
            class: Class::Done,
            provisional: None,
        }
    }

    /// The report of what becomes of `operation`, which was provisional.
    pub fn settling(operation: &Operation, how: Settling, output: Output) -> Self {
        let (command, gerund) = match how {
            Settling::Revert => ("undo", "Taking back"),
            _ => ("confirm", "Confirming"),
        };
        Self {
            operation: how.name(),
            command,
            gerund,
            replaces: false,
            ..Self::new(operation, false, output)
        }
    }

    /// What became of it on a node.
    pub fn settled(&mut self, name: &NodeName, answer: Answer) {
        self.class = self.class.worse(answer.class);
        self.node(name, answer);
    }

    /// What all of it came to.
    pub fn status(&self) -> Status {
        self.class.into()
    }

    /// Says how long the way back stays open, and what is to be done.
    pub fn provisional(&mut self, operation: &Operation, answers: &[(NodeName, Answer)]) {
        let open = answers.iter().any(|(_, answer)| answer.held.is_some());
        let (Some(time), true, true) = (
            operation.options.provisional,
            open,
            self.line == Line::Doing && !self.class.is_failure(),
        ) else {
            return;
        };
        let (seconds, application) = (time.as_secs(), &self.application);
        self.provisional = Some(seconds);
        if operation.options.release.is_some() {
            // The command that knows of releases says it.
            return;
        }
        let at = moment(Time::from_millis(
            Time::now()
                .millis()
                .saturating_add(seconds.saturating_mul(1000)),
        ));
        self.output.text(&format!(
            "provisional: {application} goes back by itself in {seconds} s, at {at} UTC, unless it is confirmed: erlrc confirm {application}\n"
        ));
    }

    /// Says what happens in a round.
    pub fn hear(&mut self, event: Event<'_>) {
        self.class = self.class.worse(event.class());
        match event {
            Event::Node { node, answer, .. } | Event::TakenBack { node, answer } => {
                self.node(node, answer.clone());
            }
            Event::Warning { node, text } => self.warnings(node, &[text]),
            Event::TakingBack => {
                self.end_line();
                self.line = Line::Undoing;
            }
            Event::Left { node, other } => self.left_changed(node, other),
        }
    }

    /// A node stays changed though another one has failed: the others may be on their way to the same.
    fn left_changed(&mut self, node: &NodeName, other: &NodeName) {
        let stands = match run(&self.results) {
            None => format!("{} stays stopped", self.application),
            Some((what, "runs")) => format!("{what} runs there and is not taken back"),
            Some((what, run)) => format!("{what} {run} there and are not taken back"),
        };
        let text = format!("{stands}: {other} may still be on its way to the same");
        self.warnings(node, &[text]);
    }

    /// Says what became of a node without a word on the exit status. The line begins with the first
    /// of them: without nodes there is none.
    pub fn node(&mut self, name: &NodeName, answer: Answer) {
        if !self.begun {
            self.begun = true;
            let (command, application) = (self.command, &self.application);
            let what = match self.line {
                Line::Doing => self.gerund.to_owned(),
                Line::Planning => format!("Would {command}"),
                Line::Undoing => "Undoing".to_owned(),
            };
            self.output
                .text(&format!("erlrc-{command}: {what} '{application}':"));
        }
        self.output.text(&format!(" ({name}) {}", answer.outcome));
        self.steps.extend(
            answer
                .plan
                .iter()
                .map(|step| format!("  ({name}) {step}\n")),
        );
        let stands = self.stands(&answer);
        let details = stands.iter().chain(&answer.reason).chain(&answer.warnings);
        let details: Vec<String> = details
            .map(|detail| format!("erlrc-{}: {name}: {}", self.command, self.fit(detail)))
            .collect();
        self.details.extend(details);
        // What a person mistyped is not written down.
        self.tells_more |= stands.is_some() && !answer.outcome.is_slip();
        if self.line == Line::Undoing && answer.class != Class::Done {
            self.details.push(format!(
                "erlrc-{}: {name}: {}",
                self.command,
                self.left(&answer)
            ));
        }
        let record = NodeRecord {
            node: name.to_string(),
            outcome: answer.outcome.to_string(),
            status: Status::from(answer.class).code(),
            reason: answer.reason,
            running: answer.running,
            warnings: answer.warnings,
            report: answer.report,
        };
        let plan = answer.plan;
        let outcome = |of: &Change| of.outcome.as_ref().map(Outcome::to_string);
        let changes = answer.changes.iter().map(|of| ChangeReport {
            application: of.application.clone(),
            outcome: outcome(of),
            running: of.running.clone(),
        });
        let changes = changes.collect();
        let node = NodeReport {
            record,
            plan,
            changes,
        };
        match self.line {
            Line::Undoing => self.undone.push(node),
            Line::Doing | Line::Planning => self.nodes.push(node),
        }
    }

    /// Stacks are for who asks for them.
    fn fit(&self, detail: &str) -> String {
        match self.output.is_verbose() {
            true => detail.to_owned(),
            false => output::without_stack(detail),
        }
    }

    /// How a node stands whose version was to be replaced and was not: the first that a person wants to know.
    fn stands(&self, answer: &Answer) -> Option<String> {
        if !self.replaces || self.line != Line::Doing || answer.reason.is_none() {
            return None;
        }
        let outcome = match answer.class {
            Class::RolledBack => "rolled back",
            Class::Refused | Class::NotCommitted | Class::NoPath | Class::RestartEmulator => {
                "nothing was changed"
            }
            Class::NotRolledBack => "not rolled back",
            _ => return None,
        };
        Some(match (run(&self.running(answer)), answer.class) {
            (Some((what, run)), Class::NotRolledBack) => format!("{outcome}: {what} {run}"),
            (Some((what, run)), Class::RolledBack) => {
                format!("{outcome}: {what} {run} on, nothing is lost")
            }
            (Some((what, run)), _) => format!("{outcome}: {what} {run} on"),
            (None, _) => outcome.to_owned(),
        })
    }

    /// The version of each application that runs, as a node has answered.
    fn running(&self, answer: &Answer) -> Vec<(String, Option<String>)> {
        match answer.changes.as_slice() {
            [] => vec![(self.application.clone(), answer.running.clone())],
            several => several
                .iter()
                .map(|of| (of.application.clone(), of.running.clone()))
                .collect(),
        }
    }

    /// How a node stands that was to go back and did not.
    fn left(&self, answer: &Answer) -> String {
        if answer.outcome == Outcome::NodeDown {
            return "not undone, the node is down".to_owned();
        }
        let running = run(&self.running(answer)).or_else(|| run(&self.results));
        match running {
            Some((what, run)) => format!("not undone, as far as is known {what} {run} there"),
            None => {
                let application = &self.application;
                format!("not undone, as far as is known {application} does not run there")
            }
        }
    }

    /// Notes what should be mended about a node's entry.
    pub fn warnings(&mut self, name: &NodeName, warnings: &[String]) {
        let command = self.command;
        self.details.extend(
            warnings
                .iter()
                .map(|text| format!("erlrc-{command}: {name}: {text}")),
        );
    }

    /// Ends the line and says the details, which must not come into the midst of it.
    pub fn end_line(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.output.text("\n");
        }
        for step in self.steps.drain(..) {
            self.output.text(&step);
        }
        if std::mem::take(&mut self.tells_more) && !self.output.is_verbose() {
            // Each application of several has the whole story.
            let application = self.results.first().map_or("", |(name, _)| name.as_str());
            let command = self.command;
            let more = format!("erlrc-{command}: erlrc history {application} -l tells more");
            self.details.push(more);
        }
        for detail in self.details.drain(..) {
            let line: String = output::printable(&detail)
                .chars()
                .take(LONGEST_DETAIL)
                .collect();
            output::error_text(&format!("{line}\n"));
        }
    }

    /// `begun` with what came of it.
    pub fn record(&self, begun: Record) -> Record {
        let of = |node: &NodeReport| node.of(&begun.application);
        let records = |nodes: &[NodeReport]| nodes.iter().map(of).collect();
        Record {
            nodes: records(&self.nodes),
            undone: records(&self.undone),
            status: Status::from(self.class).code(),
            ..begun
        }
    }

    /// Ends with JSON for machines.
    pub fn finish(self) {
        let mut report = serde_json::json!({
            "operation": self.operation,
            "application": self.application,
            "dry_run": self.line == Line::Planning,
            "nodes": self.nodes,
            "undone": self.undone,
            "status": Status::from(self.class).code(),
        });
        if let Some(seconds) = self.provisional {
            report["provisional_s"] = seconds.into();
        }
        self.output.envelope("operation", 1, &report);
    }
}

/// The applications that run, with their versions, and the verb.
fn run(applications: &[(String, Option<String>)]) -> Option<(String, &'static str)> {
    let running: Vec<String> = applications
        .iter()
        .filter_map(|(name, vsn)| Some(format!("{name} {}", vsn.as_ref()?)))
        .collect();
    let verb = match running.len() {
        0 => return None,
        1 => "runs",
        _ => "run",
    };
    Some((running.join(", "), verb))
}
