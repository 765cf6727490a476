//! The modules of an application by name, asked for every atom of every changed module.

use foldhash::{HashMap, HashMapExt as _};

use crate::term::Atom;

/// Positions of modules by name.
#[derive(Debug)]
pub struct Names {
    positions: HashMap<Atom, u32>,
    // A bit for each digest of a name: most atoms are no module's name, and are told from them without
    // being hashed.
    seen: Vec<u64>,
}

const BITS: usize = 1 << 16;

impl Names {
    /// The names in this order.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a Atom>) -> Self {
        let mut found = Self {
            positions: HashMap::new(),
            seen: vec![0; BITS / 64],
        };
        for (position, name) in (0..).zip(names) {
            let bit = digest(name.as_str().as_bytes());
            found.seen[bit / 64] |= 1 << (bit % 64);
            found.positions.insert(name.clone(), position);
        }
        found
    }

    /// The position of the module of this name.
    pub fn position(&self, name: &[u8]) -> Option<u32> {
        let bit = digest(name);
        if self.seen[bit / 64] & 1 << (bit % 64) == 0 {
            return None;
        }
        let name = std::str::from_utf8(name).ok()?;
        self.positions.get(name).copied()
    }
}

fn digest(name: &[u8]) -> usize {
    let byte = |index: usize| name.get(index).map_or(0, |&byte| usize::from(byte));
    let last = name.len().saturating_sub(1);
    let mixed = name.len()
        ^ byte(0) << 3
        ^ byte(last / 2) << 5
        ^ byte(last) << 8
        ^ byte(last.saturating_sub(1)) << 6;
    mixed % BITS
}
