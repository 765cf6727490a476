//! What can come between a caller and a node. Every variant is something else to do for a person.

use crate::term::external::ExternalError;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How far the conversation with a node had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking epmd for the port.
    Epmd,
    /// Connecting to the port.
    Connect,
    /// Waiting for the answer to our name.
    Status,
    /// Waiting for the challenge.
    Challenge,
    /// Waiting for the proof that the node knows the cookie.
    Proof,
    /// Waiting for the answer to a call.
    Call,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Epmd => "the port mapper",
            Self::Connect => "the connection",
            Self::Status => "the status of the handshake",
            Self::Challenge => "the challenge of the handshake",
            Self::Proof => "the proof of the handshake",
            Self::Call => "the answer",
        })
    }
}

/// Why a node does not run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// No port mapper runs.
    NoEpmd,
    /// The port mapper does not know the name.
    Unknown,
    /// The port that the port mapper or the entry names is closed.
    PortClosed,
    /// The socket that the entry names is gone, or nobody listens on it.
    SocketClosed,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoEpmd => "no port mapper (epmd) runs",
            Self::Unknown => "the port mapper (epmd) does not know it",
            Self::PortClosed => "nothing listens on its port",
            Self::SocketClosed => "nothing listens on its socket",
        })
    }
}

/// Why a node could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It does not run.
    #[error("the node is down: {why}")]
    Down {
        /// What shows it.
        why: Absence,
    },
    /// The node says, or shows by closing, that our cookie is not its own.
    #[error("the node refused the cookie")]
    CookieRefused,
    /// What listens there could not prove that it knows the cookie.
    #[error("what listens there does not know the cookie")]
    NotProven,
    /// The node's allow list, or a capability that it demands, keeps us out.
    #[error("the node refuses connections (net_kernel:allow/1, or a capability that it demands)")]
    NotAllowed,
    /// The node lacks a capability that we need: it is older than OTP 25.
    #[error("the node lacks capabilities that OTP 25 and later have (flags {flags:#x})")]
    FlagsMissing {
        /// What it has.
        flags: u64,
    },
    /// Something is there and does not answer.
    #[error("no reply within {} s while waiting for {stage}", after.as_secs_f64())]
    Hung {
        /// What was waited for.
        stage: Stage,
        /// How long.
        after: Duration,
    },
    /// Something listens there that does not speak the distribution protocol.
    #[error("what listens on the port is no Erlang node, or has no room for one more connection")]
    NotErlang,
    /// The node speaks the distribution protocol inside TLS only.
    #[error("the node wants TLS distribution (-proto_dist inet_tls)")]
    TlsRequired,
    /// Another node than the one that was asked for.
    #[error("another node answers there: {found}")]
    WrongNode {
        /// Its name.
        found: String,
    },
    /// The socket belongs to somebody who has no business with the entry.
    #[error(
        "the process that listens on {address} does not belong to the entry's owner (uid {uid})"
    )]
    Foreign {
        /// The socket.
        address: SocketAddr,
        /// The owner of the entry.
        uid: u32,
    },
    /// The process that listens on the socket belongs to somebody who has no business with the entry.
    #[error("the process that listens on {} belongs to uid {found}, the entry to uid {uid}", socket.display())]
    ForeignSocket {
        /// The socket.
        socket: PathBuf,
        /// Who listens.
        found: u32,
        /// The owner of the entry.
        uid: u32,
    },
    /// Only entries of root may name other hosts.
    #[error("{host} is not this host, and only entries that belong to root may name another")]
    NotThisHost {
        /// The host.
        host: String,
    },
    /// The connection ended while something was waited for.
    #[error("the connection was lost while waiting for {stage}")]
    Lost {
        /// What was waited for.
        stage: Stage,
        /// What the system says, where it says anything.
        source: Option<std::io::Error>,
    },
    /// The node sent what the protocol does not have.
    #[error("the node sent a malformed message while waiting for {stage}")]
    Malformed {
        /// What was waited for.
        stage: Stage,
        /// What is wrong with it, where that can be said.
        source: Option<ExternalError>,
    },
    /// A message is larger than we take.
    #[error("the node sent a message of {size} bytes, more than the {limit} that are taken")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The node sends without end, and none of it answers what was asked.
    #[error("the node sent more than {limit} bytes that answer nothing")]
    Flooded {
        /// How many are taken.
        limit: usize,
    },
    /// The host name could not be resolved.
    #[error("the host name {host} could not be resolved")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system says.
        source: Option<std::io::Error>,
    },
    /// The node does not have the function that was called.
    #[error("the node does not have {module}:{function}")]
    Undefined {
        /// The module.
        module: &'static str,
        /// The function.
        function: &'static str,
    },
    /// The call itself failed on the node.
    #[error("the call failed on the node: {reason}")]
    CallFailed {
        /// The reason, as a term.
        reason: String,
    },
    /// The node runs, and there is no way to it.
    #[error("the node runs and does not listen on the socket that its entry names")]
    NoWay,
    /// This side could not do its part.
    #[error("cannot open a connection")]
    Local {
        /// What the system says.
        source: std::io::Error,
    },
}

impl NodeError {
    /// One word for the line that a hook prints.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Down { .. } => "node_down",
            Self::CookieRefused => "cookie_refused",
            Self::NotProven => "not_proven",
            Self::NotAllowed => "not_allowed",
            Self::FlagsMissing { .. } => "flags_missing",
            Self::Hung { .. } => "hung",
            Self::NotErlang => "not_erlang",
            Self::TlsRequired => "tls_required",
            Self::WrongNode { .. } => "wrong_node",
            Self::Foreign { .. } | Self::ForeignSocket { .. } => "foreign",
            Self::NotThisHost { .. } => "not_this_host",
            Self::Lost { .. } => "lost",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::Flooded { .. } => "flooded",
            Self::Unresolved { .. } => "unresolved",
            Self::Undefined { .. } => "undefined",
            Self::CallFailed { .. } => "call_failed",
            Self::Local { .. } | Self::NoWay => "no_connection",
        }
    }

    /// Whether the node just does not run, which is no error for a hook.
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }
}
