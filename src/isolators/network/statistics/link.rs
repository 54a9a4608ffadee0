//! What went through a container's link.
#![forbid(unsafe_code)]

use crate::netlink::LinkStatistics;
use crate::protocol::mesos::ResourceStatistics;

/// From the counts of the host's end of a veth: what that end has received is what the container has sent.
pub fn fill(statistics: &mut ResourceStatistics, host_end: &LinkStatistics) {
    statistics.net_rx_packets = Some(host_end.tx_packets);
    statistics.net_rx_bytes = Some(host_end.tx_bytes);
    statistics.net_rx_errors = Some(host_end.tx_errors);
    statistics.net_rx_dropped = Some(host_end.tx_dropped);
    statistics.net_tx_packets = Some(host_end.rx_packets);
    statistics.net_tx_bytes = Some(host_end.rx_bytes);
    statistics.net_tx_errors = Some(host_end.rx_errors);
    statistics.net_tx_dropped = Some(host_end.rx_dropped);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_receives_the_container_sends() {
        let host_end = LinkStatistics {
            rx_packets: 1,
            tx_packets: 2,
            rx_bytes: 3,
            tx_bytes: 4,
            rx_errors: 5,
            tx_errors: 6,
            rx_dropped: 7,
            tx_dropped: 8,
        };
        let mut found = ResourceStatistics::default();
        fill(&mut found, &host_end);
        let rx = (found.net_rx_packets, found.net_rx_bytes, found.net_rx_errors, found.net_rx_dropped);
        let tx = (found.net_tx_packets, found.net_tx_bytes, found.net_tx_errors, found.net_tx_dropped);
        assert_eq!(rx, (Some(2), Some(4), Some(6), Some(8)));
        assert_eq!(tx, (Some(1), Some(3), Some(5), Some(7)));
    }
}
