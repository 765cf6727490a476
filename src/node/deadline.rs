//! Reading and writing that ends at a point in time, however slowly the other side drips.

use super::{NodeError, Stage};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A point in time, and how long it was away when it was set.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    whole: Duration,
}

impl Deadline {
    /// `whole` from now.
    pub fn after(whole: Duration) -> Self {
        Self {
            at: Instant::now() + whole,
            whole,
        }
    }

    /// What is left, `None` when it has passed.
    pub fn left(&self) -> Option<Duration> {
        self.at
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// The error of having waited until now.
    pub fn hung(&self, stage: Stage) -> NodeError {
        NodeError::Hung {
            stage,
            after: self.whole,
        }
    }

    /// Connects; the error is the system's own, a timeout among them.
    pub fn connect(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        let left = self.left().ok_or(ErrorKind::TimedOut)?;
        let stream = TcpStream::connect_timeout(&address, left)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Fills `buffer`.
    pub fn read<S: Timed>(
        &self,
        stream: &mut S,
        buffer: &mut [u8],
        stage: Stage,
    ) -> Result<(), NodeError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let left = self.left().ok_or_else(|| self.hung(stage))?;
            let read = stream.read_within(left).and_then(|()| stream.read(rest));
            match read {
                Ok(0) => {
                    return Err(NodeError::Lost {
                        stage,
                        source: None,
                    });
                }
                Ok(count) => filled += count,
                Err(error) if is_timeout(&error) => {}
                Err(source) => {
                    return Err(NodeError::Lost {
                        stage,
                        source: Some(source),
                    });
                }
            }
        }
        Ok(())
    }

    /// Writes all of `bytes`.
    pub fn write<S: Timed>(
        &self,
        stream: &mut S,
        bytes: &[u8],
        stage: Stage,
    ) -> Result<(), NodeError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = self.left().ok_or_else(|| self.hung(stage))?;
            let written = stream.write_within(left).and_then(|()| stream.write(rest));
            match written {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => {}
                Err(source) => {
                    return Err(NodeError::Lost {
                        stage,
                        source: Some(source),
                    });
                }
            }
        }
        Ok(())
    }
}

/// A stream whose reads and writes can be bounded in time.
pub trait Timed: Read + Write {
    /// Bounds the next reads.
    fn read_within(&self, time: Duration) -> std::io::Result<()>;
    /// Bounds the next writes.
    fn write_within(&self, time: Duration) -> std::io::Result<()>;
}

impl Timed for TcpStream {
    fn read_within(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))
    }

    fn write_within(&self, time: Duration) -> std::io::Result<()> {
        self.set_write_timeout(Some(time))
    }
}

impl Timed for UnixStream {
    fn read_within(&self, time: Duration) -> std::io::Result<()> {
        self.set_read_timeout(Some(time))
    }

    fn write_within(&self, time: Duration) -> std::io::Result<()> {
        self.set_write_timeout(Some(time))
    }
}

/// Whether a read or write only took too long, or was interrupted.
pub fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
