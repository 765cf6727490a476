//! A plan as one page for a change request: nothing outside of the file is needed to read it, and all
//! text in it is escaped.

use super::ask::Outcome;
use super::picture;
use super::text::counted;
use crate::cli::output::printable;
use crate::plan::{Finding, Plan, Severity, Step, Steps};
use crate::term::Atom;
use std::fmt::Write as _;

/// The look, light or dark as the reader's system has it.
const STYLE: &str = include_str!("page.css");

/// The page of all plans.
pub fn page(application: &Atom, outcomes: &[Outcome]) -> String {
    let title = format!("Upgrade of {application}");
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&title)
    );
    let each = outcomes.iter().map(|outcome| match outcome {
        Outcome::Plan(plan) => section(plan),
        Outcome::None {
            node,
            outcome,
            reason,
            ..
        } => {
            let reason = reason.as_deref().unwrap_or_default();
            let (node, outcome) = (escaped(node), escaped(outcome));
            format!(
                "<section><h1>{node}</h1><p>{outcome} {}</p></section>\n",
                escaped(reason)
            )
        }
    });
    text.extend(each);
    let version = env!("CARGO_PKG_VERSION");
    text + &format!(
        "</main>\n<footer>erlrc {version}: nothing was changed</footer>\n</body>\n</html>\n"
    )
}

fn section(plan: &Plan) -> String {
    let (name, verdict) = (escaped(&plan.application), plan.verdict);
    let (from, to) = (escaped(&plan.from.vsn), escaped(&plan.to.vsn));
    let node_name = plan
        .node
        .as_ref()
        .map_or_else(String::new, |node| format!(" on {}", escaped(node)));
    let node = plan.node.as_ref().map_or_else(String::new, |node| {
        format!(" <small>on {}</small>", escaped(node))
    });
    format!(
        "<section aria-label=\"{name}{node_name}\">\n<h1>{name} {from} → {to}{node}</h1>\n\
         <p class=\"verdict {}\">{verdict}</p>\n{}{}{}{}</section>\n",
        verdict.name(),
        facts(plan),
        findings(plan),
        script(plan),
        graph(plan),
    )
}

fn facts(plan: &Plan) -> String {
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
    let rows = rows.iter().filter(|(_, value)| !value.is_empty());
    let rows = rows.map(|(key, value)| {
        format!(
            "<tr><th scope=\"row\">{key}</th><td>{}</td></tr>\n",
            escaped(value)
        )
    });
    format!("<table>\n{}</table>\n", rows.collect::<String>())
}

fn findings(plan: &Plan) -> String {
    if plan.findings.is_empty() {
        return "<h2>Findings</h2>\n<p>None.</p>\n".to_owned();
    }
    let mut text = format!(
        "<h2>Findings ({})</h2>\n<ul class=\"findings\">\n",
        plan.findings.len()
    );
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let of_it = plan
            .findings
            .iter()
            .filter(|finding| finding.severity == severity);
        text.extend(of_it.map(finding));
    }
    text + "</ul>\n"
}

fn finding(finding: &Finding) -> String {
    let details = match serde_json::to_string_pretty(&finding.details) {
        Ok(details) if !finding.details.is_empty() => {
            let details = escaped_lines(&details);
            format!("<details><summary>details</summary><pre>{details}</pre></details>")
        }
        _ => String::new(),
    };
    format!(
        "<li class=\"{severity}\"><b>{severity}</b> <code>{}</code> {}\
         <p class=\"advice\">{}</p>{details}</li>\n",
        escaped(&finding.kind),
        escaped(&finding.text),
        escaped(&finding.advice),
        severity = finding.severity,
    )
}

fn script(plan: &Plan) -> String {
    let Some(steps) = &plan.script else {
        return "<h2>Script</h2>\n<p>There is none.</p>\n".to_owned();
    };
    let mut text = format!(
        "<h2>Script</h2>\n<p>{}, in the order in which it runs; each segment as a whole or not at \
         all.</p>\n<table class=\"script\">\n<tr><th scope=\"col\">segment</th><th scope=\"col\">instruction</th>\
         <th scope=\"col\">why</th></tr>\n",
        steps.source
    );
    text.extend(steps.instructions.iter().map(step));
    text.push_str("</table>\n");
    text + &own_words(plan, steps)
}

fn step(step: &Step) -> String {
    let (instruction, reasons) = (
        escaped(&step.instruction),
        escaped(&step.reasons.join("; ")),
    );
    format!(
        "<tr><td>{}</td><td><code>{instruction}</code></td><td>{reasons}</td></tr>\n",
        step.segment
    )
}

/// What the node says that it would do, where that is more than the script.
fn own_words(plan: &Plan, steps: &Steps) -> String {
    if plan.node_steps.len() <= steps.instructions.len() + 1 {
        return String::new();
    }
    let lines: String = plan
        .node_steps
        .iter()
        .map(|line| escaped(line) + "\n")
        .collect();
    format!("<h2>In the node's own words</h2>\n<pre>{lines}</pre>\n")
}

fn graph(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(svg) = picture::svg(plan) {
        let _ = write!(
            text,
            "<h2>Modules in load order</h2>\n<p>An arrow leads from a module to what it calls; dashed \
             where the caller is loaded first.</p>\n<div class=\"graph\" role=\"region\" tabindex=\"0\" \
             aria-label=\"Modules in load order\">{svg}</div>\n"
        );
    }
    text
}

/// Text for a page: on one line, without control characters, and nothing in it is markup.
fn escaped(text: &str) -> String {
    escaped_lines(&printable(text))
}

fn escaped_lines(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_text_is_markup() {
        assert_eq!(
            escaped("<a href=\"x\" b='y'>\u{1b}[1m&amp;"),
            "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;[1m&amp;amp;"
        );
    }
}
