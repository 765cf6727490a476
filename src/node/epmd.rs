//! The port mapper: which port a node listens on.

use super::{Absence, Deadline, NodeError, Stage};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};

const NAMES_REQ: u8 = 110;
const PORT_PLEASE2_REQ: u8 = 122;
const PORT2_RESP: u8 = 119;

/// More than any host has names.
const NAMES_LIMIT: u64 = 1 << 20;

fn connect(address: IpAddr, epmd_port: u16, deadline: Deadline) -> Result<TcpStream, NodeError> {
    let connected = deadline.connect(SocketAddr::new(address, epmd_port));
    connected.map_err(|error| match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => deadline.hung(Stage::Epmd),
        _ => NodeError::Down {
            why: Absence::NoEpmd,
        },
    })
}

/// The names that the port mapper on `epmd_port` of the host `address` knows, in order.
pub fn names(
    address: IpAddr,
    epmd_port: u16,
    deadline: Deadline,
) -> Result<Vec<String>, NodeError> {
    let stage = Stage::Epmd;
    let mut stream = connect(address, epmd_port, deadline)?;
    deadline.write(&mut stream, &[0, 1, NAMES_REQ], stage)?;
    let mut port = [0; 4];
    deadline.read(&mut stream, &mut port, stage)?;
    let lost = |source| NodeError::Lost {
        stage,
        source: Some(source),
    };
    let left = deadline.left().ok_or_else(|| deadline.hung(stage))?;
    stream.set_read_timeout(Some(left)).map_err(lost)?;
    let mut text = Vec::new();
    stream
        .take(NAMES_LIMIT)
        .read_to_end(&mut text)
        .map_err(lost)?;
    Ok(listed(&String::from_utf8_lossy(&text)))
}

/// Lines such as `name shop at port 4711`.
fn listed(text: &str) -> Vec<String> {
    let name = |line: &str| {
        Some(
            line.strip_prefix("name ")?
                .split_once(" at port ")?
                .0
                .to_owned(),
        )
    };
    let mut names: Vec<String> = text.lines().filter_map(name).collect();
    names.sort_unstable();
    names
}

/// The port of the node `local` on the host `address`, as the port mapper on `epmd_port` has it.
pub fn port(
    local: &str,
    address: IpAddr,
    epmd_port: u16,
    deadline: Deadline,
) -> Result<u16, NodeError> {
    let stage = Stage::Epmd;
    let mut stream = connect(address, epmd_port, deadline)?;
    let length = u16::try_from(local.len() + 1).unwrap_or(u16::MAX);
    let request = [
        &length.to_be_bytes(),
        [PORT_PLEASE2_REQ].as_slice(),
        local.as_bytes(),
    ]
    .concat();
    deadline.write(&mut stream, &request, stage)?;
    let mut head = [0; 2];
    deadline.read(&mut stream, &mut head, stage)?;
    match head {
        [PORT2_RESP, 0] => {
            let mut port = [0; 2];
            deadline.read(&mut stream, &mut port, stage)?;
            Ok(u16::from_be_bytes(port))
        }
        [PORT2_RESP, _] => Err(NodeError::Down {
            why: Absence::Unknown,
        }),
        _ => Err(NodeError::Malformed {
            stage,
            source: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_and_nothing_else() {
        let text = "name shop at port 4711\nname bar at port 1\nodd\nname x\n";
        assert_eq!(listed(text), ["bar", "shop"]);
    }
}
