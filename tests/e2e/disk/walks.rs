//! How walks are done: when, by whom, beside how many others.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::takeover::walkers;
use super::{agent, resources, settles, used};
use crate::agent::{Agent, eventually, need_root};
use nix::fcntl::{FcntlArg, fcntl};

/// All turns of the host's, taken by the test.
pub struct Held(#[allow(dead_code)] File);

impl Held {
    pub fn all(agent: &Agent) -> Held {
        let path = agent.runtime_dir.join("disk-walkers");
        eventually("somebody had a turn", || path.exists());
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        eventually("nobody has a turn", || fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)).is_ok());
        Held(file)
    }
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim()
}

#[test]
fn a_walker_has_what_others_leave_and_nothing_of_the_containers() {
    need_root!();
    let builder = Agent::builder().flag("--isolation=cgroups/cpu,cgroups/mem,posix/disk");
    let agent = builder.flag("--container_disk_watch_interval=250ms").build();
    let container = agent.task("sleep 100").launch();
    settles(&container);
    let _held = Held::all(&agent);
    eventually("a walker waits for its turn", || !walkers(&agent).is_empty());
    let pid = walkers(&agent)[0].pid;
    let proc = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap();
    assert_eq!(nice, "19");
    let class = std::process::Command::new("ionice").args(["-p", &pid.to_string()]).output().unwrap();
    assert_eq!(String::from_utf8(class.stdout).unwrap().trim(), "idle");
    let cgroups = fs::read_to_string(proc.join("cgroup")).unwrap();
    assert!(!cgroups.contains(&container.id), "{cgroups}");
    let status = fs::read_to_string(proc.join("status")).unwrap();
    assert_eq!(field(&status, "NSpid:"), pid.to_string());
    // What it has open: its three streams, the way to report, the turns' file and perhaps the way to be told of turns.
    let open = fs::read_dir(proc.join("fd")).unwrap().count();
    assert!(open <= 6, "{open}");
    container.destroy();
}

#[test]
fn usage_does_not_wait_for_a_walk() {
    let agent = agent().build();
    let container = agent.task("sleep 100").resources(resources(16.0)).launch();
    settles(&container);
    let known = used(&container);
    let _held = Held::all(&agent);
    fs::write(container.path("more"), vec![1; 1 << 20]).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(used(&container), known);
}

#[test]
fn no_more_than_so_many_walk_at_once_and_all_come_to_it() {
    let agent = agent().flag("--disk_walkers=1").build();
    let containers: Vec<_> = (0..6).map(|_| agent.task("sleep 100").launch()).collect();
    containers.iter().for_each(settles);
    let held = Held::all(&agent);
    eventually("all wait", || walkers(&agent).len() == 6);
    for container in &containers {
        fs::write(container.path("more"), vec![1; 1 << 20]).unwrap();
    }
    drop(held);
    containers.iter().for_each(settles);
}

#[test]
fn other_mounts_in_the_sandbox_do_not_count() {
    need_root!();
    let agent = agent().build();
    let container = agent.task("mkdir at; echo x > file; sleep 100").launch();
    eventually("it is made", || container.path("file").exists());
    settles(&container);
    let before = used(&container).unwrap();
    let tiny = crate::full_disk::Tiny::mount(&container.path("at"));
    tiny.fill();
    fs::write(container.path("file"), vec![1; 100_000]).unwrap();
    settles(&container);
    let now = used(&container).unwrap();
    assert!(now > before && now < before + 150_000, "{before} {now}");
}
