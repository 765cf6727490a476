//! What is different between two sets of applications.

use super::record::Member;
use crate::application::vsn;
use crate::term::Atom;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// One application that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// What is to be done.
    pub change: Kind,
    /// The application.
    #[serde(serialize_with = "as_text")]
    pub application: Atom,
    /// The version in the first set.
    pub from: Option<String>,
    /// The version in the second one.
    pub to: Option<String>,
}

/// What is to be done with an application to come from one set to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The version is a later one.
    Upgrade,
    /// The version is an earlier one.
    Downgrade,
    /// The version is the same, and its files are others.
    Reload,
    /// The first set does not have it.
    Add,
    /// The second set does not have it.
    Remove,
}

impl Kind {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Downgrade => "downgrade",
            Self::Reload => "reload",
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }
}

fn as_text<S: serde::Serializer>(name: &Atom, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_str())
}

/// What changes from the one set to the other: first what is to run, in its start order, then what is to run no more,
/// in the reverse of its own.
pub fn compare(from: &[Member], to: &[Member]) -> Vec<Change> {
    let by_name = |members: &'_ [Member]| -> BTreeMap<Atom, Member> {
        let pairs = members.iter();
        pairs
            .map(|one| (one.application.clone(), one.clone()))
            .collect()
    };
    let (before, after) = (by_name(from), by_name(to));
    let kept = to.iter().filter_map(|new| {
        let old = before.get(&new.application);
        Some(Change {
            change: kind(old, new)?,
            application: new.application.clone(),
            from: old.map(|old| old.vsn.clone()),
            to: Some(new.vsn.clone()),
        })
    });
    let gone = from.iter().rev();
    let gone = gone.filter(|old| !after.contains_key(&old.application));
    let gone = gone.map(|old| Change {
        change: Kind::Remove,
        application: old.application.clone(),
        from: Some(old.vsn.clone()),
        to: None,
    });
    kept.chain(gone).collect()
}

fn kind(old: Option<&Member>, new: &Member) -> Option<Kind> {
    let Some(old) = old else {
        return Some(Kind::Add);
    };
    match vsn::compare(&old.vsn, &new.vsn) {
        Ordering::Less => Some(Kind::Upgrade),
        Ordering::Greater => Some(Kind::Downgrade),
        // Versions that are written differently may be equal in order.
        Ordering::Equal if old.vsn != new.vsn => Some(Kind::Upgrade),
        Ordering::Equal => (old.digest != new.digest).then_some(Kind::Reload),
    }
}

/// One change in words, as a line has it.
pub fn text(change: &Change) -> String {
    let vsn = |vsn: &Option<String>| vsn.clone().unwrap_or_default();
    let (from, to) = (vsn(&change.from), vsn(&change.to));
    let name = &change.application;
    match change.change {
        Kind::Upgrade | Kind::Downgrade => format!("{name} {from} -> {to}"),
        Kind::Reload => format!("{name} {to} with other files"),
        Kind::Add => format!("{name} {to} is new"),
        Kind::Remove => format!("{name} {from} is gone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Start;

    /// Members `NAME VSN DIGEST`, with commas between them.
    fn members(text: &str) -> Vec<Member> {
        let parts = text.split(", ").filter(|part| !part.is_empty());
        let member = |part: &str| {
            let words: Vec<&str> = part.split(' ').collect();
            Member {
                application: Atom::new(words[0]).unwrap(),
                vsn: words[1].to_owned(),
                digest: words[2].to_owned(),
                start: Start::Temporary,
                dir: "/".into(),
            }
        };
        parts.map(member).collect()
    }

    #[track_caller]
    fn case(from: &str, to: &str, expected: &[(&str, &str)]) {
        let changes = compare(&members(from), &members(to));
        let found: Vec<(&str, String)> = changes
            .iter()
            .map(|change| (change.change.as_str(), text(change)))
            .collect();
        let expected: Vec<(&str, String)> = expected
            .iter()
            .map(|(kind, text)| (*kind, (*text).to_owned()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_differs_is_named_and_nothing_else() {
        case("a 1 x, b 1 x", "a 1 x, b 1 x", &[]);
        case("a 1 x", "a 2 y", &[("upgrade", "a 1 -> 2")]);
        case("a 1.0-rc1 x", "a 1.0 y", &[("upgrade", "a 1.0-rc1 -> 1.0")]);
        case("a 1.10 x", "a 1.9 y", &[("downgrade", "a 1.10 -> 1.9")]);
        case("a 1 x", "a 1 y", &[("reload", "a 1 with other files")]);
        case("a 1.0 x", "a 1.00 x", &[("upgrade", "a 1.0 -> 1.00")]);
        case("", "a 1 x", &[("add", "a 1 is new")]);
        case("a 1 x", "", &[("remove", "a 1 is gone")]);
    }

    #[test]
    fn what_is_to_run_comes_in_its_order_and_what_goes_in_the_reverse_of_its_own() {
        case(
            "z 1 x, a 1 x, b 1 x, c 1 x",
            "z 2 x, new 1 x, a 2 x",
            &[
                ("upgrade", "z 1 -> 2"),
                ("add", "new 1 is new"),
                ("upgrade", "a 1 -> 2"),
                ("remove", "c 1 is gone"),
                ("remove", "b 1 is gone"),
            ],
        );
    }

    #[test]
    fn the_way_back_is_the_reverse() {
        let (one, other) = (members("a 1 x, b 1 x"), members("a 2 x, c 1 x"));
        let (forth, back) = (compare(&one, &other), compare(&other, &one));
        assert_eq!(forth.len(), back.len());
        for change in forth {
            let mut back = back.iter();
            let reverse = back.find(|back| back.application == change.application);
            let reverse = reverse.unwrap();
            assert_eq!((&reverse.from, &reverse.to), (&change.to, &change.from));
        }
    }
}
