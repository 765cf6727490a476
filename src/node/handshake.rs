//! The distribution handshake, version 6 (OTP 25 and later), from the connecting side.
//!
//! We take a name that the node gives (`NAME_ME`), so that no atom stays behind in it, and connect
//! hidden. Both sides prove that they know the cookie; neither sends it.

use super::{Deadline, NodeError, Stage, random};
use crate::identity::Cookie;
use crate::term::Atom;
use std::net::TcpStream;

/// Capabilities that we offer: all that OTP 25 to 29 demand and what makes the name dynamic, but
/// neither atom cache nor fragments, so that every message is two plain terms.
const FLAGS: u64 = EXTENDED_REFERENCES
    | FUN_TAGS
    | NEW_FUN_TAGS
    | EXTENDED_PIDS_PORTS
    | EXPORT_PTR_TAG
    | BIT_BINARIES
    | NEW_FLOATS
    | UNICODE_IO
    | SMALL_ATOM_TAGS
    | UTF8_ATOMS
    | MAP_TAG
    | BIG_CREATION
    | DIST_MONITOR
    | HANDSHAKE_23
    | UNLINK_ID
    | MANDATORY_25_DIGEST
    | V4_NC
    | NAME_ME;
/// Capabilities that the node must have.
const NEEDED: u64 = HANDSHAKE_23 | UTF8_ATOMS | BIG_CREATION | NAME_ME;

const EXTENDED_REFERENCES: u64 = 0x4;
const DIST_MONITOR: u64 = 0x8 | 0x20;
const FUN_TAGS: u64 = 0x10;
const NEW_FUN_TAGS: u64 = 0x80;
const EXTENDED_PIDS_PORTS: u64 = 0x100;
const EXPORT_PTR_TAG: u64 = 0x200;
const BIT_BINARIES: u64 = 0x400;
const NEW_FLOATS: u64 = 0x800;
const UNICODE_IO: u64 = 0x1000;
const SMALL_ATOM_TAGS: u64 = 0x4000;
const UTF8_ATOMS: u64 = 0x10000;
const MAP_TAG: u64 = 0x20000;
const BIG_CREATION: u64 = 0x40000;
const HANDSHAKE_23: u64 = 0x100_0000;
const UNLINK_ID: u64 = 0x200_0000;
const MANDATORY_25_DIGEST: u64 = 0x400_0000;
const NAME_ME: u64 = 2 << 32;
const V4_NC: u64 = 4 << 32;

/// The longest handshake message that is taken: 16 bytes and a name.
const MESSAGE_LIMIT: usize = 2048;

/// Who we are for as long as the connection lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnName {
    /// The name that the node gave us.
    pub name: Atom,
    /// Tells this use of the name from others.
    pub creation: u32,
}

/// The first half of a handshake: the node has named us and has said who it is.
#[derive(Debug)]
pub struct Introduction {
    own: OwnName,
    /// The node's own full name.
    pub peer: String,
    challenge: u32,
}

/// Sends our host part and takes our name and the node's challenge.
pub fn introduce(
    stream: &mut TcpStream,
    own_host: &str,
    deadline: Deadline,
) -> Result<Introduction, NodeError> {
    let length = u16::try_from(own_host.len()).unwrap_or(u16::MAX);
    let mut message = vec![b'N'];
    message.extend_from_slice(&FLAGS.to_be_bytes());
    message.extend_from_slice(&0u32.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(own_host.as_bytes());
    send(stream, &message, deadline, Stage::Status)?;
    let status = receive(stream, deadline, Stage::Status)?;
    let own = own_name(&status)?;
    let (peer, challenge) = challenge(&receive(stream, deadline, Stage::Challenge)?)?;
    Ok(Introduction {
        own,
        peer,
        challenge,
    })
}

/// Proves our cookie and checks the node's proof.
pub fn prove(
    introduction: Introduction,
    stream: &mut TcpStream,
    cookie: &Cookie,
    deadline: Deadline,
) -> Result<OwnName, NodeError> {
    let stage = Stage::Proof;
    let mut own_challenge = [0; 4];
    random(&mut own_challenge).map_err(|source| NodeError::Local { source })?;
    let mut message = vec![b'r'];
    message.extend_from_slice(&own_challenge);
    message.extend_from_slice(&cookie.digest(introduction.challenge));
    send(stream, &message, deadline, stage)?;
    // A node that is given a wrong digest closes the connection, without a word.
    let proof = receive(stream, deadline, stage).map_err(|error| match error {
        NodeError::Lost { source: None, .. } => NodeError::CookieRefused,
        other => other,
    })?;
    match proof.split_first() {
        Some((b'a', digest)) if digest == cookie.digest(u32::from_be_bytes(own_challenge)) => {
            Ok(introduction.own)
        }
        Some((b'a', _)) => Err(NodeError::NotProven),
        _ => Err(NodeError::Malformed {
            stage,
            source: None,
        }),
    }
}

/// `named:`, our name and its creation.
fn own_name(status: &[u8]) -> Result<OwnName, NodeError> {
    let malformed = || NodeError::Malformed {
        stage: Stage::Status,
        source: None,
    };
    match status.split_first() {
        Some((b's', b"not_allowed")) => Err(NodeError::NotAllowed),
        Some((b's', text)) => match text.strip_prefix(b"named:") {
            Some(rest) => {
                let (name, rest) = text16(rest).ok_or_else(malformed)?;
                let name = Atom::new(&name).ok_or_else(malformed)?;
                let creation = rest.first_chunk().ok_or_else(malformed)?;
                Ok(OwnName {
                    name,
                    creation: u32::from_be_bytes(*creation),
                })
            }
            None if matches!(text, b"ok" | b"nok" | b"ok_simultaneous" | b"alive") => {
                Err(NodeError::FlagsMissing { flags: 0 })
            }
            None => Err(malformed()),
        },
        _ => Err(NodeError::NotErlang),
    }
}

/// The node's full name and its challenge.
fn challenge(message: &[u8]) -> Result<(String, u32), NodeError> {
    let malformed = || NodeError::Malformed {
        stage: Stage::Challenge,
        source: None,
    };
    let (tag, rest) = message.split_first().ok_or_else(malformed)?;
    let (flags, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
    let (challenge, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
    let (_creation, rest) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
    let (peer, _) = text16(rest).ok_or_else(malformed)?;
    let flags = u64::from_be_bytes(*flags);
    if *tag != b'N' {
        return Err(malformed());
    }
    if flags & NEEDED != NEEDED {
        return Err(NodeError::FlagsMissing { flags });
    }
    Ok((peer, u32::from_be_bytes(*challenge)))
}

/// A text with a length of 16 bits before it, and what follows.
fn text16(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

fn send(
    stream: &mut TcpStream,
    message: &[u8],
    deadline: Deadline,
    stage: Stage,
) -> Result<(), NodeError> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    deadline.write(stream, &[&length.to_be_bytes(), message].concat(), stage)
}

fn receive(stream: &mut TcpStream, deadline: Deadline, stage: Stage) -> Result<Vec<u8>, NodeError> {
    let mut length = [0; 2];
    deadline.read(stream, &mut length, stage)?;
    if length[0] == TLS_ALERT && length[1] == TLS_MAJOR {
        return Err(NodeError::TlsRequired);
    }
    let size = usize::from(u16::from_be_bytes(length));
    if size > MESSAGE_LIMIT {
        return Err(NodeError::NotErlang);
    }
    let mut message = vec![0; size];
    deadline.read(stream, &mut message, stage)?;
    Ok(message)
}

/// The first bytes of what a TLS server says to those who do not speak TLS.
const TLS_ALERT: u8 = 0x15;
const TLS_MAJOR: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_gives_our_name() {
        let status = b"snamed:\x00\x03n@h\x00\x00\x00\x07";
        let own = OwnName {
            name: Atom::new("n@h").expect("a short name"),
            creation: 7,
        };
        assert_eq!(own_name(status).ok(), Some(own));
        assert!(matches!(
            own_name(b"snot_allowed"),
            Err(NodeError::NotAllowed)
        ));
        assert!(matches!(
            own_name(b"sok"),
            Err(NodeError::FlagsMissing { .. })
        ));
        assert!(matches!(
            own_name(b"snamed:\x00\x09n@h"),
            Err(NodeError::Malformed { .. })
        ));
        assert!(matches!(own_name(b"HTTP/1.1"), Err(NodeError::NotErlang)));
    }

    #[test]
    fn a_challenge_of_an_old_node_is_told_apart() {
        let message = |flags: u64| {
            let mut message = vec![b'N'];
            message.extend_from_slice(&flags.to_be_bytes());
            message.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 1, 0, 3]);
            message.extend_from_slice(b"n@h");
            message
        };
        assert_eq!(challenge(&message(FLAGS)).ok(), Some(("n@h".to_owned(), 9)));
        assert!(matches!(
            challenge(&message(4)),
            Err(NodeError::FlagsMissing { flags: 4 })
        ));
        assert!(matches!(
            challenge(b"N123"),
            Err(NodeError::Malformed { .. })
        ));
    }

    #[test]
    fn every_mutation_of_a_handshake_is_read_or_refused() {
        let status = b"snamed:\x00\x03n@h\x00\x00\x00\x07".as_slice();
        let challenge_of = [
            b"N\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x09".as_slice(),
            b"\x00\x00\x00\x01\x00\x03n@h",
        ]
        .concat();
        for whole in [status, &challenge_of] {
            for at in 0..whole.len() {
                for value in 0..=255 {
                    let mut mutated = whole.to_vec();
                    mutated[at] = value;
                    mutated.truncate(whole.len() - usize::from(value) % 3);
                    let _ = (own_name(&mutated), challenge(&mutated));
                }
            }
        }
        assert!(challenge(&challenge_of).is_ok());
    }
}
