//! How everything stands as one page: nothing outside of the file is needed to read it. What is put into the markup is
//! escaped by its type.

use super::chart;
use super::text::{details, found, going_back, heading, in_words, last, state};
use crate::cli::history::{moment, outcome, versions};
use crate::cli::output::printable;
use crate::cli::page::framed;
use crate::cli::table::microseconds;
use crate::history::Record;
use crate::status::{ApplicationStatus, NodeStatus, Report, State};
use maud::{Markup, html};

/// What this page alone has.
const STYLE: &str = include_str!("page.css");
/// So many records of the history are shown, the latest first.
const RECORDS: usize = 60;

/// The page of a report and of what was done, the oldest first.
pub fn page(report: &Report, records: &[Record], host: &str) -> String {
    let time = moment(report.time);
    let shown = &records[records.len().saturating_sub(RECORDS)..];
    let content = html! {
        h1 { (printable(host)) " " small { (time) " UTC" } }
        (verdict(report))
        @for node in &report.nodes { (section(node, report)) }
        (host_wide(report))
        (history(shown))
    };
    framed(&format!("erlrc on {host}"), STYLE, &content, "")
}

/// All that somebody should look at on a node, in words.
fn findings(node: &NodeStatus, report: &Report) -> Vec<String> {
    let apps = node.applications.iter();
    let of_apps = apps.flat_map(|app| {
        let found = app.findings.iter().map(move |finding| found(app, *finding));
        found.chain(going_back(app))
    });
    let pending = report.pending.iter();
    let pending = pending
        .filter(|one| one.node.as_deref() == Some(&node.node))
        .map(in_words);
    let restart = node
        .restart_needed
        .iter()
        .map(|reason| format!("restart needed: {reason}"));
    let facts = node
        .facts
        .iter()
        .flat_map(|facts| details(facts, report.time));
    // A node that does not answer is not well, whatever is known of it.
    let silent = (node.state != "up").then(|| {
        let why = node
            .reason
            .as_ref()
            .map_or_else(String::new, |why| format!(": {why}"));
        format!("{}{why}", node.state)
    });
    let found = of_apps.chain(pending).chain(restart).chain(facts);
    silent.into_iter().chain(found).collect()
}

fn verdict(report: &Report) -> Markup {
    let counts = report.nodes.iter().map(|node| findings(node, report).len());
    let count = counts.sum::<usize>() + report.warnings.len();
    html! {
        @match (report.nodes.len(), count) {
            (0, 0) => p class="verdict" { "no nodes" },
            (_, 0) => p class="verdict hot" { "nothing to look at" },
            (_, 1) => p class="verdict hot_with_warnings" { "1 thing to look at" },
            (_, count) => p class="verdict hot_with_warnings" { (count) " things to look at" },
        }
    }
}

fn section(node: &NodeStatus, report: &Report) -> Markup {
    html! {
        section aria-label=(printable(&node.node)) {
            h2 { (printable(&heading(node))) }
            (list(&findings(node, report)))
            @if !node.applications.is_empty() { (applications(&node.applications)) }
        }
    }
}

fn list(lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            ul class="findings" {
                @for line in lines { li class="warning" { (printable(line)) } }
            }
        }
    }
}

fn applications(applications: &[ApplicationStatus]) -> Markup {
    let dash = |vsn: &Option<String>| {
        vsn.as_ref()
            .map_or_else(|| "-".to_owned(), |vsn| printable(vsn))
    };
    html! {
        div class="wide" role="region" tabindex="0" aria-label="Applications" {
            table {
                tr {
                    @for name in ["application", "runs", "installed", "state", "last change"] {
                        th scope="col" { (name) }
                    }
                }
                @for app in applications {
                    @let look = look(app);
                    tr {
                        td { code { (printable(&app.application)) } }
                        td { (dash(&app.running)) }
                        td { (dash(&app.installed)) }
                        td class=(look) { (printable(&state(app))) }
                        td { (printable(&app.last.as_ref().map(last).unwrap_or_default())) }
                    }
                }
            }
        }
    }
}

fn look(app: &ApplicationStatus) -> &'static str {
    match (app.findings.is_empty(), app.state) {
        (false, _) => "unwell",
        (true, State::Unknown) => "unknown",
        (true, _) => "well",
    }
}

/// What is about no node, or about all.
fn host_wide(report: &Report) -> Markup {
    let pending = report
        .pending
        .iter()
        .filter(|pending| pending.node.is_none());
    let lines: Vec<String> = pending
        .map(in_words)
        .chain(report.warnings.iter().cloned())
        .collect();
    list(&lines)
}

fn history(records: &[Record]) -> Markup {
    html! {
        section aria-label="History" {
            h2 { "History" }
            @if records.is_empty() { p { "Nothing has been written down." } } @else {
                (chart::pauses(records))
                div class="wide" role="region" tabindex="0" aria-label="Operations" {
                    table {
                        tr {
                            @for name in ["ID", "time (UTC)", "operation", "application", "version", "pause", "outcome"] {
                                th scope="col" { (name) }
                            }
                        }
                        @for record in records.iter().rev() { (row(record)) }
                    }
                }
            }
        }
    }
}

fn row(record: &Record) -> Markup {
    html! {
        tr {
            td { code { (record.id()) } }
            td { (moment(record.time)) }
            td { (printable(&record.operation)) }
            td { code { (printable(&record.application)) } }
            td { (printable(&versions(record))) }
            td { (record.pause().map(microseconds).unwrap_or_default()) }
            td class=(if record.status == 0 { "well" } else { "unwell" }) { (printable(&outcome(record))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Time;

    fn record(outcome: &str, status: u8, pause: u64) -> Record {
        let json = serde_json::json!({"version": 1, "time": "2026-03-01T12:00:00Z", "who": {"uid": 0},
            "operation": "upgrade", "application": "shop", "from": "1<b>", "to": "2", "status": status, "duration_us": 9,
            "nodes": [{"node": "n1", "outcome": outcome, "status": status,
                "report": {"evaluator": "transactional", "pause_us": pause}}]});
        serde_json::from_value(json).expect("a record")
    }

    fn shown(records: &[Record]) -> String {
        let report = Report {
            version: 1,
            time: Time::parse("2026-03-02").expect("a time"),
            nodes: Vec::new(),
            pending: Vec::new(),
            host: Default::default(),
            warnings: vec!["<script>alert(1)</script>\u{1b}[1m".to_owned()],
        };
        page(&report, records, "host\"<i>")
    }

    #[test]
    fn nothing_in_text_is_markup() {
        let page = shown(&[record("up<br>graded", 0, 7)]);
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;[1m"),
            "{page}"
        );
        assert!(
            page.contains("1&lt;b&gt; -&gt; 2") && page.contains("up&lt;br&gt;graded"),
            "{page}"
        );
        for text in ["<script", "<br", "<i>", "<b>", "\u{1b}", "src=", "href="] {
            assert!(!page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn pauses_are_drawn_and_the_longest_is_named() {
        let page = shown(&[
            record("upgraded", 0, 1_500),
            record("script_failed", 1, 3_000),
        ]);
        assert_eq!(page.matches("<rect").count(), 2);
        assert_eq!(page.matches("<rect class=\"failed\"").count(), 1);
        assert!(page.contains(">3.0 ms</text>"), "{page}");
        let page = shown(&[]);
        assert!(page.contains("Nothing has been written down.") && !page.contains("<svg"));
    }

    #[test]
    fn of_a_long_history_the_latest_is_shown() {
        let page = shown(&vec![record("upgraded", 0, 1); RECORDS + 5]);
        assert_eq!(page.matches("<rect").count(), RECORDS);
    }
}
