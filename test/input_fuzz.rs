//! Mutations of what others write: nodes, whoever may write an entry or a package, a disk. Reading them ends, with an
//! answer or an error, in bounded memory.
//!
//! `ERLRC_FUZZ_SECONDS` says how long each (default 2).

mod support;

/// What reads the content of a package.
#[path = "../src/cli/deb.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the command is a module of its own"
)]
mod deb;

mod scratch {
    pub fn directory() -> std::io::Result<tempfile::TempDir> {
        tempfile::tempdir()
    }
}

use erlrc::cluster::Answer;
use erlrc::cluster::operation::{Operation, Step, Version};
use erlrc::history;
use erlrc::identity::{Cookie, NodeName};
use erlrc::node::{Call, Deadline, Options, Reach, Target, connect};
use erlrc::rendezvous;
use erlrc::status::NodeFacts;
use erlrc::term::{Atom, Limits, external, text};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::channel;
use std::time::Duration;
use support::impostor::{COOKIE, Impostor, frame, frame_to, output};
use support::mutate::{Mutator, fuzz, memory_is_bounded};

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

/// What a node answers to a hook, to `erlrc status`, and as `erlrcdynamic` returns it.
const ANSWERS: [&str; 5] = [
    "#{status => ok, outcome => upgraded, running => <<\"2\">>, held => <<\"1\">>, warnings => [<<\"mind\">>],
       plan => [<<\"load\">>], report => #{evaluator => transactional, instructions => 1, modules => 2, processes => 3,
       pause => 4, stages => #{commit => 5}, shapes => #{a => same}, killed => [{<<\"p\">>, a}], died => {1, [a]}}}",
    "#{status => failed, outcome => script_failed, reason => <<\"no\">>, cause => code_change, committed => true,
       changes => [#{application => a, outcome => upgraded}]}",
    "#{otp_release => <<\"25\">>, erts => <<\"13.1\">>, uptime => 1, os_pid => <<\"7\">>, complete => true, old_modules => 1,
       applications => [#{name => <<\"a\">>, vsn => <<\"1\">>, state => running}], stopped => [<<\"b\">>],
       held => #{application => <<\"a\">>, from => <<\"1\">>, to => <<\"2\">>, left => 5},
       unsettled => [#{application => <<\"a\">>, operation => <<\"upgrade\">>, since => 1, left => [<<\"code\">>]}],
       old_code => [#{module => <<\"m\">>, count => 1, processes => [#{pid => <<\"<0.1.0>\">>}]}]}",
    "{error, {not_rolled_back, {script_failed, a, why}, [{state, b, c}]}}",
    "{ok, already_running}",
];

#[test]
fn no_mutation_of_an_answer_is_too_much() {
    let limits = Limits::default();
    let encoded = |answer: &str| {
        let term = text::parse(answer).unwrap();
        external::encode(&term)
    };
    let seeds = ANSWERS.map(encoded);
    let dictionary: &[&[u8]] = &[
        b"\xff\xff\xff\xff",
        b"l\0\x1f\xff\xff",
        b"t\0\0\xff\xff",
        b"m\x7f\xff\xff\xff",
        b"n\xff\0",
        b"h\xff",
        b"w\x02ok",
        b"w\x06failed",
        b"w\x08warnings",
        b"a\x01",
        b"j",
    ];
    let version = |vsn: &str| Version {
        vsn: vsn.to_owned(),
        dir: None,
    };
    let (from, to) = (version("1"), version("2"));
    let operation = Operation::new(Atom::of("a"), Step::Upgrade { from, to });
    let mut read = 0_u32;
    fuzz(&mut Mutator::new(14, &seeds, dictionary), |bytes| {
        if let Ok(term) = external::decode(bytes, &limits) {
            let known = Answer::parse(&term).is_some() || NodeFacts::parse(&term).is_some();
            let _ = Answer::of_result(&operation, &term);
            read += u32::from(known);
        }
    });
    assert!(read > 0, "nothing was an answer");
    memory_is_bounded();
}

/// The content of a package: files of an application, a link, a long name, metadata.
fn content() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |kind, path: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, data).unwrap();
    };
    let file = tar::EntryType::Regular;
    add(
        file,
        "usr/lib/erlang/lib/foo-1/ebin/foo.app",
        b"{application, foo, []}.",
    );
    add(file, "usr/lib/erlang/lib/foo-1/ebin/foo.beam", &[7; 600]);
    add(
        tar::EntryType::Directory,
        "usr/lib/erlang/lib/foo-1/priv",
        b"",
    );
    let long = format!("usr/lib/{}/ebin/long.app", "d".repeat(150));
    add(file, &long, b"x");
    add(file, "usr/lib/erlrc/apps/foo", b"{foo, \"1\", \"/x\"}.");
    archive.into_inner().unwrap()
}

/// The same with files that would lie beside the place where it is unpacked.
fn content_beside() -> Vec<u8> {
    let (inside, beside) = (b"usr/lib/erlang/lib/", b"../beside/lib/abcd/");
    let mut content = content();
    for at in 0..content.len() - inside.len() {
        if content[at..].starts_with(inside) {
            content[at..at + inside.len()].copy_from_slice(beside);
        }
    }
    content
}

/// Gives every header its checksum: one that is wrong is refused before anything else is read.
fn summed(mut content: Vec<u8>) -> Vec<u8> {
    for block in content.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    content
}

#[test]
fn no_mutation_of_a_package_is_too_much() {
    let seeds = [content(), content_beside()];
    let dictionary: &[&[u8]] = &[
        b"77777777777\0",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"ustar  \0",
        b"../",
        b"/ebin/a.app",
        b"L",
        b"S",
        b"x",
        b"g",
        b"\0",
        &[0; 512],
        &[b'/'; 100],
    ];
    let mut taken = 0_u32;
    fuzz(&mut Mutator::new(15, &seeds, dictionary), |bytes| {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("unpacked");
        fs::create_dir(&place).unwrap();
        let bytes = summed(bytes.to_vec());
        let read = deb::take_all(&bytes[..], &place, Some("/usr/lib/erlrc/apps".as_ref()));
        taken += u32::from(read.is_ok());
        let beside = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(beside, 1, "something lies outside of its place");
    });
    assert!(taken > 0, "nothing was a package");
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
