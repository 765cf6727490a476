//! Built applications and the packages made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory with built applications, in one where a build may leave what it makes.
pub struct Project {
    dir: TempDir,
}

/// How a run ended.
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

pub const MAINTAINER: &str = "maintainer = \"Jane Doe <jane@example.org>\"\n";

impl Project {
    /// The application foo 1.0-rc1 beside the bar 2.1 that it needs, and a specification.
    pub fn new(spec: &str) -> Self {
        let project = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        project.application(
            "foo",
            "1.0-rc1",
            "{description, \"Counts what passes by\"}, {licenses, [\"Apache-2.0\"]}, \
             {links, [{\"Home\", \"https://foo.example\"}]}, \
             {applications, [kernel, stdlib, crypto, bar, opt]}, {optional_applications, [opt]}",
        );
        project.application("bar", "2.1", "{description, \"Holds what was counted\"}");
        project.file("foo/priv/data/one", "1\n");
        project.file("foo/include/foo.hrl", "-define(FOO, 1).\n");
        project.file("foo/src/foo.erl", "-module(foo).\n");
        project.file("erlrc.toml", &format!("otp = 25\n{spec}"));
        project
    }

    /// Adds an application without modules.
    pub fn application(&self, name: &str, vsn: &str, keys: &str) {
        self.built(".", name, name, vsn, keys);
    }

    /// The same in a directory of any name below `lib`.
    pub fn built(&self, lib: &str, dir: &str, name: &str, vsn: &str, keys: &str) {
        let keys = if keys.is_empty() {
            String::new()
        } else {
            format!(", {keys}")
        };
        let app = format!(
            "{{application, {name}, [{{vsn, \"{vsn}\"}}, {{registered, []}}, {{modules, []}}{keys}]}}.\n"
        );
        self.file(&format!("{lib}/{dir}/ebin/{name}.app"), &app);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("project").join(name)
    }

    pub fn file(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("a file");
    }

    /// Runs `erlrc package` there.
    pub fn package(&self, arguments: &[&str]) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_erlrc"));
        run(command.arg("package").args(arguments))
    }

    /// The one package of `foo`, as a path.
    #[track_caller]
    pub fn made(&self, format: &str) -> PathBuf {
        let run = self.package(&["--format", format, "--output", "out", "foo"]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        PathBuf::from(run.out.trim_end())
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path(""))
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .env("LC_ALL", "C.UTF-8");
        for name in ["DEBEMAIL", "DEBFULLNAME", "EMAIL", "NAME"] {
            command.env_remove(name);
        }
        command
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Run {
    let output: Output = command.stdin(Stdio::null()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run {
        status: output.status.code(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// What a program that must succeed prints.
#[track_caller]
pub fn says(program: &str, arguments: &[&str]) -> String {
    let run = run(Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8"));
    assert_eq!(
        run.status,
        Some(0),
        "{program} {arguments:?}: {}{}",
        run.out,
        run.err
    );
    run.out
}

/// One of the control files of a package.
#[track_caller]
pub fn member(deb: &Path, name: &str) -> String {
    says("dpkg-deb", &["--info", text(deb), name])
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("plain text")
}
