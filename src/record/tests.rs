//! What a log keeps, whatever happens to its files.

use super::*;
use proptest::prelude::*;
use serde::Deserialize;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    number: u32,
    text: String,
}

fn entry(number: u32, text: &str) -> Entry {
    Entry {
        number,
        text: text.to_owned(),
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("state/log")
    }

    fn log(&self) -> RecordLog {
        RecordLog::open(self.path())
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("a log")
    }

    fn overwrite(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).expect("a log");
    }
}

#[track_caller]
fn read(log: &RecordLog) -> (Vec<Entry>, Tail) {
    log.read().expect("a log that can be read")
}

#[test]
fn what_is_appended_is_read_in_order_and_a_log_that_is_not_there_is_empty() {
    let place = Place::new();
    let log = place.log();
    assert_eq!(read(&log), (vec![], Tail::default()));
    log.append(&entry(1, "one\nline")).expect("appended");
    log.append_lazily(&entry(2, "zwei \u{1F41F}"))
        .expect("appended");
    assert_eq!(
        read(&log),
        (
            vec![entry(1, "one\nline"), entry(2, "zwei \u{1F41F}")],
            Tail::default()
        )
    );
    assert_eq!(
        std::fs::metadata(place.path()).expect("a log").mode() & 0o137,
        0
    );
}

#[test]
fn a_torn_end_is_ignored_and_ended_by_the_next_record() {
    let place = Place::new();
    let log = place.log();
    log.append(&entry(1, "a")).expect("appended");
    log.append(&entry(2, "b")).expect("appended");
    let whole = place.bytes();
    place.overwrite(&whole[..whole.len() - 3]);
    let (records, tail) = read(&log);
    assert_eq!(records, [entry(1, "a")]);
    assert!(tail.torn && tail.corrupt.is_empty() && !tail.is_sound());
    log.append(&entry(3, "c")).expect("appended");
    let (records, tail) = read(&log);
    assert_eq!(records, [entry(1, "a"), entry(3, "c")]);
    let [corrupt] = &tail.corrupt[..] else {
        panic!("{tail:?}")
    };
    assert_eq!((tail.torn, corrupt.line), (false, 2));
    assert!(matches!(corrupt.damage, Damage::Torn { .. }), "{corrupt}");
    assert_eq!(
        corrupt.to_string(),
        format!(
            "{}:2: torn, 21 of 23 bytes are there",
            place.path().display()
        )
    );
}

#[test]
fn logs_are_rotated_and_only_so_many_are_kept() {
    let place = Place::new();
    let log = place.log().rotated_at(100, 2);
    for number in 0..40 {
        log.append_lazily(&entry(number, "0123456789"))
            .expect("appended");
    }
    let (records, tail) = read(&log);
    let numbers: Vec<u32> = records.iter().map(|entry| entry.number).collect();
    assert!(tail.is_sound());
    assert!(numbers.len() >= 6, "{numbers:?}");
    let expected: Vec<u32> = (numbers[0]..40).collect();
    assert_eq!(numbers, expected);
    let files = std::fs::read_dir(place.path().parent().expect("a directory")).expect("files");
    assert_eq!(files.count(), 3);
    // A crash between two renames leaves a gap.
    std::fs::rename(
        file::rotated(&place.path(), 1),
        file::rotated(&place.path(), 2),
    )
    .expect("renamed");
    assert!(read(&log).1.is_sound());
    log.append(&entry(40, "")).expect("appended");
    assert_eq!(read(&log).0.last(), Some(&entry(40, "")));
}

#[test]
fn writers_at_once_lose_nothing() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let log = place.log().rotated_at(2000, 40);
            scope.spawn(move || {
                (0..50).for_each(|n| {
                    log.append_lazily(&entry(writer * 50 + n, "x"))
                        .expect("appended")
                });
            });
        }
    });
    let (records, tail) = read(&place.log().rotated_at(2000, 40));
    let mut numbers: Vec<u32> = records.iter().map(|entry| entry.number).collect();
    numbers.sort_unstable();
    assert!(tail.is_sound(), "{tail:?}");
    assert_eq!(numbers, (0..200).collect::<Vec<u32>>());
}

#[test]
fn files_that_are_not_to_be_trusted_are_refused() {
    let place = Place::new();
    let log = place.log();
    log.append(&entry(1, "a")).expect("appended");
    let refused = |what: &str| {
        let results = [log.append(&entry(2, "b")), log.read::<Entry>().map(drop)];
        assert!(results.iter().all(Result::is_err), "{what}: {results:?}");
    };
    let mode = |mode| {
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(mode)).expect("mode")
    };
    mode(0o660);
    refused("writable by the group");
    mode(0o640);
    let other = place.0.path().join("other");
    std::fs::hard_link(place.path(), &other).expect("a link");
    refused("a second name");
    std::fs::remove_file(place.path()).expect("removed");
    symlink(&other, place.path()).expect("a link");
    refused("a symbolic link");
    std::fs::remove_file(place.path()).expect("removed");
    std::fs::create_dir(place.path()).expect("a directory");
    refused("a directory");
}

#[test]
fn a_line_without_end_is_not_kept_in_memory() {
    let place = Place::new();
    let log = place.log();
    log.append(&entry(1, "a")).expect("appended");
    let mut bytes = place.bytes();
    bytes.extend(vec![b'7'; 3 * LONGEST_LINE]);
    bytes.push(b'\n');
    place.overwrite(&bytes);
    log.append(&entry(2, "b")).expect("appended");
    let (records, tail) = read(&log);
    assert_eq!(records, [entry(1, "a"), entry(2, "b")]);
    assert_eq!(tail.corrupt[0].damage, Damage::TooLong);
}

/// The records before the byte `at`, which must all be read, and read as they are.
fn lines_before(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().filter(|byte| **byte == b'\n').count()
}

fn is_part_of(some: &[Entry], all: &[Entry]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|entry| rest.any(|known| known == entry))
}

proptest! {
    #[test]
    fn whatever_is_cut_off_earlier_records_are_kept(texts in prop::collection::vec(".{0,20}", 1..6), cut in any::<prop::sample::Index>()) {
        let place = Place::new();
        let log = place.log();
        let all: Vec<Entry> = (0..).zip(&texts).map(|(number, text)| entry(number, text)).collect();
        for entry in &all {
            log.append_lazily(entry).expect("appended");
        }
        let bytes = place.bytes();
        let cut = cut.index(bytes.len());
        place.overwrite(&bytes[..cut]);
        let (records, tail) = read(&log);
        let kept = lines_before(&bytes, cut);
        // The line end alone may be missing.
        let whole = kept + usize::from(bytes[cut] == b'\n');
        prop_assert_eq!(&records[..], &all[..whole]);
        prop_assert!(tail.corrupt.is_empty());
        let next = entry(99, "next");
        log.append_lazily(&next).expect("appended");
        let (records, _) = read(&log);
        prop_assert_eq!(records.last(), Some(&next));
        prop_assert_eq!(&records[..whole], &all[..whole]);
    }

    #[test]
    fn whatever_byte_is_changed_no_wrong_record_is_read(texts in prop::collection::vec(".{0,20}", 1..6), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let place = Place::new();
        let log = place.log();
        let all: Vec<Entry> = (0..).zip(&texts).map(|(number, text)| entry(number, text)).collect();
        for entry in &all {
            log.append_lazily(entry).expect("appended");
        }
        let mut bytes = place.bytes();
        let at = at.index(bytes.len());
        let before = lines_before(&bytes, at);
        let changed = bytes[at] != value;
        let was_end = bytes[at] == b'\n';
        bytes[at] = value;
        place.overwrite(&bytes);
        let (records, tail) = read(&log);
        prop_assert!(is_part_of(&records, &all));
        prop_assert_eq!(&records[..before], &all[..before]);
        // One line at most is lost, two where they have become one.
        let lost = usize::from(changed) + usize::from(changed && was_end && before + 1 < all.len());
        prop_assert_eq!(records.len(), all.len() - lost);
        prop_assert_eq!(tail.is_sound(), !changed);
    }
}
