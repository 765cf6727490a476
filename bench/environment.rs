//! An environment made, beside hard links alone of the same files: what is hashed, read for its needs and written out
//! on top of that is what `erlrc env make` costs.

use crate::common::measure::{Way, take_turns, time};
use crate::hook::host::{Host, Run};
use erlrc::environment::content;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 15;

/// Prints the table.
pub fn table() {
    let host = Host::without_epmd();
    let made = host.erlrc(&["env", "make", "--json"]);
    assert_eq!(made.status, 0, "{made:?}");
    let made: serde_json::Value = serde_json::from_str(&made.out).expect("JSON");
    let dir = PathBuf::from(made["dir"].as_str().expect("a directory"));
    let links = host.path("links");
    let store = host.path("other");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let status = command.args(arguments).args([&dir, &links]).status();
        assert!(status.expect("it runs").success());
    };
    let cleared = |work: &dyn Fn()| -> Duration {
        let spent = time(work);
        for gone in [&links, &store] {
            content::remove(gone).expect("it goes, read-only or not");
        }
        spent
    };
    let ours = || {
        let mut command = host.command(&["env", "make"]);
        let command = command.env("ERLRC_ENVIRONMENTS", &store);
        let run = Run::of(command.output().expect("erlrc runs"));
        assert_eq!(run.status, 0, "{run:?}");
    };
    let linked = || {
        run("cp", &["-al"]);
        let written = Command::new("sync").arg(&links).status();
        assert!(written.expect("sync runs").success());
    };
    let mut ways: Vec<Way<'_>> = vec![
        ("ours", Box::new(|| cleared(&ours))),
        ("cp -al, sync", Box::new(|| cleared(&linked))),
        ("cp -al", Box::new(|| cleared(&|| run("cp", &["-al"])))),
        ("cp -a", Box::new(|| cleared(&|| run("cp", &["-a"])))),
    ];
    let times = take_turns(&mut ways, ROUNDS);
    println!(
        "| env make | files | MB | ours | cp -al, sync | cp -al | cp -a | ours / cp -al, sync | ours / cp -al |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    println!(
        "| OTP {} | {} | {:.1} | {:.1} ms | {:.1} ms | {:.1} ms | {:.1} ms | {:.2}x | {:.2}x |",
        made["otp"].as_str().unwrap_or_default(),
        made["files"],
        made["bytes"].as_f64().unwrap_or_default() / 1e6,
        times.milliseconds("ours"),
        times.milliseconds("cp -al, sync"),
        times.milliseconds("cp -al"),
        times.milliseconds("cp -a"),
        times.ratio("ours", "cp -al, sync"),
        times.ratio("ours", "cp -al"),
    );
}
