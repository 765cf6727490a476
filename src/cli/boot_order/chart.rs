//! A boot that has been: drawn over time, and as a graph for Graphviz.

use super::picture::quoted;
use crate::cli::output::printable;
use crate::cli::table::microseconds;
use crate::status::{BootTimes, StartedApplication};
use maud::{Markup, html};
use std::collections::{HashMap, HashSet};

/// Pixels: of the whole time, of a line, above the first line, and room for the text of a bar that ends late.
const WIDTH: f64 = 1000.0;
const LINE: f64 = 20.0;
const TOP: f64 = 50.0;
const MARGIN: f64 = 400.0;

/// So many marks of time at most.
const MARKS: u64 = 10;

/// A bar for each application from when it was begun to when it had started, in the order in which they were begun; the
/// critical path stands out.
pub fn svg(boot: &BootTimes) -> String {
    let whole = boot.applications.iter().map(StartedApplication::ended);
    let whole = whole.chain([boot.took, 1]).max().unwrap_or(1);
    let x = |time: u64| 10.0 + ratio(time, whole) * WIDTH;
    let critical = critical(boot);
    let height = TOP + LINE * (lines(boot.applications.len()) + 1.0);
    let drawing = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH + MARGIN) height=(height) font-family="sans-serif" font-size="12" {
            rect width="100%" height="100%" fill="white" {}
            text x="10" y="18" { (boot.at) ": " (boot.applications.len()) " in " (microseconds(boot.took)) ", up to " (boot.jobs) " at once" }
            @for mark in marks(whole) {
                line x1=(x(mark)) x2=(x(mark)) y1=(TOP - 8.0) y2=(height) stroke="lightgrey" {}
                text x=(x(mark)) y=(TOP - 12.0) fill="grey" { (microseconds(mark)) }
            }
            @for (place, step) in boot.applications.iter().enumerate() {
                (bar(step, TOP + LINE * lines(place), &x, critical.contains(step.application.as_str())))
            }
        }
    };
    drawing.into_string()
}

fn bar(step: &StartedApplication, y: f64, x: &dyn Fn(u64) -> f64, is_critical: bool) -> Markup {
    let colour = match (step.outcome.as_str(), is_critical) {
        ("failed", _) => "crimson",
        ("taken_back", _) => "silver",
        (_, true) => "orange",
        (_, false) => "lightblue",
    };
    let (from, to) = (x(step.begun), x(step.ended()));
    let width = (to - from).max(1.0);
    html! {
        rect x=(from) y=(y) width=(width) height=(LINE - 4.0) fill=(colour) {}
        text x=(from + 4.0) y=(y + LINE - 8.0) { (label(step)) " (" (microseconds(step.took)) ")" }
    }
}

/// The graph in the language of Graphviz, what starts first at the bottom; the critical path is bold.
pub fn dot(boot: &BootTimes) -> String {
    let path = boot.critical_path();
    let critical = critical(boot);
    let next: HashMap<&str, &str> = path
        .windows(2)
        .map(|pair| (pair[0].application.as_str(), pair[1].application.as_str()))
        .collect();
    let mut text = String::from("digraph boot {\n  rankdir=BT;\n  node [shape=box];\n");
    for step in &boot.applications {
        let own = step.application.as_str();
        let style = if critical.contains(own) {
            ", style=bold"
        } else {
            ""
        };
        let label = format!("{}\n{}", label(step), microseconds(step.took));
        let name = quoted(&printable(own));
        text.push_str(&format!("  {name} [label={}{style}];\n", quoted(&label)));
        for needed in &step.needs {
            let is_next = next.get(own) == Some(&needed.as_str());
            let style = if is_next { " [style=bold]" } else { "" };
            let needed = quoted(&printable(needed));
            text.push_str(&format!("  {name} -> {needed}{style};\n"));
        }
    }
    text.push_str("}\n");
    text
}

fn critical(boot: &BootTimes) -> HashSet<&str> {
    let path = boot.critical_path().into_iter();
    path.map(|step| step.application.as_str()).collect()
}

fn label(step: &StartedApplication) -> String {
    printable(&format!("{} {}", step.application, step.vsn))
}

/// Round times up to `whole`.
fn marks(whole: u64) -> impl Iterator<Item = u64> {
    let step = (whole / MARKS).max(1);
    let power = 10_u64.pow(step.ilog10());
    let factor = [1, 2, 5, 10]
        .into_iter()
        .find(|factor| factor * power >= step);
    let step = factor.unwrap_or(10).saturating_mul(power);
    (0..=whole / step).map(move |count| count * step)
}

#[allow(clippy::cast_precision_loss, reason = "a place in a picture")]
fn ratio(time: u64, whole: u64) -> f64 {
    time as f64 / whole as f64
}

#[allow(clippy::cast_precision_loss, reason = "a place in a picture")]
fn lines(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Time;

    fn step(application: &str, begun: u64, took: u64, needs: &[&str]) -> StartedApplication {
        StartedApplication {
            application: application.to_owned(),
            vsn: "1".to_owned(),
            begun,
            took,
            outcome: "started".to_owned(),
            needs: needs.iter().map(ToString::to_string).collect(),
        }
    }

    fn boot(applications: Vec<StartedApplication>) -> BootTimes {
        BootTimes {
            at: Time::from_millis(0),
            took: 1000,
            jobs: 2,
            schedulers: 2,
            applications,
        }
    }

    #[test]
    fn every_application_has_a_bar_and_markup_in_names_is_text() {
        let boot = boot(vec![
            step("a", 0, 500, &[]),
            step("<b>&\"", 500, 250, &["a"]),
            step("c", 0, 9, &[]),
        ]);
        let svg = svg(&boot);
        assert!(
            svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>"),
            "{svg}"
        );
        assert!(
            svg.contains(r#"<rect x="510" y="70" width="250" height="16" fill="orange">"#),
            "{svg}"
        );
        assert_eq!(svg.matches("lightblue").count(), 1);
    }

    #[test]
    fn times_at_the_ends_of_the_numbers_are_drawn() {
        for (begun, took) in [(0, 0), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
            assert!(svg(&boot(vec![step("a", begun, took, &[])])).contains("a 1"));
        }
        assert_eq!(marks(1000).collect::<Vec<_>>().len(), 11);
        assert_eq!(marks(1).collect::<Vec<_>>(), [0, 1]);
        assert!(marks(u64::MAX).count() <= 11);
    }

    #[test]
    fn the_graph_has_times_and_a_bold_path() {
        let dot = dot(&boot(vec![
            step("a", 0, 500, &[]),
            step("b", 500, 250, &["a"]),
        ]));
        assert!(
            dot.contains(r#""a" [label="a 1\n500 us", style=bold];"#),
            "{dot}"
        );
        assert!(dot.contains(r#""b" -> "a" [style=bold];"#), "{dot}");
    }
}
