//! Several applications in one run.

use crate::row::{Row, given};

const BOTH: &str = "{bank 1.0} {till 1.0 needs=bank}";

fn both_are_new(row: &Row) {
    row.then("bank", "ii 1.1-1", "1.1");
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("bank", "1.0 1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn what_is_needed_comes_first() {
    let row = given(BOTH);
    row.when("dpkg -i {bank 1.1} {till 1.1 needs=bank>=1.1}")
        .succeeds();
    both_are_new(&row);
}

#[test]
fn what_is_needed_comes_last() {
    let row = given(BOTH);
    row.when("dpkg -i {till 1.1 needs=bank>=1.1} {bank 1.1}")
        .succeeds();
    both_are_new(&row);
}

#[test]
fn what_is_needed_fails() {
    let row = given(BOTH);
    row.when("dpkg -i {bank 1.1 code_change=fails} {till 1.1 needs=bank>=1.1}")
        .fails();
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "iU 1.1-1", "1.0");
    row.lost_nothing("bank", "1.0");
    row.when("dpkg -i {bank 1.1} && dpkg --configure -a")
        .succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn what_is_needed_fails_after_the_other_was_unpacked() {
    let row = given(BOTH);
    row.when("dpkg -i {till 1.1 needs=bank>=1.1} {bank 1.1 code_change=fails}")
        .fails();
    row.then("bank", "ii 1.0-1", "1.0");
    row.then("till", "iU 1.1-1", "1.0");
    row.lost_nothing("bank", "1.0");
    row.lost_nothing("till", "1.0");
}

#[test]
fn an_application_takes_in_another() {
    let row = given("{bank 1.0} {till 1.0}");
    row.when("dpkg -i {bank 1.1} {till 1.1 includes=bank}")
        .succeeds();
    row.then("till", "ii 1.1-1", "1.1");
    // It is a part of the other now.
    row.then("bank", "ii 1.1-1", "none");
    row.lost_nothing("till", "1.0 1.1");
}

#[test]
fn both_are_removed() {
    let row = given(BOTH);
    row.when("dpkg -r erlang-bank").fails();
    row.then("bank", "ri 1.0-1", "1.0");
    row.when("dpkg -r erlang-bank erlang-till").succeeds();
    row.then("bank", "rc 1.0-1", "none");
    row.then("till", "rc 1.0-1", "none");
}

#[test]
fn a_conflict_stops_what_needs_the_victim_first() {
    let row = given(BOTH);
    let conflicts = "conflicts=erlang-bank replaces=erlang-bank";
    row.when(&format!(
        "dpkg -i --auto-deconfigure {{desk 1.0 {conflicts}}}"
    ));
    row.then("till", "iF 1.0-1", "none");
    row.then("bank", "ic 1.0-1", "none");
    row.then("desk", "ii 1.0-1", "1.0");
}

#[test]
fn a_conflict_does_not_take_away_what_is_needed() {
    let row = given(BOTH);
    let conflicts = "conflicts=erlang-bank replaces=erlang-bank provides=erlang-bank";
    row.when(&format!("dpkg -i {{desk 1.0 {conflicts}}}"))
        .fails()
        .says("till");
    row.then("till", "ii 1.0-1", "1.0");
    row.then("bank", "ii 1.0-1", "1.0");
    row.lost_nothing("till", "1.0");
    row.lost_nothing("bank", "1.0");
}
