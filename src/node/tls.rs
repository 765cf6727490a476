//! Whether what listens on a port speaks TLS. We do not; but "the node wants TLS" is something else
//! to be told than "this is no node".

use super::{Deadline, Stage};
use std::net::TcpStream;

const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// Whether the other side of `stream` answers a greeting of TLS with a record of TLS.
pub fn answers(mut stream: TcpStream, deadline: Deadline) -> bool {
    let mut head = [0; 3];
    deadline.write(&mut stream, &hello(), Stage::Status).is_ok()
        && deadline.read(&mut stream, &mut head, Stage::Status).is_ok()
        && matches!(head, [ALERT | HANDSHAKE, 3, 0..=4])
}

/// A ClientHello of TLS 1.2 (RFC 5246, 7.4.1.2) that names one cipher suite and no extension.
fn hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[0; 32]);
    body.extend_from_slice(&[0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let mut record = vec![HANDSHAKE, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.append(&mut body);
    record
}
