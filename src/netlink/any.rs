//! Answers of any kind: for tests that do not know what comes, and for random input.
#![forbid(unsafe_code)]

use super::attribute::Bad;
use super::message::{NLMSG_DONE, NLMSG_ERROR, messages};
use super::{Clock, Device, QueueStatistics, address, class, diag, filter, link, qdisc, route};

/// Stands here for SOCK_DIAG_BY_FAMILY.
pub const TCP_SOCKET: u16 = 120;

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

/// What holds of every answer that is a filter or a qdisc: where it can be made here, too, the request for it reads as it does.
/// (Not of tbf, for its burst is rounded.) None: it cannot be made here.
pub fn survives(answer: &Any) -> Option<bool> {
    let device = Device { index: 1, name: "" };
    let (request, expected) = match answer {
        Any::Filter(filter::Entry::Filter(found)) if found.whole => {
            let statistics = vec![QueueStatistics::default(); found.filter.actions.len()];
            let expected = filter::Found { link: 1, statistics, ..found.clone() };
            (filter::add(device, &found.filter), Any::Filter(filter::Entry::Filter(expected)))
        }
        Any::Qdisc(found) if !matches!(found.qdisc.kind, qdisc::Kind::Tbf(_)) => {
            let statistics = QueueStatistics::default();
            let expected = qdisc::Found { link: 1, statistics, fq_codel: None, ..found.clone() };
            (qdisc::add(device, &found.qdisc, &Clock::USUAL), Any::Qdisc(expected))
        }
        _ => return None,
    };
    request.bytes().map(|bytes| decode(bytes) == [Ok(expected)])
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
                // Of another protocol of netlink, where its number is 20, too.
                TCP_SOCKET => diag::decode(body)?.map(Any::TcpSocket),
                _ => None,
            })
        });
        all.extend(decoded.transpose());
    }
    all
}
