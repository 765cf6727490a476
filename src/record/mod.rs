//! Logs of records that survive a crash. The hooks write their history and their journal into such
//! logs.
//!
//! A log is a text file that only grows. Each record is one line, `LEN CRC JSON`: the length of the
//! JSON in bytes (decimal), its CRC-32 (the one of gzip, eight hexadecimal digits), and the JSON
//! itself without line ends. A line that was cut short or damaged is recognised by its length or
//! checksum, and no other record is lost with it. Texts and lists are cut if a line would be longer
//! than a reader accepts. If the last line has no line end, the next writer adds it first.
//!
//! A log that exceeds its size limit is renamed to `NAME.1`, the one before it to `NAME.2`, and so
//! on; only a few are kept. Readers begin with the oldest.
//!
//! Files have the mode 0640. They are opened without following symbolic links, and refused if they
//! are not regular, belong to neither root nor the caller, can be written by others, or have a
//! second name. A writer holds a lock (flock) while it writes one line; readers take no lock.
//!
//! Must not know what the records mean.

mod file;
mod line;
mod time;

pub(crate) use line::checksum;
pub use line::{Damage, LONGEST_LINE};
pub use time::Time;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// How many damaged lines are reported one by one; beyond that they are only counted.
const MOST_NAMED: usize = 100;

/// Why a log cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The system refuses; a symbolic link is reported as a loop.
    #[error("cannot use {}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not safe to use.
    #[error("{} {reason}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// What is unsafe about it.
        reason: String,
    },
    /// The record cannot be written as JSON.
    #[error("a record for {} has no JSON form", file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// The error of the serializer.
        source: serde_json::Error,
    },
    /// The record is longer than a reader accepts.
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

/// A log. Its file is opened on each use; a log without a file is empty.
#[derive(Clone, Debug)]
pub struct RecordLog {
    path: PathBuf,
    limit: u64,
    keep: usize,
}

/// What could not be read as records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Whether the last line is cut short: a writer crashed, or is writing at this moment.
    pub torn: bool,
    /// The other lines that are not records, the oldest first; at most a hundred.
    pub corrupt: Vec<CorruptLine>,
    /// How many of them there are.
    pub corrupt_count: usize,
}

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorruptLine {
    /// The file with the line.
    pub file: PathBuf,
    /// The line number, from 1.
    pub line: u64,
    /// What is wrong with the line.
    pub damage: Damage,
}

impl fmt::Display for CorruptLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.damage)
    }
}

impl RecordLog {
    /// The log in the file `path`. It is rotated at one megabyte, and four old files are kept.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            limit: 1 << 20,
            keep: 4,
        }
    }

    /// The log in the file `path`, with a size limit in bytes and a number of old files to keep.
    #[must_use]
    pub fn rotated_at(self, bytes: u64, keep: usize) -> Self {
        Self {
            limit: bytes,
            keep: keep.max(1),
            ..self
        }
    }

    /// Appends `record`. When this returns, the record survives a crash of the machine.
    pub fn append(&self, record: &impl Serialize) -> Result<(), RecordError> {
        let file = self.write(record)?;
        file.sync_data()
            .map_err(|source| RecordError::unusable(&self.path, source))
    }

    /// Appends `record` without waiting for the disk. It survives a crash of the writer, but not
    /// always a crash of the machine.
    pub fn append_lazily(&self, record: &impl Serialize) -> Result<(), RecordError> {
        self.write(record).map(drop)
    }

    /// Reads every record, the oldest first, including those of rotated files.
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
                    // If more lines follow, the writer will not finish this one.
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
        let mut length = file.metadata().map_err(unusable)?.len();
        if length >= self.limit {
            file::rotate(&self.path, self.keep)?;
            file = file::to_append(&self.path)?;
            length = file.metadata().map_err(unusable)?.len();
        }
        append(&mut file, length, line).map_err(unusable)?;
        Ok(file)
    }

    /// The existing files, the newest first. A rotation at the same time can show a file twice, but
    /// hides none that is kept.
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

/// A line of a file, read up to the largest length of a record.
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
        // One extra byte shows that the line is too long.
        let room = (LONGEST_LINE + 1).saturating_sub(bytes.len());
        bytes.extend(part.iter().take(room));
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(Line { bytes, ended: true }));
        }
    }
}

/// Writes in one call to a file of `before` bytes. If the disk is full, the part that was written is removed.
fn append(file: &mut File, before: u64, mut line: Vec<u8>) -> io::Result<()> {
    if before > 0 && file::ends_within_line(file)? {
        line.insert(0, b'\n');
    }
    file.write_all(&line).inspect_err(|_| {
        // If it cannot be removed, the next reader reports the line as torn.
        let _ = file.set_len(before);
    })
}

#[cfg(test)]
mod tests;
