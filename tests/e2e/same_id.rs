//! Many calls about one container at the same time: one outcome, nobody waits for ever, nothing is done twice.

use std::fs;
use std::time::Duration;

use crate::agent::messages::{scalar, update};
use crate::agent::{Agent, Call, need_root};

/// At the same time.
const CALLS: usize = 24;
const BOUND: Duration = Duration::from_secs(40);

fn codes(calls: Vec<Call<'_>>) -> Vec<i32> {
    calls.into_iter().map(|call| call.finish_within(BOUND).status.code().expect("no signal")).collect()
}

#[test]
fn one_of_many_launches_succeeds() {
    let agent = Agent::new();
    let id = crate::agent::new_id();
    let script = "echo started >> started; while [ ! -e go ]; do sleep 0.02; done; exit 3";
    let (containers, calls): (Vec<_>, Vec<_>) = (0..CALLS).map(|_| agent.task(script).id(&id).spawn()).unzip();
    let codes = codes(calls);
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| [0, 1].contains(code)), "{codes:?}");
    assert_eq!(agent.containers(), [id.as_str()]);
    // Each has a sandbox of its own.
    let container = &containers[codes.iter().position(|code| *code == 0).unwrap()];
    container.remember();
    container.line("started");
    let waits: Vec<_> = (0..CALLS).map(|_| container.spawn_wait()).collect();
    container.go();
    for wait in waits {
        wait.finish_within(BOUND).termination().assert_status(3 << 8);
    }
    assert_eq!(fs::read_to_string(container.path("started")).unwrap(), "started\n");
    container.note_end();
    agent.assert_nothing_left();
}

/// Also with a supervisor that somebody kills meanwhile: the calls find one new owner. The hook runs once.
#[test]
fn all_calls_about_one_that_is_destroyed_end() {
    need_root!();
    for killed in [false, true] {
        let hook = "'--on_exit=echo end >> $MESOS_SANDBOX/ends'";
        let agent = Agent::builder().flag("--isolation=hooks,cgroups/cpu").flag(hook).build();
        let container = agent.task("(setsid sleep 1000 &); sleep 1000").launch();
        container.first_pid();
        let waits: Vec<_> = (0..CALLS).map(|_| container.spawn_wait()).collect();
        let updates: Vec<_> = (0..CALLS)
            .map(|n| {
                let record = update(&container.id, &[scalar("cpus", 0.1 + n as f64 / 10.0)]).record();
                container.invoke("update").record(record).spawn()
            })
            .collect();
        let destroys: Vec<_> = (0..CALLS).map(|_| container.invoke("destroy").spawn()).collect();
        if killed {
            // They may have been quicker.
            for process in agent.supervisors() {
                crate::agent::processes::signal(process.pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
        assert_eq!(codes(destroys), [0; CALLS], "killed {killed}");
        assert!(container.processes().is_empty(), "killed {killed}");
        assert_eq!(codes(updates), [0; CALLS], "killed {killed}");
        let mut ends_said: Vec<_> =
            waits.into_iter().map(|wait| wait.finish_within(BOUND).termination().status).collect();
        ends_said.dedup();
        assert!(ends_said == [Some(9)] || (killed && ends_said == [None]), "killed {killed}: {ends_said:?}");
        assert!(agent.containers().is_empty());
        agent.assert_nothing_left();
        let ran = container.file("ends").lines().count();
        assert!(ran == 1 || (killed && ran == 2), "killed {killed}: the end was cleaned up {ran} times");
    }
}
