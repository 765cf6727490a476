//! Oracle: OTP's own `systools` takes what is generated, for random pairs of module sets, and after the
//! script the modules are those of the target.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use erlrc::script::Version;
use erlrc::term::print;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::application::{Demo, appup, dir};

/// How many pairs.
const CASES: usize = 60;
const MODULES: usize = 6;

/// What one version of a module is like.
#[derive(Clone, Debug)]
struct Module {
    kind: u8,
    exports: [bool; 4],
    calls: Vec<(usize, usize)>,
    depends: Vec<usize>,
    value: u8,
}

fn module() -> impl Strategy<Value = Option<Module>> {
    let calls = prop::collection::vec((0..MODULES, 0..4_usize), 0..4);
    let depends = prop_oneof![4 => Just(vec![]), 1 => prop::collection::vec(0..MODULES, 1..3)];
    let some = (0..4_u8, any::<[bool; 4]>(), calls, depends, 0..2_u8);
    let some = some.prop_map(|(kind, exports, calls, depends, value)| Module {
        kind,
        exports,
        calls,
        depends,
        value,
    });
    prop::option::weighted(0.85, some)
}

/// The kind of a module stays, as in life; the rest may change.
fn version_pair() -> impl Strategy<Value = (Vec<Option<Module>>, Vec<Option<Module>>)> {
    let modules = || prop::collection::vec(module(), MODULES);
    (modules(), modules()).prop_map(|(old, mut new)| {
        for (old, new) in old.iter().zip(&mut new) {
            if let (Some(old), Some(new)) = (old, new) {
                new.kind = old.kind;
            }
        }
        (old, new)
    })
}

fn name(index: usize) -> &'static str {
    ["ma", "mb", "mc", "md", "me", "mf"][index]
}

/// A module that calls nothing but what is there in its own version.
fn source(modules: &[Option<Module>], index: usize, module: &Module) -> String {
    let mut source = String::new();
    let depends: Vec<_> = module.depends.iter().map(|&other| name(other)).collect();
    if !depends.is_empty() {
        writeln!(source, "-knit_depends([{}]).", depends.join(",")).unwrap();
    }
    for (function, exported) in module.exports.iter().enumerate() {
        if *exported {
            writeln!(source, "-export([f{function}/0]).").unwrap();
        }
    }
    let (attributes, callbacks) = match module.kind {
        0 => (
            "-behaviour(supervisor).\n-export([init/1]).",
            "init(_) -> ignore.",
        ),
        1 => (
            "-export([code_change/3]).",
            "code_change(_, S, _) -> {ok, S}.",
        ),
        _ => ("", ""),
    };
    writeln!(source, "{attributes}\n-export([run/0]).\n{callbacks}").unwrap();
    for (function, exported) in module.exports.iter().enumerate() {
        if *exported {
            writeln!(source, "f{function}() -> {}.", module.value).unwrap();
        }
    }
    let there = |&&(other, function): &&(usize, usize)| {
        other != index
            && modules[other]
                .as_ref()
                .is_some_and(|other| other.exports[function])
    };
    let calls = module.calls.iter().filter(there);
    let calls: String = calls
        .map(|(m, f)| format!("{}:f{f}(), ", name(*m)))
        .collect();
    writeln!(source, "run() -> {calls}ok.").unwrap();
    source
}

fn write(root: &Path, vsn: &'static str, modules: &[Option<Module>]) -> Version {
    let mut demo = Demo::new(root, vsn);
    for (index, module) in modules.iter().enumerate() {
        if let Some(module) = module {
            demo = demo.module(name(index), &source(modules, index, module));
        }
    }
    demo.write().0
}

/// What the Erlang side says to a question about the cases below `root`.
fn ask(root: &Path, question: &str) -> String {
    if question == "compile" {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/appup_oracle.erl");
        support::compile(&source, root);
    }
    support::call(root, "appup_oracle", &[question, root.to_str().unwrap()])
}

#[test]
fn systools_takes_what_is_generated_and_it_leads_there_and_back() {
    let root = tempfile::tempdir().unwrap();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed());
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut cases = Vec::new();
    for case in 0..CASES {
        let (old, new) = version_pair().new_tree(&mut runner).unwrap().current();
        let dir = root.path().join(format!("case{case:03}"));
        cases.push((write(&dir, "1", &old), write(&dir, "2", &new), old, new));
    }
    ask(root.path(), "compile");
    let appups: Vec<_> = cases.iter().map(|(old, new, ..)| appup(old, new)).collect();
    for ((_, new, ..), appup) in cases.iter().zip(&appups) {
        let file = dir(new).join("ebin/demo.appup");
        fs::write(file, print::file(std::slice::from_ref(appup))).unwrap();
    }
    let judged = ask(root.path(), "judge");
    assert_eq!(judged.lines().count(), CASES, "{judged}");
    for (line, (appup, (_, _, old, new))) in judged.lines().zip(appups.iter().zip(&cases)) {
        assert!(line.ends_with(" ok"), "{line}\n{appup}\n{old:?}\n{new:?}");
    }
}

/// `ERLRC_TEST_SEED`, a number: other pairs.
fn seed() -> [u8; 32] {
    let number = std::env::var("ERLRC_TEST_SEED")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.unwrap_or_default().to_le_bytes());
    seed
}
