//! What a node may say: nothing of it crashes the command, hangs it or lasts beyond its deadline.
//!
//! `ERLRC_FUZZ_SECONDS` is for how long replies are mutated.

#[path = "../support/impostor.rs"]
mod impostor;

use crate::host::{COOKIE, Host};
use impostor::{Impostor, frame, frame_to, message, output, send};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// What `erlrc eval` asks for before it evaluates: tokens and forms, `{ok, [], 1}` and `{ok, []}`.
fn prepared() -> Vec<u8> {
    let answer = |call, term: &[u8]| frame_to(call, &[b"\x83h\x02w\x03rex", term].concat());
    [
        answer(1, b"h\x03w\x02okja\x01"),
        answer(2, b"h\x02w\x02okj"),
    ]
    .concat()
}

/// The most memory that a running process has taken so far, in MiB.
fn most_memory(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
    size.and_then(|size| size.trim().parse::<u64>().ok())
        .expect("a size")
        / 1024
}

/// Lets a node send `bytes` so often, then asks how much memory the command takes that waits for more.
#[track_caller]
fn memory_after(arguments: &[&str], bytes: Vec<u8>, times: usize) -> u64 {
    let host = Host::without_epmd();
    let (sender, sent) = std::sync::mpsc::channel();
    let is_eval = arguments.contains(&"eval");
    let impostor = Impostor::new(move |stream| {
        let begun = !is_eval || stream.write_all(&prepared()).is_ok();
        let taken = begun && (0..times).all(|_| stream.write_all(&bytes).is_ok());
        let _ = sender.send(taken);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    host.entry("n1", &format!("{COOKIE}\nport={}\n", impostor.port));
    let mut command = host.command(arguments);
    command
        .args(["--connect-timeout", "100", "--node-timeout", "100"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = command.spawn().expect("erlrc runs");
    assert!(
        sent.recv().expect("an impostor"),
        "nobody takes it any more"
    );
    let memory = most_memory(&process);
    process.kill().expect("it ends");
    process.wait().expect("it has ended");
    memory
}

#[test]
fn what_a_node_sends_takes_no_memory_beyond_a_message() {
    let case = |arguments: &[&str], bytes: Vec<u8>, times: usize| {
        let memory = memory_after(arguments, bytes, times);
        assert!(memory < 40, "{arguments:?}: {memory} MiB");
    };
    let hook = ["start", "foo", "1.0"];
    case(&hook, vec![0; 1 << 20], 60);
    case(&hook, frame_to(9, &[0; 1 << 20]), 60);
    case(&["eval", "n1", "x"], output(3, &[b'x'; 1 << 16]), 1024);
    case(
        &["--json", "eval", "n1", "x"],
        output(3, &[b'x'; 1 << 16]),
        1024,
    );
}

#[test]
fn who_sends_without_end_is_not_waited_for() {
    let host = Host::without_epmd();
    let case = |bytes: Vec<u8>| {
        let impostor = Impostor::new(move |stream| while stream.write_all(&bytes).is_ok() {});
        host.entry("n1", &format!("{COOKIE}\nport={}\n", impostor.port));
        // The hook ends of its own accord, long before its time is over.
        let run = host.erlrc(&["start", "foo", "1.0", "--connect-timeout", "100"]);
        run.is("erlrc-start: Starting 'foo': (n1) flooded\n", 3)
            .says("more than 67108864 bytes that answer nothing");
    };
    case(vec![0; 1 << 20]);
    case(frame_to(9, &[0; 1 << 16]));
    case(output(1, &[b'x'; 1 << 16]));
}

#[track_caller]
fn outcome(host: &Host, impostor: &Impostor, expected: &str) {
    host.entry("n1", &format!("{COOKIE}\nport={}\n", impostor.port));
    let started = Instant::now();
    let run = host.erlrc(&["start", "foo", "1.0", "--connect-timeout", "1"]);
    run.is(
        &format!("erlrc-start: Starting 'foo': (n1) {expected}\n"),
        3,
    );
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_node_that_sends_nonsense_is_malformed() {
    let host = Host::without_epmd();
    let case = |bytes: &'static [u8], expected: &str| {
        let impostor = Impostor::new(move |stream| {
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        outcome(&host, &impostor, expected);
    };
    case(b"\x00\x00\x00\x03abc", "malformed");
    case(b"\xff\xff\xff\xff", "too_large");
    case(b"\x00\x00\x00\x05\x70\x83\x6c\xff\xff", "malformed");
    case(b"\x00\x00\x00\x00\x00\x00\x00\x00", "hung");
}

#[test]
fn deep_and_huge_terms_are_refused() {
    let host = Host::without_epmd();
    let deep = Impostor::new(|stream| {
        let mut term = b"h\x01".repeat(1_000_000);
        term.push(106);
        let _ = stream.write_all(&frame(&term));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    outcome(&host, &deep, "malformed");
    let wide = Impostor::new(|stream| {
        let mut term = b"l\x00\x98\x96\x80".to_vec();
        term.extend_from_slice(&vec![106; 10_000_001]);
        let _ = stream.write_all(&frame(&term));
        let _ = stream.read_to_end(&mut Vec::new());
    });
    outcome(&host, &wide, "malformed");
}

#[test]
fn an_endless_stream_ends_at_the_deadline() {
    let host = Host::without_epmd();
    let dripping = Impostor::new(|stream| {
        while stream.write_all(&[0, 0, 0, 0]).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    outcome(&host, &dripping, "hung");
    let output = Impostor::new(|stream| {
        let frame = output(1, b"x");
        while stream.write_all(&frame).is_ok() {}
    });
    outcome(&host, &output, "hung");
}

#[test]
fn who_does_not_know_the_cookie_does_not_pass_for_the_node() {
    let host = Host::without_epmd();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("a bound socket").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = message(&mut stream);
            let _ = send(&mut stream, b"snamed:\x00\x05a@b.c\x00\x00\x00\x01");
            let mut challenge = vec![b'N'];
            challenge.extend_from_slice(&[0xff; 8]);
            challenge.extend_from_slice(b"\x00\x00\x00\x07\x00\x00\x00\x01\x00\x0cn1@localhost");
            let _ = send(&mut stream, &challenge);
            let _ = message(&mut stream);
            let _ = send(&mut stream, &[b'a'; 17]);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    outcome(&host, &Impostor { port }, "not_proven");
}

#[test]
fn mutated_replies_crash_nothing() {
    let host = Host::without_epmd();
    let seconds = std::env::var("ERLRC_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(5));
    // {ok, #{status => ok, outcome => started, reason => <<"x">>, warnings => [<<"y">>], running => <<"1">>}}
    let answer = b"h\x02w\x02okt\x00\x00\x00\x05w\x06statusw\x02okw\x07outcomew\x07startedw\x06reasonm\
        \x00\x00\x00\x01xw\x08warningsl\x00\x00\x00\x01m\x00\x00\x00\x01yjw\x07runningm\x00\x00\x00\x011";
    let whole = frame(answer);
    let state = std::sync::Mutex::new(0x2545_F491_4F6C_DD1D_u64);
    let impostor = Impostor::new(move |stream| {
        let random = || {
            let mut state = state.lock().expect("a number");
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *state
        };
        let mut mutated = whole.clone();
        for _ in 0..=(random() % 4) {
            let at = usize::try_from(random()).unwrap_or_default() % mutated.len();
            mutated[at] = random().to_le_bytes()[0];
        }
        let _ = stream.write_all(&mutated);
        // Whoever still waits is told that there is no more.
    });
    host.entry("n1", &format!("{COOKIE}\nport={}\n", impostor.port));
    let mut runs = 0;
    while Instant::now() < end {
        let run = host.erlrc(&["start", "foo", "1.0", "--connect-timeout", "1"]);
        assert!([0, 1, 3, 6].contains(&run.status), "{run:?}");
        runs += 1;
    }
    assert!(runs > 0);
}
