//! What is in a release, and what stays what it is.

use crate::host::Host;
use crate::shop::{json, library, members, own, release, tally};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn a_release_has_what_is_named_and_all_that_it_needs_in_start_order() {
    let host = Host::without_epmd();
    library(
        &host,
        "upper",
        "2",
        "{applications, [kernel, stdlib, middle, low]}, {optional_applications, [gone]}",
    );
    library(&host, "middle", "1", "{included_applications, [inner]}");
    library(&host, "inner", "1", "{applications, [kernel, stdlib, low]}");
    library(&host, "low", "1", "");
    let made = json(&host, &["make", "shop", "1.0", "--apps", "upper"]);
    assert_eq!(made["new"], true, "{made:#}");
    let expected = [
        "low 1 temporary",
        "middle 1 temporary",
        "inner 1 load",
        "upper 2 temporary",
    ];
    assert_eq!(own(&made), expected);
    let all = members(&made);
    let starts = |place: usize, name: &str| {
        all[place].starts_with(name) && all[place].ends_with("permanent")
    };
    assert!(
        starts(0, "kernel ") && starts(1, "stdlib ") && starts(2, "sasl "),
        "{all:?}"
    );
    let shown = json(&host, &["show", "shop", "1.0"]);
    assert_eq!(members(&shown), all);
    assert_eq!(shown["current"], false);
    let states = shown["applications"].as_array().expect("applications");
    assert!(
        states.iter().all(|member| member["state"] == "same"),
        "{shown:#}"
    );
}

#[test]
fn what_ends_the_node_is_permanent() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    fs::write(host.path("applications/tally"), "{on_exit, halt}.\n").expect("a registration");
    let made = json(&host, &["make", "shop", "1.0", "--apps", "tally"]);
    assert_eq!(own(&made), ["tally 1.0 permanent"]);
}

#[test]
fn the_version_is_the_installed_one_or_the_one_that_is_named() {
    let host = Host::without_epmd();
    let first = tally(&host, "1.0");
    tally(&host, "1.1");
    let metadata = format!("{{tally, \"1.0\", \"{}\"}}.\n", first.display());
    fs::write(host.path("apps/tally"), metadata).expect("a file");
    let made =
        |version: &str, apps: &str| own(&json(&host, &["make", "shop", version, "--apps", apps]));
    assert_eq!(made("1", "tally"), ["tally 1.0 temporary"]);
    assert_eq!(made("2", "tally=1.1"), ["tally 1.1 temporary"]);
    assert_eq!(made("3", "tally=1.0"), ["tally 1.0 temporary"]);
}

#[test]
fn the_same_set_again_changes_nothing_and_another_one_is_refused() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let arguments = ["make", "shop", "1.0", "--apps", "tally=1.0"];
    let made = json(&host, &arguments);
    let file = host.path("services/shop/releases/1.0/release");
    let before = fs::read(&file).expect("a file");
    let again = json(&host, &arguments);
    assert_eq!((&again["new"], &made["new"]), (&false.into(), &true.into()));
    assert_eq!(fs::read(&file).expect("a file"), before);
    // The same version of the application with other bytes is another set, and so is another version.
    fs::write(host.path("lib/tally-1.0/ebin/more.beam"), "x").expect("a file");
    let run = release(&host, &arguments);
    run.is("", 1)
        .says("shop 1.0 exists and is another set: tally 1.0 with other files");
    tally(&host, "1.1");
    let run = release(&host, &["make", "shop", "1.0", "--apps", "tally=1.1"]);
    run.is("", 1)
        .says("shop 1.0 exists and is another set: tally 1.0 -> 1.1");
    assert_eq!(fs::read(&file).expect("a file"), before);
}

#[test]
fn a_release_is_read_only_and_its_manifest_is_one_that_sha256sum_knows() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let umask = "umask 077; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    let erlrc = host.command(&[]);
    command.args(["-c", umask]).arg(erlrc.get_program());
    let libs = host.path("lib").display().to_string();
    command.args([
        "release", "make", "shop", "1.0", "--apps", "tally", "--lib", &libs,
    ]);
    command.envs(
        erlrc
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    assert!(command.output().expect("erlrc runs").status.success());
    let dir = host.path("services/shop/releases/1.0");
    let mode = |name: &str| {
        let metadata = fs::metadata(dir.join(name)).expect("a file");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("apps")), (0o555, 0o555));
    assert_eq!(
        (mode("release"), mode("apps/tally"), mode("MANIFEST")),
        (0o444, 0o444, 0o444)
    );
    let mut command = Command::new("sha256sum");
    command
        .args(["-c", "--strict", "--quiet", "MANIFEST"])
        .current_dir(&dir);
    assert!(command.status().expect("sha256sum runs").success());
    let metadata = fs::read_to_string(dir.join("apps/tally")).expect("a file");
    assert!(metadata.starts_with("{tally,\"1.0\",\"/"), "{metadata}");
}

#[test]
fn what_an_interrupted_command_left_is_in_nobodys_way() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let left = host.path("services/shop/releases/1.0.tmp/apps");
    fs::create_dir_all(&left).expect("a directory");
    fs::write(left.join("tally"), "half a fi").expect("a file");
    assert_eq!(release(&host, &["list", "shop"]).status, 1);
    json(&host, &["make", "shop", "1.0", "--apps", "tally"]);
    let names = fs::read_dir(host.path("services/shop/releases")).expect("a directory");
    assert_eq!(names.count(), 1);
}

#[test]
fn of_an_environment_the_release_has_its_name_and_its_applications() {
    let host = Host::without_epmd();
    tally(&host, "1.0");
    let from = crate::otp::root().display().to_string();
    let run = host.erlrc(&["env", "make", "--json", "--from", &from]);
    let environment: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    let name = environment["name"].as_str().expect("a name");
    let made = json(
        &host,
        &["make", "shop", "1.0", "--apps", "tally", "--env", name],
    );
    assert_eq!(made["environment"], name, "{made:#}");
    let kernel = made["applications"][0]["dir"]
        .as_str()
        .expect("a directory");
    assert!(
        kernel.starts_with(&host.path("env").display().to_string()),
        "{kernel}"
    );
    let link = fs::read_link(host.path("services/shop/releases/1.0/env"));
    assert_eq!(link.ok(), Some(host.path("env").join(name)));
    // The same applications of the tree itself are another set.
    let run = release(&host, &["make", "shop", "1.0", "--apps", "tally"]);
    run.is("", 1).says("exists and is another set");
}
