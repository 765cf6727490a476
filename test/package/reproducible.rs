//! The same input gives the same bytes, whenever, wherever and by whom it is built.

use crate::project::{MAINTAINER, Project};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn neither_time_nor_place_nor_permissions_change_a_byte() {
    let bytes = |change: &dyn Fn(&Project)| {
        let project = Project::new(MAINTAINER);
        change(&project);
        ["deb", "rpm"].map(|format| fs::read(project.made(format)).expect("a package"))
    };
    let once = bytes(&|_| {});
    let again = bytes(&|project| {
        let file = project.path("foo/priv/data/one");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
        let touched = Command::new("touch")
            .arg("-d2001-01-01")
            .arg(&file)
            .status();
        assert!(touched.expect("touch").success());
        project.file("foo/priv/.gitkeep", "");
        project.file("foo/priv/data/one~", "");
    });
    assert!(once == again);
    let other = bytes(&|project| project.file("foo/priv/data/one", "2\n"));
    assert!(once[0] != other[0] && once[1] != other[1]);
}

#[test]
fn without_a_given_time_the_newest_file_counts() {
    let project = Project::new(MAINTAINER);
    let made = || {
        let mut command = project.command(env!("CARGO_BIN_EXE_erlrc"));
        command.env_remove("SOURCE_DATE_EPOCH");
        let run = crate::project::run(command.args(["package", "--output", "out", "foo"]));
        assert_eq!(run.status, Some(0), "{}", run.err);
        fs::read(run.out.trim_end()).expect("a package")
    };
    let once = made();
    assert!(once == made());
    let file = project.path("foo/priv/data/one");
    assert!(
        Command::new("touch")
            .arg("-d2035-01-01")
            .arg(&file)
            .status()
            .expect("touch")
            .success()
    );
    assert!(once != made());
}
