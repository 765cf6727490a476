//! How everything stands, against real nodes: up, down, out of date, in old code, replaced underneath.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, erl, erlrc_ebin, eventually, foo};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
        seen["uptime_ms"].is_u64() && seen["os_pid"].is_u64() && seen["complete"] == true,
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
    host.erlrc(&[
        "eval",
        "n1",
        "application:set_env(erlrc, preflight, off), persistent_term:put(foo_broken, true)",
    ]);
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
        code_of["since_ms"].is_u64() && code_of["processes"][0]["pid"].is_string(),
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
    // What is to be stopped and is not there has stopped; nobody has heard of it all the same.
    host.erlrc(&["stop", "fooo", "1.0"]);
    host.erlrc(&["status", "fooo"]).is("", 1).says(nowhere);
    for command in ["status", "list"] {
        let run = host.erlrc(&[command]);
        assert!(
            run.out.contains("foo ") && !run.out.contains("fooo"),
            "{run:?}"
        );
    }
    host.erlrc(&["start", "foo", "1.0"]);
    let run = host.erlrc(&["upgrade", "foo", "8", "9"]);
    run.says("which is no version that was named");
    assert!(!run.err.contains("history"), "not written down: {run:?}");
    let (json, code) = status(&host, &["foo"]);
    assert_eq!(
        (&application(&json, "foo")["last"]["outcome"], code),
        (&json!("started"), 0)
    );
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

/// The root directory of the OTP under test.
fn otp_root() -> PathBuf {
    let code = "io:put_chars(code:root_dir()), halt().";
    let output = Command::new(erl())
        .args(["-noshell", "-eval", code])
        .output();
    String::from_utf8(output.expect("erl runs").stdout)
        .expect("a path")
        .into()
}

/// A root directory of OTP that is another one in its releases alone; its `erl`.
fn own_otp(root: &Path) -> PathBuf {
    let theirs = otp_root();
    fs::create_dir_all(root.join("bin")).expect("a directory");
    for entry in fs::read_dir(&theirs).expect("the root of OTP") {
        let (from, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .expect("an entry");
        if name != "bin" && name != "releases" {
            symlink(from, root.join(name)).expect("a link");
        }
    }
    for entry in fs::read_dir(theirs.join("bin")).expect("programs and boot files") {
        let entry = entry.expect("an entry");
        if entry.file_name() != "erl" {
            symlink(entry.path(), root.join("bin").join(entry.file_name())).expect("a link");
        }
    }
    let script = fs::read_to_string(theirs.join("bin/erl")).expect("a script");
    let lines = script.lines().map(|line| match line.trim_start() {
        line if line.starts_with("ROOTDIR=") => format!("ROOTDIR=\"{}\"", root.display()),
        _ => line.to_owned(),
    });
    let erl = root.join("bin/erl");
    let script = lines.collect::<Vec<_>>().join("\n");
    fs::write(&erl, script).expect("a script");
    fs::set_permissions(&erl, fs::Permissions::from_mode(0o755)).expect("a mode");
    erl
}

fn release_on_disk(root: &Path, erts: &str, release: &str) {
    let releases = root.join("releases");
    let _ = fs::remove_dir_all(&releases);
    fs::create_dir_all(releases.join(release)).expect("a directory");
    let data = format!("{erts} {release}\n");
    fs::write(releases.join("start_erl.data"), data).expect("a file");
    fs::write(releases.join(release).join("OTP_VERSION"), release).expect("a file");
}

/// Application `old` with a module of which every emulator up to OTP 28 knows all instructions, and none later.
fn install_old(host: &Host) -> PathBuf {
    let dir = host.path("lib/old-1");
    let ebin = dir.join("ebin");
    fs::create_dir_all(&ebin).expect("a directory");
    let source = host.file(
        "old_frame.S",
        "{module, old_frame}. {exports, [{f,1}]}. {attributes, []}. {labels, 4}.
         {function, f, 1, 2}.
         {label,1}. {func_info,{atom,old_frame},{atom,f},1}.
         {label,2}. {test,bs_start_match3,{f,3},1,[{x,0}],{x,1}}.
         {test,bs_test_unit,{f,3},[{x,1},8]}.
         {bs_get_tail,{x,1},{x,0},2}. return.
         {label,3}. {move,{atom,no},{x,0}}. return.",
        0o644,
    );
    erlc_into(&ebin, &[&source.display().to_string()]);
    let lib = "-module(old_lib). -export([f/0]). f() -> ok.";
    let lib = host.file("old_lib.erl", lib, 0o644);
    erlc_into(&ebin, &[&lib.display().to_string()]);
    let specification = "{application, old, [{vsn, \"1\"}, {modules, [old_frame, old_lib]},
        {registered, []}, {applications, [kernel, stdlib]}]}.";
    fs::write(ebin.join("old.app"), specification).expect("the .app");
    let metadata = format!("{{old, \"1\", \"{}\"}}.\n", dir.display());
    fs::write(host.path("apps/old"), metadata).expect("a file");
    fs::write(host.path("applications/old"), "").expect("a file");
    dir
}

#[test]
fn modules_that_the_otp_on_the_disk_does_not_load_are_named() {
    let host = Host::new();
    install(&host, "1.0");
    let dir = install_old(&host);
    let root = host.path("otp");
    let erl = own_otp(&root);
    release_on_disk(&root, "13.1.5", "25");
    host.listed("n1");
    let arguments = ["-sname", "n1", "-pa", &erlrc_ebin()];
    let _node = host.start_by(&erl, &[], &arguments);
    let dir = dir.display().to_string();
    host.erlrc(&["start", "old", "1", &dir]);
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    let (json, code) = status(&host, &[]);
    assert_eq!(code, 0, "{json}");
    assert_eq!(application(&json, "old")["refused_modules"], Value::Null);
    // The package manager replaces OTP by one that loads all, then by one that does not.
    release_on_disk(&root, "16.1", "28");
    assert_eq!(status(&host, &[]).1, 0);
    release_on_disk(&root, "17.1", "29");
    let (json, code) = status(&host, &[]);
    let old = application(&json, "old");
    let refused = json!({"otp_release": 29, "modules": ["old_frame"]});
    assert_eq!(
        (code, &old["findings"], &old["refused_modules"]),
        (1, &json!(["refused_modules"]), &refused)
    );
    let text = "old: OTP 29, with which the node starts next, does not load old_frame: ";
    let run = host.erlrc(&["status"]);
    assert!(run.out.contains(text), "{run:?}");
    let run = host.erlrc(&["doctor"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.out.contains(text), "{run:?}");
    assert!(
        !run.out.contains("foo_server") || run.out.contains("not load foo_server"),
        "{run:?}"
    );
}

#[test]
fn an_application_that_the_running_otp_does_not_load_is_named() {
    let host = Host::new();
    let dir = install_old(&host);
    // As code of a later release is: by the highest instruction, in the header of its code.
    let file = dir.join("ebin/old_lib.beam");
    let mut bytes = fs::read(&file).expect("a module");
    let code = bytes.windows(4).position(|window| window == b"Code");
    let at = code.expect("code") + 16;
    bytes[at..at + 4].copy_from_slice(&400_u32.to_be_bytes());
    fs::write(&file, bytes).expect("a module");
    let _node = host.node("n1");
    let (json, code) = status(&host, &[]);
    let old = application(&json, "old");
    let modules = old["refused_modules"]["modules"].as_array();
    let modules = modules.expect("modules");
    assert!(modules.contains(&json!("old_lib")), "{json}");
    assert_eq!(
        (code, &old["findings"]),
        (1, &json!(["not_running", "refused_modules"]))
    );
}
