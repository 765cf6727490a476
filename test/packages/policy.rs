//! Upgrades that cannot be hot, batch mode, and the veto before anything changes.

use crate::row::{Row, given};

const COLD: &str = "{till 1.1 appup=restart_new_emulator}";

/// A node that runs till 1.0, with this policy.
fn under(policy: &str) -> Row {
    let row = given("{till 1.0}");
    row.when(&format!(
        "echo '{{upgrade_policy, [{policy}]}}.' >/etc/erlrc.d/applications/till"
    ))
    .succeeds();
    row
}

#[test]
fn deferred_by_default() {
    let row = given("{till 1.0}");
    row.when(&format!("dpkg -i {COLD}")).succeeds();
    row.then("till", "ii 1.1-1", "1.0");
    row.when("erlrc status").says("restart needed");
    // Its directory is gone; what was not loaded until now is there all the same.
    assert_eq!(row.eval("gen_server:call(till_server, late)"), "\"1.0\"");
    row.lost_nothing("till", "1.0");
}

#[test]
fn restarted_where_the_policy_allows() {
    let row = under("hot, restart_application");
    row.when(&format!("dpkg -i --force-confold {COLD}"))
        .succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}

#[test]
fn refused_where_it_must_be_hot() {
    let row = under("hot");
    row.when(&format!("dpkg -i --force-confold {COLD}")).fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_module_that_was_not_called_yet_is_there_after_the_upgrade() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.1}").succeeds();
    assert_eq!(row.eval("gen_server:call(till_server, late)"), "\"1.1\"");
    row.lost_nothing("till", "1.0 1.1");
}
