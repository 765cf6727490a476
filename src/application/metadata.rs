//! What a package says about the application that it installed: `{App, Vsn, Dir}`.

use super::{Error, shape};
use crate::term::{Atom, Term};

/// The version of an application that is installed now, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The application.
    pub application: Atom,
    /// Its version.
    pub vsn: String,
    /// Its directory, the one that holds `ebin`.
    pub dir: String,
}

impl Metadata {
    /// The metadata in a term `{App, Vsn, Dir}`.
    pub fn from_term(term: &Term) -> Result<Self, Error> {
        let Term::Tuple(fields) = term else {
            return Err(Error::NotMetadata);
        };
        let [Term::Atom(application), vsn, dir] = fields.as_slice() else {
            return Err(Error::NotMetadata);
        };
        match (shape::text(vsn), shape::text(dir)) {
            (Some(vsn), Some(dir)) if !vsn.is_empty() && !dir.is_empty() => Ok(Self {
                application: application.clone(),
                vsn,
                dir,
            }),
            _ => Err(Error::NotMetadata),
        }
    }
}
