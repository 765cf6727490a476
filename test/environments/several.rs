//! Several at once, and commands that are killed.

use crate::host::{Host, eventually};
use crate::tree::{self, json, make, names};
use std::process::{Child, Stdio};

fn begin(host: &Host) -> Child {
    let from = tree::root().display().to_string();
    let mut command = host.command(&["env", "make", "--from", &from]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

#[test]
fn whoever_makes_the_same_at_once_gets_the_same() {
    let host = Host::without_epmd();
    let children: Vec<Child> = (0..6).map(|_| begin(&host)).collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let dir = make(&host, tree::root(), &[]);
    assert_eq!(names(&host), [tree::name(&dir)]);
    assert_eq!(
        json(&host, &["check"])["environments"][0]["verdict"],
        "well"
    );
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_environment_or_none() {
    let host = Host::without_epmd();
    let store = host.path("env");
    let files = || {
        let all = walk(&store);
        all.len()
    };
    for least in [1, 2, 5, 20, 80, 150, 200, 230, 250, 255] {
        let before = files();
        let mut child = begin(&host);
        eventually("so much is written, or it has ended", || {
            files() >= before + least || child.try_wait().expect("a child").is_some()
        });
        let _ = child.kill();
        child.wait().expect("it ends");
        let check = json(&host, &["check"]);
        for one in check["environments"].as_array().expect("a list") {
            assert_eq!(one["verdict"], "well", "{check:#}");
        }
        let clean = json(&host, &["clean", "--yes"]);
        assert_eq!(clean["found"], clean["removed"]);
        let rest = names(&host);
        assert!(rest.iter().all(|name| name.starts_with("otp-")), "{rest:?}");
    }
    let dir = make(&host, tree::root(), &[]);
    assert_eq!(names(&host), [tree::name(&dir)]);
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(walk(&entry.path()));
        }
    }
    found
}
