//! The addresses of a host's name, as the name services of this host have them.
//!
//! `getent` asks them. The command is linked statically where it can be, and a static glibc must not
//! load the services' modules, which are made for the glibc of the host. The system's resolver has no
//! timeout of its own either; a process can be ended.

use super::Deadline;
use std::io::{Error, ErrorKind, Read};
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// How much of what is printed counts: some thousand addresses.
const OUTPUT_LIMIT: u64 = 256 * 1024;

/// The addresses of `host`, in the services' order; none where it has none.
pub fn addresses(host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, Error> {
    let mut child = Command::new("getent")
        .args(["ahosts", "--", host])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = child.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
    let mut output = output.take(OUTPUT_LIMIT);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        sender.send(output.read_to_string(&mut text).map(|_| text))
    });
    let left = deadline.left().ok_or(ErrorKind::TimedOut)?;
    let Ok(text) = receiver.recv_timeout(left) else {
        child.kill()?;
        return Err(ErrorKind::TimedOut.into());
    };
    // It may have more to say, and nobody listens any more.
    child.kill()?;
    child.wait()?;
    Ok(parse(&text?))
}

/// A line for each address and kind of socket: the address, perhaps with `%SCOPE`, comes first.
fn parse(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let address = line.split([' ', '%']).next().and_then(|a| a.parse().ok());
        found.extend(address.filter(|address| !found.contains(address)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_address_is_listed_once() {
        let text = "\
fe80::1%eth0    STREAM n1.example.org
fe80::1%eth0    DGRAM
192.0.2.7       STREAM
odd
";
        let expected: [IpAddr; 2] = ["fe80::1", "192.0.2.7"].map(|a| a.parse().expect("one"));
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn the_own_host_is_known() {
        let found = addresses("localhost", Deadline::after(Duration::from_secs(60)));
        let found = found.expect("getent runs");
        assert!(found.iter().any(IpAddr::is_loopback), "{found:?}");
    }
}
