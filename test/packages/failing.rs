//! Each script fails in turn, and the swap itself. `break=SCRIPT:ARGUMENT` is a further part of that script, after erlrc's.

use crate::host::Node;
use crate::row::{Row, given};

/// An upgrade from `{till 1.0 OLD}` to `{till 1.1 NEW}`.
fn upgrade(old: &str, new: &str) -> Row {
    let row = given(&format!("{{till 1.0 {old}}}"));
    row.when(&format!("dpkg -i {{till 1.1 {new}}}"));
    row
}

#[test]
fn old_prerm_fails() {
    let row = upgrade("break=prerm:upgrade", "rev=1");
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1-1");
}

#[test]
fn old_prerm_and_new_prerm_fail() {
    let row = upgrade("break=prerm:upgrade", "break=prerm:failed-upgrade");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn new_preinst_fails() {
    let row = upgrade("rev=1", "break=preinst:upgrade");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0-1");
}

#[test]
fn new_preinst_and_new_postrm_abort_fail() {
    let row = upgrade("rev=1", "break=preinst:upgrade break=postrm:abort-upgrade");
    row.then("till", "iHR 1.0-1", "1.0");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0-1 1.1");
}

#[test]
fn new_preinst_and_old_postinst_abort_fail() {
    let row = upgrade("break=postinst:abort-upgrade", "break=preinst:upgrade");
    row.then("till", "iU 1.0-1", "1.0");
    row.when("dpkg --configure -a").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn old_postrm_fails_after_the_swap() {
    let row = upgrade("break=postrm:upgrade", "rev=1");
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1-1");
}

#[test]
fn old_postrm_and_new_postrm_fail_after_the_swap() {
    let row = upgrade("break=postrm:upgrade", "break=postrm:failed-upgrade");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0 1.1 1.0");
    row.when("ls /usr/lib/erlang/lib /usr/lib/erlrc/stash")
        .does_not_say("till-1.1");
}

#[test]
fn the_whole_way_back_fails() {
    let row = upgrade(
        "break=postrm:upgrade break=preinst:abort-upgrade",
        "break=postrm:failed-upgrade",
    );
    row.then("till", "iHR 1.0-1", "1.0");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1 1.0 1.1");
}

#[test]
fn new_postinst_fails() {
    let row = upgrade("rev=1", "break=postinst:configure");
    row.then("till", "iF 1.1-1", "1.1");
    row.when("dpkg --configure -a").fails();
    row.when("dpkg -i {till 1.0 rev=1}").succeeds();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0-1 1.1 1.0-1");
}

#[test]
fn preinst_of_an_install_fails() {
    let row = given("");
    row.when("dpkg -i {till 1.0 break=preinst:install}").fails();
    row.then("till", "", "none");
}

#[test]
fn postinst_of_an_install_fails() {
    let row = given("");
    row.when("dpkg -i {till 1.0 break=postinst:configure}")
        .fails();
    row.then("till", "iF 1.0-1", "1.0");
    row.when("dpkg -P erlang-till").succeeds();
    row.then("till", "", "none");
}

#[test]
fn prerm_of_a_removal_fails() {
    let row = given("{till 1.0 break=prerm:remove}");
    row.when("dpkg -r erlang-till").fails();
    row.then("till", "ri 1.0-1", "1.0");
}

#[test]
fn postrm_of_a_removal_fails() {
    let row = given("{till 1.0 break=postrm:remove}");
    row.when("dpkg -r erlang-till").fails();
    row.then("till", "rH 1.0-1", "none");
}

#[test]
fn preinst_of_a_conflicting_package_fails() {
    let row = given("{till 1.0}");
    let conflicts = "conflicts=erlang-till replaces=erlang-till";
    row.when(&format!(
        "dpkg -i {{desk 1.0 {conflicts} break=preinst:install}}"
    ))
    .fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.then("desk", "", "none");
}

#[test]
fn the_swap_fails() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.1 code_change=fails}")
        .fails()
        .says("'till': (shop@host)");
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
    row.when("dpkg -i {till 1.1}").succeeds();
    row.then("till", "ii 1.1-1", "1.1");
}

/// A node that runs `till` 1.0, and a second one; the nodes are asked in the order of their names.
fn two_nodes(row: &Row) -> Node {
    let second = row.host.start("shop2");
    row.host.talk(&second, "till");
    second
}

#[test]
fn the_swap_would_fail_on_the_second_of_two_nodes() {
    let row = given("{till 1.0}");
    let second = two_nodes(&row);
    row.when("dpkg -i {till 1.1 code_change=shop2}").fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.host.runs(&second, "till", "1.0");
    row.host.lost_nothing(&second, "till", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn the_swap_fails_on_the_second_of_two_nodes() {
    let row = given("{till 1.0}");
    let second = two_nodes(&row);
    for node in ["shop", "shop2"] {
        let set = format!("erlrc eval {node} 'application:set_env(erlrc, preflight, off)'");
        row.when(&set).succeeds();
    }
    row.when("dpkg -i {till 1.1 code_change=shop2}").fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.host.runs(&second, "till", "1.0");
    row.host.lost_nothing(&second, "till", "1.0");
    // dpkg tries the new version's script after the old one's.
    row.lost_nothing("till", "1.0 1.1 1.0 1.1 1.0");
}

#[test]
fn a_truncated_package_fails() {
    let row = given("{till 1.0}");
    row.when("head -c 3000 {till 1.1} >/tmp/short.deb && dpkg -i /tmp/short.deb")
        .fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn a_file_of_another_package_fails() {
    let row = given("{till 1.0}");
    row.when("dpkg -i {till 1.1 owns=/usr/bin/dpkg}").fails();
    row.then("till", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
}
