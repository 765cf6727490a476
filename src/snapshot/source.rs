//! Where the file of a package is taken from: the first place that has the very package that is installed.

use super::package::Package;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Where a package file is taken from, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An earlier snapshot.
    Snapshot,
    /// apt's archive cache.
    Cache,
    /// A repository that apt knows.
    Repository,
}

impl Origin {
    /// In a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "an earlier snapshot",
            Self::Cache => "apt's archive cache",
            Self::Repository => "the repository",
        }
    }
}

/// What a package file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The package, without an architecture.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub arch: String,
    /// See [`content`]; `None` where it has no list of files.
    pub content: Option<String>,
}

/// What one place answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has nothing of that name and version.
    Nothing,
    /// It has this.
    File(Identity),
    /// It could not be asked, or what it has could not be read.
    Unknown(String),
}

/// Whether the file is the package that is installed; else why not. Where no list of files is there to be compared, name,
/// version and architecture decide.
pub fn fits(package: &Package, file: &Identity) -> Result<(), &'static str> {
    let plain = package.name.split(':').next().unwrap_or_default();
    if file.name != plain || file.version != package.version || file.arch != package.arch {
        return Err("has another package under that name");
    }
    match (&package.content, &file.content) {
        (Some(installed), Some(shipped)) if installed != shipped => {
            Err("has another build of that version")
        }
        _ => Ok(()),
    }
}

/// What was asked, in order, comes to: the place to take the file from, or why there is none.
pub fn choose(package: &Package, asked: &[(Origin, Answer)]) -> Result<Origin, String> {
    let mut against = Vec::new();
    for (origin, answer) in asked {
        match answer {
            Answer::Nothing => {}
            Answer::Unknown(why) => against.push(format!("{}: {why}", origin.name())),
            Answer::File(file) => match fits(package, file) {
                Ok(()) => return Ok(*origin),
                Err(why) => against.push(format!("{} {why}", origin.name())),
            },
        }
    }
    match against.is_empty() {
        true => Err("no earlier snapshot, archive cache or repository has it".to_owned()),
        false => Err(against.join("; ")),
    }
}

/// A digest of a package's list of files (`md5sums`), whatever their order; `None` where there is nothing in it.
pub fn content(list: &str) -> Option<String> {
    let lines = list
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    let lines: BTreeSet<(&str, &str)> = lines.map(|(md5, file)| (file.trim(), md5)).collect();
    let mut hash = Sha256::new();
    for (file, md5) in &lines {
        hash.update(format!("{md5} {file}\n"));
    }
    (!lines.is_empty()).then(|| format!("{:x}", hash.finalize()))
}

/// The packages among what `apt-cache show` prints that a repository has, as `NAME VERSION ARCHITECTURE`. What is installed
/// and nowhere else is printed too, without the name of a file.
pub fn offered(printed: &str) -> BTreeSet<String> {
    let value = |record: &str, key: &str| {
        let mut lines = record.lines();
        lines.find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
    };
    let records = printed.split("\n\n");
    let offered = records.filter_map(|record| {
        value(record, "Filename:")?;
        let (name, version) = (value(record, "Package:")?, value(record, "Version:")?);
        Some(format!(
            "{name} {version} {}",
            value(record, "Architecture:")?
        ))
    });
    offered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(content: &str) -> Package {
        Package {
            name: "libx:i386".to_owned(),
            version: "1.0-1".to_owned(),
            arch: "i386".to_owned(),
            content: (!content.is_empty()).then(|| content.to_owned()),
            ..Package::default()
        }
    }

    fn file(version: &str, content: &str) -> Answer {
        Answer::File(Identity {
            name: "libx".to_owned(),
            version: version.to_owned(),
            arch: "i386".to_owned(),
            content: (!content.is_empty()).then(|| content.to_owned()),
        })
    }

    #[track_caller]
    fn case(content: &str, asked: [Answer; 3], expected: Result<Origin, &str>) {
        let origins = [Origin::Snapshot, Origin::Cache, Origin::Repository];
        let asked: Vec<_> = origins.into_iter().zip(asked).collect();
        assert_eq!(
            choose(&installed(content), &asked),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn the_first_place_that_has_what_is_installed_gives_it() {
        let (none, here) = (|| Answer::Nothing, |content| file("1.0-1", content));
        let unknown = || Answer::Unknown("no route".to_owned());
        let nowhere = "no earlier snapshot, archive cache or repository has it";
        case("x", [here("x"), here("x"), here("x")], Ok(Origin::Snapshot));
        case("x", [none(), here("x"), here("x")], Ok(Origin::Cache));
        case("x", [here("y"), here("x"), none()], Ok(Origin::Cache));
        case("x", [none(), here("y"), here("x")], Ok(Origin::Repository));
        case("x", [unknown(), here("x"), none()], Ok(Origin::Cache));
        case("x", [none(), none(), none()], Err(nowhere));
        case(
            "x",
            [none(), here("y"), none()],
            Err("apt's archive cache has another build of that version"),
        );
        case(
            "x",
            [none(), none(), unknown()],
            Err("the repository: no route"),
        );
        case(
            "x",
            [none(), file("1.0-2", "x"), here("y")],
            Err(
                "apt's archive cache has another package under that name; the repository has another build of that version",
            ),
        );
        // Without a list on one side nothing contradicts.
        case("", [none(), here("y"), none()], Ok(Origin::Cache));
        case("x", [none(), here(""), none()], Ok(Origin::Cache));
    }

    #[test]
    fn a_list_of_files_has_no_order() {
        let one = content("aa  usr/x\nbb  usr/y z\n");
        assert_eq!(one, content("bb  usr/y z\naa  usr/x"));
        assert_ne!(one, content("aa  usr/x\nbc  usr/y z\n"));
        assert_ne!(one, content("aa  usr/x\n"));
        assert_eq!(content(""), None);
        assert_eq!(content("\nword\n"), None);
    }

    #[test]
    fn what_has_a_file_in_a_repository_is_offered() {
        let printed = "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a.deb\n\n\
            Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\
            Package: c\nArchitecture: i386\nVersion: 1:2\nFilename: pool/c.deb\n";
        let found: Vec<String> = offered(printed).into_iter().collect();
        assert_eq!(found, ["a 1 all", "c 1:2 i386"]);
    }
}
