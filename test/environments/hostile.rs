//! Stores that are torn, or that somebody else can write into.

use crate::host::{Host, Run};
use crate::tree::{self, json, make, name};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

fn open(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("a mode");
}

#[track_caller]
fn damaged(host: &Host, dir: &Path, why: &str) {
    let name = name(dir);
    let check = json(host, &["check", &name]);
    let one = &check["environments"][0];
    assert_eq!(
        (&one["verdict"], &check["status"]),
        (&"damaged".into(), &1.into())
    );
    assert!(one["findings"].to_string().contains(why), "{why}: {one:#}");
}

fn made() -> (Host, PathBuf) {
    let host = Host::without_epmd();
    let dir = make(&host, tree::root(), &[]);
    open(&dir);
    (host, dir)
}

#[test]
fn a_record_that_is_torn_or_somebody_elses_is_none() {
    let (host, dir) = made();
    let record = dir.join("environment");
    let whole = fs::read(&record).expect("a record");
    for bytes in [&whole[..whole.len() / 2], b"", b"{}", &whole.repeat(2)] {
        fs::remove_file(&record).expect("it goes");
        fs::write(&record, bytes).expect("a file");
        damaged(&host, &dir, "has no record that can be read");
    }
    let list = json(&host, &["list"]);
    assert!(list["environments"][0]["error"].is_string());
    fs::remove_file(&record).expect("it goes");
    host.file("record", &String::from_utf8_lossy(&whole), 0o644);
    symlink(host.path("record"), &record).expect("a link");
    damaged(&host, &dir, "has no record that can be read");
    // The name is a part of the record.
    fs::remove_file(&record).expect("it goes");
    fs::write(&record, &whole).expect("a file");
    let other = dir.with_file_name("otp-1-0123456789ab");
    fs::rename(&dir, &other).expect("a name");
    damaged(&host, &other, "has no record that can be read");
}

#[test]
fn files_too_many_too_few_or_of_another_kind_are_named() {
    let (host, dir) = made();
    let bin = dir.join("bin");
    open(&bin);
    fs::write(bin.join("more"), "").expect("a file");
    damaged(&host, &dir, "bin/more is not what was recorded");
    fs::remove_file(bin.join("more")).expect("it goes");
    let boot = bin.join("start.boot");
    fs::rename(&boot, host.path("boot")).expect("a name");
    damaged(&host, &dir, "bin/start.boot is not what was recorded");
    symlink(host.path("boot"), &boot).expect("a link");
    damaged(
        &host,
        &dir,
        "bin/start.boot is no regular file, or others can change it",
    );
    fs::remove_file(&boot).expect("it goes");
    fs::copy(host.path("boot"), &boot).expect("a file");
    fs::set_permissions(&boot, Permissions::from_mode(0o666)).expect("a mode");
    damaged(
        &host,
        &dir,
        "bin/start.boot is no regular file, or others can change it",
    );
    fs::set_permissions(&boot, Permissions::from_mode(0o755)).expect("a mode");
    damaged(&host, &dir, "bin/start.boot is not what was recorded");
    fs::set_permissions(&boot, Permissions::from_mode(0o644)).expect("a mode");
    fs::set_permissions(&bin, Permissions::from_mode(0o777)).expect("a mode");
    damaged(&host, &dir, "bin can be written by group or others");
}

#[test]
fn a_store_that_others_can_write_into_is_not_used() {
    let (host, dir) = made();
    let store = host.path("env");
    let from = tree::root().display().to_string();
    let name = name(&dir);
    let all = |why: &str| {
        for arguments in [
            &["env", "make", "--from", &from][..],
            &["env", "destroy", "--yes", &name],
            &["env", "clean", "--yes"],
        ] {
            let run: Run = host.erlrc(arguments);
            assert_eq!(run.status, 1, "{run:?}");
            run.says(why);
        }
        damaged(&host, &dir, why);
        assert!(dir.join("bin/erl").exists());
    };
    fs::set_permissions(&store, Permissions::from_mode(0o777)).expect("a mode");
    all("env can be written by group or others");
    open(&store);
    // Only root can give files away.
    if chown(&store, Some(4711), None).is_ok() {
        all("env belongs to somebody else");
        chown(&store, Some(0), None).expect("an owner");
    }
    fs::rename(&store, host.path("real")).expect("a name");
    symlink(host.path("real"), &store).expect("a link");
    all("env is not a directory");
}

#[test]
fn names_stay_in_the_store() {
    let (host, _) = made();
    fs::create_dir(host.path("otp-victim")).expect("a directory");
    for name in ["../otp-victim", "/etc", "..", ".", "otp-nope"] {
        let run = host.erlrc(&["env", "destroy", "--yes", name]);
        assert_eq!(run.status, 1, "{run:?}");
        run.says("there is no environment");
        let check = json(&host, &["check", name]);
        assert_eq!(check["environments"][0]["verdict"], "damaged");
    }
    assert!(host.path("otp-victim").exists());
    assert_eq!(host.erlrc(&["env", "destroy", "--yes"]).status, 2);
}
