//! The pages on upgrades that are refused and on those that go back by themselves, command for command.

use crate::host::fixtures::erlc_into;
use crate::host::{Host, Node, Run};
use std::fs;
use std::path::Path;

const CALLBACK: &str = "-module(tally_app). -behaviour(application). -behaviour(supervisor). -export([start/2, stop/1, init/1]).
    start(_, _) -> supervisor:start_link({local, tally_sup}, ?MODULE, []).
    stop(_) -> ok.
    init([]) -> {ok, {#{}, [#{id => server, start => {tally_server, start_link, []}}]}}.\n";

/// The commands of `erlrc` that a page shows, each with the output below it, without the indentation of the page.
fn steps(page: &str) -> Vec<(String, Vec<&str>)> {
    let mut steps: Vec<(String, Vec<&str>)> = Vec::new();
    let mut shown = false;
    for line in page.lines() {
        let inner = line.trim_start();
        if let Some(command) = inner.strip_prefix("$ erlrc ") {
            steps.push((command.to_owned(), Vec::new()));
            shown = true;
        } else if shown && (line.is_empty() || line.starts_with("    ")) {
            let (_, lines) = steps.last_mut().expect("a command");
            lines.push(inner);
        } else {
            shown = false;
        }
    }
    for (_, lines) in &mut steps {
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
    }
    steps
}

/// tally in a version whose server has these fields in its state.
fn tally(host: &Host, vsn: &str, fields: &str) -> String {
    let dir = host.path(&format!("lib/tally-{vsn}"));
    let ebin = dir.join("ebin");
    fs::create_dir_all(&ebin).expect("a directory");
    let server = format!(
        "-module(tally_server). -behaviour(gen_server).
         -export([start_link/0, init/1, handle_call/3, handle_cast/2]). -record(state, {{{fields}}}).
         start_link() -> gen_server:start_link({{local, ?MODULE}}, ?MODULE, [], []).
         init([]) -> {{ok, #state{{}}}}.
         handle_call(_, _, State) -> {{reply, State, State}}.
         handle_cast(_, State) -> {{noreply, State}}.\n"
    );
    for (name, text) in [("tally_server", server.as_str()), ("tally_app", CALLBACK)] {
        let source = host.file(&format!("{name}.erl"), text, 0o644);
        erlc_into(&ebin, &["+debug_info", &source.display().to_string()]);
    }
    let specification = format!(
        "{{application, tally, [{{description, \"tally\"}}, {{vsn, \"{vsn}\"}}, {{modules, [tally_app, tally_server]}},
          {{registered, [tally_sup, tally_server]}}, {{applications, [kernel, stdlib]}}, {{mod, {{tally_app, []}}}}]}}."
    );
    fs::write(ebin.join("tally.app"), specification).expect("the .app");
    dir.display().to_string()
}

/// A node `shop` that runs tally 1.0 while 1.1 is installed, whose state has a field more.
fn shop() -> (Host, Node) {
    let host = Host::new();
    let node = host.node("shop");
    let first = tally(&host, "1.0", "sum = 0");
    let second = tally(&host, "1.1", "sum = 0, largest = 0");
    host.erlrc(&["start", "tally", "1.0", &first]);
    let metadata = format!("{{tally, \"1.1\", \"{second}\"}}.\n");
    fs::write(host.path("apps/tally"), metadata).expect("a file");
    (host, node)
}

/// What a page shows is what a reader sees; a word with `…` in it stands for any word.
#[track_caller]
fn shows(expected: &[&str], text: &str, run: &Run) {
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(expected.len(), found.len(), "{run:?}");
    for (expected, found) in expected.iter().zip(found) {
        let (expected, found) = (words(expected), words(found));
        let same =
            |(expected, found): (&String, &String)| expected.contains('…') || expected == found;
        let all = expected.len() == found.len() && expected.iter().zip(&found).all(same);
        assert!(all, "{expected:?} is not {found:?}: {run:?}");
    }
}

#[test]
fn the_page_on_refusals_shows_what_a_reader_sees() {
    let (host, _node) = shop();
    let steps = steps(include_str!("../../docs/howto/refused.md"));
    let expected = [
        ("upgrade tally", 4),
        ("status", 1),
        ("history tally", 0),
        ("plan tally", 4),
        ("plan tally --migrate", 0),
        ("doctor", 1),
    ];
    let commands: Vec<&str> = steps.iter().map(|(command, _)| command.as_str()).collect();
    assert_eq!(commands, expected.map(|(command, _)| command));
    for ((command, output), (_, status)) in steps.iter().zip(expected) {
        let words: Vec<&str> = command.split(' ').collect();
        let run = host.erlrc(&words);
        assert_eq!(run.status, status, "{run:?}");
        let shown: Vec<&str> = output
            .iter()
            .filter(|line| !line.is_empty())
            .copied()
            .collect();
        let text = format!("{}{}", run.out, run.err);
        let text: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        if !shown.is_empty() {
            shows(&shown, &text.join("\n"), &run);
        }
    }
}

#[test]
fn the_page_on_provisional_upgrades_shows_what_a_reader_sees() {
    let (host, _node) = shop();
    let steps = steps(include_str!("../../docs/howto/provisional.md"));
    let (upgrade, output) = steps.first().expect("a command");
    let words: Vec<&str> = upgrade.split(' ').chain(["--migrate"]).collect();
    for end in &steps[1..] {
        let run = host.erlrc(&words);
        assert_eq!(run.status, 0, "{run:?}");
        let time = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(time(run.out.trim_end()), time(&output.join("\n")));
        let words: Vec<&str> = end.0.split(' ').collect();
        // The page's reader sits at a terminal.
        let yes = if words[0] == "undo" {
            &["--yes"][..]
        } else {
            &[]
        };
        let run = host.erlrc(&[&words, yes].concat());
        assert_eq!(run.status, 0, "{run:?}");
        host.erlrc(&["downgrade", "tally=1.0", "--migrate", "--allow-loss"]);
    }
    assert_eq!(steps.len(), 3);
}

/// What the plan says of a host is what its hook does: `files` are below the host's directory, each with its text.
#[track_caller]
fn plan_and_upgrade(
    host: &Host,
    files: &[(&str, &str)],
    options: &[&str],
    (status, said): (i32, &str),
) {
    for (name, text) in files {
        let parent = host.path(name).parent().map(Path::to_owned);
        fs::create_dir_all(parent.expect("a directory")).expect("a directory");
        host.file(name, text, 0o644);
    }
    let plan = host.erlrc(&[&["plan", "tally"], options].concat());
    assert!(plan.status == status && plan.out.contains(said), "{plan:?}");
    let upgrade = host.erlrc(&[&["upgrade", "tally=1.1"], options].concat());
    let text = format!("{}{}", upgrade.out, upgrade.err);
    assert!(
        upgrade.status == status && text.contains(said),
        "{upgrade:?}"
    );
    if status == 0 {
        let back = host.erlrc(&["downgrade", "tally=1.0", "--migrate", "--allow-loss"]);
        assert_eq!(back.status, 0, "{back:?}");
    }
}

#[test]
fn the_plan_and_the_hook_follow_the_same_choice() {
    let (host, _node) = shop();
    let not_converted = (4, "let erlrc convert it field by field (--migrate)");
    plan_and_upgrade(&host, &[], &[], not_converted);
    let conf = [("erlrc.conf", "{migrate, fields}.")];
    plan_and_upgrade(&host, &conf, &[], (0, "as erlrc.conf asks"));
    let registration = "applications/tally";
    plan_and_upgrade(
        &host,
        &[(registration, "{migrate, none}.")],
        &[],
        not_converted,
    );
    let lossy = [(registration, "{migrate, lossy}.")];
    plan_and_upgrade(
        &host,
        &lossy,
        &[],
        (0, "as the registration of the application asks"),
    );
    let none = [(registration, "{migrate, what}.")];
    plan_and_upgrade(
        &host,
        &none,
        &[],
        (4, "let erlrc convert it field by field"),
    );
    plan_and_upgrade(&host, &none, &["--migrate"], (0, "as --migrate asks"));
    fs::remove_file(host.path(registration)).expect("a file");
    let package = [("lib/tally-1.1/priv/tally.migration", "{migrate, fields}.")];
    plan_and_upgrade(
        &host,
        &package,
        &[],
        (0, "as the package of the later version asks"),
    );
}
