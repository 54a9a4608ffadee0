//! Many containers: nobody waits for all others.

use std::time::{Duration, Instant, SystemTime};

use super::{Agent, agent, assert_exceeded, resources};
use crate::agent::{Call, eventually, patient};

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// In "crowds of processes", where nothing else runs.
mod crowds {
    use super::*;

    #[test]
    fn every_breach_of_a_hundred_containers_is_found_in_time() {
        const COUNT: usize = 100;
        let interval = Duration::from_secs(2);
        let agent = Agent::builder()
            .flag("--isolation=posix/disk")
            .flag("--container_disk_watch_interval=2secs")
            .flag("--enforce_container_disk_quota")
            .flag("--disk_walkers=2")
            .build();
        // Some files each, so that a walk takes its time; and a way to wait that leaves the processors to the walkers.
        let script = "mkdir d; cd d; seq 300 | xargs touch; cd ..; touch ready; while [ ! -e go ]; do sleep 0.5; done; head -c 3M /dev/zero > big; date +%s.%N > at; \
             sleep 1000";
        let containers: Vec<_> = (0..COUNT).map(|_| agent.task(script).resources(resources(2.0)).launch()).collect();
        for container in &containers {
            eventually("it is ready", || container.path("ready").exists());
        }
        // Walks take their turns by now.
        std::thread::sleep(interval);
        let walk = {
            let begin = Instant::now();
            super::super::du(&containers[0].path(""));
            begin.elapsed()
        };
        let waits: Vec<_> = containers.iter().map(|container| container.spawn_wait()).collect();
        containers.iter().for_each(|container| container.go());
        let ends: Vec<_> = std::thread::scope(|scope| {
            let finish = |wait: Call<'_>| (wait.finish().termination(), now());
            let threads: Vec<_> = waits.into_iter().map(|wait| scope.spawn(move || finish(wait))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut slowest = Duration::ZERO;
        for (container, (termination, ended)) in containers.iter().zip(ends) {
            assert_exceeded(&termination, "2MB");
            // Ended before it could say so: found at once.
            let breach: f64 = container.file("at").trim().parse().unwrap_or(ended);
            slowest = slowest.max(Duration::from_secs_f64((ended - breach).max(0.0)));
            container.note_end();
        }
        // Two walk at once. What starting, killing and cleaning up a hundred takes comes on top.
        let bound = interval + walk * (COUNT as u32) / 2 + patient(Duration::from_secs(2));
        println!("slowest {slowest:?}, one walk {walk:?}, bound {bound:?}");
        assert!(slowest < bound, "{slowest:?}, {bound:?}");
        agent.assert_nothing_left();
    }
}

#[test]
fn a_large_tree_does_not_keep_others_waiting() {
    let agent = agent().flag("--disk_walkers=1").build();
    let large = "mkdir d; cd d; perl -e 'for (1..8000) { mkdir \"d$_\" }'; touch ../done; sleep 100";
    let large = agent.task(large).launch();
    let small = agent.task("sleep 100").launch();
    eventually("it is made", || large.path("done").exists());
    super::settles(&small);
    for round in 0..5 {
        std::fs::write(small.path("more"), vec![1; (round + 1) << 16]).unwrap();
        super::settles(&small);
    }
    super::settles(&large);
}
