//! Batch mode: all of a run, or nothing, at its end.

use crate::host::Run;
use crate::row::{Row, given};

fn batch() -> Row {
    let row = given("{bank 1.0} {till 1.0 needs=bank}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row
}

/// What dpkg does after all packages are configured.
#[track_caller]
fn end(run: &Run) -> &str {
    let text = run.succeeds().text.as_str();
    let mut parts = text.split("Processing triggers for erlrc");
    parts.nth(1).expect("the end of the run")
}

#[test]
fn all_is_done_as_one_at_the_end_of_the_run() {
    let row = batch();
    row.observe();
    let run = row.when("dpkg -i {till 1.1 needs=bank>=1.1} {bank 1.1}");
    assert!(
        end(&run).contains("erlrc-upgrade: Upgrading 'bank till': (shop@host) changed\n"),
        "{}",
        run.text
    );
    row.then("till", "ii 1.1-1", "1.1");
    row.then("bank", "ii 1.1-1", "1.1");
    row.nobody_saw_a_mixture();
    row.lost_nothing("till", "1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1");
}

#[test]
fn what_is_new_comes_with_what_changes_and_what_goes_is_stopped_before() {
    let row = given("{bank 1.0} {till 1.0 needs=bank} {desk 1.0}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row.observe();
    let run = row.when(
        "dpkg -i {till 1.1 needs=bank} {shelf 1.0 conflicts=erlang-desk replaces=erlang-desk} {bank 1.1}",
    );
    run.says("Stopping 'desk': (shop@host) stopped\n");
    assert!(
        end(&run).contains("erlrc-change: Changing 'bank till shelf': (shop@host) changed\n")
            || end(&run)
                .contains("erlrc-change: Changing 'bank shelf till': (shop@host) changed\n"),
        "{}",
        run.text
    );
    row.then("desk", "ic 1.0-1", "none");
    row.then("shelf", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.1-1", "1.1");
    row.nobody_saw_a_mixture();
    row.lost_nothing("till", "1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1");
}

#[test]
fn one_that_fails_leaves_all_as_they_were() {
    let row = batch();
    row.when("dpkg -i {bank 1.1} {till 1.1 code_change=fails} {desk 1.0}")
        .fails()
        .says(
            "erlrc-maint: till: shop@host refuses it alone as well; alone would go: bank, desk\n",
        );
    row.then("desk", "ii 1.0-1", "none");
    // What dpkg has done cannot be undone any more: the nodes go on with the old versions, out of the stash.
    row.then("till", "ii 1.1-1", "1.0");
    row.then("bank", "ii 1.1-1", "1.0");
    assert_eq!(row.eval("gen_server:call(bank_server, late)"), "\"1.0\"");
    // erlrc's own package is what failed: it is configured, and tries all of it again.
    row.when("dpkg -i {till 1.2}; dpkg --configure -a")
        .succeeds();
    row.then("till", "ii 1.2-1", "1.2");
    row.then("bank", "ii 1.1-1", "1.1");
    row.then("desk", "ii 1.0-1", "1.0");
}
