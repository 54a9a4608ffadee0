//! Pairs of links of which each receives what the other one sends.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use super::link::{
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU, IFLA_NET_NS_FD, RTM_NEWLINK, header, wrong_name,
};
use super::mac::Mac;
use super::message::{NLM_F_CREATE, NLM_F_EXCL, Request};
use super::writer::Writer;

const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

/// One end of a pair.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// At most 15 bytes.
    pub name: &'a str,
    /// None: the kernel makes one up.
    pub mac: Option<Mac>,
    /// In bytes. None: 1500.
    pub mtu: Option<u32>,
}

/// Makes a pair, both ends down: one in the socket's namespace, its peer there, too, or in another one. Both are there, or none.
///
/// The names must be free, each in its namespace (EEXIST).
pub fn create<'fd>(end: &End<'_>, peer: &End<'_>, peer_namespace: Option<BorrowedFd<'fd>>) -> Request<'fd> {
    create_by_number(end, peer, peer_namespace.map(|namespace| namespace.as_raw_fd()))
}

fn create_by_number(end: &End<'_>, peer: &End<'_>, peer_namespace: Option<i32>) -> Request<'static> {
    let mut body = header(0, 0, 0);
    describe(&mut body, end, None);
    body.nest(IFLA_LINKINFO, |information| {
        information.bytes(IFLA_INFO_KIND, b"veth").nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |inner| {
                inner.words(&[0; 4]);
                describe(inner, peer, peer_namespace);
            });
        });
    });
    let wrong = wrong_name(end.name).or(wrong_name(peer.name));
    let object = format!("{} with its peer {}", end.name, peer.name);
    Request::change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body, "create veth", object).unless(wrong)
}

fn describe(body: &mut Writer, end: &End<'_>, namespace: Option<i32>) {
    if let Some(Mac(bytes)) = end.mac {
        body.bytes(IFLA_ADDRESS, &bytes);
    }
    if let Some(mtu) = end.mtu {
        body.u32(IFLA_MTU, mtu);
    }
    if let Some(number) = namespace {
        body.u32(IFLA_NET_NS_FD, number as u32);
    }
    body.text(IFLA_IFNAME, end.name);
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The namespace by the number that a descriptor has in another process.
    pub fn with_number(end: &End<'_>, peer: &End<'_>, number: i32) -> Request<'static> {
        create_by_number(end, peer, Some(number))
    }

    #[test]
    fn names_that_the_kernel_would_change_or_refuse_are_not_sent() {
        let end = |name| End { name, mac: None, mtu: None };
        for name in ["", "veth%d", "a/b", "a b", "sixteen-bytes-xx", "..", "a:1"] {
            let error = create(&end(name), &end("eth0"), None).numbered(1).unwrap_err();
            assert!(error.to_string().contains("a link's name has 1 to 15 bytes"), "{error}");
            create(&end("v0"), &end(name), None).numbered(1).unwrap_err();
        }
        create(&end("fifteen-bytes-x"), &end("eth0"), None).numbered(1).unwrap();
    }
}
