//! What is found, and what can be done about it.

use super::*;
use crate::maint::{Record, State, Subject};

fn atom(name: &str) -> Atom {
    Atom::new(name).expect("a name")
}

fn version(vsn: &str) -> Version {
    let dir = PathBuf::from(format!("/lib/foo-{vsn}"));
    Version {
        vsn: vsn.to_owned(),
        dir,
    }
}

/// 2.0 is installed.
fn host() -> Checkup {
    let package = Package {
        application: atom("foo"),
        version: version("2.0"),
        complete: true,
    };
    Checkup {
        packages: vec![package],
        ..Checkup::default()
    }
}

fn runs(mut checkup: Checkup, vsn: &str) -> Checkup {
    let node = NodeName::parse("n1").expect("a name");
    checkup
        .nodes
        .insert(node, BTreeMap::from([(atom("foo"), vsn.to_owned())]));
    checkup
}

fn keeps(mut checkup: Checkup, vsn: &str) -> Checkup {
    let dir = PathBuf::from(format!("/stash/foo-{vsn}"));
    let version = version(vsn);
    checkup.stash.push((atom("foo"), Stashed { version, dir }));
    checkup
}

fn noted(mut checkup: Checkup, state: State, vsn: &str) -> Checkup {
    checkup.journal.note(Record {
        time: "2026-01-01T00:00:00Z".to_owned(),
        script: "deb postrm upgrade".to_owned(),
        state,
        application: "foo".to_owned(),
        node: Some("n1".to_owned()),
        from: None,
        to: Some(Subject::from(&version(vsn))),
        reason: None,
        needs: BTreeMap::new(),
    });
    checkup
}

fn orphan(mut checkup: Checkup, vsn: &str, owned: Option<bool>) -> Checkup {
    checkup.directories.push(Directory {
        application: atom("foo"),
        dir: version(vsn).dir,
        content: Content::Application,
        vsn: Some(vsn.to_owned()),
        owned,
        packaged: true,
    });
    checkup
}

#[track_caller]
fn case(checkup: &Checkup, expected: &[(&str, Option<Repair>)]) {
    let found = checkup.findings();
    let found: Vec<(&str, Option<Repair>)> = found
        .into_iter()
        .map(|finding| (finding.kind, finding.repair))
        .collect();
    assert_eq!(found, expected);
}

fn discard(vsn: &str) -> Option<Repair> {
    Some(Repair::Discard(format!("/stash/foo-{vsn}").into()))
}

#[test]
fn a_sound_host_has_nothing() {
    case(&host(), &[]);
    case(&runs(host(), "2.0"), &[]);
}

#[test]
fn a_node_that_runs_another_version_is_brought_to_it_unless_it_waits() {
    let behind = keeps(runs(host(), "1.0"), "1.0");
    case(
        &behind,
        &[("version_mismatch", Some(Repair::Reconcile(atom("foo"))))],
    );
    case(
        &noted(behind, State::Pending, "2.0"),
        &[("restart_needed", None)],
    );
}

#[test]
fn what_was_interrupted_is_brought_to_its_end() {
    let between = |vsn| noted(runs(host(), vsn), State::Swapping, "2.0");
    case(
        &between("2.0"),
        &[("interrupted", Some(Repair::Close(atom("foo"))))],
    );
    let reconcile = || Some(Repair::Reconcile(atom("foo")));
    let both = [
        ("version_mismatch", reconcile()),
        ("interrupted", reconcile()),
    ];
    case(&between("1.0"), &both);
}

#[test]
fn what_nobody_runs_need_not_be_kept() {
    case(
        &keeps(runs(host(), "2.0"), "1.0"),
        &[("stale_stash", discard("1.0"))],
    );
    case(
        &keeps(runs(host(), "2.0"), "2.0"),
        &[("stale_stash", discard("2.0"))],
    );
    let mut unknown = keeps(host(), "1.0");
    let node = NodeName::parse("n2").expect("a name");
    let silence = Silence {
        outcome: "hung".to_owned(),
        reason: "hung".to_owned(),
    };
    unknown.unknown.insert(node, silence);
    case(&unknown, &[("unreachable_node", None)]);
}

#[test]
fn only_what_an_upgrade_of_ours_left_is_removed() {
    let remove = Some(Repair::Remove("/lib/foo-3.0".into()));
    let named = |owned| orphan(noted(host(), State::Swapped, "3.0"), "3.0", owned);
    let closed = ("journal_open", Some(Repair::Close(atom("foo"))));
    case(
        &named(Some(false)),
        &[("orphan_directory", remove), closed.clone()],
    );
    case(
        &named(Some(true)),
        &[("orphan_directory", None), closed.clone()],
    );
    case(&named(None), &[("orphan_directory", None), closed]);
    case(
        &orphan(host(), "3.0", Some(false)),
        &[("orphan_directory", None)],
    );
}
