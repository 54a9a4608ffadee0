//! `namespaces/uts`: a hostname of the container's own.

use std::fs;

use super::agent;
use crate::agent::wire::{Message, Value};
use crate::agent::{Agent, Task, need_root};
use crate::refusals::assert_says;

const UTS: &str = "namespaces/uts";

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// A task whose ContainerInfo has this hostname.
fn named<'a>(agent: &'a Agent, script: &str, hostname: &str) -> Task<'a> {
    let info = Message::new().varint(1, 2).bytes(4, hostname).encode();
    agent.task(script).edit(move |launch| launch.edit(3, |executor| executor.set(11, Value::Bytes(info.clone()))))
}

#[test]
fn the_hostname_of_the_record_is_the_containers() {
    need_root!();
    let (agent, host) = (agent(UTS), host());
    let (container, output) =
        named(&agent, "cat /proc/sys/kernel/hostname > name", "web-1.example.org").launch_with_output();
    container.complete().assert_status(0);
    assert_eq!(container.line("name"), "web-1.example.org");
    assert!(!output.stderr.contains("hostname"), "{}", output.stderr);
    assert_eq!(self::host(), host);
}

#[test]
fn without_one_it_has_the_hosts_and_may_change_it_for_itself() {
    need_root!();
    let (agent, host) = (agent(UTS), host());
    let script = "cat /proc/sys/kernel/hostname > name; echo other > /proc/sys/kernel/hostname; cat /proc/sys/kernel/hostname > changed";
    let container = agent.task(script).launch();
    container.complete().assert_status(0);
    assert_eq!((container.line("name"), container.line("changed")), (host.clone(), "other".to_owned()));
    assert_eq!(self::host(), host);
}

#[test]
fn a_hostname_that_none_can_have_is_refused() {
    need_root!();
    let agent = agent(UTS);
    let long = "a".repeat(65);
    for bad in ["", "a b", "../etc", "-a", "$(reboot)", "a\nb", &long] {
        assert_says(&named(&agent, "true", bad).refused(), &[UTS, "container.hostname"]);
    }
}
