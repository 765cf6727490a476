//! Start, stop, upgrade and downgrade: the exact lines and statuses.

use crate::host::{Host, foo};

#[test]
fn an_application_starts_and_stops() {
    let host = Host::new();
    let _node = host.node("n1");
    let dir = foo("1.0");
    let starting = |outcome: &str| format!("erlrc-start: Starting 'foo': (n1) {outcome}\n");
    let stopping = |outcome: &str| format!("erlrc-stop: Stopping 'foo': (n1) {outcome}\n");
    host.erlrc(&["start", "foo", "1.0", &dir])
        .is(&starting("started"), 0);
    host.erlrc(&["start", "foo", "1.0", &dir])
        .is(&starting("already_running"), 0);
    host.erlrc(&["start", "foo", "2.0", &foo("2.0")])
        .is(&starting("version_mismatch"), 1)
        .says("foo 1.0 runs, which is no version that was named");
    host.erlrc(&["stop", "foo", "2.0", &foo("2.0")])
        .is(&stopping("version_mismatch"), 1);
    host.erlrc(&["stop", "--no-unload", "foo", "1.0", &dir])
        .is(&stopping("stopped"), 0);
    let loaded = "lists:keymember(foo, 1, application:loaded_applications())";
    host.erlrc(&["eval", "n1", loaded]).is("true\n", 0);
    host.erlrc(&["stop", "foo", "1.0", &dir])
        .is(&stopping("not_running"), 0);
    host.erlrc(&["eval", "n1", loaded]).is("false\n", 0);
    host.erlrc(&["start", "foo", "1.0", "/nowhere/foo-1.0"])
        .is(&starting("bad_directory"), 1)
        .says("/nowhere/foo-1.0 does not hold this version");
    host.erlrc(&["start", "foo", "1.0"])
        .is(&starting("bad_directory"), 1)
        .says("/foo-1.0 does not hold this version");
    let again = host.erlrc(&["stop", "foo", "1.0"]);
    again.is(&stopping("not_running"), 0);
    assert_eq!(again.err, "", "asking for what is already so");
}

#[test]
fn an_application_goes_up_and_down_and_keeps_its_state() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    let versions = ["foo", "1.0", "2.0", &old, &new];
    let upgrade = || host.erlrc(&[["upgrade"].as_slice(), &versions].concat());
    let downgrade = || host.erlrc(&[["downgrade"].as_slice(), &versions].concat());
    let history = || host.erlrc(&["eval", "n1", "foo_server:history()"]);
    host.erlrc(&["start", "foo", "1.0", &old]);
    upgrade().is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
    history().is("[up,\"1.0\"]\n", 0);
    upgrade().is("erlrc-upgrade: Upgrading 'foo': (n1) already_running\n", 0);
    downgrade().is("erlrc-downgrade: Downgrading 'foo': (n1) downgraded\n", 0);
    history().is("[down,up,\"1.0\"]\n", 0);
    host.erlrc(&["upgrade", "foo", "7", "8", &old, &new])
        .is("erlrc-upgrade: Upgrading 'foo': (n1) version_mismatch\n", 1)
        .says("foo 1.0 runs, which is no version that was named");
    assert_eq!(downgrade().err, "");
    host.erlrc(&["downgrade", "foo", "8", "7", &old, &new])
        .is(
            "erlrc-downgrade: Downgrading 'foo': (n1) version_mismatch\n",
            1,
        )
        .says("8 is named first, as the earlier version, and is later than 7");
}

#[test]
fn what_an_upgrade_cost_is_told_to_machines() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["start", "foo", "1.0", &old]);
    let run = host.erlrc(&["--json", "upgrade", "foo", "1.0", "2.0", &old, &new]);
    let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let cost = &report["nodes"][0]["report"];
    assert_eq!(cost["evaluator"], "transactional");
    let numbers = ["instructions", "modules"].map(|key| cost[key].as_u64());
    assert_eq!(numbers, [Some(1), Some(1)], "{cost}");
    assert!(
        cost["pause_us"].is_u64() && cost["processes"].is_u64(),
        "{cost}"
    );
    let stages = cost["stages_us"].as_object().expect("stages");
    assert!(
        stages.contains_key("prepare") && stages.contains_key("commit"),
        "{cost}"
    );
    // Nothing was done, nothing was spent.
    let run = host.erlrc(&["--json", "upgrade", "foo", "1.0", "2.0", &old, &new]);
    assert!(!run.out.contains("report"), "{}", run.out);
}

#[test]
fn an_upgrade_whose_pause_would_be_too_long_is_no_path() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["start", "foo", "1.0", &old]);
    let within = |milliseconds| {
        let bound = ["--max-pause", milliseconds];
        let versions = ["foo", "1.0", "2.0", &old, &new];
        host.erlrc(&[["upgrade"].as_slice(), &bound, &versions].concat())
    };
    within("0")
        .is("erlrc-upgrade: Upgrading 'foo': (n1) max_pause\n", 4)
        .says("2 processes of foo would stand still for about ")
        .says(" ms while 1 modules are replaced; 0 ms are allowed");
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[\"1.0\"]\n", 0);
    within("1000").is("erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
}

#[test]
fn the_evaluator_can_be_chosen() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    let versions = ["foo", "1.0", "2.0", &old, &new];
    host.erlrc(&["start", "foo", "1.0", &old]);
    let case = |command: &str, evaluator: &str| {
        let arguments = ["--json", command, "--evaluator", evaluator];
        let run = host.erlrc(&[arguments.as_slice(), &versions].concat());
        let report: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
        assert_eq!(run.status, 0, "{}", run.out);
        assert_eq!(report["nodes"][0]["report"]["evaluator"], evaluator);
    };
    case("upgrade", "release_handler");
    case("downgrade", "transactional");
    case("upgrade", "transactional");
    case("downgrade", "release_handler");
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[down,up,down,up,\"1.0\"]\n", 0);
    let arguments = ["upgrade", "--evaluator", "best"];
    host.erlrc(&[arguments.as_slice(), &versions].concat())
        .is("", 2)
        .says("possible values: transactional, release_handler");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let host = Host::new();
    let _node = host.node("n1");
    host.listed("n2");
    let (old, new) = (foo("1.0"), foo("2.0"));
    let versions = ["foo", "1.0", "2.0", &old, &new];
    let would = |outcome: &str, steps: &[&str]| {
        let steps: String = steps
            .iter()
            .map(|step| format!("  (n1) {step}\n"))
            .collect();
        format!("erlrc-upgrade: Would upgrade 'foo': (n1) {outcome} (n2) node_down\n{steps}")
    };
    let dry = || host.erlrc(&[["upgrade", "--dry-run"].as_slice(), &versions].concat());
    let load = format!("load foo 2.0 from {new}/ebin");
    dry().is(&would("planned", &[&load, "start foo"]), 0);
    host.erlrc(&["start", "foo", "1.0", &old]);
    let script = [
        "run the script, generated, 1 instruction",
        "  {update,foo_server,infinity,{advanced,[]},brutal_purge,brutal_purge,[]}",
    ];
    dry().is(&would("planned", &script), 0);
    host.erlrc(&["eval", "n1", "foo_server:history()"])
        .is("[\"1.0\"]\n", 0);
    host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    dry().is(&would("already_running", &[]), 0);
}

#[test]
fn hooks_are_called_by_their_own_names_too() {
    let host = Host::new();
    let _node = host.node("n1");
    let link = host.path("erlrc-start");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_erlrc"), &link).expect("a link");
    let mut named = std::process::Command::new(&link);
    let command = host.command(&[]);
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = named
        .args(["foo", "1.0", &foo("1.0")])
        .envs(environment)
        .output()
        .expect("it runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-start: Starting 'foo': (n1) started\n"
    );
}

#[test]
fn relative_directories_are_meant_from_where_the_hook_runs() {
    let host = Host::new();
    let _node = host.node("n1");
    let here = std::path::PathBuf::from(foo("1.0"));
    let output = host
        .command(&["start", "foo", "1.0", "foo-1.0"])
        .current_dir(here.parent().expect("a directory"))
        .output()
        .expect("erlrc runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-start: Starting 'foo': (n1) started\n"
    );
}

#[test]
fn skipped_hooks_do_nothing_and_say_nothing() {
    let host = Host::new();
    let _node = host.node("n1");
    let skipped = host
        .command(&["start", "foo", "1.0", &foo("1.0")])
        .env("ERLRC_SKIP", "1")
        .output();
    let skipped = skipped.expect("erlrc runs");
    assert_eq!(
        (skipped.stdout, skipped.stderr, skipped.status.code()),
        (vec![], vec![], Some(0))
    );
    host.erlrc(&["eval", "n1", "whereis(foo_sup)"])
        .is("undefined\n", 0);
}

#[test]
fn nothing_is_evaluated_from_an_argument() {
    let host = Host::new();
    let _node = host.node("n1");
    for name in [
        "'foo',halt().",
        "foo'",
        "foo,halt()",
        "Foo",
        "../foo",
        "foo\n",
        "",
    ] {
        host.erlrc(&["start", name, "1.0"])
            .is("", 2)
            .says("an application is named");
    }
    host.erlrc(&["start", "foo", "1.0\"), halt(). %", "/x"])
        .is("", 2);
    host.erlrc(&["start", "foo", "1.0\"),halt().%", "/x\"),halt().%"])
        .is("erlrc-start: Starting 'foo': (n1) bad_directory\n", 1);
    host.erlrc(&["eval", "n1", "alive"]).is("alive\n", 0);
}

#[test]
fn a_node_without_erlrc_says_so() {
    let host = Host::new();
    host.listed("n1");
    let _node = host.start_bare(&["-sname", "n1"]);
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")])
        .is("erlrc-start: Starting 'foo': (n1) no_erlrc\n", 1)
        .says("erlrc is not on the code path of the node");
}

#[test]
fn a_node_with_an_older_erlrc_is_asked_directly() {
    let host = Host::new();
    host.listed("n1");
    let source = "
        -module(erlrcdynamic).
        -export([start/2, start/3, stop/2, unload/3, upgrade/5, downgrade/5]).
        start(foo, \"1.0\") -> already_running.
        start(foo, \"1.0\", Dir) -> {error, {start_failed, foo, Dir}}.
        stop(foo, \"1.0\") -> stopped_included_started.
        unload(foo, \"1.0\", \"/x\") -> version_load_mismatch.
        upgrade(foo, \"1.0\", \"2.0\", \"/old\", \"/new\") -> restart_new_emulator.
        downgrade(foo, \"1.0\", \"2.0\", \"/old\", \"/new\") -> {ok, [m]}.
    ";
    let source = host
        .file("erlrcdynamic.erl", source, 0o600)
        .display()
        .to_string();
    let compile = format!("{{ok, _}} = compile:file({source:?}).");
    let _node = host.start_bare(&["-sname", "n1", "-eval", &compile]);
    let case = |arguments: &[&str], out: &str, status: i32| {
        let run = host.erlrc(arguments);
        run.is(&format!("erlrc-{}: {out}\n", arguments[0]), status);
        run
    };
    case(
        &["start", "foo", "1.0"],
        "Starting 'foo': (n1) already_running",
        0,
    );
    case(
        &["start", "foo", "1.0", "/x"],
        "Starting 'foo': (n1) start_failed",
        1,
    )
    .says("{start_failed,foo,\"/x\"}");
    case(
        &["stop", "foo", "1.0", "/x"],
        "Stopping 'foo': (n1) stopped_included_started",
        0,
    )
    .says("not unloaded: version_load_mismatch");
    let up = ["upgrade", "foo", "1.0", "2.0", "/old", "/new"];
    case(&up, "Upgrading 'foo': (n1) restart_new_emulator", 5);
    let down = ["downgrade", "foo", "1.0", "2.0", "/old", "/new"];
    case(&down, "Downgrading 'foo': (n1) downgraded", 0);
}

#[test]
fn a_closed_pipe_ends_the_output_and_not_the_work() {
    let host = Host::new();
    let _node = host.node("n1");
    let mut child = host
        .command(&["start", "foo", "1.0", &foo("1.0")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    host.erlrc(&["eval", "n1", "is_pid(whereis(foo_sup))"])
        .is("true\n", 0);
}
