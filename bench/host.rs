//! `erlrc status` and `erlrc list` of a host: beside the slowest node's own answer to the same question, and beside the
//! reading of the files that they read.

use crate::common::measure::{Way, take_turns, time};
use crate::common::{boot, floor};
use crate::hook::host::{Host, Node, erlrc_ebin, eventually};
use erlrc::node::{self, Call, Deadline};
use erlrc::term::Term;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const NODES: usize = 3;
const APPLICATIONS: usize = 60;

/// Prints the tables.
pub fn table() {
    status();
    println!();
    println!(
        "| erlrc list | ours | per application | reading | the node's own answer | a process | ours / reading and answer |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (count, rounds) in [(100, 31), (1_000, 21), (10_000, 11)] {
        list(count, 0, rounds);
    }
    list(1_000, 1, 11);
}

/// A host with registered and installed applications, and nodes that run all of them.
struct Work {
    host: Host,
    nodes: Vec<Node>,
    sockets: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Work {
    fn make(count: usize, nodes: usize) -> Self {
        let host = Host::new();
        let files = boot::idle(&host.path(""), count);
        let mut work = Self {
            host,
            nodes: Vec::new(),
            sockets: Vec::new(),
            files,
        };
        for number in 0..nodes {
            work.start(number);
        }
        work
    }

    fn start(&mut self, number: usize) {
        let name = format!("n{number}");
        let libraries = self.host.path("lib").display().to_string();
        let arguments = [
            "-sname",
            &name,
            "-pa",
            &erlrc_ebin(),
            "-s",
            "erlrc_boot",
            "boot",
        ];
        let variables = [("ERL_LIBS", libraries.as_str())];
        self.nodes.push(self.host.start_in(&variables, &arguments));
        let written = || self.host.written();
        eventually("the node registers", || written().len() > number);
        let sockets = self.host.written().into_iter().map(|entry| {
            let file = self.host.path("run/nodes").join(entry);
            let text = std::fs::read_to_string(file).expect("an entry");
            let mut socket = text.lines().filter_map(|line| line.strip_prefix("socket="));
            PathBuf::from(socket.next().expect("a socket"))
        });
        self.sockets = sockets.collect();
    }

    /// The command, from the start of its process to its end.
    fn ours(&self, arguments: &[&str]) -> Duration {
        let mut command = self.host.command(arguments);
        time(|| {
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("erlrc runs")
        })
    }

    /// The longest time for which one of the nodes, asked one after the other, works on its answer.
    fn slowest_answer(&self) -> Duration {
        let answers = self.sockets.iter().map(|socket| {
            let arguments = vec![
                Term::atom("erlrc_hook"),
                Term::atom("request"),
                Term::list([question()]),
            ];
            let answer = call(socket, "timer", "tc", arguments);
            let Term::Tuple(elements) = answer else {
                panic!("{answer:?}");
            };
            let time = elements
                .first()
                .and_then(Term::as_integer)
                .expect("microseconds");
            Duration::from_micros(u64::try_from(time).expect("time goes on"))
        });
        answers.max().unwrap_or_default()
    }

    /// A connection to a node and a question that costs it nothing.
    fn connection(&self) -> Duration {
        let socket = self.sockets.first();
        socket.map_or(Duration::ZERO, |socket| {
            time(|| call(socket, "erlang", "node", Vec::new()))
        })
    }

    /// All nodes asked at once by one process that is there already, and does nothing with their answers.
    fn at_once(&self) -> Duration {
        time(|| {
            std::thread::scope(|scope| {
                for socket in &self.sockets {
                    scope.spawn(|| call(socket, "erlrc_hook", "request", vec![question()]));
                }
            });
        })
    }

    fn reading(&self) -> Duration {
        time(|| floor::read_all(&self.files, 1))
    }
}

fn question() -> Term {
    let pairs = [
        ("protocol", Term::Integer(1)),
        ("operation", Term::atom("status")),
    ];
    Term::map(pairs.map(|(key, value)| (Term::atom(key), value)).to_vec())
}

fn call(
    socket: &PathBuf,
    module: &'static str,
    function: &'static str,
    arguments: Vec<Term>,
) -> Term {
    let owner = std::fs::metadata(socket).expect("a socket").uid();
    let mut node = node::connect_socket(socket, owner, PATIENCE).expect("a connection");
    let call = Call {
        module,
        function,
        arguments,
    };
    node.call(call, Deadline::after(PATIENCE))
        .expect("an answer")
}

fn process() -> Duration {
    time(|| Command::new("true").status().expect("it runs"))
}

fn status() {
    let work = Work::make(APPLICATIONS, NODES);
    let mut ways: Vec<Way<'_>> = vec![
        ("ours", Box::new(|| work.ours(&["status"]))),
        (
            "answer",
            Box::new(|| work.slowest_answer() + work.connection()),
        ),
        ("at once", Box::new(|| work.at_once())),
        ("process", Box::new(process)),
        (
            "floor",
            Box::new(|| work.at_once() + work.reading() + process()),
        ),
    ];
    let times = take_turns(&mut ways, 51);
    println!(
        "| erlrc status | ours | the slowest node's own answer and a bare connection | all asked at once | a process \
         | ours / answer | ours / all at once, the reading and a process |"
    );
    println!("|---|---|---|---|---|---|---|");
    println!(
        "| {NODES} nodes, {APPLICATIONS} applications | {:.2} ms | {:.2} ms | {:.2} ms | {:.2} ms | {:.2}x | {:.2}x |",
        times.milliseconds("ours"),
        times.milliseconds("answer"),
        times.milliseconds("at once"),
        times.milliseconds("process"),
        times.ratio("ours", "answer"),
        times.ratio("ours", "floor"),
    );
}

fn list(count: usize, nodes: usize, rounds: usize) {
    let work = Work::make(count, nodes);
    let mut ways: Vec<Way<'_>> = vec![
        ("ours", Box::new(|| work.ours(&["list"]))),
        ("reading", Box::new(|| work.reading())),
        ("answer", Box::new(|| work.slowest_answer())),
        ("process", Box::new(process)),
        ("floor", Box::new(|| work.reading() + work.slowest_answer())),
    ];
    let times = take_turns(&mut ways, rounds);
    println!(
        "| {count} applications, {nodes} nodes | {:.2} ms | {:.1} us | {:.2} ms | {:.2} ms | {:.2} ms | {:.2}x |",
        times.milliseconds("ours"),
        times.milliseconds("ours") * 1e3 / count as f64,
        times.milliseconds("reading"),
        times.milliseconds("answer"),
        times.milliseconds("process"),
        times.ratio("ours", "floor"),
    );
}
