//! What the integration tests share: the Erlang that they ask.

#![allow(dead_code)] // Each test uses a part of it.

pub mod application;
pub mod impostor;
pub mod mutate;
pub mod schema;
pub mod terms;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The `erl` that the tests run: `ERLRC_TEST_ERL`, else the first one on the path.
pub fn erl() -> Command {
    clean(Command::new(program()))
}

/// The `erlc` beside that `erl`.
pub fn erlc() -> Command {
    let program = program();
    clean(Command::new(match program.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.join("erlc"),
        _ => PathBuf::from("erlc"),
    }))
}

fn program() -> PathBuf {
    std::env::var_os("ERLRC_TEST_ERL").map_or_else(|| PathBuf::from("erl"), PathBuf::from)
}

fn clean(mut command: Command) -> Command {
    command
        .env_remove("ERL_AFLAGS")
        .env_remove("ERL_FLAGS")
        .env_remove("ERL_ZFLAGS");
    command
}

/// Compiles `source` into `dir`.
#[track_caller]
pub fn compile(source: &Path, dir: &Path) {
    let output = erlc()
        .arg("-o")
        .arg(dir)
        .arg(source)
        .output()
        .expect("erlc runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Calls `module:main(Args)` of a module in `dir` in a fresh VM and returns what it prints.
#[track_caller]
pub fn call(dir: &Path, module: &str, args: &[&str]) -> String {
    let output = erl()
        .args(["-noinput", "-boot", "start_clean", "-pa"])
        .arg(dir)
        .args(["-run", module, "main"])
        .args(args)
        .output()
        .expect("erl runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
