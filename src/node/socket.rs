//! The Unix socket of a node's erlrc: a frame with a request, frames with output, a frame with the answer.
//!
//! A frame is a length of 32 bits and a term in the external format. Keys of a request are binaries, so
//! that a node which does not know one passes over it. Who is at the other end the kernel says.

use super::call::result;
use super::deadline::is_timeout;
use super::inbox::FRAME_LIMIT;
use super::{Absence, Call, Deadline, Node, NodeError, Stage};
use crate::term::external::{self, ExternalError};
use crate::term::{Limits, Term};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The bytes of a frame's length.
const HEAD: usize = 4;
/// The bytes that are read at once at most.
const CHUNK: usize = 64 * 1024;
/// How often a node that has no room for one more connection is asked.
const PAUSE: Duration = Duration::from_millis(5);

/// Where the output of a called function goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    ToNode,
    ToCaller,
}

/// A connection to a socket.
#[derive(Debug)]
pub struct Socket {
    stream: UnixStream,
    process: Option<u32>,
}

/// Connects to the socket at `path`, on which a process of the user `uid` must listen.
pub fn connect(path: &Path, uid: u32, timeout: Duration) -> Result<Node, NodeError> {
    let deadline = Deadline::after(timeout);
    let fd = open(path, deadline)?;
    let credentials = socket_peercred(&fd).map_err(local)?;
    let found = credentials.uid.as_raw();
    if found != uid {
        return Err(NodeError::ForeignSocket {
            socket: path.to_owned(),
            found,
            uid,
        });
    }
    let process = u32::try_from(credentials.pid.as_raw_nonzero().get()).ok();
    let stream = UnixStream::from(fd);
    stream
        .set_nonblocking(false)
        .map_err(|source| NodeError::Local { source })?;
    Ok(Node::of_socket(Socket { stream, process }))
}

fn open(path: &Path, deadline: Deadline) -> Result<OwnedFd, NodeError> {
    let address = SocketAddrUnix::new(path).map_err(local)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let fd = rustix::net::socket_with(family, kind, flags, None).map_err(local)?;
    loop {
        match rustix::net::connect(&fd, &address) {
            Ok(()) => return Ok(fd),
            Err(Errno::NOENT | Errno::CONNREFUSED) => {
                let why = Absence::SocketClosed;
                return Err(NodeError::Down { why });
            }
            Err(Errno::AGAIN | Errno::INTR) if deadline.left().is_some() => {
                std::thread::sleep(PAUSE);
            }
            Err(Errno::AGAIN) => return Err(deadline.hung(Stage::Connect)),
            Err(error) => return Err(local(error)),
        }
    }
}

fn local(error: Errno) -> NodeError {
    let source = error.into();
    NodeError::Local { source }
}

impl Socket {
    pub(super) fn process(&self) -> Option<u32> {
        self.process
    }

    pub(super) fn call(&mut self, call: Call, deadline: Deadline) -> Result<Term, NodeError> {
        let mut idle = 0;
        // Nobody asked for output.
        self.exchange(call, Output::ToNode, deadline, &mut |text| {
            idle += text.len() + HEAD;
            match idle > FRAME_LIMIT {
                true => Err(NodeError::Flooded { limit: FRAME_LIMIT }),
                false => Ok(()),
            }
        })
    }

    pub(super) fn call_with_output(
        &mut self,
        call: Call,
        deadline: Deadline,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Term, NodeError> {
        self.exchange(call, Output::ToCaller, deadline, &mut |text| {
            output(text);
            Ok(())
        })
    }

    fn exchange(
        &mut self,
        call: Call,
        to: Output,
        deadline: Deadline,
        output: &mut dyn FnMut(&[u8]) -> Result<(), NodeError>,
    ) -> Result<Term, NodeError> {
        let (module, function) = (call.module, call.function);
        self.send(&request(call, to), deadline)?;
        loop {
            match self.receive(deadline)? {
                Term::Binary(text) => output(&text)?,
                answer => return answered(answer, module, function),
            }
        }
    }

    fn send(&mut self, request: &Term, deadline: Deadline) -> Result<(), NodeError> {
        let bytes = external::encode(request);
        let length = u32::try_from(bytes.len()).map_err(|_| NodeError::TooLarge {
            size: bytes.len(),
            limit: u32::MAX as usize,
        })?;
        let frame = [length.to_be_bytes().as_slice(), &bytes].concat();
        deadline.write(&mut self.stream, &frame, Stage::Call)
    }

    fn receive(&mut self, deadline: Deadline) -> Result<Term, NodeError> {
        let mut length = [0; HEAD];
        deadline.read(&mut self.stream, &mut length, Stage::Call)?;
        let size = u32::from_be_bytes(length) as usize;
        if size > FRAME_LIMIT {
            return Err(NodeError::TooLarge {
                size,
                limit: FRAME_LIMIT,
            });
        }
        let frame = self.body(size, deadline)?;
        let limits = Limits {
            size: FRAME_LIMIT,
            ..Limits::default()
        };
        external::decode(&frame, &limits).map_err(|source| malformed(Some(source)))
    }

    /// Memory is taken as bytes come, whatever their number is said to be.
    fn body(&mut self, size: usize, deadline: Deadline) -> Result<Vec<u8>, NodeError> {
        let stage = Stage::Call;
        let mut frame = Vec::new();
        while frame.len() < size {
            let filled = frame.len();
            frame.resize(filled + (size - filled).min(CHUNK), 0);
            let left = deadline.left().ok_or_else(|| deadline.hung(stage))?;
            let lost = |source| NodeError::Lost { stage, source };
            self.stream
                .set_read_timeout(Some(left))
                .map_err(|error| lost(Some(error)))?;
            let part = frame.get_mut(filled..).unwrap_or_default();
            let count = match self.stream.read(part) {
                Ok(0) => return Err(lost(None)),
                Ok(count) => count,
                Err(error) if is_timeout(&error) => 0,
                Err(error) => return Err(lost(Some(error))),
            };
            frame.truncate(filled + count);
        }
        Ok(frame)
    }
}

fn malformed(source: Option<ExternalError>) -> NodeError {
    let stage = Stage::Call;
    NodeError::Malformed { stage, source }
}

/// A request of the hook protocol as it is; any other call as the request for that call.
fn request(call: Call, to: Output) -> Term {
    if (call.module, call.function) == ("erlrc_hook", "request")
        && let [Term::Map(pairs)] = call.arguments.as_slice()
    {
        return in_words(pairs);
    }
    let mut pairs = vec![
        ("operation", Term::atom("call")),
        ("module", Term::binary(call.module)),
        ("function", Term::binary(call.function)),
        ("arguments", Term::List(call.arguments)),
    ];
    if to == Output::ToCaller {
        pairs.push(("output", Term::atom("caller")));
    }
    let pairs = pairs.into_iter();
    Term::map(
        pairs
            .map(|(key, value)| (Term::binary(key), value))
            .collect(),
    )
}

/// Keys, those of options and of each of several changes too, and the name of the application as text: the node takes the atoms that it has.
fn in_words(pairs: &[(Term, Term)]) -> Term {
    let text = |term: &Term| match term {
        Term::Atom(atom) => Term::binary(atom.as_str()),
        other => other.clone(),
    };
    let each = |change: &Term| match change {
        Term::Map(pairs) => in_words(pairs),
        other => other.clone(),
    };
    let pair = |(key, value): &(Term, Term)| {
        let value = match value {
            Term::Map(options) => in_words(options),
            Term::List(changes) if key.is_atom("changes") => Term::list(changes.iter().map(each)),
            name if key.is_atom("application") => text(name),
            other => other.clone(),
        };
        (text(key), value)
    };
    Term::map(pairs.iter().map(pair).collect())
}

/// What a call returned, or why it did not; an answer of the hook protocol as it is.
fn answered(answer: Term, module: &'static str, function: &'static str) -> Result<Term, NodeError> {
    let outcome = answer.get("outcome").and_then(Term::as_atom);
    let outcome = outcome.map(|outcome| outcome.as_str().to_owned());
    if let Some(error) = answer.get("error") {
        let reason = Term::tuple([Term::atom("badrpc"), error.clone()]);
        return result(reason, module, function);
    }
    match (outcome.as_deref(), answer.get("result")) {
        (None, _) => Err(malformed(None)),
        (Some("called"), Some(value)) => Ok(value.clone()),
        (Some("undefined"), _) => Err(NodeError::Undefined { module, function }),
        (Some("bad_request"), _) if module != "erlrc_hook" => {
            let reason = answer.get("reason").and_then(Term::as_text);
            let reason = reason.map_or_else(String::new, |reason| reason.into_owned());
            Err(NodeError::CallFailed { reason })
        }
        _ => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{Limits, text::parse_all};

    fn term(text: &str) -> Term {
        let terms = parse_all(text.as_bytes(), &Limits::default());
        terms.expect("terms").remove(0)
    }

    #[test]
    fn a_request_brings_no_atoms_that_a_node_may_not_have() {
        let call = |module, function, argument: &str| Call {
            module,
            function,
            arguments: vec![term(argument)],
        };
        let hook = call(
            "erlrc_hook",
            "request",
            "#{operation => start, application => foo, options => #{hold => 7}}.",
        );
        let expected = r#"#{<<"operation">> => start, <<"application">> => <<"foo">>, <<"options">> => #{<<"hold">> => 7}}."#;
        assert_eq!(request(hook, Output::ToNode), term(expected));
        let other = call("m", "f", "x.");
        let expected = r#"#{<<"operation">> => call, <<"module">> => <<"m">>, <<"function">> => <<"f">>,
            <<"arguments">> => [x], <<"output">> => caller}."#;
        assert_eq!(request(other, Output::ToCaller), term(expected));
    }

    #[test]
    fn an_answer_is_a_result_a_failure_or_itself() {
        let case = |answer: &str| answered(term(answer), "m", "f");
        assert_eq!(
            case("#{outcome => called, result => 7}.").ok(),
            Some(Term::Integer(7))
        );
        let started = "#{status => ok, outcome => started}.";
        assert_eq!(case(started).ok(), Some(term(started)));
        let undefined = "#{outcome => call_failed, error => {'EXIT', {undef, [{m, f, [], []}]}}}.";
        for answer in [undefined, "#{outcome => undefined}."] {
            assert!(matches!(
                case(answer),
                Err(NodeError::Undefined { module: "m", .. })
            ));
        }
        let failed = "#{outcome => call_failed, error => {'EXIT', odd}}.";
        assert!(matches!(case(failed), Err(NodeError::CallFailed { .. })));
        assert!(matches!(case("odd."), Err(NodeError::Malformed { .. })));
    }
}
