//! An open connection to a node, by whichever way it was reached.

use super::link::Link;
use super::socket::Socket;
use super::{Call, Deadline, NodeError};
use crate::term::Term;

/// A connection to a node.
#[derive(Debug)]
pub struct Node(Way);

#[derive(Debug)]
enum Way {
    Link(Box<Link>),
    Socket(Socket),
}

impl Node {
    pub(super) fn of_link(link: Link) -> Self {
        Self(Way::Link(Box::new(link)))
    }

    pub(super) fn of_socket(socket: Socket) -> Self {
        Self(Way::Socket(socket))
    }

    /// The node's process, where the kernel has said which one it is.
    pub fn process(&self) -> Option<u32> {
        match &self.0 {
            Way::Link(_) => None,
            Way::Socket(socket) => socket.process(),
        }
    }

    /// The node's full name, where it has said it.
    pub fn peer(&self) -> Option<&str> {
        match &self.0 {
            Way::Link(link) => Some(link.peer()),
            Way::Socket(_) => None,
        }
    }

    /// Calls a function and returns what it returns, or throws: `rex` does not tell those apart.
    pub fn call(&mut self, call: Call, deadline: Deadline) -> Result<Term, NodeError> {
        match &mut self.0 {
            Way::Link(link) => link.call(call, deadline),
            Way::Socket(socket) => socket.call(call, deadline),
        }
    }

    /// Calls a function whose output goes to `output` as it comes, in UTF-8, and not to the node's own log or
    /// console. Processes that the call spawns lose their output when it ends.
    pub fn call_with_output(
        &mut self,
        call: Call,
        deadline: Deadline,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Term, NodeError> {
        match &mut self.0 {
            Way::Link(link) => link.call_with_output(call, deadline, output),
            Way::Socket(socket) => socket.call_with_output(call, deadline, output),
        }
    }
}
