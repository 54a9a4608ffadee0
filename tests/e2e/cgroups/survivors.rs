//! Whatever its processes do, none of them outlives a container: destroyed or ended, by its supervisor or by who took over.

mod alone;
mod crowds;
mod held;
mod nested;
mod traced;
mod v1_only;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::container::AWAIT_GO;
use crate::agent::processes::{Process, signal};
use crate::agent::{Agent, Container, cgroups, eventually};
use nix::sys::signal::Signal;

/// How a container comes to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Destroy,
    End,
    /// The supervisor has been killed.
    DestroyAdopted,
    EndAdopted,
    /// And recover has put another in its place, who then has to destroy.
    Recovered,
}

/// All of them.
pub const ALL: [Way; 5] = [Way::Destroy, Way::End, Way::DestroyAdopted, Way::EndAdopted, Way::Recovered];
/// Those that take nothing of the first process.
pub const BY_FORCE: [Way; 3] = [Way::Destroy, Way::DestroyAdopted, Way::Recovered];

/// A task that tries to outlive its container.
pub struct Attack {
    pub script: String,
    /// So many processes note their ids in the file `pids`; the first is not among them.
    pub noted: usize,
    pub user: Option<&'static str>,
    pub ways: Vec<Way>,
}

impl Attack {
    pub fn new(script: &str, noted: usize) -> Attack {
        Attack { script: script.to_owned(), noted, user: None, ways: ALL.to_vec() }
    }

    pub fn user(self, user: &'static str) -> Attack {
        Attack { user: Some(user), ..self }
    }

    pub fn ways(self, ways: &[Way]) -> Attack {
        Attack { ways: ways.to_vec(), ..self }
    }

    /// Makes the attack once for each way.
    #[track_caller]
    pub fn run(&self) {
        self.run_with(|_| ());
    }

    /// The same; when all have noted themselves, `meanwhile` does something, whose result lives until all is over.
    #[track_caller]
    pub fn run_with<G>(&self, meanwhile: impl Fn(&Container<'_>) -> G) {
        for way in &self.ways {
            let agent = Agent::new();
            let container = self.launch(&agent);
            let mut pids = noted(&container, self.noted);
            pids.push(container.pid("pid"));
            let guard = meanwhile(&container);
            assert_eq!(agent.containers(), [container.id.as_str()]);
            end(&agent, &container, *way);
            let left: Vec<_> = pids.iter().filter_map(|pid| Process::find(*pid)).collect();
            let left: Vec<_> = left.iter().filter(|p| !matches!(p.state, 'Z' | 'X')).collect();
            left.iter().for_each(|p| signal(p.pid, Signal::SIGKILL));
            assert!(left.is_empty(), "{way:?}: survived: {left:?}");
            agent.assert_nothing_left();
            drop(guard);
        }
    }

    pub fn launch<'a>(&self, agent: &'a Agent) -> Container<'a> {
        let dirs: Vec<_> = tracking().iter().map(|m| m.join(&agent.cgroups_root).display().to_string()).collect();
        let script = format!(
            "export PIDS=$PWD/pids; umask 0; : > pids; CGROUPS=; \
             for d in {}; do CGROUPS=\"$CGROUPS $d/$MESOS_CONTAINER_ID\"; done; export CGROUPS\n{}\n\
             echo $$ > pid; {AWAIT_GO}; exit 7",
            dirs.join(" "),
            self.script
        );
        let task = agent.task(&script);
        match self.user {
            Some(user) => task.user(user).launch(),
            None => task.launch(),
        }
    }
}

/// The mount points of the hierarchies that the launcher kills by.
pub fn tracking() -> Vec<PathBuf> {
    let freezer = cgroups::is_v1("freezer").then(|| cgroups::mount_point("freezer"));
    freezer.into_iter().chain(cgroups::unified()).collect()
}

/// The container's cgroups there.
pub fn own_cgroups(agent: &Agent, container: &Container<'_>) -> Vec<PathBuf> {
    tracking().iter().map(|mount| mount.join(&agent.cgroups_root).join(&container.id)).collect()
}

#[track_caller]
fn noted(container: &Container<'_>, count: usize) -> Vec<i32> {
    let pids = || -> Vec<i32> { container.file("pids").lines().map(|line| line.trim().parse().unwrap()).collect() };
    eventually(&format!("{count} lines in pids; stderr: {}", container.file("stderr")), || pids().len() >= count);
    pids()
}

/// Brings the container to its end, which must be over when this returns.
#[track_caller]
pub fn end(agent: &Agent, container: &Container<'_>, way: Way) {
    if !matches!(way, Way::Destroy | Way::End) {
        agent.kill_supervisors();
    }
    let limit = Duration::from_secs(20);
    match way {
        Way::Destroy | Way::DestroyAdopted => {
            container.invoke("destroy").spawn().finish_within(limit).ok();
            container.spawn_wait().finish_within(limit).termination();
        }
        Way::End | Way::EndAdopted => {
            let wait = container.spawn_wait();
            if way == Way::EndAdopted {
                eventually("a new supervisor", || !agent.supervisors().is_empty());
            }
            container.go();
            let termination = wait.finish_within(limit).termination();
            if way == Way::End {
                assert_eq!(termination.status, Some(7 << 8), "{termination:?}");
            }
        }
        Way::Recovered => {
            let recovered = agent.restart_without_memory();
            assert_eq!(recovered.orphans, [container.id.as_str()]);
            return assert!(agent.containers().is_empty(), "{way:?}: still listed");
        }
    }
    container.note_end();
    assert!(agent.containers().is_empty(), "{way:?}: still listed");
}

/// A cgroup of the test's own, apart from the containers': emptied and removed at its end.
pub struct Own(pub PathBuf);

impl Own {
    /// In the hierarchy of a controller; `name` must be nobody else's.
    pub fn make(controller: &str, name: &str) -> Own {
        let path = cgroups::mount_point(controller).join(format!("ecp-e2e-own-{}-{name}", crate::agent::new_id()));
        fs::create_dir(&path).unwrap();
        Own(path)
    }

    pub fn write(&self, file: &str, value: &str) {
        write(&self.0.join(file), value);
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        for _ in 0..500 {
            for pid in fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
                signal(pid.parse().unwrap(), Signal::SIGKILL);
            }
            let _ = fs::write(self.0.join("memory.oom_control"), "0");
            if fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn write(path: &Path, value: &str) {
    fs::write(path, value).unwrap_or_else(|e| panic!("{} > {}: {e}", value, path.display()));
}

/// A program in Perl, put into the background by the shell. It may call `note` and `rest`.
pub fn perl(program: &str) -> String {
    assert!(!program.contains('\''), "it is quoted");
    let (ptrace, clone) = if cfg!(target_arch = "aarch64") { (117, 220) } else { (101, 56) };
    format!(
        "perl -e 'use POSIX (); $| = 1; sub PTRACE {{ {ptrace} }} sub CLONE {{ {clone} }} \
         sub note {{ open(my $f, \">>\", $ENV{{PIDS}}) or die; syswrite($f, \"$$\\n\"); close($f) }} \
         sub put {{ open(my $f, \">\", $_[0]) or die \"$_[0]: $!\"; syswrite($f, $_[1]) // die \"$_[0]: $!\"; close($f) }} \
         sub rest {{ sleep 1000 while 1 }} {program}' &\n"
    )
}

/// Whether there is Perl; the tests that need it are skipped without.
pub fn has_perl() -> bool {
    Path::new("/usr/bin/perl").exists()
}

/// Ends a test that cannot be done here.
macro_rules! need_perl_and_root {
    () => {
        crate::agent::need_root!();
        if !crate::cgroups::survivors::has_perl() {
            crate::agent::skip!("there is no Perl");
        }
    };
}
pub(crate) use need_perl_and_root;
