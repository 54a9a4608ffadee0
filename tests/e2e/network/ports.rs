//! network/port_mapping: ports that come and go while a container runs.

use crate::network::bed::{HOST, LOCALHOST, Net, bed, change, lasting, ports, tcp};
use crate::refusals::assert_says;

#[test]
fn update_gives_and_takes_ports() {
    let bed = bed!();
    let agent = bed.agent().build();
    let (one, other) = (lasting(&agent, &[(31000, 31009)]), lasting(&agent, &[(31100, 31109)]));
    let (inside, beside) = (Net::of(&one), Net::of(&other));
    let reaches = |port| {
        let ways = [(&bed.peer, HOST), (&bed.host, LOCALHOST), (&beside, HOST), (&inside, LOCALHOST)];
        let found: Vec<bool> = ways.map(|(from, address)| tcp(from, &inside, address, port, true).is_some()).into();
        assert_eq!(found, [true; 4], "{port}");
    };
    let is_closed = |port| {
        let ways = [(&bed.peer, HOST), (&bed.host, LOCALHOST), (&beside, HOST)];
        let found: Vec<bool> = ways.map(|(from, address)| tcp(from, &inside, address, port, false).is_some()).into();
        assert_eq!(found, [false; 3], "{port}");
    };
    is_closed(31020);
    change(&one, &[(31000, 31003), (31020, 31024)]).ok();
    [31000, 31003, 31020, 31024].into_iter().for_each(reaches);
    [31004, 31009, 31019, 31025].into_iter().for_each(is_closed);
    change(&one, &[(31000, 31003), (31020, 31024)]).ok();
    change(&one, &[]).ok();
    [31000, 31020].into_iter().for_each(is_closed);
    change(&one, &[(31009, 31009)]).ok();
    reaches(31009);
    assert!(tcp(&bed.peer, &beside, HOST, 31105, true).is_some());
    one.destroy();
    other.destroy();
    bed.assert_clean();
}

#[test]
fn ports_of_another_container_or_of_the_host_are_refused() {
    let bed = bed!();
    let agent = bed.agent().build();
    let one = lasting(&agent, &[(31000, 31009)]);
    let reason = try_with(&agent, &[(31005, 31015)]);
    assert_says(&reason, &["network/port_mapping", one.id.as_str(), "31005-31015"]);
    for (range, own) in [((57345, 57345), "57345-61000"), ((40000, 40001), "32768-57344"), ((0, 5), "1 to 65535")] {
        let reason = try_with(&agent, &[range]);
        assert_says(&reason, &["network/port_mapping", "ports", own]);
    }
    let two = lasting(&agent, &[(31010, 31019)]);
    let output = change(&two, &[(31009, 31019)]);
    assert!(!output.status.success());
    // The agent destroys it then.
    two.destroy();
    assert!(tcp(&bed.peer, &Net::of(&one), HOST, 31009, true).is_some());
    one.destroy();
    bed.assert_clean();
}

fn try_with(agent: &crate::agent::Agent, ranges: &[(u64, u64)]) -> String {
    agent.task("true").resources(vec![ports(ranges)]).try_launch().1.refused()
}
