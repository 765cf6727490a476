//! The tutorial, command for command, on a Debian without anything of erlrc: what a page shows is what a reader sees.

use crate::host::Host;
use crate::package;

/// A command of the page, with its continuation lines, and the output that the page shows below it.
#[derive(Debug, Default)]
struct Step {
    command: String,
    output: Vec<String>,
}

/// The commands of the `console` blocks of a page. A here-document ends with its mark.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_console = false;
    let mut document = false;
    for line in page.lines() {
        match line {
            "```console" => in_console = true,
            "```" => in_console = false,
            _ if !in_console => (),
            _ if document => {
                document = line != "END";
                let step = steps.last_mut().expect("a command");
                step.command += &format!("\n{line}");
            }
            _ => match line.strip_prefix("# ") {
                Some(command) => {
                    document = command.ends_with("<<'END'");
                    let command = command.to_owned();
                    let output = Vec::new();
                    steps.push(Step { command, output });
                }
                None => steps
                    .last_mut()
                    .expect("output follows a command")
                    .output
                    .push(line.to_owned()),
            },
        }
    }
    steps
}

/// Whether `actual` is what `expected` shows: a line `...` stands for any lines, `...` in a line for any text.
fn shows(expected: &[String], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((line, rest)) if line == "..." => {
            (0..=actual.len()).any(|skipped| shows(rest, &actual[skipped..]))
        }
        Some((line, rest)) => actual
            .split_first()
            .is_some_and(|(first, others)| is_like(line, first) && shows(rest, others)),
    }
}

fn is_like(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once("...") else {
        return expected == actual;
    };
    actual.strip_prefix(before).is_some_and(|rest| {
        (0..=rest.len())
            .filter_map(|at| rest.get(at..))
            .any(|rest| is_like(after, rest))
    })
}

#[track_caller]
fn follow(suite: &str) {
    let host = Host::bare_on(suite);
    host.sh(&format!(
        "mkdir /root/tutorial && cp {} /root/tutorial/erlrc.deb",
        package::erlrc()
    ))
    .succeeds();
    // apt asks nothing where nobody answers, and finds no terminal.
    host.sh(
        "printf 'APT::Get::Assume-Yes \"true\";\nDpkg::Use-Pty \"0\";\n' \
         >/etc/apt/apt.conf.d/90tutorial",
    )
    .succeeds();
    let page = include_str!("../../docs/tutorial.md");
    let steps = steps(page);
    assert!(steps.len() > 10, "the page has lost its commands");
    for step in steps {
        let run = host.sh(&format!("cd /root/tutorial && {}", step.command));
        let run = run.succeeds();
        let lines: Vec<&str> = run.text.lines().collect();
        assert!(
            shows(&step.output, &lines),
            "# {}\n{}\nThe page shows:\n{}",
            step.command,
            run.text,
            step.output.join("\n")
        );
        if step.command.ends_with("-detached") {
            // A reader is slower than that.
            host.sh("until erlrc eval shop 'true = is_pid(whereis(tally_server))'; do :; done >/dev/null 2>&1")
                .succeeds();
        }
    }
}

#[test]
fn on_debian_12() {
    follow("bookworm");
}

#[test]
fn on_debian_13() {
    follow("trixie");
}

#[test]
fn a_page_shows_lines_and_parts_of_lines() {
    let expected = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(shows(&expected(&["...", "a...c", "..."]), &["x", "abc"]));
    assert!(shows(&expected(&["..."]), &[]));
    assert!(!shows(&expected(&["a"]), &["a", "b"]));
    assert!(!shows(&expected(&["...", "d"]), &["a", "b"]));
}
