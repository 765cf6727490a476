//! Whose process listens on a port of this host, from `/proc/net/tcp` and `/proc/net/tcp6`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const LISTEN: &str = "0A";

/// Whether all that listens on `address` belongs to the user `uid`, and something does.
pub fn belongs_to(address: SocketAddr, uid: u32) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut users = tables
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| users(&table, address))
        .peekable();
    users.peek().is_some() && users.all(|user| user == uid)
}

/// The users of the sockets in `table` that take connections to `address`.
fn users(table: &str, address: SocketAddr) -> Vec<u32> {
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let local = socket(fields.nth(1)?)?;
            let state = fields.nth(1)?;
            let user = fields.nth(3)?.parse().ok()?;
            let takes = local.port() == address.port()
                && (local.ip().is_unspecified() || plain(local.ip()) == plain(address.ip()));
            (state == LISTEN && takes).then_some(user)
        })
        .collect()
}

/// An IPv4 address however it is written.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// `0100007F:1151`, each 32-bit word of the address in the host's byte order.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = address
        .as_bytes()
        .chunks(8)
        .map(|word| {
            std::str::from_utf8(word)
                .ok()
                .and_then(|word| u32::from_str_radix(word, 16).ok())
        })
        .map(|word| word.map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    let address = match words.as_slice() {
        [word] => IpAddr::V4(Ipv4Addr::from(*word)),
        [_, _, _, _] => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n   \
            0: 0100007F:1151 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 1\n   \
            1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     7        0 2\n   \
            2: 0100007F:0016 0100007F:9999 01 00000000:00000000 00:00000000 00000000     8        0 3\n";
        let case = |address: &str, expected: &[u32]| {
            assert_eq!(
                users(table, address.parse().expect("an address")),
                expected,
                "{address}"
            );
        };
        case("127.0.0.1:4433", &[104]);
        case("127.0.0.2:4433", &[]);
        case("127.0.0.2:22", &[7]);
        case("127.0.0.1:23", &[]);
    }

    #[test]
    fn our_own_socket_is_ours() {
        for host in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(host) else {
                continue;
            };
            let address = listener.local_addr().expect("a bound socket");
            let uid = rustix::process::geteuid().as_raw();
            assert!(belongs_to(address, uid), "{host}");
            assert!(!belongs_to(address, uid + 1), "{host}");
        }
    }
}
