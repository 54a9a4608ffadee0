//! What is seen in a container without any isolator: the host, but nothing of the agent and nothing of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::User;

use super::clean::assert_clean;
use super::{Report, report, report_of, staying, task};
use crate::agent::{Agent, Container, Task, need_root, profile};

fn agent() -> Agent {
    Agent::builder().inherited(0o077, 5).disfavoured(300, 0).build()
}

#[track_caller]
fn assert_streams(report: &Report, container: &Container<'_>) {
    let [out, err] = ["stdout", "stderr"].map(|name| container.path(name).display().to_string());
    let expected = BTreeMap::from([(0, "/dev/null"), (1, out.as_str()), (2, err.as_str())]);
    assert_eq!(report.descriptors(), expected);
}

/// The stand-in leaks a descriptor into every call: an eventfd as agents of 0.22 do, or a file.
#[test]
fn three_descriptors_are_open_and_no_more() {
    let agent = agent();
    let container = task(&agent, &[]).launch();
    container.complete().assert_status(0);
    assert_streams(&report_of(&container), &container);
}

#[test]
fn three_descriptors_are_open_even_if_the_agents_own_streams_were_closed() {
    let agent = Agent::builder().through("2>&-").build();
    let container = task(&agent, &[]).launch();
    container.complete().assert_status(0);
    assert_streams(&report_of(&container), &container);
}

#[test]
fn the_working_directory_is_the_sandbox_by_its_own_name() {
    let agent = agent();
    let container = task(&agent, &[]).launch();
    container.complete().assert_status(0);
    let report = report_of(&container);
    assert_eq!(report.text("cwd"), container.path("").to_str().unwrap().trim_end_matches('/'));
}

/// All of it, so that nothing new gets in by accident, with every release.
#[test]
fn the_environment_is_what_the_agent_and_the_record_say_and_nothing_else() {
    for profile in &profile::ALL {
        let agent = Agent::builder().profile(profile).env("FROM", "the agent").build();
        let container = task(&agent, &[]).env("OF", "the task").launch();
        container.complete().assert_status(0);
        let sandbox = container.path("").display().to_string();
        let sandbox = sandbox.trim_end_matches('/');
        let libexec = agent.libexec.to_str().unwrap();
        let library = format!("/usr/local/lib/libmesos-{}.so", profile.captured.unwrap_or(profile.name));
        let (slave, framework) = (profile.slave(), profile.framework());
        let mut expected = vec![
            ("FROM", "the agent"),
            ("LIBPROCESS_IP", "127.0.0.1"),
            ("MESOS_CHECKPOINT", "1"),
            ("MESOS_CONTAINER_ID", &container.id),
            ("MESOS_DIRECTORY", sandbox),
            ("MESOS_EXECUTOR_ID", "e2e"),
            ("MESOS_FRAMEWORK_ID", &framework),
            ("MESOS_LIBEXEC_DIRECTORY", libexec),
            ("MESOS_NATIVE_JAVA_LIBRARY", &library),
            ("MESOS_NATIVE_LIBRARY", &library),
            ("MESOS_RECOVERY_TIMEOUT", "15mins"),
            ("MESOS_SANDBOX", sandbox),
            ("MESOS_SLAVE_ID", &slave),
            ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
            ("MESOS_WORK_DIRECTORY", agent.work_dir.to_str().unwrap()),
            ("OF", "the task"),
            ("PATH", crate::agent::PATH),
            // The agent calls by a shell, which adds it.
            ("PWD", sandbox),
        ];
        if profile.name != "0.19" && profile.name != "0.22" {
            expected.push(("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"));
            expected.push(("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"));
            expected.push(("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"));
        }
        if profile.name == "1.0" {
            expected.push(("MESOS_HTTP_COMMAND_EXECUTOR", "0"));
        }
        let expected: BTreeSet<_> = expected.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let report = report_of(&container);
        assert_eq!(report.environment(), expected.iter().map(String::as_str).collect(), "{}", profile.name);
        assert_eq!(report.environment().len(), report.lines("environment").len(), "a name stands twice");
    }
}

/// What `id` would say: the tests' own look at the databases, by another way than the program's.
fn groups_of(user: &str) -> Vec<u64> {
    let output = std::process::Command::new("id").args(["-G", user]).output().unwrap();
    let mut groups: Vec<_> =
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(|id| id.parse().unwrap()).collect();
    groups.sort();
    groups.dedup();
    groups
}

#[track_caller]
fn assert_is(report: &Report, user: &str) {
    let User { uid, gid, .. } = User::from_name(user).unwrap().unwrap();
    assert_eq!(report.uids(), [u64::from(uid.as_raw()); 3]);
    assert_eq!(report.gids(), [u64::from(gid.as_raw()); 3]);
    let sets = report.capabilities();
    if uid.is_root() {
        assert_eq!(sets.effective, sets.permitted);
    } else {
        assert_eq!((sets.effective, sets.permitted), (0, 0), "{user}: {sets:?}");
    }
    assert_clean(report);
}

#[test]
fn a_container_has_its_users_ids_and_groups_and_no_others() {
    need_root!();
    // `games` and `backup` have an account on any Debian; one with a supplementary group, if there is any.
    let text = fs::read_to_string("/etc/group").unwrap();
    let member = text.lines().filter_map(|line| line.rsplit(':').next()).find(|members| !members.is_empty());
    let members = member.into_iter().flat_map(|members| members.split(',')).filter(|user| *user != "root");
    for user in ["root", "nobody", "games"].into_iter().chain(members.take(1)) {
        let agent = agent();
        // The groups of whoever started the agent are not handed on.
        assert_is(&seen_by(&agent, user), user);
        let agent = Agent::builder().through("setpriv --groups 4,24,1000").build();
        assert_is(&seen_by(&agent, user), user);
        // Nor is an inheritable or ambient capability.
        let agent = Agent::builder().through("setpriv --inh-caps +net_raw,+chown --ambient-caps +net_raw").build();
        assert_is(&seen_by(&agent, user), user);
    }
}

fn seen_by(agent: &Agent, user: &str) -> Report {
    let task = reachable(task(agent, &[]), agent);
    let report = report(task.user(user));
    assert_eq!(report.groups(), groups_of(user));
    report
}

/// Where every user may run it: a copy, for the build directory may be closed to others.
fn reachable<'a>(task: Task<'a>, agent: &Agent) -> Task<'a> {
    let copy = agent.copy("inside", &super::program());
    let copy = copy.to_str().unwrap().to_owned();
    task.edit_command(move |command| command.set_text(3, &copy))
}

#[test]
fn without_root_a_container_is_who_the_agent_is() {
    need_root!();
    let agent = Agent::builder().unprivileged().build();
    let report = report(reachable(task(&agent, &[]), &agent));
    assert_is(&report, "nobody");
    assert!(report.groups().is_empty(), "those of the agent: {:?}", report.groups());
}

/// The stand-in ignores SIGPIPE, as agents do, and has another umask and niceness.
#[test]
fn nothing_of_the_agents_process_is_left() {
    let agent = agent();
    let report = report(task(&agent, &[]));
    assert_clean(&report);
    assert_eq!((report.number("no_new_privs"), report.status("Seccomp")), (0, "0"));
}

/// `env` of coreutils starts programs with all signals blocked and ignored if it is asked to.
#[test]
fn no_signal_stays_blocked_or_ignored() {
    let agent = Agent::builder().through("env --block-signal --ignore-signal").build();
    assert_clean(&report(task(&agent, &[])));
}

#[test]
fn limits_are_those_of_the_agent() {
    let agent = Agent::builder().through("prlimit --nofile=512:1024 --core=0:0").build();
    let limits = report(task(&agent, &[]));
    let limits = limits.rlimits();
    assert_eq!((limits["nofile"], limits["core"]), ((512, 1024), (0, 0)));
}

/// Every namespace is the host's; the mounts, too.
#[test]
fn the_host_is_seen_as_it_is() {
    let agent = agent();
    let container = staying(&agent).launch();
    let report = report_of(&container);
    for name in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let host = fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino();
        assert_eq!(report.namespace(name), host, "{name}");
    }
    assert!(report.processes().unwrap().contains(&u64::from(std::process::id())));
    assert!(Path::new(&format!("/proc/{}", report.number("pid"))).exists());
    container.destroy();
    agent.assert_nothing_left();
}
