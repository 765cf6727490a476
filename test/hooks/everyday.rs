//! The commands of every day: short forms, lists, registrations, checks.

use crate::host::{Host, Node, Run, foo};
use serde_json::{Value, json};
use std::fs;

fn install(host: &Host, vsn: &str) {
    let metadata = format!("{{foo, \"{vsn}\", \"{}\"}}.\n", foo(vsn));
    fs::write(host.path("apps/foo"), metadata).expect("a file");
}

/// foo 1.0 is installed, registered and runs on n1 and n2.
fn host() -> (Host, [Node; 2]) {
    let host = Host::new();
    host.file("applications/foo", "", 0o644);
    install(&host, "1.0");
    let nodes = ["n1", "n2"].map(|name| host.node(name));
    host.erlrc(&["start", "foo", "1.0"]);
    (host, nodes)
}

fn runs(host: &Host, node: &str) -> String {
    let vsn = "case [V || {foo, _, V} <- application:which_applications()] of [V] -> list_to_atom(V); [] -> none end";
    host.erlrc(&["eval", node, vsn]).out.trim().to_owned()
}

fn json_of(run: &Run, kind: &str) -> Value {
    let json: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    assert_eq!(
        (&json["kind"], &json["version"]),
        (&json!(kind), &json!(1)),
        "{json}"
    );
    json
}

#[test]
fn nodes_on_different_versions_are_brought_together_each_from_where_it_is() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "foo"]).is(
        "foo on n1: 1.0 runs, nothing to do\nfoo on n2: 1.0 runs, nothing to do\n",
        0,
    );
    host.erlrc(&["upgrade"])
        .is("nothing to do: every node runs what is installed\n", 0);
    host.erlrc(&["upgrade", "foo=2.0", "--node", "n2"])
        .is("erlrc-upgrade: Upgrading 'foo': (n2) upgraded\n", 0);
    assert_eq!([runs(&host, "n1"), runs(&host, "n2")], ["'1.0'", "'2.0'"]);
    install(&host, "2.0");
    host.erlrc(&["upgrade"]).is(
        "foo on n2: 2.0 runs, nothing to do\nerlrc-upgrade: Upgrading 'foo': (n1) upgraded\n",
        0,
    );
    host.erlrc(&["downgrade", "foo=1.0", "--node", "n1"])
        .is("erlrc-downgrade: Downgrading 'foo': (n1) downgraded\n", 0);
    // What is installed now is the earlier one: one node goes down, the other is there.
    install(&host, "1.0");
    host.erlrc(&["upgrade", "--all"]).is(
        "foo on n1: 1.0 runs, nothing to do\nerlrc-downgrade: Downgrading 'foo': (n2) downgraded\n",
        0,
    );
    host.erlrc(&["eval", "n2", "foo_server:history()"])
        .is("[down,up,\"1.0\"]\n", 0);
}

#[test]
fn a_short_form_refuses_what_is_nowhere_and_what_is_no_name() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "fooo"])
        .is("", 1)
        .says("fooo is nowhere to be found");
    host.erlrc(&["upgrade", "foo=7"])
        .is("", 1)
        .says("version 7 of foo is nowhere to be found");
    host.erlrc(&["upgrade", "Foo"])
        .is("", 2)
        .says("an application is named");
    host.erlrc(&["upgrade", "foo=1 0"]).is("", 2);
    host.erlrc(&["downgrade"]).is("", 2);
    host.erlrc(&["downgrade", "foo"])
        .is("", 1)
        .says("no upgrade or downgrade of foo has been written down");
    host.erlrc(&["upgrade", "-n", "foo=2.0", "--node", "n1"]);
    assert_eq!(runs(&host, "n1"), "'1.0'", "a dry run changes nothing");
}

#[test]
fn an_undo_goes_back_when_somebody_agrees() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "foo=2.0"]);
    host.erlrc(&["undo"])
        .is("", 1)
        .says("nobody agreed to take foo back from 2.0 to 1.0")
        .says("--yes agrees");
    assert_eq!(runs(&host, "n1"), "'2.0'");
    host.erlrc(&["undo", "foo", "--yes"]).is(
        "erlrc-downgrade: Downgrading 'foo': (n1) downgraded (n2) downgraded\n",
        0,
    );
    assert_eq!(runs(&host, "n2"), "'1.0'");
    host.erlrc(&["undo", "foo", "--yes"]).is(
        "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded\n",
        0,
    );
    host.erlrc(&["downgrade", "foo"]).is(
        "erlrc-downgrade: Downgrading 'foo': (n1) downgraded (n2) downgraded\n",
        0,
    );
}

/// Upgrades one node, however long it takes to be reached.
fn upgrade_on(host: &Host, node: &str) {
    let patient = ["upgrade", "--connect-timeout", "60"];
    host.erlrc(&[&patient[..], &["foo=2.0", "--node", node]].concat());
}

/// The IDs of all operations, the oldest first.
fn ids(host: &Host) -> Vec<String> {
    let json = json_of(&host.erlrc(&["history", "--json"]), "history");
    let records = json["records"].as_array().expect("records").iter();
    let ids = records.map(|record| record["id"].as_str().expect("an ID").to_owned());
    ids.collect()
}

#[test]
fn an_operation_is_undone_by_its_id_where_nothing_came_after_it() {
    let (host, _nodes) = host();
    upgrade_on(&host, "n2");
    upgrade_on(&host, "n1");
    let ids = ids(&host);
    let table = host.erlrc(&["history"]).out;
    assert!(ids.iter().all(|id| table.contains(id)), "{ids:?} {table}");
    // That of n2 alone, though another came later; an ID is also how it begins.
    let run = host.erlrc(&["undo", "--connect-timeout", "60", "--yes", &ids[1]]);
    run.is("erlrc-downgrade: Downgrading 'foo': (n2) downgraded\n", 0);
    assert_eq!([runs(&host, "n1"), runs(&host, "n2")], ["'2.0'", "'1.0'"]);
    host.erlrc(&["undo", "--connect-timeout", "60", "--yes", &ids[1][..7]])
        .is("foo on n2: 1.0 runs, nothing to do\n", 0);
    host.erlrc(&["undo", "--connect-timeout", "60", &ids[2]])
        .is("", 1)
        .says("nobody agreed to take foo back from 2.0 to 1.0");
    host.erlrc(&["undo", "--connect-timeout", "60", "--yes", &ids[0]])
        .is("", 1)
        .says("start of foo, has replaced no version")
        .says("erlrc stop foo 1.0 stops it");
    host.erlrc(&["undo", "--connect-timeout", "60", "--yes", "00000000"])
        .is("", 1)
        .says("hint: erlrc history lists");
    host.erlrc(&["undo", "--connect-timeout", "60", "--yes", "7x"])
        .is("", 2);
}

#[test]
fn an_operation_after_which_another_came_is_not_undone() {
    let (host, _nodes) = host();
    upgrade_on(&host, "n1");
    let id = &ids(&host)[1];
    // The same file system, another version: as if somebody had gone on from there.
    let third = host.path("foo-3.0");
    let copied = std::process::Command::new("cp")
        .args(["-r", &foo("2.0")])
        .arg(&third)
        .status();
    assert!(copied.expect("cp runs").success());
    let app = third.join("ebin/foo.app");
    let text = fs::read_to_string(&app)
        .expect("the .app")
        .replace("\"2.0\"", "\"3.0\"");
    fs::write(&app, text).expect("the .app");
    let third = third.display().to_string();
    host.erlrc(&[
        "upgrade",
        "--connect-timeout",
        "60",
        "foo",
        "2.0",
        "3.0",
        &foo("2.0"),
        &third,
        "--node",
        "n1",
    ])
    .is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
    host.erlrc(&["undo", "--connect-timeout", "60", "--yes", id])
        .is("", 1)
        .says("not done: foo 3.0 runs on n1 by now, not 2.0")
        .says("erlrc downgrade foo=1.0 goes there all the same");
    assert_eq!(runs(&host, "n1"), "'3.0'");
}

#[test]
fn a_failure_says_what_runs_why_and_what_tells_more() {
    let (host, _nodes) = host();
    // That it will fail is foreseen, unless nobody looks.
    host.erlrc(&[
        "eval",
        "n1",
        "application:set_env(erlrc, preflight, off), persistent_term:put(foo_broken, true)",
    ]);
    let run = host.erlrc(&["upgrade", "foo=2.0", "--node", "n1"]);
    let lines: Vec<&str> = run.err.lines().collect();
    assert_eq!(
        lines[0],
        "erlrc-upgrade: n1: rolled back: foo 1.0 runs on, nothing is lost"
    );
    assert!(
        lines[1].starts_with("erlrc-upgrade: n1: foo: code_change of foo_server failed"),
        "{run:?}"
    );
    assert_eq!(
        lines[2..],
        ["erlrc-upgrade: erlrc history foo -l tells more"]
    );
    assert!(!run.err.contains("{file,"), "{run:?}");
    let long = host.erlrc(&["history", "foo", "-l"]);
    assert!(long.out.contains("{file,\"foo_server.erl\"}"), "{long:?}");
    let verbose = host.erlrc(&["-v", "upgrade", "foo=2.0", "--node", "n1"]);
    assert!(
        verbose.err.contains("{file,\"foo_server.erl\"}"),
        "{verbose:?}"
    );
    let logs = host.erlrc(&["logs", "foo"]);
    assert!(
        logs.out
            .contains(" n1: upgrade foo 1.0 -> 2.0: script_failed\n"),
        "{logs:?}"
    );
    assert!(!logs.out.contains("{file,"), "{logs:?}");
    let line = logs.out.lines().next().expect("a line");
    assert!(line.ends_with("start foo 1.0: started"), "{line}");
}

#[test]
fn a_list_has_a_line_for_each_application() {
    let (host, _nodes) = host();
    host.erlrc(&["upgrade", "foo=2.0", "--node", "n2"]);
    host.file("applications/bar", "{enabled, false}.", 0o644);
    let run = host.erlrc(&["list"]);
    run.is(
        "APPLICATION  INSTALLED  BOOT      ON\n\
         bar          -          disabled  disabled (n1, n2)\n\
         foo          1.0        yes       1.0 (n1), 2.0 (n2)\n",
        0,
    );
    let json = json_of(&host.erlrc(&["list", "--json"]), "list");
    let foo = &json["applications"][1];
    assert_eq!(
        (&foo["application"], &foo["nodes"][1]["running"]),
        (&json!("foo"), &json!("2.0"))
    );
}

#[test]
fn a_list_knows_what_is_installed_and_registered_without_nodes() {
    let host = Host::new();
    install(&host, "2.0");
    host.file("applications/foo", "", 0o644);
    host.file("applications/bar", "{enabled, false}.", 0o644);
    let run = host.erlrc(&["list"]);
    let table = "\nAPPLICATION  INSTALLED  BOOT\n\
        bar          -          disabled\n\
        foo          2.0        yes\n";
    assert!(
        run.out.starts_with("no nodes: ") && run.out.ends_with(table),
        "{run:?}"
    );
    let json = json_of(&host.erlrc(&["list", "--json"]), "list");
    let of = |name: &str, installed, enabled| json!({"application": name, "installed": installed, "registered": true, "enabled": enabled, "nodes": []});
    let listed = [of("bar", json!(null), false), of("foo", json!("2.0"), true)];
    assert_eq!(json["applications"], json!(listed));
}

#[test]
fn a_description_tells_what_runs_from_where_and_what_to_do() {
    let (host, _nodes) = host();
    install(&host, "2.0");
    let run = host.erlrc(&["describe", "foo", "--node", "n1"]);
    for text in [
        &format!("foo\n  installed: 2.0 in {}\n", foo("2.0")),
        &format!("  n1: 1.0 running from {}; up for ", foo("1.0")),
        &format!("    finds 2.0 in {}\n", foo("2.0")),
        " start 1.0: started\n",
        "    not the installed version\n",
        "  next: erlrc plan foo --node n1\n",
    ] {
        assert!(run.out.contains(text), "{text:?}: {run:?}");
    }
    let json = json_of(&host.erlrc(&["describe", "foo", "--json"]), "describe");
    assert_eq!(json["nodes"][1]["application"]["running"], "1.0");
    host.erlrc(&["describe", "fooo"])
        .is("", 1)
        .says("fooo is nowhere to be found");
}

#[test]
fn registrations_are_edited_and_obeyed() {
    let (host, _nodes) = host();
    let file = host.path("applications/foo");
    host.erlrc(&["disable", "foo"])
        .is("foo: disabled: nodes do not start it when they boot\n", 0);
    assert_eq!(
        fs::read_to_string(&file).expect("a file"),
        "{enabled, false}.\n"
    );
    assert_eq!(runs(&host, "n1"), "'1.0'");
    host.erlrc(&["disable", "foo"])
        .is("foo: not enabled, nothing to do\n", 0);
    host.erlrc(&["disable", "foo", "--now", "--node", "n1"]);
    assert_eq!([runs(&host, "n1"), runs(&host, "n2")], ["none", "'1.0'"]);
    host.erlrc(&["enable", "foo", "--now"]).is(
        "foo: enabled: nodes start it when they boot\nerlrc-start: Starting 'foo': (n1) started\n",
        0,
    );
    assert_eq!(
        fs::read_to_string(&file).expect("a file"),
        "{enabled, true}.\n"
    );
    host.erlrc(&["enable", "fooo"])
        .is("", 1)
        .says("fooo is nowhere to be found");
    assert!(!host.path("applications/fooo").exists());
    host.file("applications/foo", "{enabled false}.", 0o644);
    host.erlrc(&["enable", "foo"])
        .is("", 1)
        .says("is no registration");
}

#[test]
fn a_restart_stops_and_starts_what_runs() {
    let (host, _nodes) = host();
    host.erlrc(&["eval", "n1", "gen_server:call(foo_server, {note, x})"]);
    host.erlrc(&["restart", "foo", "--node", "n1"]).is(
        "erlrc-stop: Stopping 'foo': (n1) stopped\nerlrc-start: Starting 'foo': (n1) started\n",
        0,
    );
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[\"1.0\"]\n", 0);
    host.erlrc(&["restart", "fooo"])
        .is("", 1)
        .says("fooo is nowhere to be found");
}

/// What a hook says of a node that it cannot speak to, and the status of that, every other command says too.
#[test]
fn a_node_that_does_not_answer_is_named_by_whoever_passes_it_over() {
    let (host, mut nodes) = host();
    let cookie = "another cookie";
    host.entry("n2", &format!("{cookie}\n"));
    let refused = "n2: cookie_refused: the node refused the cookie";
    let cases = [
        ("restart foo", "foo on "),
        ("disable foo --now", "foo on "),
        ("enable foo --now", "foo on "),
        ("upgrade foo", "foo on "),
        ("upgrade", ""),
    ];
    for (command, of) in cases {
        let arguments: Vec<&str> = command.split(' ').collect();
        let run = host.erlrc(&arguments);
        let line = format!("{of}{refused}");
        let named = run.out.lines().any(|said| said.starts_with(&line));
        assert!(named && run.status == 3, "{command}: {run:?}");
        let run = host.erlrc(&[&arguments[..], &["--json"]].concat());
        assert!(run.out.contains("cookie_refused"), "{command}: {run:?}");
    }
    let run = host.erlrc(&["disable", "foo", "--dry-run"]);
    assert!(run.out.starts_with("foo: would be disabled"), "{run:?}");
    let run = host.erlrc(&["describe", "foo"]);
    assert!(
        run.out.contains("  n2: cookie_refused") && run.status == 3,
        "{run:?}"
    );
    let run = host.erlrc(&["restart", "foo", "--node", "n2"]);
    assert!(
        run.out
            .ends_with("foo runs on no node that answers, nothing to do\n"),
        "{run:?}"
    );
    for command in [&["list"][..], &["config"], &["config", "check"]] {
        let run = host.erlrc(command);
        assert!(
            run.err.contains("n2") && run.err.contains("cookie_refused"),
            "{run:?}"
        );
        assert!(run.status == 3 && !run.out.contains("all well"), "{run:?}");
    }
    // A node that is down is named, and is no fault.
    nodes[1].kill();
    host.listed("n2");
    let run = host.erlrc(&["restart", "foo"]);
    assert!(
        run.out.starts_with("foo on n2: node_down\n") && run.status == 0,
        "{run:?}"
    );
    let run = host.erlrc(&["list"]);
    assert!(
        run.err.contains("n2: node_down") && run.status == 0,
        "{run:?}"
    );
}

#[test]
fn a_check_is_a_gate() {
    let (host, mut nodes) = host();
    host.erlrc(&["check"])
        .is("all well: 2 nodes, 1 application\n", 0);
    host.erlrc(&["stop", "--no-unload", "foo", "1.0", "--node", "n1"]);
    host.erlrc(&["check"])
        .is("all well: 2 nodes, 1 application\n", 0);
    install(&host, "2.0");
    let run = host.erlrc(&["check", "foo", "--wait", "0.1"]);
    run.is("", 1).says("n2: foo: not the installed version");
    let json = json_of(&host.erlrc(&["check", "--json"]), "check");
    assert_eq!((&json["well"], &json["status"]), (&json!(false), &json!(1)));
    // Well before the time is over: it does not wait for the rest of it.
    let waiting = host
        .command(&["check", "--wait", "60"])
        .stdout(std::process::Stdio::piped())
        .spawn();
    host.erlrc(&["upgrade", "foo"]);
    let waited = Run::of(
        waiting
            .expect("it runs")
            .wait_with_output()
            .expect("its end"),
    );
    waited.is("all well: 2 nodes, 1 application\n", 0);
    nodes[0].kill();
    host.erlrc(&["check"]).is("", 1).says("n1: node_down");
}
