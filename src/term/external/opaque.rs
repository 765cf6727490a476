//! Values that only a running node can tell apart: pids, ports, references, closures.

use super::{encode, tag};
use crate::term::{Atom, Term};

/// A pid, port, reference or closure, in the external format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opaque(Box<[u8]>);

impl Opaque {
    /// Of what was checked to be one, without the version byte.
    pub(super) fn new(external: &[u8]) -> Self {
        Self([&[tag::VERSION], external].concat().into())
    }

    /// The value with this external format, version byte included, as the VM made it for a pid, port,
    /// reference or closure.
    pub fn from_external(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Its external format, from the version byte on.
    pub fn external(&self) -> &[u8] {
        &self.0
    }

    /// `#Pid<>` and the like, for messages.
    pub fn kind(&self) -> &'static str {
        match self.0.get(1) {
            Some(&(tag::PID | tag::NEW_PID)) => "#Pid<>",
            Some(&(tag::PORT | tag::NEW_PORT | tag::V4_PORT)) => "#Port<>",
            Some(&(tag::REFERENCE | tag::NEW_REFERENCE | tag::NEWER_REFERENCE)) => "#Ref<>",
            _ => "#Fun<>",
        }
    }
}

impl Term {
    /// The pid of a process of `node`, as the node itself numbers it: a client of the distribution
    /// protocol makes up its own.
    pub fn pid(node: &Atom, id: u32, serial: u32, creation: u32) -> Self {
        let mut bytes = vec![tag::NEW_PID];
        encode::atom(&mut bytes, node);
        for number in [id, serial, creation] {
            bytes.extend(number.to_be_bytes());
        }
        Term::Opaque(Opaque::new(&bytes))
    }
}
