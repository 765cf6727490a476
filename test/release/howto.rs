//! The page on releases, command for command. Versions of OTP, directories and times are those of the host.

use crate::host::Host;
use crate::shop::tally;

/// The commands that the page shows, each with the output below it, without the indentation of the page.
fn steps() -> Vec<(String, String)> {
    let page = include_str!("../../docs/howto/releases.md");
    let mut steps: Vec<(String, String)> = Vec::new();
    let mut is_output = false;
    for line in page.lines() {
        let inner = line.strip_prefix("    ");
        if let Some(command) = inner.and_then(|line| line.strip_prefix("$ erlrc ")) {
            steps.push((command.to_owned(), String::new()));
            is_output = true;
        } else if let (Some(inner), true, Some((_, output))) = (inner, is_output, steps.last_mut())
        {
            output.push_str(&format!("{inner}\n"));
        } else {
            is_output = false;
        }
    }
    steps
}

/// A text with one `#` for every word that has a digit and is none of the versions of tally and shop, and one blank
/// between words; directories by their last part.
fn alike(text: &str) -> Vec<String> {
    let word = |word: &str| {
        let plain = word.trim_end_matches([',', ':', ';']);
        let name = plain.rsplit('/').next().unwrap_or(plain);
        let is_otp = name.contains(|c: char| c.is_ascii_digit())
            && !["1.0", "1.1", "tally-1.1", "4"].contains(&name);
        match is_otp {
            true => "#".to_owned(),
            false => name.to_owned(),
        }
    };
    let line = |line: &str| {
        line.split_whitespace()
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect()
}

#[test]
fn the_page_on_releases_shows_what_a_reader_sees() {
    let host = Host::new();
    let dir = tally(&host, "1.0").display().to_string();
    tally(&host, "1.1");
    let _node = host.node("shop");
    host.erlrc(&["start", "tally", "1.0", &dir]);
    let steps = steps();
    assert!(
        steps.len() >= 8,
        "the page has lost its commands: {steps:?}"
    );
    for (command, output) in steps {
        let words: Vec<&str> = command.split(' ').collect();
        let mut erlrc = host.command(&words);
        // The page's reader has installed the applications where OTP looks.
        erlrc.env("ERL_LIBS", host.path("lib"));
        let run = crate::host::Run::of(erlrc.output().expect("erlrc runs"));
        let found = format!("{}{}", run.out, run.err);
        assert_eq!(alike(&found), alike(&output), "{command}: {run:?}");
    }
}
