//! Batch mode: all of a run, or nothing, at its end.

use crate::crash::kill_at_the_block;
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
fn what_is_new_and_what_goes_change_with_the_others() {
    let row = given("{bank 1.0} {till 1.0 needs=bank} {desk 1.0}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row.observe();
    let run = row.when(
        "dpkg -i {till 1.1 needs=bank} {shelf 1.0 conflicts=erlang-desk replaces=erlang-desk} {bank 1.1}",
    );
    run.does_not_say("Stopping");
    let end = end(&run);
    assert_eq!(end.matches("erlrc-").count(), 1, "{}", run.text);
    let line = end.lines().find(|line| line.starts_with("erlrc-change: "));
    let names = line.and_then(|line| {
        line.strip_prefix("erlrc-change: Changing '")?
            .strip_suffix("': (shop@host) changed")
    });
    let mut names: Vec<&str> = names.unwrap_or_default().split(' ').collect();
    names.sort_unstable();
    assert_eq!(names, ["bank", "desk", "shelf", "till"], "{}", run.text);
    row.then("desk", "ic 1.0-1", "none");
    gone(&row, "desk");
    row.then("shelf", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.1-1", "1.1");
    row.nobody_saw_a_mixture();
    row.lost_nothing("till", "1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1");
}

/// Nothing is left of it, neither in the node nor on the disk.
#[track_caller]
fn gone(row: &Row, app: &str) {
    let known = format!(
        "{{code:lib_dir({app}), code:is_loaded({app}_server), lists:keymember({app}, 1, application:loaded_applications())}}"
    );
    assert_eq!(row.eval(&known), "{{error,bad_name},false,false}");
    row.when("ls -A /usr/lib/erlrc/stash")
        .does_not_say(&format!("{app}-"));
    let left = row.when("erlrc maint deb trigger");
    assert_eq!(left.succeeds().text, "");
}

#[test]
fn what_is_removed_alone_is_stopped_at_the_end_of_its_run() {
    let row = batch();
    let run = row.when("dpkg -r erlang-till");
    assert!(
        end(&run).contains("erlrc-stop: Stopping 'till': (shop@host) stopped\n"),
        "{}",
        run.text
    );
    row.then("till", "rc 1.0-1", "none");
    row.then("bank", "ii 1.0-1", "1.0");
    gone(&row, "till");
    row.lost_nothing("bank", "1.0");
}

#[test]
fn what_is_removed_runs_on_when_the_others_fail_and_stops_when_they_do_not() {
    let row = given("{bank 1.0} {till 1.0 needs=bank} {desk 1.0}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    let packages =
        "{till 1.1 code_change=fails} {shelf 1.0 conflicts=erlang-desk replaces=erlang-desk}";
    row.when(&format!("dpkg -i --auto-deconfigure {packages}"))
        .fails()
        .says("alone would go: ");
    row.then("till", "ii 1.1-1", "1.0");
    row.then("desk", "ic 1.0-1", "1.0");
    row.then("shelf", "ii 1.0-1", "none");
    // Its files are gone: what it has not loaded yet is there all the same.
    assert_eq!(row.eval("gen_server:call(desk_server, late)"), "\"1.0\"");
    row.when("dpkg -i {till 1.2}; dpkg --configure -a")
        .succeeds();
    row.then("till", "ii 1.2-1", "1.2");
    row.then("desk", "ic 1.0-1", "none");
    row.then("shelf", "ii 1.0-1", "1.0");
    row.lost_nothing("bank", "1.0");
    row.lost_nothing("till", "1.0 1.2");
    gone(&row, "desk");
}

#[test]
fn a_run_that_is_killed_after_a_removal_is_ended_by_the_next() {
    let row = given("{bank 1.0} {till 1.0 needs=bank} {desk 1.0 block=postrm:remove}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    kill_at_the_block(&row, "dpkg -r erlang-desk");
    assert_eq!(row.eval("gen_server:call(desk_server, late)"), "\"1.0\"");
    row.when("erlrc status")
        .says("desk 1.0: is removed, and stopped at the end of the package manager's run");
    row.when("dpkg -r erlang-desk; dpkg --configure -a")
        .succeeds();
    row.then("desk", "rc 1.0-1", "none");
    gone(&row, "desk");
    row.lost_nothing("bank", "1.0");
}

#[test]
fn what_waits_is_done_before_erlrc_itself_is_removed() {
    let row = batch();
    row.when("apt-get remove -y erlang-till erlrc")
        .succeeds()
        .says("Stopping 'till': (shop@host) stopped\n");
    row.host.has("till", "rc 1.0-1");
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
