//! A Debian of one's own for each row: `tools/in-root` over the root that `tools/debian-root` made. Whatever runs in there
//! ends with the row.

use crate::fixture::run;
use crate::package;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where the packages of this run are seen in there.
pub const PACKAGES: &str = "/srv/packages";

/// A running root.
pub struct Host {
    root: Child,
    init: String,
    _stdin: ChildStdin,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.root.kill();
        let _ = self.root.wait();
    }
}

impl Host {
    /// A root with dpkg, apt, rpm and Erlang, and without erlrc.
    pub fn bare() -> Self {
        Self::bare_on("bookworm")
    }

    /// A root with systemd as its first process.
    pub fn with_systemd() -> Self {
        Self::on(
            "more",
            "mount -t sysfs sysfs /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup && \
             echo host >/etc/hostname && : >/etc/machine-id && echo ready && \
             exec /lib/systemd/systemd --unit=basic.target >/dev/null 2>&1",
        )
    }

    /// A root without erlrc and without a user for nodes.
    pub fn bare_on(suite: &str) -> Self {
        Self::on(suite, "echo ready; exec cat")
    }

    /// A root whose first process runs a line of shell, which says `ready`.
    fn on(suite: &str, first: &str) -> Self {
        let root = top().join(format!("_build/debian-{suite}"));
        assert!(
            root.is_dir(),
            "{} is not there: test/system makes it",
            root.display()
        );
        let mut child = Command::new(top().join("tools/in-root"))
            .arg("-b")
            .arg(format!("{}:{PACKAGES}", package::directory().display()))
            .arg(root)
            .args(["sh", "-c", first])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("in-root runs");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut line = String::new();
        BufReader::new(stdout.expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        assert_eq!(line, "ready\n", "the root does not start");
        Self {
            init: child_of(child.id()),
            root: child,
            _stdin: stdin.expect("a pipe"),
        }
    }

    /// A root with erlrc, as its package installs it, and a user for the nodes.
    pub fn with_erlrc() -> Self {
        Self::with_erlrc_on("bookworm")
    }

    /// The same on another Debian.
    pub fn with_erlrc_on(suite: &str) -> Self {
        let host = Self::bare_on(suite);
        host.sh(&format!("dpkg -i {}", package::erlrc())).succeeds();
        host.add_user();
        host
    }

    /// A root with erlrc as rpm, on the Debian that has dnf, too. Dependencies are checked.
    pub fn with_erlrc_rpm() -> Self {
        let host = Self::bare_on("more");
        host.sh(&format!(
            "rpm -i {} {}",
            package::debian_rpm(),
            package::erlrc_rpm()
        ))
        .succeeds()
        .does_not_say("warning")
        .does_not_say("erlrc:");
        host.add_user();
        host
    }

    /// The user of the nodes.
    fn add_user(&self) {
        self.sh("useradd --system --create-home --home-dir /var/lib/shop shop")
            .succeeds();
        self.sh("install -d -o shop /run/erlrc/nodes").succeeds();
    }

    /// Runs a line of shell in there. `{APP VSN TRAIT...}` in it stands for the file of that package.
    pub fn sh(&self, line: &str) -> Run {
        let line = package::replaced(line);
        let output = self
            .inside(&["timeout", "-s", "KILL", "100", "sh", "-c", &line])
            .output()
            .expect("nsenter runs");
        Run::of(line, output)
    }

    /// Lets apt's cache have these package files, as if apt had loaded them.
    #[track_caller]
    pub fn cache(&self, packages: &str) {
        self.sh(&format!(
            "for deb in {packages}; do cp $deb /var/cache/apt/archives/$(dpkg-deb -W --showformat '${{Package}}_${{Version}}_${{Architecture}}' $deb).deb; done"
        ))
        .succeeds();
    }

    /// Puts a file system of so many KiB on `directory`, with what is there.
    #[track_caller]
    pub fn mount(&self, directory: &str, kibibytes: u32) {
        let (new, there) = (inside("/../new"), inside(directory));
        self.outside(&format!(
            "mkdir {new}; mount -t tmpfs -o size={kibibytes}k,mode=755 tmpfs {new}; \
             cp -a {there}/. {new}; mount --move {new} {there}"
        ));
    }

    /// Takes it away.
    #[track_caller]
    pub fn unmount(&self, directory: &str) {
        self.outside(&format!("umount {}", inside(directory)));
    }

    /// Runs a line of shell with the mounts of the root and the commands of this system.
    #[track_caller]
    fn outside(&self, line: &str) {
        let line = format!("set -e; {line}");
        run(Command::new("nsenter").args(["-t", &self.init, "-m", "--", "sh", "-c", &line]));
    }

    /// A command in there, yet to be run.
    pub fn inside(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "-t", &self.init, "-m", "-n", "-u", "-i", "-p", "-r", "-w", "--",
            ])
            .args(words)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        command
    }

    /// Starts a node under its own user that boots from the registered applications.
    pub fn start(&self, node: &str) -> Node {
        let booted = format!("/var/lib/shop/{node}.booted");
        let mark = format!("file:write_file(\"{booted}\", \"\").");
        let words = [
            "setpriv",
            "--reuid=shop",
            "--regid=shop",
            "--init-groups",
            "env",
            "HOME=/var/lib/shop",
        ];
        let erl = [
            "erl",
            "-noinput",
            "-sname",
            node,
            "-pa",
            PACKAGES,
            "-boot",
            "start_sasl",
            "-s",
            "erlrc_boot",
            "boot",
        ];
        self.sh(&format!("rm -f {booted}"));
        let log = tempfile::NamedTempFile::new().expect("a file");
        let output = || log.reopen().expect("the file");
        let child = self
            .inside(&[&words[..], &erl[..], &["-eval", &mark]].concat())
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("nsenter runs");
        let mut node = Node {
            name: format!("{node}@host"),
            child,
            log,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.sh(&format!("test -e {booted}")).status_is(0) {
            assert!(
                !node.ended() && Instant::now() < deadline,
                "the node does not boot:\n{}",
                node.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        node
    }
}

/// A node that runs in a root.
pub struct Node {
    /// Its name.
    pub name: String,
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Node {
    /// Waits for its end.
    pub fn ends(&mut self) {
        let _ = self.child.wait();
    }

    fn ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

/// What a line of shell came to.
pub struct Run {
    line: String,
    /// Standard output and standard error, one after the other.
    pub text: String,
    /// Standard output.
    pub out: String,
    status: i32,
}

impl Run {
    fn of(line: String, output: Output) -> Self {
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = out.clone() + &String::from_utf8_lossy(&output.stderr);
        Self {
            line,
            text,
            out,
            status: output.status.code().unwrap_or(-1),
        }
    }

    fn status_is(&self, status: i32) -> bool {
        self.status == status
    }

    /// Asserts that it succeeded.
    #[track_caller]
    pub fn succeeds(&self) -> &Self {
        self.ends_with(0)
    }

    /// Asserts its exit status.
    #[track_caller]
    pub fn ends_with(&self, status: i32) -> &Self {
        assert!(
            self.status == status,
            "$ {}\n{}status {}",
            self.line,
            self.text,
            self.status
        );
        self
    }

    /// Asserts that it failed.
    #[track_caller]
    pub fn fails(&self) -> &Self {
        assert!(self.status != 0, "$ {}\n{}status 0", self.line, self.text);
        self
    }

    /// Asserts that it printed this.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Self {
        assert!(
            self.text.contains(words),
            "$ {}\n{}\n{words:?} is not in there",
            self.line,
            self.text
        );
        self
    }

    /// Asserts that it did not print this.
    #[track_caller]
    pub fn does_not_say(&self, words: &str) -> &Self {
        assert!(
            !self.text.contains(words),
            "$ {}\n{}\n{words:?} is in there",
            self.line,
            self.text
        );
        self
    }
}

/// The project's directory.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The name of a file in there with the mounts of the root, outside of it.
fn inside(file: &str) -> String {
    format!("{}{file}", top().join("_build/in-root/root").display())
}

/// The process that `unshare` made: the root's first.
fn child_of(pid: u32) -> String {
    let children =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("children");
    children.trim().to_owned()
}
