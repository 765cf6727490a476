//! What the engine needs of the outside: connections to nodes, time, and a check before an operation.
//!
//! The command line implements these for real nodes, the tests for nodes that are made up.

use super::answer::Answer;
use crate::identity::NodeName;
use crate::node::{Call, Deadline, Node, NodeError};
use crate::term::Term;
use std::time::Duration;

/// An open connection to a node.
pub trait NodeLink {
    /// Calls a function in the node and waits for what it returns, for `patience` at most.
    fn call(&mut self, call: Call, patience: Duration) -> Result<Term, NodeError>;
}

impl NodeLink for Node {
    fn call(&mut self, call: Call, patience: Duration) -> Result<Term, NodeError> {
        Self::call(self, call, Deadline::after(patience))
    }
}

/// How nodes are reached.
pub trait Reach {
    /// A connection.
    type Link: NodeLink;
    /// What lasts as long as an operation is waited for, such as a line that shows its progress.
    type Watch;

    /// Connects to `node`; else the answer that this is.
    ///
    /// # Errors
    /// The node is down, cannot be spoken to, must not be, or is none of ours.
    fn open(&self, node: &NodeName) -> Result<Self::Link, Box<Answer>>;

    /// What it means that a connection to `node` failed before anything was asked for.
    fn unreachable(&self, node: &NodeName, error: &NodeError) -> Answer;

    /// Whether `node`, which does not run any more, was stopped rather than died.
    fn was_stopped(&self, node: &NodeName) -> bool;

    /// Called when an operation is about to be waited for.
    fn watch(&self, node: &NodeName) -> Self::Watch;

    /// The time since all of it began.
    fn elapsed(&self) -> Duration;

    /// Waits before a question is asked again.
    fn pause(&self);
}

/// What is asked before an operation is asked for: a plan that says whether it would go well.
pub trait Gate<L> {
    /// Whether the node behind `link` is to be asked for the operation.
    ///
    /// # Errors
    /// The node did not answer.
    fn decide(&self, link: &mut L, patience: Duration) -> Result<Decision, NodeError>;
}

/// What a gate says.
pub enum Decision {
    /// Go on, and say this.
    Go(Vec<String>),
    /// Do not go on.
    Refuse(Box<Answer>),
}

/// A gate that lets everything pass: for what has to be done whatever comes of it.
pub struct Open;

impl<L> Gate<L> for Open {
    fn decide(&self, _link: &mut L, _patience: Duration) -> Result<Decision, NodeError> {
        Ok(Decision::Go(Vec::new()))
    }
}
