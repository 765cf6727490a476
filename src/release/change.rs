//! What a node has to do to come from what it runs to a release.

use super::record::{Member, Start};
use super::set::{self, Change, Kind};
use crate::package::dependency::is_otp;
use crate::term::Atom;
use std::collections::BTreeMap;

/// What no node can do while it runs: another version of an application of OTP.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has {application} {to}, the node runs {from}: the emulator has to be restarted")]
pub struct Restart {
    /// The application.
    pub application: Atom,
    /// The version that runs.
    pub from: String,
    /// The version of the release.
    pub to: String,
}

/// The changes of a node that runs these versions, itself or inside another application, to `target`. What only the
/// release `current` names is removed; what neither of them names is none of theirs. Applications of OTP stay: others may
/// use them.
pub fn changes(
    running: &BTreeMap<Atom, String>,
    current: &[Member],
    target: &[Member],
) -> Result<Vec<Change>, Restart> {
    let here = |member: &Member| running.get(&member.application);
    let is_named = |member: &Member| {
        current
            .iter()
            .any(|one| one.application == member.application)
    };
    let others = target.iter().filter(|member| !is_named(member));
    let from = current.iter().chain(others).filter_map(|member| {
        let vsn = here(member)?.clone();
        Some(Member {
            vsn,
            ..member.clone()
        })
    });
    let from: Vec<Member> = from.collect();
    // What is included comes with the application that includes it.
    let comes = |member: &&Member| member.start != Start::Load || here(member).is_some();
    let to: Vec<Member> = target.iter().filter(comes).cloned().collect();
    let mut changes = set::compare(&from, &to);
    let is_of_otp = |change: &Change| is_otp(change.application.as_str());
    changes.retain(|change| match change.change {
        // The node loaded its files before: whether they are others now is not known here.
        Kind::Reload => false,
        // It is erlrc that carries the change out.
        Kind::Remove => !is_of_otp(change) && change.application.as_str() != "erlrc",
        _ => true,
    });
    let mut replaced = changes.iter();
    let replaced = replaced.find(|change| change.change != Kind::Add && is_of_otp(change));
    match replaced {
        None => Ok(changes),
        Some(change) => Err(Restart {
            application: change.application.clone(),
            from: change.from.clone().unwrap_or_default(),
            to: change.to.clone().unwrap_or_default(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members `NAME VSN`, with commas between them; with a star what is included.
    fn members(text: &str) -> Vec<Member> {
        let parts = text.split(", ").filter(|part| !part.is_empty());
        let member = |part: &str| {
            let (name, vsn) = part.split_once(' ').unwrap();
            let bare = name.trim_start_matches('*');
            Member {
                application: Atom::new(bare).unwrap(),
                vsn: vsn.to_owned(),
                digest: "0".to_owned(),
                start: if bare == name {
                    Start::Temporary
                } else {
                    Start::Load
                },
                dir: "/".into(),
            }
        };
        parts.map(member).collect()
    }

    fn all(running: &str, current: &str, target: &str) -> Result<String, Restart> {
        let running = members(running).into_iter();
        let running = running.map(|one| (one.application, one.vsn)).collect();
        let changes = changes(&running, &members(current), &members(target))?;
        let texts: Vec<String> = changes.iter().map(set::text).collect();
        Ok(texts.join(", "))
    }

    #[track_caller]
    fn case(running: &str, current: &str, target: &str, expected: &str) {
        assert_eq!(all(running, current, target).unwrap(), expected);
    }

    #[test]
    fn what_runs_and_what_is_to_run_make_the_changes() {
        case("a 1, b 1", "a 1, b 1", "a 1, b 1", "");
        case("a 1, b 1", "", "b 2, a 1", "b 1 -> 2");
        case("a 1", "a 1", "n 1, a 2", "n 1 is new, a 1 -> 2");
        case("a 2", "a 1", "a 1", "a 2 -> 1");
        // What runs counts, not what should.
        case("a 3", "a 1", "a 2", "a 3 -> 2");
    }

    #[test]
    fn what_the_current_release_alone_names_goes_and_what_none_names_stays() {
        case("a 1, b 1, x 1", "a 1, b 1", "a 1", "b 1 is gone");
        case("a 1, b 1, x 1", "", "a 1", "");
        case(
            "a 1, b 1, c 1",
            "a 1, b 1, c 1",
            "",
            "c 1 is gone, b 1 is gone, a 1 is gone",
        );
        case("a 1", "a 1, b 1", "a 1", "");
        case("a 1, erlrc 1", "a 1, erlrc 1", "", "a 1 is gone");
    }

    #[test]
    fn what_is_included_comes_with_its_includer() {
        case("", "", "a 1, *i 1", "a 1 is new");
        case("a 1, i 1", "", "a 1, *i 2", "i 1 -> 2");
    }

    #[test]
    fn another_otp_needs_a_restart_and_more_of_the_same_does_not() {
        case("kernel 8", "", "kernel 8, crypto 5", "crypto 5 is new");
        case("kernel 8, crypto 5", "kernel 8, crypto 5", "kernel 8", "");
        let restart = all("kernel 8", "", "kernel 9").unwrap_err().to_string();
        let text = "it has kernel 9, the node runs 8: the emulator has to be restarted";
        assert_eq!(restart, text);
        assert!(all("crypto 5", "", "crypto 4").is_err());
    }
}
