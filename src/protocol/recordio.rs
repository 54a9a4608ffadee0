//! Records on a stream: the length in four bytes, in the host's byte order, then the message.
//!
//! Nothing says that the input ends after the record: whoever reads on until it does may wait for ever.
#![forbid(unsafe_code)]

use std::io::{Read, Write};

use byteorder::{ByteOrder, NativeEndian};

use super::RecordError;

/// The longest message that is read or written, in bytes: 64 MiB, as much as protobuf itself accepts in the agents.
pub const RECORD_LIMIT: u64 = 64 << 20;

/// Bytes of the length before the message.
const HEADER: u64 = 4;

/// Memory that is set aside on the strength of the length alone; beyond it only for bytes that came.
const FIRST_STEP: u64 = 64 << 10;

/// Reads one record and returns its message, still encoded.
///
/// Asks `input` for not one byte beyond the record, so `input` should be the descriptor itself: a buffered reader
/// would take more from it. Interrupted reads are repeated.
///
/// # Errors
/// [`RecordError::NoLength`] and [`RecordError::Truncated`] if the input ends too early, [`RecordError::TooLong`]
/// above [`RECORD_LIMIT`], [`RecordError::Read`] if reading fails.
pub fn read_record(input: &mut impl Read) -> Result<Vec<u8>, RecordError> {
    let header = read_up_to(input, HEADER)?;
    let got = header.len() as u64;
    if got < HEADER {
        return Err(RecordError::NoLength { got });
    }
    let length = u64::from(NativeEndian::read_u32(&header));
    check_length(length)?;
    let message = read_up_to(input, length)?;
    let got = message.len() as u64;
    if got < length {
        return Err(RecordError::Truncated { got, length });
    }
    Ok(message)
}

/// Writes `message` as one record, by a single write, and flushes.
///
/// A message without content is four zero bytes: so the agent learns of no containers.
///
/// # Errors
/// [`RecordError::TooLong`] above [`RECORD_LIMIT`], before anything is written; [`RecordError::Write`] if writing fails.
pub fn write_record(output: &mut impl Write, message: &impl prost::Message) -> Result<(), RecordError> {
    let length = message.encoded_len();
    check_length(length as u64)?;
    let mut record = Vec::with_capacity(HEADER as usize + length);
    record.resize(HEADER as usize, 0);
    // No truncation: the limit is far below.
    NativeEndian::write_u32(&mut record, length as u32);
    message.encode(&mut record).map_err(|error| RecordError::Write(error.into()))?;
    output.write_all(&record).and_then(|()| output.flush()).map_err(RecordError::Write)
}

fn check_length(length: u64) -> Result<(), RecordError> {
    if length > RECORD_LIMIT {
        return Err(RecordError::TooLong { length, limit: RECORD_LIMIT });
    }
    Ok(())
}

/// At most `count` bytes; fewer only at the end of the input.
fn read_up_to(input: &mut impl Read, count: u64) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(count.min(FIRST_STEP) as usize);
    // `take` does not touch the input once it has given `count` bytes; `read_to_end` grows as bytes come, and repeats
    // interrupted reads.
    input.take(count).read_to_end(&mut bytes).map_err(RecordError::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
