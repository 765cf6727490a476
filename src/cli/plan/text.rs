//! A plan as text for people: the verdict, the findings with what to do, the worst first, and what would
//! run.

use super::ask::Outcome;
use crate::cli::colours::{BOLD, Colours, FAINT, GREEN, RED, YELLOW};
use crate::cli::output::printable;
use crate::plan::{Finding, Live, Plan, Severity, Steps, Verdict};
use crate::term::Atom;

/// How the version that is to run was found, and thus what a person would type to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// By its number, or as what is installed.
    ByVersion,
    /// In a directory that was named.
    InDirectory,
    /// In a package, which its own manager installs, or it takes more than a version.
    Elsewhere,
}

/// What came of asking, as text.
pub fn outcome(application: &Atom, outcome: &Outcome, found: Found, colours: Colours) -> String {
    match outcome {
        Outcome::Plan(plan) => {
            let next = next(plan, found);
            let next = next.map(|command| printable(&format!("  next: {command}")) + "\n");
            whole(plan, colours) + &next.unwrap_or_default()
        }
        Outcome::None {
            node,
            outcome,
            reason,
            ..
        } => {
            let reason = reason
                .as_ref()
                .map_or_else(String::new, |why| format!(": {why}"));
            printable(&format!("{application} on {node}: {outcome}{reason}")) + "\n"
        }
    }
}

fn whole(plan: &Plan, colours: Colours) -> String {
    let node = plan
        .node
        .as_ref()
        .map_or_else(String::new, |node| format!(" on {node}"));
    let title = format!(
        "{} {} -> {}{node}: ",
        plan.application, plan.from.vsn, plan.to.vsn
    );
    let verdict = colours.paint(colour(plan.verdict), &plan.verdict.to_string());
    let mut text = format!("{}{verdict}\n", colours.paint(BOLD, &printable(&title)));
    for finding in &plan.findings {
        text.push_str(&in_words(finding, colours));
    }
    text.push_str(&modules(plan));
    if let Some(live) = &plan.live {
        text.push_str(&format!("  node: {}\n", counted(live)));
    }
    if let Some(steps) = &plan.script {
        text.push_str(&script(steps, colours));
    }
    text
}

/// The command that does what is planned, where the node would do it.
fn next(plan: &Plan, found: Found) -> Option<String> {
    let node = plan.node.as_ref()?;
    let (name, from, to) = (&plan.application, &plan.from, &plan.to);
    if !matches!(plan.verdict, Verdict::Hot | Verdict::HotWithWarnings) || from.vsn == to.vsn {
        return None;
    }
    let command = match plan.direction {
        "down" => "downgrade",
        _ => "upgrade",
    };
    let what = match (found, command) {
        (Found::ByVersion, _) => format!("{name}={}", to.vsn),
        (Found::InDirectory, "upgrade") => {
            format!("{name} {} {} {} {}", from.vsn, to.vsn, from.dir, to.dir)
        }
        // The earlier version is named first.
        (Found::InDirectory, _) => {
            format!("{name} {} {} {} {}", to.vsn, from.vsn, to.dir, from.dir)
        }
        (Found::Elsewhere, _) => return None,
    };
    Some(format!("erlrc {command} {what} --node {node}"))
}

fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Hot => GREEN,
        Verdict::HotWithWarnings => YELLOW,
        _ => RED,
    }
}

fn in_words(finding: &Finding, colours: Colours) -> String {
    let colour = match finding.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Info => FAINT,
    };
    let severity = colours.paint(colour, &format!("{:<7}", finding.severity.to_string()));
    let (text, advice) = (printable(&finding.text), printable(&finding.advice));
    let advice = match advice.as_str() {
        "" => String::new(),
        advice => format!("           -> {advice}\n"),
    };
    format!(
        "\n  {severity}  {text} [{}]\n{advice}",
        printable(&finding.kind)
    )
}

fn modules(plan: &Plan) -> String {
    let modules = &plan.modules;
    let counts = [
        (modules.added.len(), "added"),
        (modules.changed.len(), "changed"),
        (modules.removed.len(), "removed"),
        (modules.unchanged, "unchanged"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let around = match plan.looked_at {
        0 => String::new(),
        count => format!("; {count} modules around it looked at"),
    };
    format!("\n  modules: {}{around}\n", counts.join(", "))
}

/// What the node has counted, in words.
pub fn counted(live: &Live) -> String {
    let processes = match live.processes {
        0 => "no process stands still".to_owned(),
        1 => "1 process stands still".to_owned(),
        count => format!("{count} processes stand still"),
    };
    let pause = match (live.processes, live.pause.div_ceil(1000)) {
        (0, _) => String::new(),
        (_, milliseconds) => format!(" for about {milliseconds} ms"),
    };
    let tried = match live.tried {
        0 => String::new(),
        1 => "; code_change was tried on 1 state".to_owned(),
        count => format!("; code_change was tried on {count} states"),
    };
    format!("{processes}{pause}{tried}")
}

fn script(steps: &Steps, colours: Colours) -> String {
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    if steps.instructions.is_empty() {
        return format!("  script: {}, nothing to do\n", steps.source);
    }
    let mut text = format!(
        "  script: {}, {} in {}, {} evaluator ({})\n",
        steps.source,
        plural(steps.instructions.len(), "instruction"),
        plural(steps.segments, "segment"),
        steps.evaluator,
        printable(&steps.evaluator_reason),
    );
    for step in &steps.instructions {
        let reasons = match step.reasons.join("; ") {
            reasons if reasons.is_empty() => String::new(),
            reasons => colours.paint(FAINT, &format!("  % {}", printable(&reasons))),
        };
        let instruction = printable(&step.instruction);
        text.push_str(&format!("    {} {instruction}{reasons}\n", step.segment));
    }
    text
}
