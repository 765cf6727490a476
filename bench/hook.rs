//! One hook against one node, beside the original's way: two virtual machines where the node is up, one
//! where it is down; and beside the floor, a process that does nothing.

#[allow(dead_code)]
#[path = "../test/hooks/host.rs"]
pub mod host;

use crate::common::measure::{Way, take_turns, time};
use host::{COOKIE, Host, erl, foo, pid_namespace};
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 15;
/// Hooks in a row for each run of the original: one alone is too short to time.
const IN_A_ROW: u32 = 10;

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
    let _node = host.start(&[
        "-sname",
        "n3",
        "-eval",
        "application:ensure_all_started(erlrc).",
    ]);
    host.registered();
    host.erlrc(&hook);
    short_row("node up, by its socket", "2.0", &|| (), &host, &hook);
    let host = Host::without_epmd();
    short_row("no node", "", &|| (), &host, &hook);
    short_row(
        "no node, 200 dead entries",
        "1.4",
        &|| dead(&host),
        &host,
        &hook,
    );
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
