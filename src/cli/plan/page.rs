//! A plan as one page for a change request: nothing outside of the file is needed to read it. What is put into the
//! markup is escaped by its type, and only the picture is markup of its own.

use super::ask::Outcome;
use super::picture;
use super::text::counted;
use crate::cli::history::moment;
use crate::cli::output::printable;
use crate::cli::page::framed;
use crate::plan::{Finding, Plan, Severity, Step, Steps};
use crate::record::Time;
use crate::term::Atom;
use maud::{Markup, PreEscaped, html};

/// The page of all plans that were made on `host` at `time`.
pub fn page(application: &Atom, outcomes: &[Outcome], (host, time): (&str, Time)) -> String {
    let title = format!("Upgrade of {application}");
    let verdict = outcomes.iter().filter_map(Outcome::plan);
    let verdict = verdict.map(|plan| plan.verdict).max();
    let content = html! {
        p {
            "Planned on " (printable(host)) ", " (moment(time)) " UTC"
            @if let (Some(verdict), 2..) = (verdict, outcomes.len()) {
                ", for " (outcomes.len()) " nodes: " b { (verdict.to_string()) }
            }
        }
        @for outcome in outcomes { (one(outcome)) }
    };
    framed(&title, "", &content, ": nothing was changed")
}

fn one(outcome: &Outcome) -> Markup {
    match outcome {
        Outcome::Plan(plan) => section(plan),
        Outcome::None {
            node,
            outcome,
            reason,
            ..
        } => html! {
            section {
                h1 { (printable(node)) }
                p { (printable(outcome)) " " (printable(reason.as_deref().unwrap_or_default())) }
            }
        },
    }
}

fn section(plan: &Plan) -> Markup {
    let (name, node) = (printable(&plan.application), plan.node.as_deref());
    let node = node.map(printable);
    let label = node
        .as_ref()
        .map_or_else(|| name.clone(), |node| format!("{name} on {node}"));
    html! {
        section aria-label=(label) {
            h1 {
                (name) " " (printable(&plan.from.vsn)) " → " (printable(&plan.to.vsn))
                @if let Some(node) = &node { " " small { "on " (node) } }
            }
            p class={ "verdict " (plan.verdict.name()) } { (plan.verdict.to_string()) }
            (facts(plan))
            (findings(plan))
            (script(plan))
            (graph(plan))
        }
    }
}

fn facts(plan: &Plan) -> Markup {
    let modules = &plan.modules;
    let counts = format!(
        "{} added, {} changed, {} removed, {} unchanged",
        modules.added.len(),
        modules.changed.len(),
        modules.removed.len(),
        modules.unchanged
    );
    let evaluator = plan.script.as_ref().map_or_else(String::new, |steps| {
        format!("{}: {}", steps.evaluator, steps.evaluator_reason)
    });
    let around = match plan.looked_at {
        0 => String::new(),
        count => format!("{count} modules around it"),
    };
    let live = plan.live.as_ref().map_or_else(String::new, counted);
    let rows = [
        ("runs", &plan.from.dir),
        ("is to run", &plan.to.dir),
        ("modules", &counts),
        ("evaluator", &evaluator),
        ("on the node", &live),
        ("looked at", &around),
    ];
    html! {
        table {
            @for (key, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                tr { th scope="row" { (key) } td { (printable(value)) } }
            }
        }
    }
}

fn findings(plan: &Plan) -> Markup {
    let order = [Severity::Error, Severity::Warning, Severity::Info];
    html! {
        @if plan.findings.is_empty() {
            h2 { "Findings" }
            p { "None." }
        } @else {
            h2 { "Findings (" (plan.findings.len()) ")" }
            ul class="findings" {
                @for severity in order {
                    @for each in plan.findings.iter().filter(|each| each.severity == severity) {
                        (finding(each))
                    }
                }
            }
        }
    }
}

fn finding(finding: &Finding) -> Markup {
    let severity = finding.severity.to_string();
    let details = serde_json::to_string_pretty(&finding.details).unwrap_or_default();
    html! {
        li class=(severity) {
            b { (severity) } " " code { (printable(&finding.kind)) } " " (printable(&finding.text))
            p class="advice" { (printable(&finding.advice)) }
            @if !finding.details.is_empty() {
                details { summary { "details" } pre { (details) } }
            }
        }
    }
}

fn script(plan: &Plan) -> Markup {
    html! {
        h2 { "Script" }
        @if let Some(steps) = &plan.script {
            p {
                (steps.source)
                ", in the order in which it runs; each segment as a whole or not at all."
            }
            table class="script" {
                tr { th scope="col" { "segment" } th scope="col" { "instruction" } th scope="col" { "why" } }
                @for each in &steps.instructions { (step(each)) }
            }
            (own_words(plan, steps))
        } @else {
            p { "There is none." }
        }
    }
}

fn step(step: &Step) -> Markup {
    html! {
        tr {
            td { (step.segment) }
            td { code { (printable(&step.instruction)) } }
            td { (printable(&step.reasons.join("; "))) }
        }
    }
}

/// What the node says that it would do, where that is more than the script.
fn own_words(plan: &Plan, steps: &Steps) -> Markup {
    html! {
        @if plan.node_steps.len() > steps.instructions.len() + 1 {
            h2 { "In the node's own words" }
            pre { @for line in &plan.node_steps { (printable(line)) "\n" } }
        }
    }
}

fn graph(plan: &Plan) -> Markup {
    html! {
        @if let Some(svg) = picture::svg(plan) {
            h2 { "Modules in load order" }
            p {
                "An arrow leads from a module to what it calls; dashed where the caller is loaded first."
            }
            div class="graph" role="region" tabindex="0" aria-label="Modules in load order" {
                (PreEscaped(svg))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Status;

    #[test]
    fn nothing_in_text_is_markup() {
        let none = Outcome::None {
            node: "<script>alert(1)</script>".to_owned(),
            outcome: "\u{1b}[1m&amp;".to_owned(),
            reason: Some("a \"b\"<br>".to_owned()),
            status: Status::Done,
        };
        let page = page(
            &Atom::of("shop"),
            &[none],
            ("<b>host", Time::from_millis(0)),
        );
        let made = "Planned on &lt;b&gt;host, 1970-01-01 00:00:00 UTC";
        assert!(page.contains(made), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{page}"
        );
        assert!(
            page.contains("[1m&amp;amp; a &quot;b&quot;&lt;br&gt;"),
            "{page}"
        );
        assert!(!page.contains('\u{1b}') && !page.contains("<script") && !page.contains("<br"));
    }
}
