//! What is around an application: callers, versions in the way, the release of OTP.

use crate::pairs::{Built, Pair, check, pair, plan_of, with};
use erlrc::plan::Surroundings;
use erlrc::term::Atom;
use std::fs;
use std::path::PathBuf;

fn lib(body: &str) -> crate::pairs::Side {
    with(&[("demo_lib", body)])
}

fn changed(name: &'static str) -> Pair {
    pair(
        name,
        lib("-export([f/0]).\nf() -> 1."),
        lib("-export([f/0]).\nf() -> 2."),
    )
}

/// The modules of a pair's old side as if they were another application's.
fn around(built: &Built, other: &Pair) -> Surroundings {
    let ebin = built.dir(other, "old").join("ebin");
    let mut around = Surroundings::default();
    for entry in fs::read_dir(ebin).unwrap() {
        let file = entry.unwrap().path();
        if file
            .extension()
            .is_some_and(|extension| extension == "beam")
        {
            let name = file.file_stem().unwrap().to_str().unwrap();
            around.files.insert(Atom::new(name).unwrap(), file.clone());
        }
    }
    around
}

#[test]
fn a_caller_elsewhere_is_found() {
    let less = pair(
        "less",
        lib("-export([f/0, g/0]).\nf() -> 1.\ng() -> 1."),
        lib("-export([f/0]).\nf() -> 2."),
    )
    .finds("broken_call", "other")
    .comes_to("hot_with_warnings");
    let gone = pair("gone", lib("-export([f/0]).\nf() -> 1."), with(&[]))
        .finds("broken_call", "third")
        .comes_to("hot_with_warnings");
    let others = pair(
        "others",
        with(&[
            ("other", "-export([h/0]).\nh() -> demo_lib:g()."),
            ("third", "-export([h/0]).\nh() -> demo_lib:f()."),
        ]),
        with(&[]),
    );
    let built = Built::new(&[less.clone(), gone.clone(), others.clone()]);
    let around = around(&built, &others);
    check(&less, &built.plan(&less, &around));
    check(&gone, &built.plan(&gone, &around));
}

#[test]
fn what_another_application_offers_now_is_not_lost() {
    let gone = pair(
        "gone",
        lib("-export([f/0, g/0]).\nf() -> 1.\ng() -> 1."),
        with(&[]),
    );
    let heir = pair(
        "heir",
        with(&[
            ("demo_lib", "-export([f/0]).\nf() -> 2."),
            ("other", "-export([h/0]).\nh() -> demo_lib:f()."),
        ]),
        with(&[]),
    );
    let built = Built::new(&[gone.clone(), heir.clone()]);
    let mut all = around(&built, &heir);
    all.path = vec![built.dir(&heir, "old").join("ebin")];
    let plan = built.plan(&gone, &all);
    let broken = |plan: &erlrc::plan::Plan| {
        let mut findings = plan.findings.iter();
        findings.any(|finding| finding.kind == "broken_call")
    };
    assert!(!broken(&plan), "{plan:#?}");
    all.path.clear();
    assert!(broken(&built.plan(&gone, &all)));
}

#[test]
fn a_call_that_a_required_application_does_not_answer_is_an_error() {
    let calls = crate::pairs::Side {
        applications: vec!["other"],
        ..lib("-export([f/0]).\nf() -> other:nothing().")
    };
    let one = pair("one", lib("-export([f/0]).\nf() -> 1."), calls);
    let other = pair(
        "other",
        with(&[("other", "-export([h/0]).\nh() -> 1.")]),
        with(&[]),
    );
    let built = Built::new(&[one.clone(), other.clone()]);
    let mut around = around(&built, &other);
    let ebin = built.dir(&other, "old").join("ebin");
    let severity = |around: &Surroundings| {
        let plan = built.plan(&one, around);
        let found = plan.findings.iter().find(|f| f.kind == "undefined_call");
        (found.unwrap().severity.to_string(), plan.verdict.name())
    };
    assert_eq!(severity(&around).0, "warning");
    fs::write(ebin.join("other.app"), "").unwrap();
    around
        .applications
        .insert(Atom::of("other"), ("1".to_owned(), true));
    assert_eq!(severity(&around), ("error".to_owned(), "hot_with_warnings"));
}

#[test]
fn a_call_to_what_is_not_there_is_found_where_all_is_known() {
    let calls = |module: &str| lib(&format!("-export([f/0]).\nf() -> {module}:h()."));
    let there = pair("there", lib("-export([f/0]).\nf() -> 1."), calls("other"));
    let nowhere = pair(
        "nowhere",
        lib("-export([f/0]).\nf() -> 1."),
        calls("nobody"),
    )
    .finds("undefined_call", "demo_lib")
    .comes_to("hot_with_warnings");
    let others = pair(
        "others",
        with(&[("other", "-export([h/0]).\nh() -> 1.")]),
        with(&[]),
    );
    let built = Built::new(&[there.clone(), nowhere.clone(), others.clone()]);
    let partial = around(&built, &others);
    let complete = Surroundings {
        complete: true,
        ..partial.clone()
    };
    check(&there, &built.plan(&there, &complete));
    check(&nowhere, &built.plan(&nowhere, &complete));
    let unknown = Pair {
        expected: Vec::new(),
        verdict: "hot",
        ..nowhere
    };
    check(&unknown, &built.plan(&unknown, &partial));
}

#[test]
fn a_dependency_that_is_nowhere_would_fail() {
    let needs = |name| crate::pairs::Side {
        applications: vec![name],
        ..lib("-export([f/0]).\nf() -> 1.")
    };
    let one = pair("one", lib("-export([f/0]).\nf() -> 1."), needs("nowhere"))
        .finds("dependency_missing", "nowhere")
        .comes_to("would_fail");
    let runs = pair("runs", lib("-export([f/0]).\nf() -> 1."), needs("other"));
    let built = Built::new(&[one.clone(), runs.clone()]);
    let mut around = Surroundings {
        complete: true,
        ..Surroundings::default()
    };
    around
        .applications
        .insert(Atom::of("other"), ("1".to_owned(), true));
    check(&one, &built.plan(&one, &around));
    check(&runs, &built.plan(&runs, &around));
}

#[test]
fn an_application_that_is_too_old_is_found() {
    let needs = crate::pairs::Side {
        keys: "{runtime_dependencies, [\"other-2.0\", \"third-1.0\"]}, ".to_owned(),
        ..lib("-export([f/0]).\nf() -> 1.")
    };
    let pair = pair("old", lib("-export([f/0]).\nf() -> 1."), needs)
        .finds("dependency_too_old", "other")
        .comes_to("hot_with_warnings");
    let built = Built::new(std::slice::from_ref(&pair));
    let mut around = Surroundings::default();
    for name in ["other", "third"] {
        around
            .applications
            .insert(Atom::new(name).unwrap(), ("1.9".to_owned(), true));
    }
    check(&pair, &built.plan(&pair, &around));
}

#[test]
fn versions_and_modules_in_the_way_are_found() {
    let way = changed("way")
        .finds("later_version", "demo")
        .finds("shadowed", "demo")
        .comes_to("hot_with_warnings");
    let built = Built::new(std::slice::from_ref(&way));
    let new = built.dir(&way, "new");
    let beside = |name: &str, file: &str| {
        let ebin = new.with_file_name(name).join("ebin");
        fs::create_dir_all(&ebin).unwrap();
        fs::write(ebin.join(file), "").unwrap();
        ebin
    };
    beside("demo-3.0", "demo.app");
    // The application of another name is no version of this one.
    let plugin = beside("demo-plugin", "demo_plugin.app");
    let patches = new.with_file_name("patches");
    fs::create_dir_all(&patches).unwrap();
    fs::copy(
        new.join("ebin/demo_lib.beam"),
        patches.join("demo_lib.beam"),
    )
    .unwrap();
    let path: Vec<PathBuf> = vec![patches, built.dir(&way, "old").join("ebin"), plugin];
    check(
        &way,
        &built.plan(
            &way,
            &Surroundings {
                path,
                ..Surroundings::default()
            },
        ),
    );
}

#[test]
fn a_module_that_is_compiled_at_run_time_is_in_nobodys_way() {
    let pair = changed("compiled").comes_to("hot");
    let built = Built::new(std::slice::from_ref(&pair));
    let other = built.dir(&pair, "new").join("run_time");
    fs::create_dir_all(&other).unwrap();
    let file = other.join("demo_lib.beam");
    let around = Surroundings {
        files: [(Atom::of("demo_lib"), file.clone())].into(),
        path: vec![other],
        ..Surroundings::default()
    };
    let shadowed = || {
        let plan = built.plan(&pair, &around);
        plan.findings.iter().any(|found| found.kind == "shadowed")
    };
    // The name that it was given is that of no file.
    assert!(!shadowed());
    fs::write(&file, "").unwrap();
    assert!(shadowed());
}

#[test]
fn code_of_a_later_release_is_found() {
    let pair = changed("release")
        .finds("otp_release", "demo")
        .comes_to("would_fail");
    let built = Built::new(std::slice::from_ref(&pair));
    let file = built.dir(&pair, "new").join("ebin/demo_lib.beam");
    let bytes = fs::read(&file).unwrap();
    let at = bytes
        .windows(4)
        .position(|window| window == b"Code")
        .unwrap();
    // Behind the name: size of the chunk, size of the header, version, highest instruction.
    let mut later = bytes.clone();
    later[at + 16..at + 20].copy_from_slice(&183_u32.to_be_bytes());
    fs::write(&file, later).unwrap();
    let on = |release| Surroundings {
        release: Some(release),
        ..Surroundings::default()
    };
    check(&pair, &built.plan(&pair, &on(25)));
    let fits = Pair {
        expected: Vec::new(),
        verdict: "hot",
        ..pair
    };
    check(&fits, &built.plan(&fits, &on(99)));
}

#[test]
fn a_broken_module_would_fail() {
    let pair = changed("broken")
        .finds("bad_beam", "demo")
        .comes_to("would_fail");
    let built = Built::new(std::slice::from_ref(&pair));
    let new = built.dir(&pair, "new");
    fs::write(new.join("ebin/demo_lib.beam"), "no module").unwrap();
    let plan = plan_of(
        "demo",
        &built.dir(&pair, "old"),
        &new,
        &Surroundings::default(),
    );
    check(&pair, &plan);
}

#[test]
fn hostile_debug_information_tells_nothing() {
    let pair = changed("hostile");
    let built = Built::new(std::slice::from_ref(&pair));
    let file = built.dir(&pair, "new").join("ebin/demo_lib.beam");
    let bytes = fs::read(&file).unwrap();
    let at = bytes
        .windows(4)
        .position(|window| window == b"Dbgi")
        .unwrap()
        + 8;
    for offset in 0..200 {
        let mut mutated = bytes.clone();
        mutated[at + offset] ^= 0x55;
        fs::write(&file, mutated).unwrap();
        assert_eq!(
            built.plan(&pair, &Surroundings::default()).verdict.name(),
            "hot"
        );
    }
}

/// A module that no later version has changed stays loaded from where it came.
#[test]
fn what_an_earlier_upgrade_has_left_loaded_is_not_in_the_way() {
    let pair = changed("left").comes_to("hot");
    let built = Built::new(std::slice::from_ref(&pair));
    let old = built.dir(&pair, "old");
    let before = old.with_file_name("demo-0.9").join("ebin/demo_lib.beam");
    let mut around = Surroundings {
        path: vec![old.join("ebin")],
        ..Surroundings::default()
    };
    around.files.insert(Atom::new("demo_lib").unwrap(), before);
    check(&pair, &built.plan(&pair, &around));
}
