//! A node that runs baselines: one that stays up, so that only the work is measured, by itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A running `erl` that takes a line of work and answers with a line.
pub struct Erlang {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

fn command(name: &str) -> Command {
    let erl =
        std::env::var_os("ERLRC_TEST_ERL").map_or_else(|| PathBuf::from("erl"), PathBuf::from);
    let program = match erl.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.join(name),
        _ => PathBuf::from(name),
    };
    let mut command = Command::new(program);
    command
        .env_remove("ERL_AFLAGS")
        .env_remove("ERL_FLAGS")
        .env_remove("ERL_ZFLAGS");
    command
}

impl Erlang {
    /// Compiles a source of this directory's parent into `dir` and starts its `main/0` loop.
    pub fn start(dir: &Path, module: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("bench/{module}.erl"));
        let status = command("erlc")
            .arg("-o")
            .arg(dir)
            .arg(source)
            .status()
            .expect("erlc runs");
        assert!(status.success(), "{module}.erl does not compile");
        let mut child = command("erl")
            .args(["-noshell", "-boot", "start_clean", "-pa"])
            .arg(dir)
            .args(["-s", module, "main"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("erl runs");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            stdin,
            stdout,
        }
    }

    /// Sends a line and returns the answer.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").expect("the node reads");
        let mut answer = String::new();
        self.stdout
            .read_line(&mut answer)
            .expect("the node answers");
        answer.trim_end().to_owned()
    }

    /// Sends a line whose answer is a number of microseconds.
    pub fn time(&mut self, line: &str) -> Duration {
        let answer = self.ask(line);
        Duration::from_micros(
            answer
                .parse()
                .unwrap_or_else(|_| panic!("{line}: {answer}")),
        )
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        // At the end of its input it goes by itself.
        let _ = writeln!(self.stdin, "stop");
        let _ = self.child.wait();
    }
}

/// Where the libraries of the installed OTP are.
pub fn library_dir() -> PathBuf {
    let output = command("erl")
        .args([
            "-noshell",
            "-eval",
            "io:format(\"~ts\", [code:lib_dir()]), halt().",
        ])
        .output()
        .expect("erl runs");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned())
}
