//! Containers that somebody holds up in the kernel: frozen, or asleep for want of memory.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Attack, BY_FORCE, Own, need_perl_and_root, own_cgroups, perl, tracking, write};
use crate::agent::{Agent, cgroups, eventually, need_root, patient, skip};
use crate::refusals::assert_says;

#[test]
fn frozen_containers() {
    need_root!();
    for mount in tracking() {
        let attack = Attack::new("setsid sh -c 'echo $$ >> $PIDS; exec sleep 1000' &", 1).ways(&BY_FORCE);
        attack.run_with(|container| {
            let found = cgroups_of(container.pid("pid"), &mount);
            freeze(&found);
        });
    }
}

/// The cgroup of the process in the hierarchy that is mounted there.
fn cgroups_of(pid: i32, mount: &std::path::Path) -> std::path::PathBuf {
    let controller = if Some(mount) == cgroups::unified().as_deref() { "" } else { "freezer" };
    mount.join(cgroups::of_process(pid, controller).trim_start_matches('/'))
}

fn freeze(cgroup: &std::path::Path) {
    if cgroup.join("freezer.state").exists() {
        write(&cgroup.join("freezer.state"), "FROZEN");
        let state = || fs::read_to_string(cgroup.join("freezer.state")).unwrap();
        eventually("it is frozen", || state().trim() == "FROZEN");
    } else {
        write(&cgroup.join("cgroup.freeze"), "1");
        let events = || fs::read_to_string(cgroup.join("cgroup.events")).unwrap();
        eventually("it is frozen", || events().contains("frozen 1"));
    }
}

#[test]
fn frozen_cgroups_one_in_the_other() {
    need_root!();
    let script = "for d in $CGROUPS; do mkdir $d/a $d/a/b; done; \
        setsid sh -c 'for d in $CGROUPS; do echo $$ > $d/a/b/cgroup.procs; done; echo $$ >> $PIDS; exec sleep 1000' &";
    Attack::new(script, 1).run_with(|container| {
        // v2's first: what v1 has frozen does not get that far in v2.
        for mount in tracking().iter().rev() {
            let deepest = cgroups_of(container.pid("pids"), mount);
            assert!(deepest.ends_with("a/b"));
            freeze(&deepest);
            freeze(deepest.parent().unwrap());
        }
    });
}

#[test]
fn ones_asleep_for_want_of_memory_with_the_oom_killer_off() {
    need_perl_and_root!();
    if !cgroups::is_v1("memory") {
        skip!("there is no v1 hierarchy of memory");
    }
    let program =
        "POSIX::setsid(); note; select(undef, undef, undef, 0.01) until -e \"eat\"; my $x = \"x\" x 67108864; rest";
    let attack = Attack::new(&perl(program), 1);
    for way in attack.ways.clone() {
        Attack::new(&attack.script, 1).ways(&[way]).run_with(|container| {
            let memory = Own::make("memory", &format!("oom-{way:?}"));
            memory.write("memory.limit_in_bytes", "16777216");
            memory.write("memory.oom_control", "1");
            memory.write("cgroup.procs", &container.pid("pids").to_string());
            fs::write(container.path("eat"), "").unwrap();
            eventually("it sleeps", || memory.read("memory.oom_control").contains("under_oom 1"));
            memory
        });
    }
}

#[test]
fn what_cannot_be_killed_in_time_stays_listed_and_is_killed_later() {
    need_root!();
    if !cgroups::is_v1("freezer") {
        skip!("there is no v1 freezer, and v2's does not hold up SIGKILL");
    }
    for adopted in [false, true] {
        let agent = Agent::builder().flag("--cgroups_destroy_timeout=1secs").build();
        let container = Attack::new("", 0).launch(&agent);
        let pid = container.pid("pid");
        // From above: the container's own cgroup can be thawed as often as one likes.
        let above = cgroups::mount_point("freezer").join(&agent.cgroups_root);
        freeze(&above);
        if adopted {
            agent.kill_supervisors();
        }
        let begin = Instant::now();
        let reason = container.invoke("destroy").run().refused();
        let took = begin.elapsed();
        assert!(took > Duration::from_secs(1) && took < patient(Duration::from_secs(6)), "{took:?}");
        assert_says(&reason, &[&format!("pid {pid}"), "--cgroups_destroy_timeout"]);
        assert_eq!(agent.containers(), [container.id.as_str()]);
        write(&above.join("freezer.state"), "THAWED");
        eventually("it is finished", || agent.containers().is_empty());
        agent.assert_nothing_left();
    }
}

#[test]
fn cgroups_that_somebody_makes_meanwhile_are_removed_too() {
    need_root!();
    let agent = Agent::new();
    let container = Attack::new("", 0).launch(&agent);
    container.pid("pid");
    let dirs = own_cgroups(&agent, &container);
    let over = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        let maker = scope.spawn(|| {
            let mut made = 0;
            while !over.load(Ordering::Relaxed) {
                let nested = dirs.iter().map(|dir| fs::create_dir(dir.join(format!("n{made}"))).is_ok());
                made += usize::from(nested.filter(|made| *made).count() > 0);
                std::thread::sleep(Duration::from_micros(50));
            }
            made
        });
        std::thread::sleep(Duration::from_millis(50));
        container.destroy();
        over.store(true, Ordering::Relaxed);
        maker.join().unwrap()
    });
    assert!(made > 10, "{made}");
    agent.assert_nothing_left();
}
