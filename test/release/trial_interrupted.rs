//! What a command leaves that is killed while a release goes on trial or is committed, and the one command that goes on
//! from there, which the doctor names.

use crate::host::Host;
use crate::nodes::{FIRST, SECOND, seen};
use crate::shop::{json, release};
use crate::trial::{TRIED, host, let_time_pass, trying};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

/// What the doctor says of releases: kind and advice.
fn doctor(host: &Host) -> Vec<(String, String)> {
    let run = host.erlrc(&["--json", "doctor"]);
    let value: Value = serde_json::from_str(&run.out).expect("JSON");
    let findings = value["findings"].as_array().expect("findings").iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    findings
        .map(|one| (text(one, "kind"), text(one, "advice")))
        .filter(|(kind, _)| kind.contains("release"))
        .collect()
}

#[track_caller]
fn advised(host: &Host, kind: &str, command: &str) {
    let found = doctor(host);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == kind && found[0].1.contains(command),
        "{found:?}"
    );
}

/// Writes down a trial of release 2 on `nodes` that began long ago.
fn write(host: &Host, until: Value, nodes: &[&str]) {
    let dir = host.path("state/services/shop");
    let trial = json!({
        "form": 1, "release": "2", "from": "1", "begun_ms": 1000, "until_ms": until, "nodes": nodes,
    });
    let file = dir.join("trial");
    // It cannot be written to, as it is only ever replaced.
    let _ = fs::remove_file(&file);
    fs::write(file, trial.to_string()).expect("a file");
}

/// Makes release 2 the current one, by the link alone.
fn flip(host: &Host) {
    let link = host.path("state/services/shop/current");
    fs::remove_file(&link).expect("a link");
    symlink(host.path("services/shop/releases/2"), &link).expect("a link");
}

fn is_over(host: &Host, current: &str, previous: Value) {
    let found = json(host, &["current", "shop"]);
    assert!(found["trial"].is_null(), "{found}");
    assert_eq!(
        (&found["current"], &found["previous"]),
        (&current.into(), &previous)
    );
    assert_eq!(doctor(host), Vec::new());
}

#[test]
fn before_the_first_node_was_asked() {
    let (host, _nodes) = host(&["n1"]);
    write(&host, Value::Null, &["n1"]);
    advised(&host, "unfinished_release", "erlrc release revert shop");
    let run = release(&host, &["commit", "shop"]);
    run.is("", 1)
        .says("shop 2 is no longer on trial: n1 does not run it");
    is_over(&host, "1", Value::Null);
    write(&host, Value::Null, &["n1"]);
    assert_eq!(release(&host, &["revert", "shop"]).status, 0);
    is_over(&host, "1", Value::Null);
    write(&host, Value::Null, &["n1"]);
    let run = release(&host, &["upgrade", "shop", "2"]);
    assert_eq!(
        (run.status, seen(&host, "n1").as_str()),
        (0, SECOND),
        "{run:?}"
    );
    is_over(&host, "2", "1".into());
}

#[test]
fn after_some_nodes_and_after_all() {
    let (host, _nodes) = trying(&["n1", "n2"]);
    write(&host, Value::Null, &["n1", "n2"]);
    advised(&host, "unfinished_release", "erlrc release revert shop");
    let run = release(&host, &["upgrade", "shop", "2"]);
    run.is("", 1)
        .says("shop 2 is on trial on some nodes: the upgrade was interrupted");
    let_time_pass(&host, "n2");
    let run = release(&host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [FIRST, FIRST]);
    is_over(&host, "1", Value::Null);
}

#[test]
fn after_the_link_and_before_the_nodes() {
    let (host, _nodes) = trying(&["n1", "n2"]);
    advised(&host, "release_on_trial", "erlrc release commit shop");
    flip(&host);
    advised(&host, "unfinished_release", "erlrc release commit shop");
    let run = release(&host, &["upgrade", "shop", "2"]);
    run.is("", 1)
        .says("shop 2 is current, but its commit was interrupted");
    // A node that went back meanwhile comes again.
    let_time_pass(&host, "n2");
    assert_eq!(seen(&host, "n1"), TRIED);
    let run = release(&host, &["commit", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [SECOND, SECOND]);
    is_over(&host, "2", "1".into());
}

#[test]
fn after_the_link_one_can_go_back_as_well() {
    let (host, _nodes) = trying(&["n1"]);
    flip(&host);
    let run = release(&host, &["revert", "shop"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(seen(&host, "n1"), FIRST);
    is_over(&host, "1", "2".into());
}

#[test]
fn a_node_that_was_confirmed_before_the_link_stays_or_goes_back_with_the_rest() {
    let confirm = "#{held := #{held := Id}} = erlrc_status:report(), \
        #{outcome := confirmed} = erlrc_hook:request(#{protocol => 1, operation => confirm, held => Id, \
        changes => [#{operation => upgrade, application => tally, from => <<\"1.0\">>, to => <<\"1.1\">>}]}), ok";
    for (command, expected) in [("commit", SECOND), ("revert", FIRST)] {
        let (host, _nodes) = trying(&["n1", "n2"]);
        host.erlrc(&["eval", "n1", confirm]).is("ok\n", 0);
        write(&host, 2000.into(), &["n1", "n2"]);
        advised(&host, "unfinished_release", "erlrc release revert shop");
        let run = release(&host, &[command, "shop"]);
        assert_eq!(run.status, 0, "{run:?}");
        assert_eq!([seen(&host, "n1"), seen(&host, "n2")], [expected, expected]);
    }
}

#[test]
fn a_file_that_says_nothing_is_named_and_stops_everything() {
    let (host, _nodes) = host(&["n1"]);
    fs::write(host.path("state/services/shop/trial"), "{}").expect("a file");
    advised(&host, "unfinished_release", "remove it");
    for command in [
        &["upgrade", "shop", "2"][..],
        &["commit", "shop"],
        &["current", "shop"],
    ] {
        let run = release(&host, command);
        assert_eq!(run.status, 1, "{run:?}");
        run.says("does not say which release is on trial");
    }
    assert_eq!(seen(&host, "n1"), FIRST);
}
