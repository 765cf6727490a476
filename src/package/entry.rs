//! The contents of a package: files, links and directories at absolute paths.

use std::collections::BTreeMap;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its content.
        content: Vec<u8>,
        /// Its permissions.
        mode: u32,
        /// Whether it is a conffile.
        conffile: bool,
    },
    /// A symbolic link.
    Link {
        /// Its target.
        target: String,
    },
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
    },
}

impl Entry {
    /// A file with the mode 0644.
    pub fn file(content: impl Into<Vec<u8>>) -> Self {
        Self::File {
            content: content.into(),
            mode: 0o644,
            conffile: false,
        }
    }
}

/// The entries by their absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries(BTreeMap<String, Entry>);

/// Two entries have the same path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are two entries for {path}")]
pub struct Twice {
    /// The path.
    pub path: String,
}

impl Entries {
    /// Adds an entry; fails if the path is taken.
    pub fn add(&mut self, path: impl Into<String>, entry: Entry) -> Result<(), Twice> {
        let path = path.into();
        if self.0.contains_key(&path) {
            return Err(Twice { path });
        }
        self.0.insert(path, entry);
        Ok(())
    }

    /// Whether there is an entry at exactly `path`.
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The entries ordered by path, so that a directory precedes its contents.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let sorted = self.0.iter();
        sorted.map(|(path, entry)| (path.as_str(), entry))
    }

    /// The same, with the directories above them.
    pub fn with_parents(&self) -> Self {
        let mut all = self.0.clone();
        for path in self.0.keys() {
            let slashes = path.char_indices().filter(|(at, c)| *c == '/' && *at > 0);
            for (at, _) in slashes {
                let parent = path.get(..at).unwrap_or_default().to_owned();
                all.entry(parent)
                    .or_insert(Entry::Directory { mode: 0o755 });
            }
        }
        Self(all)
    }

    /// The paths of the conffiles.
    pub fn conffiles(&self) -> impl Iterator<Item = &str> {
        self.iter().filter_map(|(path, entry)| match entry {
            Entry::File { conffile: true, .. } => Some(path),
            _ => None,
        })
    }

    /// The size on disk in KiB, counted as dpkg does: files are rounded up, everything else counts
    /// as one.
    pub fn kibibytes(&self) -> usize {
        let size = |entry: &Entry| match entry {
            Entry::File { content, .. } => content.len().div_ceil(1024),
            Entry::Link { .. } | Entry::Directory { .. } => 1,
        };
        self.with_parents().0.values().map(size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_comes_before_what_is_in_it() {
        let mut entries = Entries::default();
        for path in ["/usr/lib-x/a", "/usr/lib/b", "/usr/lib/a/c"] {
            entries.add(path, Entry::file("x")).unwrap();
        }
        let all = entries.with_parents();
        let paths: Vec<_> = all.iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "/usr",
                "/usr/lib",
                "/usr/lib-x",
                "/usr/lib-x/a",
                "/usr/lib/a",
                "/usr/lib/a/c",
                "/usr/lib/b"
            ]
        );
        assert_eq!(entries.kibibytes(), 7);
        assert!(entries.add("/usr/lib/b", Entry::file("")).is_err());
    }
}
