//! Mutations of what others write: nodes, whoever may write an entry, a disk. Reading them ends, with an answer or an
//! error, in bounded memory.
//!
//! `ERLRC_FUZZ_SECONDS` says how long each (default 2).

mod support;

use erlrc::history;
use erlrc::identity::{Cookie, NodeName};
use erlrc::node::{Call, Deadline, Options, Reach, Target, connect};
use erlrc::rendezvous;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::time::Duration;
use support::impostor::{COOKIE, Impostor, frame, frame_to, output};
use support::mutate::{Mutator, fuzz};

/// The most memory that this process has taken so far stays below that, whatever was read.
#[track_caller]
fn memory_is_bounded() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB").parse::<u64>();
    assert!(kibibytes.unwrap() < 300 << 10, "{line:?}");
}

#[test]
fn no_mutation_of_what_a_node_sends_is_too_much() {
    let (sender, inputs) = channel::<Vec<u8>>();
    let impostor = Impostor::new(move |stream| {
        let input = inputs.recv().unwrap_or_default();
        let _ = stream.write_all(&input);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let target = Target {
        name: NodeName::parse("n1").unwrap(),
        port: Some(impostor.port),
        host: None,
        cookie: Cookie::parse(COOKIE.as_bytes()).unwrap(),
        listener: None,
        reach: Reach::ThisHost,
    };
    let options = Options {
        timeout: Duration::from_secs(60),
        epmd_port: 1,
    };
    let answer = frame(b"h\x02w\x02okt\x00\x00\x00\x01w\x06reasonm\x00\x00\x00\x01x");
    let seeds = [
        [vec![0; 12], answer.clone()].concat(),
        [frame_to(9, b"\x83a\x01"), answer].concat(),
        output(1, b"some text"),
    ];
    let dictionary: &[&[u8]] = &[
        b"\0\0\0\0",
        b"\x03\xff\xff\xff",
        b"\xff\xff\xff\xff",
        b"\x83",
        b"l\0\x1f\xff\xff",
        b"h\xff",
        b"t\0\0\xff\xff",
        b"n\xff\0",
        b"\x83P\0\0\xff\xff",
    ];
    fuzz(&mut Mutator::new(11, &seeds, dictionary), |bytes| {
        sender.send(bytes.to_vec()).unwrap();
        let mut node = connect(&target, &options).unwrap();
        let call = Call {
            module: "m",
            function: "f",
            arguments: Vec::new(),
        };
        // The connection ends with the input: nothing is left to wait for.
        let _ = node.call(call, Deadline::after(Duration::from_secs(60)));
    });
    memory_is_bounded();
}

#[test]
fn no_mutation_of_an_entry_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("n1");
    let cookie_file = dir.path().join("cookie");
    fs::write(&cookie_file, COOKIE).unwrap();
    fs::set_permissions(&cookie_file, Permissions::from_mode(0o400)).unwrap();
    let managed = format!(
        "managed=1\ncookie_file={}\nport=4370\n",
        cookie_file.display()
    );
    let seeds = [
        format!("{COOKIE}\nport=4370\nhost=localhost\n").into_bytes(),
        managed.into_bytes(),
    ];
    let dictionary: &[&[u8]] = &[
        b"cookie_file=/dev/zero\n",
        b"cookie_file=/\n",
        b"port=",
        b"65536",
        b"host=",
        b"managed=1",
        b"=",
        b"\n",
        b"\0",
        b"\xff",
    ];
    fuzz(&mut Mutator::new(12, &seeds, dictionary), |bytes| {
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let _ = rendezvous::entry(&file, NodeName::parse("n1").unwrap());
    });
    memory_is_bounded();
}

#[test]
fn no_mutation_of_a_history_is_too_much() {
    let dir = tempfile::tempdir().unwrap();
    let record: history::Record = serde_json::from_str(
        r#"{"version": 1, "time": "2026-03-01T00:00:00.000Z", "who": {"uid": 0}, "operation": "upgrade",
            "application": "foo", "nodes": [{"node": "n1", "outcome": "upgraded", "status": 0}],
            "status": 0, "duration_us": 1}"#,
    )
    .unwrap();
    history::record(dir.path(), &record).unwrap();
    let file = dir.path().join("history");
    let line = fs::read(&file).unwrap();
    let seeds = [line.clone(), [line.clone(), line].concat()];
    let dictionary: &[&[u8]] = &[
        b"\n",
        b"18446744073709551615 ",
        b"\"nodes\":[",
        b"{\"a\":",
        b"\0",
        b"99999999999999999999",
    ];
    fuzz(&mut Mutator::new(13, &seeds, dictionary), |bytes| {
        fs::write(&file, bytes).unwrap();
        let _ = history::read(dir.path());
    });
    memory_is_bounded();
}
