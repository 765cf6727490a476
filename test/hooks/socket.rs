//! The socket on which a node listens for hooks: whoever runs erlrc is reached, with and without distribution, and
//! nobody who speaks nonsense on either side does harm.

use crate::host::{Host, Node, Run, eventually, foo, pid_namespace};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const START_ERLRC: [&str; 2] = ["-eval", "{ok, _} = application:ensure_all_started(erlrc)."];

/// A node with erlrc and these arguments, and the name of its entry.
fn node(host: &Host, arguments: &[&str]) -> (Node, String) {
    let before = host.written();
    let node = host.start(&[arguments, &START_ERLRC].concat());
    let new = || {
        host.written()
            .into_iter()
            .find(|name| !before.contains(name))
    };
    eventually("the node registers", || new().is_some());
    let name = new().expect("an entry");
    (node, name)
}

/// What the entry `name` says of `key`.
fn said(host: &Host, name: &str, key: &str) -> String {
    let text = fs::read_to_string(host.path("run/nodes").join(name)).expect("an entry");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{key}=")));
    value.expect("the key").to_owned()
}

fn start(host: &Host) -> Run {
    host.erlrc(&["start", "foo", "1.0", &foo("1.0"), "--connect-timeout", "2"])
}

#[track_caller]
fn is_upgraded(host: &Host, name: &str) {
    start(host).is(
        &format!("erlrc-start: Starting 'foo': ({name}) started\n"),
        0,
    );
    let (old, new) = (foo("1.0"), foo("2.0"));
    let run = host.erlrc(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    run.is(
        &format!("erlrc-upgrade: Upgrading 'foo': ({name}) upgraded\n"),
        0,
    );
    assert_eq!(run.err, "");
    host.erlrc(&["eval", name, "foo_server:history()"])
        .is("[up,\"1.0\"]\n", 0);
    let plan = host.erlrc(&["plan", "foo", "1.0", "--to", &old]);
    assert!(plan.out.contains("2.0"), "{plan:?}");
    host.erlrc(&["stop", "foo", "2.0", &new]).is(
        &format!("erlrc-stop: Stopping 'foo': ({name}) stopped\n"),
        0,
    );
}

#[test]
fn a_node_without_distribution_is_upgraded_like_all_others() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    assert!(
        name.starts_with("nonode-") && name.ends_with("@nohost"),
        "{name}"
    );
    is_upgraded(&host, &name);
    let status = host.erlrc(&["status", "--json"]);
    assert!(status.out.contains(r#""state":"up""#), "{status:?}");
}

#[test]
fn a_node_whose_cookie_is_in_no_file_is_upgraded_without_it() {
    let host = Host::new();
    let (node, name) = node(&host, &["-sname", "n1", "-setcookie", "onlyhere"]);
    is_upgraded(&host, &name);
    assert!(!node.log().contains("cookie"), "{}", node.log());
}

#[test]
fn a_node_with_tls_distribution_is_upgraded_without_tls() {
    let host = Host::new();
    let (key, certificate) = (host.path("key.pem"), host.path("cert.pem"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=n1", "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    assert!(made.expect("openssl runs").status.success());
    let options = format!("[{{server, [{{certfile, {certificate:?}}}, {{keyfile, {key:?}}}]}}].");
    let options = host
        .file("tls.config", &options, 0o600)
        .display()
        .to_string();
    let tls = [
        "-proto_dist",
        "inet_tls",
        "-ssl_dist_optfile",
        &options,
        "-sname",
        "n1",
    ];
    let (_node, name) = node(&host, &tls);
    is_upgraded(&host, &name);
}

#[test]
fn what_an_evaluation_prints_comes_before_its_value() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let text = "io:format(\"one~n~ts~n\", [[228]]), io:put_chars(<<\"two\\n\">>), 3";
    host.erlrc(&["eval", &name, text]).is("one\nä\ntwo\n3\n", 0);
    host.erlrc(&["eval", &name, "exit(odd)"])
        .is("", 1)
        .says("odd");
    host.erlrc(&["eval", &name, "throw(it)"])
        .is("", 1)
        .says("it");
    host.erlrc(&["eval", &name, "erlang:halt()"])
        .is("", 3)
        .says("the connection was lost");
}

#[test]
fn an_operation_outlives_the_hook_that_asked_for_it() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    start(&host);
    let busy = "spawn(gen_server, call, [foo_server, wait, infinity]), ok";
    host.erlrc(&["eval", &name, busy]).is("ok\n", 0);
    let (old, new) = (foo("1.0"), foo("2.0"));
    // Nothing is asked beforehand: what the node is at is the upgrade.
    let versions = ["upgrade", "foo", "1.0", "2.0", &old, &new];
    let mut hook = host.command(&[&versions[..], &["--preflight", "off"]].concat());
    let mut hook = hook.stdout(Stdio::null()).spawn().expect("erlrc runs");
    let at_work = || {
        host.erlrc(&["eval", &name, "erlrc_operations:status() =/= idle"])
            .out
    };
    eventually("the operation runs", || at_work() == "true\n");
    hook.kill().expect("a process");
    hook.wait().expect("an end");
    host.erlrc(&["eval", &name, "foo_server ! go"])
        .is("go\n", 0);
    eventually("the operation ends", || at_work() == "false\n");
    host.erlrc(&[
        "eval",
        &name,
        "element(3, lists:keyfind(foo, 1, application:which_applications()))",
    ])
    .is("\"2.0\"\n", 0);
}

#[test]
fn a_dead_node_leaves_nothing_behind() {
    let host = Host::new();
    let (mut dead, first) = node(&host, &["-sname", "n1"]);
    let socket = PathBuf::from(said(&host, &first, "socket"));
    assert!(
        fs::metadata(&socket)
            .expect("a socket")
            .file_type()
            .is_socket()
    );
    let (_other, second) = node(&host, &[]);
    dead.kill();
    start(&host).is(
        &format!("erlrc-start: Starting 'foo': ({second}) started\n"),
        0,
    );
    assert_eq!(host.written(), [second]);
    assert!(!socket.exists());
    // What is no socket is not removed, whatever an entry says.
    let precious = host.file("precious", "x", 0o600);
    let text = dead_entry().replace("/nonexistent", &precious.display().to_string());
    host.file("run/nodes/n2@host", &text, 0o600);
    start(&host);
    assert_eq!(host.written().len(), 1);
    assert!(precious.exists());
}

/// Of a process that cannot be.
fn dead_entry() -> String {
    let namespace = pid_namespace();
    format!(
        "managed=1\nsocket=/nonexistent\nos_pid=4294967295\nstart_time=1\npid_namespace={namespace}\n"
    )
}

/// Runs a script of the shell in namespaces of its own that has an entry which names the process of the number in `$pid`,
/// and then the hook in the same namespaces.
fn from_within(host: &Host, unshare: &[&str], script: &str) -> Run {
    let entry = "printf 'managed=1\\nsocket=/nonexistent\\nos_pid=%s\\nstart_time=%s\\npid_namespace=%s\\n' \
        $pid $start $namespace >$ERLRC_RUN/n1@host && chmod 600 $ERLRC_RUN/n1@host";
    let hook = host.command(&["start", "foo", "1.0"]);
    let script = format!("{script}\n{entry}\n\"$@\"");
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-ec", &script, "sh"]);
    command.arg(hook.get_program()).args(hook.get_args());
    let variables = hook.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    Run::of(command.output().expect("unshare runs"))
}

#[test]
fn what_another_namespaces_proc_shows_is_no_death() {
    // Only root may have namespaces of its own everywhere.
    if fs::metadata("/proc/self").expect("a process").uid() != 0 {
        return;
    }
    let pids = ["--pid", "--fork"];
    let namespace = "start=1 namespace=$(readlink /proc/self/ns/pid | tr -dc 0-9)";
    // The first number is another process' in the /proc that is mounted, the second one perhaps nobody's.
    let cases = ["pid=$$", "sleep 60 & pid=$!"].map(|pid| format!("{pid}\n{namespace}"));
    for script in cases {
        let host = Host::without_epmd();
        let run = from_within(&host, &pids, &script);
        run.is("erlrc-start: Starting 'foo': (n1@host) node_down\n", 0);
        assert_eq!(host.written(), ["n1@host"]);
    }
}

#[test]
fn the_dead_do_not_count_and_a_limit_is_told() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    for number in 0..5000 {
        host.file(&format!("run/nodes/a{number}@host"), &dead_entry(), 0o600);
    }
    // A person's entry is not the hook's to remove.
    host.file(
        "nodes/kept",
        &dead_entry().replace("managed=1\n", ""),
        0o600,
    );
    start(&host).is(
        &format!("erlrc-start: Starting 'foo': (kept) node_down ({name}) started\n"),
        0,
    );
    assert_eq!(host.written(), [name]);
    for number in 0..4096 {
        host.file(
            &format!("run/nodes/a{number}"),
            "socket=/nonexistent\n",
            0o600,
        );
    }
    let run = start(&host);
    assert!(run.out.contains(") entry_refused"), "{}", &run.out[..200]);
    assert_eq!(run.status, 3);
    run.says("4096 is the limit");
}

/// A connection to the socket of the node whose entry is `name`.
fn connect(host: &Host, name: &str) -> UnixStream {
    let stream = UnixStream::connect(said(host, name, "socket")).expect("the node listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    stream
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short frame");
    [length.to_be_bytes().as_slice(), body].concat()
}

fn answer(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn who_speaks_nonsense_to_a_node_is_refused_and_others_are_served() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let atoms = || {
        host.erlrc(&["eval", &name, "erlang:system_info(atom_count)"])
            .out
    };
    let _ = (atoms(), atoms());
    let before = atoms();
    let nonsense: [&[u8]; 6] = [
        b"",
        b"garbage",
        b"\x83",
        // A map of one atom that the node does not have to another.
        b"\x83t\x00\x00\x00\x01w\x0dnever_seen_qxw\x0dnever_seen_qy",
        // A compressed term that says it has 4 GB.
        b"\x83P\xff\xff\xff\xffx\x9c",
        // A fun of a module that is not there.
        b"\x83qw\x0dnever_seen_qxw\x0dnever_seen_qya\x00",
    ];
    for body in nonsense {
        let mut stream = connect(&host, &name);
        stream.write_all(&frame(body)).expect("it is taken");
        let said = answer(&mut stream).expect("an answer");
        assert!(contains(&said, "bad_request"), "{said:?}");
    }
    assert_eq!(atoms(), before);
    // More than a request may have: closed without an answer.
    let mut stream = connect(&host, &name);
    stream
        .write_all(&[0x7f, 0xff, 0xff, 0xff, 1, 2, 3])
        .expect("it is taken");
    assert_eq!(answer(&mut stream), None);
    // Half a frame, and silence.
    let mut slow = connect(&host, &name);
    slow.write_all(b"\x00\x00\x00\x09x").expect("it is taken");
    start(&host).is(
        &format!("erlrc-start: Starting 'foo': ({name}) started\n"),
        0,
    );
}

#[test]
fn idle_connections_make_room() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let idle: Vec<UnixStream> = (0..300).map(|_| connect(&host, &name)).collect();
    start(&host).is(
        &format!("erlrc-start: Starting 'foo': ({name}) started\n"),
        0,
    );
    drop(idle);
}

#[test]
fn hooks_at_once_are_all_answered_by_one_socket() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let eval = [
        "eval",
        &name,
        "timer:sleep(300), 7",
        "--connect-timeout",
        "30",
    ];
    let run = |_| {
        host.command(&eval)
            .stdout(Stdio::piped())
            .spawn()
            .expect("erlrc runs")
    };
    let children: Vec<_> = (0..50).map(run).collect();
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.stdout, b"7\n");
    }
}

/// Listens beside the entries as a node would, and `speak`s to whoever connects.
fn impostor(host: &Host, speak: impl Fn(&mut UnixStream) + Send + 'static) {
    let path = host.path("run/impostor");
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).expect("a listener");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            speak(&mut stream);
        }
    });
    host.file(
        "run/nodes/n1",
        &format!("managed=1\nsocket={}\n", path.display()),
        0o600,
    );
}

#[track_caller]
fn outcome(host: &Host, expected: &str) {
    let started = Instant::now();
    let run = host.erlrc(&["eval", "n1", "ok", "--node-timeout", "1"]);
    assert!(
        run.out.is_empty() && [1, 3].contains(&run.status),
        "{run:?}"
    );
    run.says(expected);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn who_listens_in_place_of_a_node_does_the_hook_no_harm() {
    let host = Host::without_epmd();
    let says = |bytes: &'static [u8], expected: &str| {
        impostor(&host, move |stream| {
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        outcome(&host, expected);
    };
    says(b"\x00\x00\x00\x03abc", "malformed message");
    says(b"\xff\xff\xff\xff", "more than the 67108864 that are taken");
    says(b"\x00\x00\x00\x05\x83\x6c\xff\xff\xff", "malformed message");
    says(b"\x00\x00\x00\x02\x83j", "malformed message");
    says(b"\x03\xff\xff\xff", "no reply within 1 s");
    impostor(&host, |_| ());
    outcome(&host, "the connection was lost");
    // Output without end.
    impostor(&host, |stream| {
        let text = frame(b"\x83m\x00\x00\x00\x01x");
        while stream.write_all(&text).is_ok() {}
    });
    let run = host.erlrc(&[
        "start",
        "foo",
        "1.0",
        "--connect-timeout",
        "1",
        "--node-timeout",
        "1",
    ]);
    assert_eq!(run.status, 3, "{run:?}");
}

#[test]
fn a_socket_of_somebody_else_is_not_spoken_to() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let entry = host.path("run/nodes").join(&name);
    // A copy: the node looks after its own.
    let copy = host.path("run/nodes/copy");
    fs::copy(&entry, &copy).expect("a copy");
    if chown(&copy, Some(4711), None).is_err() {
        return;
    }
    let run = host.erlrc(&["eval", "copy", "ok"]);
    run.is("", 3).says("to uid 4711");
    // Nor does the node speak to somebody else, whoever may open its socket.
    let socket = said(&host, &name, "socket");
    host.readable();
    let opened = Command::new("chmod").args(["666", &socket]).status();
    assert!(opened.expect("chmod runs").success());
    let script = format!(
        "{{ok, S}} = gen_tcp:connect({{local, {socket:?}}}, 0, [binary, {{packet, 4}}, {{active, false}}]), \
         _ = gen_tcp:send(S, term_to_binary(#{{<<\"operation\">> => running, <<\"application\">> => <<\"kernel\">>}})), \
         io:format(\"~p\", [gen_tcp:recv(S, 0)]), halt()."
    );
    let output = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "erl",
            "-noshell",
            "-eval",
            &script,
        ])
        .env("HOME", "/")
        .stdin(Stdio::null())
        .output()
        .expect("setpriv runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{error,closed}");
}

#[test]
fn the_entry_of_a_node_that_lives_comes_back() {
    let host = Host::without_epmd();
    let (_node, name) = node(&host, &[]);
    let socket = said(&host, &name, "socket");
    fs::remove_file(host.path("run/nodes").join(&name)).expect("an entry");
    fs::remove_file(&socket).expect("a socket");
    eventually("the node registers again", || {
        host.written() == [name.clone()]
    });
    eventually("the node listens again", || fs::metadata(&socket).is_ok());
    start(&host).is(
        &format!("erlrc-start: Starting 'foo': ({name}) started\n"),
        0,
    );
}
