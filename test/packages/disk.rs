//! A file system is full: each in turn of those that an upgrade writes to.

use crate::row::{Row, given};

/// A node that runs till 1.0 where `directory` is a file system of its own, of so many KiB, without room.
fn full(directory: &str, kibibytes: u32) -> Row {
    let row = given("{till 1.0}");
    row.host.mount(directory, kibibytes);
    fill(&row, directory);
    row
}

fn fill(row: &Row, directory: &str) {
    row.when(&format!(
        "cat /dev/zero >{directory}/fill 2>/dev/null; for n in $(seq 20); do mkdir {directory}/.fill-$n; done"
    ));
}

fn free(row: &Row, directory: &str) {
    row.when(&format!("rm -r {directory}/fill {directory}/.fill-*"))
        .succeeds();
}

/// Nothing half done is found when there is room again.
fn nothing_is_left(row: &Row) {
    row.when("erlrc doctor --yes").succeeds();
    row.when("erlrc doctor --yes").succeeds().says("all well: ");
    row.when("erlrc history").succeeds().does_not_say("corrupt");
}

#[test]
fn no_room_for_the_journal() {
    let row = full("/var/lib/erlrc", 16);
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .says("No space left on device")
        .says("Upgrading 'till': (shop@host) upgraded\n");
    row.then("till", "ii 1.1-1", "1.1");
    row.when("dpkg -i {till 1.0}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
    free(&row, "/var/lib/erlrc");
    nothing_is_left(&row);
}

#[test]
fn no_room_for_the_stash() {
    let row = full("/usr/lib/erlrc/stash", 16);
    row.when("dpkg -i {till 1.1}")
        .succeeds()
        .says("erlrc-maint: till: not kept for later: ")
        .says("No space left on device")
        .says("Upgrading 'till': (shop@host) upgraded\n");
    row.then("till", "ii 1.1-1", "1.1");
    row.when("ls /usr/lib/erlrc/stash").does_not_say("till");
    // What cannot be hot goes on with what is loaded.
    row.when("dpkg -i {till 1.2 appup=restart_new_emulator}")
        .succeeds();
    row.then("till", "ii 1.2-1", "1.1");
    assert_eq!(row.eval("gen_server:call(till_server, late)"), "\"1.1\"");
    row.lost_nothing("till", "1.0 1.1");
    free(&row, "/usr/lib/erlrc/stash");
}

#[test]
fn no_room_for_the_application() {
    let directory = "/usr/lib/erlang/lib/till-1.1";
    let row = given("{till 1.0}");
    row.when(&format!("mkdir {directory}")).succeeds();
    row.host.mount(directory, 4);
    row.when("dpkg -i {till 1.1}")
        .fails()
        .says("No space left on device");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
    row.host.unmount(directory);
    nothing_is_left(&row);
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}
