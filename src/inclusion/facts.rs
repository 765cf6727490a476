//! The facts from which a transition is decided.

use crate::application::{Application, FileError};
use crate::term::Atom;
use std::collections::HashMap;

/// The state of a node and the applications that are installed.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The loaded applications, as application_controller has them.
    pub loaded: Vec<Loaded>,
    /// The values of `applications` before transitions rewrote them.
    pub original: HashMap<Atom, Vec<Atom>>,
    /// The applications that run by themselves, not as part of another.
    pub running: Vec<Atom>,
    /// The applications that an operation has stopped.
    pub stopped: Vec<Atom>,
    /// The applications that are registered and enabled.
    pub registered: Vec<Atom>,
    /// The specifications on disk of every application that is registered or reachable and not
    /// loaded. An application that is not listed is [`Specification::Gone`]; of one that is listed
    /// twice the last entry counts.
    pub specifications: Vec<(Atom, Specification)>,
}

/// A loaded application.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its name.
    pub name: Atom,
    /// `applications`, possibly rewritten.
    pub applications: Vec<Atom>,
    /// `included_applications`.
    pub included_applications: Vec<Atom>,
    /// `optional_applications`.
    pub optional_applications: Vec<Atom>,
}

/// The specification of an application on disk.
#[derive(Clone, Debug, Default)]
pub enum Specification {
    /// The specification with overrides applied, and the directory of the code.
    Found {
        /// The specification.
        application: Box<Application>,
        /// The directory with its `.app` file and modules.
        ebin: String,
    },
    /// There is neither a `.app` file nor metadata.
    #[default]
    Gone,
    /// The files cannot be used.
    Unusable(FileError),
}
