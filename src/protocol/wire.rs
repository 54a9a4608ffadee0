//! Protobuf's encoding, as far as it can be read without knowing the message.
//!
//! As strict as `prost` about what it looks at, so that whatever passes here fails there only over a field's type.
#![forbid(unsafe_code)]

use std::ops::Range;

/// How deep groups, and messages in messages, may be nested; `prost` draws the same line.
pub(super) const DEPTH_LIMIT: usize = 100;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Counted from the start of the outermost message.
    pub(super) offset: usize,
    pub(super) reason: &'static str,
}

/// How a field's value is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    SixtyFour,
    Length,
    GroupStart,
    GroupEnd,
    ThirtyTwo,
}

/// One field, as it stands in the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where its tag begins.
    pub(super) at: usize,
    pub(super) number: u32,
    pub(super) wire: WireType,
    /// The value; for [`WireType::Length`] without the length.
    pub(super) value: Range<usize>,
}

/// Goes through the fields of one message within the bytes of the outermost one.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// Up to the end of the message.
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The message that is `part` of `bytes`.
    pub(super) fn new(bytes: &'a [u8], part: Range<usize>) -> Self {
        let end = part.end.min(bytes.len());
        Self { bytes: &bytes[..end], position: part.start.min(end) }
    }

    /// Whether all was read.
    pub(super) fn at_end(&self) -> bool {
        self.position == self.bytes.len()
    }

    /// The next field, `None` after the last one.
    pub(super) fn next_field(&mut self) -> Result<Option<Found>, Fault> {
        if self.at_end() {
            return Ok(None);
        }
        let at = self.position;
        let (number, wire) = self.tag()?;
        let value = match wire {
            WireType::GroupStart => self.group(at, number)?,
            WireType::GroupEnd => {
                return Err(Fault { offset: at, reason: "a group ends that did not begin" });
            }
            other => self.value(other)?,
        };
        Ok(Some(Found { at, number, wire, value }))
    }

    fn tag(&mut self) -> Result<(u32, WireType), Fault> {
        let offset = self.position;
        let fault = |reason| Fault { offset, reason };
        let tag = u32::try_from(self.varint()?).map_err(|_| fault("a field number is too large"))?;
        let wire = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::SixtyFour,
            2 => WireType::Length,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::ThirtyTwo,
            _ => return Err(fault("there is no such wire type")),
        };
        match tag >> 3 {
            0 => Err(fault("a field has number 0")),
            number => Ok((number, wire)),
        }
    }

    /// Only where one stands: within a packed field, or the value of a field of [`WireType::Varint`].
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let offset = self.position;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.position) else {
                return Err(Fault { offset, reason: "a number is cut short" });
            };
            self.position += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                if shift == 63 && byte > 1 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(Fault { offset, reason: "a number is longer than 64 bits" })
    }

    /// Steps over a value that is no group.
    fn value(&mut self, wire: WireType) -> Result<Range<usize>, Fault> {
        let offset = self.position;
        let length = match wire {
            WireType::SixtyFour => 8,
            WireType::ThirtyTwo => 4,
            WireType::Length => self.varint()?,
            WireType::Varint | WireType::GroupStart | WireType::GroupEnd => {
                self.varint()?;
                return Ok(offset..self.position);
            }
        };
        let start = self.position;
        let room = self.bytes.len() - start;
        let length = usize::try_from(length).ok().filter(|length| *length <= room);
        let length = length.ok_or(Fault { offset, reason: "a value is longer than what is left" })?;
        self.position = start + length;
        Ok(start..self.position)
    }

    /// Steps over a group, and those in it, whose first tag was just read. No message has groups; unknown fields may.
    fn group(&mut self, at: usize, number: u32) -> Result<Range<usize>, Fault> {
        let start = self.position;
        let mut open = vec![number];
        loop {
            let offset = self.position;
            if offset == self.bytes.len() {
                return Err(Fault { offset: at, reason: "a group does not end" });
            }
            match self.tag()? {
                (_, WireType::GroupStart) if open.len() == DEPTH_LIMIT => {
                    return Err(Fault { offset, reason: "groups are nested too deep" });
                }
                (number, WireType::GroupStart) => open.push(number),
                (number, WireType::GroupEnd) => {
                    if open.pop() != Some(number) {
                        return Err(Fault { offset, reason: "a group ends that did not begin" });
                    }
                    if open.is_empty() {
                        return Ok(start..offset);
                    }
                }
                (_, other) => {
                    self.value(other)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
