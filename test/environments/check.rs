//! What changes under an environment, and what is said about it.

use crate::host::Host;
use crate::tree::{self, json, make, name, replace};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Made {
    host: Host,
    tree: PathBuf,
    dir: PathBuf,
}

fn made() -> Made {
    let host = Host::without_epmd();
    let tree = tree::copy(&host, "tree");
    let dir = make(&host, &tree, &[]);
    Made { host, tree, dir }
}

impl Made {
    #[track_caller]
    fn stands(&self, verdict: &str, finding: &str) -> Value {
        let check = json(&self.host, &["check", &name(&self.dir)]);
        let one = check["environments"][0].clone();
        assert_eq!(one["verdict"], verdict, "{one:#}");
        let findings = one["findings"].to_string();
        assert!(findings.contains(finding), "{finding}: {findings}");
        let is_bad = matches!(verdict, "damaged" | "unfit");
        assert_eq!(check["status"], u8::from(is_bad));
        one
    }

    #[track_caller]
    fn runs(&self) {
        let mut command = Command::new(self.dir.join("bin/erl"));
        command.args(["-noshell", "-eval", "halt(7)."]);
        let status = command.stdin(Stdio::null()).status().expect("it runs");
        assert_eq!(status.code(), Some(7));
    }
}

fn longer(file: &Path) {
    replace(file, |bytes| bytes.push(0));
}

#[test]
fn what_is_as_it_was_made_is_well() {
    let made = made();
    made.stands("well", "[]");
    let run = made.host.erlrc(&["env", "check", "--strict"]);
    run.is(&format!("{}: well\n", name(&made.dir)), 0);
}

#[test]
fn new_bytes_of_the_same_version_are_told_and_change_nothing() {
    let made = made();
    longer(&tree::lib(&made.tree, "kernel").join("ebin/inet.beam"));
    let one = made.stands("behind", "1 file has other bytes in ");
    assert_eq!(
        (&one["behind"][0]["part"], &one["behind"][0]["files"]),
        (&"kernel".into(), &1.into())
    );
    longer(&tree::emulator(&made.tree).join("epmd"));
    let one = made.stands("behind", "erts");
    assert_eq!(one["behind"][0]["part"], "erts");
    made.runs();
    let run = made.host.erlrc(&["env", "check", "--strict"]);
    assert_eq!(run.status, 1);
    let mut lines = run.out.lines();
    let advice = lines.find_map(|line| line.trim().strip_suffix(" makes one of what is there now"));
    let advice = advice.unwrap_or_else(|| panic!("{run:?}"));
    assert_eq!(
        advice,
        format!("erlrc env make --from {}", made.tree.display())
    );
    // It is followed: the tree as it is now makes another one, and the first stays.
    let words: Vec<&str> = advice.split(' ').skip(1).collect();
    assert_eq!(made.host.erlrc(&words).status, 0);
    assert_eq!(tree::names(&made.host).len(), 2);
    assert!(made.dir.is_dir());
}

#[test]
fn the_same_bytes_in_a_new_file_are_not_behind() {
    let made = made();
    replace(
        &tree::lib(&made.tree, "kernel").join("ebin/inet.beam"),
        |_| {},
    );
    made.stands("well", "[]");
}

#[test]
fn another_version_is_named_and_a_tree_that_is_gone_is_no_fault() {
    let made = made();
    let kernel = tree::lib(&made.tree, "kernel");
    fs::rename(&kernel, kernel.with_file_name("kernel-99.1")).expect("a name");
    made.stands("behind", "here and 99.1 in ");
    fs::remove_dir_all(tree::lib(&made.tree, "sasl")).expect("it goes");
    made.stands("behind", "is no longer in ");
    fs::remove_dir_all(&made.tree).expect("it goes");
    made.stands("well", "cannot be compared: ");
    made.runs();
}

#[test]
fn what_is_written_into_a_link_is_damage() {
    let made = made();
    let file = tree::lib(&made.tree, "stdlib").join("ebin/lists.beam");
    let mut bytes = fs::read(&file).expect("a file");
    bytes.push(0);
    // In place, as `strip` does it: both names have it.
    fs::write(&file, bytes).expect("a file");
    made.stands("damaged", "lists.beam is not what was recorded");
    let from = made.tree.display().to_string();
    let other = make(&made.host, Path::new(&from), &[]);
    assert_ne!(other, made.dir);
}
