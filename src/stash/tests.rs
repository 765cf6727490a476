use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

/// A stash, and an application beside it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let place = Self { directory };
        place.file("foo-1.0/ebin/foo.beam", "old");
        place.file("foo-1.0/ebin/foo.app", "app");
        symlink("../elsewhere", place.path("foo-1.0/priv")).expect("a link");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As dpkg does it: a new file under another name, renamed.
    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        let new = path.with_extension("dpkg-new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, path).expect("a file");
    }

    fn stash(&self) -> Stash {
        Stash::new(self.path("stash"))
    }

    fn keep(&self) -> Kept {
        let kept = self.stash().keep("foo", "1.0", &self.path("foo-1.0"));
        kept.expect("it is kept")
    }

    #[track_caller]
    fn is_refused(&self) {
        assert!(self.stash().verified("foo", "1.0").is_err());
        assert_eq!(self.stash().of("foo"), []);
    }
}

#[test]
fn what_is_kept_outlives_its_package() {
    let place = Place::new();
    let kept = place.keep();
    place.file("foo-1.0/ebin/foo.beam", "new");
    fs::remove_file(place.path("foo-1.0/ebin/foo.app")).expect("gone");
    let text = |name: &str| fs::read_to_string(kept.dir.join(name)).expect("a file");
    assert_eq!(
        (text("ebin/foo.beam"), text("ebin/foo.app")),
        ("old".into(), "app".into())
    );
    assert_eq!(place.stash().of("foo"), std::slice::from_ref(&kept));
    assert_eq!(kept.origin, place.path("foo-1.0"));
    assert_eq!(place.stash().of("bar"), []);
}

#[test]
fn files_are_links_where_they_can_be() {
    let place = Place::new();
    let kept = place.keep();
    let inode = |path: PathBuf| path.symlink_metadata().expect("a file").ino();
    let packaged = inode(place.path("foo-1.0/ebin/foo.beam"));
    assert_eq!(inode(kept.dir.join("ebin/foo.beam")), packaged);
}

#[test]
fn links_are_kept_as_links() {
    let place = Place::new();
    let kept = place.keep();
    let target = fs::read_link(kept.dir.join("priv")).expect("a link");
    assert_eq!(target, Path::new("../elsewhere"));
    symlink(place.path("foo-1.0"), place.path("bar-1.0")).expect("a link");
    assert!(
        place
            .stash()
            .keep("bar", "1.0", &place.path("bar-1.0"))
            .is_err()
    );
}

#[test]
fn what_was_changed_is_not_used() {
    let place = Place::new();
    let kept = place.keep();
    fs::write(kept.dir.join("ebin/foo.beam"), "other").expect("a file");
    place.is_refused();
    place.file("foo-1.0/ebin/foo.beam", "old");
    let kept = place.keep();
    fs::write(kept.dir.join("ebin/more.beam"), "more").expect("a file");
    place.is_refused();
    let kept = place.keep();
    fs::remove_file(kept.dir.join("ebin/foo.app")).expect("gone");
    place.is_refused();
    let kept = place.keep();
    fs::remove_file(kept.dir.join("priv")).expect("gone");
    symlink("/etc", kept.dir.join("priv")).expect("a link");
    place.is_refused();
    let kept = place.keep();
    fs::remove_file(kept.dir.join(MANIFEST)).expect("gone");
    place.is_refused();
}

#[test]
fn a_stash_that_others_can_write_is_not_used() {
    let place = Place::new();
    place.keep();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.path("stash"), open).expect("a mode");
    place.is_refused();
    assert!(
        place
            .stash()
            .keep("foo", "1.0", &place.path("foo-1.0"))
            .is_err()
    );
}

#[test]
fn a_version_is_kept_once_and_discarded_as_a_whole() {
    let place = Place::new();
    place.keep();
    place.file("foo-1.0/ebin/foo.beam", "rebuilt");
    let kept = place.keep();
    assert_eq!(
        fs::read_to_string(kept.dir.join("ebin/foo.beam")).expect("a file"),
        "rebuilt"
    );
    assert_eq!(place.stash().list().len(), 1);
    place.stash().discard(&kept.dir).expect("it goes");
    assert_eq!(
        (place.stash().list().len(), place.stash().leftovers().len()),
        (0, 0)
    );
    place
        .stash()
        .discard(&kept.dir)
        .expect("it is gone already");
    assert!(place.stash().discard(&place.path("foo-1.0")).is_err());
    assert!(place.path("foo-1.0/ebin/foo.beam").is_file());
}

#[test]
fn what_a_crash_left_is_no_version() {
    let place = Place::new();
    let kept = place.keep();
    let left = place.path("stash/.unfinished-foo-1.0");
    fs::rename(&kept.dir, &left).expect("a crash");
    assert_eq!(
        (place.stash().list().len(), place.stash().leftovers()),
        (0, vec![left])
    );
    place.keep();
    assert_eq!(place.stash().leftovers().len(), 0);
}
