//! Texts of kernels.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::protocol::json;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Map, Value};

/// Linux 6.18, with a number of its own for each name.
const TEXT: &str = "\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits
Ip: 2 64 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps
Icmp: 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
IcmpMsg: InType3 OutType3
IcmpMsg: 98 99
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 61 62 63 64 65 9223372036854775807 67 68 69 70 71
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 81 82 83 84 85 86 87 88 89
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 0 0 0 0 0
";

/// The message under the names of its fields, which are the kernel's.
fn named(found: &SnmpStatistics) -> Map<String, Value> {
    let json = json::from_wire("mesos.SNMPStatistics", &found.encode_to_vec()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn every_number_lands_under_its_name() {
    // Later than the messages.
    const NEW: [&str; 4] = ["OutTransmits", "OutRateLimitGlobal", "OutRateLimitHost", "MemErrors"];
    let found = named(&parse(TEXT));
    let lines: Vec<&str> = TEXT.lines().collect();
    for (protocol, field) in [("Ip", "ip_stats"), ("Icmp", "icmp_stats"), ("Tcp", "tcp_stats"), ("Udp", "udp_stats")] {
        let line = lines.iter().position(|line| line.starts_with(&format!("{protocol}:"))).unwrap();
        let pairs = lines[line].split(' ').zip(lines[line + 1].split(' ')).skip(1);
        let known: Vec<_> = pairs.filter(|(name, _)| !NEW.contains(name)).collect();
        let fields = found[field].as_object().unwrap();
        assert_eq!(fields.len(), known.len(), "{protocol}");
        for (name, number) in known {
            assert_eq!(fields[name].to_string().trim_matches('"'), number, "{protocol} {name}");
        }
    }
}

#[test]
fn older_kernels_and_broken_texts_have_less() {
    let old = parse("Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: MaxConn InCsumErrors\nTcp: -1\nUdp: InDatagrams\n");
    let ip = IpStatistics { forwarding: Some(1), default_ttl: Some(64), ..Default::default() };
    assert_eq!(old.ip_stats, Some(ip));
    assert_eq!((old.icmp_stats, old.udp_stats), (None, None));
    assert_eq!(old.tcp_stats, Some(TcpStatistics { max_conn: Some(-1), ..Default::default() }));
    let wild = parse("Udp: NoPorts InErrors\nUdp: 9223372036854775808 x\n");
    assert_eq!(wild.udp_stats, Some(UdpStatistics::default()));
    assert_eq!(parse(""), SnmpStatistics::default());
}

proptest! {
    #[test]
    fn any_text_is_read(text in "((Ip|Icmp|Tcp|Udp):?( (InMsgs|MaxConn|-?[0-9]{0,20}))*\n?){0,9}") {
        let _ = parse(&text);
    }
}
