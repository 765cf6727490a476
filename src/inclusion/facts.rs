//! What a transition is decided from.

use crate::application::{Application, FileError};
use crate::term::Atom;
use std::collections::HashMap;

/// What is known of a node and of what is installed beside it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The loaded applications, as application_controller has them now.
    pub loaded: Vec<Loaded>,
    /// `applications` as they were before a transition rewrote them.
    pub original: HashMap<Atom, Vec<Atom>>,
    /// The applications that run themselves, not inside another.
    pub running: Vec<Atom>,
    /// The applications that an operation has stopped since.
    pub stopped: Vec<Atom>,
    /// The applications that are registered and enabled.
    pub registered: Vec<Atom>,
    /// What is on disk: of every application that is registered or reachable and not loaded. One
    /// that is not mentioned is [`Specification::Gone`]; of one that is mentioned twice the last counts.
    pub specifications: Vec<(Atom, Specification)>,
}

/// A loaded application.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its name.
    pub name: Atom,
    /// `applications`, as loaded or as rewritten.
    pub applications: Vec<Atom>,
    /// `included_applications`.
    pub included_applications: Vec<Atom>,
    /// `optional_applications`.
    pub optional_applications: Vec<Atom>,
}

/// What is on disk of an application.
#[derive(Clone, Debug, Default)]
pub enum Specification {
    /// Its specification, overrides put over it, and the directory of its code.
    Found {
        /// The specification.
        application: Box<Application>,
        /// The directory that holds its `.app` file and modules.
        ebin: String,
    },
    /// Nothing: neither a `.app` file nor metadata.
    #[default]
    Gone,
    /// Something that cannot be used.
    Unusable(FileError),
}
