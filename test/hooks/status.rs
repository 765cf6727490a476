//! How everything stands, against real nodes: up, down, out of date, in old code, replaced underneath.

use crate::host::{Host, eventually, foo};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A host on which foo 1.0 is installed, registered and runs.
fn host() -> Host {
    let host = Host::new();
    fs::write(host.path("applications/foo"), "").expect("a file");
    install(&host, "1.0");
    host
}

fn install(host: &Host, vsn: &str) {
    let metadata = format!("{{foo, \"{vsn}\", \"{}\"}}.\n", foo(vsn));
    fs::write(host.path("apps/foo"), metadata).expect("a file");
}

fn status(host: &Host, arguments: &[&str]) -> (Value, i32) {
    let run = host.erlrc(&[["status", "--json"].as_slice(), arguments].concat());
    assert_eq!(run.err, "");
    let json: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(json["version"], 1);
    (json, run.status)
}

fn application<'a>(json: &'a Value, name: &str) -> &'a Value {
    let apps = json["nodes"][0]["applications"]
        .as_array()
        .expect("applications");
    apps.iter()
        .find(|app| app["application"] == name)
        .expect("the application")
}

#[test]
fn what_runs_is_held_against_what_is_installed() {
    let host = host();
    let mut node = host.node("n1");
    let (json, code) = status(&host, &[]);
    assert_eq!(
        (code, &application(&json, "foo")["findings"]),
        (1, &json!(["not_running"]))
    );
    host.erlrc(&["start", "foo", "1.0"]);
    let (json, code) = status(&host, &[]);
    let app = application(&json, "foo");
    assert_eq!(code, 0, "{json}");
    assert_eq!(
        [&app["state"], &app["running"], &app["installed"]],
        ["running", "1.0", "1.0"]
    );
    assert_eq!(
        [&app["registered"], &app["enabled"], &app["stopped"]],
        [true, true, false]
    );
    assert_eq!(
        [&app["last"]["operation"], &app["last"]["outcome"]],
        ["start", "started"]
    );
    let seen = &json["nodes"][0];
    assert!(
        seen["uptime"].is_u64() && seen["os_pid"].is_u64() && seen["complete"] == true,
        "{seen}"
    );
    install(&host, "2.0");
    let (json, code) = status(&host, &["foo", "--node", "n1"]);
    assert_eq!(
        (code, &application(&json, "foo")["findings"]),
        (1, &json!(["other_version"]))
    );
    let run = host.erlrc(&["status"]);
    assert_eq!(run.status, 1);
    assert!(
        run.out.starts_with("n1: up for ")
            && run.out.contains("\n  foo: not the installed version\n"),
        "{run:?}"
    );
    assert!(
        run.out
            .lines()
            .all(|line| line.len() <= 80 && !line.contains('\u{1b}')),
        "{run:?}"
    );
    host.erlrc(&["stop", "foo", "1.0"]);
    let (json, code) = status(&host, &[]);
    assert_eq!(
        (code, &application(&json, "foo")["stopped"]),
        (0, &json!(true))
    );
    // The node goes down: what was done is known all the same.
    node.kill();
    let (json, code) = status(&host, &[]);
    let app = application(&json, "foo");
    assert_eq!((code, &json["nodes"][0]["state"]), (0, &json!("node_down")));
    assert_eq!(
        [&app["state"], &app["installed"], &app["last"]["operation"]],
        ["unknown", "2.0", "stop"]
    );
}

#[test]
fn failed_operations_and_all_applications_are_shown() {
    let host = host();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0"]);
    host.erlrc(&["eval", "n1", "persistent_term:put(foo_broken, true)"]);
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &foo("1.0"), &foo("2.0")]);
    // What finds nothing to do hides no failure, and what was mistyped is none.
    host.erlrc(&["start", "foo", "1.0"]);
    host.erlrc(&["stop", "foo", "9"]);
    let (json, code) = status(&host, &[]);
    assert_eq!(
        (code, &application(&json, "foo")["findings"]),
        (1, &json!(["failed"]))
    );
    let last = &application(&json, "foo")["last"];
    assert_eq!(
        [&last["operation"], &last["outcome"], &last["to"]],
        ["upgrade", "script_failed", "2.0"]
    );
    assert_eq!(
        json["nodes"][0]["applications"].as_array().map(Vec::len),
        Some(1)
    );
    let run = host.erlrc(&["status"]);
    let text = "  foo: last change failed: upgrade 1.0 -> 2.0: script_failed: ";
    assert!(
        run.out.contains(text) && run.out.contains("erlrc history foo -l"),
        "{run:?}"
    );
    let (json, _) = status(&host, &["--all"]);
    assert_eq!(application(&json, "kernel")["state"], "running");
}

#[test]
fn who_lingers_in_old_code_is_named() {
    let host = host();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0"]);
    let keep = "spawn(foo_server, linger, []), ok";
    host.erlrc(&["eval", "n1", keep]).is("ok\n", 0);
    assert_eq!(
        host.erlrc(&["upgrade", "foo", "1.0", "2.0", &foo("1.0"), &foo("2.0")])
            .status,
        0
    );
    install(&host, "2.0");
    let (json, code) = status(&host, &[]);
    let [code_of] = json["nodes"][0]["old_code"]
        .as_array()
        .expect("a list")
        .as_slice()
    else {
        panic!("{json}")
    };
    assert_eq!(
        (
            code,
            &code_of["module"],
            &code_of["application"],
            &code_of["count"]
        ),
        (0, &json!("foo_server"), &json!("foo"), &json!(1))
    );
    assert!(
        code_of["since"].is_u64() && code_of["processes"][0]["pid"].is_string(),
        "{json}"
    );
    let run = host.erlrc(&["status"]);
    assert!(
        run.out.contains("\n  old code of foo_server for 0 s: <")
            || run.out.contains("old code of foo_server for "),
        "{run:?}"
    );
}

#[test]
fn an_emulator_that_was_replaced_needs_a_restart() {
    let host = host();
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0"]);
    erlrc::restart::note(&host.path("state"), "erlang-base").expect("noted");
    let (json, code) = status(&host, &[]);
    assert_eq!(
        (code, &json["nodes"][0]["restart_needed"][0]["what"]),
        (5, &json!("erlang-base"))
    );
    host.erlrc(&["status"])
        .out
        .contains("restart needed: erlang-base was replaced")
        .then_some(())
        .expect("said");
}

#[test]
fn metrics_are_written_as_a_whole_and_refreshed_by_hooks() {
    let host = host();
    let _node = host.node("n1");
    let file = host.path("erlrc.prom");
    let name = file.display().to_string();
    fs::write(
        host.path("erlrc.conf"),
        format!("{{metrics, \"{name}\"}}.\n"),
    )
    .expect("a file");
    host.erlrc(&["start", "foo", "1.0"]);
    let text = fs::read_to_string(&file).expect("metrics");
    assert!(
        text.contains("erlrc_application_running{node=\"n1\",application=\"foo\"} 1\n"),
        "{text}"
    );
    host.erlrc(&["stop", "foo", "1.0"]);
    let text = fs::read_to_string(&file).expect("metrics");
    assert!(
        text.contains("erlrc_application_running{node=\"n1\",application=\"foo\"} 0\n"),
        "{text}"
    );
    fs::remove_file(&file).expect("removed");
    host.erlrc(&["status", "--prometheus", &name]).is("", 0);
    assert!(file.exists());
    host.erlrc(&["status", "--prometheus", "/nowhere/x.prom"])
        .is("", 1)
        .says("cannot write the metrics");
    let left = fs::read_dir(host.path("."))
        .expect("files")
        .filter_map(Result::ok);
    assert!(
        !left
            .map(|file| file.file_name())
            .any(|name| name.to_string_lossy().starts_with(".erlrc-metrics"))
    );
}

#[test]
fn watching_in_a_pipe_tells_what_changes() {
    let host = host();
    let _node = host.node("n1");
    let mut watch = host
        .command(&["status", "--watch", "0.05"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let mut next = || lines.next().expect("a line");
    assert!(next().ends_with("n1: up"));
    assert!(next().ends_with("n1 foo: - absent, does not run"));
    host.erlrc(&["start", "foo", "1.0"]);
    // It may be seen on its way there.
    while !next().ends_with("n1 foo: 1.0 running") {}
    drop(lines);
    install(&host, "2.0");
    // The next line finds nobody to read it.
    eventually("it ends", || {
        watch.try_wait().expect("its status").is_some()
    });
}

#[test]
fn a_node_whose_erlrc_is_too_old_says_no_more_than_that() {
    let host = host();
    host.listed("n1");
    let source = "-module(erlrc_hook). -export([request/1]). request(_) -> #{protocol => 1, status => refused, outcome => bad_request}.";
    let source = host
        .file("erlrc_hook.erl", source, 0o600)
        .display()
        .to_string();
    let _node = host.start_bare(&[
        "-sname",
        "n1",
        "-eval",
        &format!("{{ok, _}} = compile:file({source:?})."),
    ]);
    let (json, code) = status(&host, &[]);
    assert_eq!((code, &json["nodes"][0]["state"]), (3, &json!("too_old")));
}

#[test]
fn what_died_is_found_and_state_and_version_agree() {
    let host = Host::new();
    host.file("applications/foo", "", 0o644);
    let _node = host.node("n1");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let die = "R = monitor(process, foo_sup), exit(whereis(foo_sup), kill), receive {'DOWN', R, _, _, _} -> ok end";
    host.erlrc(&["eval", "n1", die]).is("ok\n", 0);
    eventually("it is down", || status(&host, &[]).1 == 1);
    let (json, _) = status(&host, &[]);
    let app = application(&json, "foo");
    assert_eq!(app["findings"], json!(["not_running"]));
    assert_eq!(
        [&app["state"], &app["running"], &app["loaded"]],
        [&json!("loaded"), &Value::Null, &json!("1.0")]
    );
}

#[test]
fn names_that_are_nowhere_are_errors() {
    let host = host();
    let _node = host.node("n1");
    let nowhere = "fooo is nowhere to be found";
    host.erlrc(&["status", "fooo"]).is("", 1).says(nowhere);
    assert_eq!(host.erlrc(&["status", "foo"]).status, 1, "it does not run");
    for command in ["status", "doctor", "plan foo", "start foo 1.0", "config"] {
        let words: Vec<&str> = command.split(' ').chain(["--node", "nope"]).collect();
        let run = host.erlrc(&words);
        run.is("", 1).says("there is no entry for the node nope");
    }
    host.erlrc(&["history", "fooo"])
        .is("", 1)
        .says("fooo: nothing was done to it");
    host.erlrc(&["start", "fooo", "1.0"]);
    host.erlrc(&["status", "fooo"]).is("", 1).says(nowhere);
}

#[test]
fn silence_is_put_into_words() {
    let host = Host::without_epmd();
    let run = host.path("run/nodes").display().to_string();
    let nodes = format!(
        "no nodes: none of {} and {run} has an entry\n",
        host.path("nodes").display()
    );
    host.erlrc(&["status"]).is(&nodes, 0);
    host.erlrc(&["doctor"]).is(&nodes, 0);
    host.erlrc(&["--quiet", "status"]).is("", 0);
    let state = host.path("state").display().to_string();
    host.erlrc(&["history"])
        .is(&format!("nothing has been written down in {state}\n"), 0);
    // A script that calls hooks on such a host hears nothing: it is normal.
    host.erlrc(&["start", "foo", "1.0"]).is("", 0);
}
