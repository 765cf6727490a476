//! One hook against one node, beside the original's way: two virtual machines where the node is up, one
//! where it is down; and beside the floor, a process that does nothing. The node's part of it beside that of a node
//! which sends back what it is sent.

#[allow(dead_code)]
#[path = "../test/hooks/host.rs"]
pub mod host;

use crate::common::measure::{Way, take_turns, time};
use erlrc::term::{Limits, external, text};
use host::{COOKIE, Host, erl, foo, pid_namespace};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 15;
/// Hooks in a row for each run of the original: one alone is too short to time.
const IN_A_ROW: u32 = 10;
/// Between two requests, so that the node sleeps when one comes.
const PAUSE: Duration = Duration::from_millis(3);

/// Prints the table.
pub fn table() {
    let host = Host::new();
    let _node = host.node("n1");
    let directory = foo("1.0");
    let hook = ["start", "foo", "1.0", &directory];
    let started = "erlrc-start: Starting 'foo': (n1) started\n";
    host.erlrc(&hook).is(started, 0);
    println!(
        "| one hook | ours | goal | a process | ours / a process | original's way | original / ours |"
    );
    println!("|---|---|---|---|---|---|---|");
    row("node up", 3.0, &host, &hook, "n1");
    let host = Host::new();
    host.listed("n2");
    row("node down", 1.5, &host, &hook, "n2");
    println!("\n| one hook | ours | a process | ours / a process | goal |");
    println!("|---|---|---|---|---|");
    let host = Host::new();
    let echo = host.path("run/echo");
    let start = "application:ensure_all_started(erlrc).";
    let _node = host.start(&["-sname", "n3", "-eval", &echoing(&echo), "-eval", start]);
    let name = host.registered();
    host.erlrc(&hook);
    short_row("node up, by its socket", "2.0", &|| (), &host, &hook);
    let entry = std::fs::read_to_string(host.path("run/nodes").join(name)).expect("an entry");
    let socket = entry.lines().find_map(|line| line.strip_prefix("socket="));
    let socket = Path::new(socket.expect("a socket")).to_owned();
    let host = Host::without_epmd();
    short_row("no node", "", &|| (), &host, &hook);
    short_row(
        "no node, 200 dead entries",
        "1.4",
        &|| dead(&host),
        &host,
        &hook,
    );
    answer_row(&socket, &echo, &directory);
}

/// What a node is to evaluate that sends back, on a socket at `path`, what it is sent.
fn echoing(path: &Path) -> String {
    format!(
        "spawn(fun() -> {{ok, L}} = gen_tcp:listen(0, [{{ifaddr, {{local, {path:?}}}}}, {{packet, 4}}, {{active, false}}, \
         binary]), (fun Next() -> {{ok, S}} = gen_tcp:accept(L), {{ok, Sent}} = gen_tcp:recv(S, 0), ok = gen_tcp:send(S, \
         Sent), ok = gen_tcp:close(S), Next() end)() end)."
    )
}

/// The time from connecting to the answer that nothing is to be done.
fn answer_row(socket: &Path, echo: &Path, directory: &str) {
    let request = format!(
        "#{{<<\"protocol\">> => 1, <<\"operation\">> => start, <<\"application\">> => <<\"foo\">>, \
         <<\"vsn\">> => <<\"1.0\">>, <<\"dir\">> => <<{directory:?}>>, <<\"patience\">> => 60000}}."
    );
    let request = text::parse_all(request.as_bytes(), &Limits::default()).expect("a term");
    let request = external::encode(&request[0]);
    let length = u32::try_from(request.len()).expect("a short request");
    let frame = [length.to_be_bytes().as_slice(), &request].concat();
    let exchanges = |socket| {
        let exchanged = (0..IN_A_ROW).map(|_| exchange(socket, &frame));
        exchanged.sum::<Duration>() / IN_A_ROW
    };
    let mut ways: Vec<Way<'_>> = vec![
        ("echo", Box::new(|| exchanges(echo))),
        ("ours", Box::new(|| exchanges(socket))),
    ];
    let times = take_turns(&mut ways, ROUNDS);
    println!("\n| the node's part | ours | an echo | ours / an echo |");
    println!("|---|---|---|---|");
    println!(
        "| from connecting to the answer | {:.2} ms | {:.2} ms | {:.2}x |",
        times.milliseconds("ours"),
        times.milliseconds("echo"),
        times.ratio("ours", "echo"),
    );
}

fn exchange(socket: &Path, frame: &[u8]) -> Duration {
    std::thread::sleep(PAUSE);
    time(|| {
        let mut stream = UnixStream::connect(socket).expect("a connection");
        stream.write_all(frame).expect("it is sent");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).expect("all of it");
    })
}

/// Entries of nodes that were killed.
fn dead(host: &Host) {
    let namespace = pid_namespace();
    for number in 0..200 {
        let text = format!(
            "managed=1\nsocket=/run/x/{number}\nos_pid={}\npid_namespace={namespace}\nstart_time=1\n",
            4_000_000_000u32 + number
        );
        host.file(&format!("run/nodes/n{number}@host"), &text, 0o600);
    }
}

/// One hook after what `before` does, beside a process that does nothing.
fn short_row(what: &str, goal: &str, before: &dyn Fn(), host: &Host, hook: &[&str; 4]) {
    let ours = || {
        (0..IN_A_ROW).map(|_| {
            before();
            time(|| quiet(host.command(hook)))
        })
    };
    let floor = || (0..IN_A_ROW).map(|_| time(|| quiet(Command::new("true"))));
    let mut ways: Vec<Way<'_>> = vec![
        (
            "floor",
            Box::new(move || floor().sum::<Duration>() / IN_A_ROW),
        ),
        (
            "ours",
            Box::new(move || ours().sum::<Duration>() / IN_A_ROW),
        ),
    ];
    let times = take_turns(&mut ways, ROUNDS);
    println!(
        "| {what} | {:.2} ms | {:.2} ms | {:.2}x | {goal} |",
        times.milliseconds("ours"),
        times.milliseconds("floor"),
        times.ratio("ours", "floor"),
    );
}

fn row(what: &str, goal: f64, host: &Host, hook: &[&str; 4], node: &str) {
    let in_a_row = |command: &dyn Fn() -> Command| -> Duration {
        time(|| (0..IN_A_ROW).for_each(|_| quiet(command()))) / IN_A_ROW
    };
    let mut ways: Vec<Way<'_>> = vec![
        ("floor", Box::new(|| in_a_row(&|| Command::new("true")))),
        ("ours", Box::new(|| in_a_row(&|| host.command(hook)))),
        (
            "original",
            Box::new(|| time(|| original(host, node, hook[3]))),
        ),
    ];
    let times = take_turns(&mut ways, ROUNDS);
    println!(
        "| {what} | {:.2} ms | {goal} ms | {:.2} ms | {:.2}x | {:.0} ms | {:.0}x |",
        times.milliseconds("ours"),
        times.milliseconds("floor"),
        times.ratio("ours", "floor"),
        times.milliseconds("original"),
        times.ratio("original", "ours"),
    );
}

/// A virtual machine that asks whether the node is there and, where it is, a second one that calls it.
fn original(host: &Host, node: &str, directory: &str) {
    let host_part = "tl(lists:dropwhile(fun(C) -> C =/= $@ end, atom_to_list(node())))";
    let name = format!("list_to_atom(\"{node}@\" ++ {host_part})");
    let ping = format!("halt(case net_adm:ping({name}) of pong -> 0; pang -> 1 end).");
    if !vm(host, "erlrctmp1", &ping) {
        return;
    }
    let arguments = format!("[foo, \"1.0\", {directory:?}]");
    let call = format!("rpc:call({name}, erlrcdynamic, start, {arguments})");
    let print = format!("io:format(\"~p~n\", [{call}]), halt().");
    assert!(vm(host, "erlrctmp2", &print));
}

fn vm(host: &Host, name: &str, text: &str) -> bool {
    let mut command = Command::new(erl());
    let like = host.command(&[]);
    let environment = like
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    command
        .args(["-noshell", "-hidden", "-sname", name, "-setcookie", COOKIE])
        .args(["-eval", text])
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.status().expect("erl runs").success()
}

fn quiet(mut command: Command) {
    let status = command.stdout(Stdio::null()).status();
    assert!(status.expect("it runs").success());
}
