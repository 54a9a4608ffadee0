//! Ids and groups, umask, and the OOM killer's inclination.

use std::process::Command;

use super::{LOOK, agent, look, nobody, own_bounding};
use crate::agent::{Agent, need_root, skip};
use crate::refusals::assert_says;

/// Effective, as most roots have it.
const SYS_RESOURCE: u64 = 1 << 24;

#[test]
fn ids_and_groups_are_the_users_and_none_of_the_agents() {
    need_root!();
    if Command::new("setpriv").arg("-V").output().is_err() {
        skip!("there is no setpriv");
    }
    let agent = Agent::builder().through("setpriv --groups=0,54321,54322").build();
    let nobody = nobody();
    for (user, uid, gid) in [("root", 0, 0), ("nobody", nobody.uid.as_raw(), nobody.gid.as_raw())] {
        let seen = look(agent.task(LOOK).user(user));
        assert_eq!(seen.status["Uid"], [uid.to_string().as_str(); 4].join("\t"), "{user}");
        assert_eq!(seen.status["Gid"], [gid.to_string().as_str(); 4].join("\t"), "{user}");
        let database = Command::new("id").args(["-G", user]).output().unwrap();
        let mut expected: Vec<u32> =
            String::from_utf8(database.stdout).unwrap().split_whitespace().map(|g| g.parse().unwrap()).collect();
        let mut groups: Vec<u32> = seen.status["Groups"].split_whitespace().map(|g| g.parse().unwrap()).collect();
        expected.sort_unstable();
        groups.sort_unstable();
        assert_eq!(groups, expected, "{user}");
    }
}

#[test]
fn the_umask_is_the_flags_and_not_the_agents() {
    for (flag, umask) in [(None, "0022"), (Some("--umask=027"), "0027"), (Some("--umask=0"), "0000")] {
        let builder = Agent::builder().inherited(0o077, 0);
        let agent = flag.into_iter().fold(builder, |builder, flag| builder.flag(flag)).build();
        let container = agent.task("umask; touch made; stat -c %a made").launch();
        container.complete().assert_status(0);
        let mode = format!("{:o}", 0o666 & !u32::from_str_radix(umask, 8).unwrap());
        assert_eq!(container.file("stdout"), format!("{umask}\n{mode}\n"), "{flag:?}");
    }
    let agent = Agent::new();
    assert_says(&agent.task("touch ran").flag("--umask=088").refused(), &["--umask=088", "octal"]);
}

#[test]
fn the_oom_killer_is_told() {
    let agent = agent(&["--oom_score_adj=700"]);
    let container = agent.task("cat /proc/$$/oom_score_adj").launch();
    container.complete().assert_status(0);
    assert_eq!(container.line("stdout"), "700");
}

#[test]
fn a_score_that_may_not_be_set_is_named() {
    need_root!();
    let agent = Agent::builder().unprivileged().disfavoured(500, 0).flag("--oom_score_adj=-5").build();
    let container = agent.task("touch ran").try_launch();
    assert_says(&container.1.refused(), &["--oom_score_adj", "to -5", "CAP_SYS_RESOURCE", "Permission denied"]);
    assert!(!container.0.path("ran").exists());
    agent.assert_nothing_left();
    if own_bounding() & SYS_RESOURCE != 0 {
        let agent = super::agent(&["--oom_score_adj=-5"]);
        let container = agent.task("cat /proc/$$/oom_score_adj").launch();
        container.complete().assert_status(0);
        assert_eq!(container.line("stdout"), "-5");
    }
}
