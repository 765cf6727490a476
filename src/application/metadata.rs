//! What a package says about the application that it installed: `{App, Vsn, Dir}`.

use super::Error;
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
        match (vsn.as_string(), dir.as_string()) {
            (Some(vsn), Some(dir)) if !vsn.is_empty() && !dir.is_empty() => Ok(Self {
                application: application.clone(),
                vsn: vsn.into_owned(),
                dir: dir.into_owned(),
            }),
            _ => Err(Error::NotMetadata),
        }
    }
}
