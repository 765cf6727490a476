//! The ways of comparing all modules of two versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use erlrc::script::{Options, make_appup};
use erlrc::term::{Atom, Term};

use super::erlang::Erlang;
use super::modules::Pair;
use super::{floor, measure};

/// Two versions and what is done with them.
pub struct Work {
    pair: Pair,
    files: Vec<PathBuf>,
}

impl Work {
    /// Of so many modules.
    pub fn make(root: &Path, beams: &[Vec<u8>], count: usize) -> Self {
        let pair = Pair::make(root, beams, count);
        let files = pair.files();
        Self { pair, files }
    }

    /// What is already there.
    pub fn found(old: &str, new: &str) -> Self {
        let pair = Pair {
            old: old.into(),
            new: new.into(),
        };
        let files = pair.files();
        Self { pair, files }
    }

    /// The directories.
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// Ours, from the directories to the term that a node gets.
    pub fn ours(&self, threads: usize) -> Term {
        let (old, new) = self.pair.versions();
        let options = Options {
            threads,
            ..Options::default()
        };
        make_appup(&Atom::of("many"), &old, &new, &options)
            .expect("sound modules")
            .term()
    }

    /// The floor.
    pub fn floor(&self, threads: usize) -> u64 {
        floor::read_all(&self.files, threads)
    }

    /// A baseline in Erlang.
    pub fn erlang(&self, erlang: &mut Erlang, way: &str) -> Duration {
        let Pair { old, new } = &self.pair;
        erlang.time(&format!("{way} {} {}", old.display(), new.display()))
    }

    /// Ours, timed.
    pub fn time_ours(&self, threads: usize) -> Duration {
        measure::time(|| self.ours(threads))
    }

    /// The floor, timed.
    pub fn time_floor(&self, threads: usize) -> Duration {
        measure::time(|| self.floor(threads))
    }
}
