//! Logs of records that survive a crash: what the hooks write down for later.
//!
//! A log is a text file that only grows. Each record is one line, `LEN CRC JSON`: the number of bytes
//! of the JSON in decimal, their CRC-32 (that of gzip) in eight hexadecimal digits, the JSON itself
//! without line ends. A line that was cut short, or damaged since, is told by its length or its
//! checksum; it costs no other record. Texts and lists are cut where a line would be longer than a
//! reader takes. A line without an end is ended before the next is written.
//!
//! A log that has grown over a limit becomes `NAME.1`, the one before it `NAME.2`, and so on; only so
//! many are kept. Reading begins with the oldest.
//!
//! Files are 0640, opened without following symbolic links, and refused when they are not regular,
//! not root's or the caller's, writable by others, or have a second name. One writer at a time holds
//! a lock (flock) for the time of one line; readers take none.
//!
//! Must not know what the records mean.

mod file;
mod line;
mod time;

pub use line::{Damage, LONGEST_LINE};
pub use time::Time;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// The most lines that are named; more are counted.
const MOST_NAMED: usize = 100;

/// Why a log cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system refuses; a symbolic link shows as a loop.
    #[error("cannot use {}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not one to trust.
    #[error("{} {reason}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The record has no JSON.
    #[error("a record for {} has no JSON form", file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The record is longer than a reader takes.
    #[error("a record for {} is longer than {LONGEST_LINE} bytes", file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
    },
}

impl RecordError {
    fn unusable(file: &Path, source: io::Error) -> Self {
        Self::Unusable {
            file: file.to_owned(),
            source,
        }
    }
}

/// A log. Nothing is opened before it is used, and one that is not there is empty.
#[derive(Clone, Debug)]
pub struct RecordLog {
    path: PathBuf,
    limit: u64,
    keep: usize,
}

/// What reading a log could not make sense of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Whether the last line was cut short: the crash of a writer, or one at work just now.
    pub torn: bool,
    /// The other lines that are no records, the oldest first; no more than a hundred.
    pub corrupt: Vec<CorruptLine>,
    /// How many there are.
    pub corrupt_count: usize,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorruptLine {
    /// The file that it is in.
    pub file: PathBuf,
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub damage: Damage,
}

impl fmt::Display for CorruptLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.damage)
    }
}

impl RecordLog {
    /// The log in the file `path`, which becomes another once it has a megabyte; four old ones are kept.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            limit: 1 << 20,
            keep: 4,
        }
    }

    /// The same, with a limit of `bytes` and `keep` old files.
    #[must_use]
    pub fn rotated_at(self, bytes: u64, keep: usize) -> Self {
        Self {
            limit: bytes,
            keep: keep.max(1),
            ..self
        }
    }

    /// Writes `record` down; on return it outlives a crash of the machine.
    pub fn append(&self, record: &impl Serialize) -> Result<(), RecordError> {
        let file = self.write(record)?;
        file.sync_data()
            .map_err(|source| RecordError::unusable(&self.path, source))
    }

    /// Writes `record` down without waiting for the disk: it outlives a crash of the writer, not
    /// always one of the machine.
    pub fn append_lazily(&self, record: &impl Serialize) -> Result<(), RecordError> {
        self.write(record).map(drop)
    }

    /// Every record, the oldest first, of old files too.
    pub fn read<T: DeserializeOwned>(&self) -> Result<(Vec<T>, Tail), RecordError> {
        let (mut records, mut tail) = (Vec::new(), Tail::default());
        let mut files = self.files()?;
        while let Some((path, file)) = files.pop() {
            let mut reader = BufReader::new(file);
            for number in 1.. {
                let line = next_line(&mut reader);
                let line = line.map_err(|source| RecordError::unusable(&path, source))?;
                let Some(line) = line else { break };
                match line.decode() {
                    Ok(record) => records.push(record),
                    // Where more follows, the writer is gone for good.
                    Err(_) if !line.ended && files.is_empty() => tail.torn = true,
                    Err(damage) => tail.note(&path, number, damage),
                }
            }
        }
        Ok((records, tail))
    }

    fn write(&self, record: &impl Serialize) -> Result<File, RecordError> {
        let line = line::encode(record)
            .map_err(|source| RecordError::Form {
                file: self.path.clone(),
                source,
            })?
            .ok_or_else(|| RecordError::TooLong {
                file: self.path.clone(),
            })?;
        let unusable = |source| RecordError::unusable(&self.path, source);
        let mut file = file::to_append(&self.path)?;
        if file.metadata().map_err(unusable)?.len() >= self.limit {
            file::rotate(&self.path, self.keep)?;
            file = file::to_append(&self.path)?;
        }
        append(&mut file, line).map_err(unusable)?;
        Ok(file)
    }

    /// The files that are there, the newest first: a rotation meanwhile can show one of them twice,
    /// but hides none that is kept.
    fn files(&self) -> Result<Vec<(PathBuf, File)>, RecordError> {
        let mut files: Vec<(PathBuf, File)> = Vec::new();
        for number in 0..=self.keep {
            let path = file::rotated(&self.path, number);
            let Some(opened) = file::to_read(&path)? else {
                continue;
            };
            let again = files
                .iter()
                .any(|(_, known)| file::identity(known) == file::identity(&opened));
            if !again {
                files.push((path, opened));
            }
        }
        Ok(files)
    }
}

impl Tail {
    /// Whether every line is a record.
    pub fn is_sound(&self) -> bool {
        !self.torn && self.corrupt_count == 0
    }

    fn note(&mut self, file: &Path, line: u64, damage: Damage) {
        self.corrupt_count += 1;
        if self.corrupt.len() < MOST_NAMED {
            self.corrupt.push(CorruptLine {
                file: file.to_owned(),
                line,
                damage,
            });
        }
    }
}

/// A line as it is in a file, no more of it than a record could have.
struct Line {
    bytes: Vec<u8>,
    ended: bool,
}

impl Line {
    fn decode<T: DeserializeOwned>(&self) -> Result<T, Damage> {
        if self.bytes.len() > LONGEST_LINE {
            return Err(Damage::TooLong);
        }
        line::decode(&self.bytes)
    }
}

fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Line>> {
    let (mut bytes, mut any) = (Vec::new(), false);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(any.then_some(Line {
                bytes,
                ended: false,
            }));
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer
            .get(..end.unwrap_or(buffer.len()))
            .unwrap_or_default();
        // One byte too many tells that there was more.
        let room = (LONGEST_LINE + 1).saturating_sub(bytes.len());
        bytes.extend(part.iter().take(room));
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(Line { bytes, ended: true }));
        }
    }
}

/// One write; where the disk is full, nothing of it stays.
fn append(file: &mut File, mut line: Vec<u8>) -> io::Result<()> {
    let before = file.metadata()?.len();
    if file::ends_within_line(file)? {
        line.insert(0, b'\n');
    }
    file.write_all(&line).inspect_err(|_| {
        // What cannot be taken back is told as torn by the next reader.
        let _ = file.set_len(before);
    })
}

#[cfg(test)]
mod tests;
