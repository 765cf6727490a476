//! Calls through the node's `rex` server.

use super::{Deadline, Node, NodeError, Stage};
use eetf::{Atom, List, Term, Tuple};

/// Where output of the called function goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLeader {
    /// To the node's own log or console. What the call starts may live on.
    User,
    /// To us. Processes that the call spawns lose their output when it ends.
    Caller,
}

/// A function of a module, and what to call it with.
#[derive(Clone, Debug)]
pub struct Call {
    /// The module.
    pub module: &'static str,
    /// The function.
    pub function: &'static str,
    /// Its arguments.
    pub arguments: Vec<Term>,
}

impl Node {
    /// Calls a function and returns what it returns, or throws: `rex` does not tell those apart.
    pub fn call(&mut self, call: Call, deadline: Deadline) -> Result<Term, NodeError> {
        self.call_with_output(call, GroupLeader::User, deadline, &mut |_| ())
    }

    /// Calls a function whose output goes to `output` as it comes, in UTF-8.
    pub fn call_with_output(
        &mut self,
        call: Call,
        leader: GroupLeader,
        deadline: Deadline,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Term, NodeError> {
        let leader = match leader {
            GroupLeader::User => "user",
            GroupLeader::Caller => "send_stdout_to_caller",
        };
        let request = Tuple::from(vec![
            Term::from(self.own_pid()),
            Term::from(Tuple::from(vec![
                Term::from(Atom::from("call")),
                Term::from(Atom::from(call.module)),
                Term::from(Atom::from(call.function)),
                Term::from(List::from(call.arguments)),
                Term::from(Atom::from(leader)),
            ])),
        ]);
        let (module, function) = (call.module, call.function);
        self.send("rex", &Term::from(request), deadline)?;
        loop {
            match reply(self.receive(deadline)?)? {
                Reply::Result(term) => return result(term, module, function),
                Reply::Output(text) => output(&text),
            }
        }
    }
}

enum Reply {
    Result(Term),
    Output(Vec<u8>),
}

/// `{rex, Result}` or `{rex_stdout, Text}`.
fn reply(message: Term) -> Result<Reply, NodeError> {
    let malformed = || NodeError::Malformed {
        stage: Stage::Call,
        source: None,
    };
    let Term::Tuple(tuple) = message else {
        return Err(malformed());
    };
    let [tag, content] = <[Term; 2]>::try_from(tuple.elements).map_err(|_| malformed())?;
    match (tag, content) {
        (Term::Atom(tag), content) if tag.name == "rex" => Ok(Reply::Result(content)),
        (Term::Atom(tag), Term::Binary(text)) if tag.name == "rex_stdout" => {
            Ok(Reply::Output(text.bytes))
        }
        _ => Err(malformed()),
    }
}

/// `{badrpc, Reason}` is an error, anything else what the function returned.
fn result(term: Term, module: &'static str, function: &'static str) -> Result<Term, NodeError> {
    match elements(&term) {
        Some([Term::Atom(tag), reason]) if tag.name == "badrpc" => {
            if is_undefined(reason, module, function) {
                return Err(NodeError::Undefined { module, function });
            }
            Err(NodeError::CallFailed {
                reason: reason.to_string(),
            })
        }
        _ => Ok(term),
    }
}

/// `{'EXIT', {undef, [{Module, Function, _, _} | _]}}`: the function that was called is not there, which
/// is something else than one that it calls.
fn is_undefined(reason: &Term, module: &str, function: &str) -> bool {
    let called = || {
        let [exit, why] = elements(reason)? else {
            return None;
        };
        let [undef, Term::List(stack)] = elements(why)? else {
            return None;
        };
        let [at_module, at_function, ..] = elements(stack.elements.first()?)? else {
            return None;
        };
        let names = [
            (exit, "EXIT"),
            (undef, "undef"),
            (at_module, module),
            (at_function, function),
        ];
        Some(
            names
                .iter()
                .all(|(term, name)| matches!(term, Term::Atom(atom) if atom.name == *name)),
        )
    };
    called().unwrap_or(false)
}

fn elements(term: &Term) -> Option<&[Term]> {
    match term {
        Term::Tuple(tuple) => Some(&tuple.elements),
        _ => None,
    }
}
