//! Many processes.

use std::fs;
use std::time::{Duration, Instant};

use super::{Attack, Own, Way, need_perl_and_root, own_cgroups, perl, tracking};
use crate::agent::{Agent, cgroups, eventually, skip};

/// Each process forks until it cannot; who is killed makes room for another.
const BOMB: &str = "$SIG{CHLD} = \"IGNORE\"; select(undef, undef, undef, 0.01) until -e \"bomb\"; \
    while (1) { my $pid = fork; if (defined $pid) { POSIX::setsid() if $pid == 0 } else { select(undef, undef, undef, 0.01) } }";

#[test]
fn a_fork_bomb_under_a_limit_of_processes() {
    need_perl_and_root!();
    if !cgroups::is_v1("pids") {
        skip!("there is no v1 hierarchy of pids");
    }
    let attack = Attack::new(&perl(&format!("note; {BOMB}")), 1);
    for way in attack.ways.clone() {
        let once = Attack::new(&attack.script, 1).ways(&[way]);
        once.run_with(|container| {
            let limit = Own::make("pids", &format!("bomb-{way:?}"));
            limit.write("pids.max", "300");
            limit.write("cgroup.procs", &container.pid("pids").to_string());
            fs::write(container.path("bomb"), "").unwrap();
            eventually("the bomb has gone off", || limit.read("pids.current").trim() == "300");
            limit
        });
    }
}

fn crowd(count: usize) -> Attack {
    let program = format!(
        "POSIX::setsid(); for (1..{count}) {{ my $pid = fork; die $! unless defined $pid; rest if $pid == 0 }} note; rest"
    );
    Attack::new(&perl(&program), 1)
}

#[test]
fn two_thousand_at_once() {
    need_perl_and_root!();
    crowd(2000).ways(&[Way::Destroy, Way::EndAdopted]).run();
}

/// The goal is a tenth of a second on a machine that has nothing else to do; here others may be at work.
#[test]
fn a_thousand_are_destroyed_fast() {
    need_perl_and_root!();
    let mut times = Vec::new();
    for _ in 0..3 {
        let agent = Agent::new();
        let container = crowd(1000).launch(&agent);
        container.pid("pid");
        container.pid("pids");
        let procs = own_cgroups(&agent, &container)[0].join("cgroup.procs");
        assert!(fs::read_to_string(procs).unwrap().lines().count() > 1000);
        let begin = Instant::now();
        container.invoke("destroy").run().ok();
        times.push(begin.elapsed());
        assert!(container.processes().is_empty());
        container.wait();
        agent.assert_nothing_left();
    }
    println!("a thousand processes were destroyed in {times:?} ({} hierarchies)", tracking().len());
    assert!(times.iter().min().is_some_and(|best| *best < Duration::from_secs(1)), "{times:?}");
}
