//! What is removed, when, and what is not.

use crate::host::{Host, pid_namespace};
use crate::tree::{self, json, make, name, names};
use std::fs;
use std::process::{Child, Command, Stdio};

/// A node that runs from an environment until this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &std::path::Path) -> Running {
    use std::io::{BufRead, BufReader};
    let mut command = Command::new(dir.join("bin/erl"));
    let ready = "io:format(\"ready~n\"), io:get_line(\"\"), halt().";
    command.args(["-noshell", "-eval", ready]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    Running(child)
}

#[test]
fn an_environment_goes_when_somebody_said_so_and_nothing_runs_from_it() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    let dir = make(&host, &copy, &[]);
    let name = name(&dir);
    let run = host.erlrc(&["env", "destroy", &name]);
    assert_eq!(run.status, 1);
    run.says("nothing was removed\n  hint: --yes removes without a question");
    assert!(dir.exists());
    let node = start(&dir);
    let run = host.erlrc(&["env", "destroy", "--yes", &name]);
    assert_eq!(run.status, 1);
    run.says(&format!("{name} is in use: "));
    run.says(&format!("beam.smp runs as process {}", node.0.id()));
    json(&host, &["clean", "--unused", "--yes"]);
    assert_eq!(names(&host), [name.as_str()]);
    let list = json(&host, &["list"]);
    assert_eq!(list["environments"][0]["used"][0]["pid"], node.0.id());
    drop(node);
    crate::host::eventually("the helpers of the node end", || {
        json(&host, &["list"])["environments"][0]["used"] == serde_json::json!([])
    });
    let run = host.erlrc(&["env", "destroy", "--yes", &name]);
    run.is(&format!("{name}: removed\n"), 0);
    assert_eq!(names(&host), Vec::<String>::new());
    // The names of the tree are its own.
    assert_eq!(make(&host, &copy, &[]), dir);
}

#[test]
fn what_a_command_left_that_was_killed_is_named_and_goes_on_demand() {
    let host = Host::without_epmd();
    let dir = make(&host, tree::root(), &[]);
    let namespace = pid_namespace();
    let dead = format!(".unfinished-{namespace}-4294967295-1-make");
    // That of another pid namespace may live; this is none of ours.
    let others = [
        ".unfinished-1-4294967295-1-make",
        ".unfinished-odd",
        "notes",
    ];
    for name in others.iter().chain([&dead.as_str()]) {
        fs::create_dir_all(host.path("env").join(name).join("lib")).expect("a directory");
    }
    let path = host.path("env").join(&dead).display().to_string();
    let run = host.erlrc(&["env", "clean"]);
    let said = format!(
        "{path}: left by a command that was interrupted\nnothing was removed: erlrc env clean --yes removes it\n"
    );
    run.is(&said, 0);
    assert!(names(&host).contains(&dead));
    let doctor = host.erlrc(&["doctor", "--json"]);
    assert!(doctor.out.contains("unfinished_environment"), "{doctor:?}");
    let clean = json(&host, &["clean", "--yes"]);
    assert_eq!(clean["removed"], serde_json::json!([path]));
    let mut left = others.map(str::to_owned).to_vec();
    left.push(name(&dir));
    left.sort();
    assert_eq!(names(&host), left);
    let all = json(&host, &["clean", "--unused", "--yes"]);
    assert_eq!(all["removed"], serde_json::json!([dir]));
    host.erlrc(&["env", "clean"]).is("nothing to remove\n", 0);
}
