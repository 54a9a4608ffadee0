//! What links, queues and classes have counted.
#![forbid(unsafe_code)]

use super::attribute::{Attribute, Bad, Fields};

/// Of a link since it was made, as seen from the namespace that it is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received, with the headers of Ethernet.
    pub rx_bytes: u64,
    /// Bytes sent, with the headers of Ethernet.
    pub tx_bytes: u64,
    /// Packets that were damaged.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that there was no room for.
    pub rx_dropped: u64,
    /// Packets that there was no room for.
    pub tx_dropped: u64,
}

impl LinkStatistics {
    /// Of struct rtnl_link_stats64, which later kernels make longer.
    pub(super) fn decode(bytes: &[u8]) -> LinkStatistics {
        let field = |number: usize| Fields(bytes).u64(number * 8).unwrap_or(0);
        LinkStatistics {
            rx_packets: field(0),
            tx_packets: field(1),
            rx_bytes: field(2),
            tx_bytes: field(3),
            rx_errors: field(4),
            tx_errors: field(5),
            rx_dropped: field(6),
            tx_dropped: field(7),
        }
    }
}

const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_RATE_EST: u16 = 2;
const TCA_STATS_QUEUE: u16 = 3;
pub(super) const TCA_STATS_APP: u16 = 4;
const TCA_STATS_RATE_EST64: u16 = 5;
const TCA_STATS_PKT64: u16 = 8;

/// Of a qdisc, a class or an action since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStatistics {
    /// Bytes sent on.
    pub bytes: u64,
    /// Packets sent on.
    pub packets: u64,
    /// Packets waiting.
    pub queued: u32,
    /// Bytes waiting.
    pub backlog: u32,
    /// Packets dropped.
    pub drops: u32,
    /// Packets that were put back.
    pub requeues: u32,
    /// How often a packet had to wait for its rate.
    pub overlimits: u32,
    /// Bytes and packets per second, where the kernel was told to estimate them.
    pub rate: Option<(u64, u64)>,
}

impl QueueStatistics {
    /// Of TCA_STATS2 and its like.
    pub(super) fn decode(statistics: Attribute<'_>) -> Result<QueueStatistics, Bad> {
        let mut result = QueueStatistics::default();
        let mut packets = None;
        for attribute in statistics.attributes() {
            let attribute = attribute?;
            let fields = Fields(attribute.value);
            let (word, long) = (|at| fields.u32(at).unwrap_or(0), |at| fields.u64(at).unwrap_or(0));
            match attribute.kind {
                TCA_STATS_BASIC => (result.bytes, result.packets) = (long(0), word(8).into()),
                TCA_STATS_PKT64 => packets = Some(long(0)),
                TCA_STATS_RATE_EST => {
                    result.rate = result.rate.or(Some((word(0).into(), word(4).into())));
                }
                TCA_STATS_RATE_EST64 => result.rate = Some((long(0), long(8))),
                TCA_STATS_QUEUE => {
                    (result.queued, result.backlog, result.drops) = (word(0), word(4), word(8));
                    (result.requeues, result.overlimits) = (word(12), word(16));
                }
                _ => {}
            }
        }
        // Where there are more than fit into 32 bits.
        result.packets = packets.unwrap_or(result.packets);
        Ok(result)
    }
}

/// Of a qdisc `fq_codel`, beyond what all have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FqCodelStatistics {
    /// The longest packet seen, in bytes.
    pub max_packet: u32,
    /// Packets dropped because there was no room.
    pub drop_overlimit: u32,
    /// Packets marked instead of dropped (ECN).
    pub ecn_mark: u32,
    /// How often a flow was new.
    pub new_flow_count: u32,
    /// Flows that are new now.
    pub new_flows: u32,
    /// Flows that are not new and have packets.
    pub old_flows: u32,
    /// Packets marked for having waited too long.
    pub ce_mark: u32,
    /// Bytes of memory in use.
    pub memory_usage: u32,
    /// Packets dropped for want of memory.
    pub drop_overmemory: u32,
}

impl FqCodelStatistics {
    /// Of struct tc_fq_codel_xstats, of which there is one kind for the qdisc and one for its flows.
    pub(super) fn decode(bytes: &[u8]) -> Option<FqCodelStatistics> {
        const OF_QDISC: u32 = 0;
        let fields = Fields(bytes);
        if fields.u32(0)? != OF_QDISC {
            return None;
        }
        let field = |number: usize| fields.u32(4 + 4 * number).unwrap_or(0);
        Some(FqCodelStatistics {
            max_packet: field(0),
            drop_overlimit: field(1),
            ecn_mark: field(2),
            new_flow_count: field(3),
            new_flows: field(4),
            old_flows: field(5),
            ce_mark: field(6),
            memory_usage: field(7),
            drop_overmemory: field(8),
        })
    }
}
