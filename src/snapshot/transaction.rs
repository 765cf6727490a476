//! What leads from one package state to another: the arguments of one run of apt, and whether that would do it.

use super::difference::{Changed, Kind, difference};
use super::package::{Keep, Package};
use std::collections::BTreeSet;

/// What has to be done with a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Its file is installed.
    Install,
    /// It is removed.
    Remove,
    /// dpkg comes to an end with it, which every run of apt does.
    Configure,
    /// Its marks are set.
    Mark,
}

/// What differs in what a snapshot speaks of, from `now` to `then`.
pub fn changes(keep: Keep, now: &[Package], then: &[Package]) -> Vec<Changed> {
    let mut changes = difference(now, then);
    changes.retain(|change| {
        let sides = [&change.before, &change.after];
        sides
            .into_iter()
            .flatten()
            .any(|package| keep.wants(package))
    });
    changes
}

/// What a change asks for.
pub fn todo(change: &Changed) -> Todo {
    let state = change.before.as_ref().map(|package| package.state.as_str());
    match change.kind {
        Kind::Removed => Todo::Remove,
        // What was left off in the midst of being unpacked cannot be configured.
        Kind::State if state == Some("half-installed") => Todo::Install,
        Kind::State => Todo::Configure,
        Kind::Marked => Todo::Mark,
        Kind::Added | Kind::Upgraded | Kind::Downgraded | Kind::Rebuilt => Todo::Install,
    }
}

/// The packages whose files are needed, as the snapshot has them.
pub fn needed(changes: &[Changed]) -> impl Iterator<Item = &Package> {
    let installs = changes
        .iter()
        .filter(|change| todo(change) == Todo::Install);
    installs.filter_map(|change| change.after.as_ref())
}

/// What apt-get is to install and to remove; `file` is where the file of a package is.
pub fn words(changes: &[Changed], file: impl Fn(&Package) -> String) -> Vec<String> {
    let word = |change: &Changed| match (todo(change), &change.after) {
        (Todo::Install, Some(package)) => Some(file(package)),
        (Todo::Remove, _) => Some(format!("{}-", change.name)),
        _ => None,
    };
    changes.iter().filter_map(word).collect()
}

/// What stands against the run that `apt-get -s` has printed: packages that it would touch beside those that it is to, and
/// those that it would leave as they are.
pub fn objections(changes: &[Changed], printed: &str) -> Vec<String> {
    let named = |words: &[&str]| -> BTreeSet<&str> {
        let lines = printed.lines().filter_map(|line| line.split_once(' '));
        let lines = lines.filter(|(word, _)| words.contains(word));
        lines
            .filter_map(|(_, rest)| rest.split(' ').next())
            .collect()
    };
    let wanted = |todo_: Todo| -> BTreeSet<&str> {
        let wanted = changes.iter().filter(|change| todo(change) == todo_);
        wanted.map(|change| change.name.as_str()).collect()
    };
    let mut found = Vec::new();
    for (what, would, is_to) in [
        ("install", named(&["Inst"]), wanted(Todo::Install)),
        ("remove", named(&["Remv", "Purg"]), wanted(Todo::Remove)),
    ] {
        found.extend(
            would
                .difference(&is_to)
                .map(|name| format!("apt would {what} {name} too")),
        );
        found.extend(
            is_to
                .difference(&would)
                .map(|name| format!("apt would not {what} {name}")),
        );
    }
    found
}

/// The calls of apt-mark that set the marks as they were: each with the packages that it names.
pub fn marks(changes: &[Changed]) -> Vec<(&'static str, Vec<String>)> {
    let mut calls: Vec<(&'static str, Vec<String>)> = ["auto", "manual", "hold", "unhold"]
        .map(|word| (word, Vec::new()))
        .into();
    for change in changes {
        let Some(after) = &change.after else { continue };
        let before = change.before.as_ref();
        // What is installed by its file is marked as wanted for its own sake, and not held.
        let is_fresh = todo(change) == Todo::Install;
        if is_fresh || before.is_none_or(|before| before.auto != after.auto) {
            calls[usize::from(!after.auto)].1.push(change.name.clone());
        }
        if before.map_or(after.hold, |before| before.hold != after.hold) || (is_fresh && after.hold)
        {
            calls[2 + usize::from(!after.hold)]
                .1
                .push(change.name.clone());
        }
    }
    calls.retain(|(_, names)| !names.is_empty());
    calls
}

/// What of `wanted` is not so `now`, a line for each package. Where the state was not whole it may be whole now.
pub fn left(keep: Keep, now: &[Package], then: &[Package]) -> Vec<String> {
    let changes = changes(keep, now, then);
    let left = changes
        .iter()
        .filter(|change| match (change.kind, &change.before) {
            (Kind::State, Some(package)) => package.state != super::package::INSTALLED,
            (Kind::Marked, _) => false,
            _ => true,
        });
    let side = |package: &Package| match package.state == super::package::INSTALLED {
        true => package.version.clone(),
        false => format!("{} ({})", package.version, package.state),
    };
    let line = |change: &Changed| match (&change.before, &change.after) {
        (Some(now), Some(then)) => {
            format!("{} is {} and not {}", change.name, side(now), side(then))
        }
        (Some(now), None) => format!("{} is {} and should not be there", change.name, side(now)),
        (None, _) => format!("{} is not there", change.name),
    };
    left.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::package::INSTALLED;

    /// `NAME VERSION`, with words behind it: `auto`, `hold`, `other` (without an application), a state.
    fn package(text: &str) -> Package {
        let words: Vec<&str> = text.split(' ').collect();
        let has = |word: &str| words.contains(&word);
        let states = ["unpacked", "half-configured", "half-installed"];
        let state = words.iter().find(|word| states.contains(*word));
        Package {
            name: words[0].to_owned(),
            version: words[1].to_owned(),
            arch: "all".to_owned(),
            state: state.copied().unwrap_or(INSTALLED).to_owned(),
            auto: has("auto"),
            hold: has("hold"),
            applications: (!has("other"))
                .then(|| "app".to_owned())
                .into_iter()
                .collect(),
            ..Package::default()
        }
    }

    fn state(text: &str) -> Vec<Package> {
        text.split(", ")
            .filter(|text| !text.is_empty())
            .map(package)
            .collect()
    }

    fn some(keep: Keep, now: &str, then: &str) -> Vec<Changed> {
        changes(keep, &state(now), &state(then))
    }

    fn apt(keep: Keep, now: &str, then: &str) -> String {
        let file = |package: &Package| format!("{}={}", package.name, package.version);
        words(&some(keep, now, then), file).join(" ")
    }

    #[test]
    fn one_run_of_apt_is_told_files_and_what_has_to_go() {
        for (now, then, expected) in [
            ("a 1", "a 1", ""),
            ("a 2", "a 1", "a=1"),
            ("a 1", "a 2", "a=2"),
            ("a 2, b 1, c 1", "a 1, b 1", "a=1 c-"),
            ("", "a 1", "a=1"),
            ("a 1 unpacked", "a 1", ""),
            ("a 1 half-installed", "a 1", "a=1"),
            ("a 1 hold", "a 1", ""),
            ("a 1, x 2 other", "a 1, x 1 other", ""),
            ("a 1, x 1 other", "a 1", ""),
            ("erlrc 2 other", "erlrc 1 other", "erlrc=1"),
            // What brought an application on one side alone is spoken of, too.
            ("a 2 other", "a 1", "a=1"),
        ] {
            assert_eq!(apt(Keep::Ours, now, then), expected, "{now} -> {then}");
        }
        assert_eq!(apt(Keep::All, "a 1, x 2 other", "a 1, x 1 other"), "x=1");
    }

    #[test]
    fn what_apt_would_do_beside_it_is_an_objection() {
        let changes = some(Keep::Ours, "a 2, b 1, c 1", "a 1, b 1");
        let good = "Reading package lists...\nRemv c [1]\nInst a [2] (1 local-deb [all])\nConf a (1 local-deb [all])\n";
        let case = |printed: &str| objections(&changes, printed).join("; ");
        assert_eq!(case(good), "");
        assert_eq!(
            case(&format!("{good}Remv b [1]\n")),
            "apt would remove b too"
        );
        assert_eq!(
            case(&format!("{good}Purg d [1]\n")),
            "apt would remove d too"
        );
        assert_eq!(
            case(&format!("{good}Inst x (1 local-deb [all])\n")),
            "apt would install x too"
        );
        assert_eq!(case("Inst a [2] (1)\n"), "apt would not remove c");
        assert_eq!(case(""), "apt would not install a; apt would not remove c");
    }

    #[test]
    fn marks_are_set_as_they_were() {
        let case = |now: &str, then: &str| {
            let changes = some(Keep::Ours, now, then);
            let calls = marks(&changes).into_iter();
            let calls: Vec<String> = calls
                .map(|(word, names)| format!("{word} {}", names.join(" ")))
                .collect();
            calls.join("; ")
        };
        assert_eq!(case("a 1", "a 1"), "");
        assert_eq!(case("a 1", "a 1 auto"), "auto a");
        assert_eq!(case("a 1 auto", "a 1"), "manual a");
        assert_eq!(case("a 2, b 2", "a 1 auto, b 1"), "auto a; manual b");
        assert_eq!(case("a 1", "a 1 hold"), "hold a");
        assert_eq!(case("a 1 hold", "a 1"), "unhold a");
        assert_eq!(case("a 2 hold", "a 1 hold"), "manual a; hold a");
        assert_eq!(case("", "a 1 auto hold"), "auto a; hold a");
        assert_eq!(case("a 1", ""), "");
    }

    #[test]
    fn what_is_left_is_told() {
        let case = |now: &str, then: &str| left(Keep::Ours, &state(now), &state(then)).join("; ");
        assert_eq!(case("a 1", "a 1 hold"), "");
        assert_eq!(case("a 1", "a 1 unpacked"), "");
        assert_eq!(
            case("a 1 half-configured", "a 1"),
            "a is 1 (half-configured) and not 1"
        );
        assert_eq!(
            case("a 2, c 1", "a 1, b 1"),
            "a is 2 and not 1; b is not there; c is 1 and should not be there"
        );
    }
}
