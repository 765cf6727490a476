//! From a rendezvous entry to a connection: where the node may listen, and who answers there.

use super::handshake::{self, Introduction, OwnName};
use super::link::Link;
use super::{Absence, Deadline, Node, NodeError, Stage, epmd, listener, lookup, tls};
use crate::identity::{Cookie, NodeName};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// The node that is meant, and what must be so before it is spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name; where that has a host part, the node must bear the whole name.
    pub name: NodeName,
    /// Its port, if the port mapper is not to be asked.
    pub port: Option<u16>,
    /// Where it is, if not on this host.
    pub host: Option<String>,
    /// What both sides must know.
    pub cookie: Cookie,
    /// The user who must own the listening socket.
    pub listener: Option<u32>,
    /// Which hosts count.
    pub reach: Reach,
}

/// Which hosts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of this host alone.
    ThisHost,
    /// Any.
    Anywhere,
}

/// How to connect.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Until the handshake is done.
    pub timeout: Duration,
    /// Where the port mapper listens.
    pub epmd_port: u16,
}

/// Connects to `target`, or says why that cannot be.
pub fn connect(target: &Target, options: &Options) -> Result<Node, NodeError> {
    let attempt = Attempt {
        target,
        options,
        deadline: Deadline::after(options.timeout),
    };
    let mut best = NodeError::Down {
        why: Absence::NoEpmd,
    };
    let mut tried = Vec::new();
    for place in attempt.places() {
        for address in attempt.addresses(place, &best)? {
            if tried.contains(&address) {
                continue;
            }
            tried.push(address);
            match attempt.address(address) {
                Ok(node) => return Ok(node),
                Err(error) if rank(&error).is_none() => return Err(error),
                Err(error) if rank(&error) > rank(&best) => best = error,
                Err(_) => {}
            }
        }
    }
    Err(best)
}

/// How much an error tells that may be another address' fault; `None` where it settles the matter.
fn rank(error: &NodeError) -> Option<u8> {
    match error {
        NodeError::Down {
            why: Absence::NoEpmd,
        } => Some(0),
        NodeError::Down {
            why: Absence::Unknown,
        } => Some(1),
        NodeError::Down {
            why: Absence::PortClosed,
        } => Some(2),
        NodeError::WrongNode { .. } => Some(3),
        NodeError::Foreign { .. } => Some(4),
        _ => None,
    }
}

fn is_unknown(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Down {
            why: Absence::Unknown
        }
    )
}

/// Whether `host` is what this host calls itself.
fn is_own(host: &str) -> bool {
    rustix::system::uname().nodename().to_str() == Ok(host)
}

enum Place<'a> {
    Address(IpAddr),
    Host(&'a str),
}

struct Attempt<'a> {
    target: &'a Target,
    options: &'a Options,
    deadline: Deadline,
}

impl<'a> Attempt<'a> {
    /// Loopback first; the host part is looked up only when that was in vain.
    fn places(&self) -> Vec<Place<'a>> {
        if let Some(host) = &self.target.host {
            return vec![Place::Host(host)];
        }
        let loopback = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        let host = self.target.name.host().map(Place::Host);
        loopback
            .into_iter()
            .map(Place::Address)
            .chain(host)
            .collect()
    }

    /// The addresses of `place` that are worth a try after `best`.
    fn addresses(&self, place: Place<'_>, best: &NodeError) -> Result<Vec<IpAddr>, NodeError> {
        match place {
            // The port mapper of this host has answered already: it is one for both loopbacks.
            Place::Address(_) if is_unknown(best) => Ok(Vec::new()),
            Place::Address(address) => Ok(vec![address]),
            Place::Host(host) if is_unknown(best) && is_own(host) => Ok(Vec::new()),
            Place::Host(host) => match self.resolve(host) {
                Err(_) if self.target.host.is_none() => Ok(Vec::new()),
                resolved => resolved,
            },
        }
    }

    /// The addresses of `host` that count, looked up within the time that is left.
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, NodeError> {
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(host)?,
        };
        let counts = |address: &IpAddr| {
            self.target.reach == Reach::Anywhere || UdpSocket::bind((*address, 0)).is_ok()
        };
        let near: Vec<IpAddr> = addresses.into_iter().filter(counts).collect();
        if near.is_empty() {
            return Err(NodeError::NotThisHost {
                host: host.to_owned(),
            });
        }
        Ok(near)
    }

    fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, NodeError> {
        let unresolved = |source| NodeError::Unresolved {
            host: host.to_owned(),
            source,
        };
        match lookup::addresses(host, self.deadline) {
            Ok(none) if none.is_empty() => Err(unresolved(None)),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(unresolved(Some(error))),
        }
    }

    /// Speaks to the node at `address`.
    fn address(&self, address: IpAddr) -> Result<Node, NodeError> {
        let port = match self.target.port {
            Some(port) => port,
            None => {
                let local = self.target.name.local();
                epmd::port(local, address, self.options.epmd_port, self.deadline)?
            }
        };
        let address = SocketAddr::new(address, port);
        let style = self.target.name.host().map_or(Style::Short, Style::of);
        let (mut stream, mut introduction) = self.introduce(address, style)?;
        if !self.target.name.matches(&introduction.peer) {
            return Err(NodeError::WrongNode {
                found: introduction.peer,
            });
        }
        let actual = introduction
            .peer
            .split_once('@')
            .map_or(style, |(_, host)| Style::of(host));
        if actual != style {
            (stream, introduction) = self.introduce(address, actual)?;
        }
        let peer = introduction.peer.clone();
        let cookie = &self.target.cookie;
        let own: OwnName = handshake::prove(introduction, &mut stream, cookie, self.deadline)
            .map_err(|error| self.why_refused(address, error))?;
        Ok(Node::of_link(Link::new(stream, own, peer)))
    }

    fn introduce(
        &self,
        address: SocketAddr,
        style: Style,
    ) -> Result<(TcpStream, Introduction), NodeError> {
        let mut stream = self.open(address)?;
        if let Some(uid) = self
            .target
            .listener
            .filter(|uid| !listener::belongs_to(address, *uid))
        {
            return Err(NodeError::Foreign { address, uid });
        }
        let introduction = handshake::introduce(&mut stream, style.own_host(), self.deadline);
        match introduction {
            Ok(introduction) => Ok((stream, introduction)),
            Err(
                error @ NodeError::Lost {
                    stage: Stage::Status,
                    ..
                },
            ) => Err(self.why_closed(address, error)),
            Err(error) => Err(error),
        }
    }

    /// What listens on `address` closed the connection on hearing a name.
    fn why_closed(&self, address: SocketAddr, error: NodeError) -> NodeError {
        let speaks_tls = self
            .open(address)
            .is_ok_and(|stream| tls::answers(stream, self.deadline));
        match (speaks_tls, self.target.port) {
            (true, _) => NodeError::TlsRequired,
            (false, Some(_)) => NodeError::NotErlang,
            (false, None) => error,
        }
    }

    /// A node that ends closes its connections, too, and does not listen any more.
    fn why_refused(&self, address: SocketAddr, error: NodeError) -> NodeError {
        match error {
            NodeError::CookieRefused if self.open(address).is_err() => NodeError::Lost {
                stage: Stage::Proof,
                source: None,
            },
            error => error,
        }
    }

    fn open(&self, address: SocketAddr) -> Result<TcpStream, NodeError> {
        self.deadline
            .connect(address)
            .map_err(|source| match source.kind() {
                ErrorKind::ConnectionRefused => NodeError::Down {
                    why: Absence::PortClosed,
                },
                ErrorKind::TimedOut | ErrorKind::WouldBlock => self.deadline.hung(Stage::Connect),
                // No such protocol or no route: the next address may do.
                ErrorKind::AddrNotAvailable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::HostUnreachable => NodeError::Down {
                    why: Absence::PortClosed,
                },
                _ => NodeError::Local { source },
            })
    }
}

/// The two kinds of node names. A node of the one kind logs errors about names of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Short,
    Long,
}

impl Style {
    fn of(host: &str) -> Self {
        if host.contains(['.', ':']) {
            Self::Long
        } else {
            Self::Short
        }
    }

    fn own_host(self) -> &'static str {
        match self {
            Self::Short => "localhost",
            Self::Long => "127.0.0.1",
        }
    }
}
