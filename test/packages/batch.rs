//! Batch mode: all of a run, or nothing, at its end.

use crate::row::{Row, given};

fn batch() -> Row {
    let row = given("{bank 1.0} {till 1.0 needs=bank}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row
}

#[test]
fn all_is_done_at_the_end_of_the_run() {
    let row = batch();
    let run = row.when("dpkg -i {till 1.1 needs=bank>=1.1} {bank 1.1}");
    let end = run
        .succeeds()
        .text
        .split("Processing triggers for erlrc")
        .nth(1)
        .expect("the end of the run");
    assert_eq!(end.matches("upgraded").count(), 2, "{}", run.text);
    row.then("till", "ii 1.1-1", "1.1");
    row.then("bank", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1");
}

#[test]
fn one_that_fails_leaves_all_as_they_were() {
    let row = batch();
    row.when("dpkg -i {bank 1.1} {till 1.1 code_change=fails}")
        .fails();
    // What dpkg has done cannot be undone any more: the nodes go on with the old versions, out of the stash.
    row.then("till", "ii 1.1-1", "1.0");
    row.then("bank", "ii 1.1-1", "1.0");
    assert_eq!(row.eval("gen_server:call(bank_server, late)"), "\"1.0\"");
    // erlrc's own package is what failed: it is configured, and tries all of it again.
    row.when("dpkg -i {till 1.2}; dpkg --configure -a")
        .succeeds();
    row.then("till", "ii 1.2-1", "1.2");
    row.then("bank", "ii 1.1-1", "1.1");
}
