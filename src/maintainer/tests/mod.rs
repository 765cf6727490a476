//! What becomes of nodes, stash and journal: dpkg's calls on a host that is made up, in milliseconds.

mod fake;

use super::{Note, is_in_the_way, run_batch};
use crate::maint::{Configuration, Format, Moment, State};
use crate::outcome::{Class, Outcome};
use fake::{Host, atom};

fn batch() -> Configuration {
    Configuration {
        batch: true,
        ..Configuration::default()
    }
}

/// dpkg's calls until the new version of `app` is in place and the nodes have been taken to it.
fn unpack(host: &Host, configuration: &Configuration, app: &str) -> Class {
    let call = |moment, vsn| host.call_with(configuration.clone(), moment, (app, vsn));
    assert_eq!(call(Moment::Prepare, "2"), Class::Done);
    host.install(app, "2");
    host.delete(app, "1");
    call(Moment::Swap, "1")
}

fn upgrade(host: &Host) -> Class {
    unpack(host, &Configuration::default(), "foo")
}

#[test]
fn nodes_are_upgraded_and_what_was_kept_for_them_is_dropped() {
    let host = Host::new(2);
    assert_eq!(upgrade(&host), Class::Done);
    assert_eq!((host.runs("foo").as_str(), host.kept("foo")), ("2 2", 1));
    assert_eq!(host.call(Moment::Configure, "foo", "2"), Class::Done);
    assert_eq!((host.kept("foo"), host.open()), (0, Vec::<String>::new()));
}

#[test]
fn what_a_silent_node_may_run_is_kept() {
    let mut host = Host::new(2).silent("n2");
    assert_eq!(upgrade(&host), Class::Done);
    assert_eq!(host.call(Moment::Configure, "foo", "2"), Class::Done);
    assert_eq!((host.runs("foo").as_str(), host.kept("foo")), ("2 1", 1));
    host.speaks_again();
    assert_eq!(host.call(Moment::Configure, "foo", "2"), Class::Done);
    assert_eq!((host.runs("foo").as_str(), host.kept("foo")), ("2 2", 0));
}

#[test]
fn a_silent_node_fails_a_package_where_the_host_is_strict() {
    let host = Host::new(1).silent("n1");
    let strict = Configuration {
        strict: true,
        ..Configuration::default()
    };
    assert_eq!(unpack(&host, &strict, "foo"), Class::Unreachable);
}

#[test]
fn a_node_that_fails_takes_the_others_back() {
    let host = Host::new(2).fails("n2 upgrade foo 2", Class::RolledBack, Outcome::ScriptFailed);
    assert_eq!(upgrade(&host), Class::RolledBack);
    assert_eq!(host.runs("foo"), "1 1");
    let open = ["foo prepared -", "foo unswapped n1", "foo unswapped n2"];
    assert_eq!(host.open(), open);
}

#[test]
fn a_node_that_cannot_be_hot_waits_for_its_restart() {
    let host = Host::new(2).fails("n2 upgrade foo 2", Class::NoPath, Outcome::NoAppupFound);
    assert_eq!(upgrade(&host), Class::Done);
    assert_eq!(host.runs("foo"), "2 1");
    assert!(
        host.told
            .borrow()
            .contains(&"foo n2 restart_needed".to_owned())
    );
    assert_eq!(host.call(Moment::Configure, "foo", "2"), Class::Done);
    assert_eq!(
        (host.kept("foo"), host.open()),
        (
            1,
            vec!["foo prepared -".to_owned(), "foo pending n2".to_owned()]
        )
    );
}

const RESTART: &str = "{upgrade_policy, [hot, restart_application]}.";

#[test]
fn a_policy_restarts_the_application() {
    let host = Host::new(1).fails("n1 upgrade foo 2", Class::NoPath, Outcome::NoAppupFound);
    host.register("foo", RESTART);
    assert_eq!(upgrade(&host), Class::Done);
    assert_eq!(host.runs("foo"), "2");
    let did = [
        "n1 upgrade foo 2",
        "n1 stop foo 1",
        "n1 unload foo 1",
        "n1 start foo 2",
    ];
    assert_eq!(*host.did.borrow(), did);
}

#[test]
fn a_new_version_that_does_not_start_leaves_the_old_one_running() {
    let host = Host::new(2)
        .fails("n2 upgrade foo 2", Class::NoPath, Outcome::NoAppupFound)
        .fails("n2 start foo 2", Class::RolledBack, Outcome::Error);
    host.register("foo", RESTART);
    assert!(upgrade(&host).is_failure());
    assert_eq!(host.runs("foo"), "1 1");
    let did = host.did.borrow();
    assert!(
        did.ends_with(&["n2 start foo 1".to_owned(), "n1 downgrade foo 1".to_owned()]),
        "{did:?}"
    );
}

#[test]
fn a_policy_that_does_not_begin_with_hot_is_not_asked_hot() {
    let host = Host::new(1);
    host.register("foo", "{upgrade_policy, [defer]}.");
    assert_eq!(upgrade(&host), Class::Done);
    assert_eq!(
        (host.runs("foo").as_str(), host.did.borrow().len()),
        ("1", 0)
    );
}

#[test]
fn nodes_that_cannot_go_back_are_not_rolled_back() {
    let host = Host::new(2)
        .fails("n2 upgrade foo 2", Class::NoPath, Outcome::NoAppupFound)
        .fails("n2 stop foo 1", Class::RolledBack, Outcome::Error)
        .fails(
            "n1 downgrade foo 1",
            Class::RolledBack,
            Outcome::ScriptFailed,
        );
    host.register("foo", RESTART);
    assert_eq!(upgrade(&host), Class::NotRolledBack);
}

#[test]
fn an_interrupted_script_is_told_of_and_closed() {
    let host = Host::new(1);
    let session = host.session(Moment::Swap, Configuration::default());
    let version = |vsn| host.version("foo", vsn);
    let note = Note {
        node: Some("n1".to_owned()),
        from: Some((&version("1")).into()),
        to: Some((&version("2")).into()),
        ..Note::default()
    };
    session.log.note(State::Swapping, &atom("foo"), note);
    assert_eq!(host.call(Moment::Configure, "foo", "1"), Class::Done);
    let told = host.told.borrow();
    let said = |text: &String| text.contains("interrupted on the way to 2; n1 runs 1 now");
    assert!(told.iter().any(said), "{told:?}");
}

fn both(host: &Host) -> Class {
    for app in ["foo", "bar"] {
        assert_eq!(unpack(host, &batch(), app), Class::Done);
    }
    assert!(!host.runs("foo").contains('2') && host.did.borrow().is_empty());
    run_batch(&host.session(Moment::Configure, Configuration::default()))
}

#[track_caller]
fn did(host: &Host, expected: &[&str]) {
    assert_eq!(*host.did.borrow(), expected);
}

#[track_caller]
fn told(host: &Host, text: &str) {
    let told = host.told.borrow();
    assert!(told.iter().any(|line| line.contains(text)), "{told:?}");
}

#[track_caller]
fn run(host: &Host, expected: &str) {
    assert_eq!(
        format!("{} / {}", host.runs("foo"), host.runs("bar")),
        expected
    );
}

const SET: [&str; 3] = ["n1 as one:", "n1 upgrade foo 2", "n1 upgrade bar 2"];

#[test]
fn a_batch_is_one_set() {
    let host = Host::new(1);
    assert_eq!(both(&host), Class::Done);
    did(&host, &SET);
    assert_eq!(
        (host.kept("foo") + host.kept("bar"), host.open()),
        (0, vec![])
    );
}

#[test]
fn a_batch_is_one_set_on_each_node() {
    let host = Host::new(2).fails("n1 upgrade bar 2", Class::Refused, Outcome::WouldFail);
    assert_eq!(both(&host), Class::Refused);
    run(&host, "1 2 / 1 2");
    told(
        &host,
        "bar: n1 refuses it alone as well; alone would go: foo",
    );
}

#[test]
fn nodes_that_know_no_sets_are_changed_one_after_the_other() {
    let host = Host::new(1).knows_no_sets();
    assert_eq!(both(&host), Class::Done);
    did(&host, &["n1 upgrade foo 2", "n1 upgrade bar 2"]);
    told(
        &host,
        "foo: n1 has an older erlrc: the applications are changed one after the other",
    );
}

#[test]
fn of_what_is_changed_one_after_the_other_it_is_all_or_nothing_too() {
    let failed = (Class::RolledBack, Outcome::ScriptFailed);
    let host = Host::new(1)
        .knows_no_sets()
        .fails("n1 upgrade bar 2", failed.0, failed.1);
    assert_eq!(both(&host), Class::RolledBack);
    run(&host, "1 / 1");
    let last = host.did.borrow().last().cloned();
    assert_eq!(last.as_deref(), Some("n1 downgrade foo 1"));
}

#[test]
fn a_batch_is_all_of_it_or_nothing() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::RolledBack, Outcome::ScriptFailed);
    assert_eq!(both(&host), Class::RolledBack);
    did(&host, &SET);
    run(&host, "1 / 1");
    let open = ["bar unswapped n1", "foo unswapped n1"];
    let unswapped = |line: &String| open.contains(&line.as_str());
    assert_eq!(host.open().iter().filter(|line| unswapped(line)).count(), 2);
}

#[test]
fn what_belongs_together_waits_together() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::NoPath, Outcome::NoAppupFound);
    assert_eq!(both(&host), Class::Done);
    run(&host, "1 / 1");
    assert_eq!(host.kept("foo"), 1);
    told(&host, "foo n1 restart_needed");
    told(&host, "bar n1 restart_needed");
}

#[test]
fn where_a_policy_forbids_to_wait_the_batch_fails() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::NoPath, Outcome::NoAppupFound);
    host.register("bar", "{upgrade_policy, [hot]}.");
    assert_eq!(both(&host), Class::NoPath);
    did(&host, &SET);
    run(&host, "1 / 1");
}

#[test]
fn who_is_to_wait_by_policy_keeps_the_others_waiting() {
    let host = Host::new(1);
    host.register("bar", "{upgrade_policy, [defer]}.");
    assert_eq!(both(&host), Class::Done);
    did(&host, &[]);
    told(&host, "foo n1 restart_needed");
}

#[test]
fn a_policy_that_restarts_takes_the_set_apart() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::NoPath, Outcome::NoAppupFound);
    host.register("bar", RESTART);
    assert_eq!(both(&host), Class::Done);
    run(&host, "2 / 2");
    assert!(host.did.borrow().contains(&"n1 stop bar 1".to_owned()));
}

#[test]
fn a_set_that_no_application_alone_explains_is_told_of() {
    let host = Host::new(1).fails("n1 as one:", Class::Refused, Outcome::WouldFail);
    assert_eq!(both(&host), Class::Refused);
    run(&host, "1 / 1");
    told(
        &host,
        "foo: n1 refuses what waits as one; alone would go: foo, bar",
    );
}

#[test]
fn where_a_node_does_not_say_of_each_alone_nobody_is_named() {
    let host = Host::new(1)
        .fails("n1 as one:", Class::Refused, Outcome::WouldFail)
        .fails("n1 upgrade bar 2", Class::Unreachable, Outcome::Hung);
    assert_eq!(both(&host), Class::Refused);
    let told = host.told.borrow();
    assert!(!told.iter().any(|line| line.contains("alone")), "{told:?}");
}

#[test]
fn what_is_new_starts_in_the_set() {
    let host = Host::new(1);
    assert_eq!(host.call(Moment::Stop, "bar", "1"), Class::Done);
    host.did.borrow_mut().clear();
    assert_eq!(
        host.call_with(batch(), Moment::Configure, ("bar", "1")),
        Class::Done
    );
    assert_eq!(unpack(&host, &batch(), "foo"), Class::Done);
    did(&host, &[]);
    let session = host.session(Moment::Configure, Configuration::default());
    assert_eq!(run_batch(&session), Class::Done);
    did(&host, &["n1 as one:", "n1 upgrade foo 2", "n1 start bar 1"]);
    assert_eq!(host.open(), Vec::<String>::new());
}

/// `foo` waits for 2 and `bar` to be started; what comes of that on a node that answers so.
fn one_changes_and_one_is_new(class: Class, outcome: Outcome) -> (Host, Class) {
    let host = Host::new(1).fails("n1 as one:", class, outcome);
    assert_eq!(host.call(Moment::Stop, "bar", "1"), Class::Done);
    host.did.borrow_mut().clear();
    let configured = host.call_with(batch(), Moment::Configure, ("bar", "1"));
    assert_eq!(configured, Class::Done);
    assert_eq!(unpack(&host, &batch(), "foo"), Class::Done);
    let class = run_batch(&host.session(Moment::Configure, Configuration::default()));
    (host, class)
}

#[test]
fn what_is_new_is_not_started_without_what_it_belongs_to() {
    let failed = one_changes_and_one_is_new(Class::RolledBack, Outcome::ScriptFailed);
    let waits = one_changes_and_one_is_new(Class::NoPath, Outcome::MaxPause);
    let unknown = one_changes_and_one_is_new(Class::Unreachable, Outcome::Lost);
    for (host, class, expected) in [
        (failed.0, failed.1, Class::RolledBack),
        (waits.0, waits.1, Class::Done),
        (unknown.0, unknown.1, Class::Done),
    ] {
        assert_eq!(class, expected);
        assert_eq!(
            host.did.borrow().last().map(String::as_str),
            Some("n1 as one:")
        );
        run(&host, "1 / -");
    }
}

#[test]
fn erlrc_itself_changes_before_the_others() {
    let host = Host::new(1);
    assert_eq!(unpack(&host, &batch(), "erlrc"), Class::Done);
    assert_eq!(both(&host), Class::Done);
    did(&host, &[&["n1 upgrade erlrc 2"], &SET[..]].concat());
}

#[test]
fn erlrc_goes_back_when_the_others_fail() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::RolledBack, Outcome::ScriptFailed);
    assert_eq!(unpack(&host, &batch(), "erlrc"), Class::Done);
    assert_eq!(both(&host), Class::RolledBack);
    assert_eq!(host.runs("erlrc"), "1");
    run(&host, "1 / 1");
}

#[test]
fn a_run_whose_end_nobody_calls_is_told_of() {
    let host = Host::new(1);
    host.trigger_works.set(false);
    assert_eq!(unpack(&host, &batch(), "foo"), Class::Done);
    assert!(
        host.told
            .borrow()
            .iter()
            .any(|text| text.contains("dpkg-trigger failed"))
    );
}

/// dpkg's calls until the package of `app` is gone, in batch mode.
fn remove(host: &Host, app: &str) {
    let call = |moment| host.call_with(batch(), moment, (app, "1"));
    assert_eq!(call(Moment::Stop), Class::Done);
    host.delete(app, "1");
    std::fs::remove_file(host.path("apps").join(app)).expect("metadata");
    assert_eq!(call(Moment::Gone), Class::Done);
}

/// `foo` 2 waits, and so does the stop of `bar`, whose package is gone; what the end comes to.
fn one_changes_and_one_goes(host: &Host) -> Class {
    remove(host, "bar");
    assert_eq!(unpack(host, &batch(), "foo"), Class::Done);
    did(host, &[]);
    assert_eq!(host.kept("bar"), 1);
    run_batch(&host.session(Moment::Configure, Configuration::default()))
}

const ONE_GOES: [&str; 4] = [
    "n1 as one:",
    "n1 upgrade foo 2",
    "n1 stop bar 1",
    "n1 unload bar 1",
];

#[test]
fn what_is_removed_stops_in_the_set() {
    let host = Host::new(1);
    assert_eq!(one_changes_and_one_goes(&host), Class::Done);
    run(&host, "2 / -");
    let order = host.did.borrow().clone();
    let sorted = |words: &[String]| {
        let mut words = words.to_vec();
        words.sort();
        words
    };
    assert_eq!(sorted(&order), sorted(&ONE_GOES.map(str::to_owned)));
    assert_eq!(order.last().map(String::as_str), Some("n1 unload bar 1"));
    assert_eq!((host.kept("bar"), host.open()), (0, vec![]));
}

#[test]
fn what_is_removed_runs_on_where_the_set_fails() {
    let host = Host::new(1).fails("n1 as one:", Class::RolledBack, Outcome::ScriptFailed);
    assert_eq!(one_changes_and_one_goes(&host), Class::RolledBack);
    run(&host, "1 / 1");
    assert_eq!(host.kept("bar"), 1);
    assert!(host.open().contains(&"bar queued -".to_owned()));
}

#[test]
fn what_is_removed_waits_for_a_restart_with_the_others() {
    let host = Host::new(1).fails("n1 as one:", Class::NoPath, Outcome::NoAppupFound);
    assert_eq!(one_changes_and_one_goes(&host), Class::Done);
    run(&host, "1 / 1");
    told(&host, "bar n1 restart_needed");
    // The node needs it still, and nothing waits for the next end.
    assert_eq!(host.kept("bar"), 1);
    assert!(!host.open().iter().any(|line| line.starts_with("bar")));
}

#[test]
fn nothing_is_stopped_after_a_change_of_which_nobody_knows_the_end() {
    let host = Host::new(1).fails("n1 as one:", Class::Unreachable, Outcome::Lost);
    assert_eq!(one_changes_and_one_goes(&host), Class::Done);
    run(&host, "1 / 1");
    told(&host, "bar: not stopped on n1, which does not say");
    assert!(host.open().contains(&"bar queued -".to_owned()));
}

#[test]
fn nodes_that_know_no_sets_stop_last() {
    let host = Host::new(1).knows_no_sets();
    assert_eq!(one_changes_and_one_goes(&host), Class::Done);
    did(
        &host,
        &["n1 upgrade foo 2", "n1 stop bar 1", "n1 unload bar 1"],
    );
}

#[test]
fn what_is_removed_alone_is_stopped_at_the_end() {
    let host = Host::new(2);
    remove(&host, "bar");
    did(&host, &[]);
    let session = host.session(Moment::Configure, Configuration::default());
    assert_eq!(run_batch(&session), Class::Done);
    assert_eq!((host.runs("bar").as_str(), host.kept("bar")), ("- -", 0));
    assert_eq!(host.open(), Vec::<String>::new());
}

#[test]
fn erlrc_goes_back_and_what_was_stopped_with_the_others_runs_again() {
    let failed = (Class::RolledBack, Outcome::ScriptFailed);
    let host = Host::new(1).fails("n1 downgrade erlrc 0", failed.0, failed.1);
    assert_eq!(
        host.call_with(batch(), Moment::Prepare, ("erlrc", "0")),
        Class::Done
    );
    host.install("erlrc", "0");
    host.delete("erlrc", "1");
    let swap = host.call_with(batch(), Moment::Swap, ("erlrc", "1"));
    assert_eq!(swap, Class::Done);
    assert_eq!(one_changes_and_one_goes(&host), Class::RolledBack);
    run(&host, "1 / 1");
}

#[test]
fn what_was_to_be_removed_and_is_not_runs_on() {
    let host = Host::new(1);
    let call = |moment| host.call_with(batch(), moment, ("bar", "1"));
    assert_eq!(call(Moment::Stop), Class::Done);
    assert_eq!(call(Moment::Resume), Class::Done);
    let session = host.session(Moment::Configure, Configuration::default());
    assert_eq!(run_batch(&session), Class::Done);
    run(&host, "1 / 1");
    assert_eq!((host.kept("bar"), host.open()), (0, vec![]));
}

#[test]
fn before_erlrc_itself_goes_comes_what_waits() {
    let host = Host::new(1);
    let session = || host.session(Moment::Stop, batch());
    let itself = [host.subject("erlrc", "1")];
    assert!(!is_in_the_way(&session(), &itself));
    remove(&host, "bar");
    assert!(is_in_the_way(&session(), &itself));
    assert!(!is_in_the_way(&session(), &[host.subject("foo", "1")]));
}

#[test]
fn under_rpm_what_waits_and_needs_another_is_in_its_way() {
    let host = Host::new(1);
    assert_eq!(unpack(&host, &batch(), "bar"), Class::Done);
    let mut session = host.session(Moment::Stop, Configuration::default());
    session.call.format = Format::Rpm;
    let is_in_the_way_of = |app| is_in_the_way(&session, &[host.subject(app, "1")]);
    assert!(is_in_the_way_of("foo"));
    assert!(!is_in_the_way_of("bar") && !is_in_the_way_of("kernel"));
    // Of several versions that are kept one is enough.
    let lone = host.path("lone/ebin");
    std::fs::create_dir_all(&lone).expect("a directory");
    std::fs::write(lone.join("bar.app"), "{application, bar, [{vsn, \"0\"}]}.").expect("a file");
    let kept = session.stash.keep("bar", "0", &host.path("lone"));
    assert_eq!(kept.map(|kept| kept.vsn).ok().as_deref(), Some("0"));
    assert!(is_in_the_way_of("foo"));
}

#[test]
fn where_no_node_has_an_entry_people_are_told_of_others() {
    let host = Host::new(0);
    assert_eq!(host.call(Moment::Configure, "foo", "1"), Class::Done);
    assert_eq!(*host.told.borrow(), ["foo: a node has no entry"]);
}

#[test]
fn erlrc_itself_is_loaded_as_a_whole_and_not_stopped() {
    let host = Host::new(1);
    assert_eq!(host.call(Moment::Stop, "bar", "1"), Class::Done);
    assert_eq!(host.call(Moment::Stop, "erlrc", "1"), Class::Done);
    assert_eq!(
        (host.runs("bar").as_str(), host.runs("erlrc").as_str()),
        ("-", "1")
    );
    let did = ["n1 stop bar 1", "n1 unload bar 1", "n1 load_modules"];
    assert_eq!(*host.did.borrow(), did);
    assert!(host.told.borrow()[0].starts_with("erlrc: n1 keeps erlrc 1"));
}

#[test]
fn rpm_cannot_take_back_which_people_are_told() {
    let told = |host: &Host| {
        host.install("foo", "2");
        let mut session = host.session(Moment::Swap, Configuration::default());
        session.call.format = Format::Rpm;
        session.perform(&host.subject("foo", "2"), &[]);
        let told = host.told.borrow();
        told.iter()
            .any(|text| text.contains("rpm goes on all the same"))
    };
    let failed = (Class::RolledBack, Outcome::ScriptFailed);
    assert!(told(&Host::new(1).fails(
        "n1 upgrade foo 2",
        failed.0,
        failed.1
    )));
    assert!(!told(&Host::new(1)));
}

#[test]
fn a_shipped_appup_says_which_way_is_up() {
    let host = Host::new(1);
    host.install("foo", "0");
    let file = host.version("foo", "0").dir.join("ebin/foo.appup");
    std::fs::write(file, "{\"0\", [{\"1\", []}], []}.").expect("an appup");
    assert_eq!(host.call(Moment::Swap, "foo", "1"), Class::Done);
    assert_eq!(*host.did.borrow(), ["n1 upgrade foo 0"]);
}

#[test]
fn what_runs_nowhere_is_as_its_package_has_it() {
    let host = Host::new(1);
    host.unregister("bar");
    let session = host.session(Moment::Configure, Configuration::default());
    let reconcile = |vsn| session.reconcile(&atom("bar"), &host.version("bar", vsn));
    assert_eq!(reconcile("1"), (Class::Done, true));
    assert_eq!(host.call(Moment::Stop, "bar", "1"), Class::Done);
    assert_eq!(reconcile("1"), (Class::Done, true));
    assert_eq!(host.runs("bar"), "-");
}

#[test]
fn what_waits_for_a_restart_is_not_as_its_package_has_it() {
    let host = Host::new(1).fails("n1 upgrade foo 2", Class::NoPath, Outcome::NoAppupFound);
    assert_eq!(upgrade(&host), Class::Done);
    let session = host.session(Moment::Configure, Configuration::default());
    let version = host.version("foo", "2");
    assert_eq!(
        session.reconcile(&atom("foo"), &version),
        (Class::Done, false)
    );
}

/// The package of service `s` names these applications.
fn service(host: &Host, applications: &str) {
    let sets = host.path("sets");
    std::fs::create_dir_all(&sets).expect("a directory");
    let text = format!("{{\"s\", \"7\", [{applications}]}}.");
    std::fs::write(sets.join("s"), &text).expect("a set");
    // What dpkg has beside it counts for nothing.
    std::fs::write(sets.join("s.dpkg-tmp"), text.replace("\"2\"", "\"9\"")).expect("a set");
}

fn perform_set(host: &Host, moment: Moment) -> Class {
    host.session(moment, batch()).perform_set("s", "7")
}

#[test]
fn nothing_changes_before_a_set_is_installed_as_a_whole() {
    let host = Host::new(1);
    service(&host, "{foo, \"2\"}, {bar, \"2\"}");
    let end = || run_batch(&host.session(Moment::Configure, Configuration::default()));
    assert_eq!(end(), Class::Done);
    assert!(host.told.borrow().is_empty(), "nothing waits");
    assert_eq!(unpack(&host, &batch(), "foo"), Class::Done);
    assert_eq!(end(), Class::Done);
    did(&host, &[]);
    told(&host, "s: 7 waits, no node changes: bar is 1, not 2; ");
    assert_eq!(perform_set(&host, Moment::Configure), Class::Refused);
    assert_eq!(unpack(&host, &batch(), "bar"), Class::Done);
    assert_eq!(perform_set(&host, Moment::Configure), Class::Done);
    assert_eq!(end(), Class::Done);
    did(&host, &SET);
    told(&host, "s: 7 runs");
}

#[test]
fn a_set_that_waits_for_a_restart_is_not_said_to_run() {
    let host = Host::new(1).fails("n1 upgrade bar 2", Class::NoPath, Outcome::NoAppupFound);
    service(&host, "{foo, \"2\"}, {bar, \"2\"}");
    assert_eq!(both(&host), Class::Done);
    run(&host, "1 / 1");
    assert!(
        !host
            .told
            .borrow()
            .iter()
            .any(|text| text.contains("7 runs"))
    );
}

#[test]
fn when_the_package_of_a_service_goes_what_waited_for_it_is_called() {
    let host = Host::new(1);
    service(&host, "{foo, \"2\"}, {bar, \"2\"}");
    host.trigger_works.set(false);
    assert_eq!(perform_set(&host, Moment::Gone), Class::Done);
    assert!(host.told.borrow().is_empty());
    host.trigger_works.set(true);
    assert_eq!(unpack(&host, &batch(), "foo"), Class::Done);
    host.trigger_works.set(false);
    assert_eq!(perform_set(&host, Moment::Gone), Class::Done);
    told(&host, "dpkg-trigger failed");
}
