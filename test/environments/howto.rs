//! The page on environments, command for command. Versions, names and sizes are those of the tree.

use crate::host::{Host, Run};
use crate::tree::{lib, name, names, replace};
use std::fs;
use std::path::{Path, PathBuf};

/// The output that the page shows below `command`, its lines without the indentation of the page.
#[track_caller]
fn shown(command: &str) -> String {
    let page = include_str!("../../docs/howto/environments.md");
    let mut lines = page.lines().skip_while(|line| line.trim() != command);
    assert!(lines.next().is_some(), "the page has lost {command}");
    let output = lines.map_while(|line| line.strip_prefix("    "));
    output.map(|line| format!("{line}\n")).collect()
}

/// A text with `#` for every word that has a digit, and the page's names for directories.
fn alike(text: &str, places: &[(&Path, &str)]) -> String {
    let mut text = text.to_owned();
    for (place, shown) in places {
        text = text.replace(&place.display().to_string(), shown);
    }
    let mut alike = String::new();
    let is_of_word = |c: char| c.is_alphanumeric() || c == '.';
    for part in text.split_inclusive(|c| !is_of_word(c)) {
        let word = part.trim_end_matches(|c| !is_of_word(c));
        let has_digit = word.contains(|c: char| c.is_ascii_digit());
        alike += if has_digit { "#" } else { word };
        alike += &part[word.len()..];
    }
    alike
}

/// Runs `erlrc env` with these arguments; it prints what the page shows below `command`.
#[track_caller]
fn prints(host: &Host, arguments: &[&str], command: &str, tree: &Path) {
    let run: Run = host.erlrc(&[&["env"], arguments].concat());
    let environments = host.path("env");
    let places = [
        (environments.as_path(), "/usr/lib/erlrc/env"),
        (tree, "/usr/lib/erlang"),
    ];
    let found = alike(&run.out, &places);
    // Where the directories of a test are on another disk than the tree; and the page's tree is the one that needs no name.
    let found = found.replace(", # of them copied", "");
    let found = found.replace(" --from /usr/lib/erlang", "");
    assert_eq!(found, alike(&shown(command), &[]), "{}", run.err);
}

fn only(host: &Host) -> PathBuf {
    let [name] = names(host).try_into().expect("one environment");
    host.path("env").join(name)
}

#[test]
fn the_page_on_environments_shows_what_a_reader_sees() {
    let host = Host::without_epmd();
    let tree = Path::new("/usr/lib/erlang");
    let make = "$ erlrc env make ssl mnesia";
    prints(&host, &["make", "ssl", "mnesia"], make, tree);
    // An environment is a tree like any other, and this one may be spoilt.
    let tree = only(&host);
    let other = Host::without_epmd();
    let from = tree.display().to_string();
    let arguments = ["make", "--from", &from, "ssl", "mnesia"];
    prints(&other, &arguments, make, &tree);
    let crypto = lib(&tree, "crypto").join("ebin");
    for file in ["crypto.beam", "crypto.app"] {
        replace(&crypto.join(file), |bytes| bytes.push(b'\n'));
    }
    prints(&other, &["check"], "$ erlrc env check", &tree);
    let name = name(&only(&other));
    other.erlrc(&["env", "destroy", "--yes", &name]);
    let left = fs::read_dir(other.path("env")).map(Iterator::count);
    assert_eq!(left.ok(), Some(0));
}
