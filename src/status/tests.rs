//! What facts come to, and the metrics of that, read back by a strict parser of the format.

use super::*;
use crate::application::{Metadata, Registration};
use crate::history::{Cost, NodeRecord, Who};
use crate::term::Atom;
use std::collections::BTreeMap;

fn loaded(name: &str, vsn: &str, state: State) -> Loaded {
    Loaded {
        name: name.to_owned(),
        vsn: vsn.to_owned(),
        state,
        includer: None,
        dir: None,
        after_restart: None,
        old_libraries: Vec::new(),
    }
}

fn node(name: &str, facts: Option<NodeFacts>) -> Node {
    let state = if facts.is_some() { "up" } else { "node_down" };
    Node {
        name: name.to_owned(),
        state: state.to_owned(),
        reason: None,
        facts,
        restart: Vec::new(),
        refused: BTreeMap::new(),
    }
}

fn installed(inventory: &mut Inventory, name: &str, vsn: &str, enabled: bool) {
    let application = Atom::new(name).expect("an atom");
    let metadata = Metadata {
        application,
        vsn: vsn.to_owned(),
        dir: "/lib".to_owned(),
    };
    inventory.installed.insert(name.to_owned(), metadata);
    let registration = Registration {
        enabled,
        ..Registration::default()
    };
    inventory.registered.insert(name.to_owned(), registration);
}

fn record(application: &str, outcomes: &[(&str, &str, u8)]) -> Record {
    let node = |&(node, outcome, status): &(&str, &str, u8)| NodeRecord {
        node: node.to_owned(),
        outcome: outcome.to_owned(),
        status,
        report: Some(Cost {
            pause: 1500,
            ..Cost::default()
        }),
        ..NodeRecord::default()
    };
    Record {
        version: 1,
        time: Time::from_millis(1_700_000_000_250),
        who: Who::default(),
        operation: "upgrade".to_owned(),
        application: application.to_owned(),
        from: None,
        from_dir: None,
        to: None,
        to_dir: None,
        nodes: outcomes.iter().map(node).collect(),
        undone: Vec::new(),
        together: Vec::new(),
        status: 0,
        duration: 0,
    }
}

/// Two nodes, one of them down; `foo` is as it should be, the others are not.
fn facts() -> Facts {
    let mut inventory = Inventory::default();
    for (name, vsn, enabled) in [
        ("foo", "1.1", true),
        ("bar", "2.0", true),
        ("baz", "1.0", true),
        ("off", "1.0", false),
        ("gone", "1.0", true),
    ] {
        installed(&mut inventory, name, vsn, enabled);
    }
    inventory.installed.remove("gone");
    let applications = vec![
        loaded("foo", "1.1", State::Running),
        loaded("bar", "1.0", State::Included),
        loaded("kernel", "8", State::Running),
    ];
    let up = NodeFacts {
        uptime: 3_600_000,
        otp_release: "25".to_owned(),
        applications,
        old_code: vec![OldCode {
            module: "foo_server".to_owned(),
            application: None,
            since: None,
            processes: vec![],
            count: 3,
        }],
        ..NodeFacts::default()
    };
    Facts {
        time: Time::from_millis(1_700_000_100_000),
        inventory,
        nodes: vec![node("n1@h", Some(up)), node("n2", None)],
        history: vec![
            record(
                "foo",
                &[("n1@h", "upgraded", 0), ("n2", "script_failed", 1)],
            ),
            record("foo", &[("n2", "node_down", 0)]),
        ],
        pending: Vec::new(),
    }
}

fn findings(report: &Report, node: usize) -> BTreeMap<String, Vec<Finding>> {
    let apps = report.nodes[node].applications.iter();
    apps.filter(|app| !app.findings.is_empty())
        .map(|app| (app.application.clone(), app.findings.clone()))
        .collect()
}

#[track_caller]
fn case(facts: Facts, expected: &[(&str, Finding)]) {
    let expected = expected
        .iter()
        .map(|(name, finding)| ((*name).to_owned(), vec![*finding]))
        .collect();
    assert_eq!(findings(&report(facts), 0), expected);
}

#[test]
fn what_somebody_should_look_at_is_found() {
    case(
        facts(),
        &[("bar", Finding::OtherVersion), ("baz", Finding::NotRunning)],
    );
    let mut stopped = facts();
    stopped.nodes[0]
        .facts
        .as_mut()
        .expect("facts")
        .stopped
        .push("baz".to_owned());
    case(stopped, &[("bar", Finding::OtherVersion)]);
    let mut pending = facts();
    let put_off = |node: Option<&str>| Pending {
        application: "off".to_owned(),
        node: node.map(str::to_owned),
        state: "pending".to_owned(),
        from: None,
        to: None,
        time: String::new(),
        reason: None,
    };
    pending.pending = vec![put_off(Some("n1@h")), put_off(Some("other"))];
    case(
        pending,
        &[
            ("bar", Finding::OtherVersion),
            ("baz", Finding::NotRunning),
            ("off", Finding::Pending),
        ],
    );
}

#[test]
fn of_a_node_that_is_down_the_history_is_told() {
    let report = report(facts());
    let expected = BTreeMap::from([("foo".to_owned(), vec![Finding::Failed])]);
    assert_eq!(findings(&report, 1), expected);
    assert!(
        report.nodes[1]
            .applications
            .iter()
            .all(|app| app.state == State::Unknown)
    );
}

fn foo(report: &Report) -> &ApplicationStatus {
    let apps = &report.nodes[0].applications;
    let foo = apps.iter().find(|app| app.application == "foo");
    foo.expect("foo")
}

#[test]
fn what_found_nothing_to_do_hides_no_failure() {
    let mut facts = facts();
    let mut failed = record("foo", &[("n1@h", "script_failed", 1)]);
    failed.to = Some("1.2".to_owned());
    let idle = ["already_running", "included", "not_running"];
    facts.history.push(failed);
    facts
        .history
        .extend(idle.map(|outcome| record("foo", &[("n1@h", outcome, 0)])));
    let known = report(facts);
    let last = foo(&known).last.as_ref().expect("a change");
    assert_eq!(
        (last.outcome.as_str(), last.to.as_deref()),
        ("script_failed", Some("1.2"))
    );
    assert_eq!(foo(&known).findings, [Finding::Failed]);
}

#[test]
fn a_failure_is_over_when_the_node_has_begun_anew_or_runs_what_was_to_run() {
    let failed = |vsn: &str| {
        let mut record = record("foo", &[("n1@h", "script_failed", 1)]);
        record.to = Some(vsn.to_owned());
        record
    };
    let case = |vsn: &str, uptime: u64| {
        let mut facts = facts();
        facts.history.push(failed(vsn));
        facts.nodes[0].facts.as_mut().expect("facts").uptime = uptime;
        foo(&report(facts)).findings.clone()
    };
    assert_eq!(case("1.2", 3_600_000), [Finding::Failed]);
    assert_eq!(case("1.2", 1_000), []);
    assert_eq!(case("1.1", 3_600_000), []);
}

#[test]
fn what_waits_for_a_restart_is_over_when_that_has_happened() {
    let case = |to: &str, since: u64, uptime: u64| {
        let mut facts = facts();
        facts.nodes[0].facts.as_mut().expect("facts").uptime = uptime;
        facts.pending.push(Pending {
            application: "foo".to_owned(),
            node: Some("n1@h".to_owned()),
            state: "pending".to_owned(),
            from: Some("1.0".to_owned()),
            to: Some(to.to_owned()),
            time: Time::from_millis(since).to_string(),
            reason: None,
        });
        let report = report(facts);
        (report.pending.len(), foo(&report).findings.clone())
    };
    let (hour, time) = (3_600_000, 1_700_000_000_000);
    assert_eq!(case("1.2", time, hour), (1, vec![Finding::Pending]));
    // It runs what it was to run, or has begun since.
    assert_eq!(case("1.1", time, hour), (0, vec![]));
    assert_eq!(case("1.2", time, 1_000), (0, vec![]));
}

#[test]
fn what_died_is_found_without_a_package_and_state_and_version_agree() {
    let mut facts = facts();
    let died = loaded("orders", "1.0", State::Loaded);
    facts.nodes[0]
        .facts
        .as_mut()
        .expect("facts")
        .applications
        .push(died);
    facts
        .inventory
        .registered
        .insert("orders".to_owned(), Registration::default());
    let report = report(facts);
    let apps = &report.nodes[0].applications;
    let orders = apps
        .iter()
        .find(|app| app.application == "orders")
        .expect("orders");
    assert_eq!(orders.findings, [Finding::NotRunning]);
    assert_eq!(
        (&orders.running, orders.loaded.as_deref()),
        (&None, Some("1.0"))
    );
}

#[test]
fn what_was_undone_has_failed() {
    let mut facts = facts();
    let mut undone = record("foo", &[("n1@h", "upgraded", 0)]);
    undone.undone = record("foo", &[("n1@h", "downgraded", 0)]).nodes;
    undone.status = 1;
    facts.history.push(undone);
    let report = report(facts);
    let foo = report.nodes[0]
        .applications
        .iter()
        .find(|app| app.application == "foo")
        .expect("foo");
    let last = foo.last.as_ref().expect("an operation");
    assert_eq!((last.outcome.as_str(), last.status), ("undone", 1));
    assert_eq!(foo.findings, [Finding::Failed]);
}

#[test]
fn what_could_not_be_undone_does_not_count_as_undone() {
    for outcome in ["hung", "node_down"] {
        let mut facts = facts();
        let mut undone = record("foo", &[("n1@h", "upgraded", 0)]);
        undone.undone = record("foo", &[("n1@h", outcome, 6)]).nodes;
        undone.status = 6;
        facts.history.push(undone);
        let report = report(facts);
        let apps = &report.nodes[0].applications;
        let foo = apps
            .iter()
            .find(|app| app.application == "foo")
            .expect("foo");
        let last = foo.last.as_ref().expect("an operation");
        assert_eq!((last.outcome.as_str(), last.status), ("not_undone", 6));
    }
}

#[test]
fn what_failed_of_an_application_that_nobody_knows_does_not_count() {
    let refused = |name: &str| {
        record(
            name,
            &[("n1@h", "bad_directory", 1), ("n2", "timed_out", 3)],
        )
    };
    let mut facts = facts();
    facts.history.extend(["fooo", "off"].map(refused));
    let report = report(facts);
    let found = [0, 1].map(|node| findings(&report, node));
    let failed = |name: &str| found.each_ref().map(|found| found.contains_key(name));
    assert_eq!(
        [failed("fooo"), failed("off")],
        [[false, true], [true, true]]
    );
}

/// Reads the text format, and nothing that is not exactly that: samples by name and labels.
fn parse(text: &str) -> Result<BTreeMap<String, f64>, String> {
    let (mut samples, mut current, mut seen) = (BTreeMap::new(), None, Vec::new());
    if !text.ends_with('\n') {
        return Err("no line end at the end".to_owned());
    }
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().unwrap_or_default().to_owned();
            if lines.next() != Some(&format!("# TYPE {name} gauge")) || seen.contains(&name) {
                return Err(format!("{name}: no type, or twice"));
            }
            seen.push(name.clone());
            current = Some(name);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').ok_or(line)?;
        let name = series.split('{').next().unwrap_or_default();
        let sound = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !sound || current.as_deref() != Some(name) {
            return Err(format!("out of place: {line}"));
        }
        labels(series.get(name.len()..).unwrap_or_default())?;
        let value: f64 = value.parse().map_err(|_| line)?;
        if samples.insert(series.to_owned(), value).is_some() {
            return Err(format!("twice: {series}"));
        }
    }
    Ok(samples)
}

/// `{name="value",...}` or nothing.
fn labels(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let bad = || format!("labels: {text}");
    let mut rest = text.strip_prefix('{').ok_or_else(bad)?;
    loop {
        let (name, after) = rest.split_once("=\"").ok_or_else(bad)?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(bad());
        }
        let mut end = None;
        let mut characters = after.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' if !matches!(characters.next(), Some((_, '\\' | '"' | 'n'))) => {
                    return Err(bad());
                }
                '"' => {
                    end = Some(at);
                    break;
                }
                '\n' => return Err(bad()),
                _ => {}
            }
        }
        rest = after.get(end.ok_or_else(bad)? + 1..).unwrap_or_default();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None if rest == "}" => return Ok(()),
            None => return Err(bad()),
        }
    }
}

#[test]
fn metrics_are_in_prometheus_format() {
    let samples = parse(&prometheus(&report(facts()))).expect("the format");
    let value = |series: &str| samples.get(series).copied();
    assert_eq!(value("erlrc_node_up{node=\"n1@h\"}"), Some(1.0));
    assert_eq!(value("erlrc_node_up{node=\"n2\"}"), Some(0.0));
    assert_eq!(value("erlrc_pending_operations"), Some(0.0));
    assert_eq!(value("erlrc_failed_operations{node=\"n2\"}"), Some(1.0));
    assert_eq!(value("erlrc_old_code_processes{node=\"n1@h\"}"), Some(3.0));
    assert_eq!(
        value("erlrc_application_outdated{node=\"n1@h\",application=\"bar\"}"),
        Some(1.0)
    );
    assert_eq!(
        value("erlrc_last_pause_seconds{node=\"n1@h\",application=\"foo\"}"),
        Some(0.0015)
    );
    let stamp = "erlrc_last_operation_timestamp_seconds{node=\"n1@h\",application=\"foo\",operation=\"upgrade\"}";
    assert_eq!(value(stamp), Some(1_700_000_000.25));
    assert!(!samples.keys().any(|series| series.contains("kernel")));
}

#[test]
fn values_are_escaped() {
    let mut facts = facts();
    let odd = "a\"b\\c\nd}";
    facts.nodes[0].name = odd.to_owned();
    let samples = parse(&prometheus(&report(facts))).expect("the format");
    assert_eq!(
        samples.get("erlrc_node_up{node=\"a\\\"b\\\\c\\nd}\"}"),
        Some(&1.0)
    );
}
