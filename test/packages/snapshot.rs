//! Snapshots: the package state of a host kept, and restored under a node that runs.

use crate::host::Run;
use crate::row::{Row, given};

/// A node that runs bank and till, 1.0, of which snapshot `before` is there; then 1.1, with desk beside them.
fn upgraded(bank: &str) -> Row {
    let row = given(&format!("{bank} {{till 1.0 needs=bank}}"));
    row.host.cache(&format!(
        "/srv/packages/erlrc_*.deb {bank} {{till 1.0 needs=bank}}"
    ));
    row.when("erlrc snapshot create before --strict")
        .succeeds()
        .says("before: made, ")
        .says(" recorded, 3 package files kept, ");
    let new = "{bank 1.1} {till 1.1 needs=bank>=1.1} {desk 1.0}";
    row.host.cache(new);
    row.when(&format!("ERLRC_BATCH=1 apt-get install -y {new}"))
        .succeeds();
    row
}

/// The snapshot that leads back.
fn way_back(run: &Run) -> String {
    let mut words = run.text.split_whitespace();
    let tag = words.find(|word| word.starts_with("before-20"));
    tag.expect("a tag").to_owned()
}

fn state(row: &Row) -> String {
    row.when("dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'; cat /var/log/dpkg.log; apt-mark showauto")
        .succeeds()
        .out
        .clone()
}

#[test]
fn a_snapshot_is_restored_hot_and_without_a_repository() {
    let row = upgraded("{bank 1.0}");
    row.observe();
    row.when("apt-mark auto erlang-till && apt-mark hold erlang-bank")
        .succeeds();
    row.when("erlrc snapshot create after --strict && rm /var/cache/apt/archives/*.deb")
        .succeeds();
    let differs = row.when("erlrc snapshot diff before");
    assert_eq!(
        differs.succeeds().out,
        "PACKAGE      CHANGE    before           NOW\n\
         erlang-bank  upgraded  1.0-1, not held  1.1-1, held\n\
         erlang-desk  added     -                1.0-1\n\
         erlang-till  upgraded  1.0-1, manual    1.1-1, automatic\n"
    );
    let now = state(&row);
    row.when("erlrc snapshot restore -n before")
        .succeeds()
        .says("erlang-desk  removed     1.0-1")
        .says("before: 3 packages would change, nothing was changed\n");
    assert_eq!(state(&row), now);
    let run = row.when("erlrc snapshot restore before");
    run.succeeds()
        .says("before: restored, 3 packages changed\n")
        .says("changed\n");
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "ii 1.0-1", "1.0");
    row.then("desk", "rc 1.0-1", "none");
    row.when("erlrc snapshot diff before")
        .succeeds()
        .says("nothing differs in ");
    row.nobody_saw_a_mixture();
    row.when("erlrc snapshot restore before")
        .succeeds()
        .says("nothing to do");
    row.when(&format!("erlrc snapshot restore {}", way_back(&run)))
        .succeeds();
    row.then("bank", "hi 1.1-1", "1.1");
    row.then("till", "ii 1.1-1", "1.1");
    row.then("desk", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0 1.1 1.0 1.1");
    row.lost_nothing("bank", "1.0 1.1 1.0 1.1");
    row.when("erlrc doctor").succeeds().says("all well: ");
}

#[test]
fn a_restore_that_fails_names_the_way_back() {
    let row = upgraded("{bank 1.0 break=preinst:upgrade}");
    let run = row.when("erlrc snapshot restore before");
    run.fails()
        .says("erlrc: before was not restored")
        .says("erlang-bank is 1.1-1 and not 1.0-1")
        .says(" goes back\n");
    row.when(&format!("erlrc snapshot restore {}", way_back(&run)))
        .succeeds();
    row.then("bank", "ii 1.1-1", "1.1");
    row.then("till", "ii 1.1-1", "1.1");
    row.then("desk", "ii 1.0-1", "1.0");
    row.when("dpkg --audit").succeeds().does_not_say("erl");
    row.lost_nothing("bank", "1.0 1.1");
}

#[test]
fn what_is_not_there_is_named_before_anything_begins() {
    let row = upgraded("{bank 1.0}");
    let now = state(&row);
    row.when("printf x >>/var/lib/erlrc/snapshots/before/debs/erlang-bank_1.0-1_all.deb")
        .succeeds();
    row.when("erlrc snapshot restore before")
        .fails()
        .says("the package file of erlang-bank 1.0-1 is not what was kept");
    row.when("rm /var/lib/erlrc/snapshots/before/debs/erlang-bank_1.0-1_all.deb")
        .succeeds();
    row.when("erlrc snapshot restore before")
        .fails()
        .says("the package file of erlang-bank 1.0-1 cannot be read: ");
    assert_eq!(state(&row), now);
}

#[test]
fn no_room_for_a_snapshot_leaves_nothing() {
    let row = given("{till 1.0}");
    row.host.cache("/srv/packages/erlrc_*.deb {till 1.0}");
    row.host.mount("/var/lib/erlrc", 256);
    row.when("erlrc snapshot create")
        .fails()
        .says("No space left on device")
        .says("nothing was left behind");
    row.when("find /var/lib/erlrc/snapshots -type f -size +0")
        .succeeds()
        .does_not_say("/");
    row.host.unmount("/var/lib/erlrc");
    row.when("erlrc snapshot create --strict").succeeds();
}

#[test]
fn another_package_of_that_name_in_the_cache_is_not_taken() {
    let row = upgraded("{bank 1.0}");
    let cached = "/var/cache/apt/archives/erlang-bank_1.0-1_all.deb";
    row.when(&format!("cp {{bank 1.0 file=/usr/share/another}} {cached}"))
        .succeeds();
    row.when("erlrc snapshot restore before").succeeds();
    row.then("bank", "ii 1.0-1", "1.0");
    row.when("test -e /usr/share/another").fails();
    row.when(&format!("test -e {cached}")).succeeds();
    row.lost_nothing("bank", "1.0 1.1 1.0");
}
