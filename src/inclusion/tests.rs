//! Rules and errors as facts, on the model of a node.

use super::model::{Model, app, atom};
use super::*;
use crate::application::{Fault, FileError, FileKind};
use crate::term::text::parse;

fn start(name: &str) -> Event {
    Event::Start(atom(name))
}

fn stop(name: &str) -> Event {
    Event::Stop(atom(name))
}

fn upgrade(line: &str) -> Event {
    let (name, app) = app(line);
    Event::Upgrade(Box::new(app.specification(&name)))
}

/// Other versions of the applications that `lines` describe; what is started and what is stopped by name.
fn change(lines: &str, start: &str, stop: &str) -> Event {
    let names = |text: &str| text.split_whitespace().map(atom).collect();
    let upgrade = lines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (name, app) = app(line);
            app.specification(&name)
        });
    Event::Change(Change {
        upgrade: upgrade.collect(),
        start: names(start),
        stop: names(stop),
    })
}

#[test]
fn a_set_changes_at_once() {
    let model = || Model::new("a: b\n b:\n c:\n d: a\n e:\n f:").registered("a b c");
    let booted = || {
        case(
            model(),
            &Event::Boot,
            "booted, load b, load a, load c, start b, start a, start c",
        )
    };
    // What needs what changes comes after, what does not before; what goes, last of all that can be taken back.
    let expected = "changed, load e, load d, start e, script, start d, stop c";
    case(booted(), &change("a: b\n b:", "d e", "c"), expected);
    // What a new version needs runs before it.
    let expected = "changed, load f, start f, script";
    case(booted(), &change("a: b f\n b:", "", ""), expected);
    refused(booted(), &change("", "", "b"), "{needed_by, [a]}");
    // Nobody needs it any more.
    case(booted(), &change("a:", "", "b"), "changed, script, stop b");
    refused(booted(), &change("c: b", "", "b"), "{needed_by, [a, c]}");
}

#[test]
fn a_set_moves_what_is_included() {
    let model = || Model::new("bar: +foo\n foo:\n baz:").registered("bar baz foo");
    let booted = || {
        case(
            model(),
            &Event::Boot,
            "booted, load bar, load foo, load baz, start bar, start baz",
        )
    };
    // From one to the other.
    case(
        booted(),
        &change("bar:\n baz: +foo", "", ""),
        "changed, script",
    );
    // From one that goes.
    case(
        booted(),
        &change("baz: +foo", "", "bar"),
        "changed, script, stop bar",
    );
    case(
        booted(),
        &change("baz:", "", "bar"),
        "changed, script, stop bar, start foo",
    );
    // What is to stop is not started when nothing includes it any more.
    case(booted(), &change("bar:", "", "foo"), "changed, script");
    case(
        booted(),
        &change("", "", "bar foo"),
        "changed, script, stop bar",
    );
    refused(booted(), &change("baz:", "", "foo"), "{needed_by, [bar]}");
    refused(
        booted(),
        &change("bar:\n baz: foo", "", "foo"),
        "{needed_by, [baz]}",
    );
    // Both at once: refused as it is for one.
    refused(
        booted(),
        &change("baz: +foo", "", ""),
        "{duplicate_included, foo, bar, baz}",
    );
}

#[test]
fn what_stands_between_two_that_change_starts_after_the_script() {
    // `part` runs inside `a` only when the script has run; `inner`, new inside `b`, needs `between`, which needs `part`.
    let model = Model::new("a:\n b:\n part:\n between: part\n inner: between").running("a b");
    let expected = "changed, load part, load inner, load between, script, respecify between [a], start between";
    case(model, &change("a: +part\n b: +inner", "", ""), expected);
}

#[test]
fn what_a_set_puts_inside_one_that_stops_starts_after_that() {
    let model = Model::new("top: +inner\n inner:\n free: a\n a:\n user: a").running("top a user");
    let expected = "changed, load free, script, stop top, start free";
    case(model, &change("a:\n inner: +free", "free", "top"), expected);
}

#[test]
fn what_was_started_by_hand_goes_back_inside_with_what_it_now_includes() {
    let model = Model::new("top: +inc1\n inc1: +deep\n deep:\n new:").running("top");
    let model = model.started_by_hand("inc1");
    let expected = "changed, load new, script, stop inc1";
    case(model, &change("deep: +new", "", "inc1"), expected);
}

/// `event` on `model` does this; the actions are as `Model::event` describes them.
#[track_caller]
fn case(mut model: Model, event: &Event, expected: &str) -> Model {
    assert_eq!(model.event(event).unwrap(), expected);
    model.assert_sound();
    model
}

#[track_caller]
fn refused(mut model: Model, event: &Event, reason: &str) {
    let error = model.event(event).unwrap_err();
    assert_eq!(error.reason(), parse(reason).unwrap(), "{error}");
    assert!(!error.to_string().is_empty());
}

#[test]
fn dependencies_start_first() {
    let model = Model::new("a: b c\n b: c\n c:\n unrelated:").registered("a");
    case(
        model,
        &Event::Boot,
        "booted, load c, load b, load a, start c, start b, start a",
    );
}

#[test]
fn what_runs_is_respected() {
    let model = Model::new("a: b\n b:").running("b").registered("a b");
    let model = case(model, &Event::Boot, "booted, load a, start a");
    case(model, &Event::Boot, "booted");
}

#[test]
fn dependencies_of_included_applications_start_first() {
    let model = Model::new("bar: +foo\n foo: baz\n baz:").registered("bar");
    let expected = "booted, load baz, load bar, load foo, start baz, start bar";
    case(model, &Event::Boot, expected);
}

#[test]
fn only_the_includer_of_two_registered_ones_is_started() {
    let model = Model::new("bar: +foo\n foo:").registered("bar foo");
    case(model, &Event::Boot, "booted, load bar, load foo, start bar");
}

#[test]
fn a_dependent_of_an_included_application_depends_on_the_includer() {
    let model = Model::new("baz: foo kernel\n bar: +foo\n foo:\n kernel:").registered("bar baz");
    let expected = "booted, load bar, load foo, load kernel, load baz, \
        respecify baz [bar kernel], start bar, start kernel, start baz";
    case(model, &Event::Boot, expected);
}

#[test]
fn nested_includes_resolve_to_the_top() {
    let model = Model::new("a: +b\n b: +c\n c:\n d: c b").registered("a d");
    let expected = "booted, load a, load b, load c, load d, respecify d [a], start a, start d";
    case(model, &Event::Boot, expected);
}

#[test]
fn an_optional_application_may_be_missing() {
    let model = Model::new("a: nowhere? c?\n c:").registered("a");
    case(
        model,
        &Event::Boot,
        "booted, load c, load a, start c, start a",
    );
}

#[test]
fn a_registered_application_whose_package_is_gone_is_skipped() {
    let model = Model::new("a:").registered("a b");
    case(model, &Event::Boot, "booted, load a, start a, skipped b");
}

#[test]
fn what_was_stopped_is_not_booted_unless_needed() {
    let model = Model::new("a: b\n b:\n c:")
        .registered("a b c")
        .stopped("b c");
    case(
        model,
        &Event::Boot,
        "booted, load b, load a, start b, start a",
    );
}

#[test]
fn a_dependency_that_is_nowhere_is_an_error() {
    let model = Model::new("a: b\n c: +d").registered("a");
    refused(
        model.clone(),
        &Event::Boot,
        "{appspec_file_not_found, \"b.app\"}",
    );
    refused(
        model.clone(),
        &start("c"),
        "{appspec_file_not_found, \"d.app\"}",
    );
    refused(
        model,
        &start("nowhere"),
        "{appspec_file_not_found, \"nowhere.app\"}",
    );
}

#[test]
fn a_specification_that_cannot_be_used_is_an_error() {
    let model = Model::new("a: b?").registered("a");
    let mut facts = model.facts();
    let fault = Fault::Unreadable { posix: "eacces" };
    let kind = FileKind::Specification;
    let error = FileError::Invalid {
        file: "/lib/b/ebin/b.app".into(),
        kind,
        fault,
    };
    let unusable = Specification::Unusable(error);
    facts.specifications.push((atom("b"), unusable));
    let reason = transition(facts, &Event::Boot).unwrap_err().reason();
    let expected = "{appspec_file_parse_error, \"/lib/b/ebin/b.app\", eacces}";
    assert_eq!(reason, parse(expected).unwrap());
}

#[test]
fn a_cycle_is_named_after_its_greatest() {
    let model = Model::new("a: b\n b: c\n c: a\n d: c").registered("d");
    refused(model, &Event::Boot, "{circular_dependency, c, [a, b, c]}");
    let model = Model::new("a: a").registered("a");
    refused(model, &Event::Boot, "{circular_dependency, a, [a]}");
}

#[test]
fn inclusions_may_close_a_cycle() {
    let model = Model::new("a: +b\n b: +a").registered("a");
    refused(model, &Event::Boot, "{circular_dependency, b, [a, b]}");
    let model = Model::new("bar: +foo\n foo: baz\n baz: bar").registered("bar");
    refused(
        model,
        &Event::Boot,
        "{circular_dependency, baz, [bar, baz]}",
    );
    let model = Model::new("bar: +foo zap\n foo:\n zap: foo").registered("bar");
    refused(
        model,
        &Event::Boot,
        "{circular_dependency, zap, [bar, zap]}",
    );
}

#[test]
fn an_application_with_two_includers_is_an_error() {
    let model = Model::new("z: +x\n y: +x\n x:").registered("z y");
    refused(model, &Event::Boot, "{duplicate_included, x, y, z}");
    let model = Model::new("z: +x\n y: +x\n x:").running("z");
    refused(model, &start("y"), "{duplicate_included, x, y, z}");
}

#[test]
fn a_start_brings_its_dependencies() {
    let model = Model::new("a: b\n b: c\n c:").running("c");
    let model = case(
        model,
        &start("a"),
        "started, load b, load a, start b, start a",
    );
    case(model, &start("a"), "already_running");
}

#[test]
fn an_included_application_that_runs_is_stopped_first() {
    let model = Model::new("bar: +foo\n foo: x\n x:\n baz: foo")
        .running("baz")
        .registered("foo");
    let expected = "started_included_stopped, load bar, respecify baz [bar], stop foo, start bar";
    let model = case(model, &start("bar"), expected);
    let model = case(model, &start("foo"), "included");
    let model = case(model, &stop("foo"), "included");
    let expected = "stopped_included_started, stop bar, respecify baz [foo], start foo";
    case(model, &stop("bar"), expected);
}

#[test]
fn of_several_included_ones_dependents_stop_first() {
    let model = Model::new("bar: +a +b +c\n a:\n b: a\n c: b").running("c");
    case(
        model,
        &start("bar"),
        "started_included_stopped, load bar, respecify b [], respecify c [], \
         stop c, stop b, stop a, start bar",
    );
}

#[test]
fn a_start_inside_an_includer_that_it_needs_starts_that() {
    let model = Model::new("foo: bar\n bar: +foo");
    case(
        model,
        &start("foo"),
        "included, load bar, load foo, start bar",
    );
}

#[test]
fn what_does_not_run_cannot_be_stopped() {
    let model = case(Model::new("a:"), &stop("a"), "not_running");
    case(model, &stop("unknown"), "not_running");
}

#[test]
fn what_is_needed_cannot_be_stopped() {
    let model = Model::new("a: x\n b: x\n c: x?\n x:").running("b a c");
    refused(model, &stop("x"), "{needed_by, [a, b]}");
    let model = Model::new("top: +a\n a: x\n x:").running("top");
    refused(model, &stop("x"), "{needed_by, [top]}");
}

#[test]
fn what_only_wants_it_does_not_keep_an_application() {
    let model = Model::new("c: x?\n x:").running("c");
    case(model, &stop("x"), "stopped, stop x");
}

#[test]
fn a_dependent_of_an_included_application_keeps_that_not_the_includer() {
    let model = Model::new("bar: +foo\n foo:\n baz: foo").running("bar baz");
    let expected = "stopped_included_started, stop bar, respecify baz [foo], start foo";
    case(model, &stop("bar"), expected);
}

#[test]
fn an_includer_is_needed_where_its_included_one_cannot_run_alone() {
    let model = Model::new("bar: +foo\n foo: bar\n baz: foo").running("bar baz");
    refused(model, &stop("bar"), "{needed_by, [baz]}");
}

#[test]
fn a_wanted_application_that_cannot_run_alone_does_not_keep_its_includer() {
    let installed = "bar: +foo +fuu\n foo: bar\n fuu:";
    let model = Model::new(installed).running("bar").registered("foo fuu");
    let expected = "stopped_included_started, stop bar, start fuu, skipped foo";
    case(model, &stop("bar"), expected);
}

#[test]
fn a_nested_include_starts_inside_the_wanted_one() {
    let model = Model::new("a: +b\n b: +c\n c:\n d: c")
        .running("a d")
        .registered("b c");
    let expected = "stopped_included_started, stop a, respecify d [b], start b";
    case(model, &stop("a"), expected);
}

#[test]
fn an_upgrade_stops_what_it_now_includes() {
    let model = Model::new("bar:\n foo:\n baz: foo")
        .running("bar baz")
        .registered("foo");
    let expected = "upgraded, stop foo, script, respecify baz [bar]";
    let model = case(model, &upgrade("bar: +foo"), expected);
    let expected = "upgraded, script, respecify baz [foo], start foo";
    case(model, &upgrade("bar:"), expected);
}

#[test]
fn an_upgrade_starts_what_is_no_longer_included_only_if_wanted_or_needed() {
    let model = Model::new("bar: +foo\n foo:").running("bar");
    case(model, &upgrade("bar:"), "upgraded, script");
    let model = Model::new("bar: +foo\n foo:").running("bar");
    case(model, &upgrade("bar: foo"), "upgraded, script, start foo");
}

#[test]
fn what_is_no_longer_included_is_not_started_for_what_only_wants_it() {
    let model = Model::new("bar: +foo\n foo:\n baz: foo?").running("bar baz");
    let expected = "upgraded, script, respecify baz [foo]";
    case(model, &upgrade("bar:"), expected);
    let model = Model::new("bar: +foo\n foo:\n baz: foo?").running("bar baz");
    case(
        model,
        &stop("bar"),
        "stopped, stop bar, respecify baz [foo]",
    );
}

#[test]
fn new_dependencies_start_before_the_script() {
    let model = Model::new("bar:\n new: newer\n newer:").running("bar");
    let expected = "upgraded, load newer, load new, start newer, start new, script";
    case(model, &upgrade("bar: new"), expected);
}

#[test]
fn a_new_included_application_is_loaded_before_the_script() {
    let model = Model::new("bar:\n foo: x\n x:").running("bar");
    case(
        model,
        &upgrade("bar: +foo"),
        "upgraded, load x, load foo, start x, script",
    );
}

#[test]
fn a_new_dependency_on_what_was_included_starts_on_both_sides_of_the_script() {
    let model = Model::new("bar: +foo\n foo:\n new: foo")
        .running("bar")
        .registered("foo");
    let expected = "upgraded, load new, respecify new [bar], start new, script, \
        respecify new [foo], start foo";
    case(model, &upgrade("bar: new"), expected);
}

#[test]
fn what_takes_over_an_included_application_starts_after_the_script() {
    let model = Model::new("bar: +foo\n foo:\n new: +foo\n newer: new").running("bar");
    let expected = "upgraded, load new, load newer, script, start new, start newer";
    case(model, &upgrade("bar: newer"), expected);
}

#[test]
fn an_upgrade_of_an_included_application_concerns_the_includer() {
    let model = Model::new("top: +bar\n bar:\n foo:\n baz: foo\n new:").running("top baz");
    let expected = "upgraded, load new, start new, stop foo, script, respecify baz [top]";
    let model = case(model, &upgrade("bar: new +foo"), expected);
    case(
        model,
        &upgrade("bar:"),
        "upgraded, script, respecify baz [foo], start foo",
    );
}

#[test]
fn an_upgrade_that_puts_the_application_inside_another_stops_it() {
    let model = Model::new("bar:\n new: +bar").running("bar");
    let expected = "upgraded, load new, stop bar, script, start new";
    case(model, &upgrade("bar: new"), expected);
}

#[test]
fn an_upgrade_of_what_does_not_run_starts_the_new_version() {
    let model = Model::new("bar: old\n old:\n new:\n foo:").running("foo");
    let expected = "started_included_stopped, load new, start new, script, stop foo, start bar";
    case(model, &upgrade("bar: new +foo"), expected);
}

#[test]
fn what_was_started_by_hand_inside_another_runs_on() {
    let installed = "top: +inc1 +inc2 +inc3\n inc1:\n inc2: inc1\n inc3:\n user: inc2 inc3";
    let model = || {
        let model = Model::new(installed).running("top user");
        model.started_by_hand("inc1 inc2")
    };
    let expected = "upgraded, respecify inc2 [inc1], respecify user [inc2 top], script";
    let once = case(model(), &upgrade("inc1:"), expected);
    case(once, &upgrade("inc1:"), "upgraded, script");
    case(model(), &upgrade("top: +inc1 +inc2 +inc3"), expected);
    case(model(), &upgrade("user: inc2"), expected);
    case(model(), &upgrade("inc3:"), expected);
    case(
        model(),
        &Event::Boot,
        "booted, respecify inc2 [inc1], respecify user [inc2 top]",
    );
}

#[test]
fn what_a_set_upgrades_is_wanted_although_it_was_stopped_before() {
    let inside = || {
        Model::new("top: +inc1\n inc1:")
            .registered("inc1")
            .stopped("inc1")
            .running("top")
    };
    case(inside(), &change("top:", "", ""), "changed, script");
    let both = change("top:\n inc1:", "", "");
    case(inside(), &both, "changed, script, start inc1");
}

#[test]
fn only_what_becomes_included_is_stopped() {
    let model = Model::new("top: +inc1\n inc1:\n other:")
        .running("top other")
        .started_by_hand("inc1");
    let expected = "upgraded, stop other, script";
    case(model, &upgrade("top: +inc1 +other"), expected);
}

#[test]
fn what_was_started_by_hand_can_be_stopped_and_outlives_its_includer() {
    let model = || {
        let model = Model::new("top: +inc1\n inc1: +deep\n deep:").running("top");
        model.started_by_hand("inc1")
    };
    case(model(), &start("inc1"), "already_running");
    case(model(), &stop("top"), "stopped, stop top");
    let alone = case(model(), &upgrade("top:"), "upgraded, script");
    case(alone, &upgrade("top: +inc1"), "upgraded, stop inc1, script");
    let inside = case(model(), &stop("inc1"), "stopped, stop inc1");
    case(inside, &stop("inc1"), "included");
}

#[test]
fn what_runs_inside_one_is_not_taken_by_another() {
    let model = Model::new("top: +inc1\n inc1:\n z: +inc1")
        .running("top")
        .started_by_hand("inc1");
    refused(model, &start("z"), "{duplicate_included, inc1, top, z}");
}

#[test]
fn an_unsound_upgrade_is_refused() {
    let model = Model::new("bar:\n new: baz\n baz: bar\n other: +foo\n foo:").running("baz other");
    refused(
        model.clone(),
        &upgrade("bar: new"),
        "{circular_dependency, new, [bar, baz, new]}",
    );
    refused(
        model.clone(),
        &upgrade("bar: +foo"),
        "{duplicate_included, foo, bar, other}",
    );
    refused(
        model.clone(),
        &upgrade("bar: gone"),
        "{appspec_file_not_found, \"gone.app\"}",
    );
    refused(
        model,
        &upgrade("bar: +bar"),
        "{circular_dependency, bar, [bar]}",
    );
}

#[test]
fn a_chain_of_ten_thousand_is_planned() {
    let size = 10_000;
    let mut installed = String::new();
    for i in 0..size {
        installed.push_str(&format!("a{i}: a{}\n", i + 1));
        installed.push_str(&format!("i{i}: +i{}\n", i + 1));
    }
    let installed = format!("{installed}a{size}:\ni{size}:\n");
    // Not performed: the model is not made for so many.
    let model = Model::new(&installed).registered("a0 i0");
    let transition = transition(model.facts(), &Event::Boot).unwrap();
    let started: Vec<_> = transition
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Start(name) => Some(name.to_string()),
            _ => None,
        })
        .collect();
    let expected = (0..=size).rev().map(|i| format!("a{i}"));
    assert!(started.into_iter().eq(expected.chain(["i0".to_owned()])));
    assert_eq!(transition.actions.len(), 2 * (size + 1) + size + 2);
}
