//! Records from a reader that gives what it likes, as a pipe does, and is interrupted: the pieces make no difference, nothing beyond a record
//! is taken, and what was read can be written. And the frames between a supervisor and launch.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used)]

use std::io::{self, ErrorKind, Read};

use prost::Message;

use crate::protocol::{RECORD_LIMIT, RecordError, read_record, write_record};

/// Its first bytes say how it gives the rest.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    interrupted: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = usize::from(*self.sizes.next().unwrap_or(&1));
        // Not for ever: whoever repeats what was interrupted would not come to an end.
        if size == 0 && !std::mem::replace(&mut self.interrupted, true) {
            return Err(ErrorKind::Interrupted.into());
        }
        self.interrupted = false;
        let count = size.max(1).min(buffer.len()).min(self.rest.len());
        let (now, later) = self.rest.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.rest = later;
        Ok(count)
    }
}

/// A message whose encoding is just these bytes.
#[derive(Clone, PartialEq, Message)]
struct Nothing {}

pub(super) fn body(data: &[u8]) {
    let (head, stream) = data.split_at(data.len().min(8));
    let sizes = if head.is_empty() { &[1][..] } else { head };
    let mut pieces = Pieces { rest: stream, sizes: sizes.iter().cycle(), interrupted: false };
    let mut whole = stream;
    loop {
        let before = whole.len();
        let (read, expected) = (read_record(&mut pieces), read_record(&mut whole));
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
        assert_eq!(pieces.rest, whole, "more or less was taken");
        match expected {
            Ok(message) => {
                assert_eq!(before - whole.len(), message.len() + 4);
                record_again(&message);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                if let RecordError::TooLong { length, .. } = error {
                    assert!(length > RECORD_LIMIT && before - whole.len() == 4);
                }
                break;
            }
        }
    }
    crate::supervisor::fuzzing::channel(stream);
}

/// Of a message that is understood, be it by nothing of what it has.
fn record_again(message: &[u8]) {
    if let Ok(nothing) = Nothing::decode(message) {
        let mut record = Vec::new();
        write_record(&mut record, &nothing).expect("an empty message");
        assert_eq!(record, [0; 4]);
    }
}
