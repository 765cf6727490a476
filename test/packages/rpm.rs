//! The same by rpm, which never unwinds, with erlrc as rpm. Dependencies are checked.

use crate::row::given_rpm;

#[test]
fn install_starts() {
    let row = given_rpm("");
    row.when("rpm -i {rpm till 1.0}")
        .succeeds()
        .says("erlrc-start: Starting 'till': (shop@host) started\n");
    row.then_rpm("till", "1.0", "1.0");
}

#[test]
fn upgrade_is_hot() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U {rpm till 1.1}")
        .succeeds()
        .says("Upgrading 'till': (shop@host) upgraded\n");
    row.then_rpm("till", "1.1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.when("ls /usr/lib/erlang/lib").does_not_say("till-1.0");
}

#[test]
fn downgrade_is_hot() {
    let row = given_rpm("{rpm till 1.1}");
    row.when("rpm -U --oldpackage {rpm till 1.0}").succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.1 1.0");
}

#[test]
fn reinstall_changes_nothing() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U --replacepkgs {rpm till 1.0}").succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_revision_reloads_what_differs() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U {rpm till 1.0 rev=2}").succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.0 1.0-2");
}

#[test]
fn erase_stops() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -e erlang-till")
        .succeeds()
        .says("Stopping 'till': (shop@host) stopped\n");
    row.then_rpm("till", "package erlang-till is not installed", "none");
    row.when("test -e /etc/erlrc.d/applications/till").fails();
}

#[test]
fn a_swap_that_fails_leaves_the_node_and_says_so() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U {rpm till 1.1 code_change=fails}")
        .says("till");
    row.then_rpm("till", "1.1", "1.0");
    row.lost_nothing("till", "1.0");
    row.when("erlrc status").says("1.0");
    // The next one mends it.
    row.when("rpm -U {rpm till 1.2}").succeeds();
    row.then_rpm("till", "1.2", "1.2");
}

#[test]
fn two_in_one_run() {
    let row = given_rpm("{rpm bank 1.0} {rpm till 1.0 needs=bank}");
    row.when("rpm -U {rpm till 1.1 needs=bank>=1.1} {rpm bank 1.1}")
        .succeeds();
    row.then_rpm("bank", "1.1", "1.1");
    row.then_rpm("till", "1.1", "1.1");
    row.lost_nothing("bank", "1.0 1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn what_is_needed_must_be_there() {
    let row = given_rpm("");
    row.when("rpm -i {rpm till 1.0 needs=bank}")
        .fails()
        .says("erlang-bank is needed by erlang-till");
    row.when("rpm -i {rpm till 1.0 needs=bank} {rpm bank 1.0}")
        .succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.when("rpm -e erlang-bank")
        .fails()
        .says("erlang-bank is needed by (installed) erlang-till");
    row.then_rpm("bank", "1.0", "1.0");
    row.when("rpm -e erlang-till erlang-bank").succeeds();
    row.then_rpm("bank", "package erlang-bank is not installed", "none");
    row.when("rpm -e erlrc").succeeds();
}

#[test]
fn what_emulators_are_made_of_is_replaced_under_a_node() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -i {rpm desk 1.0 file=/usr/lib/erlang/erts-14/bin/beam.smp}")
        .succeeds();
    row.when("erlrc status")
        .says("restart needed")
        .says("erlang-desk was replaced at ");
    row.lost_nothing("till", "1.0");
}

#[test]
fn in_batch_mode_all_is_done_at_the_end_of_the_transaction() {
    let row = given_rpm("{rpm bank 1.0} {rpm till 1.0 needs=bank}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row.observe();
    row.when("rpm -Uv {rpm till 1.1 needs=bank>=1.1} {rpm bank 1.1} {rpm desk 1.0}")
        .succeeds()
        .says("erlrc-change: Changing 'bank desk till': (shop@host) changed\n");
    row.nobody_saw_a_mixture();
    row.then_rpm("desk", "1.0", "1.0");
    row.then_rpm("till", "1.1", "1.1");
    row.then_rpm("bank", "1.1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1");
    row.when("erlrc doctor --yes").succeeds().says("all well: ");
}

#[test]
fn in_batch_mode_one_that_fails_leaves_all_as_they_were() {
    let row = given_rpm("{rpm bank 1.0} {rpm till 1.0 needs=bank}");
    row.when("echo '{batch, true}.' >/etc/erlrc.d/erlrc.conf")
        .succeeds();
    row.when("rpm -U {rpm bank 1.1} {rpm till 1.1 code_change=fails}")
        .says("till");
    row.then_rpm("till", "1.1", "1.0");
    row.then_rpm("bank", "1.1", "1.0");
    assert_eq!(row.eval("gen_server:call(bank_server, late)"), "\"1.0\"");
    // The next transaction tries all of it again.
    row.when("rpm -U {rpm till 1.2}").succeeds();
    row.then_rpm("till", "1.2", "1.2");
    row.then_rpm("bank", "1.1", "1.1");
}
