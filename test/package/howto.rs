//! The page on packages, command for command.

use crate::project::{Project, run, text};

/// The lines that the page shows by themselves.
fn shown() -> Vec<&'static str> {
    let page = include_str!("../../docs/howto/packages.md");
    page.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect()
}

#[test]
fn the_page_on_packages_shows_what_a_reader_sees() {
    let project = Project::new("");
    let lib = "tally/_build/default/lib";
    let needs = "{applications, [kernel, stdlib, crypto, bar]}";
    project.built(lib, "tally", "tally", "1.1", needs);
    project.built(lib, "bar", "bar", "2.1", "");
    let lines = shown();
    let (settings, commands) = lines.split_at(
        lines
            .iter()
            .position(|line| line.starts_with("$ "))
            .expect("a command"),
    );
    project.file("tally/rebar.config", &settings.join("\n"));
    let place = project.path("tally");
    let own = std::path::Path::new(env!("CARGO_BIN_EXE_erlrc"));
    let path = format!(
        "{}:{}",
        text(own.parent().expect("a directory")),
        std::env::var("PATH").expect("a path")
    );
    let mut steps = 0;
    for step in commands.join("\n").split("$ ").skip(1) {
        let (command, output) = step.split_once('\n').expect("output");
        let mut shell = project.command("/bin/sh");
        shell.args(["-c", command]).env("PATH", &path);
        let found = run(shell.current_dir(&place));
        let said = found.out.replace(text(&place), "/srv/tally");
        assert_eq!(
            said.trim_end(),
            output.trim_end(),
            "{command}: {}",
            found.err
        );
        steps += 1;
    }
    assert_eq!(steps, 2);
}
