//! posix/rlimits.

use super::{LOOK, agent, ask, look};
use crate::agent::wire::Message;
use crate::agent::{Agent, need_root, skip};
use crate::refusals::assert_says;

const ISOLATION: &str = "--isolation=posix/cpu,posix/rlimits";

/// An `RLimitInfo` with these: type, soft, hard.
fn rlimit_info(limits: &[(u64, Option<(u64, u64)>)]) -> Message {
    limits.iter().fold(Message::new(), |info, (kind, values)| {
        let limit = Message::new().varint(1, *kind);
        let limit = match values {
            Some((soft, hard)) => limit.varint(2, *hard).varint(3, *soft),
            None => limit,
        };
        info.message(1, &limit)
    })
}

fn pair(soft: &str, hard: &str) -> (String, String) {
    (soft.to_owned(), hard.to_owned())
}

#[test]
fn the_flag_holds_where_the_record_says_nothing() {
    let agent = agent(&[ISOLATION, "--default_rlimits=NOFILE=100:200,CORE=0,NICE=0"]);
    let seen = look(agent.task(LOOK));
    assert_eq!(seen.limit("Max open files"), pair("100", "200"));
    assert_eq!(seen.limit("Max core file size"), pair("0", "0"));

    let info = rlimit_info(&[(10, Some((50, 60))), (3, Some((1000, 2000)))]);
    let seen = look(agent.task(LOOK).edit(move |launch| ask(launch, 9, &info)));
    assert_eq!(seen.limit("Max open files"), pair("50", "60"));
    assert_eq!(seen.limit("Max core file size"), pair("0", "0"));
    assert_eq!(seen.limit("Max cpu time"), pair("1000", "2000"));
}

#[test]
fn every_limit_reaches_its_place() {
    let names = [
        (1, "Max address space"),
        (2, "Max core file size"),
        (3, "Max cpu time"),
        (4, "Max data size"),
        (5, "Max file size"),
        (6, "Max file locks"),
        (7, "Max locked memory"),
        (8, "Max msgqueue size"),
        (9, "Max nice priority"),
        (10, "Max open files"),
        (11, "Max processes"),
        (12, "Max resident set"),
        (13, "Max realtime priority"),
        (14, "Max realtime timeout"),
        (15, "Max pending signals"),
        (16, "Max stack size"),
    ];
    let own = std::fs::read_to_string("/proc/self/limits").unwrap();
    let own_hard = |name: &str| {
        let line = own.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap_or(u64::MAX)
    };
    let agent = agent(&[ISOLATION]);
    // Large enough for a shell, different from each other, and not above the agent's.
    let limits: Vec<(u64, Option<(u64, u64)>)> = names
        .iter()
        .map(|(kind, name)| {
            let hard = own_hard(name).min((1 << 40) + kind);
            (*kind, Some((hard - hard.min(1), hard)))
        })
        .collect();
    let info = rlimit_info(&limits);
    let seen = look(agent.task(LOOK).edit(move |launch| ask(launch, 9, &info)));
    for ((_, name), (_, values)) in names.iter().zip(&limits) {
        let (soft, hard) = values.unwrap();
        assert_eq!(seen.limit(name), pair(&soft.to_string(), &hard.to_string()), "{name}");
    }
}

#[test]
fn another_user_cannot_raise_them() {
    need_root!();
    let agent = agent(&[ISOLATION, "--default_rlimits=NOFILE=100:200"]);
    let script = format!("ulimit -n 201 2>/dev/null && exit 9; ulimit -n 200 || exit 8; {LOOK}");
    let seen = look(agent.task(&script).user("nobody"));
    assert_eq!(seen.limit("Max open files"), pair("200", "200"));
}

#[test]
fn no_numbers_mean_no_limit() {
    let core = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = core.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap().to_owned();
    if line.split_whitespace().nth(1) != Some("unlimited") {
        skip!("the hard limit of core files is not unlimited");
    }
    let agent = agent(&[ISOLATION, "--default_rlimits=CORE=0"]);
    let info = rlimit_info(&[(2, None)]);
    let seen = look(agent.task(LOOK).edit(move |launch| ask(launch, 9, &info)));
    assert_eq!(seen.limit("Max core file size"), pair("unlimited", "unlimited"));
}

#[test]
fn a_limit_that_cannot_be_raised_is_named() {
    need_root!();
    // Whatever root may do here, this one may not.
    let agent = Agent::builder().unprivileged().flag(ISOLATION).flag("--default_rlimits=NOFILE=10:1000000").build();
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &["NOFILE=10:1000000", "1000000", "CAP_SYS_RESOURCE", "--default_rlimits", "LimitNOFILE="]);
}

#[test]
fn more_descriptors_than_the_kernel_allows_are_refused() {
    let agent = agent(&[ISOLATION, "--default_rlimits=NOFILE=1024:unlimited"]);
    let reason = agent.task("touch ran").refused();
    assert_says(&reason, &["NOFILE=1024:unlimited", "/proc/sys/fs/nr_open"]);
}

#[test]
fn what_is_wrong_in_the_record_is_said() {
    let agent = agent(&[ISOLATION]);
    for (info, says) in [
        (rlimit_info(&[(10, Some((5, 4)))]), "NOFILE: the soft limit is above the hard one"),
        (rlimit_info(&[(10, Some((4, 5))), (10, None)]), "NOFILE stands twice"),
        (rlimit_info(&[(77, None)]), "has the type 77"),
    ] {
        let reason = agent.task("touch ran").edit(move |launch| ask(launch, 9, &info)).refused();
        assert_says(&reason, &["posix/rlimits", "rlimit_info", says]);
    }
}

#[test]
fn a_record_that_nobody_looks_at_is_warned_of() {
    let agent = Agent::new();
    let info = rlimit_info(&[(2, Some((0, 0)))]);
    let (container, output) = agent.task("true").edit(move |launch| ask(launch, 9, &info)).launch_with_output();
    container.complete().assert_status(0);
    assert!(output.stderr.contains("posix/rlimits is not in --isolation"), "{}", output.stderr);
}
