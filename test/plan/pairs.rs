//! Pairs of versions of an application `demo`, written as source text and compiled all at once.

use crate::support;
use erlrc::appup::Direction;
use erlrc::migration::{Choice, Loss};
use erlrc::plan::{Depth, Plan, Question, Surroundings, plan};
use erlrc::script::Options;
use erlrc::script::opt_in::Said;
use erlrc::term::Atom;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A version: modules and what follows their `-module` line, keys of the `.app`, a shipped appup.
#[derive(Clone, Debug, Default)]
pub struct Side {
    pub modules: Vec<(&'static str, String)>,
    pub unlisted: Vec<&'static str>,
    pub missing: Vec<&'static str>,
    pub keys: String,
    pub applications: Vec<&'static str>,
    pub appup: Option<String>,
    pub vsn: Option<&'static str>,
    /// Files below `priv` and what is in them.
    pub files: Vec<(&'static str, &'static str)>,
    /// Options of the compiler, as text.
    pub options: &'static str,
}

/// Both versions and what a plan is to find: kind and subject.
#[derive(Clone, Debug)]
pub struct Pair {
    pub name: &'static str,
    pub old: Side,
    pub new: Side,
    pub expected: Vec<(&'static str, &'static str)>,
    pub verdict: &'static str,
}

/// A version with these modules.
pub fn with(modules: &[(&'static str, &str)]) -> Side {
    let modules = modules
        .iter()
        .map(|(name, body)| (*name, (*body).to_owned()));
    Side {
        modules: modules.collect(),
        options: "debug_info",
        ..Side::default()
    }
}

/// A pair whose plan is hot without a word.
pub fn pair(name: &'static str, old: Side, new: Side) -> Pair {
    Pair {
        name,
        old,
        new,
        expected: Vec::new(),
        verdict: "hot",
    }
}

impl Pair {
    /// What is to be found.
    pub fn finds(mut self, kind: &'static str, subject: &'static str) -> Self {
        self.expected.push((kind, subject));
        self
    }

    /// What it comes to.
    pub fn comes_to(mut self, verdict: &'static str) -> Self {
        self.verdict = verdict;
        self
    }
}

/// Pairs on disk.
pub struct Built {
    directory: tempfile::TempDir,
}

impl Built {
    /// Writes and compiles them, in one virtual machine.
    pub fn new(pairs: &[Pair]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut work = String::new();
        for pair in pairs {
            for (vsn, side) in [("1.0", &pair.old), ("2.0", &pair.new)] {
                let vsn = side.vsn.unwrap_or(vsn);
                let age = if std::ptr::eq(side, &pair.old) {
                    "old"
                } else {
                    "new"
                };
                let dir = directory
                    .path()
                    .join(pair.name)
                    .join(age)
                    .join(format!("demo-{vsn}"));
                write(&dir, vsn, side, &mut work);
            }
        }
        let script = directory.path().join("work");
        fs::write(&script, work).unwrap();
        compile(&script);
        Self { directory }
    }

    /// The directory of a version of a pair.
    pub fn dir(&self, pair: &Pair, age: &str) -> PathBuf {
        let parent = self.directory.path().join(pair.name).join(age);
        let entries = fs::read_dir(parent).unwrap();
        entries.map(|entry| entry.unwrap().path()).next().unwrap()
    }

    /// The plan of a pair in these surroundings.
    pub fn plan(&self, pair: &Pair, around: &Surroundings) -> Plan {
        let (old, new) = (self.dir(pair, "old"), self.dir(pair, "new"));
        plan_of("demo", &old, &new, around)
    }

    /// The plan of the way back.
    pub fn plan_down(&self, pair: &Pair, around: &Surroundings) -> Plan {
        let (old, new) = (self.dir(pair, "old"), self.dir(pair, "new"));
        let said = Said::default();
        planned("demo", (&new, &old), Direction::Down, (around, said))
    }

    /// The plan of a pair whose states may be converted field by field.
    pub fn plan_migrating(&self, pair: &Pair, direction: Direction, loss: Loss) -> Plan {
        let said = Said {
            asked: Some(Choice::from(loss)),
            ..Said::default()
        };
        self.plan_as_said(pair, direction, said)
    }

    /// The plan of a pair where this is said of migrations.
    pub fn plan_as_said(&self, pair: &Pair, direction: Direction, said: Said) -> Plan {
        let (old, new) = (self.dir(pair, "old"), self.dir(pair, "new"));
        let dirs = match direction {
            Direction::Up => (old.as_path(), new.as_path()),
            Direction::Down => (new.as_path(), old.as_path()),
        };
        let around = Surroundings::default();
        planned("demo", dirs, direction, (&around, said))
    }
}

/// The plan from one directory to another.
pub fn plan_of(application: &str, old: &Path, new: &Path, around: &Surroundings) -> Plan {
    let said = Said::default();
    planned(application, (old, new), Direction::Up, (around, said))
}

/// The same where states may be converted field by field.
pub fn plan_migrating(application: &str, old: &Path, new: &Path) -> Plan {
    let said = Said {
        asked: Some(Choice::Fields),
        ..Said::default()
    };
    let around = Surroundings::default();
    planned(application, (old, new), Direction::Up, (&around, said))
}

fn planned(
    application: &str,
    (old, new): (&Path, &Path),
    direction: Direction,
    (around, said): (&Surroundings, Said),
) -> Plan {
    let (from, to) = (old.to_owned(), new.to_owned());
    let application = Atom::new(application).unwrap();
    let vsn = |dir: &Path| erlrc::installed::shipped(&application, dir).unwrap().vsn;
    let question = Question {
        application: &application,
        from: (&vsn(old), &from),
        to: (&vsn(new), &to),
        direction,
        options: &Options {
            migrate: said,
            ..Options::default()
        },
        around,
        depth: Depth::Everything,
    };
    plan(&question).unwrap()
}

/// Kind and subject of what was found.
pub fn found(plan: &Plan) -> BTreeSet<(String, String)> {
    let findings = plan.findings.iter();
    findings
        .map(|f| (f.kind.to_string(), f.subject.clone()))
        .collect()
}

/// Asserts that a plan finds what it is to find and nothing else.
#[track_caller]
pub fn check(pair: &Pair, plan: &Plan) {
    let expected = pair.expected.iter();
    let expected: BTreeSet<_> = expected
        .map(|(k, s)| ((*k).to_owned(), (*s).to_owned()))
        .collect();
    assert_eq!(found(plan), expected, "{}: {:#?}", pair.name, plan.findings);
    assert_eq!(
        plan.verdict.name(),
        pair.verdict,
        "{}: {:#?}",
        pair.name,
        plan.findings
    );
    for finding in &plan.findings {
        let whole = !finding.text.is_empty() && !finding.advice.is_empty();
        assert!(whole, "{}: {finding:?}", pair.name);
    }
}

fn write(dir: &Path, vsn: &str, side: &Side, work: &mut String) {
    let (ebin, src) = (dir.join("ebin"), dir.join("src"));
    fs::create_dir_all(&ebin).unwrap();
    fs::create_dir_all(&src).unwrap();
    for (name, content) in &side.files {
        let file = dir.join("priv").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    for (name, body) in &side.modules {
        let file = src.join(format!("{name}.erl"));
        fs::write(&file, format!("-module({name}).\n{body}\n")).unwrap();
        let comma = if side.options.is_empty() { "" } else { ", " };
        let (file, ebin, options) = (file.display(), ebin.display(), side.options);
        let line = format!("{{\"{file}\", [{options}{comma}{{outdir, \"{ebin}\"}}]}}.");
        writeln!(work, "{line}").unwrap();
    }
    let names = side.modules.iter().map(|(name, _)| *name);
    let listed = names.filter(|name| !side.unlisted.contains(name));
    let listed: Vec<_> = listed.chain(side.missing.iter().copied()).collect();
    let applications = side.applications.iter().map(|name| format!(", {name}"));
    let app = format!(
        "{{application, demo, [{{description, \"\"}}, {{vsn, \"{vsn}\"}}, {}\
         {{modules, [{}]}}, {{registered, []}}, {{applications, [kernel, stdlib{}]}}]}}.\n",
        side.keys,
        listed.join(", "),
        applications.collect::<String>(),
    );
    fs::write(ebin.join("demo.app"), app).unwrap();
    if let Some(appup) = &side.appup {
        fs::write(ebin.join("demo.appup"), appup).unwrap();
    }
}

fn compile(work: &Path) {
    let text = "{ok, Work} = file:consult(hd(init:get_plain_arguments())), \
                [case compile:file(F, [report_errors | O]) of {ok, _} -> ok; _ -> halt(1) end \
                || {F, O} <- Work], halt(0).";
    let output = support::erl()
        .args(["-noshell", "-eval", text, "-extra"])
        .arg(work)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
