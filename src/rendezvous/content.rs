//! The text of an entry: a cookie on the first line, or lines `key=value`.

use super::RendezvousError;
use super::process::Process;
use crate::identity::{Cookie, is_host};
use std::path::PathBuf;

/// The content of an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The cookie, if there is one.
    pub secret: Option<Secret>,
    /// `port=`
    pub port: Option<u16>,
    /// `host=`
    pub host: Option<String>,
    /// `managed=1`
    pub managed: bool,
    /// `socket=`
    pub socket: Option<PathBuf>,
    /// `os_pid=`, `start_time=` and `pid_namespace=`
    pub process: Process,
}

/// A cookie, or the file that holds it.
#[derive(Debug, PartialEq, Eq)]
pub enum Secret {
    /// The cookie itself.
    Cookie(Cookie),
    /// The absolute path of a file whose first line is the cookie.
    File(PathBuf),
}

impl Content {
    /// Parses the file that an error calls `path`.
    pub fn of(bytes: &[u8], path: &dyn Fn() -> PathBuf) -> Result<Self, RendezvousError> {
        Self::parse(bytes).map_err(|reason| RendezvousError::Malformed {
            file: path(),
            reason,
        })
    }

    /// Parses an entry. An error never quotes its text, which may be a cookie.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut content = Self::default();
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            let read = match key_value(line) {
                _ if line.is_empty() || line.starts_with(b"#") && number > 1 => Ok(()),
                Some((key, value)) if number > 1 || KEYS.contains(&key) => content.set(key, value),
                // The first line may be a cookie, which can contain anything.
                _ if number == 1 => content.set_cookie(line),
                _ => Err("is no key=value"),
            };
            read.map_err(|what| format!("line {number}: {what}"))?;
        }
        if content.secret.is_none() && content.socket.is_none() {
            return Err(
                "has neither a cookie on its first line nor cookie_file= or socket=".to_owned(),
            );
        }
        Ok(content)
    }

    fn set_cookie(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let cookie = Cookie::parse(line).ok_or("the cookie is too long")?;
        self.secret = Some(Secret::Cookie(cookie));
        Ok(())
    }

    /// Ignores unknown keys, which later versions may write.
    fn set(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "cookie_file" => {
                let path = absolute(value).ok_or("cookie_file must be an absolute path")?;
                self.secret = Some(Secret::File(path));
            }
            "socket" => {
                let path = absolute(value).ok_or("socket must be an absolute path")?;
                self.socket = Some(path);
            }
            "os_pid" => self.process.pid = Some(number(value)?),
            "start_time" => self.process.start_time = Some(number(value)?),
            "pid_namespace" => self.process.namespace = Some(number(value)?),
            "port" => {
                let port = value.parse().ok().filter(|port| *port > 0);
                self.port = Some(port.ok_or("port must be a number from 1 to 65535")?);
            }
            "host" if is_host(value) => self.host = Some(value.to_owned()),
            "host" => return Err("host must be a host name or an address"),
            "managed" => self.managed = value == "1",
            _ => {}
        }
        Ok(())
    }
}

/// Whether the first line is not a cookie although it could be one.
const KEYS: [&str; 5] = ["cookie_file", "port", "host", "managed", "socket"];

fn absolute(value: &str) -> Option<PathBuf> {
    Some(PathBuf::from(value)).filter(|path| path.is_absolute())
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, &'static str> {
    value
        .parse()
        .map_err(|_| "os_pid, start_time and pid_namespace must be numbers")
}

fn key_value(line: &[u8]) -> Option<(&str, &str)> {
    let (key, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    key.bytes()
        .all(|b| b.is_ascii_lowercase() || b == b'_')
        .then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(text: &str) -> Option<Secret> {
        Cookie::parse(text.as_bytes()).map(Secret::Cookie)
    }

    #[track_caller]
    fn case(text: &str, expected: Content) {
        assert_eq!(Content::parse(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_cookie_on_the_first_line_is_enough() {
        case(
            "secret\n",
            Content {
                secret: cookie("secret"),
                ..Content::default()
            },
        );
        case(
            "se=cret",
            Content {
                secret: cookie("se=cret"),
                ..Content::default()
            },
        );
        case(
            "secret\nport=4711\n",
            Content {
                secret: cookie("secret"),
                port: Some(4711),
                ..Content::default()
            },
        );
    }

    #[test]
    fn a_node_writes_keys() {
        case(
            "cookie_file=/var/lib/x/.erlang.cookie\n# note\nport = 1\nhost=::1\nmanaged=1\nnew_key=7\n",
            Content {
                secret: Some(Secret::File("/var/lib/x/.erlang.cookie".into())),
                port: Some(1),
                host: Some("::1".to_owned()),
                managed: true,
                ..Content::default()
            },
        );
        case(
            "managed=1\nsocket=/run/erlrc/sockets/7-8\nos_pid=7\npid_namespace=9\nstart_time=8\n",
            Content {
                managed: true,
                socket: Some("/run/erlrc/sockets/7-8".into()),
                process: Process {
                    pid: Some(7),
                    start_time: Some(8),
                    namespace: Some(9),
                },
                ..Content::default()
            },
        );
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_never_quoted() {
        let case = |text: &str, reason: &str| {
            assert_eq!(Content::parse(text.as_bytes()), Err(reason.to_owned()));
        };
        case(
            "",
            "has neither a cookie on its first line nor cookie_file= or socket=",
        );
        case(
            "port=80\n",
            "has neither a cookie on its first line nor cookie_file= or socket=",
        );
        case("secret\nsecret2\n", "line 2: is no key=value");
        case("socket=x\n", "line 1: socket must be an absolute path");
        case(
            "secret\nos_pid=x\n",
            "line 2: os_pid, start_time and pid_namespace must be numbers",
        );
        case("port=0\n", "line 1: port must be a number from 1 to 65535");
        case(
            "cookie_file=x\n",
            "line 1: cookie_file must be an absolute path",
        );
        case(
            "secret\nhost=a b\n",
            "line 2: host must be a host name or an address",
        );
    }
}
