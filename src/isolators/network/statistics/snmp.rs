//! What the kernel has counted for a container: /proc/net/snmp.
//!
//! For each protocol a line with names and one with numbers. The fields of the messages have the same names.
#![forbid(unsafe_code)]

use crate::protocol::mesos::{IcmpStatistics, IpStatistics, SnmpStatistics, TcpStatistics, UdpStatistics};

/// The text's lines `Ip`, `Icmp`, `Tcp` and `Udp`. A protocol and a name that are not there are missing in the message, too;
/// what the message has no field for is passed over.
pub fn parse(text: &str) -> SnmpStatistics {
    SnmpStatistics {
        ip_stats: section(text, "Ip:", ip),
        icmp_stats: section(text, "Icmp:", icmp),
        tcp_stats: section(text, "Tcp:", tcp),
        udp_stats: section(text, "Udp:", udp),
    }
}

/// The number that has a name.
type Numbers<'a> = dyn Fn(&str) -> Option<i64> + 'a;

fn section<T>(text: &str, name: &str, read: fn(&Numbers<'_>) -> T) -> Option<T> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let (names, numbers) = (lines.next()?, lines.next()?);
    Some(read(&|wanted| {
        let found = names.split_whitespace().zip(numbers.split_whitespace()).find(|(name, _)| *name == wanted);
        found?.1.parse().ok()
    }))
}

fn ip(value: &Numbers<'_>) -> IpStatistics {
    IpStatistics {
        forwarding: value("Forwarding"),
        default_ttl: value("DefaultTTL"),
        in_receives: value("InReceives"),
        in_hdr_errors: value("InHdrErrors"),
        in_addr_errors: value("InAddrErrors"),
        forw_datagrams: value("ForwDatagrams"),
        in_unknown_protos: value("InUnknownProtos"),
        in_discards: value("InDiscards"),
        in_delivers: value("InDelivers"),
        out_requests: value("OutRequests"),
        out_discards: value("OutDiscards"),
        out_no_routes: value("OutNoRoutes"),
        reasm_timeout: value("ReasmTimeout"),
        reasm_reqds: value("ReasmReqds"),
        reasm_o_ks: value("ReasmOKs"),
        reasm_fails: value("ReasmFails"),
        frag_o_ks: value("FragOKs"),
        frag_fails: value("FragFails"),
        frag_creates: value("FragCreates"),
    }
}

fn icmp(value: &Numbers<'_>) -> IcmpStatistics {
    IcmpStatistics {
        in_msgs: value("InMsgs"),
        in_errors: value("InErrors"),
        in_csum_errors: value("InCsumErrors"),
        in_dest_unreachs: value("InDestUnreachs"),
        in_time_excds: value("InTimeExcds"),
        in_parm_probs: value("InParmProbs"),
        in_src_quenchs: value("InSrcQuenchs"),
        in_redirects: value("InRedirects"),
        in_echos: value("InEchos"),
        in_echo_reps: value("InEchoReps"),
        in_timestamps: value("InTimestamps"),
        in_timestamp_reps: value("InTimestampReps"),
        in_addr_masks: value("InAddrMasks"),
        in_addr_mask_reps: value("InAddrMaskReps"),
        out_msgs: value("OutMsgs"),
        out_errors: value("OutErrors"),
        out_dest_unreachs: value("OutDestUnreachs"),
        out_time_excds: value("OutTimeExcds"),
        out_parm_probs: value("OutParmProbs"),
        out_src_quenchs: value("OutSrcQuenchs"),
        out_redirects: value("OutRedirects"),
        out_echos: value("OutEchos"),
        out_echo_reps: value("OutEchoReps"),
        out_timestamps: value("OutTimestamps"),
        out_timestamp_reps: value("OutTimestampReps"),
        out_addr_masks: value("OutAddrMasks"),
        out_addr_mask_reps: value("OutAddrMaskReps"),
    }
}

fn tcp(value: &Numbers<'_>) -> TcpStatistics {
    TcpStatistics {
        rto_algorithm: value("RtoAlgorithm"),
        rto_min: value("RtoMin"),
        rto_max: value("RtoMax"),
        max_conn: value("MaxConn"),
        active_opens: value("ActiveOpens"),
        passive_opens: value("PassiveOpens"),
        attempt_fails: value("AttemptFails"),
        estab_resets: value("EstabResets"),
        curr_estab: value("CurrEstab"),
        in_segs: value("InSegs"),
        out_segs: value("OutSegs"),
        retrans_segs: value("RetransSegs"),
        in_errs: value("InErrs"),
        out_rsts: value("OutRsts"),
        in_csum_errors: value("InCsumErrors"),
    }
}

fn udp(value: &Numbers<'_>) -> UdpStatistics {
    UdpStatistics {
        in_datagrams: value("InDatagrams"),
        no_ports: value("NoPorts"),
        in_errors: value("InErrors"),
        out_datagrams: value("OutDatagrams"),
        rcvbuf_errors: value("RcvbufErrors"),
        sndbuf_errors: value("SndbufErrors"),
        in_csum_errors: value("InCsumErrors"),
        ignored_multi: value("IgnoredMulti"),
    }
}

#[cfg(test)]
mod tests;
