//! Operations whose answer does not come: how they ended is learnt from them, however that may be.

use crate::host::{COOKIE, Host, Node, eventually, foo, free_port};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What stands between the hook and a node, and can be cut.
struct Wire {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    closed: Arc<AtomicBool>,
}

impl Wire {
    /// A wire to `node`, which listens on a port.
    fn to(node: u16) -> Self {
        Self::new(node, &|from, to| {
            let _ = std::io::copy(from, to);
        })
    }

    fn new(node: u16, forward: &'static (dyn Fn(&mut TcpStream, &mut TcpStream) + Sync)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("a bound socket").port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let (kept, shut) = (Arc::clone(&streams), Arc::clone(&closed));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", node)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (copy(from), copy(to));
                    kept.lock().expect("a whole list").push(copy(&from));
                    std::thread::spawn(move || {
                        forward(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self {
            port,
            streams,
            closed,
        }
    }

    /// Cuts every connection that there is.
    fn cut(&self) {
        for stream in self.streams.lock().expect("a whole list").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes no other connection any more.
    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.cut();
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a stream")
}

/// A node that is reached by a wire, and by a second name without it.
fn wired(host: &Host, name: &str) -> (Node, Wire) {
    let port = free_port();
    let text = port.to_string();
    let node = host.start(&[
        "-sname",
        name,
        "-erlrc",
        "register_node",
        "false",
        "-kernel",
        "inet_dist_listen_min",
        &text,
        "inet_dist_listen_max",
        &text,
    ]);
    let wire = Wire::to(port);
    host.entry(name, &format!("{COOKIE}\nport={}\n", wire.port));
    (node, wire)
}

fn eval(host: &Host, node: &str, text: &str) -> String {
    host.erlrc(&["eval", node, text]).out
}

fn start(host: &Host, node: &str) {
    let text = format!("erlrcdynamic:start(foo, \"1.0\", \"{}\")", foo("1.0"));
    host.erlrc(&["eval", node, &text]).is("started\n", 0);
}

fn start_on_all(host: &Host, nodes: &[&str]) {
    for node in nodes {
        start(host, node);
    }
}

/// An upgrade of `foo`, on its way on `node`, whose server is busy until it is told to go.
fn upgrade(host: &Host, node: &str, arguments: &[&str]) -> Child {
    let wait = "spawn(fun() -> gen_server:call(foo_server, wait, infinity) end), ok";
    host.erlrc(&["eval", node, wait]).is("ok\n", 0);
    let (old, new) = (foo("1.0"), foo("2.0"));
    let versions = ["upgrade", "foo", "1.0", "2.0", &old, &new];
    let hook = host
        .command(&[versions.as_slice(), arguments].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    eventually("the node has begun", || {
        eval(host, node, "whereis(erlrc_guardian) =/= undefined") == "true\n"
    });
    hook
}

#[track_caller]
fn ended(hook: Child, out: &str, status: i32) -> String {
    let output = hook.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (
            String::from_utf8_lossy(&output.stdout).as_ref(),
            output.status.code()
        ),
        (out, Some(status)),
        "{said}"
    );
    said
}

fn runs(host: &Host, node: &str) -> String {
    let text = "{_, _, V} = lists:keyfind(foo, 1, application:which_applications()), V";
    eval(host, node, text)
}

#[test]
fn an_operation_whose_connection_is_cut_is_asked_for_until_it_has_ended() {
    let host = Host::new();
    let (_n2, wire) = wired(&host, "n2");
    let _n1 = host.node("n1");
    start_on_all(&host, &["n1", "n2"]);
    let hook = upgrade(&host, "n2", &[]);
    wire.cut();
    eventually("the hook asks", || {
        !wire.streams.lock().expect("a whole list").is_empty()
    });
    assert_eq!(eval(&host, "n2", "foo_server ! go"), "go\n");
    let line = "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) upgraded\n";
    let said = ended(hook, line, 0);
    assert!(said.contains("n2: the connection was lost"), "{said}");
    assert_eq!(["n1", "n2"].map(|node| runs(&host, node)), ["\"2.0\"\n"; 2]);
}

#[test]
fn an_operation_that_fails_behind_a_cut_connection_takes_the_others_back() {
    let host = Host::new();
    let (_n2, wire) = wired(&host, "n2");
    let _n1 = host.node("n1");
    start_on_all(&host, &["n1", "n2"]);
    let poison = "gen_server:call(foo_server, {note, poisoned})";
    host.erlrc(&["eval", "n2", poison]).is("ok\n", 0);
    let hook = upgrade(&host, "n2", &[]);
    wire.cut();
    assert_eq!(eval(&host, "n2", "foo_server ! go"), "go\n");
    let lines = "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) script_failed\n\
                 erlrc-upgrade: Undoing 'foo': (n1) reverted\n";
    ended(hook, lines, 1);
    assert_eq!(["n1", "n2"].map(|node| runs(&host, node)), ["\"1.0\"\n"; 2]);
}

#[test]
fn an_operation_outlives_the_server_that_was_to_answer() {
    let host = Host::new();
    let _node = host.node("n1");
    start(&host, "n1");
    let hook = upgrade(&host, "n1", &[]);
    let kill = "exit(whereis(erlrc_operations), kill)";
    host.erlrc(&["eval", "n1", kill]).is("true\n", 0);
    assert_eq!(eval(&host, "n1", "foo_server ! go"), "go\n");
    ended(hook, "erlrc-upgrade: Upgrading 'foo': (n1) upgraded\n", 0);
    assert_eq!(runs(&host, "n1"), "\"2.0\"\n");
}

#[test]
fn nobody_is_taken_back_while_another_cannot_be_asked() {
    let host = Host::new();
    let (_n2, wire) = wired(&host, "n2");
    let _nodes = ["n1", "n3"].map(|name| host.node(name));
    start_on_all(&host, &["n1", "n2", "n3"]);
    let hook = upgrade(
        &host,
        "n2",
        &["--node-timeout", "20", "--hook-timeout", "21"],
    );
    wire.close();
    let line = "erlrc-upgrade: Upgrading 'foo': (n1) upgraded (n2) lost (n3) not_tried\n";
    let said = ended(hook, line, 6);
    for text in [
        "n2: the connection was lost",
        "the node may still be at work on it",
        "n1: foo 2.0 runs there and is not taken back: n2 may still be on its way to the same",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("as it was"), "{said}");
    assert_eq!(runs(&host, "n1"), "\"2.0\"\n");
    assert_eq!(runs(&host, "n3"), "\"1.0\"\n");
}

#[test]
fn a_node_that_is_stopped_in_the_midst_is_said_to_have_been() {
    let host = Host::new();
    let _node = host.start(&[
        "-sname",
        "n1",
        "-eval",
        "application:ensure_all_started(erlrc).",
    ]);
    let name = host.registered();
    start(&host, "n1");
    let hook = upgrade(&host, "n1", &[]);
    host.erlrc(&["eval", "n1", "init:stop()"]).is("ok\n", 0);
    let output = hook.wait_with_output().expect("an end");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let begun = format!("erlrc-upgrade: Upgrading 'foo': ({name}) node_stop");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(line.starts_with(&begun), "{line}{said}");
    assert_eq!(output.status.code(), Some(0), "{line}{said}");
}

/// Forwards what a client says first, and not what it says then.
fn cut_at_the_proof(from: &mut TcpStream, to: &mut TcpStream) {
    static BEFORE: AtomicBool = AtomicBool::new(false);
    let mut chunk = [0; 4096];
    let count = from.read(&mut chunk).unwrap_or(0);
    let _ = to.write_all(&chunk[..count]);
    let is_client = chunk.get(2) == Some(&b'N') && chunk.get(3) == Some(&0);
    if is_client && count < 100 && !BEFORE.swap(true, Ordering::SeqCst) {
        // Nothing but its name; the answer comes the other way.
        let _ = from.read(&mut chunk);
        let _ = from.shutdown(Shutdown::Both);
        return;
    }
    let _ = std::io::copy(from, to);
}

#[test]
fn a_connection_that_is_cut_in_the_handshake_is_no_wrong_cookie() {
    let host = Host::new();
    let port = free_port();
    let text = port.to_string();
    let _node = host.start(&[
        "-sname",
        "n1",
        "-kernel",
        "inet_dist_listen_min",
        &text,
        "inet_dist_listen_max",
        &text,
    ]);
    let wire = Wire::new(port, &cut_at_the_proof);
    host.entry("n1", &format!("{COOKIE}\nport={}\n", wire.port));
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")])
        .is("erlrc-start: Starting 'foo': (n1) started\n", 0);
}
