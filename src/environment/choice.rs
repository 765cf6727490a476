//! Which applications and files belong into an environment.

use std::collections::{BTreeMap, BTreeSet};

/// What every environment has: without `sasl` there is no `release_handler` and no report of a crash.
pub const ALWAYS: [&str; 3] = ["kernel", "sasl", "stdlib"];

/// The programs of the emulator: `true` for those without which no node starts.
pub const PROGRAMS: [(&str, bool); 6] = [
    ("beam.smp", true),
    ("erl_child_setup", true),
    ("erlexec", true),
    ("inet_gethost", true),
    // Only where they are: a node goes without.
    ("epmd", false),
    ("heart", false),
];

/// The boot files that `erl` looks for without a directory.
pub const BOOT_FILES: [(&str, bool); 4] = [
    ("start.boot", true),
    ("no_dot_erlang.boot", false),
    ("start_clean.boot", false),
    ("start_sasl.boot", false),
];

/// What belongs to an application when it runs; documentation, sources and headers do not.
pub const DIRECTORIES: [&str; 2] = ["ebin", "priv"];

/// An application that can be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its version.
    pub vsn: String,
    /// `applications` and `included_applications`.
    pub needs: Vec<String>,
    /// Those of `needs` that may be missing.
    pub optional: Vec<String>,
    /// Whether it is a part of OTP.
    pub of_otp: bool,
}

/// What was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The applications of OTP that belong into the environment.
    pub applications: BTreeSet<String>,
    /// What was asked for or is needed and comes with packages and releases, not with OTP.
    pub others: BTreeSet<String>,
}

/// Applications that are needed and not to be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .missing.iter().map(Missing::text).collect::<Vec<_>>().join("; "))]
pub struct ChoiceError {
    /// All of them.
    pub missing: Vec<Missing>,
}

/// An application that is not to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub application: String,
    /// What needs it; none where it was asked for.
    pub needed_by: Option<String>,
}

impl Missing {
    fn text(&self) -> String {
        match &self.needed_by {
            Some(by) => format!("{by} needs {}, which is not there", self.application),
            None => format!("there is no application {}", self.application),
        }
    }
}

/// The applications of an environment in which all that was `asked` for can run.
pub fn choose(
    found: &BTreeMap<String, Found>,
    asked: &BTreeSet<String>,
) -> Result<Choice, ChoiceError> {
    let mut choice = Choice::default();
    let mut missing = Vec::new();
    let always = ALWAYS.iter().map(|name| (*name).to_owned());
    let first = always.chain(asked.iter().cloned());
    let mut open: Vec<(String, Option<String>)> = first.map(|name| (name, None)).collect();
    while let Some((name, needed_by)) = open.pop() {
        if choice.applications.contains(&name) || choice.others.contains(&name) {
            continue;
        }
        let Some(application) = found.get(&name) else {
            let application = name;
            missing.push(Missing {
                application,
                needed_by,
            });
            continue;
        };
        let needs = application.needs.iter().filter(|need| {
            let may_be_missing = application.optional.contains(need);
            !may_be_missing || found.contains_key(*need)
        });
        open.extend(needs.map(|need| (need.clone(), Some(name.clone()))));
        match application.of_otp {
            true => choice.applications.insert(name),
            false => choice.others.insert(name),
        };
    }
    missing.sort_by(|a, b| a.application.cmp(&b.application));
    missing.dedup_by(|a, b| a.application == b.application);
    match missing.is_empty() {
        true => Ok(choice),
        false => Err(ChoiceError { missing }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &[(&str, &[&str], &[&str], bool)]) -> BTreeMap<String, Found> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let base = ALWAYS.map(|name| (name, &[][..], &[][..], true));
        let all = base.iter().chain(list);
        all.map(|(name, needs, optional, of_otp)| {
            let found = Found {
                vsn: "1".to_owned(),
                needs: owned(needs),
                optional: owned(optional),
                of_otp: *of_otp,
            };
            ((*name).to_owned(), found)
        })
        .collect()
    }

    #[track_caller]
    fn case(
        list: &[(&str, &[&str], &[&str], bool)],
        asked: &[&str],
        expected: Result<(&[&str], &[&str]), &str>,
    ) {
        let asked = asked.iter().map(|name| (*name).to_owned()).collect();
        let set = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        let chosen = choose(&found(list), &asked)
            .map(|choice| (set(&choice.applications), set(&choice.others)))
            .map_err(|error| error.to_string());
        let expected = expected
            .map(|(otp, others)| (otp.join(" "), others.join(" ")))
            .map_err(str::to_owned);
        assert_eq!(chosen, expected);
    }

    #[test]
    fn the_base_is_always_in_it() {
        case(&[], &[], Ok((&["kernel", "sasl", "stdlib"], &[])));
    }

    #[test]
    fn what_is_needed_comes_in_at_any_distance_and_in_circles() {
        let list: &[(&str, &[&str], &[&str], bool)] = &[
            ("ssl", &["public_key"], &[], true),
            ("public_key", &["asn1", "ssl"], &[], true),
            ("asn1", &[], &[], true),
        ];
        let all = &["asn1", "kernel", "public_key", "sasl", "ssl", "stdlib"];
        case(list, &["ssl"], Ok((all, &[])));
    }

    #[test]
    fn others_lead_to_otp_and_stay_outside() {
        let list: &[(&str, &[&str], &[&str], bool)] = &[
            ("tally", &["shop"], &[], false),
            ("shop", &["crypto"], &[], false),
            ("crypto", &[], &[], true),
        ];
        let otp = &["crypto", "kernel", "sasl", "stdlib"];
        case(list, &["tally"], Ok((otp, &["shop", "tally"])));
    }

    #[test]
    fn what_is_missing_is_named_with_what_needs_it_unless_it_may_be_missing() {
        let list: &[(&str, &[&str], &[&str], bool)] = &[("ssl", &["crypto", "wx"], &["wx"], true)];
        let error = "ssl needs crypto, which is not there; there is no application nope";
        case(list, &["ssl", "nope"], Err(error));
    }
}
