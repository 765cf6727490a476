//! Calls through the node's `rex` server.

use super::link::Link;
use super::{Deadline, NodeError, Stage};
use crate::term::{Term, print};

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

impl Link {
    /// Calls a function and returns what it returns, or throws: `rex` does not tell those apart.
    pub fn call(&mut self, call: Call, deadline: Deadline) -> Result<Term, NodeError> {
        let (module, function) = (call.module, call.function);
        self.request(call, "user", deadline)?;
        loop {
            match reply(self.receive(deadline)?)? {
                Reply::Result(term) => return result(term, module, function),
                Reply::Output(text) => self.idle(text.len())?,
            }
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
        let (module, function) = (call.module, call.function);
        self.request(call, "send_stdout_to_caller", deadline)?;
        loop {
            match reply(self.receive(deadline)?)? {
                Reply::Result(term) => return result(term, module, function),
                Reply::Output(text) => output(&text),
            }
        }
    }

    fn request(
        &mut self,
        call: Call,
        leader: &'static str,
        deadline: Deadline,
    ) -> Result<(), NodeError> {
        self.begin_call();
        let request = Term::tuple([
            self.own_pid(),
            Term::tuple([
                Term::atom("call"),
                Term::atom(call.module),
                Term::atom(call.function),
                Term::List(call.arguments),
                Term::atom(leader),
            ]),
        ]);
        self.send("rex", &request, deadline)
    }
}

enum Reply {
    Result(Term),
    Output(Vec<u8>),
}

/// `{rex, Result}` or `{rex_stdout, Text}`.
fn reply(message: Term) -> Result<Reply, NodeError> {
    if let Some([Term::Binary(text)]) = message.as_tagged("rex_stdout") {
        return Ok(Reply::Output(text.clone()));
    }
    match message {
        Term::Tuple(mut elements) if elements.len() == 2 => match elements.pop() {
            Some(result) if elements.first().is_some_and(|tag| tag.is_atom("rex")) => {
                Ok(Reply::Result(result))
            }
            _ => Err(NodeError::Malformed {
                stage: Stage::Call,
                source: None,
            }),
        },
        _ => Err(NodeError::Malformed {
            stage: Stage::Call,
            source: None,
        }),
    }
}

/// `{badrpc, Reason}` is an error, anything else what the function returned.
pub(super) fn result(
    term: Term,
    module: &'static str,
    function: &'static str,
) -> Result<Term, NodeError> {
    match term.as_tagged("badrpc") {
        Some([reason]) if is_undefined(reason, module, function) => {
            Err(NodeError::Undefined { module, function })
        }
        Some([reason]) => Err(NodeError::CallFailed {
            reason: print::compact(reason),
        }),
        _ => Ok(term),
    }
}

/// `{'EXIT', {undef, [{Module, Function, _, _} | _]}}`: the function that was called is not there, which
/// is something else than one that it calls.
fn is_undefined(reason: &Term, module: &str, function: &str) -> bool {
    let Some([why]) = reason.as_tagged("EXIT") else {
        return false;
    };
    let Some([Term::List(stack)]) = why.as_tagged("undef") else {
        return false;
    };
    match stack.first().and_then(Term::as_tuple) {
        Some([at_module, at_function, ..]) => {
            at_module.is_atom(module) && at_function.is_atom(function)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_function_is_told_from_one_that_misses_another() {
        let stack = |module| {
            let frame = Term::tuple([Term::atom(module), Term::atom("f"), Term::NIL, Term::NIL]);
            let undef = Term::tuple([Term::atom("undef"), Term::list([frame])]);
            Term::tuple([Term::atom("EXIT"), undef])
        };
        let case = |module| result(Term::tuple([Term::atom("badrpc"), stack(module)]), "m", "f");
        assert!(matches!(
            case("m"),
            Err(NodeError::Undefined {
                module: "m",
                function: "f"
            })
        ));
        assert!(matches!(case("other"), Err(NodeError::CallFailed { .. })));
    }
}
