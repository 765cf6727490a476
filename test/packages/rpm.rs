//! The same by rpm, which never unwinds. Its database is empty: dependencies are not looked at.

use crate::row::{Row, given};

/// A node that runs what rpm has installed, and clients.
fn given_rpm(packages: &str) -> Row {
    let row = given("");
    row.when(&format!("rpm -i --nodeps {packages}")).succeeds();
    row.talk("till");
    row
}

impl Row {
    /// Asserts the versions that rpm knows, and the one that runs.
    #[track_caller]
    fn then_rpm(&self, app: &str, packages: &str, running: &str) {
        let known = self
            .when(&format!("rpm -q --qf '%{{VERSION}} ' erlang-{app} || true"))
            .out;
        assert_eq!(known.trim(), packages);
        self.host.runs(&self.node, app, running);
    }
}

#[test]
fn install_starts() {
    let row = given("");
    row.when("rpm -i --nodeps {rpm till 1.0}")
        .succeeds()
        .says("erlrc-start: Starting 'till': (shop@host) started\n");
    row.then_rpm("till", "1.0", "1.0");
}

#[test]
fn upgrade_is_hot() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U --nodeps {rpm till 1.1}")
        .succeeds()
        .says("Upgrading 'till': (shop@host) upgraded\n");
    row.then_rpm("till", "1.1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
    row.when("ls /usr/lib/erlang/lib").does_not_say("till-1.0");
}

#[test]
fn downgrade_is_hot() {
    let row = given_rpm("{rpm till 1.1}");
    row.when("rpm -U --nodeps --oldpackage {rpm till 1.0}")
        .succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.1 1.0");
}

#[test]
fn reinstall_changes_nothing() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U --nodeps --replacepkgs {rpm till 1.0}")
        .succeeds();
    row.then_rpm("till", "1.0", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_revision_reloads_what_differs() {
    let row = given_rpm("{rpm till 1.0}");
    row.when("rpm -U --nodeps {rpm till 1.0 rev=2}").succeeds();
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
    row.when("rpm -U --nodeps {rpm till 1.1 code_change=fails}")
        .says("till");
    row.then_rpm("till", "1.1", "1.0");
    row.lost_nothing("till", "1.0");
    row.when("erlrc status").says("1.0");
    // The next one mends it.
    row.when("rpm -U --nodeps {rpm till 1.2}").succeeds();
    row.then_rpm("till", "1.2", "1.2");
}

#[test]
fn two_in_one_run() {
    let row = given_rpm("{rpm bank 1.0} {rpm till 1.0 needs=bank}");
    row.talk("bank");
    row.when("rpm -U --nodeps {rpm till 1.1 needs=bank>=1.1} {rpm bank 1.1}")
        .succeeds();
    row.then_rpm("bank", "1.1", "1.1");
    row.then_rpm("till", "1.1", "1.1");
    row.lost_nothing("bank", "1.0 1.1");
    row.lost_nothing("till", "1.0 1.1");
}
