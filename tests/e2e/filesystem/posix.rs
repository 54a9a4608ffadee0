//! filesystem/posix: implied, and with no volumes.

use super::{RO, open_directory, volume, volumes};
use crate::agent::{Agent, need_root};
use crate::refusals::assert_says;

#[test]
fn volumes_need_another_isolator_which_is_named() {
    let isolations: [&[&str]; 3] = [&[], &["--isolation=filesystem/posix,posix/cpu"], &["--isolation=posix/mem"]];
    for flags in isolations {
        let agent = flags.iter().fold(Agent::builder(), |builder, flag| builder.flag(flag)).build();
        let source = open_directory(&agent, "source", "x");
        let reason = agent.task("touch ran").edit(volumes(&[volume(&source, "/data", RO)])).refused();
        assert_says(
            &reason,
            &["executor_info.container.volumes", "\"/data\"", "filesystem/linux or filesystem/shared"],
        );
    }
}

#[test]
fn it_may_be_named_and_changes_nothing() {
    need_root!();
    for list in ["filesystem/posix", "posix/cpu,filesystem/posix"] {
        let agent = Agent::builder().flag(&format!("--isolation={list}")).build();
        let container = agent.task("readlink /proc/self/ns/mnt").launch();
        container.complete().assert_status(0);
        assert_eq!(container.file("stdout").trim(), std::fs::read_link("/proc/self/ns/mnt").unwrap().to_str().unwrap());
        agent.assert_nothing_left();
    }
}
