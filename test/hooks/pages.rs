//! Help, manual pages and completions: every command is in them.

use crate::host::Host;

const COMMANDS: [&str; 9] = [
    "start",
    "stop",
    "upgrade",
    "downgrade",
    "history",
    "status",
    "eval",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples_and_statuses() {
    let host = Host::without_epmd();
    let all = host.erlrc(&["--help"]).out;
    for command in commands(&host) {
        assert!(all.contains(&command), "{command}");
        let run = host.erlrc(&[&command, "--help"]);
        assert_eq!(run.status, 0);
        assert!(run.out.contains("Example"), "{command}: {}", run.out);
        assert!(run.out.contains("Exit status:"), "{command}: {}", run.out);
    }
}

#[test]
fn every_command_has_a_page_and_completions() {
    let host = Host::without_epmd();
    let pages = host.path("man").display().to_string();
    host.erlrc(&["man", &pages]).is("", 0);
    for command in commands(&host) {
        let page = std::fs::read_to_string(host.path(&format!("man/erlrc-{command}.8")));
        assert!(page.expect("a page").contains("Exit status"), "{command}");
    }
    let findings = std::fs::read_to_string(host.path("man/erlrc-findings.7"));
    assert!(findings.expect("a page").contains(".B state_not_migrated"));
    let settings = std::fs::read_to_string(host.path("man/erlrc.conf.5"));
    assert!(settings.expect("a page").contains(".B apt_preflight"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = host.erlrc(&["completions", shell]).out;
        for command in commands(&host) {
            assert!(script.contains(&command), "{shell}: {command}");
        }
    }
}

/// The commands as the help lists them, so that none is forgotten.
pub fn commands(host: &Host) -> Vec<String> {
    let help = host.erlrc(&["--help"]).out;
    let listed: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.strip_prefix("  ")?
                .split(' ')
                .next()
                .map(str::to_owned)
        })
        .filter(|name| !name.is_empty() && name != "help")
        .collect();
    for command in COMMANDS {
        assert!(listed.iter().any(|name| name == command), "{command}");
    }
    listed
}

#[test]
fn a_wrong_command_line_is_a_matter_of_usage() {
    let host = Host::without_epmd();
    for arguments in [
        ["start"].as_slice(),
        &["start", "foo"],
        &["upgrade", "foo", "1.0", "2.0", "/only-one"],
        &["stop", "foo", "1.0", "/x", "--node-timeout", "soon"],
        &["no-such-command"],
        &["eval", "bad/name", "ok"],
        &[],
    ] {
        assert_eq!(host.erlrc(arguments).status, 2, "{arguments:?}");
    }
    assert_eq!(host.erlrc(&["--version"]).status, 0);
}

#[test]
fn a_page_calls_a_command_by_a_name_that_it_has() {
    let host = Host::without_epmd();
    let pages = host.path("man").display().to_string();
    host.erlrc(&["man", &pages]).is("", 0);
    let page = |name: &str| {
        let page = std::fs::read_to_string(host.path(&format!("man/erlrc-{name}.8")));
        page.expect("a page")
            .replace("\\-", "-")
            .replace("\\fB", "")
            .replace("\\fR", "")
    };
    for name in [
        "doctor",
        "stop",
        "package",
        "boot-order",
        "completions",
        "describe",
    ] {
        let called = format!(".SH SYNOPSIS\nerlrc {name} ");
        assert!(page(name).contains(&called), "{}", page(name));
    }
    let completions = page("completions");
    assert!(completions.contains("refused or failed") && !completions.contains("upgrade path"));
    assert!(page("stop").contains("upgrade path"));
}

#[test]
fn a_wrong_command_line_is_told_to_machines_and_shows_no_variables() {
    let host = Host::without_epmd();
    let run = host.erlrc(&["start", "foo", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(
        (run.status, &error["kind"], &error["version"]),
        (2, &"error".into(), &1.into())
    );
    assert_eq!(
        (&error["status"], error["error"].is_string()),
        (&2.into(), true)
    );
    // The host sets ERLRC_ROOT and its siblings: none of them has to be given.
    run.says("Usage: erlrc start [OPTIONS] <APP> <VSN> [DIR]");
    for option in ["--root", "--state", "--run", "--epmd-port"] {
        assert!(!run.err.contains(option), "{run:?}");
    }
    let error = host.erlrc(&["--json", "plan", "foo", "--node", "nope"]);
    let error: serde_json::Value = serde_json::from_str(&error.out).expect("JSON");
    assert_eq!(
        (&error["kind"], &error["status"]),
        (&"error".into(), &1.into())
    );
}
