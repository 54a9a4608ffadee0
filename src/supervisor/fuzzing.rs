//! What launch hears from a supervisor.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::channel::{receive, send};

/// Less than a socket holds without a reader.
const MOST: usize = 32 << 10;

/// Any stream of bytes ends as a row of messages, and each is heard again when it is sent.
pub(crate) fn channel(stream: &[u8]) {
    let (mut supervisor, launch) = UnixStream::pair().unwrap();
    supervisor.write_all(&stream[..stream.len().min(MOST)]).unwrap();
    drop(supervisor);
    while let Ok(Some(message)) = receive(&launch) {
        let (again, heard) = UnixStream::pair().unwrap();
        send(&again, &message);
        // A text that was no UTF-8 may have become longer than what is sent.
        if format!("{message:?}").len() < MOST {
            assert_eq!(receive(&heard).unwrap(), Some(message));
        }
    }
}
