//! What became of a container's packets on their way through its rate limit.
#![forbid(unsafe_code)]

use crate::netlink::qdisc::{Found, Kind};
use crate::netlink::{Handle, QueueStatistics};
use crate::protocol::mesos::TrafficControlStatistics;

/// Packets that had to wait for the rate: `overlimits`.
const BW_LIMIT: &str = "bw_limit";
/// Packets that were dropped for having waited too long.
const BLOAT_REDUCTION: &str = "bloat_reduction";

/// From the qdiscs of the link inside: of the htb that has the rate `bw_limit`, of an fq_codel below it `bloat_reduction`. Empty
/// for a container without a limit. (Where the kernel has no fq_codel, something else is below htb that reduces no bloat, and
/// there is only `bw_limit`.)
pub fn statistics(qdiscs: &[Found]) -> Vec<TrafficControlStatistics> {
    let root = |found: &&Found| matches!(found.qdisc.kind, Kind::Htb { .. }) && found.qdisc.parent == Handle::ROOT;
    let leaf = |found: &&Found| matches!(found.qdisc.kind, Kind::FqCodel(_)) && found.qdisc.parent != Handle::ROOT;
    let Some(htb) = qdiscs.iter().find(root) else { return Vec::new() };
    let mut all = vec![one(BW_LIMIT, &htb.statistics)];
    all.extend(qdiscs.iter().find(leaf).map(|found| one(BLOAT_REDUCTION, &found.statistics)));
    all
}

fn one(id: &str, statistics: &QueueStatistics) -> TrafficControlStatistics {
    let (bytes_per_second, packets_per_second) = statistics.rate.unwrap_or_default();
    TrafficControlStatistics {
        id: id.to_owned(),
        backlog: Some(statistics.backlog.into()),
        bytes: Some(statistics.bytes),
        drops: Some(statistics.drops.into()),
        overlimits: Some(statistics.overlimits.into()),
        packets: Some(statistics.packets),
        qlen: Some(statistics.queued.into()),
        ratebps: Some(bytes_per_second),
        ratepps: Some(packets_per_second),
        requeues: Some(statistics.requeues.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::netlink::qdisc::{FqCodel, Qdisc};

    fn found(parent: Handle, kind: Kind, bytes: u64) -> Found {
        let statistics = QueueStatistics {
            bytes,
            packets: 2,
            queued: 3,
            backlog: 4,
            drops: 5,
            requeues: 6,
            overlimits: 7,
            rate: (bytes == 10).then_some((8, 9)),
        };
        Found { link: 1, qdisc: Qdisc { parent, handle: Handle::new(1, 0), kind }, statistics, fq_codel: None }
    }

    fn ids(qdiscs: &[Found]) -> Vec<(String, u64)> {
        statistics(qdiscs).into_iter().map(|one| (one.id, one.bytes.unwrap())).collect()
    }

    #[test]
    fn the_rate_and_what_is_below_it() {
        let htb = found(Handle::ROOT, Kind::Htb { default: 1 }, 10);
        let leaf = found(Handle::new(1, 1), Kind::FqCodel(FqCodel::default()), 11);
        let fifo = found(Handle::new(1, 1), Kind::Pfifo { limit: None }, 12);
        let of = |name: &str, bytes| (name.to_owned(), bytes);
        assert_eq!(ids(&[htb.clone(), leaf.clone()]), [of("bw_limit", 10), of("bloat_reduction", 11)]);
        assert_eq!(ids(&[leaf, htb.clone()]), [of("bw_limit", 10), of("bloat_reduction", 11)]);
        assert_eq!(ids(&[htb, fifo]), [of("bw_limit", 10)]);
        // The host's way of keeping flows apart, or no limit at all.
        assert_eq!(ids(&[found(Handle::ROOT, Kind::FqCodel(FqCodel::default()), 13)]), []);
        assert_eq!(ids(&[found(Handle::ROOT, Kind::Other("noqueue".into()), 14)]), []);
        assert_eq!(ids(&[]), []);
    }

    #[test]
    fn every_count_lands_in_its_field() {
        let htb = found(Handle::ROOT, Kind::Htb { default: 1 }, 10);
        let one = statistics(&[htb]).remove(0);
        assert_eq!((one.bytes, one.packets, one.qlen, one.backlog), (Some(10), Some(2), Some(3), Some(4)));
        assert_eq!((one.drops, one.requeues, one.overlimits), (Some(5), Some(6), Some(7)));
        assert_eq!((one.ratebps, one.ratepps), (Some(8), Some(9)));
    }
}
