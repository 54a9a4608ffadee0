//! The two forms of what goes between us and a program: a record, or a line of JSON.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use serde_core::de::IgnoredAny;
use serde_json::Deserializer;

use crate::error::{Error, Result};
use crate::protocol::json::{from_wire, to_wire};
use crate::protocol::read_record;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Protobuf behind its length in four bytes.
    Record,
    /// One object, and the end of the line.
    Json,
}

/// How much of an answer that nobody understands is shown.
const SHOWN: usize = 60;

impl Form {
    /// The message of that full name, encoded in `body`, as the program gets it.
    ///
    /// # Errors
    /// Bytes that are not the message's; none that come from here.
    pub(super) fn write(self, message: &'static str, body: Vec<u8>) -> Result<Vec<u8>> {
        match self {
            Form::Record => Ok([&(body.len() as u32).to_ne_bytes()[..], &body].concat()),
            Form::Json => {
                let mut line = from_wire(message, &body)?;
                line.push(b'\n');
                Ok(line)
            }
        }
    }

    /// Whether the first message in `bytes` is there as a whole, or what is there can never become one.
    pub(super) fn is_whole(self, bytes: &[u8]) -> bool {
        match self {
            Form::Json => match Deserializer::from_slice(bytes).into_iter::<IgnoredAny>().next() {
                Some(Err(e)) => !e.is_eof(),
                found => found.is_some(),
            },
            Form::Record => bytes
                .split_first_chunk()
                .is_some_and(|(length, rest)| rest.len() as u64 >= u64::from(u32::from_ne_bytes(*length))),
        }
    }
}

/// Finds out which form an answer has, and takes the message of that full name out of it. No answer is an empty message.
///
/// # Errors
/// It is neither.
pub(super) fn read<'a>(message: &'static str, answer: &'a [u8]) -> Result<(Form, Cow<'a, [u8]>)> {
    if answer.is_empty() {
        return Ok((Form::Record, Cow::Borrowed(&[])));
    }
    // A record's length is far below 16 MiB, so one of its bytes is zero, which no text has.
    if answer.iter().take(4).any(|byte| *byte == 0) {
        let bytes = read_record(&mut &answer[..])
            .map_err(|e| Error::Refused(format!("it is neither a record nor JSON: {e}")))?;
        return Ok((Form::Record, Cow::Owned(bytes)));
    }
    let bytes = to_wire(message, answer).map_err(|e| {
        let begin = &answer[..answer.len().min(SHOWN)];
        Error::Refused(format!("it is neither a record nor JSON: \"{}\": {}", begin.escape_ascii(), Error::from(e)))
    })?;
    Ok((Form::Json, Cow::Owned(bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const CALL: &str = "mesos_ecp.isolator.Call";

    #[test]
    fn a_message_is_the_same_in_both_forms() {
        use crate::protocol::isolator::Call;
        use prost::Message;
        let call = Call { container_id: Some("c".into()), facts: Some("\u{e4}\n".into()), ..Call::default() };
        for form in [Form::Record, Form::Json] {
            let written = form.write(CALL, call.encode_to_vec()).unwrap();
            let (found, bytes) = read(CALL, &written).unwrap();
            assert_eq!((found, Call::decode(&*bytes).unwrap()), (form, call.clone()));
            assert!(form.is_whole(&written));
            // The end of the line is not waited for.
            assert!((0..written.len() - 1).all(|n| !form.is_whole(&written[..n])), "{form:?}");
        }
        let lines = b"\n{\n  \"error\": \"x\"\n}\n";
        assert!((0..lines.len() - 1).all(|n| !Form::Json.is_whole(&lines[..n])));
        assert!(Form::Json.is_whole(lines));
        for never in [&b"y\ny\n"[..], b"{]", b"12 "] {
            assert!(Form::Json.is_whole(never), "it is read, and the error said");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_program_writes_does_harm(answer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(CALL, &answer);
            let _ = (Form::Json.is_whole(&answer), Form::Record.is_whole(&answer));
        }

        #[test]
        fn a_record_is_never_taken_for_json(body in proptest::collection::vec(any::<u8>(), 0..10_000)) {
            let mut record = (body.len() as u32).to_ne_bytes().to_vec();
            record.extend_from_slice(&body);
            let (form, bytes) = read(CALL, &record).unwrap();
            prop_assert_eq!((form, &*bytes), (Form::Record, &body[..]));
        }
    }
}
