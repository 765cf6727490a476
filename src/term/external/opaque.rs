//! Values that only a running node can tell apart: pids, ports, references, closures.

use super::ExternalError;
use crate::term::{Atom, Term};

/// A pid, port, reference or closure, in the external format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opaque(Box<[u8]>);

impl Opaque {
    pub(super) fn new(term: &eetf::Term) -> Result<Self, ExternalError> {
        let mut bytes = Vec::new();
        term.encode(&mut bytes)
            .map_err(|_| ExternalError::Malformed)?;
        Ok(Self(bytes.into()))
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
            Some(88) => "#Pid<>",
            Some(89 | 120) => "#Port<>",
            Some(90) => "#Ref<>",
            _ => "#Fun<>",
        }
    }

    pub(super) fn to_eetf(&self) -> eetf::Term {
        // What `eetf` made it reads; what stands here in case of a doubt crashes nobody.
        eetf::Term::decode(&*self.0).unwrap_or_else(|_| eetf::List::nil().into())
    }
}

impl Term {
    /// The pid of a process of `node`, as the node itself numbers it: a client of the distribution
    /// protocol makes up its own.
    pub fn pid(node: &Atom, id: u32, serial: u32, creation: u32) -> Self {
        let node = eetf::Atom::from(node.as_str());
        let pid = eetf::Pid {
            node,
            id,
            serial,
            creation,
        };
        // An atom always has a format.
        Opaque::new(&pid.into()).map_or(Term::NIL, Term::Opaque)
    }
}
