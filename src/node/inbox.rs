//! What comes in over a connection, cut into frames: however much a node sends, no more than one frame is held, and
//! what answers nothing is counted.

use super::NodeError;

/// The largest frame that is taken.
pub const FRAME_LIMIT: usize = 64 * 1024 * 1024;
/// How many bytes may come over one connection that answer nothing: ticks, and frames to others.
const IDLE_LIMIT: usize = 64 * 1024 * 1024;
/// A buffer that has grown beyond this is given back when it is empty.
const KEPT: usize = 1024 * 1024;
/// What precedes each frame: its length.
const HEAD: usize = 4;

/// Bytes that were read and not yet taken.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    /// How much of the buffer has been taken.
    taken: usize,
    /// How much of all that came answered nothing.
    idle: usize,
}

impl Inbox {
    /// Takes in what was read.
    pub fn add(&mut self, bytes: &[u8]) {
        self.cut();
        self.buffer.extend_from_slice(bytes);
    }

    /// Gives back the room of what was taken.
    fn cut(&mut self) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
    }

    /// The next frame that is not a tick, where it is here as a whole.
    pub fn frame(&mut self) -> Result<Option<&[u8]>, NodeError> {
        loop {
            let Some(size) = self.size()? else {
                return Ok(None);
            };
            let start = self.taken + HEAD;
            if self.buffer.len() - start < size {
                return Ok(None);
            }
            self.taken = start + size;
            if size > 0 {
                return Ok(self.buffer.get(start..self.taken));
            }
            self.idle(0)?;
        }
    }

    /// The length of the next frame.
    fn size(&self) -> Result<Option<usize>, NodeError> {
        let unread = self.buffer.get(self.taken..).unwrap_or_default();
        let Some(length) = unread.first_chunk() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes(*length) as usize;
        if size > FRAME_LIMIT {
            return Err(NodeError::TooLarge {
                size,
                limit: FRAME_LIMIT,
            });
        }
        Ok(Some(size))
    }

    /// A frame of so many bytes answered nothing. A node that sends nothing else is not waited for.
    pub fn idle(&mut self, size: usize) -> Result<(), NodeError> {
        self.idle = self.idle.saturating_add(HEAD + size);
        if self.idle > IDLE_LIMIT {
            return Err(NodeError::Flooded { limit: IDLE_LIMIT });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).expect("a short frame");
        [&length.to_be_bytes(), bytes].concat()
    }

    #[test]
    fn frames_are_cut_wherever_reading_ended() {
        let stream = [framed(b"one"), framed(b""), framed(b"two"), framed(b"")].concat();
        for size in 1..=stream.len() {
            let mut inbox = Inbox::default();
            let mut frames = Vec::new();
            for part in stream.chunks(size) {
                inbox.add(part);
                while let Some(frame) = inbox.frame().expect("no flood") {
                    frames.push(frame.to_vec());
                }
            }
            assert_eq!(frames, [b"one", b"two"], "in parts of {size}");
        }
    }

    #[test]
    fn what_was_taken_takes_no_room() {
        let mut inbox = Inbox::default();
        let frame = framed(&[7; 100_000]);
        for _ in 0..1000 {
            inbox.add(&frame);
            assert!(inbox.frame().expect("no flood").is_some());
        }
        assert!(inbox.buffer.capacity() <= KEPT);
        inbox.add(&framed(&vec![7; 4 * KEPT]));
        assert!(inbox.frame().expect("no flood").is_some());
        inbox.add(&[]);
        assert!(inbox.buffer.capacity() <= KEPT);
    }

    #[test]
    fn ticks_and_frames_to_others_are_counted() {
        let mut inbox = Inbox::default();
        let ticks = [0; 65536];
        let mut count = 0;
        let error = loop {
            inbox.add(&ticks);
            match inbox.frame() {
                Ok(frame) => assert!(frame.is_none()),
                Err(error) => break error,
            }
            count += ticks.len();
        };
        assert!(matches!(error, NodeError::Flooded { .. }));
        assert_eq!(count, IDLE_LIMIT);
        let mut inbox = Inbox::default();
        assert!(inbox.idle(IDLE_LIMIT - HEAD).is_ok());
        assert!(inbox.idle(0).is_err());
    }

    #[test]
    fn a_frame_that_is_announced_and_does_not_come_takes_no_room() {
        let mut inbox = Inbox::default();
        inbox.add(&u32::try_from(FRAME_LIMIT).expect("fits").to_be_bytes());
        assert!(matches!(inbox.frame(), Ok(None)));
        assert!(inbox.buffer.capacity() < KEPT);
        let mut inbox = Inbox::default();
        inbox.add(&[0xff; 4]);
        assert!(matches!(inbox.frame(), Err(NodeError::TooLarge { .. })));
    }
}
