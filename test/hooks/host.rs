//! A host of one's own: a root, a port mapper on a port of its own, nodes, and the command.
//!
//! All of it ends with the test: nodes end when their standard input does.

#[path = "fixtures.rs"]
pub mod fixtures;

pub use fixtures::{erl, erlrc_ebin, foo};

use fixtures::clean;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const COOKIE: &str = "oatmealXraisin42";

/// A place with everything that the command looks for on a host.
pub struct Host {
    directory: tempfile::TempDir,
    epmd: Option<Child>,
    pub epmd_port: u16,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(epmd) = &mut self.epmd {
            let _ = epmd.kill();
            let _ = epmd.wait();
        }
    }
}

impl Host {
    /// A host whose port mapper runs.
    pub fn new() -> Self {
        let mut host = Self::without_epmd();
        let epmd = clean(Command::new("epmd"))
            .args(["-port", &host.epmd_port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd runs");
        let epmd = host.epmd.insert(epmd);
        let port = host.epmd_port;
        eventually("epmd listens", || {
            let ended = epmd.try_wait().expect("its child");
            assert!(ended.is_none(), "epmd ended: {ended:?}");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        host
    }

    /// A host without port mapper.
    pub fn without_epmd() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["nodes", "applications", "run/nodes", "apps", "home", "bin"] {
            fs::create_dir_all(directory.path().join(name)).expect("a directory");
        }
        let host = Self {
            directory,
            epmd: None,
            epmd_port: free_port(),
        };
        host.file("home/.erlang.cookie", COOKIE, 0o400);
        host
    }

    /// Lets other users into the host's directory.
    pub fn readable(&self) {
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(self.directory.path(), mode).expect("a mode");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file below the host's directory.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// Writes a person's entry.
    pub fn entry(&self, node: &str, text: &str) {
        self.file(&format!("nodes/{node}"), text, 0o600);
    }

    /// Writes an entry that holds the cookie alone.
    pub fn listed(&self, node: &str) {
        self.entry(node, &format!("{COOKIE}\n"));
    }

    /// Starts a node with short names that has an entry.
    pub fn node(&self, name: &str) -> Node {
        self.listed(name);
        self.start(&["-sname", name])
    }

    /// The names of the entries that nodes have written themselves. Until one is whole it has a name that no entry has.
    pub fn written(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("run/nodes"));
        let files = files.into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// Waits for a node that registers itself; its name.
    pub fn registered(&self) -> String {
        eventually("the node registers", || !self.written().is_empty());
        self.written().remove(0)
    }

    /// Starts a node with these arguments, with erlrc on its code path.
    pub fn start(&self, arguments: &[&str]) -> Node {
        self.start_bare(&[arguments, &["-pa", &erlrc_ebin()]].concat())
    }

    /// Starts a node with these arguments.
    pub fn start_bare(&self, arguments: &[&str]) -> Node {
        self.start_in(&[], arguments)
    }

    /// The same with these variables in its environment.
    pub fn start_in(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Node {
        self.start_by(&erl(), variables, arguments)
    }

    /// The same by another `erl`.
    pub fn start_by(&self, erl: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Node {
        let mut command = clean(Command::new(erl));
        command
            .args(["-noshell", "-start_epmd", "false"])
            .args(arguments)
            .args([
                "-eval",
                "io:format(\"ready~n\"), spawn(fun() -> io:get_line(\"\"), halt() end).",
            ])
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        self.environment(&mut command);
        command.envs(variables.iter().copied());
        Node::spawn(command)
    }

    /// Runs `erlrc` with these arguments.
    pub fn erlrc(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().expect("erlrc runs"))
    }

    /// `erlrc` with these arguments, yet to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(Command::new(env!("CARGO_BIN_EXE_erlrc")));
        command.args(arguments).stdin(Stdio::null());
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command
            // The tests' own, not one of the command.
            .env_remove("ERLRC_TEST_ERL")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERLRC_ROOT", self.directory.path())
            .env("ERLRC_RUN", self.path("run/nodes"))
            .env("ERLRC_APPS", self.path("apps"))
            .env("ERLRC_STASH", self.path("stash"))
            .env("ERLRC_ENVIRONMENTS", self.path("env"))
            .env("ERLRC_SERVICES", self.path("services"))
            .env("ERLRC_STATE", self.path("state"))
            .env("HOME", self.path("home"));
    }
}

/// The pid namespace that all of this runs in, as entries and leftovers name it.
pub fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").expect("a namespace");
    let text = link.display().to_string();
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What a command came to.
#[derive(Debug)]
pub struct Run {
    pub out: String,
    pub err: String,
    pub status: i32,
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code().unwrap_or(-1),
        }
    }

    /// Asserts standard output and status.
    #[track_caller]
    pub fn is(&self, out: &str, status: i32) -> &Self {
        assert_eq!(
            (self.out.as_str(), self.status),
            (out, status),
            "{}",
            self.err
        );
        self
    }

    /// Asserts that standard error holds `text`.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.err.contains(text), "{text:?} is not in {:?}", self.err);
        self
    }
}

/// A node that runs until this is dropped.
pub struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
    log: Arc<Mutex<String>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.signal("CONT");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("erl runs");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let log = Arc::new(Mutex::new(String::new()));
        let writer = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                writer.lock().expect("a whole log").push_str(&(line + "\n"));
            }
        });
        let mut node = Self { child, stdin, log };
        eventually("the node is ready", || {
            let ended = node.child.try_wait().expect("its child");
            let log = node.log();
            assert!(ended.is_none(), "the node ended ({ended:?}):\n{log}");
            log.lines().any(|line| line == "ready")
        });
        node
    }

    /// What the node has printed so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("a whole log").clone()
    }

    /// Sends a signal to the node's process.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill")
            .args(["-s", name, &pid])
            .stderr(Stdio::null())
            .status();
    }

    /// Ends the node and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.stdin.take());
    }
}

/// Waits until `true`, for a machine under load.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that nobody listens on, nor will: each call gives another one, and the kernel gives none of these by itself.
pub fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        // Runs beside this one begin elsewhere.
        let offset = std::process::id().wrapping_mul(97) + TAKEN.fetch_add(1, Ordering::Relaxed);
        let offset = u16::try_from(offset % COUNT).expect("less than the count");
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
}
