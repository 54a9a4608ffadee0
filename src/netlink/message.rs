//! Messages: what is sent to the kernel, and what its answers are cut into.
#![forbid(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;

use super::attribute::{Bad, Fields, aligned, attributes};
use super::writer::Writer;
use crate::error::Error;

const HEADER: usize = 16;

/// Kinds that every protocol of netlink has.
pub(super) const NLMSG_ERROR: u16 = 2;
pub(super) const NLMSG_DONE: u16 = 3;
/// From here on kinds are a protocol's own.
pub(super) const NLMSG_MIN_TYPE: u16 = 16;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
/// Somebody changed what is listed while it was listed.
pub(super) const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;

const NLMSGERR_ATTR_MSG: u16 = 1;

/// One request to the kernel, ready to be sent, and what it is about, for the error's text.
///
/// The lifetime is that of the descriptor whose number is in the message, where there is one: it must be open, and be the same, until
/// the request is carried out.
#[derive(Debug, Clone)]
pub struct Request<'fd> {
    /// The message, its sequence number 0.
    bytes: Vec<u8>,
    operation: &'static str,
    object: String,
    /// Why it must not be sent.
    problem: Option<&'static str>,
    descriptor: PhantomData<BorrowedFd<'fd>>,
}

impl Request<'_> {
    /// Asks for a change, which the kernel acknowledges. `body` is the fixed header and the attributes; `flags` are those beyond
    /// REQUEST and ACK.
    pub(super) fn change(
        kind: u16,
        flags: u16,
        body: Writer,
        operation: &'static str,
        object: String,
    ) -> Request<'static> {
        Request::new(kind, NLM_F_REQUEST | NLM_F_ACK | flags, body, operation, object)
    }

    /// Asks for one thing.
    pub(super) fn get(kind: u16, body: Writer, operation: &'static str, object: String) -> Request<'static> {
        Request::new(kind, NLM_F_REQUEST, body, operation, object)
    }

    /// Asks for a list.
    pub(super) fn list(kind: u16, body: Writer, operation: &'static str, object: String) -> Request<'static> {
        Request::new(kind, NLM_F_REQUEST | NLM_F_DUMP, body, operation, object)
    }

    fn new(kind: u16, flags: u16, body: Writer, operation: &'static str, object: String) -> Request<'static> {
        let (body, problem) = match body.finish() {
            Some(body) => (body, None),
            None => (Vec::new(), Some("it is too long for one message")),
        };
        let mut bytes = Writer::default();
        bytes.words(&[(HEADER + body.len()) as u32]).raw(&kind.to_ne_bytes()).raw(&flags.to_ne_bytes()).words(&[0, 0]);
        bytes.raw(&body);
        Request { bytes: bytes.finish().unwrap_or_default(), operation, object, problem, descriptor: PhantomData }
    }

    /// The same, not to be sent if there is a reason.
    pub(super) fn unless(mut self, problem: Option<&'static str>) -> Self {
        self.problem = self.problem.or(problem);
        self
    }

    /// The message as it goes to the kernel, with this number.
    ///
    /// # Errors
    /// What must not be sent, with EINVAL's kind.
    pub(super) fn numbered(&self, sequence: u32) -> Result<Vec<u8>, Error> {
        if let Some(problem) = self.problem {
            return Err(self.failed(io::Error::new(io::ErrorKind::InvalidInput, problem), None));
        }
        let mut bytes = self.bytes.clone();
        if let Some(field) = bytes.get_mut(8..12) {
            field.copy_from_slice(&sequence.to_ne_bytes());
        }
        Ok(bytes)
    }

    /// What it asks for, in two words.
    pub(super) fn operation(&self) -> &'static str {
        self.operation
    }

    /// Of the message, in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The error of this request.
    pub(super) fn failed(&self, source: io::Error, detail: Option<String>) -> Error {
        Error::Netlink { operation: self.operation, object: self.object.clone(), source, detail }
    }

    /// The same for an answer that cannot be understood.
    pub(super) fn not_understood(&self, bad: Bad) -> Error {
        self.failed(io::Error::new(io::ErrorKind::InvalidData, bad), None)
    }

    /// The message as it is sent, but for its number, which is 0 here. None: it must not be sent.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.problem.is_none().then_some(&self.bytes)
    }
}

/// One message of the kernel's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    /// Of the request that it answers.
    pub sequence: u32,
    /// After the header.
    pub body: &'a [u8],
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// 0: it is done.
    pub errno: i32,
    /// The kernel's own words. They may come with errno 0, as a warning.
    pub detail: Option<String>,
}

impl Message<'_> {
    /// What NLMSG_ERROR says (an acknowledgement is one of them, without an error), or NLMSG_DONE, which ends a list.
    pub(super) fn outcome(&self) -> Result<Outcome, Bad> {
        let fields = Fields(self.body);
        let Some(negative) = fields.i32(0) else {
            // Before Linux 4.10 or so lists could end without a number.
            return if self.kind == NLMSG_DONE {
                Ok(Outcome { errno: 0, detail: None })
            } else {
                Err(Bad("no error number"))
            };
        };
        let mut outcome = Outcome { errno: negative.saturating_neg(), detail: None };
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return Ok(outcome);
        }
        // The request or its header stands between the number and the kernel's words.
        let copied = match self.kind {
            NLMSG_ERROR if self.flags & NLM_F_CAPPED != 0 => HEADER,
            NLMSG_ERROR => aligned(fields.u32(4).ok_or(Bad("an error without its request"))? as usize),
            _ => 0,
        };
        let rest = copied.checked_add(4).and_then(|at| fields.rest(at)).unwrap_or_default();
        for attribute in attributes(rest) {
            let attribute = attribute?;
            if attribute.kind == NLMSGERR_ATTR_MSG {
                outcome.detail = Some(attribute.text());
            }
        }
        Ok(outcome)
    }
}

/// Cuts a datagram into messages, and ends with the first that is bad.
#[derive(Debug)]
pub(super) struct Messages<'a>(&'a [u8]);

/// The messages that these bytes are.
pub(super) fn messages(datagram: &[u8]) -> Messages<'_> {
    Messages(datagram)
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Bad>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let message = message(self.0);
        self.0 = match &message {
            Ok((_, length)) => self.0.get(aligned(*length)..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(message.map(|(message, _)| message))
    }
}

/// The first one, and its length.
fn message(bytes: &[u8]) -> Result<(Message<'_>, usize), Bad> {
    const SHORT: Bad = Bad("a message is shorter than its header");
    let fields = Fields(bytes);
    let length = fields.u32(0).ok_or(SHORT)? as usize;
    let (kind, flags) = (fields.u16(4).ok_or(SHORT)?, fields.u16(6).ok_or(SHORT)?);
    let sequence = fields.u32(8).ok_or(SHORT)?;
    let body = bytes.get(HEADER..length).ok_or(Bad("a message's length is wrong"))?;
    Ok((Message { kind, flags, sequence, body }, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(flags: u16, parts: &[&[u8]]) -> Outcome {
        let body: Vec<u8> = parts.concat();
        Message { kind: NLMSG_ERROR, flags, sequence: 1, body: &body }.outcome().unwrap()
    }

    #[test]
    fn the_kernels_own_words_are_found_behind_the_request() {
        let number = (-17_i32).to_ne_bytes();
        let mut words = Writer::default();
        words.text(NLMSGERR_ATTR_MSG, "Filter already exists");
        let words = words.finish().unwrap();
        let (mut whole, header) = ([7; 24], [0; 16]);
        whole[..4].copy_from_slice(&22_u32.to_ne_bytes());
        let expected = Outcome { errno: 17, detail: Some("Filter already exists".to_owned()) };
        assert_eq!(answer(NLM_F_ACK_TLVS | NLM_F_CAPPED, &[&number, &header, &words]), expected);
        assert_eq!(answer(NLM_F_ACK_TLVS, &[&number, &whole, &words]), expected);
        assert_eq!(answer(0, &[&number, &whole]), Outcome { errno: 17, detail: None });
    }

    #[test]
    fn a_datagram_is_cut_into_messages() {
        let request = Request::change(16, 0, Writer::default(), "change", "v0".to_owned());
        let mut datagram = request.numbered(5).unwrap();
        datagram.extend(request.numbered(6).unwrap());
        let numbers: Vec<_> = messages(&datagram).map(|message| message.unwrap().sequence).collect();
        assert_eq!(numbers, [5, 6]);
        datagram.pop();
        assert!(messages(&datagram).nth(1).unwrap().is_err());
        datagram[0] = 3;
        assert_eq!(messages(&datagram).count(), 1);
    }

    #[test]
    fn what_must_not_be_sent_says_why() {
        let request = Request::change(16, 0, Writer::default(), "change", "v0".to_owned());
        let error = request.unless(Some("it has no name")).numbered(1).unwrap_err();
        assert_eq!(error.to_string(), "cannot change v0: it has no name");
    }
}
