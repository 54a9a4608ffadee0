//! A container's TCP connections: how many there are, and how long their round trips take.
#![forbid(unsafe_code)]

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::error::Result;
use crate::netlink::Socket;
use crate::netlink::diag::{TcpSocket, TcpState, tcp_of_both};
use crate::protocol::mesos::ResourceStatistics;

/// From the texts of /proc/net/sockstat and /proc/net/sockstat6, whose price does not depend on how many there are. As the
/// agents count: all sockets that have a port or a connection are active, those that listen, too. A connection that waits for
/// its end (TIME_WAIT) is not.
pub fn fill_counts(statistics: &mut ResourceStatistics, v4: &str, v6: Option<&str>) {
    let active = value(v4, "TCP:", "inuse");
    // Most servers have one socket of IPv6 for both.
    let more = v6.and_then(|v6| value(v6, "TCP6:", "inuse")).unwrap_or(0);
    statistics.net_tcp_active_connections = active.map(|active| active.saturating_add(more) as f64);
    statistics.net_tcp_time_wait_connections = value(v4, "TCP:", "tw").map(|count| count as f64);
}

/// `TCP: inuse 5 orphan 0 tw 2 ...`
fn value(text: &str, line: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|l| l.strip_prefix(line))?.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

/// The connections that stand in a network namespace.
///
/// # Errors
/// ENOENT where the kernel lacks tcp_diag; those of the namespace, see [`Socket::diag_in`].
pub fn established(namespace: BorrowedFd<'_>) -> Result<Vec<TcpSocket>> {
    tcp_of_both(&mut Socket::diag_in(namespace)?, &[TcpState::Established])
}

/// Percentiles of the round-trip times of connections that leave the container: those by loopback, and with its own
/// address, do not count. Nothing if there are none.
pub fn fill_times(statistics: &mut ResourceStatistics, connections: &[TcpSocket]) {
    let leaves = |socket: &&TcpSocket| !socket.remote.ip().is_loopback() && socket.remote.ip() != socket.local.ip();
    let mut times: Vec<Duration> = connections.iter().filter(leaves).filter_map(|socket| socket.rtt).collect();
    times.sort_unstable();
    // As the agents do it: the one that so many are below.
    let percentile = |percent: usize| times.get(times.len() * percent / 100).map(|time| time.as_micros() as f64);
    statistics.net_tcp_rtt_microsecs_p50 = percentile(50);
    statistics.net_tcp_rtt_microsecs_p90 = percentile(90);
    statistics.net_tcp_rtt_microsecs_p95 = percentile(95);
    statistics.net_tcp_rtt_microsecs_p99 = percentile(99);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOCKSTAT: &str = "sockets: used 290\nTCP: inuse 5 orphan 1 tw 2 alloc 7 mem 3\nUDP: inuse 4 mem 0\nUDPLITE: inuse 0\n\
                            RAW: inuse 0\nFRAG: inuse 0 memory 0\n";
    const SOCKSTAT6: &str =
        "TCP6: inuse 30\nUDP6: inuse 2\nUDPLITE6: inuse 0\nRAW6: inuse 1\nFRAG6: inuse 0 memory 0\n";

    fn counts(v4: &str, v6: Option<&str>) -> (Option<f64>, Option<f64>) {
        let mut found = ResourceStatistics::default();
        fill_counts(&mut found, v4, v6);
        (found.net_tcp_active_connections, found.net_tcp_time_wait_connections)
    }

    #[test]
    fn counts_of_both_families() {
        assert_eq!(counts(SOCKSTAT, Some(SOCKSTAT6)), (Some(35.0), Some(2.0)));
        assert_eq!(counts(SOCKSTAT, None), (Some(5.0), Some(2.0)));
        assert_eq!(counts("", Some(SOCKSTAT6)), (None, None));
        assert_eq!(counts("TCP: inuse\n", None), (None, None));
        assert_eq!(counts("TCP: inuse x tw 18446744073709551616", None), (None, None));
    }

    fn connection(local: &str, remote: &str, microseconds: u64) -> TcpSocket {
        let rtt = (microseconds > 0).then(|| Duration::from_micros(microseconds));
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        TcpSocket { state: TcpState::Established, local, remote, rtt, inode: 1, uid: 0, cookie: 1 }
    }

    fn times(connections: &[TcpSocket]) -> [Option<f64>; 4] {
        let mut found = ResourceStatistics::default();
        fill_times(&mut found, connections);
        [
            found.net_tcp_rtt_microsecs_p50,
            found.net_tcp_rtt_microsecs_p90,
            found.net_tcp_rtt_microsecs_p95,
            found.net_tcp_rtt_microsecs_p99,
        ]
    }

    #[test]
    fn percentiles_of_what_leaves() {
        let out = |microseconds| connection("10.0.0.1:80", "10.0.0.2:5000", microseconds);
        let hundred: Vec<_> = (1..=100).rev().map(out).collect();
        assert_eq!(times(&hundred), [51.0, 91.0, 96.0, 100.0].map(Some));
        assert_eq!(times(&[out(7)]), [Some(7.0); 4]);
        assert_eq!(times(&[out(1), out(2)]), [Some(2.0); 4]);
        assert_eq!(times(&[]), [None; 4]);
        let others = [
            connection("127.0.0.1:80", "127.0.0.1:5000", 90),
            connection("10.0.0.1:80", "127.0.0.1:5000", 91),
            connection("10.0.0.1:80", "10.0.0.1:5000", 92),
            connection("[::1]:80", "[::1]:5000", 93),
            out(0),
        ];
        assert_eq!(times(&others), [None; 4]);
        let mut all = others.to_vec();
        all.push(out(7));
        assert_eq!(times(&all), [Some(7.0); 4]);
    }
}
