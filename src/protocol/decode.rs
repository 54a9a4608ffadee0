//! From bytes to a message, refusing what `prost` would silently make up.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::slice;

use super::RecordError;
use super::schema::{Described, Label, MESSAGES, MessageEntry};
use super::wire::{Cursor, DEPTH_LIMIT, Fault, WireType};

/// The message whose field 6 was `health_check`, a message, in agents 0.19, and is `shell`, a bool, since 0.20.
const COMMAND: &str = "mesos.CommandInfo";

/// In the low seven bits of a tag: field 15, which the command never had, delimited by a length, as field 6 was.
/// The field keeps its length, so nothing around it has to change, and is skipped as unknown.
const UNUSED: u8 = 15 << 3 | 2;

/// Decodes one message, such as [`read_record`](super::read_record) returns.
///
/// Beyond what `prost` does, every required field must be there, at every depth: `prost` would put in an empty value.
/// The health check that an agent 0.19 puts into field 6 of a command is left out. Unknown fields are ignored; unknown
/// values of an enum are kept as numbers.
///
/// # Errors
/// [`RecordError::Missing`], [`RecordError::Malformed`] or [`RecordError::Mismatch`], each with the message's full
/// name and the place.
pub fn decode<M: prost::Message + Default + Described>(bytes: &[u8]) -> Result<M, RecordError> {
    let mut check = Check::new(&MESSAGES, M::INDEX.0, bytes);
    check.whole()?;
    M::decode(&*check.without_health_checks())
        .map_err(|source| RecordError::Mismatch { message: MESSAGES[M::INDEX.0].name, source })
}

/// A way through the bytes with the table in hand.
struct Check<'a> {
    table: &'static [MessageEntry],
    root: usize,
    bytes: &'a [u8],
    /// The field that is looked into, and those around it; with an index if it is repeated.
    path: Vec<(&'static str, Option<usize>)>,
    /// Where the tags of 0.19's health checks begin.
    health_checks: Vec<usize>,
}

impl<'a> Check<'a> {
    fn new(table: &'static [MessageEntry], root: usize, bytes: &'a [u8]) -> Self {
        Self { table, root, bytes, path: Vec::new(), health_checks: Vec::new() }
    }

    fn whole(&mut self) -> Result<(), RecordError> {
        let all = 0..self.bytes.len();
        self.message(self.root, slice::from_ref(&all))
    }

    /// Checks one message and those in it. A message that is not repeated may come in several parts, which belong
    /// together: only as a whole must they have the required fields.
    fn message(&mut self, index: usize, parts: &[Range<usize>]) -> Result<(), RecordError> {
        let MessageEntry { name, fields } = self.table[index];
        let start = parts.first().map_or(0, |part| part.start);
        if self.path.len() > DEPTH_LIMIT {
            return Err(self.malformed(Fault { offset: start, reason: "messages are nested too deep" }));
        }
        // Per field of the table: whether it is there, and the messages in it.
        let mut found = vec![(false, Vec::new()); fields.len()];
        for part in parts {
            let mut cursor = Cursor::new(self.bytes, part.clone());
            while let Some(field) = cursor.next_field().map_err(|fault| self.malformed(fault))? {
                let delimited = field.wire == WireType::Length;
                if field.number == 6 && delimited && name == COMMAND {
                    self.health_checks.push(field.at);
                } else if let Some(at) = fields.iter().position(|entry| entry.number == field.number) {
                    found[at].0 = true;
                    // Anything else in the place of a message is for prost to refuse.
                    if fields[at].message.is_some() && delimited {
                        found[at].1.push(field.value);
                    }
                }
            }
        }
        for (field, (present, values)) in fields.iter().zip(&found) {
            if field.label == Label::Required && !present {
                let message = self.table[self.root].name;
                return Err(RecordError::Missing { message, path: self.path_to(Some(field.name)) });
            }
            let Some(nested) = field.message.filter(|_| !values.is_empty()) else {
                continue;
            };
            if field.label == Label::Repeated {
                for (at, value) in values.iter().enumerate() {
                    self.enter(field.name, Some(at), nested, slice::from_ref(value))?;
                }
            } else {
                self.enter(field.name, None, nested, values)?;
            }
        }
        Ok(())
    }

    fn enter(
        &mut self,
        field: &'static str,
        at: Option<usize>,
        message: usize,
        parts: &[Range<usize>],
    ) -> Result<(), RecordError> {
        self.path.push((field, at));
        self.message(message, parts)?;
        self.path.pop();
        Ok(())
    }

    fn malformed(&self, Fault { offset, reason }: Fault) -> RecordError {
        RecordError::Malformed { message: self.table[self.root].name, offset, path: self.path_to(None), reason }
    }

    fn path_to(&self, field: Option<&'static str>) -> String {
        let mut text = String::new();
        for (name, at) in self.path.iter().copied().chain(field.map(|name| (name, None))) {
            let dot = if text.is_empty() { "" } else { "." };
            // Writing into a String cannot fail.
            let _ = match at {
                Some(at) => write!(text, "{dot}{name}[{at}]"),
                None => write!(text, "{dot}{name}"),
            };
        }
        text
    }

    fn without_health_checks(self) -> Cow<'a, [u8]> {
        let mut bytes = Cow::Borrowed(self.bytes);
        for at in self.health_checks {
            let tag = &mut bytes.to_mut()[at];
            // The top bit says whether the tag goes on, which it may, with zeros.
            *tag = *tag & 0x80 | UNUSED;
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
