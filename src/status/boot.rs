//! How long each application took to start in the last boot of a node: the answer to the question `boot_times`.

use super::node::{line, list, number, text};
use crate::record::Time;
use crate::term::{Atom, Term};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A boot, measured by the node itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BootTimes {
    /// When it began.
    #[serde(rename = "time")]
    pub at: Time,
    /// How long it took, in microseconds.
    #[serde(rename = "took_us")]
    pub took: u64,
    /// How many applications were started at once, at most.
    pub jobs: u64,
    /// How many schedulers the node had.
    pub schedulers: u64,
    /// What was started, in the order in which it was begun.
    pub applications: Vec<StartedApplication>,
}

/// An application that was started, or was to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StartedApplication {
    /// Its name.
    pub application: String,
    /// Its version.
    pub vsn: String,
    /// When it was begun, in microseconds after the beginning of the boot.
    #[serde(rename = "begun_us")]
    pub begun: u64,
    /// How long it took, in microseconds.
    #[serde(rename = "took_us")]
    pub took: u64,
    /// `started`, `failed`, or `taken_back`: stopped again, for one before it failed.
    pub outcome: String,
    /// What had to start before it, of what this boot started.
    pub needs: Vec<String>,
}

impl StartedApplication {
    /// When it had started, in microseconds after the beginning of the boot.
    pub fn ended(&self) -> u64 {
        self.begun.saturating_add(self.took)
    }
}

impl BootTimes {
    /// Reads an answer; `None` where the node has not booted anything.
    pub fn parse(answer: &Term) -> Option<Self> {
        let boot = answer.get("boot")?;
        Some(Self {
            at: Time::from_millis(number(boot, "at")? / 1000),
            took: number(boot, "took")?,
            jobs: number(boot, "jobs")?,
            schedulers: number(boot, "schedulers")?,
            applications: list(boot, "applications", started),
        })
    }

    /// The applications, what took longest first.
    pub fn longest_first(&self) -> Vec<&StartedApplication> {
        let mut applications: Vec<_> = self.applications.iter().collect();
        applications.sort_by_key(|application| std::cmp::Reverse(application.took));
        applications
    }

    /// What the boot waited for: the application that ended last, then of what that one needed the one that ended last,
    /// and so on.
    pub fn critical_path(&self) -> Vec<&StartedApplication> {
        let applications = self.applications.iter();
        let named: BTreeMap<&str, &StartedApplication> = applications
            .map(|application| (application.application.as_str(), application))
            .collect();
        let mut path: Vec<&StartedApplication> = Vec::new();
        // An answer may be anything: whoever is met twice ends the path.
        let mut met = BTreeSet::new();
        let mut next = last(self.applications.iter());
        while let Some(application) = next.filter(|next| met.insert(next.application.as_str())) {
            path.push(application);
            let needs = application.needs.iter();
            next = last(needs.filter_map(|needed| named.get(needed.as_str()).copied()));
        }
        path
    }
}

fn last<'a>(
    applications: impl Iterator<Item = &'a StartedApplication>,
) -> Option<&'a StartedApplication> {
    applications.max_by_key(|application| application.ended())
}

fn started(term: &Term) -> Option<StartedApplication> {
    Some(StartedApplication {
        application: text(term, "application")?,
        vsn: text(term, "vsn").unwrap_or_default(),
        begun: number(term, "begun")?,
        took: number(term, "took")?,
        outcome: term
            .get("outcome")
            .and_then(Term::as_atom)
            .map(Atom::to_string)
            .filter(|word| {
                word.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            })?,
        needs: list(term, "needs", line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text::parse_all};

    fn boot(applications: &str) -> Option<BootTimes> {
        let answer = format!(
            "#{{protocol => 1, status => ok, boot => #{{at => 1500000, took => 90, jobs => 2, schedulers => 4,
              applications => [{applications}]}}}}."
        );
        let terms = parse_all(answer.as_bytes(), &Limits::default()).expect("terms");
        BootTimes::parse(&terms[0])
    }

    fn names<'a>(applications: &[&'a StartedApplication]) -> Vec<&'a str> {
        let names = applications.iter();
        names
            .map(|application| application.application.as_str())
            .collect()
    }

    const FOUR: &str = r#"#{application => <<"a">>, vsn => <<"1">>, begun => 0, took => 30, outcome => started, needs => []},
        #{application => <<"b">>, vsn => <<"1">>, begun => 0, took => 10, outcome => started, needs => []},
        odd, #{application => <<"without_times">>},
        #{application => <<"d">>, vsn => <<"1">>, begun => 10, took => 25, outcome => failed, needs => [<<"b">>]},
        #{application => <<"c">>, vsn => <<"1">>, begun => 30, took => 40, outcome => started, later => x,
          needs => [<<"b">>, <<"a">>, <<"elsewhere">>]}"#;

    #[test]
    fn an_answer_is_read_as_far_as_it_is_understood() {
        let boot = boot(FOUR).expect("a boot");
        assert_eq!(
            (boot.at, boot.took, boot.jobs),
            (Time::from_millis(1500), 90, 2)
        );
        assert_eq!(names(&boot.longest_first()), ["c", "a", "d", "b"]);
        let terms = parse_all(b"#{status => ok}.", &Limits::default()).expect("terms");
        assert_eq!(BootTimes::parse(&terms[0]), None);
    }

    #[test]
    fn the_critical_path_goes_back_from_what_ended_last() {
        let boot = boot(FOUR).expect("a boot");
        assert_eq!(names(&boot.critical_path()), ["c", "a"]);
    }

    #[test]
    fn a_circle_in_an_answer_ends() {
        let circle = r#"#{application => <<"a">>, begun => 0, took => 3, outcome => started, needs => [<<"b">>]},
            #{application => <<"b">>, begun => 0, took => 2, outcome => started, needs => [<<"a">>, <<"b">>]}"#;
        let boot = boot(circle).expect("a boot");
        assert_eq!(names(&boot.critical_path()), ["a", "b"]);
        assert!(
            super::tests::boot("")
                .expect("a boot")
                .critical_path()
                .is_empty()
        );
    }
}
