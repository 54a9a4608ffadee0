//! Streams that end early, dribble, fail, or must not be asked for more.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::error::Error as _;
use std::io;

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::protocol::mesos::{ContainerId, containerizer::Containers};

/// Gives its bytes in pieces of at most `piece`, an interruption before each, and panics when asked for more than
/// is left.
struct Strict<'a> {
    left: &'a [u8],
    piece: usize,
    interrupt: bool,
}

impl Read for Strict<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(!buffer.is_empty() && buffer.len() <= self.left.len(), "asked for bytes beyond the record");
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buffer.len().min(self.piece);
        let (now, later) = self.left.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.left = later;
        Ok(count)
    }
}

fn strict(left: &[u8], piece: usize) -> Strict<'_> {
    Strict { left, piece, interrupt: false }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_ne_bytes(), message].concat()
}

#[test]
fn reading_stops_at_the_end_of_the_record() {
    for length in [0, 1, 31, 32, 33, 8191, 8192, 65535, 65536, 65537, 300_000] {
        let message: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let record = framed(&message);
        for piece in [1, 7, 4096, usize::MAX] {
            let mut input = strict(&record, piece);
            assert_eq!(read_record(&mut input).unwrap(), message);
            assert!(input.left.is_empty());
        }
    }
}

#[test]
fn what_follows_the_record_stays_in_the_input() {
    let bytes = [framed(b"one"), framed(b"two")].concat();
    let mut input = &bytes[..];
    assert_eq!(read_record(&mut input).unwrap(), b"one");
    assert_eq!(read_record(&mut input).unwrap(), b"two");
    let error = read_record(&mut input).unwrap_err();
    assert_eq!(error.to_string(), "the input ended after 0 of the 4 bytes of the record's length");
}

#[test]
fn an_early_end_is_reported_with_what_came() {
    let record = framed(b"message");
    for end in 0..record.len() {
        let error = read_record(&mut &record[..end]).unwrap_err().to_string();
        let wanted = match end {
            0..4 => {
                format!("the input ended after {end} of the 4 bytes of the record's length")
            }
            _ => format!("the input ended after {} of the record's 7 bytes", end - 4),
        };
        assert_eq!(error, wanted);
    }
}

#[test]
fn too_long_a_record_is_refused_by_its_length_alone() {
    for length in [RECORD_LIMIT as u32 + 1, u32::MAX] {
        let error = read_record(&mut strict(&length.to_ne_bytes(), 4)).unwrap_err().to_string();
        assert_eq!(error, format!("a record of {length} bytes is above the limit of 67108864 bytes"));
    }
    let error = read_record(&mut &(RECORD_LIMIT as u32).to_ne_bytes()[..]).unwrap_err();
    assert!(matches!(error, RecordError::Truncated { got: 0, length: RECORD_LIMIT }));
}

#[test]
fn a_claim_alone_costs_little_memory() {
    let bytes = read_up_to(&mut &b"few"[..], RECORD_LIMIT).unwrap();
    assert!(bytes.capacity() as u64 <= FIRST_STEP);
}

#[test]
fn failures_carry_their_cause() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("on fire"))
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("on fire"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let read = read_record(&mut Broken).unwrap_err();
    let write = write_record(&mut Broken, &Containers::default()).unwrap_err();
    assert_eq!(read.to_string(), "cannot read the record");
    assert_eq!(write.to_string(), "cannot write the record");
    assert_eq!(read.source().unwrap().to_string(), "on fire");
    assert_eq!(write.source().unwrap().to_string(), "on fire");
}

#[test]
fn a_record_goes_out_in_one_write() {
    #[derive(Default)]
    struct Counting(Vec<Vec<u8>>, usize);
    impl Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.1 += 1;
            Ok(())
        }
    }
    let mut output = Counting::default();
    write_record(&mut output, &Containers::default()).unwrap();
    let one = Containers { containers: vec![ContainerId { value: "ab".into() }] };
    write_record(&mut output, &one).unwrap();
    assert_eq!(output.0, [vec![0, 0, 0, 0], b"\x06\0\0\0\x0a\x04\x0a\x02ab".to_vec()]);
    assert_eq!(output.1, 2);
}

proptest! {
    #[test]
    fn what_is_written_can_be_read(values in prop::collection::vec(".*", 0..20)) {
        let containers =
            Containers { containers: values.into_iter().map(|value| ContainerId { value }).collect() };
        let mut record = Vec::new();
        write_record(&mut record, &containers).unwrap();
        let message = read_record(&mut strict(&record, 5)).unwrap();
        prop_assert_eq!(Containers::decode(&message[..]).unwrap(), containers);
    }
}
