//! Every setting of a host: what it says, where that comes from, and what is wrong with it.
//!
//! Files of the host and variables of this command; what a node has set, the node is asked for.

use super::Common;
use crate::application::{Fault, Registration};
use crate::installed;
use crate::maint::{Configuration, FILE_KEYS};
use crate::node::Call;
use crate::places::{self, Root};
use crate::term::{Atom, Term, print};
use std::path::{Path, PathBuf};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// What it is called: a key, a variable, or a registration.
    pub key: String,
    /// What it says.
    pub value: String,
    /// Where that comes from, in words.
    pub source: String,
    /// The file that says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line in that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Setting {
    /// `FILE:LINE: KEY: what is wrong`, as compilers say it.
    pub fn complaint(&self) -> Option<String> {
        let fault = self.fault.as_ref()?;
        let place = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}", file.display()),
            (Some(file), None) => file.display().to_string(),
            (None, _) => self.source.clone(),
        };
        Some(format!("{place}: {}: {fault}", self.key))
    }
}

/// The variables that commands and hooks know: the name, the value where it is not set, and the meaning.
pub(super) const VARIABLES: [(&str, &str, &str); 17] = [
    (
        places::ROOT.variable,
        places::ROOT.default,
        "Directory of registrations, of `erlrc.conf` and of node entries that people write.",
    ),
    (
        places::STATE.variable,
        places::STATE.default,
        "Directory of the history and the journal.",
    ),
    (
        places::RUN.variable,
        places::RUN.default,
        "The rendezvous directory: entries that nodes write themselves.",
    ),
    (
        places::APPS.variable,
        places::APPS.default,
        "Directory of what packages say about the applications that they installed.",
    ),
    (
        places::SETS.variable,
        places::SETS.default,
        "Directory of the sets that the packages of services name.",
    ),
    (
        places::STASH.variable,
        places::STASH.default,
        "Directory of old versions that are kept for a late upgrade.",
    ),
    (
        places::ENVIRONMENTS.variable,
        places::ENVIRONMENTS.default,
        "Directory of the OTP trees that `erlrc env` makes.",
    ),
    (
        places::SERVICES.variable,
        places::SERVICES.default,
        "Directory of services and of the releases that `erlrc release` makes.",
    ),
    (
        "ERLRC_CONNECT_TIMEOUT",
        "3",
        "Seconds for the connection to a node and its handshake.",
    ),
    (
        "ERLRC_NODE_TIMEOUT",
        "60",
        "Seconds for one operation on one node.",
    ),
    (
        "ERLRC_HOOK_TIMEOUT",
        "300",
        "Seconds for all nodes together.",
    ),
    ("ERL_EPMD_PORT", "4369", "Port of the port mapper (epmd)."),
    (
        "ERLRC_METRICS",
        "",
        "File in which metrics for Prometheus are written after each operation.",
    ),
    (
        "ERLRC_BATCH",
        "",
        "1 or 0: takes the place of `batch` in `erlrc.conf`.",
    ),
    (
        "ERLRC_RUN_ID",
        "",
        "The run of `erlrc apply` to which a hook belongs, for the history; `erlrc apply` sets it.",
    ),
    ("ERLRC_SKIP", "", "1: every hook does nothing."),
    (
        "ERLRC_POLICY_RC",
        "",
        "A program that is asked whether an application may be started, in place of `/usr/sbin/policy-rc.d`.",
    ),
];

/// What the files of the host say.
pub fn of_host(common: &Common, apps: &Path) -> Vec<Setting> {
    let mut settings = configuration(&Root(&common.root).configuration());
    let registrations = Root(&common.root).registrations();
    for name in names(&registrations) {
        settings.extend(registration(&registrations.join(&name), &name));
    }
    for name in names(apps) {
        settings.extend(metadata(&apps.join(&name), &name));
    }
    settings
}

/// What the variables of this command say.
pub fn of_environment() -> Vec<Setting> {
    let known = VARIABLES.iter().filter_map(|(name, default, _)| {
        let set = std::env::var(name).ok().filter(|value| !value.is_empty());
        let source = if set.is_some() {
            "environment"
        } else {
            "default"
        };
        let value = set.unwrap_or_else(|| (*default).to_owned());
        (!value.is_empty()).then(|| setting(name, value, source))
    });
    let is_known = |name: &str| VARIABLES.iter().any(|(known, ..)| *known == name);
    let others = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.to_owned();
        let ours = name.starts_with("ERLRC_") && !is_known(&name);
        let value = value.to_string_lossy().into_owned();
        let fault = Some("no variable that erlrc knows".to_owned());
        ours.then(|| Setting {
            fault,
            ..setting(&name, value, "environment")
        })
    });
    let mut others: Vec<Setting> = others.collect();
    others.sort_by(|a, b| a.key.cmp(&b.key));
    known.chain(others).collect()
}

/// The question what erlrc's environment on a node is.
pub fn of_node() -> Call {
    Call {
        module: "erlrc_options",
        function: "settings",
        arguments: Vec::new(),
    }
}

/// What the node `name` answers to it.
pub fn answered(name: &str, answer: &Term) -> Vec<Setting> {
    let text = |term: &Term, key| Some(term.get(key)?.as_text()?.into_owned());
    let one = |term: &Term| {
        Some(Setting {
            fault: text(term, "fault"),
            ..setting(
                &text(term, "key")?,
                text(term, "value")?,
                &format!("environment of erlrc on {name}"),
            )
        })
    };
    let list = answer.elements();
    list.unwrap_or_default().iter().filter_map(one).collect()
}

fn setting(key: &str, value: String, source: &str) -> Setting {
    Setting {
        key: key.to_owned(),
        value,
        source: source.to_owned(),
        file: None,
        line: None,
        fault: None,
    }
}

/// The names in a directory that can be applications'.
fn names(dir: &Path) -> Vec<String> {
    let names = crate::file::names(dir).into_iter();
    let mut names: Vec<String> = names
        .filter(|name| crate::application::is_application_name(name))
        .collect();
    names.sort_unstable();
    names
}

/// A setting in a file.
fn in_file(file: &Path, key: &str, value: String) -> Setting {
    Setting {
        file: Some(file.to_owned()),
        line: line_of(file, key),
        ..setting(key, value, &file.display().to_string())
    }
}

/// The line in which a file first names a key.
fn line_of(file: &Path, key: &str) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    let named = |line: &str| {
        let after = line.split_once(key).map(|(before, after)| {
            let begins = before.trim_end().is_empty() || before.trim_end().ends_with('{');
            let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            begins && ends
        });
        after.unwrap_or(false) && !line.trim_start().starts_with('%')
    };
    text.lines().position(named).map(|line| line + 1)
}

/// A file that cannot be read as what it is.
fn unreadable(file: &Path, key: &str, fault: &Fault) -> Setting {
    let line = match fault {
        Fault::Syntax(error) => Some(error.line),
        _ => None,
    };
    Setting {
        line,
        fault: Some(fault.to_string()),
        ..in_file(file, key, String::new())
    }
}

/// A term as its key and its value.
fn parts(term: &Term) -> (String, String) {
    match term.as_pair() {
        Some((key, value)) => (print::compact(key), print::compact(value)),
        None => (print::compact(term), String::new()),
    }
}

fn configuration(file: &Path) -> Vec<Setting> {
    let terms = match installed::consult(file) {
        Ok(terms) => terms,
        Err(fault) if fault.is_missing() => Vec::new(),
        Err(fault) => return vec![unreadable(file, "erlrc.conf", &fault)],
    };
    let said: Vec<Setting> = terms
        .iter()
        .map(|term| {
            let (key, value) = parts(term);
            Setting {
                fault: Configuration::fault(term),
                ..in_file(file, &key, value)
            }
        })
        .collect();
    let unsaid = FILE_KEYS
        .iter()
        .filter(|key| !said.iter().any(|setting| setting.key == key.name))
        .map(|key| setting(key.name, key.default.to_owned(), "default"));
    let unsaid: Vec<Setting> = unsaid.collect();
    said.into_iter().chain(unsaid).collect()
}

fn registration(file: &Path, name: &str) -> Vec<Setting> {
    let terms = match installed::consult(file) {
        Ok(terms) => terms,
        Err(fault) => return vec![unreadable(file, name, &fault)],
    };
    if terms.is_empty() {
        return vec![in_file(file, name, "registered".to_owned())];
    }
    let fault = |term: &Term| match Registration::from_terms(vec![term.clone()]) {
        Ok((_, unknown)) => {
            let known = "known are enabled, on_exit, upgrade_policy, migrate";
            (!unknown.is_empty()).then(|| format!("not known, and passed over; {known}"))
        }
        Err(error) => Some(error.to_string()),
    };
    let one = |term: &Term| {
        let (key, value) = parts(term);
        let found = in_file(file, &key, value);
        Setting {
            key: format!("{name} {key}"),
            fault: fault(term),
            ..found
        }
    };
    terms.iter().map(one).collect()
}

fn metadata(file: &Path, name: &str) -> Vec<Setting> {
    let terms = match installed::consult(file) {
        Ok(terms) => terms,
        Err(fault) => return vec![unreadable(file, name, &fault)],
    };
    let apps = file.parent().unwrap_or(file);
    let found = Atom::new(name).and_then(|atom| installed::metadata(apps, &atom));
    let fault = "no metadata: {App, \"Version\", \"Directory\"} of the application that the file is named after";
    match found {
        Some(metadata) => vec![in_file(
            file,
            name,
            format!("{} in {}", metadata.vsn, metadata.dir),
        )],
        None => vec![Setting {
            fault: Some(fault.to_owned()),
            ..in_file(file, name, terms.iter().map(print::compact).collect())
        }],
    }
}
