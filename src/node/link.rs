//! An open connection: messages in both directions, ticks in ours.

use super::deadline::is_timeout;
use super::handshake::OwnName;
use super::inbox::{FRAME_LIMIT, Inbox};
use super::{Deadline, NodeError, Stage};
use crate::term::external::{self, ExternalError};
use crate::term::{Limits, Term};
use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A sign of life is due when nothing was written for so long; a node with the smallest
/// `net_ticktime` of a second gives up after that second.
const TICK: Duration = Duration::from_millis(400);
const TICK_MESSAGE: [u8; 4] = [0; 4];
/// Begins a message without atom cache and fragments.
const PASS_THROUGH: u8 = 112;
/// The operations of control messages that we use.
const SEND: i64 = 2;
const REG_SEND: i64 = 6;

/// A connection by the distribution protocol.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    own: OwnName,
    peer: String,
    inbox: Inbox,
    written: Instant,
    /// How many calls were begun.
    calls: u32,
}

impl Link {
    pub(super) fn new(stream: TcpStream, own: OwnName, peer: String) -> Self {
        Self {
            stream,
            own,
            peer,
            inbox: Inbox::default(),
            written: Instant::now(),
            calls: 0,
        }
    }

    /// The node's full name, in its own words.
    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Begins a call under a pid of its own: what comes late for an earlier one is nobody's.
    pub(super) fn begin_call(&mut self) {
        self.calls = self.calls.wrapping_add(1);
    }

    /// The pid under which we call.
    pub(super) fn own_pid(&self) -> Term {
        Term::pid(&self.own.name, self.calls, 0, self.own.creation)
    }

    /// Sends `message` to the process registered as `name`.
    pub(super) fn send(
        &mut self,
        name: &'static str,
        message: &Term,
        deadline: Deadline,
    ) -> Result<(), NodeError> {
        let unused = Term::atom("");
        let control = Term::tuple([
            Term::Integer(REG_SEND),
            self.own_pid(),
            unused,
            Term::atom(name),
        ]);
        let (control, message) = (external::encode(&control), external::encode(message));
        let size = 1 + control.len() + message.len();
        let length = u32::try_from(size).map_err(|_| NodeError::TooLarge {
            size,
            limit: u32::MAX as usize,
        })?;
        let frame = [
            &length.to_be_bytes(),
            [PASS_THROUGH].as_slice(),
            &control,
            &message,
        ]
        .concat();
        self.write(&frame, deadline)
    }

    /// The next message that is sent to us, however many others come before it. A node gives the name of
    /// a client that has gone to the next one, and so sends it what was meant for the other.
    pub(super) fn receive(&mut self, deadline: Deadline) -> Result<Term, NodeError> {
        let own = self.own_pid();
        loop {
            let Some(frame) = self.inbox.frame()? else {
                self.fill(deadline)?;
                continue;
            };
            let size = frame.len();
            let message = message(frame, &own).map_err(|source| NodeError::Malformed {
                stage: Stage::Call,
                source: Some(source),
            })?;
            match message {
                Some(message) => return Ok(message),
                None => self.inbox.idle(size)?,
            }
        }
    }

    /// A message of so many bytes was to us and said nothing that was asked for.
    pub(super) fn idle(&mut self, size: usize) -> Result<(), NodeError> {
        self.inbox.idle(size)
    }

    /// Reads what is there, or waits for it no longer than until the next tick.
    fn fill(&mut self, deadline: Deadline) -> Result<(), NodeError> {
        let stage = Stage::Call;
        let left = deadline.left().ok_or_else(|| deadline.hung(stage))?;
        if self.written.elapsed() >= TICK {
            self.write(&TICK_MESSAGE, deadline)?;
        }
        let mut chunk = [0; 65536];
        let patience = left.min(TICK);
        let read = self
            .stream
            .set_read_timeout(Some(patience))
            .and_then(|()| self.stream.read(&mut chunk));
        match read {
            Ok(0) => Err(NodeError::Lost {
                stage,
                source: None,
            }),
            Ok(count) => {
                self.inbox.add(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if is_timeout(&error) => Ok(()),
            Err(source) => Err(NodeError::Lost {
                stage,
                source: Some(source),
            }),
        }
    }

    fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<(), NodeError> {
        deadline.write(&mut self.stream, bytes, Stage::Call)?;
        self.written = Instant::now();
        Ok(())
    }
}

/// The message of a frame to the process `own`; nothing where it is to another, or no message: links,
/// monitors and group leaders do not concern us.
fn message(frame: &[u8], own: &Term) -> Result<Option<Term>, ExternalError> {
    let limits = Limits {
        size: FRAME_LIMIT,
        ..Limits::default()
    };
    let rest = match frame.split_first() {
        Some((&PASS_THROUGH, rest)) => rest,
        Some((&tag, _)) => return Err(ExternalError::Tag { tag, at: 0 }),
        None => return Err(ExternalError::Truncated),
    };
    let (control, length) = external::decode_prefix(rest, &limits)?;
    match control.as_tuple() {
        Some([Term::Integer(SEND), _, to]) if to == own => {
            let message = rest.get(length..).unwrap_or_default();
            external::decode(message, &limits).map(Some)
        }
        Some(_) => Ok(None),
        None => Err(ExternalError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::Atom;

    fn pid(number: u32, creation: u32) -> Term {
        let name = Atom::new("n@h").expect("a short name");
        Term::pid(&name, number, 0, creation)
    }

    fn frame(operation: i64) -> Vec<u8> {
        let control = Term::tuple([Term::Integer(operation), Term::atom(""), pid(1, 7)]);
        let message = Term::tuple([Term::atom("rex"), Term::binary("hello")]);
        let (control, message) = (external::encode(&control), external::encode(&message));
        [[PASS_THROUGH].as_slice(), &control, &message].concat()
    }

    #[test]
    fn only_messages_to_us_are_taken() {
        let hello = Term::tuple([Term::atom("rex"), Term::binary("hello")]);
        assert_eq!(message(&frame(SEND), &pid(1, 7)), Ok(Some(hello)));
        assert_eq!(message(&frame(19), &pid(1, 7)), Ok(None));
        // Of an earlier call; of who had our name before us.
        assert_eq!(message(&frame(SEND), &pid(2, 7)), Ok(None));
        assert_eq!(message(&frame(SEND), &pid(1, 8)), Ok(None));
    }

    #[test]
    fn every_mutation_of_a_frame_gives_a_message_or_an_error() {
        let whole = frame(SEND);
        for at in 0..whole.len() {
            assert!(message(&whole[..at], &pid(1, 7)).is_err());
            for value in 0..=255 {
                let mut mutated = whole.clone();
                mutated[at] = value;
                let _ = message(&mutated, &pid(1, 7));
            }
        }
    }
}
