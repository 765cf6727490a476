//! The port mapper: which port a node listens on.

use super::{Absence, Deadline, NodeError, Stage};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

const PORT_PLEASE2_REQ: u8 = 122;
const PORT2_RESP: u8 = 119;

/// The port of the node `local` on the host `address`, as the port mapper on `epmd_port` has it.
pub fn port(
    local: &str,
    address: IpAddr,
    epmd_port: u16,
    deadline: Deadline,
) -> Result<u16, NodeError> {
    let stage = Stage::Epmd;
    let mut stream = deadline
        .connect(SocketAddr::new(address, epmd_port))
        .map_err(|error| match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => deadline.hung(stage),
            _ => NodeError::Down {
                why: Absence::NoEpmd,
            },
        })?;
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
