//! The documents that Debian's policy asks of every package: changelog and copyright.

use crate::package::assemble::Package;
use crate::package::version::PackageVersion;

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
    let (year, ..) = civil(package.time.div_euclid(86_400));
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

/// Seconds since 1970 as a date of RFC 5322, in UTC.
fn date(time: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, seconds) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], number: i64| {
        usize::try_from(number)
            .ok()
            .and_then(|number| names.get(number).copied())
    };
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} +0000",
        name(&DAYS, days.rem_euclid(7)).unwrap_or_default(),
        name(&MONTHS, month - 1).unwrap_or_default(),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Year, month and day of a number of days since 1970: the proleptic Gregorian calendar, whose cycle
/// of 400 years has 146,097 days; years are counted from March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (cycle, day_of_cycle) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leaps = day_of_cycle / 1_460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leaps) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (
        cycle * 400 + year_of_cycle + i64::from(month <= 2),
        month,
        day,
    )
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
    fn a_licence_that_every_system_has_is_not_repeated() {
        let text = licence("GPL-2.0-or-later", Some("long text"));
        assert!(text.contains("/usr/share/common-licenses/GPL-2"), "{text}");
        assert!(!text.contains("long text"));
        let text = licence("ISC", Some("a\n\nb\n"));
        assert_eq!(text, " a\n .\n b\n");
    }
}
