//! The plan as it is printed: as JSON it has this form.

use super::Question;
use super::compared::Compared;
use super::finding::{Finding, Severity};
use super::live::Live;
use super::steps::Steps;
use super::verdict::Verdict;
use crate::term::Atom;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What an upgrade would do, and what would go wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The application.
    pub application: String,
    /// The node, where one was asked.
    pub node: Option<String>,
    /// The version that runs.
    pub from: Place,
    /// The version that is to run.
    pub to: Place,
    /// `up` or `down`.
    pub direction: &'static str,
    /// What it comes to: the worst of the findings.
    pub verdict: Verdict,
    /// What would run, where there is a way.
    pub script: Option<Steps>,
    /// What the node says that it would do, a line for each step.
    pub node_steps: Vec<String>,
    /// What the node has counted, where one was asked.
    pub live: Option<Live>,
    /// The modules.
    pub modules: Modules,
    /// What a person should know, the worst first.
    pub findings: Vec<Finding>,
    /// How many modules around the application were looked at.
    pub looked_at: usize,
    /// How long the plan took.
    #[serde(rename = "duration_us")]
    pub microseconds: u64,
}

/// A version and where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// Which one.
    pub vsn: String,
    /// Its directory.
    pub dir: String,
}

/// The modules of both versions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Modules {
    /// Those that come.
    pub added: Vec<String>,
    /// Those that differ.
    pub changed: Vec<String>,
    /// Those that go.
    pub removed: Vec<String>,
    /// How many stay as they are.
    pub unchanged: usize,
    /// Calls among those that come or differ: caller and callee.
    pub calls: Vec<(String, String)>,
}

impl Plan {
    /// Adds what a node has counted, and what it would run the script with.
    pub fn counted(&mut self, live: Option<Live>) {
        if let (Some(steps), Some(live)) = (&mut self.script, &live) {
            steps.runs_with(live);
        }
        self.live = live;
    }

    /// Adds what somebody else has found.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.says(&finding) {
                self.findings.push(finding);
            }
        }
        let order = |finding: &Finding| {
            let (verdict, severity) = (finding.verdict, finding.severity);
            (std::cmp::Reverse((verdict, severity)), finding.kind.clone())
        };
        self.findings.sort_by_cached_key(order);
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        self.verdict = verdicts.max().unwrap_or_default();
    }
}

/// Findings about states that a process would have to have.
const OF_STATES: [&str; 4] = [
    "state_not_migrated",
    "code_change_rejects",
    "code_change_unchanged",
    "state_unknown",
];

impl Plan {
    /// Takes note that no process runs any of these modules: what their states would meet, nobody meets.
    pub fn nobody_runs(&mut self, modules: &BTreeSet<String>) {
        let of_nobody = |finding: &&mut Finding| {
            OF_STATES.contains(&&*finding.kind) && modules.contains(&finding.subject)
        };
        for finding in self.findings.iter_mut().filter(of_nobody) {
            finding.severity = Severity::Info;
            finding.verdict = Verdict::Hot;
            finding.text.push_str("; no process has such a state");
        }
        self.add([]);
    }

    /// What speaks against it: the findings that keep it from being hot, the worst first.
    pub fn against(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.verdict > Verdict::HotWithWarnings)
    }

    /// Whether there is a script, and anything in it.
    pub fn has_instructions(&self) -> bool {
        self.script
            .as_ref()
            .is_some_and(|steps| !steps.instructions.is_empty())
    }

    /// Whether it says the same already: word by word, of the same `init/1`, which the engine reads in the source
    /// and the node in the code, or of the same record, which nothing converts.
    fn says(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|known| {
            let same = known.kind == finding.kind && known.text == finding.text;
            let effects = [known, finding].map(|one| OF_INIT.contains(&&*one.kind));
            known.subject == finding.subject && (same || effects == [true, true])
                || explains(known, finding)
        })
    }
}

/// Findings about an `init/1` that is evaluated a second time.
const OF_INIT: [&str; 3] = [
    "init_repeats",
    "init_fails_again",
    "supervisor_init_has_effects",
];

/// Whether a state in which the node has found an earlier record is one of which the files say that nothing converts it.
fn explains(known: &Finding, finding: &Finding) -> bool {
    let lost = known.kind == "state_not_migrated" && known.severity == Severity::Error;
    let module = finding.details.get("module").and_then(|name| name.as_str());
    lost && finding.kind == "record_in_state" && module == Some(known.subject.as_str())
}

/// A plan of which nothing is known yet.
pub fn empty(question: &Question<'_>) -> Plan {
    let place = |(vsn, dir): (&str, &PathBuf)| Place {
        vsn: vsn.to_owned(),
        dir: dir.display().to_string(),
    };
    Plan {
        application: question.application.to_string(),
        node: None,
        from: place(question.from),
        to: place(question.to),
        direction: question.direction.name(),
        verdict: Verdict::Hot,
        script: None,
        node_steps: Vec::new(),
        live: None,
        modules: Modules::default(),
        findings: Vec::new(),
        looked_at: question.around.files.len(),
        microseconds: 0,
    }
}

/// The modules of both versions.
pub fn modules(compared: &Compared) -> Modules {
    let names = |names: &mut dyn Iterator<Item = &Atom>| names.map(ToString::to_string).collect();
    let fresh: BTreeSet<&Atom> = compared.fresh().map(|(_, new)| &new.module).collect();
    let calls = compared.fresh().flat_map(|(_, new)| {
        let callees: BTreeSet<&Atom> = new.imports.iter().map(|call| &call.module).collect();
        let callees = callees.into_iter().filter(|callee| fresh.contains(callee));
        callees.map(|callee| (new.module.to_string(), callee.to_string()))
    });
    Modules {
        added: names(&mut compared.added.keys()),
        changed: names(&mut compared.changed.keys()),
        removed: names(&mut compared.removed.keys()),
        unchanged: compared.unchanged.len(),
        calls: calls.filter(|(caller, callee)| caller != callee).collect(),
    }
}
