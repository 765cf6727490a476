//! Completions know the applications, versions, nodes and operations of the host, for the hooks as well.

use crate::host::{Host, foo};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

fn host() -> Host {
    let host = Host::without_epmd();
    let metadata = format!("{{foo, \"1.0\", \"{}\"}}.\n", foo("1.0"));
    fs::write(host.path("apps/foo"), metadata).expect("a file");
    host.file("applications/bar", "", 0o644);
    host.listed("n1");
    host.listed("n2@far.example");
    host
}

/// What may come after a line.
fn told(host: &Host, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let run = host.erlrc(&[&["complete"], &words[..]].concat());
    assert_eq!((run.status, run.err.as_str()), (0, ""), "{line}");
    run.out.lines().map(str::to_owned).collect()
}

#[test]
fn what_may_come_next_is_what_the_host_has() {
    let host = host();
    for (line, expected) in [
        ("erlrc up", &["upgrade"][..]),
        ("erlrc status ", &["bar", "foo"]),
        ("erlrc status f", &["foo"]),
        ("erlrc upgrade fo", &["foo"]),
        ("erlrc upgrade foo=", &["foo=1.0", "foo=2.0"]),
        ("erlrc upgrade foo 1", &["1.0"]),
        ("erlrc start foo ", &["1.0", "2.0"]),
        ("erlrc --json start foo 2", &["2.0"]),
        ("erlrc status --node ", &["n1", "n2@far.example"]),
        ("erlrc status --node n1 ", &["bar", "foo"]),
        ("erlrc eval n2", &["n2@far.example"]),
        ("erlrc upgrade --ev", &["--evaluator"]),
        ("erlrc completions z", &["zsh"]),
        ("erlrc nonsense x", &[]),
        ("erlrc-upgrade foo", &["foo"]),
        ("erlrc-upgrade foo 1.0 ", &["1.0", "2.0", "bar", "foo"]),
        ("/usr/bin/erlrc-stop ", &["bar", "foo"]),
        ("erlrc-start foo 1.0 --node n1", &["n1"]),
    ] {
        assert_eq!(told(&host, line), expected, "{line}");
    }
    let commands = told(&host, "erlrc ");
    assert!(commands.contains(&"plan".to_owned()), "{commands:?}");
    assert!(
        !commands
            .iter()
            .any(|name| name == "maint" || name == "complete"),
        "{commands:?}"
    );
}

#[test]
fn bash_is_told_no_more_than_it_still_lacks() {
    let host = host();
    symlink(env!("CARGO_BIN_EXE_erlrc"), host.path("bin/erlrc")).expect("a link");
    let script = host.erlrc(&["completions", "bash"]).out;
    host.file("erlrc.bash", &script, 0o644);
    let path = format!(
        "{}:{}",
        host.path("bin").display(),
        std::env::var("PATH").expect("a path")
    );
    for (line, expected) in [
        ("erlrc status f", "foo\n"),
        ("erlrc-upgrade foo ", "1.0\n2.0\nbar\nfoo\n"),
        ("erlrc upgrade foo=2", "2.0\n"),
        ("erlrc status --node n2@f", "far.example\n"),
        ("erlrc upgrade nobody=", ""),
    ] {
        let ask = format!(
            "source ./erlrc.bash; complete -p erlrc erlrc-upgrade erlrc-plan >/dev/null || exit 9
             COMP_WORDBREAKS=$' \\t\\n\"\\'@><=;|&(:'; COMP_LINE='{line}'; COMP_POINT={}
             _erlrc; for reply in \"${{COMPREPLY[@]}}\"; do echo \"$reply\"; done",
            line.len()
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &ask])
            .current_dir(host.path(""))
            .env("PATH", &path);
        for (name, dir) in [
            ("ERLRC_ROOT", ""),
            ("ERLRC_RUN", "run/nodes"),
            ("ERLRC_APPS", "apps"),
            ("ERLRC_STATE", "state"),
        ] {
            bash.env(name, host.path(dir));
        }
        let output = bash.output().expect("bash runs");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!((out.as_ref(), err.as_ref()), (expected, ""), "{line}");
    }
}

#[test]
fn every_name_of_the_program_says_its_version() {
    let host = Host::without_epmd();
    for name in [
        "erlrc",
        "erlrc-upgrade",
        "erlrc-start",
        "erlrc-doctor",
        "dh_erlrc",
    ] {
        let link = host.path(&format!("bin/{name}"));
        symlink(env!("CARGO_BIN_EXE_erlrc"), &link).expect("a link");
        let output = Command::new(&link)
            .arg("--version")
            .output()
            .expect("it runs");
        let out = String::from_utf8_lossy(&output.stdout);
        let version = format!(" {}\n", env!("CARGO_PKG_VERSION"));
        assert!(
            output.status.success() && out.ends_with(&version),
            "{name}: {output:?}"
        );
    }
}
