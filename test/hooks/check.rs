//! `erlrc check` asks what upgrades go by: the checks of nodes and applications, and the peers.

use crate::host::{Host, Node, foo};
use serde_json::{Value, json};
use std::fs;

/// foo 1.0 is installed and runs on n1 and n2, which are connected.
fn host() -> (Host, [Node; 2]) {
    let host = Host::new();
    let metadata = format!("{{foo, \"1.0\", \"{}\"}}.\n", foo("1.0"));
    fs::write(host.path("apps/foo"), metadata).expect("a file");
    let nodes = ["n1", "n2"].map(|name| host.node(name));
    host.erlrc(&["start", "foo", "1.0"]);
    let there = host.erlrc(&["eval", "n2", "node()"]).out;
    set(
        &host,
        &format!("net_kernel:connect_node({})", there.trim()),
        "true",
    );
    (host, nodes)
}

#[track_caller]
fn set(host: &Host, expressions: &str, answer: &str) {
    host.erlrc(&["eval", "n1", expressions])
        .is(&format!("{answer}\n"), 0);
}

fn told(host: &Host) -> Value {
    serde_json::from_str(&host.erlrc(&["check", "--json"]).out).expect("JSON")
}

#[test]
fn a_check_that_does_not_pass_closes_the_gate() {
    let (host, _nodes) = host();
    host.erlrc(&["check"])
        .is("all well: 2 nodes, 1 application, 2 peers\n", 0);
    set(
        &host,
        "application:set_env(foo, erlrc_health_check, {erlang, is_atom, [x]})",
        "ok",
    );
    set(
        &host,
        "application:set_env(erlrc, service_check, {erlang, is_atom, [x]})",
        "ok",
    );
    host.erlrc(&["check"])
        .is("all well: 2 nodes, 1 application, 2 checks, 2 peers\n", 0);
    let run = host.erlrc(&["check", "-v"]);
    assert!(
        run.out.contains("n1: foo: health check passes\n"),
        "{run:?}"
    );
    assert!(
        run.out.contains("n1: peer n2@") && run.out.contains(" is connected\n"),
        "{run:?}"
    );
    for (check, text) in [
        (
            "{foo_server, history, []}",
            "n1: foo: health check: foo_server:history/0 answers [\"1.0\"]",
        ),
        (
            "{erlang, error, [unwell]}",
            "n1: foo: health check: erlang:error/1 fails: unwell",
        ),
        (
            "{nobody, is, [here]}",
            "n1: foo: health check: nobody:is/1 fails: undef",
        ),
        (
            "{timer, sleep, [infinity]}",
            "n1: foo: health check: timer:sleep/1 does not answer within 5 s",
        ),
        (
            "{erlang, exit, [kill]}",
            "n1: foo: health check: erlang:exit/1 fails: kill",
        ),
        (
            "well",
            "n1: foo: health check: cannot be called: well is not {Module, Function, Arguments}",
        ),
    ] {
        set(
            &host,
            &format!("application:set_env(foo, erlrc_health_check, {check})"),
            "ok",
        );
        host.erlrc(&["check"]).is("", 1).says(text);
    }
    // Not that of another application; that of the node counts for all.
    host.erlrc(&["check", "kernel"])
        .is("all well: 2 nodes, 0 applications, 1 check, 2 peers\n", 0);
    set(
        &host,
        "application:set_env(erlrc, service_check, {erlang, is_atom, [7]})",
        "ok",
    );
    host.erlrc(&["check", "kernel"])
        .is("", 1)
        .says("n1: erlrc: service check: erlang:is_atom/1 answers false");
    let json = told(&host);
    assert_eq!((&json["well"], &json["status"]), (&json!(false), &json!(1)));
    assert_eq!(json["checks"].as_array().map(Vec::len), Some(2), "{json}");
}

#[test]
fn a_peer_that_is_missing_or_silent_closes_the_gate() {
    let (host, nodes) = host();
    host.erlrc(&["upgrade", "foo=2.0", "--node", "n2"])
        .is("erlrc-upgrade: Upgrading 'foo': (n2) upgraded\n", 0);
    let json = told(&host);
    let others = &json["peers"][0]["others"];
    assert_eq!(
        others[0],
        json!({"application": "foo", "here": "1.0", "there": "2.0"}),
        "{json}"
    );
    host.erlrc(&["downgrade", "foo=1.0", "--node", "n2"]);
    set(
        &host,
        "application:set_env(kernel, sync_nodes_mandatory, [gone@nowhere, node()])",
        "ok",
    );
    host.erlrc(&["check"])
        .is("", 1)
        .says("n1: peer gone@nowhere is not connected");
    assert_eq!(host.erlrc(&["check"]).err.lines().count(), 1);
    set(
        &host,
        "application:set_env(kernel, sync_nodes_mandatory, [])",
        "ok",
    );
    nodes[1].signal("STOP");
    host.erlrc(&["check", "--node", "n1"])
        .is("", 1)
        .says(" is connected and does not answer");
    nodes[1].signal("CONT");
}
