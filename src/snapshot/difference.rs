//! What differs between two package states.

use super::package::Package;
use crate::application::vsn;
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What became of a package. Where several are true the first one is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// A later version.
    Upgraded,
    /// An earlier version.
    Downgraded,
    /// The same version of another architecture, or with other files.
    Rebuilt,
    /// The same files, and dpkg has come further with it or less far.
    State,
    /// It is held, or came for another one's sake, and was not so before; or the other way round.
    Marked,
}

/// A package that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub kind: Kind,
    /// What it was.
    pub before: Option<Package>,
    /// What it is.
    pub after: Option<Package>,
}

/// What differs, in order of the names.
pub fn difference(before: &[Package], after: &[Package]) -> Vec<Changed> {
    let mut pairs: BTreeMap<&str, (Option<&Package>, Option<&Package>)> = BTreeMap::new();
    for package in before {
        pairs.entry(&package.name).or_default().0 = Some(package);
    }
    for package in after {
        pairs.entry(&package.name).or_default().1 = Some(package);
    }
    let changed = pairs.into_iter().filter_map(|(name, (before, after))| {
        Some(Changed {
            name: name.to_owned(),
            kind: kind(before, after)?,
            before: before.cloned(),
            after: after.cloned(),
        })
    });
    changed.collect()
}

fn kind(before: Option<&Package>, after: Option<&Package>) -> Option<Kind> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, after) => return after.map(|_| Kind::Added),
        (Some(_), None) => return Some(Kind::Removed),
    };
    match vsn::compare(&before.version, &after.version) {
        Ordering::Less => Some(Kind::Upgraded),
        Ordering::Greater => Some(Kind::Downgraded),
        // Versions that dpkg holds for the same may be written in two ways.
        Ordering::Equal if before.version != after.version || is_rebuilt(before, after) => {
            Some(Kind::Rebuilt)
        }
        Ordering::Equal if before.state != after.state => Some(Kind::State),
        Ordering::Equal => {
            let marks = |package: &Package| (package.auto, package.hold);
            (marks(before) != marks(after)).then_some(Kind::Marked)
        }
    }
}

/// Where the files of one were not looked at they are not known to differ.
fn is_rebuilt(before: &Package, after: &Package) -> bool {
    let contents = before.content.as_ref().zip(after.content.as_ref());
    before.arch != after.arch || contents.is_some_and(|(before, after)| before != after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::package::INSTALLED;
    use proptest::prelude::*;

    /// `NAME VERSION`, with words behind it: `auto`, `hold`, `unpacked`, `i386`, `content=X`.
    fn package(text: &str) -> Package {
        let words: Vec<&str> = text.split(' ').collect();
        let has = |word: &str| words.contains(&word);
        let state = if has("unpacked") {
            "unpacked"
        } else {
            INSTALLED
        };
        let content = words.iter().find_map(|word| word.strip_prefix("content="));
        Package {
            name: words[0].to_owned(),
            version: words[1].to_owned(),
            arch: if has("i386") { "i386" } else { "all" }.to_owned(),
            state: state.to_owned(),
            auto: has("auto"),
            hold: has("hold"),
            content: content.map(str::to_owned),
            ..Package::default()
        }
    }

    fn state(text: &str) -> Vec<Package> {
        text.split(", ")
            .filter(|text| !text.is_empty())
            .map(package)
            .collect()
    }

    #[track_caller]
    fn case(before: &str, after: &str, expected: &str) {
        let found = difference(&state(before), &state(after));
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                format!(
                    "{} {}",
                    one.name,
                    serde_json::to_value(one.kind)
                        .expect("a word")
                        .as_str()
                        .expect("text")
                )
            })
            .collect();
        assert_eq!(told.join(", "), expected, "{before} -> {after}");
    }

    #[test]
    fn every_kind_of_change_is_told() {
        case("", "", "");
        case("a 1", "a 1", "");
        case("", "a 1", "a added");
        case("a 1", "", "a removed");
        case("a 1.9", "a 1.10", "a upgraded");
        case("a 1:1", "a 2", "a downgraded");
        case("a 1.0", "a 1.0~rc1", "a downgraded");
        case("a 1", "a 1 i386", "a rebuilt");
        case("a 1 content=x", "a 1 content=y", "a rebuilt");
        case("a 1 content=x", "a 1", "");
        case("a 1 unpacked", "a 1", "a state");
        case("a 1", "a 1 auto", "a marked");
        case("a 1 hold", "a 1", "a marked");
        case("a 1 hold", "a 2 auto", "a upgraded");
        case("a 1 unpacked content=x", "a 1 hold content=y", "a rebuilt");
        case(
            "a 1, b 1, d 1",
            "b 2, c 1, d 1",
            "a removed, b upgraded, c added",
        );
    }

    fn some_state() -> impl Strategy<Value = Vec<Package>> {
        let one = (
            "[a-e]",
            "[12]",
            prop::sample::select(vec!["", " auto", " hold", " unpacked", " content=x"]),
        );
        let all = prop::collection::btree_map("[a-e]", one, 0..5);
        all.prop_map(|all| {
            all.into_iter()
                .map(|(name, (_, version, word))| package(&format!("{name} {version}{word}")))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_way_back_is_the_other_way_round(before in some_state(), after in some_state()) {
            let (there, back) = (difference(&before, &after), difference(&after, &before));
            prop_assert_eq!(there.len(), back.len());
            for (there, back) in there.iter().zip(&back) {
                prop_assert_eq!((&there.before, &there.after), (&back.after, &back.before));
                let reverse = match there.kind {
                    Kind::Added => Kind::Removed,
                    Kind::Removed => Kind::Added,
                    Kind::Upgraded => Kind::Downgraded,
                    Kind::Downgraded => Kind::Upgraded,
                    same => same,
                };
                prop_assert_eq!(back.kind, reverse);
            }
        }

        #[test]
        fn nothing_differs_from_itself(state in some_state()) {
            prop_assert_eq!(difference(&state, &state), vec![]);
        }
    }
}
