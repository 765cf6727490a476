//! Generated appups of compiled applications, instruction by instruction.

mod support;

use std::fs;

use erlrc::application::Application;
use erlrc::appup::{Direction, Warning};
use erlrc::script::{
    LoadedModule, Options, Side, Version, make_appup, module_digests, upgrade_script,
};
use erlrc::term::{Atom, text};
use support::application::{Demo, dir, expect};
use tempfile::tempdir;

const SERVER: &str = "-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).
init(S) -> {ok, S}.
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(_, S) -> {noreply, S}.
code_change(_, S, _) -> {ok, S}.
";

const SUPERVISOR: &str = "-behaviour(supervisor).
-export([start_link/0, init/1]).
start_link() -> supervisor:start_link(?MODULE, []).
";

#[test]
fn added_comes_first_and_removed_goes_last() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1")
        .module("a", "-export([f/0]). f() -> 1.")
        .module("r", "");
    let new = Demo::new(root.path(), "2")
        .module("n", "")
        .module("a", "-export([f/0]). f() -> 2.");
    expect(
        &old.build(&[]),
        &new.build(&[]),
        "[{add_module,n},{load_module,a},{delete_module,r}]",
        "[{add_module,r},{load_module,a},{delete_module,n}]",
    );
}

#[test]
fn a_rebuild_changes_nothing() {
    let root = tempdir().unwrap();
    let source = "-export([f/0]). f() -> fun() -> 1 end.";
    let old = Demo::new(root.path(), "1")
        .module("a", source)
        .build(&["+debug_info"]);
    let new =
        Demo::new(root.path(), "2").module("a", &format!("% comment\n-vsn(\"2\").\n{source}"));
    expect(&old, &new.build(&[]), "[]", "[]");
}

#[test]
fn a_changed_attribute_is_a_change() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1").module("a", "").build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-author(me).")
        .build(&[]);
    expect(&old, &new, "[{load_module,a}]", "[{load_module,a}]");
}

#[test]
fn servers_and_supervisors_are_updated() {
    let root = tempdir().unwrap();
    let build = |vsn, n| {
        let notify = "sup_upgrade_notify(_, _) -> ok.
            sup_downgrade_notify(_, _) -> ok.";
        Demo::new(root.path(), vsn)
            .module("srv", &format!("-export([n/0]). {SERVER} n() -> {n}."))
            .module(
                "sup",
                &format!(
                    "-export([sup_upgrade_notify/2, sup_downgrade_notify/2]). {SUPERVISOR} {notify} init(_) -> {{ok, {{{{one_for_one, {n}, 1}}, []}}}}."
                ),
            )
            .build(&[])
    };
    expect(
        &build("1", 1),
        &build("2", 2),
        "[{update,srv,infinity,{advanced,[]},brutal_purge,brutal_purge,[]},
          {update,sup,supervisor},
          {apply,{sup,sup_upgrade_notify,[\"1\",\"2\"]}}]",
        "[{apply,{sup,sup_downgrade_notify,[\"1\",\"2\"]}},
          {update,sup,supervisor},
          {update,srv,infinity,{advanced,[]},brutal_purge,brutal_purge,[]}]",
    );
}

#[test]
fn a_stripped_supervisor_is_one_and_a_stripped_server_is_none() {
    let root = tempdir().unwrap();
    let build = |vsn, n| {
        // +deterministic does not strip; `slim` does.
        Demo::new(root.path(), vsn)
            .module(
                "sup",
                &format!("{SUPERVISOR} init(_) -> {{ok, {{{{one_for_one, {n}, 1}}, []}}}}."),
            )
            .module(
                "both",
                &format!("-export([go/0]). {SERVER} go() -> supervisor:start_link(x, {n})."),
            )
            .build(&["+slim"])
    };
    expect(
        &build("1", 1),
        &build("2", 2),
        "[{update,sup,supervisor},
          {update,both,infinity,{advanced,[]},brutal_purge,brutal_purge,[]}]",
        "[{update,both,infinity,{advanced,[]},brutal_purge,brutal_purge,[]},
          {update,sup,supervisor}]",
    );
}

#[test]
fn the_start_module_hears_of_the_version_though_it_did_not_change() {
    let root = tempdir().unwrap();
    let build = |vsn| {
        let source = "-export([version_change/2]). version_change(_, _) -> ok.";
        Demo::new(root.path(), vsn)
            .module("demo", source)
            .keys("{mod, {demo, [x]}},")
            .build(&[])
    };
    expect(
        &build("1"),
        &build("2"),
        "[{apply,{demo,version_change,[\"1\",[x]]}}]",
        "[{apply,{demo,version_change,[{down,\"1\"},[x]]}}]",
    );
}

#[test]
fn an_added_function_is_there_before_its_caller() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1")
        .module("a", "-export([f/0]). f() -> 1.")
        .module("b", "-export([g/0]). g() -> 1.")
        .build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-export([f/0]). f() -> b:h().")
        .module("b", "-export([g/0, h/0]). g() -> 1. h() -> 2.")
        .build(&[]);
    let (forward, backward) = (
        "[{load_module,b},{load_module,a}]",
        "[{load_module,a},{load_module,b}]",
    );
    expect(&old, &new, forward, backward);
    // The same the other way round: a function is removed.
    expect(&new, &old, backward, forward);
}

#[test]
fn what_needs_each_other_is_replaced_together() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1")
        .module("a", "-export([f/0]). f() -> 1.")
        .module("b", "-export([g/0]). g() -> 1.")
        .build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-export([f/0, i/0]). f() -> b:h(). i() -> 1.")
        .module("b", "-export([g/0, h/0]). g() -> 1. h() -> a:i().")
        .build(&[]);
    expect(
        &old,
        &new,
        "[{load_module,a,[b]},{load_module,b,[a]}]",
        "[{load_module,b,[a]},{load_module,a,[b]}]",
    );
}

#[test]
fn knits_attributes_steer() {
    let root = tempdir().unwrap();
    let build = |vsn, n: u8| {
        Demo::new(root.path(), vsn)
            .module("a", &format!("-export([f/0]). -knit_purge(soft_purge). -knit_depends([b, gone]). f() -> {n}."))
            .module("b", &format!("-export([f/0]). -knit_timeout(default). -erlrc_extra({{x, 1}}). {SERVER} f() -> {n}."))
            .module("c", &format!(
                "-export([f/0]). -knit_priority(7). -knit_apply({{b, last, []}}).
                 -knit_apply([{{first, {{c, one, []}}}}, {{immediate, {{c, two, [x]}}}}, {{{{last, -1}}, {{c, f, []}}}}]).
                 -knit_apply({{committed, {{c, all, []}}}}). -knit_apply({{down, {{{{committed, 1}}, {{c, back, []}}}}}}).
                 -knit_apply({{down, {{first, {{c, down, []}}}}}}). f() -> {n}."
            ))
            .build(&[])
    };
    expect(
        &build("1", 1),
        &build("2", 2),
        "[{apply,{c,one,[]}},
          {load_module,c},
          {apply,{c,two,[x]}},
          {update,b,{advanced,{x,1}}},
          {load_module,a,soft_purge,soft_purge,[b]},
          {apply,{c,f,[]}},
          {apply,{b,last,[]}},
          {apply,{erlrcdynamic,apply_after_commit,[c,all,[]]}}]",
        "[{apply,{c,down,[]}},
          {load_module,a,soft_purge,soft_purge,[b]},
          {update,b,{advanced,{x,1}}},
          {load_module,c},
          {apply,{erlrcdynamic,apply_after_commit,[c,back,[]]}}]",
    );
}

#[test]
fn a_timeout_of_nothing_is_an_error() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1").module("a", "").build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-knit_timeout(0).")
        .build(&[]);
    let error = make_appup(&Atom::of("demo"), &old, &new, &Options::default()).unwrap_err();
    assert_eq!(
        error.reason().to_string(),
        "{bad_attribute,a,knit_timeout,[0]}"
    );
}

#[test]
fn all_modules_may_be_asked_for() {
    let root = tempdir().unwrap();
    let build = |vsn| {
        Demo::new(root.path(), vsn)
            .module("a", "")
            .module("b", "")
            .build(&[])
    };
    let options = Options {
        reload_unchanged: true,
        ..Options::default()
    };
    let generated = make_appup(&Atom::of("demo"), &build("1"), &build("2"), &options).unwrap();
    let expected = "{\"2\",[{\"1\",[{load_module,a},{load_module,b}]}],[{\"1\",[{load_module,b},{load_module,a}]}]}";
    assert_eq!(generated.appup().to_string(), expected);
}

#[test]
fn what_is_unusual_is_told() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1")
        .module("a", "")
        .module("gone", "")
        .build(&[]);
    let new = Demo::new(root.path(), "2")
        .module(
            "a",
            "-export([f/0]). -on_load(i/0). i() -> ok. f() -> erlang:load_nif(\"x\", 0).",
        )
        .module("gone", "")
        .build(&[]);
    fs::rename(
        dir(&new).join("ebin/gone.beam"),
        dir(&new).join("ebin/extra.beam"),
    )
    .unwrap();
    let generated = make_appup(&Atom::of("demo"), &old, &new, &Options::default()).unwrap();
    let told: Vec<_> = generated
        .warnings
        .iter()
        .map(|warning| warning.term().to_string())
        .collect();
    assert_eq!(
        told,
        [
            "{missing_beam,\"2\",gone}",
            "{unlisted_beam,\"2\",extra}",
            "{loads_nif,a}",
            "{on_load,a}"
        ]
    );
}

#[test]
fn a_shipped_appup_that_covers_the_version_is_used() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1.0").module("a", "").build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-author(me).")
        .build(&[]);
    let file = dir(&new).join("ebin/demo.appup");
    let demo = Atom::of("demo");
    let script = |direction| upgrade_script(&demo, &old, &new, direction, &Options::default());

    fs::write(
        &file,
        "{\"2\", [{<<\"1\\\\..*\">>, [{restart_application, demo}]}], []}.",
    )
    .unwrap();
    let up = script(Direction::Up).unwrap();
    assert!(!up.generated);
    assert_eq!(up.instructions[0].to_string(), "{restart_application,demo}");
    let down = script(Direction::Down).unwrap();
    assert!(down.generated);
    let not_covered = Warning::NotCovered {
        vsn: "1.0".to_owned(),
        direction: Direction::Down,
    };
    assert_eq!(down.warnings, [not_covered]);

    fs::write(&file, "{\"2\", [{\"1.0\", [{reload, a}]}], [").unwrap();
    let reason = script(Direction::Up).unwrap_err().reason().to_string();
    assert!(
        reason.starts_with("{bad_appup,") && reason.contains("demo.appup\",{1,"),
        "{reason}"
    );
    fs::remove_file(&file).unwrap();
    assert!(script(Direction::Up).unwrap().generated);
}

#[test]
fn wrong_files_have_their_names() {
    let root = tempdir().unwrap();
    let old = Demo::new(root.path(), "1").module("a", "").build(&[]);
    let new = Demo::new(root.path(), "2")
        .module("a", "-author(me).")
        .build(&[]);
    let demo = Atom::of("demo");
    let reason = |old: &Version, new: &Version| {
        make_appup(&demo, old, new, &Options::default())
            .unwrap_err()
            .reason()
            .to_string()
    };
    let other = |version: &Version| Version {
        vsn: "9".to_owned(),
        ..version.clone()
    };
    assert_eq!(reason(&other(&old), &new), "bad_old_appvsn");
    assert_eq!(reason(&old, &other(&new)), "bad_new_appvsn");
    fs::write(dir(&new).join("ebin/a.beam"), "FOR1").unwrap();
    let bad = reason(&old, &new);
    assert!(bad.contains("ebin/a.beam\",not_a_beam_file}"), "{bad}");
    fs::write(dir(&new).join("ebin/demo.app"), "{application, demo").unwrap();
    assert_eq!(reason(&old, &new), "bad_new_appfile");
    fs::remove_file(dir(&old).join("ebin/demo.app")).unwrap();
    assert_eq!(reason(&old, &new), "bad_old_appfile");
}

#[test]
fn the_old_side_may_be_what_is_loaded() {
    let root = tempdir().unwrap();
    let build = |vsn, n: u8| {
        let source = format!("-export([f/0]). f() -> {n}.");
        Demo::new(root.path(), vsn)
            .module("a", &source)
            .module("b", "")
            .module("c", "")
            .build(&[])
    };
    let (old, new) = (build("1", 1), build("2", 2));
    // `c` is not loaded: it will be, from its new file.
    let modules = module_digests(dir(&old))
        .unwrap()
        .into_iter()
        .filter(|(name, _)| name.as_str() != "c");
    let modules = modules.map(|(name, md5)| LoadedModule {
        name,
        md5: md5.unwrap(),
        exports: Vec::new().into(),
        attributes: Vec::new(),
    });
    let spec = text::parse("{application,demo,[{vsn,\"1\"},{modules,[a,b,c]}]}").unwrap();
    let spec = Application::from_term(spec).unwrap();
    let loaded = Version {
        side: Side::Loaded(Box::new(spec), modules.collect()),
        ..old
    };
    let appup = support::application::appup(&loaded, &new);
    assert_eq!(
        appup.to_string(),
        "{\"2\",[{\"1\",[{load_module,a}]}],[{\"1\",[{load_module,a}]}]}"
    );
}

#[test]
fn supervisors_may_be_listed() {
    let root = tempdir().unwrap();
    let build = |vsn, n: u8| {
        let source = format!("-export([init/1]). init(_) -> {n}.");
        let ours = format!("-behaviour(our_sup).\n{source}");
        Demo::new(root.path(), vsn)
            .module("a", &source)
            .module("b", &ours)
            .module("c", &source)
            .build(&[])
    };
    let (old, new) = (build("1", 1), build("2", 2));
    let options = Options {
        supervisors: vec![Atom::of("a"), Atom::of("our_sup")],
        ..Options::default()
    };
    let generated = make_appup(&Atom::of("demo"), &old, &new, &options).unwrap();
    let up: Vec<_> = generated
        .up
        .iter()
        .map(|step| step.instruction.term().to_string())
        .collect();
    assert_eq!(
        up,
        [
            "{update,a,supervisor}",
            "{update,b,supervisor}",
            "{load_module,c}"
        ]
    );
}

#[test]
fn the_same_version_with_other_bytes_is_told() {
    let roots = [tempdir().unwrap(), tempdir().unwrap()];
    let build = |root: usize, body| {
        Demo::new(roots[root].path(), "1")
            .module("a", body)
            .build(&[])
    };
    let (old, new) = (build(0, ""), build(1, "-author(me)."));
    let generated = make_appup(&Atom::of("demo"), &old, &new, &Options::default()).unwrap();
    let same = Warning::SameVersion {
        vsn: "1".to_owned(),
        modules: vec![Atom::of("a")],
    };
    assert_eq!(generated.warnings, [same]);
}
