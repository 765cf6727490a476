//! Whom a hook reaches, and what it says of whom it does not.

use crate::host::{COOKIE, Host, Run, foo, free_port, pid_namespace};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

const STARTING: &str = "erlrc-start: Starting 'foo':";

fn start(host: &Host) -> Run {
    host.erlrc(&["start", "foo", "1.0", &foo("1.0"), "--connect-timeout", "1"])
}

#[track_caller]
fn outcome(host: &Host, outcome: &str, status: i32) -> Run {
    let run = start(host);
    run.is(&format!("{STARTING} {outcome}\n"), status);
    run
}

#[test]
fn a_host_without_nodes_is_normal() {
    let host = Host::without_epmd();
    start(&host).is("", 0);
    std::fs::remove_dir(host.path("nodes")).expect("an empty directory");
    std::fs::remove_dir_all(host.path("run")).expect("a directory");
    let run = start(&host);
    assert_eq!(run.is("", 0).err, "");
}

#[test]
fn a_node_is_down_without_epmd_without_name_and_with_a_closed_port() {
    let host = Host::without_epmd();
    host.listed("n1");
    outcome(&host, "(n1) node_down", 0);
    let host = Host::new();
    host.listed("n1");
    host.entry("n2", &format!("{COOKIE}\nport={}\n", free_port()));
    outcome(&host, "(n1) node_down (n2) node_down", 0);
}

#[test]
fn short_and_long_names_are_told_apart_by_nobody_but_the_client() {
    let host = Host::new();
    let short = host.node("n1");
    let long = host.start(&["-name", "n2@127.0.0.1"]);
    host.listed("n2");
    outcome(&host, "(n1) started (n2) started", 0);
    host.entry("n2@127.0.0.1", COOKIE);
    std::fs::remove_file(host.path("nodes/n2")).expect("the entry");
    outcome(
        &host,
        "(n1) already_running (n2@127.0.0.1) already_running",
        0,
    );
    for node in [&short, &long] {
        assert!(!node.log().contains("illegal"), "{}", node.log());
    }
}

#[test]
fn a_full_name_is_that_of_one_node_alone() {
    let host = Host::new();
    let _node = host.start(&["-name", "n1@127.0.0.1"]);
    host.listed("n1@127.0.0.2");
    outcome(&host, "(n1@127.0.0.2) wrong_node", 3).says("another node answers there: n1@127.0.0.1");
}

#[test]
fn a_node_is_found_by_port_without_epmd() {
    let host = Host::without_epmd();
    let port = free_port().to_string();
    let range = [
        "-kernel",
        "inet_dist_listen_min",
        &port,
        "inet_dist_listen_max",
        &port,
    ];
    let arguments = [["-sname", "n1", "-erl_epmd_port", &port].as_slice(), &range].concat();
    let _node = host.start(&arguments);
    host.entry("n1", &format!("{COOKIE}\nport={port}\n"));
    outcome(&host, "(n1) started", 0);
    host.entry("n1", &format!("{COOKIE}\nport={port}\nhost=localhost\n"));
    outcome(&host, "(n1) already_running", 0);
}

#[test]
fn a_host_that_nobody_knows_is_said_to_be_unknown() {
    let host = Host::without_epmd();
    host.entry("n1", &format!("{COOKIE}\nport=1\nhost=a..b\n"));
    outcome(&host, "(n1) unresolved", 3).says("the host name a..b could not be resolved");
}

#[test]
fn name_services_that_hang_do_not_hold_the_hook() {
    let host = Host::without_epmd();
    host.entry("n1", &format!("{COOKIE}\nport=1\nhost=far.example\n"));
    // The shell that is called `getent` waits for a pipe that nobody writes to.
    let pipe = host.path("pipe");
    let made = Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    host.file(
        "bin/getent",
        &format!("#!/bin/sh\nread line <{}\n", pipe.display()),
        0o755,
    );
    let mut command = host.command(&["start", "foo", "1.0", "--connect-timeout", "0.2"]);
    let run = Run::of(
        command
            .env("PATH", host.path("bin"))
            .output()
            .expect("it runs"),
    );
    run.is(&format!("{STARTING} (n1) unresolved\n"), 3)
        .says("far.example could not be resolved");
}

#[test]
fn the_command_has_no_name_service_of_its_own() {
    let command = std::fs::read(env!("CARGO_BIN_EXE_erlrc")).expect("the command");
    let command = elf::ElfBytes::<elf::endian::AnyEndian>::minimal_parse(&command).expect("ELF");
    let (symbols, names) = command.symbol_table().expect("ELF").expect("symbols");
    let names: Vec<&str> = symbols
        .iter()
        .filter_map(|symbol| names.get(usize::try_from(symbol.st_name).ok()?).ok())
        .collect();
    assert!(names.contains(&"main"));
    for service in [
        "getaddrinfo",
        "gethostbyname",
        "getpwuid_r",
        "getpwnam_r",
        "getgrnam_r",
    ] {
        let found = names
            .iter()
            .find(|name| name.split('@').next() == Some(service));
        assert_eq!(found, None, "a static glibc cannot load name services");
    }
}

#[test]
fn a_node_is_found_where_only_ipv6_is() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let host = Host::new();
    let _node = host.start(&[
        "-proto_dist",
        "inet6_tcp",
        "-name",
        "n1@::1",
        "-kernel",
        "inet_dist_use_interface",
        "{0,0,0,0,0,0,0,1}",
    ]);
    host.listed("n1");
    outcome(&host, "(n1) started", 0);
}

#[test]
fn the_entry_that_a_node_writes_itself_is_found() {
    let host = Host::new();
    let _node = host.start(&[
        "-sname",
        "n1",
        "-eval",
        "application:ensure_all_started(erlrc).",
    ]);
    let name = host.registered();
    outcome(&host, &format!("({name}) started"), 0);
}

#[test]
fn a_wrong_cookie_is_refused() {
    let host = Host::new();
    let _node = host.node("n1");
    let refused = |file: &std::path::Path| {
        let said = format!("the node refused the cookie, that of {}\n", file.display());
        outcome(&host, "(n1) cookie_refused", 3).says(&said);
        let status = host.erlrc(&["status", "--json"]);
        assert!(status.out.contains(said.trim_end()), "{status:?}");
    };
    host.entry("n1", "wrong");
    refused(&host.path("nodes/n1"));
    // The entry names another file.
    let cookie = host.file("cookie", "wrong as well", 0o400);
    host.entry("n1", &format!("cookie_file={}\n", cookie.display()));
    refused(&cookie);
}

#[test]
fn an_allow_list_keeps_us_out() {
    let host = Host::new();
    host.listed("n1");
    let _node = host.start(&["-sname", "n1", "-eval", "net_kernel:allow(['a@b'])."]);
    outcome(&host, "(n1) not_allowed", 3);
}

#[test]
fn a_stopped_process_is_hung_and_not_down() {
    let host = Host::new();
    let node = host.node("n1");
    node.signal("STOP");
    outcome(&host, "(n1) hung", 3).says("no reply within 1 s");
    node.signal("CONT");
    outcome(&host, "(n1) started", 0);
}

/// Something that listens and does `serve` with whoever comes.
fn listener(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("a bound socket").port();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    port
}

#[test]
fn what_is_no_node_is_said_to_be_none() {
    let host = Host::without_epmd();
    let silent = listener(std::mem::forget);
    let closing = listener(drop);
    let greeting = listener(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
    });
    let web = listener(|mut stream| {
        let _ = stream.read(&mut [0; 100]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    for (name, port) in [
        ("closing", closing),
        ("greeting", greeting),
        ("silent", silent),
        ("web", web),
    ] {
        host.entry(name, &format!("{COOKIE}\nport={port}\n"));
    }
    let expected = "(closing) not_erlang (greeting) not_erlang (silent) hung (web) not_erlang";
    outcome(&host, expected, 3);
}

#[test]
fn a_node_inside_tls_is_said_to_be_inside_tls() {
    let host = Host::new();
    let (key, certificate) = (host.path("key.pem"), host.path("cert.pem"));
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=n1", "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success());
    let options = format!(
        "[{{server, [{{certfile, {:?}}}, {{keyfile, {:?}}}]}}].",
        certificate.display().to_string(),
        key.display().to_string()
    );
    let options = host
        .file("tls.config", &options, 0o600)
        .display()
        .to_string();
    host.listed("n1");
    let _node = host.start(&[
        "-proto_dist",
        "inet_tls",
        "-ssl_dist_optfile",
        &options,
        "-sname",
        "n1",
    ]);
    outcome(&host, "(n1) tls_required", 3).says("inet_tls");
}

#[test]
fn an_entry_that_others_can_write_is_refused() {
    let host = Host::new();
    let _node = host.node("n1");
    host.file("nodes/n1", COOKIE, 0o622);
    outcome(&host, "(n1) entry_refused", 3).says("can be written by group or others");
    host.file("nodes/n1", COOKIE, 0o644);
    outcome(&host, "(n1) started", 0).says("can be read by group or others");
}

#[test]
fn the_port_that_a_dead_node_left_in_its_entry_is_another_nodes_by_now() {
    let host = Host::new();
    let _node = host.node("n1");
    let registered = std::process::Command::new("epmd")
        .args(["-port", &host.epmd_port.to_string(), "-names"])
        .output()
        .expect("epmd runs");
    let text = String::from_utf8_lossy(&registered.stdout).into_owned();
    let port = text
        .split_ascii_whitespace()
        .last()
        .expect("a port")
        .to_owned();
    let cookie_file = host.path("home/.erlang.cookie").display().to_string();
    let entry = format!("managed=1\ncookie_file={cookie_file}\nport={port}\n");
    host.file("run/nodes/n2@host", &entry, 0o600);
    outcome(&host, "(n1) started (n2@host) node_down", 0);
    host.entry("n2", &format!("{COOKIE}\nport={port}\n"));
    outcome(&host, "(n1) already_running (n2) wrong_node", 3);
}

#[test]
fn fifty_hooks_at_once_are_all_answered() {
    let host = Host::new();
    let _node = host.node("n1");
    let children: Vec<_> = (0..50)
        .map(|_| {
            host.command(&[
                "eval",
                "n1",
                "timer:sleep(300), 7",
                "--connect-timeout",
                "30",
            ])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("erlrc runs")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(
            (output.stdout.as_slice(), output.status.code()),
            (b"7\n".as_slice(), Some(0))
        );
    }
}

#[test]
fn names_that_nodes_give_leave_no_atoms_in_them() {
    let host = Host::new();
    let _node = host.node("n1");
    let count = || {
        let run = host.erlrc(&["eval", "n1", "erlang:system_info(atom_count)"]);
        run.out.trim().parse::<u64>().expect("a number")
    };
    // Whatever the first calls load stays.
    (0..3).for_each(|_| assert!(count() > 0));
    let before = count();
    (0..30).for_each(|_| assert!(count() > 0));
    assert_eq!(count(), before);
}

#[test]
fn a_node_that_nobody_asks_is_named() {
    let host = Host::new();
    let _node = host.start(&["-sname", "n1"]);
    let text = "not asked: n1, which epmd knows and which has no entry";
    start(&host).is("", 0).says(text);
    let status = host.erlrc(&["status"]);
    assert!(
        format!("{}{}", status.out, status.err).contains(text),
        "{status:?}"
    );
    let doctor = host.erlrc(&["doctor"]);
    assert!(doctor.out.contains(text), "{doctor:?}");
    // Once it is asked there is nothing to say.
    host.listed("n1");
    let run = outcome(&host, "(n1) started", 0);
    assert!(!run.err.contains("not asked"), "{run:?}");
}

#[test]
fn what_a_killed_hook_has_left_the_next_one_removes() {
    let host = Host::new();
    let _node = host.node("n1");
    let namespace = pid_namespace();
    let left = host.file(
        &format!("run/nodes/.erlrc-nonce-{namespace}-4294967295-1-x"),
        "",
        0o600,
    );
    outcome(&host, "(n1) started", 0);
    assert!(!left.exists());
    let nonces = std::fs::read_dir(host.path("run/nodes")).expect("a directory");
    let names = nonces.filter_map(|file| file.ok()?.file_name().into_string().ok());
    assert_eq!(
        names
            .filter(|name| name.starts_with(".erlrc-nonce"))
            .count(),
        0
    );
}

#[test]
fn a_node_that_ends_in_the_handshake_has_not_refused_the_cookie() {
    let host = Host::without_epmd();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("a bound socket").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("a length");
        let mut name = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut name).expect("a name");
        let status = b"\x00\x12snamed:\x00\x05a@b.c\x00\x00\x00\x01";
        let mut challenge = b"\x00\x1fN".to_vec();
        challenge.extend_from_slice(&[0xff; 8]);
        challenge.extend_from_slice(b"\x00\x00\x00\x07\x00\x00\x00\x01\x00\x0cn1@localhost");
        stream.write_all(status).expect("it is taken");
        stream.write_all(&challenge).expect("it is taken");
        drop(listener);
        let _ = stream.read(&mut [0; 64]);
    });
    host.entry("n1", &format!("{COOKIE}\nport={port}\n"));
    outcome(&host, "(n1) lost", 3).says("the connection was lost while waiting for the proof");
}
