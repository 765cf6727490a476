//! The OTP under test.

use crate::host::erl;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The tree of the `erl` under test.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let print = "io:format(\"~s\", [code:root_dir()]), halt().";
        let mut command = Command::new(erl());
        command.args(["-noshell", "-eval", print]);
        let output = command.stdin(Stdio::null()).output().expect("erl runs");
        PathBuf::from(String::from_utf8(output.stdout).expect("a path"))
    })
}
