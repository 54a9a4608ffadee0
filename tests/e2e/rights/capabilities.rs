//! linux/capabilities, and what holds without it.

use super::{LOOK, agent, ask, bits, is_root, look, own_bounding};
use crate::agent::wire::Message;
use crate::agent::{Agent, need_root, skip};
use crate::refusals::assert_says;

const CHOWN: u32 = 0;
const KILL: u32 = 5;
const NET_BIND_SERVICE: u32 = 10;
const NET_RAW: u32 = 13;
const SYS_RESOURCE: u32 = 24;

const ISOLATION: &str = "--isolation=posix/cpu,linux/capabilities";

/// A `CapabilityInfo`.
fn info(numbers: &[u32]) -> Message {
    numbers.iter().fold(Message::new(), |info, number| info.varint(1, 1000 + u64::from(*number)))
}

/// A `LinuxInfo` with these effective and bounding ones.
fn linux_info(effective: Option<&[u32]>, bounding: Option<&[u32]>) -> Message {
    let info_of = |message: Message, number, set: Option<&[u32]>| match set {
        Some(set) => message.message(number, &info(set)),
        None => message,
    };
    info_of(info_of(Message::new(), 2, bounding), 3, effective)
}

#[test]
fn without_the_isolator_root_has_all_and_another_user_none() {
    need_root!();
    let agent = Agent::new();
    let all = own_bounding();
    assert_eq!(look(agent.task(LOOK)).sets(), [0, all, all, all, 0]);
    assert_eq!(look(agent.task(LOOK).user("nobody")).sets(), [0, 0, 0, all, 0]);
}

#[test]
fn inheritable_and_ambient_ones_of_the_agent_stop_at_the_container() {
    need_root!();
    if std::process::Command::new("setpriv").arg("-V").output().is_err() {
        skip!("there is no setpriv");
    }
    // The agent's process has them indeed: the program sees them when it starts.
    let through = "setpriv --inh-caps=+kill,+net_raw --ambient-caps=+kill,+net_raw";
    let has =
        std::process::Command::new("sh").args(["-c", &format!("{through} cat /proc/self/status")]).output().unwrap();
    let has = String::from_utf8(has.stdout).unwrap();
    let mask = format!("{:016x}", bits(&[KILL, NET_RAW]));
    assert!(has.contains(&format!("CapInh:\t{mask}")) && has.contains(&format!("CapAmb:\t{mask}")), "{has}");

    let all = own_bounding();
    for isolation in ["--isolation=posix/cpu", ISOLATION] {
        let agent = Agent::builder().through(through).flag(isolation).build();
        assert_eq!(look(agent.task(LOOK)).sets(), [0, all, all, all, 0], "{isolation}");
        assert_eq!(look(agent.task(LOOK).user("nobody")).sets(), [0, 0, 0, all, 0], "{isolation}");
        assert_eq!(look(agent.task(LOOK).no_user()).sets(), [0, all, all, all, 0], "{isolation}");
    }
}

#[test]
fn flags_decide_for_root() {
    need_root!();
    let both = ["--effective_capabilities=KILL", "--bounding_capabilities=KILL,NET_RAW"];
    let (kill, two) = (bits(&[KILL]), bits(&[KILL, NET_RAW]));
    for (flags, expected) in [
        (vec![both[0]], kill),
        // Root would get all of the bounding set, so there is no more in it than is to be effective.
        (both.to_vec(), kill),
        (vec![both[1]], two),
        // The agent calls through a shell.
        (vec!["'--effective_capabilities={\"capabilities\":[]}'"], 0),
        (vec!["--bounding_capabilities=none"], 0),
    ] {
        let agent = agent(&[&[ISOLATION], &flags[..]].concat());
        assert_eq!(look(agent.task(LOOK)).sets(), [0, expected, expected, expected, 0], "{flags:?}");
    }
}

#[test]
fn flags_decide_for_another_user() {
    need_root!();
    let both = ["--effective_capabilities=KILL", "--bounding_capabilities=KILL,NET_RAW"];
    let (kill, two) = (bits(&[KILL]), bits(&[KILL, NET_RAW]));
    for (flags, effective, bounding) in [
        (vec![both[0]], kill, kill),
        (both.to_vec(), kill, two),
        (vec![both[1]], 0, two),
        (vec!["--effective_capabilities=none"], 0, 0),
        (vec!["--effective_capabilities=none", both[1]], 0, two),
    ] {
        let agent = agent(&[&[ISOLATION], &flags[..]].concat());
        // What is to stay over an exec has to be ambient, and for that inheritable.
        let expected = [effective, effective, effective, bounding, effective];
        assert_eq!(look(agent.task(LOOK).user("nobody")).sets(), expected, "{flags:?}");
    }
}

#[test]
fn a_capability_that_was_given_can_be_used() {
    need_root!();
    if std::process::Command::new("python3").arg("-V").output().is_err() {
        skip!("there is no python3");
    }
    let script = "exec python3 -c 'import os
os.close(os.open(\"mine\", os.O_CREAT)); os.chown(\"mine\", 12345, 12345)'";
    for (effective, status) in [("CHOWN", 0), ("KILL", 1 << 8)] {
        let agent = agent(&[ISOLATION, &format!("--effective_capabilities={effective}")]);
        agent.task(script).user("nobody").launch().complete().assert_status(status);
    }
}

#[test]
fn the_record_decides_within_the_bounding_flag() {
    need_root!();
    let bounding = "--bounding_capabilities=CHOWN,KILL,NET_RAW";
    let agent = agent(&[ISOLATION, "--effective_capabilities=CHOWN", bounding]);
    let all = bits(&[CHOWN, KILL, NET_RAW]);
    for (effective, bounding, seen) in [
        (Some(&[KILL][..]), None, (bits(&[KILL]), all)),
        (Some(&[KILL]), Some(&[KILL, NET_RAW][..]), (bits(&[KILL]), bits(&[KILL, NET_RAW]))),
        (Some(&[]), None, (0, all)),
        (None, Some(&[CHOWN]), (bits(&[CHOWN]), bits(&[CHOWN]))),
    ] {
        let info = linux_info(effective, bounding);
        let task = agent.task(LOOK).user("nobody").edit(move |launch| ask(launch, 8, &info));
        assert_eq!(look(task).sets(), [seen.0, seen.0, seen.0, seen.1, seen.0], "{effective:?} {bounding:?}");
    }
    let beyond = linux_info(Some(&[NET_BIND_SERVICE, KILL]), None);
    let reason = agent.task("touch ran").edit(move |launch| ask(launch, 8, &beyond)).refused();
    assert_says(&reason, &["linux/capabilities", "NET_BIND_SERVICE", "--bounding_capabilities", "CHOWN,KILL,NET_RAW"]);
    let unknown = linux_info(Some(&[99]), None);
    let reason = agent.task("touch ran").edit(move |launch| ask(launch, 8, &unknown)).refused();
    assert_says(&reason, &["capability 1099"]);
}

#[test]
fn what_the_agent_has_not_cannot_be_given() {
    need_root!();
    if own_bounding() & bits(&[SYS_RESOURCE]) != 0 {
        skip!("this root has every capability");
    }
    for user in ["root", "nobody"] {
        let agent = agent(&[ISOLATION, "--effective_capabilities=KILL,SYS_RESOURCE"]);
        assert_says(&agent.task("touch ran").user(user).refused(), &["SYS_RESOURCE", "does not have"]);
    }
    // In the bounding set it may stand, for it is only a bound.
    let agent = agent(&[ISOLATION, "--bounding_capabilities=KILL,SYS_RESOURCE"]);
    let kill = bits(&[KILL]);
    assert_eq!(look(agent.task(LOOK)).sets(), [0, kill, kill, kill, 0]);
}

#[test]
fn flags_that_cannot_be_meant_are_refused() {
    let agent = agent(&[ISOLATION]);
    let task = agent.task("touch ran").flag("--effective_capabilities=NET_ROW");
    assert_says(&task.refused(), &["--effective_capabilities=NET_ROW", "did you mean NET_RAW?"]);
    if is_root() {
        let agent = super::agent(&[ISOLATION, "--effective_capabilities=KILL", "--bounding_capabilities=CHOWN"]);
        assert_says(
            &agent.task("touch ran").refused(),
            &["--effective_capabilities", "--bounding_capabilities", "KILL"],
        );
    }
}

#[test]
fn the_isolator_needs_the_right_to_bound() {
    need_root!();
    let agent = Agent::builder().unprivileged().flag(ISOLATION).build();
    assert_says(&agent.task("touch ran").refused(), &["linux/capabilities", "CAP_SETPCAP", "as root"]);
}

#[test]
fn a_record_that_nobody_looks_at_is_warned_of() {
    let agent = Agent::new();
    let info = linux_info(Some(&[]), None);
    let (container, output) = agent.task("true").edit(move |launch| ask(launch, 8, &info)).launch_with_output();
    container.complete().assert_status(0);
    assert!(output.stderr.contains("warning: container.linux_info"), "{}", output.stderr);
    assert!(output.stderr.contains("linux/capabilities is not in --isolation"), "{}", output.stderr);
}
