//! Everything that can be isolated at once: what is left of the host.

use std::collections::BTreeMap;
use std::fs;

use super::clean::assert_clean_but_for_ambient;
use super::isolated::{own_namespaces, with_container};
use super::report::{Mount, Report};
use super::{program_task, report};
use crate::agent::messages::scalar;
use crate::agent::wire::Message;
use crate::agent::{Agent, need_root};

const ALL: &str = "filesystem/linux,namespaces/pid,namespaces/ipc,namespaces/uts,cgroups/cpu,cgroups/mem,cgroups/pids,\
                   linux/capabilities,linux/nnp,linux/seccomp,posix/rlimits";
const CHOWN: u64 = 1;

fn agent() -> Agent {
    Agent::builder()
        .flag(&format!("--isolation={ALL}"))
        .flag("--effective_capabilities=CHOWN")
        .flag("--default_rlimits=NOFILE=64:128,CORE=0")
        .inherited(0o077, 5)
        .through("9< /etc/passwd")
        .build()
}

/// What is mounted at a place more often than on the host.
fn added(report: &Report) -> Vec<Mount> {
    let mut host: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string("/proc/1/mountinfo").unwrap().lines() {
        *host.entry(Mount::parse(line).point).or_default() += 1;
    }
    let mut mounts = report.mounts();
    mounts.retain(|mount| match host.get_mut(&mount.point) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    mounts
}

fn volume(host: &str, container: &str, read_only: bool) -> Message {
    Message::new().bytes(1, container).bytes(2, host).varint(3, if read_only { 2 } else { 1 })
}

/// Launches the program as this user, with three volumes; gives what it said, the container and what the host mounts meanwhile.
fn seen_by(agent: &Agent, user: &str) -> (Report, String) {
    for name in ["shared", "seen"] {
        fs::create_dir_all(agent.path(name)).unwrap();
    }
    fs::write(agent.path("shared/file"), "").unwrap();
    let (shared, seen) = (agent.path("shared").display().to_string(), agent.path("seen").display().to_string());
    let copy = agent.copy("inside", &super::program());
    let paths = [seen.as_str(), "data", "/var/tmp", "/dev/shm"];
    let task = program_task(agent, &copy, &paths).user(user).resources(vec![scalar("cpus", 0.5), scalar("mem", 64.0)]);
    let task = with_container(task, |info| {
        let info = info.bytes(4, "inside.example");
        let volumes =
            [volume(&shared, &seen, true), volume(&shared, "data", false), volume("private", "/var/tmp", false)];
        volumes.iter().fold(info, |info, volume| info.message(2, volume))
    });
    (report(task), seen)
}

#[test]
fn nothing_of_the_host_is_seen_but_what_is_meant_to_be() {
    need_root!();
    for user in ["root", "nobody"] {
        let agent = agent();
        let before = fs::read_to_string("/proc/1/mountinfo").unwrap();
        let (report, seen) = seen_by(&agent, user);
        assert_clean_but_for_ambient(&report);

        let own = own_namespaces(&report);
        assert_eq!(own.into_iter().collect::<Vec<_>>(), ["ipc", "mnt", "pid", "uts"]);
        assert_eq!((report.number("pid"), report.processes().unwrap()), (1, vec![1]));
        assert_eq!(report.text("hostname"), "inside.example");

        let sets = report.capabilities();
        assert_eq!((sets.effective, sets.permitted, sets.bounding), (CHOWN, CHOWN, CHOWN), "{user}: {sets:?}");
        assert_eq!((report.number("no_new_privs"), report.status("Seccomp")), (1, "2"));
        let limits = report.rlimits();
        assert_eq!((limits["nofile"], limits["core"]), ((64, 128), (0, 0)));

        assert_eq!(report.directory(&seen), Ok(vec!["file".to_owned()]));
        assert_eq!(report.directory("data"), Ok(vec!["file".to_owned()]));
        assert_eq!((report.directory("/var/tmp"), report.directory("/dev/shm")), (Ok(vec![]), Ok(vec![])));
        let cwd = report.text("cwd").to_owned();
        let mut added: Vec<_> = added(&report).into_iter().map(|m| (m.point.clone(), m.is("ro"))).collect();
        added.sort();
        let data = format!("{cwd}/data");
        let mut expected = [("/dev/shm", false), ("/proc", false), ("/var/tmp", false), (&seen, true), (&data, false)]
            .map(|(point, read_only)| (point.to_owned(), read_only))
            .to_vec();
        expected.sort();
        assert_eq!(added, expected, "{user}");

        assert_eq!(fs::read_to_string("/proc/1/mountinfo").unwrap().lines().count(), before.lines().count());
        agent.assert_nothing_left();
    }
}
