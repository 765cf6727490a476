//! The applications of a project: what rebar3 and mix have built of those whose sources are below its directory.
//!
//! What they depend on is built beside them, and is not the project's.

use super::error::Error;
use crate::application::is_application_name;
use crate::places::ApplicationDir;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A built application, and where the sources are of which it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The directory that holds `ebin`.
    pub dir: PathBuf,
    /// Its sources and then the project: where a specification or a licence may be. Empty for a directory that is no
    /// project.
    pub sources: Vec<PathBuf>,
}

/// An application whose sources are in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Where its sources are.
    pub dir: PathBuf,
}

/// Where rebar3 (`apps`, `lib`, `libs`) and mix (`apps`) have the applications of an umbrella.
const UMBRELLA: [&str; 3] = ["apps", "lib", "libs"];

/// What is built for somebody to use; not `test`.
const PROFILES: [&str; 3] = ["prod", "default", "dev"];

/// More of a `mix.exs` is not read.
const MAX_BYTES: u64 = 1 << 20;

/// Whether rebar3 or mix would build what is in `dir`.
pub fn is_project(dir: &Path) -> bool {
    let mut files = ["rebar.config", "mix.exs"].iter();
    files.any(|file| dir.join(file).is_file())
}

/// The applications of `dir`: itself where it is built, else those of the project there, by name.
pub fn targets(dir: &Path) -> Result<Vec<Target>, Error> {
    if dir.join("ebin").is_dir() || !is_project(dir) {
        let (dir, sources) = (dir.to_owned(), Vec::new());
        return Ok(vec![Target { dir, sources }]);
    }
    let own = sources(dir);
    if own.is_empty() {
        let why = "no application's sources are in it, in apps, lib or libs";
        return Err(not_built(dir, why));
    }
    own.into_iter().map(|source| target(dir, source)).collect()
}

fn target(project: &Path, source: Source) -> Result<Target, Error> {
    let why = "it has not been compiled: no _build holds it; run rebar3 compile or mix compile";
    let Source { name, dir: from } = source;
    let dir = built(project, &name).ok_or_else(|| not_built(&from, why))?;
    let mut sources = vec![from];
    if sources[0] != project {
        sources.push(project.to_owned());
    }
    Ok(Target { dir, sources })
}

fn not_built(dir: &Path, why: &'static str) -> Error {
    let dir = dir.to_owned();
    Error::NotBuilt { dir, why }
}

/// The project's applications, by name.
pub fn sources(project: &Path) -> Vec<Source> {
    let mut places = vec![project.to_owned()];
    for umbrella in UMBRELLA {
        let listed = fs::read_dir(project.join(umbrella)).into_iter();
        places.extend(listed.flatten().flatten().map(|entry| entry.path()));
    }
    let named = places
        .into_iter()
        .filter_map(|dir| Some((name(&dir)?, dir)));
    let named: BTreeMap<String, PathBuf> = named.collect();
    named
        .into_iter()
        .map(|(name, dir)| Source { name, dir })
        .collect()
}

/// The name of the application whose sources are in `dir`.
fn name(dir: &Path) -> Option<String> {
    let name = name_of_source(dir).or_else(|| name_in_mix(&dir.join("mix.exs")))?;
    is_application_name(&name).then_some(name)
}

/// `src/NAME.app.src`; OTP's own tools take that name for the application's, too.
fn name_of_source(dir: &Path) -> Option<String> {
    let listed = fs::read_dir(dir.join("src")).ok()?;
    let mut names: Vec<String> = listed
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let name = file.strip_suffix(".app.src");
            name.or_else(|| file.strip_suffix(".app.src.script"))
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    names.into_iter().next()
}

/// `app: :NAME`, the first in the file. An umbrella's own `mix.exs` has none.
fn name_in_mix(file: &Path) -> Option<String> {
    if fs::metadata(file).ok()?.len() > MAX_BYTES {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    text.match_indices("app:").find_map(|(place, key)| {
        let is_key = !text[..place].ends_with(is_part);
        let value = text[place + key.len()..].trim_start().strip_prefix(':')?;
        let name: String = value.chars().take_while(|c| is_part(*c)).collect();
        (is_key && !name.is_empty()).then_some(name)
    })
}

/// Where the application was built last.
fn built(project: &Path, name: &str) -> Option<PathBuf> {
    let dirs = PROFILES.map(|profile| project.join("_build").join(profile).join("lib").join(name));
    let built = |dir: &PathBuf| -> Option<SystemTime> {
        let file = ApplicationDir(dir).app(name);
        fs::metadata(file).ok()?.modified().ok()
    };
    let found = dirs.into_iter().filter_map(|dir| Some((built(&dir)?, dir)));
    // The first of those that are equally new.
    found
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, dir)| dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn project(files: &[(&str, &str)]) -> TempDir {
        let dir = TempDir::new().unwrap();
        for (file, text) in files {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        dir
    }

    #[track_caller]
    fn case(files: &[(&str, &str)], expected: &[&str]) {
        let dir = project(files);
        let targets = targets(dir.path()).unwrap();
        let relative = |target: &Target| {
            target
                .dir
                .strip_prefix(dir.path())
                .unwrap()
                .display()
                .to_string()
        };
        assert_eq!(targets.iter().map(relative).collect::<Vec<_>>(), expected);
    }

    const UMBRELLA_OF_REBAR3: &[(&str, &str)] = &[
        ("rebar.config", ""),
        ("apps/desk/src/orders_desk.app.src", ""),
        ("apps/orders/src/orders.app.src", ""),
        ("lib/tool/src/tool.app.src.script", ""),
        ("apps/README.md", ""),
        ("_build/default/lib/orders/ebin/orders.app", ""),
        ("_build/default/lib/orders_desk/ebin/orders_desk.app", ""),
        ("_build/default/lib/tool/ebin/tool.app", ""),
        ("_build/default/lib/cowboy/ebin/cowboy.app", ""),
        ("_build/test/lib/orders/ebin/orders.app", ""),
    ];

    #[test]
    fn an_umbrella_has_its_own_applications_and_not_what_they_depend_on() {
        let lib = "_build/default/lib";
        let expected = ["orders", "orders_desk", "tool"].map(|name| format!("{lib}/{name}"));
        case(UMBRELLA_OF_REBAR3, &expected.each_ref().map(String::as_str));
        case(
            &[
                ("mix.exs", "[apps_path: \"apps\", deps: deps()]"),
                ("apps/one/mix.exs", "[ app:  :one, version: \"1.0\"]"),
                ("apps/two/mix.exs", "[myapp: :no, app: :the_second,\n]"),
                ("_build/prod/lib/one/ebin/one.app", ""),
                ("_build/prod/lib/the_second/ebin/the_second.app", ""),
                ("_build/prod/lib/jason/ebin/jason.app", ""),
            ],
            &["_build/prod/lib/one", "_build/prod/lib/the_second"],
        );
    }

    #[test]
    fn a_project_of_one_application_and_a_built_directory_are_themselves() {
        let one = &[
            ("rebar.config", ""),
            ("src/foo.app.src", ""),
            ("_build/default/lib/foo/ebin/foo.app", ""),
        ];
        case(one, &["_build/default/lib/foo"]);
        case(&[("ebin/foo.app", ""), ("rebar.config", "")], &[""]);
        case(&[("nothing", "")], &[""]);
    }

    #[test]
    fn what_was_built_last_counts() {
        let dir = project(&[
            ("rebar.config", ""),
            ("src/foo.app.src", ""),
            ("_build/prod/lib/foo/ebin/foo.app", ""),
            ("_build/default/lib/foo/ebin/foo.app", ""),
        ]);
        let app = |profile: &str| {
            dir.path()
                .join(format!("_build/{profile}/lib/foo/ebin/foo.app"))
        };
        for (older, newer) in [("prod", "default"), ("default", "prod")] {
            for (profile, seconds) in [(older, 1_000), (newer, 2_000)] {
                let file = fs::File::options().write(true).open(app(profile)).unwrap();
                let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
                file.set_modified(time).unwrap();
            }
            let expected = dir.path().join(format!("_build/{newer}/lib/foo"));
            assert_eq!(targets(dir.path()).unwrap()[0].dir, expected);
        }
    }

    #[test]
    fn what_is_not_compiled_is_named() {
        let dir = project(&[("rebar.config", ""), ("apps/a/src/a.app.src", "")]);
        let error = targets(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("apps/a") && error.contains("rebar3 compile"),
            "{error}"
        );
        let dir = project(&[("mix.exs", "[apps_path: \"apps\"]")]);
        assert!(targets(dir.path()).is_err());
    }
}
