//! Which entries are taken, and which are refused.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        path
    }

    fn read(&self, name: &str) -> Result<Entry, RendezvousError> {
        entry(
            &self.0.path().join(name),
            NodeName::parse("n1").expect("a name"),
        )
    }
}

#[test]
fn directories_that_are_not_there_hold_no_entries() {
    let nowhere = PathBuf::from("/nonexistent/nodes");
    assert!(entries(&[nowhere]).is_ok_and(|entries| entries.is_empty()));
}

#[test]
fn files_that_are_not_named_like_nodes_are_ignored() {
    let place = Place::new();
    for name in ["n2", "n1@host", "n1.dpkg-new", "n1~", ".n1", "n3.rpmsave"] {
        place.file(name, "secret", 0o600);
    }
    let found = entries(&[place.0.path().to_owned()]).expect("entries");
    let names: Vec<String> = found.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["n1@host", "n2"]);
}

#[test]
fn a_persons_entry_hides_the_nodes_own() {
    let place = Place::new();
    place.file("person/n1", "secret", 0o600);
    place.file("node/n1@host", "cookie_file=/x\nmanaged=1\n", 0o600);
    let directories = ["person", "node"].map(|name| place.0.path().join(name));
    let found = entries(&directories).expect("entries");
    let names: Vec<String> = found.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["n1"]);
}

#[test]
fn what_others_can_write_is_refused_and_what_they_can_read_is_named() {
    let place = Place::new();
    for mode in [0o620, 0o602, 0o666] {
        place.file("n1", "secret", mode);
        assert!(
            matches!(place.read("n1"), Err(RendezvousError::Writable { .. })),
            "{mode:o}"
        );
    }
    place.file("n1", "secret", 0o644);
    assert_eq!(place.read("n1").expect("an entry").warnings.len(), 1);
    place.file("n1", "secret", 0o600);
    assert!(place.read("n1").expect("an entry").warnings.is_empty());
}

#[test]
fn only_regular_files_are_opened() {
    let place = Place::new();
    place.file("real", "secret", 0o600);
    symlink(place.0.path().join("real"), place.0.path().join("link")).expect("a link");
    std::fs::create_dir(place.0.path().join("directory")).expect("a directory");
    assert!(matches!(
        place.read("link"),
        Err(RendezvousError::NotRegular { .. })
    ));
    assert!(matches!(
        place.read("directory"),
        Err(RendezvousError::NotRegular { .. })
    ));
    let pipe = place.0.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    assert!(matches!(
        place.read("pipe"),
        Err(RendezvousError::NotRegular { .. })
    ));
}

#[test]
fn a_file_with_a_second_name_is_refused() {
    let place = Place::new();
    let other = place.file("other", "secret", 0o600);
    let name = place.0.path().join("n1");
    std::fs::hard_link(&other, name).expect("a link");
    assert!(matches!(
        place.read("n1"),
        Err(RendezvousError::Linked { .. })
    ));
    std::fs::remove_file(other).expect("a file");
    assert!(place.read("n1").is_ok());
}

#[test]
fn a_cookie_file_is_read_under_the_same_rules() {
    let place = Place::new();
    let cookie = place.file("cookie", "secret\n", 0o400);
    place.file("n1", &format!("cookie_file={}\n", cookie.display()), 0o600);
    let entry = place.read("n1").expect("an entry");
    assert_eq!(
        entry.cookie().expect("it is read"),
        Cookie::parse(b"secret")
    );
    place.file("cookie", "secret\n", 0o666);
    assert!(matches!(
        place.read("n1"),
        Err(RendezvousError::Writable { .. })
    ));
    place.file("cookie", "", 0o600);
    assert!(matches!(
        place.read("n1"),
        Err(RendezvousError::Malformed { .. })
    ));
}

#[test]
fn another_owners_entry_is_good_for_its_owners_node_alone() {
    let place = Place::new();
    let file = place.file("n1", "secret", 0o600);
    if rustix::process::geteuid().as_raw() != ROOT {
        assert!(!place.read("n1").expect("an entry").may_leave_host);
        return;
    }
    assert_eq!(place.read("n1").expect("an entry").listener, None);
    std::os::unix::fs::chown(&file, Some(4711), None).expect("a chown");
    let entry = place.read("n1").expect("an entry");
    assert_eq!((entry.listener, entry.may_leave_host), (Some(4711), false));
    let cookie = place.file("cookie", "secret\n", 0o400);
    std::fs::write(&file, format!("cookie_file={}\n", cookie.display())).expect("a file");
    assert!(matches!(
        place.read("n1"),
        Err(RendezvousError::OtherOwner {
            found: 0,
            expected: 4711,
            ..
        })
    ));
}

#[test]
fn no_error_quotes_the_cookie() {
    let place = Place::new();
    place.file("n1", "hunter2\nhunter2\n", 0o600);
    let error = place.read("n1").expect_err("a malformed entry");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
