//! Package metadata: `{App, Vsn, Dir}`, which a package ships to say what it installed.

use super::Error;
use crate::term::{Atom, Term};

/// The installed version of an application and its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The application.
    pub application: Atom,
    /// Its version.
    pub vsn: String,
    /// Its directory, which holds `ebin`.
    pub dir: String,
}

impl Metadata {
    /// Parses a term `{App, Vsn, Dir}`.
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
