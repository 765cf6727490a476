//! Progress on a terminal, and nothing of it in a pipe.

use crate::host::{Host, foo};

/// Something that an upgrade has to wait for.
const BUSY: &str = "spawn(fun() -> P = whereis(foo_server), erlang:suspend_process(P), \
                    receive after 2000 -> erlang:resume_process(P) end end), ok";

#[test]
fn progress_is_shown_on_a_terminal_alone() {
    let host = Host::new();
    let _node = host.node("n1");
    let (old, new) = (foo("1.0"), foo("2.0"));
    host.erlrc(&["start", "foo", "1.0", &old]);
    host.erlrc(&["eval", "n1", BUSY]).is("ok\n", 0);
    let upgrade = host.command(&["upgrade", "foo", "1.0", "2.0", &old, &new]);
    let line: Vec<String> = std::iter::once(upgrade.get_program())
        .chain(upgrade.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    // Of util-linux: a terminal for a command.
    let mut terminal = std::process::Command::new("script");
    terminal
        .args(["-qec", &line.join(" "), "/dev/null"])
        .stdin(std::process::Stdio::null());
    terminal.envs(
        upgrade
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let shown = terminal.output().expect("script runs");
    let text = String::from_utf8_lossy(&shown.stdout);
    assert_eq!(shown.status.code(), Some(0), "{text:?}");
    assert!(
        text.contains("\u{1b}7 [") && text.contains(" s]\u{1b}[K\u{1b}8"),
        "{text:?}"
    );
    assert!(
        text.contains("[n1: rehearse,") || text.contains("[n1: quiesce,"),
        "{text:?}"
    );
    assert!(
        text.ends_with("\u{1b}[Kerlrc-upgrade: Upgrading 'foo': (n1) upgraded\r\n"),
        "{text:?}"
    );
    host.erlrc(&["eval", "n1", BUSY]).is("ok\n", 0);
    let run = host.erlrc(&["downgrade", "foo", "1.0", "2.0", &old, &new]);
    run.is("erlrc-downgrade: Downgrading 'foo': (n1) downgraded\n", 0);
    assert_eq!(run.err, "");
}
