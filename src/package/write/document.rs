//! The documents that Debian's policy asks of every package: changelog and copyright.

use crate::package::assemble::Package;
use crate::package::version::PackageVersion;
use jiff::Timestamp;

/// Licences whose text every Debian system has, by their SPDX identifiers.
const COMMON: [(&str, &str); 8] = [
    ("Apache-2.0", "Apache-2.0"),
    ("BSD-3-Clause", "BSD"),
    ("GPL-2.0", "GPL-2"),
    ("GPL-3.0", "GPL-3"),
    ("LGPL-2.1", "LGPL-2.1"),
    ("LGPL-3.0", "LGPL-3"),
    ("MPL-1.1", "MPL-1.1"),
    ("MPL-2.0", "MPL-2.0"),
];

/// The changelog of the package: one entry, for what is in it.
pub fn changelog(package: &Package) -> String {
    entry(
        &package.name,
        &package.version,
        &package.maintainer,
        package.time,
    )
}

/// An entry of a changelog as deb-changelog(5) has it.
pub fn entry(name: &str, version: &PackageVersion, maintainer: &str, time: i64) -> String {
    format!(
        "{name} ({}) unstable; urgency=medium\n\n  * Version {}.\n\n -- {maintainer}  {}\n",
        version.deb(),
        version.upstream,
        date(time)
    )
}

/// Copyright and licence: `text` where one is given, else what the application says.
pub fn copyright(package: &Package, application: &str, text: Option<&str>) -> String {
    let (license, homepage) = (package.license.as_str(), package.homepage.as_deref());
    let year = moment(package.time).strftime("%Y");
    let source = homepage.map_or_else(String::new, |page| format!("Source: {page}\n"));
    let body = licence(license, text);
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: {application}\n{source}\n\
         Files: *\nCopyright: © {year} the authors of {application}\nLicense: {license}\n{body}"
    )
}

/// The text of a licence, or where it is.
fn licence(license: &str, text: Option<&str>) -> String {
    match (common(license), text) {
        (Some(file), _) => {
            format!(" The text of this licence is in /usr/share/common-licenses/{file}.\n")
        }
        (None, Some(text)) => folded(text),
        (None, None) => " The application names this licence and holds no text of it.\n".to_owned(),
    }
}

fn common(license: &str) -> Option<&'static str> {
    let plain = license
        .trim_end_matches("-only")
        .trim_end_matches("-or-later");
    let found = COMMON.iter().find(|(name, _)| *name == plain);
    found.map(|(_, file)| *file)
}

/// Lines as they follow the first one of a field: indented, empty ones with a dot.
pub fn folded(text: &str) -> String {
    let mut folded = String::new();
    for line in text.trim_end().lines() {
        let line = line.trim_end();
        folded.push(' ');
        folded.push_str(if line.is_empty() { "." } else { line });
        folded.push('\n');
    }
    folded
}

/// The longest line of a description, after the blank that it begins with.
const LONGEST: usize = 79;

/// A description's lines, broken between words; what begins with a blank stays as it is.
pub fn description(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.trim_end().lines() {
        match line.starts_with(' ') {
            true => lines.push(line.to_owned()),
            false => lines.extend(broken(line)),
        }
    }
    folded(&lines.join("\n"))
}

fn broken(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + 1 + word.chars().count() <= LONGEST => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Seconds since 1970 as a date of RFC 5322, in UTC.
fn date(time: i64) -> String {
    moment(time)
        .strftime("%a, %d %b %Y %H:%M:%S +0000")
        .to_string()
}

fn moment(time: i64) -> Timestamp {
    Timestamp::from_second(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (time, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
        ] {
            assert_eq!(date(time), expected);
        }
    }

    #[test]
    fn descriptions_are_broken_between_words() {
        let long = "word ".repeat(40);
        let text = description(&format!("short\n\n{long}\n  as it is {long}\n"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], [" short", " ."]);
        assert!(lines[2..5].iter().all(|line| line.len() <= 80), "{text}");
        assert_eq!(text.matches("word").count(), 80);
        assert!(lines[5].starts_with("   as it is word word"));
        let unbreakable = "x".repeat(100);
        assert_eq!(description(&unbreakable), format!(" {unbreakable}\n"));
    }

    #[test]
    fn a_licence_that_every_system_has_is_not_repeated() {
        let text = licence("GPL-2.0-or-later", Some("long text"));
        assert!(text.contains("/usr/share/common-licenses/GPL-2"), "{text}");
        assert!(!text.contains("long text"));
        let text = licence("ISC", Some("a\n\nb\n"));
        assert_eq!(text, " a\n .\n b\n");
    }
}
