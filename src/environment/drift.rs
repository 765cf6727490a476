//! What the tree that an environment was made from has become since.
//!
//! Security updates of a distribution keep the version of an application: the bytes decide.

use super::Record;
use std::collections::{BTreeMap, BTreeSet};

/// The tree as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The version of its emulator.
    pub erts: String,
    /// Its applications with their versions.
    pub applications: BTreeMap<String, String>,
    /// The files of the environment that the tree does not have with the same bytes.
    pub changed: BTreeSet<String>,
}

/// A part of an environment that is not what the tree has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Behind {
    /// The application, or `erts`, or `otp` for what belongs to none.
    pub part: String,
    /// The version in the environment.
    pub vsn: String,
    /// The version in the tree; null where it has the part no more.
    pub now: Option<String>,
    /// How many files have other bytes.
    pub files: usize,
}

impl Behind {
    /// One line; `tree` is where the environment was made from.
    pub fn text(&self, tree: &str) -> String {
        let Self { part, vsn, .. } = self;
        match (&self.now, self.files) {
            (None, _) => format!("{part} {vsn} is no longer in {tree}"),
            (Some(now), _) if now != vsn => format!("{part} is {vsn} here and {now} in {tree}"),
            (Some(_), 1) => format!("{part} {vsn}: 1 file has other bytes in {tree}"),
            (Some(_), files) => format!("{part} {vsn}: {files} files have other bytes in {tree}"),
        }
    }
}

/// The parts of an environment that are not what the tree has now.
pub fn behind(record: &Record, now: &Now) -> Vec<Behind> {
    let mut found = Vec::new();
    let erts = format!("erts-{}/", record.erts);
    let files = now.changed.iter().filter(|file| file.starts_with(&erts));
    found.extend(part(
        "erts",
        &record.erts,
        Some(now.erts.clone()),
        files.count(),
    ));
    for (name, vsn) in &record.applications {
        let dir = format!("lib/{name}-{vsn}/");
        let files = now.changed.iter().filter(|file| file.starts_with(&dir));
        let there = now.applications.get(name).cloned();
        found.extend(part(name, vsn, there, files.count()));
    }
    // Boot files change with the versions; alone they are worth a word of their own.
    let rest = now.changed.iter().filter(|file| {
        let is_of_part = file.starts_with("lib/") || file.starts_with("erts-");
        !is_of_part
    });
    let rest = rest.count();
    if found.is_empty() {
        found.extend(part("otp", &record.otp, Some(record.otp.clone()), rest));
    }
    found
}

fn part(part: &str, vsn: &str, now: Option<String>, files: usize) -> Option<Behind> {
    let is_same = now.as_deref() == Some(vsn) && files == 0;
    (!is_same).then(|| Behind {
        part: part.to_owned(),
        vsn: vsn.to_owned(),
        now,
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let applications = [("kernel", "8.5.3"), ("stdlib", "4.2")];
        let owned = applications.map(|(name, vsn)| (name.to_owned(), vsn.to_owned()));
        Record {
            otp: "25.2.3".to_owned(),
            erts: "13.1.5".to_owned(),
            applications: owned.into(),
            ..Record::default()
        }
    }

    fn same() -> Now {
        let record = record();
        Now {
            erts: record.erts,
            applications: record.applications,
            changed: BTreeSet::new(),
        }
    }

    #[track_caller]
    fn case(now: &Now, expected: &[&str]) {
        let found: Vec<_> = behind(&record(), now)
            .iter()
            .map(|one| one.text("/otp"))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_same_is_not_behind() {
        case(&same(), &[]);
    }

    #[test]
    fn bytes_decide_where_versions_are_equal() {
        let mut now = same();
        now.changed.insert("lib/kernel-8.5.3/ebin/inet.beam".into());
        case(&now, &["kernel 8.5.3: 1 file has other bytes in /otp"]);
        now.changed.insert("erts-13.1.5/bin/beam.smp".into());
        now.changed.insert("erts-13.1.5/bin/epmd".into());
        let both = [
            "erts 13.1.5: 2 files have other bytes in /otp",
            "kernel 8.5.3: 1 file has other bytes in /otp",
        ];
        case(&now, &both);
    }

    #[test]
    fn other_versions_and_what_is_gone_are_told_apart() {
        let mut now = same();
        now.applications.insert("kernel".into(), "9.0".into());
        now.applications.remove("stdlib");
        now.changed.insert("lib/kernel-8.5.3/ebin/inet.beam".into());
        let both = [
            "kernel is 8.5.3 here and 9.0 in /otp",
            "stdlib 4.2 is no longer in /otp",
        ];
        case(&now, &both);
    }

    #[test]
    fn what_belongs_to_no_application_counts_when_it_is_all() {
        let mut now = same();
        now.changed.insert("bin/start.boot".into());
        case(&now, &["otp 25.2.3: 1 file has other bytes in /otp"]);
    }
}
