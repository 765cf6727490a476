//! Where the cookie must not be, and which file systems must not be reached.

use crate::host::{COOKIE, Host, foo};
use std::process::{Command, Stdio};

#[test]
fn the_cookie_is_nowhere_in_proc_nor_in_any_output() {
    let host = Host::new();
    let _node = host.node("n1");
    let mut child = host
        .command(&["eval", "n1", "timer:sleep(1500)"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("erlrc runs");
    let process = format!("/proc/{}", child.id());
    let waits = "[N || N <- nodes(hidden)] =/= [] andalso length(nodes(hidden)) > 1";
    crate::host::eventually("the call runs", || {
        host.erlrc(&["eval", "n1", waits]).out == "true\n"
    });
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("{process}/{file}")).expect("a running process");
        assert!(!bytes.is_empty());
        assert!(!contains(&bytes, COOKIE.as_bytes()), "{file}");
    }
    assert!(child.wait().expect("an end").success());
    for arguments in [
        ["start", "foo", "1.0"].as_slice(),
        &["--json", "start", "foo", "1.0"],
        &["eval", "n2", "ok"],
        &["eval", "n1", "exit(x)"],
    ] {
        let run = host.erlrc(arguments);
        assert!(!format!("{run:?}").contains(COOKIE), "{run:?}");
    }
    host.entry("n1", &format!("{COOKIE}\n{COOKIE}\n"));
    let run = host.erlrc(&["start", "foo", "1.0"]);
    run.is("erlrc-start: Starting 'foo': (n1) entry_refused\n", 3);
    assert!(!run.err.contains(COOKIE));
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    })
}

#[test]
fn another_users_entry_is_good_for_that_users_node_alone() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _node = host.node("n1");
    std::os::unix::fs::chown(host.path("nodes/n1"), Some(4711), None).expect("a chown");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")])
        .is("erlrc-start: Starting 'foo': (n1) foreign\n", 3)
        .says("does not belong to the entry's owner (uid 4711)");
    host.entry("n1", &format!("{COOKIE}\nhost=192.0.2.1\n"));
    std::os::unix::fs::chown(host.path("nodes/n1"), Some(4711), None).expect("a chown");
    host.erlrc(&["start", "foo", "1.0", &foo("1.0")])
        .is("erlrc-start: Starting 'foo': (n1) not_this_host\n", 3);
}

/// Runs the hook in a mount namespace of its own, after `prepare`.
fn in_namespace(host: &Host, prepare: &str) -> Option<String> {
    let erlrc = env!("CARGO_BIN_EXE_erlrc");
    let script = format!(
        "run=; {prepare}; exec $run {erlrc} start foo 1.0 {}",
        foo("1.0")
    );
    let command = host.command(&[]);
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .envs(environment)
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn can_unshare() -> bool {
    Command::new("unshare")
        .args(["--mount", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_node_that_sees_other_files_is_left_alone() {
    if !can_unshare() {
        return;
    }
    let host = Host::new();
    let _node = host.node("n1");
    // The same mounts in another namespace: as systemd does for a service.
    let run = in_namespace(&host, "true");
    assert_eq!(
        run.as_deref(),
        Some("erlrc-start: Starting 'foo': (n1) started\n")
    );
    // Where the run directory is another one, the node does not see what is made in it.
    let run_directory = host.path("run/nodes").display().to_string();
    let hide = format!("mount -t tmpfs none {run_directory}");
    let run = in_namespace(&host, &hide);
    assert_eq!(
        run.as_deref(),
        Some("erlrc-start: Starting 'foo': (n1) other_root\n")
    );
}

#[test]
fn a_hook_in_a_chroot_leaves_the_hosts_nodes_alone() {
    if !can_unshare() || !is_root() {
        return;
    }
    let host = Host::new();
    let _node = host.node("n1");
    // The host's own directories under another root, as in a build chroot with a copied /etc.
    let root = host.path("chroot").display().to_string();
    let prepare = "mkdir $root; \
        for name in $(ls /); do [ -d /$name ] && [ ! -L /$name ] && mkdir $root/$name && mount --rbind /$name $root/$name; \
        [ -L /$name ] && cp -P /$name $root/$name; done; run=\"chroot $root\"";
    let run = in_namespace(&host, &format!("root={root}; {prepare}"));
    assert_eq!(
        run.as_deref(),
        Some("erlrc-start: Starting 'foo': (n1) other_root\n")
    );
}

#[test]
fn who_may_not_write_beside_the_entries_reaches_his_nodes_all_the_same() {
    let nobody = "65534";
    let as_nobody = ["--reuid", nobody, "--regid", nobody, "--clear-groups"];
    let erlrc = env!("CARGO_BIN_EXE_erlrc");
    let host = Host::new();
    host.readable();
    let can = Command::new("setpriv")
        .args(as_nobody)
        .args([erlrc, "--version"])
        .output();
    if !can.is_ok_and(|output| output.status.success()) {
        return;
    }
    let _node = host.node("n1");
    std::os::unix::fs::chown(host.path("nodes/n1"), Some(65534), None).expect("a chown");
    let command = host.command(&[]);
    let environment = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("setpriv")
        .args(as_nobody)
        .args([erlrc, "start", "foo", "1.0", &foo("1.0")])
        .envs(environment)
        .output()
        .expect("setpriv runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "erlrc-start: Starting 'foo': (n1) started\n"
    );
}
