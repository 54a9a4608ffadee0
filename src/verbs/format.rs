//! The edge where JSON becomes the record that a verb reads, and the record that it writes JSON. No verb knows of it.
#![forbid(unsafe_code)]

use std::io::{self, Cursor, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use byteorder::{ByteOrder, NativeEndian};

use crate::cli::Verb;
use crate::config::Format;
use crate::error::Result;
use crate::protocol::{json, read_record};

/// What a verb reads its record from.
pub(super) enum Input<'a, R> {
    Record(&'a mut R),
    /// Made from JSON.
    Made(Cursor<Vec<u8>>),
}

impl<'a, R: Read> Input<'a, R> {
    /// In JSON the whole message of the verb is read here, where it has one.
    ///
    /// # Errors
    /// JSON that is not the verb's message.
    pub(super) fn new(format: Format, verb: Verb, input: &'a mut R) -> Result<Input<'a, R>> {
        match (format, verb.about().reads) {
            (Format::Json, Some(name)) => {
                let message = json::to_wire(name, input)?;
                let mut record = vec![0; 4];
                // No truncation: to_wire knows the limit of records.
                NativeEndian::write_u32(&mut record, message.len() as u32);
                record.extend(message);
                Ok(Input::Made(Cursor::new(record)))
            }
            _ => Ok(Input::Record(input)),
        }
    }
}

impl<R: Read> Read for Input<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Record(input) => input.read(buffer),
            Input::Made(record) => record.read(buffer),
        }
    }
}

/// What a verb writes its record to, and whose reader it watches.
pub(super) enum Output<'a, W> {
    Record(&'a mut W),
    /// Kept until it is whole, then written as JSON.
    Made {
        to: &'a mut W,
        /// Full name of the message.
        name: &'static str,
        record: Vec<u8>,
    },
}

impl<'a, W> Output<'a, W> {
    pub(super) fn new(format: Format, verb: Verb, to: &'a mut W) -> Output<'a, W> {
        match (format, verb.about().writes) {
            (Format::Json, Some(name)) => Output::Made { to, name, record: Vec::new() },
            _ => Output::Record(to),
        }
    }
}

impl<W: Write> Write for Output<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Record(to) => to.write(bytes),
            Output::Made { record, .. } => {
                record.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Records end with a flush.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Record(to) => to.flush(),
            Output::Made { to, name, record } => {
                let record = std::mem::take(record);
                let message = read_record(&mut &record[..]).map_err(io::Error::other)?;
                let mut text = json::from_wire(name, &message).map_err(io::Error::other)?;
                text.push(b'\n');
                to.write_all(&text).and_then(|()| to.flush())
            }
        }
    }
}

impl<W: AsFd> AsFd for Output<'_, W> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Output::Record(to) | Output::Made { to, .. } => to.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::mesos::containerizer::Termination;
    use crate::protocol::write_record;

    #[test]
    fn every_message_of_a_verb_has_its_json() {
        let all = Verb::ALL.iter().map(|verb| verb.about());
        for name in all.flat_map(|about| about.reads.into_iter().chain(about.writes)) {
            assert!(json::is_known(name), "{name}");
        }
    }

    #[test]
    fn a_record_passes_unchanged_or_as_json() {
        let termination = Termination { killed: false, status: Some(9), ..Termination::default() };
        let mut record = Vec::new();
        write_record(&mut record, &termination).unwrap();
        let mut out = Vec::new();
        write_record(&mut Output::new(Format::Record, Verb::Wait, &mut out), &termination).unwrap();
        assert_eq!(out, record);
        out.clear();
        write_record(&mut Output::new(Format::Json, Verb::Wait, &mut out), &termination).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "{\"killed\":false,\"status\":9}\n");
    }

    #[test]
    fn json_is_read_as_a_record() {
        let mut text = &b"{\"container_id\":{\"value\":\"c1\"}} and more"[..];
        let mut input = Input::new(Format::Json, Verb::Usage, &mut text).unwrap();
        let mut record = Vec::new();
        input.read_to_end(&mut record).unwrap();
        assert_eq!(record[4..], *b"\n\x04\n\x02c1");
        assert_eq!(NativeEndian::read_u32(&record) as usize, record.len() - 4);
        // Verbs without a message read nothing.
        let mut nothing = &b"x"[..];
        assert!(matches!(Input::new(Format::Json, Verb::Recover, &mut nothing), Ok(Input::Record(_))));
    }
}
