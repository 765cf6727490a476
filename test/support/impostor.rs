//! Something that knows the cookie, and is no node.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// What it knows.
pub const COOKIE: &str = "oatmealXraisin42";

/// A listener that goes through the handshake as a node of this cookie would, then `speak`s.
pub struct Impostor {
    /// Where it listens, on this host.
    pub port: u16,
}

impl Impostor {
    pub fn new(speak: impl Fn(&mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("a bound socket").port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                if handshake(&mut stream).is_some() {
                    speak(&mut stream);
                }
            }
        });
        Self { port }
    }
}

fn handshake(stream: &mut TcpStream) -> Option<()> {
    let name = b"n1@localhost";
    message(stream)?;
    send(stream, b"snamed:\x00\x05a@b.c\x00\x00\x00\x01")?;
    let mut challenge = vec![b'N'];
    challenge.extend_from_slice(&u64::MAX.to_be_bytes());
    challenge.extend_from_slice(&[0, 0, 0, 7, 0, 0, 0, 1, 0, 12]);
    challenge.extend_from_slice(name);
    send(stream, &challenge)?;
    let reply = message(stream)?;
    let theirs = u32::from_be_bytes(reply.get(1..5)?.try_into().ok()?);
    let digest = md5::compute(format!("{COOKIE}{theirs}")).0;
    send(stream, &[b"a".as_slice(), &digest].concat())
}

/// The next message of the handshake.
pub fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// Sends a message of the handshake.
pub fn send(stream: &mut TcpStream, message: &[u8]) -> Option<()> {
    let length = u16::try_from(message.len()).ok()?.to_be_bytes();
    stream.write_all(&[&length, message].concat()).ok()
}

/// A frame to the process under which the command makes its call of this number.
pub fn frame_to(call: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![112];
    // {2, '', <a@b.c.Call.0>}
    frame.extend_from_slice(b"\x83h\x03a\x02w\x00Xw\x05a@b.c\x00\x00\x00");
    frame.extend_from_slice(&[call, 0, 0, 0, 0, 0, 0, 0, 1]);
    frame.extend_from_slice(message);
    let length = u32::try_from(frame.len())
        .expect("a short frame")
        .to_be_bytes();
    [length.as_slice(), &frame].concat()
}

/// The answer to the first call: `{rex, answer}`.
pub fn frame(answer: &[u8]) -> Vec<u8> {
    frame_to(1, &[b"\x83h\x02w\x03rex", answer].concat())
}

/// Output of what was called.
pub fn output(call: u8, text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short text");
    let head = b"\x83h\x02w\x0arex_stdoutm".as_slice();
    frame_to(call, &[head, &length.to_be_bytes(), text].concat())
}
