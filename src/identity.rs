//! Names and cookies of nodes. Rendezvous entries hold them, and the distribution client proves
//! that it knows the cookie.
//!
//! Must not do I/O.

use std::fmt;

/// The name of a node as in a rendezvous entry: the host part may be missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    local: String,
    host: Option<String>,
}

impl NodeName {
    /// The longest name that is accepted, which is also the longest file name.
    const MAX_BYTES: usize = 255;

    /// Parses a name of the form `^[0-9A-Za-z_-]+(@[0-9A-Za-z_.:-]+)?$`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, host) = match text.split_once('@') {
            Some((local, host)) => (local, Some(host)),
            None => (text, None),
        };
        let local_is_sound = !local.is_empty()
            && local
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let host_is_sound = host.is_none_or(is_host);
        (text.len() <= Self::MAX_BYTES && local_is_sound && host_is_sound).then(|| Self {
            local: local.to_owned(),
            host: host.map(str::to_owned),
        })
    }

    /// The part before the `@`, under which epmd knows the node.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`, if there is one.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether a node that calls itself `full` is this one.
    pub fn matches(&self, full: &str) -> bool {
        match (full.split_once('@'), &self.host) {
            (Some((local, host)), Some(wanted)) => local == self.local && host == wanted,
            (Some((local, _)), None) => local == self.local,
            (None, _) => false,
        }
    }
}

/// Whether `text` can be a host name or an address.
pub fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{}@{host}", self.local),
            None => f.write_str(&self.local),
        }
    }
}

/// A cookie. It has no text form, so that it cannot get into a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(Vec<u8>);

impl Cookie {
    /// The longest cookie: an atom of 255 characters.
    pub const MAX_BYTES: usize = 1020;

    /// Parses the first line of a file; `None` if it is empty or too long.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let line = text
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .next()
            .unwrap_or_default();
        let line = line.trim_ascii();
        (!line.is_empty() && line.len() <= Self::MAX_BYTES).then(|| Self(line.to_vec()))
    }

    /// The digest of cookie and challenge, which proves knowledge of the cookie.
    pub fn digest(&self, challenge: u32) -> [u8; 16] {
        let mut text = self.0.clone();
        text.extend_from_slice(challenge.to_string().as_bytes());
        md5::compute(&text).0
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        for name in [
            "n1",
            "n1@host",
            "n-1_x@host.example.org",
            "n1@10.0.0.1",
            "n1@::1",
            "cb8e",
        ] {
            assert_eq!(
                NodeName::parse(name).map(|n| n.to_string()).as_deref(),
                Some(name)
            );
        }
        for name in [
            "",
            "@",
            "n1@",
            "@host",
            "n 1",
            "n1@a@b",
            "n1.dpkg-new",
            "n1~",
            "é",
            "n'1",
        ] {
            assert_eq!(NodeName::parse(name), None, "{name}");
        }
        assert_eq!(NodeName::parse(&"n".repeat(256)), None);
    }

    #[test]
    fn a_bare_name_matches_any_host_and_a_full_one_its_own() {
        let bare = NodeName::parse("n1").expect("a name");
        assert!(bare.matches("n1@here") && !bare.matches("n2@here") && !bare.matches("n1"));
        let full = NodeName::parse("n1@here").expect("a name");
        assert!(full.matches("n1@here") && !full.matches("n1@there"));
    }

    #[test]
    fn a_cookie_is_one_line_and_never_shown() {
        let cookie = Cookie::parse(b"secret\nmore").expect("a cookie");
        assert_eq!(cookie, Cookie(b"secret".to_vec()));
        assert_eq!(format!("{cookie:?}"), "Cookie(…)");
        assert_eq!(Cookie::parse(b"\n"), None);
        assert_eq!(Cookie::parse(&[b'a'; 1021]), None);
    }

    #[test]
    fn the_digest_is_that_of_the_distribution_protocol() {
        // erlang:md5("abc" ++ "12345")
        let cookie = Cookie::parse(b"abc").expect("a cookie");
        let digest = cookie
            .digest(12345)
            .map(|byte| format!("{byte:02x}"))
            .concat();
        assert_eq!(digest, "d6b0ab7f1c8ab8f514db9a6d85de160a");
    }
}
