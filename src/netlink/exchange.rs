//! Requests and their answers: changes with their acknowledgements, several at once, and lists.
//!
//! The kernel carries a request out before send(2) returns, so answers are there at once, and nothing is asynchronous here.
#![forbid(unsafe_code)]

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::attribute::Bad;
use super::message::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_MIN_TYPE, Outcome, Request};
use super::socket::Socket;
use crate::error::Result;
use crate::step::step_of;

/// Requests sent at once. Their acknowledgements must fit into the socket's buffer: at most about 1.5 KiB for each, of 208 KiB by
/// default, and more where we may ask for it.
const AT_ONCE: usize = 64;
const AT_ONCE_BYTES: usize = 128 << 10;
/// Lists are read again when somebody changed meanwhile what they list.
const TRIES: u32 = 40;

impl Socket {
    /// Has one request carried out.
    ///
    /// # Errors
    /// The kernel's answer, with what was tried on which link.
    pub fn perform(&mut self, request: &Request<'_>) -> Result<()> {
        self.perform_all(std::slice::from_ref(request))
    }

    /// Has several requests carried out, in their order. One that fails does not stop those after it.
    ///
    /// # Errors
    /// That of the first that failed.
    pub fn perform_all(&mut self, requests: &[Request<'_>]) -> Result<()> {
        self.perform_each(requests).into_iter().collect()
    }

    /// The same, with the result of each. When answers get lost (ENOBUFS) or none comes (EAGAIN), it is unknown whether
    /// those requests were carried out; then that is the error of each of them.
    pub fn perform_each(&mut self, requests: &[Request<'_>]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut rest = requests;
        while !rest.is_empty() {
            let mut size = 0;
            let fits = |request: &&Request<'_>| {
                size += request.size();
                size <= AT_ONCE_BYTES
            };
            // One at least, however long.
            let count = rest.iter().take(AT_ONCE).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count.min(rest.len()));
            let operation = now.first().map_or("", Request::operation);
            step_of("netlink", operation, || self.perform_some(now, &mut results));
            rest = later;
        }
        results
    }

    /// As many as go into one datagram.
    fn perform_some(&mut self, requests: &[Request<'_>], results: &mut Vec<Result<()>>) {
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        let mut answers: Vec<Option<Result<()>>> = Vec::with_capacity(requests.len());
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            answers.push(match request.numbered(self.sequence) {
                Ok(bytes) => {
                    datagram.extend_from_slice(&bytes);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        let mut lost = if datagram.is_empty() { None } else { self.send(&datagram).err() };
        while answers.iter().any(Option::is_none) {
            // Where some are lost the others are still there to be read, and the kernel gives no more until they are.
            let received = self.receive(lost.is_none(), &mut |message| {
                let place = message.sequence.wrapping_sub(first) as usize;
                let (Some(request), Some(answer)) = (requests.get(place), answers.get_mut(place)) else {
                    // Of an earlier request whose answer nobody waited for.
                    return;
                };
                if message.kind == NLMSG_ERROR {
                    *answer = Some(as_result(request, message.outcome()));
                }
            });
            match received {
                Ok(()) => {}
                Err(error) if lost.is_none() => lost = Some(error),
                Err(_) => break,
            }
        }
        let lost = lost.unwrap_or_else(|| io::Error::from_raw_os_error(libc::EPROTO));
        results.extend(
            requests
                .iter()
                .zip(answers)
                .map(|(request, answer)| answer.unwrap_or_else(|| Err(request.failed(again(&lost), None)))),
        );
    }

    /// Asks for one thing. None: there is no such thing (ENODEV).
    pub(super) fn get<T>(&mut self, request: &Request<'_>, decode: Decode<T>) -> Result<Option<T>> {
        let sequence = self.ask(request)?;
        let mut found = None;
        while found.is_none() {
            self.receive(true, &mut |message| {
                let is_answer = message.kind == NLMSG_ERROR || message.kind >= NLMSG_MIN_TYPE;
                if message.sequence == sequence && is_answer && found.is_none() {
                    found = Some(match message.kind {
                        NLMSG_ERROR => as_result(request, message.outcome()).map(|()| None),
                        _ => decode(message.body).map_err(|bad| request.not_understood(bad)),
                    });
                }
            })
            .map_err(|error| request.failed(error, None))?;
        }
        match found {
            Some(Err(error)) if error.errno() == Some(libc::ENODEV) => Ok(None),
            Some(result) => result,
            None => Ok(None),
        }
    }

    /// Asks for a list. What `decode` has no value for is left out.
    pub(super) fn list<T>(&mut self, request: &Request<'_>, decode: Decode<T>) -> Result<Vec<T>> {
        for again in 0..TRIES {
            if again > 3 {
                sleep(Duration::from_millis(1));
            }
            if let Some(list) = self.list_once(request, decode)? {
                return Ok(list);
            }
        }
        Err(request.failed(io::Error::other("it changes faster than it can be read"), None))
    }

    /// None: somebody changed what is listed meanwhile.
    fn list_once<T>(&mut self, request: &Request<'_>, decode: Decode<T>) -> Result<Option<Vec<T>>> {
        let sequence = self.ask(request)?;
        let mut list = Vec::new();
        let (mut changed, mut bad, mut end) = (false, None, None);
        // To its end even if something is wrong: else the next list would be refused, or mixed with this one.
        while end.is_none() {
            let received = self.receive(true, &mut |message| {
                if message.sequence != sequence {
                    return;
                }
                changed |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.kind {
                    NLMSG_ERROR | NLMSG_DONE => end = Some(as_result(request, message.outcome())),
                    kind if kind < NLMSG_MIN_TYPE => {}
                    _ => match decode(message.body) {
                        Ok(item) => list.extend(item),
                        Err(error) => bad = bad.or(Some(error)),
                    },
                }
            });
            match received {
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                received => received.map_err(|error| request.failed(error, None))?,
            }
        }
        if let Some(Err(error)) = end {
            return Err(error);
        }
        match bad {
            Some(bad) if !changed => Err(request.not_understood(bad)),
            _ => Ok((!changed).then_some(list)),
        }
    }

    /// Sends a question, and returns the number that its answer will have.
    fn ask(&mut self, request: &Request<'_>) -> Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.numbered(self.sequence)?;
        self.send(&bytes).map_err(|error| request.failed(error, None))?;
        Ok(self.sequence)
    }
}

/// What a message about something says of it; None when it is about something else.
pub(super) type Decode<T> = fn(&[u8]) -> std::result::Result<Option<T>, Bad>;

fn as_result(request: &Request<'_>, outcome: std::result::Result<Outcome, Bad>) -> Result<()> {
    match outcome {
        Ok(Outcome { errno: 0, .. }) => Ok(()),
        Ok(Outcome { errno, detail }) => Err(request.failed(io::Error::from_raw_os_error(errno), detail)),
        Err(bad) => Err(request.not_understood(bad)),
    }
}

/// io::Error cannot be cloned.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::netlink::{Device, Link, link};
    use nix::sys::socket::{setsockopt, sockopt};

    /// None of these links exists, and without rights they could not be deleted either.
    fn refused(count: u32) -> Vec<Request<'static>> {
        (0..count).map(|number| link::delete(Device { index: 0x7fff_0000 + number, name: "none" })).collect()
    }

    #[test]
    fn lost_answers_are_told_from_those_that_came_and_the_socket_goes_on() {
        let mut socket = Socket::route().unwrap();
        // The least that there can be: some answers fit.
        setsockopt(&socket.fd, sockopt::RcvBuf, &1).unwrap();
        let results = socket.perform_each(&refused(50));
        let count = |wanted: &[i32]| {
            let errno = |result: &Result<()>| result.as_ref().unwrap_err().errno().unwrap();
            results.iter().filter(|result| wanted.contains(&errno(result))).count()
        };
        let (answered, lost) = (count(&[libc::ENODEV, libc::EPERM]), count(&[libc::ENOBUFS]));
        assert!(answered > 0 && lost > 0 && answered + lost == 50, "{results:?}");
        // Without room for a list either, but each part of it is made when there is room.
        assert!(Link::all(&mut socket).unwrap().iter().any(|link| link.loopback));
        let results = socket.perform_each(&refused(1));
        assert!(matches!(results[0].as_ref().unwrap_err().errno(), Some(libc::ENODEV | libc::EPERM)), "{results:?}");
    }

    #[test]
    fn as_many_answers_as_are_asked_for_at_once_fit() {
        let mut socket = Socket::route().unwrap();
        // What a socket has without special rights.
        setsockopt(&socket.fd, sockopt::RcvBuf, &(104 << 10)).unwrap();
        for result in socket.perform_each(&refused(AT_ONCE as u32 * 3)) {
            assert!(matches!(result.unwrap_err().errno(), Some(libc::ENODEV | libc::EPERM)));
        }
    }
}
