//! What the supervisor tells launch while both live: a stream socket that also says, by hanging up, that the other is gone.
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use crate::error::{Error, Result};

/// From the supervisor to launch.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// The command runs: launch may commit.
    Started,
    /// Everything is undone; why.
    Failed(String),
    /// Everything is undone, as the command could not be executed.
    NotExecuted {
        /// Why.
        text: String,
        /// Whether there is such a program.
        found: bool,
    },
    /// Nothing of the container was made; why.
    Refused(String),
}

/// A message names a few paths at most.
const LONGEST: usize = 64 << 10;

/// Sends a message. That launch is gone is noticed elsewhere, so failures are of no interest.
pub fn send(socket: &UnixStream, message: &Message) {
    let (kind, text) = match message {
        Message::Started => (b'S', ""),
        Message::Failed(text) => (b'F', text.as_str()),
        Message::NotExecuted { text, found: true } => (b'X', text.as_str()),
        Message::NotExecuted { text, found: false } => (b'N', text.as_str()),
        Message::Refused(text) => (b'R', text.as_str()),
    };
    let text = &text.as_bytes()[..text.len().min(LONGEST)];
    let mut frame = vec![kind];
    frame.extend_from_slice(&(text.len() as u32).to_ne_bytes());
    frame.extend_from_slice(text);
    let mut socket = socket;
    let _ = socket.write_all(&frame);
}

/// Receives a message; None when the supervisor is gone.
///
/// # Errors
/// Those of the socket.
pub fn receive(socket: &UnixStream) -> Result<Option<Message>> {
    let read = || -> io::Result<Message> {
        let mut socket = socket;
        let mut head = [0; 5];
        socket.read_exact(&mut head)?;
        let length = u32::from_ne_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut text = vec![0; length.min(LONGEST)];
        socket.read_exact(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(match head[0] {
            b'S' => Message::Started,
            b'R' => Message::Refused(text),
            b'X' | b'N' => Message::NotExecuted { text, found: head[0] == b'X' },
            _ => Message::Failed(text),
        })
    };
    match read() {
        Ok(message) => Ok(Some(message)),
        Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => Ok(None),
        Err(e) => Err(Error::system("hear from the supervisor")(e)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_the_end_is_seen() {
        let (a, b) = UnixStream::pair().unwrap();
        let not_executed = |found| Message::NotExecuted { text: "x".into(), found };
        let failed = Message::Failed("w\n1".into());
        let all = [failed, Message::Refused(String::new()), not_executed(true), not_executed(false), Message::Started];
        all.iter().for_each(|m| send(&a, m));
        drop(a);
        for message in all {
            assert_eq!(receive(&b).unwrap(), Some(message));
        }
        assert_eq!(receive(&b).unwrap(), None);
    }
}
