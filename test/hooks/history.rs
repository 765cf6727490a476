//! What hooks write down, and how it is told: with the node down, damaged, not writable.

use crate::host::{Host, Run, foo};
use serde_json::Value;
use std::fs;

fn records(host: &Host, arguments: &[&str]) -> Vec<Value> {
    let run = host.erlrc(&[["history", "--json"].as_slice(), arguments].concat());
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(json["version"], 1);
    json["records"].as_array().expect("records").clone()
}

/// Up, up again and down, with the node gone afterwards.
fn host_with_history() -> (Host, [String; 2]) {
    let host = Host::new();
    let node = host.node("n1");
    let dirs = [foo("1.0"), foo("2.0")];
    let versions = ["foo", "1.0", "2.0", &dirs[0], &dirs[1]];
    let hook = |name| {
        let mut command = host.command(&[[name].as_slice(), &versions].concat());
        command
            .env("DPKG_MAINTSCRIPT_PACKAGE", "foo")
            .env("DPKG_MAINTSCRIPT_NAME", "postinst");
        Run::of(command.output().expect("erlrc runs"))
    };
    host.erlrc(&["start", "foo", "1.0", &dirs[0]]);
    assert_eq!(hook("upgrade").status, 0);
    assert_eq!(hook("upgrade").status, 0);
    assert_eq!(hook("downgrade").status, 0);
    // What no node knows is a slip of whoever asked, and nothing that failed.
    host.erlrc(&["upgrade", "foo", "7", "8", &dirs[0], &dirs[1]]);
    host.erlrc(&["stop", "foo", "9"]);
    host.erlrc(&[
        "eval",
        "n1",
        "application:set_env(erlrc, preflight, off), persistent_term:put(foo_broken, true)",
    ]);
    assert_eq!(hook("upgrade").status, 1);
    drop(node);
    (host, dirs)
}

#[test]
fn every_hook_run_is_written_down_and_told_with_the_node_down() {
    let (host, dirs) = host_with_history();
    let all = records(&host, &[]);
    let told: Vec<[&str; 2]> = all
        .iter()
        .map(|record| {
            [&record["operation"], &record["nodes"][0]["outcome"]]
                .map(|value| value.as_str().expect("text"))
        })
        .collect();
    let expected = [
        ["start", "started"],
        ["upgrade", "upgraded"],
        ["upgrade", "already_running"],
        ["downgrade", "downgraded"],
        ["upgrade", "script_failed"],
    ];
    assert_eq!(told, expected);
    let upgrade = &all[1];
    assert_eq!(
        [&upgrade["from"], &upgrade["to"], &upgrade["status"]],
        [&Value::from("1.0"), &Value::from("2.0"), &Value::from(0)]
    );
    assert_eq!(
        [&upgrade["from_dir"], &upgrade["to_dir"]],
        [dirs[0].as_str(), dirs[1].as_str()]
    );
    assert_eq!(upgrade["who"]["script"]["name"], "postinst");
    assert!(upgrade["who"]["uid"].is_u64() && upgrade["who"]["parent"].is_string());
    let report = &upgrade["nodes"][0]["report"];
    assert_eq!(
        [&report["evaluator"], &report["processes"]],
        [&Value::from("transactional"), &Value::from(2)]
    );
    let times = [
        &upgrade["duration_us"],
        &report["pause_us"],
        &report["stages_us"]["commit"],
    ];
    assert!(
        times
            .iter()
            .all(|time| time.as_u64().is_some_and(|time| time > 0)),
        "{upgrade}"
    );
    assert_eq!([&all[4]["status"], &all[4]["nodes"][0]["status"]], [1, 1]);
    // What was not asked for changes nothing, and is not written down.
    host.erlrc(&["upgrade", "--dry-run", "foo", "1.0", "2.0"]);
    host.erlrc(&["start", "foo", "1.0"]);
    let all = records(&host, &[]);
    assert_eq!(all.len(), 6);
    assert_eq!(all[5]["nodes"][0]["outcome"], "node_down");
}

#[test]
fn history_is_told_as_a_table_and_in_full() {
    let (host, _) = host_with_history();
    let run = host.erlrc(&["history", "foo", "--limit", "2"]);
    let lines: Vec<&str> = run.out.lines().collect();
    assert_eq!((run.status, lines.len()), (0, 3), "{run:?}");
    assert!(
        lines[0].starts_with("ID        TIME (UTC)")
            && lines[1].contains("downgrade  foo          2.0 -> 1.0"),
        "{run:?}"
    );
    assert!(lines[2].ends_with("script_failed (n1)"), "{run:?}");
    let run = host.erlrc(&["history", "--long", "--since", "1h"]);
    assert!(
        run.out.contains(", postinst of foo; status 0 after "),
        "{run:?}"
    );
    assert!(
        run.out.contains("longest pause") && run.out.contains("commit "),
        "{run:?}"
    );
    assert!(
        {
            host.file("applications/bar", "", 0o644);
            records(&host, &["bar"])
        }
        .is_empty()
    );
    assert!(records(&host, &["--since", "2100-01-01"]).is_empty());
    host.erlrc(&["history", "--since", "soon"]).is("", 2);
}

#[test]
fn damaged_and_rotated_histories_are_told_as_far_as_they_go() {
    let (host, _) = host_with_history();
    let log = host.path("state/history");
    let mut lines: Vec<String> = fs::read_to_string(&log)
        .expect("a log")
        .lines()
        .map(str::to_owned)
        .collect();
    lines[1] = lines[1].replace("upgrade", "upgrabe");
    let old = format!("{}\n", lines[..3].join("\n"));
    host.file("state/history.2", &old, 0o640);
    let torn = &lines[4][..lines[4].len() - 9];
    host.file("state/history", &format!("{}\n{torn}", lines[3]), 0o640);
    let run = host.erlrc(&["history"]);
    assert_eq!((run.status, run.out.lines().count()), (0, 4), "{run:?}");
    assert_eq!(
        run.err,
        format!("erlrc: {}.2:2: the checksum is wrong\n", log.display())
    );
    let json: Value = serde_json::from_str(&host.erlrc(&["history", "--json"]).out).expect("JSON");
    assert_eq!(json["torn"], true);
    assert_eq!(json["corrupt"][0]["line"], 2);
    host.file("state/history.2", &"garbage\n".repeat(120), 0o640);
    let run = host.erlrc(&["history"]);
    assert_eq!(run.err.lines().count(), 4, "{run:?}");
    assert!(
        run.err.ends_with("erlrc: 117 more lines are no records\n"),
        "{run:?}"
    );
}

#[test]
fn a_hook_that_may_not_write_does_what_it_is_for() {
    let host = Host::new();
    let _node = host.node("n1");
    host.file("state", "no directory", 0o644);
    let run = host.erlrc(&["start", "foo", "1.0", &foo("1.0")]);
    run.is("erlrc-start: Starting 'foo': (n1) started\n", 0);
    let root = rustix::process::geteuid().is_root();
    assert_eq!(run.err.contains("not written down"), root, "{run:?}");
    assert_eq!(host.erlrc(&["history"]).status, 0);
}

/// Bytes in what the shell calls a block of a file's size.
const BLOCK: usize = 512;

#[test]
fn what_a_full_disk_cuts_short_is_taken_out_again() {
    let host = Host::new();
    host.listed("n1");
    let directory = foo("1.0");
    let hook = ["start", "foo", "1.0", &directory];
    let log = || fs::read(host.path("state/history")).unwrap_or_default();
    // Until the next record, which is about as long as the last, crosses the end of a block.
    let (mut last, mut used) = (0, 0);
    while used == 0 || used + last <= BLOCK + 50 {
        let before = log().len();
        host.erlrc(&hook);
        last = log().len() - before;
        used = log().len() % BLOCK;
    }
    let before = log();
    let blocks = before.len().div_ceil(BLOCK);
    let own = host.command(&hook);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\""])
        .arg(blocks.to_string())
        .arg(own.get_program())
        .args(own.get_args());
    for (key, value) in own.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    let run = Run::of(command.output().expect("the shell runs"));
    assert!(run.err.contains("not written down"), "{run:?}");
    assert_eq!(log(), before);
    host.erlrc(&hook);
    assert!(log().starts_with(&before) && log().len() > before.len());
}

#[test]
fn a_host_without_nodes_stays_as_it_is() {
    let host = Host::new();
    host.erlrc(&["start", "foo", "1.0"]).is("", 0);
    assert!(!host.path("state").exists());
    let nothing = host.erlrc(&["history"]);
    assert!(
        nothing.out.starts_with("nothing has been written down in "),
        "{nothing:?}"
    );
}
