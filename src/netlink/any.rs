//! Answers of any kind: for tests that do not know what comes, and for random input.
#![forbid(unsafe_code)]

use super::attribute::Bad;
use super::message::{NLMSG_DONE, NLMSG_ERROR, messages};
use super::{address, class, diag, filter, link, qdisc, route};

/// One message, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Any {
    Link(link::Link),
    Address(address::OnLink),
    Route(route::OnLink),
    Qdisc(qdisc::Found),
    Class(class::Found),
    Filter(filter::Entry),
    TcpSocket(diag::TcpSocket),
    /// How a request ended: an error number (0: well), and the kernel's words.
    Outcome(i32, Option<String>),
}

/// All that the messages of a datagram say, bad ones included. Others than those that are asked for here say nothing.
pub fn decode(datagram: &[u8]) -> Vec<Result<Any, Bad>> {
    let mut all = Vec::new();
    for message in messages(datagram) {
        let decoded = message.and_then(|message| {
            let body = message.body;
            Ok(match message.kind {
                NLMSG_ERROR | NLMSG_DONE => message.outcome().map(|end| Some(Any::Outcome(end.errno, end.detail)))?,
                16 => link::decode(body)?.map(Any::Link),
                20 => address::decode(body)?.map(Any::Address),
                24 => route::decode(body)?.map(Any::Route),
                36 => qdisc::decode(body)?.map(Any::Qdisc),
                40 => class::decode(body)?.map(Any::Class),
                44 => filter::decode(body)?.map(Any::Filter),
                // SOCK_DIAG_BY_FAMILY is 20, too, on sockets of another protocol.
                120 => diag::decode(body)?.map(Any::TcpSocket),
                _ => None,
            })
        });
        all.extend(decoded.transpose());
    }
    all
}
