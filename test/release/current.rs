//! Which release is current, what changes between two, and what is removed.

use crate::host::Host;
use crate::shop::{json, release, with_releases};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn the_current_release_is_a_link_and_so_is_the_one_before() {
    let host = with_releases(Host::without_epmd());
    let run = release(&host, &["current", "shop"]);
    run.is("", 1).says("no release of shop is current");
    let makes = |version: &str, text: &str| {
        release(&host, &["default", "shop", version]).is(text, 0);
        release(&host, &["current", "shop"]).is(&format!("{version}\n"), 0);
        let link = fs::read_link(host.path("state/services/shop/current"));
        assert_eq!(
            link.ok(),
            Some(host.path("services/shop/releases").join(version))
        );
    };
    makes("1", "shop 1 is current\n");
    makes("2", "shop 2 is current, 1 was\n");
    makes("2", "shop 2 is current already\n");
    let current = json(&host, &["current", "shop"]);
    assert_eq!(
        (&current["current"], &current["previous"]),
        (&"2".into(), &"1".into())
    );
    let listed = json(&host, &["list"]);
    assert_eq!(listed["services"][0]["current"], "2");
    assert_eq!(
        listed["services"][0]["releases"].as_array().map(Vec::len),
        Some(2)
    );
    makes("1", "shop 1 is current, 2 was\n");
}

#[test]
fn a_link_that_leads_elsewhere_is_no_release() {
    let host = with_releases(Host::without_epmd());
    release(&host, &["default", "shop", "1"]);
    let link = host.path("state/services/shop/current");
    for target in ["/etc", "1", "/usr/lib/erlrc/services/shop/releases/1"] {
        fs::remove_file(&link).expect("a link");
        symlink(target, &link).expect("a link");
        let run = release(&host, &["current", "shop"]);
        run.is("", 1)
            .says("does not lead to a release of the service");
    }
}

#[test]
fn what_is_no_longer_what_it_was_does_not_become_current() {
    let host = with_releases(Host::without_epmd());
    release(&host, &["default", "shop", "2"]);
    fs::write(host.path("lib/low-1/ebin/more"), "x").expect("a file");
    let run = release(&host, &["default", "shop", "1"]);
    run.is("", 1)
        .says("shop 1 does not become current: the files of low 1 in");
    fs::remove_dir_all(host.path("lib/low-1")).expect("a directory");
    let run = release(&host, &["default", "shop", "1"]);
    run.is("", 1).says("low 1 is no longer in");
    release(&host, &["current", "shop"]).is("2\n", 0);
    let shown = json(&host, &["show", "shop", "1"]);
    let members = shown["applications"].as_array().expect("applications");
    let state = |name: &str| {
        let found = members.iter().find(|member| member["application"] == name);
        found.map(|member| member["state"].clone())
    };
    assert_eq!(
        (state("low"), state("tally")),
        (Some("gone".into()), Some("same".into()))
    );
}

#[test]
fn a_difference_is_what_would_have_to_be_done() {
    let host = with_releases(Host::without_epmd());
    let text = "CHANGE   APPLICATION  FROM  TO
add      high         -     1
upgrade  tally        1.0   1.1
remove   low          1     -
";
    release(&host, &["diff", "shop", "1", "2"]).is(text, 0);
    let back = json(&host, &["diff", "shop", "2", "1"]);
    let kinds = back["changes"].as_array().expect("changes").iter();
    let kinds: Vec<&str> = kinds
        .filter_map(|change| change["change"].as_str())
        .collect();
    assert_eq!(kinds, ["add", "downgrade", "remove"]);
    release(&host, &["diff", "shop", "1", "1"]).is("the same applications\n", 0);
    let run = release(&host, &["diff", "shop", "1", "3"]);
    run.is("", 1).says("shop has no release 3");
}

#[test]
fn neither_the_current_release_nor_the_one_before_is_removed() {
    let host = with_releases(Host::without_epmd());
    json(&host, &["make", "shop", "3", "--apps", "low"]);
    release(&host, &["default", "shop", "1"]);
    release(&host, &["default", "shop", "2"]);
    let run = release(&host, &["remove", "--yes", "shop", "2"]);
    run.is("", 1)
        .says("shop 2 is the current release; nothing was removed");
    let run = release(&host, &["remove", "--yes", "shop", "1"]);
    run.is("", 1)
        .says("shop 1 is the previous release; nothing was removed");
    let run = release(&host, &["remove", "shop", "3"]);
    run.is("", 1).says("nothing was removed");
    release(&host, &["show", "shop", "3"]);
    release(&host, &["remove", "--yes", "shop", "3"]).is("shop 3: removed\n", 0);
    let run = release(&host, &["remove", "--yes", "shop", "3"]);
    run.is("", 1).says("shop has no release 3");
    let names = fs::read_dir(host.path("services/shop/releases")).expect("a directory");
    assert_eq!(names.count(), 2);
}
